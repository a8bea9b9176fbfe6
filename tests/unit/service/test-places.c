/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that places are counted by user and in all, and that some are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/places.h"

enum { OWN = 900, SOMEBODY = 1000 };

static size_t take(struct places *p, uid_t uid, enum place_kind kind, size_t n, int expected_at_end) {
        struct place_user *u = places_user(p, uid);
        size_t taken = 0;
        int r = 0;

        assert_non_null(u);
        while (taken < n && (r = places_take(u, kind)) == 0) {
                taken++;
                u->n_refs++; /* a place holds its user */
        }
        assert_int_equal(r, expected_at_end);
        place_user_unref(u);
        return taken;
}

static void clear(struct places *p) {
        struct place_user *u, *next;

        for (u = LIST_FIRST(&p->users); u; u = next) {
                next = LIST_NEXT(u, users);
                u->n_refs = 1;
                place_user_unref(u);
        }
        *p = (struct places) { .own_uid = p->own_uid };
}

static void each_kind_has_its_limits(void **unused) {
        static const struct place_limit expected[PLACE_KINDS] = { { 16, 64, 256 }, { 64, 512, 4096 }, { 16, 64, 256 } };
        struct places p = { .own_uid = OWN };

        for (enum place_kind k = 0; k < PLACE_KINDS; k++) {
                struct place_counts of_connection = {};
                size_t all = 0;

                assert_memory_equal(&place_limits[k], &expected[k], sizeof(expected[k]));
                of_connection.n[k] = expected[k].per_connection - 1;
                assert_true(places_connection_has_room(&of_connection, k));
                of_connection.n[k]++;
                assert_false(places_connection_has_room(&of_connection, k));

                assert_int_equal(take(&p, SOMEBODY, k, 10000, -EUSERS), expected[k].per_user);
                for (uid_t uid = SOMEBODY + 1; (all = p.waiting.n[k]) < expected[k].all - PLACES_KEPT; uid++)
                        take(&p, uid, k, MIN(expected[k].per_user, expected[k].all - PLACES_KEPT - all), 0);
                /* One more of one who has some; the first of one who has none; root and ourselves, to the last one. */
                assert_int_equal(take(&p, SOMEBODY, k, 1, -EUSERS), 0);
                assert_int_equal(take(&p, 2000, k, 2, -EBUSY), 1);
                for (uid_t uid = 2001; uid < 2000 + PLACES_KEPT - PLACES_KEPT_PRIVILEGED; uid++)
                        assert_int_equal(take(&p, uid, k, 1, 0), 1);
                assert_int_equal(take(&p, 3000, k, 1, -EBUSY), 0);
                assert_int_equal(take(&p, OWN, k, 10, 0), 10);
                assert_int_equal(take(&p, 0, k, 10, -EBUSY), PLACES_KEPT_PRIVILEGED - 10);
                assert_int_equal(p.waiting.n[k], expected[k].all);
                clear(&p);
        }
}

static void what_is_given_back_can_be_taken_again(void **unused) {
        struct places p = { .own_uid = OWN };
        struct place_user *u = places_user(&p, SOMEBODY);

        assert_int_equal(take(&p, SOMEBODY, PLACE_ORDER, 100, -EUSERS), 64);
        places_give_back(u, PLACE_ORDER);
        assert_int_equal(places_take(u, PLACE_ORDER), 0);
        assert_int_equal(places_take(u, PLACE_ORDER), -EUSERS);
        /* The other kinds are not concerned. */
        assert_int_equal(places_take(u, PLACE_STATUS), 0);
        clear(&p);
}

static void users_are_kept_as_long_as_they_are_held(void **unused) {
        struct places p = { .own_uid = OWN };
        struct place_user *a = places_user(&p, SOMEBODY), *b = places_user(&p, SOMEBODY);

        assert_ptr_equal(a, b);
        place_user_unref(a);
        assert_false(LIST_EMPTY(&p.users));
        place_user_unref(b);
        assert_true(LIST_EMPTY(&p.users));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_kind_has_its_limits),
                cmocka_unit_test(what_is_given_back_can_be_taken_again),
                cmocka_unit_test(users_are_kept_as_long_as_they_are_held),
        };

        return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
