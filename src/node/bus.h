/* SPDX-License-Identifier: Apache-2.0 */
/* The data interface org.confd.HANode on D-Bus. */
#pragma once

#include <systemd/sd-event.h>

#include "node/bus-writes.h"
#include "node/peers.h"
#include "node/store/store.h"

#define NODE_BUS_PATH "/org/confd/HANode"

enum {
        BUS_MESSAGES_A_TURN = 32, /* of several writers, before others have their turn: some 2 ms */
        BUS_RECONNECT_SEC = 1,
        BUS_PATIENCE_SEC = 5,    /* how long the start waits for the name */
        BUS_EMIT_QUEUED_MAX = 64, /* messages on their way; with more, PropertiesChanged waits */
        BUS_EMIT_AGAIN_USEC = 100000,
        BUS_EMIT_DATA_USEC = 10000, /* word of commits goes out no more often than that */
};

struct node_bus;

struct node_bus_ops {
        /* Once, from the loop: the name is held, or the bus does not answer and is waited for (0), or it cannot be had, and why. */
        void (*started)(int error, const char *why, void *userdata);
        const char *(*state)(void *userdata);
        bool (*joining)(void *userdata);
        unsigned (*phase)(void *userdata);
        /* As peers_slaves(). */
        void (*slaves)(master_slave_fn fn, void *fn_userdata, void *userdata);
        /* 0, -EINVAL or -EPERM as role_set_phase() */
        int (*set_phase)(unsigned phase, void *userdata);
        bus_commit_fn commit;
};

/* Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS is honoured), registers the object, asks for the name. When the bus goes
 * away later, the node keeps its role and its data, and comes back to the bus when there is one again: what replicates must
 * not fall with what only looks at it. On an error *ret_error is a message (free it). */
_must_check_ int node_bus_new(sd_event *event, const char *name, struct store *store, const struct node_bus_ops *ops,
                              void *userdata, struct node_bus **ret, char **ret_error);
struct node_bus *node_bus_free(struct node_bus *b);
DEFINE_CLEANUP(struct node_bus *, node_bus_free)

/* As bus_writes_end(). */
void node_bus_end_writes(struct node_bus *b, bus_idle_fn fn, void *userdata);

/* A property may have changed: PropertiesChanged goes out from the loop, for what really has. */
void node_bus_changed(struct node_bus *b);
