/* SPDX-License-Identifier: Apache-2.0 */
/* The serving side of replication: listens for slaves, brings them up to date, and carries commits to them.
 *
 * The same object serves a master and a relay; they differ in where transactions come from (master_commit() or
 * the struct slave that the relay follows) and in the path of names that joining nodes are shown. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "basic/secret.h"
#include "basic/util.h"
#include "node/node-id.h"
#include "node/replication/replication.h"
#include "node/store/store.h"

struct master;
struct slave;

/* Events. They come from the event loop, never from within a function of this header. The callbacks may call any of
 * the functions, master_free() included. */
struct master_callbacks {
        /* A slave is there: its data is in place and durable, it follows, and every later commit waits for it.
         * A slave that is still being synchronized is neither reported nor listed. */
        void (*slave_arrived)(struct master *m, const struct node_id *id, const struct node_address *address, void *userdata);
        /* An arrived slave is gone (closed, silent, too slow, replaced by a join under its name, or by
         * master_slave_dead()). Not reported for master_free(). */
        void (*slave_died)(struct master *m, const struct node_id *id, const struct node_address *address, void *userdata);
};

/* Binds all listeners (HA address and extra ones) and serves slaves under the name `id` with the token.
 * `upstream`: the follower whose master we relay, or NULL for a master. A relay hands to its slaves what `upstream`
 * receives, and acknowledges upstream what they have durable too. Free or promote the relay's
 * master before you free that slave.
 * -EADDRINUSE, -EADDRNOTAVAIL and other errors of bind(): HA_BIND; *ret_error is a message that names the address
 * and the cause (free it). Nothing is left bound then. An empty token is fine: nobody can join. */
_must_check_ int master_new(sd_event *event, struct store *store, const struct replication_config *config,
                            const struct node_id *id, const struct secret *token, struct slave *upstream,
                            const struct master_callbacks *callbacks, void *userdata,
                            struct master **ret, char **ret_error);

/* Stops listening and drops all slaves, silently. Commits that are under way no longer wait for slaves: their callbacks
 * still come from the loop, with what the store says (unless that is freed first). Returns NULL, takes NULL. */
struct master *master_free(struct master *m);
DEFINE_CLEANUP(struct master *, master_free)

/* A relay that becomes master keeps listening and its slaves; from here on it takes commits. Then free the slave that it
 * followed. Nothing happens on a master. */
void master_promote(struct master *m);

/* The name changes; the slaves stay. */
_must_check_ int master_rename(struct master *m, const struct node_id *id);

/* The token that later joins have to prove. */
_must_check_ int master_set_token(struct master *m, const struct secret *token);

/* Drops the slave with that id at once, also one that is still being synchronized; slave_died comes from the loop
 * if it had arrived. An unknown id does nothing. */
void master_slave_dead(struct master *m, const struct node_id *id);

/* While held, a slave that has its data in place waits before it is admitted (for HA_INFO_SYNC). Commits, ticks and
 * deaths go on; the waiting slave hears no more than ticks. */
void master_set_hold(struct master *m, bool hold);

/* How many slaves have arrived. */
size_t master_n_slaves(const struct master *m);

/* Commits a transaction that is filled but not sealed: gives it an id in our name and calls fn once it is durable here
 * and at every arrived slave (0), or could not be made durable here (-ENOSPC, -EIO: nobody keeps it).
 * -EBUSY: too much is under way; -EROFS: this is a relay; -EINVAL: empty or sealed. fn does not come then. */
_must_check_ int master_commit(struct master *m, struct transaction *t, transaction_stored_fn fn, void *userdata);

/* For the follower of a relay: as master_commit(), with a transaction that was sealed by the real master. */
_must_check_ int master_pass_on(struct master *m, struct transaction *t, transaction_stored_fn fn, void *userdata);

/* For the follower of a relay: how many levels of nodes are below us (0: no slaves). Changes go to slave_depth_changed(). */
unsigned master_depth(const struct master *m);
