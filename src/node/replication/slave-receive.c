/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a slave receives: the copy and the transactions, until they are durable. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/slave-internal.h"

/* ---- transactions ---- */

void slave_acknowledge(struct slave *s) {
        uint8_t buf[ACK_MESSAGE_SIZE];

        if (s->to_acknowledge == 0 || !s->peer || !peer_has_room(s->peer))
                return;
        ack_message_encode(s->to_acknowledge, buf);
        s->to_acknowledge = 0;
        peer_send(s->peer, HOP_ACK, &(struct iovec) { buf, sizeof(buf) }, 1);
}

int slave_on_acknowledge(sd_event_source *source, void *userdata) {
        slave_acknowledge(userdata);
        return 0;
}

/* The store tells of all that shared an fsync in one go: they share an ACK, too. */
static void acknowledge_one_more(struct slave *s) {
        s->to_acknowledge++;
        (void) sd_event_source_set_enabled(s->acknowledge, SD_EVENT_ONESHOT);
}

static bool follow_submit(struct slave *s, struct transaction *t);

static void be_ready(struct slave *s) {
        slave_set_busy(s, false);
        s->to_acknowledge = 0; /* READY says it of all of them */
        s->state = SLAVE_READY;
        peer_send(s->peer, HOP_READY, NULL, 0);
}

static void on_followed(int result, struct transaction *stored, void *userdata) {
        struct follow *f = userdata;
        struct slave *s = f->slave;
        struct transaction *t;

        if (s)
                LIST_REMOVE(f, following);
        free(f);
        if (!s || s->state == SLAVE_OVER)
                return;
        if (result < 0) {
                slave_end_store(s, result);
                return;
        }
        acknowledge_one_more(s);
        if (s->state == SLAVE_FINISHING && LIST_EMPTY(&s->following)) {
                be_ready(s);
                return;
        }
        if (s->stuck) {
                t = TAKE_PTR(s->stuck);
                if (follow_submit(s, t) && s->state != SLAVE_OVER) {
                        peer_resume(s->peer);
                        slave_set_timer(s);
                }
                transaction_unref(t);
        }
}

/* Returns false when it has to be tried again once another is through. */
static bool follow_submit(struct slave *s, struct transaction *t) {
        struct follow *f;
        int r;

        f = calloc(1, sizeof(*f));
        if (!f) {
                slave_end(s, HA_ERROR_CLOSED, "out of memory");
                return true;
        }
        f->slave = s;
        r = s->callbacks.follow ? s->callbacks.follow(s, s->chain, t, on_followed, f, s->userdata)
                                : store_commit_chained(s->store, s->chain, t, on_followed, f);
        if (r < 0) {
                free(f);
                if (r == -EBUSY && !LIST_EMPTY(&s->following)) {
                        s->stuck = transaction_ref(t);
                        peer_pause(s->peer);
                        return false;
                }
                slave_end_store(s, r);
                return true;
        }
        LIST_INSERT_HEAD(&s->following, f, following);
        return true;
}

/* It has come as far as the copy. */
static void on_applied(int result, struct transaction *t, void *userdata) {
        struct slave *s = userdata;

        if (result < 0) {
                slave_end_store(s, result);
                return;
        }
        acknowledge_one_more(s);
}

static void on_transaction(struct slave *s) {
        struct transaction *t;
        int r;

        r = transaction_from_data(buffer_head(&s->incoming), buffer_size(&s->incoming), &t);
        buffer_clear(&s->incoming);
        if (s->incoming.allocated > (size_t) 1024 * 1024)
                buffer_shrink(&s->incoming);
        s->incoming_size = 0;
        if (r < 0) {
                slave_malformed(s, "transaction");
                return;
        }
        if (s->state == SLAVE_COPYING && s->copy) {
                strcpy(s->transaction_id, transaction_id(t));
                r = store_copy_apply(s->copy, t, on_applied, s);
                if (r < 0)
                        slave_end_store(s, r);
                else if (store_copy_pending(s->copy) > COPY_PENDING_MAX)
                        peer_pause(s->peer);
        } else
                (void) follow_submit(s, t);
        transaction_unref(t);
}

void slave_on_piece(struct slave *s, const struct hop_frame *frame) {
        const uint8_t *p = frame->body;
        size_t n = frame->size;

        if (frame->type == HOP_TRANSACTION) {
                if (s->incoming_size > 0 || transaction_header_decode(p, n, &s->incoming_size) < 0) {
                        slave_malformed(s, "transaction");
                        return;
                }
                p += TRANSACTION_HEADER_SIZE;
                n -= TRANSACTION_HEADER_SIZE;
        }
        if (n == 0 || n > s->incoming_size - MIN(s->incoming_size, buffer_size(&s->incoming))) {
                slave_malformed(s, "transaction");
                return;
        }
        if (buffer_append(&s->incoming, p, n) < 0) {
                slave_end(s, HA_ERROR_CLOSED, "out of memory");
                return;
        }
        if (buffer_size(&s->incoming) == s->incoming_size)
                on_transaction(s);
}

/* ---- the copy ---- */

static void on_drained(int result, void *userdata) {
        struct slave *s = userdata;

        if (result < 0)
                slave_end_store(s, result);
        else if (peer_is_paused(s->peer) && store_copy_pending(s->copy) <= COPY_PENDING_LOW) {
                peer_resume(s->peer);
                slave_set_timer(s);
        }
}

static void on_copied(int result, void *userdata) {
        struct slave *s = userdata;

        if (result == -EBADMSG)
                slave_malformed(s, "copy (entries out of order)");
        else if (result < 0)
                slave_end_store(s, result);
        else {
                slave_set_busy(s, false);
                peer_send(s->peer, HOP_COPIED, NULL, 0);
        }
}

/* The great part is written to the disk now: nobody waits for us yet. */
static void copy_is_complete(struct slave *s) {
        int r = 0;

        if (buffer_size(&s->stream) > 0) {
                slave_malformed(s, "entry of the copy");
                return;
        }
        buffer_shrink(&s->stream);
        r = store_copy_sync(s->copy, on_copied, s);
        if (r < 0)
                slave_end_store(s, r);
        else
                slave_set_busy(s, true);
}

void slave_on_copy(struct slave *s, const struct hop_frame *frame) {
        const uint8_t *p;
        size_t have, key_size, value_size;
        int r;

        if (!s->copy || (s->entries == 0) || buffer_append(&s->stream, frame->body, frame->size) < 0) {
                slave_malformed(s, "piece of the copy");
                return;
        }
        while ((have = buffer_size(&s->stream)) >= RECORD_HEADER_SIZE) {
                p = buffer_head(&s->stream);
                if (record_header_decode(p, &key_size, &value_size) < 0 || s->entries == 0) {
                        slave_malformed(s, "entry of the copy");
                        return;
                }
                if (have < RECORD_HEADER_SIZE + key_size + value_size)
                        break;
                p += RECORD_HEADER_SIZE;
                r = store_copy_put(s->copy, (const char *) p, key_size, p + key_size, value_size);
                if (r < 0) {
                        if (r == -EINVAL)
                                slave_malformed(s, "entry of the copy");
                        else
                                slave_end_store(s, r);
                        return;
                }
                s->entries--;
                buffer_consume(&s->stream, RECORD_HEADER_SIZE + key_size + value_size);
        }
        if (store_copy_pending(s->copy) > COPY_PENDING_MAX)
                peer_pause(s->peer);
        if (s->entries == 0)
                copy_is_complete(s);
}

static void on_finished(int result, void *userdata) {
        struct slave *s = userdata;

        if (result == -EBADMSG)
                slave_malformed(s, "copy (entries out of order)");
        else if (result < 0)
                slave_end_store(s, result);
        else
                be_ready(s);
}

void slave_on_end(struct slave *s) {
        int r;

        if (s->entries > 0 || buffer_size(&s->stream) > 0 || s->incoming_size > 0) {
                slave_malformed(s, "end of the copy");
                return;
        }
        s->state = SLAVE_FINISHING;
        slave_set_busy(s, true);
        if (!s->copy) {
                if (LIST_EMPTY(&s->following))
                        be_ready(s);
                return;
        }
        r = store_copy_finish(s->copy, s->transaction_id, on_finished, s);
        if (r < 0)
                slave_end_store(s, r);
}

static void be_in_force(struct slave *s) {
        s->in_force = true;
        if (s->state == SLAVE_OVER) {
                slave_tell(s);
                return;
        }
        s->state = SLAVE_IN_FORCE;
        peer_send(s->peer, HOP_IN_FORCE, NULL, 0);
        slave_await(s, ARRIVED_SEC * USEC_PER_SEC);
        slave_set_timer(s);
}

static void on_swapped(int result, void *userdata) {
        struct slave *s = userdata;

        s->swapping = false;
        s->copy = store_copy_free(s->copy);
        if (result < 0) {
                if (s->state == SLAVE_OVER)
                        slave_tell(s);
                else
                        slave_end_store(s, result);
                return;
        }
        if (s->state != SLAVE_OVER)
                peer_resume(s->peer);
        be_in_force(s);
}

/* What comes behind the admission is for the new data. Nothing of it is read before that is in force. */
void slave_on_admit(struct slave *s) {
        int r;

        if (!s->copy) {
                be_in_force(s);
                return;
        }
        r = store_copy_swap(s->copy, s->chain, on_swapped, s);
        if (r < 0) {
                slave_end_store(s, r);
                return;
        }
        s->swapping = true;
        s->state = SLAVE_SWAPPING;
        peer_pause(s->peer);
        if (s->callbacks.settling)
                s->callbacks.settling(s, s->userdata);
}

int slave_begin_copy(struct slave *s, const struct accept_message *accept) {
        int r;

        r = store_copy_new(s->store, &s->copy);
        if (r < 0)
                return r;
        store_copy_set_drained_callback(s->copy, on_drained, s);
        s->entries = accept->entries;
        strcpy(s->transaction_id, accept->transaction_id);
        if (s->entries == 0)
                copy_is_complete(s);
        return 0;
}

/* The owner goes: the store's callbacks for what is under way find nobody. */
void slave_receive_done(struct slave *s) {
        struct follow *f;

        while ((f = LIST_FIRST(&s->following))) {
                LIST_REMOVE(f, following);
                f->slave = NULL;
        }
        s->copy = store_copy_free(s->copy);
        s->stuck = transaction_unref(s->stuck);
        buffer_done(&s->stream);
        buffer_done(&s->incoming);
}
