/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of nodes as text: id and address, as they stand on the bus. */
#pragma once

#include "basic/util.h"

struct node {
        const char *id;
        const char *address;
};

/* One allocation with the text behind the array; never changed once made. */
struct node_list {
        size_t n;
        struct node nodes[];
};

/* Copies n nodes. NULL without memory. */
struct node_list *node_list_new(const struct node *nodes, size_t n);
struct node_list *node_list_copy(const struct node_list *l);
struct node_list *node_list_free(struct node_list *l);
DEFINE_CLEANUP(struct node_list *, node_list_free)
#define _cleanup_node_list_ _cleanup_(node_list_freep)

/* NULL counts as an empty list in what follows. */
bool node_list_equal(const struct node_list *a, const struct node_list *b);
/* Whether the first of both, which is the master of a slave, has the same id; or there is none in either. */
bool node_list_same_master(const struct node_list *a, const struct node_list *b);
bool node_list_has(const struct node_list *l, const struct node *node);
static inline _unused_ size_t node_list_size(const struct node_list *l) { return l ? l->n : 0; }
