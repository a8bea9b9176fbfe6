/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way from the redo log into the generation: when, in which batches, and what becomes of an error.
 *
 * What the loop has heard of as durable waits for a while and is then written by a thread of its own in one LMDB transaction,
 * synced as LMDB does it, so that the file is whole at any moment by itself. Until then the overlay answers for it. An error loses
 * nothing: it is tried again, after an I/O error with the file looked over and opened anew. */
#include <endian.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "node/store/internal.h"

static void txn_abortp(MDB_txn **txn) {
        if (*txn)
                mdb_txn_abort(*txn);
}

/* ---- the applier's thread ---- */

static int write_changes(struct generation *g, MDB_txn *txn, struct transaction *t) {
        size_t pos = 0;
        struct change c;
        int r;

        while ((r = transaction_next(t, &pos, &c)) > 0) {
                MDB_val key = { c.key_size, (void *) c.key }, value = { c.value_size, (void *) c.value };

                if (c.value)
                        r = lmdb_error(mdb_put(txn, g->data, &key, &value, 0));
                else {
                        r = lmdb_error(mdb_del(txn, g->data, &key, NULL));
                        if (r == -ENOENT)
                                r = 0;
                }
                if (r < 0)
                        return r;
        }
        return r;
}

/* For slaves that are still copying: what they have to be sent after the copy, so that it need not wait in memory. */
static int write_log(struct generation *g, MDB_txn *txn, const struct job *j) {
        uint64_t sequence = htobe64(j->sequence);
        MDB_val key = { sizeof(sequence), &sequence };
        MDB_val value = { transaction_size(j->transaction), (void *) transaction_data(j->transaction) };

        return lmdb_error(mdb_put(txn, g->log, &key, &value, 0));
}

/* By itself: LMDB takes the pages that it frees for what comes two transactions later, and that may need all of them. */
static int clear_log(struct generation *g) {
        int r = 0;

        for (int step = 0; r >= 0 && step < 2; step++) {
                _cleanup_(txn_abortp) MDB_txn *txn = NULL;
                struct generation_state state;
                MDB_stat stat;

                r = lmdb_error(mdb_txn_begin(g->env, NULL, 0, &txn));
                if (r >= 0)
                        r = lmdb_error(mdb_stat(txn, g->log, &stat));
                if (r >= 0 && step == 0 && stat.ms_entries == 0)
                        return 0;
                if (r >= 0)
                        r = step == 0 ? lmdb_error(mdb_drop(txn, g->log, 0)) : generation_state_read(g, txn, &state);
                if (r >= 0 && step > 0)
                        r = generation_state_write(g, txn, state.transaction_id, state.sequence);
                if (r < 0)
                        return r;
                r = lmdb_error(mdb_txn_commit(TAKE_PTR(txn)));
                if (r < 0)
                        r = generation_failed_commit(g, r, 0);
        }
        return r;
}

static int apply_batch(struct store *s, const struct job *batch) {
        _cleanup_(txn_abortp) MDB_txn *txn = NULL;
        struct generation *g = batch->generation;
        const struct job *j, *last = NULL;
        struct generation_state state;
        int r;

        r = batch->clear_log ? clear_log(g) : 0;
        if (r >= 0)
                r = lmdb_error(mdb_txn_begin(g->env, NULL, 0, &txn));
        if (r >= 0)
                r = generation_state_read(g, txn, &state);
        TAILQ_FOREACH(j, &s->applying, queue) {
                if (r < 0)
                        return r;
                bool log = j->log && j->sequence > batch->log_after;

                if (j->sequence <= state.sequence) { /* an attempt that seemed to fail did not */
                        if (batch->clear_log && log)
                                r = write_log(g, txn, j);
                        continue;
                }
                r = write_changes(g, txn, j->transaction);
                if (r >= 0 && log)
                        r = write_log(g, txn, j);
                last = j;
        }
        if (r >= 0 && last)
                r = generation_state_write(g, txn, transaction_id(last->transaction), last->sequence);
        if (r < 0)
                return r;
        r = lmdb_error(mdb_txn_commit(TAKE_PTR(txn)));
        return r < 0 ? generation_failed_commit(g, r, batch->bytes) : 0;
}

static int reopen(struct store *s, struct job *j) {
        _cleanup_free_ char *error = NULL;
        char file[FILE_NAME_SIZE];
        uint64_t number = j->generation->number;
        int r;

        store_file_name(number, file);
        j->generation = NULL;
        r = generation_open(s->directory_fd, s->directory, file, number, /* create= */ false, &j->generation, &error);
        if (r < 0)
                log_error("Cannot open the store anew: %s", error ?: strerror(-r));
        return r;
}

void *store_applier(void *userdata) {
        struct store *s = userdata;
        struct job *j;
        sigset_t all;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        pthread_mutex_lock(&s->mutex);
        for (;;) {
                while (!s->to_apply && !s->applier_stop)
                        pthread_cond_wait(&s->apply_wake, &s->mutex);
                j = TAKE_PTR(s->to_apply);
                if (!j)
                        break;
                pthread_mutex_unlock(&s->mutex);
                j->result = j->kind == JOB_APPLY ? apply_batch(s, j) : reopen(s, j);
                pthread_mutex_lock(&s->mutex);
                TAILQ_INSERT_TAIL(&s->done, j, queue);
                (void) eventfd_write(s->event_fd, 1);
        }
        pthread_mutex_unlock(&s->mutex);
        return NULL;
}

/* ---- the loop's side ---- */

/* Its one job is there from the start: what is durable must not wait for memory, the end of the store least of all. */
static struct job *applier_job(struct store *s, enum job_kind kind) {
        *s->apply_job = (struct job) { .kind = kind, .generation = s->current };
        return s->apply_job;
}

static void to_applier(struct store *s, struct job *j) {
        s->apply_busy = true;
        s->apply_generation = s->current;
        s->apply_generation->refs++;
        pthread_mutex_lock(&s->mutex);
        s->to_apply = j;
        pthread_cond_signal(&s->apply_wake);
        pthread_mutex_unlock(&s->mutex);
}

void apply_now(struct store *s) {
        const struct job *last;
        struct job *j;

        if (s->apply_busy || s->failed < 0)
                return;
        if (!s->clear_log && TAILQ_EMPTY(&s->pending) && TAILQ_EMPTY(&s->applying))
                return;
        j = applier_job(s, JOB_APPLY);
        TAILQ_CONCAT(&s->applying, &s->pending, queue);
        last = TAILQ_LAST(&s->applying, job_queue);
        j->clear_log = s->clear_log;
        j->log_after = s->log_after;
        j->sequence = last ? last->sequence : 0;
        j->bytes = s->pending_bytes;
        s->clear_log = false;
        to_applier(s, j);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        apply_now(userdata);
        return 0;
}

void apply_later(struct store *s) {
        int enabled = SD_EVENT_OFF, r;

        if (s->apply_timer)
                (void) sd_event_source_get_enabled(s->apply_timer, &enabled);
        if (enabled != SD_EVENT_OFF || s->closing)
                return;
        r = s->apply_timer ? sd_event_source_set_time_relative(s->apply_timer, APPLY_USEC)
                           : sd_event_add_time_relative(s->event, &s->apply_timer, CLOCK_MONOTONIC, APPLY_USEC, APPLY_USEC / 4,
                                                        on_timer, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->apply_timer, SD_EVENT_ONESHOT);
        if (r < 0)
                log_debug("Cannot set the timer of the redo log: %s", strerror(-r)); /* it is applied when there is more */
}

int apply_add(struct store *s, struct job *j) {
        int r;

        TAILQ_INSERT_TAIL(&s->pending, j, queue);
        s->n_pending++;
        s->pending_bytes += j->bytes;
        r = overlay_add(s->overlay, s->current, j->transaction, j->sequence, &s->state.entries);
        strcpy(s->state.transaction_id, transaction_id(j->transaction));
        s->state.sequence = j->sequence;
        if (s->apply_result >= 0 && (s->pending_bytes >= APPLY_BYTES || s->n_pending >= APPLY_COUNT))
                apply_now(s);
        else
                apply_later(s);
        return r;
}

static void drop(struct store *s, struct job_queue *q) {
        struct job *j;

        while ((j = job_queue_pop(q))) {
                s->n_pending--;
                s->pending_bytes -= j->bytes;
                if (s->log_hint == j)
                        s->log_hint = NULL;
                job_free(j);
        }
}

static void open_anew(struct store *s, int error) {
        if (++s->apply_errors > APPLY_ERRORS_MAX) {
                store_fail(s, error);
                return;
        }
        log_error("Cannot write the store's file: %s; opening it anew", strerror(-error));
        to_applier(s, applier_job(s, JOB_REOPEN));
}

/* What came while the applier was busy. */
static void apply_rest(struct store *s) {
        if (s->clear_log || !TAILQ_EMPTY(&s->pending) || !TAILQ_EMPTY(&s->applying))
                apply_later(s);
}

/* Returns true if what it was at has been replaced meanwhile. */
static bool from_applier(struct store *s) {
        bool stale = s->apply_stale;

        s->apply_busy = s->apply_stale = false;
        store_generation_unref(s, TAKE_PTR(s->apply_generation));
        if (stale)
                drop(s, &s->applying);
        return stale;
}

/* A large transaction made it large. Unless there is one more right behind it. */
static void shrink_redo(struct store *s) {
        struct job *j = s->n_commits == 0 && TAILQ_EMPTY(&s->pending) ? job_new(JOB_SHRINK) : NULL;

        if (j)
                store_submit(s, j); /* else the next time */
}

/* Who waits for room looks again. Sequence numbers go on over a swap, so that it does not matter which data they were for. */
static void tell_writer(struct store *s, int result, uint64_t applied) {
        bool large;

        pthread_mutex_lock(&s->mutex);
        if (result >= 0)
                s->applied = MAX(s->applied, applied);
        s->apply_error = result;
        s->apply_rounds++;
        large = s->redo_large && result >= 0;
        pthread_cond_signal(&s->space);
        pthread_mutex_unlock(&s->mutex);
        if (large && !s->closing)
                shrink_redo(s);
}

void apply_done(struct store *s, struct job *j) {
        if (from_applier(s)) {
                tell_writer(s, 0, j->sequence);
                apply_rest(s);
                return;
        }
        /* A disk that a snapshot has filled is tried once more without it, before anybody is refused. */
        if (j->result == -ENOSPC && !s->apply_again && s->full_fn && !s->closing && s->full_fn(s, s->full_userdata)) {
                s->clear_log = s->clear_log || j->clear_log;
                s->apply_again = true;
                apply_now(s);
                return;
        }
        s->apply_again = false;
        tell_writer(s, j->result, j->sequence);
        if (j->result < 0) {
                s->clear_log = s->clear_log || j->clear_log;
                if (s->apply_result >= 0)
                        log_error("Cannot write %zu transactions into the store's file yet: %s%s", s->n_pending, strerror(-j->result),
                                  j->result == -ENOSPC ? "; they are safe, but make space in the data directory" : "");
        } else {
                s->apply_errors = 0;
                overlay_forget(s->overlay, j->sequence);
                drop(s, &s->applying);
        }
        s->apply_result = j->result;
        if (j->result < 0 && j->result != -ENOSPC && j->result != -ENOMEM)
                open_anew(s, j->result);
        else
                apply_rest(s);
}

/* Snapshots of the one before end with an error: its readers are unknown to the new one, which uses their pages again. */
void apply_reopened(struct store *s, struct job *j) {
        struct generation *before = s->current;

        if (from_applier(s)) {
                generation_close(j->result >= 0 ? j->generation : NULL);
                apply_rest(s);
                return;
        }
        if (j->result < 0) {
                store_fail(s, j->result);
                return;
        }
        before->lost = true;
        s->current = j->generation;
        store_generation_unref(s, before);
        apply_now(s);
}

void apply_forget(struct store *s) {
        overlay_forget(s->overlay, UINT64_MAX);
        s->log_hint = NULL;
        s->clear_log = false;
        s->apply_result = 0;
        s->apply_again = false;
        if (s->apply_busy)
                s->apply_stale = true; /* it reads them still */
        else
                drop(s, &s->applying);
        drop(s, &s->pending);
}

int apply_finish(struct store *s) {
        struct pollfd p = { .fd = s->event_fd, .events = POLLIN };

        s->apply_result = 0;
        do {
                apply_now(s);
                while (s->apply_busy)
                        if (poll(&p, 1, -1) > 0)
                                store_deliver(s);
        } while (s->apply_result >= 0 && s->failed >= 0 && (!TAILQ_EMPTY(&s->pending) || !TAILQ_EMPTY(&s->applying)));
        return s->failed < 0 ? s->failed : s->apply_result;
}
