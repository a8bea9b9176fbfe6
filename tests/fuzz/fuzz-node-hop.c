/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from anybody to both sides of the protocol between nodes: in place of the handshake, and into a connection that is open.
 *
 * The first byte chooses: bit 0 the side, bits 1 and 2 how many messages of a true handshake come before, bits 3 and up
 * in how large pieces the rest arrives. */
#include "fuzz.h"
#include "node/replication/hop.h"

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
        size_t n = buffer_size(out);

        feed(to, buffer_head(out), n, SIZE_MAX);
        buffer_consume(out, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct secret token = { (uint8_t *) "token", 5 };
        struct hop *joining, *serving, *target;
        struct node_id n1, n2;
        unsigned steps;

        if (size < 1)
                return 0;
        name(&n1, '1');
        name(&n2, '2');
        if (hop_new_joining(&n2, &n1, &token, &joining) < 0 || hop_new_serving(&n1, &token, &serving) < 0)
                abort();
        steps = (data[0] >> 1) & 3;
        for (unsigned i = 0; i < steps; i++)
                carry(i % 2 ? serving : joining, i % 2 ? joining : serving);
        target = data[0] & 1 ? serving : joining;
        if (!hop_is_authenticated(target)) {
                feed(target, data + 1, size - 1, 1 + (data[0] >> 3));
                if (hop_is_authenticated(target)) /* nobody can without the token */
                        abort();
        } else
                feed(target, data + 1, size - 1, 1 + (data[0] >> 3));
        hop_free(joining);
        hop_free(serving);
        return 0;
}
