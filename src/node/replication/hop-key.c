/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how the key of a connection follows from the token. */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "node/replication/hop-tls.h"

/* Another version of the protocol has another label, so that no key serves two of them. */
#define LABEL "confd-ha hop 2 psk"

static int hkdf(int mode, const void *key, size_t key_size, const void *info, size_t info_size, uint8_t ret[static HOP_KEY_SIZE]) {
        OSSL_PARAM params[] = {
                OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, &mode),
                OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *) "SHA256", 0),
                OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *) key, key_size),
                OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, (void *) info, info_size),
                OSSL_PARAM_END,
        };
        EVP_KDF_CTX *ctx;
        EVP_KDF *kdf;
        int ok;

        kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
        if (!kdf)
                return -EIO;
        ctx = EVP_KDF_CTX_new(kdf);
        EVP_KDF_free(kdf); /* the context has a reference */
        if (!ctx)
                return -EIO;
        ok = EVP_KDF_derive(ctx, ret, HOP_KEY_SIZE, params);
        EVP_KDF_CTX_free(ctx);
        return ok > 0 ? 0 : -EIO;
}

int hop_key_extract(const struct secret *token, uint8_t ret[static HOP_KEY_SIZE]) {
        return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, token->data, token->size, "", 0, ret);
}

int hop_key_expand(const uint8_t extracted[static HOP_KEY_SIZE], const struct iovec *said, size_t n_said,
                   uint8_t ret[static HOP_KEY_SIZE]) {
        uint8_t info[sizeof(LABEL) - 1 + HOP_KEY_SIZE] = LABEL;
        EVP_MD_CTX *ctx;
        int ok;

        ctx = EVP_MD_CTX_new();
        if (!ctx)
                return -EIO;
        ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
        for (size_t i = 0; ok && i < n_said; i++)
                ok = EVP_DigestUpdate(ctx, said[i].iov_base, said[i].iov_len);
        ok = ok && EVP_DigestFinal_ex(ctx, info + sizeof(LABEL) - 1, NULL);
        EVP_MD_CTX_free(ctx);
        if (!ok)
                return -EIO;
        return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, extracted, HOP_KEY_SIZE, info, sizeof(info), ret);
}

void hop_key_erase(uint8_t key[static HOP_KEY_SIZE]) {
        OPENSSL_cleanse(key, HOP_KEY_SIZE);
}
