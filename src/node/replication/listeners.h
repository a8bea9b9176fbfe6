/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets on which a node waits for other nodes. */
#pragma once

#include <systemd/sd-event.h>

#include "node/replication/replication.h"

struct listeners;

/* A connection: the non-blocking fd is the receiver's, and whom it comes from (port 0: it is of no use to anybody).
 * The listeners must not be freed from within. */
typedef void (*listeners_fn)(int fd, const struct node_address *from, void *userdata);

/* Binds the HA address and the extra ones, all or none; each once. Connections only queue until listeners_start().
 * An error of bind() and others; *ret_error then is a message that names the address and the cause (free it). */
_must_check_ int listeners_new(sd_event *event, const struct replication_config *config, listeners_fn fn, void *userdata,
                               struct listeners **ret, char **ret_error);
void listeners_start(struct listeners *l);
struct listeners *listeners_free(struct listeners *l);
DEFINE_CLEANUP(struct listeners *, listeners_free)
