/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the subscribers on the IPC port. */
#include "node/ipc/internal.h"

static bool is_waited_for(const struct connection *c) {
        return !c->broken && c->stage == STAGE_SUBSCRIBER && c->unacknowledged > 0 && !c->late;
}

static bool somebody_is_waited_for(const struct ipc_server *s) {
        struct connection *c;

        TAILQ_FOREACH(c, &s->connections, connections)
                if (is_waited_for(c))
                        return true;
        return false;
}

static void end_sync(struct ipc_server *s) {
        s->syncing = false;
        (void) sd_event_source_set_enabled(s->sync_timer, SD_EVENT_OFF);
        s->callbacks->synced(s->userdata);
}

void ipc_check_synced(struct ipc_server *s) {
        if (s->syncing && !somebody_is_waited_for(s))
                end_sync(s);
}

int ipc_on_sync_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct ipc_server *s = userdata;
        struct connection *c;

        TAILQ_FOREACH(c, &s->connections, connections)
                if (is_waited_for(c)) {
                        complain(c, "IPC: subscriber %s has not acknowledged an HA event within %d s, going on without it",
                                 c->peer, (int) IPC_SYNC_SEC);
                        c->late = true;
                }
        if (s->syncing)
                end_sync(s);
        return 0;
}

bool ipc_server_event(struct ipc_server *s, const struct role_event *event) {
        struct connection *c;

        /* What is dropped meanwhile stays in the list until the sweep. */
        TAILQ_FOREACH(c, &s->connections, connections) {
                if (c->stage != STAGE_SUBSCRIBER || !(c->subscription.mask & CONFD_NOTIF_HA_INFO))
                        continue;
                if (c->subscription.mask & CONFD_NOTIF_HA_INFO_SYNC)
                        c->unacknowledged++;
                ipc_appended(c, ipc_put_event(&c->out, event));
        }
        if (!somebody_is_waited_for(s))
                return false;
        if (sd_event_source_set_time_relative(s->sync_timer, IPC_SYNC_SEC * USEC_PER_SEC) < 0 ||
            sd_event_source_set_enabled(s->sync_timer, SD_EVENT_ONESHOT) < 0)
                return false; /* without a clock nobody can be waited for */
        s->syncing = true;
        return true;
}

void ipc_take_sync(struct connection *c, const uint8_t *body, size_t size) {
        if (ipc_read_sync(body, size) < 0) {
                complain(c, "IPC: subscriber %s sent something else than an acknowledgement, closing the connection", c->peer);
                ipc_drop(c);
                return;
        }
        if (c->unacknowledged > 0 && --c->unacknowledged == 0) {
                c->late = false;
                ipc_check_synced(c->server);
        }
}

static int on_periodic(sd_event_source *source, uint64_t usec, void *userdata) {
        struct connection *c = userdata;
        bool is_heartbeat = source == c->heartbeat;
        uint64_t interval = is_heartbeat ? c->subscription.heartbeat_usec : c->subscription.health_check_usec;

        if (sd_event_source_set_time_relative(source, interval) < 0 ||
            sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) < 0) {
                ipc_drop(c);
                return 0;
        }
        ipc_appended(c, ipc_put_notification(&c->out, is_heartbeat ? CONFD_NOTIF_HEARTBEAT : CONFD_NOTIF_HEALTH_CHECK));
        return 0;
}

static int start_periodic(struct connection *c, uint64_t interval, sd_event_source **source) {
        if (interval == 0)
                return 0;
        return sd_event_add_time_relative(c->server->event, source, CLOCK_MONOTONIC, interval, 1000, on_periodic, c);
}

void ipc_subscribe(struct connection *c, const uint8_t *body, size_t size) {
        struct ipc_server *s = c->server;
        int r;

        r = ipc_read_subscription(body, size, &c->subscription);
        if (r < 0) {
                complain(c, "IPC: %s sent something that is no subscription, closing the connection", c->peer);
                if (r == -EPROTO && ipc_put_error(&c->out, CONFD_ERR_PROTOUSAGE, "not a subscription") < 0)
                        log_debug("IPC: %s: cannot answer", c->peer);
                ipc_close_politely(c);
                return;
        }
        if (s->n_subscribers >= IPC_SUBSCRIBERS_MAX) {
                complain(c, "IPC: too many subscribers, %s is refused", c->peer);
                if (ipc_put_error(&c->out, CONFD_ERR_TOO_MANY_SESSIONS, "too many subscribers") < 0)
                        log_debug("IPC: %s: cannot answer", c->peer);
                ipc_close_politely(c);
                return;
        }
        if (start_periodic(c, c->subscription.heartbeat_usec, &c->heartbeat) < 0 ||
            start_periodic(c, c->subscription.health_check_usec, &c->health_check) < 0) {
                ipc_drop(c);
                return;
        }
        s->n_strangers--;
        s->n_subscribers++;
        c->stage = STAGE_SUBSCRIBER;
        c->out.limit = IPC_SUBSCRIBER_QUEUE_MAX;
        c->deadline = sd_event_source_disable_unref(c->deadline);
        ipc_appended(c, ipc_put_ok(&c->out));
}
