/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the server's side of the IPC handshake. */
#include <confd_lib.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include "node/ipc/handshake.h"

static int send_challenge(struct ipc_handshake *h, struct buffer *out) {
        uint8_t message[1 + IPC_CHALLENGE_SIZE] = { IPC_CHALLENGE };

        if (getrandom(h->challenge, sizeof(h->challenge), 0) != (ssize_t) sizeof(h->challenge))
                return -EIO;
        memcpy(message + 1, h->challenge, sizeof(h->challenge));
        return buffer_append(out, message, sizeof(message));
}

/* SHA-256(secret, challenge) */
static int compute_answer(const struct ipc_handshake *h, uint8_t answer[static IPC_ANSWER_SIZE]) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        unsigned size = 0;
        int r = -EIO;

        if (!ctx)
                return -ENOMEM;
        if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
            EVP_DigestUpdate(ctx, h->secret->data, h->secret->size) == 1 &&
            EVP_DigestUpdate(ctx, h->challenge, sizeof(h->challenge)) == 1 &&
            EVP_DigestFinal_ex(ctx, answer, &size) == 1 && size == IPC_ANSWER_SIZE)
                r = 0;
        EVP_MD_CTX_free(ctx);
        return r;
}

static int check_answer(struct ipc_handshake *h, const uint8_t *message, struct buffer *out) {
        uint8_t expected[IPC_ANSWER_SIZE], verdict;
        bool right;
        int r;

        r = compute_answer(h, expected);
        if (r < 0)
                return r;
        right = message[0] == IPC_ANSWER && CRYPTO_memcmp(message + 1, expected, sizeof(expected)) == 0;
        OPENSSL_cleanse(expected, sizeof(expected));
        /* A challenge is good for one answer. */
        OPENSSL_cleanse(h->challenge, sizeof(h->challenge));
        verdict = right ? IPC_ACCESS_GRANTED : 1;
        r = buffer_append(out, &verdict, 1);
        if (r < 0)
                return r;
        return right ? 0 : -EACCES;
}

static int send_hello(struct ipc_handshake *h, struct buffer *out) {
        bool accepted = h->version >= IPC_VERSION_MIN && h->version <= IPC_VERSION_MAX;
        uint16_t version = accepted ? h->version : IPC_VERSION_OWN;
        const uint32_t library = CONFD_LIB_VSN;
        uint8_t hello[IPC_HELLO_SIZE] = {
                accepted ? IPC_ACCEPTED : IPC_BAD_VERSION,
                (uint8_t) (version >> 8), (uint8_t) version,
                (uint8_t) (library >> 24), (uint8_t) (library >> 16), (uint8_t) (library >> 8), (uint8_t) library,
                h->max_depth, h->max_key_length,
        };
        int r;

        r = buffer_append(out, hello, sizeof(hello));
        if (r < 0)
                return r;
        if (!accepted)
                return -EPROTONOSUPPORT;
        h->state = IPC_HANDSHAKE_DONE;
        return 1;
}

int ipc_handshake_step(struct ipc_handshake *h, struct buffer *in, struct buffer *out) {
        const uint8_t *p = buffer_head(in);
        bool offered;
        int r;

        switch (h->state) {
        case IPC_HANDSHAKE_HELLO:
                if (buffer_size(in) == 0)
                        return 0;
                /* The first byte tells a stranger from a client already: no need to hear more from it. */
                offered = (p[0] & IPC_KIND_ACCESS_CHECK) == IPC_KIND_ACCESS_CHECK;
                h->kind = offered ? (uint8_t) (p[0] & ~IPC_KIND_ACCESS_CHECK) : p[0];
                if (h->kind != IPC_KIND_HA && h->kind != IPC_KIND_EVENTS)
                        return -EPROTO;
                if (h->secret && !offered)
                        return -EACCES;
                if (buffer_size(in) < IPC_HELLO_SIZE)
                        return 0;
                h->version = (uint16_t) (p[1] << 8 | p[2]);
                h->max_depth = p[7];
                h->max_key_length = p[8];
                buffer_consume(in, IPC_HELLO_SIZE);
                if (!h->secret)
                        return send_hello(h, out);
                r = send_challenge(h, out);
                if (r < 0)
                        return r;
                h->state = IPC_HANDSHAKE_ANSWER;
                return ipc_handshake_step(h, in, out);

        case IPC_HANDSHAKE_ANSWER:
                if (buffer_size(in) < 1 + IPC_ANSWER_SIZE)
                        return 0;
                r = check_answer(h, p, out);
                if (r < 0)
                        return r;
                buffer_consume(in, 1 + IPC_ANSWER_SIZE);
                return send_hello(h, out);

        case IPC_HANDSHAKE_DONE:
                break;
        }
        return 1;
}
