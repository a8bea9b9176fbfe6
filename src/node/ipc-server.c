/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the connections on the IPC port. */
#include <netinet/tcp.h>
#include <sys/queue.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "lib/frame.h"
#include "node/ipc-handshake.h"
#include "node/ipc-listen.h"
#include "node/ipc-server.h"
#include "node/ipc-terms.h"

enum { READ_SIZE = 4096, STRANGER_QUEUE_MAX = 256, DISCARD_MAX = 64 * 1024 };

enum stage {
        STAGE_HANDSHAKE,
        STAGE_FIRST_FRAME, /* the token or the subscription is awaited */
        STAGE_CONTROLLER,
        STAGE_SUBSCRIBER,
        STAGE_CLOSING,     /* what is queued still goes out; what comes is thrown away until the peer closes too */
};

struct connection {
        TAILQ_ENTRY(connection) connections;
        struct ipc_server *server;
        uint64_t number;
        int fd;
        enum stage stage;
        sd_event_source *io;
        sd_event_source *deadline;
        struct buffer in, out;
        struct ipc_handshake handshake;
        uint32_t events;           /* that io waits for */
        bool taking;               /* its frames are being taken */
        bool broken;               /* to be freed as soon as nobody is using it */
        char peer[64];

        /* subscribers */
        struct ipc_subscription subscription;
        sd_event_source *heartbeat, *health_check;
        unsigned unacknowledged;
        bool late;                 /* has let a hold time out: not waited for until it has caught up */
};
TAILQ_HEAD(connection_list, connection);

struct ipc_server {
        sd_event *event;
        const struct secret *secret;
        const struct ipc_callbacks *callbacks;
        void *userdata;

        struct ipc_listener listener;
        sd_event_source *accept;
        sd_event_source *accept_again; /* after descriptors ran out */
        sd_event_source *sweep;        /* frees broken connections from the loop, where nobody holds one */
        struct connection_list connections;
        unsigned n_connections, n_strangers, n_subscribers;
        uint64_t last_number;
        struct connection *controller;

        bool syncing;
        sd_event_source *sync_timer;

        uint64_t complaints_since;
        unsigned complaints;
};

static bool is_stranger(const struct connection *c) {
        return c->stage == STAGE_HANDSHAKE || c->stage == STAGE_FIRST_FRAME;
}

/* Messages about peers are limited: a flood on the port must not become one in the journal. */
enum { COMPLAINTS_MAX = 10 };

static bool may_complain(struct ipc_server *s) {
        uint64_t now = now_monotonic();

        if (now - s->complaints_since >= 10 * USEC_PER_SEC) {
                if (s->complaints > COMPLAINTS_MAX)
                        log_warning("IPC: %u more connections were refused or cut", s->complaints - COMPLAINTS_MAX);
                s->complaints_since = now;
                s->complaints = 0;
        }
        return ++s->complaints <= COMPLAINTS_MAX;
}

#define complain(c, ...) \
        do { \
                if (may_complain((c)->server)) \
                        log_warning(__VA_ARGS__); \
        } while (0)

/* ---- the end of a connection ---- */

static struct connection *connection_free(struct connection *c) {
        if (!c)
                return NULL;
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->deadline);
        sd_event_source_disable_unref(c->heartbeat);
        sd_event_source_disable_unref(c->health_check);
        safe_close(c->fd);
        if (c->in.data)
                explicit_bzero(c->in.data, c->in.allocated); /* it may have held a token */
        buffer_done(&c->in);
        buffer_done(&c->out);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(struct connection *, connection_free)

static void check_synced(struct ipc_server *s);

static int on_sweep(sd_event_source *source, void *userdata) {
        struct ipc_server *s = userdata;
        struct connection *c = TAILQ_FIRST(&s->connections);

        while (c) {
                struct connection *next = TAILQ_NEXT(c, connections);

                if (c->broken) {
                        TAILQ_REMOVE(&s->connections, c, connections);
                        connection_free(c);
                }
                c = next;
        }
        return 0;
}

/* What the connection was is over now; only the memory is given back later, from the loop, since callers up the stack may
 * still look at it. */
static void drop(struct connection *c) {
        struct ipc_server *s = c->server;
        enum stage was = c->stage;

        if (c->broken)
                return;
        if (is_stranger(c))
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
                check_synced(s);
        }
}

/* ---- output ---- */

static void want(struct connection *c, uint32_t events) {
        if (c->broken || c->events == events)
                return;
        if (sd_event_source_set_io_events(c->io, events) < 0)
                drop(c);
        else
                c->events = events;
}

static bool is_paused(const struct connection *c) {
        return c->stage == STAGE_CONTROLLER && (buffer_size(&c->out) > IPC_CONTROLLER_QUEUE_HIGH ||
                                                !c->server->callbacks->may_order(c->server->userdata));
}

static void update_events(struct connection *c) {
        if (!c->broken)
                want(c, (is_paused(c) ? 0U : (uint32_t) EPOLLIN) |
                        (buffer_size(&c->out) > 0 ? (uint32_t) EPOLLOUT : 0U));
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
                        drop(c);
                        return;
                }
                buffer_consume(&c->out, (size_t) n);
        }
        /* Closing at once would discard, with what the peer has sent and we have not read, also what it has not yet read. */
        if (!c->broken && c->stage == STAGE_CLOSING && buffer_size(&c->out) == 0)
                (void) shutdown(c->fd, SHUT_WR);
        update_events(c);
}

/* After something was appended to the output; r is what the appending said. */
static void sent(struct connection *c, int r) {
        if (c->broken)
                return;
        if (r < 0) {
                complain(c, "IPC: %s does not read what it is sent, closing the connection: %s", c->peer, strerror(-r));
                drop(c);
                return;
        }
        flush(c);
}

/* Whatever is still to be said, and then no more; its deadline stands. */
static void close_politely(struct connection *c) {
        struct ipc_server *s = c->server;

        if (c->broken)
                return;
        if (is_stranger(c))
                s->n_strangers--;
        c->stage = STAGE_CLOSING;
        buffer_clear(&c->in);
        flush(c);
}

/* ---- subscribers ---- */

static bool is_waited_for(const struct connection *c) {
        return !c->broken && c->stage == STAGE_SUBSCRIBER && c->unacknowledged > 0 && !c->late;
}

static bool somebody_is_waited_for(const struct ipc_server *s) {
        struct connection *c;

        TAILQ_FOREACH(c, &s->connections, connections)
                if (is_waited_for(c))
                        return true;
        return false;
}

static void end_sync(struct ipc_server *s) {
        s->syncing = false;
        (void) sd_event_source_set_enabled(s->sync_timer, SD_EVENT_OFF);
        s->callbacks->synced(s->userdata);
}

static void check_synced(struct ipc_server *s) {
        if (s->syncing && !somebody_is_waited_for(s))
                end_sync(s);
}

static int on_sync_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct ipc_server *s = userdata;
        struct connection *c;

        TAILQ_FOREACH(c, &s->connections, connections)
                if (is_waited_for(c)) {
                        complain(c, "IPC: subscriber %s has not acknowledged an HA event within %d s, going on without it",
                                 c->peer, (int) IPC_SYNC_SEC);
                        c->late = true;
                }
        if (s->syncing)
                end_sync(s);
        return 0;
}

bool ipc_server_event(struct ipc_server *s, const struct role_event *event) {
        struct connection *c;

        /* What is dropped meanwhile stays in the list until the sweep. */
        TAILQ_FOREACH(c, &s->connections, connections) {
                if (c->stage != STAGE_SUBSCRIBER || !(c->subscription.mask & CONFD_NOTIF_HA_INFO))
                        continue;
                if (c->subscription.mask & CONFD_NOTIF_HA_INFO_SYNC)
                        c->unacknowledged++;
                sent(c, ipc_put_event(&c->out, event));
        }
        if (!somebody_is_waited_for(s))
                return false;
        if (sd_event_source_set_time_relative(s->sync_timer, IPC_SYNC_SEC * USEC_PER_SEC) < 0 ||
            sd_event_source_set_enabled(s->sync_timer, SD_EVENT_ONESHOT) < 0)
                return false; /* without a clock nobody can be waited for */
        s->syncing = true;
        return true;
}

static void take_sync(struct connection *c) {
        if (c->unacknowledged > 0 && --c->unacknowledged == 0) {
                c->late = false;
                check_synced(c->server);
        }
}

static int on_periodic(sd_event_source *source, uint64_t usec, void *userdata) {
        struct connection *c = userdata;
        bool is_heartbeat = source == c->heartbeat;
        uint64_t interval = is_heartbeat ? c->subscription.heartbeat_usec : c->subscription.health_check_usec;

        if (sd_event_source_set_time_relative(source, interval) < 0 ||
            sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) < 0) {
                drop(c);
                return 0;
        }
        sent(c, ipc_put_notification(&c->out, is_heartbeat ? CONFD_NOTIF_HEARTBEAT : CONFD_NOTIF_HEALTH_CHECK));
        return 0;
}

static int start_periodic(struct connection *c, uint64_t interval, sd_event_source **source) {
        if (interval == 0)
                return 0;
        return sd_event_add_time_relative(c->server->event, source, CLOCK_MONOTONIC, interval, 1000, on_periodic, c);
}

static void subscribe(struct connection *c, const uint8_t *body, size_t size) {
        struct ipc_server *s = c->server;
        int r;

        r = ipc_read_subscription(body, size, &c->subscription);
        if (r < 0) {
                complain(c, "IPC: %s sent something that is no subscription, closing the connection", c->peer);
                if (r == -EPROTO && ipc_put_error(&c->out, CONFD_ERR_PROTOUSAGE, "not a subscription") < 0)
                        log_debug("IPC: %s: cannot answer", c->peer);
                close_politely(c);
                return;
        }
        if (s->n_subscribers >= IPC_SUBSCRIBERS_MAX) {
                complain(c, "IPC: too many subscribers, %s is refused", c->peer);
                if (ipc_put_error(&c->out, CONFD_ERR_TOO_MANY_SESSIONS, "too many subscribers") < 0)
                        log_debug("IPC: %s: cannot answer", c->peer);
                close_politely(c);
                return;
        }
        if (start_periodic(c, c->subscription.heartbeat_usec, &c->heartbeat) < 0 ||
            start_periodic(c, c->subscription.health_check_usec, &c->health_check) < 0) {
                drop(c);
                return;
        }
        s->n_strangers--;
        s->n_subscribers++;
        c->stage = STAGE_SUBSCRIBER;
        c->out.limit = IPC_SUBSCRIBER_QUEUE_MAX;
        c->deadline = sd_event_source_disable_unref(c->deadline);
        sent(c, ipc_put_ok(&c->out));
}

/* ---- the controller ---- */

/* What was sent and not read would turn the close into a reset, and the peer would see an error instead of an end. */
static void discard_input(struct connection *c) {
        uint8_t junk[READ_SIZE];

        for (unsigned i = 0; i < DISCARD_MAX / READ_SIZE; i++)
                if (recv(c->fd, junk, sizeof(junk), MSG_DONTWAIT) <= 0)
                        break;
}

static void take_control(struct connection *c, const uint8_t *body, size_t size) {
        struct ipc_server *s = c->server;
        struct secret token = { .data = (uint8_t *) body, .size = size };

        if (s->controller) {
                log_info("IPC: %s takes over as HA controller from %s", c->peer, s->controller->peer);
                discard_input(s->controller);
                drop(s->controller);
        } else
                log_info("IPC: %s is HA controller", c->peer);
        s->n_strangers--;
        s->controller = c;
        c->stage = STAGE_CONTROLLER;
        c->out.limit = IPC_CONTROLLER_QUEUE_MAX;
        c->deadline = sd_event_source_disable_unref(c->deadline);
        s->callbacks->token(&token, s->userdata);
}

static struct connection *find_controller(struct ipc_server *s, uint64_t controller) {
        return s->controller && s->controller->number == controller ? s->controller : NULL;
}

void ipc_server_reply(struct ipc_server *s, uint64_t controller, int code, const char *why) {
        struct connection *c = find_controller(s, controller);

        if (c)
                sent(c, code == 0 ? ipc_put_ok(&c->out) : ipc_put_error(&c->out, code, why));
}

void ipc_server_reply_status(struct ipc_server *s, uint64_t controller, const struct role *role) {
        struct connection *c = find_controller(s, controller);

        if (c)
                sent(c, ipc_put_status(&c->out, role));
}

static void give_order(struct connection *c, const uint8_t *body, size_t size) {
        struct ipc_server *s = c->server;
        struct role_order order;

        if (ipc_read_order(body, size, &order) < 0) {
                complain(c, "IPC: HA controller %s sent what is no term, closing the connection", c->peer);
                drop(c);
        } else if (s->callbacks->order(c->number, &order, s->userdata) < 0)
                drop(c); /* out of memory: no reply could be told from another's any more */
}

/* ---- input ---- */

static void take_frame(struct connection *c, const uint8_t *body, size_t size) {
        switch (c->stage) {
        case STAGE_FIRST_FRAME:
                if (c->handshake.kind == IPC_KIND_HA)
                        take_control(c, body, size);
                else
                        subscribe(c, body, size);
                break;
        case STAGE_CONTROLLER:
                give_order(c, body, size);
                break;
        case STAGE_SUBSCRIBER:
                if (ipc_read_sync(body, size) < 0) {
                        complain(c, "IPC: subscriber %s sent something else than an acknowledgement, closing the connection",
                                 c->peer);
                        drop(c);
                } else
                        take_sync(c);
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
static void take_frames(struct connection *c) {
        if (c->taking)
                return;
        c->taking = true;
        while (!c->broken && c->stage != STAGE_CLOSING && !is_paused(c)) {
                bool is_first = c->stage == STAGE_FIRST_FRAME;
                const uint8_t *body;
                size_t size;
                int r;

                r = frame_next(&c->in, frame_limit(c), &body, &size);
                if (r == 0)
                        break;
                if (r < 0) {
                        complain(c, "IPC: %s sent too long a frame, closing the connection", c->peer);
                        drop(c);
                        break;
                }
                take_frame(c, body, size);
                if (is_first)
                        explicit_bzero((void *) body, size);
                frame_consume(&c->in, size);
        }
        c->taking = false;
        if (buffer_size(&c->in) == 0)
                buffer_shrink(&c->in);
        update_events(c);
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
        close_politely(c);
}

static void read_some(struct connection *c) {
        uint8_t *p;
        ssize_t n;
        int r;

        r = buffer_reserve(&c->in, READ_SIZE, &p);
        if (r < 0) {
                drop(c);
                return;
        }
        n = recv(c->fd, p, READ_SIZE, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                if (n < 0)
                        log_debug("IPC: %s: cannot read: %m", c->peer);
                drop(c);
                return;
        }
        if (c->stage == STAGE_CLOSING)
                return;
        buffer_commit(&c->in, (size_t) n);
        if (c->stage == STAGE_HANDSHAKE)
                shake_hands(c);
        if (c->stage != STAGE_HANDSHAKE)
                take_frames(c);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct connection *c = userdata;

        if (revents & EPOLLOUT)
                flush(c);
        if (!c->broken && (revents & EPOLLIN))
                read_some(c);
        else if (!c->broken && (revents & (EPOLLHUP | EPOLLERR)))
                drop(c);
        /* Orders that were left in the buffer when there was no room for their replies. */
        if (!c->broken && (revents & EPOLLOUT) && c->stage == STAGE_CONTROLLER)
                take_frames(c);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        struct connection *c = userdata;

        if (is_stranger(c))
                complain(c, "IPC: %s has not finished its handshake within %d s, closing the connection", c->peer,
                         (int) IPC_HANDSHAKE_SEC);
        drop(c);
        return 0;
}

void ipc_server_resume(struct ipc_server *s) {
        if (s->controller && !(s->controller->events & EPOLLIN))
                take_frames(s->controller);
}

/* ---- new connections ---- */

static void describe_peer(struct connection *c, const struct socket_address *peer) {
        struct ucred cred = {};
        socklen_t n = sizeof(cred);

        if (peer->sa.sa_family == AF_UNIX) {
                (void) getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n);
                (void) snprintf(c->peer, sizeof(c->peer), "pid %d uid %d", (int) cred.pid, (int) cred.uid);
        } else {
                _cleanup_free_ char *text = format_socket_address(peer);

                (void) snprintf(c->peer, sizeof(c->peer), "%s", text ?: "a peer");
        }
}

/* There has to be room for new ones: whoever is known stays, and of the strangers the oldest goes. */
static void make_room(struct ipc_server *s) {
        struct connection *c;

        if (s->n_strangers < IPC_STRANGERS_MAX && s->n_connections < IPC_CONNECTIONS_MAX)
                return;
        TAILQ_FOREACH(c, &s->connections, connections)
                if (!c->broken && (is_stranger(c) || c->stage == STAGE_CLOSING)) {
                        complain(c, "IPC: too many connections in their handshake, closing the oldest, %s", c->peer);
                        drop(c);
                        return;
                }
}

static void welcome(struct ipc_server *s, int fd, const struct socket_address *peer) {
        _cleanup_(connection_freep) struct connection *c = calloc(1, sizeof(*c));
        int one = 1;

        if (!c) {
                safe_close(fd);
                return;
        }
        c->server = s;
        c->fd = fd;
        c->number = ++s->last_number;
        c->events = EPOLLIN;
        c->in = BUFFER_INIT(FRAME_HEADER_SIZE + IPC_TOKEN_MAX + READ_SIZE);
        c->out = BUFFER_INIT(STRANGER_QUEUE_MAX);
        c->handshake = IPC_HANDSHAKE_INIT(s->secret);
        describe_peer(c, peer);
        if (peer->sa.sa_family != AF_UNIX) {
                (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
        }
        make_room(s);
        if (s->n_connections >= IPC_CONNECTIONS_MAX) {
                complain(c, "IPC: too many connections, %s is refused", c->peer);
                return;
        }
        if (sd_event_add_io(s->event, &c->io, fd, EPOLLIN, on_io, c) < 0 ||
            sd_event_add_time_relative(s->event, &c->deadline, CLOCK_MONOTONIC, IPC_HANDSHAKE_SEC * USEC_PER_SEC, 0,
                                       on_deadline, c) < 0) {
                log_error("IPC: cannot watch the connection of %s: out of memory", c->peer);
                return;
        }
        TAILQ_INSERT_TAIL(&s->connections, c, connections);
        s->n_connections++;
        s->n_strangers++;
        TAKE_PTR(c);
}

static int on_accept_again(sd_event_source *source, uint64_t usec, void *userdata) {
        struct ipc_server *s = userdata;

        return sd_event_source_set_enabled(s->accept, SD_EVENT_ON);
}

static int on_accept(sd_event_source *source, int listener, uint32_t revents, void *userdata) {
        struct ipc_server *s = userdata;
        struct socket_address peer = { .length = sizeof(peer.storage) };
        int fd;

        fd = accept4(listener, &peer.sa, &peer.length, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
                welcome(s, fd, &peer);
                return 0;
        }
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
                return 0;
        /* Out of descriptors or memory: the connection stays in the backlog, and the loop must not spin on it. */
        if (may_complain(s))
                log_error("IPC: cannot accept a connection: %m");
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        (void) sd_event_source_set_time_relative(s->accept_again, USEC_PER_SEC / 10);
        (void) sd_event_source_set_enabled(s->accept_again, SD_EVENT_ONESHOT);
        return 0;
}

int ipc_server_new(sd_event *event, const struct socket_address *address, const struct secret *secret,
                   const struct ipc_callbacks *callbacks, void *userdata, struct ipc_server **ret) {
        _cleanup_(ipc_server_freep) struct ipc_server *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->listener.fd = -EBADF;
        s->event = sd_event_ref(event);
        s->secret = secret;
        s->callbacks = callbacks;
        s->userdata = userdata;
        TAILQ_INIT(&s->connections);
        r = ipc_listen(address, &s->listener);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &s->accept, s->listener.fd, EPOLLIN, on_accept, s);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &s->accept_again, CLOCK_MONOTONIC, 0, 0, on_accept_again, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->accept_again, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &s->sync_timer, CLOCK_MONOTONIC, 0, 0, on_sync_timer, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->sync_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &s->sweep, on_sweep, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->sweep, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

struct ipc_server *ipc_server_free(struct ipc_server *s) {
        struct connection *c;

        if (!s)
                return NULL;
        while ((c = TAILQ_FIRST(&s->connections))) {
                TAILQ_REMOVE(&s->connections, c, connections);
                connection_free(c);
        }
        sd_event_source_disable_unref(s->accept);
        sd_event_source_disable_unref(s->accept_again);
        sd_event_source_disable_unref(s->sync_timer);
        sd_event_source_disable_unref(s->sweep);
        ipc_listener_done(&s->listener);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

bool ipc_server_has_controller(const struct ipc_server *s) {
        return s->controller;
}

unsigned ipc_server_n_subscribers(const struct ipc_server *s) {
        return s->n_subscribers;
}
