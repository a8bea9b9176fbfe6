/* SPDX-License-Identifier: Apache-2.0 */
/* bench-order ADDRESS TOKEN-FILE: a BeNone while none, over D-Bus to the service on $DBUS_SYSTEM_BUS_ADDRESS, and the same by the blocking
 * library to the node at ADDRESS, which has no service, in turns. Microseconds: "pair order BUS LIBRARY"; and for comparison
 * "pair ping BUS PING". */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#include <confd_ha.h>
#include <confd_lib.h>
#include <systemd/sd-bus.h>

#include "basic/time-util.h"
#include "basic/util.h"

enum { ORDERS = 400, WARM_UP = 20 };

static int over_bus(sd_bus *bus, const char *interface, const char *member, double *ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t begun = now_monotonic();
        int r;

        r = sd_bus_call_method(bus, "org.confd.HA", "/org/confd/HA", interface, member, &error, NULL, NULL);
        if (r < 0) {
                fprintf(stderr, "bench-order: %s: %s\n", member, error.message ? error.message : strerror(-r));
                return r;
        }
        *ret = (double) (now_monotonic() - begun);
        return 0;
}

static int by_library(int sock, double *ret) {
        uint64_t begun = now_monotonic();

        if (confd_ha_benone(sock) != CONFD_OK) {
                fprintf(stderr, "bench-order: the library: %s\n", confd_lasterr());
                return -EIO;
        }
        *ret = (double) (now_monotonic() - begun);
        return 0;
}

static int connect_library(const char *address, const char *token_file) {
        struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(CONFD_PORT) };
        _cleanup_close_ int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char token[256] = "";
        FILE *f = fopen(token_file, "re");

        if (f) {
                if (fgets(token, sizeof(token), f))
                        token[strcspn(token, "\n")] = 0;
                fclose(f);
        }
        confd_init("bench-order", stderr, CONFD_SILENT);
        if (sock < 0 || inet_pton(AF_INET, address, &server.sin_addr) != 1 ||
            confd_ha_connect(sock, (struct sockaddr *) &server, sizeof(server), token) != CONFD_OK) {
                fprintf(stderr, "bench-order: cannot connect to %s: %s\n", address, confd_lasterr());
                return -EIO;
        }
        return TAKE_FD(sock);
}

int main(int argc, char *argv[]) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_close_ int sock = -1;
        int r;

        if (argc != 3) {
                fprintf(stderr, "bench-order: ADDRESS TOKEN-FILE wanted\n");
                return 2;
        }
        r = sock = connect_library(argv[1], argv[2]);
        if (r >= 0)
                r = sd_bus_open_system(&bus);
        for (int i = 0; r >= 0 && i < WARM_UP + ORDERS; i++) {
                double ours, library, ping;

                r = over_bus(bus, "org.confd.HA", "BeNone", &ours);
                if (r >= 0)
                        r = by_library(sock, &library);
                if (r >= 0)
                        r = over_bus(bus, "org.freedesktop.DBus.Peer", "Ping", &ping);
                if (r >= 0 && i >= WARM_UP)
                        printf("pair order %.0f %.0f\npair ping %.0f %.0f\n", ours, library, ours, ping);
        }
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
