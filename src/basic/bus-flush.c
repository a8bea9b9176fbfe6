/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how long a program that ends waits for the bus to take its last words. */
#include "basic/bus-flush.h"
#include "basic/time-util.h"

#define FLUSH_USEC (500 * USEC_PER_MSEC)

void bus_flush(sd_bus *bus) {
        uint64_t end = now_monotonic() + FLUSH_USEC, queued = 0;

        while (bus && sd_bus_get_n_queued_write(bus, &queued) >= 0 && queued > 0 && now_monotonic() < end)
                if (sd_bus_process(bus, NULL) < 0 || sd_bus_wait(bus, 10 * USEC_PER_MSEC) < 0)
                        return;
}
