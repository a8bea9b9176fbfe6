/* SPDX-License-Identifier: Apache-2.0 */
/* Works towards keepalived's last wish and keeps it: follows the wishes' files and confd-had, gives one order at a time. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "keepalived/settings.h"

struct worker;

/* Settings are taken over on success. `directory` stays the caller's. Starts by itself as the loop runs; the loop ends with
 * an error if the bus is lost. */
_must_check_ int worker_new(struct worker **ret, sd_event *event, sd_bus *bus, struct settings *settings,
                            const char *directory);
struct worker *worker_free(struct worker *w);
DEFINE_CLEANUP(struct worker *, worker_free)
