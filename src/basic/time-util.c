/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of clocks. */
#include <time.h>

#include "basic/time-util.h"

static uint64_t now(clockid_t clock) {
        struct timespec ts = {};

        (void) clock_gettime(clock, &ts); /* cannot fail for the two clocks used here */
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

uint64_t now_monotonic(void) {
        return now(CLOCK_MONOTONIC);
}

uint64_t now_realtime(void) {
        return now(CLOCK_REALTIME);
}

uint64_t usec_add(uint64_t a, uint64_t b) {
        return b > USEC_INFINITY - a ? USEC_INFINITY : a + b;
}
