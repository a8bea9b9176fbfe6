/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way to the bus. */
#include <stdio.h>

#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/complain.h"

const char *bus_place(const struct ctl *c, char *buf, size_t size) {
        if (c->host)
                snprintf(buf, size, " of %s", c->host);
        else if (c->machine)
                snprintf(buf, size, " of container %s", c->machine);
        else if (c->address)
                snprintf(buf, size, " at %s", c->address);
        else
                snprintf(buf, size, "%s", "");
        return buf;
}

static int open_address(const char *address, sd_bus **ret) {
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        /* An inhibitor is a descriptor. */
        if (r >= 0)
                r = sd_bus_negotiate_fds(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_close(bus);
                sd_bus_unref(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

int bus_open(const struct ctl *c, sd_bus **ret) {
        if (c->host)
                return sd_bus_open_system_remote(ret, c->host);
        if (c->machine)
                return sd_bus_open_system_machine(ret, c->machine);
        if (c->address)
                return open_address(c->address, ret);
        return sd_bus_open_system(ret);
}

uint64_t bus_time_left(const struct ctl *c) {
        uint64_t now;

        if (c->deadline == USEC_INFINITY)
                return USEC_INFINITY;
        now = now_monotonic();
        return c->deadline > now ? c->deadline - now : 1;
}

/* libsystemd connects without waiting, and its first call would wait by a limit of its own: step it here, so that the
 * limit is ours. */
static int wait_ready(struct ctl *c) {
        int r;

        for (;;) {
                r = sd_bus_is_ready(c->bus);
                if (r != 0)
                        return MIN(r, 0);
                r = sd_bus_process(c->bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                if (c->deadline != USEC_INFINITY && now_monotonic() >= c->deadline)
                        return -ETIMEDOUT;
                r = sd_bus_wait(c->bus, bus_time_left(c));
                if (r < 0 && r != -EINTR)
                        return r;
        }
}

static void connect_advice(const struct ctl *c, int r, char *buf, size_t size) {
        if (r == -EACCES || r == -EPERM)
                snprintf(buf, size, "The bus let you not in: try as another user.");
        else if (c->host)
                snprintf(buf, size, "Try: ssh %s systemd-stdio-bridge --version", c->host);
        else if (c->machine)
                snprintf(buf, size, "Try: machinectl status %s", c->machine);
        else if (!c->address && !getenv("DBUS_SYSTEM_BUS_ADDRESS"))
                snprintf(buf, size, "Try: systemctl status dbus.socket");
        else
                snprintf(buf, size, "Is a bus listening there?");
}

enum ctl_exit bus_connect(struct ctl *c) {
        char place[256], advice[300];
        int r;

        r = bus_open(c, &c->bus);
        if (r >= 0)
                r = sd_bus_set_allow_interactive_authorization(c->bus, c->ask_password);
        if (r >= 0)
                r = wait_ready(c);
        if (r >= 0)
                return CTL_DONE;

        bus_place(c, place, sizeof(place));
        if (r == -EINVAL && (c->address || c->host || c->machine)) {
                complain(c, CTL_ERROR_USAGE, NULL, "Not a valid %s: '%s'",
                         c->address ? "bus address" : c->host ? "host" : "container name", c->address ?: c->host ?: c->machine);
                return CTL_USAGE;
        }
        connect_advice(c, r, advice, sizeof(advice));
        complain(c, "org.freedesktop.DBus.Error.NoServer", advice, "Cannot connect to the system bus%s: %s", place,
                 r == -ETIMEDOUT ? "No answer in time" : strerror(-r));
        /* Nothing was sent, so nothing is uncertain. */
        return r == -ETIMEDOUT ? CTL_NOT_THERE : bus_error_status(NULL, r);
}

void bus_disconnect(struct ctl *c) {
        if (!c->bus)
                return;
        sd_bus_close(c->bus);
        c->bus = sd_bus_unref(c->bus);
}

int bus_get_properties(struct ctl *c, bool activate, sd_bus_message **ret, sd_bus_error *error) {
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, HA_BUS_NAME, HA_OBJECT, "org.freedesktop.DBus.Properties",
                                           "GetAll");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, activate);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", HA_INTERFACE);
        if (r >= 0)
                r = sd_bus_call(c->bus, m, bus_time_left(c), error, ret);
        sd_bus_message_unref(m);
        return MIN(r, 0);
}
