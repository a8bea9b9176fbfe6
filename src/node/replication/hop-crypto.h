/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA-256 and HKDF for the protocol between nodes, over libcrypto. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "basic/util.h"

enum { HMAC_SIZE = 32 };

/* All return 0, or -EIO when libcrypto fails (no memory, no such algorithm). */

/* HMAC-SHA-256 over the parts, one behind the other. */
_must_check_ int hmac_once(const void *key, size_t key_size, const struct iovec *parts, size_t n_parts,
                           uint8_t ret[static HMAC_SIZE]);

/* HKDF-SHA-256 (RFC 5869) without salt: 32 bytes for the label. */
_must_check_ int hkdf_key(const uint8_t secret[static HMAC_SIZE], const char *label, uint8_t ret[static HMAC_SIZE]);

/* Whether they are equal, in a time that does not depend on where they differ. */
bool hmac_equal(const uint8_t a[static HMAC_SIZE], const uint8_t b[static HMAC_SIZE]);

/* A key that is used for many messages. */
struct hmac_key;
_must_check_ int hmac_key_new(const uint8_t key[static HMAC_SIZE], struct hmac_key **ret);
struct hmac_key *hmac_key_free(struct hmac_key *k);
_must_check_ int hmac_key_compute(struct hmac_key *k, const struct iovec *parts, size_t n_parts, uint8_t ret[static HMAC_SIZE]);
