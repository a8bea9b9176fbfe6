/* SPDX-License-Identifier: Apache-2.0 */
/* org.freedesktop.LogControl1: the log level and target, to be read by everybody and set by uid 0. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/util.h"

#define LOG_CONTROL_PATH "/org/freedesktop/LogControl1"

/* Registers the object for as long as the bus lives. */
_must_check_ int log_control_register(sd_bus *bus);
