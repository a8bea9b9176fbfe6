/* SPDX-License-Identifier: Apache-2.0 */
/* Which refused calls are told one by one, and how many are not. Pure: the clock is the caller's.
 *
 * A window of time opens with the first refusal. So many of it are told of each user, and of all; the others are counted, and
 * told as a number when it ends. As long as there are such, the next window is twice as long. */
#pragma once

#include "basic/util.h"

enum {
        REFUSALS_TOLD_OF_USER = 5,
        REFUSALS_TOLD = 40,
        REFUSALS_USERS = 16,       /* counted apart; all others together */
        REFUSALS_PRIVILEGED = 2,   /* root and the service's own: these have room besides */
};
#define REFUSALS_WINDOW_MIN_USEC (10 * UINT64_C(1000000))
#define REFUSALS_WINDOW_MAX_USEC (600 * UINT64_C(1000000))

struct refusals_user {
        bool known; /* else it stands for those whose user is not known, or has no place of its own */
        uid_t uid;
        unsigned told;
        uint64_t untold;
};

struct refusals {
        struct refusals_user users[1 + REFUSALS_USERS + REFUSALS_PRIVILEGED]; /* the first is that of all others */
        size_t n;
        unsigned told;
        uint64_t length, end; /* of the window; end 0: there is none */
};

/* Counts a refusal, and says whether it is to be told by itself. `privileged`: others use up nothing of its. */
bool refusals_count(struct refusals *r, bool known, bool privileged, uid_t uid, uint64_t now);

/* When refusals_end() has something to tell; UINT64_MAX if nothing is untold. */
uint64_t refusals_deadline(const struct refusals *r);

/* Ends the window if it is over, telling of each user how many were not told, in how many µs. */
typedef void (*refusals_fn)(void *userdata, bool known, uid_t uid, uint64_t untold, uint64_t usec);
void refusals_end(struct refusals *r, uint64_t now, refusals_fn tell, void *userdata);
