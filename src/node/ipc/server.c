/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the IPC port: who may connect, how many, and what is freed when. */
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "node/ipc/internal.h"

enum { STRANGER_QUEUE_MAX = 256, COMPLAINTS_MAX = 10 };

static int on_sweep(sd_event_source *source, void *userdata) {
        struct ipc_server *s = userdata;
        struct connection *c = TAILQ_FIRST(&s->connections);

        while (c) {
                struct connection *next = TAILQ_NEXT(c, connections);

                if (c->broken) {
                        TAILQ_REMOVE(&s->connections, c, connections);
                        ipc_connection_free(c);
                }
                c = next;
        }
        return 0;
}

/* ---- new connections ---- */

static void describe_peer(struct connection *c, const struct sockaddr_storage *peer, socklen_t peer_size) {
        struct ucred cred = {};
        socklen_t n = sizeof(cred);

        if (peer->ss_family == AF_UNIX) {
                (void) getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n);
                (void) snprintf(c->peer, sizeof(c->peer), "pid %d uid %d", (int) cred.pid, (int) cred.uid);
                c->source = (struct source) { .is_user = true, .uid = cred.uid };
        } else {
                struct socket_address address = { .storage = *peer, .length = peer_size };
                _cleanup_free_ char *text = format_socket_address(&address);

                (void) snprintf(c->peer, sizeof(c->peer), "%s", text ?: "a peer");
                if (peer->ss_family == AF_INET6)
                        c->source.address = ((const struct sockaddr_in6 *) peer)->sin6_addr;
                else {
                        c->source.address.s6_addr[10] = c->source.address.s6_addr[11] = 0xff;
                        memcpy(c->source.address.s6_addr + 12, &((const struct sockaddr_in *) peer)->sin_addr, 4);
                }
        }
}

static bool same_source(const struct source *a, const struct source *b) {
        return a->is_user == b->is_user &&
               (a->is_user ? a->uid == b->uid : IN6_ARE_ADDR_EQUAL(&a->address, &b->address));
}

/* How little there is to lose by closing this one; 0 for one that stays. What has sent nothing whole, and nothing that would only
 * have to be read, is most likely to be there to keep others out. */
static unsigned eagerness_to_close(const struct connection *c) {
        int waiting = 0;

        if (c->broken || !(ipc_is_stranger(c) || c->stage == STAGE_CLOSING))
                return 0;
        if (c->stage == STAGE_CLOSING)
                return 3;
        if (c->stage == STAGE_HANDSHAKE && ioctl(c->fd, FIONREAD, &waiting) >= 0 && waiting == 0)
                return 2;
        return 1;
}

static unsigned strangers_of(const struct ipc_server *s, const struct source *source) {
        const struct connection *c;
        unsigned n = 0;

        TAILQ_FOREACH(c, &s->connections, connections)
                if (!c->broken && ipc_is_stranger(c) && same_source(&c->source, source))
                        n++;
        return n;
}

/* There has to be room for new ones. Whoever is known stays. Of the others those go first that have the least to lose, among them
 * those of the user or host that has the most, among them the oldest: so nobody's flood keeps others out, and his own silent ones
 * go before those of his that speak. */
static void make_room(struct ipc_server *s) {
        struct connection *c, *worst = NULL;
        unsigned eagerness = 0, n = 0;

        if (s->n_strangers < IPC_STRANGERS_MAX && s->n_connections < IPC_CONNECTIONS_MAX)
                return;
        TAILQ_FOREACH(c, &s->connections, connections) {
                unsigned e = eagerness_to_close(c), k = e > 0 && e >= eagerness ? strangers_of(s, &c->source) : 0;

                if (e > eagerness || (e > 0 && e == eagerness && k > n)) {
                        worst = c;
                        eagerness = e;
                        n = k;
                }
        }
        if (!worst)
                return;
        complain(worst, "IPC: too many connections in their handshake, closing %s", worst->peer);
        ipc_drop(worst);
}

static void welcome(int fd, const struct sockaddr_storage *peer, socklen_t peer_size, void *userdata) {
        _cleanup_(ipc_connection_freep) struct connection *c = calloc(1, sizeof(*c));
        struct ipc_server *s = userdata;
        int one = 1;

        if (!c) {
                safe_close(fd);
                return;
        }
        c->server = s;
        c->fd = fd;
        c->number = ++s->last_number;
        c->events = EPOLLIN;
        c->in = BUFFER_INIT_SECRET(FRAME_HEADER_SIZE + IPC_TOKEN_MAX + IPC_READ_SIZE); /* the token */
        c->out = BUFFER_INIT(STRANGER_QUEUE_MAX);
        c->handshake = IPC_HANDSHAKE_INIT(s->secret);
        describe_peer(c, peer, peer_size);
        if (peer->ss_family != AF_UNIX) {
                (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
        }
        make_room(s);
        if (s->n_connections >= IPC_CONNECTIONS_MAX) {
                complain(c, "IPC: too many connections, %s is refused", c->peer);
                return;
        }
        if (sd_event_add_io(s->event, &c->io, fd, EPOLLIN, ipc_on_io, c) < 0 ||
            sd_event_add_time_relative(s->event, &c->deadline, CLOCK_MONOTONIC, IPC_HANDSHAKE_SEC * USEC_PER_SEC, 0,
                                       ipc_on_deadline, c) < 0) {
                log_error("IPC: cannot watch the connection of %s: out of memory", c->peer);
                return;
        }
        TAILQ_INSERT_TAIL(&s->connections, c, connections);
        s->n_connections++;
        s->n_strangers++;
        TAKE_PTR(c);
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
        s->complaints = RATELIMIT_INIT(10 * USEC_PER_SEC, COMPLAINTS_MAX);
        s->takeovers = RATELIMIT_INIT(10 * USEC_PER_SEC, COMPLAINTS_MAX);
        TAILQ_INIT(&s->connections);
        r = ipc_listen(address, &s->listener);
        if (r < 0)
                return r;
        r = acceptor_new(event, s->listener.fd, "HA controllers and subscribers", /* enabled= */ true, welcome, s, &s->acceptor);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &s->sync_timer, CLOCK_MONOTONIC, 0, 0, ipc_on_sync_timer, s);
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
                ipc_connection_free(c);
        }
        acceptor_free(s->acceptor);
        sd_event_source_disable_unref(s->sync_timer);
        sd_event_source_disable_unref(s->sweep);
        ipc_listener_done(&s->listener);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}
