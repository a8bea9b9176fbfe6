/* SPDX-License-Identifier: Apache-2.0 */
/* What both sides of replication have to know of this node's settings, and the limits that they keep. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "node/node-id.h"
#include "node/replication/schema.h"

enum {
        SLAVES_MAX = 254,     /* connected at a time; one more is refused and hears HA_CONNECT */
        STRANGERS_MAX = 320,  /* connections that have not joined: a whole cluster may come at once; beyond, one is closed */
        STRANGER_SEC = 5,     /* how long a stranger has for its proof */
        EXTRA_LISTEN_MAX = 16,
        TICKS_MISSED_MAX = 3,
        JOIN_CONNECT_SEC = 10, /* for the TCP connection and for the proofs, each */
        TOKEN_SIZE_MAX = 65535, /* what the IPC port takes */
};

/* How a commit may end besides with 0 and the store's own errors, which mean that the transaction is nowhere. Here it is not
 * certain what becomes of it: */
enum {
        COMMIT_MAYBE_ELSEWHERE = -EREMOTEIO, /* not stored here; slaves that were given it may have it */
        COMMIT_MAYBE_ONLY_HERE = -ENOLINK,   /* stored here, perhaps nowhere else: the role ended before all slaves had it */
};

/* Copied by the functions that take it. */
struct replication_config {
        struct node_address ha_address;  /* own HA address and port; a slave binds to it unless it is the wildcard */
        struct node_address extra_listen[EXTRA_LISTEN_MAX]; /* port 0: that of ha_address */
        size_t n_extra_listen;
        uint64_t tick_usec;              /* 0: no ticks */
        uint64_t sync_timeout_usec;      /* the initial synchronization may be silent for so long; 0: no limit */
        struct schema schema;
};
