/* SPDX-License-Identifier: Apache-2.0 */
/* Owns incoming copies: a generation that is filled beside the one in force and then takes its place. */
#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/escape.h"
#include "node/store/internal.h"

static void discard(struct store *s, struct store_copy *c) {
        char file[FILE_NAME_SIZE];

        if (c->cursor)
                mdb_cursor_close(c->cursor);
        c->cursor = NULL;
        if (c->txn)
                mdb_txn_abort(c->txn);
        c->txn = NULL;
        if (c->generation) {
                copy_file_name(c->generation->number, file);
                c->generation = generation_close(c->generation);
                (void) unlinkat(s->directory_fd, file, 0);
        }
}

static int begin(struct store *s, struct store_copy *c) {
        char file[FILE_NAME_SIZE];
        uint64_t number;
        int r;

        if (!c->generation) {
                number = directory_next(s->directory_fd, s->number);
                copy_file_name(number, file);
                r = generation_open(s->directory_fd, s->directory, file, number, /* create= */ true, &c->generation, NULL);
                if (r < 0) {
                        (void) unlinkat(s->directory_fd, file, 0);
                        return r;
                }
                /* Nobody will miss an unfinished copy: no fsync before its end. */
                r = lmdb_error(mdb_env_set_flags(c->generation->env, MDB_NOSYNC, 1));
                if (r < 0)
                        return r;
        }
        if (c->txn)
                return 0;
        return lmdb_error(mdb_txn_begin(c->generation->env, NULL, 0, &c->txn));
}

/* The disk takes a batch while the next ones come, and no more than three at a time: all of it at the end would take as long again, and
 * whoever else waits for this disk, such as commits for the redo log, would wait behind it. That it helps is all; the sync decides. */
static void begin_writeback(struct store_copy *c) {
        struct stat st;
        int fd;

        if (mdb_env_get_fd(c->generation->env, &fd) != 0 || fstat(fd, &st) < 0 || st.st_size <= c->written[1])
                return;
        (void) sync_file_range(fd, c->written[1], st.st_size - c->written[1], SYNC_FILE_RANGE_WRITE);
        if (c->written[1] > c->written[0])
                (void) sync_file_range(fd, c->written[0], c->written[1] - c->written[0], SYNC_FILE_RANGE_WAIT_BEFORE);
        c->written[0] = c->written[1];
        c->written[1] = st.st_size;
}

static int write_out(struct store_copy *c) {
        MDB_txn *txn = TAKE_PTR(c->txn);
        int r;

        if (c->cursor)
                mdb_cursor_close(TAKE_PTR(c->cursor));
        if (!txn)
                return 0;
        c->batch = 0;
        r = lmdb_error(mdb_txn_commit(txn));
        if (r < 0)
                return generation_failed_commit(c->generation, r, COPY_BATCH_SIZE);
        begin_writeback(c);
        return c->synced ? lmdb_error(mdb_env_sync(c->generation->env, /* force= */ 1)) : 0;
}

static int put_block(struct store *s, struct store_copy *c, struct buffer *b) {
        const uint8_t *p = buffer_head(b), *end = p + buffer_size(b);
        uint32_t head[2];
        int r;

        if (c->applied)
                return -EBADMSG;
        r = begin(s, c);
        if (r < 0)
                return r;
        if (!c->cursor) {
                r = lmdb_error(mdb_cursor_open(c->txn, c->generation->data, &c->cursor));
                if (r < 0)
                        return r;
        }
        while (p < end) {
                MDB_val key, value;

                memcpy(head, p, sizeof(head));
                key = (MDB_val) { head[0], (void *) (p + sizeof(head)) };
                value = (MDB_val) { head[1], (void *) (p + sizeof(head) + head[0]) };
                p += sizeof(head) + head[0] + head[1];
                /* A copy comes in key order, each key once. */
                r = lmdb_error(mdb_cursor_put(c->cursor, &key, &value, MDB_APPEND));
                if (r < 0)
                        return r == -EEXIST ? -EBADMSG : r;
        }
        c->batch += buffer_size(b);
        return c->batch >= COPY_BATCH_SIZE ? write_out(c) : 0;
}

static int apply(struct store *s, struct store_copy *c, struct transaction *t) {
        size_t pos = 0;
        struct change change;
        int r;

        r = begin(s, c);
        if (r < 0)
                return r;
        if (c->cursor)
                mdb_cursor_close(TAKE_PTR(c->cursor));
        c->applied = true;
        while ((r = transaction_next(t, &pos, &change)) > 0) {
                MDB_val key = { change.key_size, (void *) change.key }, value = { change.value_size, (void *) change.value };

                r = lmdb_error(change.value ? mdb_put(c->txn, c->generation->data, &key, &value, 0)
                                            : mdb_del(c->txn, c->generation->data, &key, NULL));
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        if (r < 0)
                return r;
        c->batch += transaction_size(t);
        return c->batch >= COPY_BATCH_SIZE ? write_out(c) : 0;
}

static int sync_out(struct store *s, struct store_copy *c) {
        int r;

        r = begin(s, c);
        c->synced = true;
        return r < 0 ? r : write_out(c);
}

static int finish(struct store *s, struct store_copy *c, struct job *j) {
        int r;

        r = begin(s, c);
        if (r < 0)
                return r;
        if (c->cursor)
                mdb_cursor_close(TAKE_PTR(c->cursor));
        r = generation_state_write(c->generation, c->txn, c->transaction_id, j->sequence);
        if (r >= 0)
                r = generation_replaces_write(c->generation, c->txn, s->identity);
        if (r >= 0)
                r = generation_state_read(c->generation, c->txn, &c->state);
        if (r >= 0)
                r = write_out(c);
        if (r >= 0)
                r = lmdb_error(mdb_env_sync(c->generation->env, /* force= */ 1));
        if (r >= 0)
                r = lmdb_error(mdb_env_set_flags(c->generation->env, MDB_NOSYNC, 0));
        if (r >= 0 && fsync(s->directory_fd) < 0)
                r = lmdb_error(errno);
        return r;
}

static bool begin_swap(struct store *s, struct store_copy *c) {
        pthread_mutex_lock(&s->mutex);
        c->swap_begun = !c->swap_cancelled;
        pthread_mutex_unlock(&s->mutex);
        return c->swap_begun;
}

static int swap(struct store *s, struct store_copy *c, struct job *j) {
        int r;

        if (!begin_swap(s, c))
                return -ECANCELED;
        r = chain_error(s, j->chain);
        if (r >= 0)
                r = directory_swap(s->directory_fd, s->number, c->generation->number);
        if (r == -ENOTRECOVERABLE) {
                /* Which of the two is in force the next start will see, and so it has to find both: this one is not for discard(). */
                c->generation = generation_close(c->generation);
                writer_fail(s, r);
        }
        if (r < 0)
                return r;
        /* From here on the writer writes to the new one. The loop reads the old one, whose file has no name any more,
         * until it hears of the swap. */
        j->generation = TAKE_PTR(c->generation);
        s->number = j->generation->number;
        s->identity = j->generation->identity;
        pthread_mutex_lock(&s->mutex);
        s->applied = c->state.sequence;
        pthread_mutex_unlock(&s->mutex);
        r = redo_reset(s->redo, s->identity, &c->state);
        if (r < 0)
                writer_fail(s, r);
        return 0;
}

void copy_run(struct store *s, struct job *j) {
        struct store_copy *c = j->copy;
        int r = c->failed;

        if (j->kind == JOB_COPY_DROP) {
                discard(s, c);
                return;
        }
        if (r >= 0)
                switch (j->kind) {
                case JOB_COPY_PUT:
                        r = put_block(s, c, &j->block);
                        break;
                case JOB_COPY_APPLY:
                        r = apply(s, c, j->transaction);
                        break;
                case JOB_COPY_SYNC:
                        r = sync_out(s, c);
                        break;
                case JOB_COPY_FINISH:
                        r = finish(s, c, j);
                        break;
                default:
                        r = swap(s, c, j);
                }
        if (r < 0 && c->failed >= 0) {
                c->failed = r;
                discard(s, c); /* a full disk gets its space back at once */
        }
        if (r < 0)
                chain_break(s, j->chain, r);
        j->result = r;
}

/* ---- the loop's side ---- */

int store_copy_new(struct store *s, struct store_copy **ret) {
        struct store_copy *c;

        if (s->copy)
                return -EBUSY;
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->drop = job_new(JOB_COPY_DROP); /* what it takes to be rid of it must not be lacking then */
        if (!c->drop) {
                free(c);
                return -ENOMEM;
        }
        c->drop->copy = c;
        c->store = s;
        c->block = BUFFER_INIT(0);
        s->copy = c;
        *ret = c;
        return 0;
}

bool store_copy_cancel_swap(struct store_copy *c) {
        bool begun;

        pthread_mutex_lock(&c->store->mutex);
        begun = c->swap_begun;
        c->swap_cancelled = !begun;
        pthread_mutex_unlock(&c->store->mutex);
        return !begun;
}

struct store_copy *store_copy_free(struct store_copy *c) {
        if (!c)
                return NULL;
        (void) store_copy_cancel_swap(c);
        c->dropped = true;
        if (c->store->copy == c)
                c->store->copy = NULL;
        buffer_done(&c->block);
        store_submit(c->store, TAKE_PTR(c->drop));
        return NULL;
}

static struct job *copy_job(struct store_copy *c, enum job_kind kind, size_t bytes) {
        struct job *j;

        j = job_new(kind);
        if (!j)
                return NULL;
        j->copy = c;
        j->bytes = bytes;
        c->pending += bytes;
        return j;
}

static int flush(struct store_copy *c) {
        struct job *j;

        if (buffer_size(&c->block) == 0)
                return 0;
        j = copy_job(c, JOB_COPY_PUT, buffer_size(&c->block));
        if (!j)
                return -ENOMEM;
        j->block = c->block;
        c->block = BUFFER_INIT(0);
        store_submit(c->store, j);
        return 0;
}

int store_copy_put(struct store_copy *c, const char *key, size_t key_size, const void *value, size_t size) {
        uint32_t head[2] = { (uint32_t) key_size, (uint32_t) size };
        uint8_t *p;
        int r;

        if (c->error < 0)
                return c->error;
        if (c->finishing || !key_is_valid(key, key_size) || size > VALUE_SIZE_MAX || !utf8_is_valid(value, size))
                return -EINVAL;
        r = buffer_reserve(&c->block, sizeof(head) + key_size + size, &p);
        if (r < 0)
                return r;
        memcpy(p, head, sizeof(head));
        memcpy(p + sizeof(head), key, key_size);
        memcpy(p + sizeof(head) + key_size, value, size);
        buffer_commit(&c->block, sizeof(head) + key_size + size);
        return buffer_size(&c->block) >= COPY_BLOCK_SIZE ? flush(c) : 0;
}

int store_copy_apply(struct store_copy *c, struct transaction *t, transaction_stored_fn fn, void *userdata) {
        struct job *j;
        int r;

        if (c->error < 0)
                return c->error;
        if (c->finishing || !transaction_is_sealed(t))
                return -EINVAL;
        r = flush(c);
        if (r < 0)
                return r;
        j = copy_job(c, JOB_COPY_APPLY, transaction_size(t));
        if (!j)
                return -ENOMEM;
        j->transaction = transaction_ref(t);
        j->stored_fn = fn;
        j->userdata = userdata;
        store_submit(c->store, j);
        return 0;
}

int store_copy_sync(struct store_copy *c, store_done_fn fn, void *userdata) {
        struct job *j;
        int r;

        if (c->error < 0)
                return c->error;
        if (c->finishing)
                return -EINVAL;
        r = flush(c);
        if (r < 0)
                return r;
        j = copy_job(c, JOB_COPY_SYNC, 0);
        if (!j)
                return -ENOMEM;
        j->done_fn = fn;
        j->userdata = userdata;
        store_submit(c->store, j);
        return 0;
}

size_t store_copy_pending(const struct store_copy *c) {
        return c->pending + buffer_size(&c->block);
}

void store_copy_set_drained_callback(struct store_copy *c, store_done_fn fn, void *userdata) {
        c->drained_fn = fn;
        c->drained_userdata = userdata;
}

int store_copy_finish(struct store_copy *c, const char *transaction_id, store_done_fn fn, void *userdata) {
        size_t n = strlen(transaction_id);
        struct job *j;
        int r;

        if (c->finishing || (n > 0 && !transaction_id_is_valid(transaction_id, n)))
                return -EINVAL;
        r = flush(c);
        if (r < 0)
                return r;
        j = copy_job(c, JOB_COPY_FINISH, 0);
        if (!j)
                return -ENOMEM;
        memcpy(c->transaction_id, transaction_id, n + 1);
        j->sequence = c->store->submitted;
        j->done_fn = fn;
        j->userdata = userdata;
        c->finishing = true;
        store_submit(c->store, j);
        return 0;
}

int store_copy_swap(struct store_copy *c, uint64_t chain, store_done_fn fn, void *userdata) {
        struct job *j;

        if (!c->finished || c->swapping)
                return -EINVAL;
        j = copy_job(c, JOB_COPY_SWAP, 0);
        if (!j)
                return -ENOMEM;
        j->chain = chain;
        j->done_fn = fn;
        j->userdata = userdata;
        c->swapping = true;
        store_submit(c->store, j);
        return 0;
}

void copy_done(struct store *s, struct job *j) {
        struct store_copy *c = j->copy;

        c->pending -= j->bytes;
        if (j->result < 0 && c->error >= 0)
                c->error = j->result;
        switch (j->kind) {
        case JOB_COPY_DROP:
                free(c);
                return;
        case JOB_COPY_APPLY:
                if (!c->dropped && !s->closing && j->stored_fn)
                        j->stored_fn(j->result, j->transaction, j->userdata);
                if (!c->dropped && !s->closing && c->drained_fn)
                        c->drained_fn(j->result, c->drained_userdata);
                return;
        case JOB_COPY_PUT:
                if (!c->dropped && !s->closing && c->drained_fn)
                        c->drained_fn(j->result, c->drained_userdata);
                return;
        case JOB_COPY_FINISH:
                c->finished = j->result >= 0;
                break;
        default:
                break;
        }
        if (!c->dropped && j->done_fn && !s->closing)
                j->done_fn(j->result, j->userdata);
}
