/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the store as the event loop sees it: reading, submitting work to the writer, hearing of what it did. */
#include <endian.h>
#include <inttypes.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>

#include "basic/log.h"
#include "node/store/internal.h"

/* Below that much free space, and four times the transaction, a commit is not taken for certain. */
enum { TIGHT_BYTES = 32 * 1024 * 1024 };

void store_submit(struct store *s, struct job *j) {
        pthread_mutex_lock(&s->mutex);
        TAILQ_INSERT_TAIL(&s->waiting, j, queue);
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->mutex);
}

static void generation_unref(struct store *s, struct generation *g) {
        struct job *j;

        if (--g->refs > 0)
                return;
        /* The last one to close a file without a name has the file system free its blocks: that is work for the writer. */
        j = job_new(JOB_CLOSE);
        if (!j) {
                generation_close(g);
                return;
        }
        j->generation = g;
        store_submit(s, j);
}

static void state_changed(struct store *s, const struct generation_state *state) {
        s->state = *state;
        if (s->changed_fn)
                s->changed_fn(s, s->changed_userdata);
}

static void swapped(struct store *s, struct job *j) {
        if (s->state.entries > 0 || s->state.transaction_id[0])
                log_warning("The copy replaces %" PRIu64 " entries, transaction %s, by %" PRIu64 " entries, transaction %s", s->state.entries,
                            s->state.transaction_id[0] ? s->state.transaction_id : "none", j->state.entries,
                            j->state.transaction_id[0] ? j->state.transaction_id : "none");
        generation_unref(s, s->current);
        s->current = j->generation;
        s->last_failed = false;
        state_changed(s, &j->state);
}

static void job_done(struct store *s, struct job *j) {
        switch (j->kind) {
        case JOB_COMMIT:
                s->last_failed = j->result == -ENOSPC;
                if (j->result >= 0)
                        state_changed(s, &j->state);
                if (j->stored_fn)
                        j->stored_fn(j->result, j->transaction, j->userdata);
                break;
        case JOB_COPY_SWAP:
                if (j->result >= 0)
                        swapped(s, j);
                copy_done(s, j);
                break;
        case JOB_COPY_PUT:
        case JOB_COPY_APPLY:
        case JOB_COPY_FINISH:
        case JOB_COPY_DROP:
                copy_done(s, j);
                break;
        case JOB_BARRIER:
                LIST_REMOVE(j, barriers);
                if (j->done_fn)
                        j->done_fn(0, j->userdata);
                break;
        case JOB_CLEAR_LOG:
        case JOB_CLOSE:
                break;
        }
}

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct job_queue delivering = TAILQ_HEAD_INITIALIZER(delivering);
        struct store *s = userdata;
        struct job *j;
        eventfd_t n;

        (void) eventfd_read(fd, &n);
        pthread_mutex_lock(&s->mutex);
        TAILQ_CONCAT(&delivering, &s->done, queue);
        pthread_mutex_unlock(&s->mutex);
        TAILQ_FOREACH(j, &delivering, queue)
                if (j->kind == JOB_COMMIT) {
                        s->n_commits--;
                        s->commit_bytes -= j->bytes;
                }
        while ((j = job_queue_pop(&delivering))) {
                job_done(s, j);
                job_free(j);
        }
        return 0;
}

int store_open(const char *directory, sd_event *event, struct store **ret, char **ret_error) {
        _cleanup_free_ char *error = NULL;
        _cleanup_store_ struct store *s = NULL;
        int r;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->directory_fd = s->lock_fd = s->event_fd = -EBADF;
        pthread_mutex_init(&s->mutex, NULL);
        pthread_cond_init(&s->wake, NULL);
        TAILQ_INIT(&s->waiting);
        TAILQ_INIT(&s->done);
        LIST_INIT(&s->barriers);
        s->directory = strdup(directory);
        if (!s->directory)
                return -ENOMEM;
        r = store_lock_directory(s, &error);
        if (r >= 0)
                r = store_open_current(s, &error);
        if (r < 0) {
                if (ret_error)
                        *ret_error = TAKE_PTR(error);
                return r;
        }
        s->writing = s->current;
        s->submitted = s->state.sequence;
        s->stale_log = true;
        s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (s->event_fd < 0)
                return -errno;
        r = sd_event_add_io(event, &s->event_source, s->event_fd, EPOLLIN, on_done, s);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(s->event_source, "store");
        r = -pthread_create(&s->thread, NULL, store_writer, s);
        if (r < 0)
                return r;
        s->running = true;
        *ret = TAKE_PTR(s);
        return 0;
}

struct store *store_free(struct store *s) {
        struct job *j;

        if (!s)
                return NULL;
        if (s->running) {
                pthread_mutex_lock(&s->mutex);
                s->stop = true;
                pthread_cond_signal(&s->wake);
                pthread_mutex_unlock(&s->mutex);
                pthread_join(s->thread, NULL);
        }
        while ((j = job_queue_pop(&s->done))) {
                if (j->kind == JOB_COPY_SWAP && j->result >= 0) {
                        generation_close(s->current);
                        s->current = j->generation;
                }
                if (j->kind == JOB_COPY_DROP)
                        free(j->copy);
                job_free(j);
        }
        sd_event_source_disable_unref(s->event_source);
        generation_close(s->current);
        safe_close(s->event_fd);
        safe_close(s->lock_fd);
        safe_close(s->directory_fd);
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->mutex);
        free(s->directory);
        free(s);
        return NULL;
}

const char *store_transaction_id(const struct store *s) {
        return s->state.transaction_id;
}

uint64_t store_entries(const struct store *s) {
        return s->state.entries;
}

uint64_t store_sequence(const struct store *s) {
        return s->submitted;
}

void store_set_changed_callback(struct store *s, store_changed_fn fn, void *userdata) {
        s->changed_fn = fn;
        s->changed_userdata = userdata;
}

int store_get(struct store *s, const char *key, char **ret_value) {
        size_t n = strlen(key);
        MDB_val k = { n, (void *) key }, v;
        char *value = NULL;
        MDB_txn *txn;
        int r;

        if (!key_is_valid(key, n))
                return -EINVAL;
        r = lmdb_error(mdb_txn_begin(s->current->env, NULL, MDB_RDONLY, &txn));
        if (r < 0)
                return r;
        r = lmdb_error(mdb_get(txn, s->current->data, &k, &v));
        if (r >= 0 && !(value = strndup(v.mv_data, v.mv_size)))
                r = -ENOMEM;
        mdb_txn_abort(txn);
        if (r >= 0)
                *ret_value = value;
        return r;
}

static int list(struct store *s, MDB_cursor *cursor, const char *prefix, const char *after, uint32_t max, store_list_fn fn,
                void *userdata, char **ret_next) {
        const char *from = strcmp(after, prefix) > 0 ? after : prefix;
        size_t prefix_size = strlen(prefix), spent = 0;
        MDB_val k = { strlen(from), (void *) from }, v;
        char last[KEY_SIZE_MAX + 1] = "";
        uint32_t n = 0;
        int r;

        if (k.mv_size > KEY_SIZE_MAX) /* LMDB takes none so long; no key with that prefix can exist */
                k.mv_size = KEY_SIZE_MAX;
        r = lmdb_error(mdb_cursor_get(cursor, &k, &v, k.mv_size > 0 ? MDB_SET_RANGE : MDB_FIRST));
        for (; r >= 0; r = lmdb_error(mdb_cursor_get(cursor, &k, &v, MDB_NEXT))) {
                _cleanup_free_ char *value = NULL;
                char key[KEY_SIZE_MAX + 1];
                size_t size = k.mv_size + v.mv_size + 16;

                if (k.mv_size > KEY_SIZE_MAX)
                        return -EUCLEAN;
                memcpy(key, k.mv_data, k.mv_size);
                key[k.mv_size] = 0;
                if (strncmp(key, prefix, prefix_size) != 0) {
                        if (strcmp(key, prefix) > 0)
                                break;
                        continue;
                }
                if (strcmp(key, after) <= 0)
                        continue;
                if (n > 0 && ((max > 0 && n >= max) || size > STORE_LIST_BUDGET - MIN(spent, (size_t) STORE_LIST_BUDGET))) {
                        *ret_next = strdup(last);
                        return *ret_next ? 0 : -ENOMEM;
                }
                value = strndup(v.mv_data, v.mv_size);
                if (!value)
                        return -ENOMEM;
                r = fn(key, value, userdata);
                if (r < 0)
                        return r;
                spent += size;
                n++;
                memcpy(last, key, k.mv_size + 1);
        }
        if (r < 0 && r != -ENOENT)
                return r;
        *ret_next = strdup("");
        return *ret_next ? 0 : -ENOMEM;
}

int store_list(struct store *s, const char *prefix, const char *after, uint32_t max, store_list_fn fn, void *userdata,
               char **ret_next) {
        MDB_cursor *cursor;
        MDB_txn *txn;
        int r;

        r = lmdb_error(mdb_txn_begin(s->current->env, NULL, MDB_RDONLY, &txn));
        if (r < 0)
                return r;
        r = lmdb_error(mdb_cursor_open(txn, s->current->data, &cursor));
        if (r >= 0) {
                r = list(s, cursor, prefix, after, max, fn, userdata, ret_next);
                mdb_cursor_close(cursor);
        }
        mdb_txn_abort(txn);
        return r;
}

uint64_t store_chain_new(struct store *s) {
        return ++s->chains;
}

int store_commit(struct store *s, struct transaction *t, transaction_stored_fn fn, void *userdata) {
        return store_commit_chained(s, 0, t, fn, userdata);
}

int store_commit_chained(struct store *s, uint64_t chain, struct transaction *t, transaction_stored_fn fn, void *userdata) {
        struct job *j;

        if (!transaction_is_sealed(t))
                return -EINVAL;
        if (s->n_commits >= STORE_QUEUE_MAX ||
            (s->n_commits > 0 && s->commit_bytes + transaction_size(t) > STORE_QUEUE_BYTES_MAX))
                return -EBUSY;
        j = job_new(JOB_COMMIT);
        if (!j)
                return -ENOMEM;
        j->bytes = transaction_size(t);
        j->sequence = ++s->submitted;
        j->transaction = transaction_ref(t);
        j->log = s->log;
        j->chain = chain;
        j->stored_fn = fn;
        j->userdata = userdata;
        s->n_commits++;
        s->commit_bytes += j->bytes;
        store_submit(s, j);
        return 0;
}

int store_barrier(struct store *s, store_done_fn fn, void *userdata) {
        struct job *j;

        j = job_new(JOB_BARRIER);
        if (!j)
                return -ENOMEM;
        j->done_fn = fn;
        j->userdata = userdata;
        LIST_INSERT_HEAD(&s->barriers, j, barriers);
        store_submit(s, j);
        return 0;
}

void store_barrier_cancel(struct store *s, void *userdata) {
        struct job *j;

        LIST_FOREACH(j, &s->barriers, barriers)
                if (j->userdata == userdata)
                        j->done_fn = NULL;
}

bool store_is_tight(struct store *s, size_t bytes) {
        struct statvfs st;

        if (s->last_failed)
                return true;
        if (fstatvfs(s->directory_fd, &st) < 0)
                return false;
        return (uint64_t) st.f_bavail * st.f_frsize < TIGHT_BYTES + 4 * (uint64_t) bytes;
}

void store_set_log(struct store *s, bool on) {
        struct job *j;

        if (s->log == on)
                return;
        s->log = on;
        if (on)
                return;
        j = job_new(JOB_CLEAR_LOG);
        if (!j)
                return; /* it then is emptied at the next start */
        store_submit(s, j);
}

int store_log_next(struct store *s, uint64_t after, struct transaction **ret, uint64_t *ret_sequence) {
        uint64_t sequence = htobe64(after + 1);
        MDB_val k = { sizeof(sequence), &sequence }, v;
        MDB_cursor *cursor = NULL;
        MDB_txn *txn;
        int r;

        r = lmdb_error(mdb_txn_begin(s->current->env, NULL, MDB_RDONLY, &txn));
        if (r < 0)
                return r;
        r = lmdb_error(mdb_cursor_open(txn, s->current->log, &cursor));
        if (r >= 0)
                r = lmdb_error(mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE));
        if (r >= 0 && k.mv_size != sizeof(sequence))
                r = -EUCLEAN;
        if (r >= 0)
                r = transaction_from_data(v.mv_data, v.mv_size, ret);
        if (r >= 0) {
                memcpy(&sequence, k.mv_data, sizeof(sequence));
                *ret_sequence = be64toh(sequence);
        }
        if (cursor)
                mdb_cursor_close(cursor);
        mdb_txn_abort(txn);
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

struct store_snapshot {
        struct store *store;
        struct generation *generation;
        struct generation_state state;
        MDB_txn *txn;
        MDB_cursor *cursor;
};

int store_snapshot_new(struct store *s, struct store_snapshot **ret) {
        struct store_snapshot *p;
        int r;

        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->store = s;
        p->generation = s->current;
        p->generation->refs++;
        r = lmdb_error(mdb_txn_begin(p->generation->env, NULL, MDB_RDONLY, &p->txn));
        if (r >= 0)
                r = generation_state_read(p->generation, p->txn, &p->state);
        if (r >= 0)
                r = lmdb_error(mdb_cursor_open(p->txn, p->generation->data, &p->cursor));
        if (r < 0) {
                store_snapshot_free(p);
                return r;
        }
        *ret = p;
        return 0;
}

struct store_snapshot *store_snapshot_free(struct store_snapshot *p) {
        if (p) {
                if (p->cursor)
                        mdb_cursor_close(p->cursor);
                if (p->txn)
                        mdb_txn_abort(p->txn);
                generation_unref(p->store, p->generation);
                free(p);
        }
        return NULL;
}

const char *store_snapshot_transaction_id(const struct store_snapshot *p) {
        return p->state.transaction_id;
}

uint64_t store_snapshot_entries(const struct store_snapshot *p) {
        return p->state.entries;
}

uint64_t store_snapshot_sequence(const struct store_snapshot *p) {
        return p->state.sequence;
}

int store_snapshot_next(struct store_snapshot *p, struct change *ret) {
        MDB_val k, v;
        int r;

        r = lmdb_error(mdb_cursor_get(p->cursor, &k, &v, MDB_NEXT));
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        *ret = (struct change) { k.mv_data, k.mv_size, v.mv_data, v.mv_size };
        return 1;
}
