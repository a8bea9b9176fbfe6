/* SPDX-License-Identifier: Apache-2.0 */
/* What ha.c and events.c share: a caller's socket, used until a whole message has passed or a deadline has.
 *
 * All functions return CONFD_OK, or CONFD_ERR or CONFD_EOF with confd_errno and confd_lasterr set; `what` begins the
 * words. After CONFD_ERR the socket has been made useless; after CONFD_EOF the server has.
 */
#pragma once

#include <confd_lib.h>

#include "basic/buffer.h"
#include "basic/util.h"
#include "lib/ipc.h"

/* When a call on the socket has to be over, by its SO_SNDTIMEO or SO_RCVTIMEO. */
uint64_t blocking_deadline(int sock, int option);

/* Connects and shakes hands as `kind` (IPC_KIND_...); both have to be done by the deadline. */
_must_check_ int blocking_connect(int sock, const struct sockaddr *srv, int srv_sz, uint8_t kind, uint64_t deadline,
                                  const char *what);

/* Dissolves a TCP connection, so that the same socket can be connected again. CONFD_ERR for other sockets, without
 * an error set. */
_must_check_ int blocking_disconnect(int sock);

/* Sends all of b. */
_must_check_ int blocking_send(int sock, const struct buffer *b, uint64_t deadline, const char *what);

/* Receives one frame's body into b, which is cleared first, and reads no byte further. */
_must_check_ int blocking_receive(int sock, struct buffer *b, uint64_t deadline, const char *what);

/* Sets the error, shuts the socket down so that every later call on it fails, returns CONFD_ERR or CONFD_EOF. */
_printf_(3, 4) int blocking_fail(int sock, int code, const char *format, ...);

/* Makes the socket fail from now on, as the documented connect functions have to when they fail. */
void blocking_give_up(int sock);

/* The protocol version that connects say. */
unsigned blocking_protocol_version(void);
