/* SPDX-License-Identifier: Apache-2.0 */
/* Whether somebody listens at the peer's HA port: ConfD does while it is master, and only then. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/util.h"

struct probe;

typedef void (*probe_fn)(bool listens, void *userdata);

/* Connects, and closes at once what it gets; no later than PROBE_USEC `told` is called from the loop, once. */
_must_check_ int probe_start(struct probe **ret, sd_event *event, const char *address, uint16_t port, probe_fn told,
                             void *userdata);
struct probe *probe_free(struct probe *p);
DEFINE_CLEANUP(struct probe *, probe_free)

#define PROBE_USEC UINT64_C(1000000)
