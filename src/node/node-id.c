/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the form in which names and addresses of nodes are kept. */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>

#include "basic/parse.h"
#include "lib/value.h"
#include "node/node-id.h"

const char *node_id_text(const struct node_id *id, char buf[static NODE_ID_TEXT_MAX]) {
        struct eterm_bytes term = { .data = id->etf, .size = id->size };

        if (id->size == 0)
                return strcpy(buf, "?");
        (void) term_format_id(&term, buf, NODE_ID_TEXT_MAX);
        return buf;
}

int node_id_from_value(const confd_value_t *v, struct node_id *ret) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(NODE_ID_ETF_MAX);
        struct eterm_writer w = eterm_write_begin(&b);
        int r;

        r = value_check_node_id(v);
        if (r < 0)
                return r;
        if (v->type == C_BOOL)
                return -EPROTOTYPE;
        value_put(&w, v);
        r = eterm_write_end(&w);
        if (r < 0)
                return r;
        *ret = (struct node_id) { .size = (uint8_t) buffer_size(&b) };
        memcpy(ret->etf, buffer_head(&b), buffer_size(&b));
        return 0;
}

int node_id_from_bytes(const void *etf, size_t size, struct node_id *ret) {
        struct eterm c = eterm_init(etf, size);
        struct node_id id;
        confd_value_t v;

        if (size == 0 || size > NODE_ID_ETF_MAX || value_get(&c, &v) < 0 || !eterm_at_end(&c) ||
            node_id_from_value(&v, &id) < 0)
                return -EINVAL;
        /* Only the shortest encoding: two spellings of one name would be two names. */
        if (id.size != size || memcmp(id.etf, etf, size) != 0)
                return -EINVAL;
        *ret = id;
        return 0;
}

bool node_address_equal(const struct node_address *a, const struct node_address *b) {
        if (a->family != b->family || a->port != b->port)
                return false;
        switch (a->family) {
        case AF_INET:
                return a->ip4.s_addr == b->ip4.s_addr;
        case AF_INET6:
                return IN6_ARE_ADDR_EQUAL(&a->ip6, &b->ip6);
        default:
                return true;
        }
}

const char *node_address_text(const struct node_address *a, char buf[static NODE_ADDRESS_TEXT_MAX]) {
        char host[INET6_ADDRSTRLEN];

        if ((a->family != AF_INET && a->family != AF_INET6) || !inet_ntop(a->family, &a->ip6, host, sizeof(host)))
                return strcpy(buf, "?");
        if (a->port == 0)
                return strcpy(buf, host);
        (void) snprintf(buf, NODE_ADDRESS_TEXT_MAX, a->family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, (unsigned) a->port);
        return buf;
}

int node_address_parse(const char *text, size_t size, struct node_address *ret) {
        static_assert(offsetof(struct node_address, ip4) == offsetof(struct node_address, ip6), "one place for both");
        char s[NODE_ADDRESS_TEXT_MAX + 1];
        struct socket_address sa;
        struct node_address a = {};
        struct in6_addr ip6;
        struct in_addr ip4;
        int r;

        if (size == 0 || size >= sizeof(s) || memchr(text, 0, size))
                return -EINVAL;
        memcpy(s, text, size);
        s[size] = 0;
        r = 0;
        if (inet_pton(AF_INET, s, &ip4) == 1)
                a = node_address_from_ip4(ip4);
        else if (inet_pton(AF_INET6, s, &ip6) == 1)
                a = node_address_from_ip6(&ip6);
        else {
                bool bare = s[size - 1] == ']';

                r = parse_socket_address(s, bare ? 1 : 0, &sa);
                if (r >= 0)
                        r = node_address_from_sockaddr(&sa.sa, &a);
                if (bare)
                        a.port = 0;
        }
        if (r < 0)
                return -EINVAL;
        a.is_text = true;
        *ret = a;
        return 0;
}

struct node_address node_address_from_ip4(struct in_addr ip4) {
        return (struct node_address) { .family = AF_INET, .ip4 = ip4 };
}

struct node_address node_address_from_ip6(const struct in6_addr *ip6) {
        struct node_address a = { .family = AF_INET6, .ip6 = *ip6 };

        if (IN6_IS_ADDR_V4MAPPED(ip6)) {
                a = (struct node_address) { .family = AF_INET };
                memcpy(&a.ip4, ip6->s6_addr + 12, sizeof(a.ip4));
        }
        return a;
}

/* Socket addresses are read and written by copying: the object behind the pointer may be of any of their types. */
int node_address_from_sockaddr(const struct sockaddr *sa, struct node_address *ret) {
        struct sockaddr_in6 in6;
        struct sockaddr_in in;
        sa_family_t family;

        memcpy(&family, (const char *) sa + offsetof(struct sockaddr, sa_family), sizeof(family));
        if (family == AF_INET) {
                memcpy(&in, sa, sizeof(in));
                *ret = node_address_from_ip4(in.sin_addr);
                ret->port = ntohs(in.sin_port);
                return 0;
        }
        if (family == AF_INET6) {
                memcpy(&in6, sa, sizeof(in6));
                *ret = node_address_from_ip6(&in6.sin6_addr);
                ret->port = ntohs(in6.sin6_port);
                return 0;
        }
        return -EAFNOSUPPORT;
}

int node_address_to_sockaddr(const struct node_address *a, uint16_t default_port, struct sockaddr_storage *ret,
                             socklen_t *ret_size) {
        uint16_t port = htons(a->port ?: default_port);
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = port };
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port };

        *ret = (struct sockaddr_storage) {};
        if (a->family == AF_INET) {
                in.sin_addr = a->ip4;
                memcpy(ret, &in, sizeof(in));
                *ret_size = sizeof(in);
        } else if (a->family == AF_INET6) {
                in6.sin6_addr = a->ip6;
                memcpy(ret, &in6, sizeof(in6));
                *ret_size = sizeof(in6);
        } else
                return -EAFNOSUPPORT;
        return 0;
}
