/* SPDX-License-Identifier: Apache-2.0 */
/* Does on the replication what the role decides, and tells the role what happens there. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/secret.h"
#include "node/replication/master.h"
#include "node/replication/replication.h"
#include "node/role.h"
#include "node/store/store.h"

struct peers;

/* config is copied. -ENOMEM. */
_must_check_ int peers_new(sd_event *event, struct store *store, const struct replication_config *config,
                           struct peers **ret);
struct peers *peers_free(struct peers *p);
DEFINE_CLEANUP(struct peers *, peers_free)

/* Another schema: for joins from now on, either way. Other ticks, another synchronization timeout: from the next role on that is
 * taken; both ends of a connection that is there have agreed on its ticks. */
void peers_configure(struct peers *p, const struct replication_config *config);

/* Whom to tell. Set before anything else is called. */
void peers_set_role(struct peers *p, struct role *role);

/* For the end of the node, on which nothing is decided any more: lets go of the slaves and of the master, and says nothing of it. What is
 * under way ends as if by order (master_free()). */
void peers_leave(struct peers *p);

/* The token that later joins have to prove, either way. -ENOMEM. */
_must_check_ int peers_set_token(struct peers *p, const struct secret *token);

/* What the role decides, done; their userdata is the peers. */
extern const struct role_peer_ops peers_role_ops;

/* Commits a filled transaction the way our state asks for: to all slaves as master, here alone as none. fn comes from the
 * loop, once the transaction is durable (or is not), if this returns 0.
 * -EROFS: our data may not be written now; -EBUSY: too much is under way; -ENOMEM. */
_must_check_ int peers_commit(struct peers *p, struct transaction *t, transaction_stored_fn fn, void *userdata);

/* As master or relay: those that follow us, and how far each of them keeps up. Nothing otherwise. */
void peers_slaves(const struct peers *p, master_slave_fn fn, void *userdata);
