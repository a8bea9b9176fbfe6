/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls: the bus is asked once for each connection, and each call has a place from its arrival to its reply. */
#pragma once

#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "basic/util.h"
#include "service/bus-errors.h"
#include "service/places.h"

/* How long the bus may take to tell who somebody is. */
#define CALLERS_ASK_USEC (10 * UINT64_C(1000000))

enum {
        CALLERS_REMEMBERED_MAX = 256, /* connections without a call, so that a next one is known at once */
        CALLERS_UNKNOWN_MAX = 8192,   /* calls that wait for the bus to tell whose they are; past it, one a connection */
};

struct caller {
        bool known;
        bool privileged; /* uid 0 or our own: needs no polkit */
        uid_t uid;
        pid_t pid; /* 0 if the bus does not tell */
};

struct callers;
struct sender;

/* Called once, perhaps within callers_enter(). 0: the call has its place. Else it has none: -EBUSY, -EACCES, -ENOMEM with what
 * to reply; -ECONNRESET when the caller has gone, so that there is nobody to reply to. */
typedef void (*ticket_fn)(void *userdata, int r, const struct failure *failure, const struct caller *caller);

/* A call's place, embedded in whatever stands for the call. */
struct ticket {
        TAILQ_ENTRY(ticket) unknown;
        struct sender *sender; /* NULL: it has none */
        struct place_user *user; /* NULL as long as it is not known whose it is */
        enum place_kind kind;
        ticket_fn done;
        void *userdata;
};

_must_check_ int callers_new(struct callers **ret, sd_bus *bus);
/* After whoever has calls that have their places. Those that do not have them yet are ended. */
struct callers *callers_free(struct callers *c);
DEFINE_CLEANUP(struct callers *, callers_free)

/* The call m wants a place. The ticket is zeroed memory, and stays where it is until it has left. */
void callers_enter(struct callers *c, struct ticket *t, sd_bus_message *m, enum place_kind kind, ticket_fn done, void *userdata);

/* Gives the place back, or up; then `done` is no longer called. Does nothing a second time. */
void ticket_leave(struct ticket *t);

/* Reads UnixUserID and ProcessID out of an a{sv}, as the bus answers GetConnectionCredentials with. -ENODATA without a uid. */
_must_check_ int caller_read(sd_bus_message *m, struct caller *ret);
