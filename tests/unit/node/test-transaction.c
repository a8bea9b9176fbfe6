/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of transactions: limits, and the encoded form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/store/transaction.h"

static void limits_of_keys_and_values_hold(void **state) {
        char key[KEY_SIZE_MAX + 2], *big = malloc(VALUE_SIZE_MAX + 2);
        struct transaction *t;

        memset(key, 'k', sizeof(key));
        key[0] = '/';
        key[KEY_SIZE_MAX] = 0;
        memset(big, 'v', VALUE_SIZE_MAX + 1);
        big[VALUE_SIZE_MAX + 1] = 0;
        assert_int_equal(transaction_new(&t), 0);
        assert_int_equal(transaction_set(t, key, "v"), 0);
        key[KEY_SIZE_MAX] = 'k';
        key[KEY_SIZE_MAX + 1] = 0;
        assert_int_equal(transaction_set(t, key, "v"), -EINVAL);
        assert_int_equal(transaction_set(t, "", "v"), -EINVAL);
        assert_int_equal(transaction_set(t, "k", "v"), -EINVAL);
        assert_int_equal(transaction_set(t, "/\xff", "v"), -EINVAL);
        assert_int_equal(transaction_set(t, "/k", "\xc0\x80"), -EINVAL);
        assert_int_equal(transaction_set(t, "/big", big), -E2BIG);
        big[VALUE_SIZE_MAX] = 0;
        assert_int_equal(transaction_set(t, "/big", big), 0);
        assert_int_equal(transaction_set(t, "/big2", big), -E2BIG);
        big[VALUE_SIZE_MAX - KEY_SIZE_MAX - 1 - 4 - 5] = 0;
        assert_int_equal(transaction_set(t, "/big2", big), 0);
        assert_int_equal(transaction_delete(t, "/"), -E2BIG);
        assert_int_equal(transaction_seal(t, "n1"), 0);
        assert_int_equal(transaction_set(t, "/late", "v"), -EBUSY);
        transaction_unref(t);
        free(big);
}

static void a_transaction_has_no_more_changes_than_the_loop_can_take_at_once(void **state) {
        struct transaction *t, *u;
        uint8_t *data;
        char key[16];
        size_t n;

        assert_int_equal(transaction_new(&t), 0);
        for (unsigned i = 0; i < TRANSACTION_CHANGES_MAX; i++) {
                (void) snprintf(key, sizeof(key), "/%x", i);
                assert_int_equal(i % 2 ? transaction_set(t, key, "") : transaction_delete(t, key), 0);
        }
        assert_int_equal(transaction_set(t, "/more", ""), -E2BIG);
        assert_int_equal(transaction_delete(t, "/more"), -E2BIG);
        assert_int_equal(transaction_seal(t, "n1"), 0);
        n = transaction_size(t);
        assert_int_equal(transaction_from_data(transaction_data(t), n, &u), 0);
        transaction_unref(u);
        /* One more from a peer. */
        data = malloc(n + 5);
        memcpy(data, transaction_data(t), n);
        memcpy(data + n, "\2\0\2/m", 5);
        data[1 + data[0] + 3]++;
        assert_int_equal(transaction_from_data(data, n + 5, &u), -EBADMSG);
        free(data);
        transaction_unref(t);
}

static void what_was_encoded_is_read_back_and_nothing_else(void **state) {
        struct transaction *t, *u;
        const uint8_t *d;
        uint8_t *copy;
        size_t n;

        assert_int_equal(transaction_new(&t), 0);
        assert_int_equal(transaction_set(t, "/a", "xyz"), 0);
        assert_int_equal(transaction_delete(t, "/b"), 0);
        assert_int_equal(transaction_seal(t, "n\xc3\xb6" "de"), 0);
        d = transaction_data(t);
        n = transaction_size(t);
        assert_int_equal(transaction_from_data(d, n, &u), 0);
        assert_string_equal(transaction_id(u), transaction_id(t));
        assert_int_equal(transaction_changes(u), 2);
        transaction_unref(u);
        for (size_t i = 0; i < n; i++) /* every cut is noticed */
                assert_int_equal(transaction_from_data(d, i, &u), -EBADMSG);
        copy = malloc(n + 1);
        memcpy(copy, d, n);
        copy[n] = 0;
        assert_int_equal(transaction_from_data(copy, n + 1, &u), -EBADMSG);
        for (size_t i = 0; i < n * 8; i++) { /* and no damage crashes */
                copy[i / 8] ^= (uint8_t) (1 << (i % 8));
                if (transaction_from_data(copy, n, &u) >= 0)
                        transaction_unref(u);
                copy[i / 8] ^= (uint8_t) (1 << (i % 8));
        }
        free(copy);
        transaction_unref(t);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(limits_of_keys_and_values_hold),
                cmocka_unit_test(a_transaction_has_no_more_changes_than_the_loop_can_take_at_once),
                cmocka_unit_test(what_was_encoded_is_read_back_and_nothing_else),
        };

        return cmocka_run_group_tests_name("node-transaction", tests, NULL, NULL);
}
