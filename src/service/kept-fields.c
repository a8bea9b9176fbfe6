/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of fields. */
#include "basic/escape.h"
#include "basic/parse.h"
#include "service/kept-fields.h"

int kept_field(const char *text, const char *name, char **ret) {
        size_t n = strlen(name);

        for (const char *line = text; *line;) {
                size_t length = strcspn(line, "\n");

                if (length > n && memcmp(line, name, n) == 0 && line[n] == '=') {
                        const char *value = line + n + 1;
                        size_t size = length - n - 1;

                        if (!utf8_is_printable(value, size))
                                return -EBADMSG;
                        *ret = strndup(value, size);
                        return *ret ? 0 : -ENOMEM;
                }
                line += length;
                line += *line == '\n';
        }
        return -ENOENT;
}

int kept_field_u64(const char *text, const char *name, uint64_t *ret) {
        _cleanup_free_ char *value = NULL;
        int r;

        r = kept_field(text, name, &value);
        if (r < 0)
                return r;
        return parse_unsigned(value, 0, UINT64_MAX, ret) < 0 ? -EBADMSG : 0;
}
