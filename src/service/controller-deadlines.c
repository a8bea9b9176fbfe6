/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the timer of the controller: deadlines, polling, and the moment for a new configuration.
 *
 * Deadlines are kept here and not by the client: a late reply ends the connection, and whoever waits has to hear the
 * right reason. Before one is said to have passed, what has come already is read: we may have been the slow one. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "service/controller-internal.h"

static bool is_idle(const struct controller *c) {
        const struct orders *o = &c->orders;

        /* A BeSlave that has lost its connection may need another to be heard of again. */
        if (o->following && !link_client(c->link))
                return !o->in_flight && !o->passing && TAILQ_EMPTY(&o->finished);
        return !orders_under_way(o);
}

void controller_use_next_config(struct controller *c) {
        struct config *old = c->config;
        bool reconnect = !config_connection_equal(old, c->next_config);
        struct waiter *w;
        int r;

        c->config = c->next_config;
        c->next_config = NULL;
        if (reconnect) {
                c->query.in_flight = false;
                /* Who waits for a question that is lost waits for the next. */
                TAILQ_FOREACH(w, &c->waiters, waiters)
                        w->query = c->query.id + 1;
                if (orders_is_judged(&c->orders, c->query.id + 1))
                        orders_first(&c->orders)->accept_query = 0;
                orders_events_lost(&c->orders, /* may_join= */ true);
                state_events_down(c->state);
                state_disconnected(c->state, orders_synchronizing(&c->orders, UINT64_MAX), now_realtime());
                if (state_set_confd(c->state, c->config->address_name, NULL, 0) < 0)
                        log_error("Out of memory: the property ConfdAddress is out of date");
        }
        r = link_configure(c->link, c->config, reconnect);
        config_free(old);
        if (r < 0) {
                log_error("Cannot connect with the new configuration: %s", strerror(-r));
                (void) sd_event_exit(c->event, EXIT_FAILURE);
        }
        controller_publish(c);
}

/* Whether the status has to be asked for without anything having been told. */
static bool is_polling(const struct controller *c) {
        return link_client(c->link) && !c->query.in_flight && !orders_blocking(&c->orders) &&
               (link_is_polling(c->link) || c->status_refused || c->state->state == HA_STATE_SLAVE_RELAY);
}

/* When the connection is given up for a status. Not for one that somebody has asked for: its answer is awaited in its place.
 * But an order that has been answered waits for the status that shows what it did, and where there are no events the
 * status is all there is of a watch over ConfD. */
static uint64_t question_deadline(const struct controller *c) {
        if (!c->query.in_flight)
                return USEC_INFINITY;
        if (!TAILQ_EMPTY(&c->orders.finished))
                return c->query.deadline;
        return link_is_polling(c->link) ? MAX(c->query.deadline, usec_add(c->poll_at, c->config->request_timeout)) : USEC_INFINITY;
}

static uint64_t earliest(const struct controller *c) {
        const struct order *first = orders_first(&c->orders);
        bool connected = link_client(c->link);
        uint64_t t = USEC_INFINITY;

        if (c->next_config && is_idle(c))
                return 0;
        t = MIN(t, question_deadline(c));
        t = MIN(t, orders_deadline(&c->orders));
        if (first && (!connected || first->awaits_disk || orders_is_judged(&c->orders, UINT64_MAX)))
                t = MIN(t, first->deadline);
        if (!TAILQ_EMPTY(&c->waiters))
                t = MIN(t, TAILQ_FIRST(&c->waiters)->deadline);
        if (connected && !c->query.in_flight)
                t = MIN(t, c->query.wanted_at);
        if (is_polling(c))
                t = MIN(t, c->poll_at);
        t = MIN(t, controller_judgement(c));
        return t;
}

void controller_arm(struct controller *c) {
        uint64_t t = earliest(c);

        /* One that is set too early finds nothing late and is set anew: that is once in a while, and this with each question. */
        if (t >= c->armed)
                return;
        c->armed = t;
        (void) sd_event_source_set_time(c->timer, t);
        (void) sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

/* ConfD owes an answer. A late one must not be taken for another's, so the connection goes. */
static void time_out(struct controller *c, struct order *order) {
        const char *what = order ? order_kind_to_string(order->kind) : "Status";
        struct failure why = failure_make(FAILURE_TIMEOUT, "ConfD did not answer %s in time%s; look whether it hangs", what,
                                          order ? " (the order may still take effect)" : "");

        if (order)
                controller_finish(c, order, 0, failure_copy(&why));
        link_give_up(c->link, why, order ? LINK_ENDED_FOR_ORDER : LINK_ENDED);
}

static void check_waiting(struct controller *c, uint64_t now) {
        _cleanup_failure_ struct failure f = FAILURE_NONE;

        if (link_client(c->link) && !orders_blocking(&c->orders))
                f = failure_make(FAILURE_TIMEOUT, "ConfD did not answer Status in time; look whether it hangs");
        else if (link_client(c->link))
                f = failure_make(FAILURE_TIMEOUT, "ConfD answers nothing while it is told to be a slave and there is no event "
                                 "connection; try again when BeSlave is done");
        else {
                struct order *first;

                f = controller_not_connected(c);
                while ((first = orders_first(&c->orders)) && first->deadline <= now)
                        controller_finish(c, first, 0, failure_copy(&f));
                controller_settle(c, 0);
        }
        for (struct waiter *first; (first = TAILQ_FIRST(&c->waiters)) && first->deadline <= now;) {
                struct waiter *w = controller_take_waiter(c);

                w->done(w->userdata, &f, HA_STATE_UNKNOWN, NULL);
                free(w);
        }
}

static void check_deadlines(struct controller *c, uint64_t now) {
        struct orders *o = &c->orders;
        struct order *first;

        check_waiting(c, now);
        if (o->in_flight && o->in_flight->deadline <= now) {
                time_out(c, o->in_flight);
                return;
        }
        if (question_deadline(c) <= now) {
                time_out(c, /* order= */ NULL);
                return;
        }
        if (o->passing && o->passing->deadline <= now) {
                controller_finish(c, o->passing, 0,
                                  failure_make(FAILURE_TIMEOUT, "ConfD did not answer SlaveDead in time, being told to be a slave; "
                                               "the order may still take effect"));
                controller_settle(c, 0);
        }
        if (orders_is_judged(o, UINT64_MAX) && orders_first(o)->deadline <= now) {
                controller_finish(c, orders_first(o), 0,
                                  failure_make(FAILURE_TIMEOUT, "ConfD did not answer Status in time, which shows whether this node may "
                                               "take over; the order was not given"));
                controller_settle(c, 0);
        }
        first = orders_first(o);
        if (first && first->awaits_disk && first->deadline <= now) {
                controller_finish(c, first, 0,
                                  failure_make(FAILURE_TIMEOUT, "the disk under the state directory of confd-had has not taken in time that "
                                               "a BeSlave begins; the order was not given"));
                controller_settle(c, 0);
        }
        if (o->following && o->following->deadline <= now) {
                controller_finish(c, o->following, 0,
                                  failure_make(FAILURE_TIMEOUT, "BeSlave is not done within SyncTimeoutSec=; the order may still take "
                                               "effect"));
                c->wanted = true;
                controller_settle(c, 0);
        }
        if ((is_polling(c) && c->poll_at <= now) || c->query.wanted_at <= now || controller_judgement(c) <= now)
                c->wanted = true;
}

int controller_on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        struct controller *c = userdata;

        c->armed = USEC_INFINITY;
        link_drain(c->link);
        check_deadlines(c, now_monotonic());
        if (c->next_config && is_idle(c))
                controller_use_next_config(c);
        controller_pump(c);
        return 0;
}
