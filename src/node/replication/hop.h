/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol between nodes: the greeting, TLS 1.3 with a key that follows from the token, and frames within it.
 *
 * A pure state machine over bytes: it has no socket and no clock. The bytes are described in docs/node-protocol.md.
 *
 *     joining side                                 serving side
 *         HELLO (versions)                     ->
 *                                              <-  WELCOME (version, nonce)                    or REFUSE
 *         TLS handshake                       <->
 *         NAMES (own, expected)                ->  within TLS, like every later frame
 *                                              <-  NAMES (own) */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "basic/buffer.h"
#include "basic/secret.h"
#include "basic/util.h"
#include "node/replication/ha-error.h"
#include "node/node-id.h"

enum {
        HOP_VERSION_MIN = 2,                /* 1 was proven and protected by means of its own */
        HOP_VERSION_MAX = 2,
        HOP_NONCE_SIZE = 32,
        HOP_STRANGER_MAX = 1024,            /* before the proof: a frame's type and body; a record */
        HOP_BODY_MAX = 128 * 1024,          /* after it */
        HOP_PARTS_MAX = 4,                  /* that a body is sent in */
        HOP_REASON_MAX = 255,               /* bytes of text in a refusal */
};

enum hop_type {
        HOP_HELLO = 1,      /* before TLS */
        HOP_WELCOME = 2,
        HOP_NAMES = 3,      /* the first within it */
        HOP_REFUSE = 4,     /* code (2), text: in place of WELCOME, or in answer to JOIN and then authenticated */

        HOP_JOIN = 16,      /* slave: schema, last transaction id, tick interval */
        HOP_ACCEPT = 17,    /* master: copy or not, path, tick interval, transaction id and entries of the copy */
        HOP_COPY = 18,      /* master: a piece of the stream of entries */
        HOP_TRANSACTION = 19, /* master: the first piece of a transaction, with its size */
        HOP_MORE = 20,      /* master: a further piece */
        HOP_END = 21,       /* master: this was all that nobody waits for */
        HOP_READY = 22,     /* slave: it is durable */
        HOP_ADMIT = 23,     /* master: put it in force */
        HOP_ACK = 24,       /* slave: so many more transactions are durable; before READY: have come as far as the copy */
        HOP_TICK = 25,      /* both: alive; the slave tells how many levels of nodes are below it */
        HOP_PATH = 26,      /* master: the names from the real master down to me have changed */
        HOP_COPIED = 27,    /* slave: what came in COPY is on the disk */
        HOP_IN_FORCE = 28,  /* slave: what was admitted is in force */
        HOP_ARRIVED = 29,   /* master: you are one of my slaves */
};

struct hop;

/* token: 1 to TOKEN_SIZE_MAX bytes; not kept, only what a key can be made from. With an empty one the joining side fails at
 * once and the serving side refuses everybody, both with HA_BADTOKEN. -ENOMEM, -EINVAL (token too long), -EIO (OpenSSL). */
_must_check_ int hop_new_joining(const struct node_id *own, const struct node_id *expected, const struct secret *token,
                                 struct hop **ret);
_must_check_ int hop_new_serving(const struct node_id *own, const struct secret *token, struct hop **ret);
struct hop *hop_free(struct hop *h);
DEFINE_CLEANUP(struct hop *, hop_free)

/* Input: where to put bytes that were read and how many fit at most (never 0 after hop_next() returned 0), then how
 * many came. Little memory is taken before the proof. -ENOMEM */
_must_check_ int hop_input(struct hop *h, uint8_t **ret, size_t *ret_size);
void hop_input_done(struct hop *h, size_t n);
/* There is no more at the moment, and no frame that was handed out is looked at any more: a quiet connection keeps no room for it. */
void hop_input_rest(struct hop *h);

/* No more bytes are going to come. Who closes says so first, within TLS, and then hop_next() has told it: otherwise it is over
 * now, cut by whoever or whatever. hop_error() and hop_reason() tell. */
void hop_input_cut(struct hop *h);

/* The next frame in what came, verified.
 * 1: *ret is one; its body stays good until the next call of hop_next() or hop_input().
 * 0: more bytes are needed.
 * -EPROTO: the connection is over, hop_error() and hop_reason() tell why. What is in the output then (a refusal) should
 *          still be sent. -EIO, -ENOMEM. */
struct hop_frame {
        enum hop_type type;
        const uint8_t *body;
        size_t size;
};
_must_check_ int hop_next(struct hop *h, struct hop_frame *ret);

/* Serving side: how far the other has come, as its bytes show. It only grows, until the connection is over. */
enum hop_progress {
        HOP_SILENT,  /* nothing came */
        HOP_BEGUN,   /* some of the greeting */
        HOP_GREETED, /* all of it, but no whole ClientHello */
        HOP_PROVEN,  /* it has the token */
        HOP_KNOWN,   /* authenticated */
};
enum hop_progress hop_progress(const struct hop *h);

/* Both sides have proven themselves and told their names. Stays so when the connection is over. */
bool hop_is_authenticated(const struct hop *h);
const struct node_id *hop_peer(const struct hop *h);     /* the other's name, proven once authenticated */
const struct node_id *hop_expected(const struct hop *h); /* serving side: whom the joining side wanted to reach */

/* Why it is over. Text may quote the peer: it is escaped. */
enum ha_error hop_error(const struct hop *h);
const char *hop_reason(const struct hop *h);

/* Appends an authenticated frame to the output: one record, if it is small. -EMSGSIZE past HOP_BODY_MAX, -EINVAL before
 * authentication, after the end and for more than HOP_PARTS_MAX parts; -ENOMEM, -EIO. */
_must_check_ int hop_send(struct hop *h, enum hop_type type, const struct iovec *parts, size_t n_parts);

/* Appends a refusal, and that nothing comes after it. Before TLS it is in plain, during its handshake it cannot be said:
 * -EINVAL. */
_must_check_ int hop_refuse(struct hop *h, enum ha_error code, const char *reason);

/* Appends that nothing more comes from us, if there is anybody to hear it: so that it is not taken for a cut. */
void hop_close(struct hop *h);

/* What is to be written to the peer; consume what was. */
struct buffer *hop_output(struct hop *h);

/* Reads the body of a refusal: the code (any the peer likes) and the text, escaped (free it). -EBADMSG, -ENOMEM */
_must_check_ int hop_parse_refuse(const uint8_t *body, size_t size, enum ha_error *ret_code, char **ret_reason);
