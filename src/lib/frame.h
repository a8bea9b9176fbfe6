/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: a byte stream cut into messages by a 4-byte length before each. */
#pragma once

#include "basic/buffer.h"
#include "basic/util.h"

enum {
        FRAME_HEADER_SIZE = 4,
        /* The longest body that a peer on the IPC port may send, either way. The largest useful ones are a token (64 KiB)
         * and a status of 255 nodes (76 KiB); what is longer is not read, and ends the connection. */
        FRAME_BODY_MAX = 1024 * 1024,
};

/* The body's length in a header of FRAME_HEADER_SIZE bytes. -EMSGSIZE if it is over max. */
_must_check_ int frame_parse_header(const void *header, size_t max, size_t *ret);

/* Looks for a whole frame of at most max bytes of body at the head of b.
 * 1: there is one, *ret_body and *ret_size say where (until b changes); drop it with frame_consume().
 * 0: more bytes are needed, *ret_size is how many at least, and they have to be read before it can be known better.
 * -EMSGSIZE: the length is over max; the stream cannot be followed any further. */
_must_check_ int frame_next(const struct buffer *b, size_t max, const uint8_t **ret_body, size_t *ret_size);
void frame_consume(struct buffer *b, size_t body_size);

/* Appends a frame, whole or not at all. -EMSGSIZE past 32 bits, -ENOBUFS past the buffer's limit, -ENOMEM. */
_must_check_ int frame_append(struct buffer *b, const void *body, size_t n);

/* The same for a body that is written in place: open, append the body to b, close. On an error the body must be taken
 * back with frame_cancel(), which drops everything since the open. Nothing may be consumed from b in between. */
_must_check_ int frame_open(struct buffer *b, size_t *ret_mark);
_must_check_ int frame_close(struct buffer *b, size_t mark);
void frame_cancel(struct buffer *b, size_t mark);
