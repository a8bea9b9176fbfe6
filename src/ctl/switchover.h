/* SPDX-License-Identifier: Apache-2.0 */
/* The moving of the master's role from one node of a cluster to another: what has to hold, what is to be done, the doing. */
#pragma once

#include "ctl/cluster.h"

struct switchover {
        struct cluster *cluster;
        struct member *from, *to;
        /* As the nodes were called and reached before: names go with the roles. */
        char *from_id, *from_address, *to_id, *to_address;
        char **ids; /* of each member */
        uint64_t step_usec; /* how long a step may take */
};

void switchover_done(struct switchover *s);
#define _cleanup_switchover_ _cleanup_(switchover_done)

/* Finds the two nodes and checks that it can be done; complains if not. CTL_DONE, or the exit status. */
enum ctl_exit switchover_prepare(struct switchover *s, struct cluster *cluster, const char *to);

/* Prints the plan on standard output. */
void switchover_print_plan(const struct switchover *s);

/* Does it, step by step, printing each as it happens. */
enum ctl_exit switchover_run(struct switchover *s);
