/* SPDX-License-Identifier: Apache-2.0 */
/* From an error on the bus to an exit status, and to words on standard error. */
#pragma once

#include "ctl/ctl.h"

/* The exit status for an error that a call gave: `error` if it is set, else the negative errno r. */
enum ctl_exit bus_error_status(const sd_bus_error *error, int r);

/* What to do next where the error itself does not say it; NULL if there is nothing better than the table of errors. */
const char *bus_error_advice(const struct ctl *c, const char *name);

/* Says on standard error that `what` ("be-master n1") failed, why, and which explanation to ask for, with --json as an
 * object on standard output, too (complain.h); returns the exit status. */
enum ctl_exit bus_error_report(struct ctl *c, const char *what, const sd_bus_error *error, int r);
