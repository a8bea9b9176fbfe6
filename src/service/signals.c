/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the lists of signals. */
#include "service/signals.h"

void signal_done(struct signal *g) {
        for (size_t i = 0; i < ELEMENTSOF(g->args); i++)
                free(g->args[i]);
        free(g->node_id);
        free(g->master_id);
        free(g->master_address);
        *g = (struct signal) {};
}

void signal_list_done(struct signal_list *l) {
        for (size_t i = 0; i < l->n; i++)
                signal_done(&l->items[i]);
        free(l->items);
        *l = (struct signal_list) {};
}

int signal_list_add(struct signal_list *l, struct signal g) {
        if (l->n == l->allocated) {
                size_t n = l->allocated ? l->allocated * 2 : 4;
                struct signal *items = reallocarray(l->items, n, sizeof(*items));

                if (!items) {
                        signal_done(&g);
                        return -ENOMEM;
                }
                l->items = items;
                l->allocated = n;
        }
        l->items[l->n++] = g;
        return 0;
}

void signal_list_remove(struct signal_list *l, size_t i) {
        signal_done(&l->items[i]);
        memmove(&l->items[i], &l->items[i + 1], (l->n - i - 1) * sizeof(l->items[0]));
        l->n--;
}

int signal_make(struct signal *ret, enum signal_kind kind, const char *a, const char *b, const char *c) {
        const char *args[] = { a, b, c };
        struct signal g = { .kind = kind };

        for (size_t i = 0; i < ELEMENTSOF(args); i++)
                if (args[i]) {
                        g.args[i] = strdup(args[i]);
                        if (!g.args[i]) {
                                signal_done(&g);
                                return -ENOMEM;
                        }
                }
        *ret = g;
        return 0;
}

struct signal signal_list_take(struct signal_list *l, size_t i) {
        struct signal g = l->items[i];

        l->items[i] = (struct signal) {};
        return g;
}

static int by_place(const void *a, const void *b) {
        const struct signal *x = a, *y = b;

        if (x->group != y->group)
                return x->group < y->group ? -1 : 1;
        if (x->kind != y->kind)
                return x->kind < y->kind ? -1 : 1;
        return x->stamp < y->stamp ? -1 : x->stamp > y->stamp;
}

void signal_list_sort(struct signal_list *l) {
        if (l->n > 0)
                qsort(l->items, l->n, sizeof(l->items[0]), by_place);
}

bool signal_is_about(const struct signal *g, const char *id, const char *address) {
        return streq(g->args[0] ?: "", id ?: "") && streq(g->args[1] ?: "", address ?: "");
}

bool signal_list_tells(const struct signal_list *l, enum signal_kind kind, const char *id, const char *address) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].kind == kind && (!id || signal_is_about(&l->items[i], id, address)))
                        return true;
        return false;
}
