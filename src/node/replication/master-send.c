/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a slave is sent: the snapshot, what was committed since, and each transaction from then on.
 *
 * Nothing is encoded before the connection can take it: transactions are shared by all slaves and only referred to, so a slave
 * costs a little more than one frame. What is committed while a slave copies waits in its queue up to a limit; beyond that the
 * store keeps a log from which it is read later. The order is always the snapshot, the queue as it was when the log began,
 * the log, the rest of the queue.
 *
 * What is committed while a slave copies does not wait for it. END says that all of that has been sent: it goes out when the slave
 * has the copy on its disk and is at most a little behind, so that those that do wait, which are all from then on, wait shortly.
 * If writers are faster than a slave can catch up, that would never be; after a while they wait for it before END, too. So
 * in a slave's queue those that nobody waits for always come before those that somebody waits for.
 *
 * A copy gives way to commits: while any are under way, and shortly after, it goes on by one frame in a while. What it is sent sooner would
 * stand in front of them wherever there is a queue: in this loop, at the processors, on the link, before a disk that both nodes share. A
 * commit that is slow for it so slows it down in turn. It is sent 64 MiB a second however many writers there are, so that it ends. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/master-internal.h"

/* ---- queues ---- */

static void entry_push(struct entry_queue *q, struct entry *e) {
        TAILQ_INSERT_TAIL(&q->list, e, entries);
        q->n++;
        q->bytes += e->size;
}

static void entry_take(struct entry_queue *q, struct entry *e) {
        TAILQ_REMOVE(&q->list, e, entries);
        q->n--;
        q->bytes -= e->size;
}

static struct entry *entry_pop(struct entry_queue *q) {
        struct entry *e = TAILQ_FIRST(&q->list);

        if (e)
                entry_take(q, e);
        return e;
}

static struct entry *entry_new(struct commit *c, size_t size, bool counts) {
        struct entry *e;

        e = calloc(1, sizeof(*e));
        if (!e)
                return NULL;
        e->commit = c;
        e->size = size;
        e->end = UINT64_MAX;
        e->counts = counts;
        if (c)
                c->refs++;
        if (counts)
                c->waiting++;
        return e;
}

static void entry_free(struct entry *e) {
        if (e->counts)
                commit_released(e->commit);
        if (e->commit)
                commit_unref(e->commit);
        free(e);
}

static void queue_clear(struct entry_queue *q) {
        struct entry *e;

        while ((e = entry_pop(q)))
                entry_free(e);
}

void remote_queues_done(struct remote *r) {
        queue_clear(&r->applied);
        queue_clear(&r->unacked);
        queue_clear(&r->unsent);
        r->current_entry = NULL;
        r->current = transaction_unref(r->current);
        r->snapshot = store_snapshot_free(r->snapshot);
}

bool remote_lags(const struct remote *r) {
        return r->log_after < r->log_until;
}

bool remote_was_given(const struct remote *r, const struct commit *c) {
        return c->sequence > r->snapshot_sequence && c->sequence <= r->given;
}

/* A slave on its way has no end of time to catch up, and none at all if the writers are faster than it. */
static bool patience_is_over(struct remote *r) {
        uint64_t now = now_monotonic(), behind = r->unsent.bytes + r->log_bytes;
        uint64_t patience = MAX(TICKS_MISSED_MAX * r->master->config.tick_usec, CATCH_UP_SEC * USEC_PER_SEC);

        if (now - r->catching_up_since > patience || (r->looked > 0 && behind > r->looked_behind + BACKLOG_BYTES_MAX))
                return true;
        if (r->looked == 0 || now - r->looked < CATCH_UP_LOOK_SEC * USEC_PER_SEC) {
                if (r->looked == 0) {
                        r->looked = now;
                        r->looked_behind = behind;
                }
                return false;
        }
        if (behind > CATCH_UP_BYTES && behind >= r->looked_behind)
                return true;
        r->looked = now;
        r->looked_behind = behind;
        return false;
}

/* Whether what is committed now has to wait for this one. */
static bool is_awaited(struct remote *r) {
        if (r->state >= REMOTE_ENDED)
                return true;
        if (r->state != REMOTE_CATCHING_UP || r->master->hold || (r->copied && !r->copy_written))
                return false;
        r->awaited = r->awaited || patience_is_over(r);
        return r->awaited;
}

static bool is_logged(const struct master *m, const struct commit *c) {
        return m->log && c->logged == m->log_number;
}

static void owe_from_log(struct remote *r, const struct commit *c) {
        r->log_until = c->sequence;
        r->n_logged++;
        r->log_bytes += transaction_size(c->transaction);
}

static void queue(struct remote *r, struct commit *c, bool counts) {
        size_t size = transaction_size(c->transaction);
        struct entry *e;

        if (!counts && is_logged(r->master, c) && (remote_lags(r) || r->unsent.bytes + size > BACKLOG_BYTES_MAX)) {
                if (!remote_lags(r))
                        r->log_after = c->sequence - 1;
                owe_from_log(r, c);
                return;
        }
        e = entry_new(c, size, counts);
        if (e)
                entry_push(&r->unsent, e);
        else
                remote_drop(r, "out of memory");
}

int remote_begin(struct remote *r, bool *ret_copy, uint64_t *ret_entries, char ret_id[static TRANSACTION_ID_MAX + 1]) {
        struct master *m = r->master;
        struct commit *c;
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
        TAILQ_FOREACH(c, &m->commits, under_way)
                if (c->sent && c->sequence > r->snapshot_sequence && !(c->stored && c->result < 0)) {
                        queue(r, c, /* counts= */ false); /* sent later: ACCEPT comes first */
                        if (r->state == REMOTE_GONE)
                                break;
                }
        return 0;
}

void remote_queue(struct remote *r, struct commit *c) {
        queue(r, c, is_awaited(r));
        if (r->state == REMOTE_GONE)
                return;
        /* One that comes while the slave has nothing to do goes at once. Behind others, which it writes to its disk meanwhile, it
         * goes with all that come in this turn of the loop. */
        peer_gather(r->peer, r->unacked.n > 0);
        remote_pump(r);
        if (r->state != REMOTE_GONE)
                peer_gather(r->peer, /* on= */ false);
}

/* What comes now is sent from the log again. What was awaited is in the log, too, and before that: it comes from there as well. */
static void leave_to_log(struct remote *r) {
        for (struct entry *e = TAILQ_FIRST(&r->unsent.list), *next; e && remote_lags(r); e = next) {
                next = TAILQ_NEXT(e, entries);
                if (e->commit->sequence <= r->log_until)
                        continue;
                entry_take(&r->unsent, e);
                if (!e->commit->stored || e->commit->result >= 0)
                        owe_from_log(r, e->commit);
                entry_free(e);
        }
}

void remote_excuse(struct remote *r) {
        struct entry_queue *queues[] = { &r->applied, &r->unacked, &r->unsent };
        struct entry *e;

        r->awaited = false;
        r->looked = 0;
        for (size_t i = 0; i < ELEMENTSOF(queues); i++)
                TAILQ_FOREACH(e, &queues[i]->list, entries)
                        if (e->counts) {
                                e->counts = false;
                                commit_released(e->commit);
                        }
        leave_to_log(r);
}

/* ---- sending ---- */

/* One frame of the snapshot. Returns false with the last one: the slave may answer that at once, and is catching up then. */
static bool send_copy(struct remote *r) {
        struct master *m = r->master;
        bool more = true;
        size_t n = 0;
        int k;

        for (;;) {
                size_t part;

                if (r->record_sent == r->record_size) {
                        k = store_snapshot_next(r->snapshot, &r->record);
                        if (k < 0) {
                                log_error("Cannot read the data for a copy: %s", strerror(-k));
                                remote_drop(r, "its copy could not be read");
                                return true; /* gone */
                        }
                        if (k == 0) {
                                more = false;
                                break;
                        }
                        r->record_sent = 0;
                        r->record_size = RECORD_HEADER_SIZE + r->record.key_size + r->record.value_size;
                }
                if (n == PIECE_SIZE)
                        break;
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
        if (n > 0) {
                peer_send(r->peer, HOP_COPY, &(struct iovec) { m->piece, n }, 1);
                r->piece_sent = now_monotonic();
        }
        return more;
}

static bool gives_way(const struct remote *r) {
        struct master *m = r->master;
        uint64_t now = now_monotonic();

        if (TAILQ_EMPTY(&m->commits) && now >= m->commit_begun + GIVE_WAY_AFTER_USEC)
                return false;
        if (!r->snapshot || now >= r->piece_sent + GIVE_WAY_USEC)
                return false;
        return sd_event_source_set_time(m->copies_go_on, r->piece_sent + GIVE_WAY_USEC) >= 0 &&
               sd_event_source_set_enabled(m->copies_go_on, SD_EVENT_ONESHOT) >= 0;
}

static void begin(struct remote *r, struct entry *e, struct transaction *t) {
        r->current = t;
        r->current_entry = e;
        entry_push(&r->unacked, e);
        if (e->commit) {
                e->commit->given = true;
                r->given = e->commit->sequence;
        }
}

/* Whether some that the log is to give are not there yet. (One that failed will never be.) */
static bool log_grows(const struct remote *r) {
        struct commit *c;

        TAILQ_FOREACH(c, &r->master->commits, under_way)
                if (!c->stored && c->sequence > r->log_after && c->sequence <= r->log_until)
                        return true;
        return false;
}

void remote_misses(struct remote *r, const struct commit *c) {
        if (!is_logged(r->master, c) || c->sequence <= r->log_after || c->sequence > r->log_until)
                return;
        r->n_logged--;
        r->log_bytes -= MIN(r->log_bytes, (uint64_t) transaction_size(c->transaction));
}

/* As next_transaction(), from the log. */
static bool next_logged(struct remote *r) {
        struct master *m = r->master;
        struct transaction *t = NULL;
        uint64_t sequence;
        struct entry *e;
        int k;

        k = store_log_next(m->store, r->log_after, &t, &sequence);
        if (k < 0) {
                log_error("Cannot read the log of transactions: %s", strerror(-k));
                remote_drop(r, "what it has to be sent could not be read");
                return false;
        }
        if (k > 0 && sequence <= r->log_until) {
                r->log_after = sequence;
                r->n_logged--;
                r->log_bytes -= MIN(r->log_bytes, (uint64_t) transaction_size(t));
                e = entry_new(NULL, transaction_size(t), /* counts= */ false);
                if (e)
                        begin(r, e, t);
                else {
                        transaction_unref(t);
                        remote_drop(r, "out of memory");
                        return false;
                }
        } else {
                transaction_unref(t);
                if (log_grows(r))
                        return false;
                r->log_after = r->log_until;
        }
        if (!remote_lags(r)) {
                if (r->n_logged > 0) { /* it would go on without them, and under the id of those behind them */
                        log_error("The log of transactions lacks some that a slave has to be sent");
                        remote_drop(r, "what it has to be sent is not there any more, and it has to copy anew");
                        return false;
                }
                r->log_bytes = 0;
                master_update_log(m);
        }
        return true;
}

/* What comes next, from the queue or the log, into r->current. Returns false if there is nothing (now). */
static bool next_transaction(struct remote *r) {
        struct entry *e;

        while (!r->current) {
                e = TAILQ_FIRST(&r->unsent.list);
                /* Either older than what is in the log, or there is nothing in the log for this one. */
                if (e && (!remote_lags(r) || e->commit->sequence <= r->log_after)) {
                        (void) entry_pop(&r->unsent);
                        if (e->commit->stored && e->commit->result < 0)
                                entry_free(e);
                        else
                                begin(r, e, transaction_ref(e->commit->transaction));
                } else if (!remote_lags(r) || !next_logged(r))
                        return false;
        }
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
                /* It is there as long as there is a transaction. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
                r->current_entry->end = peer_queued(r->peer);
                r->current_entry = NULL;
                r->current = transaction_unref(r->current);
                r->current_sent = 0;
        }
}

/* Whether all is sent that nobody waits for, and the slave will soon have it. */
static bool has_caught_up(const struct remote *r) {
        const struct entry *e = TAILQ_FIRST(&r->unsent.list);

        return !r->current && !remote_lags(r) && (!e || e->counts) && (!r->copied || r->copy_written) &&
               r->unacked.bytes <= CATCH_UP_BYTES;
}

/* A slave that reads as fast as we send would keep the loop to itself for a whole copy. */
void remote_pump(struct remote *r) {
        for (unsigned frames = 0; r->state != REMOTE_GONE && peer_has_room(r->peer); frames++) {
                if (r->state == REMOTE_COPYING && gives_way(r))
                        return;
                if (frames >= (r->state == REMOTE_COPYING ? PUMP_COPY_FRAMES : PUMP_FRAMES)) {
                        peer_want_writable(r->peer);
                        return;
                }
                switch (r->state) {
                case REMOTE_COPYING:
                        if ((r->snapshot && send_copy(r)) || r->state == REMOTE_GONE)
                                continue;
                        r->snapshot = store_snapshot_free(r->snapshot);
                        r->state = REMOTE_CATCHING_UP;
                        r->catching_up_since = now_monotonic();
                        continue;
                case REMOTE_CATCHING_UP:
                        if (!r->master->hold && has_caught_up(r)) {
                                r->state = REMOTE_ENDED;
                                peer_send(r->peer, HOP_END, NULL, 0);
                                master_update_log(r->master);
                                return;
                        }
                        break;
                case REMOTE_ADMITTED:
                case REMOTE_FOLLOWING:
                        break;
                default:
                        return;
                }
                if (!next_transaction(r))
                        return;
                send_transaction(r);
        }
}

static int on_copies_go_on(sd_event_source *source, uint64_t usec, void *userdata) {
        struct master *m = userdata;

        for (struct remote *r = TAILQ_FIRST(&m->remotes), *next; r; r = next) {
                next = TAILQ_NEXT(r, remotes);
                if (r->state == REMOTE_COPYING)
                        remote_pump(r);
        }
        return 0;
}

int copies_new(struct master *m) {
        int r;

        r = sd_event_add_time(m->event, &m->copies_go_on, CLOCK_MONOTONIC, 0, /* accuracy= */ 1, on_copies_go_on, m);
        return r < 0 ? r : sd_event_source_set_enabled(m->copies_go_on, SD_EVENT_OFF);
}

/* ---- what it says of that ---- */

int remote_acknowledged(struct remote *r, uint64_t n) {
        struct entry *e;

        while (n-- > 0) {
                e = TAILQ_FIRST(&r->unacked.list);
                if (!e || e == r->current_entry)
                        return -EBADMSG;
                (void) entry_pop(&r->unacked);
                /* Of those before END it says only that they have come as far as the copy. */
                if (e->counts && r->copied && r->state <= REMOTE_ENDED)
                        entry_push(&r->applied, e);
                else
                        entry_free(e);
        }
        return 0;
}

void remote_is_durable(struct remote *r) {
        queue_clear(&r->applied);
        queue_clear(&r->unacked);
}

const struct entry *remote_oldest_awaited(const struct remote *r) {
        const struct entry_queue *queues[] = { &r->applied, &r->unacked, &r->unsent };
        const struct entry *e;

        /* Once it has been sent END all that is owed to it counts, and the first one is it. */
        for (size_t i = 0; i < ELEMENTSOF(queues); i++)
                TAILQ_FOREACH(e, &queues[i]->list, entries)
                        if (e->counts)
                                return e;
        return NULL;
}

void remote_describe(const struct remote *r, struct master_slave *ret) {
        const struct entry *oldest = remote_oldest_awaited(r);
        uint64_t now = now_monotonic();

        *ret = (struct master_slave) {
                .id = r->id,
                .address = r->address,
                .tick_age_usec = now - MIN(now, peer_last_input(r->peer)),
                .transaction_age_usec = oldest ? MAX(now - oldest->commit->since, UINT64_C(1)) : 0,
                .bytes_unsent = peer_unsent(r->peer) + r->unsent.bytes +
                                (r->current ? transaction_size(r->current) - r->current_sent : 0),
                .n_unacknowledged = r->unsent.n + r->unacked.n,
        };
}
