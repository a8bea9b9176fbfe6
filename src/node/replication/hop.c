/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the greeting and the frames of the protocol between nodes.
 *
 * What is proven, and when: the greeting in plain settles the version, so that nodes that have none in common can be told. The
 * key of the TLS session follows from the token and from every byte of the greeting: changed on the way, it is another key.
 * The serving side's nonce in it makes it a key for this connection only, so that a ClientHello of another one, however true, is
 * worth nothing. A joining side that has not the token is known by its ClientHello, before anything is kept for it, and a serving
 * side by its answer. The names are told only then: a wrong one shows as such, and not as a wrong token. */
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/big-endian.h"
#include "basic/escape.h"
#include "node/replication/hop-tls.h"
#include "node/replication/hop.h"
#include "node/replication/replication.h"

static const uint8_t magic[8] = { 'C', 'O', 'N', 'F', 'D', '-', 'H', 'A' };

enum {
        LENGTH_SIZE = 4,
        HEAD_SIZE = LENGTH_SIZE + 1,
        HELLO_FIXED = sizeof(magic) + 2 + 2,      /* a later version may say more */
        WELCOME_SIZE = 2 + HOP_NONCE_SIZE,
        STRANGER_INPUT_SIZE = TLS_HEADER_SIZE + HOP_STRANGER_MAX,
        SMALL_FRAME = 512,                        /* room for the first bytes of a frame whose size is not known yet */
        INPUT_MIN = 4 * 1024,                     /* read at a time: more, while there is more */
        INPUT_MAX = 128 * 1024,
        INPUT_KEPT_MAX = INPUT_MAX + TLS_HEADER_SIZE + TLS_SEALED_MAX,
};

enum hop_state {
        AWAIT_HELLO,        /* serving */
        AWAIT_CLIENT_HELLO, /* serving */
        AWAIT_WELCOME,      /* joining */
        HANDSHAKE,
        AWAIT_NAMES,
        OPEN,
        OVER,
};

struct hop {
        bool serving, has_token, authenticated;
        bool closed; /* we have said so */
        enum hop_state state;
        struct node_id own, peer, expected;
        uint8_t key[HOP_KEY_SIZE]; /* extracted from the token; then the connection's; then erased */
        struct hop_tls *tls;
        struct buffer in, plain, out;
        size_t room;     /* how much is read at a time */
        size_t consumed; /* of the frame that was handed out last */
        enum ha_error error;
        char reason[HOP_REASON_MAX * 4 + 64];
};

/* What waits to be sent is of no use to anybody then, but for what tells a stranger why. */
_printf_(3, 4) static int over(struct hop *h, enum ha_error error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(h->reason, sizeof(h->reason), format, ap);
        va_end(ap);
        h->state = OVER;
        h->error = error;
        h->tls = hop_tls_free(h->tls);
        hop_key_erase(h->key);
        buffer_shrink(&h->in);
        if (!h->serving || h->authenticated)
                buffer_shrink(&h->out);
        return -EPROTO;
}

/* ---- making and freeing ---- */

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
        h->plain = BUFFER_INIT(0);
        h->out = BUFFER_INIT(0);
        h->room = INPUT_MIN;
        h->has_token = token->size > 0;
        if (h->has_token) {
                r = hop_key_extract(token, h->key);
                if (r < 0)
                        return r;
        }
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

/* Ours is always the same: a nonce of the joining side is in its ClientHello. */
static void encode_hello(uint8_t frame[static HEAD_SIZE + HELLO_FIXED]) {
        uint8_t *p = frame + HEAD_SIZE;

        put32(frame, 1 + HELLO_FIXED);
        frame[LENGTH_SIZE] = HOP_HELLO;
        memcpy(p, magic, sizeof(magic));
        put16(p + sizeof(magic), HOP_VERSION_MIN);
        put16(p + sizeof(magic) + 2, HOP_VERSION_MAX);
}

int hop_new_joining(const struct node_id *own, const struct node_id *expected, const struct secret *token, struct hop **ret) {
        _cleanup_(hop_freep) struct hop *h = NULL;
        uint8_t hello[HEAD_SIZE + HELLO_FIXED];
        int r;

        r = hop_alloc(own, token, &h);
        if (r < 0)
                return r;
        h->expected = *expected;
        h->state = AWAIT_WELCOME;
        if (!h->has_token)
                (void) over(h, HA_ERROR_BADTOKEN, "no token is set, and without one no node can join: set it at both nodes");
        else {
                encode_hello(hello);
                r = buffer_append(&h->out, hello, sizeof(hello));
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(h);
        return 0;
}

struct hop *hop_free(struct hop *h) {
        if (h) {
                hop_tls_free(h->tls);
                hop_key_erase(h->key);
                buffer_done(&h->in);
                buffer_done(&h->plain);
                buffer_done(&h->out);
                free(h);
        }
        return NULL;
}

/* ---- input ---- */

static void drop_consumed(struct hop *h) {
        buffer_consume(&h->plain, h->consumed);
        h->consumed = 0;
}

/* Much is read at a time while there is much, and in quiet times little memory is kept for it. */
int hop_input(struct hop *h, uint8_t **ret, size_t *ret_size) {
        size_t have, room = h->room, most = INPUT_KEPT_MAX;
        int r;

        drop_consumed(h);
        if (h->state < HANDSHAKE)
                room = most = STRANGER_INPUT_SIZE;
        have = buffer_size(&h->in);
        if (have == 0 && h->in.allocated / 4 > room)
                buffer_shrink(&h->in);
        if (buffer_size(&h->plain) == 0 && h->plain.allocated / 4 > room)
                buffer_shrink(&h->plain);
        room = have < most ? MIN(room, most - have) : 1;
        r = buffer_reserve(&h->in, room, ret);
        if (r < 0)
                return r;
        *ret_size = room;
        return 0;
}

void hop_input_done(struct hop *h, size_t n) {
        buffer_commit(&h->in, n);
        if (h->state < HANDSHAKE)
                return;
        if (n >= h->room && h->room < INPUT_MAX)
                h->room *= 2;
        else if (n < h->room / 4 && h->room > INPUT_MIN)
                h->room /= 2;
}

void hop_input_rest(struct hop *h) {
        if (h->state < HANDSHAKE || h->room > INPUT_MIN)
                return;
        drop_consumed(h);
        if (buffer_size(&h->in) == 0)
                buffer_shrink(&h->in);
        if (buffer_size(&h->plain) == 0)
                buffer_shrink(&h->plain);
}

void hop_input_cut(struct hop *h) {
        if (h->state == OVER)
                return;
        if (h->authenticated)
                (void) over(h, HA_ERROR_CLOSED, "the connection was cut: it ended, and the other side has not said so");
        else
                (void) over(h, HA_ERROR_CLOSED, "closed by the other side");
}

/* ---- the greeting ---- */

static int make_key(struct hop *h, const void *hello, size_t hello_size, const void *welcome, size_t welcome_size) {
        struct iovec said[] = { { (void *) hello, hello_size }, { (void *) welcome, welcome_size } };
        uint8_t key[HOP_KEY_SIZE];
        int r;

        r = hop_key_expand(h->key, said, ELEMENTSOF(said), key);
        if (r >= 0)
                memcpy(h->key, key, sizeof(key));
        hop_key_erase(key);
        return r;
}

static int start_tls(struct hop *h) {
        int r;

        r = hop_tls_new(h->serving, h->key, &h->in, &h->out, &h->tls);
        if (r < 0)
                return r;
        hop_key_erase(h->key);
        h->state = HANDSHAKE;
        return 1;
}

static int on_hello(struct hop *h, const uint8_t *frame, size_t size) {
        uint8_t welcome[HEAD_SIZE + WELCOME_SIZE];
        const uint8_t *p = frame + HEAD_SIZE;
        uint16_t min, max;
        int r;

        /* The magic and the versions stay where they are in every version to come. */
        if (size < HEAD_SIZE + HELLO_FIXED || frame[LENGTH_SIZE] != HOP_HELLO || memcmp(p, magic, sizeof(magic)) != 0)
                return over(h, HA_ERROR_CLOSED, "what came is no greeting of a node");
        min = get16(p + sizeof(magic));
        max = get16(p + sizeof(magic) + 2);
        if (min > max || min > HOP_VERSION_MAX || max < HOP_VERSION_MIN) {
                r = hop_refuse(h, HA_ERROR_BADVSN, "this node speaks version 2 of the protocol between nodes");
                return r < 0 ? r : over(h, HA_ERROR_BADVSN, "it speaks versions %u to %u of the protocol between nodes, we %d to %d",
                                        min, max, HOP_VERSION_MIN, HOP_VERSION_MAX);
        }
        if (!h->has_token) {
                r = hop_refuse(h, HA_ERROR_BADTOKEN, "this node has no token, so nobody can join it");
                return r < 0 ? r : over(h, HA_ERROR_BADTOKEN, "no token is set here, and without one no node can join");
        }
        put32(welcome, 1 + WELCOME_SIZE);
        welcome[LENGTH_SIZE] = HOP_WELCOME;
        put16(welcome + HEAD_SIZE, HOP_VERSION_MAX);
        if (RAND_bytes(welcome + HEAD_SIZE + 2, HOP_NONCE_SIZE) <= 0)
                return -EIO;
        r = make_key(h, frame, size, welcome, sizeof(welcome));
        if (r >= 0)
                r = buffer_append(&h->out, welcome, sizeof(welcome));
        if (r < 0)
                return r;
        h->state = AWAIT_CLIENT_HELLO;
        return 1;
}

static int on_welcome(struct hop *h, const uint8_t *frame, size_t size) {
        uint8_t hello[HEAD_SIZE + HELLO_FIXED];
        const uint8_t *p = frame + HEAD_SIZE;
        uint16_t version;
        int r;

        if (frame[LENGTH_SIZE] == HOP_REFUSE) {
                _cleanup_free_ char *reason = NULL;
                enum ha_error code;

                r = hop_parse_refuse(p, size - HEAD_SIZE, &code, &reason);
                if (r == -ENOMEM)
                        return r;
                /* Not proven by anything, so no more is believed than could be said without knowing the token. */
                if (r < 0 || (code != HA_ERROR_BADVSN && code != HA_ERROR_BADTOKEN && code != HA_ERROR_CONNECT))
                        return over(h, HA_ERROR_BADVSN, "the answer is not that of a node");
                return over(h, code, "refused: %s", reason);
        }
        if (frame[LENGTH_SIZE] != HOP_WELCOME || size < HEAD_SIZE + 2)
                return over(h, HA_ERROR_BADVSN, "the answer is not that of a node");
        version = get16(p);
        if (version < HOP_VERSION_MIN || version > HOP_VERSION_MAX)
                return over(h, HA_ERROR_BADVSN, "it speaks version %u of the protocol between nodes, we %d to %d", version,
                            HOP_VERSION_MIN, HOP_VERSION_MAX);
        if (size != HEAD_SIZE + WELCOME_SIZE)
                return over(h, HA_ERROR_BADVSN, "the answer is malformed");
        encode_hello(hello);
        return make_key(h, hello, sizeof(hello), frame, size);
}

/* A frame of the greeting. */
static int next_plain(struct hop *h) {
        const uint8_t *frame;
        uint32_t length;
        int r;

        if (buffer_size(&h->in) < LENGTH_SIZE)
                return 0;
        frame = buffer_head(&h->in);
        length = get32(frame);
        if (length < 1 || length > HOP_STRANGER_MAX)
                return over(h, h->serving ? HA_ERROR_CLOSED : HA_ERROR_BADVSN, "what came is no frame of this protocol");
        if (buffer_size(&h->in) < LENGTH_SIZE + length)
                return 0;
        r = h->serving ? on_hello(h, frame, LENGTH_SIZE + length) : on_welcome(h, frame, LENGTH_SIZE + length);
        if (r < 0)
                return r;
        buffer_consume(&h->in, LENGTH_SIZE + length);
        return h->serving ? 1 : start_tls(h);
}

/* ---- TLS ---- */

/* A TLS session costs a hundred times what a stranger has cost so far: it is begun when there is a whole ClientHello to begin
 * it with, which then decides at once. */
static int await_client_hello(struct hop *h) {
        size_t size = tls_record_size(&h->in);

        if (size > TLS_HEADER_SIZE + HOP_STRANGER_MAX || (buffer_size(&h->in) > TLS_HEADER_SIZE && !tls_is_client_hello(&h->in)))
                return over(h, HA_ERROR_BADTOKEN, "it did not try to prove that it has the token");
        return size > TLS_HEADER_SIZE && buffer_size(&h->in) >= size ? start_tls(h) : 0;
}

static int send_frame(struct hop *h, enum hop_type type, const struct iovec *parts, size_t n_parts) {
        struct iovec all[1 + HOP_PARTS_MAX];
        uint8_t head[HEAD_SIZE];
        size_t size = 0;

        if (h->closed || n_parts > HOP_PARTS_MAX)
                return -EINVAL;
        for (size_t i = 0; i < n_parts; i++) {
                if (parts[i].iov_len > HOP_BODY_MAX - size)
                        return -EMSGSIZE;
                size += parts[i].iov_len;
                all[1 + i] = parts[i];
        }
        put32(head, (uint32_t) (1 + size));
        head[LENGTH_SIZE] = (uint8_t) type;
        all[0] = (struct iovec) { head, sizeof(head) };
        return hop_tls_write(h->tls, all, 1 + n_parts);
}

static int shake_hands(struct hop *h) {
        struct iovec parts[] = {
                { &h->own.size, 1 }, { h->own.etf, h->own.size }, { &h->expected.size, 1 }, { h->expected.etf, h->expected.size },
        };
        int r;

        r = hop_tls_handshake(h->tls);
        if (r == -EBADMSG)
                return over(h, HA_ERROR_BADTOKEN, "its token is not ours, or somebody changed something on the way (TLS: %s)",
                            hop_tls_problem(h->tls));
        if (r <= 0)
                return r;
        h->state = AWAIT_NAMES;
        r = send_frame(h, HOP_NAMES, parts, h->serving ? 2 : 4);
        return r < 0 ? r : 1;
}

static int next_frame(struct hop *h, size_t body_max, struct hop_frame *ret) {
        int r;

        for (;;) {
                size_t have = buffer_size(&h->plain), want = SMALL_FRAME, n;
                uint8_t *p = buffer_head(&h->plain);

                if (have >= LENGTH_SIZE) {
                        size_t length = get32(p);

                        if (length < 1 || length > 1 + body_max)
                                return over(h, HA_ERROR_CLOSED, "a frame has an impossible length");
                        if (have >= LENGTH_SIZE + length) {
                                h->consumed = LENGTH_SIZE + length;
                                *ret = (struct hop_frame) {
                                        .type = (enum hop_type) p[LENGTH_SIZE],
                                        .body = p + HEAD_SIZE,
                                        .size = length - 1,
                                };
                                return 1;
                        }
                        want = LENGTH_SIZE + length - have;
                }
                r = buffer_reserve(&h->plain, want, &p);
                if (r >= 0)
                        r = hop_tls_read(h->tls, p, want, &n);
                if (r == -EPIPE)
                        return over(h, HA_ERROR_CLOSED, "closed by the other side");
                if (r == -EBADMSG)
                        return over(h, HA_ERROR_CLOSED, "what came was damaged, or somebody changed it on the way (TLS: %s)",
                                    hop_tls_problem(h->tls));
                if (r <= 0)
                        return r;
                buffer_commit(&h->plain, n);
        }
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

static int await_names(struct hop *h) {
        struct hop_frame frame = {};
        const uint8_t *p, *end;
        int r;

        r = next_frame(h, HOP_STRANGER_MAX, &frame);
        if (r <= 0)
                return r;
        p = frame.body;
        end = p + frame.size;
        if (frame.type != HOP_NAMES || read_name(&p, end, &h->peer) < 0 ||
            (h->serving && read_name(&p, end, &h->expected) < 0) || p != end)
                return over(h, HA_ERROR_CLOSED, "it did not tell its name");
        drop_consumed(h);
        h->authenticated = true;
        h->state = OPEN;
        return 1;
}

int hop_next(struct hop *h, struct hop_frame *ret) {
        int r;

        drop_consumed(h);
        for (;;) {
                switch (h->state) {
                case AWAIT_HELLO:
                case AWAIT_WELCOME:
                        r = next_plain(h);
                        break;
                case AWAIT_CLIENT_HELLO:
                        r = await_client_hello(h);
                        break;
                case HANDSHAKE:
                        r = shake_hands(h);
                        break;
                case AWAIT_NAMES:
                        r = await_names(h);
                        break;
                case OPEN:
                        return next_frame(h, HOP_BODY_MAX, ret);
                default:
                        return -EPROTO;
                }
                if (r <= 0)
                        return r;
        }
}

/* ---- what is known ---- */

enum hop_progress hop_progress(const struct hop *h) {
        switch (h->state) {
        case AWAIT_CLIENT_HELLO:
                return HOP_GREETED;
        case HANDSHAKE: /* begun with a whole ClientHello, and over unless its binder was right */
        case AWAIT_NAMES:
                return HOP_PROVEN;
        case OPEN:
                return HOP_KNOWN;
        default:
                return buffer_size(&h->in) > 0 ? HOP_BEGUN : HOP_SILENT;
        }
}

bool hop_is_authenticated(const struct hop *h) {
        return h->authenticated;
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

/* ---- output ---- */

int hop_send(struct hop *h, enum hop_type type, const struct iovec *parts, size_t n_parts) {
        return h->state == OPEN ? send_frame(h, type, parts, n_parts) : -EINVAL;
}

int hop_refuse(struct hop *h, enum ha_error code, const char *reason) {
        uint8_t number[2], head[HEAD_SIZE];
        struct iovec parts[] = { { number, sizeof(number) }, { (void *) reason, strnlen(reason, HOP_REASON_MAX) } };
        int r;

        put16(number, (uint16_t) code);
        if (h->state == OPEN) {
                r = hop_send(h, HOP_REFUSE, parts, ELEMENTSOF(parts));
                hop_close(h);
                return r;
        }
        if (h->state != AWAIT_HELLO)
                return -EINVAL;
        put32(head, (uint32_t) (1 + parts[0].iov_len + parts[1].iov_len));
        head[LENGTH_SIZE] = HOP_REFUSE;
        r = buffer_append(&h->out, head, sizeof(head));
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(parts); i++)
                r = buffer_append(&h->out, parts[i].iov_base, parts[i].iov_len);
        return r;
}

void hop_close(struct hop *h) {
        if (!h->closed && (h->state == OPEN || h->state == AWAIT_NAMES)) {
                h->closed = true;
                hop_tls_close(h->tls);
        }
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
