/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the command line of confd-ha-exporter. */
#include <getopt.h>
#include <stdio.h>

#include "exporter/options.h"

static const char help[] =
        "confd-ha-exporter [--listen=ADDRESS[:PORT]]...\n"
        "\n"
        "Serves metrics of the ConfD HA service, confd-had, and probes for load balancers over HTTP: /metrics, and\n"
        "/primary /master /replica /slave /read-only /ready /live. Knows D-Bus only, and changes nothing.\n"
        "\n"
        "      --listen=ADDRESS[:PORT]   where to listen without systemd's sockets: 127.0.0.1, [::1]:9465 (at most 16)\n"
        "  -h, --help                    this text\n"
        "      --version                 the version\n"
        "\n"
        "See confd-ha-exporter(8).\n";

int exporter_options_parse(int argc, char *argv[], struct exporter_options *ret) {
        enum { OPTION_LISTEN = 256, OPTION_VERSION };
        static const struct option options[] = {
                { "listen", required_argument, NULL, OPTION_LISTEN },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPTION_VERSION },
                {},
        };
        int c;

        optind = 0; /* getopt begins anew */
        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case OPTION_LISTEN:
                        if (ret->n_listen >= ELEMENTSOF(ret->listen)) {
                                fprintf(stderr, "confd-ha-exporter: at most %zu --listen=\n", ELEMENTSOF(ret->listen));
                                return -EINVAL;
                        }
                        ret->listen[ret->n_listen++] = optarg;
                        break;
                case 'h':
                        fputs(help, stdout);
                        return 0;
                case OPTION_VERSION:
                        puts("confd-ha-exporter " CONFD_HA_VERSION);
                        return 0;
                default:
                        return -EINVAL;
                }
        if (optind < argc) {
                fprintf(stderr, "confd-ha-exporter: takes no argument such as '%s'; see --help\n", argv[optind]);
                return -EINVAL;
        }
        return 1;
}
