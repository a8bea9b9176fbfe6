/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of copies that replace the store's data, and of being killed at any moment. */
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/log.h"
#include "store-fixture.h"

static void a_copy_replaces_the_data_whole(void **state) {
        struct fixture *f = *state;
        struct store_snapshot *p;
        struct store_copy *c, *d;
        struct transaction *t = one("/copy/00000000", "changed");
        struct outcome o = {};
        struct change change;

        assert_int_equal(commit(f, "/old", "1"), 0);
        assert_int_equal(store_snapshot_new(f->store, &p), 0);
        assert_int_equal(store_copy_new(f->store, &c), 0);
        assert_int_equal(store_copy_new(f->store, &d), -EBUSY);
        fill_copy(c, 100000, "value value value");
        assert_int_equal(store_copy_apply(c, t, NULL, NULL), 0);
        assert_int_equal(store_copy_finish(c, "m-1", on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, 0);
        assert_value(f, "/old", "1"); /* not yet */
        assert_value(f, "/copy/00000001", NULL);
        o = (struct outcome) {};
        assert_int_equal(store_copy_swap(c, 0, on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, 0);
        store_copy_free(c);
        assert_value(f, "/old", NULL);
        assert_value(f, "/copy/00000000", "changed");
        assert_value(f, "/copy/00099999", "value value value");
        assert_int_equal(store_entries(f->store), 100000);
        assert_string_equal(store_transaction_id(f->store), "m-1");
        /* A snapshot of the old data is still good. */
        assert_int_equal(store_snapshot_next(p, &change), 1);
        assert_memory_equal(change.key, "/old", 4);
        store_snapshot_free(p);
        assert_int_equal(commit(f, "/after", "1"), 0);
        close_store(f);
        assert_int_equal(count_files(f->directory), 4); /* lock, current, store */
        open_store(f);
        assert_int_equal(store_entries(f->store), 100001);
        assert_value(f, "/after", "1");
        transaction_unref(t);
}

static void a_dropped_copy_leaves_the_old_data(void **state) {
        struct fixture *f = *state;
        struct store_copy *c;
        struct outcome o = {};

        assert_int_equal(commit(f, "/old", "1"), 0);
        assert_int_equal(store_copy_new(f->store, &c), 0);
        fill_copy(c, 50000, "v");
        store_copy_free(c);
        assert_int_equal(store_copy_new(f->store, &c), 0); /* at once */
        fill_copy(c, 10, "v");
        assert_int_equal(store_copy_finish(c, "", on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, 0);
        store_copy_free(c);
        assert_int_equal(commit(f, "/old", "2"), 0);
        assert_int_equal(count_files(f->directory), 4);
        assert_int_equal(store_entries(f->store), 1);

        /* Keys out of order are no copy. */
        assert_int_equal(store_copy_new(f->store, &c), 0);
        assert_int_equal(store_copy_put(c, "/b", 2, "1", 1), 0);
        assert_int_equal(store_copy_put(c, "/a", 2, "1", 1), 0);
        o = (struct outcome) {};
        assert_int_equal(store_copy_finish(c, "m-1", on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, -EBADMSG);
        assert_int_equal(store_copy_swap(c, 0, on_copy, &o), -EINVAL);
        store_copy_free(c);
        assert_value(f, "/old", "2");
}

/* What a slave is sent right behind the copy was made for the master's data; the old data must not get it, nor its id. */
static void what_follows_a_swap_that_fails_is_not_applied_to_the_old_data(void **state) {
        struct fixture *f = *state;
        struct transaction *t[3] = { one("/copy/1", "later"), one("/copy/2", "later"), one("/own", "1") };
        uint64_t chain = store_chain_new(f->store);
        char path[128];
        struct outcome swapped = {}, stored[3] = {};
        struct store_copy *c;

        assert_int_equal(commit(f, "/old", "1"), 0);
        c = finished_copy(f, 10);
        (void) snprintf(path, sizeof(path), "%s/current.new", f->directory);
        assert_int_equal(mkdir(path, 0700), 0); /* it cannot be put in force */
        assert_int_equal(store_copy_swap(c, chain, on_copy, &swapped), 0);
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(store_commit_chained(f->store, i < 2 ? chain : 0, t[i], on_commit, &stored[i]), 0);
                transaction_unref(t[i]);
        }
        run_until(f->event, &stored[1].done);
        assert_true(swapped.done && swapped.result < 0);
        store_copy_free(c);
        assert_true(stored[0].result < 0);
        assert_true(stored[1].result < 0);
        assert_value(f, "/old", "1");
        assert_value(f, "/copy/1", NULL);
        assert_value(f, "/copy/00000001", NULL);
        run_until(f->event, &stored[2].done);
        assert_int_equal(stored[2].result, 0); /* what has nothing to do with it is stored */
        assert_string_equal(store_transaction_id(f->store), stored[2].id);
        assert_int_equal(rmdir(path), 0);
        close_store(f);
        open_store(f);
        assert_string_equal(store_transaction_id(f->store), stored[2].id);
        assert_value(f, "/old", "1");
}

static void replace_data(struct fixture *f) {
        struct outcome o = {};
        struct store_copy *c;
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/words", f->directory);
        assert_non_null(freopen(path, "w", stderr));
        log_set_target(LOG_TARGET_CONSOLE);
        open_store(f);
        assert_int_equal(commit(f, "/a", "1"), 0);
        assert_int_equal(store_copy_new(f->store, &c), 0);
        assert_int_equal(store_copy_finish(c, "", on_copy, &o), 0);
        run_until(f->event, &o.done);
        o = (struct outcome) {};
        assert_int_equal(store_copy_swap(c, 0, on_copy, &o), 0);
        run_until(f->event, &o.done);
        store_copy_free(c);
        assert_int_equal(store_entries(f->store), 0);
        close_store(f);
        fflush(stderr);
}

/* A master with an empty store empties its slaves: the journal has to tell of both. */
static void that_a_store_is_new_and_what_a_copy_replaces_are_logged(void **state) {
        struct fixture *f = *state;
        char path[128], words[1024] = "";
        int status;
        FILE *file;

        close_store(f);
        rename_file(f, "store-1.mdb", "away");
        rename_file(f, "current", "kept");
        status = in_child(replace_data, f);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        (void) snprintf(path, sizeof(path), "%s/words", f->directory);
        file = fopen(path, "r");
        assert_non_null(file);
        assert_true(fread(words, 1, sizeof(words) - 1, file) > 0);
        fclose(file);
        assert_non_null(strstr(words, "is new, and empty"));
        assert_non_null(strstr(words, "replaces 1 entries, transaction n1-"));
        assert_non_null(strstr(words, "by 0 entries, transaction none"));
        open_store(f);
}

/* Before it begins, that is: whether it had, the answer tells. */
static void a_swap_that_is_given_up_leaves_the_old_data(void **state) {
        struct fixture *f = *state;

        for (int i = 0; i < 20; i++) {
                struct outcome swapped = {};
                struct store_copy *c;
                bool given_up;

                assert_int_equal(commit(f, "/own", "1"), 0);
                c = finished_copy(f, 10);
                assert_int_equal(store_copy_swap(c, 0, on_copy, &swapped), 0);
                if (i % 2)
                        sched_yield();
                given_up = store_copy_cancel_swap(c);
                run_until(f->event, &swapped.done);
                assert_int_equal(swapped.result, given_up ? -ECANCELED : 0);
                store_copy_free(c);
                assert_value(f, "/own", given_up ? "1" : NULL);
                assert_value(f, "/copy/00000001", given_up ? NULL : "v");
                assert_int_equal(commit(f, "/copy/00000001", NULL), 0);
        }
}

/* Commits and copies without end, until it is killed. "/a" and "/b" are always changed together, and a copy has as many
 * more entries as they say. */
static void busy(struct fixture *f) {
        char *last = NULL;

        open_store(f);
        assert_true(store_get(f->store, "/a", &last) >= 0 || !last);
        for (unsigned long i = last ? strtoul(last, NULL, 10) : 1;; i++) {
                struct store_copy *c;
                struct outcome o = {};
                char value[32];
                struct transaction *t;

                (void) snprintf(value, sizeof(value), "%lu", i);
                assert_int_equal(transaction_new(&t), 0);
                assert_int_equal(transaction_set(t, "/a", value), 0);
                assert_int_equal(transaction_set(t, "/b", value), 0);
                assert_int_equal(transaction_seal(t, "n1"), 0);
                assert_int_equal(store_commit(f->store, t, on_commit, &o), 0);
                transaction_unref(t);
                run_until(f->event, &o.done);
                o = (struct outcome) {};
                assert_int_equal(store_copy_new(f->store, &c), 0);
                assert_int_equal(store_copy_put(c, "/a", 2, value, strlen(value)), 0);
                assert_int_equal(store_copy_put(c, "/b", 2, value, strlen(value)), 0);
                fill_copy(c, i % 3000, value);
                assert_int_equal(store_copy_finish(c, "m-1", on_copy, &o), 0);
                run_until(f->event, &o.done);
                o = (struct outcome) {};
                assert_int_equal(store_copy_swap(c, 0, on_copy, &o), 0);
                run_until(f->event, &o.done);
                store_copy_free(c);
        }
}

static void a_crash_anywhere_leaves_old_data_or_new(void **state) {
        struct fixture *f = *state;
        uint64_t seed = 1;

        close_store(f);
        for (int i = 0; i < 60; i++) {
                struct timespec ts;
                char *a = NULL, *b = NULL;
                unsigned long n;
                int status;
                pid_t pid;

                fflush(stdout);
                pid = fork();
                if (pid == 0) {
                        busy(f);
                        _exit(1);
                }
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                ts = (struct timespec) { .tv_nsec = (long) ((seed >> 33) % 40000000) }; /* a moment to be killed at, not a wait */
                nanosleep(&ts, NULL);
                kill(pid, SIGKILL);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status));

                open_store(f);
                if (store_transaction_id(f->store)[0]) {
                        assert_int_equal(store_get(f->store, "/a", &a), 0);
                        assert_int_equal(store_get(f->store, "/b", &b), 0);
                        assert_string_equal(a, b);
                        /* a copy is there with all its entries or not at all */
                        n = strtoul(a, NULL, 10);
                        assert_true(n % 3000 + 2 == store_entries(f->store) || (n - 1) % 3000 + 2 == store_entries(f->store));
                }
                assert_int_equal(count_files(f->directory), 4);
                close_store(f);
                free(a);
                free(b);
        }
        open_store(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_copy_replaces_the_data_whole, setup, teardown),
                cmocka_unit_test_setup_teardown(a_dropped_copy_leaves_the_old_data, setup, teardown),
                cmocka_unit_test_setup_teardown(what_follows_a_swap_that_fails_is_not_applied_to_the_old_data, setup, teardown),
                cmocka_unit_test_setup_teardown(a_swap_that_is_given_up_leaves_the_old_data, setup, teardown),
                cmocka_unit_test_setup_teardown(that_a_store_is_new_and_what_a_copy_replaces_are_logged, setup, teardown),
                cmocka_unit_test_setup_teardown(a_crash_anywhere_leaves_old_data_or_new, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-store-copy", tests, NULL, NULL);
}
