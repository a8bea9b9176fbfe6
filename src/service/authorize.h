/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: one table from method to polkit action, and the asking of polkit, without waiting. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/util.h"
#include "service/bus-errors.h"
#include "service/callers.h"

/* A person may have to type a password. */
#define AUTHORIZE_INTERACTIVE_USEC (300 * UINT64_C(1000000))

/* A bus that limits what one connection may leave unanswered to 128 calls, as dbus-daemon does, has to have room for our calls
 * to systemd beside the questions to polkit, which may stay open for minutes. What is not asked yet waits for its turn. */
enum {
        AUTHORIZE_OPEN_MAX = 96,
        AUTHORIZE_OPEN_NEWCOMER_MAX = 112, /* for a user who has no question open */
        AUTHORIZE_OPEN_PER_USER_MAX = 32,
};

/* What rules may look at; NULL for what the method does not have. */
struct authorize_details {
        const char *node_id, *master_id, *master_address;
};

struct authorizer;
struct authorization;

/* The outcome, once, not before authorize() has returned: r is 0 for yes; -EACCES for no, with what to reply;
 * -ECONNRESET when the caller has gone, so that there is nobody to reply to. */
typedef void (*authorize_done_fn)(void *userdata, int r, const struct failure *failure);

_must_check_ int authorizer_new(struct authorizer **ret, sd_bus *bus);
struct authorizer *authorizer_free(struct authorizer *a);
DEFINE_CLEANUP(struct authorizer *, authorizer_free)

/* What a role order needs besides while others inhibit them. */
#define AUTHORIZE_IGNORE_INHIBITORS "org.confd.HA.ignore-inhibitors"

/* The polkit action of a method of org.confd.HA; NULL if it has none, which means that nobody may. */
const char *authorize_action(const char *method);

/* Asks whether the sender of the message, who is this caller, may do the action, with these details. 1: yes, without a
 * question; 0: asked, `done` will be called. deadline: µs for each answer but a person's. -ENOMEM and what sd-bus says: the
 * answer is no. */
_must_check_ int authorize(struct authorizer *a, sd_bus_message *m, const char *action, const struct authorize_details *details,
                           const struct caller *caller, uint64_t deadline, authorize_done_fn done, void *userdata);
