/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: one table from method to polkit action, and the asking of polkit, without waiting. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/util.h"
#include "service/bus-errors.h"

/* A person may have to type a password. */
#define AUTHORIZE_INTERACTIVE_USEC (300 * UINT64_C(1000000))

/* A user may have many connections, each of which may keep polkit's question open for minutes: so many of one user. */
enum { AUTHORIZE_PER_USER_MAX = 32 };

/* What rules may look at; NULL for what the method does not have. */
struct authorize_details {
        const char *node_id, *master_id, *master_address;
};

struct caller {
        bool known;
        uid_t uid;
        pid_t pid; /* 0 if the bus does not tell */
};

struct authorizer;
struct authorization;

/* The outcome, once, not before authorize() has returned: r is 0 for yes; -EACCES for no, with what to reply;
 * -ECONNRESET when the caller has gone, so that there is nobody to reply to. */
typedef void (*authorize_done_fn)(void *userdata, int r, const struct failure *failure, const struct caller *caller);

_must_check_ int authorizer_new(struct authorizer **ret, sd_bus *bus);
struct authorizer *authorizer_free(struct authorizer *a);
DEFINE_CLEANUP(struct authorizer *, authorizer_free)

/* The polkit action of a method of org.confd.HA; NULL if it has none, which means that nobody may. */
const char *authorize_action(const char *method);

/* Asks whether the sender of the message may call its member, and polkit with these details if it is not uid 0 or our
 * own. deadline: µs for each answer but a person's. -ENOMEM and what sd-bus says: then `done` is not called, and the answer
 * is no. */
_must_check_ int authorize(struct authorizer *a, sd_bus_message *m, const struct authorize_details *details,
                           uint64_t deadline, authorize_done_fn done, void *userdata);

/* How many are being authorized, of this sender and in all. */
void authorizer_count(const struct authorizer *a, const char *sender, size_t *ret_of_sender, size_t *ret_all);
