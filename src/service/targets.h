/* SPDX-License-Identifier: Apache-2.0 */
/* The role targets: what systemd is to start and stop as the role changes. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/util.h"
#include "service/state.h"

#define TARGET_MASTER "confd-ha-master.target"
#define TARGET_SLAVE "confd-ha-slave.target"

struct targets;

_must_check_ int targets_new(struct targets **ret, sd_event *event, sd_bus *bus);
struct targets *targets_free(struct targets *t);
DEFINE_CLEANUP(struct targets *, targets_free)

/* Targets= and GraceSec=. */
void targets_configure(struct targets *t, bool enabled, uint64_t grace);

/* To be called whenever the state or Synchronizing may have changed, and once at the start. */
void targets_update(struct targets *t, enum ha_state state, bool synchronizing);
