/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how times, names and foreign strings are put before people. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "basic/escape.h"
#include "ctl/ctl.h"
#include "ctl/text.h"

const char *text_timestamp(uint64_t usec, char *buf) {
        time_t t = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        /* A time that does not exist on this calendar comes from a broken peer: show the number. */
        if (usec / USEC_PER_SEC > INT64_C(253402300799) || !localtime_r(&t, &tm) ||
            strftime(buf, TEXT_TIME_MAX, "%a %Y-%m-%d %H:%M:%S %Z", &tm) == 0)
                snprintf(buf, TEXT_TIME_MAX, "%" PRIu64 "us", usec);
        return buf;
}

const char *text_timespan(uint64_t usec, char *buf) {
        static const struct {
                const char *name;
                uint64_t usec;
        } units[] = {
                { "y", 31557600 * USEC_PER_SEC }, { "d", 86400 * USEC_PER_SEC }, { "h", 3600 * USEC_PER_SEC },
                { "min", 60 * USEC_PER_SEC },     { "s", USEC_PER_SEC },         { "ms", USEC_PER_MSEC },
                { "us", 1 },
        };
        size_t i = 0;
        int n;

        if (usec == 0) {
                snprintf(buf, TEXT_TIME_MAX, "0");
                return buf;
        }
        while (usec < units[i].usec)
                i++;
        n = snprintf(buf, TEXT_TIME_MAX, "%" PRIu64 "%s", usec / units[i].usec, units[i].name);
        /* Two units tell enough, and below seconds one does. */
        usec %= units[i].usec;
        if (units[i].usec > USEC_PER_SEC && usec >= units[i + 1].usec)
                snprintf(buf + n, TEXT_TIME_MAX - (size_t) n, " %" PRIu64 "%s", usec / units[i + 1].usec,
                         units[i + 1].name);
        return buf;
}

const char *text_age(uint64_t usec, uint64_t now, char *buf) {
        char span[TEXT_TIME_MAX];
        uint64_t d = now > usec ? now - usec : usec - now;

        if (d < USEC_PER_SEC)
                snprintf(buf, TEXT_TIME_MAX, "just now");
        else
                snprintf(buf, TEXT_TIME_MAX, "%.40s%s", text_timespan(d - d % USEC_PER_SEC, span),
                         now > usec ? " ago" : " from now");
        return buf;
}

const char *text_bytes(uint64_t bytes, char *buf) {
        static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        uint64_t tenths = bytes;
        size_t i = 0;

        if (bytes < 1024) {
                snprintf(buf, TEXT_TIME_MAX, "%" PRIu64 " B", bytes);
                return buf;
        }
        while (tenths / 1024 >= 1024) {
                tenths /= 1024;
                i++;
        }
        snprintf(buf, TEXT_TIME_MAX, "%" PRIu64 ".%" PRIu64 " %s", tenths / 1024, tenths % 1024 * 10 / 1024, units[i]);
        return buf;
}

char *text_printable(const char *s) {
        if (!s)
                return NULL;
        return utf8_is_plain(s, strlen(s)) ? strdup(s) : utf8_escape(s, strlen(s));
}

/* libsmartcols measures by the locale, and comes to no end at what the locale has no character for, as LANG=C has none beyond ASCII. */
char *text_cell(const char *s) {
        static const char hex[] = "0123456789abcdef";
        char *printable = text_printable(s), *escaped, *t;

        if (!printable || mbstowcs(NULL, printable, 0) != (size_t) -1)
                return printable;
        free(printable);
        escaped = t = reallocarray(NULL, strlen(s) + 1, 4);
        if (!escaped)
                return NULL;
        for (const unsigned char *p = (const unsigned char *) s; *p; p++)
                if (*p == '\\')
                        *t++ = '\\', *t++ = '\\';
                else if (*p < ' ' || *p > '~')
                        *t++ = '\\', *t++ = 'x', *t++ = hex[*p >> 4], *t++ = hex[*p & 15];
                else
                        *t++ = (char) *p;
        *t = '\0';
        return escaped;
}

const char *text_short_error(const char *name) {
        size_t n = strlen(HA_ERROR_PREFIX);

        return strncmp(name, HA_ERROR_PREFIX, n) == 0 && name[n] ? name + n : name;
}
