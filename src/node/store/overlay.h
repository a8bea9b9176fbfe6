/* SPDX-License-Identifier: Apache-2.0 */
/* What is durable in the redo log and not in the generation yet: the newest change of each key, in the order of the keys.
 *
 * The event loop's alone. Keys and values are those of the transactions, which have to stay until they are forgotten here. */
#pragma once

#include "node/store/generation.h"
#include "node/store/transaction.h"

struct overlay_entry {
        const char *key, *value; /* value NULL: the key is deleted */
        size_t key_size, value_size;
        uint64_t sequence;
        struct transaction *transaction; /* no reference: of the one that made the change */
        struct overlay_entry *next[];    /* [0]: in the order of the keys */
};

struct overlay;

_must_check_ int overlay_new(struct overlay **ret);
struct overlay *overlay_free(struct overlay *o); /* returns NULL, takes NULL */
DEFINE_CLEANUP(struct overlay *, overlay_free)

/* Adds a transaction's changes, and what they do to the number of entries: what is not here is looked up in the generation.
 * -ENOMEM, -EIO: then only the number may be wrong. */
_must_check_ int overlay_add(struct overlay *o, struct generation *g, struct transaction *t, uint64_t sequence, uint64_t *entries);

/* Forgets what the transactions up to that one have changed last. */
void overlay_forget(struct overlay *o, uint64_t sequence);

/* The first one that is not before the key, NULL if there is none. */
const struct overlay_entry *overlay_find(const struct overlay *o, const char *key, size_t size);
size_t overlay_size(const struct overlay *o);

/* The order of keys, LMDB's. */
int key_compare(const void *a, size_t a_size, const void *b, size_t b_size);
