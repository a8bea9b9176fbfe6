/* SPDX-License-Identifier: Apache-2.0 */
/* The track scripts: does this node do what keepalived wishes, or could it? And does its ConfD answer? */
#pragma once

#include "keepalived/settings.h"

/* Prints one line. Returns an exit status: 0 fit, 1 not. Takes CHECK_USEC at most. */
int check_run(const struct settings *s, const char *directory);

/* The same of the peer's question: is anything here that a master would wait for and that does not answer? 1 if so. */
int alive_run(const struct settings *s);

#define CHECK_USEC (2 * USEC_PER_SEC)        /* a service that restarts is waited for */
#define CHECK_GRACE_USEC (3 * USEC_PER_SEC)  /* what a new wish has to come true */
