/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the counting of what may be done so often only. */
#include <limits.h>

#include "basic/ratelimit.h"

bool ratelimit_allow(struct ratelimit *l, uint64_t now, unsigned *ret_held_back) {
        *ret_held_back = 0;
        if (l->n == 0 || now - l->begin >= l->interval_usec) {
                if (l->n > l->burst)
                        *ret_held_back = l->n - l->burst;
                l->begin = now;
                l->n = 0;
        }
        if (l->n < UINT_MAX)
                l->n++;
        return l->n <= l->burst;
}
