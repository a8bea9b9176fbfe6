/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl wait`. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "view/json.h"
#include "ctl/states.h"
#include "ctl/text.h"
#include "ctl/watch.h"

#define FIRST_LOOK_USEC (10 * USEC_PER_SEC)

/* What is waited for: one of the states, one of the two words about data, or a slave. */
struct goal {
        const char *words; /* as it was typed */
        bool states[STATES];
        bool synced;
        bool in_sync;
        const char *slave; /* NULL, or alone */
        bool failed;       /* the verdict -ECANCELED: nothing is under way that could bring it */
        char *error_name, *error_message;
};

static void goal_done(struct goal *g) {
        free(g->error_name);
        free(g->error_message);
}
#define _cleanup_goal_ _cleanup_(goal_done)

/* -EINVAL after saying what is wrong. */
static int goal_parse(struct ctl *c, struct goal *g, char **args) {
        const char *p = args[1];

        g->words = p;
        if (args[2]) {
                if (!streq(p, "slave") && !streq(p, "secondary")) {
                        complain(c, CTL_ERROR_USAGE, NULL, "wait takes one argument, or two: wait slave ID");
                        return -EINVAL;
                }
                g->slave = args[2];
                return 0;
        }
        for (;;) {
                size_t n = strcspn(p, ",");
                _cleanup_free_ char *word = strndup(p, n);
                int state = word ? state_index(word) : -EINVAL;

                if (word && streq(word, "synced"))
                        g->synced = true;
                else if (word && streq(word, "in-sync"))
                        g->in_sync = true;
                else if (state >= 0)
                        g->states[state] = true;
                else {
                        _cleanup_free_ char *printable = text_printable(word);

                        complain(c, CTL_ERROR_USAGE, NULL,
                                 "wait takes none, slave, master, slave-relay, unknown, synced or in-sync, separated by "
                                 "commas, not '%s'.", printable ?: "?");
                        return -EINVAL;
                }
                if (!p[n])
                        return 0;
                p += n + 1;
        }
}

static bool goal_is_reached(const struct goal *g, const struct picture *p) {
        int state = state_index(picture_state(p));

        if (g->slave) {
                for (size_t i = 0; i < p->n_slaves; i++)
                        if (streq(p->slaves[i].id, g->slave))
                                return true;
                return false;
        }
        return (state >= 0 && g->states[state]) || (g->synced && picture_is_synced(p)) || (g->in_sync && p->in_sync);
}

static int goal_fail(struct goal *g, const char *name, const char *message) {
        int r;

        r = free_and_strdup(&g->error_name, name);
        if (r >= 0)
                r = free_and_strdup(&g->error_message, message);
        g->failed = true;
        return r < 0 ? r : -ECANCELED;
}

static int on_picture(struct watch *w, struct goal *g) {
        const struct picture *p = &w->picture;

        if (goal_is_reached(g, p))
                return 1;
        if (g->in_sync && !g->synced && !p->knows_in_sync)
                return -EOPNOTSUPP;
        if ((g->synced || g->in_sync) && picture_has_failed(p, w->c->mark))
                return goal_fail(g, p->error_name, p->error_message);
        return w->c->timeout == 0 ? -ETIMEDOUT : 0;
}

/* The properties have changed before: if nothing is under way now, this was the last hope. */
static int on_result(struct watch *w, struct goal *g, sd_bus_message *m) {
        const char *name, *message;

        if (sd_bus_message_read(m, "ss", &name, &message) < 0 || !*name)
                return 0;
        if ((g->synced || g->in_sync) && w->picture.connected && !w->picture.synchronizing)
                return goal_fail(g, name, message);
        _cleanup_free_ char *n = text_printable(name), *t = text_printable(message);
        notice(w->c, "A be-slave failed: %s: %s", n ? text_short_error(n) : "?", t ?: "?");
        return 0;
}

static int on_event(struct watch *w, enum watch_event event, sd_bus_message *m) {
        struct goal *g = w->userdata;

        switch (event) {
        case WATCH_PICTURE:
                return on_picture(w, g);
        case WATCH_SIGNAL:
                return sd_bus_message_is_signal(m, HA_INTERFACE, "BeSlaveResult") ? on_result(w, g, m) : 0;
        case WATCH_GONE:
                if (goal_is_reached(g, &w->picture))
                        return 1;
                notice(w->c, "The service left the bus; waiting for it to come back.");
                return 0;
        case WATCH_ABSENT:
                if (goal_is_reached(g, &w->picture))
                        return 1;
                if (w->c->timeout == 0)
                        return -ENXIO;
                watch_notice_absent(w);
                return 0;
        case WATCH_BACK:
                return 0;
        }
        return 0;
}

/* What is said in JSON: an error's members with its name, if it was not reached. */
static void say_json(struct ctl *c, const struct goal *g, const struct picture *p, const char *name, const char *message) {
        struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

        json_begin_object(&j, NULL);
        json_string(&j, "wanted", g->words);
        if (g->slave)
                json_string(&j, "slave", g->slave);
        json_boolean(&j, "reached", !name);
        json_string(&j, "state", picture_state(p));
        json_string(&j, "node_id", p->node_id ?: "");
        json_boolean(&j, "synchronizing", p->synchronizing);
        if (p->knows_in_sync)
                json_boolean(&j, "in_sync", p->in_sync);
        if (name)
                complain_json_members(&j, name, message, NULL);
        json_end_object(&j);
        (void) fflush(stdout);
        c->json_said = true;
}

static void say_reached(struct ctl *c, const struct goal *g, const struct picture *p) {
        _cleanup_free_ char *node = text_printable(picture_node(p)), *state = text_printable(picture_state(p)),
                            *slave = text_printable(g->slave);

        if (c->json != JSON_OFF)
                say_json(c, g, p, NULL, NULL);
        else if (!c->quiet && slave)
                printf("%s is %s, and %s follows it\n", node ?: "?", state ?: "?", slave);
        else if (!c->quiet)
                printf("%s is %s%s\n", node ?: "?", state ?: "?",
                       (g->synced && picture_is_synced(p)) || (g->in_sync && p->in_sync) ? ", its data is in place" : "");
}

static enum ctl_exit say_missed(struct ctl *c, const struct goal *g, const struct watch *w, int r) {
        const struct picture *p = &w->picture;
        _cleanup_free_ char *state = text_printable(picture_state(p)), *slave = text_printable(g->slave),
                            *short_name = text_printable(text_short_error(g->error_name ?: "?")),
                            *message = text_printable(g->error_message), *words = NULL, *advice = NULL;
        const char *name = g->failed ? g->error_name : CTL_ERROR_TIMEOUT;
        char span[TEXT_TIME_MAX];
        int n;

        if (g->failed) {
                n = asprintf(&words, "nothing is under way, and the last order failed: %s: %s", short_name ?: "?",
                             isempty(message) ? "no further words" : message);
                if (n >= 0 && !c->quiet && asprintf(&advice, "What it means and what to look at: confd-hactl explain %s",
                                                    short_name ?: "?") < 0)
                        advice = NULL;
        } else if (r == -EOPNOTSUPP) {
                name = "org.freedesktop.DBus.Error.UnknownProperty";
                n = asprintf(&words, "the service is of a version that does not tell it.");
        } else
                n = asprintf(&words, "not reached within %s: the state is %s%s.", text_timespan(c->timeout, span), state ?: "?",
                             p->synchronizing ? " and synchronizing"
                             : w->pictured    ? ""
                                              : " (the service does not answer)");
        if (n < 0)
                words = NULL;
        complain_words(advice, "wait %s%s%s: %s", g->words, slave ? " " : "", slave ?: "", words ?: "?");
        if (c->json != JSON_OFF)
                say_json(c, g, p, name ?: "?", g->failed ? g->error_message : words);
        return CTL_FAILED;
}

enum ctl_exit verb_wait(struct ctl *c, char **args) {
        _cleanup_goal_ struct goal goal = {};
        _cleanup_watch_ struct watch w = { .c = c, .callback = on_event, .userdata = &goal };
        enum ctl_exit status;
        int r;

        if (goal_parse(c, &goal, args) < 0)
                return CTL_USAGE;
        /* --timeout=0 looks once, which takes a moment all the same. */
        if (c->timeout == 0)
                c->deadline = usec_add(now_monotonic(), FIRST_LOOK_USEC);
        status = bus_connect(c);
        if (status != CTL_DONE)
                return status;
        r = watch_run(&w, c->deadline, c->deadline);
        if (r > 0) {
                say_reached(c, &goal, &w.picture);
                return CTL_DONE;
        }
        /* With an error it is NoReply, the end of a connection. */
        if ((r == -ETIMEDOUT || goal.failed || r == -EOPNOTSUPP) && !sd_bus_error_is_set(&w.error))
                return say_missed(c, &goal, &w, r);
        return bus_error_report(c, "wait", &w.error, r);
}
