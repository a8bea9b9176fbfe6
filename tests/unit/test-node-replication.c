/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of replication: join, copy, follow, commits, losses, relays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "node-fixture.h"

static int setup(void **state) {
        *state = fixture_new();
        return 0;
}

static int teardown(void **state) {
        fixture_free(*state);
        return 0;
}

static void test_join_and_follow(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 3);

        assert_int_equal(node_set(a, "/before", "1"), 0);
        node_be_master(a);
        node_be_slave(b, a);
        assert_int_equal(b->joined, 1);
        assert_true(b->copied);
        assert_true(nodes_equal(a, b));
        assert_int_equal(master_n_slaves(a->master), 1);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        assert_true(node_has(b, "/x", "1")); /* at once: it is durable there, too */
        assert_true(nodes_equal(a, b));
        node_be_slave(c, a);
        assert_true(c->copied);
        for (int i = 0; i < 20; i++) {
                char value[16];

                (void) snprintf(value, sizeof(value), "%d", i);
                assert_int_equal(node_set(a, "/y", value), 0);
                assert_true(node_has(b, "/y", value) && node_has(c, "/y", value));
        }
        assert_int_equal(node_set(a, "/x", NULL), 0);
        assert_true(node_has(b, "/x", NULL));
        assert_int_equal(a->arrived, 2);

        /* Leaving and joining with the same data copies nothing. */
        node_be_none(b);
        WAIT(f, a->died == 1);
        node_be_slave(b, a);
        assert_int_equal(b->joined, 1);
        assert_false(b->copied);
        assert_int_equal(node_set(a, "/z", "1"), 0);
        assert_true(nodes_equal(a, b) && nodes_equal(a, c));
        assert_string_equal(a->events, "+n2 +n3 -n2 +n2 ");
}

static void test_failover_without_copy(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 3);

        node_be_master(a);
        node_be_slave(b, a);
        node_be_slave(c, a);
        assert_false(b->copied); /* both are new and empty */
        assert_int_equal(node_set(a, "/x", "1"), 0);
        node_close(a);
        WAIT(f, b->lost && c->lost);
        assert_int_equal(b->code, HA_ERROR_CLOSED);
        node_be_master(b);
        node_be_slave(c, b);
        assert_int_equal(c->joined, 1);
        assert_false(c->copied);
        node_open(a);
        node_be_slave(a, b);
        assert_false(a->copied);
        assert_int_equal(node_set(b, "/x", "2"), 0);
        assert_true(nodes_equal(a, b) && nodes_equal(b, c));

        /* Divergence: what a master committed alone is overwritten. */
        node_be_none(c);
        assert_int_equal(node_set(c, "/alone", "1"), 0);
        node_be_slave(c, b);
        assert_true(c->copied);
        assert_true(node_has(c, "/alone", NULL));
        assert_true(nodes_equal(b, c));
}

static void test_large_copy(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        char *big = malloc(VALUE_SIZE_MAX + 1);

        memset(big, 'b', VALUE_SIZE_MAX);
        big[VALUE_SIZE_MAX] = 0;
        node_be_master(a);
        node_fill(a, 50000, 600);
        assert_int_equal(node_set(a, "/big", big), 0);
        assert_int_equal(node_set(a, "/empty", ""), 0);
        node_be_slave(b, a);
        assert_true(b->copied);
        assert_true(nodes_equal(a, b));
        assert_int_equal(node_set(a, "/big2", big), 0);
        assert_true(nodes_equal(a, b));
        free(big);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_join_and_follow, setup, teardown),
                cmocka_unit_test_setup_teardown(test_failover_without_copy, setup, teardown),
                cmocka_unit_test_setup_teardown(test_large_copy, setup, teardown),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        return cmocka_run_group_tests_name("node-replication", tests, NULL, NULL);
}
