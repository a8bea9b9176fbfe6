/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a text of the state directory on disk, however long that takes, without the loop waiting for it.
 *
 * A thread of its own writes: one text at a time, and of those that come meanwhile only the last, for each replaces the one before
 * whole. So at most two texts are there at any time, and on disk they follow each other in the order in which they came. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/util.h"

/* A disk that takes longer is slow: that is logged, and nobody is kept waiting for it any more. */
#define KEEPER_PATIENCE_USEC (1 * UINT64_C(1000000))
/* How long the end of the service waits for what is still to be written. */
#define KEEPER_END_USEC (3 * UINT64_C(1000000))

struct keeper;

/* From the loop: everything is on disk, or could not be put there (that is logged); or it takes longer than is waited for. */
typedef void (*keeper_fn)(void *userdata);

/* name: of the file. -ENOMEM and what threads and sd-event say. */
_must_check_ int keeper_new(struct keeper **ret, sd_event *event, const char *name, keeper_fn fn, void *userdata);

/* Waits for what is still to be written, KEEPER_END_USEC at most; a thread that a disk does not let go is left to itself. */
struct keeper *keeper_free(struct keeper *k);
DEFINE_CLEANUP(struct keeper *, keeper_free)

/* As kept_save(KEPT_STATE, name, text), soon. text is taken over, also on errors: -ENOMEM if there is none. */
_must_check_ int keeper_keep(struct keeper *k, char *text);

/* Nothing is on its way. */
bool keeper_is_idle(const struct keeper *k);

/* Something is, and not for too long yet. */
bool keeper_is_awaited(const struct keeper *k);

/* Waits here: for the end of the service. */
void keeper_finish(struct keeper *k);
