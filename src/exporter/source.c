/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the connection to the bus, and the picture. */
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "basic/bus-sender.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "exporter/source.h"
#include "view/names.h"

struct source {
        sd_event *event;
        sd_bus *bus; /* NULL: lost, to be had again when `retry` fires */
        sd_event_source *retry;
        sd_bus_slot *question;
        struct picture picture;
        bool known;        /* the picture is what the service says */
        uint64_t asked_at; /* monotonic; of the last question */
        char *why;         /* nothing is known */
        char *owner;       /* whose picture it is, on the bus */
        TAILQ_HEAD(, source_waiter) waiters;
};

_printf_(2, 3) static void forget_picture(struct source *s, const char *format, ...) {
        va_list ap;
        char *why = NULL;

        va_start(ap, format);
        if (vasprintf(&why, format, ap) < 0)
                why = NULL;
        va_end(ap);
        free(s->why);
        s->why = why;
        picture_done(&s->picture);
        s->known = false;
}

static void tell_all(struct source *s) {
        struct source_waiter *waiter;

        while ((waiter = TAILQ_FIRST(&s->waiters))) {
                source_forget(s, waiter);
                waiter->told(waiter, s->known ? &s->picture : NULL, s->why ?: "nothing is known of the service yet");
        }
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct source *s = userdata;
        int r;

        s->question = sd_bus_slot_unref(s->question);
        picture_done(&s->picture);
        s->known = false;
        if (sd_bus_message_is_method_error(m, NULL))
                forget_picture(s, "confd-had does not answer: %s", sd_bus_message_get_error(m)->message);
        else if ((r = free_and_strdup(&s->owner, sd_bus_message_get_sender(m))) < 0 || (r = picture_read(&s->picture, m)) < 0)
                forget_picture(s, "the answer of confd-had cannot be read: %s", strerror(-r));
        else
                s->known = true;
        tell_all(s);
        return 0;
}

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct source *s = userdata;
        const char *interface;
        int r;

        /* A question that is under way will tell more. */
        if (!s->known || !bus_is_from(m, s->owner) || sd_bus_message_read_basic(m, 's', &interface) < 0 || !streq(interface, HA_INTERFACE))
                return 0;
        r = picture_read(&s->picture, m);
        if (r < 0)
                forget_picture(s, "a change that confd-had tells cannot be read: %s", strerror(-r));
        return 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct source *s = userdata;
        const char *name, *old, *new;

        if (!bus_is_from_bus(m) || sd_bus_message_read(m, "sss", &name, &old, &new) < 0)
                return 0;
        forget_picture(s, isempty(new) ? "confd-had is not there: nobody owns %s" : "confd-had has just come: %s", name);
        /* Whoever it is now is to be asked anew, however short ago the other one was. */
        s->asked_at = 0;
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);

static int subscribe(sd_bus *bus, struct source *s) {
        int r;

        r = sd_bus_match_signal_async(bus, NULL, HA_BUS_NAME, HA_OBJECT, "org.freedesktop.DBus.Properties",
                                      "PropertiesChanged", on_properties_changed, /* install_callback= */ NULL, s);
        if (r >= 0)
                r = sd_bus_add_match_async(bus, NULL,
                                           "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                           "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                           "arg0='" HA_BUS_NAME "'",
                                           on_owner_changed, /* install_callback= */ NULL, s);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, NULL, NULL, "/org/freedesktop/DBus/Local",
                                              "org.freedesktop.DBus.Local", "Disconnected", on_disconnected,
                                              /* install_callback= */ NULL, s);
        return r;
}

static int connect_bus(struct source *s) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system_with_description(&bus, "confd-ha-exporter");
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(bus, false);
        if (r >= 0)
                r = sd_bus_attach_event(bus, s->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = subscribe(bus, s);
        if (r >= 0)
                s->bus = TAKE_PTR(bus);
        return r;
}

static void try_later(struct source *s) {
        if (sd_event_source_set_time_relative(s->retry, SOURCE_RECONNECT_MSEC * USEC_PER_MSEC) < 0 ||
            sd_event_source_set_enabled(s->retry, SD_EVENT_ONESHOT) < 0)
                log_error("Cannot schedule the next attempt to connect to the bus");
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        struct source *s = userdata;
        int r;

        s->bus = sd_bus_close_unref(s->bus);
        r = connect_bus(s);
        if (r < 0) {
                forget_picture(s, "cannot connect to the bus: %s", strerror(-r));
                try_later(s);
        }
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct source *s = userdata;

        log_warning("The bus has closed the connection; trying again");
        s->question = sd_bus_slot_unref(s->question);
        forget_picture(s, "the bus has closed the connection");
        s->asked_at = 0;
        tell_all(s);
        /* The bus object is in use here, and is replaced when the timer fires. */
        try_later(s);
        return 0;
}

/* Does not start the service: who watches must not change what he sees. */
static int ask(struct source *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(s->bus, &m, HA_BUS_NAME, HA_OBJECT, "org.freedesktop.DBus.Properties", "GetAll");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", HA_INTERFACE);
        if (r >= 0)
                r = sd_bus_call_async(s->bus, &s->question, m, on_answer, s, SOURCE_PATIENCE_MSEC * USEC_PER_MSEC);
        return r;
}

void source_ask(struct source *s, struct source_waiter *waiter) {
        uint64_t now = now_monotonic();
        int r;

        TAILQ_INSERT_TAIL(&s->waiters, waiter, entry);
        waiter->waiting = true;
        if (s->question)
                return;
        if (s->bus && (s->asked_at == 0 || now >= s->asked_at + SOURCE_FRESH_MSEC * USEC_PER_MSEC)) {
                s->asked_at = now;
                r = ask(s);
                if (r >= 0)
                        return;
                forget_picture(s, "cannot ask confd-had: %s", strerror(-r));
        }
        tell_all(s);
}

void source_forget(struct source *s, struct source_waiter *waiter) {
        if (!waiter->waiting)
                return;
        TAILQ_REMOVE(&s->waiters, waiter, entry);
        waiter->waiting = false;
}

int source_new(sd_event *event, struct source **ret) {
        _cleanup_(source_freep) struct source *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        TAILQ_INIT(&s->waiters);
        s->event = sd_event_ref(event);
        r = sd_event_add_time_relative(event, &s->retry, CLOCK_MONOTONIC, 0, 0, on_retry, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->retry, SD_EVENT_OFF);
        if (r < 0)
                return r;
        /* Now: the request that has started us waits already, and is to be asked for like any other. */
        (void) on_retry(s->retry, 0, s);
        *ret = TAKE_PTR(s);
        return 0;
}

struct source *source_free(struct source *s) {
        if (!s)
                return NULL;
        sd_bus_slot_unref(s->question);
        sd_bus_close_unref(s->bus);
        sd_event_source_disable_unref(s->retry);
        sd_event_unref(s->event);
        picture_done(&s->picture);
        free(s->why);
        free(s->owner);
        free(s);
        return NULL;
}
