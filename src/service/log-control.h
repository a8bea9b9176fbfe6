/* SPDX-License-Identifier: Apache-2.0 */
/* org.freedesktop.LogControl1: the log level and target, to be read by everybody and set by uid 0. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/util.h"
#include "service/callers.h"

#define LOG_CONTROL_PATH "/org/freedesktop/LogControl1"

/* Registers the object for as long as the bus lives; nothing may be dispatched on that after the callers have gone. */
_must_check_ int log_control_register(sd_bus *bus, struct callers *callers);
