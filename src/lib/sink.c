/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how bytes and numbers become bounded text. */
#include <stdarg.h>

#include "basic/escape.h"
#include "lib/sink.h"

void sink_printf(struct sink *s, const char *format, ...) {
        char text[64];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        sink_puts(s, text);
}

void sink_put_escaped(struct sink *s, const void *p, size_t n) {
        const char *from = p;
        char text[UTF8_ESCAPED_MAX];
        size_t k, used;

        for (; n > 0 && !s->full; from += used, n -= used) {
                used = utf8_escape_next(from, n, text, &k);
                sink_put(s, text, k);
        }
}
