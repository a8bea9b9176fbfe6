/* SPDX-License-Identifier: Apache-2.0 */
/* How often something may be done that others can cause, such as a line of the log; what is held back is counted. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/util.h"

struct ratelimit {
        uint64_t interval_usec;
        unsigned burst;      /* so often in each interval */
        uint64_t begin;      /* of the present interval; 0: there was none yet */
        unsigned n;          /* how often it was asked in it */
};

#define RATELIMIT_INIT(usec, times) ((struct ratelimit) { .interval_usec = (usec), .burst = (times) })

/* Whether it may be done now. *ret_held_back is how often it might not in the interval that has just ended, and is told once; 0
 * otherwise. `now` is any clock that does not go backwards. */
_must_check_ bool ratelimit_allow(struct ratelimit *l, uint64_t now, unsigned *ret_held_back);
