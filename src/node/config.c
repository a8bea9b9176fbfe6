/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of the node's settings. */
#include <getopt.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "basic/ini-config.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "node/config.h"
#include "node/replication/message.h"
#include "node/role.h"

static const char usage[] =
        "confd-ha-node [OPTIONS]\n"
        "\n"
        "The reference HA node: speaks ConfD's IPC protocol, and replicates data between nodes.\n"
        "\n"
        "  --config=FILE     read FILE and FILE.d/*.conf instead of " NODE_CONFIG_FILE "\n"
        "  --ipc=ADDRESS     listen there for orders: 127.0.0.1:4565, [::1]:4565, unix:/PATH\n"
        "  --ha=ADDRESS      listen there for other nodes once master or relay: 0.0.0.0:4570\n"
        "  --data=DIR        keep the data in DIR\n"
        "  --start-phase0    serve nothing but status until told to go on (SIGUSR1, SetPhase), as StartPhase=0\n"
        "  --bus-name=NAME   offer the data on the system bus as NAME\n"
        "  --help            print this text\n"
        "  --version         print the version\n"
        "\n"
        "Switches override the configuration file. See confd-ha-node(8).\n";

int node_options_parse(int argc, char *argv[], struct node_options *ret) {
        enum { OPT_CONFIG = 1, OPT_IPC, OPT_HA, OPT_DATA, OPT_PHASE0, OPT_BUS_NAME, OPT_HELP, OPT_VERSION };
        static const struct option table[] = {
                { "config", required_argument, NULL, OPT_CONFIG },
                { "ipc", required_argument, NULL, OPT_IPC },
                { "ha", required_argument, NULL, OPT_HA },
                { "data", required_argument, NULL, OPT_DATA },
                { "start-phase0", no_argument, NULL, OPT_PHASE0 },
                { "bus-name", required_argument, NULL, OPT_BUS_NAME },
                { "help", no_argument, NULL, OPT_HELP },
                { "version", no_argument, NULL, OPT_VERSION },
                {},
        };
        struct node_options o = {};
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0)
                switch (c) {
                case OPT_CONFIG:
                        o.config = optarg;
                        break;
                case OPT_IPC:
                        o.ipc = optarg;
                        break;
                case OPT_HA:
                        o.ha = optarg;
                        break;
                case OPT_DATA:
                        o.data = optarg;
                        break;
                case OPT_PHASE0:
                        o.start_phase0 = true;
                        break;
                case OPT_BUS_NAME:
                        o.bus_name = optarg;
                        break;
                case OPT_HELP:
                        (void) fputs(usage, stdout);
                        return 0;
                case OPT_VERSION:
                        (void) puts("confd-ha-node " CONFD_HA_VERSION);
                        return 0;
                default: /* getopt has said what is wrong */
                        (void) fputs("Try --help.\n", stderr);
                        return -EINVAL;
                }
        if (optind < argc) {
                (void) fprintf(stderr, "%s: no arguments are taken, but there is \"%s\". Try --help.\n", argv[0],
                               argv[optind]);
                return -EINVAL;
        }
        *ret = o;
        return 1;
}

/* ---- values ---- */

static int parse_ipc_address(const char *value, void *target, const char **ret_why) {
        *ret_why = "not an address, as 127.0.0.1:4565, [::1]:4565 or unix:/run/confd-ha-node/ipc.sock";
        return parse_socket_address(value, NODE_IPC_PORT, target);
}

static int parse_ha_address(const char *value, void *target, const char **ret_why) {
        struct socket_address a;
        int r;

        *ret_why = "not a TCP address, as 0.0.0.0:4570 or [::]:4570";
        r = parse_socket_address(value, NODE_HA_PORT, &a);
        if (r < 0)
                return r;
        if (a.sa.sa_family == AF_UNIX)
                return -EINVAL;
        *(struct socket_address *) target = a;
        return 0;
}

/* Takes the whole configuration: two fields belong to the one key. */
static int parse_extra_listen(const char *value, void *target, const char **ret_why) {
        struct node_config *config = target;
        struct node_address a[EXTRA_LISTEN_MAX];
        size_t n = 0;

        for (const char *p = value + strspn(value, " \t"); *p; p += strspn(p, " \t")) {
                size_t size = strcspn(p, " \t");

                if (n == ELEMENTSOF(a)) {
                        *ret_why = "too many addresses, at most 16";
                        return -E2BIG;
                }
                if (node_address_parse(p, size, a + n) < 0) {
                        *ret_why = "not a list of TCP addresses separated by spaces, as 10.0.0.1 [fd00::1]:4570";
                        return -EINVAL;
                }
                n++;
                p += size;
        }
        memcpy(config->extra_listen, a, n * sizeof(*a));
        config->n_extra_listen = n;
        return 0;
}

static int parse_tick(const char *value, void *target, const char **ret_why) {
        uint64_t usec;
        int r;

        r = config_parse_sec(value, &usec, ret_why);
        if (r < 0)
                return r;
        if (usec > 0 && usec < TICK_USEC_MIN) {
                *ret_why = "too short: at least 0.01, or 0 for no ticks";
                return -ERANGE;
        }
        *(uint64_t *) target = usec;
        return 0;
}

static int parse_data_directory(const char *value, void *target, const char **ret_why) {
        if (!*value) {
                *ret_why = "a directory is needed";
                return -EINVAL;
        }
        return config_parse_path(value, target, ret_why);
}

static int parse_bus_name(const char *value, void *target, const char **ret_why) {
        if (*value && (value[0] == ':' || sd_bus_service_name_is_valid(value) <= 0)) {
                *ret_why = "not a bus name, as org.confd.HANode";
                return -EINVAL;
        }
        return config_parse_string(value, target, ret_why);
}

/* The command line may name the directory relative to where it was typed. */
static int parse_data_switch(const char *value, void *target, const char **ret_why) {
        *ret_why = "a directory is needed";
        return *value ? config_parse_string(value, target, ret_why) : -EINVAL;
}

static int parse_phase(const char *value, void *target, const char **ret_why) {
        uint64_t phase;
        int r;

        *ret_why = "start phases are 0, 1 and 2";
        r = parse_unsigned(value, 0, ROLE_PHASE_MAX, &phase);
        if (r >= 0)
                *(unsigned *) target = (unsigned) phase;
        return r;
}

static int parse_log_level(const char *value, void *target, const char **ret_why) {
        *ret_why = "one of emerg, alert, crit, err, warning, notice, info, debug";
        return log_level_from_string(value, target);
}

static const struct ini_key keys[] = {
        { "Node", "IpcAddress", parse_ipc_address, offsetof(struct node_config, ipc) },
        { "Node", "AccessFile", config_parse_path, offsetof(struct node_config, access_file) },
        { "Node", "HaAddress", parse_ha_address, offsetof(struct node_config, ha) },
        { "Node", "ExtraListen", parse_extra_listen, 0 },
        { "Node", "TickTimeoutSec", parse_tick, offsetof(struct node_config, tick_usec) },
        { "Node", "StartPhase", parse_phase, offsetof(struct node_config, start_phase) },
        { "Node", "SyncTimeoutSec", config_parse_sec, offsetof(struct node_config, sync_timeout_usec) },
        { "Node", "DataDirectory", parse_data_directory, offsetof(struct node_config, data_directory) },
        { "Node", "SchemaDirectory", config_parse_path, offsetof(struct node_config, schema_directory) },
        { "Node", "BusName", parse_bus_name, offsetof(struct node_config, bus_name) },
        { "Node", "LogLevel", parse_log_level, offsetof(struct node_config, log_level) },
        {},
};

int node_config_load(const struct node_options *options, struct node_config *ret, char **ret_error) {
        _cleanup_node_config_ struct node_config c = {};
        const struct {
                const char *name;
                const char *value;
                config_parse_fn parse;
                void *target;
        } switches[] = {
                { "--ipc", options->ipc, parse_ipc_address, &c.ipc },
                { "--ha", options->ha, parse_ha_address, &c.ha },
                { "--data", options->data, parse_data_switch, &c.data_directory },
                { "--bus-name", options->bus_name, parse_bus_name, &c.bus_name },
        };
        const char *why = "";
        int r;

        *ret_error = NULL;
        c.tick_usec = 20 * USEC_PER_SEC;
        c.start_phase = ROLE_PHASE_MAX;
        c.log_level = LOG_INFO;
        c.sync_timeout_usec = 60 * USEC_PER_SEC;
        r = parse_ipc_address("127.0.0.1", &c.ipc, &why);
        if (r >= 0)
                r = parse_ha_address("0.0.0.0", &c.ha, &why);
        if (r >= 0)
                r = free_and_strdup(&c.data_directory, CONFD_HA_LOCALSTATEDIR "/lib/confd-ha-node");
        if (r < 0)
                return r;

        r = ini_config_load(options->config ?: NODE_CONFIG_FILE, /* required= */ options->config != NULL, keys, &c,
                            ret_error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(switches); i++) {
                if (!switches[i].value)
                        continue;
                why = "invalid value";
                r = switches[i].parse(switches[i].value, switches[i].target, &why);
                if (r < 0) {
                        if (asprintf(ret_error, "%s=%s: %s", switches[i].name, switches[i].value, why) < 0)
                                *ret_error = NULL;
                        return r;
                }
        }
        if (options->start_phase0)
                c.start_phase = 0;
        *ret = c;
        c = (struct node_config) {};
        return 0;
}

void node_config_done(struct node_config *c) {
        free(c->access_file);
        free(c->data_directory);
        free(c->schema_directory);
        free(c->bus_name);
        *c = (struct node_config) {};
}
