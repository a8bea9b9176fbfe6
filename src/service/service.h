/* SPDX-License-Identifier: Apache-2.0 */
/* The service as a whole: it holds the parts, and tells everybody who listens what has changed. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/util.h"
#include "service/config.h"

struct service;

/* Takes the configuration over. The bus has to be attached to the event loop. */
_must_check_ int service_new(struct service **ret, sd_event *event, sd_bus *bus, const char *config_file,
                             struct config *config);
struct service *service_free(struct service *s);
DEFINE_CLEANUP(struct service *, service_free)

/* Registers the objects, asks for the name, starts to connect. READY follows when the name is ours. */
_must_check_ int service_start(struct service *s);

/* Reads the configuration again. An error leaves the old one, and is logged. */
void service_reload(struct service *s);

/* Ends what waits, with words, and says so to systemd. */
void service_stop(struct service *s);
