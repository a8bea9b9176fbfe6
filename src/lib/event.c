/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the form of the event subscription and of the events. */
#include <limits.h>

#include "lib/event.h"
#include "lib/frame.h"

int subscription_init(struct subscription *ret, int mask, const struct confd_notifications_data *data) {
        const int by_the_clock = CONFD_NOTIF_HEARTBEAT | CONFD_NOTIF_HEALTH_CHECK;
        struct subscription s = { .mask = (uint32_t) mask };

        if (mask <= 0 || ((mask & by_the_clock) && !data))
                return -EINVAL;
        if (mask & CONFD_NOTIF_HEARTBEAT) {
                if (data->heartbeat_interval < 0)
                        return -EINVAL;
                s.heartbeat_interval = (uint32_t) data->heartbeat_interval;
        }
        if (mask & CONFD_NOTIF_HEALTH_CHECK) {
                if (data->health_check_interval < 0)
                        return -EINVAL;
                s.health_check_interval = (uint32_t) data->health_check_interval;
        }
        *ret = s;
        return 0;
}

static void put_subscription(struct eterm_writer *w, const struct subscription *s, bool old_form) {
        eterm_put_tuple(w, old_form ? 4 : 5);
        eterm_put_uint(w, s->mask);
        eterm_put_uint(w, s->heartbeat_interval);
        eterm_put_uint(w, s->health_check_interval);
        eterm_put_atom(w, "undefined"); /* StreamInfo */
        if (!old_form)
                eterm_put_int(w, 0);    /* Verbosity */
}

/* A frame with the subscription, or with ha_synced if there is none. */
static int append(struct buffer *b, const struct subscription *s, bool old_form) {
        struct eterm_writer w;
        size_t mark;
        int r;

        r = frame_open(b, &mark);
        if (r < 0)
                return r;
        w = eterm_write_begin(b);
        eterm_put_version(&w);
        if (s)
                put_subscription(&w, s, old_form);
        else
                eterm_put_atom(&w, "ha_synced");
        r = eterm_write_end(&w);
        if (r >= 0)
                r = frame_close(b, mark);
        if (r < 0)
                frame_cancel(b, mark);
        return r;
}

int subscription_append(struct buffer *b, const struct subscription *s, bool old_form) {
        return append(b, s, old_form);
}

int sync_append(struct buffer *b) {
        return append(b, NULL, false);
}

static int parse_code(struct eterm *c, int *ret) {
        int64_t i;

        if (eterm_int(c, 0, INT_MAX, &i) < 0)
                return -EPROTO;
        *ret = (int) i;
        return 0;
}

static int parse_node(struct eterm *c, struct confd_ha_node_term *ret) {
        struct eterm_bytes id, address;

        if (eterm_tuple_of(c, 2) < 0 || eterm_skip(c, &id) < 0 || eterm_skip(c, &address) < 0)
                return -EPROTO;
        *ret = (struct confd_ha_node_term) { { id.data, id.size }, { address.data, address.size } };
        return 0;
}

/* {Type, Data} of an HA event. 1: done, 0: of a type that is not known. */
static int parse_ha(struct eterm *c, struct confd_ha_event *ret) {
        struct confd_ha_event e = {};
        int64_t type;
        int r;

        if (eterm_tuple_of(c, 2) < 0 || eterm_int64(c, &type) < 0)
                return -EPROTO;
        switch (type) {
        case CONFD_HA_INFO_NOMASTER:
        case CONFD_HA_INFO_BESLAVE_RESULT:
        case CONFD_HA_INFO_SLAVE_INITIALIZED:
                r = parse_code(c, &e.code);
                break;
        case CONFD_HA_INFO_SLAVE_DIED:
        case CONFD_HA_INFO_SLAVE_ARRIVED:
                r = parse_node(c, &e.node);
                break;
        case CONFD_HA_INFO_IS_MASTER:
        case CONFD_HA_INFO_IS_NONE:
                r = eterm_skip(c, NULL) < 0 ? -EPROTO : 0; /* any term, ignored */
                break;
        default:
                return 0;
        }
        if (r < 0 || !eterm_at_end(c))
                return -EPROTO;
        e.type = (enum confd_ha_info_type) type;
        *ret = e;
        return 1;
}

int event_parse(const void *body, size_t size, struct event *ret) {
        struct eterm c = eterm_init(body, size);
        struct event e = {};
        size_t arity;
        int r;

        if (eterm_version(&c) < 0)
                return -EPROTO;
        r = eterm_tuple(&c, &arity);
        if (r < 0)
                /* A whole term of another shape is an event of a release that we do not know. */
                r = r == -EPROTOTYPE && eterm_skip(&c, NULL) >= 0 && eterm_at_end(&c) ? 0 : -EPROTO;
        else if (arity > 0 && eterm_uint64(&c, &e.bit) < 0)
                e.bit = 0;
        if (r < 0)
                return r;
        if (e.bit == CONFD_NOTIF_HA_INFO) {
                if (arity != 2)
                        return -EPROTO;
                r = parse_ha(&c, &e.ha);
                if (r < 0)
                        return r;
                if (r == 0)
                        e.bit = 0;
        }
        *ret = e;
        return 0;
}
