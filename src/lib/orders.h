/* SPDX-License-Identifier: Apache-2.0 */
/* HA orders as frames, and their replies as structs. */
#pragma once

#include <confd_ha_client.h>

#include "basic/buffer.h"
#include "lib/eterm.h"
#include "lib/protocol.h"

/* What an order carries besides its number; members that the order has no use for are not looked at. */
struct order {
        enum ha_order type;
        const confd_value_t *nodeid;        /* BEMASTER, BESLAVE, SLAVE_DEAD */
        const struct confd_ha_node *master; /* BESLAVE */
        bool wait;                          /* BESLAVE */
};

const char *order_name(enum ha_order type);

/* Whether the server replies to it. */
static inline _unused_ bool order_has_reply(const struct order *o) {
        return o->type != HA_ORDER_BESLAVE || o->wait;
}

/* 0, or the errors of value_check_node_id() and node_check(); describes what is wrong in words. */
_must_check_ int order_check(const struct order *o, char *why, size_t why_size);

/* Appends a checked order as a frame, whole or not at all. -ENOBUFS, -ENOMEM. */
_must_check_ int order_append(struct buffer *b, const struct order *o);

/* Appends the token frame. -ENOBUFS, -ENOMEM. */
_must_check_ int order_append_token(struct buffer *b, const void *token, size_t size);

struct reply {
        int code;                  /* CONFD_OK, or what ConfD answered */
        struct eterm_bytes reason; /* the term of {error, Code, Reason}; without it data is NULL */
        enum confd_ha_status_state state;
        unsigned num_nodes;        /* of the array that was handed in */
};

/* Reads a frame's body as `ok`, {error, Code} or {error, Code, Reason}. The reason points into the body. -EPROTO. */
_must_check_ int reply_parse(const void *body, size_t size, struct reply *ret);

/* Reads a frame's body as a status or an error. Ids and addresses may be any term; they point into the body. `nodes` has
 * room for CONFD_HA_STATUS_NODES_MAX; its content is undefined on an error. -EPROTO, also for more nodes than that. */
_must_check_ int reply_parse_status(const void *body, size_t size, struct reply *ret, struct confd_ha_node_term *nodes);

/* What ConfD answered, in words: "Not possible in the present state: the reason". Cut at size. */
void reply_describe(const struct reply *reply, char *buf, size_t size);
