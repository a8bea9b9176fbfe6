/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of times. */
#include <time.h>

#include "basic/parse.h"
#include "basic/time-util.h"
#include "ctl/when.h"

enum { TEXT_MAX = 128 };

/* A length of time, as 1h30min or "2 days"; a bare number is seconds. */
static int span_parse(const char *p, uint64_t *ret) {
        static const struct {
                const char *name;
                uint64_t usec;
        } units[] = {
                { "seconds", USEC_PER_SEC },       { "second", USEC_PER_SEC },        { "sec", USEC_PER_SEC },
                { "s", USEC_PER_SEC },             { "minutes", 60 * USEC_PER_SEC },  { "minute", 60 * USEC_PER_SEC },
                { "min", 60 * USEC_PER_SEC },      { "m", 60 * USEC_PER_SEC },        { "hours", 3600 * USEC_PER_SEC },
                { "hour", 3600 * USEC_PER_SEC },   { "h", 3600 * USEC_PER_SEC },      { "days", 86400 * USEC_PER_SEC },
                { "day", 86400 * USEC_PER_SEC },   { "d", 86400 * USEC_PER_SEC },     { "weeks", 604800 * USEC_PER_SEC },
                { "week", 604800 * USEC_PER_SEC }, { "w", 604800 * USEC_PER_SEC },
        };
        uint64_t sum = 0;

        do {
                char number[32], unit[16];
                size_t n, k = 0, i;
                uint64_t value;

                p += strspn(p, " ");
                n = strspn(p, "0123456789");
                if (n == 0 || n >= sizeof(number))
                        return -EINVAL;
                memcpy(number, p, n);
                number[n] = '\0';
                p += n;
                p += strspn(p, " ");
                while (*p >= 'a' && *p <= 'z' && k < sizeof(unit) - 1)
                        unit[k++] = *p++;
                unit[k] = '\0';
                for (i = 0; i < ELEMENTSOF(units); i++)
                        if (streq(unit, k == 0 ? "" : units[i].name))
                                break;
                if (k > 0 && i == ELEMENTSOF(units))
                        return -EINVAL;
                if (parse_unsigned(number, 0, UINT64_C(1000000000), &value) < 0)
                        return -EINVAL;
                sum = usec_add(sum, value * (k == 0 ? USEC_PER_SEC : units[i].usec));
                p += strspn(p, " ");
        } while (*p);
        *ret = sum;
        return 0;
}

/* The start of the day of `now`, `days` before. */
static int day_start(uint64_t now, int days, struct tm *tm) {
        time_t t = (time_t) (now / USEC_PER_SEC);

        if (!localtime_r(&t, tm))
                return -EINVAL;
        tm->tm_hour = tm->tm_min = tm->tm_sec = 0;
        tm->tm_mday -= days;
        tm->tm_isdst = -1;
        return 0;
}

static int calendar_parse(const char *text, uint64_t now, uint64_t *ret) {
        static const char *const formats[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%H:%M:%S", "%H:%M" };
        time_t t;

        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                const char *end;
                struct tm tm;

                if (day_start(now, 0, &tm) < 0)
                        return -EINVAL;
                end = strptime(text, formats[i], &tm);
                if (!end || *end)
                        continue;
                tm.tm_isdst = -1;
                t = mktime(&tm);
                if (t < 0)
                        return -EINVAL;
                *ret = (uint64_t) t * USEC_PER_SEC;
                return 0;
        }
        return -EINVAL;
}

static int relative_parse(const char *text, uint64_t now, uint64_t *ret) {
        size_t n = strlen(text);
        char span[TEXT_MAX];
        bool past = *text == '-';
        uint64_t usec;

        if (n >= sizeof(span))
                return -EINVAL;
        if (*text == '-' || *text == '+')
                memcpy(span, text + 1, n);
        else if (n > 4 && streq(text + n - 4, " ago")) {
                memcpy(span, text, n - 4);
                span[n - 4] = '\0';
                past = true;
        } else
                return -EINVAL;
        if (span_parse(span, &usec) < 0)
                return -EINVAL;
        *ret = past ? now - MIN(now, usec) : usec_add(now, usec);
        return 0;
}

/* Digits after the @, and up to six decimals. */
static int epoch_parse(const char *text, uint64_t *ret) {
        char seconds[24];
        uint64_t whole, fraction = 0;
        size_t n = strspn(text, "0123456789"), k;

        if (n == 0 || n >= sizeof(seconds))
                return -EINVAL;
        memcpy(seconds, text, n);
        seconds[n] = '\0';
        if (parse_unsigned(seconds, 0, UINT64_C(253402300799), &whole) < 0)
                return -EINVAL;
        if (text[n] == '.') {
                k = strspn(text + n + 1, "0123456789");
                if (k == 0 || k > 6 || text[n + 1 + k])
                        return -EINVAL;
                for (size_t i = 0; i < 6; i++)
                        fraction = fraction * 10 + (i < k ? (uint64_t) (text[n + 1 + i] - '0') : 0);
        } else if (text[n])
                return -EINVAL;
        *ret = whole * USEC_PER_SEC + fraction;
        return 0;
}

int when_parse(const char *text, uint64_t now, uint64_t *ret) {
        bool today = streq(text, "today");

        if (streq(text, "now")) {
                *ret = now;
                return 0;
        }
        if (today || streq(text, "yesterday")) {
                struct tm tm;
                time_t t;

                if (day_start(now, today ? 0 : 1, &tm) < 0)
                        return -EINVAL;
                t = mktime(&tm);
                if (t < 0)
                        return -EINVAL;
                *ret = (uint64_t) t * USEC_PER_SEC;
                return 0;
        }
        if (*text == '@')
                return epoch_parse(text + 1, ret);
        if (relative_parse(text, now, ret) >= 0)
                return 0;
        return calendar_parse(text, now, ret);
}
