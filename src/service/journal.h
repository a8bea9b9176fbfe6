/* SPDX-License-Identifier: Apache-2.0 */
/* What administrators read afterwards: the structured entries of orders, transitions, losses and connections. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/util.h"
#include "service/authorize.h"
#include "service/bus-errors.h"
#include "service/inhibitors.h"
#include "service/state.h"

/* How long systemd may take to tell the unit of a caller before the entry is written without. */
#define JOURNAL_UNIT_USEC (2 * UINT64_C(1000000))

/* So many units are asked for at a time, and none for a while when systemd has not answered; what comes then is written
 * without. */
enum { JOURNAL_UNITS_MAX = 8 };
#define JOURNAL_NO_UNITS_USEC (30 * UINT64_C(1000000))

struct journal;
struct journal_order;

_must_check_ int journal_new(struct journal **ret, sd_event *event, sd_bus *bus);
/* Writes what is still held back. */
struct journal *journal_free(struct journal *j);
DEFINE_CLEANUP(struct journal *, journal_free)

/* An order (or Reload) begins: copies what it is given; NULL for what the method does not have. NULL without memory, which
 * the others take. */
struct journal_order *journal_order_begin(struct journal *j, const char *method, const struct authorize_details *details);

/* Who gave it. */
void journal_order_caller(struct journal_order *o, const struct caller *caller);

/* Who may, and it is about to be given; it has been. Its unit is asked for then, while ConfD is at it: systemd is not troubled for
 * those who may not, but for the few whose entries are written. Until it has been given it stays, even if it ends before. */
void journal_order_accepted(struct journal_order *o);
void journal_order_given(struct journal_order *o);

/* Its end. The entry is written at once, or as soon as the unit is known. */
void journal_order_end(struct journal_order *o, const struct failure *failure);

/* Its end for a caller who may not, or is one too many, or has gone. Of these so many have an entry of their own, others are
 * counted: they cost nothing, and must not fill the journal. */
void journal_order_refused(struct journal_order *o, const struct failure *failure);

/* The same for a call that is no order. */
void journal_call_refused(struct journal *j, const char *method, const struct caller *caller, const struct failure *failure);

/* A signal: transitions and losses. A BeSlaveResult has no entry: the order's own says it. */
void journal_signal(const struct signal *g);

/* The connection is up (why is NULL), or why not, once for each outage; file: of a secret that is the reason. */
void journal_connection(struct journal *j, const struct failure *why, const struct state *s, const char *file);

/* Somebody inhibits role orders, or no longer does (caller is NULL). */
void journal_inhibitor(const struct inhibitor *i, const struct caller *caller);

/* A role target. */
void journal_target_failed(const char *target, const char *name, const char *message);

/* A reload, or its refusal; the caller may be NULL. */
void journal_reload(const char *file, const struct failure *failure, const struct caller *caller);
