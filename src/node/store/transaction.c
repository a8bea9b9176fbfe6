/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the encoded form of transactions.
 *
 * id length (1 byte), id, number of changes (4), then each change: kind (1: set, 2: delete), key length (2), key, and
 * for a set value length (4), value. Integers are big-endian. The id is put in front when the transaction is sealed,
 * for which the space is left from the start. */
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "basic/big-endian.h"
#include "basic/buffer.h"
#include "basic/escape.h"
#include "node/store/transaction.h"

enum {
        CHANGE_SET = 1,
        CHANGE_DELETE = 2,
        CHANGE_HEADER = 3,
        HEADER_MAX = 1 + TRANSACTION_ID_MAX + 4,
        NAME_MAX_IN_ID = 127,
};

struct transaction {
        unsigned refs;
        bool sealed;
        uint32_t changes;
        size_t payload;   /* bytes of keys and values, what TRANSACTION_SIZE_MAX counts */
        size_t first;     /* where the changes begin in body */
        struct buffer body;
        char id[TRANSACTION_ID_MAX + 1];
};

bool key_is_valid(const char *key, size_t n) {
        return n >= 1 && n <= KEY_SIZE_MAX && key[0] == '/' && utf8_is_valid(key, n);
}

static struct transaction *transaction_alloc(void) {
        struct transaction *t;

        t = calloc(1, sizeof(*t));
        if (!t)
                return NULL;
        t->refs = 1;
        t->body = BUFFER_INIT(TRANSACTION_DATA_MAX);
        return t;
}

int transaction_new(struct transaction **ret) {
        _cleanup_transaction_ struct transaction *t = transaction_alloc();
        uint8_t *p;
        int r;

        if (!t)
                return -ENOMEM;
        r = buffer_reserve(&t->body, HEADER_MAX, &p);
        if (r < 0)
                return r;
        memset(p, 0, HEADER_MAX);
        buffer_commit(&t->body, HEADER_MAX);
        t->first = HEADER_MAX;
        *ret = TAKE_PTR(t);
        return 0;
}

struct transaction *transaction_ref(struct transaction *t) {
        t->refs++;
        return t;
}

struct transaction *transaction_unref(struct transaction *t) {
        if (t && --t->refs == 0) {
                buffer_done(&t->body);
                free(t);
        }
        return NULL;
}

static int transaction_add(struct transaction *t, const char *key, const char *value) {
        size_t key_size = strlen(key), value_size = value ? strlen(value) : 0, need;
        uint8_t *p;
        int r;

        if (t->sealed)
                return -EBUSY;
        if (!key_is_valid(key, key_size))
                return -EINVAL;
        if (value_size > VALUE_SIZE_MAX || key_size + value_size > TRANSACTION_SIZE_MAX - t->payload ||
            t->changes >= TRANSACTION_CHANGES_MAX)
                return -E2BIG;
        if (value && !utf8_is_valid(value, value_size))
                return -EINVAL;
        need = CHANGE_HEADER + key_size + (value ? 4 + value_size : 0);
        r = buffer_reserve(&t->body, need, &p);
        if (r < 0)
                return r == -ENOBUFS ? -E2BIG : r;
        *p++ = value ? CHANGE_SET : CHANGE_DELETE;
        put16(p, (uint16_t) key_size);
        memcpy(p + 2, key, key_size);
        if (value) {
                p += 2 + key_size;
                put32(p, (uint32_t) value_size);
                memcpy(p + 4, value, value_size);
        }
        buffer_commit(&t->body, need);
        t->payload += key_size + value_size;
        t->changes++;
        return 0;
}

int transaction_set(struct transaction *t, const char *key, const char *value) {
        return transaction_add(t, key, value);
}

int transaction_delete(struct transaction *t, const char *key) {
        return transaction_add(t, key, NULL);
}

int transaction_seal(struct transaction *t, const char *name) {
        struct timespec ts;
        struct tm tm;
        uint64_t bits;
        size_t n = strlen(name);
        uint8_t *head;
        int length;

        if (t->sealed)
                return -EBUSY;
        if (n > NAME_MAX_IN_ID)
                for (n = NAME_MAX_IN_ID; n > 0 && ((uint8_t) name[n] & 0xc0) == 0x80; n--)
                        ; /* not within a character */
        if (getrandom(&bits, sizeof(bits), 0) != (ssize_t) sizeof(bits))
                return -EIO;
        (void) clock_gettime(CLOCK_REALTIME, &ts);
        (void) gmtime_r(&ts.tv_sec, &tm);
        length = snprintf(t->id, sizeof(t->id), "%.*s-%04d%02d%02dT%02d%02d%02d.%06ldZ-%016llx", (int) n, name,
                          tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                          ts.tv_nsec / 1000, (unsigned long long) bits);
        t->body.begin = t->first - 4 - (size_t) length - 1;
        head = buffer_head(&t->body);
        head[0] = (uint8_t) length;
        memcpy(head + 1, t->id, (size_t) length);
        put32(head + 1 + length, t->changes);
        t->first = 1 + (size_t) length + 4;
        t->sealed = true;
        return 0;
}

const char *transaction_id(const struct transaction *t) {
        return t->id;
}

bool transaction_is_sealed(const struct transaction *t) {
        return t->sealed;
}

size_t transaction_size(const struct transaction *t) {
        return buffer_size(&t->body);
}

size_t transaction_changes(const struct transaction *t) {
        return t->changes;
}

const uint8_t *transaction_data(const struct transaction *t) {
        return buffer_head(&t->body);
}

bool transaction_id_is_valid(const char *id, size_t n) {
        return n >= 1 && n <= TRANSACTION_ID_MAX && utf8_is_printable(id, n);
}

int transaction_from_data(const void *p, size_t n, struct transaction **ret) {
        _cleanup_transaction_ struct transaction *t = NULL;
        const uint8_t *d = p;
        struct change c;
        size_t pos = 0, id_size;
        uint32_t seen = 0;
        int r;

        if (n < 1 + 4 || n > TRANSACTION_DATA_MAX)
                return -EBADMSG;
        id_size = d[0];
        if (n < 1 + id_size + 4 || !transaction_id_is_valid((const char *) d + 1, id_size))
                return -EBADMSG;
        t = transaction_alloc();
        if (!t)
                return -ENOMEM;
        memcpy(t->id, d + 1, id_size);
        t->changes = get32(d + 1 + id_size);
        if (t->changes > TRANSACTION_CHANGES_MAX)
                return -EBADMSG;
        t->first = 1 + id_size + 4;
        t->sealed = true;
        r = buffer_append(&t->body, p, n);
        if (r < 0)
                return r;
        while ((r = transaction_next(t, &pos, &c)) > 0) {
                if (!key_is_valid(c.key, c.key_size) || c.value_size > VALUE_SIZE_MAX ||
                    (c.value && !utf8_is_valid(c.value, c.value_size)))
                        return -EBADMSG;
                t->payload += c.key_size + c.value_size;
                if (t->payload > TRANSACTION_SIZE_MAX)
                        return -EBADMSG;
                seen++;
        }
        if (r < 0)
                return r;
        if (seen != t->changes)
                return -EBADMSG;
        *ret = TAKE_PTR(t);
        return 0;
}

int transaction_next(const struct transaction *t, size_t *pos, struct change *ret) {
        size_t at = *pos + t->first, size = t->sealed ? buffer_size(&t->body) : 0;
        const uint8_t *d = buffer_head(&t->body);
        struct change c = {};
        uint8_t kind;

        if (at >= size)
                return 0;
        if (size - at < CHANGE_HEADER)
                return -EBADMSG;
        kind = d[at];
        c.key_size = get16(d + at + 1);
        at += CHANGE_HEADER;
        if (size - at < c.key_size)
                return -EBADMSG;
        c.key = (const char *) d + at;
        at += c.key_size;
        if (kind == CHANGE_SET) {
                if (size - at < 4)
                        return -EBADMSG;
                c.value_size = get32(d + at);
                at += 4;
                if (size - at < c.value_size)
                        return -EBADMSG;
                c.value = (const char *) d + at;
                at += c.value_size;
        } else if (kind != CHANGE_DELETE)
                return -EBADMSG;
        *pos = at - t->first;
        *ret = c;
        return 1;
}
