/* SPDX-License-Identifier: Apache-2.0 */
/* The node's settings: defaults, configuration file with drop-ins, and the command line over both. */
#pragma once

#include "basic/parse.h"
#include "basic/util.h"
#include "node/replication/replication.h"

#define NODE_CONFIG_FILE CONFD_HA_SYSCONFDIR "/confd-ha/node.conf"

enum { NODE_IPC_PORT = 4565, NODE_HA_PORT = 4570 };

/* Exit status for settings that cannot be used (sysexits.h EX_CONFIG): systemd does not restart after it. */
enum { NODE_EXIT_CONFIG = 78, NODE_EXIT_USAGE = 2 };

/* What the command line says; NULL where it says nothing. Strings are borrowed from argv. */
struct node_options {
        const char *config;
        const char *ipc;
        const char *ha;
        const char *data;
        const char *bus_name;
        bool start_phase0;
};

/* 1: go on; 0: --help or --version has been answered on standard output; -EINVAL: wrong usage, said on standard error. */
_must_check_ int node_options_parse(int argc, char *argv[], struct node_options *ret);

struct node_config {
        struct socket_address ipc;
        struct socket_address ha;
        struct node_address extra_listen[EXTRA_LISTEN_MAX];
        size_t n_extra_listen;
        uint64_t tick_usec;
        uint64_t sync_timeout_usec;
        char *access_file;      /* NULL or "": no IPC access check */
        char *data_directory;
        char *schema_directory; /* NULL or "": no schema */
        char *bus_name;         /* NULL or "": data is not offered */
        unsigned start_phase;   /* 0 to ROLE_PHASE_MAX */
        int log_level;
};

/* Reads everything into a fresh configuration (node_config_done() it). A negative errno with *ret_error set to a message
 * that names file and line, or the switch (free it): the program ends with NODE_EXIT_CONFIG. */
_must_check_ int node_config_load(const struct node_options *options, struct node_config *ret, char **ret_error);
void node_config_done(struct node_config *config);
#define _cleanup_node_config_ _cleanup_(node_config_done)
