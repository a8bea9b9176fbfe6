/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 between two that share a key: bytes from one buffer, bytes to another, no socket and no clock.
 *
 * One suite (TLS_AES_128_GCM_SHA256), one group (X25519), one kind of key exchange (psk_dhe_ke), one identity; no certificates,
 * tickets, resumption, early data or compression. Records are shown to OpenSSL whole only, so that it never holds the half of
 * one, and it gives its buffers back after each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "basic/buffer.h"
#include "basic/secret.h"
#include "basic/util.h"

enum {
        HOP_KEY_SIZE = 32,
        TLS_HEADER_SIZE = 5,
        TLS_RECORD_MAX = 16 * 1024,                 /* bytes of ours in one record */
        TLS_RECORD_OVERHEAD = TLS_HEADER_SIZE + 17, /* what a record of ours is longer by */
        TLS_SEALED_MAX = TLS_RECORD_MAX + 256,      /* after the header, in one that comes */
        TLS_RECORDS_PER_KEY = 256 * 1024,           /* sent; then comes a new key. AES-GCM stands 24 million */
};

#define HOP_TLS_IDENTITY "confd-ha-hop-2"

/* The key for one connection: HKDF-SHA-256 of the token, with a label and with what was said in plain before. The first half is
 * done apart, so that the token need not be kept. -EIO */
_must_check_ int hop_key_extract(const struct secret *token, uint8_t ret[static HOP_KEY_SIZE]);
_must_check_ int hop_key_expand(const uint8_t extracted[static HOP_KEY_SIZE], const struct iovec *said, size_t n_said,
                                uint8_t ret[static HOP_KEY_SIZE]);
void hop_key_erase(uint8_t key[static HOP_KEY_SIZE]);

struct hop_tls;

/* in and out are the caller's and outlive it; the key is copied. -ENOMEM, -EIO (OpenSSL here lacks what we need) */
_must_check_ int hop_tls_new(bool serving, const uint8_t key[static HOP_KEY_SIZE], struct buffer *in, struct buffer *out,
                             struct hop_tls **ret);
struct hop_tls *hop_tls_free(struct hop_tls *t);

/* The size of the first record in what came (0: its header is not complete), and whether it could be a ClientHello. */
size_t tls_record_size(const struct buffer *in);
bool tls_is_client_hello(const struct buffer *in);

/* 1: both sides have the key (on the serving side the joining side's last message has come)
 * 0: more bytes are needed
 * -EBADMSG: they have not, or somebody changed something on the way; hop_tls_problem() says more. -ENOMEM, -EIO.
 * The serving side is told at once, by its first message, that the other has not. */
_must_check_ int hop_tls_handshake(struct hop_tls *t);

/* 1: so many bytes, at least one; 0: more are needed; -EBADMSG: changed, repeated, missing; -EPIPE: the other side has closed,
 * and nobody else can have said so. -ENOMEM. */
_must_check_ int hop_tls_read(struct hop_tls *t, uint8_t *to, size_t size, size_t *ret);

/* All in one go, in as few records as can be. -ENOMEM, -EIO */
_must_check_ int hop_tls_write(struct hop_tls *t, const struct iovec *parts, size_t n_parts);

/* Nothing more is going to be written: says so to the other side. */
void hop_tls_close(struct hop_tls *t);

const char *hop_tls_problem(const struct hop_tls *t);
