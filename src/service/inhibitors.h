/* SPDX-License-Identifier: Apache-2.0 */
/* Who inhibits the node's role orders: each holds a descriptor, and inhibits until the last copy of it is closed. */
#pragma once

#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "basic/util.h"

enum {
        INHIBITORS_MAX = 16,
        INHIBITOR_WHO_MAX = 127, /* bytes */
        INHIBITOR_WHY_MAX = 255,
};

struct inhibitor {
        TAILQ_ENTRY(inhibitor) all;
        struct inhibitors *inhibitors;
        char *who, *why;
        char *sender; /* the connection that asked for it: its own orders are not inhibited */
        uid_t uid;
        uint64_t since; /* µs since the epoch */
        int fd;
        sd_event_source *closed;
};

TAILQ_HEAD(inhibitor_list, inhibitor);

struct inhibitors;

/* Told before it goes; it is in the list no more. */
typedef void (*inhibitor_gone_fn)(void *userdata, const struct inhibitor *i);

_must_check_ int inhibitors_new(struct inhibitors **ret, sd_event *event, inhibitor_gone_fn gone, void *userdata);
struct inhibitors *inhibitors_free(struct inhibitors *i);
DEFINE_CLEANUP(struct inhibitors *, inhibitors_free)

/* Takes one in. *ret_fd is what its holder gets; it inhibits from now on, and until all copies of that are closed.
 * -EUSERS past INHIBITORS_MAX, -ENOMEM, -EMFILE and the like. */
_must_check_ int inhibitors_add(struct inhibitors *is, const char *who, const char *why, const char *sender, uid_t uid,
                                const struct inhibitor **ret, int *ret_fd);

/* Oldest first. */
const struct inhibitor_list *inhibitors_list(const struct inhibitors *is);

/* The first that inhibits an order of this connection; NULL if none does. */
const struct inhibitor *inhibitors_against(const struct inhibitors *is, const char *sender);
