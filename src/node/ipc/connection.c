/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the bytes of one connection on the IPC port: in, out, and its end. */
#include "node/ipc/internal.h"

bool ipc_is_stranger(const struct connection *c) {
        return c->stage == STAGE_HANDSHAKE || c->stage == STAGE_FIRST_FRAME;
}

/* ---- the end of a connection ---- */

struct connection *ipc_connection_free(struct connection *c) {
        if (!c)
                return NULL;
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->deadline);
        sd_event_source_disable_unref(c->heartbeat);
        sd_event_source_disable_unref(c->health_check);
        safe_close(c->fd);
        buffer_done(&c->in);
        buffer_done(&c->out);
        free(c);
        return NULL;
}

void ipc_drop(struct connection *c) {
        struct ipc_server *s = c->server;
        enum stage was = c->stage;

        if (c->broken)
                return;
        if (ipc_is_stranger(c))
                s->n_strangers--;
        s->n_connections--;
        c->broken = true;
        c->stage = STAGE_CLOSING;
        c->io = sd_event_source_disable_unref(c->io);
        c->deadline = sd_event_source_disable_unref(c->deadline);
        c->heartbeat = sd_event_source_disable_unref(c->heartbeat);
        c->health_check = sd_event_source_disable_unref(c->health_check);
        c->fd = safe_close(c->fd);
        if (sd_event_source_set_enabled(s->sweep, SD_EVENT_ONESHOT) < 0)
                log_error("IPC: cannot schedule the sweep of closed connections");
        if (was == STAGE_CONTROLLER && s->controller == c) {
                s->controller = NULL;
                s->callbacks->gone(c->number, s->userdata);
        }
        if (was == STAGE_SUBSCRIBER) {
                s->n_subscribers--;
                ipc_check_synced(s);
        }
}

/* ---- output ---- */

static void want(struct connection *c, uint32_t events) {
        if (c->broken || c->events == events)
                return;
        if (sd_event_source_set_io_events(c->io, events) < 0)
                ipc_drop(c);
        else
                c->events = events;
}

static bool is_paused(const struct connection *c) {
        return c->stage == STAGE_CONTROLLER && (buffer_size(&c->out) > IPC_CONTROLLER_QUEUE_HIGH ||
                                                !c->server->callbacks->may_order(c->server->userdata));
}

/* The controller paused with orders in the buffer, and does not any more: nothing else would have them taken. */
static bool has_orders_left(const struct connection *c) {
        const uint8_t *body;
        size_t size;

        return c->stage == STAGE_CONTROLLER && !c->taking && frame_next(&c->in, IPC_FRAME_MAX, &body, &size) != 0;
}

static void update_events(struct connection *c) {
        bool paused;

        if (c->broken)
                return;
        paused = is_paused(c);
        want(c, (paused ? 0U : (uint32_t) EPOLLIN) |
                (buffer_size(&c->out) > 0 || (!paused && has_orders_left(c)) ? (uint32_t) EPOLLOUT : 0U));
}

/* Sends what the socket takes. */
static void flush(struct connection *c) {
        while (!c->broken && buffer_size(&c->out) > 0) {
                ssize_t n = send(c->fd, buffer_head(&c->out), buffer_size(&c->out), MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        break;
                if (n < 0) {
                        log_debug("IPC: %s: cannot send: %m", c->peer);
                        ipc_drop(c);
                        return;
                }
                buffer_consume(&c->out, (size_t) n);
        }
        /* Closing at once would discard, with what the peer has sent and we have not read, also what it has not yet read. */
        if (!c->broken && c->stage == STAGE_CLOSING && buffer_size(&c->out) == 0)
                (void) shutdown(c->fd, SHUT_WR);
        update_events(c);
}

void ipc_appended(struct connection *c, int r) {
        if (c->broken)
                return;
        if (r < 0) {
                complain(c, "IPC: %s does not read what it is sent, closing the connection: %s", c->peer, strerror(-r));
                ipc_drop(c);
                return;
        }
        /* The answers to what came together leave together. */
        if (!c->taking)
                flush(c);
}

void ipc_close_politely(struct connection *c) {
        struct ipc_server *s = c->server;

        if (c->broken)
                return;
        if (ipc_is_stranger(c))
                s->n_strangers--;
        c->stage = STAGE_CLOSING;
        buffer_clear(&c->in);
        flush(c);
}

/* ---- input ---- */

static void take_frame(struct connection *c, const uint8_t *body, size_t size) {
        switch (c->stage) {
        case STAGE_FIRST_FRAME:
                if (c->handshake.kind == IPC_KIND_HA)
                        ipc_take_control(c, body, size);
                else
                        ipc_subscribe(c, body, size);
                break;
        case STAGE_CONTROLLER:
                ipc_give_order(c, body, size);
                break;
        case STAGE_SUBSCRIBER:
                ipc_take_sync(c, body, size);
                break;
        case STAGE_HANDSHAKE:
        case STAGE_CLOSING:
                break;
        }
}

static size_t frame_limit(const struct connection *c) {
        return c->stage == STAGE_FIRST_FRAME && c->handshake.kind == IPC_KIND_HA ? (size_t) IPC_TOKEN_MAX
                                                                                  : (size_t) IPC_FRAME_MAX;
}

/* What an order does may end in ipc_server_resume(), and that must not take the frame that is being taken once more. */
void ipc_take_frames(struct connection *c) {
        if (c->taking)
                return;
        c->taking = true;
        while (!c->broken && c->stage != STAGE_CLOSING) {
                const uint8_t *body;
                size_t size;
                int r;

                if (is_paused(c)) {
                        flush(c);
                        if (c->broken || is_paused(c))
                                break;
                }
                r = frame_next(&c->in, frame_limit(c), &body, &size);
                if (r == 0)
                        break;
                if (r < 0) {
                        complain(c, "IPC: %s sent too long a frame, closing the connection", c->peer);
                        ipc_drop(c);
                        break;
                }
                take_frame(c, body, size);
                frame_consume(&c->in, size);
        }
        c->taking = false;
        if (buffer_size(&c->in) == 0)
                buffer_shrink(&c->in);
        flush(c);
}

static void shake_hands(struct connection *c) {
        int r;

        r = ipc_handshake_step(&c->handshake, &c->in, &c->out);
        if (r > 0)
                c->stage = STAGE_FIRST_FRAME;
        if (r >= 0) {
                flush(c);
                return;
        }
        if (r == -EACCES)
                complain(c, "IPC: %s has not proven the access secret (AccessFile=), refused", c->peer);
        else if (r == -EPROTONOSUPPORT)
                complain(c, "IPC: %s speaks protocol version %u, we speak %d to %d, refused", c->peer,
                         (unsigned) c->handshake.version, (int) IPC_VERSION_MIN, (int) IPC_VERSION_MAX);
        else
                complain(c, "IPC: %s is no HA or event client, refused: %s", c->peer, strerror(-r));
        ipc_close_politely(c);
}

static void read_some(struct connection *c) {
        uint8_t *p;
        ssize_t n;
        int r;

        r = buffer_reserve(&c->in, IPC_READ_SIZE, &p);
        if (r < 0) {
                ipc_drop(c);
                return;
        }
        n = recv(c->fd, p, IPC_READ_SIZE, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                if (n < 0)
                        log_debug("IPC: %s: cannot read: %m", c->peer);
                ipc_drop(c);
                return;
        }
        if (c->stage == STAGE_CLOSING)
                return;
        buffer_commit(&c->in, (size_t) n);
        if (c->stage == STAGE_HANDSHAKE)
                shake_hands(c);
        if (c->stage != STAGE_HANDSHAKE)
                ipc_take_frames(c);
}

int ipc_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct connection *c = userdata;

        if (revents & EPOLLOUT)
                flush(c);
        if (!c->broken && (revents & EPOLLIN))
                read_some(c);
        else if (!c->broken && (revents & (EPOLLHUP | EPOLLERR)))
                ipc_drop(c);
        /* Orders that were left in the buffer when there was no room for their replies. */
        if (!c->broken && (revents & EPOLLOUT) && c->stage == STAGE_CONTROLLER)
                ipc_take_frames(c);
        return 0;
}

int ipc_on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        struct connection *c = userdata;

        if (ipc_is_stranger(c))
                complain(c, "IPC: %s has not finished its handshake within %d s, closing the connection", c->peer,
                         (int) IPC_HANDSHAKE_SEC);
        ipc_drop(c);
        return 0;
}
