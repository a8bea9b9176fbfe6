/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the service manager of the tests. */
#include <stdio.h>

#include "harness.h"
#include "message-text.h"

#define MANAGER "org.freedesktop.systemd1.Manager"
#define UNIT "org.freedesktop.systemd1.Unit"
#define MASTER_PATH "/org/freedesktop/systemd1/unit/confd_2dha_2dmaster_2etarget"
#define SLAVE_PATH "/org/freedesktop/systemd1/unit/confd_2dha_2dslave_2etarget"

static void record(struct systemd *s, sd_bus_message *m) {
        _cleanup_free_ char *text = message_text(m);

        trace_add(&s->trace, "%s %s", sd_bus_message_get_member(m), text);
        (void) sd_bus_message_rewind(m, true);
}

/* Start and stop as the two targets with their Conflicts= would. */
static int on_job(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct systemd *s = userdata;
        bool start = streq(sd_bus_message_get_member(m), "StartUnit");
        const char *unit, *mode;
        char job[64];
        int r;

        record(s, m);
        r = sd_bus_message_read(m, "ss", &unit, &mode);
        if (r < 0)
                return r;
        if (s->fails)
                return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not found.", unit);
        if (streq(unit, "confd-ha-master.target")) {
                s->master = start;
                s->slave = s->slave && !start;
        } else if (streq(unit, "confd-ha-slave.target")) {
                s->slave = start;
                s->master = s->master && !start;
        }
        snprintf(job, sizeof(job), "/org/freedesktop/systemd1/job/%u", ++s->jobs);
        r = sd_bus_reply_method_return(m, "o", job);
        if (r < 0)
                return r;
        return sd_bus_emit_signal(s->bus, "/org/freedesktop/systemd1", MANAGER, "JobRemoved", "uoss",
                                  (uint32_t) s->jobs, job, unit, "done");
}

static int on_get_unit(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct systemd *s = userdata;
        const char *unit;
        int r;

        record(s, m);
        r = sd_bus_message_read(m, "s", &unit);
        if (r < 0)
                return r;
        if (streq(unit, "confd-ha-master.target"))
                return sd_bus_reply_method_return(m, "o", MASTER_PATH);
        if (streq(unit, "confd-ha-slave.target"))
                return sd_bus_reply_method_return(m, "o", SLAVE_PATH);
        return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not loaded.", unit);
}

static int on_get_unit_by_pid(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        struct systemd *s = userdata;

        record(s, m);
        if (s->silent)
                return 1;
        return sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/unit/keepalived_2eservice");
}

static int on_subscribe(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        return sd_bus_reply_method_return(m, NULL);
}

static int get_active_state(sd_bus *bus, const char *path, const char *interface, const char *property_name,
                            sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        struct systemd *s = userdata;
        bool active;

        /* The signal is before the answer. */
        if (s->stops_when_asked) {
                s->stops_when_asked = false;
                systemd_set(s, "confd-ha-master.target", false);
        }
        active = streq(path, MASTER_PATH) ? s->master : s->slave;
        return sd_bus_message_append(reply, "s", active ? "active" : "inactive");
}

static int get_id(sd_bus *bus, const char *path, const char *interface, const char *property_name,
                  sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        return sd_bus_message_append(reply, "s",
                                     streq(path, MASTER_PATH)  ? "confd-ha-master.target"
                                     : streq(path, SLAVE_PATH) ? "confd-ha-slave.target"
                                                               : "keepalived.service");
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("StartUnit", "ss", "o", on_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("StopUnit", "ss", "o", on_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetUnit", "s", "o", on_get_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("LoadUnit", "s", "o", on_get_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetUnitByPID", "u", "o", on_get_unit_by_pid, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Subscribe", NULL, NULL, on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Unsubscribe", NULL, NULL, on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable unit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", get_id, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ActiveState", "s", get_active_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END
};

void systemd_start(struct fixture *f) {
        struct systemd *s = &f->systemd;
        static const char *const units[] = { MASTER_PATH, SLAVE_PATH,
                                             "/org/freedesktop/systemd1/unit/keepalived_2eservice" };

        s->f = f;
        s->trace.name = "systemd";
        if (sd_bus_new(&s->bus) < 0 || sd_bus_set_address(s->bus, f->bus_address) < 0 ||
            sd_bus_set_bus_client(s->bus, true) < 0 || sd_bus_start(s->bus) < 0 ||
            sd_bus_attach_event(s->bus, f->event, SD_EVENT_PRIORITY_NORMAL) < 0 ||
            sd_bus_add_object_vtable(s->bus, NULL, "/org/freedesktop/systemd1", MANAGER, manager_vtable, s) < 0)
                abort();
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (sd_bus_add_object_vtable(s->bus, NULL, units[i], UNIT, unit_vtable, s) < 0)
                        abort();
        if (sd_bus_request_name(s->bus, "org.freedesktop.systemd1", 0) < 0)
                abort();
}

void systemd_set(struct systemd *s, const char *unit, bool active) {
        bool master = streq(unit, "confd-ha-master.target");

        *(master ? &s->master : &s->slave) = active;
        if (sd_bus_emit_properties_changed(s->bus, master ? MASTER_PATH : SLAVE_PATH, UNIT, "ActiveState", NULL) < 0)
                abort();
}

void systemd_done(struct systemd *s) {
        if (s->bus) {
                sd_bus_detach_event(s->bus);
                sd_bus_close(s->bus);
                s->bus = sd_bus_unref(s->bus);
        }
        trace_done(&s->trace);
}
