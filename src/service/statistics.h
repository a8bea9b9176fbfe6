/* SPDX-License-Identifier: Apache-2.0 */
/* How often orders have ended how, and how long they took: the property Orders. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "basic/util.h"

enum {
        STATISTICS_ROWS_MAX = 256, /* kinds of orders times outcomes; one more is counted with its kind's last one */
        STATISTICS_BOUNDS = 12,
};

/* In microseconds, rising: from what an order takes to what a copy may take. */
extern const uint64_t statistics_bounds[STATISTICS_BOUNDS];

struct statistics_row {
        const char *kind;     /* the method's name; borrowed, static */
        char *outcome;        /* "ok" or the error's name */
        uint64_t sum_usec;
        uint64_t counts[STATISTICS_BOUNDS + 1]; /* that took at most the bound of this place; the last one: all of them */
};

/* Rows of one kind stand together. */
struct statistics {
        struct statistics_row *rows;
        size_t n_rows;
};

void statistics_done(struct statistics *s);

/* kind: static text. outcome: NULL for "ok". What there is no memory for is not counted. */
void statistics_count(struct statistics *s, const char *kind, const char *outcome, uint64_t usec);
