/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that only read, until the bus can take their answers.
 *
 * An answer may have 8 MiB, and what is sent faster than the bus takes it waits in our memory. So the next one is made when
 * the one before has gone, and until then a call is only the few hundred bytes that its arguments are. Callers take turns: one who
 * asks for everything a hundred times is a nuisance to himself. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/util.h"

enum {
        BUS_READS_MAX = 1024,           /* that wait; one more is Busy */
        BUS_READS_KEPT = 256,           /* of these for callers who have none waiting: who floods keeps nobody else out */
        BUS_READS_PER_CALLER_MAX = 128, /* dbus-daemon lets nobody have more calls under way either */
};

struct bus_reads;

/* Answers one call. A negative return, or what is set in `error`, becomes the error that is replied. */
typedef int (*bus_read_fn)(sd_bus_message *m, void *userdata, sd_bus_error *error);

_must_check_ int bus_reads_new(sd_event *event, struct bus_reads **ret);
struct bus_reads *bus_reads_free(struct bus_reads *q);
DEFINE_CLEANUP(struct bus_reads *, bus_reads_free)

/* fn is called for m (with its arguments unread) once it is its turn, from the loop. -EBUSY past a limit, -ENOMEM, -ECANCELED
 * once they have been ended */
_must_check_ int bus_reads_add(struct bus_reads *q, sd_bus_message *m, bus_read_fn fn, void *userdata);

/* From now on it forgets those who leave this bus, so that their calls hold no places. q has to live as long as the bus. */
_must_check_ int bus_reads_watch(struct bus_reads *q, sd_bus *bus);

/* For the end of the node: takes no more of them, and answers those that wait with that error. */
void bus_reads_end(struct bus_reads *q, const sd_bus_error *error);

/* The bus is gone: forgets those that wait. */
void bus_reads_clear(struct bus_reads *q);
