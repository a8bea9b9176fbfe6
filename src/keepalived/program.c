/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the command line of confd-ha-keepalived. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

#include "basic/bus-flush.h"
#include "basic/log.h"
#include "keepalived/check.h"
#include "keepalived/program.h"
#include "keepalived/wish.h"
#include "keepalived/worker.h"

static void help(void) {
        printf("confd-ha-keepalived [OPTIONS] INSTANCE|GROUP NAME STATE [PRIORITY]\n"
               "confd-ha-keepalived [OPTIONS] worker | check | alive\n"
               "\n"
               "ConfD's high availability under keepalived: its notify program, the worker that does what the\n"
               "notifications wish, and the track scripts.\n"
               "\n"
               "  --config=FILE      read this file (and FILE.d/*.conf) instead of %s\n"
               "  --directory=DIR    where the wishes are kept, instead of %s\n"
               "  --help             show this text\n"
               "  --version          show the version\n",
               settings_file_name(NULL), WISH_DIRECTORY);
}

int program_options_parse(int argc, char **argv, const char **ret_config, const char **ret_directory) {
        enum { OPTION_CONFIG = 256, OPTION_DIRECTORY, OPTION_HELP, OPTION_VERSION };
        static const struct option options[] = {
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "directory", required_argument, NULL, OPTION_DIRECTORY },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                {}
        };
        int c;

        optind = 0; /* getopt begins anew */
        while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0)
                switch (c) {
                case OPTION_CONFIG:
                        *ret_config = optarg;
                        break;
                case OPTION_DIRECTORY:
                        *ret_directory = optarg;
                        break;
                case OPTION_HELP:
                        help();
                        return 0;
                case OPTION_VERSION:
                        printf("confd-ha-keepalived %s\n", CONFD_HA_VERSION);
                        return 0;
                default:
                        return -EINVAL;
                }
        argc -= optind;
        argv += optind;
        if (!(argc == 1 && (streq(argv[0], "worker") || streq(argv[0], "check") || streq(argv[0], "alive"))) && argc != 3 &&
            argc != 4) {
                fprintf(stderr, "confd-ha-keepalived: worker, check, alive, or what keepalived tells; try --help.\n");
                return -EINVAL;
        }
        return 1;
}

/* keepalived waits for nobody, and neither does this: it stores and is gone. */
static int notify(const struct settings *s, const char *directory, const char *name, const char *state) {
        enum wish wish;
        int r;

        r = wish_from_string(state, &wish);
        if (r < 0) {
                log_error("'%s' is no state of keepalived that this program knows", state);
                return EX_USAGE;
        }
        if (!isempty(s->peer_instance) && streq(name, s->peer_instance))
                r = wish_store_peer(directory, wish == WISH_MASTER);
        else if (isempty(s->instance) || streq(name, s->instance))
                r = wish_store_role(directory, wish);
        else
                return EXIT_SUCCESS;
        if (r < 0) {
                log_error("Cannot store in %s that %s is %s: %s; does confd-ha-keepalived.service run, and as this user?",
                          directory, name, state, strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(s), EXIT_SUCCESS);
}

static int work(struct settings *settings, const char *directory) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(worker_freep) struct worker *w = NULL;
        sigset_t signals;
        int r;

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        (void) sigprocmask(SIG_BLOCK, &signals, NULL);
        r = sd_event_new(&event);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, on_terminate, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_terminate, NULL);
        if (r >= 0)
                r = sd_bus_open_system_with_description(&bus, "confd-ha-keepalived");
        if (r >= 0)
                r = sd_bus_set_close_on_exit(bus, false);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = worker_new(&w, event, bus, settings, directory);
        if (r < 0) {
                log_error("Cannot start: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        (void) sd_notify(false, "READY=1");
        r = sd_event_loop(event);
        bus_flush(bus);
        if (r < 0)
                log_error("The event loop failed: %s", strerror(-r));
        return r < 0 ? EXIT_FAILURE : r;
}

int program_run(int argc, char **argv) {
        _cleanup_settings_ struct settings settings = {};
        _cleanup_free_ char *error = NULL;
        const char *config = NULL, *directory = WISH_DIRECTORY;
        int r;

        r = program_options_parse(argc, argv, &config, &directory);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;
        argc -= optind;
        argv += optind;
        r = settings_load(&settings, config, &error);
        if (r < 0) {
                log_error("%s", error ?: strerror(-r));
                return EX_CONFIG;
        }
        if (argc >= 3)
                return notify(&settings, directory, argv[1], argv[2]);
        if (streq(argv[0], "alive"))
                return alive_run(&settings);
        return streq(argv[0], "check") ? check_run(&settings, directory) : work(&settings, directory);
}
