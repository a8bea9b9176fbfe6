/* SPDX-License-Identifier: Apache-2.0 */
/* Traces of the blocking functions, to the stream that the program has set and nowhere else. */
#pragma once

#include <confd_lib.h>

#include "basic/util.h"

/* Whether anything at this level is written; callers that format much ask first. */
bool trace_enabled(enum confd_debug_level level);

/* One line. Never hand in a token or a secret. `errno` is kept. */
_printf_(2, 3) void trace(enum confd_debug_level level, const char *format, ...);

/* A message (with its version byte) in Erlang's notation, at PROTO_TRACE: "fd 5 <- {1,[]}". */
void trace_message(int fd, const char *arrow, const void *body, size_t size);
