/* SPDX-License-Identifier: Apache-2.0 */
/* A trace: what one participant of a test has seen, line by line, with a cursor for those who wait for the next. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "basic/util.h"

struct trace {
        const char *name; /* of the participant; leads its lines when a failure prints them */
        char **lines;
        size_t n;
        size_t cursor;    /* the first line that no trace_next() has passed yet */
        size_t start;     /* the first line that counts */
};

/* Whether the text matches the pattern, in which a '*' stands for any characters and all others for themselves. */
bool pattern_matches(const char *pattern, const char *text);

void trace_done(struct trace *t);
_printf_(2, 3) void trace_add(struct trace *t, const char *format, ...);

/* The next matching line at or behind the cursor, which moves behind it; NULL (and no move) if there is none yet. */
const char *trace_next(struct trace *t, const char *pattern);

/* How many lines match. */
size_t trace_count(const struct trace *t, const char *pattern);
/* The index of the first matching line at or behind `from`, or -1. */
ssize_t trace_find(const struct trace *t, size_t from, const char *pattern);

/* Moves the cursor behind everything seen so far. */
void trace_skip(struct trace *t);
/* The same, and what was seen so far no longer counts either. */
void trace_restart(struct trace *t);

/* Prints all lines to standard error. */
void trace_print(const struct trace *t);
