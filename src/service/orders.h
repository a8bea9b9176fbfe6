/* SPDX-License-Identifier: Apache-2.0 */
/* The orders that callers gave, from their admission to their outcome. Pure: no sockets, no bus, no clocks.
 *
 *      submit --> queue --> in_flight --> (BeSlave without reply:) following --> finished --> replied, freed
 *
 * One order at a time waits for ConfD's reply, so that orders stay in order and one that is superseded need not have
 * been sent. A BeSlave that ConfD has accepted does not hold up what comes after it. There is at most one live BeSlave,
 * in the queue, in flight or following: an equal one joins it, any other role order ends it. One that follows outlives its
 * connection: its callers hear of the loss, but it is under way until its outcome is known.
 *
 * Results of no-wait orders (BESLAVE_RESULT) carry no number; they are matched first in, first out with the slots. */
#pragma once

#include <sys/queue.h>

#include "basic/util.h"
#include "service/bus-errors.h"

enum order_kind { ORDER_KIND_BE_MASTER, ORDER_KIND_BE_SLAVE, ORDER_KIND_BE_RELAY, ORDER_KIND_BE_NONE, ORDER_KIND_SLAVE_DEAD,
                  ORDER_KIND_TAKE_OVER };

enum {
        ORDERS_MAX = 256, /* waiting in the queue; callers have fewer places than that */
        ORDER_CALLS_MAX = 256, /* equal BeSlaves that share one */
        RESULT_SLOTS_MAX = 64, /* no-wait orders whose results may still come */
};

struct order_request {
        enum order_kind kind;
        const char *node_id, *master_id, *master_address, *old_master; /* as the kind has them, else NULL */
        bool wait;
};

/* One caller. failure is none on success. Called once; the order may be gone when it returns. */
typedef void (*order_done_fn)(void *userdata, const struct failure *failure);

struct order_call {
        TAILQ_ENTRY(order_call) calls;
        order_done_fn done;
        void *userdata;
        bool wait;
};

TAILQ_HEAD(order_calls, order_call);

struct order {
        TAILQ_ENTRY(order) queue; /* that it waits in, or among the finished */
        enum order_kind kind;
        char *node_id, *master_id, *master_address, *old_master;
        void *owner; /* for who finds the order by the client's callback */
        struct order_calls calls;
        size_t n_calls;
        uint64_t deadline;
        uint64_t attempt; /* the attempts to connect that had begun when it came */

        bool with_reply;       /* ConfD answers it; all but the no-wait BeSlave */
        bool on_wire;          /* the client will call back for it */
        bool accepted;         /* it is shown that ConfD has it */
        bool uncertain;        /* its result may have been told while nobody listened */
        bool may_join;         /* and ConfD, having been there all the time, may still be at it in state none */
        bool again;            /* it has been given once more since */
        bool kept;             /* in a file, over a restart */
        uint64_t judge_at;     /* when what the status shows decides; USEC_INFINITY until it is known */
        uint64_t initialized;  /* the stamp at which ConfD said that the data are in place; 0 if it has not */
        bool awaits_disk;      /* before it can go out */
        uint64_t accept_query; /* the first status question behind it; of a TakeOver: that it is judged by */

        bool orphan;           /* replied to; waits for the client's callback only, to be freed */

        bool has_outcome;
        struct failure outcome;
        uint64_t stamp;
};

struct result_slot {
        struct order *order; /* NULL: nobody waits for this result any more */
        bool uncertain;      /* the event connection was down meanwhile: the result may have come then */
        bool known;          /* the outcome was told otherwise; the result will say the same */
};

TAILQ_HEAD(order_queue, order);

struct orders {
        struct order_queue queue;
        size_t n_queued;
        struct order *in_flight;
        struct order *passing; /* a SlaveDead that passes a BeSlave with reply by */
        struct order *following;
        struct order_queue finished;
        struct result_slot slots[RESULT_SLOTS_MAX];
        size_t n_slots;
        bool stray_success; /* a result said success where nobody waited for one */
};

const char *order_kind_to_string(enum order_kind kind);

struct order *order_free(struct order *o);
void orders_init(struct orders *o);
void orders_done(struct orders *o);

/* Takes an order in. Returns 1 if it joined a pending one (*ret), 0 if it is queued (*ret; *ret_ended: the BeSlave that it
 * ends, taken out of its place, or NULL), -EALREADY if a pending BeSlave forbids it (BeRelay, TakeOver), -EBUSY past a limit,
 * -ENOMEM. */
_must_check_ int orders_submit(struct orders *o, const struct order_request *request,
                               order_done_fn done, void *userdata, struct order **ret, struct order **ret_ended);

/* The first that waits, NULL if none does; if it may be sent now, else NULL; and its being sent. */
struct order *orders_first(const struct orders *o);
struct order *orders_next(const struct orders *o);
void orders_sent(struct orders *o, struct order *order);

/* Whether the first of the queue is a TakeOver that waits for this status question. */
bool orders_is_judged(const struct orders *o, uint64_t query);

/* Whether an order holds ConfD up so that a status would not be answered: a BeSlave in the form with reply. */
bool orders_blocking(const struct orders *o);

/* Whether a BeSlave is under way, counting finished ones whose outcome no status of `covers` covers. */
bool orders_synchronizing(const struct orders *o, uint64_t covers);

/* A BeSlave that an earlier life of the service has given. -ENOMEM. */
_must_check_ int orders_restore(struct orders *o, const struct order_request *request, uint64_t deadline, struct order **ret);

/* The BeSlave with reply has lost the connection that its reply was to come by: it goes on. */
void orders_keep(struct orders *o, struct order *order);

/* The BeSlave that follows goes out once more: its next result is the one that counts. */
void orders_again(struct orders *o);

/* The outcome of the order is known, and its result, if it comes, nobody's news. */
void orders_result_known(struct orders *o, const struct order *order);

/* Whether an order is under way at ConfD, or its outcome is yet to be shown. */
bool orders_under_way(const struct orders *o);

/* When the first of those at ConfD is late; USEC_INFINITY if there is none. */
uint64_t orders_deadline(const struct orders *o);

/* Calls fn for each that has no outcome, those at ConfD before those in the queue; fn finishes it. */
typedef void (*order_finish_fn)(void *userdata, struct order *order);
void orders_finish_all(struct orders *o, order_finish_fn fn, void *userdata);

/* A status that was asked for behind it has been answered: the BeSlave in flight is ConfD's. Returns it, or NULL. What it
 * ended has had its result by then; results that may have been missed are not expected any more. */
struct order *orders_accept(struct orders *o, uint64_t query);

/* Takes the order out of its place and puts it, with its outcome (taken over), among the finished. Keeps a first
 * outcome. Does nothing else for one that is nobody's any more. */
void orders_finish(struct orders *o, struct order *order, uint64_t stamp, struct failure outcome);

/* Whether one that has finished waits for a status to cover it. */
bool orders_unshown(const struct orders *o);

/* What has finished up to this stamp is covered from now on, and need wait for no other. */
void orders_cover(struct orders *o, uint64_t covers);

/* Takes the first finished order whose outcome is covered; those with stamp 0 always are. */
struct order *orders_take_finished(struct orders *o, uint64_t covers);

/* A result event: the order that it belongs to, or NULL. */
struct order *orders_match_result(struct orders *o, int code);

/* A connection begins: ConfD may still be at a BeSlave of somebody before us, whose result comes when it is ended. */
void orders_expect_stray(struct orders *o);

/* The event connection is down: results may be missed from here on. may_join: as in struct order. */
void orders_events_lost(struct orders *o, bool may_join);

/* Calls everybody who waits for the order; with accepted_only those who wait for its acceptance. */
void order_reply(struct order *o, const struct failure *failure, bool accepted_only);
