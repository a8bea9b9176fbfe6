/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be done next, given keepalived's wishes and what confd-had tells. Pure: no bus, no clock. */
#pragma once

#include "basic/time-util.h"
#include "keepalived/wish.h"

/* What confd-had tells of this node, as far as it matters here. */
struct node_view {
        bool known;          /* the service is there and has told */
        bool connected;      /* to ConfD */
        enum { STATE_UNKNOWN, STATE_NONE, STATE_SLAVE, STATE_RELAY, STATE_MASTER } state;
        bool synchronizing;
        bool in_sync;
        bool follows_peer;   /* as slave, or on its way to that */
        bool peer_is_slave;  /* listed by this master */
        bool was_master;     /* LastInSync: this node was master itself */
        bool lost_master;    /* LastInSync: it ended because the master was lost */
};

enum step {
        STEP_NOTHING,
        STEP_TAKE_OVER,
        STEP_FOLLOW,       /* BeSlave; not planned, but what the next leads to */
        STEP_PROBE_PEER,   /* does the peer's ConfD listen as a master does? if so, follow */
        STEP_BE_NONE,
        STEP_SLAVE_DEAD
};

struct plan {
        enum step step;
        uint64_t at_usec;  /* not before; 0 is now. With STEP_NOTHING it has no meaning */
};

/* How things went so far; on the monotonic clock. */
struct progress {
        uint64_t follow_again_usec;    /* no BeSlave and no probe before */
        uint64_t take_over_again_usec;
        uint64_t dead_again_usec;
        uint64_t none_again_usec;
};

struct plan plan_next(const struct wishes *w, const struct node_view *n, const struct progress *p);

/* Whether this node may become master: its data is in place, or it was until the master was lost and TakeOver would be
 * carried out. It is what the track script asks, and why a FAULT ends. */
bool plan_may_take_over(const struct wishes *w, const struct node_view *n);

/* How long to wait before the next try, by the error's full name. */
uint64_t plan_retry_usec(enum step step, const char *error_name);
#define RETRY_REFUSED_USEC (200 * USEC_PER_MSEC)
#define RETRY_USEC USEC_PER_SEC
#define RETRY_HOPELESS_USEC (5 * USEC_PER_SEC)
