/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is taken of an entry of the journal: which it is, and its fields as text. Knows no journal. */
#include "basic/escape.h"
#include "ctl/history.h"

/* Anybody's bytes: what is no text is escaped, and what is too long is cut. */
static int get_field(history_get_fn get, void *userdata, const char *name, char **ret) {
        size_t size, skip = strlen(name) + 1;
        const void *data;
        const char *value;
        int r;

        r = get(userdata, name, &data, &size);
        if (r == -ENOENT) {
                *ret = NULL;
                return 0;
        }
        if (r < 0)
                return r;
        value = (const char *) data + MIN(size, skip);
        size = size < skip ? 0 : MIN(size - skip, (size_t) HISTORY_FIELD_MAX);
        if (!utf8_is_valid(value, size)) {
                *ret = utf8_escape(value, size);
                return *ret ? 0 : -ENOMEM;
        }
        *ret = calloc(1, size + 1);
        if (!*ret)
                return -ENOMEM;
        memcpy(*ret, value, size);
        return 0;
}

int history_entry_read(struct history_entry *e, history_get_fn get, void *userdata) {
        _cleanup_free_ char *id = NULL;
        int r;

        r = get_field(get, userdata, "MESSAGE_ID", &id);
        if (r < 0)
                return r;
        for (size_t i = 0; id && history_message_id(i); i++)
                if (streq(id, history_message_id(i)))
                        e->message_id = history_message_id(i);
        if (!e->message_id)
                return -ENOENT;
        for (enum history_field f = 0; f < HISTORY_FIELDS; f++) {
                r = get_field(get, userdata, history_field_name(f), e->fields + f);
                if (r < 0)
                        return r;
        }
        return 0;
}
