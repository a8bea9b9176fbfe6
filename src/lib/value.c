/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what node ids and addresses look like on the wire. */
#include <arpa/inet.h>

#include "lib/value.h"

static int check_length(size_t n) {
        if (n == 0)
                return -EINVAL;
        return n > NODE_TEXT_MAX ? -ENAMETOOLONG : 0;
}

static int check_string(const char *s) {
        return s ? check_length(strnlen(s, NODE_TEXT_MAX + 1)) : -EPROTOTYPE;
}

int value_check_node_id(const confd_value_t *v) {
        if (!v)
                return -EPROTOTYPE;
        switch (v->type) {
        case C_STR:
                return check_string(v->val.c_s);
        case C_BUF:
        case C_BINARY:
                return v->val.c_buf.ptr || v->val.c_buf.size == 0 ? check_length(v->val.c_buf.size) : -EPROTOTYPE;
        case C_INT8:
        case C_INT16:
        case C_INT32:
        case C_INT64:
        case C_UINT8:
        case C_UINT16:
        case C_UINT32:
        case C_UINT64:
        case C_IPV4:
        case C_IPV6:
        case C_BOOL:
        case C_ENUM_VALUE:
                return 0;
        default:
                return -EPROTOTYPE;
        }
}

int node_check(const struct confd_ha_node *n) {
        int r;

        if (!n)
                return -EPROTOTYPE;
        r = value_check_node_id(&n->nodeid);
        if (r < 0)
                return r;
        switch (n->af) {
        case AF_INET:
        case AF_INET6:
                return 0;
        case AF_UNSPEC:
                return check_string(n->addr.str);
        default:
                return -EAFNOSUPPORT;
        }
}

static void put_ip4(struct eterm_writer *w, const struct in_addr *ip) {
        eterm_put_bytes_tuple(w, (const uint8_t *) &ip->s_addr, sizeof(ip->s_addr));
}

static void put_ip6(struct eterm_writer *w, const struct in6_addr *ip6) {
        const uint8_t *p = ip6->s6_addr;

        eterm_put_tuple(w, 8);
        for (size_t i = 0; i < 16; i += 2)
                eterm_put_int(w, p[i] << 8 | p[i + 1]);
}

/* {Type, Integer} */
static void put_typed(struct eterm_writer *w, enum confd_vtype type, int64_t i) {
        eterm_put_tuple(w, 2);
        eterm_put_int(w, type);
        eterm_put_int(w, i);
}

void value_put(struct eterm_writer *w, const confd_value_t *v) {
        switch (v->type) {
        case C_STR:
                eterm_put_binary(w, v->val.c_s, strlen(v->val.c_s));
                return;
        case C_BUF:
                eterm_put_binary(w, v->val.c_buf.ptr, v->val.c_buf.size);
                return;
        case C_BINARY:
                eterm_put_tuple(w, 2);
                eterm_put_int(w, C_BINARY);
                eterm_put_binary(w, v->val.c_buf.ptr, v->val.c_buf.size);
                return;
        case C_INT8:
                put_typed(w, C_INT8, v->val.i8);
                return;
        case C_INT16:
                put_typed(w, C_INT16, v->val.i16);
                return;
        case C_INT32:
                eterm_put_int(w, v->val.i32);
                return;
        case C_INT64:
                put_typed(w, C_INT64, v->val.i64);
                return;
        case C_UINT8:
                put_typed(w, C_UINT8, v->val.u8);
                return;
        case C_UINT16:
                put_typed(w, C_UINT16, v->val.u16);
                return;
        case C_UINT32:
                put_typed(w, C_UINT32, v->val.u32);
                return;
        case C_UINT64:
                eterm_put_tuple(w, 2);
                eterm_put_int(w, C_UINT64);
                eterm_put_uint(w, v->val.u64);
                return;
        case C_IPV4:
                put_ip4(w, &v->val.ip);
                return;
        case C_IPV6:
                put_ip6(w, &v->val.ip6);
                return;
        case C_BOOL:
                eterm_put_atom(w, v->val.boolean ? "true" : "false");
                return;
        case C_ENUM_VALUE:
                put_typed(w, C_ENUM_VALUE, v->val.enumvalue);
                return;
        default:
                if (w->error >= 0)
                        w->error = -EPROTOTYPE;
        }
}

static int get_ip4(struct eterm *c, struct in_addr *ret) {
        const uint8_t *p = c->p;
        uint8_t bytes[4];
        int64_t i;
        int r;

        /* As Erlang writes them, without the detour over integers of any size. */
        if (c->end - p >= 8 && p[0] == ETERM_SMALL_INTEGER && p[2] == ETERM_SMALL_INTEGER && p[4] == ETERM_SMALL_INTEGER &&
            p[6] == ETERM_SMALL_INTEGER) {
                memcpy(&ret->s_addr, (const uint8_t[]) { p[1], p[3], p[5], p[7] }, 4);
                c->p += 8;
                return 0;
        }
        for (size_t k = 0; k < sizeof(bytes); k++) {
                r = eterm_int(c, 0, UINT8_MAX, &i);
                if (r < 0)
                        return r;
                bytes[k] = (uint8_t) i;
        }
        memcpy(&ret->s_addr, bytes, sizeof(bytes));
        return 0;
}

static int get_ip6(struct eterm *c, struct in6_addr *ret) {
        int64_t i;
        int r;

        for (size_t k = 0; k < sizeof(ret->s6_addr); k += 2) {
                r = eterm_int(c, 0, UINT16_MAX, &i);
                if (r < 0)
                        return r;
                ret->s6_addr[k] = (uint8_t) (i >> 8);
                ret->s6_addr[k + 1] = (uint8_t) i;
        }
        return 0;
}


/* The second element of {Type, Data}. */
static int get_typed(struct eterm *c, confd_value_t *ret) {
        struct eterm_bytes s;
        int64_t type, i = 0;
        int r;

        r = eterm_int(c, 0, C_BITBIG, &type);
        if (r < 0)
                return r == -ERANGE ? -EPROTOTYPE : r;
        ret->type = (enum confd_vtype) type;
        switch (ret->type) {
        case C_INT8:
                r = eterm_int(c, INT8_MIN, INT8_MAX, &i);
                ret->val.i8 = (int8_t) i;
                return r;
        case C_INT16:
                r = eterm_int(c, INT16_MIN, INT16_MAX, &i);
                ret->val.i16 = (int16_t) i;
                return r;
        case C_INT64:
                return eterm_int64(c, &ret->val.i64);
        case C_UINT8:
                r = eterm_int(c, 0, UINT8_MAX, &i);
                ret->val.u8 = (uint8_t) i;
                return r;
        case C_UINT16:
                r = eterm_int(c, 0, UINT16_MAX, &i);
                ret->val.u16 = (uint16_t) i;
                return r;
        case C_UINT32:
                r = eterm_int(c, 0, UINT32_MAX, &i);
                ret->val.u32 = (uint32_t) i;
                return r;
        case C_UINT64:
                return eterm_uint64(c, &ret->val.u64);
        case C_ENUM_VALUE:
                r = eterm_int(c, INT32_MIN, INT32_MAX, &i);
                ret->val.enumvalue = (int32_t) i;
                return r;
        case C_BINARY:
                r = eterm_binary(c, &s);
                if (r < 0)
                        return r;
                CONFD_SET_BINARY(ret, s.data, s.size);
                return 0;
        default:
                return -EPROTOTYPE;
        }
}

static int get_tuple(struct eterm *c, confd_value_t *ret) {
        size_t arity;
        int r;

        r = eterm_tuple(c, &arity);
        if (r < 0)
                return r;
        switch (arity) {
        case 2:
                return get_typed(c, ret);
        case 4:
                ret->type = C_IPV4;
                r = get_ip4(c, &ret->val.ip);
                break;
        case 8:
                ret->type = C_IPV6;
                r = get_ip6(c, &ret->val.ip6);
                break;
        default:
                return -EPROTOTYPE;
        }
        return r == -ERANGE ? -EPROTOTYPE : r;
}

int value_get(struct eterm *c, confd_value_t *ret) {
        struct eterm t = *c;
        struct eterm_bytes s;
        confd_value_t v = {};
        int64_t i;
        int r;

        switch (eterm_kind(c)) {
        case ETERM_KIND_BINARY:
                r = eterm_binary(&t, &s);
                if (r < 0)
                        return r;
                CONFD_SET_BUF(&v, s.data, s.size);
                break;
        case ETERM_KIND_INTEGER:
                r = eterm_int(&t, INT32_MIN, INT32_MAX, &i);
                if (r < 0)
                        return r;
                CONFD_SET_INT32(&v, i);
                break;
        case ETERM_KIND_ATOM:
                r = eterm_atom_is(&t, "true");
                v.val.boolean = r >= 0;
                if (r == -EPROTOTYPE)
                        r = eterm_atom_is(&t, "false");
                if (r < 0)
                        return r;
                v.type = C_BOOL;
                break;
        case ETERM_KIND_TUPLE:
                r = get_tuple(&t, &v);
                if (r < 0)
                        return r;
                break;
        case ETERM_KIND_NONE:
                return -EBADMSG;
        default:
                return -EPROTOTYPE;
        }
        *ret = v;
        *c = t;
        return 0;
}

static bool bytes_of(const confd_value_t *v, const void **ret, size_t *ret_n) {
        if (v->type == C_STR) {
                *ret = v->val.c_s;
                *ret_n = strlen(v->val.c_s);
                return true;
        }
        if (v->type == C_BUF || v->type == C_BINARY) {
                *ret = v->val.c_buf.ptr;
                *ret_n = v->val.c_buf.size;
                return true;
        }
        return false;
}

bool value_equal(const confd_value_t *a, const confd_value_t *b) {
        const void *pa, *pb;
        size_t na, nb;

        if (bytes_of(a, &pa, &na) && bytes_of(b, &pb, &nb))
                return (a->type == C_BINARY) == (b->type == C_BINARY) && na == nb && (na == 0 || memcmp(pa, pb, na) == 0);
        if (a->type != b->type)
                return false;
        switch (a->type) {
        case C_NOEXISTS:
                return true;
        case C_INT8:
                return a->val.i8 == b->val.i8;
        case C_INT16:
                return a->val.i16 == b->val.i16;
        case C_INT32:
                return a->val.i32 == b->val.i32;
        case C_INT64:
                return a->val.i64 == b->val.i64;
        case C_UINT8:
                return a->val.u8 == b->val.u8;
        case C_UINT16:
                return a->val.u16 == b->val.u16;
        case C_UINT32:
                return a->val.u32 == b->val.u32;
        case C_UINT64:
                return a->val.u64 == b->val.u64;
        case C_IPV4:
                return a->val.ip.s_addr == b->val.ip.s_addr;
        case C_IPV6:
                return memcmp(&a->val.ip6, &b->val.ip6, sizeof(a->val.ip6)) == 0;
        case C_BOOL:
                return !a->val.boolean == !b->val.boolean;
        case C_ENUM_VALUE:
                return a->val.enumvalue == b->val.enumvalue;
        default:
                return false;
        }
}

void node_put_address(struct eterm_writer *w, const struct confd_ha_node *n) {
        switch (n->af) {
        case AF_INET:
                put_ip4(w, &n->addr.ip4);
                return;
        case AF_INET6:
                put_ip6(w, &n->addr.ip6);
                return;
        case AF_UNSPEC:
                eterm_put_binary(w, n->addr.str, strlen(n->addr.str));
                return;
        default:
                if (w->error >= 0)
                        w->error = -EAFNOSUPPORT;
        }
}

/* A name of text and an IPv4 address, as nearly all nodes have, in one piece. False: it is something else. */
static bool put_usual(struct eterm_writer *w, const struct confd_ha_node *n) {
        uint8_t bytes[2 + 5 + NODE_TEXT_MAX + 10];
        const uint8_t *ip = (const uint8_t *) &n->addr.ip4.s_addr;
        const void *text;
        size_t size;

        if (n->af != AF_INET || (n->nodeid.type != C_STR && n->nodeid.type != C_BUF))
                return false;
        text = n->nodeid.type == C_STR ? (const void *) n->nodeid.val.c_s : n->nodeid.val.c_buf.ptr;
        size = n->nodeid.type == C_STR ? strlen(text) : n->nodeid.val.c_buf.size;
        if (size == 0 || size > NODE_TEXT_MAX)
                return false;
        memcpy(bytes, (const uint8_t[]) { ETERM_SMALL_TUPLE, 2, ETERM_BINARY, 0, 0, 0, (uint8_t) size }, 7);
        memcpy(bytes + 7, text, size);
        memcpy(bytes + 7 + size, (const uint8_t[]) { ETERM_SMALL_TUPLE, 4, ETERM_SMALL_INTEGER, ip[0], ETERM_SMALL_INTEGER, ip[1],
                                                     ETERM_SMALL_INTEGER, ip[2], ETERM_SMALL_INTEGER, ip[3] }, 10);
        eterm_put_raw(w, bytes, 7 + size + 10);
        return true;
}

void node_put(struct eterm_writer *w, const struct confd_ha_node *n) {
        if (put_usual(w, n))
                return;
        eterm_put_tuple(w, 2);
        value_put(w, &n->nodeid);
        node_put_address(w, n);
}

/* Text into one of the struct's buffers, NUL-terminated. */
static int get_text(struct eterm *c, char *buf, size_t *ret_n) {
        int r;

        r = eterm_text(c, buf, NODE_TEXT_MAX, ret_n);
        if (r >= 0)
                buf[*ret_n] = 0;
        return r;
}

static int get_id(struct eterm *c, struct confd_ha_node *ret) {
        enum eterm_kind kind = eterm_kind(c);
        size_t n;
        int r;

        if (kind == ETERM_KIND_BINARY || kind == ETERM_KIND_STRING || kind == ETERM_KIND_LIST) {
                r = get_text(c, ret->buf, &n);
                if (r < 0)
                        return r;
                CONFD_SET_BUF(&ret->nodeid, ret->buf, n);
                return 0;
        }
        r = value_get(c, &ret->nodeid);
        if (r < 0 || ret->nodeid.type != C_BINARY)
                return r;
        n = ret->nodeid.val.c_buf.size;
        if (n > NODE_TEXT_MAX)
                return -ENOBUFS;
        if (n > 0)
                memcpy(ret->buf, ret->nodeid.val.c_buf.ptr, n);
        ret->buf[n] = 0;
        CONFD_SET_BINARY(&ret->nodeid, ret->buf, n);
        return 0;
}

int node_get_address(struct eterm *c, struct confd_ha_node *ret) {
        struct eterm t = *c;
        size_t n;
        int r;

        if (eterm_kind(c) == ETERM_KIND_TUPLE) {
                r = eterm_tuple(&t, &n);
                if (r < 0)
                        return r;
                if (n == 4) {
                        ret->af = AF_INET;
                        r = get_ip4(&t, &ret->addr.ip4);
                } else if (n == 8) {
                        ret->af = AF_INET6;
                        r = get_ip6(&t, &ret->addr.ip6);
                } else
                        return -EPROTOTYPE;
                if (r == -ERANGE)
                        return -EPROTOTYPE;
        } else {
                ret->af = AF_UNSPEC;
                ret->addr.str = ret->addr_buf;
                r = get_text(&t, ret->addr_buf, &n);
        }
        if (r < 0)
                return r;
        *c = t;
        return 0;
}

enum { USUAL_TEXT = 32 };

/* A binary and four small integers, as nearly all nodes are, in one look. False: it is something else, or not all there. */
static bool get_usual_parts(struct eterm *c, struct confd_ha_node *ret) {
        const uint8_t *p = c->p, *ip;
        size_t left = (size_t) (c->end - p), n;

        if (left < 15 || p[0] != ETERM_BINARY || p[1] != 0 || p[2] != 0 || p[3] != 0 || p[4] > NODE_TEXT_MAX || left < (size_t) p[4] + 15)
                return false;
        n = p[4];
        ip = p + 5 + n;
        if (ip[0] != ETERM_SMALL_TUPLE || ip[1] != 4 || ip[2] != ETERM_SMALL_INTEGER || ip[4] != ETERM_SMALL_INTEGER ||
            ip[6] != ETERM_SMALL_INTEGER || ip[8] != ETERM_SMALL_INTEGER)
                return false;
        /* What is behind a short text is copied as well, where it is there: a size that is known takes two instructions. */
        if (n <= USUAL_TEXT && left >= 5 + USUAL_TEXT)
                memcpy(ret->buf, p + 5, USUAL_TEXT);
        else
                memcpy(ret->buf, p + 5, n);
        ret->buf[n] = 0;
        CONFD_SET_BUF(&ret->nodeid, ret->buf, n);
        ret->af = AF_INET;
        memcpy(&ret->addr.ip4.s_addr, (const uint8_t[]) { ip[3], ip[5], ip[7], ip[9] }, 4);
        c->p = ip + 10;
        return true;
}

int node_get_parts(struct eterm *c, struct confd_ha_node *ret) {
        struct eterm t = *c;
        int r;

        if (get_usual_parts(c, ret))
                return 0;
        r = get_id(&t, ret);
        if (r < 0)
                return r;
        r = node_get_address(&t, ret);
        if (r < 0)
                return r;
        *c = t;
        return 0;
}

int node_get(struct eterm *c, struct confd_ha_node *ret) {
        struct eterm t = *c;
        int r;

        r = eterm_tuple_of(&t, 2);
        if (r < 0)
                return r;
        r = node_get_parts(&t, ret);
        if (r < 0)
                return r;
        *c = t;
        return 0;
}
