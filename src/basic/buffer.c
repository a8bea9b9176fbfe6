/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the growing byte queue. */
#include "basic/buffer.h"

enum { BUFFER_SMALLEST = 256 };

void buffer_done(struct buffer *b) {
        free(b->data);
        *b = BUFFER_INIT(b->limit);
}

int buffer_reserve(struct buffer *b, size_t n, uint8_t **ret) {
        size_t size = buffer_size(b), want;
        uint8_t *p;

        if (n > SIZE_MAX / 2 - size || (b->limit > 0 && n > b->limit - MIN(size, b->limit)))
                return -ENOBUFS;
        if (n > b->allocated - b->end) {
                if (b->begin > 0) {
                        memmove(b->data, b->data + b->begin, size);
                        b->begin = 0;
                        b->end = size;
                }
                if (n > b->allocated - b->end) {
                        want = MAX(size + n, b->allocated + b->allocated / 2);
                        want = MAX(want, (size_t) BUFFER_SMALLEST);
                        p = realloc(b->data, want);
                        if (!p)
                                return -ENOMEM;
                        b->data = p;
                        b->allocated = want;
                }
        }
        *ret = b->data + b->end;
        return 0;
}

void buffer_commit(struct buffer *b, size_t n) {
        b->end += n;
}

int buffer_append(struct buffer *b, const void *p, size_t n) {
        uint8_t *to;
        int r;

        if (n == 0)
                return 0;
        r = buffer_reserve(b, n, &to);
        if (r < 0)
                return r;
        memcpy(to, p, n);
        buffer_commit(b, n);
        return 0;
}

void buffer_consume(struct buffer *b, size_t n) {
        b->begin += MIN(n, buffer_size(b));
        if (b->begin == b->end)
                buffer_clear(b);
}

void buffer_clear(struct buffer *b) {
        b->begin = b->end = 0;
}

void buffer_shrink(struct buffer *b) {
        buffer_done(b);
}
