/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of the IPC handshake, as a pure state machine over bytes. */
#pragma once

#include "basic/buffer.h"
#include "basic/secret.h"
#include "lib/protocol.h"

/* Protocol versions that are accepted, and what is named to a client whose version is not. */
enum {
        IPC_VERSION_MIN = 60,
        IPC_VERSION_MAX = 99,
        IPC_VERSION_OWN = 82,
};

enum ipc_handshake_state {
        IPC_HANDSHAKE_HELLO,  /* the client's hello is awaited */
        IPC_HANDSHAKE_ANSWER, /* the challenge has gone out */
        IPC_HANDSHAKE_DONE,
};

struct ipc_handshake {
        enum ipc_handshake_state state;
        const struct secret *secret; /* borrowed; NULL: no access check */
        uint8_t kind;                /* IPC_KIND_HA or IPC_KIND_EVENTS, once the hello is in */
        uint16_t version;            /* the client's */
        uint8_t max_depth, max_key_length; /* as the client says; they go back as they came */
        uint8_t challenge[IPC_CHALLENGE_SIZE];
};

#define IPC_HANDSHAKE_INIT(s) ((struct ipc_handshake) { .secret = (s) })

/* Takes from `in` what it needs, and appends to `out` what the client has to get, also when it fails.
 * 1: done, frames follow. 0: more bytes are needed. Otherwise the connection has to be closed once `out` is sent:
 *   -EACCES           the wrong answer, or no access check offered although we want one
 *   -EPROTONOSUPPORT  a version out of our range
 *   -EPROTO           another kind of client, or what is no handshake
 *   -ENOBUFS, -ENOMEM, -EIO (no random bytes) */
_must_check_ int ipc_handshake_step(struct ipc_handshake *h, struct buffer *in, struct buffer *out);
