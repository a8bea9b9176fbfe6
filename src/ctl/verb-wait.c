/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl wait`. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/states.h"
#include "ctl/text.h"
#include "ctl/watch.h"

#define FIRST_LOOK_USEC (10 * USEC_PER_SEC)

static int on_event(struct watch *w, enum watch_event event, sd_bus_message *m) {
        const char *wanted = w->userdata, *name, *message;

        switch (event) {
        case WATCH_PICTURE:
                if (streq(wanted, "synced") ? picture_is_synced(&w->picture) : streq(wanted, picture_state(&w->picture)))
                        return 1;
                return w->c->timeout == 0 ? -ETIMEDOUT : 0;
        case WATCH_SIGNAL:
                /* The framework may well try again, so this ends nothing; but a person should hear it. */
                if (!w->c->quiet && sd_bus_message_is_signal(m, CTL_INTERFACE, "BeSlaveResult") &&
                    sd_bus_message_read(m, "ss", &name, &message) >= 0 && *name) {
                        _cleanup_free_ char *n = text_printable(name), *t = text_printable(message);

                        fprintf(stderr, "confd-hactl: A be-slave failed: %s: %s\n", n ? text_short_error(n) : "?",
                                t ?: "?");
                }
                return 0;
        case WATCH_GONE:
                if (streq(wanted, "unknown"))
                        return 1;
                if (!w->c->quiet)
                        fprintf(stderr, "confd-hactl: The service left the bus; waiting for it to come back.\n");
                return 0;
        case WATCH_BACK:
                return 0;
        }
        return 0;
}

static void say(const struct ctl *c, const char *wanted, const struct picture *p, bool reached) {
        if (c->json != JSON_OFF) {
                struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

                json_begin_object(&j, NULL);
                json_string(&j, "wanted", wanted);
                json_boolean(&j, "reached", reached);
                json_string(&j, "state", picture_state(p));
                json_string(&j, "node_id", p->node_id ?: "");
                json_boolean(&j, "synchronizing", p->synchronizing);
                json_end_object(&j);
                fflush(stdout);
        } else if (reached && !c->quiet) {
                _cleanup_free_ char *node = text_printable(picture_node(p)), *state = text_printable(picture_state(p));

                printf("%s is %s%s\n", node ?: "?", state ?: "?",
                       streq(wanted, "synced") ? ", its data is in place" : "");
        }
}

enum ctl_exit verb_wait(struct ctl *c, char **args) {
        const char *wanted = streq(args[1], "synced") ? args[1] : state_from_user(args[1]);
        _cleanup_watch_ struct watch w = { .c = c, .callback = on_event, .userdata = (void *) wanted };
        enum ctl_exit status;
        int r;

        if (!wanted) {
                _cleanup_free_ char *printable = text_printable(args[1]);

                fprintf(stderr,
                        "confd-hactl: wait takes none, slave, master, slave-relay, unknown or synced, not '%s'.\n",
                        printable ?: "?");
                return CTL_USAGE;
        }
        /* --timeout=0 looks once, which takes a moment all the same. */
        if (c->timeout == 0)
                c->deadline = usec_add(now_monotonic(), FIRST_LOOK_USEC);
        status = bus_connect(c);
        if (status != CTL_DONE)
                return status;
        r = watch_run(&w, c->deadline, c->deadline);
        if (r > 0) {
                say(c, wanted, &w.picture, /* reached= */ true);
                return CTL_DONE;
        }
        /* With an error it is NoReply, the end of a connection. */
        if (r == -ETIMEDOUT && !sd_bus_error_is_set(&w.error)) {
                _cleanup_free_ char *state = text_printable(picture_state(&w.picture));
                char span[TEXT_TIME_MAX];

                if (c->json != JSON_OFF)
                        say(c, wanted, &w.picture, /* reached= */ false);
                fprintf(stderr, "confd-hactl: wait %s: not reached within %s: the state is %s%s.\n", wanted,
                        text_timespan(c->timeout, span), state ?: "?",
                        w.picture.synchronizing ? " and synchronizing" : w.pictured ? "" : " (the service does not answer)");
                return CTL_FAILED;
        }
        return bus_error_report(c, "wait", &w.error, r);
}
