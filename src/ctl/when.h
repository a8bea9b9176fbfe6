/* SPDX-License-Identifier: Apache-2.0 */
/* Times as people write them for --since= and --until=. */
#pragma once

#include <stdint.h>

#include "basic/util.h"

/* Wall-clock µs since the epoch from what a user typed, as systemd.time(7) has it: "2026-11-25 18:30[:05]", "2026-11-25",
 * "18:30[:05]" (today), now, today, yesterday, "5min ago", -1h30min, +1h, @1795347248[.270924]. `now` is what they are
 * relative to. -EINVAL */
_must_check_ int when_parse(const char *text, uint64_t now, uint64_t *ret);
