/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of fields. */
#include "basic/escape.h"
#include "basic/parse.h"
#include "service/kept-fields.h"

int kept_field(const char *text, const char *name, char **ret) {
        const char *found = NULL;
        size_t n = strlen(name), size = 0;

        for (const char *line = text; *line;) {
                size_t length = strcspn(line, "\n");

                if (length > n && memcmp(line, name, n) == 0 && line[n] == '=') {
                        if (found)
                                return -EBADMSG;
                        found = line + n + 1;
                        size = length - n - 1;
                }
                line += length;
                line += *line == '\n';
        }
        if (!found)
                return -ENOENT;
        if (!utf8_is_printable(found, size))
                return -EBADMSG;
        *ret = strndup(found, size);
        return *ret ? 0 : -ENOMEM;
}

int kept_field_u64(const char *text, const char *name, uint64_t *ret) {
        _cleanup_free_ char *value = NULL;
        int r;

        r = kept_field(text, name, &value);
        if (r < 0)
                return r;
        /* As it is written: without zeros before it. */
        return (value[0] == '0' && value[1]) || parse_unsigned(value, 0, UINT64_MAX, ret) < 0 ? -EBADMSG : 0;
}
