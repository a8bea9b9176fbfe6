/* SPDX-License-Identifier: Apache-2.0 */
/* The following side of replication: joins a master or relay, copies its data if it differs, and follows.
 *
 * One object is one be-slave order: it joins once, and after failed or lost it is only good for slave_free(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "basic/secret.h"
#include "basic/util.h"
#include "node/replication/ha-error.h"
#include "node/node-id.h"
#include "node/replication/message.h"
#include "node/replication/replication.h"
#include "node/store/store.h"

struct slave;

/* Events. They come from the event loop, never from within a function of this header. Exactly one of joined and failed,
 * then at most one lost. The callbacks may call any of the functions, slave_free() included. */
struct slave_callbacks {
        /* The copy is about to be put in force: from here on the order can no longer be given up without knowing whether it was. `joined`
         * or `failed` comes soon. Does not come when nothing is copied. May not call any function of ours. */
        void (*settling)(struct slave *s, void *userdata);
        /* The data is in place and durable, all of it that was ever acknowledged, the master counts us among its slaves, and we
         * follow. */
        void (*joined)(struct slave *s, bool copied, void *userdata);
        /* The order failed; the old data is whole. reason: text for the log and the reply. */
        void (*failed)(struct slave *s, enum ha_error code, const char *reason, void *userdata);
        /* After joined: HA_ERROR_CLOSED (closed, or we cannot store what we receive) or HA_ERROR_NOTICK. */
        void (*lost)(struct slave *s, enum ha_error code, const char *reason, void *userdata);
        /* A transaction of the master's that is to be stored, and to be passed on by a relay: as store_commit_chained(), fn comes
         * when it is durable at everybody who has to have it. NULL: we only store it. May not call any function of ours. */
        int (*follow)(struct slave *s, uint64_t chain, struct transaction *t, transaction_stored_fn fn, void *fn_userdata,
                      void *userdata);
        /* The names from the real master down to the one that we follow have changed. May not call any function of ours. */
        void (*path)(struct slave *s, const struct node_path *path, void *userdata);
};

/* Starts the join. `address`: port 0 means that of our own HA address. The token must not be empty: the join then fails with
 * HA_ERROR_BADTOKEN (through the callback, as every other outcome). -ENOMEM. */
_must_check_ int slave_new(sd_event *event, struct store *store, const struct replication_config *config,
                           const struct node_id *id, const struct node_id *master_id, const struct node_address *address,
                           const struct secret *token, const struct slave_callbacks *callbacks, void *userdata,
                           struct slave **ret);

/* Leaves: closes the connection and drops a copy that is under way. No callback comes any more. Returns NULL, takes NULL. */
struct slave *slave_free(struct slave *s);
DEFINE_CLEANUP(struct slave *, slave_free)

/* A joined slave can be relayed from. It stays when the token changes, which was only for the proof. */
bool slave_is_joined(const struct slave *s);
const struct node_path *slave_path(const struct slave *s);

/* For a relay: how many levels of nodes are below us. The master waits the longer for our acknowledgements. */
void slave_set_depth(struct slave *s, unsigned depth);

/* For a relay: those below us get on with what we have not acknowledged yet. */
void slave_progresses(struct slave *s);
