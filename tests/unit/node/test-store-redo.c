/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the redo log: what is found after any cut and any tear, and that it is what was acknowledged. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <xxhash.h>

#include "node/store/redo.h"
#include "store-fixture.h"

enum { COMMITS = 6, SECTOR = 512, HEADER = 64 };

static uint64_t random_bits(void) {
        static uint64_t seed = 11;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        return seed >> 20;
}

static uint8_t *read_redo(const struct fixture *f, size_t *ret_size) {
        char path[192];
        struct stat st;
        uint8_t *p;
        int fd;

        (void) snprintf(path, sizeof(path), "%s/redo", f->directory);
        fd = open(path, O_RDONLY);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        p = malloc((size_t) st.st_size);
        assert_int_equal(pread(fd, p, (size_t) st.st_size, 0), st.st_size);
        close(fd);
        *ret_size = (size_t) st.st_size;
        return p;
}

static void write_redo(const struct fixture *f, const uint8_t *p, size_t n, off_t at) {
        char path[192];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/redo", f->directory);
        fd = open(path, O_WRONLY);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, p, n, at), (ssize_t) n);
        close(fd);
}

/* Commits, and ends as by a power failure; what it acknowledged it says. */
static void commit_and_vanish(struct fixture *f, unsigned n, size_t size) {
        char *value = value_of(size), key[32];
        int status;
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                open_store(f);
                for (unsigned i = 0; i < n; i++) {
                        (void) snprintf(key, sizeof(key), "/key/%u", i);
                        if (commit(f, key, value) < 0)
                                _exit(1);
                }
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        free(value);
}

/* Of the generation that the log belongs to: the third number in its header. */
static uint64_t identity_in(const struct fixture *f) {
        size_t size;
        uint8_t *p = read_redo(f, &size);
        uint64_t identity;

        assert_true(size >= REDO_BLOCK);
        memcpy(&identity, p + 16, sizeof(identity));
        free(p);
        return identity;
}

static uint64_t identity;

/* How many transactions are found; -EUCLEAN. They have to be the first ones, whole and in their order. */
static int count_found(const struct fixture *f, const char *const *ids) {
        struct generation_state state = {};
        struct job_queue q = TAILQ_HEAD_INITIALIZER(q);
        struct redo *redo;
        struct job *j;
        int fd, r, n = 0;

        fd = open(f->directory, O_RDONLY | O_DIRECTORY);
        assert_true(fd >= 0);
        r = redo_open(fd, &redo);
        if (r < 0) {
                close(fd);
                return r;
        }
        r = redo_recover(redo, identity, 0, &state, &q);
        while ((j = job_queue_pop(&q))) {
                if (ids)
                        assert_string_equal(transaction_id(j->transaction), ids[n]);
                n++;
                job_free(j);
        }
        redo_free(redo);
        close(fd);
        return r < 0 ? r : n;
}

/* As on a small disk, so that it can be read often. */
static void make_small(const struct fixture *f, size_t value_size) {
        uint64_t segment = value_size < 8000 ? REDO_SEGMENT_MIN : 2 * REDO_SEGMENT_MIN;
        XXH128_hash_t sum = {};
        char path[192];
        size_t size;
        uint8_t *p = read_redo(f, &size);

        memcpy(p + 24, &segment, sizeof(segment));
        memcpy(p + HEADER - sizeof(sum), &sum, sizeof(sum));
        sum = XXH3_128bits(p, HEADER);
        memcpy(p + HEADER - sizeof(sum), &sum, sizeof(sum));
        write_redo(f, p, HEADER, 0);
        free(p);
        (void) snprintf(path, sizeof(path), "%s/redo", f->directory);
        assert_int_equal(truncate(path, (off_t) (REDO_BLOCK + 2 * segment)), 0);
}

/* A log of some commits, and where the last record of each is whole. */
static uint8_t *make_log(struct fixture *f, size_t value_size, size_t *ret_size, char **ids) {
        struct generation_state state = {};
        struct job_queue q = TAILQ_HEAD_INITIALIZER(q);
        struct redo *redo;
        struct job *j;
        int fd, n = 0;

        close_store(f);
        commit_and_vanish(f, COMMITS, value_size);
        identity = identity_in(f);
        make_small(f, value_size);
        fd = open(f->directory, O_RDONLY | O_DIRECTORY);
        assert_int_equal(redo_open(fd, &redo), 0);
        assert_int_equal(redo_recover(redo, identity, 0, &state, &q), 0);
        while ((j = job_queue_pop(&q))) {
                ids[n++] = strdup(transaction_id(j->transaction));
                job_free(j);
        }
        redo_free(redo);
        close(fd);
        assert_int_equal(n, COMMITS);
        return read_redo(f, ret_size);
}

/* Cut at each byte of each record: what is behind it is as it was before anything was written there. */
static void cut_at_any_byte(struct fixture *f, const uint8_t *whole, const char *const *ids, size_t first, size_t record, size_t used) {
        static const uint8_t zeros[COMMITS * 2 * REDO_BLOCK];

        for (size_t i = first; i < COMMITS; i++)
                for (size_t at = 0; at < record; at++) {
                        off_t from = (off_t) (REDO_BLOCK + i * record + at);
                        size_t n = (COMMITS - i) * record - at;
                        int found;

                        write_redo(f, zeros, n, from);
                        found = count_found(f, ids);
                        assert_true(found == (int) i || (found == (int) i + 1 && at > used - 100));
                        write_redo(f, whole + from, n, from);
                }
}

static void a_cut_at_any_byte_leaves_the_whole_transactions_before_it(void **state) {
        static const size_t sizes[] = { 1, 5000 };
        struct fixture *f = *state;
        char *ids[COMMITS];

        for (size_t s = 0; s < ELEMENTSOF(sizes); s++) {
                size_t size, used = sizes[s] + 200;
                uint8_t *whole = make_log(f, sizes[s], &size, ids);

                /* All of a log of small ones, and the last of larger ones. */
                cut_at_any_byte(f, whole, (const char *const *) ids, s == 0 ? 0 : COMMITS - 1,
                                (used + REDO_BLOCK - 1) / REDO_BLOCK * REDO_BLOCK, used);
                assert_int_equal(count_found(f, (const char *const *) ids), COMMITS);
                free(whole);
                for (size_t i = 0; i < COMMITS; i++)
                        free(ids[i]);
                open_store(f);
                assert_int_equal(store_entries(f->store), COMMITS);
                close_store(f);
                rename_file(f, "store-1.mdb", "away");
                rename_file(f, "current", "kept");
                open_store(f);
        }
}

/* It is written once, before there is anything behind it. */
static void a_header_cut_at_any_byte_is_damage_if_there_is_anything_behind_it(void **state) {
        static const uint8_t zeros[HEADER];
        struct fixture *f = *state;
        char *ids[COMMITS], *error, path[192];
        size_t size, last = HEADER;
        uint8_t *whole = make_log(f, 1, &size, ids);

        while (whole[last - 1] == 0)
                last--;
        (void) snprintf(path, sizeof(path), "%s/redo", f->directory);
        for (size_t at = 0; at < last; at++) {
                write_redo(f, zeros, HEADER - at, (off_t) at);
                assert_int_equal(count_found(f, NULL), -EUCLEAN);
                if (at % 16 == 0) {
                        error = open_error(f, -EUCLEAN);
                        assert_non_null(strstr(error, "/redo"));
                        assert_non_null(strstr(error, "damaged"));
                        free(error);
                }
                write_redo(f, whole, HEADER, 0);
        }
        for (size_t at = 1; at < HEADER + 3 * REDO_BLOCK; at += at < HEADER ? 1 : 509) {
                assert_int_equal(truncate(path, (off_t) at), 0);
                assert_int_equal(count_found(f, NULL), -EUCLEAN);
                write_redo(f, whole, size, 0);
        }
        assert_int_equal(count_found(f, (const char *const *) ids), COMMITS);
        /* The first start was cut short: nothing was ever in it. */
        assert_int_equal(truncate(path, 0), 0);
        assert_int_equal(truncate(path, 3 * REDO_BLOCK), 0);
        open_store(f);
        assert_int_equal(commit(f, "/again", "1"), 0);
        free(whole);
        for (size_t i = 0; i < COMMITS; i++)
                free(ids[i]);
}

/* What lies there belongs to a store that somebody has moved, or will put back. */
static void a_new_store_does_not_take_the_log_of_another(void **state) {
        struct fixture *f = *state;
        char *error;

        close_store(f);
        commit_and_vanish(f, 3, 10);
        rename_file(f, "store-1.mdb", "theirs");
        rename_file(f, "current", "kept");
        for (int i = 0; i < 2; i++) {
                error = open_error(f, -EUCLEAN);
                assert_non_null(strstr(error, "move redo to another directory, too"));
                free(error);
                assert_false(has_file(f, "current"));
                assert_false(has_file(f, "store-1.mdb"));
        }
        rename_file(f, "redo", "put-away");
        open_store(f);
        assert_int_equal(store_entries(f->store), 0);
        close_store(f);
        /* The new one has the same number, and had as many commits, none, when it was made. */
        rename_file(f, "redo", "new");
        rename_file(f, "put-away", "redo");
        error = open_error(f, -EUCLEAN);
        assert_non_null(strstr(error, "belongs to other data"));
        free(error);
        rename_file(f, "theirs", "store-1.mdb");
        open_store(f);
        assert_int_equal(store_entries(f->store), 3);
}

/* Nobody waits for who would write into it. */
static void what_is_no_file_is_no_log(void **state) {
        struct fixture *f = *state;
        char *error, path[192];

        assert_int_equal(commit(f, "/a", "1"), 0);
        close_store(f);
        rename_file(f, "redo", "put-away");
        (void) snprintf(path, sizeof(path), "%s/redo", f->directory);
        assert_int_equal(mkfifo(path, 0600), 0);
        error = open_error(f, -EUCLEAN);
        assert_non_null(strstr(error, "/redo"));
        free(error);
        rename_file(f, "current", "kept");
        rename_file(f, "store-1.mdb", "data");
        error = open_error(f, -EUCLEAN);
        assert_non_null(strstr(error, "redo"));
        free(error);
        rename_file(f, "kept", "current");
        rename_file(f, "data", "store-1.mdb");
        rename_file(f, "put-away", "redo");
        open_store(f);
        assert_value(f, "/a", "1");
}

static off_t redo_size(const struct fixture *f) {
        char path[192];
        struct stat st;

        (void) snprintf(path, sizeof(path), "%s/redo", f->directory);
        assert_int_equal(stat(path, &st), 0);
        return st.st_size;
}

static void what_a_large_transaction_needed_is_given_back(void **state) {
        struct fixture *f = *state;
        uint64_t deadline = now_monotonic() + DEADLINE_USEC;
        char *big = value_of(VALUE_SIZE_MAX);
        off_t usual = redo_size(f);

        assert_int_equal(commit(f, "/big", big), 0);
        assert_true(redo_size(f) > 2 * VALUE_SIZE_MAX);
        while (redo_size(f) > usual) {
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(f->event, 10 * 1000) >= 0);
        }
        assert_int_equal(redo_size(f), usual);
        assert_int_equal(commit(f, "/small", "1"), 0);
        close_store(f);
        /* Also of one that has ended before it came to that. */
        commit_and_vanish(f, 1, VALUE_SIZE_MAX);
        assert_true(redo_size(f) > 2 * VALUE_SIZE_MAX);
        open_store(f);
        assert_value(f, "/small", "1");
        assert_value(f, "/big", big);
        while (redo_size(f) > usual) {
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(f->event, 10 * 1000) >= 0);
        }
        assert_value(f, "/key/0", big);
        free(big);
}

/* What was written after the last sync may be there in any part: sectors old, new, or neither. */
static void a_power_failure_drops_or_tears_only_what_was_not_acknowledged(void **state) {
        struct fixture *f = *state;
        char *ids[COMMITS];
        size_t size, record = 3 * REDO_BLOCK, last = REDO_BLOCK + (COMMITS - 1) * record;
        uint8_t *whole = make_log(f, 9000, &size, ids), torn[3 * REDO_BLOCK];
        unsigned lost = 0;

        for (int trial = 0; trial < 400; trial++) {
                int n;

                for (size_t at = 0; at < record; at += SECTOR)
                        switch (random_bits() % (trial % 2 ? 3 : 24)) {
                        case 0:
                                memset(torn + at, 0, SECTOR);
                                break;
                        case 1:
                                for (size_t i = 0; i < SECTOR; i++)
                                        torn[at + i] = (uint8_t) random_bits();
                                break;
                        default:
                                memcpy(torn + at, whole + last + at, SECTOR);
                        }
                write_redo(f, torn, record, (off_t) last);
                n = count_found(f, (const char *const *) ids);
                assert_true(n == COMMITS - 1 || n == COMMITS);
                lost += n < COMMITS;
                if (trial % 100 == 0) { /* the store as a whole, and that it goes on from there */
                        char key[32];

                        open_store(f);
                        assert_int_equal(store_entries(f->store), n);
                        assert_string_equal(store_transaction_id(f->store), ids[n - 1]);
                        (void) snprintf(key, sizeof(key), "/key/%d", n - 1);
                        assert_int_equal(commit(f, key, NULL), 0);
                        assert_int_equal(store_entries(f->store), n - 1);
                        close_store(f);
                        for (size_t i = 0; i < COMMITS; i++)
                                free(ids[i]);
                        free(whole);
                        rename_file(f, "store-1.mdb", "away");
                        rename_file(f, "current", "kept");
                        open_store(f);
                        whole = make_log(f, 9000, &size, ids);
                }
        }
        assert_true(lost > 100);
        free(whole);
        for (size_t i = 0; i < COMMITS; i++)
                free(ids[i]);
        open_store(f);
}

static void what_is_damaged_before_its_end_is_no_power_failure(void **state) {
        struct fixture *f = *state;
        char *ids[COMMITS], *error;
        uint8_t byte;
        size_t size;
        uint8_t *whole = make_log(f, 1, &size, ids);

        for (size_t i = 0; i < COMMITS - 1; i++) {
                off_t at = (off_t) (REDO_BLOCK + i * REDO_BLOCK + 90);

                byte = whole[at] ^ 1;
                write_redo(f, &byte, 1, at);
                assert_int_equal(count_found(f, NULL), -EUCLEAN);
                error = open_error(f, -EUCLEAN);
                assert_non_null(strstr(error, "/redo"));
                free(error);
                write_redo(f, whole + at, 1, at);
        }
        byte = whole[20] ^ 1; /* its header */
        write_redo(f, &byte, 1, 20);
        error = open_error(f, -EUCLEAN);
        assert_non_null(strstr(error, "/redo"));
        free(error);
        write_redo(f, whole + 20, 1, 20);
        open_store(f);
        assert_int_equal(store_entries(f->store), COMMITS);
        free(whole);
        for (size_t i = 0; i < COMMITS; i++)
                free(ids[i]);
}

static void a_log_is_not_applied_to_other_data(void **state) {
        struct fixture *f = *state;
        char *error;

        close_store(f);
        commit_and_vanish(f, 3, 10);
        open_store(f);
        close_store(f);
        rename_file(f, "store-1.mdb", "backup"); /* that of another time, or node */
        rename_file(f, "current", "kept");
        open_store(f);
        assert_int_equal(commit(f, "/other", "1"), 0);
        close_store(f);
        commit_and_vanish(f, 2, 10);
        rename_file(f, "store-1.mdb", "theirs");
        rename_file(f, "backup", "store-1.mdb");
        error = open_error(f, -EUCLEAN);
        assert_non_null(strstr(error, "/redo"));
        free(error);
        rename_file(f, "redo", "put-away");
        open_store(f);
        assert_int_equal(store_entries(f->store), 3);
        /* One that was left in peace is no matter: there is nothing in it. */
        close_store(f);
        rename_file(f, "theirs", "store-1.mdb");
        open_store(f);
        assert_value(f, "/other", "1");
}

static void what_was_acknowledged_is_there_after_many_turns_of_the_segments(void **state) {
        struct fixture *f = *state;
        char key[32];

        close_store(f);
        commit_and_vanish(f, 400, 60000);
        commit_and_vanish(f, 20, 60000);
        open_store(f);
        assert_int_equal(store_entries(f->store), 400);
        for (int i = 0; i < 400; i++) {
                char *value = NULL;

                (void) snprintf(key, sizeof(key), "/key/%d", i);
                assert_int_equal(store_get(f->store, key, &value), 0);
                assert_int_equal(strlen(value), 60000);
                free(value);
        }
}

static void a_transaction_larger_than_a_segment_is_stored(void **state) {
        struct fixture *f = *state;
        char *big = value_of(VALUE_SIZE_MAX);

        close_store(f);
        commit_and_vanish(f, 2, VALUE_SIZE_MAX);
        open_store(f);
        assert_value(f, "/key/0", big);
        assert_value(f, "/key/1", big);
        assert_int_equal(commit(f, "/key/1", NULL), 0);
        assert_int_equal(commit(f, "/small", "1"), 0);
        assert_int_equal(store_entries(f->store), 2);
        free(big);
}

static int add_up(const char *key, const char *value, void *userdata) {
        char **text = userdata, *longer;

        assert_true(asprintf(&longer, "%s%s=%s ", *text ? *text : "", key, value) > 0);
        free(*text);
        *text = longer;
        return 0;
}

/* Some keys are in the generation, some changed since, some new, some gone. */
static void reads_see_what_is_not_applied_yet(void **state) {
        struct fixture *f = *state;
        struct store_snapshot *p;
        char *text = NULL, *next = NULL;
        struct change c;
        unsigned n = 0;

        assert_int_equal(commit(f, "/b", "1"), 0);
        assert_int_equal(commit(f, "/d", "1"), 0);
        assert_int_equal(commit(f, "/f", "1"), 0);
        close_store(f);
        open_store(f);
        assert_int_equal(commit(f, "/a", "2"), 0);
        assert_int_equal(commit(f, "/b", NULL), 0);
        assert_int_equal(commit(f, "/d", "2"), 0);
        assert_int_equal(commit(f, "/e", "2"), 0);
        assert_int_equal(commit(f, "/e", NULL), 0);
        assert_int_equal(commit(f, "/g", "2"), 0);
        assert_int_equal(commit(f, "/nothing", NULL), 0);
        assert_int_equal(store_entries(f->store), 4);
        assert_value(f, "/b", NULL);
        assert_value(f, "/d", "2");
        assert_value(f, "/f", "1");
        assert_int_equal(store_list(f->store, "/", "", 0, add_up, &text, &next), 0);
        assert_string_equal(text, "/a=2 /d=2 /f=1 /g=2 ");
        assert_string_equal(next, "");
        free(next);
        free(text);
        text = NULL;
        assert_int_equal(store_list(f->store, "/", "/a", 2, add_up, &text, &next), 0);
        assert_string_equal(text, "/d=2 /f=1 ");
        assert_string_equal(next, "/f");
        free(next);
        free(text);
        assert_int_equal(store_snapshot_new(f->store, &p), 0);
        assert_int_equal(store_snapshot_entries(p), 4);
        assert_int_equal(commit(f, "/a", NULL), 0);
        assert_int_equal(commit(f, "/h", "3"), 0);
        while (store_snapshot_next(p, &c) > 0)
                assert_memory_equal(c.key, &"/a/d/f/g"[2 * n++], 2);
        assert_int_equal(n, 4);
        store_snapshot_free(p);
        close_store(f);
        open_store(f);
        assert_int_equal(store_entries(f->store), 4);
        assert_value(f, "/a", NULL);
        assert_value(f, "/h", "3");
}

/* ---- a log by itself ---- */

static struct job *new_job(const char *key, size_t size) {
        struct job *j = job_new(JOB_COMMIT);
        char *value = value_of(size);
        static uint64_t sequence;

        assert_non_null(j);
        j->transaction = one(key, value);
        j->bytes = transaction_size(j->transaction);
        j->sequence = ++sequence;
        free(value);
        return j;
}

/* The state of data that has it. */
static struct generation_state log_one(struct redo *redo, const char *key, size_t size, uint64_t applied) {
        struct generation_state state = {};
        struct job *j = new_job(key, size);

        assert_int_equal(redo_room(redo, 1, j->bytes, applied), 1);
        assert_int_equal(redo_write(redo, j, 1), 0);
        state.sequence = j->sequence;
        strcpy(state.transaction_id, transaction_id(j->transaction));
        job_free(j);
        return state;
}

static struct redo *recover(int fd, const struct generation_state *data, size_t expected) {
        struct job_queue q = TAILQ_HEAD_INITIALIZER(q);
        struct redo *redo;
        struct job *j;
        size_t n = 0;

        assert_int_equal(redo_open(fd, &redo), 0);
        assert_int_equal(redo_recover(redo, 1, 0, data, &q), 0);
        for (; (j = job_queue_pop(&q)); n++)
                job_free(j);
        assert_int_equal(n, expected);
        return redo;
}

/* What is then written over is not needed any more; but its first record, of one block, may be all that is left of it. */
static void a_power_failure_at_the_beginning_of_a_segment_used_again_loses_nothing(void **state) {
        enum { BIG = 1000 * 1000 };
        struct generation_state data = {}, unapplied = {};
        struct fixture *f = *state;
        struct redo *redo;
        size_t size;
        uint8_t *before;
        int fd;

        close_store(f);
        rename_file(f, "redo", "put-away");
        fd = open(f->directory, O_RDONLY | O_DIRECTORY);
        redo = recover(fd, &data, 0);
        assert_int_equal(redo_reset(redo, 1, &data), 0);
        (void) log_one(redo, "/first", 10, 0);
        data = log_one(redo, "/second", 10, 0);
        while (redo_room(redo, 1, BIG + 100, 0) > 0) /* until both segments are full */
                data = log_one(redo, "/more", BIG, 0);
        before = read_redo(f, &size);
        unapplied = log_one(redo, "/last", BIG, data.sequence);
        assert_true(unapplied.sequence > data.sequence);
        redo_free(redo);
        redo_free(recover(fd, &data, 1));
        write_redo(f, before + REDO_BLOCK, REDO_BLOCK, REDO_BLOCK);
        redo = recover(fd, &data, 0);
        assert_int_equal(redo_last(redo), data.sequence);
        (void) log_one(redo, "/again", BIG, data.sequence);
        redo_free(redo);
        redo_free(recover(fd, &data, 1));
        close(fd);
        free(before);
        rename_file(f, "put-away", "redo");
        open_store(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_cut_at_any_byte_leaves_the_whole_transactions_before_it, setup, teardown),
                cmocka_unit_test_setup_teardown(a_header_cut_at_any_byte_is_damage_if_there_is_anything_behind_it, setup, teardown),
                cmocka_unit_test_setup_teardown(a_new_store_does_not_take_the_log_of_another, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_no_file_is_no_log, setup, teardown),
                cmocka_unit_test_setup_teardown(what_a_large_transaction_needed_is_given_back, setup, teardown),
                cmocka_unit_test_setup_teardown(a_power_failure_drops_or_tears_only_what_was_not_acknowledged, setup, teardown),
                cmocka_unit_test_setup_teardown(a_power_failure_at_the_beginning_of_a_segment_used_again_loses_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_damaged_before_its_end_is_no_power_failure, setup, teardown),
                cmocka_unit_test_setup_teardown(a_log_is_not_applied_to_other_data, setup, teardown),
                cmocka_unit_test_setup_teardown(what_was_acknowledged_is_there_after_many_turns_of_the_segments, setup, teardown),
                cmocka_unit_test_setup_teardown(a_transaction_larger_than_a_segment_is_stored, setup, teardown),
                cmocka_unit_test_setup_teardown(reads_see_what_is_not_applied_yet, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-store-redo", tests, NULL, NULL);
}
