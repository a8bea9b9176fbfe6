/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the conversation with ConfD as its callers see it: orders, questions, and how they end.
 *
 * Everything that ConfD tells (an event, an order's reply) gets the next stamp and makes the status wanted. There is one
 * status question at a time. It covers all stamps given before it was sent, and that of the order right before it, since ConfD
 * answers in order; its reply is when they take effect: first the properties, then the signals, then the replies to callers.
 * A caller of Status shares the question under way if nothing has been told since it was sent, else the next one. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "service/controller-internal.h"

void controller_publish(struct controller *c) {
        if (!c->ending && (c->state->changed || c->state->signals.n > 0))
                c->held = !c->handlers->publish(c->userdata);
}

/* ---- outcomes of orders ---- */

/* The want of a connection is told by LastError as long as there is none. */
static enum error_kind kind_of_error(const struct failure *f) {
        return failure_is_of_connection(f) ? ERROR_KIND_CONNECTION : ERROR_KIND_ORDER;
}

/* Notes how an order ended, to take effect with the next status (stamp), or with what the caller does now. */
void controller_finish(struct controller *c, struct order *order, uint64_t stamp, struct failure outcome) {
        bool ok = !failure_is_set(&outcome);
        struct order_outcome told = {
                .beslave = order->kind == ORDER_KIND_BE_SLAVE,
                .error_kind = kind_of_error(&outcome),
                .error_name = failure_name(&outcome),
                .error_message = outcome.message,
        };

        if (order->has_outcome) {
                failure_done(&outcome);
                return;
        }
        controller_forget_beslave(order);
        if (order->kind == ORDER_KIND_BE_SLAVE && TAILQ_EMPTY(&order->calls))
                log_info("BeSlave %s of %s (%s), which nobody waits for any more, %s%s", order->node_id, order->master_id,
                         order->master_address, ok ? "is done" : "failed: ", ok ? "" : failure_words(&outcome));
        told.refused = outcome.kind == FAILURE_BAD_STATE || outcome.kind == FAILURE_WITH_UPGRADE;
        if (ok && (order->kind == ORDER_KIND_BE_SLAVE || order->kind == ORDER_KIND_BE_MASTER || order->kind == ORDER_KIND_TAKE_OVER))
                told.node_id = order->node_id;
        if (ok && order->kind == ORDER_KIND_BE_SLAVE) {
                told.master_id = order->master_id;
                told.master_address = order->master_address;
        }
        if (state_outcome(c->state, stamp, &told) < 0)
                log_error("Out of memory: the outcome of %s is not signalled", order_kind_to_string(order->kind));
        orders_finish(&c->orders, order, stamp, outcome);
}

static void release(struct order *order) {
        if (order->on_wire)
                order->orphan = true;
        else
                order_free(order);
}

/* Replies to whoever waits for finished orders that are covered. */
void controller_reply_finished(struct controller *c, uint64_t covers) {
        struct order *order;

        if (c->held) {
                orders_cover(&c->orders, covers);
                return;
        }
        while ((order = orders_take_finished(&c->orders, covers))) {
                const struct failure none = FAILURE_NONE;

                /* Who did not want to wait asked whether ConfD has the order, and it has. */
                if (order->kind == ORDER_KIND_BE_SLAVE && order->accepted)
                        order_reply(order, &none, /* accepted_only= */ true);
                order_reply(order, &order->outcome, /* accepted_only= */ false);
                if (order->kind != ORDER_KIND_SLAVE_DEAD && !failure_is_set(&order->outcome))
                        c->handlers->obeyed(c->userdata);
                release(order);
        }
}

void controller_told(struct controller *c) {
        const struct failure none = FAILURE_NONE;
        struct order *b = c->orders.following;
        const struct waiter *first;

        c->held = false;
        controller_publish(c);
        if (!c->held && b && b->accepted)
                order_reply(b, &none, /* accepted_only= */ true);
        controller_reply_finished(c, 0);
        /* Those whose answer came meanwhile. */
        first = TAILQ_FIRST(&c->waiters);
        if (!c->held && first && first->query > c->query.id && c->query.wanted_at == USEC_INFINITY)
                c->wanted = true;
        controller_pump(c);
}

/* Outcomes of up to this stamp take effect without a status: what ended the order was not ConfD (stamp 0), or ConfD
 * does not tell its status. */
void controller_settle(struct controller *c, uint64_t covers) {
        if (state_outcomes_now(c->state, covers, orders_synchronizing(&c->orders, covers), now_realtime()) < 0)
                log_error("Out of memory: outcomes of orders are not signalled");
        controller_publish(c);
        controller_reply_finished(c, covers);
}

struct ending {
        struct controller *c;
        const struct failure *why;
};

static void end_told(void *userdata, struct order *order) {
        const struct ending *e = userdata;

        if (order != e->c->orders.following)
                controller_finish(e->c, order, 0, failure_copy(e->why));
}

void controller_finish_all(struct controller *c, const struct failure *why) {
        struct ending e = { c, why };

        orders_finish_all(&c->orders, end_told, &e);
}

void controller_fail_queued(struct controller *c, const struct failure *why, uint64_t attempt) {
        struct order *first;

        while ((first = orders_first(&c->orders)) && first->attempt < attempt)
                controller_finish(c, first, 0, failure_copy(why));
}

struct failure controller_not_connected(struct controller *c) {
        const struct failure *cause = link_cause(c->link);

        if (failure_is_cause(cause))
                return failure_copy(cause);
        if (failure_is_set(cause))
                return failure_make(FAILURE_NOT_CONNECTED, "%s", cause->message ?: "");
        return failure_make(FAILURE_NOT_CONNECTED, "no connection to ConfD at %s yet", c->config->address_name);
}

/* ---- who waits for a status ---- */

struct waiter *controller_take_waiter(struct controller *c) {
        struct waiter *w = TAILQ_FIRST(&c->waiters);

        TAILQ_REMOVE(&c->waiters, w, waiters);
        c->n_waiters--;
        return w;
}

void controller_answer_waiters(struct controller *c, uint64_t query, const struct failure *failure, enum ha_state state,
                           const struct node_list *nodes) {
        /* What it says is still to be told: the next question will, to them, too. */
        if (c->held && !failure_is_set(failure)) {
                struct waiter *w;

                TAILQ_FOREACH(w, &c->waiters, waiters) {
                        if (w->query > query)
                                break;
                        w->query = query + 1;
                }
                return;
        }
        /* Those who come while these are answered wait for a later question, behind them. */
        for (struct waiter *first; (first = TAILQ_FIRST(&c->waiters)) && first->query <= query;) {
                struct waiter *w = controller_take_waiter(c);

                w->done(w->userdata, failure, state, nodes);
                free(w);
        }
}

void controller_fail_waiters(struct controller *c, const struct failure *why, uint64_t attempt) {
        for (struct waiter *first; (first = TAILQ_FIRST(&c->waiters)) && first->attempt < attempt;) {
                struct waiter *w = controller_take_waiter(c);

                w->done(w->userdata, why, HA_STATE_UNKNOWN, NULL);
                free(w);
        }
}

/* ---- what callers want ---- */

static struct failure failure_from_submit(int r, enum order_kind kind) {
        switch (r) {
        case -EALREADY:
                if (kind == ORDER_KIND_TAKE_OVER)
                        return failure_make(FAILURE_NOT_IN_SYNC, "a BeSlave is under way, which may be changing this node's data; "
                                            "BeMaster ends it, and makes this node master with the data that it has");
                return failure_make(FAILURE_BAD_STATE, "a BeSlave is under way; BeRelay is for a slave whose data is in place");
        case -EBUSY:
                return failure_make(FAILURE_LIMITS_EXCEEDED, "too many orders wait already");
        default:
                return failure_make(FAILURE_NO_MEMORY, "no memory for the order");
        }
}

void controller_order(struct controller *c, const struct order_request *request, order_done_fn done, void *userdata) {
        _cleanup_failure_ struct failure f = FAILURE_NONE;
        const struct failure none = FAILURE_NONE;
        struct order *order, *ended;
        int r;

        if (!link_client(c->link) && link_kick(c->link) < 0)
                f = controller_not_connected(c);
        else {
                r = orders_submit(&c->orders, request, done, userdata, &order, &ended);
                if (r == 1) {
                        if (order->accepted)
                                order_reply(order, &none, /* accepted_only= */ true);
                        return;
                }
                if (r < 0)
                        f = failure_from_submit(r, request->kind);
                if (r == -EALREADY) {
                        state_set_error(c->state, ERROR_KIND_ORDER, failure_name(&f), f.message ?: "", now_realtime());
                        controller_publish(c);
                }
        }
        if (failure_is_set(&f)) {
                done(userdata, &f);
                return;
        }
        /* Without a failure there is an order. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        order->deadline = usec_add(now_monotonic(), c->config->request_timeout);
        order->attempt = link_attempts(c->link);
        if (ended) {
                controller_finish(c, ended, 0, failure_make(FAILURE_SUPERSEDED, "a later %s took the place of this BeSlave",
                                                      order_kind_to_string(request->kind)));
                controller_settle(c, 0);
        }
        if (request->kind == ORDER_KIND_BE_SLAVE) {
                state_set_synchronizing(c->state, true);
                controller_publish(c);
        }
        controller_pump(c);
}

/* A question for somebody without privilege: now, or when those before it are paid for. */
static void want_unprivileged(struct controller *c) {
        uint64_t now = now_monotonic(), burst = (STATUS_UNPRIVILEGED_BURST - 1) * STATUS_UNPRIVILEGED_USEC;

        if (c->wanted || c->query.wanted_at != USEC_INFINITY)
                return;
        c->query.paid_until = MAX(c->query.paid_until, now);
        if (c->query.paid_until <= now + burst)
                c->wanted = true;
        else
                c->query.wanted_at = c->query.paid_until - burst;
        c->query.paid_until += STATUS_UNPRIVILEGED_USEC;
}

void controller_status(struct controller *c, bool privileged, controller_status_fn done, void *userdata) {
        _cleanup_failure_ struct failure f = FAILURE_NONE;
        struct waiter *w = NULL;

        if (!link_client(c->link) && link_kick(c->link) < 0)
                f = controller_not_connected(c);
        else if (c->n_waiters >= STATUS_WAITERS_MAX)
                f = failure_make(FAILURE_LIMITS_EXCEEDED, "too many callers wait for a status already");
        else {
                w = calloc(1, sizeof(*w));
                if (!w)
                        f = failure_make(FAILURE_NO_MEMORY, "no memory to wait for a status");
        }
        if (!w) {
                done(userdata, &f, HA_STATE_UNKNOWN, NULL);
                return;
        }
        w->done = done;
        w->userdata = userdata;
        w->deadline = usec_add(now_monotonic(), c->config->request_timeout);
        w->attempt = link_attempts(c->link);
        if (c->query.in_flight && c->query.asked == c->seen)
                w->query = c->query.id;
        else {
                w->query = c->query.id + 1;
                if (privileged)
                        c->wanted = true;
                else
                        want_unprivileged(c);
        }
        TAILQ_INSERT_TAIL(&c->waiters, w, waiters);
        c->n_waiters++;
        controller_pump(c);
}

void controller_reload(struct controller *c, struct config *config) {
        config_free(c->next_config);
        c->next_config = config;
        if (config_connection_equal(c->config, config))
                controller_use_next_config(c);
        controller_pump(c);
}

const struct config *controller_config(const struct controller *c) {
        return c->config;
}

struct link *controller_link(const struct controller *c) {
        return c->link;
}

/* ---- a controller ---- */

int controller_new(struct controller **ret, sd_event *event, struct state *state, struct config *config,
                   const struct controller_handlers *handlers, void *userdata) {
        _cleanup_(controller_freep) struct controller *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->event = sd_event_ref(event);
        c->state = state;
        c->handlers = handlers;
        c->userdata = userdata;
        TAILQ_INIT(&c->waiters);
        orders_init(&c->orders);
        c->query.wanted_at = c->armed = USEC_INFINITY;
        r = sd_event_add_time(event, &c->timer, CLOCK_MONOTONIC, UINT64_MAX, 10 * USEC_PER_MSEC, controller_on_timer, c);
        if (r < 0)
                return r;
        (void) sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
        r = link_new(&c->link, event, &controller_link_handlers, c);
        if (r < 0)
                return r;
        c->config = config;
        *ret = TAKE_PTR(c);
        return 0;
}

int controller_start(struct controller *c) {
        int r;

        r = controller_restore_beslave(c);
        if (r < 0)
                return r;
        if (failure_is_set(&c->config->problem)) {
                state_set_error(c->state, ERROR_KIND_CONNECTION, failure_name(&c->config->problem), c->config->problem.message ?: "",
                                now_realtime());
                controller_publish(c);
        }
        return link_configure(c->link, c->config, /* reconnect= */ true);
}

void controller_connect(struct controller *c) {
        link_start(c->link);
}

/* Nobody is signalled any more. */
static void end_untold(void *userdata, struct order *order) {
        const struct ending *e = userdata;

        orders_finish(&e->c->orders, order, 0, failure_copy(e->why));
}

void controller_stop(struct controller *c) {
        _cleanup_failure_ struct failure f = failure_make(FAILURE_NOT_CONNECTED, "confd-had is being stopped; an order that it "
                                                          "has given ConfD may still take effect");
        struct ending e = { c, &f };

        c->ending = true;
        c->held = false;
        orders_finish_all(&c->orders, end_untold, &e);
        controller_reply_finished(c, UINT64_MAX);
        controller_answer_waiters(c, UINT64_MAX, &f, HA_STATE_UNKNOWN, NULL);
}

struct controller *controller_free(struct controller *c) {
        if (!c)
                return NULL;
        controller_stop(c);
        link_free(c->link);
        orders_done(&c->orders);
        sd_event_source_disable_unref(c->timer);
        sd_event_unref(c->event);
        failure_done(&c->query.failure);
        config_free(c->config);
        config_free(c->next_config);
        free(c);
        return NULL;
}
