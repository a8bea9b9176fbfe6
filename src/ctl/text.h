/* SPDX-License-Identifier: Apache-2.0 */
/* Times and other people's strings, as a terminal may show them. */
#pragma once

#include <stdint.h>

enum { TEXT_TIME_MAX = 64 };

/* Wall-clock times in µs as systemd writes them: "Sun 2026-11-22 11:29:05 UTC", and how long ago: "3min 5s ago".
 * Both return buf, which has TEXT_TIME_MAX bytes. */
const char *text_timestamp(uint64_t usec, char *buf);
const char *text_age(uint64_t usec, uint64_t now, char *buf);

/* A length of time: "1min 5s", "250ms". Returns buf, which has TEXT_TIME_MAX bytes. */
const char *text_timespan(uint64_t usec, char *buf);

/* An amount of data: "512 B", "1.5 MiB". Returns buf, which has TEXT_TIME_MAX bytes. */
const char *text_bytes(uint64_t bytes, char *buf);

/* A copy of s that cannot move a cursor: as it is if it is printable, else escaped as utf8_escape() does. What a
 * service says may come from ConfD, from a peer or from an impostor. NULL without memory, or for NULL. */
char *text_printable(const char *s);

/* The same for the cell of a table: with all escaped that is not ASCII, too, where the locale does not have it. */
char *text_cell(const char *s);

/* The last part of an error's name, if it is one of ours (BadState), else the whole name. */
const char *text_short_error(const char *name);
