/* SPDX-License-Identifier: Apache-2.0 */
/* The node as a whole: ties role, replication, store, IPC port and bus together. */
#pragma once

#include <systemd/sd-event.h>

#include "node/config.h"

struct node;

/* Opens the data, listens, asks for the bus name; config is borrowed for as long as the node is
 * there. On an error *ret_error is a message that says what failed and what to look at (free it): -EINVAL for what only a person
 * can mend. */
_must_check_ int node_new(sd_event *event, const struct node_config *config, struct node **ret, char **ret_error);
struct node *node_free(struct node *n);
DEFINE_CLEANUP(struct node *, node_free)

/* The loop is about to run. The service manager hears READY=1 at once, or when the bus has given its name. */
void node_start(struct node *n);

/* Reads the configuration again, and takes over what can change while the node runs; says in the log what that is not. What is
 * wrong changes nothing. */
void node_reload(struct node *n, const struct node_options *options);

/* Ends the loop with that exit status, in order: writes are taken no more, those under way have a second to reach the slaves; then the
 * role is left, which nobody is told, and what is on its way to the disk has five seconds. Of what is not answered then the callers hear
 * that it is uncertain. Called again it only makes a failure of it. */
void node_end(struct node *n, int status);

/* Moves on to the next start phase, if there is one. */
void node_next_phase(struct node *n);
