/* SPDX-License-Identifier: Apache-2.0 */
/* take-over ADDRESS ID: BeMaster by the blocking library to the slave at ADDRESS, which is the node on $DBUS_SYSTEM_BUS_ADDRESS, then one
 * write there: "usec N" from the order to the write's answer. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include <confd_ha.h>
#include <confd_lib.h>
#include <systemd/sd-bus.h>

#include "basic/time-util.h"
#include "basic/util.h"

#define NODE "org.confd.HANode"

int main(int argc, char *argv[]) {
        struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(CONFD_PORT) };
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_close_ int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        confd_value_t id;
        uint64_t begun;
        int r;

        if (argc != 3 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
                fprintf(stderr, "take-over: ADDRESS ID wanted\n");
                return 2;
        }
        confd_init("take-over", stderr, CONFD_SILENT);
        CONFD_SET_STR(&id, argv[2]);
        r = sd_bus_open_system(&bus);
        /* The connection to the bus stands before the clock does. */
        if (r >= 0)
                r = sd_bus_call_method(bus, NODE, "/org/confd/HANode", "org.freedesktop.DBus.Peer", "Ping", &error, NULL, NULL);
        if (r < 0 || confd_ha_connect(sock, (struct sockaddr *) &server, sizeof(server), "bench") != CONFD_OK) {
                fprintf(stderr, "take-over: cannot connect: %s, %s\n", error.message ? error.message : "bus", confd_lasterr());
                return EXIT_FAILURE;
        }
        begun = now_monotonic();
        if (confd_ha_bemaster(sock, &id) != CONFD_OK) {
                fprintf(stderr, "take-over: %s\n", confd_lasterr());
                return EXIT_FAILURE;
        }
        r = sd_bus_call_method(bus, NODE, "/org/confd/HANode", NODE, "Apply", &error, NULL, "a{ss}as", 1, "/bench/take-over", "x", 0);
        if (r < 0) {
                fprintf(stderr, "take-over: %s\n", error.message ? error.message : strerror(-r));
                return EXIT_FAILURE;
        }
        printf("usec %" PRIu64 "\n", now_monotonic() - begun);
        return EXIT_SUCCESS;
}
