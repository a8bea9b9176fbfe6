/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the log control object.
 *
 * sd-bus asks its setters for an answer at once, and would ask the bus who the caller is, waiting. So Set is taken before
 * the vtable sees it: the bus is asked without waiting, and the answer decides. */
#include "basic/log.h"
#include "service/bus-errors.h"
#include "service/log-control.h"

#define INTERFACE "org.freedesktop.LogControl1"

struct change {
        sd_bus_message *message;
        struct ticket ticket;
        bool is_level;
        int level;
        enum log_target target;
};

static struct change *change_free(struct change *c) {
        if (!c)
                return NULL;
        ticket_leave(&c->ticket);
        sd_bus_message_unref(c->message);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(struct change *, change_free)

static int carry_out(struct change *c) {
        if (c->is_level) {
                log_set_level(c->level);
                log_notice("The log level is %s now", log_level_to_string(c->level));
        } else {
                log_set_target(c->target);
                log_notice("The log goes to %s now", log_target_to_string(log_get_target()));
        }
        return sd_bus_reply_method_return(c->message, NULL);
}

static void on_place(void *userdata, int r, const struct failure *failure, const struct caller *caller) {
        _cleanup_(change_freep) struct change *c = userdata;

        if (r == -ECONNRESET)
                return;
        if (r < 0)
                r = sd_bus_reply_method_errorf(c->message, failure_name(failure), "%s", failure_words(failure));
        else if (caller->uid != 0)
                r = sd_bus_reply_method_errorf(c->message, ERROR_BUS_ACCESS_DENIED, "only root may set the log level and target");
        else
                r = carry_out(c);
        if (r < 0)
                log_debug("Cannot reply to a change of the log: %s", strerror(-r));
}

static int ask(struct callers *callers, sd_bus_message *m, const struct change *change) {
        struct change *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        *c = *change;
        c->message = sd_bus_message_ref(m);
        callers_enter(callers, &c->ticket, m, PLACE_LOG, on_place, c);
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
        return ask(userdata, m, &c);
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

int log_control_register(sd_bus *bus, struct callers *callers) {
        int r;

        r = sd_bus_add_object(bus, NULL, LOG_CONTROL_PATH, before_vtable, callers);
        if (r < 0)
                return r;
        return sd_bus_add_object_vtable(bus, NULL, LOG_CONTROL_PATH, INTERFACE, vtable, NULL);
}
