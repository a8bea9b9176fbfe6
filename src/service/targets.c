/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the wish that systemd's role targets follow the role, until it is so.
 *
 * The role gives each target a goal: up, down, or left alone. Going from one role to the other is a single StartUnit: the
 * targets conflict, and are ordered, so that systemd stops what hangs on the one before it starts what hangs on the other.
 * One call is under way at a time; what is wanted meanwhile comes after it, and only the last of it.
 *
 * A target that we started is stopped without a question, for its job may not be done yet. Of any other it is asked
 * first whether it is active: after a start of the service one may be, and stopping what does not run would only fill the
 * journal. To start what runs changes nothing, and is how a service that was restarted finds its way back without a stop
 * in between.
 *
 * A target that comes or goes without us is seen, and treated like a call that failed: it is told, and tried again after a
 * while, for an administrator may be at it; at once when an order or a reload says again what is wanted. */
#include <stdio.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "service/bus-errors.h"
#include "service/journal.h"
#include "service/target-units.h"
#include "service/targets.h"

enum want {
        WANT_NOTHING,    /* leave both as they are */
        WANT_NONE,       /* stop both */
        WANT_MASTER,
        WANT_SLAVE,
        WANT_NOT_MASTER, /* slave to be: the data is not in place yet */
};

enum goal { LEAVE, UP, DOWN };

struct targets {
        sd_event_source *grace_timer, *retry_timer;
        struct target_units *units;
        targets_changed_fn changed;
        void *userdata;

        bool enabled;
        bool absent;     /* there is no systemd on this bus */
        bool absence_told;
        bool grace_running;
        uint64_t grace;
        uint64_t delay;  /* of the next retry */
        uint64_t up_since;

        enum want wanted;
        enum goal goals[TARGETS];
        struct {
                bool settled;   /* what is to be asked for its goal has been */
                bool started;   /* by us, and not stopped since */
                bool look;      /* it is to be asked whether it is so */
                bool job;       /* whose end is awaited */
                bool again;     /* if it is not so, it is tried at once */
                bool undone;    /* it was so, and is not any more: to be told when the question under way is answered */
                enum unit_state state;
        } unit[TARGETS];
        enum target current; /* of the call under way */
        bool current_starts, current_asks;

        char *failure;     /* why it is not as it is wanted */
        char *description; /* as it was told last */
};

static const enum goal goals_of[][TARGETS] = {
        [WANT_NOTHING] = { LEAVE, LEAVE },
        [WANT_NONE] = { [TARGET_MASTER] = DOWN, [TARGET_SLAVE] = DOWN },
        [WANT_MASTER] = { [TARGET_MASTER] = UP, [TARGET_SLAVE] = LEAVE },
        [WANT_SLAVE] = { [TARGET_MASTER] = LEAVE, [TARGET_SLAVE] = UP },
        [WANT_NOT_MASTER] = { [TARGET_MASTER] = DOWN, [TARGET_SLAVE] = LEAVE },
};

/* ---- what is told ---- */

static bool is_so(const struct targets *t, enum target target) {
        switch (t->goals[target]) {
        case LEAVE:
                return true;
        case UP:
                return t->unit[target].state == UNIT_UP;
        case DOWN:
                return t->unit[target].state == UNIT_DOWN;
        }
        return true;
}

static bool all_is_so(const struct targets *t) {
        return is_so(t, TARGET_MASTER) && is_so(t, TARGET_SLAVE);
}

static const char *describe(const struct targets *t) {
        bool up = t->goals[TARGET_MASTER] == UP || t->goals[TARGET_SLAVE] == UP;

        if (!t->enabled || t->absent || t->wanted == WANT_NOTHING)
                return "off";
        if (t->failure)
                return t->failure;
        if (all_is_so(t))
                return up ? "reached" : "off";
        return up ? "starting" : "stopping";
}

static void tell(struct targets *t) {
        const char *now = describe(t);

        if (streq(now, t->description) || free_and_strdup(&t->description, now) < 0)
                return;
        t->changed(t->userdata);
}

const char *targets_describe(const struct targets *t) {
        return t->description;
}

/* ---- what fails ---- */

static void set_retry(struct targets *t, uint64_t delay) {
        (void) sd_event_source_set_time(t->retry_timer, usec_add(now_monotonic(), delay));
        (void) sd_event_source_set_enabled(t->retry_timer, SD_EVENT_ONESHOT);
}

static void succeeded(struct targets *t, enum target target) {
        if (t->failure)
                log_info("%s is %s after all", target_names[target], t->goals[target] == UP ? "up" : "down");
        free(TAKE_PTR(t->failure));
        t->up_since = now_monotonic();
        (void) sd_event_source_set_enabled(t->retry_timer, SD_EVENT_OFF);
}

/* The same reason is logged once. What is wrong right after it was right is no reason to be quicker. */
_printf_(4, 5) static void failed(struct targets *t, enum target target, const char *name, const char *format, ...) {
        _cleanup_free_ char *words = NULL, *failure = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&words, format, ap);
        va_end(ap);
        if (n < 0)
                words = NULL;
        else if (asprintf(&failure, "failed: %s: %s", target_names[target], words) < 0)
                failure = NULL;
        if (failure && (!t->failure || !streq(t->failure, failure))) {
                journal_target_failed(target_names[target], name, words);
                free(t->failure);
                t->failure = TAKE_PTR(failure);
        }
        if (t->up_since > 0 && now_monotonic() - t->up_since > TARGETS_RETRY_MAX_USEC)
                t->delay = TARGETS_RETRY_MIN_USEC;
        t->up_since = 0;
        set_retry(t, t->delay);
        t->delay = MIN(t->delay * 2, TARGETS_RETRY_MAX_USEC);
}

static void failed_from_outside(struct targets *t, enum target target) {
        failed(t, target, ERROR_FAILED, "it was %s from outside", t->goals[target] == UP ? "stopped" : "started");
}

/* ---- steps ---- */

/* The next call for this target, if there is one to make. */
static int step(struct targets *t, enum target target) {
        enum goal goal = t->goals[target];
        int r;

        t->current = target;
        t->current_starts = t->current_asks = false;
        if (t->unit[target].look) {
                t->unit[target].look = false;
                t->current_asks = true;
                r = target_units_ask(t->units, target);
        } else if (goal == LEAVE || t->unit[target].settled)
                return 0;
        else if (goal == UP) {
                t->unit[target].settled = t->unit[target].started = t->current_starts = true;
                t->unit[!target].started = false; /* it is stopped by the conflict */
                t->unit[target].state = t->unit[!target].state = UNIT_UNKNOWN;
                r = target_units_start(t->units, target);
        } else if (!t->unit[target].started && t->unit[target].state == UNIT_UNKNOWN) {
                t->current_asks = true;
                r = target_units_ask(t->units, target);
        } else {
                t->unit[target].settled = true;
                if (!t->unit[target].started && t->unit[target].state == UNIT_DOWN)
                        return 0;
                t->unit[target].started = false;
                t->unit[target].state = UNIT_UNKNOWN;
                r = target_units_stop(t->units, target);
        }
        if (r < 0)
                failed(t, target, ERROR_FAILED, "systemd cannot be asked: %s", strerror(-r));
        return 1;
}

static void go_on(struct targets *t) {
        if (!t->enabled || target_units_busy(t->units))
                return;
        for (enum target target = 0; target < TARGETS; target++)
                if (step(t, target) > 0)
                        break;
        tell(t);
}

/* Its state has been asked for, and is known. */
static void judge(struct targets *t, enum target target) {
        bool again = t->unit[target].again, undone = t->unit[target].undone;

        t->unit[target].again = t->unit[target].undone = false;
        if (t->goals[target] == LEAVE || !t->unit[target].settled || t->unit[target].job)
                return;
        if (all_is_so(t)) {
                succeeded(t, target);
                return;
        }
        if (is_so(t, target))
                return;
        if (undone)
                failed_from_outside(t, target);
        else if (t->unit[target].state == UNIT_COMING || t->unit[target].state == UNIT_GOING)
                return;
        if (again)
                t->unit[target].settled = false;
        else if (!undone)
                failed(t, target, ERROR_FAILED, "%s", t->goals[target] == UP
                                                              ? "it is down although it was started; see systemctl status"
                                                              : "it is up although it was stopped; see systemctl status");
}

static void on_answered(void *userdata, const struct unit_answer *answer) {
        static const char *const names[] = { "StopUnit", "StartUnit", "ActiveState" };
        struct targets *t = userdata;
        enum target target = t->current;
        enum { STOP, START, ASK } what = t->current_asks ? ASK : t->current_starts ? START : STOP;

        t->current_asks = false;
        if (answer->absent) {
                if (!t->absence_told)
                        log_info("No systemd on this bus: the role targets are left alone");
                t->absent = t->absence_told = true;
                tell(t);
                return; /* until it comes */
        }
        t->absent = false;
        if (answer->name) {
                /* What was to come after it is not done either: all of it is tried again. */
                t->unit[target].started = false;
                t->unit[target].settled = true;
                if (t->goals[target] != LEAVE)
                        failed(t, target, answer->name, "%s: %s", names[what],
                               isempty(answer->message) ? answer->name : answer->message);
        } else if (what == ASK)
                judge(t, target);
        else
                t->unit[target].job = true;
        go_on(t);
}

static void on_observed(void *userdata, enum target target, enum unit_state state) {
        struct targets *t = userdata;
        bool was_so = is_so(t, target), counts, undone;

        t->unit[target].state = state;
        if (is_so(t, target))
                t->unit[target].job = false;
        counts = t->goals[target] != LEAVE && t->unit[target].settled;
        undone = counts && was_so && !is_so(t, target) && !t->unit[target].job;
        if (t->current_asks && target == t->current) {
                t->unit[target].undone = t->unit[target].undone || undone;
                return; /* for judge() */
        }
        if (undone)
                failed_from_outside(t, target);
        else if (counts && all_is_so(t) && !was_so)
                succeeded(t, target);
        tell(t);
}

static void on_job_ended(void *userdata, enum target target, const char *result) {
        struct targets *t = userdata;

        t->unit[target].job = false;
        if (streq(result, "done") || streq(result, "canceled"))
                t->unit[target].look = t->goals[target] != LEAVE;
        else if (t->goals[target] != LEAVE && t->unit[target].settled)
                failed(t, target, ERROR_FAILED, "its job ended with result \"%s\", see systemctl status %s", result,
                       target_names[target]);
        go_on(t);
}

static void unsettle(struct targets *t) {
        for (enum target target = 0; target < TARGETS; target++) {
                t->unit[target].settled = t->unit[target].job = false;
                t->unit[target].state = UNIT_UNKNOWN;
        }
}

static void on_returned(void *userdata) {
        struct targets *t = userdata;

        t->absent = false;
        unsettle(t);
        go_on(t);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata) {
        struct targets *t = userdata;

        unsettle(t);
        go_on(t);
        return 0;
}

/* ---- what is wanted ---- */

static void want(struct targets *t, enum want want) {
        /* A slave that is given another master keeps what hangs on its role until the role says otherwise. */
        if (t->wanted == want || (want == WANT_NOT_MASTER && t->wanted == WANT_SLAVE)) {
                tell(t);
                return;
        }
        t->wanted = want;
        for (enum target target = 0; target < TARGETS; target++) {
                if (t->goals[target] == goals_of[want][target])
                        continue;
                t->goals[target] = goals_of[want][target];
                t->unit[target].settled = t->unit[target].job = false;
        }
        free(TAKE_PTR(t->failure));
        t->delay = TARGETS_RETRY_MIN_USEC;
        (void) sd_event_source_set_enabled(t->retry_timer, SD_EVENT_OFF);
        target_units_watch(t->units);
        go_on(t);
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

void targets_again(struct targets *t) {
        t->delay = TARGETS_RETRY_MIN_USEC;
        for (enum target target = 0; target < TARGETS; target++) {
                if (t->goals[target] == LEAVE || !t->unit[target].settled || t->unit[target].job)
                        continue;
                if (t->failure)
                        t->unit[target].settled = false;
                else
                        t->unit[target].look = t->unit[target].again = true;
        }
        go_on(t);
}

void targets_configure(struct targets *t, bool enabled, uint64_t grace) {
        t->grace = grace;
        if (t->enabled == enabled)
                return;
        t->enabled = enabled;
        /* What was done before it was turned off may have been undone by hand since. */
        t->wanted = WANT_NOTHING;
        memcpy(t->goals, goals_of[WANT_NOTHING], sizeof(t->goals));
        memset(t->unit, 0, sizeof(t->unit));
        free(TAKE_PTR(t->failure));
        stop_grace(t);
        (void) sd_event_source_set_enabled(t->retry_timer, SD_EVENT_OFF);
        target_units_unwatch(t->units);
        tell(t);
}

/* ---- targets ---- */

static const struct target_units_handlers handlers = {
        .answered = on_answered,
        .observed = on_observed,
        .job_ended = on_job_ended,
        .returned = on_returned,
};

int targets_new(struct targets **ret, sd_event *event, sd_bus *bus, targets_changed_fn changed, void *userdata) {
        _cleanup_(targets_freep) struct targets *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        t->changed = changed;
        t->userdata = userdata;
        t->delay = TARGETS_RETRY_MIN_USEC;
        t->description = strdup("off");
        if (!t->description)
                return -ENOMEM;
        r = target_units_new(&t->units, bus, &handlers, t);
        if (r >= 0)
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
        target_units_free(t->units);
        sd_event_source_disable_unref(t->grace_timer);
        sd_event_source_disable_unref(t->retry_timer);
        free(t->failure);
        free(t->description);
        free(t);
        return NULL;
}
