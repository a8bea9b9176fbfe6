/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where a program's messages go. */
#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/log.h"
#include "basic/log-sink.h"
#include "basic/time-util.h"

enum { FIELDS_MAX = 32 };
static_assert(FIELDS_MAX + 4 <= LOG_SINK_FIELDS_MAX, "all of an entry has room");

static enum log_target current_target = LOG_TARGET_AUTO;
static int current_level = LOG_INFO;

static const char *const levels[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };
static const char *const targets[] = {
        [LOG_TARGET_AUTO] = "auto",
        [LOG_TARGET_JOURNAL] = "journal",
        [LOG_TARGET_CONSOLE] = "console",
        [LOG_TARGET_NULL] = "null",
};

void log_set_target(enum log_target target) {
        current_target = target;
}

enum log_target log_get_target(void) {
        if (current_target == LOG_TARGET_AUTO)
                current_target = getenv("JOURNAL_STREAM") ? LOG_TARGET_JOURNAL : LOG_TARGET_CONSOLE;
        return current_target;
}

int log_target_from_string(const char *s, enum log_target *ret) {
        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                if (streq(s, targets[i])) {
                        *ret = (enum log_target) i;
                        return 0;
                }
        return -EINVAL;
}

const char *log_target_to_string(enum log_target target) {
        return targets[target];
}

void log_set_level(int level) {
        current_level = level;
}

int log_get_level(void) {
        return current_level;
}

int log_level_from_string(const char *s, int *ret) {
        for (size_t i = 0; i < ELEMENTSOF(levels); i++)
                if (streq(s, levels[i])) {
                        *ret = (int) i;
                        return 0;
                }
        return -EINVAL;
}

const char *log_level_to_string(int level) {
        return levels[level & LOG_PRIMASK];
}

/* Whether standard error is a stream of the journal's own, as $JOURNAL_STREAM says and systemd sets it up. */
static bool stderr_is_journal_stream(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        char here[2 * sizeof("18446744073709551615")];
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t) st.st_dev, (uintmax_t) st.st_ino);
        return streq(stream, here);
}

/* Errors of a program that ends right afterwards. journald asks for the unit of an entry by the sender's process id, in
 * vain if that has gone meanwhile, so `journalctl -u` would not show the very line that says why; a stream has the unit from
 * its beginning. An error if this is no way to go. */
static int write_error_to_stream(int level, const char *message) {
        _cleanup_free_ char *line = NULL;

        if (level > LOG_ERR || !stderr_is_journal_stream())
                return -ENOTSOCK;
        if (asprintf(&line, "<%i>%s\n", level & LOG_PRIMASK, message) < 0) {
                line = NULL;
                return -ENOMEM;
        }
        for (char *p = line; p[0] && p[1]; p++) /* one line is one entry */
                if (*p == '\n')
                        *p = ' ';
        return log_sink_stderr(line, strlen(line));
}

/* One write a line, so that lines of several programs in one file stay whole. */
static int write_to_console(const char *message) {
        _cleanup_free_ char *line = NULL;

        if (asprintf(&line, "%s: %s\n", program_invocation_short_name, message) < 0) {
                line = NULL;
                return -ENOMEM;
        }
        return log_sink_stderr(line, strlen(line));
}

static int write_to_journal(int level, const char *message_id, const char *const *fields, size_t n_fields,
                            const char *message) {
        _cleanup_free_ char *text = NULL, *identifier = NULL;
        char priority[sizeof("PRIORITY=7")], id[sizeof("MESSAGE_ID=") + 32];
        struct iovec iov[FIELDS_MAX + 4];
        size_t n = 0;

        if (asprintf(&text, "MESSAGE=%s", message) < 0) {
                text = NULL;
                return -ENOMEM;
        }
        if (asprintf(&identifier, "SYSLOG_IDENTIFIER=%s", program_invocation_short_name) < 0) {
                identifier = NULL;
                return -ENOMEM;
        }
        snprintf(priority, sizeof(priority), "PRIORITY=%i", level & LOG_PRIMASK);
        iov[n++] = (struct iovec) { text, strlen(text) };
        iov[n++] = (struct iovec) { priority, strlen(priority) };
        iov[n++] = (struct iovec) { identifier, strlen(identifier) };
        if (message_id) {
                snprintf(id, sizeof(id), "MESSAGE_ID=%.32s", message_id);
                iov[n++] = (struct iovec) { id, strlen(id) };
        }
        for (size_t i = 0; i < n_fields && i < FIELDS_MAX; i++)
                if (fields[i])
                        iov[n++] = (struct iovec) { (char *) fields[i], strlen(fields[i]) };
        return log_sink_journal(iov, n);
}

static int write_entry(int level, const char *message_id, const char *const *fields, size_t n_fields, const char *message) {
        if (log_get_target() == LOG_TARGET_CONSOLE)
                return write_to_console(message);
        if (!message_id && n_fields == 0 && write_error_to_stream(level, message) >= 0)
                return 0;
        return write_to_journal(level, message_id, fields, n_fields, message);
}

/* ---- what could not be told ---- */

static struct {
        unsigned lost;
        sd_event_source *later;
} losses;

/* -EAGAIN and others as write_entry(); 0 when there is nothing left to tell. */
static int tell_losses(void) {
        char text[128];
        int r;

        if (losses.lost == 0)
                return 0;
        snprintf(text, sizeof(text), "%u lines of the log are lost: whoever reads it did not keep up", losses.lost);
        r = write_entry(LOG_WARNING, NULL, NULL, 0, text);
        if (r >= 0)
                losses.lost = 0;
        return r;
}

static void tell_later(void) {
        if (!losses.later)
                return; /* the next line tells it */
        if (sd_event_source_set_time_relative(losses.later, LOG_RETRY_USEC) >= 0)
                (void) sd_event_source_set_enabled(losses.later, SD_EVENT_ONESHOT);
}

static int on_later(sd_event_source *source, uint64_t usec, void *userdata) {
        if (tell_losses() == -EAGAIN)
                tell_later();
        return 0;
}

int log_attach_event(sd_event *event) {
        int r;

        losses.later = sd_event_source_disable_unref(losses.later);
        if (!event)
                return 0;
        r = sd_event_add_time_relative(event, &losses.later, CLOCK_MONOTONIC, 0, 0, on_later, NULL);
        return r < 0 ? r : sd_event_source_set_enabled(losses.later, SD_EVENT_OFF);
}

static void emit(int level, const char *message_id, const char *const *fields, size_t n_fields, const char *format,
                 va_list ap) {
        _cleanup_free_ char *message = NULL;
        int r, saved = errno;

        if (log_get_target() == LOG_TARGET_NULL)
                return;
        if (vasprintf(&message, format, ap) < 0) {
                message = NULL;
                return;
        }
        r = tell_losses();
        if (r >= 0)
                r = write_entry(level, message_id, fields, n_fields, message);
        if (r < 0 && losses.lost < UINT_MAX)
                losses.lost++;
        if (r == -EAGAIN)
                tell_later();
        errno = saved;
}

/* ---- what programs call ---- */

void log_message(int level, const char *format, ...) {
        va_list ap;

        if (level > current_level)
                return;
        va_start(ap, format);
        emit(level, NULL, NULL, 0, format, ap);
        va_end(ap);
}

void log_limited(struct ratelimit *limit, int level, const char *format, ...) {
        unsigned held_back;
        bool allowed;
        va_list ap;

        if (level > current_level)
                return;
        allowed = ratelimit_allow(limit, now_monotonic(), &held_back);
        if (held_back > 0)
                log_message(level, "%u more lines like the next one were held back", held_back);
        if (!allowed)
                return;
        va_start(ap, format);
        emit(level, NULL, NULL, 0, format, ap);
        va_end(ap);
}

void log_struct(int level, bool always, const char *message_id, const char *const *fields, size_t n_fields,
                const char *format, ...) {
        va_list ap;

        if (!always && level > current_level)
                return;
        va_start(ap, format);
        emit(level, message_id, fields, n_fields, format, ap);
        va_end(ap);
}
