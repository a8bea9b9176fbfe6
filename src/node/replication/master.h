/* SPDX-License-Identifier: Apache-2.0 */
/* The serving side of replication: listens for slaves, brings them up to date, and carries commits to them.
 *
 * The same object serves a master and a relay; they differ in where transactions come from (master_commit() or
 * master_pass_on()) and in the path of names that joining nodes are shown. It does not know the following side: whoever has
 * both (node/peers) carries between them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "basic/secret.h"
#include "basic/util.h"
#include "node/node-id.h"
#include "node/replication/message.h"
#include "node/replication/replication.h"
#include "node/store/store.h"

struct master;

/* Events. They come from the event loop, never from within a function of this header. The callbacks may call any of
 * the functions, master_free() included. */
struct master_callbacks {
        /* A slave is there: everything that was ever acknowledged is in place there, durably; every later commit waits for it.
         * A slave that is still being synchronized is neither reported nor listed. */
        void (*slave_arrived)(struct master *m, const struct node_id *id, const struct node_address *address, void *userdata);
        /* An arrived slave is gone (closed, silent, too slow, replaced by a join under its name, or by
         * master_slave_dead()). Not reported for master_free(). */
        void (*slave_died)(struct master *m, const struct node_id *id, const struct node_address *address, void *userdata);
        /* How many levels of nodes are below us has changed (0: no slaves, as in the beginning). Unlike the others it may come
         * from within a function of this header, and may not call any. */
        void (*depth)(struct master *m, unsigned depth, void *userdata);
        /* A relay's: a slave that a transaction waits for is slow, but gets on. As depth. */
        void (*progress)(struct master *m, void *userdata);
};

/* Binds all listeners (HA address and extra ones) and serves slaves under the name `id` with the token.
 * `above`: for a relay, the path down to the node that it follows; NULL for a master.
 * -EADDRINUSE, -EADDRNOTAVAIL and other errors of bind(): HA_BIND; *ret_error is a message that names the address
 * and the cause (free it). Nothing is left bound then. An empty token is fine: nobody can join. */
_must_check_ int master_new(sd_event *event, struct store *store, const struct replication_config *config,
                            const struct node_id *id, const struct secret *token, const struct node_path *above,
                            const struct master_callbacks *callbacks, void *userdata,
                            struct master **ret, char **ret_error);

/* Stops listening and drops all slaves, silently. Commits that are under way no longer wait for slaves: their callbacks
 * still come from the loop (unless the store is freed first), those that slaves had not acknowledged with
 * COMMIT_MAYBE_ONLY_HERE if they are stored here. Returns NULL, takes NULL. */
struct master *master_free(struct master *m);
DEFINE_CLEANUP(struct master *, master_free)

/* A relay that becomes master keeps listening and its slaves; from here on it takes commits, and passes on nothing more.
 * Nothing happens on a master. */
void master_promote(struct master *m);

/* What is above a relay has changed. Nothing happens on a master. */
void master_set_path(struct master *m, const struct node_path *above);

/* The name changes; the slaves stay. */
_must_check_ int master_rename(struct master *m, const struct node_id *id);

/* The schema set that later joins have to have. */
void master_set_schema(struct master *m, const struct schema *schema);

/* The token that later joins have to prove. */
_must_check_ int master_set_token(struct master *m, const struct secret *token);

/* Drops the slave with that id at once, also one that is still being synchronized; slave_died comes from the loop
 * if it had arrived. An unknown id does nothing. */
void master_slave_dead(struct master *m, const struct node_id *id);

/* While held, a slave that copies is not told the end of that (for HA_INFO_SYNC); it is sent on what is committed. Commits,
 * ticks and deaths go on. One that has been told the end before still arrives: commits wait for it already. */
void master_set_hold(struct master *m, bool hold);

/* Ends the copies that are under way, and what of our data is kept for them, when the disk has no room for it: those slaves hear
 * HA_CLOSED. Returns false if there was none. */
bool master_give_up_copies(struct master *m);

/* How many slaves have arrived. */
size_t master_n_slaves(const struct master *m);

/* Those that have arrived, in the order of their connection, and how far each of them keeps up: who holds a commit is the one
 * with the oldest transaction. */
struct master_slave {
        struct node_id id;
        struct node_address address;  /* port 0 */
        uint64_t tick_age_usec;        /* since anything was heard from it, which is as good as a tick */
        uint64_t transaction_age_usec; /* of the oldest transaction that it has not acknowledged; 0: none */
        uint64_t bytes_unsent;         /* that its host has not taken yet, of whatever there is for it */
        uint64_t n_unacknowledged;     /* transactions */
};
typedef void (*master_slave_fn)(const struct master_slave *slave, void *userdata);
void master_slaves(const struct master *m, master_slave_fn fn, void *userdata);

/* Commits a transaction that is filled but not sealed: gives it an id in our name and calls fn once it is durable here
 * and at every arrived slave (0), or could not be made durable here (-ENOSPC, -EIO: nobody has it, nobody will), or once one
 * of the two COMMIT_MAYBE_ errors is all that can be said.
 * -EBUSY: too much is under way; -EROFS: this is a relay; -EINVAL: empty or sealed. fn does not come then. */
_must_check_ int master_commit(struct master *m, struct transaction *t, transaction_stored_fn fn, void *userdata);

/* For a relay: as master_commit(), with a transaction that was sealed by the real master. `chain`: that of all that comes
 * from there (store.h); a master that the relay becomes goes on in it. -EROFS: this is a master. */
_must_check_ int master_pass_on(struct master *m, struct transaction *t, uint64_t chain, transaction_stored_fn fn,
                                void *userdata);
