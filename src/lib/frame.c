/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the cutting of a byte stream into frames. */
#include "lib/frame.h"

int frame_parse_header(const void *header, size_t max, size_t *ret) {
        const uint8_t *p = header;
        uint32_t n = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];

        if (n > max)
                return -EMSGSIZE;
        *ret = n;
        return 0;
}

int frame_next(const struct buffer *b, size_t max, const uint8_t **ret_body, size_t *ret_size) {
        size_t have = buffer_size(b), n;
        int r;

        if (have < FRAME_HEADER_SIZE) {
                *ret_size = FRAME_HEADER_SIZE - have;
                return 0;
        }
        r = frame_parse_header(buffer_head(b), max, &n);
        if (r < 0)
                return r;
        have -= FRAME_HEADER_SIZE;
        if (have < n) {
                *ret_size = n - have;
                return 0;
        }
        *ret_body = buffer_head(b) + FRAME_HEADER_SIZE;
        *ret_size = n;
        return 1;
}

void frame_consume(struct buffer *b, size_t body_size) {
        buffer_consume(b, FRAME_HEADER_SIZE + body_size);
}

int frame_open(struct buffer *b, size_t *ret_mark) {
        static const uint8_t room[FRAME_HEADER_SIZE];
        size_t mark = buffer_size(b);
        int r;

        r = buffer_append(b, room, sizeof(room));
        if (r < 0)
                return r;
        *ret_mark = mark;
        return 0;
}

int frame_close(struct buffer *b, size_t mark) {
        size_t n = buffer_size(b) - mark - FRAME_HEADER_SIZE;
        uint8_t *header = buffer_head(b) + mark;

        if (n > UINT32_MAX)
                return -EMSGSIZE;
        header[0] = (uint8_t) (n >> 24);
        header[1] = (uint8_t) (n >> 16);
        header[2] = (uint8_t) (n >> 8);
        header[3] = (uint8_t) n;
        return 0;
}

void frame_cancel(struct buffer *b, size_t mark) {
        b->end = b->begin + mark;
}

int frame_append(struct buffer *b, const void *body, size_t n) {
        size_t mark;
        int r;

        r = frame_open(b, &mark);
        if (r < 0)
                return r;
        r = buffer_append(b, body, n);
        if (r >= 0)
                r = frame_close(b, mark);
        if (r < 0)
                frame_cancel(b, mark);
        return r;
}
