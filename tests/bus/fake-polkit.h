/* SPDX-License-Identifier: Apache-2.0 */
/* A polkit authority that answers as it is told and records what it was asked:
 *
 *      check ('system-bus-name' {'name': ':1.7'}) 'org.confd.HA.be-master' {'node_id': 'n1'} 0 'cookie'
 *      cancel 'cookie'
 */
#pragma once

#include <systemd/sd-bus.h>

#include "trace.h"

struct fixture;

enum polkit_answer {
        POLKIT_NO,
        POLKIT_YES,
        POLKIT_CHALLENGE, /* would have to authenticate; does, and may, when the caller allows to be asked */
        POLKIT_HOLD,      /* no answer before polkit_release() */
        POLKIT_ERROR,
        POLKIT_GARBAGE,   /* a reply of another type */
};

struct polkit {
        struct fixture *f;
        sd_bus *bus;
        enum polkit_answer answer;
        const char *denied; /* an action that is answered with no, whatever `answer` is */
        sd_bus_message *held[512];
        size_t n_held;
        struct trace trace;
};

/* Until it is started there is no authority on the bus. */
void polkit_start(struct fixture *f, enum polkit_answer answer);
void polkit_stop(struct polkit *p);
/* Answers what is held, oldest first. */
void polkit_release(struct polkit *p, enum polkit_answer answer);
void polkit_done(struct polkit *p);
