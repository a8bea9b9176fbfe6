/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the store: commits, order, lists, snapshots, copies, full disks, damaged files, crashes. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "basic/time-util.h"
#include "node/store/store.h"

enum { DEADLINE_USEC = 30 * 1000 * 1000 };

struct fixture {
        char directory[64];
        sd_event *event;
        struct store *store;
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        return remove(path);
}

static void open_store(struct fixture *f) {
        char *error = NULL;
        int r;

        assert_int_equal(sd_event_new(&f->event), 0);
        r = store_open(f->directory, f->event, &f->store, &error);
        if (r < 0)
                print_message("store_open: %s: %s\n", strerror(-r), error ? error : "");
        free(error);
        assert_int_equal(r, 0);
}

static void close_store(struct fixture *f) {
        f->store = store_free(f->store);
        f->event = sd_event_unref(f->event);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->directory, "/tmp/test-node-store-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        open_store(f);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        close_store(f);
        nftw(f->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

static void run_until(sd_event *event, const bool *done) {
        uint64_t deadline = now_monotonic() + DEADLINE_USEC;

        while (!*done) {
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(event, 100 * 1000) >= 0);
        }
}

struct outcome {
        bool done;
        int result;
        char id[TRANSACTION_ID_MAX + 1];
};

static void on_commit(int result, struct transaction *t, void *userdata) {
        struct outcome *o = userdata;

        o->done = true;
        o->result = result;
        strcpy(o->id, transaction_id(t));
}

static void on_copy(int result, void *userdata) {
        struct outcome *o = userdata;

        o->done = true;
        o->result = result;
}

static struct transaction *one(const char *key, const char *value) {
        struct transaction *t;

        assert_int_equal(transaction_new(&t), 0);
        assert_int_equal(value ? transaction_set(t, key, value) : transaction_delete(t, key), 0);
        assert_int_equal(transaction_seal(t, "n1"), 0);
        return t;
}

static int commit(struct fixture *f, const char *key, const char *value) {
        struct transaction *t = one(key, value);
        struct outcome o = {};

        assert_int_equal(store_commit(f->store, t, on_commit, &o), 0);
        transaction_unref(t);
        run_until(f->event, &o.done);
        return o.result;
}

static void assert_value(struct fixture *f, const char *key, const char *value) {
        char *v = NULL;
        int r = store_get(f->store, key, &v);

        if (!value)
                assert_int_equal(r, -ENOENT);
        else {
                assert_int_equal(r, 0);
                assert_string_equal(v, value);
        }
        free(v);
}

static void test_commit_and_reopen(void **state) {
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

static void test_many_share_an_fsync(void **state) {
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

static void test_queue_is_bounded(void **state) {
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

struct collected {
        size_t n, bytes;
        char last[KEY_SIZE_MAX + 1];
};

static int collect(const char *key, const char *value, void *userdata) {
        struct collected *c = userdata;

        assert_true(strcmp(key, c->last) > 0);
        strcpy(c->last, key);
        c->n++;
        c->bytes += strlen(key) + strlen(value);
        return 0;
}

static void test_list(void **state) {
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
        big = malloc(VALUE_SIZE_MAX + 1);
        memset(big, 'v', VALUE_SIZE_MAX);
        big[VALUE_SIZE_MAX] = 0;
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

static void test_snapshot(void **state) {
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

static void test_log(void **state) {
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

static void fill_copy(struct store_copy *c, size_t n, const char *value) {
        for (size_t i = 0; i < n; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "/copy/%08zu", i);
                assert_int_equal(store_copy_put(c, key, strlen(key), value, strlen(value)), 0);
        }
}

static size_t count_files(const char *directory) {
        char command[128];
        FILE *p;
        size_t n = 0;

        (void) snprintf(command, sizeof(command), "ls -A %s", directory);
        p = popen(command, "r");
        for (int ch; (ch = getc(p)) != EOF;)
                n += ch == '\n';
        pclose(p);
        return n;
}

static void test_copy(void **state) {
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
        assert_int_equal(store_copy_apply(c, t), 0);
        assert_int_equal(store_copy_finish(c, "m-1", on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, 0);
        assert_value(f, "/old", "1"); /* not yet */
        assert_value(f, "/copy/00000001", NULL);
        o = (struct outcome) {};
        assert_int_equal(store_copy_swap(c, on_copy, &o), 0);
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
        assert_int_equal(count_files(f->directory), 4); /* lock, current, store and its lock */
        open_store(f);
        assert_int_equal(store_entries(f->store), 100001);
        assert_value(f, "/after", "1");
        transaction_unref(t);
}

static void test_copy_dropped(void **state) {
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
        assert_int_equal(store_copy_swap(c, on_copy, &o), -EINVAL);
        store_copy_free(c);
        assert_value(f, "/old", "2");
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

        /* But in a chain what comes after it fails, too. */
        {
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

static int in_child(void (*fn)(struct fixture *), struct fixture *f) {
        int status;
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                fn(f);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

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

static void write_file(struct fixture *f, const char *name, const void *p, size_t n, int flags) {
        char path[128];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/%s", f->directory, name);
        fd = open(path, O_WRONLY | O_CREAT | flags, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, p, n), (ssize_t) n);
        close(fd);
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
                assert_int_equal(store_copy_swap(c, on_copy, &o), 0);
                run_until(f->event, &o.done);
                store_copy_free(c);
        }
}

static void test_crashes(void **state) {
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
                cmocka_unit_test_setup_teardown(test_commit_and_reopen, setup, teardown),
                cmocka_unit_test_setup_teardown(test_many_share_an_fsync, setup, teardown),
                cmocka_unit_test_setup_teardown(test_queue_is_bounded, setup, teardown),
                cmocka_unit_test_setup_teardown(test_list, setup, teardown),
                cmocka_unit_test_setup_teardown(test_snapshot, setup, teardown),
                cmocka_unit_test_setup_teardown(test_log, setup, teardown),
                cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
                cmocka_unit_test_setup_teardown(test_copy_dropped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_one_process, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damaged_files, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damaged_pages, setup, teardown),
                cmocka_unit_test_setup_teardown(test_crashes, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-store", tests, NULL, NULL);
}
