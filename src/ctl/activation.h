/* SPDX-License-Identifier: Apache-2.0 */
/* Having the service started, and hearing at once that it cannot start. */
#pragma once

#include "ctl/ctl.h"

/* Where the reason of a failure stands. */
#define ACTIVATION_LOOK "journalctl -u confd-ha.service -n 20"

/* Whether somebody owns the name, without starting anything; a negative errno if the bus cannot say. */
_must_check_ int activation_is_running(struct ctl *c);

/* The unit's failure in words for people ("confd-ha.service has failed: ..."), NULL if it has not failed, or nobody knows.
 * To be freed. */
char *activation_failure(struct ctl *c);

/* Has the service started, unless it runs, and waits until it has the name, until its unit has failed, or until
 * c->deadline. CTL_DONE, or the exit status after complaining that `what` failed. Where neither bus nor systemd know how to
 * start it, that is left to the call to find out. */
enum ctl_exit activation_start(struct ctl *c, const char *what);
