/* SPDX-License-Identifier: Apache-2.0 */
/* A view that stays on the terminal and is drawn anew whenever there is something new, until q or ^C. */
#pragma once

#include <systemd/sd-event.h>

#include "ctl/ctl.h"

/* Prints the view to standard output, which is caught. */
typedef int (*live_draw_fn)(void *userdata);

struct live;

/* Takes the terminal. `period`: how often the ages in the view are brought up to date, in µs. -ENOTTY, or another negative
 * errno. The terminal is given back by live_free(), and by any end that a signal brings. */
_must_check_ int live_new(struct live **ret, sd_event *event, uint64_t period, live_draw_fn draw, void *userdata);
struct live *live_free(struct live *l);

/* There is something new: drawn soon, once for all that comes together. */
void live_changed(struct live *l);

/* Draws and serves the loop until the user ends it. 0, or a negative errno. */
_must_check_ int live_run(struct live *l);
