/* SPDX-License-Identifier: Apache-2.0 */
/* Node ids and addresses: confd_value_t and struct confd_ha_node to and from terms and text. */
#pragma once

#include <confd_lib.h>

#include "basic/util.h"
#include "lib/eterm.h"

/* A node id of text has at most this many bytes, and so has an address that is a string. */
enum { NODE_TEXT_MAX = 127 };

/* Whether v may be a node id: one of the types of enum confd_vtype that say so, text and binaries of 1 to
 * NODE_TEXT_MAX bytes. 0; -EPROTOTYPE for another type (or no pointer where there has to be one); -ENAMETOOLONG for text
 * that is too long, -EINVAL for empty text. All of them are CONFD_ERR_BADTYPE to the caller of a documented function. */
_must_check_ int value_check_node_id(const confd_value_t *v);

/* Whether the id and the address of a node are fit to be sent: as above, and -EAFNOSUPPORT for another af than AF_INET,
 * AF_INET6 and AF_UNSPEC, -EINVAL or -ENAMETOOLONG for an empty or a long address string. */
_must_check_ int node_check(const struct confd_ha_node *n);

/* Appends v as a term. A type that is no node id's makes the writer's error -EPROTOTYPE; lengths are not looked at. */
void value_put(struct eterm_writer *w, const confd_value_t *v);

/* Reads the term of a node id. A C_BUF or C_BINARY points into the message and is not NUL-terminated; lengths are not
 * looked at (value_check_node_id() does). -EBADMSG no term, -EPROTOTYPE a term that is no value, -ERANGE a
 * typed integer that does not fit its type. */
_must_check_ int value_get(struct eterm *c, confd_value_t *ret);

/* Whether two values are equal in type and content; C_STR and C_BUF with the same bytes are, since one term is both. */
bool value_equal(const confd_value_t *a, const confd_value_t *b);

/* An address: IPv4 and IPv6 as tuples, a string as a binary. Another af makes the writer's error -EAFNOSUPPORT. */
void node_put_address(struct eterm_writer *w, const struct confd_ha_node *n);

/* {NodeId, Address} */
void node_put(struct eterm_writer *w, const struct confd_ha_node *n);

/* Reads {NodeId, Address} into a struct that stands alone: texts are copied to its buffers and NUL-terminated. An id that
 * came as a list of bytes becomes a C_BUF. Members that the node does not need are not touched; on an error *ret
 * holds nothing useful:
 *   -EBADMSG no term, -EPROTOTYPE not such a pair or a type that has no place in the struct, -ERANGE an integer that does
 *   not fit its type, -ENOBUFS a text of more than NODE_TEXT_MAX bytes. */
_must_check_ int node_get(struct eterm *c, struct confd_ha_node *ret);

/* Reads id and address that stand one behind the other, without the pair's head, or an address alone, the same way. */
_must_check_ int node_get_parts(struct eterm *c, struct confd_ha_node *ret);
_must_check_ int node_get_address(struct eterm *c, struct confd_ha_node *ret);

/* Text as snprintf(3): the length of the whole is returned. Values as confd_pp_value() prints them. */
size_t value_format(const confd_value_t *v, char *buf, size_t size);

/* Terms of ids and addresses as text in UTF-8, as confd_ha_format_id() and confd_ha_format_address() document. */
size_t term_format_id(const struct eterm_bytes *id, char *buf, size_t size);
size_t term_format_address(const struct eterm_bytes *address, char *buf, size_t size);
