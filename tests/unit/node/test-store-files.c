/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the store's directory: locked, full, damaged. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store-fixture.h"

static void open_second(struct fixture *f) {
        struct store *second = NULL;
        char *error = NULL, pid[16];

        assert_int_equal(store_open(f->directory, f->event, &second, &error), -EBUSY);
        assert_non_null(strstr(error, f->directory));
        (void) snprintf(pid, sizeof(pid), "pid %d)", (int) getppid());
        assert_non_null(strstr(error, pid));
        free(error);
}

static void test_one_process(void **state) {
        struct fixture *f = *state;
        int status = in_child(open_second, f);

        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* In a chain what comes after one that does not fit fails, too. */
static void a_chain_breaks(struct fixture *f, const char *big) {
        struct transaction *t[4] = { one("/x", "2"), one("/big", big), one("/y", "2"), one("/z", "2") };
        uint64_t chain = store_chain_new(f->store), next = store_chain_new(f->store);
        struct outcome out[4] = {};

        for (size_t i = 0; i < 4; i++) {
                assert_int_equal(store_commit_chained(f->store, i < 3 ? chain : next, t[i], on_commit, &out[i]), 0);
                transaction_unref(t[i]);
        }
        run_until(f->event, &out[3].done);
        assert_int_equal(out[0].result, 0);
        assert_int_equal(out[1].result, -ENOSPC);
        assert_int_equal(out[2].result, -ENOSPC);
        assert_int_equal(out[3].result, 0);
        assert_value(f, "/x", "2");
        assert_value(f, "/y", "1");
        assert_value(f, "/z", "2");
}

static void chains_stay_broken(struct fixture *f, const char *big) {
        uint64_t first = store_chain_new(f->store), last = 0;

        /* However many have broken since. */
        for (int i = 0; i < 200; i++) {
                struct transaction *t[2] = { one("/big", big), one("/y", "3") };
                struct outcome out[2] = {};

                last = i == 0 ? first : store_chain_new(f->store);
                for (size_t k = 0; k < 2; k++) {
                        assert_int_equal(store_commit_chained(f->store, last, t[k], on_commit, &out[k]), 0);
                        transaction_unref(t[k]);
                }
                run_until(f->event, &out[1].done);
                assert_int_equal(out[1].result, -ENOSPC);
        }
        for (int i = 0; i < 2; i++) {
                struct transaction *t = one("/y", "3");
                struct outcome out = {};

                assert_int_equal(store_commit_chained(f->store, i == 0 ? first : last, t, on_commit, &out), 0);
                transaction_unref(t);
                run_until(f->event, &out.done);
                assert_true(out.result < 0);
        }
        assert_value(f, "/y", "1");
        assert_int_equal(commit(f, "/y", "1"), 0);
}

/* In a child, with a limit on the size of files in place of a full disk. */
static void full_disk(struct fixture *f) {
        char *big = malloc(4 * 1024 * 1024 + 1);
        char id[TRANSACTION_ID_MAX + 1];
        struct rlimit limit;
        struct store_copy *c;
        struct outcome o = {};
        int r;

        signal(SIGXFSZ, SIG_IGN);
        open_store(f);
        memset(big, 'v', 4 * 1024 * 1024);
        big[4 * 1024 * 1024] = 0;
        assert_int_equal(commit(f, "/small", "1"), 0);
        strcpy(id, store_transaction_id(f->store));
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = 1024 * 1024 + 1000;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        r = commit(f, "/big", big);
        assert_int_equal(r, -ENOSPC);
        assert_true(store_is_tight(f->store, 1));
        assert_string_equal(store_transaction_id(f->store), id);
        assert_value(f, "/small", "1");
        assert_value(f, "/big", NULL);
        assert_int_equal(commit(f, "/small", "2"), 0);
        assert_value(f, "/small", "2");

        /* One that does not fit takes no other with it. */
        {
                struct transaction *t[3] = { one("/x", "1"), one("/big", big), one("/y", "1") };
                struct outcome out[3] = {};

                for (size_t i = 0; i < 3; i++) {
                        assert_int_equal(store_commit(f->store, t[i], on_commit, &out[i]), 0);
                        transaction_unref(t[i]);
                }
                run_until(f->event, &out[2].done);
                assert_int_equal(out[0].result, 0);
                assert_int_equal(out[1].result, -ENOSPC);
                assert_int_equal(out[2].result, 0);
        }

        a_chain_breaks(f, big);
        chains_stay_broken(f, big);

        assert_int_equal(store_copy_new(f->store, &c), 0);
        r = store_copy_put(c, "/big", 4, big, strlen(big));
        assert_int_equal(r, 0);
        assert_int_equal(store_copy_finish(c, "m-1", on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, -ENOSPC);
        store_copy_free(c);
        assert_value(f, "/small", "2");

        limit.rlim_cur = limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(commit(f, "/big", big), 0);
        assert_false(store_is_tight(f->store, 1));
        close_store(f);
        open_store(f);
        assert_value(f, "/big", big);
        close_store(f);
        free(big);
}

static void test_full_disk(void **state) {
        struct fixture *f = *state;
        int status;

        close_store(f);
        status = in_child(full_disk, f);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        open_store(f);
}

static void expect_unclean(struct fixture *f) {
        struct store *s = NULL;
        sd_event *event;
        char *error = NULL;

        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(store_open(f->directory, event, &s, &error), -EUCLEAN);
        assert_non_null(error);
        assert_non_null(strstr(error, f->directory));
        free(error);
        sd_event_unref(event);
}

static void test_damaged_files(void **state) {
        struct fixture *f = *state;
        char path[128], junk[8192];

        for (int i = 0; i < 200; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "/k/%d", i);
                assert_int_equal(commit(f, key, "a value of some length, so that there are several pages"), 0);
        }
        close_store(f);
        write_file(f, "current", "nonsense\n", 9, O_TRUNC);
        expect_unclean(f);
        write_file(f, "current", "store-99\n", 9, O_TRUNC);
        expect_unclean(f);
        write_file(f, "current", "store-1\n", 8, O_TRUNC);
        open_store(f);
        close_store(f);
        /* "current" lost: the data is not taken for nothing. */
        (void) snprintf(path, sizeof(path), "%s/current", f->directory);
        assert_int_equal(unlink(path), 0);
        expect_unclean(f);
        write_file(f, "current", "store-1\n", 8, O_TRUNC);
        /* Truncated: pages that the header counts on are missing. */
        (void) snprintf(path, sizeof(path), "%s/store-1.mdb", f->directory);
        assert_int_equal(truncate(path, 3 * 4096), 0);
        expect_unclean(f);
        assert_int_equal(truncate(path, 0), 0);
        expect_unclean(f);
        memset(junk, 'x', sizeof(junk));
        write_file(f, "store-1.mdb", junk, sizeof(junk), O_TRUNC);
        expect_unclean(f);
        assert_int_equal(unlink(path), 0);
        (void) snprintf(path, sizeof(path), "%s/current", f->directory);
        assert_int_equal(unlink(path), 0);
        open_store(f);
        assert_int_equal(store_entries(f->store), 0);
}


/* Pages full of anything, at many places: the store is opened or refused, and what is opened can be read. */
static void test_damaged_pages(void **state) {
        struct fixture *f = *state;
        unsigned refused = 0, opened = 0;
        uint64_t seed = 7;
        uint8_t *good;
        char path[128];
        struct stat st;
        int fd;

        for (int i = 0; i < 300; i++) {
                char key[64], value[5000];

                memset(value, 'v', sizeof(value));
                value[(size_t) (i % 10) * 490] = 0;
                (void) snprintf(key, sizeof(key), "/key/%d", i * 7919 % 300);
                assert_int_equal(commit(f, key, i % 7 == 6 ? NULL : value), 0);
        }
        close_store(f);
        (void) snprintf(path, sizeof(path), "%s/store-1.mdb", f->directory);
        fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        good = malloc((size_t) st.st_size);
        assert_int_equal(pread(fd, good, (size_t) st.st_size, 0), st.st_size);
        for (int i = 0; i < 150; i++) {
                struct store *s = NULL;
                char *error = NULL;
                uint8_t junk[64];
                sd_event *event;
                off_t at;
                int r;

                for (size_t j = 0; j < sizeof(junk); j++) {
                        seed = seed * 6364136223846793005u + 1442695040888963407u;
                        junk[j] = (uint8_t) (seed >> 56);
                }
                at = (off_t) ((seed >> 20) % (uint64_t) (st.st_size - 64));
                if (i % 2)
                        at &= ~(off_t) 4095; /* page headers are where it hurts */
                assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
                assert_int_equal(sd_event_new(&event), 0);
                r = store_open(f->directory, event, &s, &error);
                if (r >= 0) {
                        struct collected c = {};
                        char *next = NULL;

                        opened++;
                        assert_int_equal(store_list(s, "/key/", "", 0, collect, &c, &next), 0);
                        free(next);
                } else {
                        refused++;
                        assert_int_equal(r, -EUCLEAN);
                        assert_non_null(strstr(error, "store-1.mdb"));
                }
                free(error);
                store_free(s);
                sd_event_unref(event);
                assert_int_equal(pwrite(fd, good, (size_t) st.st_size, 0), st.st_size);
        }
        print_message("# damaged at random: %u times refused, %u times harmless\n", refused, opened);
        assert_true(refused > 0);
        close(fd);
        free(good);
        open_store(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_one_process, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damaged_files, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damaged_pages, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-store-files", tests, NULL, NULL);
}
