/* SPDX-License-Identifier: Apache-2.0 */
/* What is limited, and what is told of the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/ratelimit.h"

static void a_burst_is_let_through_and_the_rest_is_counted(void **state) {
        struct ratelimit l = RATELIMIT_INIT(100, 3);
        unsigned held_back;

        for (unsigned i = 0; i < 10; i++) {
                assert_int_equal(ratelimit_allow(&l, 1000 + i, &held_back), i < 3);
                assert_int_equal(held_back, 0);
        }
        assert_false(ratelimit_allow(&l, 1099, &held_back));
        assert_true(ratelimit_allow(&l, 1100, &held_back));
        assert_int_equal(held_back, 8);
        assert_true(ratelimit_allow(&l, 1101, &held_back));
        assert_int_equal(held_back, 0);
}

static void nothing_is_told_where_nothing_was_held_back(void **state) {
        struct ratelimit l = RATELIMIT_INIT(100, 2);
        unsigned held_back;

        for (uint64_t now = 0; now < 1000; now += 60) {
                assert_true(ratelimit_allow(&l, now, &held_back));
                assert_int_equal(held_back, 0);
        }
}

static void a_long_silence_begins_anew(void **state) {
        struct ratelimit l = RATELIMIT_INIT(100, 1);
        unsigned held_back;

        assert_true(ratelimit_allow(&l, 5, &held_back));
        assert_false(ratelimit_allow(&l, 6, &held_back));
        assert_true(ratelimit_allow(&l, UINT64_MAX, &held_back));
        assert_int_equal(held_back, 1);
        assert_false(ratelimit_allow(&l, UINT64_MAX, &held_back));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_burst_is_let_through_and_the_rest_is_counted),
                cmocka_unit_test(nothing_is_told_where_nothing_was_held_back),
                cmocka_unit_test(a_long_silence_begins_anew),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
