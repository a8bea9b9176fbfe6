/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a service manager that confd-had talks to; it keeps which targets are active and records the calls:
 *
 *      StartUnit 'confd-ha-master.target' 'replace'
 */
#pragma once

#include <systemd/sd-bus.h>

#include "trace.h"

struct fixture;

struct systemd {
        struct fixture *f;
        sd_bus *bus;
        bool fails;              /* starts and stops fail */
        bool silent;             /* GetUnitByPID is never answered */
        bool stops_when_asked;   /* the master's target is stopped from outside while the next question is under way */
        bool master, slave;      /* which target is active */
        unsigned jobs;
        struct trace trace;
};

/* Until it is started there is no systemd on the bus. */
void systemd_start(struct fixture *f);
/* Starts or stops a target from outside, as its user would. */
void systemd_set(struct systemd *s, const char *unit, bool active);
void systemd_done(struct systemd *s);
