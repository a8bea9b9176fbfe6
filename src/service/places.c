/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the counts of waiting calls, and the decision whether there is room for one more. */
#include "service/places.h"

const struct place_limit place_limits[PLACE_KINDS] = {
        [PLACE_ORDER] = { .per_connection = 16, .per_user = 64, .all = 256 },
        [PLACE_STATUS] = { .per_connection = 64, .per_user = 512, .all = 4096 },
        [PLACE_LOG] = { .per_connection = 16, .per_user = 64, .all = 256 },
};

bool places_is_privileged(const struct places *p, uid_t uid) {
        return uid == 0 || uid == p->own_uid;
}

struct place_user *places_user(struct places *p, uid_t uid) {
        struct place_user *u;

        LIST_FOREACH(u, &p->users, users)
                if (u->uid == uid) {
                        u->n_refs++;
                        return u;
                }
        u = calloc(1, sizeof(*u));
        if (!u)
                return NULL;
        u->places = p;
        u->uid = uid;
        u->n_refs = 1;
        LIST_INSERT_HEAD(&p->users, u, users);
        return u;
}

struct place_user *place_user_unref(struct place_user *u) {
        if (!u || --u->n_refs > 0)
                return NULL;
        LIST_REMOVE(u, users);
        free(u);
        return NULL;
}

bool places_connection_has_room(const struct place_counts *connection, enum place_kind kind) {
        return connection->n[kind] < place_limits[kind].per_connection;
}

int places_take(struct place_user *u, enum place_kind kind) {
        const struct place_limit *l = &place_limits[kind];
        size_t room = l->all;

        if (u->waiting.n[kind] >= l->per_user)
                return -EUSERS;
        if (!places_is_privileged(u->places, u->uid))
                room -= u->waiting.n[kind] == 0 ? PLACES_KEPT_PRIVILEGED : PLACES_KEPT;
        if (u->places->waiting.n[kind] >= room)
                return -EBUSY;
        u->waiting.n[kind]++;
        u->places->waiting.n[kind]++;
        return 0;
}

void places_give_back(struct place_user *u, enum place_kind kind) {
        u->waiting.n[kind]--;
        u->places->waiting.n[kind]--;
}
