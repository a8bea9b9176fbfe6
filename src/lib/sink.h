/* SPDX-License-Identifier: Apache-2.0 */
/* Text into a buffer that may be too small: counts all, writes what fits, cuts between characters only. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "basic/util.h"

struct sink {
        char *buf;
        size_t size;
        size_t n;   /* length of the whole text so far */
        size_t max; /* the text ends with "..." when it would grow longer */
        bool full;  /* it has been cut at max */
        bool short_; /* a piece did not fit the buffer: nothing is written behind it */
        size_t at;  /* bytes written */
};

static inline _unused_ struct sink sink_init(char *buf, size_t size, size_t max) {
        if (size > 0)
                buf[0] = 0;
        return (struct sink) { .buf = buf, .size = size, .max = max };
}

static inline _unused_ void sink_write(struct sink *s, const char *p, size_t n) {
        s->n += n;
        if (s->short_ || s->size == 0 || n >= s->size - s->at) {
                s->short_ = true;
                return;
        }
        memcpy(s->buf + s->at, p, n);
        s->at += n;
        s->buf[s->at] = 0;
}

/* Adds n bytes, which are never torn. */
static inline _unused_ void sink_put(struct sink *s, const char *p, size_t n) {
        if (s->full)
                return;
        if (n > s->max - s->n) {
                s->full = true;
                sink_write(s, "...", 3);
                return;
        }
        sink_write(s, p, n);
}

static inline _unused_ void sink_puts(struct sink *s, const char *p) {
        sink_put(s, p, strlen(p));
}

/* At most 63 bytes. */
_printf_(2, 3) void sink_printf(struct sink *s, const char *format, ...);

/* Bytes as UTF-8, what is not or is a control character as \xHH, backslashes doubled. */
void sink_put_escaped(struct sink *s, const void *p, size_t n);
