/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of a slave's way to its arrival: what it has then, and what becomes of it when something on the way fails. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "fixture.h"
#include "node/replication/master-internal.h"
#include "node/store/internal.h"

enum { COPY = 9 * 1000 * 1000, BIG = 5 * 1000 * 1000 };

static int setup(void **state) {
        *state = fixture_new();
        return 0;
}

static int teardown(void **state) {
        fixture_free(*state);
        return 0;
}

/* ---- writers ---- */

struct writers {
        struct node *node;
        unsigned sent, acknowledged, in_flight, refused;
        char *value;
};

static void on_written(int result, struct transaction *t, void *userdata) {
        struct writers *w = userdata;

        assert_int_equal(result, 0);
        w->acknowledged++; /* they end in their order */
        w->in_flight--;
}

static void keep_writing(struct writers *w, unsigned in_flight) {
        char number[16];

        while (w->in_flight < in_flight) {
                _cleanup_transaction_ struct transaction *t = NULL;

                assert_int_equal(transaction_new(&t), 0);
                (void) snprintf(number, sizeof(number), "%u", w->sent + 1);
                assert_int_equal(transaction_set(t, "/last", number), 0);
                assert_int_equal(transaction_set(t, "/value", w->value), 0);
                assert_int_equal(master_commit(w->node->master, t, on_written, w), 0);
                w->sent++;
                w->in_flight++;
        }
}

static unsigned last_at(struct node *n) {
        char *value = NULL;
        unsigned last = 0;

        if (store_get(n->store, "/last", &value) >= 0)
                last = (unsigned) strtoul(value, NULL, 10);
        free(value);
        return last;
}

/* ---- tests ---- */

/* However often it joins, at the moment when it is said to have: nothing is missing that the writers were told to be safe. */
static void what_was_acknowledged_is_at_a_slave_that_arrives(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        struct writers w = { .node = a, .value = (char *) "v" };

        node_be_master(a);
        node_fill(a, 1000, 100);
        for (int i = 0; i < 20; i++) {
                unsigned arrived = a->arrived;

                if (i % 2) {
                        node_be_none(b);
                        assert_int_equal(node_set(b, "/own", "1"), 0); /* so that it copies */
                }
                node_start_slave(b, a);
                while (!b->joined && !b->failed) {
                        keep_writing(&w, 4);
                        assert_true(sd_event_run(f->event, 100 * 1000) >= 0);
                        /* Told at either end. */
                        if (a->arrived > arrived || b->joined)
                                assert_true(last_at(b) >= w.acknowledged);
                }
                assert_int_equal(b->failed, 0);
                for (int k = 0; k < 10; k++) {
                        keep_writing(&w, 4);
                        assert_true(last_at(b) >= w.acknowledged);
                        fixture_run(f);
                }
                WAIT(f, w.in_flight == 0);
                assert_true(nodes_equal(a, b));
        }
}

/*
 * The same over a link that is slower than the writers: in the end they wait. They write at three times the link's speed, however fast
 * the disk is, since all that they write until they have to wait is to pass that link before the deadline.
 */
static void writers_wait_for_a_slave_that_cannot_catch_up_with_them(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), proxy;
        struct writers w = { .node = a, .value = value_of(100 * 1000) };
        uint64_t start = now_monotonic(), deadline = start + 2 * FIXTURE_DEADLINE_SEC * USEC_PER_SEC;

        a->config.tick_usec = b->config.tick_usec = USEC_PER_SEC;
        node_be_master(a);
        node_fill(a, 1000, 1000);
        proxy = fork_slow_link(f, 3, a, 3 * 1000 * 1000);
        node_start_slave(b, &proxy);
        while (!b->joined && !b->failed) {
                assert_true(now_monotonic() < deadline);
                if (w.sent < (now_monotonic() - start) / (10 * USEC_PER_MSEC))
                        keep_writing(&w, 3);
                assert_true(sd_event_run(f->event, 10 * USEC_PER_MSEC) >= 0);
        }
        if (!b->joined)
                fail_msg("%s", b->reason);
        assert_true(last_at(b) >= w.acknowledged);
        WAIT(f, w.in_flight == 0);
        assert_true(nodes_equal(a, b));
        assert_int_equal(a->died + b->lost, 0);
        free(w.value);
}

/* Nothing can be put in force where "current" cannot be replaced. */
static void a_swap_that_fails_leaves_the_old_data_under_its_id(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        char path[128], id[TRANSACTION_ID_MAX + 1];

        assert_int_equal(node_set(a, "/x", "1"), 0);
        assert_int_equal(node_set(b, "/own", "1"), 0);
        strcpy(id, store_transaction_id(b->store));
        node_be_master(a);
        (void) snprintf(path, sizeof(path), "%s/current.new", b->directory);
        assert_int_equal(mkdir(path, 0700), 0);
        master_set_hold(a->master, true);
        node_start_slave(b, a);
        fixture_run_for(f, 100 * USEC_PER_MSEC);
        assert_int_equal(node_set(a, "/during", "1"), 0);
        master_set_hold(a->master, false);
        assert_int_equal(node_set(a, "/after", "1"), 0);
        WAIT(f, b->failed || b->joined);
        assert_int_equal(b->failed, 1);
        assert_int_equal(b->code, HA_ERROR_CLOSED);
        fixture_run_for(f, 100 * USEC_PER_MSEC);
        assert_string_equal(store_transaction_id(b->store), id);
        assert_int_equal(store_entries(b->store), 1);
        assert_int_equal(a->arrived, 0);
        assert_int_equal(rmdir(path), 0);
        node_be_slave(b, a);
        assert_int_equal(b->joined, 1);
        assert_true(b->copied);
        assert_true(nodes_equal(a, b));
}

/* Commits do not wait for one that is held back, and it has them when it is let in. */
static void what_is_committed_in_a_hold_is_at_the_slave_that_it_held_back(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 3);
        char value[16];

        assert_int_equal(node_set(b, "/own", "1"), 0);
        node_be_master(a);
        master_set_hold(a->master, true);
        node_start_slave(b, a); /* copies */
        node_start_slave(c, a); /* has the same already */
        for (int i = 0; i < 20; i++) {
                (void) snprintf(value, sizeof(value), "%d", i);
                assert_int_equal(node_set(a, "/x", value), 0);
        }
        assert_int_equal(a->arrived + b->joined + c->joined, 0);
        assert_true(node_has(b, "/own", "1"));
        master_set_hold(a->master, false);
        WAIT(f, b->joined && c->joined && a->arrived == 2);
        assert_true(nodes_equal(a, b) && nodes_equal(a, c));
}

static void on_stored(int result, struct transaction *t, void *userdata) {
        assert_int_equal(result, 0);
        ++*(unsigned *) userdata;
}

/* One that is kept for a slave on the disk, but the log has ended since, with the slave that it was on for, and another slave joins before
 * the disk has it. */
static void what_an_earlier_log_had_is_at_a_slave_that_joins_now(void **state) {
        _cleanup_transaction_ struct transaction *t = NULL;
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 3), link;
        char *value = value_of(BIG);
        unsigned stored = 0;

        node_be_master(a);
        node_fill(a, 1000, COPY / 1000);
        link = fork_slow_link(f, 4, a, COPY / 3);
        master_set_hold(a->master, true);
        node_start_slave(b, a);
        WAIT(f, a->store->log);
        /* The loop does not hear of it yet. */
        assert_true(sd_event_source_set_enabled(a->store->event_source, SD_EVENT_OFF) >= 0);
        assert_int_equal(transaction_new(&t), 0);
        assert_int_equal(transaction_set(t, "/big/1", value), 0);
        assert_int_equal(transaction_set(t, "/big/2", value), 0);
        assert_int_equal(master_commit(a->master, t, on_stored, &stored), 0);
        node_be_none(b);
        WAIT(f, !a->store->log);
        master_set_hold(a->master, false);
        node_start_slave(c, &link);
        WAIT(f, a->store->log);
        assert_true(sd_event_source_set_enabled(a->store->event_source, SD_EVENT_ON) >= 0);
        WAIT(f, stored == 1);
        /* In three seconds it has its copy; until then this is out of memory, too. */
        apply_now(a->store);
        WAIT(f, c->joined || c->failed);
        assert_int_equal(c->joined, 1);
        assert_true(node_has(c, "/big/2", value));
        assert_true(nodes_equal(a, c));
        free(value);
}

static bool is_awaited(struct node *n) {
        const struct remote *r = TAILQ_FIRST(&n->master->remotes);

        return r && r->awaited && remote_lags(r) && !TAILQ_EMPTY(&r->unsent.list) && TAILQ_LAST(&r->unsent.list, entry_list)->counts;
}

/* It lags so that writers wait for it, and is then held back, so that they do no longer: each transaction comes once, and in order. */
static void one_that_writers_wait_for_may_be_held_back(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), link;
        struct writers w = { .node = a, .value = value_of(200 * 1000) };
        unsigned held;

        node_be_master(a);
        node_fill(a, 1000, 1000);
        link = fork_slow_link(f, 3, a, 5 * 1000 * 1000);
        node_start_slave(b, &link);
        while (!b->joined && !b->failed && !is_awaited(a)) {
                keep_writing(&w, 3);
                fixture_run(f);
        }
        assert_int_equal(b->joined + b->failed, 0);
        master_set_hold(a->master, true);
        held = w.sent;
        while (w.acknowledged < held + 3) {
                keep_writing(&w, 3);
                fixture_run(f);
        }
        WAIT(f, w.in_flight == 0);
        master_set_hold(a->master, false);
        WAIT(f, b->joined || b->failed);
        assert_int_equal(b->joined, 1);
        assert_int_equal(last_at(b), w.sent);
        assert_true(nodes_equal(a, b));
        free(w.value);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_was_acknowledged_is_at_a_slave_that_arrives, setup, teardown),
                cmocka_unit_test_setup_teardown(writers_wait_for_a_slave_that_cannot_catch_up_with_them, setup, teardown),
                cmocka_unit_test_setup_teardown(a_swap_that_fails_leaves_the_old_data_under_its_id, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_committed_in_a_hold_is_at_the_slave_that_it_held_back, setup, teardown),
                cmocka_unit_test_setup_teardown(what_an_earlier_log_had_is_at_a_slave_that_joins_now, setup, teardown),
                cmocka_unit_test_setup_teardown(one_that_writers_wait_for_may_be_held_back, setup, teardown),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        if (getenv("TEST_FILTER"))
                cmocka_set_test_filter(getenv("TEST_FILTER"));
        return cmocka_run_group_tests_name("node-join", tests, NULL, NULL);
}
