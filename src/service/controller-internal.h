/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the controller share: its struct, and the steps that they take in turns.
 *
 *      controller.c            what callers want, how orders end, who waits
 *      controller-send.c       what goes to ConfD next
 *      controller-hear.c       what ConfD says, and that it is there or not
 *      controller-deadlines.c  what does not come
 *      controller-gap.c        what becomes of a BeSlave while nobody is there */
#pragma once

#include <sys/queue.h>

#include "service/controller.h"
#include "service/link.h"

struct waiter {
        TAILQ_ENTRY(waiter) waiters;
        uint64_t query;   /* the question whose reply it waits for */
        uint64_t attempt; /* the attempts to connect that had begun when it came */
        uint64_t deadline;
        controller_status_fn done;
        void *userdata;
};

struct controller {
        sd_event *event;
        struct state *state;
        struct config *config;
        struct config *next_config; /* to be used once nothing is under way */
        const struct controller_handlers *handlers;
        void *userdata;
        struct link *link;
        struct orders orders;
        sd_event_source *timer;
        uint64_t armed; /* the timer's time; USEC_INFINITY if it is off */

        uint64_t seen; /* the last stamp given */
        bool wanted;   /* a status question is to be asked */
        struct {
                uint64_t id; /* of the last one sent */
                uint64_t answered; /* of the last one whose answer has taken effect */
                bool in_flight;
                uint64_t wanted_at; /* when one is to be asked for those who have to wait for it */
                uint64_t paid_until; /* by what callers without privilege have caused */
                bool under_order;
                bool behind; /* an order that has not been answered: what the answer shows, comes after what that did */
                bool events_up;
                uint64_t asked;  /* the last stamp when it was sent */
                uint64_t covers; /* the same, or the stamp of the order's reply */
                uint64_t deadline;
                struct failure failure; /* why it will not be answered, for those who wait for it */
                bool repeated;          /* it asks again what was out of date before it was answered */
        } query;
        uint64_t events_down_since;
        uint64_t poll_at;
        bool held;             /* what has changed is still to be told, and replies wait for it */
        bool status_refused;   /* ConfD answered the last question with an error */

        TAILQ_HEAD(, waiter) waiters; /* in the order in which they came */
        size_t n_waiters;
        bool ending;
};

/* How long after both connections are back ConfD may take to tell what it had to tell meanwhile. */
#define GAP_PATIENCE_USEC (30 * UINT64_C(1000000))

extern const struct link_handlers controller_link_handlers;

void controller_publish(struct controller *c);

/* Notes how an order ended (outcome is taken over), to take effect with the status that covers the stamp, or, with
 * stamp 0, when it is settled next. */
void controller_finish(struct controller *c, struct order *order, uint64_t stamp, struct failure outcome);
/* All but a BeSlave that follows. */
void controller_finish_all(struct controller *c, const struct failure *why);
/* Those that came before this attempt to connect began. */
void controller_fail_queued(struct controller *c, const struct failure *why, uint64_t attempt);

/* Replies to whoever waits for finished orders that are covered. */
void controller_reply_finished(struct controller *c, uint64_t covers);

/* Outcomes of up to this stamp take effect without a status: what ended the order was not ConfD (stamp 0), or ConfD
 * does not tell its status. */
void controller_settle(struct controller *c, uint64_t covers);

/* What a caller hears who finds no connection. */
struct failure controller_not_connected(struct controller *c);

/* Takes the first waiter, which there is, out of the list; and answers all who wait for questions up to this one. */
struct waiter *controller_take_waiter(struct controller *c);
void controller_answer_waiters(struct controller *c, uint64_t query, const struct failure *failure, enum ha_state state,
                               const struct node_list *nodes);
void controller_fail_waiters(struct controller *c, const struct failure *why, uint64_t attempt);

/* Sends what may be sent now, and sets the timer. */
void controller_pump(struct controller *c);
void controller_on_order_reply(confd_ha_client *client, const struct confd_ha_result *result,
                               const struct confd_ha_status_reply *status, void *userdata);
void controller_on_status_reply(confd_ha_client *client, const struct confd_ha_result *result,
                                const struct confd_ha_status_reply *status, void *userdata);

/* Nothing may be under way if it makes a new connection. */
void controller_use_next_config(struct controller *c);

/* Whether a BeSlave may go out; it is about to; its outcome is known. */
bool controller_may_begin_beslave(struct controller *c, struct order *order);
void controller_begin_beslave(struct controller *c, struct order *order);
void controller_forget_beslave(struct order *order);
/* The one that was under way when the service ended last. -ENOMEM. */
_must_check_ int controller_restore_beslave(struct controller *c);
/* The HA connection is gone: its callers hear so, the order goes on. */
void controller_beslave_goes_on(struct controller *c, const struct failure *why, bool may_join);
/* A status has come; and when one is to be asked for to judge by. */
void controller_judge_beslave(struct controller *c, enum ha_state state, const struct node_list *nodes);
uint64_t controller_judgement(const struct controller *c);

/* The timer, to be set to the next deadline, and its handler. */
void controller_arm(struct controller *c);
int controller_on_timer(sd_event_source *s, uint64_t usec, void *userdata);
