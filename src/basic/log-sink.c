/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the ways out for what is logged, and that none of them waits.
 *
 * Whether a write waits is a property of the open file description, which others may share: the shell its terminal, the manager
 * its pipe. So what standard error is open on is opened once more for ourselves where that can be done, sockets are
 * asked call by call, and only regular files, which cannot say no, are written to as they are. */
#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "basic/log-sink.h"

enum { SEND_BUFFER = 1024 * 1024, FIRST_FIELDS = 3 };

/* ---- the journal ---- */

static int journal_socket(void) {
        static int fd = -EBADF;
        int size = SEND_BUFFER;

        if (fd >= 0)
                return fd;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0)
                (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        return fd < 0 ? -errno : fd;
}

static int send_datagram(const struct iovec *iov, size_t n) {
        /* Not connected, so that a journald that has been started anew is found again. */
        static const struct sockaddr_un journald = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
        const struct msghdr m = {
                .msg_name = (void *) &journald,
                .msg_namelen = sizeof(journald),
                .msg_iov = (struct iovec *) iov,
                .msg_iovlen = n,
        };
        int fd = journal_socket();

        if (fd < 0)
                return fd;
        while (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                if (errno != EINTR)
                        return errno == ENOBUFS ? -EAGAIN : -errno;
        return 0;
}

/* A field goes out in up to four parts: a value with a newline in it has its length before it in place of the '='. */
static size_t add_field(struct iovec *iov, const struct iovec *field, uint64_t *length) {
        static const char newline[] = "\n";
        const char *p = field->iov_base, *equals = memchr(p, '=', field->iov_len);
        size_t name = equals ? (size_t) (equals - p) : field->iov_len, value = field->iov_len - name, n = 0;

        if (!equals)
                return 0;
        value = MIN(value - 1, (size_t) LOG_SINK_FIELD_MAX);
        if (memchr(equals + 1, '\n', value)) {
                *length = htole64(value);
                iov[n++] = (struct iovec) { (char *) p, name };
                iov[n++] = (struct iovec) { (char *) newline, 1 };
                iov[n++] = (struct iovec) { length, sizeof(*length) };
                iov[n++] = (struct iovec) { (char *) equals + 1, value };
        } else
                iov[n++] = (struct iovec) { (char *) p, name + 1 + value };
        iov[n++] = (struct iovec) { (char *) newline, 1 };
        return n;
}

int log_sink_journal(const struct iovec *fields, size_t n) {
        struct iovec iov[LOG_SINK_FIELDS_MAX * 5];
        uint64_t lengths[LOG_SINK_FIELDS_MAX];
        size_t parts = 0, first = 0;
        int r;

        for (size_t i = 0; i < MIN(n, (size_t) LOG_SINK_FIELDS_MAX); i++) {
                parts += add_field(iov + parts, fields + i, lengths + i);
                if (i < FIRST_FIELDS)
                        first = parts;
        }
        r = send_datagram(iov, parts);
        return r == -EMSGSIZE ? send_datagram(iov, first) : r;
}

/* ---- standard error ---- */

/* A description of our own of what standard error is open on; -EBADF where there can be none. Kept for as long as it is the same
 * file. */
static int own_stderr(const struct stat *st) {
        static int fd = -EBADF;
        static dev_t dev;
        static ino_t ino;

        if (dev == st->st_dev && ino == st->st_ino)
                return fd;
        fd = safe_close(fd);
        fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        dev = st->st_dev;
        ino = st->st_ino;
        return fd;
}

/* Where it may not be opened once more, being another user's: the kernel may be asked not to wait, or else to say whether there
 * is room; for as much as that holds for a pipe. */
static ssize_t write_if_room(const char *p, size_t n) {
        struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
        const struct iovec iov = { (char *) p, n };
        ssize_t k = pwritev2(STDERR_FILENO, &iov, 1, -1, RWF_NOWAIT);

        if (k >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL && errno != EPERM))
                return k;
        if (poll(&room, 1, /* timeout= */ 0) > 0)
                return write(STDERR_FILENO, p, n);
        errno = EAGAIN;
        return -1;
}

static ssize_t write_some(const struct stat *st, const char *p, size_t n) {
        int fd;

        if (S_ISSOCK(st->st_mode))
                return send(STDERR_FILENO, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (!S_ISFIFO(st->st_mode) && !S_ISCHR(st->st_mode))
                return write(STDERR_FILENO, p, n);
        fd = own_stderr(st);
        return fd >= 0 ? write(fd, p, n) : write_if_room(p, n);
}

int log_sink_stderr(const char *line, size_t n) {
        static bool torn; /* of the line before only a part went out */
        char cut[PIPE_BUF];
        struct stat st;
        ssize_t k;

        if (fstat(STDERR_FILENO, &st) < 0)
                return -errno;
        if (S_ISFIFO(st.st_mode) && n > PIPE_BUF) {
                memcpy(cut, line, sizeof(cut));
                cut[sizeof(cut) - 1] = '\n';
                line = cut;
                n = sizeof(cut);
        }
        if (torn && write_some(&st, "\n", 1) != 1)
                return -EAGAIN;
        torn = false;
        do
                k = write_some(&st, line, n);
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return -errno;
        torn = k > 0 && (size_t) k < n;
        return (size_t) k == n ? 0 : -EAGAIN;
}
