/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the store: commits, their order, lists, snapshots. */
#include <time.h>

#include "store-fixture.h"

static void what_was_committed_is_there_after_a_reopen(void **state) {
        struct fixture *f = *state;
        char id[TRANSACTION_ID_MAX + 1];

        assert_string_equal(store_transaction_id(f->store), "");
        assert_int_equal(store_entries(f->store), 0);
        assert_int_equal(commit(f, "/a", "1"), 0);
        assert_int_equal(commit(f, "/b", "2"), 0);
        assert_int_equal(commit(f, "/a", NULL), 0);
        assert_int_equal(commit(f, "/c", ""), 0);
        assert_int_equal(store_entries(f->store), 2);
        strcpy(id, store_transaction_id(f->store));
        assert_true(strncmp(id, "n1-", 3) == 0);
        close_store(f);

        open_store(f);
        assert_string_equal(store_transaction_id(f->store), id);
        assert_value(f, "/a", NULL);
        assert_value(f, "/b", "2");
        assert_value(f, "/c", "");
}

static void many_commits_share_a_sync(void **state) {
        struct fixture *f = *state;
        struct outcome o[500] = {};
        char ids[500][TRANSACTION_ID_MAX + 1];

        for (size_t i = 0; i < ELEMENTSOF(o); i++) {
                char key[32], value[32];
                struct transaction *t;

                (void) snprintf(key, sizeof(key), "/k/%zu", i % 100);
                (void) snprintf(value, sizeof(value), "%zu", i);
                t = one(key, value);
                strcpy(ids[i], transaction_id(t));
                assert_int_equal(store_commit(f->store, t, on_commit, &o[i]), 0);
                transaction_unref(t);
        }
        for (size_t i = 0; i < ELEMENTSOF(o); i++) {
                run_until(f->event, &o[i].done);
                assert_int_equal(o[i].result, 0);
                assert_string_equal(o[i].id, ids[i]);
                if (i + 1 < ELEMENTSOF(o))
                        assert_true(i == 0 || o[i - 1].done);
        }
        assert_string_equal(store_transaction_id(f->store), ids[499]);
        assert_int_equal(store_entries(f->store), 100);
        assert_value(f, "/k/0", "400");
        assert_value(f, "/k/99", "499");
}

static void count(int result, struct transaction *t, void *userdata) {
        size_t *n = userdata;

        assert_int_equal(result, 0);
        (*n)++;
}

/* Whoever waits for it has something to let go of. */
static void a_commit_is_answered_though_the_store_is_closed(void **state) {
        struct transaction *t = one("/x", "1");
        struct fixture *f = *state;
        struct outcome o = {};

        assert_int_equal(store_commit(f->store, t, on_commit, &o), 0);
        transaction_unref(t);
        close_store(f);
        assert_true(o.done);
        assert_int_equal(o.result, 0);
        open_store(f);
        assert_value(f, "/x", "1");
}

static void the_queue_is_bounded(void **state) {
        struct fixture *f = *state;
        uint64_t deadline = now_monotonic() + DEADLINE_USEC;
        size_t n = 0, answered = 0;
        int r;

        for (;; n++) {
                struct transaction *t = one("/k", "v");

                r = store_commit(f->store, t, count, &answered);
                transaction_unref(t);
                if (r < 0)
                        break;
                assert_true(n < 1000000);
        }
        assert_int_equal(r, -EBUSY);
        assert_true(n >= STORE_QUEUE_MAX);
        while (answered < n) {
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(f->event, 100 * 1000) >= 0);
        }
        assert_int_equal(commit(f, "/again", "1"), 0);
}

static uint64_t cpu_usec(void) {
        struct timespec ts;

        assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts), 0);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static struct transaction *of_tiny_changes(unsigned n, unsigned number) {
        struct transaction *t;
        char key[32];

        assert_int_equal(transaction_new(&t), 0);
        for (unsigned i = 0; i < n; i++) {
                (void) snprintf(key, sizeof(key), "/%08x/%u", i * 2654435761u, number);
                assert_int_equal(transaction_set(t, key, ""), 0);
        }
        assert_int_equal(transaction_seal(t, "n1"), 0);
        return t;
}

/* As long as it takes to be heard of, in the loop's own time; the machine may be busy. */
static uint64_t longest_turn(struct fixture *f, struct transaction **t, size_t n) {
        uint64_t begin, longest = 0, deadline = now_monotonic() + 4 * DEADLINE_USEC;
        size_t answered = 0;

        for (size_t i = 0; i < n; i++) {
                assert_int_equal(store_commit(f->store, t[i], count, &answered), 0);
                transaction_unref(t[i]);
        }
        while (answered < n) {
                assert_true(now_monotonic() < deadline);
                begin = cpu_usec();
                assert_true(sd_event_run(f->event, 100 * 1000) >= 0);
                longest = MAX(longest, cpu_usec() - begin);
        }
        return longest;
}

static void the_loop_has_its_turn_between_transactions_of_many_changes(void **state) {
        struct fixture *f = *state;
        struct transaction *t[20];
        uint64_t one, many;

        t[0] = of_tiny_changes(TRANSACTION_CHANGES_MAX, 0);
        one = longest_turn(f, t, 1);
        for (unsigned i = 0; i < ELEMENTSOF(t); i++)
                t[i] = of_tiny_changes(TRANSACTION_CHANGES_MAX / 4, 1 + i);
        many = longest_turn(f, t, ELEMENTSOF(t));
        print_message("# longest turn of the loop: %.1f ms for one of %d changes, %.1f ms for %zu of a quarter of that\n",
                      (double) one / 1000, TRANSACTION_CHANGES_MAX, (double) many / 1000, ELEMENTSOF(t));
        assert_true(one < 2 * USEC_PER_SEC);
        assert_true(many < 2 * one);
}

static void a_list_comes_in_order_and_in_pieces(void **state) {
        struct fixture *f = *state;
        struct collected c = {};
        char *next = NULL, *big;
        struct transaction *t;
        struct outcome o = {};

        assert_int_equal(store_list(f->store, "", "", 0, collect, &c, &next), 0);
        assert_int_equal(c.n, 0);
        assert_string_equal(next, "");
        free(next);
        assert_int_equal(transaction_new(&t), 0);
        for (int i = 0; i < 10; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "/a/%d", i);
                assert_int_equal(transaction_set(t, key, "v"), 0);
        }
        assert_int_equal(transaction_set(t, "/b", "v"), 0);
        assert_int_equal(transaction_seal(t, "n1"), 0);
        assert_int_equal(store_commit(f->store, t, on_commit, &o), 0);
        transaction_unref(t);
        run_until(f->event, &o.done);

        c = (struct collected) {};
        assert_int_equal(store_list(f->store, "/a/", "", 4, collect, &c, &next), 0);
        assert_int_equal(c.n, 4);
        assert_string_equal(next, "/a/3");
        free(next);
        c = (struct collected) {};
        assert_int_equal(store_list(f->store, "/a/", "/a/3", 0, collect, &c, &next), 0);
        assert_int_equal(c.n, 6);
        assert_string_equal(next, "");
        free(next);
        c = (struct collected) {};
        assert_int_equal(store_list(f->store, "/a/", "/a/3", 6, collect, &c, &next), 0);
        assert_int_equal(c.n, 6);
        assert_string_equal(next, "");
        free(next);
        c = (struct collected) {};
        assert_int_equal(store_list(f->store, "/a/", "/b", 6, collect, &c, &next), 0);
        assert_int_equal(c.n, 0);
        free(next);

        /* 4 MiB a reply; a larger entry comes alone. */
        big = value_of(VALUE_SIZE_MAX);
        assert_int_equal(commit(f, "/c/0", big), 0);
        big[2 * 1024 * 1024 - 16 - 4] = 0;
        assert_int_equal(commit(f, "/c/1", big), 0);
        assert_int_equal(commit(f, "/c/2", big), 0);
        assert_int_equal(commit(f, "/c/3", ""), 0);
        c = (struct collected) {};
        assert_int_equal(store_list(f->store, "/c/", "", 0, collect, &c, &next), 0);
        assert_int_equal(c.n, 1);
        assert_string_equal(next, "/c/0");
        free(next);
        c = (struct collected) {};
        assert_int_equal(store_list(f->store, "/c/", "/c/0", 0, collect, &c, &next), 0);
        assert_int_equal(c.n, 2);
        assert_string_equal(next, "/c/2");
        free(next);
        free(big);
}

static void a_snapshot_stays_as_it_was(void **state) {
        struct fixture *f = *state;
        struct store_snapshot *p;
        struct change c;

        assert_int_equal(commit(f, "/a", "1"), 0);
        assert_int_equal(commit(f, "/b", "1"), 0);
        assert_int_equal(store_snapshot_new(f->store, &p), 0);
        assert_int_equal(commit(f, "/a", "2"), 0);
        assert_int_equal(commit(f, "/c", "2"), 0);
        assert_int_equal(store_snapshot_entries(p), 2);
        assert_int_equal(store_snapshot_sequence(p), 2);
        assert_int_equal(store_sequence(f->store), 4);
        assert_int_equal(store_snapshot_next(p, &c), 1);
        assert_memory_equal(c.key, "/a", 2);
        assert_memory_equal(c.value, "1", 1);
        assert_int_equal(store_snapshot_next(p, &c), 1);
        assert_int_equal(store_snapshot_next(p, &c), 0);
        store_snapshot_free(p);
}

/* The last pages of the file were taken and given back within one step, and so never written: the file is shorter than the header
 * says, and nothing is missing. */
static void pages_that_nobody_needed_are_not_missed(void **state) {
        struct fixture *f = *state;
        char *big = malloc(300 * 1024 + 1);
        struct transaction *t[3];
        struct outcome o[3] = {};

        /* There are free pages within the file, too, as in any that has been written to for a while. */
        for (int i = 0; i < 5; i++) {
                assert_int_equal(commit(f, "/small", "0"), 0);
                close_store(f);
                open_store(f);
        }
        memset(big, 'b', 300 * 1024);
        big[300 * 1024] = 0;
        assert_int_equal(transaction_new(&t[1]), 0);
        assert_int_equal(transaction_delete(t[1], "/big"), 0);
        assert_int_equal(transaction_seal(t[1], "n1"), 0);
        t[0] = one("/big", big);
        t[2] = one("/small", "1");
        for (int i = 0; i < 3; i++) {
                assert_int_equal(store_commit(f->store, t[i], on_commit, &o[i]), 0);
                transaction_unref(t[i]);
        }
        run_until(f->event, &o[2].done);
        close_store(f);
        open_store(f);
        assert_value(f, "/small", "1");
        assert_value(f, "/big", NULL);
        free(big);
}

static void the_log_keeps_what_comes_while_it_is_on(void **state) {
        struct fixture *f = *state;
        struct transaction *t;
        uint64_t sequence;

        assert_int_equal(commit(f, "/a", "1"), 0);
        store_set_log(f->store, true);
        assert_int_equal(commit(f, "/a", "2"), 0);
        assert_int_equal(commit(f, "/a", "3"), 0);
        assert_int_equal(store_log_next(f->store, 1, &t, &sequence), 1);
        assert_int_equal(sequence, 2);
        transaction_unref(t);
        assert_int_equal(store_log_next(f->store, 2, &t, &sequence), 1);
        assert_int_equal(sequence, 3);
        assert_string_equal(transaction_id(t), store_transaction_id(f->store));
        transaction_unref(t);
        assert_int_equal(store_log_next(f->store, 3, &t, &sequence), 0);
        store_set_log(f->store, false);
        assert_int_equal(commit(f, "/a", "4"), 0);
        assert_int_equal(store_log_next(f->store, 1, &t, &sequence), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_was_committed_is_there_after_a_reopen, setup, teardown),
                cmocka_unit_test_setup_teardown(many_commits_share_a_sync, setup, teardown),
                cmocka_unit_test_setup_teardown(a_commit_is_answered_though_the_store_is_closed, setup, teardown),
                cmocka_unit_test_setup_teardown(the_queue_is_bounded, setup, teardown),
                cmocka_unit_test_setup_teardown(the_loop_has_its_turn_between_transactions_of_many_changes, setup, teardown),
                cmocka_unit_test_setup_teardown(a_list_comes_in_order_and_in_pieces, setup, teardown),
                cmocka_unit_test_setup_teardown(a_snapshot_stays_as_it_was, setup, teardown),
                cmocka_unit_test_setup_teardown(pages_that_nobody_needed_are_not_missed, setup, teardown),
                cmocka_unit_test_setup_teardown(the_log_keeps_what_comes_while_it_is_on, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-store", tests, NULL, NULL);
}
