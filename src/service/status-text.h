/* SPDX-License-Identifier: Apache-2.0 */
/* The one line that systemctl status shows: connected to what, as what, with whom, or why not. */
#pragma once

#include "basic/util.h"
#include "service/state.h"

/* Most peers that are named. */
enum { STATUS_TEXT_PEERS_MAX = 6 };

/* polling: there is no event connection, and it is known that there is none now. NULL without memory. */
char *status_text(const struct state *s, bool polling, const char *targets);
