/* SPDX-License-Identifier: Apache-2.0 */
/* The node's role: which orders are allowed when, what each of them does, which events it makes and who waits for what.
 *
 * Pure: no sockets, no clock, no loop. It is told what happened (an order came, a slave arrived, a join ended) and calls
 * struct role_peer_ops to have things done and struct role_ops to have them said. All inputs may come at any time, also from inside an action: each
 * becomes a step, and steps are taken one after another.
 *
 *                      be slave                 joined
 *          any state ------------> none, joining ------> slave <=====> slave-relay    be relay / the same be slave
 *              |                      |  failed            |  lost          |
 *              | be none              v                    v                | lost
 *              +------------------> none <-----------------+----------------+
 *              | be master
 *              +------------------> master
 *
 * A step ends with its events. While a subscriber that wants to be waited for has not acknowledged an event, the next
 * event is not made and no further step is taken; only a status is served. */
#pragma once

#include <confd_events.h>
#include <confd_ha.h>
#include <confd_lib.h>

#include "lib/protocol.h"
#include "node/node-id.h"

struct role;

enum {
        ROLE_SLAVES_MAX = 254,   /* at a master or relay; with its master a status has 255 */
        ROLE_ORDERS_MAX = 1024,  /* that wait for their turn or for a reply; then role_may_submit() says no */
        ROLE_STEPS_MAX = 4096,   /* in all, those of the peers included; past it a hold is broken */
        ROLE_PHASE_MAX = 2,
};

struct role_order {
        enum ha_order type;                 /* HA_ORDER_UNKNOWN has an error */
        bool wait;                          /* be slave */
        struct node_id id;                  /* be master, be slave: our name; slave dead: whose */
        struct node_id master_id;           /* be slave */
        struct node_address master_address;
        int error;                          /* CONFD_ERR_ that whoever read the order found in it, 0 for none: */
        const char *why;                    /* then the order only fails, in its turn; static text */
};

struct role_node {
        struct node_id id;
        struct node_address address;
};

struct role_event {
        enum confd_ha_info_type type;
        int code;              /* NOMASTER, BESLAVE_RESULT, SLAVE_INITIALIZED */
        struct role_node node; /* SLAVE_ARRIVED, SLAVE_DIED */
};

/* What the role has done by the replication. */
struct role_peer_ops {
        /* Binds all listeners and serves slaves from now on under this name, as the cluster's real master or as a relay. If slaves
         * are served already: they stay, the name changes, and a relay becomes a master. 0; or CONFD_ERR_HA_BIND and
         * other codes with *ret_why (valid until the next action) naming what failed, and nothing has changed. */
        int (*serve)(void *userdata, bool as_master, const struct node_id *id, const char **ret_why);
        /* Closes the listeners and drops all slaves; no role_slave_died() for them. */
        void (*unserve)(void *userdata);
        /* Ends the connection with this slave, arrived or on its way. A role_slave_died() for it may come or not. */
        void (*drop)(void *userdata, const struct node_id *id);
        /* Joins that master; the outcome is role_joined() or role_join_failed(), later perhaps role_master_lost(). */
        void (*follow)(void *userdata, const struct node_id *id, const struct role_node *master);
        /* Ends a join or stops to follow; none of the three comes any more. */
        void (*unfollow)(void *userdata);
        /* Whether steps wait for an acknowledgement: a slave should not be admitted meanwhile. */
        void (*hold)(void *userdata, bool hold);
};

/* What it has said. */
struct role_ops {
        /* The reply to one order. code 0: ok, or for HA_ORDER_STATUS what role_get_state() and role_get_nodes() say. */
        void (*reply)(void *userdata, uint64_t controller, enum ha_order type, int code, const char *why);
        /* One event, for all subscribers. True if somebody has to acknowledge it: then role_release() is awaited. */
        bool (*event)(void *userdata, const struct role_event *event);
        /* State, nodes, phase or role_is_writable() may have changed. */
        void (*changed)(void *userdata);
};

/* -ENOMEM. */
_must_check_ int role_new(struct role **ret, unsigned phase, const struct role_peer_ops *peer_ops, void *peers,
                          const struct role_ops *ops, void *userdata);
struct role *role_free(struct role *role);
DEFINE_CLEANUP(struct role *, role_free)

/* An order of this controller (any number that stands for the connection). Replies to one controller come in the order of its
 * orders. -EBUSY when role_may_submit() says no, -ENOMEM. */
_must_check_ int role_submit(struct role *role, uint64_t controller, const struct role_order *order);
bool role_may_submit(const struct role *role);

/* Nobody will hear replies for this controller any more. Its orders stand: what it had sent is still done. */
void role_controller_gone(struct role *role, uint64_t controller);

/* Everybody has acknowledged the event that was held for, or the time for it is up. */
void role_release(struct role *role);

/* What the replication says. reason: CONFD_ERR_HA_CLOSED or CONFD_ERR_HA_NOTICK. why: copied. */
void role_join_settles(struct role *role); /* too late to end it: one of the next two comes soon, and orders wait for that */
void role_joined(struct role *role, bool copied);
void role_join_failed(struct role *role, int code, const char *why);
void role_master_lost(struct role *role, int reason);
void role_slave_arrived(struct role *role, const struct role_node *node);
void role_slave_died(struct role *role, const struct node_id *id);

/* Start phases go 0, 1, 2. -EINVAL past 2, -EPERM backwards; the same again is success. A role that was made below 2 goes back
 * to 1 by itself whenever it becomes none. */
_must_check_ int role_set_phase(struct role *role, unsigned phase);
unsigned role_get_phase(const struct role *role);

enum confd_ha_status_state role_get_state(const struct role *role);
/* "none", "slave", "master", "slave-relay" */
const char *role_state_to_string(enum confd_ha_status_state state);
/* At most 255: the master first (as slave or relay), then the slaves (as master or relay). i < role_get_n_nodes(). */
unsigned role_get_n_nodes(const struct role *role);
const struct role_node *role_get_node(const struct role *role, unsigned i);
bool role_is_joining(const struct role *role);
/* Whether this node's data may be written here: as master, and as none unless joining. */
bool role_is_writable(const struct role *role);
/* Our own name as last ordered; size 0 before. */
const struct node_id *role_get_id(const struct role *role);
