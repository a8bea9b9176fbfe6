/* SPDX-License-Identifier: Apache-2.0 */
/* The listening IPC socket, on TCP or on a path. */
#pragma once

#include <sys/stat.h>

#include "basic/parse.h"

struct ipc_listener {
        int fd;
        struct socket_address address;
        dev_t dev; /* of the socket file, so that only our own is removed */
        ino_t ino;
};

/* Binds and listens, without blocking from then on. A socket file that nobody listens on any more is replaced; a new one
 * has mode 0660, whatever the umask. -EADDRINUSE: somebody listens there; -ENOTSOCK: there is a file that is no socket;
 * other errors of socket(), bind() and chmod(). */
_must_check_ int ipc_listen(const struct socket_address *address, struct ipc_listener *ret);

/* Closes, and removes the socket file if it still is the one that was made. */
void ipc_listener_done(struct ipc_listener *l);
