/* SPDX-License-Identifier: Apache-2.0 */
/* What the reference node tells of its slaves beyond ConfD's status, where its data interface may be asked. */
#pragma once

#include "ctl/ctl.h"

struct slave_age {
        char *id;
        char *address;
        uint64_t tick_usec;   /* since its last tick */
        uint64_t oldest_usec; /* since the oldest transaction that it has not acknowledged was sent; 0 without one */
        uint64_t unsent;      /* bytes */
        uint64_t unacknowledged;
};

struct slave_ages {
        struct slave_age *slaves;
        size_t n;
};

/* Asks org.confd.HANode. Where there is none, or it may not be asked, there are simply none: ret is empty. */
void slave_ages_ask(struct ctl *c, struct slave_ages *ret);

/* The same in two steps, for whoever does not wait: the question on its way (`done` hears the answer, or an error), and what the answer
 * says. Negative errno. */
_must_check_ int slave_ages_send(sd_bus *bus, sd_bus_message_handler_t done, void *userdata);
_must_check_ int slave_ages_read(sd_bus_message *reply, struct slave_ages *ret);

void slave_ages_done(struct slave_ages *a);
#define _cleanup_slave_ages_ _cleanup_(slave_ages_done)

/* Those of one slave, NULL if they are not known. */
const struct slave_age *slave_ages_find(const struct slave_ages *a, const char *id);
