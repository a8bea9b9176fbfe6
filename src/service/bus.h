/* SPDX-License-Identifier: Apache-2.0 */
/* The D-Bus object /org/confd/HA: its interface, and what is emitted on it. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/util.h"
#include "service/authorize.h"
#include "service/callers.h"
#include "service/config.h"
#include "service/controller.h"
#include "service/journal.h"
#include "service/orders.h"
#include "service/state.h"

#define BUS_NAME "org.confd.HA"
#define BUS_PATH "/org/confd/HA"
#define BUS_INTERFACE "org.confd.HA"

/* Beside the CHANGED_ bits of the state. */
#define CHANGED_INHIBITORS (1U << 31)

struct bus;

/* What is done for a caller who may: as controller_order() and controller_status() say. */
struct bus_ops {
        void (*order)(const struct order_request *request, order_done_fn done, void *done_userdata, void *userdata);
        void (*status)(const struct caller *caller, controller_status_fn done, void *done_userdata, void *userdata);
        /* none, or why it is refused */
        struct failure (*reload)(const struct caller *caller, void *userdata);
        const struct config *(*config)(void *userdata);
        const char *(*targets)(void *userdata);
        const struct sync_record *(*last_in_sync)(void *userdata); /* as it is on disk */
};

/* Borrows state, callers, authorizer and journal. Requests are ended by those who were given them: free it after the authorizer and
 * whoever does the orders. -ENOMEM. */
_must_check_ int bus_new(struct bus **ret, sd_bus *sd, const struct state *state, struct callers *callers,
                         struct authorizer *authorizer, struct journal *journal, const struct bus_ops *ops, void *userdata);
struct bus *bus_free(struct bus *b);
DEFINE_CLEANUP(struct bus *, bus_free)

/* Shows the object on the bus. What sd-bus says. */
_must_check_ int bus_register(struct bus *b);

/* PropertiesChanged for a mask of CHANGED_ bits. */
void bus_emit_properties(struct bus *b, unsigned changed);

void bus_emit_signal(struct bus *b, const struct signal *g);
