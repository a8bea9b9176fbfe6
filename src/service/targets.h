/* SPDX-License-Identifier: Apache-2.0 */
/* The role targets: what systemd is to start and stop as the role changes, and what has become of it. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/util.h"
#include "service/roles.h"

/* What could not be had is tried again for as long as it is wanted, after a delay that grows from the one to the other. */
#define TARGETS_RETRY_MIN_USEC (1 * UINT64_C(1000000))
#define TARGETS_RETRY_MAX_USEC (60 * UINT64_C(1000000))

struct targets;

/* What targets_describe() says is another. */
typedef void (*targets_changed_fn)(void *userdata);

_must_check_ int targets_new(struct targets **ret, sd_event *event, sd_bus *bus, targets_changed_fn changed, void *userdata);
struct targets *targets_free(struct targets *t);
DEFINE_CLEANUP(struct targets *, targets_free)

/* Targets= and GraceSec=. */
void targets_configure(struct targets *t, bool enabled, uint64_t grace);

/* To be called whenever the state or Synchronizing may have changed, and once at the start. */
void targets_update(struct targets *t, enum ha_state state, bool synchronizing);

/* Somebody has just said again what is wanted: looks whether it is so, and tries at once if not. */
void targets_again(struct targets *t);

/* The property Targets: off, reached, starting, stopping, or "failed: " and why. */
const char *targets_describe(const struct targets *t);
