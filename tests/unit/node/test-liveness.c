/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of who is taken for alive: slow links, pauses, slaves that claim much and do little. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "fixture.h"

static int setup(void **state) {
        *state = fixture_new();
        return 0;
}

static int teardown(void **state) {
        fixture_free(*state);
        return 0;
}

/* Each of these takes longer than three intervals. */
static void a_slow_link_is_not_a_dead_one(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), proxy;
        _cleanup_free_ char *value = value_of(200 * 1000);

        a->config.tick_usec = b->config.tick_usec = 200 * USEC_PER_MSEC;
        node_be_master(a);
        assert_int_equal(node_set(a, "/before", value), 0);
        proxy = fork_slow_link(f, 3, a, 100 * 1000);
        node_be_slave(b, &proxy);
        if (!b->joined)
                fail_msg("%s", b->reason);
        for (int i = 0; i < 3; i++) {
                uint64_t begin = now_monotonic();

                assert_int_equal(node_set(a, "/x", value), 0);
                assert_true(now_monotonic() - begin > 3 * a->config.tick_usec);
                assert_true(nodes_equal(a, b));
        }
        assert_int_equal(a->died + b->lost, 0);
}

static void a_slow_link_below_a_relay_is_not_a_dead_one(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *r = node_new(f, 2), *b = node_new(f, 4), proxy;
        _cleanup_free_ char *value = value_of(200 * 1000);

        a->config.tick_usec = r->config.tick_usec = b->config.tick_usec = 200 * USEC_PER_MSEC;
        node_be_master(a);
        node_be_slave(r, a);
        node_be_relay(r);
        proxy = fork_slow_link(f, 3, r, 100 * 1000);
        node_be_slave(b, &proxy);
        if (!b->joined)
                fail_msg("%s", b->reason);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(node_set(a, "/x", value), 0);
                assert_true(nodes_equal(a, b));
        }
        assert_int_equal(a->died + r->died + r->lost + b->lost, 0);
}

/* All nodes of this process are paused by what pauses it. */
static void who_was_paused_gives_the_others_time(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *r = node_new(f, 2), *b = node_new(f, 3);

        a->config.tick_usec = r->config.tick_usec = b->config.tick_usec = 100 * USEC_PER_MSEC;
        node_be_master(a);
        node_be_slave(r, a);
        node_be_relay(r);
        node_be_slave(b, r);
        for (int i = 0; i < 5; i++) {
                (void) usleep(1000 * 1000);
                fixture_run_for(f, 300 * USEC_PER_MSEC);
                assert_int_equal(a->died + r->died + r->lost + b->lost, 0);
        }
        assert_int_equal(node_set(a, "/x", "1"), 0);
        assert_true(nodes_equal(a, b));
}

/* And yet it notices who is not there any more. */
static void who_was_paused_notices_the_dead(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1);
        uint64_t begin;
        pid_t pid;

        a->config.tick_usec = 100 * USEC_PER_MSEC;
        node_be_master(a);
        pid = fork_slave(f, 2, a, /* rejoin= */ false, /* file_limit= */ 0);
        WAIT(f, a->arrived == 1);
        kill(pid, SIGSTOP);
        (void) usleep(1000 * 1000);
        begin = now_monotonic();
        assert_int_equal(node_set(a, "/x", "1"), 0);
        assert_true(now_monotonic() - begin < 2 * USEC_PER_SEC); /* a slow disk is in it, too */
        WAIT(f, a->died == 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_slow_link_is_not_a_dead_one, setup, teardown),
                cmocka_unit_test_setup_teardown(a_slow_link_below_a_relay_is_not_a_dead_one, setup, teardown),
                cmocka_unit_test_setup_teardown(who_was_paused_gives_the_others_time, setup, teardown),
                cmocka_unit_test_setup_teardown(who_was_paused_notices_the_dead, setup, teardown),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        if (getenv("TEST_FILTER"))
                cmocka_set_test_filter(getenv("TEST_FILTER"));
        return cmocka_run_group_tests_name("node-liveness", tests, NULL, NULL);
}
