/* SPDX-License-Identifier: Apache-2.0 */
/* Integers in network byte order, at any address. */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "basic/util.h"

static inline _unused_ void put16(uint8_t *p, uint16_t v) {
        v = htobe16(v);
        memcpy(p, &v, sizeof(v));
}

static inline _unused_ void put32(uint8_t *p, uint32_t v) {
        v = htobe32(v);
        memcpy(p, &v, sizeof(v));
}

static inline _unused_ void put64(uint8_t *p, uint64_t v) {
        v = htobe64(v);
        memcpy(p, &v, sizeof(v));
}

static inline _unused_ uint16_t get16(const uint8_t *p) {
        uint16_t v;

        memcpy(&v, p, sizeof(v));
        return be16toh(v);
}

static inline _unused_ uint32_t get32(const uint8_t *p) {
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return be32toh(v);
}

static inline _unused_ uint64_t get64(const uint8_t *p) {
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return be64toh(v);
}
