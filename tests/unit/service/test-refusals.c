/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that refusals are told or counted, each of them, and few of a flood one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/refusals.h"

#define SEC UINT64_C(1000000)

struct told {
        unsigned calls;
        uint64_t untold, of_others, usec;
};

static void tell(void *userdata, bool known, uid_t uid, uint64_t untold, uint64_t usec) {
        struct told *t = userdata;

        t->calls++;
        t->untold += untold;
        if (!known)
                t->of_others += untold;
        t->usec = usec;
}

static void nothing_is_lost(void **unused) {
        struct refusals r = {};
        struct told t = {};
        unsigned told = 0;

        for (unsigned i = 0; i < 1000; i++)
                told += refusals_count(&r, true, false, 1000, 5 * SEC + i);
        assert_int_equal(told, REFUSALS_TOLD_OF_USER);
        assert_int_equal(refusals_deadline(&r), 15 * SEC);
        refusals_end(&r, 15 * SEC - 1, tell, &t);
        assert_int_equal(t.calls, 0);
        refusals_end(&r, 15 * SEC, tell, &t);
        assert_int_equal(t.calls, 1);
        assert_int_equal(told + t.untold, 1000);
        assert_int_equal(t.usec, 10 * SEC);
        assert_int_equal(refusals_deadline(&r), UINT64_MAX);
}

static void few_are_told_each_by_itself(void **unused) {
        struct refusals r = {};
        struct told t = {};

        for (unsigned i = 0; i < 20; i++) {
                refusals_end(&r, i * 60 * SEC, tell, &t);
                assert_true(refusals_count(&r, true, false, 1000, i * 60 * SEC));
        }
        assert_int_equal(t.calls, 0);
}

/* A flood that does not end: ever fewer entries. */
static void a_flood_becomes_quiet(void **unused) {
        struct refusals r = {};
        struct told t = {};
        unsigned told = 0, n = 0;

        for (uint64_t now = SEC; now < 3600 * SEC; now += SEC / 10, n++) {
                refusals_end(&r, now, tell, &t);
                told += refusals_count(&r, true, false, 1000, now);
        }
        assert_true(told + t.calls <= 6 * 12);
        assert_int_equal(r.length, REFUSALS_WINDOW_MAX_USEC);
        refusals_end(&r, 5000 * SEC, tell, &t);
        assert_int_equal(told + t.untold, n);
        /* And after a quiet time it is as before. */
        refusals_end(&r, 9000 * SEC, tell, &t);
        assert_true(refusals_count(&r, true, false, 1000, 9000 * SEC));
        assert_int_equal(r.length, REFUSALS_WINDOW_MIN_USEC);
}

static void users_without_number_are_one(void **unused) {
        struct refusals r = {};
        struct told t = {};
        unsigned told = 0;

        for (uid_t uid = 1000; uid < 11000; uid++)
                told += refusals_count(&r, true, false, uid, SEC);
        assert_true(told <= REFUSALS_TOLD);
        /* root's own are told in spite of all. */
        assert_true(refusals_count(&r, true, true, 0, SEC));
        refusals_end(&r, 100 * SEC, tell, &t);
        assert_true(t.calls <= REFUSALS_USERS + 1);
        assert_int_equal(told + t.untold, 10000);
        assert_true(t.of_others > 9000);
}

static void a_user_is_told_of_beside_a_flood_of_anothers(void **unused) {
        struct refusals r = {};

        for (unsigned i = 0; i < 1000; i++)
                (void) refusals_count(&r, true, false, 1000, SEC);
        assert_true(refusals_count(&r, true, false, 1001, SEC));
        assert_true(refusals_count(&r, false, false, 0, SEC));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_is_lost),
                cmocka_unit_test(few_are_told_each_by_itself),
                cmocka_unit_test(a_flood_becomes_quiet),
                cmocka_unit_test(users_without_number_are_one),
                cmocka_unit_test(a_user_is_told_of_beside_a_flood_of_anothers),
        };

        return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
