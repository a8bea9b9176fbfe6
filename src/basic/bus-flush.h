/* SPDX-License-Identifier: Apache-2.0 */
/* The last words on a bus, within a time. For programs. */
#pragma once

#include <systemd/sd-bus.h>

/* Sends what is queued, for at most half a second: sd_bus_flush() would wait for as long as the bus likes. NULL is fine. */
void bus_flush(sd_bus *bus);
