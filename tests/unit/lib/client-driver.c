/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the loop of the client's tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <poll.h>

#include "basic/time-util.h"
#include "client-driver.h"

static void keep(struct heard *h, const struct confd_ha_result *r) {
        h->n++;
        h->error = r->error;
        h->code = r->confd_code;
        h->sent = r->sent;
        assert_non_null(r->message);
        snprintf(h->message, sizeof(h->message), "%s", r->message);
}

void on_result(confd_ha_client *c, const struct confd_ha_result *r, void *userdata) {
        keep(userdata, r);
}

void on_order(confd_ha_client *c, const struct confd_ha_result *r, const struct confd_ha_status_reply *s,
                     void *userdata) {
        struct heard *h = userdata;
        char id[200], address[200];
        size_t at = 0;

        keep(h, r);
        h->has_status = s;
        if (!s)
                return;
        h->state = s->state;
        h->num_nodes = s->num_nodes;
        for (unsigned i = 0; i < s->num_nodes && at < sizeof(h->nodes); i++) {
                confd_ha_format_id(&s->nodes[i].id, id, sizeof(id));
                confd_ha_format_address(&s->nodes[i].address, address, sizeof(address));
                at += (size_t) snprintf(h->nodes + at, sizeof(h->nodes) - at, "%s%s@%s", i ? " " : "", id, address);
        }
}

void on_event(confd_ha_client *c, const struct confd_ha_event *e, void *userdata) {
        struct events *ev = userdata;
        char address[100];

        ev->n++;
        ev->last = *e;
        ev->node[0] = 0;
        if (e->type == CONFD_HA_INFO_SLAVE_DIED || e->type == CONFD_HA_INFO_SLAVE_ARRIVED) {
                confd_ha_format_id(&e->node.id, ev->node, sizeof(ev->node));
                confd_ha_format_address(&e->node.address, address, sizeof(address));
                strcat(strcat(ev->node, "@"), address);
        }
}

void on_notification(confd_ha_client *c, uint64_t bit, void *userdata) {
        struct events *ev = userdata;

        ev->others++;
        ev->last_bit = bit;
}

void run_until(confd_ha_client *c, const unsigned *n, unsigned wanted) {
        uint64_t end = now_monotonic() + PATIENCE_USEC, t, deadline;
        struct pollfd p;
        int msec;

        while (*n < wanted) {
                t = now_monotonic();
                if (t >= end)
                        fail_msg("waited in vain");
                deadline = MIN(confd_ha_client_get_deadline(c), end);
                msec = deadline > t ? (int) ((deadline - t + 999) / 1000) : 0;
                p = (struct pollfd) { .fd = confd_ha_client_get_fd(c), .events = (short) confd_ha_client_get_events(c) };
                if (p.fd < 0)
                        p.fd = -1;
                (void) poll(&p, 1, msec);
                if (confd_ha_client_process(c) == -ENOTCONN && *n < wanted)
                        fail_msg("the connection is gone");
        }
}

void connect_to(struct server *s, confd_ha_client *c, struct heard *h) {
        assert_int_equal(confd_ha_client_connect(c, (struct sockaddr *) &s->address, s->address_size, PATIENCE_USEC,
                                                 on_result, h), 0);
        run_until(c, &h->n, h->n + 1);
}

void run_to_end(confd_ha_client *c, struct heard *closed) {
        run_until(c, &closed->n, 1);
        assert_int_equal(confd_ha_client_process(c), -ENOTCONN);
        assert_int_equal(confd_ha_client_get_fd(c), -ENOTCONN);
        assert_int_equal(confd_ha_client_get_events(c), 0);
        assert_true(confd_ha_client_get_deadline(c) == CONFD_HA_CLIENT_NO_DEADLINE);
        assert_false(confd_ha_client_is_ready(c));
}
