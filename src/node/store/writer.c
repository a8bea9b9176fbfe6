/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the writer thread: takes jobs in their order, lets waiting transactions share an fsync, hands the results back.
 *
 * It is one thread so that the order of the calls is the order on disk. While an fsync runs, transactions gather; they
 * then go into one LMDB transaction, each under its own id, and all of them are durable with its one fsync. If that fails
 * each is tried alone, so that one that does not fit takes no other with it. */
#include <endian.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "node/store/internal.h"

static void txn_abortp(MDB_txn **txn) {
        if (*txn)
                mdb_txn_abort(*txn);
}

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

        return lmdb_error(mdb_put(txn, g->log, &key, &value, MDB_APPEND));
}

/* The first n jobs of the queue, together. */
static int commit_jobs(struct store *s, struct job *j, size_t n) {
        _cleanup_(txn_abortp) MDB_txn *txn = NULL;
        struct generation *g = s->writing;
        int r;

        r = lmdb_error(mdb_txn_begin(g->env, NULL, 0, &txn));
        if (r < 0)
                return r;
        if (s->stale_log) {
                r = lmdb_error(mdb_drop(txn, g->log, 0));
                if (r < 0)
                        return r;
        }
        for (; n > 0; n--, j = TAILQ_NEXT(j, queue)) {
                r = write_changes(g, txn, j->transaction);
                if (r >= 0 && j->log)
                        r = write_log(g, txn, j);
                /* Each sets the state, so that each can tell how many entries there were after it. */
                if (r >= 0)
                        r = generation_state_write(g, txn, transaction_id(j->transaction), j->sequence);
                if (r >= 0)
                        r = generation_state_read(g, txn, &j->state);
                if (r < 0)
                        return r;
        }
        r = lmdb_error(mdb_txn_commit(TAKE_PTR(txn)));
        if (r < 0)
                return generation_failed_commit(g, r);
        s->stale_log = false;
        return 0;
}

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

static void commit_alone(struct store *s, struct job *j) {
        j->result = chain_error(s, j->chain);
        if (j->result < 0)
                return;
        j->result = commit_jobs(s, j, 1);
        if (j->result < 0)
                chain_break(s, j->chain, j->result);
}

/* Runs the commit at the head of the queue and those right behind it. Returns how many jobs were done. */
static size_t run_commits(struct store *s, struct job *first) {
        size_t n = 0, bytes = 0;
        bool broken = false;
        struct job *j;

        for (j = first; j && j->kind == JOB_COMMIT && (n == 0 || bytes + j->bytes <= STORE_GROUP_BYTES_MAX); j = TAILQ_NEXT(j, queue)) {
                broken = broken || chain_error(s, j->chain) < 0;
                bytes += j->bytes;
                n++;
        }
        if (!broken && n > 1 && commit_jobs(s, first, n) >= 0)
                return n; /* their results are 0 as they are */
        j = first;
        for (size_t i = 0; i < n; i++, j = TAILQ_NEXT(j, queue))
                commit_alone(s, j);
        return n;
}

static void run(struct store *s, struct job *j) {
        switch (j->kind) {
        case JOB_BARRIER:
                break;
        case JOB_CLEAR_LOG:
                s->stale_log = true; /* with the next commit */
                break;
        case JOB_CLOSE:
                j->generation = generation_close(j->generation);
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
        return NULL;
}
