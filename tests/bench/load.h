/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs that write have in common: how long, how often, and what they say at the end. */
#pragma once

#include <stdio.h>

#include "basic/time-util.h"
#include "basic/util.h"

/* The latencies of what was done, in microseconds. */
struct latencies {
        uint32_t *usec;
        size_t n, allocated;
};

static inline int latencies_add(struct latencies *l, uint64_t usec) {
        if (l->n == l->allocated) {
                size_t want = MAX(l->allocated * 2, (size_t) 4096);
                uint32_t *p = reallocarray(l->usec, want, sizeof(*p));

                if (!p)
                        return -ENOMEM;
                l->usec = p;
                l->allocated = want;
        }
        l->usec[l->n++] = (uint32_t) MIN(usec, (uint64_t) UINT32_MAX);
        return 0;
}

static inline int compare_usec(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

        return x < y ? -1 : x > y;
}

/* "rate PER-SECOND MEDIAN-USEC 99TH-USEC WORST-USEC", of what was done since `begun`. */
static inline void latencies_print(struct latencies *l, uint64_t begun) {
        double seconds = (double) (now_monotonic() - begun) / (double) USEC_PER_SEC;

        qsort(l->usec, l->n, sizeof(*l->usec), compare_usec);
        if (l->n == 0)
                printf("rate 0 0 0 0\n");
        else
                printf("rate %.2f %u %u %u\n", (double) l->n / seconds, (unsigned) l->usec[l->n / 2],
                       (unsigned) l->usec[l->n * 99 / 100], (unsigned) l->usec[l->n - 1]);
        fflush(stdout);
}
