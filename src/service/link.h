/* SPDX-License-Identifier: Apache-2.0 */
/* The two connections to ConfD on the event loop: when to connect, and what it means that one is gone. */
#pragma once

#include <confd_ha_client.h>
#include <systemd/sd-event.h>

#include "basic/util.h"
#include "service/bus-errors.h"
#include "service/config.h"

/* How often ConfD is to say that it is well, how many times in a row it may fail to, and what is given on top. */
#define LINK_HEALTH_CHECK_MSEC 30000
#define LINK_HEALTH_CHECK_MISSED 3
#define LINK_HEALTH_CHECK_SLACK_USEC (5 * UINT64_C(1000000))
/* How long the event connection has to outlast the HA connection to show that another client took it over. */
#define LINK_VERDICT_USEC (200 * UINT64_C(1000))
#define LINK_DISPLACED_AGAIN_USEC (60 * UINT64_C(1000000))
/* How long orders wait for the event connection at most, once there is an HA connection. */
#define LINK_EVENTS_WAIT_USEC (1000 * UINT64_C(1000))
/* Callers that find no connection make it be tried again at once, but not more often than this. */
#define LINK_KICK_USEC (100 * UINT64_C(1000))

struct link;

/* How the HA connection came to an end. */
enum link_end {
        LINK_ENDED,
        LINK_UNDECIDED,       /* decided() will say why */
        LINK_ENDED_FOR_ORDER, /* an order has not been answered, and its failure tells of it */
};

/* Called from the event loop. After down() or failed() a next attempt is already arranged where there is to be one. */
struct link_handlers {
        void (*up)(void *userdata);
        /* The HA connection is gone, and the pending orders have heard so. */
        void (*down)(void *userdata, const struct failure *why, enum link_end end);
        void (*decided)(void *userdata, const struct failure *why);
        /* A connection could not be had. */
        void (*failed)(void *userdata, const struct failure *why);
        /* Orders may be given: there is an event connection too, or it is known that there is none now. */
        void (*ready)(void *userdata);
        void (*events_up)(void *userdata);
        /* It is gone (was_up), or could not be had. */
        void (*events_down)(void *userdata, const struct failure *why, bool was_up);
        void (*event)(void *userdata, const struct confd_ha_event *event);
};

/* Does nothing before link_configure() and link_start(). -ENOMEM and what sd-event says. */
_must_check_ int link_new(struct link **ret, sd_event *event, const struct link_handlers *handlers, void *userdata);
struct link *link_free(struct link *l);
DEFINE_CLEANUP(struct link *, link_free)

/* Uses this configuration from now on (borrowed until the next call or link_free()). With `reconnect` existing
 * connections are closed without a word to the handlers, and an attempt is made at once. -ENOMEM. */
_must_check_ int link_configure(struct link *l, const struct config *config, bool reconnect);

/* Attempts are made from now on. Who wants a connection before waits for it. */
void link_start(struct link *l);

/* Somebody wants a connection: tries now if it may, or joins the attempt under way. Returns 0 if there is, or will be,
 * an attempt, -ENOTCONN if there will be none (no secrets: failed() is not called, link_cause() tells). */
int link_kick(struct link *l);

/* How many attempts have been started. */
uint64_t link_attempts(const struct link *l);

/* Why there is no connection: the last cause, never NULL; none if nothing has failed yet. */
const struct failure *link_cause(const struct link *l);

/* The client for orders when it is up, else NULL. link_touch() after each call of its functions. */
confd_ha_client *link_client(struct link *l);
void link_touch(struct link *l);
bool link_events_up(const struct link *l);
bool link_is_ready(const struct link *l);
/* No event connection although one could have been made: the status has to be asked for every few seconds. */
bool link_is_polling(const struct link *l);
/* Processes everything that has come already; before a deadline of ours is said to have passed. */
void link_drain(struct link *l);
/* The same for the events alone; to be called before what the other connection has said is taken to be all that was said. */
void link_drain_events(struct link *l);

/* ConfD answers as it should: the next delay is a short one again. */
void link_is_well(struct link *l);

/* Gives up both connections for this reason (taken over) and makes them anew after the delay. Calls down(). */
void link_give_up(struct link *l, struct failure why, enum link_end end);
