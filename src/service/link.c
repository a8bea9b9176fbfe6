/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the connections to ConfD: attempts, delays, and the telling apart of a restart from a take-over.
 *
 * The HA connection comes first, the event connection once it is up: without it there is nothing to be told about. What
 * happens in between is seen by comparing statuses. ConfD has one controller, and a new one makes it close the HA
 * connection of the old one but not its event connection; that is the only sign. If ConfD itself ends, both end, though
 * not at the same moment: hence the verdict after LINK_VERDICT_USEC.
 *
 * No handler is called while a socket of ours is being made, and attempts start from timers only, so that descriptors
 * never change hands within a callback of the client. */
#include <poll.h>
#include <sys/random.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "service/client-source.h"
#include "service/link.h"

enum phase { PHASE_OFF, PHASE_WAITING, PHASE_CONNECTING, PHASE_UP, PHASE_VERDICT };

struct link {
        sd_event *event;
        const struct link_handlers *handlers;
        void *userdata;
        const struct config *config;

        struct client_source ha, events;
        enum phase phase, events_phase;
        sd_event_source *timer;        /* WAITING: the next attempt; VERDICT: the verdict */
        sd_event_source *events_timer; /* WAITING: the next attempt; UP: the health check */
        sd_event_source *ready_timer;

        uint64_t delay, events_delay;
        uint64_t attempts, attempt_ended;
        uint64_t not_before; /* after displacements */
        uint64_t displaced_at;
        uint64_t well_at; /* when ConfD was last heard on the event connection */
        bool started;
        bool ready;
        bool kicked;  /* somebody waits for the verdict to try */
        bool closing; /* it is us who close */
        struct failure cause;
};

/* ---- time ---- */

static void set_timer(sd_event_source *s, uint64_t when) {
        (void) sd_event_source_set_time(s, when);
        (void) sd_event_source_set_enabled(s, when == USEC_INFINITY ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* Between half of the delay and all of it, so that many services do not knock at the same time. */
static uint64_t jitter(uint64_t delay) {
        uint64_t least = delay / 2;
        uint32_t random = 0;

        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
                random = (uint32_t) now_monotonic();
        return least + (uint64_t) ((double) (delay - least) * random / UINT32_MAX);
}

static uint64_t next_delay(const struct link *l, uint64_t *delay) {
        uint64_t d = MAX(*delay, l->config->reconnect_min);

        *delay = MIN(d * 2, l->config->reconnect_max);
        return jitter(MIN(d, l->config->reconnect_max));
}

static void wait_for_attempt(struct link *l) {
        uint64_t when = usec_add(now_monotonic(), next_delay(l, &l->delay));

        l->phase = PHASE_WAITING;
        set_timer(l->timer, MAX(when, l->not_before));
}

void link_is_well(struct link *l) {
        if (now_monotonic() - l->displaced_at >= LINK_DISPLACED_AGAIN_USEC || l->displaced_at == 0)
                l->delay = l->config->reconnect_min;
}

/* ---- the event connection ---- */

static void set_ready(struct link *l) {
        if (l->ready || l->phase != PHASE_UP)
                return;
        l->ready = true;
        set_timer(l->ready_timer, USEC_INFINITY);
        l->handlers->ready(l->userdata);
}

static void wait_for_events(struct link *l) {
        l->events_phase = PHASE_WAITING;
        set_timer(l->events_timer, l->phase == PHASE_UP ? usec_add(now_monotonic(), next_delay(l, &l->events_delay))
                                                        : USEC_INFINITY);
}

static uint64_t health_deadline(const struct link *l) {
        return l->well_at + LINK_HEALTH_CHECK_MISSED * (LINK_HEALTH_CHECK_MSEC * USEC_PER_MSEC) + LINK_HEALTH_CHECK_SLACK_USEC;
}

static void on_event(confd_ha_client *c, const struct confd_ha_event *event, void *userdata) {
        struct link *l = userdata;

        l->well_at = now_monotonic();
        l->handlers->event(l->userdata, event);
}

static void on_notification(confd_ha_client *c, uint64_t bit, void *userdata) {
        struct link *l = userdata;

        l->well_at = now_monotonic();
}

static void on_events_connected(confd_ha_client *c, const struct confd_ha_result *result, void *userdata) {
        struct link *l = userdata;

        if (l->closing)
                return;
        if (result->error != 0) {
                _cleanup_failure_ struct failure why = failure_from_connection("event", l->config->address_name, result);

                wait_for_events(l);
                l->handlers->events_down(l->userdata, &why, /* was_up= */ false);
        } else {
                l->events_phase = PHASE_UP;
                l->events_delay = l->config->reconnect_min;
                l->well_at = now_monotonic();
                set_timer(l->events_timer, health_deadline(l));
                l->handlers->events_up(l->userdata);
        }
        set_ready(l);
}

static void on_events_closed(confd_ha_client *c, const struct confd_ha_result *result, void *userdata) {
        struct link *l = userdata;
        _cleanup_failure_ struct failure why = FAILURE_NONE;

        if (l->closing)
                return;
        why = failure_from_connection("event", l->config->address_name, result);
        wait_for_events(l);
        l->handlers->events_down(l->userdata, &why, /* was_up= */ true);
}

static void start_events(struct link *l) {
        struct confd_ha_result result = { .message = "" };
        int r;

        l->events_phase = PHASE_CONNECTING;
        r = confd_ha_client_connect(l->events.client, &l->config->address.sa, l->config->address.length,
                                    l->config->request_timeout, on_events_connected, l);
        if (r < 0) {
                result.error = r;
                on_events_connected(l->events.client, &result, l);
        }
        client_source_update(&l->events);
}

static int on_events_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        struct link *l = userdata;

        if (l->events_phase == PHASE_WAITING && l->phase == PHASE_UP)
                start_events(l);
        else if (l->events_phase == PHASE_UP) {
                client_source_drain(&l->events);
                if (l->events_phase != PHASE_UP)
                        return 0;
                if (now_monotonic() < health_deadline(l))
                        set_timer(l->events_timer, health_deadline(l));
                else
                        link_give_up(l, failure_make(FAILURE_TIMEOUT, "ConfD at %s has not sent %d health checks in a row; look "
                                                     "whether it hangs", l->config->address_name,
                                                     LINK_HEALTH_CHECK_MISSED), LINK_ENDED);
        }
        return 0;
}

/* ---- the HA connection ---- */

static void set_cause(struct link *l, struct failure why) {
        failure_done(&l->cause);
        l->cause = why;
}

static void on_connected(confd_ha_client *c, const struct confd_ha_result *result, void *userdata) {
        struct link *l = userdata;

        if (l->closing)
                return;
        l->attempt_ended = now_monotonic();
        if (result->error != 0) {
                set_cause(l, failure_from_connection("HA", l->config->address_name, result));
                wait_for_attempt(l);
                l->handlers->failed(l->userdata, &l->cause);
                return;
        }
        l->phase = PHASE_UP;
        failure_done(&l->cause);
        if (l->events_phase == PHASE_UP)
                l->ready = true;
        else {
                set_timer(l->ready_timer, l->attempt_ended + LINK_EVENTS_WAIT_USEC);
                l->events_phase = PHASE_WAITING;
                set_timer(l->events_timer, l->attempt_ended);
        }
        l->handlers->up(l->userdata);
        if (l->ready)
                l->handlers->ready(l->userdata);
}

static void on_closed(confd_ha_client *c, const struct confd_ha_result *result, void *userdata) {
        struct link *l = userdata;
        bool undecided;

        if (l->closing)
                return;
        l->phase = PHASE_VERDICT; /* nothing can be sent any more */
        link_drain_events(l);
        set_cause(l, failure_from_connection("HA", l->config->address_name, result));
        l->ready = false;
        set_timer(l->ready_timer, USEC_INFINITY);
        /* A peer that speaks nonsense has not been taken over. */
        undecided = l->events_phase == PHASE_UP && result->error == -ECONNRESET;
        if (undecided) {
                l->phase = PHASE_VERDICT;
                l->kicked = false;
                set_timer(l->timer, now_monotonic() + LINK_VERDICT_USEC);
        } else
                wait_for_attempt(l);
        l->handlers->down(l->userdata, &l->cause, undecided ? LINK_UNDECIDED : LINK_ENDED);
}

static void pass_verdict(struct link *l) {
        uint64_t now = now_monotonic();

        client_source_drain(&l->events);
        if (l->events_phase == PHASE_UP) {
                if (l->displaced_at > 0 && now - l->displaced_at < LINK_DISPLACED_AGAIN_USEC)
                        l->not_before = usec_add(now, l->config->reconnect_max);
                l->displaced_at = now;
                set_cause(l, failure_make(FAILURE_DISPLACED, "another client has taken over as ConfD's HA controller at %s; ConfD "
                                          "obeys whoever connected last: look for another HA framework, or for a second "
                                          "confd-had with the same Address=", l->config->address_name));
        }
        wait_for_attempt(l);
        if (l->kicked)
                (void) link_kick(l);
        l->handlers->decided(l->userdata, &l->cause);
}

static void start_attempt(struct link *l) {
        struct confd_ha_result result = { .message = "" };
        int r;

        l->phase = PHASE_CONNECTING;
        l->attempts++;
        r = confd_ha_client_connect(l->ha.client, &l->config->address.sa, l->config->address.length,
                                    l->config->request_timeout, on_connected, l);
        if (r < 0) {
                result.error = r;
                on_connected(l->ha.client, &result, l);
        }
        client_source_update(&l->ha);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        struct link *l = userdata;

        if (l->phase == PHASE_WAITING)
                start_attempt(l);
        else if (l->phase == PHASE_VERDICT)
                pass_verdict(l);
        return 0;
}

static int on_ready_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        set_ready(userdata);
        return 0;
}

int link_kick(struct link *l) {
        uint64_t now = now_monotonic(), when = 0;

        switch (l->phase) {
        case PHASE_OFF:
                return -ENOTCONN;
        case PHASE_VERDICT:
                l->kicked = true;
                return 0;
        case PHASE_WAITING:
                if (!l->started)
                        return 0;
                if (sd_event_source_get_time(l->timer, &when) < 0)
                        return -ENOTCONN;
                now = MAX(now, l->attempt_ended + LINK_KICK_USEC);
                now = MAX(now, l->not_before);
                set_timer(l->timer, MIN(when, now));
                return 0;
        case PHASE_CONNECTING:
        case PHASE_UP:
                return 0;
        }
        return 0;
}

uint64_t link_attempts(const struct link *l) {
        return l->attempts;
}

const struct failure *link_cause(const struct link *l) {
        return &l->cause;
}

confd_ha_client *link_client(struct link *l) {
        return l->phase == PHASE_UP ? l->ha.client : NULL;
}

void link_touch(struct link *l) {
        client_source_update(&l->ha);
}

bool link_events_up(const struct link *l) {
        return l->events_phase == PHASE_UP;
}

bool link_is_ready(const struct link *l) {
        return l->phase == PHASE_UP && l->ready;
}

bool link_is_polling(const struct link *l) {
        return link_is_ready(l) && l->events_phase != PHASE_UP;
}

void link_drain_events(struct link *l) {
        client_source_drain(&l->events);
}

void link_drain(struct link *l) {
        link_drain_events(l);
        client_source_drain(&l->ha);
}

static void close_both(struct link *l) {
        l->closing = true;
        confd_ha_client_close(l->ha.client);
        confd_ha_client_close(l->events.client);
        l->closing = false;
        client_source_update(&l->ha);
        client_source_update(&l->events);
        l->ready = false;
        set_timer(l->ready_timer, USEC_INFINITY);
        set_timer(l->events_timer, USEC_INFINITY);
}

void link_give_up(struct link *l, struct failure why, enum link_end end) {
        bool events_were_up = l->events_phase == PHASE_UP;

        set_cause(l, why);
        close_both(l);
        l->events_phase = PHASE_OFF;
        wait_for_attempt(l);
        if (events_were_up)
                l->handlers->events_down(l->userdata, &l->cause, /* was_up= */ true);
        l->handlers->down(l->userdata, &l->cause, end);
}

/* ---- a link ---- */

static void release_clients(struct link *l) {
        l->closing = true;
        client_source_done(&l->ha);
        client_source_done(&l->events);
        l->closing = false;
}

static int make_clients(struct link *l) {
        const struct confd_notifications_data data = { .health_check_interval = LINK_HEALTH_CHECK_MSEC };
        const struct config *c = l->config;
        confd_ha_client *ha = NULL, *events = NULL;
        int r;

        r = confd_ha_client_new(&ha, c->token.data, c->token.size);
        if (r < 0)
                return r;
        r = client_source_init(&l->ha, l->event, ha);
        if (r < 0)
                return r;
        confd_ha_client_set_closed_callback(ha, on_closed, l);

        r = confd_ha_client_new_events(&events, CONFD_NOTIF_HA_INFO | CONFD_NOTIF_HEALTH_CHECK, &data, on_event,
                                       on_notification, l);
        if (r < 0)
                return r;
        r = client_source_init(&l->events, l->event, events);
        if (r < 0)
                return r;
        confd_ha_client_set_closed_callback(events, on_events_closed, l);
        if (c->has_access) {
                r = confd_ha_client_set_access_secret(ha, c->access.data, c->access.size);
                if (r >= 0)
                        r = confd_ha_client_set_access_secret(events, c->access.data, c->access.size);
        }
        return r;
}

int link_configure(struct link *l, const struct config *config, bool reconnect) {
        int r;

        l->config = config;
        if (!reconnect)
                return 0;
        if (l->ha.client)
                close_both(l);
        release_clients(l);
        l->phase = l->events_phase = PHASE_OFF;
        l->delay = l->events_delay = config->reconnect_min;
        l->not_before = l->displaced_at = l->attempt_ended = 0;
        set_timer(l->timer, USEC_INFINITY);
        set_cause(l, failure_copy(&config->problem));
        if (failure_is_set(&config->problem))
                return 0;
        r = make_clients(l);
        if (r < 0) {
                release_clients(l);
                return r;
        }
        l->phase = PHASE_WAITING;
        if (l->started)
                set_timer(l->timer, now_monotonic());
        return 0;
}

void link_start(struct link *l) {
        l->started = true;
        if (l->phase == PHASE_WAITING)
                set_timer(l->timer, now_monotonic());
}

int link_new(struct link **ret, sd_event *event, const struct link_handlers *handlers, void *userdata) {
        _cleanup_(link_freep) struct link *l = calloc(1, sizeof(*l));
        int r;

        if (!l)
                return -ENOMEM;
        l->event = sd_event_ref(event);
        l->handlers = handlers;
        l->userdata = userdata;
        r = sd_event_add_time(event, &l->timer, CLOCK_MONOTONIC, UINT64_MAX, 10 * USEC_PER_MSEC, on_timer, l);
        if (r >= 0)
                r = sd_event_add_time(event, &l->events_timer, CLOCK_MONOTONIC, UINT64_MAX, 10 * USEC_PER_MSEC,
                                      on_events_timer, l);
        if (r >= 0)
                r = sd_event_add_time(event, &l->ready_timer, CLOCK_MONOTONIC, UINT64_MAX, 10 * USEC_PER_MSEC,
                                      on_ready_timer, l);
        if (r < 0)
                return r;
        set_timer(l->timer, USEC_INFINITY);
        set_timer(l->events_timer, USEC_INFINITY);
        set_timer(l->ready_timer, USEC_INFINITY);
        *ret = TAKE_PTR(l);
        return 0;
}

struct link *link_free(struct link *l) {
        if (!l)
                return NULL;
        release_clients(l);
        sd_event_source_disable_unref(l->timer);
        sd_event_source_disable_unref(l->events_timer);
        sd_event_source_disable_unref(l->ready_timer);
        failure_done(&l->cause);
        sd_event_unref(l->event);
        free(l);
        return NULL;
}
