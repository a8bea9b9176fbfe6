/* SPDX-License-Identifier: Apache-2.0 */
/* Terms from anybody: read in every way, skipped, printed, and written anew. */
#include "fuzz.h"
#include "lib/eterm.h"
#include "lib/value.h"

static void read_in_every_way(const struct eterm *at) {
        struct confd_ha_node node;
        struct eterm_bytes s;
        struct eterm_list list;
        confd_value_t v;
        uint8_t text[64];
        struct eterm c;
        uint64_t u;
        int64_t i;
        size_t n;

#define UNMOVED(call) ({ c = *at; int _r = (call); if (_r < 0 && c.p != at->p) abort(); })
        UNMOVED(eterm_int64(&c, &i));
        UNMOVED(eterm_uint64(&c, &u));
        UNMOVED(eterm_atom(&c, &s));
        UNMOVED(eterm_atom_is(&c, "ok"));
        UNMOVED(eterm_tuple(&c, &n));
        UNMOVED(eterm_list(&c, &list));
        UNMOVED(eterm_binary(&c, &s));
        UNMOVED(eterm_text(&c, text, sizeof(text), &n));
        UNMOVED(value_get(&c, &v));
        UNMOVED(node_get(&c, &node));
        UNMOVED(node_get_address(&c, &node));
}

/* A value that was read is written and read again as the same. */
static void write_anew(const struct eterm *at) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        struct eterm_writer w = eterm_write_begin(&b);
        struct eterm c = *at;
        confd_value_t v, back;

        if (value_get(&c, &v) < 0)
                return;
        value_put(&w, &v);
        if (eterm_write_end(&w) < 0)
                abort();
        c = eterm_init(buffer_head(&b), buffer_size(&b));
        if (value_get(&c, &back) < 0 || !eterm_at_end(&c) || !value_equal(&v, &back))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct eterm c = eterm_init(data, size), message;
        struct eterm_bytes all = { data, size };
        char text[300];
        size_t n;

        if (eterm_message(data, size, &message) >= 0 && eterm_skip(&message, NULL) < 0)
                abort();
        if (eterm_version(&c) >= 0)
                all = (struct eterm_bytes) { c.p, (size_t) (c.end - c.p) };
        read_in_every_way(&c);
        write_anew(&c);
        n = eterm_format(&all, text, sizeof(text));
        if (strlen(text) > n || n > ETERM_FORMAT_MAX + 8)
                abort();
        (void) term_format_id(&all, text, sizeof(text));
        (void) term_format_address(&all, text, 7);
        if (eterm_skip(&c, &all) >= 0 && all.size == 0)
                abort();
        return 0;
}
