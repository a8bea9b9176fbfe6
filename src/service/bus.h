/* SPDX-License-Identifier: Apache-2.0 */
/* The D-Bus object /org/confd/HA: its interface, and what is emitted on it. */
#pragma once

#include "basic/util.h"
#include "service/service.h"

#define BUS_NAME "org.confd.HA"
#define BUS_PATH "/org/confd/HA"
#define BUS_INTERFACE "org.confd.HA"

/* Registers the object for as long as the bus lives. */
_must_check_ int bus_register(struct service *s);

/* PropertiesChanged for a mask of CHANGED_ bits. */
void bus_emit_properties(sd_bus *bus, unsigned changed);

void bus_emit_signal(sd_bus *bus, const struct signal *g);
