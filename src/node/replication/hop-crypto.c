/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the calls into libcrypto. */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "node/replication/hop-crypto.h"

struct hmac_key {
        EVP_MAC_CTX *ctx;
};

static EVP_MAC_CTX *hmac_begin(const void *key, size_t key_size) {
        OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *) "SHA256", 0), OSSL_PARAM_END };
        EVP_MAC_CTX *ctx;
        EVP_MAC *mac;

        mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        if (!mac)
                return NULL;
        ctx = EVP_MAC_CTX_new(mac);
        EVP_MAC_free(mac); /* the context has a reference */
        if (ctx && !EVP_MAC_init(ctx, key, key_size, params)) {
                EVP_MAC_CTX_free(ctx);
                return NULL;
        }
        return ctx;
}

static int hmac_run(EVP_MAC_CTX *ctx, const struct iovec *parts, size_t n_parts, uint8_t *ret) {
        uint8_t out[HMAC_SIZE];
        size_t size;

        for (size_t i = 0; i < n_parts; i++)
                if (!EVP_MAC_update(ctx, parts[i].iov_base, parts[i].iov_len))
                        return -EIO;
        if (!EVP_MAC_final(ctx, out, &size, sizeof(out)) || size != sizeof(out))
                return -EIO;
        memcpy(ret, out, sizeof(out));
        return 0;
}

int hmac_once(const void *key, size_t key_size, const struct iovec *parts, size_t n_parts, uint8_t ret[static HMAC_SIZE]) {
        EVP_MAC_CTX *ctx = hmac_begin(key, key_size);
        int r;

        if (!ctx)
                return -EIO;
        r = hmac_run(ctx, parts, n_parts, ret);
        EVP_MAC_CTX_free(ctx);
        return r;
}

int hkdf_key(const uint8_t secret[static HMAC_SIZE], const char *label, uint8_t ret[static HMAC_SIZE]) {
        OSSL_PARAM params[] = {
                OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *) "SHA256", 0),
                OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *) secret, HMAC_SIZE),
                OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, (void *) label, strlen(label)),
                OSSL_PARAM_END,
        };
        uint8_t out[HMAC_SIZE];
        EVP_KDF_CTX *ctx;
        EVP_KDF *kdf;
        int ok;

        kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
        if (!kdf)
                return -EIO;
        ctx = EVP_KDF_CTX_new(kdf);
        EVP_KDF_free(kdf);
        if (!ctx)
                return -EIO;
        ok = EVP_KDF_derive(ctx, out, sizeof(out), params);
        EVP_KDF_CTX_free(ctx);
        if (ok <= 0)
                return -EIO;
        memcpy(ret, out, sizeof(out));
        OPENSSL_cleanse(out, sizeof(out));
        return 0;
}

bool hmac_equal(const uint8_t a[static HMAC_SIZE], const uint8_t b[static HMAC_SIZE]) {
        return CRYPTO_memcmp(a, b, HMAC_SIZE) == 0;
}

int hmac_key_new(const uint8_t key[static HMAC_SIZE], struct hmac_key **ret) {
        struct hmac_key *k;

        k = calloc(1, sizeof(*k));
        if (!k)
                return -ENOMEM;
        k->ctx = hmac_begin(key, HMAC_SIZE);
        if (!k->ctx) {
                free(k);
                return -EIO;
        }
        *ret = k;
        return 0;
}

struct hmac_key *hmac_key_free(struct hmac_key *k) {
        if (k) {
                EVP_MAC_CTX_free(k->ctx);
                free(k);
        }
        return NULL;
}

int hmac_key_compute(struct hmac_key *k, const struct iovec *parts, size_t n_parts, uint8_t ret[static HMAC_SIZE]) {
        if (!EVP_MAC_init(k->ctx, NULL, 0, NULL)) /* the same key again */
                return -EIO;
        return hmac_run(k->ctx, parts, n_parts, ret);
}
