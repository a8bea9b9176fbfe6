/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is said to systemd about the role targets, and heard from it. */
#include <stdio.h>

#include "basic/bus-sender.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "service/target-units.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNIT "org.freedesktop.systemd1.Unit"

#define CALL_TIMEOUT_USEC (25 * USEC_PER_SEC)

enum { MATCHES_MAX = TARGETS + 2 };

struct target_units {
        sd_bus *bus;
        const struct target_units_handlers *handlers;
        void *userdata;
        sd_bus_slot *matches[MATCHES_MAX];
        size_t n_matches;
        char *owner; /* systemd's own name on the bus: anybody may send signals that look like its */
        sd_bus_slot *call;
        enum target called;
        bool called_job; /* and not only asked */
        char *job;       /* the last one */
        enum target job_target;
};

const char *const target_names[TARGETS] = {
        [TARGET_MASTER] = "confd-ha-master.target",
        [TARGET_SLAVE] = "confd-ha-slave.target",
};

static char *unit_path(enum target target) {
        char *path = NULL;

        return sd_bus_path_encode(SYSTEMD_PATH "/unit", target_names[target], &path) < 0 ? NULL : path;
}

static enum unit_state unit_state_from_string(const char *s) {
        static const struct {
                const char *name;
                enum unit_state state;
        } states[] = {
                { "inactive", UNIT_DOWN },   { "failed", UNIT_DOWN }, { "activating", UNIT_COMING },
                { "deactivating", UNIT_GOING }, { "active", UNIT_UP },   { "reloading", UNIT_UP },
        };

        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (streq(states[i].name, s))
                        return states[i].state;
        return UNIT_UNKNOWN;
}

/* ---- calls ---- */

static void answer(struct target_units *u, const sd_bus_error *e) {
        const struct unit_answer a = {
                .name = e ? e->name : NULL,
                .message = e ? e->message ?: "" : "",
                .absent = e && sd_bus_error_has_names(e, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER),
        };

        u->handlers->answered(u->userdata, &a);
}

static int on_called(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct target_units *u = userdata;
        const char *text;

        u->call = sd_bus_slot_unref(u->call);
        (void) free_and_strdup(&u->owner, sd_bus_message_get_sender(m));
        if (sd_bus_message_is_method_error(m, NULL)) {
                const sd_bus_error *e = sd_bus_message_get_error(m);

                /* What there is no unit of is down. */
                if (!u->called_job && sd_bus_error_has_names(e, SD_BUS_ERROR_UNKNOWN_OBJECT, SYSTEMD ".NoSuchUnit")) {
                        u->handlers->observed(u->userdata, u->called, UNIT_DOWN);
                        e = NULL;
                }
                answer(u, e);
                return 0;
        }
        if (!u->called_job) {
                if (sd_bus_message_read(m, "v", "s", &text) >= 0)
                        u->handlers->observed(u->userdata, u->called, unit_state_from_string(text));
        } else if (sd_bus_message_read(m, "o", &text) >= 0 && free_and_strdup(&u->job, text) >= 0)
                u->job_target = u->called;
        answer(u, NULL);
        return 0;
}

bool target_units_busy(const struct target_units *u) {
        return u->call;
}

static int call(struct target_units *u, sd_bus_message *m, enum target target, bool job, const char *a, const char *b) {
        int r;

        r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", a, b);
        if (r >= 0)
                r = sd_bus_call_async(u->bus, &u->call, m, on_called, u, CALL_TIMEOUT_USEC);
        if (r < 0)
                return r;
        u->called = target;
        u->called_job = job;
        return 0;
}

static int call_manager(struct target_units *u, const char *member, enum target target) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(u->bus, &m, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, member);
        return r < 0 ? r : call(u, m, target, /* job= */ true, target_names[target], "replace");
}

int target_units_start(struct target_units *u, enum target target) {
        return call_manager(u, "StartUnit", target);
}

int target_units_stop(struct target_units *u, enum target target) {
        return call_manager(u, "StopUnit", target);
}

int target_units_ask(struct target_units *u, enum target target) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *path = unit_path(target);
        int r;

        if (!path)
                return -ENOMEM;
        r = sd_bus_message_new_method_call(u->bus, &m, SYSTEMD, path, "org.freedesktop.DBus.Properties", "Get");
        return r < 0 ? r : call(u, m, target, /* job= */ false, SYSTEMD_UNIT, "ActiveState");
}

/* ---- watching ---- */

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct target_units *u = userdata;
        const char *job, *unit, *result;
        uint32_t id;

        if (!sd_bus_message_is_signal(m, SYSTEMD_MANAGER, "JobRemoved") || !bus_is_from(m, u->owner))
                return 0;
        if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) < 0 || !u->job || !streq(job, u->job))
                return 0;
        free(TAKE_PTR(u->job));
        u->handlers->job_ended(u->userdata, u->job_target, result);
        return 0;
}

/* Reads an a{sv} for ActiveState. */
static const char *find_active_state(sd_bus_message *m) {
        const char *key, *state = NULL;

        if (sd_bus_message_skip(m, "s") < 0 || sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
                return NULL;
        while (!state && sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                if (sd_bus_message_read(m, "s", &key) < 0)
                        return NULL;
                if (streq(key, "ActiveState")) {
                        if (sd_bus_message_read(m, "v", "s", &state) < 0)
                                return NULL;
                } else if (sd_bus_message_skip(m, "v") < 0 || sd_bus_message_exit_container(m) < 0)
                        return NULL;
        }
        return state;
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct target_units *u = userdata;

        for (enum target t = 0; t < TARGETS && bus_is_from(m, u->owner); t++) {
                _cleanup_free_ char *path = unit_path(t);
                const char *state;

                if (!path || !streq(path, sd_bus_message_get_path(m)))
                        continue;
                state = find_active_state(m);
                if (state)
                        u->handlers->observed(u->userdata, t, unit_state_from_string(state));
        }
        return 0;
}

static int subscribe(struct target_units *u) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(u->bus, &m, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        return r < 0 ? r : sd_bus_send(u->bus, m, NULL);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct target_units *u = userdata;
        const char *name, *before, *now;

        if (!bus_is_from_bus(m) || sd_bus_message_read(m, "sss", &name, &before, &now) < 0 || !*now)
                return 0;
        (void) free_and_strdup(&u->owner, now);
        (void) subscribe(u);
        free(TAKE_PTR(u->job));
        u->handlers->returned(u->userdata);
        return 0;
}

static int on_watched(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        if (sd_bus_message_is_method_error(m, NULL))
                log_warning("Cannot follow the role targets: %s", sd_bus_message_get_error(m)->message);
        return 0;
}

/* sd-bus does not look for an argument behind one that is no string, so that rule is the bus's alone. */
static int ask_for_jobs(struct target_units *u, enum target target, const char *member) {
        char rule[256];

        snprintf(rule, sizeof(rule), "type='signal',sender='" SYSTEMD "',path='" SYSTEMD_PATH "',interface='" SYSTEMD_MANAGER
                 "',member='JobRemoved',arg2='%s'", target_names[target]);
        return sd_bus_call_method_async(u->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                        member, on_watched, u, "s", rule);
}

/* systemd tells of every unit and job of the machine; the bus passes on what is about these two. */
static int add_matches(struct target_units *u) {
        int r;

        r = sd_bus_add_filter(u->bus, &u->matches[u->n_matches++], on_job_removed, u);
        if (r < 0)
                return r;
        for (enum target t = 0; t < TARGETS; t++) {
                _cleanup_free_ char *path = unit_path(t), *properties = NULL;

                if (!path || asprintf(&properties, "type='signal',sender='" SYSTEMD "',path='%s',interface='org.freedesktop.DBus.Properties',"
                             "member='PropertiesChanged',arg0='" SYSTEMD_UNIT "'", path) < 0) {
                        properties = NULL;
                        return -ENOMEM;
                }
                r = ask_for_jobs(u, t, "AddMatch");
                if (r >= 0)
                        r = sd_bus_add_match_async(u->bus, &u->matches[u->n_matches++], properties, on_properties, on_watched, u);
                if (r < 0)
                        return r;
        }
        return sd_bus_add_match_async(u->bus, &u->matches[u->n_matches++],
                                      "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                      "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" SYSTEMD "'",
                                      on_owner_changed, on_watched, u);
}

void target_units_watch(struct target_units *u) {
        int r;

        if (u->n_matches > 0)
                return;
        r = add_matches(u);
        if (r >= 0)
                r = subscribe(u);
        if (r < 0)
                log_warning("Cannot follow the role targets: %s", strerror(-r));
}

void target_units_unwatch(struct target_units *u) {
        for (enum target t = 0; t < TARGETS && u->n_matches > 0; t++)
                (void) ask_for_jobs(u, t, "RemoveMatch");
        while (u->n_matches > 0) {
                u->n_matches--;
                u->matches[u->n_matches] = sd_bus_slot_unref(u->matches[u->n_matches]);
        }
        u->call = sd_bus_slot_unref(u->call);
        free(TAKE_PTR(u->job));
}

int target_units_new(struct target_units **ret, sd_bus *bus, const struct target_units_handlers *handlers, void *userdata) {
        struct target_units *u = calloc(1, sizeof(*u));

        if (!u)
                return -ENOMEM;
        u->bus = sd_bus_ref(bus);
        u->handlers = handlers;
        u->userdata = userdata;
        *ret = u;
        return 0;
}

struct target_units *target_units_free(struct target_units *u) {
        if (!u)
                return NULL;
        target_units_unwatch(u);
        sd_bus_unref(u->bus);
        free(u->owner);
        free(u);
        return NULL;
}
