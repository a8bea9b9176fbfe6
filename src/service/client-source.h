/* SPDX-License-Identifier: Apache-2.0 */
/* A confd_ha_client on an sd-event loop: its descriptor and its deadline as event sources. */
#pragma once

#include <confd_ha_client.h>
#include <systemd/sd-event.h>

#include "basic/util.h"

struct client_source {
        sd_event *event;
        confd_ha_client *client;
        sd_event_source *io, *timer;
        int fd;
        uint64_t deadline; /* as the timer has it */
};

/* Takes the client over. -ENOMEM and what sd-event says. */
_must_check_ int client_source_init(struct client_source *s, sd_event *event, confd_ha_client *client);
void client_source_done(struct client_source *s);

/* To be called after every call of the client's functions: its wishes may have changed. */
void client_source_update(struct client_source *s);

/* Processes what has arrived already, a bounded amount, without waiting: before it is said that something did not come. */
void client_source_drain(struct client_source *s);
