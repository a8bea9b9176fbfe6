/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the counters of orders. */
#include "basic/time-util.h"
#include "service/statistics.h"

const uint64_t statistics_bounds[STATISTICS_BOUNDS] = {
        1 * USEC_PER_MSEC,  5 * USEC_PER_MSEC,   20 * USEC_PER_MSEC, 100 * USEC_PER_MSEC,
        500 * USEC_PER_MSEC, 1 * USEC_PER_SEC,   2 * USEC_PER_SEC,   5 * USEC_PER_SEC,
        10 * USEC_PER_SEC,  60 * USEC_PER_SEC,   600 * USEC_PER_SEC, 3600 * USEC_PER_SEC,
};

void statistics_done(struct statistics *s) {
        for (size_t i = 0; i < s->n_rows; i++)
                free(s->rows[i].outcome);
        free(s->rows);
        *s = (struct statistics) {};
}

/* A new row behind the others of its kind, of which the last one is `behind` (n_rows: there are none). */
static struct statistics_row *insert(struct statistics *s, size_t behind, const char *kind, const char *outcome) {
        size_t at = behind < s->n_rows ? behind + 1 : s->n_rows;
        struct statistics_row *rows;
        char *copy;

        if (s->n_rows >= STATISTICS_ROWS_MAX)
                return behind < s->n_rows ? s->rows + behind : NULL;
        copy = strdup(outcome);
        rows = copy ? reallocarray(s->rows, s->n_rows + 1, sizeof(*rows)) : NULL;
        if (!rows) {
                free(copy);
                return NULL;
        }
        s->rows = rows;
        memmove(rows + at + 1, rows + at, (s->n_rows - at) * sizeof(*rows));
        s->n_rows++;
        rows[at] = (struct statistics_row) { .kind = kind, .outcome = copy };
        return rows + at;
}

static struct statistics_row *find(struct statistics *s, const char *kind, const char *outcome) {
        size_t behind = s->n_rows;

        for (size_t i = 0; i < s->n_rows; i++) {
                if (!streq(s->rows[i].kind, kind))
                        continue;
                if (streq(s->rows[i].outcome, outcome))
                        return s->rows + i;
                behind = i;
        }
        return insert(s, behind, kind, outcome);
}

void statistics_count(struct statistics *s, const char *kind, const char *outcome, uint64_t usec) {
        struct statistics_row *row = find(s, kind, outcome ?: "ok");

        if (!row)
                return;
        row->sum_usec += usec;
        for (size_t i = 0; i < STATISTICS_BOUNDS; i++)
                if (usec <= statistics_bounds[i])
                        row->counts[i]++;
        row->counts[STATISTICS_BOUNDS]++;
}
