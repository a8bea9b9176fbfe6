/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the writing of structured journal entries. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/queue.h>

#include "basic/log.h"
#include "basic/message-ids.h"
#include "basic/time-util.h"
#include "service/journal.h"
#include "service/refusals.h"

struct journal {
        sd_bus *bus;
        sd_event_source *timer; /* for the refusals that are not told */
        struct refusals refusals;
        size_t n_asking;
        uint64_t no_units_until; /* systemd does not answer */
        LIST_HEAD(, journal_order) orders; /* those that have not been written */
        enum failure_kind outage;          /* what was last said of one; SUCCESS when connected */
};

struct journal_order {
        LIST_ENTRY(journal_order) orders;
        struct journal *journal;
        char *method;
        char *node_id, *master_id, *master_address;
        uint64_t started, duration;
        struct caller caller;
        sd_bus_slot *asking;
        char *unit;
        bool held; /* it is being given, and the question for the unit comes after */
        bool ended;
        struct failure outcome;
};

/* ---- fields ---- */

enum { FIELDS_MAX = 16 };

struct fields {
        char *f[FIELDS_MAX];
        size_t n;
};

static void fields_done(struct fields *f) {
        for (size_t i = 0; i < f->n; i++)
                free(f->f[i]);
}

/* Leaves out what is empty, and what there is no memory for. */
static void add(struct fields *f, const char *name, const char *value) {
        if (isempty(value) || f->n == FIELDS_MAX)
                return;
        if (asprintf(&f->f[f->n], "%s=%s", name, value) >= 0)
                f->n++;
}

static void add_number(struct fields *f, const char *name, uint64_t value) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, value);
        add(f, name, text);
}

static void add_failure(struct fields *f, const struct failure *failure) {
        add(f, CONFD_HA_FIELD_RESULT, failure_name(failure) ?: "done");
        if (failure_is_set(failure))
                add(f, CONFD_HA_FIELD_ERROR, failure->message);
}

static void add_caller(struct fields *f, const struct caller *c, const char *unit) {
        if (!c || !c->known)
                return;
        add_number(f, CONFD_HA_FIELD_SENDER_UID, c->uid);
        if (c->pid > 0)
                add_number(f, CONFD_HA_FIELD_SENDER_PID, (uint64_t) c->pid);
        add(f, CONFD_HA_FIELD_SENDER_UNIT, unit);
}

#define ENTRY(level, always, id, fields, ...) \
        log_struct(level, always, id, (const char *const *) (fields)->f, (fields)->n, __VA_ARGS__)

/* ---- orders ---- */

static struct journal_order *journal_order_free(struct journal_order *o) {
        LIST_REMOVE(o, orders);
        if (o->asking)
                o->journal->n_asking--;
        sd_bus_slot_unref(o->asking);
        free(o->method);
        free(o->node_id);
        free(o->master_id);
        free(o->master_address);
        free(o->unit);
        failure_done(&o->outcome);
        free(o);
        return NULL;
}

static void describe(const struct journal_order *o, char *buf, size_t size) {
        if (o->master_id)
                snprintf(buf, size, "%s %s of %s (%s)", o->method, o->node_id, o->master_id, o->master_address);
        else if (o->node_id)
                snprintf(buf, size, "%s %s", o->method, o->node_id);
        else
                snprintf(buf, size, "%s", o->method);
}

static void write_order(struct journal_order *o) {
        _cleanup_(fields_done) struct fields f = {};
        bool failed = failure_is_set(&o->outcome);
        char what[512], who[320] = "somebody";

        add(&f, CONFD_HA_FIELD_METHOD, o->method);
        add_failure(&f, &o->outcome);
        add_number(&f, CONFD_HA_FIELD_DURATION_USEC, o->duration);
        add(&f, streq(o->method, "SlaveDead") ? CONFD_HA_FIELD_PEER_ID : CONFD_HA_FIELD_NODE_ID, o->node_id);
        add(&f, CONFD_HA_FIELD_MASTER_ID, o->master_id);
        add(&f, CONFD_HA_FIELD_MASTER_ADDRESS, o->master_address);
        add_caller(&f, &o->caller, o->unit);

        describe(o, what, sizeof(what));
        if (o->caller.known)
                snprintf(who, sizeof(who), "uid %u, pid %d%s%s", (unsigned) o->caller.uid, (int) o->caller.pid,
                         o->unit ? ", " : "", o->unit ?: "");
        if (failed)
                ENTRY(LOG_WARNING, /* always= */ true, CONFD_HA_MSG_ORDER_FAILED, &f, "%s, ordered by %s, failed: %s: %s", what,
                      who, failure_name(&o->outcome), o->outcome.message ?: "");
        else
                ENTRY(LOG_INFO, /* always= */ true, CONFD_HA_MSG_ORDER, &f, "%s, ordered by %s, is done", what, who);
        journal_order_free(o);
}

static bool is_late(sd_bus_message *m) {
        return sd_bus_error_has_names(sd_bus_message_get_error(m), SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT);
}

static int on_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct journal_order *o = userdata;
        _cleanup_free_ char *unit = NULL;
        const char *path;

        o->asking = sd_bus_slot_unref(o->asking);
        o->journal->n_asking--;
        /* The bus still counts the question among those that we have open: not one more each time. */
        if (is_late(m))
                o->journal->no_units_until = usec_add(now_monotonic(), JOURNAL_NO_UNITS_USEC);
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "o", &path) >= 0 &&
            sd_bus_path_decode(path, "/org/freedesktop/systemd1/unit", &unit) > 0)
                o->unit = TAKE_PTR(unit);
        if (o->ended)
                write_order(o);
        return 0;
}

static int ask_unit(struct journal_order *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        if (!o->caller.known || o->caller.pid <= 0 || o->asking || o->journal->n_asking >= JOURNAL_UNITS_MAX ||
            now_monotonic() < o->journal->no_units_until)
                return 0;
        r = sd_bus_message_new_method_call(o->journal->bus, &m, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                           "org.freedesktop.systemd1.Manager", "GetUnitByPID");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "u", (uint32_t) o->caller.pid);
        if (r >= 0)
                r = sd_bus_call_async(o->journal->bus, &o->asking, m, on_unit, o, JOURNAL_UNIT_USEC);
        if (r >= 0)
                o->journal->n_asking++;
        return r;
}

struct journal_order *journal_order_begin(struct journal *j, const char *method, const struct authorize_details *details) {
        struct journal_order *o = calloc(1, sizeof(*o));

        if (!o)
                return NULL;
        LIST_INSERT_HEAD(&j->orders, o, orders);
        o->journal = j;
        o->started = now_monotonic();
        if (free_and_strdup(&o->method, method) < 0 || free_and_strdup(&o->node_id, details->node_id) < 0 ||
            free_and_strdup(&o->master_id, details->master_id) < 0 ||
            free_and_strdup(&o->master_address, details->master_address) < 0)
                return journal_order_free(o);
        return o;
}

void journal_order_caller(struct journal_order *o, const struct caller *caller) {
        if (!o)
                return;
        o->caller = *caller;
}

void journal_order_accepted(struct journal_order *o) {
        if (o)
                o->held = true;
}

void journal_order_given(struct journal_order *o) {
        if (!o)
                return;
        o->held = false;
        if (!o->ended)
                (void) ask_unit(o);
        else if (!o->asking)
                write_order(o);
}

void journal_order_end(struct journal_order *o, const struct failure *failure) {
        if (!o)
                return;
        o->ended = true;
        o->duration = now_monotonic() - o->started;
        o->outcome = failure_copy(failure);
        /* Its reply is next, and its caller goes with that. */
        if (o->held)
                (void) ask_unit(o);
        else if (!o->asking)
                write_order(o);
}

/* ---- refusals ---- */

static void tell_untold(void *userdata, bool known, uid_t uid, uint64_t untold, uint64_t usec) {
        _cleanup_(fields_done) struct fields f = {};
        const struct caller caller = { .known = known, .uid = uid };
        char who[32] = "of several users";

        add_number(&f, CONFD_HA_FIELD_COUNT, untold);
        add_number(&f, CONFD_HA_FIELD_DURATION_USEC, usec);
        add_caller(&f, &caller, NULL);
        if (known)
                snprintf(who, sizeof(who), "of uid %u", (unsigned) uid);
        ENTRY(LOG_WARNING, /* always= */ true, CONFD_HA_MSG_REFUSALS, &f, "%" PRIu64 " more calls %s were denied or refused within "
              "%" PRIu64 " s, without entries of their own", untold, who, usec / USEC_PER_SEC);
}

static void watch_untold(struct journal *j) {
        uint64_t deadline = refusals_deadline(&j->refusals);

        (void) sd_event_source_set_time(j->timer, deadline);
        (void) sd_event_source_set_enabled(j->timer, deadline == USEC_INFINITY ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_window_end(sd_event_source *s, uint64_t usec, void *userdata) {
        struct journal *j = userdata;

        refusals_end(&j->refusals, now_monotonic(), tell_untold, j);
        watch_untold(j);
        return 0;
}

static bool may_tell(struct journal *j, const struct caller *caller) {
        uint64_t now = now_monotonic();
        bool tell;

        refusals_end(&j->refusals, now, tell_untold, j);
        tell = refusals_count(&j->refusals, caller->known, caller->privileged, caller->uid, now);
        watch_untold(j);
        return tell;
}

void journal_order_refused(struct journal_order *o, const struct failure *failure) {
        if (!o)
                return;
        if (may_tell(o->journal, &o->caller)) {
                (void) ask_unit(o);
                journal_order_end(o, failure);
        } else
                journal_order_free(o);
}

void journal_call_refused(struct journal *j, const char *method, const struct caller *caller, const struct failure *failure) {
        _cleanup_(fields_done) struct fields f = {};

        if (!may_tell(j, caller))
                return;
        add(&f, CONFD_HA_FIELD_METHOD, method);
        add_failure(&f, failure);
        add_caller(&f, caller, NULL);
        ENTRY(LOG_WARNING, /* always= */ true, CONFD_HA_MSG_CALL_REFUSED, &f, "%s is refused: %s: %s", method,
              failure_name(failure), failure_words(failure));
}

/* ---- what happens ---- */

static void add_role(struct fields *f, const struct signal *g) {
        add(f, CONFD_HA_FIELD_NODE_ID, g->node_id);
        add(f, CONFD_HA_FIELD_MASTER_ID, g->master_id);
        add(f, CONFD_HA_FIELD_MASTER_ADDRESS, g->master_address);
}

void journal_signal(const struct signal *g) {
        _cleanup_(fields_done) struct fields f = {};

        switch (g->kind) {
        case SIGNAL_MASTER_LOST:
                add(&f, CONFD_HA_FIELD_RESULT, g->args[0]);
                add_role(&f, g);
                ENTRY(LOG_WARNING, /* always= */ true, CONFD_HA_MSG_MASTER_LOST, &f, "Lost the master %s: %s",
                      isempty(g->master_id) ? "(unknown)" : g->master_id, g->args[1] ?: g->args[0]);
                break;
        case SIGNAL_SLAVE_DIED:
        case SIGNAL_SLAVE_ARRIVED:
                add(&f, CONFD_HA_FIELD_PEER_ID, g->args[0]);
                add(&f, CONFD_HA_FIELD_PEER_ADDRESS, g->args[1]);
                add(&f, CONFD_HA_FIELD_NODE_ID, g->node_id);
                if (g->kind == SIGNAL_SLAVE_DIED)
                        ENTRY(LOG_WARNING, /* always= */ true, CONFD_HA_MSG_SLAVE_DIED, &f, "The slave %s (%s) is gone",
                              g->args[0], g->args[1]);
                else
                        ENTRY(LOG_INFO, /* always= */ false, CONFD_HA_MSG_SLAVE_ARRIVED, &f, "The slave %s (%s) follows",
                              g->args[0], g->args[1]);
                break;
        case SIGNAL_SLAVE_INITIALIZED:
                add(&f, CONFD_HA_FIELD_BY_COPY, g->by_copy ? "yes" : "no");
                add_role(&f, g);
                ENTRY(LOG_INFO, /* always= */ false, CONFD_HA_MSG_SLAVE_INITIALIZED, &f, "This slave's data is in place%s",
                      g->by_copy ? "" : ", nothing had to be copied");
                break;
        case SIGNAL_STATE_CHANGED:
                add(&f, CONFD_HA_FIELD_OLD_STATE, g->args[0]);
                add(&f, CONFD_HA_FIELD_NEW_STATE, g->args[1]);
                add(&f, CONFD_HA_FIELD_REASON, g->args[2]);
                add_role(&f, g);
                ENTRY(LOG_NOTICE, /* always= */ false, CONFD_HA_MSG_STATE, &f, "State changed from %s to %s (%s)", g->args[0],
                      g->args[1], g->args[2]);
                break;
        case SIGNAL_BESLAVE_RESULT:
                break;
        }
}

void journal_connection(struct journal *j, const struct failure *why, const struct state *s, const char *file) {
        _cleanup_(fields_done) struct fields f = {};

        if (!why) {
                j->outage = SUCCESS;
                add(&f, CONFD_HA_FIELD_CONFD_ADDRESS, s->confd_address);
                add(&f, CONFD_HA_FIELD_CONFD_VERSION, s->confd_version);
                ENTRY(LOG_INFO, /* always= */ false, CONFD_HA_MSG_CONNECTION_UP, &f, "Connected to ConfD %s at %s",
                      s->confd_version, s->confd_address);
                return;
        }
        /* Once for each outage, and once more when the reason has become another. */
        if (j->outage == why->kind)
                return;
        j->outage = why->kind;
        if (why->kind == FAILURE_NO_TOKEN || why->kind == FAILURE_SECRET)
                add(&f, CONFD_HA_FIELD_FILE, file);
        else
                add(&f, CONFD_HA_FIELD_CONFD_ADDRESS, s->confd_address);
        add_failure(&f, why);
        if (why->kind == FAILURE_NO_TOKEN)
                ENTRY(LOG_ERR, /* always= */ false, CONFD_HA_MSG_NO_TOKEN, &f, "Not connecting to ConfD: %s", why->message ?: "");
        else if (why->kind == FAILURE_SECRET)
                ENTRY(LOG_ERR, /* always= */ false, CONFD_HA_MSG_SECRET, &f, "Not connecting to ConfD: %s", failure_words(why));
        else if (why->kind == FAILURE_DISPLACED)
                ENTRY(LOG_WARNING, /* always= */ false, CONFD_HA_MSG_DISPLACED, &f, "Displaced: %s", why->message ?: "");
        else
                ENTRY(LOG_WARNING, /* always= */ false, CONFD_HA_MSG_CONNECTION_LOST, &f, "No connection to ConfD: %s",
                      failure_words(why));
}

void journal_inhibitor(const struct inhibitor *i, const struct caller *caller) {
        const struct caller whose = caller ? *caller : (struct caller) { .known = true, .uid = i->uid };
        _cleanup_(fields_done) struct fields f = {};

        add(&f, CONFD_HA_FIELD_WHO, i->who);
        add(&f, CONFD_HA_FIELD_WHY, i->why);
        add_caller(&f, &whose, NULL);
        if (caller)
                ENTRY(LOG_NOTICE, /* always= */ true, CONFD_HA_MSG_INHIBITED, &f, "%s inhibits role orders: %s", i->who, i->why);
        else
                ENTRY(LOG_NOTICE, /* always= */ true, CONFD_HA_MSG_INHIBITOR_GONE, &f, "%s no longer inhibits role orders", i->who);
}

void journal_target_failed(const char *target, const char *name, const char *message) {
        _cleanup_(fields_done) struct fields f = {};

        add(&f, CONFD_HA_FIELD_TARGET, target);
        add(&f, CONFD_HA_FIELD_RESULT, name);
        add(&f, CONFD_HA_FIELD_ERROR, message);
        ENTRY(LOG_WARNING, /* always= */ false, CONFD_HA_MSG_TARGET_FAILED, &f, "systemd did not do with %s what the role asks for: "
              "%s", target, isempty(message) ? name : message);
}

void journal_reload(const char *file, const struct failure *failure, const struct caller *caller) {
        _cleanup_(fields_done) struct fields f = {};

        add(&f, CONFD_HA_FIELD_FILE, file);
        add_caller(&f, caller, NULL);
        if (failure_is_set(failure)) {
                add_failure(&f, failure);
                ENTRY(LOG_ERR, /* always= */ false, CONFD_HA_MSG_RELOAD_REFUSED, &f, "The configuration is refused, the old one "
                      "stays: %s", failure_words(failure));
        } else
                ENTRY(LOG_INFO, /* always= */ false, CONFD_HA_MSG_RELOADED, &f, "The configuration %s has been read again", file);
}

int journal_new(struct journal **ret, sd_event *event, sd_bus *bus) {
        _cleanup_(journal_freep) struct journal *j = calloc(1, sizeof(*j));
        int r;

        if (!j)
                return -ENOMEM;
        r = sd_event_add_time(event, &j->timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_window_end, j);
        if (r < 0)
                return r;
        (void) sd_event_source_set_enabled(j->timer, SD_EVENT_OFF);
        j->bus = sd_bus_ref(bus);
        *ret = TAKE_PTR(j);
        return 0;
}

struct journal *journal_free(struct journal *j) {
        if (!j)
                return NULL;
        for (struct journal_order *o = LIST_FIRST(&j->orders), *next; o; o = next) {
                next = LIST_NEXT(o, orders);
                if (o->ended)
                        write_order(o);
                else
                        journal_order_free(o);
        }
        refusals_end(&j->refusals, USEC_INFINITY, tell_untold, j);
        sd_event_source_disable_unref(j->timer);
        sd_bus_unref(j->bus);
        free(j);
        return NULL;
}
