/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the journal, which have what anybody may write into their fields, as confd-hactl reads and shows them. Of an entry each field
 * is what the journal has, or its escaped form; one that is not ours is none; and what is shown is lines that a terminal obeys in nothing,
 * or JSON, of as many entries as there were.
 *
 * The first byte says how they are shown; then come entries: a byte that chooses the message id, one for the number of the fields, and for
 * each a byte for its name and one for its kind, then the bytes. */
#include <stdio.h>

#include "basic/log.h"
#include "ctl/history.h"
#include "input.h"
#include "output.h"

enum { ENTRIES_MAX = 6, FIELDS_MAX = 12, VALUE_MAX = 3 * HISTORY_FIELD_MAX };

struct field {
        const char *name;
        char *data; /* with the name, as the journal has it */
        size_t size;
};

struct raw {
        struct field fields[FIELDS_MAX + 1];
        size_t n;
};

static struct field *find(struct raw *raw, const char *name) {
        for (size_t i = 0; i < raw->n; i++)
                if (streq(raw->fields[i].name, name))
                        return &raw->fields[i];
        return NULL;
}

static void add(struct raw *raw, const char *name, const void *value, size_t size, bool cut) {
        size_t skip = strlen(name) + 1, whole = cut ? MIN(size, skip) : skip + size;
        char *data = malloc(whole ?: 1);

        if (!data)
                abort();
        if (cut) /* not even its name is whole */
                memcpy(data, name, MIN(whole, skip - 1));
        else {
                memcpy(data, name, skip - 1);
                data[skip - 1] = '=';
                if (size > 0)
                        memcpy(data + skip, value, size);
        }
        raw->fields[raw->n++] = (struct field) { name, data, whole };
}

static void take_entry(struct raw *raw, struct input *in) {
        uint8_t which = take_byte(in), n = take_byte(in) % FIELDS_MAX;
        static char value[VALUE_MAX];
        const uint8_t *p;
        size_t size, ids = 0;

        *raw = (struct raw) {};
        while (history_message_id(ids))
                ids++;
        if (which < 0xf0)
                add(raw, "MESSAGE_ID", history_message_id(which % ids), 32, false);
        else if (which < 0xf8) {
                size = take_bytes(in, &p);
                add(raw, "MESSAGE_ID", p, size, which & 1);
        }
        for (; n > 0; n--) {
                const char *name = history_field_name((enum history_field) (take_byte(in) % HISTORY_FIELDS));
                uint8_t kind = take_byte(in);
                size_t times = kind < 0xe0 ? 1 : 1 + (kind & 0x1f) * 4, whole = 0;

                size = take_bytes(in, &p);
                for (size_t i = 0; size > 0 && i < times && whole + size <= VALUE_MAX; i++, whole += size)
                        memcpy(value + whole, p, size);
                if (!find(raw, name))
                        add(raw, name, value, whole, kind >= 0xd0 && kind < 0xe0);
        }
}

static int get(void *userdata, const char *name, const void **ret_data, size_t *ret_size) {
        const struct field *f = find(userdata, name);

        if (!f)
                return -ENOENT;
        *ret_data = f->data;
        *ret_size = f->size;
        return 0;
}

static void judge_field(const struct field *f, const char *value) {
        size_t skip, size;

        if (!f != !value)
                abort();
        if (!f)
                return;
        skip = strlen(f->name) + 1;
        size = f->size < skip ? 0 : MIN(f->size - skip, (size_t) HISTORY_FIELD_MAX);
        if (!utf8_is_valid(value, strlen(value)))
                abort();
        if (size > 0 && utf8_is_valid(f->data + skip, size) ? strlen(value) != size || memcmp(value, f->data + skip, size) != 0
                                                            : strlen(value) < size)
                abort();
}

static bool take_one(struct history *h, struct input *in) {
        struct raw raw;
        struct history_entry e = { .usec = (uint64_t) take_byte(in) << 8 * (h->n + 1) };
        const struct field *id;
        bool ours = false;
        int r;

        take_entry(&raw, in);
        id = find(&raw, "MESSAGE_ID");
        for (size_t i = 0; id && history_message_id(i); i++)
                ours = ours || (id->size == strlen("MESSAGE_ID=") + 32 &&
                                memcmp(id->data + strlen("MESSAGE_ID="), history_message_id(i), 32) == 0);
        r = history_entry_read(&e, get, &raw);
        if (ours ? r < 0 || !history_event(e.message_id) : r != -ENOENT || e.message_id)
                abort();
        for (enum history_field f = 0; ours && f < HISTORY_FIELDS; f++)
                judge_field(find(&raw, history_field_name(f)), e.fields[f]);
        if (ours)
                h->entries[h->n++] = e;
        else
                history_entry_done(&e);
        for (size_t i = 0; i < raw.n; i++)
                free(raw.fields[i].data);
        return ours;
}

static size_t lines(const struct output *o) {
        size_t n = 0;

        for (size_t i = 0; i < o->n; i++)
                n += o->p[i] == '\n';
        return n;
}

/* All of them, and then each as one that comes while they are followed. */
static void show(const struct ctl *c, const struct history *h) {
        FILE *out = stdout;
        struct output o;

        output_begin(&o);
        stdout = o.file;
        if (history_print(c, h) < 0)
                abort();
        stdout = out;
        output_end(&o);
        judge_lines(&o);
        if (c->json != JSON_OFF ? judge_json(&o) != 1 || (c->json == JSON_SHORT && lines(&o) != 1)
                                : h->n > 0 && lines(&o) != h->n + (c->legend ? 1 : 0))
                abort();
        free(o.p);
        for (size_t i = 0; i < h->n; i++) {
                output_begin(&o);
                stdout = o.file;
                if (history_print_line(c, &h->entries[i]) < 0)
                        abort();
                stdout = out;
                output_end(&o);
                judge_lines(&o);
                if (c->json != JSON_OFF ? judge_json(&o) != 1 : lines(&o) != 1)
                        abort();
                free(o.p);
                (void) history_is_refused(&h->entries[i]);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct history_entry entries[ENTRIES_MAX];
        struct input in = { data, size };
        struct history h = { .entries = entries };
        uint8_t how = take_byte(&in);
        struct ctl c = { .json = (enum json_mode) (how % 3), .legend = how & 0x10, .reverse = how & 0x20 };

        log_set_target(LOG_TARGET_NULL);
        for (unsigned i = 0; in.left > 0 && i < ENTRIES_MAX; i++)
                (void) take_one(&h, &in);
        show(&c, &h);
        for (size_t i = 0; i < h.n; i++)
                history_entry_done(&entries[i]);
        return 0;
}
