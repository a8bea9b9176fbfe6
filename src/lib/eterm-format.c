/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the printed form of terms, as Erlang's ~w and ~p write them. */
#include <ctype.h>

#include "lib/eterm.h"
#include "lib/sink.h"

/* What is open while elements are printed. */
struct level {
        char close;     /* '}' or ']' */
        bool map;
        size_t n;       /* elements in all; of a list without its tail */
        size_t done;
        bool tail;      /* a list's tail comes after them */
};

static bool all_printable(const struct eterm_bytes *s) {
        for (size_t i = 0; i < s->size; i++)
                if (s->data[i] < 0x20 || s->data[i] > 0x7e)
                        return false;
        return true;
}

static void put_quoted(struct sink *out, const struct eterm_bytes *s, char quote) {
        sink_put(out, &quote, 1);
        for (size_t i = 0; i < s->size && !out->full; i++) {
                char c = (char) s->data[i];

                if (c == quote || c == '\\')
                        sink_printf(out, "\\%c", c);
                else if (s->data[i] < 0x20 || s->data[i] > 0x7e)
                        sink_printf(out, "\\x{%02X}", s->data[i]);
                else
                        sink_put(out, &c, 1);
        }
        sink_put(out, &quote, 1);
}

static void put_bytes(struct sink *out, const struct eterm_bytes *s) {
        for (size_t i = 0; i < s->size && !out->full; i++)
                sink_printf(out, i == 0 ? "%u" : ",%u", s->data[i]);
}

static void put_atom(struct sink *out, const struct eterm_bytes *s) {
        bool plain = s->size > 0 && islower(s->data[0]) && s->data[0] < 0x80;

        for (size_t i = 0; plain && i < s->size; i++)
                plain = s->data[i] < 0x80 && (isalnum(s->data[i]) || s->data[i] == '_' || s->data[i] == '@');
        if (plain)
                sink_put(out, (const char *) s->data, s->size);
        else
                put_quoted(out, s, '\'');
}

static int put_integer(struct sink *out, struct eterm *c) {
        struct eterm_bytes all;
        int64_t i;
        uint64_t u;
        int r;

        if (eterm_int64(c, &i) >= 0) {
                sink_printf(out, "%lli", (long long) i);
                return 0;
        }
        if (eterm_uint64(c, &u) >= 0) {
                sink_printf(out, "%llu", (unsigned long long) u);
                return 0;
        }
        /* Beyond 64 bits: in base 16, which needs no arithmetic. The magnitude stands behind tag, length and sign. */
        r = eterm_skip(c, &all);
        if (r < 0)
                return r;
        size_t head = all.data[0] == ETERM_SMALL_BIG ? 3 : 6;
        sink_puts(out, all.data[head - 1] ? "-16#" : "16#");
        for (size_t k = all.size; k > head && !out->full; k--)
                sink_printf(out, "%02X", all.data[k - 1]);
        return 0;
}

static int put_other(struct sink *out, struct eterm *c) {
        struct eterm_bytes all;
        uint64_t bits = 0;
        double d;
        int r;

        r = eterm_skip(c, &all);
        if (r < 0)
                return r;
        switch (all.data[0]) {
        case ETERM_NEW_FLOAT:
                for (size_t i = 1; i < all.size; i++)
                        bits = bits << 8 | all.data[i];
                memcpy(&d, &bits, sizeof(d));
                sink_printf(out, "#Float<%.17g>", d);
                return 0;
        case ETERM_FLOAT:
                sink_puts(out, "#Float<");
                sink_put_escaped(out, all.data + 1, strnlen((const char *) all.data + 1, all.size - 1));
                sink_puts(out, ">");
                return 0;
        case ETERM_BIT_BINARY:
                sink_puts(out, "#Bits");
                return 0;
        case ETERM_PID:
        case ETERM_NEW_PID:
                sink_puts(out, "#Pid");
                return 0;
        case ETERM_PORT:
        case ETERM_NEW_PORT:
        case ETERM_V4_PORT:
                sink_puts(out, "#Port");
                return 0;
        case ETERM_NEW_FUN:
        case ETERM_EXPORT:
                sink_puts(out, "#Fun");
                return 0;
        default:
                sink_puts(out, "#Ref");
                return 0;
        }
}

/* A string in short form; the reader has no function that views one, since only text and skipping need it. */
static int put_string(struct sink *out, struct eterm *c) {
        struct eterm_bytes s;
        int r;

        r = eterm_skip(c, &s);
        if (r < 0)
                return r;
        s.data += 3;
        s.size -= 3;
        if (all_printable(&s))
                put_quoted(out, &s, '"');
        else {
                sink_puts(out, "[");
                put_bytes(out, &s);
                sink_puts(out, "]");
        }
        return 0;
}

/* Reads a map's head; only its pairs are of interest here. */
static int take_map_head(struct eterm *c, size_t *ret_n) {
        const uint8_t *p = c->p;
        size_t n;

        if (c->end - p < 5)
                return -EBADMSG;
        n = (size_t) p[1] << 24 | (size_t) p[2] << 16 | (size_t) p[3] << 8 | p[4];
        if (n > (size_t) (c->end - p))
                return -EBADMSG;
        c->p += 5;
        *ret_n = n * 2;
        return 0;
}

/* Prints a leaf, or opens a container: then *ret_open is set. */
static int put_term(struct sink *out, struct eterm *c, struct level *ret_level, bool *ret_open) {
        struct eterm_bytes s;
        struct eterm_list list;
        size_t n;
        int r;

        *ret_open = false;
        switch (eterm_kind(c)) {
        case ETERM_KIND_INTEGER:
                return put_integer(out, c);
        case ETERM_KIND_ATOM:
                r = eterm_atom(c, &s);
                if (r >= 0)
                        put_atom(out, &s);
                return r;
        case ETERM_KIND_STRING:
                return put_string(out, c);
        case ETERM_KIND_BINARY:
                r = eterm_binary(c, &s);
                if (r < 0)
                        return r;
                sink_puts(out, "<<");
                if (s.size > 0 && all_printable(&s))
                        put_quoted(out, &s, '"');
                else
                        put_bytes(out, &s);
                sink_puts(out, ">>");
                return 0;
        case ETERM_KIND_TUPLE:
                r = eterm_tuple(c, &n);
                if (r < 0)
                        return r;
                sink_puts(out, "{");
                *ret_level = (struct level) { .close = '}', .n = n };
                *ret_open = true;
                return 0;
        case ETERM_KIND_LIST:
                r = eterm_list(c, &list);
                if (r < 0)
                        return r;
                sink_puts(out, "[");
                *ret_level = (struct level) { .close = ']', .n = list.n, .tail = list.has_tail };
                *ret_open = true;
                return 0;
        case ETERM_KIND_OTHER:
                if (*c->p != ETERM_MAP)
                        return put_other(out, c);
                r = take_map_head(c, &n);
                if (r < 0)
                        return r;
                sink_puts(out, "#{");
                *ret_level = (struct level) { .close = '}', .n = n, .map = true };
                *ret_open = true;
                return 0;
        case ETERM_KIND_NONE:
        default:
                return -EBADMSG;
        }
}

static int put_all(struct sink *out, struct eterm *c) {
        struct level levels[ETERM_DEPTH_MAX + 1], *l;
        size_t depth = 0;
        bool open;
        int r;

        for (;;) {
                r = put_term(out, c, &levels[depth], &open);
                if (r < 0)
                        return r;
                depth += open;
                /* An empty one nests nothing. */
                if (depth > ETERM_DEPTH_MAX && (levels[depth - 1].n > 0 || levels[depth - 1].tail))
                        return -EBADMSG;
                /* What comes behind the term that has just ended: a separator, or the ends of containers. */
                for (; depth > 0; depth--) {
                        l = &levels[depth - 1];
                        if (l->done < l->n) {
                                if (l->done > 0)
                                        sink_puts(out, l->map && l->done % 2 == 1 ? " => " : ",");
                                l->done++;
                                break;
                        }
                        if (l->tail) {
                                l->tail = false;
                                if (c->p < c->end && *c->p != ETERM_NIL) {
                                        sink_puts(out, "|");
                                        break;
                                }
                                if (c->p == c->end)
                                        return -EBADMSG;
                                c->p++;
                        }
                        sink_put(out, &l->close, 1);
                }
                if (depth == 0 || out->full)
                        return 0;
        }
}

size_t eterm_format(const struct eterm_bytes *term, char *buf, size_t size) {
        struct sink out = sink_init(buf, size, ETERM_FORMAT_MAX);
        struct eterm c = eterm_init(term->data, term->size);

        if (put_all(&out, &c) < 0)
                sink_puts(&out, "#Bad");
        return out.n;
}
