/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the store on a disk that fails: calls of the C library that it and LMDB make are ours here, and fail when told to. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "store-fixture.h"

enum { META_PAGES = 2 * 4096 };

/* Seen by the libraries, too. */
#define _ours_ __attribute__((visibility("default")))

/* How often a call fails with EIO from now on; and only for a file whose name has that in it. */
static struct {
        atomic_int sync, data_sync, meta, write;
        atomic_int padding; /* so often the last piece of a gathered write is not written */
        atomic_int synced;  /* how often such a file was */
        atomic_bool gate;   /* closed: a sync of such a file waits */
        atomic_bool waits;
        const char *file;
        const char *new_name; /* a file gets no such name */
} faults = { .file = "" };

static bool is_file(int fd, const char *name) {
        char link[64], path[256];
        ssize_t n;

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return false;
        path[n] = 0;
        return strstr(path, "test-node-store") && strstr(path, name);
}

static bool fails(atomic_int *left, int fd) {
        if (atomic_load(left) <= 0 || !is_file(fd, faults.file))
                return false;
        atomic_fetch_sub(left, 1);
        errno = EIO;
        return true;
}

_ours_ int fdatasync(int fd) {
        if (is_file(fd, faults.file)) {
                atomic_fetch_add(&faults.synced, 1);
                while (atomic_load(&faults.gate)) {
                        atomic_store(&faults.waits, true);
                        sched_yield();
                }
        }
        return fails(&faults.sync, fd) || fails(&faults.data_sync, fd) ? -1 : (int) syscall(SYS_fdatasync, fd);
}

_ours_ int fsync(int fd) {
        return fails(&faults.sync, fd) ? -1 : (int) syscall(SYS_fsync, fd);
}

_ours_ int renameat(int from_directory, const char *from, int to_directory, const char *to) {
        if (faults.new_name && strcmp(to, faults.new_name) == 0) {
                errno = EIO;
                return -1;
        }
        return (int) syscall(SYS_renameat2, from_directory, from, to_directory, to, 0L);
}

_ours_ ssize_t pwrite(int fd, const void *p, size_t n, off_t at) {
        if (at < META_PAGES && n < 4096 && fails(&faults.meta, fd))
                return -1;
        return fails(&faults.write, fd) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

/* The library's other name for it. */
_ours_ ssize_t plain_pwrite(int fd, const void *p, size_t n, off_t at) __asm__("pwrite");
ssize_t plain_pwrite(int fd, const void *p, size_t n, off_t at) {
        return pwrite(fd, p, n, at);
}

/* The kernel's takes the offset in two halves. */
static ssize_t real_pwritev(int fd, const struct iovec *iov, int n, off_t at) {
        return syscall(SYS_pwritev, fd, iov, n, (long) at, 0L);
}

_ours_ ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at) {
        if (atomic_load(&faults.padding) <= 0 || !is_file(fd, "/redo"))
                return real_pwritev(fd, iov, n, at);
        if (n > 1)
                return real_pwritev(fd, iov, n - 1, at);
        atomic_fetch_sub(&faults.padding, 1);
        errno = ENOSPC;
        return -1;
}

_ours_ ssize_t plain_pwritev(int fd, const struct iovec *iov, int n, off_t at) __asm__("pwritev");
ssize_t plain_pwritev(int fd, const struct iovec *iov, int n, off_t at) {
        return pwritev(fd, iov, n, at);
}

static void on_failed(struct store *s, int error, void *userdata) {
        *(bool *) userdata = true;
        assert_true(error < 0);
}

/* Closed, and opened again without what it had in memory. */
static void restart(struct fixture *f) {
        atomic_store(&faults.sync, 0);
        atomic_store(&faults.meta, 0);
        atomic_store(&faults.write, 0);
        close_store(f);
        open_store(f);
}

static void an_error_in_the_page_that_tells_the_others_is_survived(void **state) {
        struct fixture *f = *state;
        struct store_snapshot *p;
        struct change change;
        bool failed = false;
        uint64_t deadline = now_monotonic() + DEADLINE_USEC;

        store_set_failed_callback(f->store, on_failed, &failed);
        assert_int_equal(commit(f, "/a", "1"), 0);
        assert_int_equal(store_snapshot_new(f->store, &p), 0);
        faults.file = "store-1.mdb";
        atomic_store(&faults.meta, 1);
        while (atomic_load(&faults.meta) > 0) { /* until it was tried to apply it */
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(f->event, 10000) >= 0);
        }
        /* A snapshot of the file as it was opened before is at its end, and says so. */
        while (store_snapshot_next(p, &change) > 0 || store_snapshot_next(p, &change) == 0) {
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(f->event, 10000) >= 0);
        }
        assert_int_equal(store_snapshot_next(p, &change), -EIO);
        store_snapshot_free(p);
        assert_int_equal(commit(f, "/b", "2"), 0);
        assert_value(f, "/a", "1");
        assert_int_equal(store_entries(f->store), 2);
        assert_false(failed);
        restart(f);
        assert_value(f, "/a", "1");
        assert_value(f, "/b", "2");
}

static void a_file_that_cannot_be_written_any_more_ends_it_and_loses_nothing(void **state) {
        struct fixture *f = *state;
        bool failed = false;

        store_set_failed_callback(f->store, on_failed, &failed);
        faults.file = "store-1.mdb";
        atomic_store(&faults.meta, 1000);
        assert_int_equal(commit(f, "/a", "1"), 0);
        run_until(f->event, &failed);
        assert_true(commit(f, "/b", "2") < 0); /* what cannot be applied is not taken */
        assert_value(f, "/a", "1");
        restart(f);
        assert_value(f, "/a", "1");
        assert_value(f, "/b", NULL);
        assert_int_equal(commit(f, "/b", "2"), 0);
}

static void a_commit_whose_sync_fails_is_nowhere(void **state) {
        struct fixture *f = *state;
        char id[TRANSACTION_ID_MAX + 1];

        assert_int_equal(commit(f, "/a", "1"), 0);
        strcpy(id, store_transaction_id(f->store));
        faults.file = "/redo";
        atomic_store(&faults.sync, 1);
        assert_int_equal(commit(f, "/a", "2"), -EIO);
        assert_value(f, "/a", "1");
        assert_string_equal(store_transaction_id(f->store), id);
        restart(f);
        assert_value(f, "/a", "1");
        assert_int_equal(commit(f, "/a", "3"), 0);
        atomic_store(&faults.sync, 1);
        assert_int_equal(commit(f, "/a", "4"), -EIO);
        assert_int_equal(commit(f, "/b", "5"), 0); /* and its place is taken by the next one */
        restart(f);
        assert_value(f, "/a", "3");
        assert_value(f, "/b", "5");
}

/* All of it is on the disk, and only what fills its last block is not. */
static void fail_in_padding(struct fixture *f) {
        open_store(f);
        assert_int_equal(commit(f, "/a", "1"), 0);
        atomic_store(&faults.padding, 1);
        assert_int_equal(commit(f, "/a", "2"), -ENOSPC);
        assert_value(f, "/a", "1");
}

static void a_commit_that_fails_in_its_last_bytes_is_nowhere(void **state) {
        struct fixture *f = *state;
        int status;

        close_store(f);
        status = in_child(fail_in_padding, f); /* and ends as by a power failure */
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        open_store(f);
        assert_value(f, "/a", "1");
}

/* Readers of all places that there are: it cannot be known what the commit replaced. */
static void a_commit_that_cannot_be_read_ends_it_and_is_there_at_the_next_start(void **state) {
        static struct store_snapshot *p[4096];
        struct fixture *f = *state;
        bool failed = false;
        size_t n = 0;

        store_set_failed_callback(f->store, on_failed, &failed);
        while (n < ELEMENTSOF(p) && store_snapshot_new(f->store, &p[n]) >= 0)
                n++;
        assert_true(n < ELEMENTSOF(p));
        assert_int_equal(commit(f, "/a", "1"), 0);
        run_until(f->event, &failed);
        while (n > 0)
                store_snapshot_free(p[--n]);
        restart(f);
        assert_value(f, "/a", "1");
        assert_int_equal(store_entries(f->store), 1);
}

/* What is applied to data that has been replaced meanwhile does not hold up what came after. */
static void what_is_committed_after_a_swap_is_applied_though_the_one_before_took_long(void **state) {
        uint64_t deadline = now_monotonic() + DEADLINE_USEC;
        char *big = value_of(3 * 1024 * 1024);
        struct fixture *f = *state;
        struct outcome o = {};
        struct store_copy *c;

        faults.file = "store-1.mdb";
        c = finished_copy(f, 10);
        atomic_store(&faults.gate, true);
        assert_int_equal(commit(f, "/big", big), 0); /* more than waits for the timer */
        while (!atomic_load(&faults.waits)) {
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(f->event, 10 * 1000) >= 0);
        }
        o = (struct outcome) {};
        assert_int_equal(store_copy_swap(c, 0, on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, 0);
        store_copy_free(c);
        assert_int_equal(commit(f, "/big", big), 0);
        faults.file = "store-2.mdb";
        atomic_store(&faults.synced, 0);
        atomic_store(&faults.gate, false);
        while (atomic_load(&faults.synced) == 0) {
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(f->event, 10 * 1000) >= 0);
        }
        assert_value(f, "/big", big);
        restart(f);
        assert_value(f, "/big", big);
        assert_int_equal(store_entries(f->store), 11);
        free(big);
}

/* Which header the disk has is not known, and so not which records would count. */
static void a_header_that_cannot_be_written_ends_it(void **state) {
        char *big = value_of(VALUE_SIZE_MAX);
        struct fixture *f = *state;
        bool failed = false;

        store_set_failed_callback(f->store, on_failed, &failed);
        assert_int_equal(commit(f, "/a", "1"), 0);
        faults.file = "/redo";
        atomic_store(&faults.write, 1);
        assert_int_equal(commit(f, "/big", big), -ENOTRECOVERABLE);
        run_until(f->event, &failed);
        restart(f);
        assert_value(f, "/a", "1");
        assert_int_equal(commit(f, "/b", "2"), 0);
        free(big);
}

static void a_disk_that_fails_for_good_ends_it(void **state) {
        struct fixture *f = *state;
        bool failed = false;

        store_set_failed_callback(f->store, on_failed, &failed);
        assert_int_equal(commit(f, "/a", "1"), 0);
        faults.file = "/redo";
        atomic_store(&faults.sync, 1000);
        assert_int_equal(commit(f, "/a", "2"), -ENOTRECOVERABLE);
        run_until(f->event, &failed);
        assert_true(commit(f, "/a", "3") < 0);
        restart(f);
        assert_int_equal(commit(f, "/c", "4"), 0);
}

/* Which of its two beginnings is on the disk is not known: either has to fit it. */
static void a_log_that_could_not_be_made_larger_is_taken_at_the_next_start(void **state) {
        char *big = value_of(VALUE_SIZE_MAX);
        struct fixture *f = *state;
        bool failed = false;

        store_set_failed_callback(f->store, on_failed, &failed);
        assert_int_equal(commit(f, "/a", "1"), 0);
        faults.file = "/redo";
        atomic_store(&faults.data_sync, 1);
        assert_int_equal(commit(f, "/big", big), -ENOTRECOVERABLE);
        run_until(f->event, &failed);
        restart(f);
        assert_value(f, "/a", "1");
        assert_value(f, "/big", NULL);
        assert_int_equal(commit(f, "/big", big), 0);
        free(big);
}

/* The name of what is in force has to be durable before what it replaces is removed. */
static void a_swap_whose_directory_cannot_be_synced_leaves_the_old_data(void **state) {
        struct fixture *f = *state;
        struct outcome o = {};
        struct store_copy *c;

        assert_int_equal(commit(f, "/old", "1"), 0);
        c = finished_copy(f, 10);
        faults.file = strrchr(f->directory, '/') + 1;
        atomic_store(&faults.sync, 2); /* that of current.new, then that of the directory */
        assert_int_equal(store_copy_swap(c, 0, on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, -EIO);
        faults.file = "";
        store_copy_free(c);
        restart(f);
        assert_value(f, "/old", "1");
        assert_int_equal(store_entries(f->store), 1);
        assert_int_equal(count_files(f->directory), 4);
}

/* The copy is in force when only its name is missing: nobody takes it away. */
static void a_swap_whose_last_step_fails_is_ended_at_the_next_start(void **state) {
        struct fixture *f = *state;
        struct outcome o = {};
        struct store_copy *c;
        bool failed = false;

        store_set_failed_callback(f->store, on_failed, &failed);
        assert_int_equal(commit(f, "/old", "1"), 0);
        c = finished_copy(f, 10);
        faults.new_name = "store-2.mdb";
        assert_int_equal(store_copy_swap(c, 0, on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, -ENOTRECOVERABLE);
        run_until(f->event, &failed);
        store_copy_free(c);
        faults.new_name = NULL;
        restart(f);
        assert_int_equal(store_entries(f->store), 10);
        assert_string_equal(store_transaction_id(f->store), "m-1");
        assert_int_equal(count_files(f->directory), 4);
}

static void a_first_store_whose_last_step_fails_is_there_at_the_next_start(void **state) {
        static const char *const names[] = { "current", "redo", "store-1.mdb" };
        struct fixture *f = *state;
        char path[128];

        close_store(f);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", f->directory, names[i]);
                assert_int_equal(unlink(path), 0);
        }
        faults.new_name = "store-1.mdb";
        free(open_error(f, -ENOTRECOVERABLE));
        faults.new_name = NULL;
        open_store(f);
        assert_int_equal(store_entries(f->store), 0);
        assert_int_equal(commit(f, "/a", "1"), 0);
}

static struct store_snapshot *held;

static bool let_go(struct store *s, void *userdata) {
        bool any = held;

        held = store_snapshot_free(held);
        return any;
}

static void write_much(struct fixture *f) {
        char *value = value_of(60000);

        open_store(f);
        store_set_full_callback(f->store, let_go, NULL);
        store_set_log(f->store, true); /* as while a slave copies */
        assert_int_equal(store_snapshot_new(f->store, &held), 0);
        for (int i = 0; i < 400; i++) {
                if (!held)
                        store_set_log(f->store, false);
                assert_int_equal(commit(f, "/same", value), 0);
        }
        assert_null(held);
        free(value);
        close_store(f);
}

static void a_snapshot_is_let_go_before_a_commit_is_refused(void **state) {
        in_tmpfs(write_much, *state, "size=8m");
}

static void count_done(int result, struct transaction *t, void *userdata) {
        size_t *n = userdata;

        n[result < 0]++;
}

/* Each alone takes a block of the redo log, which has room for a few dozen there: more than those that share an fsync. */
static void commit_many_alone(struct fixture *f) {
        enum { MANY = 1000 };
        struct transaction *t[MANY], *big;
        char key[32], *value = value_of(VALUE_SIZE_MAX);
        uint64_t broken, deadline;
        struct outcome o = {};
        size_t done[2] = {};

        open_store(f);
        broken = store_chain_new(f->store);
        big = one("/big", value);
        assert_int_equal(store_commit_chained(f->store, broken, big, on_commit, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, -ENOSPC);
        for (size_t i = 0; i < MANY; i++) {
                (void) snprintf(key, sizeof(key), "/key/%zu", i);
                t[i] = one(key, "1");
        }
        for (size_t i = 0; i < MANY; i++)
                assert_int_equal(store_commit_chained(f->store, i % 2 ? broken : 0, t[i], count_done, done), 0);
        for (deadline = now_monotonic() + DEADLINE_USEC; done[0] + done[1] < MANY;) {
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(f->event, 100 * 1000) >= 0);
        }
        assert_int_equal(done[0], MANY / 2);
        assert_int_equal(store_entries(f->store), MANY / 2);
        for (size_t i = 0; i < MANY; i++)
                transaction_unref(t[i]);
        transaction_unref(big);
        free(value);
        close_store(f);
}

static void many_that_are_tried_alone_wait_for_no_room_that_they_take_themselves(void **state) {
        in_tmpfs(commit_many_alone, *state, "size=4m");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(an_error_in_the_page_that_tells_the_others_is_survived, setup, teardown),
                cmocka_unit_test_setup_teardown(a_file_that_cannot_be_written_any_more_ends_it_and_loses_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(a_commit_whose_sync_fails_is_nowhere, setup, teardown),
                cmocka_unit_test_setup_teardown(a_header_that_cannot_be_written_ends_it, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_committed_after_a_swap_is_applied_though_the_one_before_took_long, setup, teardown),
                cmocka_unit_test_setup_teardown(a_commit_that_cannot_be_read_ends_it_and_is_there_at_the_next_start, setup, teardown),
                cmocka_unit_test_setup_teardown(a_commit_that_fails_in_its_last_bytes_is_nowhere, setup, teardown),
                cmocka_unit_test_setup_teardown(a_disk_that_fails_for_good_ends_it, setup, teardown),
                cmocka_unit_test_setup_teardown(a_log_that_could_not_be_made_larger_is_taken_at_the_next_start, setup, teardown),
                cmocka_unit_test_setup_teardown(a_swap_whose_directory_cannot_be_synced_leaves_the_old_data, setup, teardown),
                cmocka_unit_test_setup_teardown(a_swap_whose_last_step_fails_is_ended_at_the_next_start, setup, teardown),
                cmocka_unit_test_setup_teardown(a_first_store_whose_last_step_fails_is_there_at_the_next_start, setup, teardown),
                cmocka_unit_test_setup_teardown(a_snapshot_is_let_go_before_a_commit_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(many_that_are_tried_alone_wait_for_no_room_that_they_take_themselves, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-store-faults", tests, NULL, NULL);
}
