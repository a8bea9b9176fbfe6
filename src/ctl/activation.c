/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the start of the service. The bus starts it for whoever calls it, but does not hear from systemd that it failed: it
 * lets the caller wait for its 25 s, and says nothing of the reason. So systemd is asked. */
#include <stdio.h>

#include "ctl/activation.h"
#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/complain.h"
#include "ctl/text.h"

#define UNIT "confd-ha.service"
#define SYSTEMD "org.freedesktop.systemd1"

int activation_is_running(struct ctl *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r, owned;

        r = sd_bus_message_new_method_call(c->bus, &m, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                           "NameHasOwner");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", HA_BUS_NAME);
        if (r >= 0)
                r = sd_bus_call(c->bus, m, bus_time_left(c), NULL, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "b", &owned);
        return r < 0 ? r : owned;
}

struct unit {
        char *active, *result, *text;
        int32_t status;
};

static void unit_done(struct unit *u) {
        free(u->active);
        free(u->result);
        free(u->text);
}
#define _cleanup_unit_ _cleanup_(unit_done)

/* A call on systemd that does not start it, where it is not there. */
static int call_systemd(struct ctl *c, const char *path, const char *interface, const char *method, const char *arg1,
                        const char *arg2, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, SYSTEMD, path, interface, method);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", arg1);
        if (r >= 0 && arg2)
                r = sd_bus_message_append(m, "s", arg2);
        return r < 0 ? r : sd_bus_call(c->bus, m, bus_time_left(c), NULL, ret);
}

static int unit_string(struct ctl *c, const char *path, const char *interface, const char *property, char **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *s;
        int r;

        r = call_systemd(c, path, "org.freedesktop.DBus.Properties", "Get", interface, property, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "v", "s", &s);
        return r < 0 ? r : free_and_strdup(ret, s);
}

static int unit_read(struct ctl *c, struct unit *u) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *loaded = NULL, *reply = NULL;
        const char *path;
        int r;

        r = call_systemd(c, "/org/freedesktop/systemd1", SYSTEMD ".Manager", "LoadUnit", UNIT, NULL, &loaded);
        if (r >= 0)
                r = sd_bus_message_read(loaded, "o", &path);
        if (r >= 0)
                r = unit_string(c, path, SYSTEMD ".Unit", "ActiveState", &u->active);
        if (r >= 0)
                r = unit_string(c, path, SYSTEMD ".Service", "Result", &u->result);
        if (r >= 0)
                r = unit_string(c, path, SYSTEMD ".Service", "StatusText", &u->text);
        if (r >= 0)
                r = call_systemd(c, path, "org.freedesktop.DBus.Properties", "Get", SYSTEMD ".Service", "ExecMainStatus",
                                 &reply);
        return r < 0 ? r : sd_bus_message_read(reply, "v", "i", &u->status);
}

char *activation_failure(struct ctl *c) {
        _cleanup_unit_ struct unit u = {};
        char *words = NULL;
        const char *status;
        int n;

        if (unit_read(c, &u) < 0)
                return NULL;
        /* What waits to be started again has not failed for good: it is waited for. */
        if (!streq(u.active, "failed"))
                return NULL;
        status = u.status == 78 ? " (bad configuration)" : "";
        /* The last words of what ended by itself; of what was killed they tell of better days. */
        if (!isempty(u.text) && u.status != 0 && (streq(u.result, "exit-code") || streq(u.result, "start-limit-hit"))) {
                _cleanup_free_ char *text = text_printable(u.text);

                n = asprintf(&words, UNIT " has failed: %s", text ?: "?");
        } else if (streq(u.result, "exit-code"))
                n = asprintf(&words, UNIT " has failed: it ended with status %i%s", u.status, status);
        else {
                _cleanup_free_ char *result = text_printable(u.result);

                n = asprintf(&words, UNIT " has failed: %s", result ?: "?");
        }
        return n < 0 ? NULL : words;
}

static enum ctl_exit complain_failure(struct ctl *c, const char *what, const char *failure) {
        char place[256];

        bus_place(c, place, sizeof(place));
        complain(c, "org.freedesktop.DBus.Error.Spawn.ChildExited",
                 "Look at: " ACTIVATION_LOOK "\nWhen it is mended: systemctl restart " UNIT, "%s%s failed: %s", what, place, failure);
        return CTL_NOT_THERE;
}

struct starting {
        bool done;
        int r;
        sd_bus_error error;
        bool unit_changed;
};

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct starting *s = userdata;

        s->done = true;
        if (sd_bus_message_is_method_error(m, NULL)) {
                s->r = -sd_bus_message_get_errno(m);
                (void) sd_bus_error_copy(&s->error, sd_bus_message_get_error(m));
        }
        return 0;
}

static int on_unit_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        ((struct starting *) userdata)->unit_changed = true;
        return 0;
}

/* Asks for the start, and for what becomes of the unit meanwhile. */
static int begin(struct ctl *c, struct starting *s, sd_bus_slot *slots[2]) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *subscribe = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &subscribe, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
                                           "Subscribe");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(subscribe, false);
        if (r >= 0)
                r = sd_bus_send(c->bus, subscribe, NULL);
        if (r >= 0)
                r = sd_bus_match_signal_async(c->bus, slots + 0, SYSTEMD, "/org/freedesktop/systemd1/unit/confd_2dha_2eservice",
                                              "org.freedesktop.DBus.Properties", "PropertiesChanged", on_unit_changed, NULL, s);
        if (r >= 0)
                r = sd_bus_call_method_async(c->bus, slots + 1, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                             "org.freedesktop.DBus", "StartServiceByName", on_started, s, "su", HA_BUS_NAME, 0);
        return r;
}

/* Until it has started, or failed (*ret_failure). */
static int wait_started(struct ctl *c, struct starting *s, char **ret_failure) {
        int r;

        while (!s->done) {
                r = sd_bus_process(c->bus, NULL);
                if (r < 0)
                        return r;
                if (s->unit_changed) {
                        s->unit_changed = false;
                        *ret_failure = activation_failure(c);
                        if (*ret_failure)
                                return 0;
                        continue;
                }
                if (r > 0)
                        continue;
                if (c->deadline != USEC_INFINITY && now_monotonic() >= c->deadline)
                        return -ETIMEDOUT;
                r = sd_bus_wait(c->bus, bus_time_left(c));
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return 0;
}

enum ctl_exit activation_start(struct ctl *c, const char *what) {
        _cleanup_free_ char *failure = NULL;
        struct starting s = {};
        sd_bus_slot *slots[2] = {};
        enum ctl_exit status = CTL_DONE;
        int r;

        r = activation_is_running(c);
        if (r > 0)
                return CTL_DONE;
        if (r < 0)
                return bus_error_report(c, what, NULL, r);
        failure = activation_failure(c);
        if (failure)
                return complain_failure(c, what, failure);

        r = begin(c, &s, slots);
        if (r >= 0)
                r = wait_started(c, &s, &failure);
        if (failure)
                status = complain_failure(c, what, failure);
        else if (r == -ETIMEDOUT) {
                complain(c, "org.freedesktop.DBus.Error.TimedOut", "Look at: systemctl status " UNIT "; " ACTIVATION_LOOK,
                         "%s failed: the service did not start in time", what);
                status = CTL_NOT_THERE;
        } else if (r < 0)
                status = bus_error_report(c, what, NULL, r);
        else if (s.r < 0)
                status = bus_error_report(c, what, &s.error, s.r);
        for (size_t i = 0; i < ELEMENTSOF(slots); i++)
                sd_bus_slot_unref(slots[i]);
        sd_bus_error_free(&s.error);
        return status;
}
