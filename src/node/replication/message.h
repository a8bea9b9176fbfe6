/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of the frames between nodes, all but a refusal's (docs/node-protocol.md). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/util.h"
#include "node/node-id.h"
#include "node/replication/schema.h"
#include "node/store/transaction.h"

enum {
        PATH_NODES_MAX = 16, /* levels of relays and the master; a chain may not be longer */
        MESSAGE_SIZE_MAX = 1024 + PATH_NODES_MAX * (1 + NODE_ID_ETF_MAX),
};

/* The names from the real master (first) down to the node that tells it (last). */
struct node_path {
        size_t n;
        struct node_id names[PATH_NODES_MAX];
};

bool node_path_contains(const struct node_path *path, const struct node_id *id);

/* How often ticks go between two nodes: the shorter of the two intervals, where 0 means none. What the other side says is
 * believed as far as it makes sense. */
#define TICK_USEC_MIN (UINT64_C(10) * 1000)
#define TICK_USEC_MAX (UINT64_C(86400) * 1000000)
uint64_t tick_interval(uint64_t own, uint64_t theirs);

struct join_message {
        uint8_t schema[SCHEMA_DIGEST_SIZE];
        uint64_t tick_usec;
        char transaction_id[TRANSACTION_ID_MAX + 1];
};

struct accept_message {
        bool copy;
        uint64_t tick_usec;
        uint64_t entries;
        char transaction_id[TRANSACTION_ID_MAX + 1];
        struct node_path path;
};

/* Encoders return the size; decoders 0 or -EBADMSG. */
size_t join_message_encode(const struct join_message *m, uint8_t buf[static MESSAGE_SIZE_MAX]);
_must_check_ int join_message_decode(const uint8_t *p, size_t n, struct join_message *ret);
size_t accept_message_encode(const struct accept_message *m, uint8_t buf[static MESSAGE_SIZE_MAX]);
_must_check_ int accept_message_decode(const uint8_t *p, size_t n, struct accept_message *ret);
size_t node_path_encode(const struct node_path *path, uint8_t buf[static MESSAGE_SIZE_MAX]);
_must_check_ int node_path_decode(const uint8_t *p, size_t n, struct node_path *ret);

/* ACK: so many more transactions are durable (or, before END, have come as far as the copy). */
enum { ACK_MESSAGE_SIZE = 8 };
void ack_message_encode(uint64_t transactions, uint8_t buf[static ACK_MESSAGE_SIZE]);
_must_check_ int ack_message_decode(const uint8_t *p, size_t n, uint64_t *ret_transactions);

/* TICK: how many levels of nodes are below the sender, at most PATH_NODES_MAX. The serving side says 0: that is nobody's business
 * above. */
enum { TICK_MESSAGE_SIZE = 1 };
void tick_message_encode(unsigned depth, uint8_t buf[static TICK_MESSAGE_SIZE]);
_must_check_ int tick_message_decode(const uint8_t *p, size_t n, unsigned *ret_depth);

/* TRANSACTION: the size of the whole, and its first piece, which is what follows the header. */
enum { TRANSACTION_HEADER_SIZE = 4 };
void transaction_header_encode(size_t size, uint8_t buf[static TRANSACTION_HEADER_SIZE]);
_must_check_ int transaction_header_decode(const uint8_t *p, size_t n, size_t *ret_size); /* -EBADMSG also if nothing follows it */

/* A record of the stream of entries in a copy: key size (2), value size (4), key, value. */
enum { RECORD_HEADER_SIZE = 6, RECORD_SIZE_MAX = RECORD_HEADER_SIZE + KEY_SIZE_MAX + VALUE_SIZE_MAX };
void record_header_encode(size_t key_size, size_t value_size, uint8_t buf[static RECORD_HEADER_SIZE]);
_must_check_ int record_header_decode(const uint8_t buf[static RECORD_HEADER_SIZE], size_t *ret_key_size, size_t *ret_value_size);
