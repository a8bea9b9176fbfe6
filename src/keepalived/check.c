/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the track script. */
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "keepalived/check.h"
#include "keepalived/plan.h"
#include "keepalived/view.h"
#include "view/names.h"

#define PAUSE_USEC (100 * USEC_PER_MSEC)

static sd_bus_message *method_call(sd_bus *bus, const char *interface, const char *method) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (sd_bus_message_new_method_call(bus, &m, HA_BUS_NAME, HA_OBJECT, interface, method) < 0 ||
            sd_bus_message_set_auto_start(m, false) < 0)
                return NULL;
        return TAKE_PTR(m);
}

/* The service answers from what it has heard last. A frozen ConfD says nothing any more, so it is asked for itself. */
static bool is_silent(sd_bus *bus, uint64_t deadline) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = method_call(bus, HA_INTERFACE, "Status");
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t now = now_monotonic();
        int r;

        if (!m || now >= deadline)
                return false;
        r = sd_bus_call(bus, m, deadline - now, &error, NULL);
        return r == -ETIMEDOUT || sd_bus_error_has_name(&error, HA_ERROR_PREFIX "Timeout");
}

static int ask(const struct settings *s, uint64_t deadline, struct node_view *ret, bool *ret_silent) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_picture_ struct picture picture = {};
        uint64_t now = now_monotonic();
        int r;

        if (now >= deadline)
                return -ETIMEDOUT;
        r = sd_bus_open_system(&bus);
        if (r < 0)
                return r;
        m = method_call(bus, "org.freedesktop.DBus.Properties", "GetAll");
        if (!m)
                return -ENOMEM;
        r = sd_bus_message_append(m, "s", HA_INTERFACE);
        if (r >= 0)
                r = sd_bus_call(bus, m, deadline - now, NULL, &reply);
        if (r >= 0)
                r = picture_read(&picture, reply);
        if (r < 0)
                return r;
        *ret = view_of(&picture, s);
        *ret_silent = ret->connected && is_silent(bus, deadline);
        return 0;
}

static int answer(bool fit, const char *why) {
        printf("%s: %s\n", fit ? "fit" : "unfit", why);
        return fit ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool is_on_its_way(const struct wishes *w) {
        uint64_t now = now_realtime();

        return now >= w->role_usec && now - w->role_usec < CHECK_GRACE_USEC;
}

int check_run(const struct settings *s, const char *directory) {
        uint64_t deadline = usec_add(now_monotonic(), CHECK_USEC);
        struct wishes w;
        int r;

        r = wish_load(directory, &w);
        if (r < 0)
                return answer(false, "the wishes cannot be read; does confd-ha-keepalived.service run?");
        for (;;) {
                struct node_view v = {};
                bool silent = false;

                r = ask(s, deadline, &v, &silent);
                if (silent)
                        return answer(false, "ConfD does not answer");
                if (r >= 0 && v.connected && v.state != STATE_UNKNOWN) {
                        if (w.role == WISH_MASTER && v.state == STATE_MASTER)
                                return answer(true, "master, as keepalived wishes");
                        if (w.role == WISH_MASTER && !is_on_its_way(&w))
                                return answer(false, "keepalived wishes master, and ConfD is not");
                        if (w.role == WISH_MASTER)
                                return answer(true, "on its way to master");
                        if (plan_may_take_over(&w, &v))
                                return answer(true, "could be master");
                        return answer(false, "its data is not that of the last master");
                }
                if (now_monotonic() + PAUSE_USEC >= deadline)
                        return answer(false, r < 0 ? "the service org.confd.HA does not answer" : "no connection to ConfD");
                (void) usleep(PAUSE_USEC);
        }
}

int alive_run(const struct settings *s) {
        struct node_view v = {};
        bool silent = false;

        /* What is not there, or restarts, holds nobody up: its connections have ended. */
        if (ask(s, usec_add(now_monotonic(), CHECK_USEC), &v, &silent) < 0 || !v.connected)
                return answer(true, "ConfD is not there, and nobody waits for it");
        return silent ? answer(false, "ConfD does not answer") : answer(true, "ConfD answers");
}
