/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl monitor`: one line an event. */
#include <stdio.h>

#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/colour.h"
#include "ctl/ctl.h"
#include "view/json.h"
#include "ctl/text.h"
#include "ctl/watch.h"

enum { ARGS_MAX = 3 };

/* The signals, the names of their arguments, and how a person reads them: $1 is the first argument. */
static const struct signal {
        const char *name;
        const char *signature;
        const char *keys[ARGS_MAX];
        const char *line;
} signals[] = {
        { "MasterLost", "s", { "error" }, "the master is lost: $1" },
        { "SlaveDied", "ss", { "id", "address" }, "$1 $2" },
        { "SlaveArrived", "ss", { "id", "address" }, "$1 $2" },
        { "SlaveInitialized", "b", { "by_copy" }, NULL },
        { "StateChanged", "sss", { "old", "new", "reason" }, "$1 -> $2 ($3)" },
        { "BeSlaveResult", "ss", { "error", "message" }, NULL },
};

static enum colour colour_of(const char *event) {
        static const char *const bad[] = { "MasterLost", "SlaveDied", "ConfdDisconnected", "ServiceGone" };
        static const char *const good[] = { "SlaveArrived", "SlaveInitialized", "ConfdConnected", "ServiceBack" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (streq(event, bad[i]))
                        return COLOUR_BAD;
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (streq(event, good[i]))
                        return COLOUR_GOOD;
        return COLOUR_NONE;
}

/* One event as a JSON object or as a line; every one is flushed, for it may be a pipe that somebody waits at. */
static int emit(const struct watch *w, const char *event, const char *const *keys, const char *const *values,
                const char *line) {
        const struct ctl *c = w->c;
        uint64_t now = now_realtime();

        if (c->json != JSON_OFF) {
                struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

                json_begin_object(&j, NULL);
                json_unsigned(&j, "time_usec", now);
                json_string(&j, "event", event);
                for (size_t i = 0; i < ARGS_MAX && keys && keys[i]; i++)
                        if (streq(keys[i], "by_copy"))
                                json_boolean(&j, keys[i], streq(values[i], "yes"));
                        else
                                json_string(&j, keys[i], values[i]);
                json_end_object(&j);
        } else {
                char when[TEXT_TIME_MAX];

                printf("%s  %s%-19s%s", text_timestamp(now, when), colour_out(colour_of(event)), event, colour_out(COLOUR_NONE));
                for (const char *p = line; *p; p++) {
                        if (p[0] == '$' && p[1] >= '1' && p[1] <= '0' + ARGS_MAX) {
                                _cleanup_free_ char *value = text_printable(values[p[1] - '1']);

                                fputs(value ? text_short_error(value) : "?", stdout);
                                p++;
                        } else
                                putchar(*p);
                }
                putchar('\n');
        }
        /* Nobody reads any more: the end. */
        return fflush(stdout) == 0 ? 0 : -EPIPE;
}

static int emit_signal(const struct watch *w, sd_bus_message *m) {
        const char *values[ARGS_MAX] = {}, *line;
        const struct signal *s = NULL;

        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                if (streq(sd_bus_message_get_member(m), signals[i].name))
                        s = signals + i;
        /* A signal of a newer service, or with other arguments, tells a person nothing. */
        if (!s || !sd_bus_message_has_signature(m, s->signature))
                return 0;
        for (size_t i = 0; s->signature[i]; i++) {
                int b, r;

                if (s->signature[i] == 'b') {
                        r = sd_bus_message_read_basic(m, 'b', &b);
                        if (r < 0)
                                return r;
                        values[i] = b ? "yes" : "no";
                } else {
                        r = sd_bus_message_read_basic(m, 's', values + i);
                        if (r < 0)
                                return r;
                }
        }
        line = s->line;
        if (streq(s->name, "SlaveInitialized"))
                line = streq(values[0], "yes") ? "the data was copied and is in place" : "the data is in place, nothing was copied";
        else if (streq(s->name, "BeSlaveResult"))
                line = *values[0] ? "$1: $2" : "done";
        return emit(w, s->name, s->keys, values, line);
}

static int emit_picture(const struct watch *w, const char *event) {
        static const char *const keys[ARGS_MAX] = { "state", "node_id", NULL };
        const char *values[ARGS_MAX] = { picture_state(&w->picture), w->picture.node_id ?: "" };

        return emit(w, event, keys, values, *values[1] ? "$2 is $1" : "state $1");
}

static int on_event(struct watch *w, enum watch_event event, sd_bus_message *m) {
        static const char *const address_key[ARGS_MAX] = { "address", NULL };
        const char *address[ARGS_MAX] = { w->picture.confd_address ?: "" };

        switch (event) {
        case WATCH_PICTURE:
                if (!w->before.known)
                        return emit_picture(w, "Watching");
                if (w->before.connected != w->picture.connected)
                        return w->picture.connected ? emit(w, "ConfdConnected", address_key, address, "at $1")
                                                    : emit(w, "ConfdDisconnected", address_key, address, "from $1");
                return 0;
        case WATCH_SIGNAL:
                return emit_signal(w, m);
        case WATCH_GONE:
                return emit(w, "ServiceGone", NULL, NULL, "the service left the bus");
        case WATCH_ABSENT:
                watch_notice_absent(w);
                return emit(w, "ServiceGone", NULL, NULL, "the service is not on the bus");
        case WATCH_BACK:
                return emit(w, "ServiceBack", NULL, NULL, "the service is on the bus");
        }
        return 0;
}

enum ctl_exit verb_monitor(struct ctl *c, char **args) {
        _cleanup_watch_ struct watch w = { .c = c, .callback = on_event, .prints = true };
        enum ctl_exit status;
        int r;

        status = bus_connect(c);
        if (status != CTL_DONE)
                return status;
        r = watch_run(&w, c->deadline, USEC_INFINITY);
        if (r == -EPIPE)
                return CTL_DONE;
        return bus_error_report(c, "monitor", &w.error, r);
}
