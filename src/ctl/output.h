/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for something to print ends when nobody reads any more, not at the next line that comes. */
#pragma once

#include <stdint.h>

#include "basic/util.h"

/* Waits until one of `events` is there at fd, the monotonic `until` has come, or a signal. Once standard output is a
 * pipe or a socket that nobody reads, SIGPIPE, and where that is ignored -EPIPE; or another negative errno. */
_must_check_ int output_wait(int fd, int events, uint64_t until);
