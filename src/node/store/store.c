/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the store as the event loop sees it: its life, what is submitted, hearing of what was done. */
#include <inttypes.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "node/store/internal.h"

/* Below that much free space, and four times the transaction, a commit is not taken for certain. */
enum { TIGHT_BYTES = 32 * 1024 * 1024 };
/* So long the loop hears of what was done, and then others have their turn. */
enum { DELIVER_USEC = 10 * 1000 };

void store_submit(struct store *s, struct job *j) {
        pthread_mutex_lock(&s->mutex);
        TAILQ_INSERT_TAIL(&s->waiting, j, queue);
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->mutex);
}

void store_generation_unref(struct store *s, struct generation *g) {
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

static void state_changed(struct store *s) {
        if (s->changed_fn && !s->closing)
                s->changed_fn(s, s->changed_userdata);
}

void store_fail(struct store *s, int error) {
        if (s->failed < 0)
                return;
        s->failed = error;
        pthread_mutex_lock(&s->mutex);
        if (s->writer_failed >= 0)
                s->writer_failed = error;
        pthread_cond_signal(&s->space);
        pthread_mutex_unlock(&s->mutex);
        log_error("The store in %s has failed: %s; what was acknowledged is in its files", s->directory, strerror(-error));
        if (s->failed_fn && !s->closing)
                s->failed_fn(s, error, s->failed_userdata);
}

static void committed(struct store *s, struct job *j) {
        int r;

        s->last_failed = j->result < 0;
        if (j->result < 0)
                return;
        r = apply_add(s, j);
        state_changed(s);
        /* It is durable, and the next start has it; but what is read here would not be what it left. */
        if (r < 0) {
                log_error("Transaction %s is stored, but cannot be read: %s", transaction_id(j->transaction), strerror(-r));
                store_fail(s, r);
        }
}

static void swapped(struct store *s, struct job *j) {
        const struct generation_state *state = &j->copy->state;

        if (s->state.entries > 0 || s->state.transaction_id[0])
                log_warning("The copy replaces %" PRIu64 " entries, transaction %s, by %" PRIu64 " entries, transaction %s", s->state.entries,
                            s->state.transaction_id[0] ? s->state.transaction_id : "none", state->entries,
                            state->transaction_id[0] ? state->transaction_id : "none");
        apply_forget(s);
        store_generation_unref(s, s->current);
        s->current = j->generation;
        s->last_failed = false;
        s->state = *state;
        state_changed(s);
}

/* Returns true if the job is kept. */
static bool job_done(struct store *s, struct job *j) {
        switch (j->kind) {
        case JOB_COMMIT:
                committed(s, j);
                /* Who asked holds the transaction no longer than that. At the end it comes, too: else nobody would free what waits for
                 * it. It never frees the store, whose other jobs are gone through after it. */
                if (j->stored_fn)
                        j->stored_fn(j->result, j->transaction, j->userdata);
                return j->result >= 0;
        case JOB_COPY_SWAP:
                if (j->result >= 0)
                        swapped(s, j);
                copy_done(s, j);
                break;
        case JOB_COPY_PUT:
        case JOB_COPY_APPLY:
        case JOB_COPY_SYNC:
        case JOB_COPY_FINISH:
        case JOB_COPY_DROP:
                copy_done(s, j);
                break;
        case JOB_BARRIER:
                LIST_REMOVE(j, barriers);
                if (j->done_fn && !s->closing)
                        j->done_fn(0, j->userdata);
                break;
        case JOB_APPLY:
                apply_done(s, j);
                return true;
        case JOB_REOPEN:
                apply_reopened(s, j);
                return true;
        case JOB_CLOSE:
        case JOB_SHRINK:
                break;
        }
        return false;
}

void store_deliver(struct store *s) {
        uint64_t until = now_monotonic() + DELIVER_USEC;
        struct job *j;
        bool want_apply;
        eventfd_t n;
        int failed;

        (void) eventfd_read(s->event_fd, &n);
        pthread_mutex_lock(&s->mutex);
        TAILQ_CONCAT(&s->delivering, &s->done, queue);
        want_apply = s->want_apply;
        failed = s->writer_failed;
        pthread_mutex_unlock(&s->mutex);
        while ((j = job_queue_pop(&s->delivering))) {
                if (j->kind == JOB_COMMIT) {
                        s->n_commits--;
                        s->commit_bytes -= j->bytes;
                }
                if (!job_done(s, j))
                        job_free(j);
                if (now_monotonic() >= until && !s->closing && !TAILQ_EMPTY(&s->delivering)) {
                        (void) eventfd_write(s->event_fd, 1); /* the rest in the loop's next turn */
                        break;
                }
        }
        if (want_apply)
                apply_now(s);
        if (failed < 0)
                store_fail(s, failed);
}

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        store_deliver(userdata);
        return 0;
}

static int start_threads(struct store *s) {
        int r;

        r = -pthread_create(&s->thread, NULL, store_writer, s);
        if (r < 0)
                return r;
        s->running = true;
        r = -pthread_create(&s->applier, NULL, store_applier, s);
        if (r < 0)
                return r;
        s->applier_running = true;
        return 0;
}

static struct store *store_alloc(const char *directory, sd_event *event) {
        struct store *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        s->directory_fd = s->lock_fd = s->event_fd = -EBADF;
        pthread_mutex_init(&s->mutex, NULL);
        pthread_cond_init(&s->wake, NULL);
        pthread_cond_init(&s->apply_wake, NULL);
        pthread_cond_init(&s->space, NULL);
        TAILQ_INIT(&s->waiting);
        TAILQ_INIT(&s->done);
        TAILQ_INIT(&s->delivering);
        TAILQ_INIT(&s->pending);
        TAILQ_INIT(&s->applying);
        LIST_INIT(&s->barriers);
        s->event = sd_event_ref(event);
        s->directory = strdup(directory);
        s->apply_job = job_new(JOB_APPLY);
        if (!s->directory || !s->apply_job || overlay_new(&s->overlay) < 0)
                return store_free(s);
        return s;
}

int store_open(const char *directory, sd_event *event, struct store **ret, char **ret_error) {
        _cleanup_free_ char *error = NULL;
        _cleanup_store_ struct store *s = store_alloc(directory, event);
        int r;

        if (!s)
                return -ENOMEM;
        s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (s->event_fd < 0)
                return -errno;
        r = store_lock_directory(s, &error);
        if (r >= 0)
                r = store_open_current(s, &error);
        if (r < 0) {
                if (ret_error)
                        *ret_error = TAKE_PTR(error);
                return r;
        }
        s->submitted = s->state.sequence;
        s->clear_log = true; /* what is there of an earlier run is nobody's any more */
        r = sd_event_add_io(event, &s->event_source, s->event_fd, EPOLLIN, on_done, s);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(s->event_source, "store");
        r = start_threads(s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

/* What was submitted is written, and all of that gets into the generation: its file is then whole by itself. */
static void finish(struct store *s) {
        struct pollfd p = { .fd = s->event_fd, .events = POLLIN };
        bool done = false;

        pthread_mutex_lock(&s->mutex);
        s->stop = true;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->mutex);
        while (!done) {
                if (poll(&p, 1, -1) <= 0)
                        continue;
                /* First this, which takes what woke us: who ends after it wakes us again. */
                store_deliver(s);
                pthread_mutex_lock(&s->mutex);
                done = s->writer_done && TAILQ_EMPTY(&s->done);
                pthread_mutex_unlock(&s->mutex);
        }
        pthread_join(s->thread, NULL);
        if (s->applier_running) {
                if (apply_finish(s) >= 0 && redo_reset(s->redo, s->current->identity, &s->state) < 0)
                        log_debug("Cannot empty the redo log"); /* in which nothing is needed any more */
                pthread_mutex_lock(&s->mutex);
                s->applier_stop = true;
                pthread_cond_signal(&s->apply_wake);
                pthread_mutex_unlock(&s->mutex);
                pthread_join(s->applier, NULL);
        }
}

struct store *store_free(struct store *s) {
        struct job *j;

        if (!s)
                return NULL;
        s->closing = true;
        s->event_source = sd_event_source_disable_unref(s->event_source);
        s->apply_timer = sd_event_source_disable_unref(s->apply_timer);
        if (s->running)
                finish(s);
        while ((j = job_queue_pop(&s->waiting))) { /* generations that nobody reads any more */
                generation_close(j->generation);
                job_free(j);
        }
        while ((j = job_queue_pop(&s->pending)) || (j = job_queue_pop(&s->applying)))
                job_free(j);
        job_free(s->apply_job);
        overlay_free(s->overlay);
        generation_close(s->current);
        redo_free(s->redo);
        safe_close(s->event_fd);
        safe_close(s->lock_fd);
        safe_close(s->directory_fd);
        pthread_cond_destroy(&s->space);
        pthread_cond_destroy(&s->apply_wake);
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->mutex);
        sd_event_unref(s->event);
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

void store_set_failed_callback(struct store *s, store_failed_fn fn, void *userdata) {
        s->failed_fn = fn;
        s->failed_userdata = userdata;
}

void store_set_full_callback(struct store *s, store_full_fn fn, void *userdata) {
        s->full_fn = fn;
        s->full_userdata = userdata;
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

        if (s->last_failed || s->apply_result < 0)
                return true;
        if (fstatvfs(s->directory_fd, &st) < 0)
                return false;
        return (uint64_t) st.f_bavail * st.f_frsize < TIGHT_BYTES + 4 * (uint64_t) bytes;
}

void store_set_log(struct store *s, bool on) {
        if (s->log == on)
                return;
        s->log = on;
        if (on)
                return;
        s->clear_log = true;
        s->log_after = s->submitted;
        apply_later(s);
}
