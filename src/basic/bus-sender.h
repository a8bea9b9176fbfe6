/* SPDX-License-Identifier: Apache-2.0 */
/* Who says what comes over the bus. For programs.
 *
 * The bus delivers signals that anybody addresses to us, and sd-bus takes a match's sender, if it is no unique name, for met by
 * every unique one: who hears a signal that something follows from has to look for himself. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/util.h"

/* Whether it is from that connection; NULL: from none. */
static inline _unused_ bool bus_is_from(sd_bus_message *m, const char *name) {
        const char *sender = sd_bus_message_get_sender(m);

        return name && sender && streq(sender, name);
}

/* Whether the bus itself says it. */
static inline _unused_ bool bus_is_from_bus(sd_bus_message *m) {
        return bus_is_from(m, "org.freedesktop.DBus");
}
