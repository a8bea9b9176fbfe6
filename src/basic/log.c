/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where a program's messages go. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "basic/log.h"
#include "basic/time-util.h"

enum { FIELDS_MAX = 32 };

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
        uintmax_t device, inode;
        struct stat st;

        return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) >= 0 &&
               st.st_dev == device && st.st_ino == inode;
}

/* Errors of a program that ends right afterwards. journald asks for the unit of an entry by the sender's process id, in
 * vain if that has gone meanwhile, so `journalctl -u` would not show the very line that says why; a stream has the unit from
 * its beginning. False if this is no way to go. */
static bool write_error_to_stream(int level, const char *message) {
        _cleanup_free_ char *line = NULL;

        if (level > LOG_ERR || !stderr_is_journal_stream())
                return false;
        if (asprintf(&line, "<%i>%s\n", level & LOG_PRIMASK, message) < 0) {
                line = NULL;
                return false;
        }
        for (char *p = line; p[0] && p[1]; p++) /* one line is one entry */
                if (*p == '\n')
                        *p = ' ';
        return write(STDERR_FILENO, line, strlen(line)) == (ssize_t) strlen(line);
}

static void emit(int level, const char *message_id, const char *const *fields, size_t n_fields, const char *format,
                 va_list ap) {
        _cleanup_free_ char *message = NULL;
        char priority[sizeof("PRIORITY=7")], id[sizeof("MESSAGE_ID=") + 32];
        struct iovec iov[FIELDS_MAX + 4];
        int n = 0, saved = errno;

        if (log_get_target() == LOG_TARGET_NULL)
                return;
        if (vasprintf(&message, format, ap) < 0) {
                message = NULL;
                return;
        }
        if (log_get_target() == LOG_TARGET_CONSOLE) {
                /* One write a line, so that lines of several programs in one file stay whole. */
                _cleanup_free_ char *line = NULL;
                int k = asprintf(&line, "%s: %s\n", program_invocation_short_name, message);

                if (k > 0 && write(STDERR_FILENO, line, (size_t) k) < 0)
                        n = -1; /* nobody left to tell */
                if (k < 0)
                        line = NULL;
                errno = saved;
                return;
        }

        if (!message_id && n_fields == 0 && write_error_to_stream(level, message)) {
                errno = saved;
                return;
        }

        _cleanup_free_ char *text = NULL;
        if (asprintf(&text, "MESSAGE=%s", message) < 0) {
                text = NULL;
                return;
        }
        snprintf(priority, sizeof(priority), "PRIORITY=%i", level & LOG_PRIMASK);
        iov[n++] = (struct iovec) { text, strlen(text) };
        iov[n++] = (struct iovec) { priority, strlen(priority) };
        if (message_id) {
                snprintf(id, sizeof(id), "MESSAGE_ID=%.32s", message_id);
                iov[n++] = (struct iovec) { id, strlen(id) };
        }
        for (size_t i = 0; i < n_fields && i < FIELDS_MAX; i++)
                if (fields[i])
                        iov[n++] = (struct iovec) { (char *) fields[i], strlen(fields[i]) };
        (void) sd_journal_sendv(iov, n);
        errno = saved;
}

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
