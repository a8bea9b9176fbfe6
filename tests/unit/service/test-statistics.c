/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of orders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/statistics.h"

static void an_order_counts_in_every_bound_that_it_kept(void **state) {
        struct statistics s = {};

        statistics_count(&s, "BeMaster", NULL, statistics_bounds[2]);
        statistics_count(&s, "BeMaster", NULL, statistics_bounds[2] + 1);
        assert_int_equal(s.n_rows, 1);
        assert_string_equal(s.rows[0].outcome, "ok");
        assert_int_equal(s.rows[0].counts[1], 0);
        assert_int_equal(s.rows[0].counts[2], 1);
        assert_int_equal(s.rows[0].counts[3], 2);
        assert_int_equal(s.rows[0].counts[STATISTICS_BOUNDS], 2);
        assert_int_equal(s.rows[0].sum_usec, 2 * statistics_bounds[2] + 1);
        statistics_done(&s);
}

static void rows_of_one_kind_stand_together(void **state) {
        struct statistics s = {};

        statistics_count(&s, "BeMaster", NULL, 1);
        statistics_count(&s, "BeNone", NULL, 1);
        statistics_count(&s, "BeMaster", "org.confd.HA.Error.Bind", 1);
        assert_int_equal(s.n_rows, 3);
        assert_string_equal(s.rows[0].kind, "BeMaster");
        assert_string_equal(s.rows[1].kind, "BeMaster");
        assert_string_equal(s.rows[1].outcome, "org.confd.HA.Error.Bind");
        assert_string_equal(s.rows[2].kind, "BeNone");
        statistics_done(&s);
}

static void there_is_a_limit_and_nothing_is_lost_at_it(void **state) {
        struct statistics s = {};
        uint64_t sum = 0;

        for (unsigned i = 0; i < STATISTICS_ROWS_MAX + 1; i++) {
                char outcome[32];

                snprintf(outcome, sizeof(outcome), "error %u", i);
                statistics_count(&s, "BeMaster", outcome, 1);
        }
        assert_int_equal(s.n_rows, STATISTICS_ROWS_MAX);
        for (size_t i = 0; i < s.n_rows; i++)
                sum += s.rows[i].counts[STATISTICS_BOUNDS];
        assert_int_equal(sum, STATISTICS_ROWS_MAX + 1);
        statistics_done(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_order_counts_in_every_bound_that_it_kept),
                cmocka_unit_test(rows_of_one_kind_stand_together),
                cmocka_unit_test(there_is_a_limit_and_nothing_is_lost_at_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
