/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the service: its properties, asked for at most once a second and kept current by its signals in between. */
#pragma once

#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "basic/util.h"
#include "view/picture.h"

enum {
        SOURCE_FRESH_MSEC = 1000,    /* an answer is good for so long, and not asked for again meanwhile */
        SOURCE_PATIENCE_MSEC = 2000, /* that the service has for an answer */
        SOURCE_RECONNECT_MSEC = 1000,
};

struct source;

/* Somebody who wants to know; the storage is his, and source_forget() takes him off. */
struct source_waiter {
        /* p is NULL if nothing is known, and `why` says so in words; both are valid during the call only. */
        void (*told)(struct source_waiter *waiter, const struct picture *p, const char *why);
        TAILQ_ENTRY(source_waiter) entry;
        bool waiting;
};

/* Never fails for want of a bus: it is tried again every second. -ENOMEM and what sd-event returns. */
_must_check_ int source_new(sd_event *event, struct source **ret);
struct source *source_free(struct source *s);
DEFINE_CLEANUP(struct source *, source_free)

/* Calls waiter->told(), at once or within SOURCE_PATIENCE_MSEC. */
void source_ask(struct source *s, struct source_waiter *waiter);
void source_forget(struct source *s, struct source_waiter *waiter);
