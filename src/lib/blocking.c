/* SPDX-License-Identifier: Apache-2.0 */
/* Owns waiting on a caller's socket: whole messages in and out, in spite of signals, short reads and peers that stall.
 *
 * The socket may be blocking or not: all calls here are made non-blocking and waited for with poll(2), so that a deadline
 * holds for the whole and not for each piece.
 */
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/time.h>

#include <confd_ha.h>

#include "basic/parse.h"
#include "basic/time-util.h"
#include "lib/access-file.h"
#include "lib/blocking.h"
#include "lib/errors.h"
#include "lib/export.h"
#include "lib/frame.h"
#include "lib/trace.h"

enum { RECEIVE_STEP = 4096, WORDS_MAX = 768 };

/* Process-wide, as its documentation says. */
static atomic_uint protocol_version = CONFD_LIB_PROTO_VSN;

_public_ int confd_ha_set_protocol_version(unsigned version) {
        if (version > UINT16_MAX)
                return error_set(CONFD_ERR_PROTOUSAGE, "confd_ha_set_protocol_version: %u is over 65535", version);
        protocol_version = version ? version : CONFD_LIB_PROTO_VSN;
        return CONFD_OK;
}

unsigned blocking_protocol_version(void) {
        return protocol_version;
}

/* The documented API has no object but the caller's descriptor, and yet a failed socket has to be known as such later. Two
 * things that the kernel keeps with the socket tell it: it is shut down, so that every call fails, even after another
 * connect(2); and SO_LOCK_FILTER, which can be set and read by everybody and matters to nobody here, tells a
 * connection that we have given up (CONFD_ERR) from one that the server has closed (CONFD_EOF). */
void blocking_give_up(int sock) {
        const int on = 1;

        (void) setsockopt(sock, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on));
        (void) shutdown(sock, SHUT_RDWR);
}

static bool is_given_up(int sock) {
        int on = 0;
        socklen_t n = sizeof(on);

        return getsockopt(sock, SOL_SOCKET, SO_LOCK_FILTER, &on, &n) >= 0 && on;
}

int blocking_fail(int sock, int code, const char *format, ...) {
        char words[WORDS_MAX];
        int saved = errno;
        va_list ap;

        va_start(ap, format);
        vsnprintf(words, sizeof(words), format, ap);
        va_end(ap);
        if (sock >= 0)
                blocking_give_up(sock);
        errno = saved;
        return error_set(code, "%s", words);
}

uint64_t blocking_deadline(int sock, int option) {
        struct timeval tv = {};
        socklen_t n = sizeof(tv);

        if (getsockopt(sock, SOL_SOCKET, option, &tv, &n) < 0 || (tv.tv_sec == 0 && tv.tv_usec == 0))
                return USEC_INFINITY;
        return usec_add(now_monotonic(), (uint64_t) tv.tv_sec * USEC_PER_SEC + (uint64_t) tv.tv_usec);
}

/* 1: ready, 0: too late, or a negative errno. */
static int wait_for(int sock, short events, uint64_t deadline) {
        struct pollfd p = { .fd = sock, .events = events };
        struct timespec ts;
        uint64_t t;
        int r;

        for (;;) {
                t = now_monotonic();
                t = deadline > t ? deadline - t : 0;
                ts = (struct timespec) { .tv_sec = (time_t) (t / USEC_PER_SEC),
                                         .tv_nsec = (long) (t % USEC_PER_SEC) * 1000 };
                r = ppoll(&p, 1, deadline == USEC_INFINITY ? NULL : &ts, NULL);
                if (r > 0 && (p.revents & POLLNVAL))
                        return -EBADF;
                if (r >= 0)
                        return r;
                if (errno != EINTR)
                        return -errno;
        }
}

static int fail_errno(int sock, int error, const char *what, const char *doing) {
        errno = error;
        return blocking_fail(sock, error == ENOMEM ? CONFD_ERR_MALLOC : CONFD_ERR_OS, "%s: %s: %s", what, doing,
                             strerror(error));
}

static int fail_timeout(int sock, const char *what, const char *doing) {
        return blocking_fail(sock, CONFD_ERR_TIMEOUT, "%s: timed out while %s", what, doing);
}

static int fail_given_up(int sock, const char *what) {
        return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: an earlier call on this socket failed: close it, make a new one and "
                             "connect that", what);
}

/* What it means that the peer is gone: usually just that, and then the kernel remembers it without our help. */
static int fail_gone(int sock, const char *what, const char *how) {
        if (is_given_up(sock))
                return fail_given_up(sock, what);
        return error_set(CONFD_ERR_EOF, "%s: %s", what, how);
}

static bool means_gone(int error) {
        return error == EPIPE || error == ECONNRESET || error == ETIMEDOUT;
}

/* How far a message has come that its receiver or sender gave up on. */
static int fail_gone_at(int sock, const char *what, const char *doing, size_t done, size_t all) {
        char how[160];

        if (done == 0)
                snprintf(how, sizeof(how), "the server closed the connection while %s", doing);
        else
                snprintf(how, sizeof(how), "the server closed the connection in the middle of a message, after %zu of %zu bytes, "
                         "while %s", done, all, doing);
        return fail_gone(sock, what, how);
}

/* Sends n bytes; *done counts them. 0, -ECONNRESET the peer is gone, -ETIMEDOUT, others. */
static int send_all(int sock, const void *p, size_t n, uint64_t deadline, size_t *done) {
        const uint8_t *from = p;
        ssize_t k;
        int r;

        for (*done = 0; *done < n;) {
                k = send(sock, from + *done, n - *done, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (k >= 0) {
                        *done += (size_t) k;
                        continue;
                }
                if (errno == EINTR)
                        continue;
                if (means_gone(errno))
                        return -ECONNRESET;
                if (errno != EAGAIN)
                        return -errno;
                r = wait_for(sock, POLLOUT, deadline);
                if (r < 0)
                        return r;
                if (r == 0)
                        return -ETIMEDOUT;
        }
        return 0;
}

static int fail_send(int sock, int error, size_t done, size_t n, const char *what) {
        switch (-error) {
        case ECONNRESET:
                return fail_gone_at(sock, what, "sending", done, n);
        case ETIMEDOUT:
                return fail_timeout(sock, what, "sending");
        case ENOTCONN:
        case EDESTADDRREQ:
                return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: the socket is not connected: connect it with "
                                     "confd_ha_connect() or confd_notifications_connect() first", what);
        default:
                return fail_errno(sock, -error, what, "send");
        }
}

/* At most n bytes, at least one. Positive: how many; 0: the peer is gone; else CONFD_ERR, with the error set. */
static ssize_t receive_some(int sock, void *p, size_t n, uint64_t deadline, const char *what, const char *doing) {
        ssize_t k;
        int r;

        for (;;) {
                k = recv(sock, p, n, MSG_DONTWAIT);
                if (k >= 0)
                        return k;
                if (errno == EINTR)
                        continue;
                if (means_gone(errno))
                        return 0;
                if (errno == ENOTCONN)
                        return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: the socket is not connected", what);
                if (errno != EAGAIN)
                        return fail_errno(sock, errno, what, "recv");
                r = wait_for(sock, POLLIN, deadline);
                if (r == 0)
                        return fail_timeout(sock, what, doing);
                if (r < 0)
                        return fail_errno(sock, -r, what, "poll");
        }
}

int blocking_send(int sock, const struct buffer *b, uint64_t deadline, const char *what) {
        size_t done;
        int r;

        r = send_all(sock, buffer_head(b), buffer_size(b), deadline, &done);
        return r < 0 ? fail_send(sock, r, done, buffer_size(b), what) : CONFD_OK;
}

int blocking_receive(int sock, struct buffer *b, uint64_t deadline, const char *what) {
        const char *doing = "waiting for a message";
        size_t wanted = FRAME_HEADER_SIZE, body = 0, n;
        bool have_header = false;
        uint8_t *p;
        ssize_t k;

        buffer_clear(b);
        for (;;) {
                if (buffer_size(b) == wanted) {
                        if (have_header)
                                break;
                        if (frame_parse_header(buffer_head(b), FRAME_BODY_MAX, &body) < 0)
                                return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: the server announced a message of more than "
                                                     "%i bytes", what, FRAME_BODY_MAX);
                        have_header = true;
                        wanted += body;
                        doing = "receiving a message";
                        continue;
                }
                /* Memory follows what has arrived, not what is announced. */
                n = MAX((size_t) RECEIVE_STEP, buffer_size(b));
                n = MIN(n, wanted - buffer_size(b));
                if (buffer_reserve(b, n, &p) < 0)
                        return blocking_fail(sock, CONFD_ERR_MALLOC, "%s: out of memory for a message of %zu bytes", what, body);
                k = receive_some(sock, p, n, deadline, what, doing);
                if (k < 0)
                        return (int) k;
                if (k == 0)
                        return fail_gone_at(sock, what, doing, buffer_size(b), wanted);
                buffer_commit(b, (size_t) k);
        }
        buffer_consume(b, FRAME_HEADER_SIZE);
        return CONFD_OK;
}

/* Connects by the deadline, whether the socket blocks or not. 0 or a negative errno. */
static int connect_by(int sock, const struct sockaddr *srv, socklen_t srv_sz, uint64_t deadline) {
        int error = 0, r;
        socklen_t n = sizeof(error);

        if (connect(sock, srv, srv_sz) >= 0)
                return 0;
        while (errno == EAGAIN && srv->sa_family == AF_UNIX) {
                /* The server's backlog is full, and there is no event to wait for. */
                if (now_monotonic() >= deadline)
                        return -ETIMEDOUT;
                (void) poll(NULL, 0, 20);
                if (connect(sock, srv, srv_sz) >= 0)
                        return 0;
        }
        if (errno != EINPROGRESS && errno != EINTR && errno != EALREADY)
                return -errno;
        r = wait_for(sock, POLLOUT, deadline);
        if (r < 0)
                return r;
        if (r == 0)
                return -ETIMEDOUT;
        if (getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
                return -errno;
        return -error;
}

static int connect_socket(int sock, const struct sockaddr *srv, socklen_t srv_sz, uint64_t deadline) {
        const int on = 1;
        int flags, r;

        /* The first order follows the token, which ConfD does not answer: TCP would hold it back until that is acknowledged, which
         * takes the server's kernel up to 40 ms. */
        if (srv->sa_family != AF_UNIX)
                (void) setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

        flags = fcntl(sock, F_GETFL);
        if (flags < 0)
                return -errno;
        if (!(flags & O_NONBLOCK) && fcntl(sock, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;
        r = connect_by(sock, srv, srv_sz, deadline);
        if (!(flags & O_NONBLOCK) && fcntl(sock, F_SETFL, flags) < 0 && r >= 0)
                r = -errno;
        return r;
}

static int fail_handshake(int sock, const struct ipc *ipc, int error, const char *what, const char *peer) {
        char words[256];

        ipc_describe(ipc, error, words, sizeof(words));
        if (error == -EPROTONOSUPPORT)
                return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: ConfD at %s: %s; close the socket, call "
                                     "confd_ha_set_protocol_version(%u) and connect a new one", what, peer, words,
                                     ipc->server_protocol_version);
        return blocking_fail(sock, error_code_from_errno(error), "%s: ConfD at %s: %s", what, peer, words);
}

static int shake_hands(int sock, struct ipc *ipc, uint64_t deadline, const char *what, const char *peer) {
        uint8_t in[IPC_CHALLENGE_SIZE];
        const uint8_t *p;
        size_t n, done;
        ssize_t k;
        int r;

        for (;;) {
                p = ipc_output(ipc, &n);
                r = send_all(sock, p, n, deadline, &done);
                /* A server that refuses us may close before it has read all; its answer says more than EPIPE. */
                if (r < 0 && r != -ECONNRESET)
                        return fail_send(sock, r, done, n, what);
                ipc_sent(ipc, n);
                k = receive_some(sock, in, ipc_wants(ipc), deadline, what, "shaking hands");
                if (k < 0)
                        return (int) k;
                if (k == 0)
                        return is_given_up(sock) ? fail_given_up(sock, what)
                                                 : fail_handshake(sock, ipc, ipc_eof(ipc), what, peer);
                r = ipc_input(ipc, in, (size_t) k);
                if (r < 0)
                        return fail_handshake(sock, ipc, r, what, peer);
                if (r > 0)
                        return CONFD_OK;
        }
}

static int connect_and_shake(int sock, const struct socket_address *address, struct ipc *ipc, uint64_t deadline,
                             const char *what, const char *peer) {
        int r;

        r = connect_socket(sock, &address->sa, address->length, deadline);
        if (r == -ETIMEDOUT)
                return blocking_fail(sock, CONFD_ERR_TIMEOUT, "%s: ConfD at %s: no connection in time", what, peer);
        if (r < 0 && is_given_up(sock))
                return fail_given_up(sock, what);
        if (r < 0) {
                errno = -r;
                return blocking_fail(sock, CONFD_ERR_OS, "%s: cannot connect to ConfD at %s: %s", what, peer, strerror(-r));
        }
        r = shake_hands(sock, ipc, deadline, what, peer);
        if (r == CONFD_OK)
                trace(CONFD_TRACE, "fd %i connected to ConfD at %s, version %x, protocol %u", sock, peer, ipc->server_version,
                      ipc->protocol_version);
        return r;
}

int blocking_connect(int sock, const struct sockaddr *srv, int srv_sz, uint8_t kind, uint64_t deadline, const char *what) {
        struct socket_address address = {};
        _cleanup_secret_ struct secret secret = {};
        _cleanup_free_ char *peer = NULL;
        const char *path = NULL;
        struct ipc ipc;
        int r;

        if (!srv || srv_sz < (int) sizeof(sa_family_t) || (size_t) srv_sz > sizeof(address.storage))
                return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: no address, or one of a wrong size (%i)", what, srv_sz);
        memcpy(&address.storage, srv, (size_t) srv_sz);
        address.length = (socklen_t) srv_sz;
        peer = format_socket_address(&address);
        if (!peer)
                return blocking_fail(sock, CONFD_ERR_MALLOC, "%s: out of memory", what);
        r = access_file_read(&secret, &path);
        if (r < 0) {
                errno = -r;
                return blocking_fail(sock, r == -ENOMEM ? CONFD_ERR_MALLOC : CONFD_ERR_ACCESS_DENIED,
                                     "%s: cannot read the IPC access file %s: %s", what, path, strerror(-r));
        }
        ipc_begin(&ipc, kind, (uint16_t) blocking_protocol_version(), secret.data, secret.size);
        return connect_and_shake(sock, &address, &ipc, deadline, what, peer);
}

int blocking_disconnect(int sock) {
        const struct sockaddr none = { .sa_family = AF_UNSPEC };
        int domain = AF_UNSPEC;
        socklen_t n = sizeof(domain);

        if (getsockopt(sock, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 || (domain != AF_INET && domain != AF_INET6))
                return CONFD_ERR;
        return connect(sock, &none, sizeof(none)) < 0 ? CONFD_ERR : CONFD_OK;
}
