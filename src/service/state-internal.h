/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the state share. */
#pragma once

#include "service/state.h"

/* An event that comes after the difference of two statuses has told the same is late: whether this one is. It is expected no
 * more then, as after one that says the opposite. */
bool state_take_late(struct state *s, const struct signal *g, uint64_t monotonic);

/* Adds a signal that shows as a difference, unless the batch says it already. -ENOMEM. */
_must_check_ int state_add_difference(struct state *s, struct signal_list *batch, enum signal_kind kind, const char *a,
                                      const char *b, uint64_t monotonic);

/* What would have been reported between the last status and this one. -ENOMEM. */
_must_check_ int state_add_differences(struct state *s, struct signal_list *batch, const struct status_reading *now);

/* Slaves that are told to have arrived, and are not there now, are told to be gone again: who counts them is right at any
 * time. -ENOMEM. */
_must_check_ int state_add_deaths(struct state *s, struct signal_list *batch, const struct status_reading *now);
