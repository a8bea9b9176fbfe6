/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what goes out to ConfD, and when. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "service/controller-internal.h"
#include "service/convert.h"

/* At most a question, a BeSlave with reply and the SlaveDead that passes it by go out together, or an order, and the
 * question that shows its effect. */
enum { BURST = 3 };

static void send_query(struct controller *c) {
        int r;

        r = confd_ha_client_status(link_client(c->link), CONFD_HA_CLIENT_NO_DEADLINE, controller_on_status_reply, c);
        if (r < 0) {
                log_error("Cannot ask ConfD for its status: %s", strerror(-r));
                /* It stays wanted, and is tried again in a while. */
                c->status_refused = true;
                c->poll_at = usec_add(now_monotonic(), CONTROLLER_POLL_USEC);
                return;
        }
        c->wanted = false;
        c->query.wanted_at = USEC_INFINITY; /* who waited for another shares this one */
        c->query.id++;
        c->query.in_flight = true;
        c->query.asked = c->query.covers = c->seen;
        c->query.behind = c->orders.in_flight && c->orders.in_flight->with_reply;
        c->query.under_order = orders_under_way(&c->orders);
        c->query.events_up = link_events_up(c->link);
        c->query.deadline = usec_add(now_monotonic(), c->config->request_timeout);
}

static int give(struct controller *c, struct order *order) {
        confd_ha_client *client = link_client(c->link);
        const uint64_t forever = CONFD_HA_CLIENT_NO_DEADLINE;
        struct confd_ha_node master;
        confd_value_t id;

        if (order->node_id)
                node_id_fill(&id, order->node_id);
        switch (order->kind) {
        case ORDER_KIND_BE_MASTER:
        case ORDER_KIND_TAKE_OVER:
                return confd_ha_client_bemaster(client, &id, forever, controller_on_order_reply, order);
        case ORDER_KIND_BE_RELAY:
                return confd_ha_client_berelay(client, forever, controller_on_order_reply, order);
        case ORDER_KIND_BE_NONE:
                return confd_ha_client_benone(client, forever, controller_on_order_reply, order);
        case ORDER_KIND_SLAVE_DEAD:
                return confd_ha_client_slave_dead(client, &id, forever, controller_on_order_reply, order);
        case ORDER_KIND_BE_SLAVE:
                /* Without a reply, so that ConfD stays free for other orders and questions, if we can hear the result. */
                node_fill(&master, order->master_id, order->master_address);
                order->with_reply = !link_events_up(c->link);
                return confd_ha_client_beslave(client, &id, &master, order->with_reply, forever,
                                               order->with_reply ? controller_on_order_reply : NULL, order);
        }
        return -EINVAL;
}

static void send_order(struct controller *c, struct order *order) {
        int r;

        if (order->kind == ORDER_KIND_TAKE_OVER) {
                struct failure f = sync_record_judge(&c->state->last_in_sync, order->node_id, order->old_master);

                if (failure_is_set(&f)) {
                        controller_finish(c, order, 0, f);
                        controller_settle(c, 0);
                        return;
                }
        }
        if (order->kind == ORDER_KIND_BE_SLAVE)
                controller_begin_beslave(c, order);
        /* The client's callback finds the controller by the order. */
        order->owner = c;
        r = give(c, order);
        if (r < 0) {
                controller_finish(c, order, 0,
                                  failure_make(r == -ENOMEM ? FAILURE_NO_MEMORY : FAILURE_FAILED, "cannot give ConfD the order %s: %s",
                                               order_kind_to_string(order->kind), strerror(-r)));
                controller_settle(c, 0);
                return;
        }
        /* Without a reply it is the question behind it that has to be answered as soon as any. */
        order->deadline = usec_add(now_monotonic(), order->kind == ORDER_KIND_BE_SLAVE && order->with_reply
                                                            ? c->config->sync_timeout
                                                            : c->config->request_timeout);
        orders_sent(&c->orders, order);
        if (!order->with_reply) {
                /* The reply to a status question behind it shows that ConfD has it. */
                order->accept_query = c->query.id + 1;
                c->wanted = true;
        } else if (order->kind != ORDER_KIND_BE_SLAVE) {
                /* ConfD answers in order, so that a question behind it shows what it did: asked now, it costs no time of its own. */
                c->wanted = true;
        } else {
                /* Nothing will show that ConfD has it before it is done: who does not want to wait is not kept waiting. */
                const struct failure none = FAILURE_NONE;

                order->accepted = true;
                order_reply(order, &none, /* accepted_only= */ true);
        }
}

/* With a new configuration to come the orders under way end first, and no more are given. But a BeSlave may take hours, and
 * what passes it by is not kept waiting for it. */
static bool must_hold(const struct controller *c) {
        return c->next_config && !c->orders.following && !orders_blocking(&c->orders);
}

/* What an order did is shown before the next one is given: should ConfD hold that one back, a question behind it waits with
 * it, and nobody is to wait for an order that is not his. */
static bool must_show(const struct controller *c) {
        return c->query.in_flight && orders_unshown(&c->orders);
}

/* A BeSlave waits for the disk. A TakeOver is judged by a status that was asked for after all that came before, and given right behind it. */
static bool is_due(struct controller *c, struct order *order) {
        if (order->kind == ORDER_KIND_BE_SLAVE)
                return controller_may_begin_beslave(c, order);
        if (order->kind != ORDER_KIND_TAKE_OVER)
                return true;
        if (order->accept_query == 0) {
                order->accept_query = c->query.id + 1;
                order->deadline = usec_add(now_monotonic(), c->config->request_timeout);
                c->wanted = true;
        }
        return c->query.answered >= order->accept_query;
}

/* Sends what may be sent now. Status questions go before orders: what has been told is to be shown first. */
void controller_pump(struct controller *c) {
        struct order *order;

        if (c->ending)
                return;
        if (!link_client(c->link)) {
                if (orders_first(&c->orders) || !TAILQ_EMPTY(&c->waiters))
                        (void) link_kick(c->link);
        } else {
                bool may_order = link_is_ready(c->link) && !must_hold(c);

                for (unsigned i = 0; i < BURST; i++) {
                        if (c->wanted && !c->query.in_flight && !orders_blocking(&c->orders))
                                send_query(c);
                        order = may_order && !must_show(c) ? orders_next(&c->orders) : NULL;
                        if (!order)
                                break;
                        if (!is_due(c, order)) {
                                if (c->query.in_flight || !c->wanted)
                                        break;
                                continue;
                        }
                        send_order(c, order);
                }
                link_touch(c->link);
        }
        controller_arm(c);
}
