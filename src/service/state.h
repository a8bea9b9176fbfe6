/* SPDX-License-Identifier: Apache-2.0 */
/* What the service says about ConfD: its properties, and which signals follow from what ConfD said. Pure: it is told
 * statuses, events, outcomes and times, and yields changed properties and an ordered list of signals.
 *
 * Time in the conversation with ConfD is counted in stamps, which the caller hands out: each event and each order's
 * reply gets the next one. A status "covers" the stamps that were given before it was asked for. What was reported is
 * kept back until a status covers it, so that whoever hears a signal finds the properties already new.
 *
 * Events can be missed while the event socket is down. From then until a status that was asked for with the socket up
 * again, the difference of two statuses takes their place. An event may then still come late for what the difference
 * has told already; it is swallowed, once, if it comes within STATE_LATE_USEC. */
#pragma once

#include <sys/queue.h>

#include "basic/util.h"
#include "service/nodes.h"
#include "service/roles.h"
#include "service/signals.h"
#include "service/sync-record.h"
#include "service/told.h"

/* Most events that wait for a status. More only set the differences to work, so nothing is lost but the detail. */
#define STATE_PENDING_MAX 1024
#define STATE_LATE_USEC (2 * UINT64_C(1000000))

enum {
        CHANGED_STATE = 1 << 0, /* with StateSince and Transitions */
        CHANGED_NODE_ID = 1 << 1,
        CHANGED_MASTER = 1 << 2,
        CHANGED_SLAVES = 1 << 3,
        CHANGED_CONNECTED = 1 << 4,
        CHANGED_EVENTS_CONNECTED = 1 << 5,
        CHANGED_SYNCHRONIZING = 1 << 6,
        CHANGED_CONFD_ADDRESS = 1 << 7,
        CHANGED_CONFD_VERSION = 1 << 8, /* and ProtocolVersion */
        CHANGED_LAST_ERROR = 1 << 9,
        CHANGED_IN_SYNC = 1 << 10,
        CHANGED_LAST_IN_SYNC = 1 << 11,
        CHANGED_TARGETS = 1 << 12, /* which are not part of the state */
        CHANGED_BESLAVE_SINCE = 1 << 13, /* is kept with LastInSync, and not shown */
};

enum error_kind {
        ERROR_KIND_NONE,
        ERROR_KIND_ORDER,
        ERROR_KIND_MASTER,     /* lost it */
        ERROR_KIND_CONNECTION, /* cleared when the HA connection is up */
        ERROR_KIND_EVENTS,     /* cleared when the event connection is up */
};

struct outcome;

struct state {
        /* The properties. Strings are never NULL once state_new() is through. */
        enum ha_state state;
        char *node_id;
        char *master_id, *master_address;
        struct node_list *slaves;
        bool connected, events_connected, synchronizing, in_sync;
        struct sync_record last_in_sync;
        char *confd_address;
        char *confd_version;
        unsigned protocol_version;
        char *error_name, *error_message;
        uint64_t error_time;
        uint64_t since, transitions;

        /* What has changed since state_take(). */
        unsigned changed;
        struct signal_list signals;
        struct told shown;

        /* Private. */
        enum error_kind error_kind;
        enum ha_state known_state; /* of the last status; UNKNOWN if there never was one */
        struct node_list *known;
        char *ordered_id, *ordered_address; /* the master of the last BeSlave that ended well */
        bool in_place;       /* the data of the master that it follows */
        bool was_in_place;   /* before the BeSlave that was begun last */
        bool untold_copy;    /* that they are is to be signalled when a BeSlave that came through a gap ends well */
        bool gap;            /* what happened before the next status is not known */
        uint64_t gap_since;
        struct signal_list pending;
        unsigned group;
        TAILQ_HEAD(, outcome) outcomes;
        bool missed;
        uint64_t missed_until;
        struct signal_list told; /* by difference; stamp is the time until which an event counts as late */
};

/* The state of a service that has just started. realtime: µs. -ENOMEM. */
_must_check_ int state_new(struct state **ret, const char *confd_address, const char *node_id, uint64_t realtime);

/* What LastInSync said before the service was started (taken over). */
void state_remember(struct state *s, struct sync_record *last_in_sync);

struct state *state_free(struct state *s);
DEFINE_CLEANUP(struct state *, state_free)

/* The HA connection is up, or its address is another. NULL leaves the string as it is. -ENOMEM. */
_must_check_ int state_set_confd(struct state *s, const char *address, const char *version, unsigned protocol_version);
void state_connected(struct state *s);

/* The event connection is up: what a status asked for from `stamp` on shows has not been missed. Or it is down. */
void state_events_up(struct state *s, uint64_t stamp);
void state_events_down(struct state *s);

void state_set_synchronizing(struct state *s, bool synchronizing);

/* A BeSlave is to be given to ConfD, once what is remembered of the data is on disk; and now it is given. */
void state_expect_beslave(struct state *s, uint64_t realtime);
void state_beslave(struct state *s, uint64_t realtime);

/* An event: kind is one of the first four. For MASTER_LOST name and message of the error, for SLAVE_DIED and ARRIVED id
 * and address; else NULL. Nothing is emitted before a status covers the stamp. */
void state_event(struct state *s, uint64_t stamp, enum signal_kind kind, const char *arg1, const char *arg2, bool by_copy);

/* How an order ended, to take effect with the status that covers the stamp. */
struct order_outcome {
        bool beslave;               /* gives a BeSlaveResult */
        bool refused;               /* ConfD did not begin with it */
        const char *node_id;        /* the name that ConfD accepted, or NULL */
        const char *master_id;      /* of a BeSlave that succeeded, or NULL */
        const char *master_address; /* as ordered */
        enum error_kind error_kind; /* ORDER, or CONNECTION where the want of a connection is the reason */
        const char *error_name;     /* or NULL */
        const char *error_message;
};
_must_check_ int state_outcome(struct state *s, uint64_t stamp, const struct order_outcome *outcome);

/* A status, as it has been read. */
struct status_reading {
        uint64_t covers;
        enum ha_state state;
        const struct node_list *nodes;
        bool under_order;   /* an order of ours was under way when it was asked for */
        bool synchronizing; /* a BeSlave is under way now */
        uint64_t monotonic, realtime; /* µs */
};

/* It takes effect. -ENOMEM, with the next status to make up for it. */
_must_check_ int state_status(struct state *s, const struct status_reading *reading);

/* The outcomes of up to this stamp take effect without a status: what ended an order was not ConfD. -ENOMEM. */
_must_check_ int state_outcomes_now(struct state *s, uint64_t covers, bool synchronizing, uint64_t realtime);

/* The HA connection is gone: State becomes unknown, outcomes take effect. */
void state_disconnected(struct state *s, bool synchronizing, uint64_t realtime);

/* Sets LastError, or clears it if it is of the kind. */
void state_set_error(struct state *s, enum error_kind kind, const char *name, const char *message, uint64_t realtime);
void state_clear_error(struct state *s, enum error_kind kind);

/* Hands over what has changed. The caller frees the list. */
unsigned state_take(struct state *s, struct signal_list *ret_signals);
