/* SPDX-License-Identifier: Apache-2.0 */
/* Following the service over its restarts: its properties, always current, and its signals. */
#pragma once

#include "ctl/ctl.h"
#include "view/picture.h"

enum watch_event {
        WATCH_PICTURE, /* properties were read, or have changed: `before` is what they were */
        WATCH_SIGNAL,  /* m is a signal of the interface */
        WATCH_GONE,    /* the service left the bus; the picture is empty */
        WATCH_BACK,    /* it came; WATCH_PICTURE follows once it has answered */
        WATCH_ABSENT   /* at the beginning: it is not there and could not be started; w->error says why */
};

struct watch;

/* Returns < 0 to fail, 0 to go on, > 0 to end. */
typedef int (*watch_fn)(struct watch *w, enum watch_event event, sd_bus_message *m);

struct watch {
        struct ctl *c;
        watch_fn callback;
        void *userdata;
        struct picture picture;
        struct {
                char *state;
                bool connected;
                bool known; /* whether there was a picture before */
        } before;
        char *owner;    /* unique name of the service, NULL while it is not there or not known yet */
        bool pictured;  /* its properties have been read since it came */
        bool absent;    /* WATCH_ABSENT was told */
        bool prints;    /* it is followed for what the callback prints: it ends, with -EPIPE, when nobody reads that */
        int verdict;    /* of the callback */
        sd_bus_error error;
        sd_bus_slot *question;
        sd_bus_slot *slots[3];
};

void watch_done(struct watch *w);
#define _cleanup_watch_ _cleanup_(watch_done)

/* Subscribes, asks for the properties (which starts the service, the first time only), and runs until the callback ends
 * it, the first answer has not come by `first_deadline`, or `deadline` has passed (both monotonic). A service that is not
 * there is waited for until then: `deadline` from WATCH_ABSENT on. Returns the callback's verdict, -ETIMEDOUT, or another
 * negative errno; w->error is set if the service could not be asked at the beginning. */
_must_check_ int watch_run(struct watch *w, uint64_t first_deadline, uint64_t deadline);

/* Says, at WATCH_ABSENT, that the service is waited for and why it is not there. */
void watch_notice_absent(const struct watch *w);
