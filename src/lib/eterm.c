/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of Erlang terms: one head at a time, checked against the bytes that are there. */
#include "lib/eterm.h"

/* A term's head, decoded: what it is, its payload inside the message, and how many terms follow that belong to it. */
struct head {
        enum eterm_tag tag;
        enum eterm_kind kind;
        const uint8_t *data;
        size_t size;
        size_t children;
        bool negative; /* big integers */
};

static uint32_t be32(const uint8_t *p) {
        return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static size_t left(const struct eterm *c) {
        return (size_t) (c->end - c->p);
}

/* A big-endian length of `width` bytes. */
static int take_length(struct eterm *c, size_t width, size_t *ret) {
        size_t n = 0;

        if (left(c) < width)
                return -EBADMSG;
        for (size_t i = 0; i < width; i++)
                n = n << 8 | *c->p++;
        *ret = n;
        return 0;
}

static int take_payload(struct eterm *c, size_t n, struct head *h) {
        if (left(c) < n)
                return -EBADMSG;
        h->data = c->p;
        h->size = n;
        c->p += n;
        return 0;
}

static int take_counted(struct eterm *c, size_t width, struct head *h) {
        size_t n;
        int r;

        r = take_length(c, width, &n);
        return r < 0 ? r : take_payload(c, n, h);
}

/* Every element takes a byte at least, so that a count can be believed as far as the message is long. */
static int take_children(struct eterm *c, size_t width, struct head *h) {
        size_t n;
        int r;

        r = take_length(c, width, &n);
        if (r < 0)
                return r;
        if (n > left(c))
                return -EBADMSG;
        h->children = n;
        return 0;
}

static int take_big(struct eterm *c, size_t width, struct head *h) {
        size_t n, sign;
        int r;

        r = take_length(c, width, &n);
        if (r < 0)
                return r;
        r = take_length(c, 1, &sign);
        if (r < 0)
                return r;
        h->negative = sign != 0;
        return take_payload(c, n, h);
}

static int take_atom(struct eterm *c, struct head *h) {
        if (left(c) < 1)
                return -EBADMSG;
        switch (*c->p++) {
        case ETERM_ATOM:
        case ETERM_ATOM_UTF8:
                return take_counted(c, 2, h);
        case ETERM_SMALL_ATOM:
        case ETERM_SMALL_ATOM_UTF8:
                return take_counted(c, 1, h);
        default:
                return -EBADMSG;
        }
}

/* Pids, ports and references: [number of words,] the node's name as an atom, then `fixed` bytes and the words. */
static int take_identifier(struct eterm *c, bool has_words, size_t fixed, struct head *h) {
        size_t words = 0;
        int r;

        if (has_words) {
                r = take_length(c, 2, &words);
                if (r < 0)
                        return r;
        }
        r = take_atom(c, h);
        if (r < 0)
                return r;
        return take_payload(c, fixed + 4 * words, h);
}

static int take_fun(struct eterm *c, struct head *h) {
        size_t n;
        int r;

        r = take_length(c, 4, &n);
        if (r < 0)
                return r;
        return n < 4 ? -EBADMSG : take_payload(c, n - 4, h);
}

static int take_map(struct eterm *c, struct head *h) {
        int r;

        r = take_children(c, 4, h);
        if (r < 0)
                return r;
        h->children *= 2; /* pairs */
        return h->children > left(c) ? -EBADMSG : 0;
}

static int take_list(struct eterm *c, struct head *h) {
        int r;

        r = take_children(c, 4, h);
        if (r < 0)
                return r;
        h->children++; /* the tail */
        return h->children > left(c) ? -EBADMSG : 0;
}

static int take_bits(struct eterm *c, struct head *h) {
        size_t n, bits;
        int r;

        r = take_length(c, 4, &n);
        if (r < 0)
                return r;
        r = take_length(c, 1, &bits);
        return r < 0 ? r : take_payload(c, n, h);
}

static enum eterm_kind kind_of(uint8_t tag) {
        switch (tag) {
        case ETERM_SMALL_INTEGER:
        case ETERM_INTEGER:
        case ETERM_SMALL_BIG:
        case ETERM_LARGE_BIG:
                return ETERM_KIND_INTEGER;
        case ETERM_ATOM:
        case ETERM_SMALL_ATOM:
        case ETERM_ATOM_UTF8:
        case ETERM_SMALL_ATOM_UTF8:
                return ETERM_KIND_ATOM;
        case ETERM_SMALL_TUPLE:
        case ETERM_LARGE_TUPLE:
                return ETERM_KIND_TUPLE;
        case ETERM_NIL:
        case ETERM_LIST:
                return ETERM_KIND_LIST;
        case ETERM_STRING:
                return ETERM_KIND_STRING;
        case ETERM_BINARY:
                return ETERM_KIND_BINARY;
        case ETERM_NEW_FLOAT:
        case ETERM_FLOAT:
        case ETERM_BIT_BINARY:
        case ETERM_NEW_PID:
        case ETERM_PID:
        case ETERM_NEW_PORT:
        case ETERM_PORT:
        case ETERM_V4_PORT:
        case ETERM_REFERENCE:
        case ETERM_NEW_REFERENCE:
        case ETERM_NEWER_REFERENCE:
        case ETERM_NEW_FUN:
        case ETERM_EXPORT:
        case ETERM_MAP:
                return ETERM_KIND_OTHER;
        default:
                return ETERM_KIND_NONE;
        }
}

static int take_rest(struct eterm *c, struct head *h) {
        switch (h->tag) {
        case ETERM_SMALL_INTEGER:
                return take_payload(c, 1, h);
        case ETERM_INTEGER:
                return take_payload(c, 4, h);
        case ETERM_SMALL_BIG:
                return take_big(c, 1, h);
        case ETERM_LARGE_BIG:
                return take_big(c, 4, h);
        case ETERM_SMALL_ATOM:
        case ETERM_SMALL_ATOM_UTF8:
                return take_counted(c, 1, h);
        case ETERM_ATOM:
        case ETERM_ATOM_UTF8:
        case ETERM_STRING:
                return take_counted(c, 2, h);
        case ETERM_BINARY:
                return take_counted(c, 4, h);
        case ETERM_SMALL_TUPLE:
                return take_children(c, 1, h);
        case ETERM_LARGE_TUPLE:
                return take_children(c, 4, h);
        case ETERM_NIL:
                return 0;
        case ETERM_LIST:
                return take_list(c, h);
        case ETERM_MAP:
                return take_map(c, h);
        case ETERM_NEW_FLOAT:
                return take_payload(c, 8, h);
        case ETERM_FLOAT:
                return take_payload(c, 31, h);
        case ETERM_BIT_BINARY:
                return take_bits(c, h);
        case ETERM_PID:
                return take_identifier(c, /* has_words= */ false, 9, h);
        case ETERM_NEW_PID:
        case ETERM_V4_PORT:
                return take_identifier(c, /* has_words= */ false, 12, h);
        case ETERM_NEW_PORT:
                return take_identifier(c, /* has_words= */ false, 8, h);
        case ETERM_PORT:
        case ETERM_REFERENCE:
                return take_identifier(c, /* has_words= */ false, 5, h);
        case ETERM_NEW_REFERENCE:
                return take_identifier(c, /* has_words= */ true, 1, h);
        case ETERM_NEWER_REFERENCE:
                return take_identifier(c, /* has_words= */ true, 4, h);
        case ETERM_NEW_FUN:
                return take_fun(c, h);
        case ETERM_EXPORT: /* module, function, arity */
                h->children = 3;
                return left(c) < 3 ? -EBADMSG : 0;
        default:
                return -EBADMSG;
        }
}

/* Reads a head and moves past it and its payload. On an error the cursor may stand anywhere: callers work on a copy. */
static int take_head(struct eterm *c, struct head *ret) {
        struct head h = {};
        int r;

        if (left(c) < 1)
                return -EBADMSG;
        h.tag = *c->p;
        h.kind = kind_of(*c->p++);
        r = take_rest(c, &h);
        if (r < 0)
                return r;
        *ret = h;
        return 0;
}

static int take_kind(struct eterm *c, enum eterm_kind kind, struct head *ret) {
        int r;

        r = take_head(c, ret);
        if (r < 0)
                return r;
        return ret->kind == kind ? 0 : -EPROTOTYPE;
}

int eterm_version(struct eterm *c) {
        if (left(c) < 2)
                return -EBADMSG;
        if (c->p[0] != ETERM_VERSION)
                return -EPROTOTYPE;
        if (c->p[1] == ETERM_COMPRESSED)
                return -EBADMSG;
        c->p++;
        return 0;
}

enum eterm_kind eterm_kind(const struct eterm *c) {
        return left(c) > 0 ? kind_of(*c->p) : ETERM_KIND_NONE;
}

/* Sign and magnitude of the next integer. A big one may have leading zeros (they come last); other bytes past the eighth
 * do not fit. */
static int take_integer(struct eterm *c, bool *ret_negative, uint64_t *ret) {
        struct head h;
        uint64_t v = 0;
        int64_t i;
        int r;

        r = take_kind(c, ETERM_KIND_INTEGER, &h);
        if (r < 0)
                return r;
        if (h.tag == ETERM_SMALL_INTEGER) {
                *ret_negative = false;
                *ret = h.data[0];
                return 0;
        }
        if (h.tag == ETERM_INTEGER) {
                i = (int32_t) be32(h.data);
                *ret_negative = i < 0;
                *ret = i < 0 ? (uint64_t) -i : (uint64_t) i;
                return 0;
        }
        for (size_t k = h.size; k > 0; k--) {
                if (k > sizeof(v)) {
                        if (h.data[k - 1] != 0)
                                return -ERANGE;
                        continue;
                }
                v = v << 8 | h.data[k - 1];
        }
        *ret_negative = h.negative && v > 0;
        *ret = v;
        return 0;
}

int eterm_int64(struct eterm *c, int64_t *ret) {
        struct eterm t = *c;
        bool negative;
        uint64_t v;
        int r;

        if (left(c) >= 2 && *c->p == ETERM_SMALL_INTEGER) { /* parts of addresses, over and over */
                *ret = c->p[1];
                c->p += 2;
                return 0;
        }
        r = take_integer(&t, &negative, &v);
        if (r < 0)
                return r;
        if (v > (uint64_t) INT64_MAX + negative)
                return -ERANGE;
        *ret = negative ? (int64_t) (0 - v) : (int64_t) v;
        *c = t;
        return 0;
}

int eterm_uint64(struct eterm *c, uint64_t *ret) {
        struct eterm t = *c;
        bool negative;
        uint64_t v;
        int r;

        r = take_integer(&t, &negative, &v);
        if (r < 0)
                return r;
        if (negative)
                return -ERANGE;
        *ret = v;
        *c = t;
        return 0;
}

int eterm_int(struct eterm *c, int64_t min, int64_t max, int64_t *ret) {
        struct eterm t = *c;
        int64_t v;
        int r;

        r = eterm_int64(&t, &v);
        if (r < 0)
                return r;
        if (v < min || v > max)
                return -ERANGE;
        *ret = v;
        *c = t;
        return 0;
}

static int take_bytes(struct eterm *c, enum eterm_kind kind, struct eterm_bytes *ret) {
        struct eterm t = *c;
        struct head h;
        int r;

        r = take_kind(&t, kind, &h);
        if (r < 0)
                return r;
        *ret = (struct eterm_bytes) { h.data, h.size };
        *c = t;
        return 0;
}

int eterm_atom(struct eterm *c, struct eterm_bytes *ret) {
        return take_bytes(c, ETERM_KIND_ATOM, ret);
}

int eterm_atom_is(struct eterm *c, const char *name) {
        struct eterm t = *c;
        struct eterm_bytes a;
        int r;

        r = eterm_atom(&t, &a);
        if (r < 0)
                return r;
        if (a.size != strlen(name) || memcmp(a.data, name, a.size) != 0)
                return -EPROTOTYPE;
        *c = t;
        return 0;
}

int eterm_binary(struct eterm *c, struct eterm_bytes *ret) {
        if (left(c) >= 5 && *c->p == ETERM_BINARY && be32(c->p + 1) <= left(c) - 5) {
                *ret = (struct eterm_bytes) { c->p + 5, be32(c->p + 1) };
                c->p += 5 + ret->size;
                return 0;
        }
        return take_bytes(c, ETERM_KIND_BINARY, ret);
}

int eterm_tuple(struct eterm *c, size_t *ret_arity) {
        struct eterm t = *c;
        struct head h;
        int r;

        if (left(c) >= 2 && *c->p == ETERM_SMALL_TUPLE && c->p[1] <= left(c) - 2) {
                *ret_arity = c->p[1];
                c->p += 2;
                return 0;
        }
        r = take_kind(&t, ETERM_KIND_TUPLE, &h);
        if (r < 0)
                return r;
        *ret_arity = h.children;
        *c = t;
        return 0;
}

int eterm_tuple_of(struct eterm *c, size_t arity) {
        struct eterm t = *c;
        size_t n;
        int r;

        /* As nearly all are written; its elements have a byte each at least. */
        if (left(c) >= 2 && c->p[0] == ETERM_SMALL_TUPLE && c->p[1] == arity && arity <= left(c) - 2) {
                c->p += 2;
                return 0;
        }
        r = eterm_tuple(&t, &n);
        if (r < 0)
                return r;
        if (n != arity)
                return -EPROTOTYPE;
        *c = t;
        return 0;
}

int eterm_list(struct eterm *c, struct eterm_list *ret) {
        struct eterm t = *c;
        struct head h;
        int r;

        r = take_kind(&t, ETERM_KIND_LIST, &h);
        if (r < 0)
                return r;
        ret->has_tail = h.tag == ETERM_LIST;
        ret->n = h.children - ret->has_tail;
        *c = t;
        return 0;
}

int eterm_list_end(struct eterm *c, const struct eterm_list *list) {
        if (!list->has_tail)
                return 0;
        if (left(c) < 1)
                return -EBADMSG;
        if (*c->p != ETERM_NIL)
                return -EPROTOTYPE;
        c->p++;
        return 0;
}

static int copy_text(const struct eterm_bytes *from, void *buf, size_t size, size_t *ret_n) {
        if (from->size > size)
                return -ENOBUFS;
        if (from->size > 0)
                memcpy(buf, from->data, from->size);
        *ret_n = from->size;
        return 0;
}

int eterm_text(struct eterm *c, void *buf, size_t size, size_t *ret_n) {
        enum eterm_kind kind = eterm_kind(c);
        struct eterm t = *c;
        struct eterm_bytes s;
        struct eterm_list list;
        int64_t v;
        int r;

        if (kind == ETERM_KIND_BINARY || kind == ETERM_KIND_STRING) {
                r = kind == ETERM_KIND_BINARY ? eterm_binary(&t, &s) : take_bytes(&t, kind, &s);
                if (r >= 0)
                        r = copy_text(&s, buf, size, ret_n);
                if (r >= 0)
                        *c = t;
                return r;
        }
        r = eterm_list(&t, &list);
        if (r < 0)
                return r;
        for (size_t i = 0; i < list.n; i++) {
                r = eterm_int(&t, 0, UINT8_MAX, &v);
                if (r == -ERANGE)
                        return -EPROTOTYPE;
                if (r < 0)
                        return r;
                if (i >= size)
                        return -ENOBUFS;
                ((uint8_t *) buf)[i] = (uint8_t) v;
        }
        r = eterm_list_end(&t, &list);
        if (r < 0)
                return r;
        *ret_n = list.n;
        *c = t;
        return 0;
}

/* The size of a frequent leaf with its head, if it is all in the n > 0 bytes at p, or 0: then take_head() knows more. A
 * status is made of little else, and this way its terms are skipped at a few instructions each. */
static inline size_t leaf_size(const uint8_t *p, size_t n) {
        switch (*p) {
        case ETERM_SMALL_INTEGER:
                return n >= 2 ? 2 : 0;
        case ETERM_BINARY:
                return n >= 5 && be32(p + 1) <= n - 5 ? 5 + (size_t) be32(p + 1) : 0;
        case ETERM_INTEGER:
                return n >= 5 ? 5 : 0;
        case ETERM_NIL:
                return 1;
        default:
                return 0;
        }
}

/* Skips the head of the term at p, which is no frequent leaf, and says how many terms belong to it. */
static int skip_head(const uint8_t **p, const uint8_t *end, size_t *ret_children) {
        struct eterm t = { *p, end };
        struct head h;
        int r;

        r = take_head(&t, &h);
        if (r < 0)
                return r;
        *p = t.p;
        *ret_children = h.children;
        return 0;
}

/* The same for a tuple of small integers, which an address is. */
static inline size_t bytes_tuple_size(const uint8_t *p, size_t n) {
        size_t size;

        if (n < 2 || *p != ETERM_SMALL_TUPLE)
                return 0;
        size = 2 + 2 * (size_t) p[1];
        if (size > n)
                return 0;
        for (size_t i = 2; i < size; i += 2)
                if (p[i] != ETERM_SMALL_INTEGER)
                        return 0;
        return size;
}

static int skip_any(struct eterm *c, struct eterm_bytes *ret) {
        size_t outer[ETERM_DEPTH_MAX]; /* how many terms each container around lacks */
        size_t depth = 0, lacking = 1, children, n;
        const uint8_t *p = c->p, *const end = c->end;
        int r;

        while (lacking > 0) {
                n = p < end ? leaf_size(p, (size_t) (end - p)) : 0;
                lacking--;
                if (n > 0)
                        p += n;
                else {
                        if (end - p >= 2 && *p == ETERM_SMALL_TUPLE && p[1] <= end - p - 2) {
                                children = p[1];
                                p += 2;
                        } else {
                                const uint8_t *at = p; /* apart from p, which stays in a register */

                                r = skip_head(&at, end, &children);
                                if (r < 0)
                                        return r;
                                p = at;
                        }
                        if (children > 0) {
                                if (depth == ETERM_DEPTH_MAX)
                                        return -EBADMSG;
                                outer[depth++] = lacking;
                                lacking = children;
                        }
                }
                while (lacking == 0 && depth > 0)
                        lacking = outer[--depth];
        }
        if (ret)
                *ret = (struct eterm_bytes) { c->p, (size_t) (p - c->p) };
        c->p = p;
        return 0;
}

int eterm_skip(struct eterm *c, struct eterm_bytes *ret) {
        size_t n = left(c), size;

        if (n == 0)
                return -EBADMSG;
        size = leaf_size(c->p, n);
        if (size == 0)
                size = bytes_tuple_size(c->p, n);
        if (size == 0)
                return skip_any(c, ret);
        if (ret)
                *ret = (struct eterm_bytes) { c->p, size };
        c->p += size;
        return 0;
}

int eterm_message(const void *data, size_t size, struct eterm *ret) {
        struct eterm c = eterm_init(data, size), end;
        int r;

        r = eterm_version(&c);
        if (r < 0)
                return -EBADMSG;
        end = c;
        r = eterm_skip(&end, NULL);
        if (r < 0 || !eterm_at_end(&end))
                return -EBADMSG;
        *ret = c;
        return 0;
}
