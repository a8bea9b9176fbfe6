/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding a status of 255 nodes: our view of it, the documented struct, and the same walk by Erlang's own C library (if it
 * was there at build time) and by a pass over the bytes that does nothing else, all in the same run. */
#include <stdio.h>

#ifdef HAVE_EI
#include <ei.h>
#endif

#include "basic/time-util.h"
#include "lib/orders.h"
#include "lib/value.h"

enum { NODES = 255, BATCH = 200, BATCHES = 50 };

static struct confd_ha_node_term terms[CONFD_HA_STATUS_NODES_MAX];
static struct confd_ha_node nodes[CONFD_HA_STATUS_NODES_MAX];
static volatile unsigned used; /* so that no work is left out */

static int make_status(struct buffer *b) {
        struct eterm_writer w = eterm_write_begin(b);

        eterm_put_version(&w);
        eterm_put_tuple(&w, 2);
        eterm_put_int(&w, CONFD_HA_STATE_MASTER);
        eterm_put_list(&w, NODES);
        for (unsigned i = 1; i <= NODES; i++) {
                struct confd_ha_node n = { .af = AF_INET, .addr.ip4 = { htonl(0x0a000000 | i) } };
                char id[32];

                snprintf(id, sizeof(id), "node-%u.example", i);
                CONFD_SET_STR(&n.nodeid, id);
                node_put(&w, &n);
        }
        eterm_put_nil(&w);
        return eterm_write_end(&w);
}

static int view(const struct buffer *b) {
        struct reply r;

        if (reply_parse_status(buffer_head(b), buffer_size(b), &r, terms) < 0 || r.num_nodes != NODES)
                return -EPROTO;
        used += (unsigned) terms[NODES - 1].id.size;
        return 0;
}

static int whole(const struct buffer *b) {
        int r;

        r = view(b);
        for (unsigned i = 0; r >= 0 && i < NODES; i++) {
                struct eterm c = eterm_init(terms[i].id.data, terms[i].id.size + terms[i].address.size);

                r = node_get_parts(&c, &nodes[i]);
        }
        used += (unsigned char) nodes[NODES - 1].buf[0];
        return r;
}

static int bytes(const struct buffer *b) {
        const uint8_t *p = buffer_head(b);
        unsigned sum = 0;

        for (size_t i = 0; i < buffer_size(b); i++)
                sum = sum * 31 + p[i];
        used += sum;
        return 0;
}

#ifdef HAVE_EI
static int with_ei(const struct buffer *b) {
        const char *p = (const char *) buffer_head(b);
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
#endif

/* The best batch: others on the machine only ever make it slower. */
static int measure(const char *what, int (*f)(const struct buffer *b), const struct buffer *b) {
        uint64_t best = UINT64_MAX;

        for (int i = 0; i < BATCHES; i++) {
                uint64_t t = now_monotonic();

                for (int k = 0; k < BATCH; k++)
                        if (f(b) < 0)
                                return -EPROTO;
                t = now_monotonic() - t;
                best = MIN(best, t);
        }
        printf("%-40s %8.2f us a status of %i nodes\n", what, (double) best / BATCH, NODES);
        return 0;
}

int main(void) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);

        if (make_status(&b) < 0 || measure("view (confd_ha_client_status)", view, &b) < 0 ||
            measure("struct (confd_ha_status)", whole, &b) < 0 || measure("a pass over the bytes", bytes, &b) < 0)
                return 1;
#ifdef HAVE_EI
        if (measure("Erlang's ei, the same struct", with_ei, &b) < 0)
                return 1;
#endif
        return 0;
}
