/* SPDX-License-Identifier: Apache-2.0 */
/* Owns reading: what the generation has, under what the overlay has. */
#include <endian.h>

#include "node/store/internal.h"

/* Both in the order of their keys. */
struct merge {
        MDB_cursor *cursor;
        bool more, taken; /* the cursor has an entry, which has been returned */
        MDB_val key, value;
        const struct overlay_entry *over;
};

static int merge_step(struct merge *m, MDB_cursor_op op) {
        int r;

        r = lmdb_error(mdb_cursor_get(m->cursor, &m->key, &m->value, op));
        m->more = r >= 0;
        m->taken = false;
        return r == -ENOENT ? 0 : r;
}

/* From the first key that is not before that one. */
static int merge_start(struct merge *m, MDB_cursor *cursor, const struct overlay_entry *over, const char *from, size_t size) {
        *m = (struct merge) { .cursor = cursor, .over = over, .key = { size, (void *) from } };
        return merge_step(m, size > 0 ? MDB_SET_RANGE : MDB_FIRST);
}

/* 1, 0 at the end. What is returned stays good until the next call. */
static int merge_next(struct merge *m, struct change *ret) {
        int r, order;

        for (;;) {
                const struct overlay_entry *e = m->over;

                r = m->more && m->taken ? merge_step(m, MDB_NEXT) : 0;
                if (r < 0)
                        return r;
                if (!e && !m->more)
                        return 0;
                order = !e ? 1 : !m->more ? -1 : key_compare(e->key, e->key_size, m->key.mv_data, m->key.mv_size);
                if (order >= 0)
                        m->taken = true;
                if (order <= 0)
                        m->over = e->next[0];
                if (order > 0) {
                        *ret = (struct change) { m->key.mv_data, m->key.mv_size, m->value.mv_data, m->value.mv_size };
                        return 1;
                }
                if (e->value) {
                        *ret = (struct change) { e->key, e->key_size, e->value, e->value_size };
                        return 1;
                }
        }
}

/* A value has no NUL; whoever reads it wants one. */
static char *text_copy(const char *p, size_t n) {
        char *text = malloc(n + 1);

        if (text) {
                memcpy(text, p, n);
                text[n] = 0;
        }
        return text;
}

int store_get(struct store *s, const char *key, char **ret_value) {
        const struct overlay_entry *e;
        size_t n = strlen(key);
        MDB_val k = { n, (void *) key }, v;
        char *value = NULL;
        MDB_txn *txn;
        int r;

        if (!key_is_valid(key, n))
                return -EINVAL;
        e = overlay_find(s->overlay, key, n);
        if (e && key_compare(e->key, e->key_size, key, n) == 0) {
                if (!e->value)
                        return -ENOENT;
                *ret_value = text_copy(e->value, e->value_size);
                return *ret_value ? 0 : -ENOMEM;
        }
        r = lmdb_error(mdb_txn_begin(s->current->env, NULL, MDB_RDONLY, &txn));
        if (r < 0)
                return r;
        r = lmdb_error(mdb_get(txn, s->current->data, &k, &v));
        if (r >= 0 && !(value = text_copy(v.mv_data, v.mv_size)))
                r = -ENOMEM;
        mdb_txn_abort(txn);
        if (r >= 0)
                *ret_value = value;
        return r;
}

static int list(struct store *s, MDB_cursor *cursor, const char *prefix, const char *after, uint32_t max, store_list_fn fn,
                void *userdata, char **ret_next) {
        const char *from = strcmp(after, prefix) > 0 ? after : prefix;
        size_t prefix_size = strlen(prefix), from_size = MIN(strlen(from), (size_t) KEY_SIZE_MAX), spent = 0;
        char last[KEY_SIZE_MAX + 1] = "";
        struct change c;
        struct merge m;
        uint32_t n = 0;
        int r;

        /* LMDB takes no longer key; none with a prefix that is longer can exist. */
        r = merge_start(&m, cursor, overlay_find(s->overlay, from, from_size), from, from_size);
        while (r >= 0 && (r = merge_next(&m, &c)) > 0) {
                _cleanup_free_ char *value = NULL;
                char key[KEY_SIZE_MAX + 1];
                size_t size = c.key_size + c.value_size + 16;

                if (c.key_size > KEY_SIZE_MAX)
                        return -EUCLEAN;
                memcpy(key, c.key, c.key_size);
                key[c.key_size] = 0;
                if (strncmp(key, prefix, prefix_size) != 0) {
                        if (strcmp(key, prefix) > 0)
                                break;
                        continue;
                }
                if (strcmp(key, after) <= 0)
                        continue;
                if (n > 0 && ((max > 0 && n >= max) || size > STORE_LIST_BUDGET - MIN(spent, (size_t) STORE_LIST_BUDGET))) {
                        *ret_next = strdup(last);
                        return *ret_next ? 0 : -ENOMEM;
                }
                value = text_copy(c.value, c.value_size);
                if (!value)
                        return -ENOMEM;
                r = fn(key, value, userdata);
                if (r < 0)
                        return r;
                spent += size;
                n++;
                memcpy(last, key, c.key_size + 1);
        }
        if (r < 0)
                return r;
        *ret_next = strdup("");
        return *ret_next ? 0 : -ENOMEM;
}

int store_list(struct store *s, const char *prefix, const char *after, uint32_t max, store_list_fn fn, void *userdata,
               char **ret_next) {
        MDB_cursor *cursor;
        MDB_txn *txn;
        int r;

        r = lmdb_error(mdb_txn_begin(s->current->env, NULL, MDB_RDONLY, &txn));
        if (r < 0)
                return r;
        r = lmdb_error(mdb_cursor_open(txn, s->current->data, &cursor));
        if (r >= 0) {
                r = list(s, cursor, prefix, after, max, fn, userdata, ret_next);
                mdb_cursor_close(cursor);
        }
        mdb_txn_abort(txn);
        return r;
}

/* ---- the log of those that lag behind ---- */

static int log_next_applied(struct store *s, uint64_t after, struct transaction **ret, uint64_t *ret_sequence) {
        uint64_t sequence = htobe64(after + 1);
        MDB_val k = { sizeof(sequence), &sequence }, v;
        MDB_cursor *cursor = NULL;
        MDB_txn *txn;
        int r;

        r = lmdb_error(mdb_txn_begin(s->current->env, NULL, MDB_RDONLY, &txn));
        if (r < 0)
                return r;
        r = lmdb_error(mdb_cursor_open(txn, s->current->log, &cursor));
        if (r >= 0)
                r = lmdb_error(mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE));
        if (r >= 0 && k.mv_size != sizeof(sequence))
                r = -EUCLEAN;
        if (r >= 0)
                r = transaction_from_data(v.mv_data, v.mv_size, ret);
        if (r >= 0) {
                memcpy(&sequence, k.mv_data, sizeof(sequence));
                *ret_sequence = be64toh(sequence);
        }
        if (cursor)
                mdb_cursor_close(cursor);
        mdb_txn_abort(txn);
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static struct job *job_after(struct store *s, struct job *j) {
        return TAILQ_NEXT(j, queue) ?: j == TAILQ_LAST(&s->applying, job_queue) ? TAILQ_FIRST(&s->pending) : NULL;
}

int store_log_next(struct store *s, uint64_t after, struct transaction **ret, uint64_t *ret_sequence) {
        struct job *j = s->log_hint;
        int r;

        if (!s->log)
                return 0; /* what is left in it is nobody's any more */
        /* What the generation has comes before what waits for it. */
        r = log_next_applied(s, after, ret, ret_sequence);
        if (r != 0)
                return r;
        /* Who reads on is most often just behind where the last one was. */
        if (!j || j->sequence > after)
                j = TAILQ_FIRST(&s->applying) ?: TAILQ_FIRST(&s->pending);
        for (; j; j = job_after(s, j)) {
                s->log_hint = j;
                if (j->log && j->sequence > after) {
                        *ret = transaction_ref(j->transaction);
                        *ret_sequence = j->sequence;
                        return 1;
                }
        }
        return 0;
}

/* ---- snapshots ---- */

enum { KEPT_SIZE = sizeof(struct overlay_entry) + sizeof(struct overlay_entry *) }; /* one with its next[0] */

struct store_snapshot {
        struct store *store;
        struct generation *generation;
        struct generation_state state;
        MDB_txn *txn;
        MDB_cursor *cursor;
        uint8_t *kept; /* the overlay as it was, with references */
        size_t n_kept;
        struct merge merge;
};

static struct overlay_entry *kept_entry(const struct store_snapshot *p, size_t i) {
        return i < p->n_kept ? (struct overlay_entry *) (void *) (p->kept + i * KEPT_SIZE) : NULL;
}

static int keep_overlay(struct store *s, struct store_snapshot *p) {
        size_t n = overlay_size(s->overlay);
        const struct overlay_entry *e;

        if (n == 0)
                return 0;
        p->kept = calloc(n, KEPT_SIZE);
        if (!p->kept)
                return -ENOMEM;
        for (e = overlay_find(s->overlay, "", 0); e; e = e->next[0]) {
                struct overlay_entry *k = (struct overlay_entry *) (void *) (p->kept + p->n_kept++ * KEPT_SIZE);

                memcpy(k, e, sizeof(*e));
                (void) transaction_ref(k->transaction);
        }
        for (size_t i = 0; i < n; i++)
                kept_entry(p, i)->next[0] = kept_entry(p, i + 1);
        return 0;
}

int store_snapshot_new(struct store *s, struct store_snapshot **ret) {
        struct store_snapshot *p;
        int r;

        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->store = s;
        p->state = s->state;
        p->generation = s->current;
        p->generation->refs++;
        r = keep_overlay(s, p);
        if (r >= 0)
                r = lmdb_error(mdb_txn_begin(p->generation->env, NULL, MDB_RDONLY, &p->txn));
        if (r >= 0)
                r = lmdb_error(mdb_cursor_open(p->txn, p->generation->data, &p->cursor));
        if (r >= 0)
                r = merge_start(&p->merge, p->cursor, kept_entry(p, 0), "", 0);
        if (r < 0) {
                store_snapshot_free(p);
                return r;
        }
        *ret = p;
        return 0;
}

struct store_snapshot *store_snapshot_free(struct store_snapshot *p) {
        if (p) {
                for (size_t i = 0; i < p->n_kept; i++)
                        transaction_unref(kept_entry(p, i)->transaction);
                free(p->kept);
                if (p->cursor)
                        mdb_cursor_close(p->cursor);
                if (p->txn)
                        mdb_txn_abort(p->txn);
                store_generation_unref(p->store, p->generation);
                free(p);
        }
        return NULL;
}

const char *store_snapshot_transaction_id(const struct store_snapshot *p) {
        return p->state.transaction_id;
}

uint64_t store_snapshot_entries(const struct store_snapshot *p) {
        return p->state.entries;
}

uint64_t store_snapshot_sequence(const struct store_snapshot *p) {
        return p->state.sequence;
}

int store_snapshot_next(struct store_snapshot *p, struct change *ret) {
        int r;

        r = merge_next(&p->merge, ret);
        return p->generation->lost ? -EIO : r;
}
