/* SPDX-License-Identifier: Apache-2.0 */
/* Takes connections from a listening socket on the loop, as long as there are descriptors for them. For programs. */
#pragma once

#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "basic/util.h"

enum {
        ACCEPTOR_BUDGET = 32,             /* connections that are taken in one go of the loop */
        ACCEPTOR_PAUSE_USEC = 100 * 1000, /* when descriptors or memory ran out: the rest waits in the socket's backlog */
};

struct acceptor;

/* One connection: it is close-on-exec, does not block, and is the callee's to close. Who is called must not free the acceptor. */
typedef void (*acceptor_fn)(int fd, const struct sockaddr_storage *peer, socklen_t peer_size, void *userdata);

/* listener: a listening socket that does not block; borrowed. what: who is kept waiting when there are no more descriptors,
 * as "HA clients", for the log; static text. -ENOMEM and others of sd-event. */
_must_check_ int acceptor_new(sd_event *event, int listener, const char *what, bool enabled, acceptor_fn fn, void *userdata,
                              struct acceptor **ret);
struct acceptor *acceptor_free(struct acceptor *a);
DEFINE_CLEANUP(struct acceptor *, acceptor_free)

/* While it is not enabled, connections wait in the backlog. */
_must_check_ int acceptor_set_enabled(struct acceptor *a, bool enabled);
