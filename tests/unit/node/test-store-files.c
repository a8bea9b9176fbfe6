/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the store's directory: locked, full, damaged. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "node/store/redo.h"
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

static void one_process_has_the_store(void **state) {
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
        char *big = value_of(4 * 1024 * 1024);
        char id[TRANSACTION_ID_MAX + 1];
        struct rlimit limit;
        struct store_copy *c;
        struct outcome o = {};
        int r;

        signal(SIGXFSZ, SIG_IGN);
        open_store(f);
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

static void a_full_disk_changes_nothing(void **state) {
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

static void damaged_files_are_refused_by_name(void **state) {
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
        write_file(f, "current", "store-01\n", 9, O_TRUNC);
        expect_unclean(f);
        write_file(f, "current", "store-1\0\n", 9, O_TRUNC);
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
static void damaged_pages_are_found_before_they_are_trusted(void **state) {
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

static void what_may_be_somebody_elses_is_never_removed(void **state) {
        static const char *const theirs[] = {
                "store-2.mdb", "store-1.mdb.bak", "store-1-old.mdb", "store-9.mdb.damaged", ".copy-2.mdb.bak", ".copy-02.mdb", "notes",
        };
        static const char *const ours[] = { ".copy-2.mdb", ".copy-2.mdb-lock", ".replaced-7.mdb", "current.new" };
        struct fixture *f = *state;
        struct outcome o = {};
        struct store_copy *c;

        assert_int_equal(commit(f, "/a", "1"), 0);
        close_store(f);
        for (size_t i = 0; i < ELEMENTSOF(theirs); i++)
                write_file(f, theirs[i], "x", 1, 0);
        for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                write_file(f, ours[i], "x", 1, 0);
        open_store(f);
        c = finished_copy(f, 10);
        assert_int_equal(store_copy_swap(c, 0, on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, 0);
        store_copy_free(c);
        close_store(f);
        open_store(f);
        assert_int_equal(store_entries(f->store), 10);
        for (size_t i = 0; i < ELEMENTSOF(theirs); i++)
                assert_true(has_file(f, theirs[i]));
        for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                assert_false(has_file(f, ours[i]));
        assert_false(has_file(f, "store-1.mdb")); /* its place was taken */
}

static void without_current_nothing_is_started_and_nothing_removed(void **state) {
        static const char *const names[] = { "store-1.mdb", "store-7.mdb", "store-1.mdb.bak", ".replaced-1.mdb" };
        struct fixture *f = *state;
        char *error;

        assert_int_equal(commit(f, "/a", "1"), 0);
        close_store(f);
        rename_file(f, "current", "kept");
        rename_file(f, "store-1.mdb", "data");
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                rename_file(f, "data", names[i]);
                error = open_error(f, -EUCLEAN);
                assert_non_null(strstr(error, names[i]));
                assert_non_null(strstr(error, "another directory"));
                free(error);
                assert_true(has_file(f, names[i]));
                assert_false(has_file(f, "current"));
                rename_file(f, names[i], "data");
        }
        /* A half-made copy is nothing, and what is named so that it is no store, neither. */
        write_file(f, ".copy-1.mdb", "x", 1, 0);
        open_store(f);
        assert_string_equal(store_transaction_id(f->store), "");
        close_store(f);
        /* In force, as it says, but not there. */
        rename_file(f, "store-1.mdb", "empty");
        error = open_error(f, -EUCLEAN);
        assert_non_null(strstr(error, "store-1.mdb"));
        free(error);
        rename_file(f, "data", "store-1.mdb");
        open_store(f);
        assert_value(f, "/a", "1");
}

static void a_swap_that_was_interrupted_is_ended_or_taken_back(void **state) {
        struct fixture *f = *state;

        assert_int_equal(commit(f, "/a", "1"), 0);
        close_store(f);
        /* The old one was out of the way, and no more. */
        rename_file(f, "store-1.mdb", ".replaced-1.mdb");
        write_file(f, ".copy-2.mdb", "x", 1, 0);
        open_store(f);
        assert_value(f, "/a", "1");
        close_store(f);
        assert_int_equal(count_files(f->directory), 4);
        /* The new one was in force, under the name of a copy still. */
        rename_file(f, "store-1.mdb", ".copy-2.mdb");
        write_file(f, ".replaced-1.mdb", "x", 1, 0);
        write_file(f, "current", "store-2\n", 8, O_TRUNC);
        open_store(f);
        assert_value(f, "/a", "1");
        close_store(f);
        assert_int_equal(count_files(f->directory), 4);
        assert_true(has_file(f, "store-2.mdb"));
        open_store(f);
        assert_value(f, "/a", "1");
}

static void open_as_nobody(struct fixture *f) {
        char *error;

        if (setgid(65534) < 0 || setuid(65534) < 0)
                _exit(77);
        error = open_error(f, -EACCES);
        assert_non_null(strstr(error, "store-1.mdb"));
        assert_non_null(strstr(error, "belong"));
        free(error);
}

static void open_without_children(struct fixture *f) {
        signal(SIGCHLD, SIG_IGN);
        open_store(f);
        assert_value(f, "/a", "1");
        close_store(f);
        assert_ptr_equal(signal(SIGCHLD, SIG_DFL), SIG_IGN); /* as it was */
}

static void open_in_little_address_space(struct fixture *f) {
        struct rlimit limit = { .rlim_cur = 2u << 30, .rlim_max = 2u << 30 };

        assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
        open_store(f);
        assert_value(f, "/a", "1");
        close_store(f);
}

static void what_cannot_be_looked_over_is_opened_and_named_by_its_own_name(void **state) {
        struct fixture *f = *state;
        char path[192];
        int status;

        assert_int_equal(commit(f, "/a", "1"), 0);
        close_store(f);
        status = in_child(open_without_children, f);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#ifndef __SANITIZE_ADDRESS__ /* which takes all of the address space for itself */
        status = in_child(open_in_little_address_space, f);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#else
        (void) open_in_little_address_space;
#endif
        if (geteuid() == 0) {
                assert_int_equal(chown(f->directory, 65534, 65534), 0);
                (void) snprintf(path, sizeof(path), "%s/lock", f->directory);
                assert_int_equal(chown(path, 65534, 65534), 0);
                (void) snprintf(path, sizeof(path), "%s/current", f->directory);
                assert_int_equal(chown(path, 65534, 65534), 0);
                status = in_child(open_as_nobody, f);
                assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
                assert_int_equal(chown(f->directory, 0, 0), 0);
        } else
                print_message("# skipped in part: this machine gives us no second user\n");
        open_store(f);
}

static void fill_the_disk(struct fixture *f) {
        static const char zeros[4096];
        char path[192];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/filler", f->directory);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        assert_true(fd >= 0);
        while (write(fd, zeros, sizeof(zeros)) > 0)
                ;
        close(fd);
}

static void on_full_disk(struct fixture *f) {
        struct store_snapshot *p[200];
        struct outcome o = {};
        uint64_t deadline = now_monotonic() + DEADLINE_USEC;
        struct store_copy *c;
        char path[192], kept[16] = "1";
        unsigned n;
        int r;

        open_store(f);
        assert_int_equal(commit(f, "/a", "1"), 0);
        fill_the_disk(f);
        for (size_t i = 0; i < ELEMENTSOF(p); i++)
                assert_int_equal(store_snapshot_new(f->store, &p[i]), 0);
        for (size_t i = 0; i < ELEMENTSOF(p); i++)
                store_snapshot_free(p[i]);
        assert_int_equal(store_copy_new(f->store, &c), 0);
        fill_copy(c, 10, "v");
        assert_int_equal(store_copy_finish(c, "m-1", on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, -ENOSPC);
        store_copy_free(c);
        close_store(f);
        open_store(f);
        assert_value(f, "/a", "1");
        /* What the redo log takes is taken, and then nothing more. */
        for (n = 0; (r = commit(f, "/a", kept)) == 0; n++) {
                assert_true(n < 1000);
                (void) snprintf(kept, sizeof(kept), "%u", n);
                assert_true(store_transaction_id(f->store)[0]);
        }
        assert_int_equal(r, -ENOSPC);
        assert_true(store_is_tight(f->store, 1));
        if (n > 1)
                (void) snprintf(kept, sizeof(kept), "%u", n - 2);
        assert_value(f, "/a", n > 0 ? n > 1 ? kept : "1" : "1");
        close_store(f);
        open_store(f);
        assert_value(f, "/a", n > 0 ? n > 1 ? kept : "1" : "1");
        (void) snprintf(path, sizeof(path), "%s/filler", f->directory);
        assert_int_equal(unlink(path), 0);
        while (commit(f, "/b", "3") < 0)
                assert_true(now_monotonic() < deadline);
        assert_value(f, "/b", "3");
        close_store(f);
}

/* As one that an older version, which had none, has left behind. */
static void without_a_log(struct fixture *f) {
        char path[192], *error;
        uint64_t space = REDO_SPACE_MIN + 64 * 1024;
        struct stat st;

        open_store(f);
        assert_int_equal(commit(f, "/a", "1"), 0);
        close_store(f);
        (void) snprintf(path, sizeof(path), "%s/redo", f->directory);
        assert_int_equal(unlink(path), 0);
        fill_the_disk(f);
        error = open_error(f, -ENOSPC);
        assert_non_null(strstr(error, "/redo"));
        assert_non_null(strstr(error, "make at least 132 KiB"));
        free(error);
        (void) snprintf(path, sizeof(path), "%s/filler", f->directory);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(truncate(path, st.st_size - (off_t) space), 0);
        open_store(f);
        assert_value(f, "/a", "1");
        assert_int_equal(commit(f, "/a", "2"), 0);
        close_store(f);
        (void) snprintf(path, sizeof(path), "%s/redo", f->directory);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, REDO_SPACE_MIN);
        (void) snprintf(path, sizeof(path), "%s/filler", f->directory);
        assert_int_equal(unlink(path), 0);
        open_store(f);
        assert_value(f, "/a", "2");
        (void) snprintf(path, sizeof(path), "%s/redo", f->directory);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, REDO_SPACE_MIN * 4 - 3 * REDO_BLOCK); /* what is usual on such a disk */
        close_store(f);
}

static void a_full_disk_without_a_redo_log_is_told_what_it_lacks(void **state) {
        in_tmpfs(without_a_log, *state, "size=8m");
}

static void without_an_inode(struct fixture *f) {
        char path[192];
        int fd;

        open_store(f);
        assert_int_equal(commit(f, "/a", "1"), 0);
        close_store(f);
        for (unsigned i = 0;; i++) {
                (void) snprintf(path, sizeof(path), "%s/filler-%u", f->directory, i);
                fd = open(path, O_WRONLY | O_CREAT, 0600);
                if (fd < 0)
                        break;
                close(fd);
        }
        assert_int_equal(errno, ENOSPC);
        open_store(f);
        assert_value(f, "/a", "1");
        assert_int_equal(commit(f, "/a", "2"), 0);
        close_store(f);
}

static unsigned refused;

/* What is refused is refused for want of space, whatever the file system made of it, and what was acknowledged is there. */
static void fill_with_commits(struct fixture *f) {
        char *value = malloc(100001), key[32], id[TRANSACTION_ID_MAX + 1], path[192];
        uint64_t entries;

        open_store(f);
        (void) snprintf(path, sizeof(path), "%s/filler", f->directory);
        for (unsigned round = 0; round < 3; round++) {
                fill_the_disk(f);
                for (unsigned i = 0, n = 0; i < 400 && n < 20; i++) {
                        int r, size = 1000 + (int) (i * 7919 % 99000);

                        memset(value, 'v', (size_t) size);
                        value[size] = 0;
                        (void) snprintf(key, sizeof(key), "/%u/%u", round, i);
                        r = commit(f, key, value);
                        assert_true(r == 0 || r == -ENOSPC);
                        n += r < 0;
                        refused += r < 0;
                }
                entries = store_entries(f->store);
                strcpy(id, store_transaction_id(f->store));
                close_store(f);
                open_store(f);
                assert_int_equal(store_entries(f->store), entries);
                assert_string_equal(store_transaction_id(f->store), id);
                assert_int_equal(unlink(path), 0);
        }
        assert_true(refused > 0);
        close_store(f);
        free(value);
}

static void fill_file_system(struct fixture *f, const char *make, const char *size) {
        char command[512];
        int status;
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                /* The image lies in memory, too: what is full, not what is slow, is looked at. */
                (void) snprintf(command, sizeof(command), "exec >/dev/null 2>&1; mount -t tmpfs -o size=256m tmpfs %s && cd %s && "
                                "truncate -s %s image && %s image && mount -o loop image %s", f->directory, f->directory, size, make,
                                f->directory);
                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    system(command) != 0)
                        _exit(77);
                fill_with_commits(f);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                print_message("# skipped: this machine cannot do %s and mount that\n", make);
        else
                assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_full_file_system_of_any_kind_is_called_full_and_loses_nothing(void **state) {
        struct fixture *f = *state;

        close_store(f);
        fill_file_system(f, "mkfs.ext4 -q", "24M");
        fill_file_system(f, "mkfs.btrfs -q", "120M");
        open_store(f);
        in_tmpfs(fill_with_commits, f, "size=8m");
}

/* Where not one more file can be made. */
static void a_full_disk_does_not_keep_it_from_starting(void **state) {
        in_tmpfs(without_an_inode, *state, "size=4m,nr_inodes=20");
}

static void no_touch_of_a_full_disk_kills(void **state) {
        in_tmpfs(on_full_disk, *state, "size=1m");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(one_process_has_the_store, setup, teardown),
                cmocka_unit_test_setup_teardown(a_full_disk_changes_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(damaged_files_are_refused_by_name, setup, teardown),
                cmocka_unit_test_setup_teardown(damaged_pages_are_found_before_they_are_trusted, setup, teardown),
                cmocka_unit_test_setup_teardown(what_may_be_somebody_elses_is_never_removed, setup, teardown),
                cmocka_unit_test_setup_teardown(without_current_nothing_is_started_and_nothing_removed, setup, teardown),
                cmocka_unit_test_setup_teardown(a_swap_that_was_interrupted_is_ended_or_taken_back, setup, teardown),
                cmocka_unit_test_setup_teardown(what_cannot_be_looked_over_is_opened_and_named_by_its_own_name, setup, teardown),
                cmocka_unit_test_setup_teardown(a_full_file_system_of_any_kind_is_called_full_and_loses_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(a_full_disk_does_not_keep_it_from_starting, setup, teardown),
                cmocka_unit_test_setup_teardown(a_full_disk_without_a_redo_log_is_told_what_it_lacks, setup, teardown),
                cmocka_unit_test_setup_teardown(no_touch_of_a_full_disk_kills, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-store-files", tests, NULL, NULL);
}
