/* SPDX-License-Identifier: Apache-2.0 */
/* Names and addresses of nodes as the node carries them about: opaque, comparable, of bounded size. */
#pragma once

#include <confd_lib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "basic/util.h"

/* A binary of 127 bytes is 132 bytes as a term; {39, Binary} takes four more, and nothing else is longer. */
enum { NODE_ID_ETF_MAX = 144 };

/* A node's name is any of the values that the IPC protocol allows. It is kept as its canonical encoding (external
 * term format in shortest form, without the version byte), so that equal names are equal bytes. Size 0: no name. */
struct node_id {
        uint8_t size;
        uint8_t etf[NODE_ID_ETF_MAX];
};

static inline _unused_ bool node_id_equal(const struct node_id *a, const struct node_id *b) {
        return a->size == b->size && memcmp(a->etf, b->etf, a->size) == 0;
}

/* Enough for 127 bytes that all have to be escaped, in the brackets of a tuple. */
enum { NODE_ID_TEXT_MAX = 127 * 4 + 32 };

/* For logs and messages: a name of bytes as utf8_escape() writes it, anything else as Erlang prints it, "?" for none and for
 * what is no name. Returns buf. */
const char *node_id_text(const struct node_id *id, char buf[static NODE_ID_TEXT_MAX]);

/* Takes size bytes that claim to be a canonical name (from another node). -EINVAL if they are none. */
_must_check_ int node_id_from_bytes(const void *etf, size_t size, struct node_id *ret);

/* The name that is this value: 1 to 127 bytes, a number, or an address. -EPROTOTYPE, -EINVAL, -ENAMETOOLONG for what is no name
 * (all CONFD_ERR_BADTYPE). */
_must_check_ int node_id_from_value(const confd_value_t *v, struct node_id *ret);

/* Where a node is. IPv4-mapped IPv6 addresses are kept as IPv4. */
struct node_address {
        int family; /* AF_INET, AF_INET6; AF_UNSPEC: none known */
        union {
                struct in_addr ip4;
                struct in6_addr ip6;
        };
        uint16_t port; /* host byte order; 0 = the HA port that this node itself uses */
        bool is_text;  /* was ordered as a string, and is reported as one */
};

bool node_address_equal(const struct node_address *a, const struct node_address *b);

/* [v6]:port, v4:port, or without the port where it is 0; "?" for none. Returns buf. */
enum { NODE_ADDRESS_TEXT_MAX = INET6_ADDRSTRLEN + sizeof("[]:65535") };
const char *node_address_text(const struct node_address *a, char buf[static NODE_ADDRESS_TEXT_MAX]);

/* "10.0.0.1", "10.0.0.1:4570", "fd00::1", "[fd00::1]", "[fd00::1]:4570". Names are not looked up (that would block).
 * -EINVAL. */
_must_check_ int node_address_parse(const char *text, size_t size, struct node_address *ret);

struct node_address node_address_from_ip4(struct in_addr ip4);
struct node_address node_address_from_ip6(const struct in6_addr *ip6);

/* From and to what sockets use; to_sockaddr puts default_port where none was named. -EAFNOSUPPORT. */
_must_check_ int node_address_from_sockaddr(const struct sockaddr *sa, struct node_address *ret);
_must_check_ int node_address_to_sockaddr(const struct node_address *a, uint16_t default_port,
                                          struct sockaddr_storage *ret, socklen_t *ret_size);
