/* SPDX-License-Identifier: Apache-2.0 */
/* What a role is made of, for those who take its steps and who look at it. */
#pragma once

#include <sys/queue.h>

#include "node/role.h"

enum step_type {
        STEP_ORDER,
        STEP_START_JOIN, /* the second half of a be slave: what was there before has been left and told */
        STEP_JOINED,
        STEP_JOIN_FAILED,
        STEP_MASTER_LOST,
        STEP_ARRIVED,
        STEP_DIED,
};

struct step {
        TAILQ_ENTRY(step) steps;
        enum step_type type;
        uint64_t epoch;      /* of following or serving, when this was reported: stale if the role has moved on since */
        uint64_t controller; /* STEP_ORDER */
        struct role_order order;
        int code;            /* also: copied */
        struct role_node node;
        char *why;
};
TAILQ_HEAD(step_queue, step);

struct queued_event {
        TAILQ_ENTRY(queued_event) events;
        struct role_event event;
};

struct role {
        const struct role_peer_ops *peer_ops;
        void *peers;
        const struct role_ops *ops;
        void *userdata;

        unsigned phase;
        bool starts_writable;               /* it was made in the last phase, and stays there */
        enum confd_ha_status_state state;
        struct node_id id;
        struct role_node master;            /* as slave, as relay, and while joining */
        struct role_node *slaves;           /* as master and relay; room for ROLE_SLAVES_MAX */
        unsigned n_slaves;

        /* The be slave that is under way. */
        bool joining;
        bool settling;                      /* its outcome is due, and orders wait for it */
        bool join_wait;
        bool join_heard;                    /* its controller is still there for the reply */
        uint64_t join_controller;

        struct step_queue steps;
        struct step_queue behind;           /* orders of join_controller that wait for the reply before theirs */
        unsigned n_steps, n_orders;
        uint64_t follow_epoch, serve_epoch;

        TAILQ_HEAD(, queued_event) events;
        bool held;
        bool hold_told;                     /* what ops->hold() last said */
        bool running;
};

static inline _unused_ bool follows(const struct role *role) {
        return role->state == CONFD_HA_STATE_SLAVE || role->state == CONFD_HA_STATE_SLAVE_RELAY;
}
