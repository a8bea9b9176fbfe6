/* SPDX-License-Identifier: Apache-2.0 */
/* From an error on the bus to an exit status, and to words on standard error. */
#pragma once

#include "ctl/ctl.h"

/* The exit status for an error that a call gave: `error` if it is set, else the negative errno r. */
enum ctl_exit bus_error_status(const sd_bus_error *error, int r);

/* Says on standard error that `what` ("be-master n1") failed, why, and which explanation to ask for; returns the exit
 * status. */
enum ctl_exit bus_error_report(const struct ctl *c, const char *what, const sd_bus_error *error, int r);
