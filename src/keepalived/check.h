/* SPDX-License-Identifier: Apache-2.0 */
/* The track script: does this node do what keepalived wishes, or could it? */
#pragma once

#include "keepalived/settings.h"

/* Prints one line. Returns an exit status: 0 fit, 1 not. Takes CHECK_USEC at most. */
int check_run(const struct settings *s, const char *directory);

#define CHECK_USEC (2 * USEC_PER_SEC)        /* a service that restarts is waited for */
#define CHECK_GRACE_USEC (3 * USEC_PER_SEC)  /* what a new wish has to come true */
