/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the encoding of what nodes tell each other. */
#include "basic/big-endian.h"
#include "node/replication/message.h"

bool node_path_contains(const struct node_path *path, const struct node_id *id) {
        for (size_t i = 0; i < path->n; i++)
                if (node_id_equal(&path->names[i], id))
                        return true;
        return false;
}

uint64_t tick_interval(uint64_t own, uint64_t theirs) {
        if (theirs == 0)
                return own;
        theirs = MAX(theirs, TICK_USEC_MIN);
        theirs = MIN(theirs, TICK_USEC_MAX);
        return own == 0 ? theirs : MIN(own, theirs);
}

static uint8_t *put_number(uint8_t *p, uint64_t v) {
        put64(p, v);
        return p + sizeof(v);
}

static uint8_t *put_bytes(uint8_t *p, const void *bytes, size_t n) {
        *p++ = (uint8_t) n;
        memcpy(p, bytes, n);
        return p + n;
}

static uint8_t *put_path(uint8_t *p, const struct node_path *path) {
        *p++ = (uint8_t) path->n;
        for (size_t i = 0; i < path->n; i++)
                p = put_bytes(p, path->names[i].etf, path->names[i].size);
        return p;
}

/* A reader that remembers that it ran past the end. */
struct reader {
        const uint8_t *p, *end;
        bool bad;
};

static const uint8_t *take(struct reader *r, size_t n) {
        const uint8_t *p = r->p;

        if (r->bad || (size_t) (r->end - r->p) < n) {
                r->bad = true;
                return NULL;
        }
        r->p += n;
        return p;
}

static uint8_t take8(struct reader *r) {
        const uint8_t *p = take(r, 1);

        return p ? *p : 0;
}

static uint64_t take64(struct reader *r) {
        const uint8_t *p = take(r, sizeof(uint64_t));

        return p ? get64(p) : 0;
}

static void take_transaction_id(struct reader *r, char ret[static TRANSACTION_ID_MAX + 1]) {
        size_t n = take8(r);
        const uint8_t *p = take(r, n);

        if (!p || (n > 0 && !transaction_id_is_valid((const char *) p, n))) {
                r->bad = true;
                n = 0;
        } else
                memcpy(ret, p, n);
        ret[n] = 0;
}

static void take_path(struct reader *r, struct node_path *ret) {
        size_t n = take8(r);

        if (n < 1 || n > PATH_NODES_MAX)
                r->bad = true;
        ret->n = 0;
        while (!r->bad && ret->n < n) {
                size_t size = take8(r);
                const uint8_t *p = take(r, size);

                if (!p || node_id_from_bytes(p, size, &ret->names[ret->n]) < 0)
                        r->bad = true;
                else
                        ret->n++;
        }
}

static int done(const struct reader *r) {
        return r->bad || r->p != r->end ? -EBADMSG : 0;
}

size_t join_message_encode(const struct join_message *m, uint8_t buf[static MESSAGE_SIZE_MAX]) {
        uint8_t *p = buf;

        memcpy(p, m->schema, sizeof(m->schema));
        p = put_number(p + sizeof(m->schema), m->tick_usec);
        p = put_bytes(p, m->transaction_id, strlen(m->transaction_id));
        return (size_t) (p - buf);
}

int join_message_decode(const uint8_t *p, size_t n, struct join_message *ret) {
        struct reader r = { p, p + n };
        struct join_message m = {};
        const uint8_t *schema = take(&r, sizeof(m.schema));

        if (schema)
                memcpy(m.schema, schema, sizeof(m.schema));
        m.tick_usec = take64(&r);
        take_transaction_id(&r, m.transaction_id);
        if (done(&r) < 0)
                return -EBADMSG;
        *ret = m;
        return 0;
}

size_t accept_message_encode(const struct accept_message *m, uint8_t buf[static MESSAGE_SIZE_MAX]) {
        uint8_t *p = buf;

        *p++ = m->copy;
        p = put_number(p, m->tick_usec);
        p = put_number(p, m->entries);
        p = put_bytes(p, m->transaction_id, strlen(m->transaction_id));
        p = put_path(p, &m->path);
        return (size_t) (p - buf);
}

int accept_message_decode(const uint8_t *p, size_t n, struct accept_message *ret) {
        struct reader r = { p, p + n };
        struct accept_message m = {};
        uint8_t copy = take8(&r);

        m.copy = copy;
        m.tick_usec = take64(&r);
        m.entries = take64(&r);
        take_transaction_id(&r, m.transaction_id);
        take_path(&r, &m.path);
        if (done(&r) < 0 || copy > 1)
                return -EBADMSG;
        *ret = m;
        return 0;
}

size_t node_path_encode(const struct node_path *path, uint8_t buf[static MESSAGE_SIZE_MAX]) {
        return (size_t) (put_path(buf, path) - buf);
}

int node_path_decode(const uint8_t *p, size_t n, struct node_path *ret) {
        struct reader r = { p, p + n };
        struct node_path path;

        take_path(&r, &path);
        if (done(&r) < 0)
                return -EBADMSG;
        *ret = path;
        return 0;
}

void ack_message_encode(uint64_t transactions, uint8_t buf[static ACK_MESSAGE_SIZE]) {
        put64(buf, transactions);
}

int ack_message_decode(const uint8_t *p, size_t n, uint64_t *ret_transactions) {
        if (n != ACK_MESSAGE_SIZE)
                return -EBADMSG;
        *ret_transactions = get64(p);
        return 0;
}

void tick_message_encode(unsigned depth, uint8_t buf[static TICK_MESSAGE_SIZE]) {
        buf[0] = (uint8_t) MIN(depth, (unsigned) PATH_NODES_MAX);
}

int tick_message_decode(const uint8_t *p, size_t n, unsigned *ret_depth) {
        if (n != TICK_MESSAGE_SIZE || p[0] > PATH_NODES_MAX)
                return -EBADMSG;
        *ret_depth = p[0];
        return 0;
}

void transaction_header_encode(size_t size, uint8_t buf[static TRANSACTION_HEADER_SIZE]) {
        put32(buf, (uint32_t) size);
}

int transaction_header_decode(const uint8_t *p, size_t n, size_t *ret_size) {
        size_t size;

        if (n <= TRANSACTION_HEADER_SIZE)
                return -EBADMSG;
        size = get32(p);
        if (size < n - TRANSACTION_HEADER_SIZE || size > TRANSACTION_DATA_MAX)
                return -EBADMSG;
        *ret_size = size;
        return 0;
}

void record_header_encode(size_t key_size, size_t value_size, uint8_t buf[static RECORD_HEADER_SIZE]) {
        put16(buf, (uint16_t) key_size);
        put32(buf + sizeof(uint16_t), (uint32_t) value_size);
}

int record_header_decode(const uint8_t buf[static RECORD_HEADER_SIZE], size_t *ret_key_size, size_t *ret_value_size) {
        uint16_t k = get16(buf);
        uint32_t v = get32(buf + sizeof(k));

        if (k < 1 || k > KEY_SIZE_MAX || v > VALUE_SIZE_MAX)
                return -EBADMSG;
        *ret_key_size = k;
        *ret_value_size = v;
        return 0;
}
