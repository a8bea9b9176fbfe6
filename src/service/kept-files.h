/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives the service: small texts in its runtime directory, until the next boot, and in its state directory. */
#pragma once

#include "basic/util.h"

/* Most bytes of a text. */
enum { KEPT_MAX = 1024 * 1024 };

enum kept_in {
        KEPT_RUNTIME, /* RUNTIME_DIRECTORY: over restarts of the service */
        KEPT_STATE,   /* STATE_DIRECTORY: over reboots, on disk when kept_try() returns, for which the loop does not wait: keeper.h */
};

/* The text, lines each ended by a newline; "" if there is none. *ret_lost: there was one, which cannot be read (that is logged) or could not be written. NULL
 * without memory. */
char *kept_load(enum kept_in in, const char *name, bool *ret_lost);

/* Replaces the text; "" removes it. Where it cannot be written the old one goes, as it would be wrong by then (in the state
 * directory an empty file says that it is lost); that is logged, once until it works again. Returns 0 or the negative errno that was logged. */
int kept_save(enum kept_in in, const char *name, const char *text);

/* The same in two steps, the first of them for any thread. */
struct kept_outcome {
        int error;  /* 0, or a negative errno */
        bool stale; /* the old text is still there */
};
struct kept_outcome kept_try(enum kept_in in, const char *name, const char *text);
void kept_complain(enum kept_in in, const char *name, const struct kept_outcome *outcome);
