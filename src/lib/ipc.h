/* SPDX-License-Identifier: Apache-2.0 */
/* The connection handshake as a pure state machine: bytes out, bytes in, no socket, no clock.
 *
 *      for (;;) {
 *              send all of ipc_output(), then ipc_sent();
 *              r = 0, unless ipc_wants() is 0: read at most that many bytes, r = ipc_input();
 *              stop when r != 0
 *      }
 *
 * It never asks for more bytes than belong to the handshake, so that a caller who reads what it wants leaves the first
 * frame untouched.
 */
#pragma once

#include "basic/util.h"
#include "lib/protocol.h"

struct ipc {
        enum ipc_state {
                IPC_EXPECT_FIRST,   /* the first byte: a challenge, or the server's hello */
                IPC_EXPECT_CHALLENGE,
                IPC_EXPECT_VERDICT,
                IPC_EXPECT_HELLO,   /* the hello's first byte, after the access check */
                IPC_EXPECT_REST,    /* the rest of the hello */
                IPC_DONE,
                IPC_FAILED,
        } state;
        uint16_t protocol_version; /* ours */
        const void *secret;        /* borrowed; NULL for no access check */
        size_t secret_size;
        uint8_t status;            /* the server's hello */
        uint16_t server_protocol_version;
        uint32_t server_version;
        uint8_t in[IPC_CHALLENGE_SIZE];
        size_t in_size, in_wanted;
        uint8_t out[1 + IPC_ANSWER_SIZE];
        size_t out_begin, out_end;
};

/* kind: IPC_KIND_HA or IPC_KIND_EVENTS. secret is borrowed until the handshake is over. */
void ipc_begin(struct ipc *ipc, uint8_t kind, uint16_t protocol_version, const void *secret, size_t secret_size);

/* What has to be sent now; nothing when *ret_n is 0. */
const uint8_t *ipc_output(const struct ipc *ipc, size_t *ret_n);
void ipc_sent(struct ipc *ipc, size_t n);

/* How many bytes are wanted at most; 0 when it is over. */
size_t ipc_wants(const struct ipc *ipc);

/* Takes n bytes, at most ipc_wants(). 0: go on. 1: accepted. Errors, after which it is over:
 * -EACCES the access check failed, or the server wants one and there is no secret; -EPROTONOSUPPORT the server refused
 * the version, server_protocol_version is its own; -EPROTO the server does not speak this protocol; -ENOMEM. */
_must_check_ int ipc_input(struct ipc *ipc, const void *p, size_t n);

/* What it means that the server closed the connection now: -EACCES or -ECONNRESET. */
int ipc_eof(const struct ipc *ipc);

/* Says in words why it failed with `error` (of ipc_input() or ipc_eof()), to be put after the address of the server. */
void ipc_describe(const struct ipc *ipc, int error, char *buf, size_t size);
