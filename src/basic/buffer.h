/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte queue with a limit: bytes are appended at the end and consumed from the front. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/util.h"

struct buffer {
        uint8_t *data;    /* the allocation */
        size_t begin;     /* first unread byte */
        size_t end;       /* one past the last byte */
        size_t allocated;
        size_t limit;     /* most unread bytes it may hold; 0 means no limit of its own */
        bool secret;      /* what is consumed or moved is erased behind it */
};

/* An empty buffer; needs no allocation, buffer_done() on it is fine. */
#define BUFFER_INIT(max) ((struct buffer) { .limit = (max) })

/* One through which a secret passes: no copy of it stays in freed memory, or in the buffer after it was consumed. */
#define BUFFER_INIT_SECRET(max) ((struct buffer) { .limit = (max), .secret = true })

void buffer_done(struct buffer *b);
static inline _unused_ void buffer_donep(struct buffer *b) { buffer_done(b); }
#define _cleanup_buffer_ _cleanup_(buffer_donep)

static inline _unused_ size_t buffer_size(const struct buffer *b) { return b->end - b->begin; }
static inline _unused_ uint8_t *buffer_head(const struct buffer *b) { return b->data ? b->data + b->begin : NULL; }

/* Makes room for n more bytes and returns where they go in *ret; they count once buffer_commit() says so.
 * -ENOBUFS past the limit, -ENOMEM. */
_must_check_ int buffer_reserve(struct buffer *b, size_t n, uint8_t **ret);
void buffer_commit(struct buffer *b, size_t n);

/* Appends n bytes, all or nothing. -ENOBUFS past the limit, -ENOMEM. */
_must_check_ int buffer_append_slow(struct buffer *b, const void *p, size_t n);
static inline _unused_ _must_check_ int buffer_append(struct buffer *b, const void *p, size_t n) {
        /* Mostly there is room, and n is a handful of bytes: no call for those. */
        if (n == 0 || n > b->allocated - b->end || (b->limit > 0 && n > b->limit - MIN(buffer_size(b), b->limit)))
                return buffer_append_slow(b, p, n);
        memcpy(b->data + b->end, p, n);
        b->end += n;
        return 0;
}

/* Drops n bytes (at most all) from the front. */
void buffer_consume(struct buffer *b, size_t n);

/* Drops everything; buffer_shrink() gives the memory back too. */
void buffer_clear(struct buffer *b);
void buffer_shrink(struct buffer *b);
