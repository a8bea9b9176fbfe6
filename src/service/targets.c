/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the jobs that make systemd's role targets follow the role.
 *
 * What is wanted is a plan of one or two steps: start a target, or stop one or both. Going from one role to the other is a
 * single StartUnit: the targets conflict, and are ordered, so that systemd stops what hangs on the one before it starts
 * what hangs on the other. One call is under way at a time; what is wanted meanwhile comes after it, and only the last of
 * it. systemd merges or replaces jobs, so a call's reply is enough to go on; how its job ends is only reported.
 *
 * A target that we started is stopped without a question, for its job may not be done yet. Of any other it is asked
 * first whether it is active: after a start of the service one may be, and stopping what does not run would only fill the
 * journal. To start what runs changes nothing, and is how a service that was restarted finds its way back without a stop
 * in between. */
#include <stdio.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "service/bus-errors.h"
#include "service/journal.h"
#include "service/targets.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

#define CALL_TIMEOUT_USEC (25 * USEC_PER_SEC)
/* systemd is away from the bus while it executes itself anew, and may be busy: what failed is tried again, a few times. */
#define RETRY_USEC (5 * USEC_PER_SEC)

enum { RETRIES_MAX = 3 };

enum want {
        WANT_NOTHING,    /* leave both as they are */
        WANT_NONE,       /* stop both */
        WANT_MASTER,
        WANT_SLAVE,
        WANT_NOT_MASTER, /* slave to be: the data is not in place yet */
};

enum target { MASTER, SLAVE, TARGETS };

struct step {
        enum target target;
        bool start;
};

struct targets {
        sd_event *event;
        sd_bus *bus;
        sd_bus_slot *jobs, *call;
        sd_event_source *grace_timer, *retry_timer;
        bool enabled;
        bool absence_told;
        bool grace_running;
        uint64_t grace;
        unsigned retries;

        enum want wanted, done;
        bool started[TARGETS]; /* by us, and not stopped since */
        struct step plan[TARGETS];
        size_t n_plan;
        struct step current;

        char *job; /* the last one, whose end is reported */
        struct step job_step;
};

static const char *const units[TARGETS] = { [MASTER] = TARGET_MASTER, [SLAVE] = TARGET_SLAVE };

static const struct {
        struct step steps[TARGETS];
        size_t n;
} plans[] = {
        [WANT_NOTHING] = {},
        [WANT_NONE] = { { { MASTER, false }, { SLAVE, false } }, 2 },
        [WANT_MASTER] = { { { MASTER, true } }, 1 },
        [WANT_SLAVE] = { { { SLAVE, true } }, 1 },
        [WANT_NOT_MASTER] = { { { MASTER, false } }, 1 },
};

static void next_step(struct targets *t);
static void call_failed(struct targets *t, const char *name, const char *message);

/* ---- jobs ---- */

static const char *verb(const struct step *step) {
        return step->start ? "StartUnit" : "StopUnit";
}

static void report(const struct step *step, const char *name, const char *message) {
        _cleanup_free_ char *words = NULL;

        if (asprintf(&words, "%s: %s", verb(step), message) < 0)
                words = NULL;
        journal_target_failed(units[step->target], name, words);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct targets *t = userdata;
        const char *job, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) < 0 || !t->job || !streq(job, t->job))
                return 0;
        free(TAKE_PTR(t->job));
        if (streq(result, "done") || streq(result, "canceled"))
                log_debug("%s %s: %s", verb(&t->job_step), unit, result);
        else {
                _cleanup_free_ char *words = NULL;

                if (asprintf(&words, "its job ended with result \"%s\", see systemctl status %s", result,
                             units[t->job_step.target]) < 0)
                        words = NULL;
                report(&t->job_step, ERROR_FAILED, words ?: result);
        }
        return 0;
}

static int on_watched(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        if (sd_bus_message_is_method_error(m, NULL))
                log_warning("Cannot follow the jobs of the role targets: %s", sd_bus_message_get_error(m)->message);
        return 0;
}

/* Jobs are only announced to those who subscribed; it is done with the first call, when there surely is a connection. */
static void subscribe(struct targets *t) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        if (t->jobs)
                return;
        r = sd_bus_match_signal_async(t->bus, &t->jobs, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved", on_job_removed,
                                      on_watched, t);
        if (r >= 0)
                r = sd_bus_message_new_method_call(t->bus, &m, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = sd_bus_send(t->bus, m, NULL);
        if (r < 0)
                log_warning("Cannot follow the jobs of the role targets: %s", strerror(-r));
}

static int on_called(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct targets *t = userdata;
        const char *job;

        t->call = sd_bus_slot_unref(t->call);
        if (sd_bus_message_is_method_error(m, NULL)) {
                const sd_bus_error *e = sd_bus_message_get_error(m);

                call_failed(t, e->name, e->message ?: "");
        } else if (sd_bus_message_read(m, "o", &job) >= 0 && free_and_strdup(&t->job, job) >= 0)
                t->job_step = t->current;
        next_step(t);
        return 0;
}

static void start_or_stop(struct targets *t) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const struct step *step = &t->current;
        int r;

        subscribe(t);
        r = sd_bus_message_new_method_call(t->bus, &m, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, verb(step));
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", units[step->target], "replace");
        if (r >= 0)
                r = sd_bus_call_async(t->bus, &t->call, m, on_called, t, CALL_TIMEOUT_USEC);
        if (r < 0) {
                call_failed(t, ERROR_FAILED, strerror(-r));
                return;
        }
        if (step->start)
                t->started[MASTER] = t->started[SLAVE] = false; /* the other is stopped by the conflict */
        t->started[step->target] = step->start;
}

/* ---- whether there is anything to stop ---- */

static int on_active_state(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct targets *t = userdata;
        const char *state = "inactive";

        t->call = sd_bus_slot_unref(t->call);
        if (sd_bus_message_is_method_error(m, NULL)) {
                const sd_bus_error *e = sd_bus_message_get_error(m);

                /* No such unit is nothing to stop. */
                if (!sd_bus_error_has_names(e, SD_BUS_ERROR_UNKNOWN_OBJECT, SYSTEMD ".NoSuchUnit"))
                        call_failed(t, e->name, e->message ?: "");
        } else if (sd_bus_message_read(m, "v", "s", &state) >= 0 && !streq(state, "inactive") && !streq(state, "failed"))
                start_or_stop(t);
        next_step(t);
        return 0;
}

static void stop_if_active(struct targets *t) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", units[t->current.target], &path);
        if (r >= 0)
                r = sd_bus_message_new_method_call(t->bus, &m, SYSTEMD, path, "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", SYSTEMD ".Unit", "ActiveState");
        if (r >= 0)
                r = sd_bus_call_async(t->bus, &t->call, m, on_active_state, t, CALL_TIMEOUT_USEC);
        if (r < 0)
                call_failed(t, ERROR_FAILED, strerror(-r));
}

/* ---- plans ---- */

/* The rest of the plan goes with it: it is made anew. */
static void call_failed(struct targets *t, const char *name, const char *message) {
        const sd_bus_error e = SD_BUS_ERROR_MAKE_CONST(name, message);

        if (sd_bus_error_has_names(&e, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
                if (!t->absence_told)
                        log_info("No systemd on this bus: the role targets are left alone");
                t->absence_told = true;
        } else if (t->retries == 0)
                report(&t->current, name, message);
        t->n_plan = 0;
        if (t->wanted != t->done || t->retries >= RETRIES_MAX)
                return;
        t->retries++;
        (void) sd_event_source_set_time(t->retry_timer, now_monotonic() + RETRY_USEC);
        (void) sd_event_source_set_enabled(t->retry_timer, SD_EVENT_ONESHOT);
}

static void next_step(struct targets *t) {
        if (t->call)
                return;
        if (t->n_plan == 0) {
                if (t->wanted == WANT_NOTHING || t->wanted == t->done)
                        return;
                /* A slave that is given another master keeps what hangs on its role until the role says otherwise. */
                if (t->wanted == WANT_NOT_MASTER && t->done == WANT_SLAVE)
                        return;
                memcpy(t->plan, plans[t->wanted].steps, sizeof(t->plan));
                t->n_plan = plans[t->wanted].n;
                t->done = t->wanted;
        }
        t->current = t->plan[0];
        t->plan[0] = t->plan[1];
        t->n_plan--;
        if (t->current.start || t->started[t->current.target])
                start_or_stop(t);
        else
                stop_if_active(t);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata) {
        struct targets *t = userdata;

        t->done = WANT_NOTHING;
        next_step(t);
        return 0;
}

static void want(struct targets *t, enum want want) {
        if (t->wanted != want) {
                t->retries = 0;
                (void) sd_event_source_set_enabled(t->retry_timer, SD_EVENT_OFF);
        }
        t->wanted = want;
        next_step(t);
}

static int on_grace(sd_event_source *s, uint64_t usec, void *userdata) {
        want(userdata, WANT_NONE);
        return 0;
}

static void stop_grace(struct targets *t) {
        t->grace_running = false;
        (void) sd_event_source_set_enabled(t->grace_timer, SD_EVENT_OFF);
}

static void start_grace(struct targets *t) {
        if (t->grace_running)
                return;
        t->grace_running = true;
        (void) sd_event_source_set_time(t->grace_timer, usec_add(now_monotonic(), t->grace));
        (void) sd_event_source_set_enabled(t->grace_timer, SD_EVENT_ONESHOT);
}

void targets_update(struct targets *t, enum ha_state state, bool synchronizing) {
        if (!t->enabled)
                return;
        if (state == HA_STATE_UNKNOWN) {
                start_grace(t);
                return;
        }
        stop_grace(t);
        if (state == HA_STATE_MASTER)
                want(t, WANT_MASTER);
        else if (state == HA_STATE_NONE)
                want(t, WANT_NONE);
        else
                want(t, synchronizing ? WANT_NOT_MASTER : WANT_SLAVE);
}

void targets_configure(struct targets *t, bool enabled, uint64_t grace) {
        t->grace = grace;
        if (t->enabled == enabled)
                return;
        t->enabled = enabled;
        /* What was done before it was turned off may have been undone by hand since. */
        t->wanted = t->done = WANT_NOTHING;
        t->started[MASTER] = t->started[SLAVE] = false;
        stop_grace(t);
        (void) sd_event_source_set_enabled(t->retry_timer, SD_EVENT_OFF);
}

int targets_new(struct targets **ret, sd_event *event, sd_bus *bus) {
        _cleanup_(targets_freep) struct targets *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        t->event = sd_event_ref(event);
        t->bus = sd_bus_ref(bus);
        r = sd_event_add_time(event, &t->grace_timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_grace, t);
        if (r >= 0)
                r = sd_event_add_time(event, &t->retry_timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_retry, t);
        if (r < 0)
                return r;
        (void) sd_event_source_set_enabled(t->grace_timer, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(t->retry_timer, SD_EVENT_OFF);
        *ret = TAKE_PTR(t);
        return 0;
}

struct targets *targets_free(struct targets *t) {
        if (!t)
                return NULL;
        sd_bus_slot_unref(t->jobs);
        sd_bus_slot_unref(t->call);
        sd_event_source_disable_unref(t->grace_timer);
        sd_event_source_disable_unref(t->retry_timer);
        sd_bus_unref(t->bus);
        sd_event_unref(t->event);
        free(t->job);
        free(t);
        return NULL;
}
