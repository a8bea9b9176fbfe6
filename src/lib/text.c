/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the public functions that print or release values. */
#include <limits.h>

#include <confd_ha_client.h>

#include "lib/errors.h"
#include "lib/export.h"
#include "lib/value.h"

_public_ size_t confd_ha_format_id(const struct confd_ha_term *id, char *buf, size_t size) {
        return term_format_id(&(const struct eterm_bytes) { id->data, id->size }, buf, size);
}

_public_ size_t confd_ha_format_address(const struct confd_ha_term *address, char *buf, size_t size) {
        return term_format_address(&(const struct eterm_bytes) { address->data, address->size }, buf, size);
}

_public_ int confd_pp_value(char *buf, int bufsiz, const confd_value_t *v) {
        size_t n;

        if (bufsiz < 0 || (!buf && bufsiz > 0) || !v)
                return error_set(CONFD_ERR_PROTOUSAGE, "confd_pp_value: %s",
                                 !v ? "the value is NULL" : !buf ? "the buffer is NULL" : "the size is negative");
        n = value_format(v, buf, (size_t) bufsiz);
        return n > INT_MAX ? INT_MAX : (int) n;
}

_public_ void confd_free_value(confd_value_t *v) {
        if (!v)
                return;
        if (v->type == C_BUF || v->type == C_BINARY)
                free(v->val.buf.ptr);
        CONFD_SET_NOEXISTS(v);
}
