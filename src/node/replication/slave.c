/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the following side's connection: connect, prove, tick, end.
 *
 * A copy is written beside the data in force. When the master says that we have everything that nobody waits for (END) it is
 * made durable, and we say so (READY); only then (ADMIT) does it take the place of the old data. From END on every commit
 * waits for us: we have everything that was ever acknowledged when we say that it is in force (IN_FORCE), and only then does
 * the master count us (ARRIVED). So a join that breaks before ADMIT has changed nothing, and one that succeeds is known to both
 * sides. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/slave-internal.h"

static const char *master_text(const struct slave *s, char buf[static NODE_ID_TEXT_MAX + NODE_ADDRESS_TEXT_MAX + 8]) {
        char name[NODE_ID_TEXT_MAX], address[NODE_ADDRESS_TEXT_MAX];

        (void) snprintf(buf, NODE_ID_TEXT_MAX + NODE_ADDRESS_TEXT_MAX + 8, "%s at %s", node_id_text(&s->master_id, name),
                        node_address_text(&s->address, address));
        return buf;
}
#define MASTER_TEXT(s) master_text((s), (char[NODE_ID_TEXT_MAX + NODE_ADDRESS_TEXT_MAX + 8]) { 0 })

/* Lets go of everything; the outcome is told from the loop. */
void slave_end(struct slave *s, enum ha_error code, const char *format, ...) {
        va_list ap;

        if (s->state == SLAVE_OVER)
                return;
        s->state = SLAVE_OVER;
        s->code = code;
        va_start(ap, format);
        if (vasprintf(&s->reason, format, ap) < 0)
                s->reason = NULL;
        va_end(ap);
        s->peer = peer_free(s->peer);
        s->stuck = transaction_unref(s->stuck);
        s->deadline = sd_event_source_disable_unref(s->deadline);
        s->timer = sd_event_source_disable_unref(s->timer);
        buffer_shrink(&s->stream);
        buffer_shrink(&s->incoming);
        if (s->swapping)
                return; /* whether the new data is in force will show soon; then it is told */
        s->copy = store_copy_free(s->copy);
        slave_tell(s);
}

void slave_tell(struct slave *s) {
        (void) sd_event_source_set_enabled(s->defer, SD_EVENT_ONESHOT);
}

/* Tells the outcome, and nothing after that: the receiver may free us. */
static int on_defer(sd_event_source *source, void *userdata) {
        struct slave *s = userdata;
        const char *reason = s->reason ?: "out of memory";

        if (s->in_force && !s->joined) {
                s->joined = true;
                if (s->state == SLAVE_OVER) /* already; that is told next */
                        (void) sd_event_source_set_enabled(s->defer, SD_EVENT_ONESHOT);
                log_notice("Following master %s, %s", MASTER_TEXT(s),
                           s->copied ? "its data was copied" : "with the same data, nothing was copied");
                if (s->callbacks.joined)
                        s->callbacks.joined(s, s->copied, s->userdata);
        } else if (s->joined) {
                log_notice("Lost master %s (%s): %s", MASTER_TEXT(s), ha_error_name(s->code), reason);
                if (s->callbacks.lost)
                        s->callbacks.lost(s, s->code, reason, s->userdata);
        } else {
                log_warning("Cannot become slave of %s (%s): %s", MASTER_TEXT(s), ha_error_name(s->code), reason);
                if (s->callbacks.failed)
                        s->callbacks.failed(s, s->code, reason, s->userdata);
        }
        return 0;
}

void slave_end_store(struct slave *s, int error) {
        slave_end(s, HA_ERROR_CLOSED, "cannot store the master's data: %s%s", strerror(-error),
            error == -ENOSPC ? " (the old data is kept; make space, then give the order again)" : "");
}

void slave_malformed(struct slave *s, const char *what) {
        slave_end(s, HA_ERROR_CLOSED, "the master sent a malformed or unexpected %s", what);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        struct slave *s = userdata;

        if (s->state == SLAVE_IN_FORCE)
                slave_arrived(s);
        else if (now_monotonic() > usec + USEC_PER_SEC)
                slave_await(s, JOIN_CONNECT_SEC * USEC_PER_SEC); /* we have been asleep ourselves */
        else if (s->state <= SLAVE_CONNECTING)
                slave_end(s, HA_ERROR_CONNECT, "no connection within %d s", JOIN_CONNECT_SEC);
        else
                slave_end(s, HA_ERROR_CLOSED, "connected, but no answer within %d s", JOIN_CONNECT_SEC);
        return 0;
}

void slave_await(struct slave *s, uint64_t usec) {
        int r;

        s->deadline = sd_event_source_disable_unref(s->deadline);
        r = sd_event_add_time_relative(s->event, &s->deadline, CLOCK_MONOTONIC, usec, 0, on_deadline, s);
        if (r < 0)
                slave_end(s, HA_ERROR_CLOSED, "%s", strerror(-r));
}

void slave_arrived(struct slave *s) {
        s->deadline = sd_event_source_disable_unref(s->deadline);
        s->state = SLAVE_FOLLOWING;
        slave_tell(s);
}

static void send_tick(struct slave *s) {
        uint8_t buf[TICK_MESSAGE_SIZE];

        s->last_tick = now_monotonic();
        if (!peer_has_room(s->peer))
                return;
        tick_message_encode(s->depth, buf);
        peer_send(s->peer, HOP_TICK, &(struct iovec) { buf, sizeof(buf) }, 1);
}

/* How long the master may be silent: three ticks once we follow, the synchronization's limit before. While we ourselves do
 * not read, because the disk is slower than the network, nothing can be heard, and while we are busy with it the master
 * need not say anything. */
static uint64_t silence_limit(const struct slave *s) {
        if (peer_is_paused(s->peer) || s->busy)
                return 0;
        return s->state >= SLAVE_IN_FORCE ? TICKS_MISSED_MAX * s->config.tick_usec : s->config.sync_timeout_usec;
}

void slave_set_timer(struct slave *s) {
        uint64_t next = USEC_INFINITY, limit = silence_limit(s), now = now_monotonic();

        if (!s->timer)
                return; /* on_accept() is still at it */
        if (s->tick_usec > 0)
                next = s->last_tick + s->tick_usec;
        if (limit > 0)
                next = MIN(next, peer_last_input(s->peer) + limit);
        if (next == USEC_INFINITY) {
                (void) sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
                return;
        }
        (void) sd_event_source_set_time(s->timer, MAX(next, now + USEC_PER_MSEC));
        (void) sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

void slave_set_busy(struct slave *s, bool busy) {
        s->busy = busy;
        peer_forgive(s->peer);
        slave_set_timer(s);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct slave *s = userdata;
        uint64_t now = now_monotonic(), limit = silence_limit(s);

        /* We have been asleep ourselves. Who has not listened cannot say that others were silent. */
        if (now >= usec + (s->tick_usec > 0 ? s->tick_usec : limit / TICKS_MISSED_MAX)) {
                peer_forgive(s->peer);
                s->last_tick = 0;
        }
        if (limit > 0 && peer_last_input(s->peer) + limit <= now) {
                if (s->state >= SLAVE_IN_FORCE)
                        slave_end(s, HA_ERROR_NOTICK, "three intervals without a tick");
                else
                        slave_end(s, HA_ERROR_CLOSED, "the synchronization was silent for %.1f s", (double) limit / USEC_PER_SEC);
                return 0;
        }
        if (s->tick_usec > 0 && s->last_tick + s->tick_usec <= now + s->tick_usec / 8)
                send_tick(s);
        if (s->state != SLAVE_OVER)
                slave_set_timer(s);
        return 0;
}

/* ---- the connection ---- */

static void on_accept(struct slave *s, const struct hop_frame *frame) {
        struct accept_message accept;
        int r;

        if (accept_message_decode(frame->body, frame->size, &accept) < 0) {
                slave_malformed(s, "ACCEPT");
                return;
        }
        /* The master has checked all that, too; but it is us who would follow. */
        if (!node_id_equal(hop_peer(peer_hop(s->peer)), &s->master_id) || node_path_contains(&accept.path, &s->id)) {
                slave_end(s, HA_ERROR_BADNAME, "the node there has another name, or follows us");
                return;
        }
        s->path = accept.path;
        s->deadline = sd_event_source_disable_unref(s->deadline);
        s->tick_usec = tick_interval(s->config.tick_usec, accept.tick_usec);
        s->last_tick = now_monotonic();
        s->state = SLAVE_COPYING;
        s->copied = accept.copy;
        if (accept.copy) {
                r = slave_begin_copy(s, &accept);
                if (r < 0)
                        slave_end_store(s, r);
                if (s->state == SLAVE_OVER)
                        return;
                log_info("Copying %llu entries from master %s", (unsigned long long) accept.entries, MASTER_TEXT(s));
        }
        r = sd_event_add_time(s->event, &s->timer, CLOCK_MONOTONIC, 0, s->tick_usec / 16 + 1, on_timer, s);
        if (r < 0)
                slave_end(s, HA_ERROR_CLOSED, "%s", strerror(-r));
        else
                slave_set_timer(s);
}

static void on_refused(struct slave *s, const struct hop_frame *frame) {
        _cleanup_free_ char *reason = NULL;
        enum ha_error code;

        if (hop_parse_refuse(frame->body, frame->size, &code, &reason) < 0)
                slave_malformed(s, "refusal");
        else if (code != HA_ERROR_CONNECT && code != HA_ERROR_BADNAME && code != HA_ERROR_BADFXS)
                slave_end(s, HA_ERROR_CLOSED, "refused: %s", reason);
        else
                slave_end(s, code, "refused: %s", reason);
}

static void on_path(struct slave *s, const struct hop_frame *frame) {
        struct node_path path;

        if (node_path_decode(frame->body, frame->size, &path) < 0) {
                slave_malformed(s, "path");
                return;
        }
        if (node_path_contains(&path, &s->id)) {
                slave_end(s, HA_ERROR_CLOSED, "a node above us has taken our name");
                return;
        }
        s->path = path;
        if (s->callbacks.path)
                s->callbacks.path(s, &s->path, s->userdata);
}

static bool handle(struct slave *s, const struct hop_frame *frame) {
        bool transactions = (s->state == SLAVE_COPYING && s->entries == 0) || s->state == SLAVE_IN_FORCE ||
                            s->state == SLAVE_FOLLOWING;
        unsigned depth;

        switch (frame->type) {
        case HOP_REFUSE:
                if (s->state != SLAVE_PROVING)
                        return false;
                on_refused(s, frame);
                return true;
        case HOP_ACCEPT:
                if (s->state != SLAVE_PROVING)
                        return false;
                on_accept(s, frame);
                return true;
        case HOP_COPY:
                if (s->state != SLAVE_COPYING)
                        return false;
                slave_on_copy(s, frame);
                return true;
        case HOP_TRANSACTION:
        case HOP_MORE:
                if (!transactions || (frame->type == HOP_MORE && s->incoming_size == 0))
                        return false;
                slave_on_piece(s, frame);
                return true;
        case HOP_END:
                if (s->state != SLAVE_COPYING)
                        return false;
                slave_on_end(s);
                return true;
        case HOP_ADMIT:
                if (s->state != SLAVE_READY)
                        return false;
                slave_on_admit(s);
                return true;
        case HOP_ARRIVED:
                if (s->state < SLAVE_IN_FORCE)
                        return false;
                if (s->state == SLAVE_IN_FORCE)
                        slave_arrived(s);
                return true;
        case HOP_TICK:
                return s->state != SLAVE_PROVING && tick_message_decode(frame->body, frame->size, &depth) >= 0;
        case HOP_PATH:
                if (s->state == SLAVE_PROVING)
                        return false;
                on_path(s, frame);
                return true;
        default:
                return false;
        }
}

static void on_frame(struct peer *p, const struct hop_frame *frame, void *userdata) {
        struct slave *s = userdata;

        if (!handle(s, frame))
                slave_end(s, HA_ERROR_CLOSED, "the master sent a frame of type %d, which does not belong here (we are at step %d of the join)",
                    (int) frame->type, (int) s->state);
        else if (s->state != SLAVE_OVER && s->peer && peer_is_paused(s->peer))
                slave_set_timer(s);
}

static void on_connected(struct peer *p, void *userdata) {
        struct slave *s = userdata;

        s->state = SLAVE_PROVING;
        slave_await(s, JOIN_CONNECT_SEC * USEC_PER_SEC);
}

static void on_authenticated(struct peer *p, void *userdata) {
        struct slave *s = userdata;
        struct join_message join = { .tick_usec = s->config.tick_usec };
        uint8_t buf[MESSAGE_SIZE_MAX];

        memcpy(join.schema, s->config.schema.digest, sizeof(join.schema));
        strcpy(join.transaction_id, store_transaction_id(s->store));
        peer_send(p, HOP_JOIN, &(struct iovec) { buf, join_message_encode(&join, buf) }, 1);
}

static void on_writable(struct peer *p, void *userdata) {
        slave_acknowledge(userdata);
}

static void on_closed(struct peer *p, enum ha_error error, const char *reason, void *userdata) {
        slave_end(userdata, error, "%s", reason);
}

static const struct peer_callbacks callbacks = {
        .connected = on_connected,
        .authenticated = on_authenticated,
        .frame = on_frame,
        .writable = on_writable,
        .closed = on_closed,
};

/* The master sees us under our own HA address, not under whichever the kernel would choose. */
static int bind_own(int fd, const struct node_address *own, sa_family_t family) {
        struct sockaddr_storage storage;
        struct node_address any_port = *own;
        socklen_t size;
        int one = 1, r;

        if (own->family != family || (family == AF_INET ? own->ip4.s_addr == htonl(INADDR_ANY) : IN6_IS_ADDR_UNSPECIFIED(&own->ip6)))
                return 0;
        any_port.port = 0;
        r = node_address_to_sockaddr(&any_port, 0, &storage, &size);
        if (r < 0)
                return r;
        (void) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
        return bind(fd, (struct sockaddr *) &storage, size) < 0 ? -errno : 0;
}

static int slave_connect(struct slave *s) {
        _cleanup_close_ int fd = -EBADF;
        char text[NODE_ADDRESS_TEXT_MAX];
        struct sockaddr_storage storage;
        socklen_t size;
        int r;

        r = node_address_to_sockaddr(&s->address, s->config.ha_address.port, &storage, &size);
        if (r < 0) {
                slave_end(s, HA_ERROR_CONNECT, "the master's address cannot be used: %s", strerror(-r));
                return 0;
        }
        fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
                slave_end(s, HA_ERROR_CONNECT, "cannot make a socket: %s", strerror(errno));
                return 0;
        }
        r = bind_own(fd, &s->config.ha_address, storage.ss_family);
        if (r < 0) {
                slave_end(s, HA_ERROR_CONNECT, "cannot use our own HA address %s for the connection: %s",
                    node_address_text(&s->config.ha_address, text), strerror(-r));
                return 0;
        }
        if (connect(fd, (struct sockaddr *) &storage, size) < 0 && errno != EINPROGRESS) {
                slave_end(s, HA_ERROR_CONNECT, "%s", strerror(errno));
                return 0;
        }
        s->state = SLAVE_CONNECTING;
        return peer_new(s->event, TAKE_FD(fd), /* connecting= */ true, TAKE_PTR(s->hop), &callbacks, s, &s->peer);
}

/* The transaction id that we are going to tell is the last one now: nothing is on its way to the disk any more. */
static void on_settled(int result, void *userdata) {
        struct slave *s = userdata;
        int r;

        if (s->state != SLAVE_SETTLING)
                return;
        r = slave_connect(s);
        if (r < 0)
                slave_end(s, HA_ERROR_CONNECT, "%s", strerror(-r));
}

int slave_new(sd_event *event, struct store *store, const struct replication_config *config, const struct node_id *id,
              const struct node_id *master_id, const struct node_address *address, const struct secret *token,
              const struct slave_callbacks *slave_callbacks, void *userdata, struct slave **ret) {
        _cleanup_(slave_freep) struct slave *s = NULL;
        int r;

        if (id->size == 0 || master_id->size == 0 || token->size > TOKEN_SIZE_MAX)
                return -EINVAL;
        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->store = store;
        s->config = *config;
        s->id = *id;
        s->master_id = *master_id;
        s->address = *address;
        if (slave_callbacks)
                s->callbacks = *slave_callbacks;
        s->userdata = userdata;
        s->stream = BUFFER_INIT(RECORD_SIZE_MAX + HOP_BODY_MAX);
        s->incoming = BUFFER_INIT(TRANSACTION_DATA_MAX);
        s->chain = store_chain_new(store);
        LIST_INIT(&s->following);
        r = sd_event_add_defer(event, &s->defer, on_defer, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->defer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &s->acknowledge, slave_on_acknowledge, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->acknowledge, SD_EVENT_OFF);
        if (r >= 0)
                r = hop_new_joining(id, master_id, token, &s->hop);
        if (r >= 0)
                r = store_barrier(store, on_settled, s);
        if (r < 0)
                return r;
        slave_await(s, JOIN_CONNECT_SEC * USEC_PER_SEC);
        if (token->size == 0)
                slave_end(s, HA_ERROR_BADTOKEN, "%s", hop_reason(s->hop));
        *ret = TAKE_PTR(s);
        return 0;
}

struct slave *slave_free(struct slave *s) {
        if (!s)
                return NULL;
        store_barrier_cancel(s->store, s);
        peer_free(s->peer);
        hop_free(s->hop);
        slave_receive_done(s);
        sd_event_source_disable_unref(s->defer);
        sd_event_source_disable_unref(s->acknowledge);
        sd_event_source_disable_unref(s->deadline);
        sd_event_source_disable_unref(s->timer);
        sd_event_unref(s->event);
        free(s->reason);
        free(s);
        return NULL;
}

bool slave_is_joined(const struct slave *s) {
        return s->joined && s->state == SLAVE_FOLLOWING;
}

const struct node_path *slave_path(const struct slave *s) {
        return &s->path;
}

void slave_set_depth(struct slave *s, unsigned depth) {
        if (s->depth == depth)
                return;
        s->depth = depth;
        if (s->state == SLAVE_FOLLOWING)
                send_tick(s);
}

void slave_progresses(struct slave *s) {
        uint8_t buf[ACK_MESSAGE_SIZE];

        if (s->state != SLAVE_FOLLOWING || s->to_acknowledge > 0 || !peer_has_room(s->peer))
                return;
        ack_message_encode(/* transactions= */ 0, buf);
        peer_send(s->peer, HOP_ACK, &(struct iovec) { buf, sizeof(buf) }, 1);
}
