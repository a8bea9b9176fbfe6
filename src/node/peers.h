/* SPDX-License-Identifier: Apache-2.0 */
/* Does on the replication what the role decides, and tells the role what happens there. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/secret.h"
#include "node/replication/replication.h"
#include "node/role.h"
#include "node/store/store.h"

struct peers;

/* config is copied. -ENOMEM. */
_must_check_ int peers_new(sd_event *event, struct store *store, const struct replication_config *config,
                           struct peers **ret);
struct peers *peers_free(struct peers *p);
DEFINE_CLEANUP(struct peers *, peers_free)

/* Whom to tell. Set before anything else is called. */
void peers_set_role(struct peers *p, struct role *role);

/* The token that later joins have to prove, either way. -ENOMEM. */
_must_check_ int peers_set_token(struct peers *p, const struct secret *token);

/* The actions of struct role_ops of these names. */
int peers_serve(struct peers *p, bool as_master, const struct node_id *id, const char **ret_why);
void peers_unserve(struct peers *p);
void peers_drop(struct peers *p, const struct node_id *id);
void peers_follow(struct peers *p, const struct node_id *id, const struct role_node *master);
void peers_unfollow(struct peers *p);
void peers_hold(struct peers *p, bool hold);

/* Commits a filled transaction the way our state asks for: to all slaves as master, here alone as none. fn comes from the
 * loop, once the transaction is durable (or is not), if this returns 0.
 * -EROFS: our data may not be written now; -EBUSY: too much is under way; -ENOMEM. */
_must_check_ int peers_commit(struct peers *p, struct transaction *t, transaction_stored_fn fn, void *userdata);
