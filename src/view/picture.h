/* SPDX-License-Identifier: Apache-2.0 */
/* The service's properties as one struct. */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

#include "basic/util.h"

struct peer {
        char *id;
        char *address;
};

struct inhibitor {
        char *who;
        char *why;
        uint32_t uid;
        uint64_t since_usec;
};

enum { PICTURE_SLAVES_MAX = 4096, PICTURE_INHIBITORS_MAX = 256, PICTURE_ORDERS_MAX = 1024, PICTURE_BOUNDS_MAX = 32 };

/* How often orders of this kind have ended so, by how long they took: counts[i] took at most the picture's bounds[i], the last
 * one of n_bounds + 1 is all of them. */
struct order_count {
        char *kind;
        char *outcome; /* "ok" or an error's name */
        uint64_t sum_usec;
        uint64_t counts[PICTURE_BOUNDS_MAX + 1];
};

struct picture {
        char *version;
        char *state; /* "unknown" while nothing is known */
        char *node_id;
        struct peer master;
        struct peer *slaves;
        size_t n_slaves;
        bool connected;
        bool events_connected;
        bool synchronizing;
        bool in_sync;
        bool knows_in_sync; /* services of before it do not tell */
        struct {
                char *role; /* empty: never was */
                struct peer master;
                uint64_t usec; /* 0: it lasts */
                char *how;
        } last_in_sync;
        struct inhibitor *inhibitors;
        size_t n_inhibitors;
        char *targets; /* NULL: not told */
        char *confd_address;
        char *confd_version;
        uint32_t protocol_version;
        char *error_name;
        char *error_message;
        uint64_t error_usec;
        uint64_t state_since_usec;
        uint64_t transitions;
        struct order_count *orders;
        size_t n_orders;
        uint64_t bounds[PICTURE_BOUNDS_MAX]; /* in microseconds, rising */
        size_t n_bounds;
};

/* Strings of a picture may be NULL before the first read; these two never are. */
static inline _unused_ const char *picture_state(const struct picture *p) { return p->state ?: "unknown"; }
static inline _unused_ const char *picture_node(const struct picture *p) {
        return isempty(p->node_id) ? "this node" : p->node_id;
}

void picture_done(struct picture *p);
#define _cleanup_picture_ _cleanup_(picture_done)

/* Takes over what an a{sv} says, as GetAll and PropertiesChanged have it. Unknown properties are passed over.
 * -EBADMSG for a property of another type, -E2BIG for more of something than a PICTURE_*_MAX; *p may be changed in part. */
_must_check_ int picture_read(struct picture *p, sd_bus_message *m);

/* Whether this node follows a master and its data is in place: what `wait synced` waits for. */
bool picture_is_synced(const struct picture *p);

/* Whether its data is in place, as far as the service tells: one that does not know the word is judged by its state. */
bool picture_is_in_sync(const struct picture *p);

/* Whether the last order has failed and nothing is under way that could still bring this node's data into sync. With a
 * mark, the time of the last error that was known before the order, any later error counts; else (USEC_INFINITY) one that
 * came after the data was last in sync, and that is an order's. */
bool picture_has_failed(const struct picture *p, uint64_t mark);
