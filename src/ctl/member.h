/* SPDX-License-Identifier: Apache-2.0 */
/* One host of a cluster: its bus, asked and followed without waiting for it. */
#pragma once

#include <systemd/sd-event.h>

#include "ctl/ctl.h"
#include "view/picture.h"

enum member_state {
        MEMBER_ASKING, /* connecting, or waiting for the first answer */
        MEMBER_KNOWN,  /* the picture is what the service said last */
        MEMBER_FAILED  /* `failure` says why */
};

struct member;
typedef void (*member_fn)(struct member *m, void *userdata);

struct member {
        struct ctl *c;
        char *host; /* as given; NULL for the bus that the options name */
        enum member_state state;
        bool answered; /* ConfD has answered the question, or failed to */
        struct picture picture;
        char *failure_name, *failure;
        sd_bus *bus; /* NULL without a connection */
        /* private */
        sd_event *event;
        uint64_t timeout;
        char *owner;
        int words_fd; /* what ssh says */
        sd_bus_slot *slots[8];
        size_t n_slots;
        sd_event_source *deadline, *again;
        uint64_t delay;
        bool follow;
        member_fn changed;
        void *userdata;
};

/* Begins to ask, within `timeout`; with `follow` goes on, over restarts and lost connections. `changed` is called whenever
 * there is something new to see. -ENOMEM or another negative errno. */
_must_check_ int member_new(struct member **ret, struct ctl *c, const char *host, sd_event *event, uint64_t timeout, bool follow,
                            member_fn changed, void *userdata);
struct member *member_free(struct member *m);

/* Whether nothing more is to come but by itself. */
bool member_is_done(const struct member *m);

/* The name for people: the host, or the node's. */
const char *member_name(const struct member *m);
