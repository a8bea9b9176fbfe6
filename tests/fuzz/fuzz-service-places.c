/* SPDX-License-Identifier: Apache-2.0 */
/* The places of waiting calls, beside a model: users take them and give them back as they like, of every kind. Nobody has more than
 * is one's own; who is refused changes nothing; whom nobody may keep out finds room while one of the privileged places is left; and a
 * user lives while somebody holds him.
 *
 * The input is steps: a byte that chooses the user, a byte for the kind and whether places are taken or given back, and how many. */
#include "input.h"
#include "service/places.h"

enum { USERS = 16, OWN = 900, HELD_MAX = 8192 };

static const uid_t uids[USERS] = { 0, OWN, 1, 65534, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, UINT32_MAX };

static struct world {
        struct places places;
        struct place_user *users[USERS]; /* held by each place, and once more by nobody */
        size_t held[USERS][PLACE_KINDS], all[PLACE_KINDS];
} w;

static size_t held_by(size_t user) {
        size_t n = 0;

        for (size_t k = 0; k < PLACE_KINDS; k++)
                n += w.held[user][k];
        return n;
}

static void judge(void) {
        struct place_user *u;
        size_t n = 0, living = 0;

        LIST_FOREACH(u, &w.places.users, users)
                n++;
        for (size_t i = 0; i < USERS; i++) {
                living += held_by(i) > 0;
                if (held_by(i) > 0 && (w.users[i]->uid != uids[i] || w.users[i]->n_refs != held_by(i)))
                        abort();
                for (size_t k = 0; held_by(i) > 0 && k < PLACE_KINDS; k++)
                        if (w.users[i]->waiting.n[k] != w.held[i][k] || w.held[i][k] > place_limits[k].per_user)
                                abort();
        }
        for (size_t k = 0; k < PLACE_KINDS; k++)
                if (w.places.waiting.n[k] != w.all[k] || w.all[k] > place_limits[k].all)
                        abort();
        if (n != living)
                abort();
}

/* What has to come of it, by the rules as they are told in places.h. */
static int expected(size_t user, enum place_kind kind) {
        size_t left = place_limits[kind].all - w.all[kind];
        bool privileged = uids[user] == 0 || uids[user] == OWN, first = w.held[user][kind] == 0;

        if (w.held[user][kind] == place_limits[kind].per_user)
                return -EUSERS;
        if (privileged)
                return left > 0 ? 0 : -EBUSY;
        return left > (size_t) (first ? PLACES_KEPT_PRIVILEGED : PLACES_KEPT) ? 0 : -EBUSY;
}

static void take(size_t user, enum place_kind kind) {
        struct place_user *u = places_user(&w.places, uids[user]);
        int r, wanted = expected(user, kind);

        if (!u || (held_by(user) > 0 && u != w.users[user]))
                abort();
        w.users[user] = u;
        r = places_take(u, kind);
        if (r != wanted)
                abort();
        if (r < 0) {
                place_user_unref(u);
                return;
        }
        w.held[user][kind]++;
        w.all[kind]++;
}

static void give_back(size_t user, enum place_kind kind) {
        if (w.held[user][kind] == 0)
                return;
        w.held[user][kind]--;
        w.all[kind]--;
        places_give_back(w.users[user], kind);
        place_user_unref(w.users[user]);
}

static void judge_connections(struct input *in) {
        struct place_counts counts = {};

        for (enum place_kind k = 0; k < PLACE_KINDS; k++) {
                counts.n[k] = take_byte(in);
                if (places_connection_has_room(&counts, k) != (counts.n[k] < place_limits[k].per_connection))
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };

        w = (struct world) { .places = { .own_uid = OWN } };
        judge_connections(&in);
        for (size_t taken = 0; in.left > 0 && taken < HELD_MAX;) {
                uint8_t b = take_byte(&in), how = take_byte(&in);
                size_t user = b % USERS, n = (size_t) take_byte(&in) + 1;
                enum place_kind kind = how % PLACE_KINDS;

                for (size_t i = 0; i < n; i++, taken++)
                        if (how & 0x80)
                                give_back(user, kind);
                        else
                                take(user, kind);
                judge();
        }
        for (size_t i = 0; i < USERS; i++)
                for (enum place_kind k = 0; k < PLACE_KINDS; k++)
                        while (w.held[i][k] > 0)
                                give_back(i, k);
        judge();
        return 0;
}
