/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the documented HA calls that wait: each a few lines on orders and the caller's socket. */
#include <confd_ha.h>

#include "basic/time-util.h"
#include "lib/blocking.h"
#include "lib/errors.h"
#include "lib/export.h"
#include "lib/frame.h"
#include "lib/orders.h"
#include "lib/trace.h"
#include "lib/value.h"

_public_ int confd_ha_connect(int sock, const struct sockaddr *srv, int srv_sz, const char *token) {
        const char *what = "confd_ha_connect";
        _cleanup_buffer_ struct buffer b = BUFFER_INIT_SECRET(0);
        uint64_t deadline;
        size_t n;
        int r;

        n = token ? strnlen(token, CONFD_HA_TOKEN_MAX + 1) : 0;
        if (!token || n > CONFD_HA_TOKEN_MAX)
                return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: %s", what,
                                     token ? "the token is too long" : "the token is NULL");
        deadline = usec_add(now_monotonic(), CONFD_HA_HANDSHAKE_SEC * USEC_PER_SEC);
        deadline = MIN(deadline, blocking_deadline(sock, SO_SNDTIMEO));
        r = blocking_connect(sock, srv, srv_sz, IPC_KIND_HA, deadline, what);
        if (r != CONFD_OK)
                return r;
        if (order_append_token(&b, token, n) < 0)
                return blocking_fail(sock, CONFD_ERR_MALLOC, "%s: out of memory", what);
        r = blocking_send(sock, &b, deadline, what);
        if (r != CONFD_OK)
                blocking_give_up(sock);
        return r;
}

/* What a reply says, as the functions return it. The socket stays good. */
static int finish(const struct reply *reply, const char *what) {
        char words[768];

        if (reply->code == CONFD_OK) {
                trace(CONFD_TRACE, "%s: ok", what);
                return CONFD_OK;
        }
        reply_describe(reply, words, sizeof(words));
        return error_set(reply->code, "%s: %s", what, words);
}

/* Sends an order, and receives its reply's body into b if there is one. */
static int give(int sock, const struct order *o, struct buffer *b, const char *what) {
        char why[128];
        int r;

        if (order_check(o, why, sizeof(why)) < 0)
                return error_set(CONFD_ERR_BADTYPE, "%s: %s", what, why);
        if (order_append(b, o) < 0)
                return error_set(CONFD_ERR_MALLOC, "%s: out of memory", what);
        trace_message(sock, "->", buffer_head(b) + FRAME_HEADER_SIZE, buffer_size(b) - FRAME_HEADER_SIZE);
        r = blocking_send(sock, b, blocking_deadline(sock, SO_SNDTIMEO), what);
        if (r != CONFD_OK || !order_has_reply(o))
                return r;
        r = blocking_receive(sock, b, blocking_deadline(sock, SO_RCVTIMEO), what);
        if (r == CONFD_OK)
                trace_message(sock, "<-", buffer_head(b), buffer_size(b));
        return r;
}

static int order(int sock, const struct order *o, const char *what) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        struct reply reply = {};
        int r;

        r = give(sock, o, &b, what);
        if (r != CONFD_OK)
                return r;
        if (order_has_reply(o) && reply_parse(buffer_head(&b), buffer_size(&b), &reply) < 0)
                return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: the reply is not as the protocol says", what);
        return finish(&reply, what);
}

_public_ int confd_ha_bemaster(int sock, confd_value_t *mynodeid) {
        return order(sock, &(const struct order) { .type = HA_ORDER_BEMASTER, .nodeid = mynodeid }, "confd_ha_bemaster");
}

_public_ int confd_ha_beprimary(int sock, confd_value_t *mynodeid) {
        return order(sock, &(const struct order) { .type = HA_ORDER_BEMASTER, .nodeid = mynodeid }, "confd_ha_beprimary");
}

static int beslave(int sock, confd_value_t *mynodeid, struct confd_ha_node *master, int waitreply, const char *what) {
        const struct order o = {
                .type = HA_ORDER_BESLAVE, .nodeid = mynodeid, .master = master, .wait = waitreply != 0,
        };

        return order(sock, &o, what);
}

_public_ int confd_ha_beslave(int sock, confd_value_t *mynodeid, struct confd_ha_node *master, int waitreply) {
        return beslave(sock, mynodeid, master, waitreply, "confd_ha_beslave");
}

_public_ int confd_ha_besecondary(int sock, confd_value_t *mynodeid, struct confd_ha_node *primary, int waitreply) {
        return beslave(sock, mynodeid, primary, waitreply, "confd_ha_besecondary");
}

_public_ int confd_ha_berelay(int sock) {
        return order(sock, &(const struct order) { .type = HA_ORDER_BERELAY }, "confd_ha_berelay");
}

_public_ int confd_ha_benone(int sock) {
        return order(sock, &(const struct order) { .type = HA_ORDER_BENONE }, "confd_ha_benone");
}

_public_ int confd_ha_slave_dead(int sock, confd_value_t *nodeid) {
        return order(sock, &(const struct order) { .type = HA_ORDER_SLAVE_DEAD, .nodeid = nodeid }, "confd_ha_slave_dead");
}

_public_ int confd_ha_secondary_dead(int sock, confd_value_t *nodeid) {
        return order(sock, &(const struct order) { .type = HA_ORDER_SLAVE_DEAD, .nodeid = nodeid }, "confd_ha_secondary_dead");
}

/* Id and address stand one behind the other in the message. */
static int read_node(const struct confd_ha_node_term *term, struct confd_ha_node *ret) {
        struct eterm c = eterm_init(term->id.data, term->id.size + term->address.size);

        return node_get_parts(&c, ret);
}

static int fail_node(unsigned i, const struct confd_ha_node_term *term, int r, const char *what) {
        char id[160], address[160];

        (void) confd_ha_format_id(&term->id, id, sizeof(id));
        (void) confd_ha_format_address(&term->address, address, sizeof(address));
        return error_set(CONFD_ERR_PROTOUSAGE, "%s: node %u of the status, %s at %s, %s struct confd_ha_node", what, i + 1, id,
                         address, r == -ENOBUFS ? "does not fit into the 128 bytes of" : "has no place in");
}

static int status(int sock, struct confd_ha_status *stat, const char *what) {
        struct confd_ha_node_term nodes[CONFD_HA_STATUS_NODES_MAX];
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        struct confd_ha_node node;
        struct reply reply;
        int r;

        if (!stat)
                return error_set(CONFD_ERR_PROTOUSAGE, "%s: no place for the status", what);
        r = give(sock, &(const struct order) { .type = HA_ORDER_STATUS }, &b, what);
        if (r != CONFD_OK)
                return r;
        if (reply_parse_status(buffer_head(&b), buffer_size(&b), &reply, nodes) < 0)
                return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: the reply is not as the protocol says", what);
        if (reply.code != CONFD_OK)
                return finish(&reply, what);
        /* First all of them on trial: the caller's struct is written on success only. */
        for (unsigned i = 0; i < reply.num_nodes; i++) {
                r = read_node(&nodes[i], &node);
                if (r < 0)
                        return fail_node(i, &nodes[i], r, what);
        }
        for (unsigned i = 0; i < reply.num_nodes; i++)
                (void) read_node(&nodes[i], &stat->nodes[i]);
        stat->state = reply.state;
        stat->num_nodes = (int) reply.num_nodes;
        return finish(&reply, what);
}

_public_ int confd_ha_status(int sock, struct confd_ha_status *stat) {
        return status(sock, stat, "confd_ha_status");
}

_public_ int confd_ha_get_status(int sock, struct confd_ha_status *stat) {
        return status(sock, stat, "confd_ha_get_status");
}
