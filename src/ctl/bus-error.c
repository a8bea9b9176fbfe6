/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table from errors to exit statuses. */
#include <stdio.h>

#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/complain.h"
#include "ctl/text.h"

#define DBUS_ERROR "org.freedesktop.DBus.Error."

/* Names, or prefixes that end in a dot. What is not here is CTL_FAILED. */
static const struct {
        const char *name;
        enum ctl_exit status;
} statuses[] = {
        { DBUS_ERROR "AccessDenied", CTL_NOT_AUTHORIZED },
        { DBUS_ERROR "InteractiveAuthorizationRequired", CTL_NOT_AUTHORIZED },
        { DBUS_ERROR "AuthFailed", CTL_NOT_AUTHORIZED },
        { DBUS_ERROR "InvalidArgs", CTL_USAGE },
        { DBUS_ERROR "ServiceUnknown", CTL_NOT_THERE },
        { DBUS_ERROR "NameHasNoOwner", CTL_NOT_THERE },
        { DBUS_ERROR "NoReply", CTL_NOT_THERE },  /* from the bus: the service ended before it answered */
        { DBUS_ERROR "TimedOut", CTL_NOT_THERE }, /* from the bus: it could not be started in time */
        { DBUS_ERROR "Disconnected", CTL_NOT_THERE },
        { DBUS_ERROR "NoServer", CTL_NOT_THERE },
        { DBUS_ERROR "FileNotFound", CTL_NOT_THERE },
        { DBUS_ERROR "Spawn.", CTL_NOT_THERE },
        { "org.freedesktop.systemd1.", CTL_NOT_THERE }, /* activation through systemd failed */
        { HA_ERROR_PREFIX "NotConnected", CTL_NOT_THERE },
        { HA_ERROR_PREFIX "Timeout", CTL_TIMED_OUT },
        { DBUS_ERROR "Timeout", CTL_TIMED_OUT }, /* our own limit */
};

enum ctl_exit bus_error_status(const sd_bus_error *error, int r) {
        if (error && sd_bus_error_is_set(error)) {
                for (size_t i = 0; i < ELEMENTSOF(statuses); i++) {
                        size_t n = strlen(statuses[i].name);

                        if (statuses[i].name[n - 1] == '.' ? strncmp(error->name, statuses[i].name, n) == 0
                                                           : streq(error->name, statuses[i].name))
                                return statuses[i].status;
                }
                r = -sd_bus_error_get_errno(error);
        }
        switch (-r) {
        case EACCES:
        case EPERM:
                return CTL_NOT_AUTHORIZED;
        case ETIMEDOUT:
                return CTL_TIMED_OUT;
        case ENOENT:
        case ECONNREFUSED:
        case ECONNRESET:
        case ECONNABORTED:
        case ENOTCONN:
        case EPIPE:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENXIO: /* machined: no such container */
                return CTL_NOT_THERE;
        default:
                return CTL_FAILED;
        }
}

const char *bus_error_advice(const struct ctl *c, const char *name) {
        if (streq(name, DBUS_ERROR "InteractiveAuthorizationRequired"))
                return c->ask_password ? "You would have to authenticate: run this on a terminal, or as root."
                                       : "You would have to authenticate: leave out --no-ask-password, or run this as root.";
        if (streq(name, DBUS_ERROR "ServiceUnknown") || streq(name, DBUS_ERROR "NameHasNoOwner"))
                return "The service does not run: systemctl status confd-ha.service";
        if (streq(name, DBUS_ERROR "Timeout"))
                return "No answer came within --timeout=; an order may still take effect: confd-hactl status";
        if (streq(name, DBUS_ERROR "TimedOut"))
                return "The service could not be started in time: systemctl status confd-ha.service; "
                       "journalctl -u confd-ha.service -n 20";
        if (streq(name, DBUS_ERROR "NoReply"))
                return "The service, or the bus, ended before the answer came; an order may still take effect: "
                       "systemctl status confd-ha.service";
        return NULL;
}

/* An error that is only a number: the bus itself failed. */
static enum ctl_exit report_number(struct ctl *c, const char *what, const char *place, int r) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool ended = r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE;
        const char *words = r == -ETIMEDOUT ? "No answer in time" : ended ? "The bus closed the connection" : strerror(-r),
                   *advice = r == -ETIMEDOUT ? "Does the service hang? systemctl status confd-ha.service" : NULL;

        sd_bus_error_set_errno(&error, r);
        complain_words(c->quiet ? NULL : advice, "%s%s failed: %s", what, place, words);
        complain_json(c, error.name ?: CTL_ERROR_FAILED, words, advice);
        return bus_error_status(NULL, r);
}

enum ctl_exit bus_error_report(struct ctl *c, const char *what, const sd_bus_error *error, int r) {
        _cleanup_free_ char *name = NULL, *message = NULL, *printable_what = text_printable(what);
        const char *advice;
        char place[256];

        what = printable_what ?: "?";
        bus_place(c, place, sizeof(place));
        if (!error || !sd_bus_error_is_set(error))
                return report_number(c, what, place, r);
        name = text_printable(error->name);
        message = text_printable(error->message);
        advice = bus_error_advice(c, error->name);
        complain_words(c->quiet ? NULL : advice, "%s%s failed: %s: %s", what, place, name ? text_short_error(name) : "?",
                       isempty(message) ? "no further words" : message);
        if (!c->quiet && name)
                fprintf(stderr, "What it means and what to look at: confd-hactl explain %s\n", text_short_error(name));
        complain_json(c, error->name, error->message, advice);
        return bus_error_status(error, r);
}
