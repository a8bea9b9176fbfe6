/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table from errors to exit statuses. */
#include <stdio.h>

#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
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
        { CTL_ERROR_PREFIX "NotConnected", CTL_NOT_THERE },
        { CTL_ERROR_PREFIX "Timeout", CTL_TIMED_OUT },
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

/* What to do next, where the error itself does not say it. */
static const char *advice(const struct ctl *c, const char *name) {
        if (streq(name, DBUS_ERROR "InteractiveAuthorizationRequired"))
                return c->ask_password ? "You would have to authenticate: run this on a terminal, or as root."
                                       : "You would have to authenticate: leave out --no-ask-password, or run this as root.";
        if (streq(name, DBUS_ERROR "ServiceUnknown") || streq(name, DBUS_ERROR "NameHasNoOwner"))
                return "The service does not run: systemctl status confd-ha.service";
        if (streq(name, DBUS_ERROR "Timeout"))
                return "No answer came within --timeout=; an order may still take effect: confd-hactl status";
        if (streq(name, DBUS_ERROR "NoReply"))
                return "The service, or the bus, ended before the answer came; an order may still take effect: "
                       "systemctl status confd-ha.service";
        return NULL;
}

enum ctl_exit bus_error_report(const struct ctl *c, const char *what, const sd_bus_error *error, int r) {
        _cleanup_free_ char *name = NULL, *message = NULL, *printable_what = text_printable(what);
        enum ctl_exit status = bus_error_status(error, r);
        char place[256];
        const char *hint;

        bus_place(c, place, sizeof(place));
        if (!error || !sd_bus_error_is_set(error)) {
                bool ended = r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE;

                fprintf(stderr, "confd-hactl: %s%s failed: %s\n", printable_what ?: what, place,
                        r == -ETIMEDOUT ? "No answer in time" : ended ? "The bus closed the connection" : strerror(-r));
                if (r == -ETIMEDOUT && !c->quiet)
                        fprintf(stderr, "Does the service hang? systemctl status confd-ha.service\n");
                return status;
        }
        name = text_printable(error->name);
        message = text_printable(error->message);
        fprintf(stderr, "confd-hactl: %s%s failed: %s: %s\n", printable_what ?: what, place,
                name ? text_short_error(name) : "?", isempty(message) ? "no further words" : message);
        if (c->quiet || !name)
                return status;
        hint = advice(c, error->name);
        if (hint)
                fprintf(stderr, "%s\n", hint);
        fprintf(stderr, "What it means and what to look at: confd-hactl explain %s\n", text_short_error(name));
        return status;
}
