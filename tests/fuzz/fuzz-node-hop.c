/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from anybody to both sides of the protocol between nodes: in place of a message of the handshake, as records into a
 * connection that is open, and, from somebody who has the token, as what is within them.
 *
 * The first byte chooses: bit 0 the side, bits 1 to 3 how many messages of a true handshake come before (7: it is done, and
 * what follows is said within TLS, from NAMES on), bits 4 and up in how large pieces the rest arrives. Random numbers are the
 * same for each input, so that an input always means the same. */
#define OPENSSL_SUPPRESS_DEPRECATED /* of the way to have random numbers that are none */
#include <openssl/rand.h>

#include "basic/big-endian.h"
#include "fuzz.h"
#include "node/replication/hop-tls.h"
#include "node/replication/hop.h"

enum { WITHIN = 7 };

static const struct secret token = { (uint8_t *) "token", 5 };
static uint64_t seed;

static int numbers(unsigned char *to, int n) {
        for (int i = 0; i < n; i++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                to[i] = (uint8_t) (seed >> 56);
        }
        return 1;
}

static int status(void) {
        return 1;
}

static const RAND_METHOD method = { .bytes = numbers, .pseudorand = numbers, .status = status };

static void name(struct node_id *id, char last) {
        uint8_t term[] = { 109, 0, 0, 0, 2, 'n', (uint8_t) last };

        if (node_id_from_bytes(term, sizeof(term), id) < 0)
                abort();
}

static int drain(struct hop *h) {
        struct hop_frame f;
        uint8_t sum = 0;
        int r;

        while ((r = hop_next(h, &f)) > 0)
                for (size_t i = 0; i < f.size; i++)
                        sum ^= f.body[i]; /* all of it can be read */
        if (r == -EPROTO && (hop_error(h) == 0 || !hop_reason(h)[0]))
                abort();
        return r | (sum & 0);
}

static void feed(struct hop *h, const uint8_t *p, size_t n, size_t piece) {
        while (n > 0) {
                uint8_t *to;
                size_t room;

                if (hop_input(h, &to, &room) < 0 || room == 0)
                        abort();
                room = MIN(room, n);
                room = MIN(room, piece);
                memcpy(to, p, room);
                hop_input_done(h, room);
                p += room;
                n -= room;
                if (drain(h) < 0)
                        return;
        }
}

static void carry(struct hop *from, struct hop *to) {
        struct buffer *out = hop_output(from);

        feed(to, buffer_head(out), buffer_size(out), SIZE_MAX);
        buffer_clear(out);
}

/* In place of a message, or after them all. */
static void say_in_place(struct hop *sender, struct hop *target, const uint8_t *data, size_t size, size_t piece) {
        const struct buffer *truth = hop_output(sender);
        bool true_one = buffer_size(truth) > 0 && size >= buffer_size(truth) &&
                        memcmp(buffer_head(truth), data, buffer_size(truth)) == 0;

        true_one = true_one || hop_is_authenticated(target);
        feed(target, data, size, piece);
        if (hop_is_authenticated(target) && !true_one) /* nobody can without the token */
                abort();
}

/* What the target said goes to the TLS at the other end, and what that says to the target. */
static void exchange(struct hop *target, struct hop_tls *tls, struct buffer *in, struct buffer *out) {
        for (int i = 0; i < 4; i++) {
                struct buffer *said = hop_output(target);

                if (buffer_append(in, buffer_head(said), buffer_size(said)) < 0)
                        abort();
                buffer_clear(said);
                if (hop_tls_handshake(tls) < 0)
                        abort();
                feed(target, buffer_head(out), buffer_size(out), SIZE_MAX);
                buffer_clear(out);
        }
}

static void say_within(struct hop *target, bool serving, const uint8_t *data, size_t size, size_t piece) {
        static const uint8_t hello[] = { 0, 0, 0, 13, HOP_HELLO, 'C', 'O', 'N', 'F', 'D', '-', 'H', 'A', 0, 2, 0, 2 };
        uint8_t welcome[39] = { 0, 0, 0, 35, HOP_WELCOME, 0, 2 }, key[HOP_KEY_SIZE], extracted[HOP_KEY_SIZE];
        struct iovec said[] = { { (void *) hello, sizeof(hello) }, { welcome, sizeof(welcome) } };
        struct buffer in = BUFFER_INIT(0), out = BUFFER_INIT(0);
        struct hop_tls *tls;

        if (serving) {
                feed(target, hello, sizeof(hello), SIZE_MAX);
                memcpy(welcome, buffer_head(hop_output(target)), sizeof(welcome));
        } else
                feed(target, welcome, sizeof(welcome), SIZE_MAX);
        if (serving)
                buffer_clear(hop_output(target));
        else
                buffer_consume(hop_output(target), sizeof(hello));
        if (hop_key_extract(&token, extracted) < 0 || hop_key_expand(extracted, said, ELEMENTSOF(said), key) < 0 ||
            hop_tls_new(!serving, key, &in, &out, &tls) < 0)
                abort();
        exchange(target, tls, &in, &out);
        for (size_t n; size > 0; data += n, size -= n) {
                n = MIN(size, piece);
                if (hop_tls_write(tls, &(struct iovec) { (void *) data, n }, 1) < 0)
                        abort();
                feed(target, buffer_head(&out), buffer_size(&out), SIZE_MAX);
                buffer_clear(&out);
        }
        hop_tls_close(tls);
        feed(target, buffer_head(&out), buffer_size(&out), SIZE_MAX);
        if (drain(target) >= 0) /* the end was said */
                abort();
        hop_tls_free(tls);
        buffer_done(&in);
        buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct hop *joining, *serving, *target, *sender;
        struct node_id n1, n2;
        unsigned steps;
        size_t piece;

        if (size < 1)
                return 0;
        seed = 1;
        RAND_set_rand_method(&method);
        name(&n1, '1');
        name(&n2, '2');
        if (hop_new_joining(&n2, &n1, &token, &joining) < 0 || hop_new_serving(&n1, &token, &serving) < 0)
                abort();
        steps = (data[0] >> 1) & 7;
        piece = data[0] >> 4 ? (size_t) 1 << (data[0] >> 4) >> 1 : SIZE_MAX;
        target = data[0] & 1 ? serving : joining;
        sender = data[0] & 1 ? joining : serving;
        if (steps == WITHIN)
                say_within(target, data[0] & 1, data + 1, size - 1, piece);
        else {
                for (unsigned i = 0; i < steps; i++)
                        carry(i % 2 ? serving : joining, i % 2 ? joining : serving);
                say_in_place(sender, target, data + 1, size - 1, piece);
        }
        hop_free(joining);
        hop_free(serving);
        return 0;
}
