/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of commits: what their end says, who holds them, and what becomes of them when a role changes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "fixture.h"
#include "node/replication/master-internal.h"
#include "node/store/internal.h"

static int setup(void **state) {
        *state = fixture_new();
        return 0;
}

static int teardown(void **state) {
        fixture_free(*state);
        return 0;
}

struct outcome {
        unsigned done;
        int result;
};

static void on_end(int result, struct transaction *t, void *userdata) {
        struct outcome *o = userdata;

        o->result = result;
        o->done++;
}

static struct transaction *change(const char *key, const char *value) {
        struct transaction *t;

        assert_int_equal(transaction_new(&t), 0);
        assert_int_equal(transaction_set(t, key, value), 0);
        return t;
}

static void commit(struct node *n, const char *key, const char *value, struct outcome *o) {
        _cleanup_transaction_ struct transaction *t = change(key, value);

        *o = (struct outcome) {};
        assert_int_equal(master_commit(n->master, t, on_end, o), 0);
}

/* As large as that no file may grow: what is larger cannot be stored here, and only that shows it. */
static void limit_files(rlim_t size) {
        struct rlimit limit;

        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = MIN(size, limit.rlim_max);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void note_slave(const struct master_slave *slave, void *userdata) {
        struct master_slave *all = userdata;

        while (all->id.size > 0)
                all++;
        *all = *slave;
}

static void a_master_tells_who_holds_its_commits(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        struct master_slave slaves[4] = {};
        struct outcome o;
        pid_t pid;

        a->config.tick_usec = b->config.tick_usec = 0;
        node_be_master(a);
        node_be_slave(b, a);
        pid = fork_slave(f, 3, a, /* rejoin= */ false, /* file_limit= */ 0);
        WAIT(f, a->arrived == 2);
        kill(pid, SIGSTOP);
        commit(a, "/x", "1", &o);
        WAIT(f, node_has(b, "/x", "1"));
        fixture_run_for(f, 50 * USEC_PER_MSEC);
        assert_int_equal(o.done, 0);
        master_slaves(a->master, note_slave, slaves);
        assert_true(node_id_equal(&slaves[0].id, &b->id));
        assert_int_equal(slaves[0].n_unacknowledged, 0);
        assert_int_equal(slaves[0].transaction_age_usec, 0);
        assert_int_equal(slaves[1].n_unacknowledged, 1);
        assert_true(slaves[1].transaction_age_usec >= 50 * USEC_PER_MSEC);
        assert_true(slaves[1].tick_age_usec >= 50 * USEC_PER_MSEC);
        assert_int_equal(slaves[2].id.size, 0);
        kill(pid, SIGCONT);
        WAIT(f, o.done);
        assert_int_equal(o.result, 0);
}

static int keep_busy(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        return 0;
}

/* Callers who never pause must not keep commits from the slaves. */
static void commits_end_although_the_loop_never_rests(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        sd_event_source *busy = NULL;
        struct outcome o[8];
        int fd;

        a->config.tick_usec = b->config.tick_usec = 0; /* a tick takes along what waits */
        node_be_master(a);
        node_be_slave(b, a);
        WAIT(f, a->arrived == 1);
        fd = eventfd(1, EFD_CLOEXEC); /* always readable */
        assert_true(sd_event_add_io(f->event, &busy, fd, EPOLLIN, keep_busy, NULL) >= 0);
        for (size_t i = 0; i < ELEMENTSOF(o); i++)
                commit(a, "/x", "1", &o[i]);
        WAIT(f, o[7].done);
        assert_int_equal(o[7].result, 0);
        sd_event_source_disable_unref(busy);
        close(fd);
}

static void a_role_that_ends_leaves_unfinished_commits_uncertain(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1);
        struct outcome o;
        pid_t pid;

        a->config.tick_usec = 0;
        node_be_master(a);
        pid = fork_slave(f, 2, a, /* rejoin= */ false, /* file_limit= */ 0);
        WAIT(f, a->arrived == 1);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        kill(pid, SIGSTOP);
        commit(a, "/x", "2", &o);
        WAIT(f, node_has(a, "/x", "2"));
        assert_int_equal(o.done, 0);
        node_be_none(a);
        WAIT(f, o.done);
        assert_int_equal(o.result, COMMIT_MAYBE_ONLY_HERE);
        assert_true(node_has(a, "/x", "2"));
}

/* A slave that has been admitted, and has not said that it is in force: where it has a processor of its own that can be before we look. */
static void catch_admitted(struct fixture *f, struct node *a) {
        const struct remote *r;

        for (unsigned tries = 0; tries < 50; tries++) {
                pid_t pid = fork_slave(f, 2, a, /* rejoin= */ false, /* file_limit= */ 0);

                WAIT(f, (r = TAILQ_FIRST(&a->master->remotes)) && r->state >= REMOTE_ADMITTED);
                if (r->state == REMOTE_ADMITTED)
                        return;
                end_child(f, pid);
                WAIT(f, TAILQ_EMPTY(&a->master->remotes));
        }
        fail_msg("no slave was seen between its admission and its arrival");
}

/* A slave that has been admitted may say that it has everything, and can be made master; what was not sent yet it lacks. */
static void a_role_that_ends_while_a_slave_is_admitted_leaves_unsent_commits_uncertain(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1);
        _cleanup_free_ char *large = value_of(4 * 1024 * 1024);
        struct outcome o;

        node_be_master(a);
        limit_files(1024 * 1024);
        commit(a, "/large", large, &o);
        WAIT(f, o.done);
        limit_files(RLIM_INFINITY);
        assert_int_equal(o.result, -ENOSPC); /* the next one is not sent before it is stored */
        catch_admitted(f, a);
        commit(a, "/x", "1", &o);
        node_be_none(a);
        WAIT(f, o.done);
        assert_int_equal(o.result, COMMIT_MAYBE_ONLY_HERE);
        assert_true(node_has(a, "/x", "1"));
}

/* All who had to have it had it, or there was nobody. */
static void a_role_that_ends_leaves_finished_commits_alone(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1);
        struct outcome o;

        node_be_master(a);
        fixture_run(f);
        commit(a, "/x", "1", &o);
        node_be_none(a);
        WAIT(f, o.done);
        assert_int_equal(o.result, 0);
}

/* The loop does not come round to it any more. */
static void a_commit_is_answered_though_its_store_is_closed(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1);
        struct outcome o;

        node_be_master(a);
        fixture_run(f);
        commit(a, "/x", "1", &o);
        a->master = master_free(a->master);
        a->store = store_free(a->store);
        assert_int_equal(o.done, 1);
        assert_int_equal(o.result, 0);
}

/* What it refuses otherwise is nowhere and will be nowhere, also when a slave is promoted. */
static void only_an_uncertain_commit_may_be_at_a_slave(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b;
        _cleanup_free_ char *large = value_of(4 * 1024 * 1024);
        unsigned uncertain = 0, refused = 0;
        struct outcome o;
        pid_t pid;

        node_be_master(a);
        pid = fork_slave(f, 2, a, /* rejoin= */ false, /* file_limit= */ 0);
        WAIT(f, a->arrived == 1);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        limit_files(1024 * 1024);
        for (int i = 0; i < 2; i++) {
                commit(a, "/large", large, &o);
                WAIT(f, o.done);
                assert_true(o.result < 0);
                if (o.result == COMMIT_MAYBE_ELSEWHERE)
                        uncertain++;
                else
                        refused++;
        }
        limit_files(RLIM_INFINITY);
        assert_int_equal(uncertain, 1); /* then the slave was cut off, and there is nobody else */
        assert_int_equal(refused, 1);
        end_child(f, pid);
        b = node_new(f, 2);
        assert_true(node_has(a, "/large", NULL));
        if (!node_has(b, "/large", NULL)) /* it has it: then it does not look like us */
                assert_string_not_equal(store_transaction_id(a->store), store_transaction_id(b->store));
}

static void a_copy_that_costs_the_last_space_is_given_up(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 4), link;

        node_be_master(a);
        node_fill(a, 2000, 1000);
        node_be_slave(c, a);
        assert_false(master_give_up_copies(a->master)); /* there is none */
        link = fork_slow_link(f, 3, a, 100 * 1000);
        node_start_slave(b, &link);
        WAIT(f, node_copies(b));
        assert_true(master_give_up_copies(a->master));
        assert_false(master_give_up_copies(a->master));
        WAIT(f, b->failed);
        assert_int_equal(b->code, HA_ERROR_CLOSED);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        assert_true(nodes_equal(a, c));
        assert_int_equal(a->died, 0);
}

/* For a slave that is stopped until the caller lets that process go on. */
static pid_t begin_a_commit_that_waits(struct fixture *f, struct node *master, struct outcome *o) {
        pid_t pid = fork_slave(f, 3, master, /* rejoin= */ false, /* file_limit= */ 0);

        WAIT(f, master->arrived == 1);
        kill(pid, SIGSTOP);
        commit(master, "/x", "1", o);
        WAIT(f, node_has(master, "/x", "1"));
        return pid;
}

/* Looked at in each turn of the loop, in which at most one frame goes out. */
static bool is_sent(const struct remote *r, unsigned *pieces, uint64_t *last) {
        if (r->piece_sent != *last) {
                assert_true(r->piece_sent >= *last + GIVE_WAY_USEC);
                *last = r->piece_sent;
                ++*pieces;
        }
        return r->state > REMOTE_COPYING;
}

/* While a commit is under way a copy is sent a frame in a while; a commit that waits for ever does not keep it from its end. */
static void a_copy_gives_way_to_commits(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        const struct remote *r = NULL;
        unsigned pieces = 0;
        uint64_t last = 0;
        struct outcome o;
        pid_t pid;

        a->config.tick_usec = b->config.tick_usec = 0;
        node_be_master(a);
        node_fill(a, 5000, 1000);
        pid = begin_a_commit_that_waits(f, a, &o);
        node_start_slave(b, a);
        WAIT(f, (r = TAILQ_NEXT(TAILQ_FIRST(&a->master->remotes), remotes)));
        WAIT(f, is_sent(r, &pieces, &last));
        assert_true(pieces > 5000 * 1000 / PIECE_SIZE);
        WAIT(f, b->joined);
        assert_int_equal(o.done, 0);
        kill(pid, SIGCONT);
        WAIT(f, o.done);
        assert_int_equal(o.result, 0);
        assert_true(nodes_equal(a, b));
}

/* A slave counts, and may say that it has it all as soon as it has the last frame: also where that is full. */
static void a_copy_ends_with_its_last_frame(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        _cleanup_free_ char *value = value_of(PIECE_SIZE - 2 * (RECORD_HEADER_SIZE + strlen("/x")) - strlen("1"));
        const struct remote *r = NULL;
        struct outcome o;
        pid_t pid;

        a->config.tick_usec = b->config.tick_usec = 0;
        node_be_master(a);
        assert_int_equal(node_set(a, "/f", value), 0);
        pid = begin_a_commit_that_waits(f, a, &o);
        node_start_slave(b, a);
        WAIT(f, (r = TAILQ_NEXT(TAILQ_FIRST(&a->master->remotes), remotes)) && r->piece_sent > 0);
        assert_true(r->state > REMOTE_COPYING);
        WAIT(f, b->joined);
        kill(pid, SIGCONT);
        WAIT(f, o.done);
        assert_true(nodes_equal(a, b));
}

/* The slave has A, which fails here, and then B: it must not look like us, who have B only. */
static void what_a_promoted_relay_commits_falls_with_what_it_passed_on(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b;
        _cleanup_transaction_ struct transaction *first = NULL;
        _cleanup_free_ char *large = value_of(4 * 1024 * 1024);
        struct outcome passed = {}, own;
        pid_t pid;

        node_be_relay_of(a, "upstream");
        pid = fork_slave(f, 2, a, /* rejoin= */ true, /* file_limit= */ 0);
        WAIT(f, a->arrived == 1);
        first = change("/passed-on", large);
        assert_int_equal(transaction_seal(first, "upstream"), 0);
        limit_files(1024 * 1024);
        assert_int_equal(master_pass_on(a->master, first, store_chain_new(a->store), on_end, &passed), 0);
        master_promote(a->master);
        commit(a, "/own", "1", &own);
        WAIT(f, passed.done && own.done);
        limit_files(RLIM_INFINITY);
        assert_true(passed.result < 0);
        assert_true(own.result < 0);
        assert_true(node_has(a, "/own", NULL));
        WAIT(f, a->died == 1 && a->arrived == 2);
        assert_int_equal(node_set(a, "/later", "1"), 0);
        end_child(f, pid);
        b = node_new(f, 2);
        assert_true(nodes_equal(a, b));
}

/* A slave that copies for ten seconds, and is owed a commit that is too large to be kept in memory for it: from the log. */
static struct remote *copies_slowly(struct fixture *f, struct node *a, struct node *b, rlim_t files, struct outcome *o) {
        _cleanup_free_ char *large = value_of(8 * 1024 * 1024);
        struct node link;

        node_be_master(a);
        node_fill(a, 1000, 9 * 1000);
        link = fork_slow_link(f, 3, a, 900 * 1000);
        node_start_slave(b, &link);
        WAIT(f, a->store->log);
        limit_files(files);
        commit(a, "/large", large, o);
        assert_true(remote_lags(TAILQ_FIRST(&a->master->remotes)));
        return TAILQ_FIRST(&a->master->remotes);
}

/* It gets a copy, and never another's id for less data. */
static void a_slave_is_given_up_for_which_the_log_lacks_something(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        const struct remote *r;
        struct outcome o;

        r = copies_slowly(f, a, b, RLIM_INFINITY, &o);
        store_set_log(a->store, false);
        store_set_log(a->store, true);
        WAIT(f, o.done);
        apply_now(a->store);
        WAIT(f, !a->store->apply_busy && TAILQ_EMPTY(&a->store->pending) && TAILQ_EMPTY(&a->store->applying));
        if (r->state != REMOTE_COPYING)
                return; /* on a machine that takes so long it came out of memory */
        WAIT(f, b->joined || b->failed);
        assert_int_equal(b->failed, 1);
        node_be_slave(b, a);
        assert_int_equal(b->joined, 1);
        assert_true(nodes_equal(a, b));
}

static void a_commit_that_fails_is_owed_to_nobody(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        struct outcome o;

        (void) copies_slowly(f, a, b, 1024 * 1024, &o); /* the copy is written to its file by 4 MiB, and so later */
        WAIT(f, o.done);
        limit_files(RLIM_INFINITY);
        assert_int_equal(o.result, -ENOSPC);
        WAIT(f, b->joined || b->failed);
        assert_int_equal(b->joined, 1);
        assert_true(nodes_equal(a, b));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_master_tells_who_holds_its_commits, setup, teardown),
                cmocka_unit_test_setup_teardown(commits_end_although_the_loop_never_rests, setup, teardown),
                cmocka_unit_test_setup_teardown(a_role_that_ends_leaves_unfinished_commits_uncertain, setup, teardown),
                cmocka_unit_test_setup_teardown(a_role_that_ends_while_a_slave_is_admitted_leaves_unsent_commits_uncertain, setup, teardown),
                cmocka_unit_test_setup_teardown(a_role_that_ends_leaves_finished_commits_alone, setup, teardown),
                cmocka_unit_test_setup_teardown(a_commit_is_answered_though_its_store_is_closed, setup, teardown),
                cmocka_unit_test_setup_teardown(only_an_uncertain_commit_may_be_at_a_slave, setup, teardown),
                cmocka_unit_test_setup_teardown(a_copy_that_costs_the_last_space_is_given_up, setup, teardown),
                cmocka_unit_test_setup_teardown(a_copy_gives_way_to_commits, setup, teardown),
                cmocka_unit_test_setup_teardown(a_copy_ends_with_its_last_frame, setup, teardown),
                cmocka_unit_test_setup_teardown(what_a_promoted_relay_commits_falls_with_what_it_passed_on, setup, teardown),
                cmocka_unit_test_setup_teardown(a_slave_is_given_up_for_which_the_log_lacks_something, setup, teardown),
                cmocka_unit_test_setup_teardown(a_commit_that_fails_is_owed_to_nobody, setup, teardown),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        if (getenv("TEST_FILTER"))
                cmocka_set_test_filter(getenv("TEST_FILTER"));
        return cmocka_run_group_tests_name("node-commits", tests, NULL, NULL);
}
