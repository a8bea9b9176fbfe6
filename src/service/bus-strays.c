/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the telling of orders that came as signals: nothing else would ever tell who sent them. */
#include "service/authorize.h"
#include "service/bus-strays.h"
#include "service/bus.h"

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct journal *journal = userdata;
        const struct caller unknown = {};
        const char *member = sd_bus_message_get_member(m);
        _cleanup_failure_ struct failure f = FAILURE_NONE;

        if (!sd_bus_message_is_signal(m, BUS_INTERFACE, NULL) || !sd_bus_message_get_destination(m) || !authorize_action(member))
                return 0;
        f = failure_make(FAILURE_INVALID_ARGS, "it came as a signal and not as a call, so nothing was done (dbus-send: --print-reply)");
        journal_call_refused(journal, member, &unknown, &f);
        return 0;
}

int bus_strays_watch(sd_bus *bus, sd_bus_slot **ret, struct journal *journal) {
        return sd_bus_add_filter(bus, ret, on_message, journal);
}
