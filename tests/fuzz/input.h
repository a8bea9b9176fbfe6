/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets take from their input, piece by piece. */
#pragma once

#include "fuzz.h"

struct input {
        const uint8_t *p;
        size_t left;
};

/* 0 past the end. */
static inline uint8_t take_byte(struct input *in) {
        if (in->left == 0)
                return 0;
        in->left--;
        return *in->p++;
}

/* A byte for the size, then as many as there are. */
static inline size_t take_bytes(struct input *in, const uint8_t **ret) {
        size_t n = MIN((size_t) take_byte(in), in->left);

        *ret = in->p;
        in->p += n;
        in->left -= n;
        return n;
}

/* The same as text for D-Bus: without NUL, ASCII. */
static inline const char *take_string(struct input *in, char buf[static 256]) {
        const uint8_t *p;
        size_t n = take_bytes(in, &p), k = 0;

        for (size_t i = 0; i < n; i++)
                if (p[i] > 0 && p[i] < 0x80)
                        buf[k++] = (char) p[i];
        buf[k] = 0;
        return buf;
}
