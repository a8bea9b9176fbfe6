/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the log control object.
 *
 * sd-bus asks its setters for an answer at once, and would ask the bus who the caller is, waiting. So Set is taken before
 * the vtable sees it: the bus is asked without waiting, and the answer decides. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "service/bus-errors.h"
#include "service/log-control.h"

#define INTERFACE "org.freedesktop.LogControl1"

enum { PENDING_MAX = 64 };

struct change {
        sd_bus_message *message;
        bool is_level;
        int level;
        enum log_target target;
};

static unsigned n_pending;

static void change_free(void *p) {
        struct change *c = p;

        sd_bus_message_unref(c->message);
        free(c);
        n_pending--;
}

static int on_user(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct change *c = userdata;
        uint32_t uid;

        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "u", &uid) < 0 || uid != 0)
                return sd_bus_reply_method_errorf(c->message, ERROR_BUS_ACCESS_DENIED, "only root may set the log level and target");
        if (c->is_level) {
                log_set_level(c->level);
                log_notice("The log level is %s now", log_level_to_string(c->level));
        } else {
                log_set_target(c->target);
                log_notice("The log goes to %s now", log_target_to_string(log_get_target()));
        }
        return sd_bus_reply_method_return(c->message, NULL);
}

static int ask(sd_bus_message *m, const struct change *change, sd_bus_error *error) {
        sd_bus *bus = sd_bus_message_get_bus(m);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *question = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        const char *sender = sd_bus_message_get_sender(m);
        struct change *c;
        int r;

        if (!sender)
                return sd_bus_error_set(error, ERROR_BUS_ACCESS_DENIED, "calls without a sender are not authorized");
        if (n_pending >= PENDING_MAX)
                return sd_bus_error_set(error, ERROR_LIMITS_EXCEEDED, "too many changes of the log wait already");
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        *c = *change;
        c->message = sd_bus_message_ref(m);
        n_pending++;
        r = sd_bus_message_new_method_call(bus, &question, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                           "org.freedesktop.DBus", "GetConnectionUnixUser");
        if (r >= 0)
                r = sd_bus_message_append(question, "s", sender);
        if (r >= 0)
                r = sd_bus_call_async(bus, &slot, question, on_user, c, 10 * USEC_PER_SEC);
        if (r >= 0)
                r = sd_bus_slot_set_destroy_callback(slot, change_free);
        if (r < 0) {
                slot = sd_bus_slot_unref(slot);
                change_free(c);
                return r;
        }
        (void) sd_bus_slot_set_floating(slot, true);
        return 1;
}

static int before_vtable(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *interface, *property, *value;
        struct change c = {};
        int r;

        if (!sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "Set"))
                return 0;
        r = sd_bus_message_read(m, "ss", &interface, &property);
        if (r < 0)
                return r;
        if (!streq(interface, INTERFACE) || (!streq(property, "LogLevel") && !streq(property, "LogTarget"))) {
                r = sd_bus_message_rewind(m, true);
                return r < 0 ? r : 0;
        }
        r = sd_bus_message_read(m, "v", "s", &value);
        if (r < 0)
                return r;
        c.is_level = streq(property, "LogLevel");
        if (c.is_level ? log_level_from_string(value, &c.level) < 0 : log_target_from_string(value, &c.target) < 0)
                return sd_bus_error_setf(error, ERROR_INVALID_ARGS, "%s: %s", property,
                                         c.is_level ? "one of emerg, alert, crit, err, warning, notice, info, debug"
                                                    : "one of auto, journal, console, null");
        return ask(m, &c, error);
}

static int get_level(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *m,
                     void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(m, "s", log_level_to_string(log_get_level()));
}

static int get_target(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *m,
                      void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(m, "s", log_target_to_string(log_get_target()));
}

static int get_identifier(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *m,
                          void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(m, "s", program_invocation_short_name);
}

/* Never reached, see above; it makes the properties writable ones. */
static int refuse(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *value,
                  void *userdata, sd_bus_error *error) {
        return -EACCES;
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, refuse, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, refuse, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END
};

int log_control_register(sd_bus *bus) {
        int r;

        r = sd_bus_add_object(bus, NULL, LOG_CONTROL_PATH, before_vtable, NULL);
        if (r < 0)
                return r;
        return sd_bus_add_object_vtable(bus, NULL, LOG_CONTROL_PATH, INTERFACE, vtable, NULL);
}
