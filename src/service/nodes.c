/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the making and the comparing of lists of nodes. */
#include "service/nodes.h"

struct node_list *node_list_new(const struct node *nodes, size_t n) {
        struct node_list *l;
        size_t size = sizeof(*l) + n * sizeof(struct node);
        char *text;

        for (size_t i = 0; i < n; i++)
                size += strlen(nodes[i].id) + strlen(nodes[i].address) + 2;
        l = malloc(size);
        if (!l)
                return NULL;
        l->n = n;
        text = (char *) &l->nodes[n];
        for (size_t i = 0; i < n; i++) {
                l->nodes[i].id = text;
                text = stpcpy(text, nodes[i].id) + 1;
                l->nodes[i].address = text;
                text = stpcpy(text, nodes[i].address) + 1;
        }
        return l;
}

struct node_list *node_list_copy(const struct node_list *l) {
        return l ? node_list_new(l->nodes, l->n) : node_list_new(NULL, 0);
}

struct node_list *node_list_free(struct node_list *l) {
        free(l);
        return NULL;
}

static bool node_equal(const struct node *a, const struct node *b) {
        return streq(a->id, b->id) && streq(a->address, b->address);
}

bool node_list_equal(const struct node_list *a, const struct node_list *b) {
        if (node_list_size(a) != node_list_size(b))
                return false;
        for (size_t i = 0; i < node_list_size(a); i++)
                if (!node_equal(&a->nodes[i], &b->nodes[i]))
                        return false;
        return true;
}

bool node_list_has(const struct node_list *l, const struct node *node) {
        for (size_t i = 0; i < node_list_size(l); i++)
                if (node_equal(&l->nodes[i], node))
                        return true;
        return false;
}

bool node_list_same_master(const struct node_list *a, const struct node_list *b) {
        if (node_list_size(a) == 0 || node_list_size(b) == 0)
                return node_list_size(a) == node_list_size(b);
        return streq(a->nodes[0].id, b->nodes[0].id);
}
