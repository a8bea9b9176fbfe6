/* SPDX-License-Identifier: Apache-2.0 */
/* A door to a machine's data for writers elsewhere: over TCP, a line "KEY VALUE" becomes an Apply at the reference node on
 * this machine's bus, and its outcome a line "ok HOST TRANSACTION" or "no HOST ERROR". One process a connection.
 *
 *     data-door PORT */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "basic/util.h"

#define PATIENCE_USEC (90 * 1000000ULL) /* longer than three ticks: who waits is told how it ended */

static int apply(sd_bus *bus, const char *key, const char *value, sd_bus_error *error, sd_bus_message **ret_reply) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, "org.confd.HANode", "/org/confd/HANode", "org.confd.HANode", "Apply");
        if (r >= 0)
                r = sd_bus_message_append(m, "a{ss}as", 1, key, value, 0);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r < 0)
                return r;
        return sd_bus_call(bus, m, PATIENCE_USEC, error, ret_reply);
}

static void serve(int fd) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        char host[65] = "", key[512], value[4096];
        FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");

        (void) gethostname(host, sizeof(host) - 1);
        while (in && out && fscanf(in, "%511s %4095s", key, value) == 2) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
                const char *id = "";
                int r = 0;

                if (!bus)
                        r = sd_bus_open_system(&bus);
                if (r >= 0)
                        r = apply(bus, key, value, &error, &reply);
                if (r >= 0)
                        r = sd_bus_message_read(reply, "s", &id);
                if (r >= 0)
                        fprintf(out, "ok %s %s\n", host, id);
                else
                        fprintf(out, "no %s %s\n", host, error.name ?: strerror(-r));
                if (fflush(out) != 0)
                        break;
                if (r == -ENOTCONN || r == -ECONNRESET)
                        bus = sd_bus_close_unref(bus);
        }
}

int main(int argc, char **argv) {
        struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
        int fd, one = 1, zero = 0;

        if (argc != 2)
                return EXIT_FAILURE;
        any.sin6_port = htons((uint16_t) atoi(argv[1]));
        signal(SIGCHLD, SIG_IGN);
        signal(SIGPIPE, SIG_IGN);
        fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) < 0 ||
            bind(fd, (struct sockaddr *) &any, sizeof(any)) < 0 || listen(fd, 64) < 0) {
                perror("data-door");
                return EXIT_FAILURE;
        }
        for (;;) {
                int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

                if (c < 0)
                        continue;
                if (fork() == 0) {
                        close(fd);
                        serve(c);
                        _exit(EXIT_SUCCESS);
                }
                close(c);
        }
}
