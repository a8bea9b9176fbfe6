/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the system bus, here or elsewhere, and calls on the service. */
#pragma once

#include "ctl/ctl.h"

/* Begins to connect to the bus of -H, of -M, of --address, else the system bus. A negative errno. */
_must_check_ int bus_open(const struct ctl *c, sd_bus **ret);

/* Opens c->bus: the bus of -H, of -M, of --address, else the system bus; waits until it is ready, at most until
 * c->deadline. On failure says so on standard error. */
_must_check_ enum ctl_exit bus_connect(struct ctl *c);

/* Flushes and closes, takes a connection that never came up too. */
void bus_disconnect(struct ctl *c);

/* Time left until c->deadline: for sd_bus_call() (never 0, which would mean its default) and for sd_bus_wait(). */
uint64_t bus_time_left(const struct ctl *c);

/* Asks for all properties of the service. With `activate` the service is started if it does not run.
 * Returns 0 and the reply, or a negative errno with *error set. */
_must_check_ int bus_get_properties(struct ctl *c, bool activate, sd_bus_message **ret, sd_bus_error *error);

/* The "where" of messages: "on HOST", "in container M", or "". Static or owned by `c`'s options; see the format. */
const char *bus_place(const struct ctl *c, char *buf, size_t size);
