/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the lines that the participants of a test leave. */
#include <stdio.h>

#include "trace.h"

bool pattern_matches(const char *pattern, const char *text) {
        const char *star = NULL, *resume = NULL;

        while (*text)
                if (*pattern == '*') {
                        star = pattern++;
                        resume = text;
                } else if (*pattern == *text) {
                        pattern++;
                        text++;
                } else if (star) {
                        pattern = star + 1;
                        text = ++resume;
                } else
                        return false;
        while (*pattern == '*')
                pattern++;
        return !*pattern;
}

void trace_done(struct trace *t) {
        for (size_t i = 0; i < t->n; i++)
                free(t->lines[i]);
        free(t->lines);
        *t = (struct trace) { .name = t->name };
}

void trace_add(struct trace *t, const char *format, ...) {
        va_list ap;
        char *line = NULL, **lines;

        va_start(ap, format);
        if (vasprintf(&line, format, ap) < 0)
                abort();
        va_end(ap);
        lines = reallocarray(t->lines, t->n + 1, sizeof(char *));
        if (!lines)
                abort();
        t->lines = lines;
        t->lines[t->n++] = line;
        if (getenv("CONFD_HA_TEST_VERBOSE"))
                fprintf(stderr, "# %-8s %s\n", t->name, line);
}

ssize_t trace_find(const struct trace *t, size_t from, const char *pattern) {
        for (size_t i = MAX(from, t->start); i < t->n; i++)
                if (pattern_matches(pattern, t->lines[i]))
                        return (ssize_t) i;
        return -1;
}

const char *trace_next(struct trace *t, const char *pattern) {
        ssize_t i = trace_find(t, t->cursor, pattern);

        if (i < 0)
                return NULL;
        t->cursor = (size_t) i + 1;
        return t->lines[i];
}

size_t trace_count(const struct trace *t, const char *pattern) {
        size_t n = 0;

        for (size_t i = t->start; i < t->n; i++)
                n += pattern_matches(pattern, t->lines[i]);
        return n;
}

void trace_skip(struct trace *t) {
        t->cursor = t->n;
}

void trace_restart(struct trace *t) {
        t->cursor = t->start = t->n;
}

void trace_print(const struct trace *t) {
        size_t first = t->n > 200 ? t->n - 200 : 0; /* floods */

        if (first > 0)
                fprintf(stderr, "# %-8s ... %zu lines before\n", t->name, first);
        for (size_t i = first; i < t->n; i++)
                fprintf(stderr, "# %-8s %s\n", t->name, t->lines[i]);
}
