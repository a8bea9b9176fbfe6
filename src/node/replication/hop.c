/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the handshake and the frames of the protocol between nodes.
 *
 * What is proven: each side's proof is an HMAC by the token over a label for its role and everything that was sent
 * before: the versions, both nonces, both names. The serving side proves itself first; the joining side answers only a
 * right proof, so that a false master learns nothing from it. Because the names are part of what is proven, and are
 * compared only afterwards, a wrong token shows as such and so does a wrong name, and nobody in between can turn one
 * into the other. The keys for the two directions depend on both nonces and on the token, so nothing from
 * another connection, or from the other direction, is taken for a frame of this one. */
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#include "basic/big-endian.h"
#include "basic/escape.h"
#include "node/replication/hop-crypto.h"
#include "node/replication/hop.h"
#include "node/replication/replication.h"

static const uint8_t magic[8] = { 'C', 'O', 'N', 'F', 'D', '-', 'H', 'A' };

#define LABEL_SERVING "confd-ha hop 1 serving side"
#define LABEL_JOINING "confd-ha hop 1 joining side"
#define LABEL_SECRET "confd-ha hop 1 secret"
#define LABEL_KEY_SERVING "confd-ha hop 1 key of the serving side"
#define LABEL_KEY_JOINING "confd-ha hop 1 key of the joining side"

enum {
        LENGTH_SIZE = 4,
        SEQUENCE_SIZE = 8,
        HELLO_FIXED = sizeof(magic) + 2 + 2 + 4 + HOP_NONCE_SIZE, /* then two names */
        CHALLENGE_FIXED = 2 + 4 + HOP_NONCE_SIZE,                 /* then a name and the proof */
        FRAME_MIN = 1,
        SEALED_MIN = SEQUENCE_SIZE + 1 + HMAC_SIZE,
        SEALED_MAX = SEALED_MIN + HOP_BODY_MAX,
        INPUT_SIZE = 16 * 1024,
        STRANGER_INPUT_SIZE = LENGTH_SIZE + HOP_STRANGER_FRAME_MAX,
        TRANSCRIPT_MAX = 3 * STRANGER_INPUT_SIZE,
};

enum hop_state {
        AWAIT_HELLO,
        AWAIT_CHALLENGE,
        AWAIT_PROOF,
        OPEN,
        OVER,
};

struct hop {
        bool serving;
        enum hop_state state;
        struct node_id own, peer, expected;
        struct secret token;
        struct buffer in, out;
        size_t consumed; /* of the frame that was handed out last */
        struct buffer transcript;
        struct hmac_key *key_in, *key_out;
        uint64_t sequence_in, sequence_out;
        enum ha_error error;
        char reason[HOP_REASON_MAX * 4 + 64];
};

_printf_(3, 4) static int over(struct hop *h, enum ha_error error, const char *format, ...) {
        va_list ap;

        h->state = OVER;
        h->error = error;
        va_start(ap, format);
        (void) vsnprintf(h->reason, sizeof(h->reason), format, ap);
        va_end(ap);
        return -EPROTO;
}

/* A frame of the handshake: goes out, and into the transcript. */
static int send_plain(struct hop *h, enum hop_type type, const struct iovec *parts, size_t n_parts) {
        uint8_t head[LENGTH_SIZE + 1];
        size_t size = 1;
        int r;

        for (size_t i = 0; i < n_parts; i++)
                size += parts[i].iov_len;
        put32(head, (uint32_t) size);
        head[LENGTH_SIZE] = (uint8_t) type;
        r = buffer_append(&h->out, head, sizeof(head));
        if (r >= 0)
                r = buffer_append(&h->transcript, head, sizeof(head));
        for (size_t i = 0; r >= 0 && i < n_parts; i++) {
                r = buffer_append(&h->out, parts[i].iov_base, parts[i].iov_len);
                if (r >= 0)
                        r = buffer_append(&h->transcript, parts[i].iov_base, parts[i].iov_len);
        }
        return r;
}

static int prove(struct hop *h, const char *label, uint8_t ret[static HMAC_SIZE]) {
        struct iovec parts[] = {
                { (void *) label, strlen(label) + 1 },
                { buffer_head(&h->transcript), buffer_size(&h->transcript) },
        };

        return hmac_once(h->token.data, h->token.size, parts, ELEMENTSOF(parts), ret);
}

static int derive_keys(struct hop *h) {
        uint8_t secret[HMAC_SIZE], serving[HMAC_SIZE], joining[HMAC_SIZE];
        int r;

        r = prove(h, LABEL_SECRET, secret);
        if (r >= 0)
                r = hkdf_key(secret, LABEL_KEY_SERVING, serving);
        if (r >= 0)
                r = hkdf_key(secret, LABEL_KEY_JOINING, joining);
        if (r >= 0)
                r = hmac_key_new(h->serving ? serving : joining, &h->key_out);
        if (r >= 0)
                r = hmac_key_new(h->serving ? joining : serving, &h->key_in);
        OPENSSL_cleanse(secret, sizeof(secret));
        OPENSSL_cleanse(serving, sizeof(serving));
        OPENSSL_cleanse(joining, sizeof(joining));
        if (r < 0)
                return r;
        /* The token has done its part. */
        secret_done(&h->token);
        buffer_done(&h->transcript);
        h->state = OPEN;
        return 0;
}

static int hop_alloc(const struct node_id *own, const struct secret *token, struct hop **ret) {
        _cleanup_(hop_freep) struct hop *h = NULL;
        int r;

        if (token->size > TOKEN_SIZE_MAX || own->size == 0)
                return -EINVAL;
        h = calloc(1, sizeof(*h));
        if (!h)
                return -ENOMEM;
        h->own = *own;
        h->in = BUFFER_INIT(0);
        h->out = BUFFER_INIT(0);
        h->transcript = BUFFER_INIT(TRANSCRIPT_MAX);
        r = secret_copy(token, &h->token);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(h);
        return 0;
}

int hop_new_serving(const struct node_id *own, const struct secret *token, struct hop **ret) {
        struct hop *h;
        int r;

        r = hop_alloc(own, token, &h);
        if (r < 0)
                return r;
        h->serving = true;
        h->state = AWAIT_HELLO;
        *ret = h;
        return 0;
}

int hop_new_joining(const struct node_id *own, const struct node_id *expected, const struct secret *token, struct hop **ret) {
        _cleanup_(hop_freep) struct hop *h = NULL;
        uint8_t fixed[HELLO_FIXED], *p = fixed;
        struct iovec parts[5];
        int r;

        r = hop_alloc(own, token, &h);
        if (r < 0)
                return r;
        h->expected = *expected;
        h->state = AWAIT_CHALLENGE;
        if (token->size == 0)
                (void) over(h, HA_ERROR_BADTOKEN, "no token is set, and without one no node can join: set it at both nodes");
        else {
                memcpy(p, magic, sizeof(magic));
                p += sizeof(magic);
                put16(p, HOP_VERSION_MIN);
                put16(p + 2, HOP_VERSION_MAX);
                put32(p + 4, 0); /* features that we would like: none are defined yet */
                if (getrandom(p + 8, HOP_NONCE_SIZE, 0) != HOP_NONCE_SIZE)
                        return -EIO;
                parts[0] = (struct iovec) { fixed, sizeof(fixed) };
                parts[1] = (struct iovec) { &h->own.size, 1 };
                parts[2] = (struct iovec) { h->own.etf, h->own.size };
                parts[3] = (struct iovec) { &h->expected.size, 1 };
                parts[4] = (struct iovec) { h->expected.etf, h->expected.size };
                r = send_plain(h, HOP_HELLO, parts, ELEMENTSOF(parts));
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(h);
        return 0;
}

struct hop *hop_free(struct hop *h) {
        if (h) {
                secret_done(&h->token);
                buffer_done(&h->in);
                buffer_done(&h->out);
                buffer_done(&h->transcript);
                hmac_key_free(h->key_in);
                hmac_key_free(h->key_out);
                free(h);
        }
        return NULL;
}

static void drop_consumed(struct hop *h) {
        buffer_consume(&h->in, h->consumed);
        h->consumed = 0;
}

int hop_input(struct hop *h, uint8_t **ret, size_t *ret_size) {
        size_t room = STRANGER_INPUT_SIZE, have;
        int r;

        drop_consumed(h);
        have = buffer_size(&h->in);
        if (h->state == OPEN) {
                /* The frame that is on its way (hop_next() has checked its length), and a few small ones. */
                room = INPUT_SIZE;
                if (have >= LENGTH_SIZE)
                        room += MIN((size_t) get32(buffer_head(&h->in)), (size_t) SEALED_MAX);
        }
        room = have < room ? room - have : 1;
        r = buffer_reserve(&h->in, room, ret);
        if (r < 0)
                return r;
        *ret_size = room;
        return 0;
}

void hop_input_done(struct hop *h, size_t n) {
        buffer_commit(&h->in, n);
}

static int read_name(const uint8_t **p, const uint8_t *end, struct node_id *ret) {
        size_t size;

        if (*p >= end)
                return -EBADMSG;
        size = *(*p)++;
        if ((size_t) (end - *p) < size || node_id_from_bytes(*p, size, ret) < 0)
                return -EBADMSG;
        *p += size;
        return 0;
}

static int on_hello(struct hop *h, const uint8_t *frame, size_t size) {
        uint8_t fixed[CHALLENGE_FIXED], proof[HMAC_SIZE];
        const uint8_t *p = frame + LENGTH_SIZE + 1, *end = frame + size;
        struct iovec parts[] = {
                { fixed, sizeof(fixed) }, { &h->own.size, 1 }, { h->own.etf, h->own.size },
        };
        uint16_t min, max;
        int r;

        /* The magic and the versions stay where they are in every version to come. */
        if ((size_t) (end - p) < sizeof(magic) + 4 || frame[LENGTH_SIZE] != HOP_HELLO || memcmp(p, magic, sizeof(magic)) != 0)
                return over(h, HA_ERROR_CLOSED, "what came is no greeting of a node");
        min = get16(p + sizeof(magic));
        max = get16(p + sizeof(magic) + 2);
        if (min > max || min > HOP_VERSION_MAX || max < HOP_VERSION_MIN) {
                r = hop_refuse(h, HA_ERROR_BADVSN, "this node speaks version 1 of the protocol between nodes");
                return r < 0 ? r : over(h, HA_ERROR_BADVSN, "it speaks versions %u to %u of the protocol between nodes, we %d to %d",
                                        min, max, HOP_VERSION_MIN, HOP_VERSION_MAX);
        }
        if ((size_t) (end - p) < HELLO_FIXED)
                return over(h, HA_ERROR_CLOSED, "its greeting is malformed");
        p += HELLO_FIXED;
        if (read_name(&p, end, &h->peer) < 0 || read_name(&p, end, &h->expected) < 0 || p != end)
                return over(h, HA_ERROR_CLOSED, "its greeting is malformed");
        if (h->token.size == 0) {
                r = hop_refuse(h, HA_ERROR_BADTOKEN, "this node has no token, so nobody can join it");
                return r < 0 ? r : over(h, HA_ERROR_BADTOKEN, "no token is set here, and without one no node can join");
        }
        r = buffer_append(&h->transcript, frame, size);
        if (r < 0)
                return r;
        put16(fixed, HOP_VERSION_MAX);
        put32(fixed + 2, 0); /* features chosen */
        if (getrandom(fixed + 6, HOP_NONCE_SIZE, 0) != HOP_NONCE_SIZE)
                return -EIO;
        /* The proof covers the challenge up to itself, with the type, but the length of the whole frame. */
        {
                uint8_t head[LENGTH_SIZE + 1];
                size_t body = sizeof(fixed) + 1 + h->own.size + HMAC_SIZE;

                put32(head, (uint32_t) (1 + body));
                head[LENGTH_SIZE] = HOP_CHALLENGE;
                r = buffer_append(&h->transcript, head, sizeof(head));
                if (r >= 0)
                        r = buffer_append(&h->out, head, sizeof(head));
                for (size_t i = 0; r >= 0 && i < ELEMENTSOF(parts); i++) {
                        r = buffer_append(&h->transcript, parts[i].iov_base, parts[i].iov_len);
                        if (r >= 0)
                                r = buffer_append(&h->out, parts[i].iov_base, parts[i].iov_len);
                }
        }
        if (r >= 0)
                r = prove(h, LABEL_SERVING, proof);
        if (r >= 0)
                r = buffer_append(&h->out, proof, sizeof(proof));
        if (r >= 0)
                r = buffer_append(&h->transcript, proof, sizeof(proof));
        if (r < 0)
                return r;
        h->state = AWAIT_PROOF;
        return 0;
}

static int on_challenge(struct hop *h, const uint8_t *frame, size_t size) {
        const uint8_t *p = frame + LENGTH_SIZE + 1, *end = frame + size;
        uint8_t proof[HMAC_SIZE];
        uint16_t version;
        int r;

        if (frame[LENGTH_SIZE] == HOP_REFUSE) {
                _cleanup_free_ char *reason = NULL;
                enum ha_error code;

                r = hop_parse_refuse(p, (size_t) (end - p), &code, &reason);
                if (r == -ENOMEM)
                        return r;
                /* Not proven by anything, so no more is believed than could be said without knowing the token. */
                if (r < 0 || (code != HA_ERROR_BADVSN && code != HA_ERROR_BADTOKEN && code != HA_ERROR_CONNECT))
                        return over(h, HA_ERROR_BADVSN, "the answer is not that of a node");
                return over(h, code, "refused: %s", reason);
        }
        if (frame[LENGTH_SIZE] != HOP_CHALLENGE || (size_t) (end - p) < 2)
                return over(h, HA_ERROR_BADVSN, "the answer is not that of a node");
        version = get16(p);
        if (version < HOP_VERSION_MIN || version > HOP_VERSION_MAX)
                return over(h, HA_ERROR_BADVSN, "it speaks version %u of the protocol between nodes, we %d to %d", version,
                            HOP_VERSION_MIN, HOP_VERSION_MAX);
        if ((size_t) (end - p) < CHALLENGE_FIXED + HMAC_SIZE)
                return over(h, HA_ERROR_BADVSN, "the answer is malformed");
        p += CHALLENGE_FIXED;
        if (read_name(&p, end - HMAC_SIZE, &h->peer) < 0 || p != end - HMAC_SIZE)
                return over(h, HA_ERROR_BADVSN, "the answer is malformed");

        r = buffer_append(&h->transcript, frame, size - HMAC_SIZE);
        if (r >= 0)
                r = prove(h, LABEL_SERVING, proof);
        if (r < 0)
                return r;
        if (!hmac_equal(proof, p))
                return over(h, HA_ERROR_BADTOKEN, "its token is not ours (or its answer was tampered with)");
        r = buffer_append(&h->transcript, p, HMAC_SIZE);
        if (r >= 0)
                r = prove(h, LABEL_JOINING, proof);
        if (r >= 0)
                r = send_plain(h, HOP_PROOF, &(struct iovec) { proof, sizeof(proof) }, 1);
        if (r < 0)
                return r;
        return derive_keys(h);
}

static int on_proof(struct hop *h, const uint8_t *frame, size_t size) {
        uint8_t proof[HMAC_SIZE];
        int r;

        if (frame[LENGTH_SIZE] != HOP_PROOF || size != LENGTH_SIZE + 1 + HMAC_SIZE)
                return over(h, HA_ERROR_BADTOKEN, "it did not prove that it has the token");
        r = prove(h, LABEL_JOINING, proof);
        if (r < 0)
                return r;
        if (!hmac_equal(proof, frame + LENGTH_SIZE + 1))
                return over(h, HA_ERROR_BADTOKEN, "its token is not ours");
        r = buffer_append(&h->transcript, frame, size);
        if (r < 0)
                return r;
        return derive_keys(h);
}

static int next_plain(struct hop *h) {
        const uint8_t *frame;
        uint32_t length;
        int r;

        if (buffer_size(&h->in) < LENGTH_SIZE)
                return 0;
        frame = buffer_head(&h->in);
        length = get32(frame);
        if (length < FRAME_MIN || length > HOP_STRANGER_FRAME_MAX)
                return over(h, h->serving ? HA_ERROR_CLOSED : HA_ERROR_BADVSN, "what came is no frame of this protocol");
        if (buffer_size(&h->in) < LENGTH_SIZE + length)
                return 0;
        switch (h->state) {
        case AWAIT_HELLO:
                r = on_hello(h, frame, LENGTH_SIZE + length);
                break;
        case AWAIT_CHALLENGE:
                r = on_challenge(h, frame, LENGTH_SIZE + length);
                break;
        default:
                r = on_proof(h, frame, LENGTH_SIZE + length);
        }
        buffer_consume(&h->in, LENGTH_SIZE + length);
        return r < 0 ? r : 1;
}

static int next_sealed(struct hop *h, struct hop_frame *ret) {
        uint8_t mac[HMAC_SIZE];
        const uint8_t *frame;
        uint32_t length;
        int r;

        if (buffer_size(&h->in) < LENGTH_SIZE)
                return 0;
        frame = buffer_head(&h->in);
        length = get32(frame);
        if (length < SEALED_MIN || length > SEALED_MAX)
                return over(h, HA_ERROR_CLOSED, "a frame has an impossible length");
        if (buffer_size(&h->in) < LENGTH_SIZE + length)
                return 0;
        r = hmac_key_compute(h->key_in, &(struct iovec) { (void *) frame, LENGTH_SIZE + length - HMAC_SIZE }, 1, mac);
        if (r < 0)
                return r;
        if (!hmac_equal(mac, frame + LENGTH_SIZE + length - HMAC_SIZE))
                return over(h, HA_ERROR_CLOSED, "a frame was damaged or tampered with (its MAC is wrong)");
        if (get64(frame + LENGTH_SIZE) != h->sequence_in)
                return over(h, HA_ERROR_CLOSED, "a frame is missing, or came twice");
        h->sequence_in++;
        h->consumed = LENGTH_SIZE + length;
        *ret = (struct hop_frame) {
                .type = (enum hop_type) frame[LENGTH_SIZE + SEQUENCE_SIZE],
                .body = frame + LENGTH_SIZE + SEQUENCE_SIZE + 1,
                .size = length - SEALED_MIN,
        };
        return 1;
}

int hop_next(struct hop *h, struct hop_frame *ret) {
        int r;

        drop_consumed(h);
        while (h->state != OPEN) {
                if (h->state == OVER)
                        return -EPROTO;
                r = next_plain(h);
                if (r <= 0)
                        return r;
        }
        return next_sealed(h, ret);
}

bool hop_is_authenticated(const struct hop *h) {
        return h->key_in;
}

const struct node_id *hop_peer(const struct hop *h) {
        return &h->peer;
}

const struct node_id *hop_expected(const struct hop *h) {
        return &h->expected;
}

enum ha_error hop_error(const struct hop *h) {
        return h->error;
}

const char *hop_reason(const struct hop *h) {
        return h->reason;
}

int hop_send(struct hop *h, enum hop_type type, const struct iovec *parts, size_t n_parts) {
        uint8_t *frame, *p;
        size_t size = 0, whole;
        int r;

        if (h->state != OPEN)
                return -EINVAL;
        for (size_t i = 0; i < n_parts; i++) {
                if (parts[i].iov_len > HOP_BODY_MAX - size)
                        return -EMSGSIZE;
                size += parts[i].iov_len;
        }
        whole = LENGTH_SIZE + SEALED_MIN + size;
        r = buffer_reserve(&h->out, whole, &frame);
        if (r < 0)
                return r;
        put32(frame, (uint32_t) (SEALED_MIN + size));
        put64(frame + LENGTH_SIZE, h->sequence_out);
        frame[LENGTH_SIZE + SEQUENCE_SIZE] = (uint8_t) type;
        p = frame + LENGTH_SIZE + SEQUENCE_SIZE + 1;
        for (size_t i = 0; i < n_parts; i++)
                if (parts[i].iov_len > 0) {
                        memcpy(p, parts[i].iov_base, parts[i].iov_len);
                        p += parts[i].iov_len;
                }
        r = hmac_key_compute(h->key_out, &(struct iovec) { frame, whole - HMAC_SIZE }, 1, p);
        if (r < 0)
                return r;
        h->sequence_out++;
        buffer_commit(&h->out, whole);
        return 0;
}

int hop_refuse(struct hop *h, enum ha_error code, const char *reason) {
        uint8_t number[2], head[LENGTH_SIZE + 1];
        struct iovec parts[] = { { number, sizeof(number) }, { (void *) reason, strnlen(reason, HOP_REASON_MAX) } };
        int r;

        put16(number, (uint16_t) code);
        if (h->state == OPEN)
                return hop_send(h, HOP_REFUSE, parts, ELEMENTSOF(parts));
        put32(head, (uint32_t) (1 + parts[0].iov_len + parts[1].iov_len));
        head[LENGTH_SIZE] = HOP_REFUSE;
        r = buffer_append(&h->out, head, sizeof(head));
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(parts); i++)
                r = buffer_append(&h->out, parts[i].iov_base, parts[i].iov_len);
        return r;
}

struct buffer *hop_output(struct hop *h) {
        return &h->out;
}

int hop_parse_refuse(const uint8_t *body, size_t size, enum ha_error *ret_code, char **ret_reason) {
        char *reason;

        if (size < 2 || size > 2 + HOP_REASON_MAX)
                return -EBADMSG;
        reason = utf8_escape(body + 2, size - 2);
        if (!reason)
                return -ENOMEM;
        *ret_code = (enum ha_error) get16(body);
        *ret_reason = reason;
        return 0;
}
