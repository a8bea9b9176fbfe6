/* SPDX-License-Identifier: Apache-2.0 */
/* A caller on the bus: starts method calls, and keeps what it is sent in one trace, in the order of arrival:
 *
 *      changed State='master' NodeId='n1'      PropertiesChanged of org.confd.HA
 *      signal StateChanged 'none' 'master' 'order'
 *      reply BeMaster
 *      error BeMaster org.confd.HA.Error.Bind: the message
 */
#pragma once

#include <systemd/sd-bus.h>

#include "trace.h"

struct fixture;
struct client;

struct call {
        struct client *client;
        struct call *next;
        sd_bus_slot *slot;
        char *method;
        bool done;
        char *text;    /* of the reply, NULL for an error */
        char *error;   /* the error's name, NULL for a reply */
        char *message; /* the error's */
};

struct client {
        struct fixture *f;
        struct client *next;
        sd_bus *bus;
        struct trace trace;
        struct call *calls;
};

/* A connection made as the user uid (0: as we are). It belongs to the fixture. */
struct client *client_new(struct fixture *f, uid_t uid);
/* Leaves the bus at once; the trace stays. */
void client_leave(struct client *c);
struct client *client_free(struct client *c);

struct call *call_start(struct client *c, const char *method, const char *types, ...);
struct call *call_startv(struct client *c, bool interactive, const char *method, const char *types, va_list ap);
/* With the flag that allows polkit to ask the user. */
struct call *call_start_interactive(struct client *c, const char *method, const char *types, ...);
/* Any member of any object of the service. */
struct call *call_start_member(struct client *c, const char *path, const char *interface, const char *member,
                               const char *types, ...);
