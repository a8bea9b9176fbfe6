/* SPDX-License-Identifier: Apache-2.0 */
/* The role targets as systemd has them: starts, stops and watches them over D-Bus, without deciding anything. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/util.h"

enum target { TARGET_MASTER, TARGET_SLAVE, TARGETS };

/* Names of the units. */
extern const char *const target_names[TARGETS];

/* What ActiveState says, as far as it matters here. */
enum unit_state {
        UNIT_UNKNOWN,
        UNIT_DOWN,  /* inactive, failed */
        UNIT_COMING,
        UNIT_UP,    /* active, reloading */
        UNIT_GOING,
};

/* How a call ended: name NULL for success. */
struct unit_answer {
        const char *name, *message; /* of the error */
        bool absent;                /* there is no systemd on this bus */
};

struct target_units_handlers {
        /* The call under way has ended; a new one may be made. */
        void (*answered)(void *userdata, const struct unit_answer *answer);
        /* The unit's state, asked for or not. */
        void (*observed)(void *userdata, enum target target, enum unit_state state);
        /* The last job that was asked for has ended, with systemd's word for how. */
        void (*job_ended)(void *userdata, enum target target, const char *result);
        /* systemd has come, or come back, to the bus. */
        void (*returned)(void *userdata);
};

struct target_units;

_must_check_ int target_units_new(struct target_units **ret, sd_bus *bus, const struct target_units_handlers *handlers,
                                  void *userdata);
struct target_units *target_units_free(struct target_units *u);
DEFINE_CLEANUP(struct target_units *, target_units_free)

/* Watches both from now on; does nothing if it does already. What goes wrong is logged: jobs are done all the same. */
void target_units_watch(struct target_units *u);
void target_units_unwatch(struct target_units *u);

/* One call at a time; answered() is called later. What sd-bus says: it is not called then. */
bool target_units_busy(const struct target_units *u);
_must_check_ int target_units_start(struct target_units *u, enum target target);
_must_check_ int target_units_stop(struct target_units *u, enum target target);
/* Its ActiveState: observed() comes before answered(). */
_must_check_ int target_units_ask(struct target_units *u, enum target target);
