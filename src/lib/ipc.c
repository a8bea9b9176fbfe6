/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the handshake of a connection to ConfD's IPC port. */
#include <openssl/evp.h>
#include <stdio.h>

#include <confd_lib.h>

#include "lib/ipc.h"

static void expect(struct ipc *ipc, enum ipc_state state, size_t n) {
        ipc->state = state;
        ipc->in_size = 0;
        ipc->in_wanted = n;
}

static int stop(struct ipc *ipc, int error) {
        expect(ipc, IPC_FAILED, 0);
        return error;
}

void ipc_begin(struct ipc *ipc, uint8_t kind, uint16_t protocol_version, const void *secret, size_t secret_size) {
        uint32_t v = CONFD_LIB_VSN;

        *ipc = (struct ipc) {
                .protocol_version = protocol_version,
                .secret = secret,
                .secret_size = secret_size,
                .out = { secret ? kind | IPC_KIND_ACCESS_CHECK : kind,
                         (uint8_t) (protocol_version >> 8), (uint8_t) protocol_version,
                         (uint8_t) (v >> 24), (uint8_t) (v >> 16), (uint8_t) (v >> 8), (uint8_t) v,
                         /* MAXDEPTH */ 0, /* MAXKEYLEN */ 0 },
                .out_end = IPC_HELLO_SIZE,
        };
        expect(ipc, IPC_EXPECT_FIRST, 1);
}

const uint8_t *ipc_output(const struct ipc *ipc, size_t *ret_n) {
        *ret_n = ipc->out_end - ipc->out_begin;
        return ipc->out + ipc->out_begin;
}

void ipc_sent(struct ipc *ipc, size_t n) {
        ipc->out_begin += MIN(n, ipc->out_end - ipc->out_begin);
}

size_t ipc_wants(const struct ipc *ipc) {
        return ipc->in_wanted - ipc->in_size;
}

/* SHA-256 over the secret and the challenge. */
static int answer(struct ipc *ipc) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        bool ok;

        if (!ctx)
                return -ENOMEM;
        ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
             EVP_DigestUpdate(ctx, ipc->secret, ipc->secret_size) == 1 &&
             EVP_DigestUpdate(ctx, ipc->in, IPC_CHALLENGE_SIZE) == 1 &&
             EVP_DigestFinal_ex(ctx, ipc->out + 1, NULL) == 1;
        EVP_MD_CTX_free(ctx);
        if (!ok)
                return -ENOMEM; /* SHA-256 itself does not fail */
        ipc->out[0] = IPC_ANSWER;
        ipc->out_begin = 0;
        ipc->out_end = 1 + IPC_ANSWER_SIZE;
        return 0;
}

static int hello_status(struct ipc *ipc) {
        ipc->status = ipc->in[0];
        if (ipc->status > IPC_ACCEPTED_OTHER_LIMITS)
                return stop(ipc, -EPROTO);
        expect(ipc, IPC_EXPECT_REST, IPC_HELLO_SIZE - 1);
        return 0;
}

static int step(struct ipc *ipc) {
        const uint8_t *p = ipc->in;
        int r;

        switch (ipc->state) {
        case IPC_EXPECT_FIRST:
                if (p[0] != IPC_CHALLENGE)
                        return hello_status(ipc);
                if (!ipc->secret)
                        return stop(ipc, -EACCES);
                expect(ipc, IPC_EXPECT_CHALLENGE, IPC_CHALLENGE_SIZE);
                return 0;
        case IPC_EXPECT_CHALLENGE:
                r = answer(ipc);
                if (r < 0)
                        return stop(ipc, r);
                expect(ipc, IPC_EXPECT_VERDICT, 1);
                return 0;
        case IPC_EXPECT_VERDICT:
                if (p[0] != IPC_ACCESS_GRANTED)
                        return stop(ipc, -EACCES);
                expect(ipc, IPC_EXPECT_HELLO, 1);
                return 0;
        case IPC_EXPECT_HELLO:
                return hello_status(ipc);
        case IPC_EXPECT_REST:
                ipc->server_protocol_version = (uint16_t) (p[0] << 8 | p[1]);
                ipc->server_version = (uint32_t) p[2] << 24 | (uint32_t) p[3] << 16 | (uint32_t) p[4] << 8 | p[5];
                if (ipc->status == IPC_BAD_VERSION)
                        return stop(ipc, -EPROTONOSUPPORT);
                expect(ipc, IPC_DONE, 0);
                return 1;
        case IPC_DONE:
        case IPC_FAILED:
        default:
                return -EPROTO;
        }
}

int ipc_input(struct ipc *ipc, const void *p, size_t n) {
        if (n > ipc_wants(ipc))
                return stop(ipc, -EPROTO);
        if (n == 0)
                return 0;
        memcpy(ipc->in + ipc->in_size, p, n);
        ipc->in_size += n;
        return ipc_wants(ipc) > 0 ? 0 : step(ipc);
}

int ipc_eof(const struct ipc *ipc) {
        return ipc->state == IPC_EXPECT_VERDICT ? -EACCES : -ECONNRESET;
}

void ipc_describe(const struct ipc *ipc, int error, char *buf, size_t size) {
        switch (-error) {
        case EACCES:
                if (ipc->secret)
                        snprintf(buf, size, "the IPC access check failed: the access secret is not the server's");
                else
                        snprintf(buf, size, "the server demands the IPC access check, and no access secret is set "
                                 "(CONFD_IPC_ACCESS_FILE)");
                break;
        case EPROTONOSUPPORT:
                snprintf(buf, size, "the server speaks protocol version %u and refuses ours, %u",
                         ipc->server_protocol_version, ipc->protocol_version);
                break;
        case ECONNRESET:
                snprintf(buf, size, "the server closed the connection during the handshake%s",
                         ipc->secret || ipc->state != IPC_EXPECT_FIRST ? "" :
                         " (it may demand the IPC access check, and no access secret is set)");
                break;
        case ENOMEM:
                snprintf(buf, size, "out of memory");
                break;
        default:
                snprintf(buf, size, "the server does not speak ConfD's IPC protocol (unexpected byte in the handshake)");
        }
}
