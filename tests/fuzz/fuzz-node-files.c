/* SPDX-License-Identifier: Apache-2.0 */
/* What the node reads back from its data directory, by the first byte: the redo log, the file "current", the names, and what is ours
 * within a generation. What a disk did to them is an error, or what had been committed up to some moment.
 *
 * The log: the second byte chooses one of those that were written at the start, the third how much of it the data has; then come
 * edits, each a byte, a block, a place in it, and what it takes. One that was given a new checksum nobody's disk makes: of that only
 * what is said of transactions has to hold. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "../unit/node/scratch.h"
#include "basic/log.h"
#include "input.h"
#include "node/store/redo.h"

enum {
        LOGS = 3,
        COMMITS_MAX = 40,
        SIZE = REDO_BLOCK + 2 * REDO_SEGMENT_MIN,
        BLOCKS = SIZE / REDO_BLOCK,
        EDITS_MAX = 16,
        HEADER_SIZE = 64, HEADER_SEGMENT = 24, HEADER_SUM = 48,
        RECORD_SIZE = 72, RECORD_BYTES = 52, RECORD_SUM = 56,
        NAMES_MAX = 6,
};

struct log {
        uint8_t *image;
        uint64_t identity;
        unsigned n, least; /* commits; how many the data has at least */
        char ids[COMMITS_MAX][TRANSACTION_ID_MAX + 1];
};

static struct world {
        char directory[64];
        int fd;
        struct log logs[LOGS];
        uint8_t *generation; /* a new one */
        size_t generation_size;
} w;

static void read_file(const char *name, uint8_t **ret, size_t *ret_size) {
        int fd = openat(w.fd, name, O_RDONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || !(*ret = malloc((size_t) st.st_size)) ||
            pread(fd, *ret, (size_t) st.st_size, 0) != st.st_size)
                abort();
        *ret_size = (size_t) st.st_size;
        close(fd);
}

static void write_file(const char *name, const void *p, size_t n) {
        int fd = openat(w.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || write(fd, p, n) != (ssize_t) n)
                abort();
        close(fd);
}

/* ---- the logs ---- */

static void seal(uint8_t *p, size_t n, size_t sum_at) {
        XXH128_hash_t sum = {};

        memcpy(p + sum_at, &sum, sizeof(sum));
        sum = XXH3_128bits(p, n);
        memcpy(p + sum_at, &sum, sizeof(sum));
}

/* The same in each run: of another's only the name is taken. */
static struct transaction *make_transaction(unsigned number, size_t size) {
        _cleanup_transaction_ struct transaction *t = NULL, *named = NULL;
        char *value = malloc(size + 1), key[32], id[TRANSACTION_ID_MAX + 1];
        uint8_t *data, *at;

        if (!value)
                abort();
        memset(value, 'v', size);
        value[size] = 0;
        (void) snprintf(key, sizeof(key), "/key/%u", number);
        if (transaction_new(&t) < 0 || transaction_set(t, key, value) < 0 || transaction_seal(t, "n1") < 0)
                abort();
        (void) snprintf(id, sizeof(id), "%0*u", (int) strlen(transaction_id(t)), number);
        data = malloc(transaction_size(t));
        memcpy(data, transaction_data(t), transaction_size(t));
        at = memmem(data, transaction_size(t), transaction_id(t), strlen(id));
        memcpy(at, id, strlen(id));
        if (transaction_from_data(data, transaction_size(t), &named) < 0)
                abort();
        free(data);
        free(value);
        return TAKE_PTR(named);
}

static void add_job(struct job_queue *q, unsigned number, size_t size) {
        struct job *j = job_new(JOB_COMMIT);

        if (!j)
                abort();
        j->transaction = make_transaction(number, size);
        j->sequence = number;
        j->bytes = transaction_size(j->transaction);
        TAILQ_INSERT_TAIL(q, j, queue);
}

static void free_jobs(struct job_queue *q) {
        for (struct job *j; (j = job_queue_pop(q));)
                job_free(j);
}

/* Groups of so many, of that size; what is in the way has been applied. Returns the number of the last one in the way. */
static unsigned write_groups(struct log *log, struct redo *redo, unsigned groups, unsigned n, size_t size) {
        unsigned applied = 0;

        for (unsigned g = 0; g < groups; g++) {
                struct job_queue q = TAILQ_HEAD_INITIALIZER(q);
                size_t bytes = 0;
                struct job *j;

                for (unsigned i = 0; i < n; i++)
                        add_job(&q, ++log->n, size);
                TAILQ_FOREACH(j, &q, queue) {
                        bytes += j->bytes;
                        strcpy(log->ids[j->sequence - 1], transaction_id(j->transaction));
                }
                while (redo_room(redo, n, bytes, applied) == 0)
                        applied++;
                if (redo_write(redo, TAILQ_FIRST(&q), n) < 0)
                        abort();
                free_jobs(&q);
        }
        return applied;
}

static void make_log(struct log *log, unsigned groups, unsigned n, size_t size) {
        struct job_queue q = TAILQ_HEAD_INITIALIZER(q);
        struct generation_state state = {};
        uint64_t segment = REDO_SEGMENT_MIN;
        struct redo *redo;
        size_t image_size;

        (void) unlinkat(w.fd, "redo", 0);
        log->identity = 77;
        if (redo_open(w.fd, &redo) < 0 || redo_recover(redo, log->identity, 0, &state, &q) < 0)
                abort();
        redo_free(redo);
        /* As on a small disk. */
        read_file("redo", &log->image, &image_size);
        memcpy(log->image + HEADER_SEGMENT, &segment, sizeof(segment));
        seal(log->image, HEADER_SIZE, HEADER_SUM);
        write_file("redo", log->image, SIZE);
        free(log->image);
        if (redo_open(w.fd, &redo) < 0 || redo_recover(redo, log->identity, 0, &state, &q) < 0)
                abort();
        log->least = write_groups(log, redo, groups, n, size);
        redo_free(redo);
        read_file("redo", &log->image, &image_size);
        if (image_size != SIZE || log->n > COMMITS_MAX)
                abort();
}

/* ---- what is done to one ---- */

static void reseal_record(uint8_t *p, size_t left) {
        uint32_t bytes;

        memcpy(&bytes, p + RECORD_BYTES, sizeof(bytes));
        seal(p, RECORD_SIZE + MIN((size_t) bytes, left - RECORD_SIZE), RECORD_SUM);
}

/* Whether nobody has forged anything. */
static bool edit(struct input *in, uint8_t *image, size_t *size) {
        uint8_t what = take_byte(in), block = take_byte(in) % BLOCKS;
        size_t place = take_byte(in), at, n;
        const uint8_t *p;

        place = (place | (size_t) take_byte(in) << 8) % REDO_BLOCK;
        at = (size_t) block * REDO_BLOCK + place;
        switch (what % 8) {
        case 0:
                image[at] ^= take_byte(in);
                break;
        case 1:
                n = take_byte(in);
                n = MIN((n | (size_t) take_byte(in) << 8) + 1, SIZE - at);
                memset(image + at, 0, n);
                break;
        case 2: /* the disk has written it to another place, or not at all */
                memmove(image + take_byte(in) % BLOCKS * REDO_BLOCK, image + (size_t) block * REDO_BLOCK, REDO_BLOCK);
                break;
        case 3:
                *size = MIN(*size, at);
                break;
        case 4:
                n = take_bytes(in, &p);
                memcpy(image + at, p, MIN(n, SIZE - at));
                break;
        case 5:
                reseal_record(image + (size_t) block * REDO_BLOCK, SIZE - (size_t) block * REDO_BLOCK);
                return false;
        case 6:
                seal(image, HEADER_SIZE, HEADER_SUM);
                return false;
        default: /* what was there before the first record */
                memset(image + (size_t) block * REDO_BLOCK, 0, SIZE - (size_t) block * REDO_BLOCK);
        }
        return true;
}

static int recover(const struct log *log, const struct generation_state *state, struct redo **ret, struct job_queue *q) {
        int r = redo_open(w.fd, ret);

        if (r < 0)
                return r;
        r = redo_recover(*ret, log->identity, /* replaced= */ 0, state, q);
        if (r < 0)
                redo_free(*ret);
        return r;
}

/* The log goes on behind what was found, and that is found next. */
static void go_on(const struct log *log, struct redo *redo, struct generation_state *state) {
        struct job_queue q = TAILQ_HEAD_INITIALIZER(q);
        size_t size;
        int room;

        add_job(&q, (unsigned) state->sequence + 1, 10);
        size = TAILQ_FIRST(&q)->bytes;
        room = redo_room(redo, 1, size, state->sequence);
        if (redo_last(redo) != state->sequence || room != 1 || redo_write(redo, TAILQ_FIRST(&q), 1) < 0)
                abort();
        redo_free(redo);
        free_jobs(&q);
        if (recover(log, state, &redo, &q) < 0 || TAILQ_EMPTY(&q) || TAILQ_FIRST(&q)->sequence != state->sequence + 1 ||
            TAILQ_NEXT(TAILQ_FIRST(&q), queue))
                abort();
        free_jobs(&q);
        redo_free(redo);
}

static void redo(struct input *in) {
        const struct log *log = &w.logs[take_byte(in) % LOGS];
        struct generation_state state = { .sequence = log->least + take_byte(in) % (log->n - log->least + 1) };
        struct job_queue q = TAILQ_HEAD_INITIALIZER(q);
        uint8_t *image = malloc(SIZE);
        bool honest = true, untouched = in->left == 0;
        size_t size = SIZE;
        struct redo *r;
        struct job *j;
        int k;

        if (!image)
                abort();
        memcpy(image, log->image, SIZE);
        if (state.sequence > 0)
                strcpy(state.transaction_id, log->ids[state.sequence - 1]);
        for (unsigned i = 0; in->left > 0 && i < EDITS_MAX; i++)
                honest = edit(in, image, &size) && honest;
        write_file("redo", image, size);
        free(image);
        k = recover(log, &state, &r, &q);
        if (k < 0 && (k != -EUCLEAN || untouched))
                abort();
        for (j = TAILQ_FIRST(&q); j && k >= 0; j = TAILQ_NEXT(j, queue)) {
                if (!transaction_is_sealed(j->transaction))
                        abort();
                if (!honest)
                        continue;
                if (j->sequence != state.sequence + 1 || j->sequence > log->n ||
                    !streq(transaction_id(j->transaction), log->ids[j->sequence - 1]))
                        abort();
                state.sequence = j->sequence;
                strcpy(state.transaction_id, log->ids[j->sequence - 1]);
        }
        free_jobs(&q);
        if (untouched && state.sequence != log->n)
                abort();
        if (k >= 0 && honest)
                go_on(log, r, &state);
        else if (k >= 0)
                redo_free(r);
        (void) unlinkat(w.fd, "redo", 0);
}

/* ---- names ---- */

static void current(const uint8_t *p, size_t n) {
        char expected[FILE_NAME_SIZE];
        uint64_t number = 0;
        int r, k;

        write_file("current", p, n);
        r = directory_current(w.fd, &number);
        if (r < 0 && r != -EUCLEAN)
                abort();
        k = snprintf(expected, sizeof(expected), "store-%" PRIu64 "\n", number);
        if (r >= 0 && (number == 0 || number == UINT64_MAX || (size_t) k != n || memcmp(p, expected, n) != 0))
                abort();
        (void) unlinkat(w.fd, "current", 0);
}

static bool has(const char *name) {
        return faccessat(w.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

/* Whether it is PREFIX, a number as we write it, and ENDING. */
static bool is_ours(const char *name, const char *prefix, const char *ending) {
        char expected[FILE_NAME_SIZE + 8];
        uint64_t number;

        if (strncmp(name, prefix, strlen(prefix)) != 0 || sscanf(name + strlen(prefix), "%" SCNu64, &number) != 1)
                return false;
        (void) snprintf(expected, sizeof(expected), "%s%" PRIu64 "%s", prefix, number, ending);
        return number > 0 && streq(name, expected);
}

static void judge_names(char names[][256], size_t n, uint64_t in_force, int r) {
        char store[FILE_NAME_SIZE], *stray = NULL, next[FILE_NAME_SIZE];

        store_file_name(in_force, store);
        if (r < 0 ? r != -ENOENT || has(store) : !has(store))
                abort();
        for (size_t i = 0; i < n; i++)
                if (!has(names[i]) && !is_ours(names[i], ".copy-", ".mdb") && !is_ours(names[i], ".replaced-", ".mdb") &&
                    !is_ours(names[i], ".copy-", ".mdb-lock") && !streq(names[i], "current.new"))
                        abort(); /* it is not ours to remove */
        if (directory_stray_store(w.fd, &stray) < 0 || (stray && !has(stray)))
                abort();
        for (size_t i = 0; i < n; i++)
                if (!stray && is_ours(names[i], "store-", ".mdb") && has(names[i]))
                        abort();
        store_file_name(directory_next(w.fd, in_force), next);
        if (has(next))
                abort();
        free(stray);
}

static void directory(struct input *in) {
        static const char *const known[] = { "store-1.mdb", "store-2.mdb", ".copy-1.mdb", ".copy-2.mdb", ".replaced-1.mdb",
                                             ".replaced-2.mdb",
                                             ".copy-1.mdb-lock", "current.new", "store-01.mdb", "store-1.mdb~", ".copy-1.mdb-lock-lock" };
        uint64_t in_force = take_byte(in) % 3 + 1;
        char names[NAMES_MAX][256], store[FILE_NAME_SIZE];
        size_t n = 0;

        while (in->left > 0 && n < NAMES_MAX) {
                uint8_t b = take_byte(in);

                if (b < 0x80)
                        (void) snprintf(names[n], sizeof(names[n]), "%s", known[b % ELEMENTSOF(known)]);
                else
                        (void) take_string(in, names[n]);
                if (names[n][0] && !streq(names[n], ".") && !streq(names[n], "..") && !strchr(names[n], '/')) {
                        write_file(names[n], names[n], strlen(names[n]));
                        n++;
                }
        }
        judge_names(names, n, in_force, directory_settle(w.fd, in_force));
        store_file_name(in_force, store);
        (void) unlinkat(w.fd, store, 0);
        for (size_t i = 0; i < n; i++)
                (void) unlinkat(w.fd, names[i], 0);
}

/* ---- a generation ---- */

static void change(MDB_txn *txn, MDB_dbi meta, struct input *in, const uint8_t **ret_state, size_t *ret_size) {
        static const char *const keys[] = { "state", "format", "identity", "replaces", "other" };
        uint8_t b = take_byte(in);
        const char *name = keys[b % ELEMENTSOF(keys)];
        MDB_val key = { strlen(name), (void *) name }, value;
        const uint8_t *p;
        size_t n = take_bytes(in, &p);
        int r;

        value = (MDB_val) { n, (void *) p };
        r = b & 0x80 ? mdb_del(txn, meta, &key, NULL) : mdb_put(txn, meta, &key, &value, 0);
        if (r != 0 && r != MDB_NOTFOUND)
                abort();
        if (streq(name, "state")) {
                *ret_state = b & 0x80 ? NULL : p;
                *ret_size = b & 0x80 ? 0 : n;
        }
}

static void generation(struct input *in) {
        static const uint8_t none[8];
        const uint8_t *expected = none;
        size_t expected_size = sizeof(none);
        struct generation_state state;
        char *error = NULL, path[128];
        struct generation *g;
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi meta;
        int r;

        write_file("store-5.mdb", w.generation, w.generation_size);
        (void) snprintf(path, sizeof(path), "%s/store-5.mdb", w.directory);
        if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 3) != 0 ||
            mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600) != 0 || mdb_txn_begin(env, NULL, 0, &txn) != 0 ||
            mdb_dbi_open(txn, "meta", 0, &meta) != 0)
                abort();
        while (in->left > 0)
                change(txn, meta, in, &expected, &expected_size);
        if (mdb_txn_commit(txn) != 0)
                abort();
        mdb_env_close(env);
        r = generation_open(w.fd, w.directory, "store-5.mdb", 5, /* create= */ false, &g, &error);
        if (r < 0 && (r != -EUCLEAN || !error || !strstr(error, "store-5.mdb")))
                abort();
        if (r >= 0) {
                if (mdb_txn_begin(g->env, NULL, MDB_RDONLY, &txn) != 0 || generation_state_read(g, txn, &state) < 0 || !expected ||
                    strlen(state.transaction_id) + 8 != expected_size || memcmp(&state.sequence, expected, 8) != 0 ||
                    memcmp(state.transaction_id, expected + 8, expected_size - 8) != 0 ||
                    (state.transaction_id[0] && !transaction_id_is_valid(state.transaction_id, strlen(state.transaction_id))))
                        abort();
                mdb_txn_abort(txn);
                generation_close(g);
        }
        free(error);
        (void) unlinkat(w.fd, "store-5.mdb", 0);
}

/* ---- the whole ---- */

static void end(void) {
        for (size_t i = 0; i < LOGS; i++)
                free(w.logs[i].image);
        free(w.generation);
        close(w.fd);
        (void) rmdir(w.directory);
}

static void begin_once(void) {
        struct generation *g;
        char *error = NULL;

        if (w.directory[0])
                return;
        log_set_target(LOG_TARGET_NULL);
        if (!scratch_directory("fuzz-node-files", w.directory, sizeof(w.directory)))
                abort();
        w.fd = open(w.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (w.fd < 0 || generation_open(w.fd, w.directory, "store-5.mdb", 5, /* create= */ true, &g, &error) < 0 || atexit(end) != 0)
                abort();
        generation_close(g);
        read_file("store-5.mdb", &w.generation, &w.generation_size);
        make_log(&w.logs[0], /* groups= */ 6, /* n= */ 1, /* size= */ 10);
        make_log(&w.logs[1], /* groups= */ 37, /* n= */ 1, /* size= */ 10);  /* once round */
        make_log(&w.logs[2], /* groups= */ 9, /* n= */ 3, /* size= */ 5000); /* the same, in larger records */
        (void) unlinkat(w.fd, "store-5.mdb", 0);
        (void) unlinkat(w.fd, "redo", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };

        begin_once();
        switch (take_byte(&in) % 4) {
        case 0:
                redo(&in);
                break;
        case 1:
                current(in.p, in.left);
                break;
        case 2:
                directory(&in);
                break;
        default:
                generation(&in);
        }
        return 0;
}
