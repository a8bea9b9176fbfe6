/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the listening IPC socket. */
#include <sys/un.h>

#include "node/ipc/listen.h"

enum { BACKLOG = 128, SOCKET_MODE = 0660 };

static const char *path_of(const struct socket_address *a) {
        return ((const struct sockaddr_un *) &a->storage)->sun_path;
}

/* Removes what a process that has died left behind. Only a socket to which nobody answers is taken for that: it must never
 * be a file of somebody's, or the socket of a node that runs. */
static int remove_stale(const struct socket_address *a) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (lstat(path_of(a), &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -ENOTSOCK;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, &a->sa, a->length) >= 0 || errno == EAGAIN)
                return -EADDRINUSE;
        if (errno == ENOENT)
                return 0;
        if (errno != ECONNREFUSED)
                return -errno;
        return unlink(path_of(a)) < 0 && errno != ENOENT ? -errno : 0;
}

int ipc_listen(const struct socket_address *address, struct ipc_listener *ret) {
        _cleanup_close_ int fd = -EBADF;
        struct ipc_listener l = { .address = *address };
        bool is_path = address->sa.sa_family == AF_UNIX;
        struct stat st = {};
        int r, one = 1;

        fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (is_path) {
                r = remove_stale(address);
                if (r < 0)
                        return r;
        } else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
                return -errno;
        if (bind(fd, &address->sa, address->length) < 0)
                return -errno;
        /* Nobody can connect before listen(), so the mode is never seen wrong. */
        if (is_path && (chmod(path_of(address), SOCKET_MODE) < 0 || lstat(path_of(address), &st) < 0)) {
                r = -errno;
                (void) unlink(path_of(address));
                return r;
        }
        if (listen(fd, BACKLOG) < 0)
                return -errno;
        l.fd = TAKE_FD(fd);
        l.dev = st.st_dev;
        l.ino = st.st_ino;
        *ret = l;
        return 0;
}

void ipc_listener_done(struct ipc_listener *l) {
        struct stat st;

        if (l->fd < 0)
                return;
        if (l->address.sa.sa_family == AF_UNIX && lstat(path_of(&l->address), &st) >= 0 &&
            st.st_dev == l->dev && st.st_ino == l->ino)
                (void) unlink(path_of(&l->address));
        l->fd = safe_close(l->fd);
}
