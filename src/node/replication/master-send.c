/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a slave is sent: the snapshot, what was committed since, and each transaction from then on.
 *
 * Nothing is encoded before the connection can take it: transactions are shared by all slaves and only referred to, so a slave
 * costs a little more than one frame. What is committed while a slave copies waits in its queue up to a limit; beyond that the
 * store keeps a log from which it is read later. The order is always the snapshot, the queue as it was when the log began,
 * the log, the rest of the queue. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/master-internal.h"

static void entry_push(struct entry_queue *q, struct entry *e) {
        e->next = NULL;
        if (q->tail)
                q->tail->next = e;
        else
                q->head = e;
        q->tail = e;
        q->n++;
        if (e->commit)
                q->bytes += transaction_size(e->commit->transaction);
}

static struct entry *entry_pop(struct entry_queue *q) {
        struct entry *e = q->head;

        if (!e)
                return NULL;
        q->head = e->next;
        if (!q->head)
                q->tail = NULL;
        q->n--;
        if (e->commit)
                q->bytes -= transaction_size(e->commit->transaction);
        return e;
}

static void entry_free(struct entry *e) {
        if (e->commit) {
                if (e->counts)
                        commit_released(e->commit);
                commit_unref(e->commit);
        }
        free(e);
}

void remote_queues_done(struct remote *r) {
        struct entry *e;

        while ((e = entry_pop(&r->unacked)))
                entry_free(e);
        while ((e = entry_pop(&r->unsent)))
                entry_free(e);
        r->current = transaction_unref(r->current);
        r->snapshot = store_snapshot_free(r->snapshot);
}

bool remote_lags(const struct remote *r) {
        return r->log_after < r->log_until;
}

static void queue(struct remote *r, struct commit *c, bool counts) {
        struct entry *e;

        if (r->state < REMOTE_FOLLOWING && c->logged &&
            (remote_lags(r) || r->unsent.bytes + transaction_size(c->transaction) > BACKLOG_BYTES_MAX)) {
                if (!remote_lags(r))
                        r->log_after = c->sequence - 1;
                r->log_until = c->sequence;
                return;
        }
        e = calloc(1, sizeof(*e));
        if (!e) {
                remote_drop(r, "out of memory");
                return;
        }
        e->commit = c;
        c->refs++;
        e->counts = counts;
        if (counts)
                c->waiting++;
        entry_push(&r->unsent, e);
}

int remote_begin(struct remote *r, bool *ret_copy, uint64_t *ret_entries, char ret_id[static TRANSACTION_ID_MAX + 1]) {
        struct master *m = r->master;
        int k;

        k = store_snapshot_new(m->store, &r->snapshot);
        if (k < 0)
                return k;
        r->snapshot_sequence = store_snapshot_sequence(r->snapshot);
        *ret_entries = store_snapshot_entries(r->snapshot);
        strcpy(ret_id, store_snapshot_transaction_id(r->snapshot));
        r->copied = !streq(ret_id, r->transaction_id);
        *ret_copy = r->copied;
        if (!r->copied)
                r->snapshot = store_snapshot_free(r->snapshot);
        r->state = REMOTE_COPYING;
        /* From here on commits go into the log, too; those before, which the snapshot may lack, into the queue. */
        master_update_log(m);
        for (struct commit *c = m->commits; c; c = c->next)
                if (c->sent && c->sequence > r->snapshot_sequence && !(c->stored && c->result < 0))
                        queue(r, c, /* counts= */ false); /* sent later: ACCEPT comes first */
        return 0;
}

void remote_queue(struct remote *r, struct commit *c, bool counts) {
        queue(r, c, counts);
        if (r->state != REMOTE_GONE)
                remote_pump(r);
}

/* One frame of the snapshot. Returns false at its end. */
static bool send_copy(struct remote *r) {
        struct master *m = r->master;
        size_t n = 0;
        int k;

        while (n < PIECE_SIZE) {
                size_t part;

                if (r->record_sent == r->record_size) {
                        k = store_snapshot_next(r->snapshot, &r->record);
                        if (k < 0) {
                                log_error("cannot read the data for a copy: %s", strerror(-k));
                                remote_drop(r, "its copy could not be read");
                                return true; /* gone */
                        }
                        if (k == 0)
                                break;
                        r->record_sent = 0;
                        r->record_size = RECORD_HEADER_SIZE + r->record.key_size + r->record.value_size;
                }
                if (r->record_sent < RECORD_HEADER_SIZE + r->record.key_size) {
                        /* Header and key stay together. */
                        if (PIECE_SIZE - n < RECORD_HEADER_SIZE + r->record.key_size)
                                break;
                        record_header_encode(r->record.key_size, r->record.value_size, m->piece + n);
                        memcpy(m->piece + n + RECORD_HEADER_SIZE, r->record.key, r->record.key_size);
                        r->record_sent = RECORD_HEADER_SIZE + r->record.key_size;
                        n += r->record_sent;
                }
                part = MIN(r->record_size - r->record_sent, PIECE_SIZE - n);
                memcpy(m->piece + n, r->record.value + (r->record_sent - RECORD_HEADER_SIZE - r->record.key_size), part);
                r->record_sent += part;
                n += part;
        }
        if (n == 0)
                return false;
        peer_send(r->peer, HOP_COPY, &(struct iovec) { m->piece, n }, 1);
        return true;
}

/* What comes next, from the queue or the log, into r->current. Returns false if there is nothing (now). */
static bool next_transaction(struct remote *r) {
        struct master *m = r->master;
        uint64_t sequence;
        struct entry *e = r->unsent.head;
        int k;

        /* Either older than what is in the log, or there is nothing in the log for this one. */
        if (e && (!remote_lags(r) || e->commit->sequence <= r->log_after)) {
                r->current = transaction_ref(e->commit->transaction);
                (void) entry_pop(&r->unsent);
                if (r->state == REMOTE_FOLLOWING)
                        entry_push(&r->unacked, e);
                else
                        entry_free(e);
                return true;
        }
        if (!remote_lags(r))
                return false;
        k = store_log_next(m->store, r->log_after, &r->current, &sequence);
        if (k < 0) {
                log_error("cannot read the log of transactions: %s", strerror(-k));
                remote_drop(r, "what it has to be sent could not be read");
                return false;
        }
        if (k > 0 && sequence > r->log_until) {
                r->current = transaction_unref(r->current);
                k = 0;
        }
        if (k == 0) {
                /* Not durable yet; or it failed and will never be there. */
                for (struct commit *c = m->commits; c; c = c->next)
                        if (!c->stored && c->sequence > r->log_after && c->sequence <= r->log_until)
                                return false;
                r->log_after = r->log_until;
                return next_transaction(r);
        }
        r->log_after = sequence;
        if (r->state == REMOTE_FOLLOWING) {
                e = calloc(1, sizeof(*e));
                if (!e) {
                        remote_drop(r, "out of memory");
                        return false;
                }
                entry_push(&r->unacked, e);
        }
        if (!remote_lags(r))
                master_update_log(m);
        return true;
}

static void send_transaction(struct remote *r) {
        size_t size = transaction_size(r->current), part;
        const uint8_t *data = transaction_data(r->current);
        uint8_t header[TRANSACTION_HEADER_SIZE];
        struct iovec parts[2];

        if (r->current_sent == 0) {
                part = MIN(size, (size_t) PIECE_SIZE);
                transaction_header_encode(size, header);
                parts[0] = (struct iovec) { header, sizeof(header) };
                parts[1] = (struct iovec) { (void *) data, part };
                peer_send(r->peer, HOP_TRANSACTION, parts, 2);
        } else {
                part = MIN(size - r->current_sent, (size_t) PIECE_SIZE);
                parts[0] = (struct iovec) { (void *) (data + r->current_sent), part };
                peer_send(r->peer, HOP_MORE, parts, 1);
        }
        r->current_sent += part;
        if (r->current_sent == size) {
                r->current = transaction_unref(r->current);
                r->current_sent = 0;
        }
}

/* Whether the rest may be sent once it is admitted: when it is only what waits in memory. If the writers are as fast as the
 * slave, that would never be: after a while they have to wait for it (and if it is too slow even so, it is dropped like any
 * slave that keeps a commit waiting). */
static bool has_caught_up(const struct remote *r) {
        uint64_t patience = MAX(TICKS_MISSED_MAX * r->master->config.tick_usec, CATCH_UP_SEC * USEC_PER_SEC);

        /* One that copies nothing takes no transactions before it is admitted. */
        return !r->copied || !remote_lags(r) || now_monotonic() - r->catching_up_since > patience;
}

/* A slave that reads as fast as we send would keep the loop to itself for a whole copy. */
void remote_pump(struct remote *r) {
        for (unsigned frames = 0; r->state != REMOTE_GONE && peer_has_room(r->peer); frames++) {
                if (frames == PUMP_FRAMES) {
                        peer_want_writable(r->peer);
                        return;
                }
                switch (r->state) {
                case REMOTE_COPYING:
                        if (r->snapshot && send_copy(r))
                                continue;
                        r->snapshot = store_snapshot_free(r->snapshot);
                        r->state = REMOTE_CATCHING_UP;
                        r->catching_up_since = now_monotonic();
                        continue;
                case REMOTE_CATCHING_UP:
                        if (r->current || (!has_caught_up(r) && next_transaction(r))) {
                                send_transaction(r);
                                continue;
                        }
                        if (r->state == REMOTE_GONE || !has_caught_up(r))
                                return;
                        r->state = REMOTE_ENDED;
                        peer_send(r->peer, HOP_END, NULL, 0);
                        return;
                case REMOTE_FOLLOWING:
                        if (!r->current && !next_transaction(r))
                                return;
                        send_transaction(r);
                        continue;
                default:
                        return;
                }
        }
}

int remote_acknowledged(struct remote *r, uint64_t n) {
        while (n-- > 0) {
                struct entry *e = entry_pop(&r->unacked);

                if (!e)
                        return -EBADMSG;
                entry_free(e);
        }
        return 0;
}

const struct commit *remote_oldest_awaited(const struct remote *r) {
        for (const struct entry *e = r->unacked.head; e; e = e->next)
                if (e->counts)
                        return e->commit;
        for (const struct entry *e = r->unsent.head; e; e = e->next)
                if (e->counts)
                        return e->commit;
        return NULL;
}

void remote_describe(const struct remote *r, struct master_slave *ret) {
        const struct commit *oldest = remote_oldest_awaited(r);
        uint64_t now = now_monotonic();

        *ret = (struct master_slave) {
                .id = r->id,
                .address = r->address,
                .tick_age_usec = now - MIN(now, peer_last_input(r->peer)),
                .transaction_age_usec = oldest ? MAX(now - oldest->since, UINT64_C(1)) : 0,
                .bytes_unsent = peer_unsent(r->peer) + r->unsent.bytes +
                                (r->current ? transaction_size(r->current) - r->current_sent : 0),
                .n_unacknowledged = r->unsent.n + r->unacked.n,
        };
}
