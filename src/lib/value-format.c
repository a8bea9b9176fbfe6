/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the printed form of values, ids and addresses. */
#include <arpa/inet.h>
#include <inttypes.h>

#include "lib/sink.h"
#include "lib/value.h"

/* Long-form lists of bytes are printed as text up to this many; a node id or an address has far less. */
enum { LIST_TEXT_MAX = 1024 };

static void put_hex(struct sink *out, const uint8_t *p, size_t n) {
        for (size_t i = 0; i < n && !out->full; i++)
                sink_printf(out, i == 0 ? "%02x" : ":%02x", p[i]);
}

static void put_ip(struct sink *out, int af, const void *ip) {
        char text[INET6_ADDRSTRLEN] = "";

        (void) inet_ntop(af, ip, text, sizeof(text)); /* cannot fail: the buffer is large enough */
        sink_puts(out, text);
}

size_t value_format(const confd_value_t *v, char *buf, size_t size) {
        struct sink out = sink_init(buf, size, ETERM_FORMAT_MAX);

        switch (v->type) {
        case C_STR:
                sink_put_escaped(&out, v->val.c_s, strlen(v->val.c_s));
                break;
        case C_BUF:
                sink_put_escaped(&out, v->val.c_buf.ptr, v->val.c_buf.size);
                break;
        case C_BINARY:
                put_hex(&out, v->val.c_buf.ptr, v->val.c_buf.size);
                break;
        case C_INT8:
                sink_printf(&out, "%" PRIi8, v->val.i8);
                break;
        case C_INT16:
                sink_printf(&out, "%" PRIi16, v->val.i16);
                break;
        case C_INT32:
                sink_printf(&out, "%" PRIi32, v->val.i32);
                break;
        case C_INT64:
                sink_printf(&out, "%" PRIi64, v->val.i64);
                break;
        case C_UINT8:
                sink_printf(&out, "%" PRIu8, v->val.u8);
                break;
        case C_UINT16:
                sink_printf(&out, "%" PRIu16, v->val.u16);
                break;
        case C_UINT32:
                sink_printf(&out, "%" PRIu32, v->val.u32);
                break;
        case C_UINT64:
                sink_printf(&out, "%" PRIu64, v->val.u64);
                break;
        case C_DOUBLE:
                sink_printf(&out, "%.17g", v->val.d);
                break;
        case C_IPV4:
                put_ip(&out, AF_INET, &v->val.ip);
                break;
        case C_IPV6:
                put_ip(&out, AF_INET6, &v->val.ip6);
                break;
        case C_BOOL:
                sink_puts(&out, v->val.boolean ? "true" : "false");
                break;
        case C_ENUM_VALUE:
                sink_printf(&out, "%" PRIi32, v->val.enumvalue);
                break;
        case C_NOEXISTS:
                sink_puts(&out, "<noexists>");
                break;
        default:
                sink_printf(&out, "<value of type %i>", (int) v->type);
        }
        return out.n;
}

/* Whether the term is text in one of its forms; prints it if so. */
static bool put_text(struct sink *out, const struct eterm_bytes *term) {
        struct eterm c = eterm_init(term->data, term->size);
        uint8_t bytes[LIST_TEXT_MAX];
        struct eterm_bytes s;
        size_t n;

        switch (eterm_kind(&c)) {
        case ETERM_KIND_BINARY:
                if (eterm_binary(&c, &s) < 0)
                        return false;
                sink_put_escaped(out, s.data, s.size);
                return true;
        case ETERM_KIND_STRING:
                /* Behind the tag and the two bytes of its length. */
                if (eterm_skip(&c, &s) < 0)
                        return false;
                sink_put_escaped(out, s.data + 3, s.size - 3);
                return true;
        case ETERM_KIND_LIST:
                if (eterm_text(&c, bytes, sizeof(bytes), &n) < 0)
                        return false;
                sink_put_escaped(out, bytes, n);
                return true;
        default:
                return false;
        }
}

size_t term_format_id(const struct eterm_bytes *id, char *buf, size_t size) {
        struct sink out = sink_init(buf, size, ETERM_FORMAT_MAX);

        return put_text(&out, id) ? out.n : eterm_format(id, buf, size);
}

size_t term_format_address(const struct eterm_bytes *address, char *buf, size_t size) {
        struct sink out = sink_init(buf, size, ETERM_FORMAT_MAX);
        struct eterm c = eterm_init(address->data, address->size);
        confd_value_t v;

        if (put_text(&out, address))
                return out.n;
        if (value_get(&c, &v) < 0 || (v.type != C_IPV4 && v.type != C_IPV6))
                return eterm_format(address, buf, size);
        if (v.type == C_IPV4)
                put_ip(&out, AF_INET, &v.val.ip);
        else if (IN6_IS_ADDR_V4MAPPED(&v.val.ip6))
                put_ip(&out, AF_INET, v.val.ip6.s6_addr + 12);
        else
                put_ip(&out, AF_INET6, &v.val.ip6);
        return out.n;
}
