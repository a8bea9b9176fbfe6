/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the writing of Erlang terms. */
#include "lib/eterm.h"

int eterm_write_end(struct eterm_writer *w) {
        if (w->error < 0)
                w->b->end = w->b->begin + w->start;
        return w->error;
}

void eterm_put_raw(struct eterm_writer *w, const void *p, size_t n) {
        if (w->error >= 0)
                w->error = buffer_append(w->b, p, n);
}

/* A tag and a big-endian number of n bytes. */
static inline void put_head(struct eterm_writer *w, enum eterm_tag tag, uint64_t v, size_t n) {
        uint8_t bytes[1 + sizeof(v)] = { (uint8_t) tag };

        for (size_t i = n; i > 0; i--, v >>= 8)
                bytes[i] = (uint8_t) v;
        eterm_put_raw(w, bytes, 1 + n);
}

/* Lengths in the format are 32 bits. */
static void put_length(struct eterm_writer *w, enum eterm_tag tag, size_t n) {
        if (n > UINT32_MAX) {
                if (w->error >= 0)
                        w->error = -EMSGSIZE;
                return;
        }
        put_head(w, tag, n, sizeof(uint32_t));
}

void eterm_put_version(struct eterm_writer *w) {
        eterm_put_raw(w, &(const uint8_t) { ETERM_VERSION }, 1);
}

static void put_big(struct eterm_writer *w, bool negative, uint64_t magnitude) {
        uint8_t bytes[3 + sizeof(magnitude)] = { ETERM_SMALL_BIG, 0, negative };
        size_t n = 0;

        for (; magnitude > 0; magnitude >>= 8)
                bytes[3 + n++] = (uint8_t) magnitude;
        bytes[1] = (uint8_t) n;
        eterm_put_raw(w, bytes, 3 + n);
}

void eterm_put_int(struct eterm_writer *w, int64_t v) {
        if (v >= 0 && v <= UINT8_MAX)
                put_head(w, ETERM_SMALL_INTEGER, (uint64_t) v, 1);
        else if (v >= INT32_MIN && v <= INT32_MAX)
                put_head(w, ETERM_INTEGER, (uint64_t) v, sizeof(uint32_t));
        else
                put_big(w, v < 0, v < 0 ? -(uint64_t) v : (uint64_t) v);
}

void eterm_put_uint(struct eterm_writer *w, uint64_t v) {
        if (v <= INT64_MAX)
                eterm_put_int(w, (int64_t) v);
        else
                put_big(w, /* negative= */ false, v);
}

/* ATOM rather than one of the UTF-8 forms: releases before OTP 26 write it, and all that there are read it. */
void eterm_put_atom(struct eterm_writer *w, const char *name) {
        size_t n = strlen(name);

        if (n > UINT8_MAX) {
                if (w->error >= 0)
                        w->error = -EMSGSIZE;
                return;
        }
        put_head(w, ETERM_ATOM, n, sizeof(uint16_t));
        eterm_put_raw(w, name, n);
}

void eterm_put_tuple(struct eterm_writer *w, size_t arity) {
        if (arity <= UINT8_MAX)
                put_head(w, ETERM_SMALL_TUPLE, arity, 1);
        else
                put_length(w, ETERM_LARGE_TUPLE, arity);
}

void eterm_put_nil(struct eterm_writer *w) {
        put_head(w, ETERM_NIL, 0, 0);
}

void eterm_put_list(struct eterm_writer *w, size_t n) {
        if (n == 0)
                eterm_put_nil(w);
        else
                put_length(w, ETERM_LIST, n);
}

void eterm_put_bytes_tuple(struct eterm_writer *w, const uint8_t *p, size_t n) {
        uint8_t bytes[2 + 2 * ETERM_BYTES_TUPLE_MAX] = { ETERM_SMALL_TUPLE, (uint8_t) n };

        for (size_t i = 0; i < n; i++) {
                bytes[2 + 2 * i] = ETERM_SMALL_INTEGER;
                bytes[3 + 2 * i] = p[i];
        }
        eterm_put_raw(w, bytes, 2 + 2 * n);
}

void eterm_put_binary(struct eterm_writer *w, const void *p, size_t n) {
        put_length(w, ETERM_BINARY, n);
        eterm_put_raw(w, p, n);
}
