/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the queue of orders: limits, superseding, joining, and the matching of results. */
#include <arpa/inet.h>
#include <confd_lib.h>

#include "basic/time-util.h"
#include "service/orders.h"

static const char *const kind_names[] = {
        [ORDER_KIND_BE_MASTER] = "BeMaster",
        [ORDER_KIND_BE_SLAVE] = "BeSlave",
        [ORDER_KIND_BE_RELAY] = "BeRelay",
        [ORDER_KIND_BE_NONE] = "BeNone",
        [ORDER_KIND_SLAVE_DEAD] = "SlaveDead",
        [ORDER_KIND_TAKE_OVER] = "TakeOver",
};

const char *order_kind_to_string(enum order_kind kind) {
        return kind_names[kind];
}

struct order *order_free(struct order *o) {
        struct order_call *c;

        if (!o)
                return NULL;
        while ((c = TAILQ_FIRST(&o->calls))) {
                TAILQ_REMOVE(&o->calls, c, calls);
                free(c);
        }
        free(o->node_id);
        free(o->master_id);
        free(o->master_address);
        free(o->old_master);
        failure_done(&o->outcome);
        free(o);
        return NULL;
}

static void free_all(struct order_queue *q) {
        struct order *order;

        while ((order = TAILQ_FIRST(q))) {
                TAILQ_REMOVE(q, order, queue);
                order_free(order);
        }
}

void orders_init(struct orders *o) {
        *o = (struct orders) { .queue = TAILQ_HEAD_INITIALIZER(o->queue), .finished = TAILQ_HEAD_INITIALIZER(o->finished) };
}

void orders_done(struct orders *o) {
        free_all(&o->queue);
        free_all(&o->finished);
        order_free(o->in_flight);
        order_free(o->passing);
        order_free(o->following);
        orders_init(o);
}

/* ---- admission ---- */

static int add_call(struct order *o, order_done_fn done, void *userdata, bool wait) {
        struct order_call *c;

        if (o->n_calls >= ORDER_CALLS_MAX)
                return -EBUSY;
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        *c = (struct order_call) { .done = done, .userdata = userdata, .wait = wait };
        TAILQ_INSERT_TAIL(&o->calls, c, calls);
        o->n_calls++;
        return 0;
}

static struct order *live_beslave(const struct orders *o) {
        struct order *q;

        TAILQ_FOREACH(q, &o->queue, queue)
                if (q->kind == ORDER_KIND_BE_SLAVE)
                        return q;
        if (o->in_flight && o->in_flight->kind == ORDER_KIND_BE_SLAVE)
                return o->in_flight;
        return o->following;
}

/* If it is there at all. */
static void unqueue(struct orders *o, struct order *order) {
        struct order *q;

        TAILQ_FOREACH(q, &o->queue, queue)
                if (q == order) {
                        TAILQ_REMOVE(&o->queue, order, queue);
                        o->n_queued--;
                        return;
                }
}

/* Out of wherever it waits; its result, if one is to come, will be nobody's. */
static void detach(struct orders *o, struct order *order) {
        if (o->in_flight == order)
                o->in_flight = NULL;
        else if (o->passing == order)
                o->passing = NULL;
        else if (o->following == order)
                o->following = NULL;
        else
                unqueue(o, order);
        for (size_t i = 0; i < o->n_slots; i++)
                if (o->slots[i].order == order)
                        o->slots[i].order = NULL;
}

/* Addresses are kept as they were written; the same one may be written in several ways. */
static bool same_address(const char *a, const char *b) {
        struct in6_addr x, y;

        return streq(a, b) ||
               (inet_pton(AF_INET6, a, &x) == 1 && inet_pton(AF_INET6, b, &y) == 1 && memcmp(&x, &y, sizeof(x)) == 0);
}

static bool same_beslave(const struct order *o, const struct order_request *request) {
        return o && request->kind == ORDER_KIND_BE_SLAVE && streq(o->node_id, request->node_id) &&
               streq(o->master_id, request->master_id) && same_address(o->master_address, request->master_address);
}

static bool is_role(enum order_kind kind) {
        return kind != ORDER_KIND_SLAVE_DEAD;
}

static struct order *order_new(const struct order_request *request) {
        struct order *n = calloc(1, sizeof(*n));

        if (!n)
                return NULL;
        TAILQ_INIT(&n->calls);
        n->kind = request->kind;
        n->with_reply = true;
        n->judge_at = USEC_INFINITY;
        if (free_and_strdup(&n->node_id, request->node_id) < 0 || free_and_strdup(&n->master_id, request->master_id) < 0 ||
            free_and_strdup(&n->master_address, request->master_address) < 0 ||
            free_and_strdup(&n->old_master, request->old_master) < 0)
                return order_free(n);
        return n;
}

int orders_submit(struct orders *o, const struct order_request *request, order_done_fn done,
                  void *userdata, struct order **ret, struct order **ret_ended) {
        struct order *live = live_beslave(o), *n;
        int r;

        if (live && (request->kind == ORDER_KIND_BE_RELAY || request->kind == ORDER_KIND_TAKE_OVER))
                return -EALREADY;
        if (same_beslave(live, request)) {
                r = add_call(live, done, userdata, request->wait);
                if (r < 0)
                        return r;
                *ret = live;
                return 1;
        }
        if (o->n_queued >= ORDERS_MAX)
                return -EBUSY;

        n = order_new(request);
        if (!n || add_call(n, done, userdata, request->wait) < 0) {
                order_free(n);
                return -ENOMEM;
        }

        *ret_ended = NULL;
        if (live && is_role(request->kind)) {
                detach(o, live);
                *ret_ended = live;
        }
        TAILQ_INSERT_TAIL(&o->queue, n, queue);
        o->n_queued++;
        *ret = n;
        return 0;
}

static void drop_slot(struct orders *o, size_t i) {
        memmove(&o->slots[i], &o->slots[i + 1], (o->n_slots - i - 1) * sizeof(o->slots[0]));
        o->n_slots--;
}

static void add_slot(struct orders *o, struct result_slot slot) {
        if (o->n_slots == RESULT_SLOTS_MAX)
                drop_slot(o, 0);
        o->slots[o->n_slots++] = slot;
}

/* ---- on the way ---- */

bool orders_blocking(const struct orders *o) {
        return o->in_flight && o->in_flight->kind == ORDER_KIND_BE_SLAVE && o->in_flight->with_reply;
}

struct order *orders_first(const struct orders *o) {
        return TAILQ_FIRST(&o->queue);
}

struct order *orders_next(const struct orders *o) {
        struct order *n = orders_first(o);

        if (!n)
                return NULL;
        /* SlaveDead passes a BeSlave by. */
        if (o->in_flight && !(orders_blocking(o) && n->kind == ORDER_KIND_SLAVE_DEAD && !o->passing))
                return NULL;
        return n;
}

bool orders_is_judged(const struct orders *o, uint64_t query) {
        const struct order *n = orders_first(o);

        return n && n->kind == ORDER_KIND_TAKE_OVER && n->accept_query > 0 && n->accept_query <= query;
}

void orders_sent(struct orders *o, struct order *order) {
        unqueue(o, order);
        order->on_wire = order->with_reply;
        if (o->in_flight)
                o->passing = order;
        else
                o->in_flight = order;
        if (order->with_reply)
                return;
        /* At most one of the slots has somebody who waits, and that is the last. */
        add_slot(o, (struct result_slot) { .order = order });
}

struct order *orders_accept(struct orders *o, uint64_t query) {
        struct order *b = o->in_flight;

        if (!b || b->with_reply || query < b->accept_query)
                return NULL;
        while (o->n_slots > 0 && o->slots[0].uncertain && !o->slots[0].order)
                drop_slot(o, 0);
        o->in_flight = NULL;
        o->following = b;
        b->accepted = true;
        return b;
}

bool orders_synchronizing(const struct orders *o, uint64_t covers) {
        const struct order *f;

        if (live_beslave(o))
                return true;
        TAILQ_FOREACH(f, &o->finished, queue)
                if (f->kind == ORDER_KIND_BE_SLAVE && f->stamp > covers)
                        return true;
        return false;
}

bool orders_under_way(const struct orders *o) {
        return o->in_flight || o->passing || o->following || !TAILQ_EMPTY(&o->finished);
}

/* ---- over gaps ---- */

static void doubt(struct order *order, bool may_join) {
        order->uncertain = true;
        order->may_join = may_join;
        order->again = false;
        order->judge_at = USEC_INFINITY;
}

int orders_restore(struct orders *o, const struct order_request *request, uint64_t deadline, struct order **ret) {
        struct order *n = order_new(request);

        if (!n)
                return -ENOMEM;
        n->with_reply = false;
        n->accepted = true;
        n->deadline = deadline;
        o->following = n;
        add_slot(o, (struct result_slot) { .order = n, .uncertain = true });
        doubt(n, /* may_join= */ true);
        *ret = n;
        return 0;
}

void orders_keep(struct orders *o, struct order *order) {
        o->in_flight = NULL;
        o->following = order;
        order->with_reply = false;
        doubt(order, /* may_join= */ true);
}

void orders_again(struct orders *o) {
        for (size_t i = 0; i < o->n_slots; i++)
                if (o->slots[i].order == o->following)
                        o->slots[i].order = NULL;
        add_slot(o, (struct result_slot) { .order = o->following });
        o->following->uncertain = false;
        o->following->again = true;
        o->following->judge_at = USEC_INFINITY;
        o->stray_success = false;
}

void orders_result_known(struct orders *o, const struct order *order) {
        for (size_t i = 0; i < o->n_slots; i++)
                if (o->slots[i].order == order)
                        o->slots[i].known = true;
}

uint64_t orders_deadline(const struct orders *o) {
        const struct order *const there[] = { o->in_flight, o->passing, o->following };
        uint64_t t = USEC_INFINITY;

        for (size_t i = 0; i < ELEMENTSOF(there); i++)
                if (there[i])
                        t = MIN(t, there[i]->deadline);
        return t;
}

/* ---- outcomes ---- */

void orders_finish(struct orders *o, struct order *order, uint64_t stamp, struct failure outcome) {
        if (order->has_outcome) {
                failure_done(&outcome);
                return;
        }
        detach(o, order);
        if (order->kind == ORDER_KIND_BE_SLAVE)
                o->stray_success = false;
        order->has_outcome = true;
        order->outcome = outcome;
        order->stamp = stamp;
        TAILQ_INSERT_TAIL(&o->finished, order, queue);
}

void orders_finish_all(struct orders *o, order_finish_fn fn, void *userdata) {
        if (o->in_flight)
                fn(userdata, o->in_flight);
        if (o->passing)
                fn(userdata, o->passing);
        if (o->following)
                fn(userdata, o->following);
        while (orders_first(o))
                fn(userdata, orders_first(o));
}

bool orders_unshown(const struct orders *o) {
        const struct order *f;

        TAILQ_FOREACH(f, &o->finished, queue)
                if (f->stamp > 0)
                        return true;
        return false;
}

void orders_cover(struct orders *o, uint64_t covers) {
        struct order *f;

        TAILQ_FOREACH(f, &o->finished, queue)
                if (f->stamp <= covers)
                        f->stamp = 0;
}

struct order *orders_take_finished(struct orders *o, uint64_t covers) {
        struct order *f;

        TAILQ_FOREACH(f, &o->finished, queue)
                if (f->stamp <= covers) {
                        TAILQ_REMOVE(&o->finished, f, queue);
                        return f;
                }
        return NULL;
}

struct order *orders_match_result(struct orders *o, int code) {
        struct order *order;
        bool early;

        /* A result that may have come while nobody listened is passed over for the sake of one that is sure to come.
         * But "aborted" is what an order gets that a later one ended, and nobody ended the one that is waited for. */
        while (o->n_slots > 1 && o->slots[0].uncertain && !o->slots[0].order &&
               (code != CONFD_ERR_HA_ABORT || !o->slots[1].order))
                drop_slot(o, 0);
        if (o->n_slots == 0)
                return NULL;
        order = o->slots[0].order;
        /* Nor is it the end of one that ConfD is not seen to have yet: what we do not know of was ended by it. If that is wrong
         * after all, the status shows it. */
        early = code == CONFD_ERR_HA_ABORT && o->in_flight && !o->in_flight->with_reply &&
                (order ? order == o->in_flight : o->slots[0].uncertain);
        if (early)
                doubt(o->in_flight, /* may_join= */ true);
        if (early && order)
                return NULL;
        if (!order && code == 0 && !o->slots[0].known)
                o->stray_success = true;
        drop_slot(o, 0);
        return order;
}

void orders_expect_stray(struct orders *o) {
        if (o->n_slots > 0 && o->slots[o->n_slots - 1].uncertain)
                return;
        add_slot(o, (struct result_slot) { .uncertain = true });
}

void orders_events_lost(struct orders *o, bool may_join) {
        for (size_t i = 0; i < o->n_slots; i++) {
                o->slots[i].uncertain = true;
                if (o->slots[i].order)
                        doubt(o->slots[i].order, may_join);
        }
        if (o->following)
                doubt(o->following, may_join);
}

void order_reply(struct order *o, const struct failure *failure, bool accepted_only) {
        struct order_calls due = TAILQ_HEAD_INITIALIZER(due), kept = TAILQ_HEAD_INITIALIZER(kept);
        struct order_call *c;

        TAILQ_CONCAT(&due, &o->calls, calls);
        while ((c = TAILQ_FIRST(&due))) {
                TAILQ_REMOVE(&due, c, calls);
                if (accepted_only && c->wait) {
                        TAILQ_INSERT_TAIL(&kept, c, calls);
                        continue;
                }
                o->n_calls--;
                c->done(c->userdata, failure);
                free(c);
        }
        TAILQ_CONCAT(&o->calls, &kept, calls);
}
