/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the rule for ids that people give. */
#include "basic/escape.h"
#include "basic/node-name.h"

bool node_id_is_valid(const char *s) {
        size_t n = strnlen(s, NODE_ID_MAX + 1);

        return n >= 1 && n <= NODE_ID_MAX && utf8_is_plain(s, n) && !utf8_is_blank(s, n);
}
