/* SPDX-License-Identifier: Apache-2.0 */
/* How many calls may wait at a time: of one connection, of one user and in all. Pure: no bus, no clock.
 *
 * Of the places of each kind some are kept for those whom nobody may keep out: uid 0, the service's own user, and a user
 * who has no call waiting. Of the kept ones some are for the first two alone, or a crowd of users would do. */
#pragma once

#include <sys/queue.h>

#include "basic/util.h"

enum place_kind {
        PLACE_ORDER,  /* orders, Reload and Inhibit */
        PLACE_STATUS,
        PLACE_LOG,    /* changes of the log's level and target */
        PLACE_KINDS,
};

enum {
        PLACES_KEPT = 32,            /* of each kind */
        PLACES_KEPT_PRIVILEGED = 16, /* of these */
};

struct place_limit {
        size_t per_connection, per_user, all;
};
extern const struct place_limit place_limits[PLACE_KINDS];

/* What one connection, or all, have waiting. */
struct place_counts {
        size_t n[PLACE_KINDS];
};

/* What one user has waiting. It lives as long as somebody holds it. */
struct place_user {
        LIST_ENTRY(place_user) users;
        struct places *places;
        uid_t uid;
        unsigned n_refs;
        struct place_counts waiting;
};

struct places {
        LIST_HEAD(, place_user) users;
        uid_t own_uid;
        struct place_counts waiting;
};

/* uid 0 and the service's own user. */
bool places_is_privileged(const struct places *p, uid_t uid);

/* The user, perhaps a new one. NULL without memory. */
struct place_user *places_user(struct places *p, uid_t uid);
struct place_user *place_user_unref(struct place_user *u);

/* Whether the connection may have one more waiting, whoever it belongs to. */
bool places_connection_has_room(const struct place_counts *connection, enum place_kind kind);

/* Takes a place of the user's and of all. -EUSERS if the user has too many, -EBUSY if there are too many in all. What the
 * connection has is its owner's to count. */
_must_check_ int places_take(struct place_user *u, enum place_kind kind);
void places_give_back(struct place_user *u, enum place_kind kind);
