/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction: a set of changes under one id, immutable once sealed, in the form in which it travels and is stored. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/util.h"

/* Limits of programs.md; the codes are what the functions below return past them. */
enum {
        KEY_SIZE_MAX = 511,                      /* -EINVAL */
        VALUE_SIZE_MAX = 8 * 1024 * 1024,        /* -E2BIG */
        TRANSACTION_SIZE_MAX = 16 * 1024 * 1024, /* keys and values together; -E2BIG */
        TRANSACTION_CHANGES_MAX = 64 * 1024,     /* the loop takes them one by one, and others wait meanwhile; -E2BIG */
        TRANSACTION_DATA_MAX = 64 * 1024 * 1024, /* its encoded form; -E2BIG */
        TRANSACTION_ID_MAX = 255,                /* bytes of text, without the NUL */
};

/* Whether the n bytes may be a key: 1 to 511 bytes of UTF-8 without NUL, starting with '/'. */
bool key_is_valid(const char *key, size_t n);

struct transaction;

/* Reference counted (one thread may hold references at a time, except that the store's writer reads a sealed one). */
_must_check_ int transaction_new(struct transaction **ret);
struct transaction *transaction_ref(struct transaction *t);
struct transaction *transaction_unref(struct transaction *t); /* returns NULL, takes NULL */
DEFINE_CLEANUP(struct transaction *, transaction_unref)
#define _cleanup_transaction_ _cleanup_(transaction_unrefp)

/* Adds a change; only before sealing (-EBUSY after). The same key may come once: the caller checks (the last one would
 * win). -EINVAL for a bad key, or a value that is not UTF-8 without NUL; -E2BIG past a limit; -ENOMEM. */
_must_check_ int transaction_set(struct transaction *t, const char *key, const char *value);
_must_check_ int transaction_delete(struct transaction *t, const char *key);

/* Gives it a fresh id, made of the name (a node's, or what else tells where it was made; cut if long), a time stamp
 * and 64 random bits, and makes it immutable. -EBUSY if it is sealed, -ENOMEM. */
_must_check_ int transaction_seal(struct transaction *t, const char *name);

const char *transaction_id(const struct transaction *t); /* "" before sealing */
bool transaction_is_sealed(const struct transaction *t);
bool transaction_id_is_valid(const char *id, size_t n);  /* 1 to 255 bytes of printable UTF-8 */
size_t transaction_size(const struct transaction *t);    /* bytes of its encoded form */
size_t transaction_changes(const struct transaction *t); /* how many changes; 0 = empty */

/* How a transaction ended: 0, or why it was not stored. Whoever takes transactions tells it in this way, from the event loop. */
typedef void (*transaction_stored_fn)(int result, struct transaction *t, void *userdata);

/* The encoded form (docs/node-protocol.md), and back from it: everything is checked as above, -EBADMSG if not well-formed, -ENOMEM. */
const uint8_t *transaction_data(const struct transaction *t);
_must_check_ int transaction_from_data(const void *p, size_t n, struct transaction **ret);

/* Walks the changes of a sealed one: *pos starts at 0. Returns 1 and one change (value NULL: delete), 0 at the end. */
struct change {
        const char *key; /* not NUL-terminated */
        size_t key_size;
        const char *value; /* NULL: the key is deleted */
        size_t value_size;
};
int transaction_next(const struct transaction *t, size_t *pos, struct change *ret);
