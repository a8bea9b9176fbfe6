/* SPDX-License-Identifier: Apache-2.0 */
/* What the reference node tells on the bus, and a real ConfD nowhere: whether it is joining a master. Its status says none then, as
 * that of a node whose join has failed does. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/util.h"

#define REFERENCE_NODE_PATIENCE_USEC (5 * UINT64_C(1000000))

/* Later, once: whether it is joining; no also if there is no such node, or it does not answer. */
typedef void (*reference_node_fn)(void *userdata, bool joining);

struct reference_node {
        sd_bus_slot *slot;
        reference_node_fn fn;
        void *userdata;
};

/* One question at a time: another takes the place of the one before. */
_must_check_ int reference_node_ask(struct reference_node *n, sd_bus *bus, reference_node_fn fn, void *userdata);
void reference_node_done(struct reference_node *n);
