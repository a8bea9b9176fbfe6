/* SPDX-License-Identifier: Apache-2.0 */
/* A status of 255 nodes: our view of it, the documented struct, and the encoding of it, against the same by Erlang's own C library (if
 * it was there at build time) and a pass over the bytes that does nothing else. Microseconds a status: "pair NAME OURS THEIRS". */
#include <stdio.h>
#include <time.h>

#include <ei.h>

#include "lib/orders.h"
#include "lib/value.h"

enum { NODES = 255, BATCH = 200, BATCHES = 50 };

static struct confd_ha_node_term terms[CONFD_HA_STATUS_NODES_MAX];
static struct confd_ha_node nodes[CONFD_HA_STATUS_NODES_MAX], source[NODES];
static volatile unsigned used; /* so that no work is left out */

static void make_nodes(void) {
        for (unsigned i = 0; i < NODES; i++) {
                source[i] = (struct confd_ha_node) { .af = AF_INET, .addr.ip4 = { htonl(0x0a000000 | (i + 1)) } };
                snprintf(source[i].buf, sizeof(source[i].buf), "node-%u.example", i + 1);
                CONFD_SET_STR(&source[i].nodeid, source[i].buf);
        }
}

static int make_status(struct buffer *b) {
        struct eterm_writer w = eterm_write_begin(b);

        eterm_put_version(&w);
        eterm_put_tuple(&w, 2);
        eterm_put_int(&w, CONFD_HA_STATE_MASTER);
        eterm_put_list(&w, NODES);
        for (unsigned i = 0; i < NODES; i++)
                node_put(&w, &source[i]);
        eterm_put_nil(&w);
        return eterm_write_end(&w);
}

static int view(struct buffer *b) {
        struct reply r;

        if (reply_parse_status(buffer_head(b), buffer_size(b), &r, terms) < 0 || r.num_nodes != NODES)
                return -EPROTO;
        used += (unsigned) terms[NODES - 1].id.size;
        return 0;
}

static int whole(struct buffer *b) {
        int r;

        r = view(b);
        for (unsigned i = 0; r >= 0 && i < NODES; i++) {
                struct eterm c = eterm_init(terms[i].id.data, terms[i].id.size + terms[i].address.size);

                r = node_get_parts(&c, &nodes[i]);
        }
        used += (unsigned char) nodes[NODES - 1].buf[0];
        return r;
}

static int encode(struct buffer *made) {
        buffer_consume(made, buffer_size(made));
        return make_status(made);
}

static int bytes(struct buffer *b) {
        const uint8_t *p = buffer_head(b);
        unsigned sum = 0;

        for (size_t i = 0; i < buffer_size(b); i++)
                sum = sum * 31 + p[i];
        used += sum;
        return 0;
}

static int both(struct buffer *made) {
        int r = encode(made);

        return r < 0 ? r : whole(made);
}

static int decode_bytes_with_ei(const char *p) {
        int at = 0, version, arity, n;
        long state, part;

        if (ei_decode_version(p, &at, &version) < 0 || ei_decode_tuple_header(p, &at, &arity) < 0 ||
            ei_decode_long(p, &at, &state) < 0 || ei_decode_list_header(p, &at, &n) < 0 || n != NODES)
                return -EPROTO;
        for (int i = 0; i < n; i++) {
                uint8_t ip[16];
                long size;

                if (ei_decode_tuple_header(p, &at, &arity) < 0 ||
                    ei_decode_binary(p, &at, nodes[i].buf, &size) < 0 || ei_decode_tuple_header(p, &at, &arity) < 0 || arity > 16)
                        return -EPROTO;
                for (int k = 0; k < arity; k++) {
                        if (ei_decode_long(p, &at, &part) < 0)
                                return -EPROTO;
                        ip[k] = (uint8_t) part;
                }
                memcpy(&nodes[i].addr.ip4, ip, 4);
                nodes[i].buf[size] = 0;
        }
        used += (unsigned char) nodes[NODES - 1].buf[0];
        return 0;
}

static int decode_with_ei(struct buffer *b) {
        return decode_bytes_with_ei((const char *) buffer_head(b));
}

static ei_x_buff x; /* kept, as ours keeps its memory */

/* From the same node structs as ours. */
static int encode_with_ei(struct buffer *unused) {
        if (!x.buff && ei_x_new(&x) < 0)
                return -ENOMEM;
        x.index = 0;
        if (ei_x_encode_version(&x) < 0 || ei_x_encode_tuple_header(&x, 2) < 0 ||
            ei_x_encode_long(&x, CONFD_HA_STATE_MASTER) < 0 || ei_x_encode_list_header(&x, NODES) < 0)
                return -ENOMEM;
        for (int i = 0; i < NODES; i++) {
                const unsigned char *ip = (const unsigned char *) &source[i].addr.ip4;
                const char *id = source[i].buf;

                if (ei_x_encode_tuple_header(&x, 2) < 0 || ei_x_encode_binary(&x, id, (long) strlen(id)) < 0 ||
                    ei_x_encode_tuple_header(&x, 4) < 0)
                        return -ENOMEM;
                for (int k = 0; k < 4; k++)
                        if (ei_x_encode_ulong(&x, ip[k]) < 0)
                                return -ENOMEM;
        }
        if (ei_x_encode_empty_list(&x) < 0)
                return -ENOMEM;
        used += (unsigned) x.index;
        return 0;
}

static int both_with_ei(struct buffer *unused) {
        int r = encode_with_ei(unused);

        return r < 0 ? r : decode_bytes_with_ei(x.buff);
}

/* Of this program's own time on a processor: others that want it do not count. */
static double own_usec(void) {
        struct timespec t;

        if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) < 0)
                return 0;
        return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

/* Microseconds a status, of one batch. */
static int measure(int (*f)(struct buffer *b), struct buffer *b, double *ret) {
        double t = own_usec();

        for (int k = 0; k < BATCH; k++)
                if (f(b) < 0)
                        return -EPROTO;
        *ret = (own_usec() - t) / BATCH;
        return 0;
}

/* Ours and theirs, one after the other, whoever is first taking turns. */
static int compare(const char *name, int (*ours)(struct buffer *b), int (*theirs)(struct buffer *b), struct buffer *b) {
        for (int i = 0; i < BATCHES; i++) {
                double first, second;

                if (measure(i % 2 ? ours : theirs, b, &first) < 0 || measure(i % 2 ? theirs : ours, b, &second) < 0)
                        return -EPROTO;
                printf("pair %s %.3f %.3f\n", name, i % 2 ? first : second, i % 2 ? second : first);
        }
        return 0;
}

int main(void) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0), made = BUFFER_INIT(0);

        make_nodes();
        if (make_status(&b) < 0 || compare("view-bytes", view, bytes, &b) < 0)
                return 1;
        if (compare("decode-view", view, decode_with_ei, &b) < 0 || compare("decode-struct", whole, decode_with_ei, &b) < 0 ||
            compare("encode", encode, encode_with_ei, &made) < 0 || compare("both", both, both_with_ei, &made) < 0)
                return 1;
        return 0;
}
