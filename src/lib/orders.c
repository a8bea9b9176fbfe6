/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the form of HA orders and of what ConfD replies to them. */
#include <limits.h>
#include <stdio.h>

#include "lib/errors.h"
#include "lib/frame.h"
#include "lib/orders.h"
#include "lib/value.h"

enum { REASON_TEXT_MAX = 512 };

static const char *const names[] = {
        [HA_ORDER_BEMASTER] = "be master",
        [HA_ORDER_BESLAVE] = "be slave",
        [HA_ORDER_BENONE] = "be none",
        [HA_ORDER_STATUS] = "get status",
        [HA_ORDER_SLAVE_DEAD] = "slave dead",
        [HA_ORDER_BERELAY] = "be relay",
};

const char *order_name(enum ha_order type) {
        return (size_t) type < ELEMENTSOF(names) && names[type] ? names[type] : "unknown order";
}

static bool has_nodeid(enum ha_order type) {
        return type == HA_ORDER_BEMASTER || type == HA_ORDER_BESLAVE || type == HA_ORDER_SLAVE_DEAD;
}

static int explain_id(int r, const char *whose, const confd_value_t *v, char *why, size_t size) {
        if (r == -EINVAL)
                snprintf(why, size, "%s is empty", whose);
        else if (r == -ENAMETOOLONG)
                snprintf(why, size, "%s has more than %i bytes", whose, NODE_TEXT_MAX);
        else if (r < 0 && v)
                snprintf(why, size, "%s is a value of type %i, which is no node id (or lacks its bytes)", whose, (int) v->type);
        else if (r < 0)
                snprintf(why, size, "%s is NULL", whose);
        return r;
}

int order_check(const struct order *o, char *why, size_t why_size) {
        int r;

        if (has_nodeid(o->type)) {
                r = explain_id(value_check_node_id(o->nodeid), "the node id", o->nodeid, why, why_size);
                if (r < 0)
                        return r;
        }
        if (o->type != HA_ORDER_BESLAVE)
                return 0;
        if (!o->master)
                return explain_id(-EPROTOTYPE, "the master", NULL, why, why_size);
        r = explain_id(value_check_node_id(&o->master->nodeid), "the master's node id", &o->master->nodeid, why, why_size);
        if (r < 0)
                return r;
        r = node_check(o->master);
        if (r == -EAFNOSUPPORT)
                snprintf(why, why_size, "the master's address family is %i, and not AF_INET, AF_INET6 or AF_UNSPEC",
                         o->master->af);
        else
                (void) explain_id(r, "the master's address", NULL, why, why_size);
        return r;
}

static void put_order(struct eterm_writer *w, const struct order *o) {
        eterm_put_version(w);
        switch (o->type) {
        case HA_ORDER_BEMASTER:
        case HA_ORDER_SLAVE_DEAD:
                eterm_put_tuple(w, 2);
                eterm_put_int(w, o->type);
                value_put(w, o->nodeid);
                break;
        case HA_ORDER_BESLAVE:
                eterm_put_tuple(w, 4);
                eterm_put_int(w, o->type);
                value_put(w, o->nodeid);
                node_put(w, o->master);
                eterm_put_int(w, o->wait);
                break;
        default:
                eterm_put_tuple(w, 1);
                eterm_put_int(w, o->type);
        }
}

int order_append(struct buffer *b, const struct order *o) {
        struct eterm_writer w;
        size_t mark;
        int r;

        r = frame_open(b, &mark);
        if (r < 0)
                return r;
        w = eterm_write_begin(b);
        put_order(&w, o);
        r = eterm_write_end(&w);
        if (r >= 0)
                r = frame_close(b, mark);
        if (r < 0)
                frame_cancel(b, mark);
        return r;
}

int order_append_token(struct buffer *b, const void *token, size_t size) {
        return frame_append(b, token, size);
}

/* {error, Code} and {error, Code, Reason}, the cursor stands on the tuple. */
static int parse_error(struct eterm *c, struct reply *ret) {
        int64_t code;
        size_t arity;

        if (eterm_tuple(c, &arity) < 0 || (arity != 2 && arity != 3) || eterm_atom_is(c, "error") < 0 ||
            eterm_int(c, 1, INT_MAX, &code) < 0)
                return -EPROTO;
        ret->code = (int) code;
        ret->reason = (struct eterm_bytes) {};
        if (arity == 3 && eterm_skip(c, &ret->reason) < 0)
                return -EPROTO;
        return eterm_at_end(c) ? 0 : -EPROTO;
}

int reply_parse(const void *body, size_t size, struct reply *ret) {
        struct eterm c = eterm_init(body, size);
        struct reply reply = {};
        int r;

        if (eterm_version(&c) < 0)
                return -EPROTO;
        if (eterm_kind(&c) == ETERM_KIND_ATOM) {
                if (eterm_atom_is(&c, "ok") < 0 || !eterm_at_end(&c))
                        return -EPROTO;
        } else {
                r = parse_error(&c, &reply);
                if (r < 0)
                        return r;
        }
        *ret = reply;
        return 0;
}

/* A node as nearly all are, {Binary, {A, B, C, D}} of small integers, in one look. False: it is something else, or not all there. */
static bool take_usual(struct eterm *c, struct confd_ha_node_term *ret) {
        const uint8_t *p = c->p, *ip;
        size_t left = (size_t) (c->end - p);

        if (left < 17 || p[0] != ETERM_SMALL_TUPLE || p[1] != 2 || p[2] != ETERM_BINARY || p[3] != 0 || p[4] != 0 || p[5] != 0 ||
            left < 17 + (size_t) p[6])
                return false;
        ip = p + 7 + p[6];
        if (ip[0] != ETERM_SMALL_TUPLE || ip[1] != 4 || ip[2] != ETERM_SMALL_INTEGER || ip[4] != ETERM_SMALL_INTEGER ||
            ip[6] != ETERM_SMALL_INTEGER || ip[8] != ETERM_SMALL_INTEGER)
                return false;
        *ret = (struct confd_ha_node_term) { { p + 2, 5 + (size_t) p[6] }, { ip, 10 } };
        c->p = ip + 10;
        return true;
}

static int parse_nodes(struct eterm *c, struct confd_ha_node_term *nodes, unsigned *ret_n) {
        struct eterm_bytes id, address;
        struct eterm_list list;

        if (eterm_list(c, &list) < 0 || list.n > CONFD_HA_STATUS_NODES_MAX)
                return -EPROTO;
        for (size_t i = 0; i < list.n; i++) {
                if (take_usual(c, &nodes[i]))
                        continue;
                if (eterm_tuple_of(c, 2) < 0 || eterm_skip(c, &id) < 0 || eterm_skip(c, &address) < 0)
                        return -EPROTO;
                nodes[i] = (struct confd_ha_node_term) { { id.data, id.size }, { address.data, address.size } };
        }
        if (eterm_list_end(c, &list) < 0)
                return -EPROTO;
        *ret_n = (unsigned) list.n;
        return 0;
}

int reply_parse_status(const void *body, size_t size, struct reply *ret, struct confd_ha_node_term *nodes) {
        struct eterm c = eterm_init(body, size), head;
        struct reply reply = {};
        int64_t state;
        int r;

        if (eterm_version(&c) < 0)
                return -EPROTO;
        head = c;
        if (eterm_tuple_of(&c, 2) < 0 || eterm_kind(&c) != ETERM_KIND_INTEGER) {
                r = parse_error(&head, &reply);
                if (r < 0)
                        return r;
                *ret = reply;
                return 0;
        }
        if (eterm_int(&c, CONFD_HA_STATE_NONE, CONFD_HA_STATE_SLAVE_RELAY, &state) < 0)
                return -EPROTO;
        r = parse_nodes(&c, nodes, &reply.num_nodes);
        if (r < 0)
                return r;
        if (!eterm_at_end(&c))
                return -EPROTO;
        reply.state = (enum confd_ha_status_state) state;
        *ret = reply;
        return 0;
}

void reply_describe(const struct reply *reply, char *buf, size_t size) {
        const char *text = error_text(reply->code);
        char reason[REASON_TEXT_MAX] = "", number[48];

        if (reply->reason.data)
                (void) term_format_id(&reply->reason, reason, sizeof(reason));
        if (!text) {
                snprintf(number, sizeof(number), "Error code %i", reply->code);
                text = number;
        }
        snprintf(buf, size, "%s%s%s", text, *reason ? ": " : "", reason);
}
