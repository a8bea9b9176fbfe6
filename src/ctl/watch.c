/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the subscription to the service's signals. */
#include "ctl/activation.h"
#include "ctl/complain.h"
#include "ctl/output.h"
#include "ctl/text.h"
#include "ctl/watch.h"

static void tell(struct watch *w, enum watch_event event, sd_bus_message *m) {
        int r;

        if (w->verdict != 0)
                return;
        r = w->callback(w, event, m);
        if (r != 0)
                w->verdict = r;
}

static int remember(struct watch *w) {
        w->before.known = w->pictured;
        w->before.connected = w->picture.connected;
        return free_and_strdup(&w->before.state, picture_state(&w->picture));
}

static int take_picture(struct watch *w, sd_bus_message *m) {
        int r;

        r = remember(w);
        if (r >= 0)
                r = picture_read(&w->picture, m);
        if (r < 0)
                return r;
        w->pictured = true;
        tell(w, WATCH_PICTURE, NULL);
        return 0;
}

/* Whether the error means that nobody is there: to be waited for. */
static bool is_absence(const sd_bus_error *error) {
        static const char *const names[] = { SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_NO_REPLY,
                                             "org.freedesktop.DBus.Error.TimedOut" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (sd_bus_error_has_name(error, names[i]))
                        return true;
        return strncmp(error->name, "org.freedesktop.DBus.Error.Spawn.", strlen("org.freedesktop.DBus.Error.Spawn.")) == 0 ||
               strncmp(error->name, "org.freedesktop.systemd1.", strlen("org.freedesktop.systemd1.")) == 0;
}

/* A service that is just ending, or not yet up: it will be back. Only at the beginning is it told. */
static void on_error(struct watch *w, sd_bus_message *m) {
        const sd_bus_error *error = sd_bus_message_get_error(m);
        int r;

        if (w->before.state || w->pictured)
                return;
        sd_bus_error_free(&w->error);
        r = sd_bus_error_copy(&w->error, error);
        /* Without a name there was no bus to ask. */
        if (error && error->name && is_absence(error) && sd_bus_is_open(w->c->bus) > 0) {
                w->absent = true;
                tell(w, WATCH_ABSENT, NULL);
                if (w->verdict == 0)
                        sd_bus_error_free(&w->error);
                return;
        }
        r = r < 0 ? r : -sd_bus_message_get_errno(m);
        w->verdict = r < 0 ? r : -EIO;
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct watch *w = userdata;
        int r;

        w->question = sd_bus_slot_unref(w->question);
        if (sd_bus_message_is_method_error(m, NULL)) {
                on_error(w, m);
                return 0;
        }
        r = free_and_strdup(&w->owner, sd_bus_message_get_sender(m));
        if (r >= 0)
                r = take_picture(w, m);
        if (r < 0 && w->verdict == 0)
                w->verdict = r;
        return 0;
}

/* Without a time limit of its own: watch_run() has one, and a service that ends gives an error at once. */
static int ask(struct watch *w, bool activate) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        w->question = sd_bus_slot_unref(w->question);
        r = sd_bus_message_new_method_call(w->c->bus, &m, HA_BUS_NAME, HA_OBJECT, "org.freedesktop.DBus.Properties",
                                           "GetAll");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, activate);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", HA_INTERFACE);
        if (r >= 0)
                r = sd_bus_call_async(w->c->bus, &w->question, m, on_properties, w, UINT64_MAX);
        return MIN(r, 0);
}

/* What has failed already is not started again by asking: the bus would only wait for it. */
static int ask_first(struct watch *w) {
        _cleanup_free_ char *failure = NULL;
        int r;

        r = activation_is_running(w->c);
        if (r == 0)
                failure = activation_failure(w->c);
        if (r < 0)
                return r;
        if (!failure)
                return ask(w, /* activate= */ true);
        sd_bus_error_free(&w->error);
        (void) sd_bus_error_set(&w->error, "org.freedesktop.DBus.Error.Spawn.ChildExited", failure);
        w->absent = true;
        tell(w, WATCH_ABSENT, NULL);
        if (w->verdict == 0)
                sd_bus_error_free(&w->error);
        return 0;
}

/* The bus delivers signals that anybody addresses to us, whatever we subscribed to: take the service's only. */
static bool is_from_service(const struct watch *w, sd_bus_message *m) {
        const char *sender = sd_bus_message_get_sender(m);

        return w->owner && sender && streq(sender, w->owner);
}

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct watch *w = userdata;
        const char *interface;
        int r;

        /* Before the first answer to GetAll, that answer will have it. */
        if (!w->pictured || !is_from_service(w, m))
                return 0;
        r = sd_bus_message_read(m, "s", &interface);
        if (r < 0 || !streq(interface, HA_INTERFACE))
                return 0;
        r = take_picture(w, m);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        /* Named without a value: ask. */
        if (r >= 0 && sd_bus_message_at_end(m, /* complete= */ false) == 0)
                r = ask(w, /* activate= */ false);
        if (r < 0 && w->verdict == 0)
                w->verdict = r;
        return 0;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct watch *w = userdata;

        if (w->pictured && is_from_service(w, m))
                tell(w, WATCH_SIGNAL, m);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct watch *w = userdata;
        const char *name, *old_owner, *new_owner, *sender = sd_bus_message_get_sender(m);
        int r;

        if (!sender || !streq(sender, "org.freedesktop.DBus"))
                return 0;
        r = sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner);
        if (r < 0 || !streq(name, HA_BUS_NAME))
                return 0;
        if (w->owner && streq(old_owner, w->owner)) {
                r = remember(w);
                free(w->owner);
                w->owner = NULL;
                w->pictured = false;
                picture_done(&w->picture);
                tell(w, WATCH_GONE, NULL);
        }
        if (r >= 0 && *new_owner && !w->owner) {
                r = free_and_strdup(&w->owner, new_owner);
                if (w->before.state || w->absent)
                        tell(w, WATCH_BACK, NULL);
                if (r >= 0)
                        r = ask(w, /* activate= */ false);
        }
        if (r < 0 && w->verdict == 0)
                w->verdict = r;
        return 0;
}

static int subscribe(struct watch *w) {
        sd_bus *bus = w->c->bus;
        int r;

        /* Asynchronously: what comes after the requests is in order, and a stuck bus cannot hold us. */
        r = sd_bus_add_match_async(bus, w->slots + 0,
                                   "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                   "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" HA_BUS_NAME "'",
                                   on_owner, NULL, w);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, w->slots + 1, HA_BUS_NAME, HA_OBJECT,
                                              "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                              on_properties_changed, NULL, w);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, w->slots + 2, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, NULL,
                                              on_signal, NULL, w);
        return MIN(r, 0);
}

void watch_notice_absent(const struct watch *w) {
        _cleanup_free_ char *message = text_printable(w->error.message);

        notice(w->c, "The service is not there%s%s; waiting for it.", message ? ": " : "", message ?: "");
}

void watch_done(struct watch *w) {
        sd_bus_slot_unref(w->question);
        for (size_t i = 0; i < ELEMENTSOF(w->slots); i++)
                sd_bus_slot_unref(w->slots[i]);
        sd_bus_error_free(&w->error);
        picture_done(&w->picture);
        free(w->before.state);
        free(w->owner);
}

/* As sd_bus_wait(), when nothing is queued; with an eye on who reads. */
static int wait_until(struct watch *w, uint64_t limit) {
        uint64_t timeout;
        int r, events;

        if (!w->prints) {
                uint64_t now = now_monotonic();

                r = sd_bus_wait(w->c->bus, limit == USEC_INFINITY ? UINT64_MAX : limit > now ? limit - now : 0);
                return r == -EINTR ? 0 : r;
        }
        events = sd_bus_get_events(w->c->bus);
        if (events < 0)
                return events;
        r = sd_bus_get_timeout(w->c->bus, &timeout);
        return r < 0 ? r : output_wait(sd_bus_get_fd(w->c->bus), events, MIN(timeout, limit));
}

int watch_run(struct watch *w, uint64_t first_deadline, uint64_t deadline) {
        int r;

        r = subscribe(w);
        if (r >= 0)
                r = ask_first(w);
        while (r >= 0 && w->verdict == 0) {
                uint64_t limit = w->before.state || w->absent ? deadline : first_deadline;

                r = sd_bus_process(w->c->bus, NULL);
                if (r != 0)
                        continue;
                if (limit != USEC_INFINITY && now_monotonic() >= limit)
                        return -ETIMEDOUT;
                r = wait_until(w, limit);
        }
        return w->verdict != 0 ? w->verdict : r;
}
