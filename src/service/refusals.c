/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the decision which refusals are told one by one. */
#include "service/refusals.h"

static struct refusals_user *user_of(struct refusals *r, bool known, bool privileged, uid_t uid) {
        size_t room = 1 + REFUSALS_USERS + (privileged ? REFUSALS_PRIVILEGED : 0);

        if (r->n == 0)
                r->n = 1;
        if (!known)
                return &r->users[0];
        for (size_t i = 1; i < r->n; i++)
                if (r->users[i].uid == uid)
                        return &r->users[i];
        if (r->n >= room)
                return &r->users[0];
        r->users[r->n] = (struct refusals_user) { .known = true, .uid = uid };
        return &r->users[r->n++];
}

static bool any_untold(const struct refusals *r) {
        for (size_t i = 0; i < r->n; i++)
                if (r->users[i].untold > 0)
                        return true;
        return false;
}

bool refusals_count(struct refusals *r, bool known, bool privileged, uid_t uid, uint64_t now) {
        struct refusals_user *u;

        if (r->end == 0 || (now >= r->end && !any_untold(r)))
                *r = (struct refusals) { .length = REFUSALS_WINDOW_MIN_USEC, .end = now + REFUSALS_WINDOW_MIN_USEC };
        u = user_of(r, known, privileged, uid);
        if (u->told < REFUSALS_TOLD_OF_USER && (privileged || r->told < REFUSALS_TOLD)) {
                u->told++;
                r->told += !privileged;
                return true;
        }
        u->untold++;
        return false;
}

uint64_t refusals_deadline(const struct refusals *r) {
        return any_untold(r) ? r->end : UINT64_MAX;
}

void refusals_end(struct refusals *r, uint64_t now, refusals_fn tell, void *userdata) {
        struct refusals old = *r;
        uint64_t length;

        if (r->end == 0 || now < r->end)
                return;
        if (!any_untold(r)) {
                *r = (struct refusals) {};
                return;
        }
        length = MIN(2 * r->length, REFUSALS_WINDOW_MAX_USEC);
        *r = (struct refusals) { .length = length, .end = now + length };
        for (size_t i = 0; i < old.n; i++)
                if (old.users[i].untold > 0)
                        tell(userdata, old.users[i].known, old.users[i].uid, old.users[i].untold, old.length);
}
