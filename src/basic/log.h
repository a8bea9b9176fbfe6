/* SPDX-License-Identifier: Apache-2.0 */
/* Logging of programs: to the journal with structured fields, or to standard error. The library never logs.
 *
 * It never waits: a line that whoever reads the log has no room for is lost, and is counted. The count is told with the next line
 * for which there is room, or by the loop when there is room again. */
#pragma once

#include <syslog.h>
#include <systemd/sd-event.h>

#include "basic/ratelimit.h"
#include "basic/util.h"

enum log_target { LOG_TARGET_AUTO, LOG_TARGET_JOURNAL, LOG_TARGET_CONSOLE, LOG_TARGET_NULL };

/* AUTO: the journal if standard error is connected to it ($JOURNAL_STREAM), else standard error. */
void log_set_target(enum log_target target);
enum log_target log_get_target(void);          /* never AUTO: what is in effect */
_must_check_ int log_target_from_string(const char *s, enum log_target *ret); /* auto journal console null; -EINVAL */
const char *log_target_to_string(enum log_target target);

/* Entries above this syslog level are dropped. Default LOG_INFO. */
void log_set_level(int level);
int log_get_level(void);
_must_check_ int log_level_from_string(const char *s, int *ret); /* emerg ... debug; -EINVAL */
const char *log_level_to_string(int level);

/* From now on the loop tells of lines that were lost, LOG_RETRY_USEC after the last attempt; NULL ends that. Errors of sd-event. */
#define LOG_RETRY_USEC UINT64_C(1000000)
_must_check_ int log_attach_event(sd_event *event);

_printf_(2, 3) void log_message(int level, const char *format, ...);
#define log_error(...) log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)

/* A line that others can cause: at most so many in each interval, and then how many there were more. */
_printf_(3, 4) void log_limited(struct ratelimit *limit, int level, const char *format, ...);

/* One structured entry. `fields` are "NAME=value" strings (NULL entries are passed over), at most 32. With `always`
 * the level set by log_set_level() is ignored. `message_id`: 32 hex digits, or NULL. */
_printf_(6, 7) void log_struct(int level, bool always, const char *message_id, const char *const *fields, size_t n_fields,
                               const char *format, ...);
