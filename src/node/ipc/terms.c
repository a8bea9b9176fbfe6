/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the meaning of terms on the IPC port. */
#include <arpa/inet.h>

#include "basic/time-util.h"
#include "lib/frame.h"
#include "lib/value.h"
#include "node/ipc/terms.h"

/* ---- in ---- */

static void spoil(struct role_order *o, int error, const char *why) {
        if (o->error != 0)
                return;
        o->error = error;
        o->why = why;
}

/* A name; one that cannot be a name is passed over, so that the rest can be read and answered. */
static int read_id(struct eterm *c, struct role_order *o, struct node_id *ret) {
        struct eterm at = *c;
        confd_value_t v;
        int r;

        r = eterm_skip(c, NULL);
        if (r < 0)
                return r;
        if (value_get(&at, &v) < 0 || node_id_from_value(&v, ret) < 0)
                spoil(o, CONFD_ERR_BADTYPE, "not a node id: 1 to 127 bytes, a number or an address");
        return 0;
}

static int read_address(struct eterm *c, struct role_order *o, struct node_address *ret) {
        struct confd_ha_node n = {};
        struct eterm at = *c;
        int r;

        r = eterm_skip(c, NULL);
        if (r < 0)
                return r;
        if (node_get_address(&at, &n) < 0 || (n.af == AF_UNSPEC && isempty(n.addr.str))) {
                spoil(o, CONFD_ERR_BADTYPE, "not an address: a tuple of 4 bytes or 8 words, or a string");
                return 0;
        }
        if (n.af == AF_INET)
                *ret = node_address_from_ip4(n.addr.ip4);
        else if (n.af == AF_INET6)
                *ret = node_address_from_ip6(&n.addr.ip6);
        else if (node_address_parse(n.addr.str, strlen(n.addr.str), ret) < 0)
                spoil(o, CONFD_ERR_HA_CONNECT, "not an IP address, with or without a port: names are not looked up");
        return 0;
}

static int read_be_slave(struct eterm *c, struct role_order *o) {
        int64_t wait;
        int r;

        /* Unless it says no-wait, whoever sent it waits for an answer. */
        o->wait = true;
        r = read_id(c, o, &o->id);
        if (r >= 0)
                r = eterm_tuple_of(c, 2);
        if (r >= 0)
                r = read_id(c, o, &o->master_id);
        if (r >= 0)
                r = read_address(c, o, &o->master_address);
        if (r >= 0)
                r = eterm_int(c, 0, 1, &wait);
        if (r >= 0)
                o->wait = wait;
        return r;
}

int ipc_read_order(const void *body, size_t size, struct role_order *ret) {
        static const size_t arity[] = {
                [HA_ORDER_BEMASTER] = 2, [HA_ORDER_BESLAVE] = 4, [HA_ORDER_BENONE] = 1,
                [HA_ORDER_STATUS] = 1, [HA_ORDER_SLAVE_DEAD] = 2, [HA_ORDER_BERELAY] = 1,
        };
        struct role_order o = { .type = HA_ORDER_UNKNOWN };
        int64_t number;
        struct eterm c;
        size_t n;
        int r;

        r = eterm_message(body, size, &c);
        if (r < 0)
                return -EBADMSG;
        if (eterm_tuple(&c, &n) < 0 || n == 0 || eterm_int(&c, 1, ELEMENTSOF(arity) - 1, &number) < 0 ||
            n != arity[number]) {
                spoil(&o, CONFD_ERR_PROTOUSAGE, "not an order");
                *ret = o;
                return 0;
        }
        o.type = (enum ha_order) number;
        switch (o.type) {
        case HA_ORDER_BEMASTER:
        case HA_ORDER_SLAVE_DEAD:
                r = read_id(&c, &o, &o.id);
                break;
        case HA_ORDER_BESLAVE:
                r = read_be_slave(&c, &o);
                break;
        default:
                r = 0;
        }
        if (r < 0)
                spoil(&o, CONFD_ERR_PROTOUSAGE, "not the arguments of this order");
        *ret = o;
        return 0;
}

static int read_interval(struct eterm *c, uint64_t *ret_usec) {
        int64_t ms;
        int r;

        r = eterm_int(c, 0, INT32_MAX, &ms);
        if (r < 0)
                return r;
        *ret_usec = ms == 0 ? 0 : (uint64_t) MAX(ms, (int64_t) IPC_INTERVAL_MIN_MS) * USEC_PER_MSEC;
        return 0;
}

int ipc_read_subscription(const void *body, size_t size, struct ipc_subscription *ret) {
        struct ipc_subscription s = {};
        struct eterm c;
        size_t n;
        int r;

        r = eterm_message(body, size, &c);
        if (r < 0)
                return -EBADMSG;
        if (eterm_tuple(&c, &n) < 0 || (n != 4 && n != 5) || eterm_uint64(&c, &s.mask) < 0 ||
            read_interval(&c, &s.heartbeat_usec) < 0 || read_interval(&c, &s.health_check_usec) < 0)
                return -EPROTO;
        /* StreamInfo and Verbosity are for events that are not of HA. */
        if (!(s.mask & CONFD_NOTIF_HEARTBEAT))
                s.heartbeat_usec = 0;
        if (!(s.mask & CONFD_NOTIF_HEALTH_CHECK))
                s.health_check_usec = 0;
        *ret = s;
        return 0;
}

int ipc_read_sync(const void *body, size_t size) {
        struct eterm c;
        int r;

        r = eterm_message(body, size, &c);
        if (r < 0)
                return -EBADMSG;
        return eterm_atom_is(&c, "ha_synced") < 0 ? -EPROTO : 0;
}

/* ---- out ---- */

struct frame_writer {
        struct eterm_writer w;
        size_t mark;
        int r;
};

static struct frame_writer begin(struct buffer *out) {
        struct frame_writer f = {};

        f.r = frame_open(out, &f.mark);
        f.w = eterm_write_begin(out);
        if (f.r >= 0)
                eterm_put_version(&f.w);
        return f;
}

static int end(struct frame_writer *f) {
        struct buffer *out = f->w.b;
        int r = f->r;

        if (r < 0)
                return r;
        r = eterm_write_end(&f->w);
        if (r >= 0)
                r = frame_close(out, f->mark);
        if (r < 0)
                frame_cancel(out, f->mark);
        return r;
}

static void put_address(struct eterm_writer *w, const struct node_address *a) {
        char text[NODE_ADDRESS_TEXT_MAX];
        struct confd_ha_node n = { .af = a->family };

        if (a->is_text || (a->family != AF_INET && a->family != AF_INET6)) {
                (void) node_address_text(a, text);
                eterm_put_binary(w, text, strlen(text));
                return;
        }
        if (a->family == AF_INET)
                n.addr.ip4 = a->ip4;
        else
                n.addr.ip6 = a->ip6;
        node_put_address(w, &n);
}

static void put_node(struct eterm_writer *w, const struct role_node *node) {
        eterm_put_tuple(w, 2);
        eterm_put_raw(w, node->id.etf, node->id.size);
        put_address(w, &node->address);
}

int ipc_put_ok(struct buffer *out) {
        struct frame_writer f = begin(out);

        eterm_put_atom(&f.w, "ok");
        return end(&f);
}

int ipc_put_error(struct buffer *out, int code, const char *why) {
        struct frame_writer f = begin(out);

        eterm_put_tuple(&f.w, isempty(why) ? 2 : 3);
        eterm_put_atom(&f.w, "error");
        eterm_put_int(&f.w, code);
        if (!isempty(why))
                eterm_put_binary(&f.w, why, strlen(why));
        return end(&f);
}

int ipc_put_status(struct buffer *out, const struct role *role) {
        struct frame_writer f = begin(out);
        unsigned n = role_get_n_nodes(role);

        eterm_put_tuple(&f.w, 2);
        eterm_put_int(&f.w, role_get_state(role));
        eterm_put_list(&f.w, n);
        for (unsigned i = 0; i < n; i++)
                put_node(&f.w, role_get_node(role, i));
        if (n > 0)
                eterm_put_nil(&f.w);
        return end(&f);
}

int ipc_put_event(struct buffer *out, const struct role_event *event) {
        struct frame_writer f = begin(out);

        eterm_put_tuple(&f.w, 2);
        eterm_put_int(&f.w, CONFD_NOTIF_HA_INFO);
        eterm_put_tuple(&f.w, 2);
        eterm_put_int(&f.w, event->type);
        if (event->type == CONFD_HA_INFO_SLAVE_DIED || event->type == CONFD_HA_INFO_SLAVE_ARRIVED)
                put_node(&f.w, &event->node);
        else
                eterm_put_int(&f.w, event->code);
        return end(&f);
}

int ipc_put_notification(struct buffer *out, uint64_t bit) {
        struct frame_writer f = begin(out);

        eterm_put_tuple(&f.w, 1);
        eterm_put_uint(&f.w, bit);
        return end(&f);
}
