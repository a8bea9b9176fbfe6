/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the worker. */
#include <stdio.h>
#include <sys/inotify.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "basic/bus-sender.h"
#include "basic/log.h"
#include "keepalived/probe.h"
#include "keepalived/view.h"
#include "keepalived/worker.h"

#define CALL_USEC (20 * USEC_PER_SEC) /* more than confd-had gives ConfD */
#define ASK_AGAIN_USEC (500 * USEC_PER_MSEC)

struct worker {
        sd_event *event;
        sd_bus *bus;
        struct settings settings;
        const char *directory;
        struct wishes wishes;
        struct picture picture;
        struct node_view view; /* the same, as the rules want it; not known while the service has not told */
        struct progress progress;
        enum step under_way; /* an order, until its reply */
        bool asking;
        struct probe *probe;
        sd_bus_slot *call, *question, *slots[3];
        sd_event_source *inotify, *timer, *plan;
        char *said; /* the last status line */
        char *owner; /* whose word counts for the service's: who has answered last, or has come since */
};

static void consider(struct worker *w) {
        (void) sd_event_source_set_enabled(w->plan, SD_EVENT_ONESHOT);
}

/* ---- notes and words ---- */

static void note_stale(struct worker *w, bool stale) {
        int r;

        if (w->wishes.stale == stale)
                return;
        w->wishes.stale = stale;
        r = wish_store_stale(w->directory, stale);
        if (r < 0)
                log_error("Cannot store in %s that the data here is %s: %s", w->directory, stale ? "stale" : "fresh",
                          strerror(-r));
}

static void say(struct worker *w) {
        static const char *const states[] = { "unknown", "none", "slave", "slave-relay", "master" };
        _cleanup_free_ char *line = NULL;

        if (asprintf(&line, "keepalived wishes %s; ConfD is %s%s", wish_to_string(w->wishes.role), states[w->view.state],
                     w->view.in_sync ? ", in sync" : w->view.synchronizing ? ", synchronizing" : "") < 0)
                line = NULL;
        if (!line || (w->said && streq(w->said, line)))
                return;
        (void) sd_notifyf(false, "STATUS=%s", line);
        log_info("%s", line);
        free(w->said);
        w->said = TAKE_PTR(line);
}

/* ---- orders ---- */

static uint64_t *again(struct worker *w, enum step step) {
        switch (step) {
        case STEP_TAKE_OVER:
                return &w->progress.take_over_again_usec;
        case STEP_BE_NONE:
                return &w->progress.none_again_usec;
        case STEP_SLAVE_DEAD:
                return &w->progress.dead_again_usec;
        default:
                return &w->progress.follow_again_usec;
        }
}

static void failed(struct worker *w, enum step step, const char *error, const char *message) {
        static const char *const words[] = {
                [STEP_NOTHING] = "nothing",       [STEP_TAKE_OVER] = "take over", [STEP_FOLLOW] = "follow the peer",
                [STEP_PROBE_PEER] = "find the peer", [STEP_BE_NONE] = "be none",     [STEP_SLAVE_DEAD] = "count the peer as dead",
        };
        uint64_t delay = plan_retry_usec(step, error);

        *again(w, step) = usec_add(now_monotonic(), delay);
        if (step == STEP_TAKE_OVER && error && streq(error, HA_ERROR_PREFIX "NotInSync"))
                note_stale(w, true);
        /* The refused connection of a peer that is not master yet comes five times a second. */
        log_message(delay < RETRY_USEC ? LOG_DEBUG : LOG_WARNING, "Cannot %s: %s", words[step], message ?: error ?: "?");
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        struct worker *w = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        enum step step = w->under_way;

        w->call = sd_bus_slot_unref(w->call);
        w->under_way = STEP_NOTHING;
        if (error)
                failed(w, step, error->name, error->message);
        else if (step == STEP_TAKE_OVER)
                log_notice("Took over: this node is master");
        else if (step == STEP_SLAVE_DEAD) {
                *again(w, step) = usec_add(now_monotonic(), RETRY_USEC);
                log_notice("%s sends no more advertisements: it counts as dead", w->settings.peer_id);
        }
        consider(w);
        return 1;
}

static int give_order(struct worker *w, enum step step) {
        const struct settings *s = &w->settings;

        switch (step) {
        case STEP_TAKE_OVER:
                log_notice("keepalived wishes this node to be master: taking over");
                return sd_bus_call_method_async(w->bus, &w->call, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, "TakeOver", on_reply, w,
                                                "ss", s->id, "");
        case STEP_FOLLOW:
                /* No sooner than that, whatever comes of it; its outcome may move it further. */
                w->progress.follow_again_usec = usec_add(now_monotonic(), RETRY_REFUSED_USEC);
                note_stale(w, true);
                return sd_bus_call_method_async(w->bus, &w->call, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, "BeSlave", on_reply, w,
                                                "sssb", s->id, s->peer_id, s->peer_address, /* wait= */ false);
        case STEP_BE_NONE:
                log_notice("keepalived wishes %s: this node gives up its role", wish_to_string(w->wishes.role));
                return sd_bus_call_method_async(w->bus, &w->call, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, "BeNone", on_reply, w, "");
        default:
                return sd_bus_call_method_async(w->bus, &w->call, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, "SlaveDead", on_reply, w,
                                                "s", s->peer_id);
        }
}

static int order(struct worker *w, enum step step) {
        int r = give_order(w, step);

        if (r < 0) {
                failed(w, step, NULL, strerror(-r));
                return 0;
        }
        w->under_way = step;
        return 0;
}

static void on_probed(bool listens, void *userdata) {
        struct worker *w = userdata;

        w->probe = probe_free(w->probe);
        /* The wish or the role may be another by now. */
        if (listens && (w->wishes.role == WISH_BACKUP || w->wishes.role == WISH_FAULT) && !w->view.synchronizing &&
            w->view.state != STATE_MASTER && w->under_way == STEP_NOTHING)
                (void) order(w, STEP_FOLLOW);
        else
                w->progress.follow_again_usec = usec_add(now_monotonic(), RETRY_REFUSED_USEC);
        consider(w);
}

static void look_for_peer(struct worker *w) {
        int r;

        if (w->probe)
                return;
        r = probe_start(&w->probe, w->event, w->settings.peer_address, (uint16_t) w->settings.peer_port, on_probed, w);
        if (r < 0)
                failed(w, STEP_PROBE_PEER, NULL, strerror(-r));
}

/* ---- what is next ---- */

static int on_plan(sd_event_source *source, void *userdata) {
        struct worker *w = userdata;
        struct plan plan;

        say(w);
        if (w->under_way != STEP_NOTHING)
                return 0;
        plan = plan_next(&w->wishes, &w->view, &w->progress);
        /* As long as the service has not told, the timer is for asking it again. */
        if (plan.step == STEP_NOTHING && !w->view.known)
                return 0;
        if (plan.step == STEP_NOTHING)
                return sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        if (plan.at_usec > now_monotonic()) {
                (void) sd_event_source_set_time(w->timer, plan.at_usec);
                return sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
        }
        if (plan.step == STEP_PROBE_PEER)
                look_for_peer(w);
        else
                (void) order(w, plan.step);
        /* A failure on the spot has set a time. */
        if (w->under_way == STEP_NOTHING && !w->probe)
                consider(w);
        return 0;
}

/* ---- what is heard ---- */

static void take_picture(struct worker *w, sd_bus_message *m) {
        int r = picture_read(&w->picture, m);

        w->view = view_of(&w->picture, &w->settings);
        if (r < 0)
                log_warning("The properties of %s make no sense: %s", HA_BUS_NAME, strerror(-r));
        if (w->view.in_sync)
                note_stale(w, false);
        consider(w);
}

static void ask(struct worker *w);

static void ask_again(struct worker *w) {
        (void) sd_event_source_set_time(w->timer, usec_add(now_monotonic(), ASK_AGAIN_USEC));
        (void) sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct worker *w = userdata;

        if (!w->view.known)
                ask(w);
        consider(w);
        return 0;
}

static int on_picture(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        struct worker *w = userdata;

        w->question = sd_bus_slot_unref(w->question);
        if (sd_bus_message_is_method_error(m, NULL)) {
                /* Not there, or not yet: its name will appear, but one that hangs is asked again. */
                if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY))
                        log_warning("%s has not answered for %d s; asking it again", HA_BUS_NAME, (int) (CALL_USEC / USEC_PER_SEC));
                else
                        log_debug("%s does not tell: %s", HA_BUS_NAME, sd_bus_message_get_error(m)->message);
                ask_again(w);
                return 1;
        }
        if (free_and_strdup(&w->owner, sd_bus_message_get_sender(m)) < 0) {
                ask_again(w);
                return 1;
        }
        take_picture(w, m);
        return 1;
}

static void ask(struct worker *w) {
        int r;

        if (w->question)
                return;
        r = sd_bus_call_method_async(w->bus, &w->question, HA_BUS_NAME, HA_OBJECT, "org.freedesktop.DBus.Properties", "GetAll",
                                     on_picture, w, "s", HA_INTERFACE);
        if (r < 0) {
                log_warning("Cannot ask %s: %s", HA_BUS_NAME, strerror(-r));
                ask_again(w);
        }
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        struct worker *w = userdata;
        const char *interface;

        if (w->view.known && bus_is_from(m, w->owner) && sd_bus_message_read_basic(m, 's', &interface) >= 0 &&
            streq(interface, HA_INTERFACE))
                take_picture(w, m);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        struct worker *w = userdata;
        const char *name, *before, *after;

        if (!bus_is_from_bus(m) || sd_bus_message_read(m, "sss", &name, &before, &after) < 0 || !streq(name, HA_BUS_NAME))
                return 0;
        (void) free_and_strdup(&w->owner, after);
        picture_done(&w->picture);
        w->view = (struct node_view) {};
        w->question = sd_bus_slot_unref(w->question);
        if (*after)
                ask(w);
        consider(w);
        return 0;
}

/* The outcome of a BeSlave, which is under way for longer than its call. */
static int on_result(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        struct worker *w = userdata;
        const char *error, *message;

        if (bus_is_from(m, w->owner) && sd_bus_message_read(m, "ss", &error, &message) >= 0 && *error) {
                failed(w, STEP_FOLLOW, error, message);
                consider(w);
        }
        return 0;
}

static void take_wishes(struct worker *w) {
        enum wish before = w->wishes.role;
        int r = wish_load(w->directory, &w->wishes);

        if (r < 0)
                log_error("Cannot read keepalived's wishes in %s: %s", w->directory, strerror(-r));
        if (before != w->wishes.role) {
                /* A new wish is worth a try at once. */
                w->progress = (struct progress) {};
                log_notice("keepalived wishes %s", wish_to_string(w->wishes.role));
        }
        consider(w);
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        take_wishes(userdata);
        return 0;
}

static int on_lost_bus(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        struct worker *w = userdata;

        log_error("The system bus is gone");
        return sd_event_exit(w->event, EXIT_FAILURE);
}

/* ---- making and unmaking ---- */

struct worker *worker_free(struct worker *w) {
        if (!w)
                return NULL;
        probe_free(w->probe);
        sd_bus_slot_unref(w->call);
        sd_bus_slot_unref(w->question);
        for (size_t i = 0; i < ELEMENTSOF(w->slots); i++)
                sd_bus_slot_unref(w->slots[i]);
        sd_event_source_disable_unref(w->inotify);
        sd_event_source_disable_unref(w->timer);
        sd_event_source_disable_unref(w->plan);
        sd_bus_unref(w->bus);
        sd_event_unref(w->event);
        picture_done(&w->picture);
        settings_done(&w->settings);
        free(w->said);
        free(w->owner);
        free(w);
        return NULL;
}

static int listen_to_service(struct worker *w) {
        int r;

        r = sd_bus_match_signal(w->bus, &w->slots[0], HA_BUS_NAME, HA_OBJECT, "org.freedesktop.DBus.Properties",
                                "PropertiesChanged", on_changed, w);
        if (r >= 0)
                r = sd_bus_match_signal(w->bus, &w->slots[1], HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, "BeSlaveResult", on_result, w);
        if (r >= 0)
                r = sd_bus_match_signal(w->bus, &w->slots[2], "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "NameOwnerChanged", on_owner, w);
        if (r >= 0)
                r = sd_bus_match_signal_async(w->bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                              "org.freedesktop.DBus.Local", "Disconnected", on_lost_bus, NULL, w);
        return r;
}

int worker_new(struct worker **ret, sd_event *event, sd_bus *bus, struct settings *settings, const char *directory) {
        _cleanup_(worker_freep) struct worker *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->event = sd_event_ref(event);
        w->bus = sd_bus_ref(bus);
        w->directory = directory;
        r = sd_bus_set_method_call_timeout(bus, CALL_USEC);
        if (r >= 0)
                r = sd_event_add_inotify(event, &w->inotify, directory, IN_MOVED_TO | IN_ONLYDIR, on_inotify, w);
        if (r >= 0)
                r = sd_event_add_time(event, &w->timer, CLOCK_MONOTONIC, 0, 0, on_timer, w);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &w->plan, on_plan, w);
        if (r >= 0)
                /* After all that came with the same turn has been heard. */
                r = sd_event_source_set_priority(w->plan, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = listen_to_service(w);
        if (r < 0)
                return r;
        w->settings = *settings;
        *settings = (struct settings) {};
        take_wishes(w);
        ask(w);
        *ret = TAKE_PTR(w);
        return 0;
}
