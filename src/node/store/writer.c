/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the writer thread: takes jobs in their order, lets waiting transactions share an fsync, hands the results back.
 *
 * It is one thread so that the order of the calls is the order on disk. While an fsync runs, transactions gather; they
 * then go into one record of the redo log, each under its own id, and all of them are durable with its one fsync. If that fails
 * each is tried alone, so that one that does not fit takes no other with it. */
#include <signal.h>
#include <sys/eventfd.h>

#include "node/store/internal.h"

/* ---- chains ---- */

int chain_error(const struct store *s, uint64_t chain) {
        size_t n = MIN(s->n_broken, (size_t) BROKEN_CHAINS_MAX);
        uint64_t forgotten = s->n_broken > n ? s->forgotten_chain : 0;

        for (size_t i = 0; i < n; i++)
                if (chain > 0 && s->broken[i].chain == chain)
                        return s->broken[i].error;
        /* What is known of older ones has been forgotten: rather none of them than one too many. */
        return chain > 0 && chain <= forgotten ? -EIO : 0;
}

void chain_break(struct store *s, uint64_t chain, int error) {
        struct broken_chain *b = &s->broken[s->n_broken % BROKEN_CHAINS_MAX];

        if (chain == 0 || chain_error(s, chain) < 0)
                return;
        s->forgotten_chain = MAX(s->forgotten_chain, b->chain);
        *b = (struct broken_chain) { .chain = chain, .error = error };
        s->n_broken++;
}

/* ---- commits ---- */

void writer_fail(struct store *s, int error) {
        pthread_mutex_lock(&s->mutex);
        s->writer_failed = error;
        pthread_mutex_unlock(&s->mutex);
}

/* Until more has been applied, or that has failed once more. */
static int wait_for_room(struct store *s, uint64_t rounds) {
        int r;

        pthread_mutex_lock(&s->mutex);
        s->want_apply = true;
        (void) eventfd_write(s->event_fd, 1);
        while (s->apply_rounds == rounds && s->writer_failed >= 0)
                pthread_cond_wait(&s->space, &s->mutex);
        s->want_apply = false;
        r = s->writer_failed < 0 ? s->writer_failed : s->apply_error;
        pthread_mutex_unlock(&s->mutex);
        return r;
}

static int grow(struct store *s, size_t n, size_t bytes) {
        int r;

        r = redo_grow(s->redo, n, bytes);
        pthread_mutex_lock(&s->mutex);
        s->redo_large = redo_is_large(s->redo);
        pthread_mutex_unlock(&s->mutex);
        return r;
}

static void shrink(struct store *s) {
        int r = 0;

        pthread_mutex_lock(&s->mutex);
        if (redo_last(s->redo) <= s->applied && s->writer_failed >= 0) {
                pthread_mutex_unlock(&s->mutex);
                r = redo_is_large(s->redo) ? redo_resize(s->redo) : 0;
                pthread_mutex_lock(&s->mutex);
                s->redo_large = redo_is_large(s->redo);
        }
        pthread_mutex_unlock(&s->mutex);
        if (r == -ENOTRECOVERABLE)
                writer_fail(s, r);
}

static int make_room(struct store *s, size_t n, size_t bytes) {
        uint64_t applied, rounds;
        int r;

        for (;;) {
                pthread_mutex_lock(&s->mutex);
                applied = s->applied;
                rounds = s->apply_rounds;
                pthread_mutex_unlock(&s->mutex);
                r = redo_room(s->redo, n, bytes, applied);
                if (r == -EFBIG && redo_last(s->redo) <= applied)
                        r = grow(s, n, bytes);
                else if (r == -EFBIG || r == 0) {
                        r = wait_for_room(s, rounds);
                        if (r >= 0)
                                continue;
                }
                return r;
        }
}

/* The first n jobs of the queue, together. */
static int commit_jobs(struct store *s, struct job *j, size_t n, size_t bytes) {
        int r;

        pthread_mutex_lock(&s->mutex);
        r = s->writer_failed;
        pthread_mutex_unlock(&s->mutex);
        if (r >= 0)
                r = make_room(s, n, bytes);
        if (r >= 0)
                r = redo_write(s->redo, j, n);
        if (r == -ENOTRECOVERABLE)
                writer_fail(s, r);
        return r;
}

static void commit_alone(struct store *s, struct job *j) {
        j->result = chain_error(s, j->chain);
        if (j->result < 0)
                return;
        j->result = commit_jobs(s, j, 1, j->bytes);
        if (j->result < 0)
                chain_break(s, j->chain, j->result);
}

/* Runs the commit at the head of the queue and those right behind it. Returns how many jobs were done. Those that are tried alone
 * are handed back one by one: each may need the room that the loop gets for it by applying the ones before. */
static size_t run_commits(struct store *s, struct job *first) {
        size_t n = 0, bytes = 0;
        bool broken = false;
        struct job *j;

        if (s->alone > 0) {
                s->alone--;
                commit_alone(s, first);
                return 1;
        }

        for (j = first; j && j->kind == JOB_COMMIT && n < REDO_GROUP_MAX && (n == 0 || (bytes + j->bytes <= STORE_GROUP_BYTES_MAX && redo_fits(s->redo, n + 1, bytes + j->bytes)));
             j = TAILQ_NEXT(j, queue)) {
                broken = broken || chain_error(s, j->chain) < 0;
                bytes += j->bytes;
                n++;
        }
        if (!broken && n > 1 && commit_jobs(s, first, n, bytes) >= 0)
                return n; /* their results are 0 as they are */
        s->alone = n - 1;
        commit_alone(s, first);
        return 1;
}

static void run(struct store *s, struct job *j) {
        switch (j->kind) {
        case JOB_BARRIER:
                break;
        case JOB_CLOSE:
                j->generation = generation_close(j->generation);
                break;
        case JOB_SHRINK:
                shrink(s);
                break;
        default:
                copy_run(s, j);
        }
}

/* Takes what waits, or else waits for it. Returns false at the end. */
static bool take(struct store *s, struct job_queue *q) {
        pthread_mutex_lock(&s->mutex);
        while (TAILQ_EMPTY(&s->waiting) && TAILQ_EMPTY(q) && !s->stop)
                pthread_cond_wait(&s->wake, &s->mutex);
        TAILQ_CONCAT(q, &s->waiting, queue);
        pthread_mutex_unlock(&s->mutex);
        return !TAILQ_EMPTY(q);
}

static void hand_back(struct store *s, struct job_queue *q, size_t n) {
        pthread_mutex_lock(&s->mutex);
        for (; n > 0; n--) {
                struct job *j = job_queue_pop(q);

                TAILQ_INSERT_TAIL(&s->done, j, queue);
        }
        pthread_mutex_unlock(&s->mutex);
        (void) eventfd_write(s->event_fd, 1);
}

void *store_writer(void *userdata) {
        struct job_queue queue = TAILQ_HEAD_INITIALIZER(queue);
        struct store *s = userdata;
        struct job *j;
        sigset_t all;
        size_t n;

        /* Signals are the loop's; SIGXFSZ (a file grown past its limit) is then just an error of write(). */
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);

        while (take(s, &queue)) {
                j = TAILQ_FIRST(&queue);
                if (j->kind == JOB_COMMIT)
                        n = run_commits(s, j);
                else {
                        run(s, j);
                        n = 1;
                }
                hand_back(s, &queue, n);
        }
        pthread_mutex_lock(&s->mutex);
        s->writer_done = true;
        (void) eventfd_write(s->event_fd, 1);
        pthread_mutex_unlock(&s->mutex);
        return NULL;
}
