/* SPDX-License-Identifier: Apache-2.0 */
/* The one conversation with ConfD: which order and which question goes out next, and what comes of it. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/util.h"
#include "service/bus-errors.h"
#include "service/config.h"
#include "service/orders.h"
#include "service/state.h"

/* How often the status is asked for while there is no event connection. */
#define CONTROLLER_POLL_USEC (2 * UINT64_C(1000000))
/* And while ConfD is a relay, whose own slaves come and go without an event. */
#define CONTROLLER_RELAY_POLL_USEC (10 * UINT64_C(1000000))

/* Questions that callers without privilege may cause: so many at once, then one in so much time. */
#define STATUS_UNPRIVILEGED_USEC (10 * UINT64_C(1000))

enum {
        STATUS_UNPRIVILEGED_BURST = 20,
        STATUS_WAITERS_MAX = 4096, /* callers have no more places than that */
};

struct controller;
struct link;

/* Called whenever the state has changed or has signals to emit, before any reply that follows from it. False: it will be told
 * later, controller_told() says when, and the replies wait. */
typedef bool (*controller_publish_fn)(void *userdata);

/* Whether what the state remembers is on disk. */
typedef bool (*controller_kept_fn)(void *userdata);

/* Connections, for the journal: up (why is NULL), or why not. */
typedef void (*controller_connection_fn)(void *userdata, const struct failure *why);

/* ConfD has done an order for a role, and the state shows it. */
typedef void (*controller_obeyed_fn)(void *userdata);

/* The answer to a status question: failure is none and nodes as ConfD listed them, or there is a failure. */
typedef void (*controller_status_fn)(void *userdata, const struct failure *failure, enum ha_state state,
                                     const struct node_list *nodes);

/* Whether ConfD is joining a master although its status says none: controller_joining() is to be called, later. */
typedef void (*controller_ask_joining_fn)(void *userdata);

struct controller_handlers {
        controller_publish_fn publish;
        controller_kept_fn kept;
        controller_ask_joining_fn ask_joining;
        controller_connection_fn connection;
        controller_obeyed_fn obeyed;
};

/* Borrows state; takes the configuration over. -ENOMEM and what sd-event says. */
_must_check_ int controller_new(struct controller **ret, sd_event *event, struct state *state, struct config *config,
                                const struct controller_handlers *handlers, void *userdata);
struct controller *controller_free(struct controller *c);
DEFINE_CLEANUP(struct controller *, controller_free)

/* Takes orders, and says what is wrong with the configuration; connects from controller_connect() on. */
_must_check_ int controller_start(struct controller *c);
void controller_connect(struct controller *c);

/* What was kept back from being told can be told now, and what is to be on disk may be. */
void controller_told(struct controller *c);

void controller_joining(struct controller *c, bool joining);

/* Gives an order. `done` is called once, perhaps within this call; and by controller_stop() at the latest. */
void controller_order(struct controller *c, const struct order_request *request, order_done_fn done, void *userdata);

/* Asks ConfD for its status, together with whoever else asks; who has no privilege may have to share a later question than
 * he would else. `done` as above. */
void controller_status(struct controller *c, bool privileged, controller_status_fn done, void *userdata);

/* Uses this configuration (taken over): at once, or, if it makes a new connection, when the orders under way have ended. */
void controller_reload(struct controller *c, struct config *config);

/* Ends all that waits, with words. Nothing is sent any more. */
void controller_stop(struct controller *c);

const struct config *controller_config(const struct controller *c);
struct link *controller_link(const struct controller *c);
