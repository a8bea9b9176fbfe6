/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the growing byte queue. */
#include "basic/buffer.h"

enum { BUFFER_SMALLEST = 256 };

static void erase(struct buffer *b, size_t from, size_t to) {
        if (b->secret && from < to)
                explicit_bzero(b->data + from, to - from);
}

void buffer_done(struct buffer *b) {
        erase(b, b->begin, b->end);
        free(b->data);
        *b = (struct buffer) { .limit = b->limit, .secret = b->secret };
}

/* As realloc(); what is unread begins at the beginning. */
static int resize(struct buffer *b, size_t allocated) {
        uint8_t *p;

        if (!b->secret)
                p = realloc(b->data, allocated);
        else {
                p = malloc(allocated);
                if (p && b->data) {
                        memcpy(p, b->data, b->end);
                        erase(b, 0, b->end);
                        free(b->data);
                }
        }
        if (!p)
                return -ENOMEM;
        b->data = p;
        b->allocated = allocated;
        return 0;
}

int buffer_reserve(struct buffer *b, size_t n, uint8_t **ret) {
        size_t size = buffer_size(b), want;
        int r;

        if (n > SIZE_MAX / 2 - size || (b->limit > 0 && n > b->limit - MIN(size, b->limit)))
                return -ENOBUFS;
        if (n > b->allocated - b->end) {
                if (b->begin > 0) {
                        memmove(b->data, b->data + b->begin, size);
                        erase(b, size, b->end);
                        b->begin = 0;
                        b->end = size;
                }
                if (n > b->allocated - b->end) {
                        want = MAX(size + n, b->allocated + b->allocated / 2);
                        want = MAX(want, (size_t) BUFFER_SMALLEST);
                        r = resize(b, want);
                        if (r < 0)
                                return r;
                }
        }
        *ret = b->data + b->end;
        return 0;
}

void buffer_commit(struct buffer *b, size_t n) {
        b->end += n;
}

int buffer_append_slow(struct buffer *b, const void *p, size_t n) {
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
        n = MIN(n, buffer_size(b));
        erase(b, b->begin, b->begin + n);
        b->begin += n;
        if (b->begin == b->end)
                buffer_clear(b);
}

void buffer_clear(struct buffer *b) {
        erase(b, b->begin, b->end);
        b->begin = b->end = 0;
}

void buffer_shrink(struct buffer *b) {
        buffer_done(b);
}
