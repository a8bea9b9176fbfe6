/* SPDX-License-Identifier: Apache-2.0 */
/* Times in microseconds. */
#pragma once

#include <stdint.h>

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_INFINITY UINT64_MAX

/* CLOCK_MONOTONIC and CLOCK_REALTIME, in microseconds. */
uint64_t now_monotonic(void);
uint64_t now_realtime(void);

/* a + b, USEC_INFINITY if it does not fit or either is infinite. */
uint64_t usec_add(uint64_t a, uint64_t b);
