/* SPDX-License-Identifier: Apache-2.0 */
/* A service under the name org.confd.HA that does as it is told, for tests of its clients.
 *
 * On DBUS_SYSTEM_BUS_ADDRESS it offers org.confd.HA at /org/confd/HA, and at /mock the interface org.confd.Mock:
 *   Set(s name, v value)                  sets a property, PropertiesChanged goes out
 *   SetQuietly(s name, v value)           the same without
 *   Invalidate(s name, v value)           sets it and announces it without its value
 *   Fail(s method, s error, s message)    calls of the method fail so; an empty error lets them succeed again
 *   Hang(s method)                        calls of the method get no answer
 *   Emit(s signal, s signature, as args)  sends a signal of the interface; booleans are written yes and no
 *   Calls() -> as                         the calls so far, "BeMaster n1 interactive=1", and forgets them
 *   Asked() -> u                          how many calls of GetAll there have been; what is sent after the answer to this
 *                                         arrives after the answers to those
 *   Leave() Return()                      releases and takes the name
 *   Quit()
 *
 * It is org.confd.HANode too, whose Slaves are the value NodeSlaves, a(sstttt), and org.freedesktop.systemd1, whose units
 * are what Unit(s name, s ActiveState, s SubState, s Result, i ExecMainStatus, s StatusText) made of them.
 * It is org.freedesktop.machine1 too, with one container, "box", whose leader's process id is in $MOCK_LEADER.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/util.h"

enum { METHODS_MAX = 11, CALLS_MAX = 64, VALUE_MAX = 4096, UNITS_MAX = 8 };

/* A value is kept as the message that brought it, which knows its type. */
static struct property {
        const char *name;
        const char *signature;
        sd_bus_message *value;
} values[] = {
        { "Version", "s", NULL },
        { "State", "s", NULL },
        { "NodeId", "s", NULL },
        { "Master", "(ss)", NULL },
        { "Slaves", "a(ss)", NULL },
        { "Connected", "b", NULL },
        { "EventsConnected", "b", NULL },
        { "Synchronizing", "b", NULL },
        { "InSync", "b", NULL },
        { "LastInSync", "(sssts)", NULL },
        { "Inhibitors", "a(ssut)", NULL },
        { "Targets", "s", NULL },
        { "ConfdAddress", "s", NULL },
        { "ConfdVersion", "s", NULL },
        { "ProtocolVersion", "u", NULL },
        { "LastError", "(sst)", NULL },
        { "StateSince", "t", NULL },
        { "Transitions", "t", NULL },
        { "Orders", "(ata(sstat))", NULL },
        { "NodeSlaves", "a(sstttt)", NULL },
};

static struct unit {
        char *name, *active, *sub, *result, *text;
        int status;
} units[UNITS_MAX];

static struct {
        const char *name;
        char *error, *message;
        bool hang;
} methods[METHODS_MAX] = { { "BeMaster" }, { "BeSlave" }, { "BeRelay" }, { "BeNone" },
                           { "TakeOver" }, { "Inhibit" }, { "Slaves" }, { "Status" }, { "SlaveDead" }, { "Reload" }, { "GetAll" } };

static char *calls[CALLS_MAX];
static size_t n_calls;
static uint32_t n_asked;
static sd_event *event;

static struct property *find_value(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                if (streq(values[i].name, name))
                        return values + i;
        return NULL;
}

static int append_value(sd_bus_message *reply, struct property *p) {
        int r;

        if (p->value) {
                r = sd_bus_message_rewind(p->value, /* complete= */ true);
                if (r >= 0)
                        r = sd_bus_message_skip(p->value, "s");
                if (r >= 0)
                        r = sd_bus_message_enter_container(p->value, 'v', p->signature);
                return r < 0 ? r : sd_bus_message_copy(reply, p->value, /* all= */ false);
        }
        if (streq(p->signature, "s"))
                return sd_bus_message_append(reply, "s", streq(p->name, "State") ? "none" : "");
        if (streq(p->signature, "(ss)"))
                return sd_bus_message_append(reply, "(ss)", "", "");
        if (streq(p->signature, "a(ss)"))
                return sd_bus_message_append(reply, "a(ss)", 0);
        if (streq(p->signature, "(sssts)"))
                return sd_bus_message_append(reply, "(sssts)", "", "", "", UINT64_C(0), "");
        if (streq(p->signature, "a(ssut)"))
                return sd_bus_message_append(reply, "a(ssut)", 0);
        if (streq(p->signature, "(ata(sstat))"))
                return sd_bus_message_append(reply, "(ata(sstat))", 2, UINT64_C(10), UINT64_C(20), 1, "BeMaster", "ok",
                                             UINT64_C(3), 3, UINT64_C(1), UINT64_C(2), UINT64_C(2));
        if (streq(p->signature, "a(sstttt)"))
                return sd_bus_message_append(reply, "a(sstttt)", 0);
        if (streq(p->signature, "(sst)"))
                return sd_bus_message_append(reply, "(sst)", "", "", UINT64_C(0));
        if (streq(p->signature, "b"))
                return sd_bus_message_append(reply, "b", 0);
        if (streq(p->signature, "u"))
                return sd_bus_message_append(reply, "u", 0u);
        return sd_bus_message_append(reply, "t", UINT64_C(0));
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return append_value(reply, find_value(property));
}

static void record(sd_bus_message *m) {
        char *text = NULL;
        size_t size;
        FILE *f;
        char type;

        if (n_calls == CALLS_MAX)
                return;
        f = open_memstream(&text, &size);
        if (!f)
                return;
        fputs(sd_bus_message_get_member(m), f);
        while (sd_bus_message_peek_type(m, &type, NULL) > 0) {
                const char *s;
                int b;

                if (type == 's' && sd_bus_message_read_basic(m, 's', &s) > 0)
                        fprintf(f, " %s", s);
                else if (type == 'b' && sd_bus_message_read_basic(m, 'b', &b) > 0)
                        fprintf(f, " %s", b ? "yes" : "no");
                else
                        break;
        }
        fprintf(f, " interactive=%i", sd_bus_message_get_allow_interactive_authorization(m) > 0);
        if (fclose(f) == 0)
                calls[n_calls++] = text;
}

/* An inhibitor's descriptor; its end is a call, too. */
static int on_inhibitor_end(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        if (n_calls < CALLS_MAX) {
                char *text = strdup("InhibitorEnd");

                if (text)
                        calls[n_calls++] = text;
        }
        close(fd);
        sd_event_source_unref(source);
        return 0;
}

static int inhibit(sd_bus_message *reply) {
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        r = sd_bus_message_append(reply, "h", fds[1]);
        close(fds[1]);
        if (r >= 0)
                r = sd_event_add_io(event, &(sd_event_source *) { NULL }, fds[0], EPOLLHUP, on_inhibitor_end, NULL);
        return r;
}

static int on_method(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        record(m);
        for (size_t i = 0; i < METHODS_MAX; i++) {
                if (!streq(methods[i].name, sd_bus_message_get_member(m)))
                        continue;
                if (methods[i].hang)
                        return 1;
                if (methods[i].error)
                        return sd_bus_error_set(error, methods[i].error, methods[i].message);
        }
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0 && streq(sd_bus_message_get_member(m), "Slaves"))
                r = append_value(reply, find_value("NodeSlaves"));
        if (r >= 0 && streq(sd_bus_message_get_member(m), "Inhibit"))
                r = inhibit(reply);
        if (r >= 0 && streq(sd_bus_message_get_member(m), "Status")) {
                r = append_value(reply, find_value("State"));
                if (r >= 0)
                        r = append_value(reply, find_value("Slaves"));
        }
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* A hanging GetAll cannot be had from a vtable: the messages are kept from it. */
static int filter(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        n_asked += sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "GetAll") > 0;
        for (size_t i = 0; i < METHODS_MAX; i++) {
                if (!streq(methods[i].name, "GetAll") ||
                    !sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "GetAll"))
                        continue;
                if (methods[i].hang)
                        return 1;
                if (methods[i].error) {
                        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

                        sd_bus_error_set(&e, methods[i].error, methods[i].message);
                        return sd_bus_reply_method_error(m, &e) < 0 ? -EIO : 1;
                }
        }
        return 0;
}

static int keep_value(sd_bus_message *m, const char **ret_name) {
        const char *name;
        struct property *p;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        p = find_value(name);
        if (!p)
                return -ENOENT;
        r = sd_bus_message_verify_type(m, 'v', p->signature);
        if (r <= 0)
                return -EINVAL;
        sd_bus_message_unref(p->value);
        p->value = sd_bus_message_ref(m);
        *ret_name = name;
        return 0;
}

static int on_set(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name;
        int r;

        r = keep_value(m, &name);
        if (r >= 0 && streq(sd_bus_message_get_member(m), "Set"))
                r = sd_bus_emit_properties_changed(sd_bus_message_get_bus(m), "/org/confd/HA", "org.confd.HA", name, NULL);
        if (r >= 0 && streq(sd_bus_message_get_member(m), "Invalidate")) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *s = NULL;

                r = sd_bus_message_new_signal(sd_bus_message_get_bus(m), &s, "/org/confd/HA",
                                              "org.freedesktop.DBus.Properties", "PropertiesChanged");
                if (r >= 0)
                        r = sd_bus_message_append(s, "sa{sv}as", "org.confd.HA", 0, 1, name);
                if (r >= 0)
                        r = sd_bus_send(NULL, s, NULL);
        }
        return r < 0 ? r : sd_bus_reply_method_return(m, "");
}

static int on_fail(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *method, *name = "", *message = "";
        bool hang = streq(sd_bus_message_get_member(m), "Hang");
        int r;

        r = sd_bus_message_read(m, "s", &method);
        if (r >= 0 && !hang)
                r = sd_bus_message_read(m, "ss", &name, &message);
        for (size_t i = 0; r >= 0 && i < METHODS_MAX; i++) {
                if (!streq(methods[i].name, method))
                        continue;
                methods[i].hang = hang;
                r = free_and_strdup(&methods[i].error, *name ? name : NULL);
                if (r >= 0)
                        r = free_and_strdup(&methods[i].message, message);
        }
        return r < 0 ? r : sd_bus_reply_method_return(m, "");
}

static int on_emit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *s = NULL;
        const char *name, *signature, *arg;
        int r;

        r = sd_bus_message_read(m, "ss", &name, &signature);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        if (r >= 0)
                r = sd_bus_message_new_signal(sd_bus_message_get_bus(m), &s, "/org/confd/HA", "org.confd.HA", name);
        for (; r >= 0 && *signature; signature++) {
                r = sd_bus_message_read_basic(m, 's', &arg);
                if (r == 0)
                        r = -EINVAL;
                if (r < 0)
                        break;
                if (*signature == 'b')
                        r = sd_bus_message_append(s, "b", streq(arg, "yes"));
                else
                        r = sd_bus_message_append(s, "s", arg);
        }
        if (r >= 0)
                r = sd_bus_send(NULL, s, NULL);
        return r < 0 ? r : sd_bus_reply_method_return(m, "");
}

static int on_calls(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; i < n_calls; i++) {
                if (r >= 0)
                        r = sd_bus_message_append_basic(reply, 's', calls[i]);
                free(calls[i]);
        }
        n_calls = 0;
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int on_asked(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "u", n_asked);
}

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        sd_bus *bus = sd_bus_message_get_bus(m);
        int r;

        if (streq(sd_bus_message_get_member(m), "Leave"))
                r = sd_bus_release_name(bus, "org.confd.HA");
        else
                r = sd_bus_request_name(bus, "org.confd.HA", 0);
        return r < 0 ? r : sd_bus_reply_method_return(m, "");
}

static int on_quit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        int r = sd_bus_reply_method_return(m, "");

        return r < 0 ? r : sd_event_exit(event, 0);
}

static struct unit *find_unit(const char *name) {
        for (size_t i = 0; i < UNITS_MAX; i++)
                if (units[i].name && streq(units[i].name, name))
                        return units + i;
        return NULL;
}

#define UNIT_PREFIX "/org/freedesktop/systemd1/unit"

static int on_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *active, *sub, *result, *text;
        _cleanup_free_ char *path = NULL;
        struct unit *u = NULL;
        int status, r;

        r = sd_bus_message_read(m, "ssssis", &name, &active, &sub, &result, &status, &text);
        if (r < 0)
                return r;
        u = find_unit(name);
        for (size_t i = 0; !u && i < UNITS_MAX; i++)
                if (!units[i].name)
                        u = units + i;
        if (!u)
                return -ENOSPC;
        u->status = status;
        r = free_and_strdup(&u->name, name);
        if (r >= 0)
                r = free_and_strdup(&u->active, active);
        if (r >= 0)
                r = free_and_strdup(&u->sub, sub);
        if (r >= 0)
                r = free_and_strdup(&u->result, result);
        if (r >= 0)
                r = free_and_strdup(&u->text, text);
        if (r >= 0)
                r = sd_bus_path_encode(UNIT_PREFIX, name, &path);
        if (r >= 0)
                r = sd_bus_emit_properties_changed(sd_bus_message_get_bus(m), path, "org.freedesktop.systemd1.Unit",
                                                   "ActiveState", "SubState", NULL);
        return r < 0 ? r : sd_bus_reply_method_return(m, "");
}

static int on_load_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_free_ char *path = NULL;
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0 && !find_unit(name))
                return sd_bus_error_setf(error, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not loaded.", name);
        if (r >= 0)
                r = sd_bus_path_encode(UNIT_PREFIX, name, &path);
        return r < 0 ? r : sd_bus_reply_method_return(m, "o", path);
}

static int on_nothing(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "");
}

static int unit_at(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error) {
        _cleanup_free_ char *name = NULL;
        int r = sd_bus_path_decode(path, UNIT_PREFIX, &name);

        *ret = r > 0 ? find_unit(name) : NULL;
        return *ret ? 1 : 0;
}

static int unit_property(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                         void *userdata, sd_bus_error *error) {
        const struct unit *u = userdata;

        return sd_bus_message_append(reply, "s", streq(property, "ActiveState") ? u->active
                                                 : streq(property, "SubState")  ? u->sub
                                                 : streq(property, "Result")    ? u->result
                                                 : streq(property, "LoadState") ? "loaded"
                                                                                : u->text);
}

static int unit_status(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                       void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "i", (int32_t) ((struct unit *) userdata)->status);
}

static int on_get_machine(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        if (!streq(name, "box"))
                return sd_bus_error_setf(error, "org.freedesktop.machine1.NoSuchMachine", "No machine '%s' known", name);
        return sd_bus_reply_method_return(m, "o", "/org/freedesktop/machine1/machine/box");
}

static int get_leader(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                      void *userdata, sd_bus_error *error) {
        const char *leader = getenv("MOCK_LEADER");

        return sd_bus_message_append(reply, "u", (uint32_t) strtoul(leader ?: "0", NULL, 10));
}

#define METHOD(name, in, out, fn) SD_BUS_METHOD(name, in, out, fn, SD_BUS_VTABLE_UNPRIVILEGED)
#define PROPERTY(name, signature) SD_BUS_PROPERTY(name, signature, get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

static const sd_bus_vtable ha_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("BeMaster", "s", "", on_method),
        METHOD("BeSlave", "sssb", "", on_method),
        METHOD("BeRelay", "", "", on_method),
        METHOD("BeNone", "", "", on_method),
        METHOD("TakeOver", "ss", "", on_method),
        METHOD("Inhibit", "ss", "h", on_method),
        METHOD("Status", "", "sa(ss)", on_method),
        METHOD("SlaveDead", "s", "", on_method),
        METHOD("Reload", "", "", on_method),
        PROPERTY("Version", "s"),
        PROPERTY("State", "s"),
        PROPERTY("NodeId", "s"),
        PROPERTY("Master", "(ss)"),
        PROPERTY("Slaves", "a(ss)"),
        PROPERTY("Connected", "b"),
        PROPERTY("EventsConnected", "b"),
        PROPERTY("Synchronizing", "b"),
        PROPERTY("InSync", "b"),
        PROPERTY("LastInSync", "(sssts)"),
        PROPERTY("Inhibitors", "a(ssut)"),
        PROPERTY("Targets", "s"),
        PROPERTY("ConfdAddress", "s"),
        PROPERTY("ConfdVersion", "s"),
        PROPERTY("ProtocolVersion", "u"),
        PROPERTY("LastError", "(sst)"),
        PROPERTY("StateSince", "t"),
        PROPERTY("Transitions", "t"),
        PROPERTY("Orders", "(ata(sstat))"),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable mock_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("Set", "sv", "", on_set),
        METHOD("SetQuietly", "sv", "", on_set),
        METHOD("Invalidate", "sv", "", on_set),
        METHOD("Fail", "sss", "", on_fail),
        METHOD("Hang", "s", "", on_fail),
        METHOD("Emit", "ssas", "", on_emit),
        METHOD("Calls", "", "as", on_calls),
        METHOD("Asked", "", "u", on_asked),
        METHOD("Leave", "", "", on_name),
        METHOD("Return", "", "", on_name),
        METHOD("Unit", "ssssis", "", on_unit),
        METHOD("Quit", "", "", on_quit),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable node_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("Slaves", "", "a(sstttt)", on_method),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable systemd_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("LoadUnit", "s", "o", on_load_unit),
        METHOD("GetUnit", "s", "o", on_load_unit),
        METHOD("Subscribe", "", "", on_nothing),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable unit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("LoadState", "s", unit_property, 0, 0),
        SD_BUS_PROPERTY("ActiveState", "s", unit_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("SubState", "s", unit_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable unit_service_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Result", "s", unit_property, 0, 0),
        SD_BUS_PROPERTY("StatusText", "s", unit_property, 0, 0),
        SD_BUS_PROPERTY("ExecMainStatus", "i", unit_status, 0, 0),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("GetMachine", "s", "o", on_get_machine),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable machine_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Leader", "u", get_leader, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END
};

static int add_objects(sd_bus *bus) {
        static const struct {
                const char *path, *interface;
                const sd_bus_vtable *vtable;
        } objects[] = {
                { "/org/confd/HA", "org.confd.HA", ha_vtable },
                { "/mock", "org.confd.Mock", mock_vtable },
                { "/org/confd/HANode", "org.confd.HANode", node_vtable },
                { "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", systemd_vtable },
                { "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager", manager_vtable },
                { "/org/freedesktop/machine1/machine/box", "org.freedesktop.machine1.Machine", machine_vtable },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(objects); i++)
                r = sd_bus_add_object_vtable(bus, NULL, objects[i].path, objects[i].interface, objects[i].vtable, NULL);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, UNIT_PREFIX, "org.freedesktop.systemd1.Unit", unit_vtable, unit_at,
                                               NULL);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, UNIT_PREFIX, "org.freedesktop.systemd1.Service",
                                               unit_service_vtable, unit_at, NULL);
        return r;
}

/* Several names, so that the mock can be told things while it has left the one that it plays. A second mock waits for the
 * others. */
static int take_names(sd_bus *bus) {
        static const char *const queued[] = { "org.freedesktop.machine1", "org.freedesktop.systemd1", "org.confd.HANode",
                                              "org.confd.Mock" };
        int r;

        r = sd_bus_request_name(bus, "org.confd.HA", 0);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(queued); i++)
                r = sd_bus_request_name(bus, queued[i], SD_BUS_NAME_QUEUE);
        return r;
}

int main(void) {
        sd_bus *bus = NULL;
        int r;

        r = sd_event_default(&event);
        if (r >= 0)
                r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, filter, NULL);
        if (r >= 0)
                r = add_objects(bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = take_names(bus);
        if (r >= 0)
                r = sd_event_loop(event);
        if (r < 0)
                fprintf(stderr, "mock-ha-service: %s\n", strerror(-r));
        sd_bus_flush_close_unref(bus);
        sd_event_unref(event);
        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                sd_bus_message_unref(values[i].value);
        for (size_t i = 0; i < METHODS_MAX; i++) {
                free(methods[i].error);
                free(methods[i].message);
        }
        for (size_t i = 0; i < UNITS_MAX; i++) {
                free(units[i].name);
                free(units[i].active);
                free(units[i].sub);
                free(units[i].result);
                free(units[i].text);
        }
        for (size_t i = 0; i < n_calls; i++)
                free(calls[i]);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
