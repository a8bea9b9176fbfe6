/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the steps of a switchover. The one rule above all: no node is made master while another one may be it. Where an
 * outcome is not known, it is asked for; where it cannot be known, nothing more is done, and that is told. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/bus-error.h"
#include "ctl/colour.h"
#include "ctl/complain.h"
#include "ctl/switchover.h"
#include "ctl/text.h"

enum outcome { OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_UNKNOWN };

static void begin_step(const struct member *m, const char *words) {
        _cleanup_free_ char *printable = text_printable(words), *host = text_printable(member_name(m));

        printf("%s: %s ... ", host ?: "?", printable ?: "?");
        (void) fflush(stdout);
}

static void end_step(uint64_t since, enum outcome outcome, const char *words) {
        static const enum colour colours[] = { COLOUR_GOOD, COLOUR_BAD, COLOUR_BUSY };
        _cleanup_free_ char *printable = text_printable(words);
        char span[TEXT_TIME_MAX];
        uint64_t usec = now_monotonic() - since;

        printf("%s%s%s (%s)\n", colour_out(colours[outcome]), printable ?: "?", colour_out(COLOUR_NONE),
               text_timespan(usec - usec % USEC_PER_MSEC, span));
        (void) fflush(stdout);
}

/* An order with up to four arguments that are strings, the last of a BeSlave being the truth value. */
static enum outcome order(struct switchover *s, struct member *m, const char *words, const char *method, const char *arg1,
                          const char *arg2, const char *arg3) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        const char *args[] = { arg1, arg2, arg3 };
        uint64_t begun = now_monotonic();
        enum outcome outcome = OUTCOME_DONE;
        int r;

        begin_step(m, words);
        r = m->bus ? sd_bus_message_new_method_call(m->bus, &call, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, method) : -ENOTCONN;
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(args) && args[i]; i++)
                r = sd_bus_message_append_basic(call, 's', args[i]);
        if (r >= 0 && streq(method, "BeSlave"))
                r = sd_bus_message_append(call, "b", false);
        if (r < 0) {
                end_step(begun, OUTCOME_FAILED, strerror(-r));
                return OUTCOME_FAILED;
        }
        r = sd_bus_call(m->bus, call, s->step_usec, &error, NULL);
        if (r < 0) {
                enum ctl_exit status = bus_error_status(&error, r);

                /* Refused is refused; what was lost on the way may have arrived. */
                outcome = status == CTL_TIMED_OUT || status == CTL_NOT_THERE ? OUTCOME_UNKNOWN : OUTCOME_FAILED;
        }
        end_step(begun, outcome, outcome == OUTCOME_DONE ? "done" : error.message ?: strerror(-r));
        return outcome;
}

/* What ConfD says there now; NULL if nobody can say. To be freed. */
static char *ask_state(struct switchover *s, struct member *m) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *state;

        if (!m->bus || sd_bus_call_method(m->bus, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, "Status", NULL, &reply, NULL) < 0 ||
            sd_bus_message_read(reply, "s", &state) < 0)
                return NULL;
        return strdup(state);
}

/* be-none, and certainty about it. */
static enum outcome make_none(struct switchover *s, struct member *m) {
        enum outcome outcome = order(s, m, "be-none", "BeNone", NULL, NULL, NULL);
        _cleanup_free_ char *state = outcome == OUTCOME_UNKNOWN ? ask_state(s, m) : NULL;

        if (outcome != OUTCOME_UNKNOWN || !state)
                return outcome;
        /* An order that may still be under way could end it later: that does no harm here. One that has not come is none. */
        return streq(state, "none") ? OUTCOME_DONE : OUTCOME_UNKNOWN;
}

static bool is_down(struct cluster *cluster, void *userdata) {
        const struct member *m = userdata;
        const char *targets = m->picture.targets;

        if (m->state == MEMBER_FAILED)
                return true;
        return isempty(targets) || streq(targets, "off") || strncmp(targets, "failed", strlen("failed")) == 0;
}

/* What hung on the master's target is down. */
static bool target_is_down(struct switchover *s) {
        uint64_t begun = now_monotonic();
        const char *targets;
        bool down;

        if (is_down(s->cluster, s->from) && s->from->state == MEMBER_KNOWN && isempty(s->from->picture.targets))
                return true;
        begin_step(s->from, "its role target goes down");
        down = cluster_run_until(s->cluster, is_down, s->from, s->step_usec) >= 0 && s->from->state == MEMBER_KNOWN;
        targets = s->from->picture.targets ?: "not told";
        down = down && strncmp(targets, "failed", strlen("failed")) != 0;
        end_step(begun, down ? OUTCOME_DONE : OUTCOME_FAILED, down ? "done" : targets);
        return down;
}

static enum ctl_exit stop_unknown(struct switchover *s, const struct member *m) {
        complain(s->cluster->c, CTL_ERROR_TIMEOUT, "confd-hactl cluster shows how things are; then give the orders by hand.",
                 "It is not known whether %s is master, so no other node is made master.", member_name(m));
        return CTL_TIMED_OUT;
}

/* The old master is master again, and those that followed it follow it again. */
static enum ctl_exit roll_back(struct switchover *s) {
        enum outcome outcome;
        _cleanup_free_ char *words = NULL, *printable = text_printable(s->from_id);
        bool followed = true;

        printf("Back to %s:\n", printable ?: "?");
        if (asprintf(&words, "be-master %s", s->from_id) < 0)
                return CTL_FAILED;
        outcome = order(s, s->from, words, "BeMaster", s->from_id, NULL, NULL);
        if (outcome == OUTCOME_UNKNOWN)
                return stop_unknown(s, s->from);
        if (outcome == OUTCOME_FAILED) {
                complain(s->cluster->c, CTL_ERROR_FAILED, "confd-hactl cluster shows how things are; then give the orders by hand.",
                         "There is no master: neither could %s become it, nor can %s be it again.", member_name(s->to),
                         member_name(s->from));
                return CTL_FAILED;
        }
        for (size_t i = 0; i < s->cluster->n_members; i++) {
                _cleanup_free_ char *line = NULL;

                if (s->cluster->members[i] == s->from)
                        continue;
                if (isempty(s->from_address) ||
                    asprintf(&line, "be-slave %s %s %s", s->ids[i], s->from_id, s->from_address) < 0) {
                        followed = false;
                        continue;
                }
                followed = order(s, s->cluster->members[i], line, "BeSlave", s->ids[i], s->from_id, s->from_address) ==
                                   OUTCOME_DONE && followed;
        }
        complain(s->cluster->c, CTL_ERROR_FAILED, NULL, "Not switched over: %s is master again%s.", member_name(s->from),
                 followed ? "" : ", but not all follow it");
        return CTL_FAILED;
}

/* TO becomes master, if its data was in sync to the end. */
static enum outcome take_over(struct switchover *s) {
        _cleanup_free_ char *words = NULL, *state = NULL;
        enum outcome outcome;

        if (asprintf(&words, "take-over %s %s", s->to_id, s->from_id) < 0)
                return OUTCOME_FAILED;
        outcome = order(s, s->to, words, "TakeOver", s->to_id, s->from_id, NULL);
        if (outcome != OUTCOME_UNKNOWN)
                return outcome;
        state = ask_state(s, s->to);
        if (state && streq(state, "master"))
                return OUTCOME_DONE;
        /* It may still come: be-none ends what is under way, and only when that is certain the other may be master again. */
        return make_none(s, s->to) == OUTCOME_DONE ? OUTCOME_FAILED : OUTCOME_UNKNOWN;
}

struct following {
        struct switchover *s;
        bool *waited_for;
};

static bool all_follow(struct cluster *cluster, void *userdata) {
        const struct following *f = userdata;

        for (size_t i = 0; i < cluster->n_members; i++) {
                const struct picture *p = &cluster->members[i]->picture;

                if (f->waited_for[i] && cluster->members[i]->state == MEMBER_KNOWN && !picture_is_synced(p) &&
                    !picture_has_failed(p, USEC_INFINITY))
                        return false;
        }
        return true;
}

/* The others, the old master among them, follow the new one; their data is the same, so that takes a moment. */
static enum ctl_exit follow(struct switchover *s) {
        struct cluster *cluster = s->cluster;
        _cleanup_free_ bool *ordered = calloc(cluster->n_members, sizeof(*ordered));
        struct following f = { s, ordered };
        enum ctl_exit status = CTL_DONE;
        uint64_t begun;

        if (!ordered)
                return CTL_FAILED;
        for (size_t i = 0; i < cluster->n_members; i++) {
                struct member *m = cluster->members[i];
                const char *id = s->ids[i];
                _cleanup_free_ char *line = NULL;

                if (m == s->to || asprintf(&line, "be-slave %s %s %s", id, s->to_id, s->to_address) < 0)
                        continue;
                ordered[i] = order(s, m, line, "BeSlave", id, s->to_id, s->to_address) == OUTCOME_DONE;
                if (!ordered[i])
                        status = CTL_FAILED;
        }
        begun = now_monotonic();
        begin_step(s->to, "waits for those that follow");
        if (cluster_run_until(cluster, all_follow, &f, s->step_usec) == -ETIMEDOUT) {
                end_step(begun, OUTCOME_UNKNOWN, "some are still copying");
                complain(cluster->c, CTL_ERROR_TIMEOUT, "confd-hactl cluster --watch shows when it is done.",
                         "%s is master; not all are in sync yet.", member_name(s->to));
                return CTL_TIMED_OUT;
        }
        for (size_t i = 0; i < cluster->n_members; i++)
                if (ordered[i] && !picture_is_synced(&cluster->members[i]->picture))
                        status = CTL_FAILED;
        end_step(begun, status == CTL_DONE ? OUTCOME_DONE : OUTCOME_FAILED, status == CTL_DONE ? "done" : "not all follow");
        if (status != CTL_DONE)
                complain(cluster->c, CTL_ERROR_FAILED, "confd-hactl cluster shows which, and why.",
                         "%s is master, but not all follow it.", member_name(s->to));
        return status;
}

enum ctl_exit switchover_run(struct switchover *s) {
        enum outcome outcome;

        outcome = make_none(s, s->from);
        if (outcome == OUTCOME_UNKNOWN)
                return stop_unknown(s, s->from);
        if (outcome == OUTCOME_FAILED) {
                complain(s->cluster->c, CTL_ERROR_FAILED, NULL, "Not switched over: nothing was changed.");
                return CTL_FAILED;
        }
        if (!target_is_down(s))
                return roll_back(s);
        outcome = take_over(s);
        if (outcome == OUTCOME_UNKNOWN)
                return stop_unknown(s, s->to);
        return outcome == OUTCOME_FAILED ? roll_back(s) : follow(s);
}
