/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the client's descriptor: connecting, shaking hands, bytes in and out. */
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>

#include "basic/time-util.h"
#include "lib/client-internal.h"

/* -EAGAIN from a Unix socket means that the server's backlog is full at the moment. */
static void try_connect(struct confd_ha_client *c) {
        if (connect(c->fd, (const struct sockaddr *) &c->address, c->address_size) >= 0)
                c->state = CLIENT_HANDSHAKE;
        else if (errno == EINPROGRESS || errno == EINTR)
                c->state = CLIENT_CONNECTING;
        else if (errno == EAGAIN && c->address.ss_family == AF_UNIX) {
                c->state = CLIENT_CONNECT_AGAIN;
                c->retry_at = now_monotonic() + CLIENT_CONNECT_RETRY_USEC;
        } else {
                c->connect_error = -errno;
                c->state = CLIENT_CONNECT_FAILED;
        }
}

int client_open(struct confd_ha_client *c) {
        const int on = 1;

        c->fd = socket(c->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (c->fd < 0)
                return -errno;
        if (c->address.ss_family != AF_UNIX)
                (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        c->queued = c->sent = 0;
        c->send_error = 0;
        buffer_clear(&c->in);
        buffer_clear(&c->out);
        ipc_begin(&c->ipc, c->for_events ? IPC_KIND_EVENTS : IPC_KIND_HA, c->speak_version, c->proof, c->proof_size);
        try_connect(c);
        return 0;
}

/* The server wants another dialect: the same connect once more, with a new socket. */
static int reopen(struct confd_ha_client *c, char *message, size_t size) {
        int r;

        c->fd = safe_close(c->fd);
        r = client_open(c);
        if (r < 0)
                snprintf(message, size, "cannot make a socket: %s", strerror(-r));
        return r;
}

void client_flush(struct confd_ha_client *c) {
        while (buffer_size(&c->out) > 0 && c->send_error == 0) {
                ssize_t n = send(c->fd, buffer_head(&c->out), buffer_size(&c->out), MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        if (errno != EAGAIN)
                                c->send_error = -errno;
                        return;
                }
                c->sent += (uint64_t) n;
                buffer_consume(&c->out, (size_t) n);
        }
}

static int finish_connect(struct confd_ha_client *c, char *message, size_t size) {
        struct pollfd p = { .fd = c->fd, .events = POLLOUT };
        socklen_t n = sizeof(int);
        int error = 0;

        if (poll(&p, 1, 0) <= 0)
                return 0;
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
                error = errno;
        if (error != 0) {
                snprintf(message, size, "cannot connect: %s", strerror(error));
                return -error;
        }
        c->state = CLIENT_HANDSHAKE;
        return 0;
}

/* Reads at most `most` bytes. READ_ALL: there may be more; READ_SHORT: there was no more. 0: nothing there. -ECONNRESET: it is
 * over. */
enum { READ_ALL = 1, READ_SHORT = 2 };

static int read_some(struct confd_ha_client *c, size_t most, char *message, size_t size) {
        uint8_t *p;
        ssize_t n;
        int r;

        r = buffer_reserve(&c->in, most, &p);
        if (r < 0) {
                snprintf(message, size, "out of memory");
                return -ENOMEM;
        }
        do
                n = recv(c->fd, p, most, MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
                return 0;
        if (n < 0) {
                snprintf(message, size, "the connection broke: %s", strerror(errno));
                return -ECONNRESET;
        }
        if (n == 0) {
                if (buffer_size(&c->in) > 0)
                        snprintf(message, size, "the server closed the connection in the middle of a message");
                else
                        snprintf(message, size, "the server closed the connection");
                return -ECONNRESET;
        }
        buffer_commit(&c->in, (size_t) n);
        return (size_t) n == most ? READ_ALL : READ_SHORT;
}

/* After the handshake: the token, or the subscription. */
static int introduce(struct confd_ha_client *c, char *message, size_t size) {
        int r;

        if (c->for_events)
                r = subscription_append(&c->out, &c->subscription, c->old_form);
        else
                r = order_append_token(&c->out, c->token, c->token_size);
        if (r < 0) {
                snprintf(message, size, "out of memory");
                return -ENOMEM;
        }
        c->queued = buffer_size(&c->out);
        c->sent = 0;
        client_flush(c);
        if (c->for_events) {
                c->state = CLIENT_SUBSCRIBING;
                return 0;
        }
        c->state = CLIENT_READY;
        client_connected(c);
        return 0;
}

static int handshake_failed(struct confd_ha_client *c, int error, char *message, size_t size) {
        ipc_describe(&c->ipc, error, message, size);
        /* Once with the server's version, not in circles. */
        if (error == -EPROTONOSUPPORT && !c->version_retried && c->ipc.server_protocol_version != 0 &&
            c->ipc.server_protocol_version != c->speak_version) {
                c->version_retried = true;
                c->speak_version = c->ipc.server_protocol_version;
                return reopen(c, message, size);
        }
        return error;
}

/* What the handshake wants is read and no more, so that the first frame is left to the buffer of frames. */
static int step_handshake(struct confd_ha_client *c, char *message, size_t size) {
        const uint8_t *p;
        size_t n;
        int r;

        for (;;) {
                p = ipc_output(&c->ipc, &n);
                if (n > 0) {
                        r = buffer_append(&c->out, p, n);
                        if (r < 0) {
                                snprintf(message, size, "out of memory");
                                return -ENOMEM;
                        }
                        ipc_sent(&c->ipc, n);
                }
                client_flush(c);
                r = read_some(c, ipc_wants(&c->ipc), message, size);
                if (r == 0)
                        return 0;
                if (r == -ECONNRESET)
                        return handshake_failed(c, ipc_eof(&c->ipc), message, size);
                if (r < 0)
                        return r;
                r = ipc_input(&c->ipc, buffer_head(&c->in), buffer_size(&c->in));
                buffer_clear(&c->in);
                if (r < 0)
                        return handshake_failed(c, r, message, size);
                if (r > 0)
                        return introduce(c, message, size);
        }
}

/* Handles the whole frames that are in the buffer, not more than *left of them. */
static int handle_frames(struct confd_ha_client *c, unsigned *left, char *message, size_t size) {
        unsigned long generation = c->generation;
        const uint8_t *body;
        struct buffer in;
        size_t n;
        int r = 0;

        /* Callbacks see into the buffer, and may end the connection: it is ours while they run. */
        in = c->in;
        c->in = BUFFER_INIT(in.limit);
        while (*left > 0) {
                r = frame_next(&in, FRAME_BODY_MAX, &body, &n);
                if (r < 0) {
                        snprintf(message, size, "the server announced a message of more than %i bytes", FRAME_BODY_MAX);
                        r = -EPROTO;
                }
                if (r <= 0)
                        break;
                r = client_handle_frame(c, body, n, message, size);
                if (r < 0 || c->generation != generation)
                        break;
                frame_consume(&in, n);
                (*left)--;
        }
        if (c->generation != generation) {
                buffer_done(&in);
                return 0;
        }
        c->in = in;
        return MIN(r, 0);
}

static size_t how_much_to_read(const struct confd_ha_client *c) {
        size_t n, most = CLIENT_READ_SIZE;
        const uint8_t *body;

        /* Memory follows what has arrived, not what is announced. */
        if (frame_next(&c->in, FRAME_BODY_MAX, &body, &n) == 0 && n > most) {
                most = MAX(most, buffer_size(&c->in));
                most = MIN(most, n);
        }
        return most;
}

static int step_frames(struct confd_ha_client *c, char *message, size_t size) {
        unsigned long generation = c->generation;
        unsigned frames = CLIENT_FRAMES_A_STEP;
        bool subscribing = c->state == CLIENT_SUBSCRIBING;
        int r = READ_ALL;

        client_flush(c);
        for (unsigned i = 0; i < CLIENT_READS_A_STEP; i++) {
                bool more = r == READ_ALL;

                r = handle_frames(c, &frames, message, size);
                if (r < 0 || c->generation != generation || frames == 0)
                        return r;
                /* What has come since, its end too, the descriptor tells: asking for it now would be one call more each time. */
                r = more ? read_some(c, how_much_to_read(c), message, size) : 0;
                if (r == 0) {
                        if (buffer_size(&c->in) == 0)
                                buffer_shrink(&c->in); /* an idle connection holds no memory */
                        return 0;
                }
                if (r == -ECONNRESET && subscribing && c->state == CLIENT_SUBSCRIBING && !c->old_form &&
                    buffer_size(&c->in) == 0) {
                        c->old_form = true;
                        return reopen(c, message, size);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

int client_step(struct confd_ha_client *c, char *message, size_t size) {
        int r;

        if (c->state == CLIENT_CONNECT_AGAIN && now_monotonic() >= c->retry_at)
                try_connect(c);
        if (c->state == CLIENT_CONNECT_FAILED) {
                snprintf(message, size, "cannot connect: %s", strerror(-c->connect_error));
                return c->connect_error;
        }
        if (c->state == CLIENT_CONNECTING) {
                r = finish_connect(c, message, size);
                if (r < 0)
                        return r;
        }
        if (c->state == CLIENT_HANDSHAKE)
                return step_handshake(c, message, size);
        if (c->state == CLIENT_SUBSCRIBING || c->state == CLIENT_READY)
                return step_frames(c, message, size);
        return 0;
}

bool client_has_buffered_work(const struct confd_ha_client *c) {
        const uint8_t *body;
        size_t n;

        if (c->state == CLIENT_CONNECT_FAILED)
                return true;
        return (c->state == CLIENT_SUBSCRIBING || c->state == CLIENT_READY) &&
               frame_next(&c->in, FRAME_BODY_MAX, &body, &n) != 0;
}
