/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the event sources of a client. */
#include <poll.h>
#include <sys/epoll.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "service/client-source.h"

enum { DRAIN_MAX = 64 };

static void step(struct client_source *s) {
        (void) confd_ha_client_process(s->client);
        client_source_update(s);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct client_source *s = userdata;

        step(s);
        return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        struct client_source *s = userdata;

        s->deadline = USEC_INFINITY; /* it has fired, and is off */
        client_source_drain(s);
        step(s);
        return 0;
}

int client_source_init(struct client_source *s, sd_event *event, confd_ha_client *client) {
        *s = (struct client_source) { .event = sd_event_ref(event), .client = client, .fd = -EBADF, .deadline = USEC_INFINITY };
        return sd_event_add_time(event, &s->timer, CLOCK_MONOTONIC, UINT64_MAX, 10 * USEC_PER_MSEC, on_time, s);
}

void client_source_done(struct client_source *s) {
        s->io = sd_event_source_disable_unref(s->io);
        s->timer = sd_event_source_disable_unref(s->timer);
        s->client = confd_ha_client_free(s->client);
        s->event = sd_event_unref(s->event);
}

static uint32_t to_epoll(int events) {
        return (events & POLLIN ? (uint32_t) EPOLLIN : 0) | (events & POLLOUT ? (uint32_t) EPOLLOUT : 0);
}

void client_source_update(struct client_source *s) {
        int fd, r = 0;
        uint64_t deadline;

        if (!s->client)
                return;
        fd = confd_ha_client_get_fd(s->client);
        deadline = confd_ha_client_get_deadline(s->client);

        /* Until it is READY the client may replace its socket by one of the same number, of which epoll knows nothing. */
        if (s->io && (fd < 0 || fd != s->fd || !confd_ha_client_is_ready(s->client)))
                s->io = sd_event_source_disable_unref(s->io);
        if (fd >= 0) {
                uint32_t events = to_epoll(confd_ha_client_get_events(s->client));

                if (!s->io)
                        r = sd_event_add_io(s->event, &s->io, fd, events, on_io, s);
                else
                        r = sd_event_source_set_io_events(s->io, events);
                s->fd = fd;
        }
        if (r >= 0 && deadline != s->deadline) {
                s->deadline = deadline;
                r = sd_event_source_set_time(s->timer, deadline);
                if (r >= 0)
                        r = sd_event_source_set_enabled(s->timer, deadline == CONFD_HA_CLIENT_NO_DEADLINE ? SD_EVENT_OFF
                                                                                                          : SD_EVENT_ONESHOT);
        }
        if (r < 0) {
                log_error("Cannot watch the connection to ConfD: %s", strerror(-r));
                confd_ha_client_close(s->client);
                s->io = sd_event_source_disable_unref(s->io);
        }
}

void client_source_drain(struct client_source *s) {
        for (unsigned i = 0; s->client && i < DRAIN_MAX; i++) {
                struct pollfd p = {
                        .fd = confd_ha_client_get_fd(s->client),
                        .events = (short) confd_ha_client_get_events(s->client),
                };

                if (p.fd < 0 || poll(&p, 1, 0) <= 0)
                        return;
                step(s);
        }
}
