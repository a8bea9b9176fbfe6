/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the overlay: a skip list. */
#include "node/store/overlay.h"

enum { LEVELS = 16 };

struct overlay {
        struct overlay_entry *first[LEVELS];
        size_t n;
        uint64_t random;
};

int key_compare(const void *a, size_t a_size, const void *b, size_t b_size) {
        int r = memcmp(a, b, MIN(a_size, b_size));

        return r != 0 ? r : a_size < b_size ? -1 : a_size > b_size;
}

int overlay_new(struct overlay **ret) {
        struct overlay *o = calloc(1, sizeof(*o));

        if (!o)
                return -ENOMEM;
        o->random = UINT64_C(0x9e3779b97f4a7c15);
        *ret = o;
        return 0;
}

struct overlay *overlay_free(struct overlay *o) {
        if (o) {
                overlay_forget(o, UINT64_MAX);
                free(o);
        }
        return NULL;
}

/* Each level has a quarter of the entries of the one below. */
static unsigned random_height(struct overlay *o) {
        unsigned height = 1;

        o->random ^= o->random << 13;
        o->random ^= o->random >> 7;
        o->random ^= o->random << 17;
        for (uint64_t bits = o->random; height < LEVELS && (bits & 3) == 0; bits >>= 2)
                height++;
        return height;
}

/* The links that lead to the first entry that is not before the key, one for each level. */
static struct overlay_entry *seek(struct overlay *o, const char *key, size_t size, struct overlay_entry **links[static LEVELS]) {
        struct overlay_entry *at = NULL, *next;

        for (unsigned level = LEVELS; level-- > 0;) {
                for (;;) {
                        next = at ? at->next[level] : o->first[level];
                        if (!next || key_compare(next->key, next->key_size, key, size) >= 0)
                                break;
                        at = next;
                }
                links[level] = at ? &at->next[level] : &o->first[level];
        }
        return *links[0];
}

const struct overlay_entry *overlay_find(const struct overlay *o, const char *key, size_t size) {
        struct overlay_entry **links[LEVELS];

        return seek((struct overlay *) o, key, size, links);
}

size_t overlay_size(const struct overlay *o) {
        return o->n;
}

static int overlay_change(struct overlay *o, const struct change *c, struct transaction *t, uint64_t sequence,
                          struct overlay_entry **ret, bool *ret_new) {
        struct overlay_entry **links[LEVELS], *e = seek(o, c->key, c->key_size, links);
        unsigned height;

        *ret_new = !e || key_compare(e->key, e->key_size, c->key, c->key_size) != 0;
        if (*ret_new) {
                height = random_height(o);
                /* Places for pointers. NOLINTNEXTLINE(bugprone-sizeof-expression) */
                e = calloc(1, sizeof(*e) + height * sizeof(e->next[0]));
                if (!e)
                        return -ENOMEM;
                for (unsigned level = 0; level < height; level++) {
                        e->next[level] = *links[level];
                        *links[level] = e;
                }
                o->n++;
        }
        /* The key of the newer one, too: the older one's goes first. */
        e->key = c->key;
        e->key_size = c->key_size;
        e->sequence = sequence;
        e->transaction = t;
        *ret = e;
        return 0;
}

int overlay_add(struct overlay *o, struct generation *g, struct transaction *t, uint64_t sequence, uint64_t *entries) {
        struct overlay_entry *e;
        MDB_txn *txn = NULL;
        size_t pos = 0;
        struct change c;
        bool fresh, before;
        int r, k, result = 0;

        while ((r = transaction_next(t, &pos, &c)) > 0) {
                r = overlay_change(o, &c, t, sequence, &e, &fresh);
                if (r < 0)
                        break;
                before = e->value;
                if (fresh) {
                        MDB_val key = { c.key_size, (void *) c.key }, value;

                        k = txn ? 0 : lmdb_error(mdb_txn_begin(g->env, NULL, MDB_RDONLY, &txn));
                        if (k >= 0)
                                k = lmdb_error(mdb_get(txn, g->data, &key, &value));
                        before = k >= 0;
                        if (k < 0 && k != -ENOENT)
                                result = k;
                }
                e->value = c.value;
                e->value_size = c.value_size;
                *entries += (uint64_t) (c.value != NULL) - (uint64_t) before;
        }
        if (txn)
                mdb_txn_abort(txn);
        return r < 0 ? r : result;
}

void overlay_forget(struct overlay *o, uint64_t sequence) {
        struct overlay_entry **link, *e;

        for (unsigned level = LEVELS; level-- > 0;)
                for (link = &o->first[level]; (e = *link);)
                        if (e->sequence > sequence)
                                link = &e->next[level];
                        else {
                                *link = e->next[level];
                                if (level == 0) {
                                        free(e);
                                        o->n--;
                                }
                        }
}
