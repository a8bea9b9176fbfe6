/* SPDX-License-Identifier: Apache-2.0 */
/* Owns commits: from the call until the transaction is durable here and at every arrived slave.
 *
 * A transaction is given to the store and to the slaves at the same moment, so that all fsyncs overlap. Should the store then fail,
 * those slaves that were given it have something that nobody else has: they are cut off and copy anew. And because a slave
 * that has applied A and B must not look equal to a master that has B only, all transactions of one chain fail together
 * once one of them has failed (store.h). When space is short, the store is asked first, and no slave is lost by it. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/master-internal.h"

void commit_unref(struct commit *c) {
        struct master *m = c->master;

        if (--c->refs > 0)
                return;
        transaction_unref(c->transaction);
        free(c);
        master_unref(m);
}

static void check_finished(struct commit *c) {
        if (c->finished || !c->stored || (c->result >= 0 && c->waiting > 0))
                return;
        c->finished = true;
        master_wake(c->master);
}

void commit_released(struct commit *c) {
        c->waiting--;
        check_finished(c);
}

/* What its caller is told. Once others may have it, an error of ours is no longer the whole truth. */
static int outcome(const struct commit *c) {
        if (c->result < 0)
                return c->given ? COMMIT_MAYBE_ELSEWHERE : c->result;
        return c->deserted ? COMMIT_MAYBE_ONLY_HERE : 0;
}

void commits_deliver(struct master *m) {
        struct commit *c;

        /* In their order; one whose callback frees the master ends nothing: the others' come still. */
        while ((c = TAILQ_FIRST(&m->commits)) && c->finished) {
                TAILQ_REMOVE(&m->commits, c, under_way);
                m->n_commits--;
                m->commit_bytes -= transaction_size(c->transaction);
                if (c->fn)
                        c->fn(outcome(c), c->transaction, c->userdata);
                commit_unref(c);
        }
}

/* Such a slave says that it has everything, and can be made master, though we may never hear of that. */
static bool some_slave_is_admitted(const struct master *m) {
        const struct remote *r;

        TAILQ_FOREACH(r, &m->remotes, remotes)
                if (r->state >= REMOTE_ADMITTED)
                        return true;
        return false;
}

void commits_desert(struct master *m) {
        bool some = some_slave_is_admitted(m);
        struct commit *c;

        TAILQ_FOREACH(c, &m->commits, under_way)
                if (!c->finished)
                        c->deserted = c->waiting > 0 || (!c->sent && some);
}

static void broadcast(struct master *m, struct commit *c) {
        c->sent = true;
        for (struct remote *r = TAILQ_FIRST(&m->remotes), *next; r; r = next) {
                next = TAILQ_NEXT(r, remotes); /* dropping one takes only that one off the list */
                if (remote_is_joined(r) && c->sequence > r->snapshot_sequence)
                        remote_queue(r, c);
        }
}

static void drop_those_given(struct master *m, const struct commit *c) {
        for (struct remote *r = TAILQ_FIRST(&m->remotes), *next; r; r = next) {
                next = TAILQ_NEXT(r, remotes);
                if (remote_is_joined(r) && remote_was_given(r, c))
                        remote_drop(r, "it was sent a transaction that could not be stored here, and has to copy anew");
        }
}

static void on_stored(int result, struct transaction *t, void *userdata) {
        struct commit *c = userdata;
        struct master *m = c->master;
        struct remote *r;

        c->stored = true;
        c->result = result;
        if (result < 0) {
                log_error("Cannot commit transaction %s: %s%s", transaction_id(t), strerror(-result),
                          result == -ENOSPC ? "; the data is as it was; make space in the data directory" : "");
                if (m->chain > 0 && c->chain == m->chain)
                        m->chain = store_chain_new(m->store);
        }
        if (!m->dead) {
                if (result < 0) {
                        TAILQ_FOREACH(r, &m->remotes, remotes)
                                remote_misses(r, c);
                        drop_those_given(m, c);
                } else if (!c->sent)
                        broadcast(m, c);
                /* A slave that is sent what is in the log may go on. */
                for (struct remote *next = TAILQ_FIRST(&m->remotes); (r = next);) {
                        next = TAILQ_NEXT(r, remotes);
                        if (remote_lags(r))
                                remote_pump(r);
                }
        }
        check_finished(c);
        if (m->dead) /* perhaps with the loop, which would come round to it */
                commits_deliver(m);
        commit_unref(c);
}

static bool is_full(const struct master *m, const struct transaction *t) {
        return m->n_commits >= COMMITS_MAX ||
               (m->n_commits > 0 && m->commit_bytes + transaction_size(t) > COMMIT_BYTES_MAX);
}

static int commit_submit(struct master *m, struct transaction *t, uint64_t chain, transaction_stored_fn fn, void *userdata) {
        struct commit *c, *last = TAILQ_LAST(&m->commits, commit_list);
        bool slaves = false, first;
        struct remote *remote;
        int r;

        if (is_full(m, t))
                return -EBUSY;
        TAILQ_FOREACH(remote, &m->remotes, remotes)
                slaves = slaves || remote_is_joined(remote);
        /* Ask the store first when it may have no space, behind one that waits for that, and when there is nobody else
         * to ask (a slave that joins meanwhile is then sent it once it is stored). */
        first = !slaves || (last && !last->sent) || store_is_tight(m->store, transaction_size(t));
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->master = m;
        c->refs = 2; /* the list's and the store's */
        c->transaction = t;
        c->chain = chain > 0 ? chain : first ? 0 : m->chain;
        c->fn = fn;
        c->userdata = userdata;
        c->since = now_monotonic();
        master_update_log(m);
        c->logged = m->log ? m->log_number : 0;
        r = store_commit_chained(m->store, c->chain, t, on_stored, c);
        if (r < 0) {
                free(c);
                return r;
        }
        transaction_ref(t);
        m->refs++;
        c->sequence = m->last_sequence = store_sequence(m->store);
        TAILQ_INSERT_TAIL(&m->commits, c, under_way);
        m->commit_begun = c->since;
        m->n_commits++;
        m->commit_bytes += transaction_size(t);
        if (!first)
                broadcast(m, c);
        return 0;
}

int master_commit(struct master *m, struct transaction *t, transaction_stored_fn fn, void *userdata) {
        char name[NODE_ID_TEXT_MAX];
        int r;

        if (m->relay)
                return -EROFS;
        if (transaction_is_sealed(t) || transaction_changes(t) == 0)
                return -EINVAL;
        if (is_full(m, t))
                return -EBUSY;
        r = transaction_seal(t, node_id_text(&m->id, name));
        if (r < 0)
                return r;
        return commit_submit(m, t, 0, fn, userdata);
}

int master_pass_on(struct master *m, struct transaction *t, uint64_t chain, transaction_stored_fn fn, void *userdata) {
        if (!m->relay)
                return -EROFS;
        if (!transaction_is_sealed(t))
                return -EINVAL;
        /* Should we become master: what is committed then stands on this one, and must fail with it. */
        m->chain = chain;
        return commit_submit(m, t, chain, fn, userdata);
}

/* The log is on while some slave is sent what nobody waits for, and so might fall behind what is kept for it in memory. */
void master_update_log(struct master *m) {
        struct remote *r;
        bool on = false;

        TAILQ_FOREACH(r, &m->remotes, remotes)
                on = on || remote_lags(r) || (remote_is_joined(r) && r->state < REMOTE_ENDED);
        if (on != m->log) {
                m->log = on;
                m->log_number += on;
                store_set_log(m->store, on);
        }
}
