/* SPDX-License-Identifier: Apache-2.0 */
/* The program confd-ha-exporter: sockets from systemd or from the command line, signals, the loop. */
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "basic/log.h"
#include "basic/parse.h"
#include "exporter/exporter.h"
#include "exporter/options.h"

enum { EXIT_USAGE = 2, DEFAULT_PORT = 9465 };

static int listen_on(struct exporter *e, const char *text) {
        _cleanup_close_ int fd = -EBADF;
        struct socket_address address;
        int r, on = 1;

        r = parse_socket_address(text, DEFAULT_PORT, &address);
        if (r < 0)
                return r;
        fd = socket(address.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, &address.sa, address.length) < 0 || listen(fd, SOMAXCONN) < 0)
                return -errno;
        return exporter_listen(e, TAKE_FD(fd));
}

/* Sockets that systemd has opened, and those of the command line. Returns how many there are. */
static int listen_everywhere(struct exporter *e, const struct exporter_options *o) {
        int r, n = sd_listen_fds(/* unset_environment= */ true);

        for (int i = 0; i < n; i++) {
                r = exporter_listen(e, SD_LISTEN_FDS_START + i);
                if (r < 0) {
                        log_error("Cannot serve on a socket of systemd's: %s", strerror(-r));
                        return r;
                }
        }
        for (size_t i = 0; i < o->n_listen; i++) {
                r = listen_on(e, o->listen[i]);
                if (r < 0) {
                        log_error("Cannot listen on %s: %s", o->listen[i], strerror(-r));
                        return r;
                }
        }
        return MAX(n, 0) + (int) o->n_listen;
}

static int add_signals(sd_event *event) {
        static const int signals[] = { SIGTERM, SIGINT };
        sigset_t set;
        int r = 0;

        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigemptyset(&set) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&set, signals[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(signals) && r >= 0; i++)
                r = sd_event_add_signal(event, NULL, signals[i], NULL, NULL);
        return r < 0 ? r : sd_event_set_watchdog(event, true);
}

static int run(const struct exporter_options *o) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(exporter_freep) struct exporter *e = NULL;
        int r;

        r = sd_event_default(&event);
        if (r >= 0)
                r = add_signals(event);
        if (r >= 0)
                r = exporter_new(event, &e);
        if (r < 0) {
                log_error("Cannot start: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        r = listen_everywhere(e, o);
        if (r == 0)
                log_error("There is no socket to serve on: start confd-ha-exporter.socket, or give --listen=");
        if (r <= 0)
                return r == 0 ? EXIT_USAGE : EXIT_FAILURE;
        (void) sd_notify(/* unset_environment= */ false, "READY=1");
        r = sd_event_loop(event);
        if (r < 0)
                log_error("The event loop failed: %s", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        struct exporter_options options = {};
        int r;

        r = exporter_options_parse(argc, argv, &options);
        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        return run(&options);
}
