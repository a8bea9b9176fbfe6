/* SPDX-License-Identifier: Apache-2.0 */
/* Orders that come as signals, as dbus-send sends them unless it is told otherwise: the journal says that they are none. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/util.h"
#include "service/journal.h"

_must_check_ int bus_strays_watch(sd_bus *bus, sd_bus_slot **ret, struct journal *journal);
