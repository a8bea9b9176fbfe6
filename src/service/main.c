/* SPDX-License-Identifier: Apache-2.0 */
/* confd-had: options, signals, the event loop. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <sysexits.h>

#include "basic/bus-flush.h"
#include "basic/log.h"
#include "basic/notify.h"
#include "basic/process-setup.h"
#include "service/service.h"

static void help(void) {
        printf("confd-had [--config=FILE]\n"
               "\n"
               "The D-Bus service org.confd.HA: ConfD's high availability orders for HA frameworks.\n"
               "\n"
               "  --config=FILE  read this file (and FILE.d/*.conf) instead of %s\n"
               "  --help         show this text\n"
               "  --version      show the version\n",
               config_file_name(NULL));
}

/* 1 to go on, 0 to end well, -EINVAL. */
static int parse_options(int argc, char *argv[], const char **ret_config) {
        enum { OPTION_CONFIG = 256, OPTION_HELP, OPTION_VERSION };
        static const struct option options[] = {
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                {}
        };
        int c;

        *ret_config = NULL;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case OPTION_CONFIG:
                        *ret_config = optarg;
                        break;
                case OPTION_HELP:
                        help();
                        return 0;
                case OPTION_VERSION:
                        printf("confd-had %s\n", CONFD_HA_VERSION);
                        return 0;
                default:
                        fprintf(stderr, "Try confd-had --help.\n");
                        return -EINVAL;
                }
        if (optind < argc) {
                fprintf(stderr, "confd-had: unexpected argument %s; try confd-had --help.\n", argv[optind]);
                return -EINVAL;
        }
        return 1;
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        service_stop(userdata);
        return sd_event_exit(sd_event_source_get_event(s), EXIT_SUCCESS);
}

static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        service_reload(userdata);
        return 0;
}

static int add_signals(sd_event *event, struct service *s) {
        int r;

        r = sd_event_add_signal(event, NULL, SIGTERM, on_terminate, s);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_terminate, s);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, s);
        return r;
}

static int run(const char *config_file) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(service_freep) struct service *s = NULL;
        struct config *config = NULL;
        _cleanup_free_ char *error = NULL;
        sigset_t signals;
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = notify_attach_event(event);
        if (r < 0) {
                log_error("Cannot make an event loop: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        r = config_load(&config, config_file, &error);
        if (r < 0) {
                log_error("%s", error ?: strerror(-r));
                /* systemd keeps it, for whoever asks why the unit has failed. */
                notify_status(error ?: strerror(-r));
                return EX_CONFIG;
        }
        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        (void) sigaddset(&signals, SIGHUP);
        (void) sigprocmask(SIG_BLOCK, &signals, NULL);

        r = log_attach_event(event);
        if (r < 0) {
                config_free(config);
                log_error("Cannot make an event loop: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        r = sd_bus_open_system_with_description(&bus, "confd-had");
        /* sd-bus would flush without a limit when the loop ends; bus_flush() below has one. */
        if (r >= 0)
                r = sd_bus_set_close_on_exit(bus, false);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0) {
                config_free(config);
                log_error("Cannot connect to the system bus: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        r = service_new(&s, event, bus, config_file, config);
        if (r >= 0)
                r = add_signals(event, s);
        if (r >= 0)
                r = service_start(s);
        if (r < 0) {
                log_error("Cannot start: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        r = sd_event_loop(event);
        bus_flush(bus);
        if (r < 0) {
                log_error("The event loop failed: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        return r;
}

int main(int argc, char *argv[]) {
        const char *config_file;
        int r;

        if (process_setup(SIG_IGN) < 0)
                return EXIT_FAILURE;
        process_hide_memory();
        process_give_memory_back(128 * 1024, 128 * 1024);
        r = parse_options(argc, argv, &config_file);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;
        return run(config_file);
}
