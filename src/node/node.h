/* SPDX-License-Identifier: Apache-2.0 */
/* The node as a whole: ties role, replication, store, IPC port and bus together. */
#pragma once

#include <systemd/sd-event.h>

#include "node/config.h"

struct node;

/* Opens the data, listens, takes the bus name, and is ready when this returns; config is borrowed. On an error
 * *ret_error is a message that says what failed and what to look at (free it): -EINVAL when the settings are to blame. */
_must_check_ int node_new(sd_event *event, const struct node_config *config, struct node **ret, char **ret_error);
struct node *node_free(struct node *n);
DEFINE_CLEANUP(struct node *, node_free)

/* Moves on to the next start phase, if there is one. */
void node_next_phase(struct node *n);
