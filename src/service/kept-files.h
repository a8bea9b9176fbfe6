/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives the service: small texts in its runtime directory, until the next boot, and in its state directory. */
#pragma once

#include "basic/util.h"

/* Most bytes of a text. */
enum { KEPT_MAX = 1024 * 1024 };

enum kept_in {
        KEPT_RUNTIME, /* RUNTIME_DIRECTORY: over restarts of the service */
        KEPT_STATE,   /* STATE_DIRECTORY: over reboots, on disk when kept_save() returns */
};

/* The text, "" if there is none, or none that can be read, which is logged. NULL without memory. */
char *kept_load(enum kept_in in, const char *name);

/* Replaces the text; "" removes it. What cannot be written is removed, as it would be wrong by then, and that is logged, once
 * until it works again. Returns 0 or the negative errno that was logged. */
int kept_save(enum kept_in in, const char *name, const char *text);
