/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what follows from ConfD's replies and events, and from its coming and going. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "service/controller-internal.h"
#include "service/convert.h"

/* ConfD has answered an order. A question that went out behind it shows what it did, unless something else has been told since:
 * whether that came before the question or after, nobody knows. */
static void stamp_reply(struct controller *c) {
        bool behind = c->query.in_flight && c->query.behind, shows = behind && c->query.covers == c->seen;

        c->seen++;
        if (behind)
                c->query.deadline = usec_add(now_monotonic(), c->config->request_timeout); /* it is its turn now */
        if (shows)
                c->query.covers = c->seen;
        else
                c->wanted = true;
        c->query.behind = false;
}

void controller_on_order_reply(confd_ha_client *client, const struct confd_ha_result *result,
                               const struct confd_ha_status_reply *status, void *userdata) {
        struct order *order = userdata;
        struct controller *c = order->owner;
        bool answered = result->error == 0 || result->error == -EREMOTEIO;

        /* Events come before what the HA connection says of the same moment. */
        if (answered)
                link_drain_events(c->link);
        order->on_wire = false;
        if (answered)
                stamp_reply(c);
        if (order->orphan)
                order_free(order);
        else if (answered) {
                order->accepted = true;
                controller_finish(c, order, c->seen,
                                  result->error == 0 ? FAILURE_NONE
                                                     : failure_from_order(order_kind_to_string(order->kind), result));
        } else if (order->kind == ORDER_KIND_BE_SLAVE && order == c->orders.in_flight && result->sent)
                /* ConfD goes on with it. */
                orders_keep(&c->orders, order);
        else
                /* The connection ends, and down() will settle it. */
                controller_finish(c, order, 0, failure_from_order(order_kind_to_string(order->kind), result));
        if (!answered)
                return;
        /* What passed by a BeSlave with reply: there will be no status before that is done. */
        if (orders_blocking(&c->orders) && !c->query.in_flight)
                controller_settle(c, c->seen);
        controller_pump(c);
}

/* A status that was asked for behind it shows that ConfD has it; from now on it may take its time. */
static struct order *accept_beslave(struct controller *c, uint64_t query) {
        struct order *b = orders_accept(&c->orders, query);

        if (b)
                b->deadline = usec_add(now_monotonic(), c->config->sync_timeout);
        return b;
}

static void apply_status(struct controller *c, enum ha_state state, const struct node_list *nodes) {
        const struct failure none = FAILURE_NONE;
        uint64_t covers = c->query.covers, id = c->query.id;
        struct status_reading reading = {
                .covers = covers,
                .state = state,
                .nodes = nodes,
                .under_order = c->query.under_order,
                .monotonic = now_monotonic(),
                .realtime = now_realtime(),
        };
        struct order *accepted;

        c->query.answered = id;
        accepted = accept_beslave(c, id);
        controller_judge_beslave(c, state, nodes);
        reading.synchronizing = orders_synchronizing(&c->orders, covers);
        if (state_status(c->state, &reading) < 0)
                log_error("Out of memory: a change of ConfD's status is not signalled in full");
        controller_publish(c);
        if (accepted && !c->held)
                order_reply(accepted, &none, /* accepted_only= */ true);
        controller_reply_finished(c, covers);
        controller_answer_waiters(c, id, &none, state, nodes);
}

void controller_on_status_reply(confd_ha_client *client, const struct confd_ha_result *result,
                                const struct confd_ha_status_reply *status, void *userdata) {
        struct controller *c = userdata;
        _cleanup_node_list_ struct node_list *nodes = NULL;
        _cleanup_failure_ struct failure f = FAILURE_NONE;
        const struct failure none = FAILURE_NONE;
        enum ha_state state = HA_STATE_UNKNOWN;

        /* What ConfD told before this answer is here by now, but may have come after the events were read last: the result
         * of what a BeSlave has ended must not be taken for its own. */
        if (result->error == 0 || result->error == -EREMOTEIO)
                link_drain_events(c->link);
        c->query.in_flight = false;
        if (result->error < 0 && result->error != -EREMOTEIO) {
                /* The connection ends, and down() will settle it. */
                if (result->error == -EPROTO) {
                        failure_done(&c->query.failure);
                        c->query.failure = failure_from_order("Status", result);
                }
                return;
        }
        link_is_well(c->link);
        /* More has been told since it was asked for, which it may show already, but not for sure: the next one will. Once
         * only, so that one who never ceases to tell does not keep everybody waiting. */
        if (c->seen > c->query.covers && !c->query.repeated && result->error == 0 && !orders_blocking(&c->orders)) {
                c->query.repeated = true;
                c->wanted = true;
                controller_pump(c);
                return;
        }
        c->query.repeated = false;
        c->status_refused = result->error != 0;
        if (c->status_refused)
                f = failure_from_order("Status", result);
        else {
                state = ha_state_from_status(status);
                if (state == HA_STATE_UNKNOWN)
                        f = failure_make(FAILURE_PROTOCOL, "ConfD answered Status with the state %d, which there is not",
                                         (int) status->state);
                else if (node_list_from_status(status, &nodes) < 0)
                        f = failure_make(FAILURE_NO_MEMORY, "no memory for ConfD's status");
        }
        if (failure_is_set(&f)) {
                struct order *accepted = accept_beslave(c, c->query.id);

                log_warning("%s", failure_words(&f));
                if (accepted)
                        order_reply(accepted, &none, /* accepted_only= */ true);
                c->status_refused = true;
                if (c->orders.following && c->orders.following->judge_at <= now_monotonic())
                        c->orders.following->judge_at = usec_add(now_monotonic(), CONTROLLER_POLL_USEC);
                if (orders_is_judged(&c->orders, c->query.id))
                        controller_finish(c, orders_first(&c->orders), 0, failure_copy(&f));
                controller_settle(c, c->query.covers);
                controller_answer_waiters(c, c->query.id, &f, HA_STATE_UNKNOWN, NULL);
        } else
                apply_status(c, state, nodes);
        c->poll_at = usec_add(now_monotonic(), link_is_polling(c->link) || c->status_refused ? CONTROLLER_POLL_USEC
                                                                                            : CONTROLLER_RELAY_POLL_USEC);
        controller_pump(c);
}

static void on_result(struct controller *c, int code) {
        struct order *order = orders_match_result(&c->orders, code);

        if (!order)
                return;
        order->accepted = true;
        controller_finish(c, order, c->seen, failure_from_code("BeSlave", code, NULL));
}

static void on_event(void *userdata, const struct confd_ha_event *event) {
        struct controller *c = userdata;
        _cleanup_free_ char *id = NULL, *address = NULL;
        _cleanup_failure_ struct failure f = FAILURE_NONE;

        c->seen++;
        c->wanted = true;
        switch (event->type) {
        case CONFD_HA_INFO_NOMASTER:
                f = failure_from_nomaster(event->code);
                state_event(c->state, c->seen, SIGNAL_MASTER_LOST, failure_name(&f), f.message, false);
                break;
        case CONFD_HA_INFO_SLAVE_DIED:
        case CONFD_HA_INFO_SLAVE_ARRIVED:
                id = format_id(&event->node.id);
                address = format_address(&event->node.address);
                state_event(c->state, c->seen,
                            event->type == CONFD_HA_INFO_SLAVE_DIED ? SIGNAL_SLAVE_DIED : SIGNAL_SLAVE_ARRIVED, id ?: "",
                            address ?: "", false);
                break;
        case CONFD_HA_INFO_SLAVE_INITIALIZED:
                if (c->orders.following)
                        c->orders.following->initialized = c->seen;
                state_event(c->state, c->seen, SIGNAL_SLAVE_INITIALIZED, NULL, NULL, event->code != 0);
                break;
        case CONFD_HA_INFO_BESLAVE_RESULT:
                on_result(c, event->code);
                break;
        case CONFD_HA_INFO_IS_MASTER:
        case CONFD_HA_INFO_IS_NONE:
                break;
        }
        controller_pump(c);
}

/* ---- connections ---- */

static void on_up(void *userdata) {
        struct controller *c = userdata;
        confd_ha_client *client = link_client(c->link);
        char version[16];

        if (state_set_confd(c->state, NULL, format_confd_version(confd_ha_client_get_server_version(client), version),
                            confd_ha_client_get_protocol_version(client)) < 0)
                log_error("Out of memory: the property ConfdVersion is out of date");
        state_connected(c->state);
        orders_expect_stray(&c->orders);
        c->query.in_flight = c->query.repeated = false;
        c->wanted = true;
        /* The question that is asked now is the next one for all who waited for a connection. */
        controller_publish(c);
        c->handlers->connection(c->userdata, NULL);
        controller_pump(c);
}

static void on_ready(void *userdata) {
        struct controller *c = userdata;

        c->poll_at = usec_add(now_monotonic(), CONTROLLER_POLL_USEC);
        /* Whether there are events is part of what systemd is told. */
        c->handlers->publish(c->userdata);
        controller_pump(c);
}

static void on_down(void *userdata, const struct failure *why, enum link_end end) {
        struct controller *c = userdata;
        _cleanup_failure_ struct failure f = failure_make(FAILURE_NOT_CONNECTED, "the connection to ConfD is lost: %s",
                                                          failure_words(why));

        c->query.in_flight = false;
        controller_finish_all(c, &f);
        controller_beslave_goes_on(c, &f, end == LINK_ENDED_FOR_ORDER || why->kind == FAILURE_TIMEOUT);
        state_disconnected(c->state, orders_synchronizing(&c->orders, UINT64_MAX), now_realtime());
        if (end == LINK_ENDED)
                state_set_error(c->state, ERROR_KIND_CONNECTION, failure_name(why), why->message ?: "", now_realtime());
        controller_publish(c);
        controller_reply_finished(c, UINT64_MAX);
        if (failure_is_set(&c->query.failure))
                controller_answer_waiters(c, c->query.id, &c->query.failure, HA_STATE_UNKNOWN, NULL);
        failure_done(&c->query.failure);
        controller_fail_waiters(c, &f, UINT64_MAX);
        if (end != LINK_UNDECIDED)
                c->handlers->connection(c->userdata, why);
        controller_pump(c);
}

/* It is known now why the connection ended. Who came after its end waits for the next attempt. */
static void on_decided(void *userdata, const struct failure *why) {
        struct controller *c = userdata;

        state_set_error(c->state, ERROR_KIND_CONNECTION, failure_name(why), why->message ?: "", now_realtime());
        controller_publish(c);
        c->handlers->connection(c->userdata, why);
        controller_pump(c);
}

static void on_failed(void *userdata, const struct failure *why) {
        struct controller *c = userdata;
        _cleanup_failure_ struct failure f = controller_not_connected(c);

        state_set_error(c->state, ERROR_KIND_CONNECTION, failure_name(why), why->message ?: "", now_realtime());
        /* Who came while it was under way waits for the next one. */
        controller_fail_queued(c, &f, link_attempts(c->link));
        controller_beslave_goes_on(c, &f, /* may_join= */ false);
        controller_settle(c, 0);
        controller_fail_waiters(c, &f, link_attempts(c->link));
        c->handlers->connection(c->userdata, why);
        controller_pump(c);
}

static void on_events_up(void *userdata) {
        struct controller *c = userdata;

        c->seen++;
        c->wanted = true;
        state_events_up(c->state, c->seen);
        log_info("ConfD's events are connected");
        controller_publish(c);
        controller_pump(c);
}

static void on_events_down(void *userdata, const struct failure *why, bool was_up) {
        struct controller *c = userdata;
        bool news = c->state->error_kind != ERROR_KIND_EVENTS || !streq(c->state->error_message, why->message ?: "");

        if (was_up) {
                c->events_down_since = now_monotonic();
                orders_events_lost(&c->orders, why->kind == FAILURE_TIMEOUT);
                state_events_down(c->state);
        }
        if (link_client(c->link)) {
                /* If all of ConfD is gone, its other connection is about to tell; so it is a warning only if it stays. */
                if (!was_up && news)
                        log_warning("No events from ConfD, its status is asked for every %u s: %s",
                                    (unsigned) (CONTROLLER_POLL_USEC / USEC_PER_SEC), failure_words(why));
                else if (was_up)
                        log_info("The event connection to ConfD is lost: %s", failure_words(why));
                if (was_up || news) {
                        state_set_error(c->state, ERROR_KIND_EVENTS, failure_name(why), why->message ?: "", now_realtime());
                }
                c->wanted |= was_up;
        }
        controller_publish(c);
        controller_pump(c);
}

const struct link_handlers controller_link_handlers = {
        .up = on_up,
        .down = on_down,
        .decided = on_decided,
        .failed = on_failed,
        .ready = on_ready,
        .events_up = on_events_up,
        .events_down = on_events_down,
        .event = on_event,
};
