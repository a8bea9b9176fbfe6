/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the service manager how the program is, without ever waiting for it. For programs.
 *
 * sd_notify(3) waits while the manager's socket is full, and anybody may fill it. Here what cannot be told is told later by the
 * loop, and of a status only the last one; the watchdog is fed in the same way. Without $NOTIFY_SOCKET nothing is done. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/util.h"

#define NOTIFY_RETRY_USEC UINT64_C(100000)

/* Before any of the others. Feeds the watchdog, if the manager has one, for as long as the loop runs. Errors of sd-event, -ENOMEM. */
_must_check_ int notify_attach_event(sd_event *event);
void notify_detach_event(void);

/* Status is the line that `systemctl status` shows; with control characters in it, or what is no UTF-8, it is escaped (escape.h), so that
 * it stays one line. NULL leaves it as it is. */
void notify_ready(const char *status);
void notify_reloading(void); /* until the next notify_ready() */
void notify_stopping(const char *status);
void notify_status(const char *status);
