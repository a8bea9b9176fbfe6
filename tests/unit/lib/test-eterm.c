/* SPDX-License-Identifier: Apache-2.0 */
/* Terms: the vectors in both directions, every tag, every limit, and what no peer should send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/eterm.h"

static size_t unhex(const char *hex, uint8_t *to) {
        size_t n = strcspn(hex, "\t\n") / 2;

        for (size_t i = 0; i < n; i++) {
                unsigned v;

                assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
                to[i] = (uint8_t) v;
        }
        return n;
}

/* A term whose allocation ends where it ends, so that the sanitizer sees a byte too far. */
static struct eterm exact(const void *p, size_t n, void **ret_owner) {
        *ret_owner = malloc(n ?: 1);
        assert_non_null(*ret_owner);
        memcpy(*ret_owner, p, n);
        return eterm_init(*ret_owner, n);
}

/* Writes the term at the cursor anew with our own writer. Recursion is fine in a test with terms of its own. */
static void copy_term(struct eterm *c, struct eterm_writer *w) {
        struct eterm_list list;
        struct eterm_bytes s;
        uint8_t text[300];
        char name[256];
        uint64_t u;
        int64_t i;
        size_t n;

        switch (eterm_kind(c)) {
        case ETERM_KIND_INTEGER:
                if (eterm_int64(c, &i) >= 0)
                        eterm_put_int(w, i);
                else {
                        assert_int_equal(eterm_uint64(c, &u), 0);
                        eterm_put_uint(w, u);
                }
                break;
        case ETERM_KIND_ATOM:
                assert_int_equal(eterm_atom(c, &s), 0);
                memcpy(name, s.data, s.size);
                name[s.size] = 0;
                eterm_put_atom(w, name);
                break;
        case ETERM_KIND_TUPLE:
                assert_int_equal(eterm_tuple(c, &n), 0);
                eterm_put_tuple(w, n);
                while (n-- > 0)
                        copy_term(c, w);
                break;
        case ETERM_KIND_LIST:
                assert_int_equal(eterm_list(c, &list), 0);
                eterm_put_list(w, list.n);
                for (n = 0; n < list.n; n++)
                        copy_term(c, w);
                assert_int_equal(eterm_list_end(c, &list), 0);
                if (list.n > 0)
                        eterm_put_nil(w);
                break;
        case ETERM_KIND_BINARY:
                assert_int_equal(eterm_binary(c, &s), 0);
                eterm_put_binary(w, s.data, s.size);
                break;
        case ETERM_KIND_STRING:
                assert_int_equal(eterm_text(c, text, sizeof(text), &n), 0);
                assert_int_equal(n, 3);
                eterm_put_raw(w, (const uint8_t[]) { ETERM_STRING, 0, 3 }, 3);
                eterm_put_raw(w, text, n);
                break;
        default:
                fail();
        }
}

static void vectors_are_read_and_written(void **state) {
        FILE *f = fopen(VECTORS, "re");
        unsigned count = 0;
        char line[4096];

        assert_non_null(f);
        while (fgets(line, sizeof(line), f)) {
                _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
                char *name = strtok(line, "\t"), *hex = strtok(NULL, "\t"), *term = strtok(NULL, "\n");
                struct eterm_writer w;
                struct eterm_bytes all;
                struct eterm c, at;
                uint8_t message[512];
                char text[512];
                size_t n = unhex(hex, message), n_text;

                count++;
                assert_int_equal(eterm_message(message, n, &c), 0);
                at = c;
                assert_int_equal(eterm_skip(&at, &all), 0);
                assert_true(eterm_at_end(&at));
                n_text = eterm_format(&all, text, sizeof(text));
                assert_int_equal(n_text, strlen(text));
                assert_string_equal(text, streq(name, "atom utf8") ? "'\\x{E5}'" : term);

                /* The writer makes the same bytes, but for the atom in the form of OTP 26. */
                w = eterm_write_begin(&b);
                eterm_put_version(&w);
                copy_term(&c, &w);
                assert_int_equal(eterm_write_end(&w), 0);
                if (streq(name, "atom in OTP 26 form"))
                        continue;
                assert_int_equal(buffer_size(&b), n);
                assert_memory_equal(buffer_head(&b), message, n);

                /* Cut anywhere, it is no message; with a byte more neither. */
                for (size_t k = 0; k < n; k++) {
                        void *owner;
                        struct eterm t = exact(message, k, &owner), got;

                        assert_int_equal(eterm_message(t.p, k, &got), -EBADMSG);
                        free(owner);
                }
                message[n] = ETERM_NIL;
                assert_int_equal(eterm_message(message, n + 1, &c), -EBADMSG);
        }
        fclose(f);
        assert_int_equal(count, 30);
}

/* One term of each tag there is. */
static const struct {
        const char *hex;
        enum eterm_kind kind;
        const char *text;
} every[] = {
        { "61ff", ETERM_KIND_INTEGER, "255" },
        { "6280000000", ETERM_KIND_INTEGER, "-2147483648" },
        { "6e00 00", ETERM_KIND_INTEGER, "0" },
        { "6e0100ff", ETERM_KIND_INTEGER, "255" },
        { "6e0800ffffffffffffffff", ETERM_KIND_INTEGER, "18446744073709551615" },
        { "6e0901000000000000000001", ETERM_KIND_INTEGER, "-16#010000000000000000" },
        { "6f0000000200ffff", ETERM_KIND_INTEGER, "65535" },
        { "6f000000090001020304050607080f", ETERM_KIND_INTEGER, "16#0F0807060504030201" },
        { "64000141", ETERM_KIND_ATOM, "'A'" },
        { "640000", ETERM_KIND_ATOM, "''" },
        { "7302616b", ETERM_KIND_ATOM, "ak" },
        { "760003c3a562", ETERM_KIND_ATOM, "'\\x{C3}\\x{A5}b'" },
        { "77026f6b", ETERM_KIND_ATOM, "ok" },
        { "6800", ETERM_KIND_TUPLE, "{}" },
        { "69000000016a", ETERM_KIND_TUPLE, "{[]}" },
        { "6a", ETERM_KIND_LIST, "[]" },
        { "6b00026869", ETERM_KIND_STRING, "\"hi\"" },
        { "6b000101", ETERM_KIND_STRING, "[1]" },
        { "6b0000", ETERM_KIND_STRING, "\"\"" },
        { "6c0000000261016102 6a", ETERM_KIND_LIST, "[1,2]" },
        { "6c0000000161016102", ETERM_KIND_LIST, "[1|2]" },
        { "6c000000006a", ETERM_KIND_LIST, "[]" },
        { "6d00000003616200", ETERM_KIND_BINARY, "<<97,98,0>>" },
        { "6d00000000", ETERM_KIND_BINARY, "<<>>" },
        { "4d000000010340", ETERM_KIND_OTHER, "#Bits" },
        { "463ff8000000000000", ETERM_KIND_OTHER, "#Float<1.5>" },
        { "63312e3530303030303030303030303030303030303030652b30300000000000", ETERM_KIND_OTHER,
          "#Float<1.50000000000000000000e+00>" },
        { "7400000001610164000161", ETERM_KIND_OTHER, "#{1 => a}" },
        { "7400000000", ETERM_KIND_OTHER, "#{}" },
        { "58640001610000000000000001 00000002", ETERM_KIND_OTHER, "#Pid" },
        { "6764000161000000000000000100", ETERM_KIND_OTHER, "#Pid" },
        { "6664000161 0000000000", ETERM_KIND_OTHER, "#Port" },
        { "5977016100000000 00000000", ETERM_KIND_OTHER, "#Port" },
        { "7877016100000000 00000000 00000000", ETERM_KIND_OTHER, "#Port" },
        { "6564000161 0000000000", ETERM_KIND_OTHER, "#Ref" },
        { "720001 64000161 00 00000001", ETERM_KIND_OTHER, "#Ref" },
        { "5a0002 77016100000000 00000001 00000002", ETERM_KIND_OTHER, "#Ref" },
        { "71 77056c69737473 77036d6170 6102", ETERM_KIND_OTHER, "#Fun" },
        { "70 00000006 aabb", ETERM_KIND_OTHER, "#Fun" },
};

static size_t unhex_spaced(const char *hex, uint8_t *to) {
        char dense[256];
        size_t n = 0;

        for (; *hex; hex++)
                if (*hex != ' ')
                        dense[n++] = *hex;
        dense[n] = 0;
        return unhex(dense, to);
}

static void every_tag_is_read(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(every); i++) {
                uint8_t bytes[128];
                struct eterm_bytes all;
                size_t n = unhex_spaced(every[i].hex, bytes);
                char text[128];
                struct eterm c = eterm_init(bytes, n);
                void *owner;

                assert_int_equal(eterm_kind(&c), every[i].kind);
                assert_int_equal(eterm_skip(&c, &all), 0);
                if (!eterm_at_end(&c))
                        fail_msg("%s: not skipped whole", every[i].hex);
                assert_int_equal(all.size, n);
                eterm_format(&all, text, sizeof(text));
                if (every[i].text)
                        assert_string_equal(text, every[i].text);
                for (size_t k = 0; k < n; k++) {
                        c = exact(bytes, k, &owner);
                        assert_int_equal(eterm_skip(&c, &all), -EBADMSG);
                        assert_ptr_equal(c.p, owner); /* an error moves nothing */
                        eterm_format(&(struct eterm_bytes) { c.p, k }, text, sizeof(text));
                        free(owner);
                }
        }
}

static void unknown_tags_are_refused(void **state) {
        for (unsigned tag = 0; tag < 256; tag++) {
                uint8_t bytes[64] = { (uint8_t) tag };
                struct eterm c = eterm_init(bytes, sizeof(bytes));

                if (eterm_kind(&c) == ETERM_KIND_NONE)
                        assert_int_equal(eterm_skip(&c, NULL), -EBADMSG);
        }
        assert_int_equal(eterm_kind(&(struct eterm) {}), ETERM_KIND_NONE);
}

static void integers_have_their_shortest_form(void **state) {
        static const int64_t values[] = { 0, 1, 255, 256, -1, INT32_MAX, INT32_MIN, INT32_MAX + 1LL, INT32_MIN - 1LL,
                                          INT64_MAX, INT64_MIN, INT64_MIN + 1 };
        static const uint8_t first[] = { 97, 97, 97, 98, 98, 98, 98, 110, 110, 110, 110, 110 };
        uint64_t u;
        int64_t v;

        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
                struct eterm_writer w = eterm_write_begin(&b);
                struct eterm c;

                eterm_put_int(&w, values[i]);
                assert_int_equal(eterm_write_end(&w), 0);
                assert_int_equal(buffer_head(&b)[0], first[i]); /* the shortest form */
                c = eterm_init(buffer_head(&b), buffer_size(&b));
                assert_int_equal(eterm_int64(&c, &v), 0);
                assert_true(v == values[i]);
                assert_true(eterm_at_end(&c));
                c = eterm_init(buffer_head(&b), buffer_size(&b));
                if (values[i] < 0)
                        assert_int_equal(eterm_uint64(&c, &u), -ERANGE);
                else
                        assert_true(eterm_uint64(&c, &u) >= 0 && u == (uint64_t) values[i]);
                c = eterm_init(buffer_head(&b), buffer_size(&b));
                assert_int_equal(eterm_int(&c, values[i], values[i], &v), 0);
                c = eterm_init(buffer_head(&b), buffer_size(&b));
                if (values[i] < INT64_MAX)
                        assert_int_equal(eterm_int(&c, values[i] + 1, INT64_MAX, &v), -ERANGE);
                if (values[i] > INT64_MIN)
                        assert_int_equal(eterm_int(&c, INT64_MIN, values[i] - 1, &v), -ERANGE);
        }
}

static void integers_that_do_not_fit_are_told(void **state) {
        static const struct {
                const char *hex;
                int as_int64, as_uint64;
        } cases[] = {
                { "6e0800ffffffffffffff7f", 0, 0 },              /* 2^63 - 1 */
                { "6e08000000000000000080", -ERANGE, 0 },        /* 2^63 */
                { "6e08010000000000000080", 0, -ERANGE },        /* -2^63 */
                { "6e08010100000000000080", -ERANGE, -ERANGE },  /* -2^63 - 1 */
                { "6e0800ffffffffffffffff", -ERANGE, 0 },        /* 2^64 - 1 */
                { "6e0900000000000000000001", -ERANGE, -ERANGE },/* 2^64 */
                { "6e0900010000000000000000", 0, 0 },            /* 1, with zeros in front */
                { "6e0000", 0, 0 },                              /* no bytes at all: 0 */
                { "6e0101 00", 0, 0 },                           /* -0 */
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t bytes[32];
                size_t n = unhex_spaced(cases[i].hex, bytes);
                struct eterm c = eterm_init(bytes, n);
                uint64_t u = 77;
                int64_t v = 77;

                assert_int_equal(eterm_int64(&c, &v), cases[i].as_int64);
                assert_true(cases[i].as_int64 == 0 || (v == 77 && c.p == bytes));
                c = eterm_init(bytes, n);
                assert_int_equal(eterm_uint64(&c, &u), cases[i].as_uint64);
                assert_true(cases[i].as_uint64 == 0 || (u == 77 && c.p == bytes));
        }
}

static void kinds_are_not_confused(void **state) {
        static const char *const samples[] = { "6101", "64000161", "6800", "6a", "6b000161", "6d0000000161", "463ff8000000000000" };

        for (size_t i = 0; i < ELEMENTSOF(samples); i++) {
                uint8_t bytes[16], text[4];
                size_t n = unhex(samples[i], bytes), arity = 77, got = 77;
                struct eterm c = eterm_init(bytes, n), t;
                struct eterm_list list;
                struct eterm_bytes s;
                int64_t v;

                t = c;
                assert_int_equal(eterm_int64(&t, &v), i == 0 ? 0 : -EPROTOTYPE);
                t = c;
                assert_int_equal(eterm_atom(&t, &s), i == 1 ? 0 : -EPROTOTYPE);
                t = c;
                assert_int_equal(eterm_atom_is(&t, "a"), i == 1 ? 0 : -EPROTOTYPE);
                assert_int_equal(eterm_atom_is(&c, "ab"), -EPROTOTYPE);
                assert_int_equal(eterm_atom_is(&c, ""), -EPROTOTYPE);
                t = c;
                assert_int_equal(eterm_tuple(&t, &arity), i == 2 ? 0 : -EPROTOTYPE);
                assert_int_equal(eterm_tuple_of(&c, 1), -EPROTOTYPE);
                t = c;
                assert_int_equal(eterm_list(&t, &list), i == 3 ? 0 : -EPROTOTYPE);
                t = c;
                assert_int_equal(eterm_binary(&t, &s), i == 5 ? 0 : -EPROTOTYPE);
                t = c;
                assert_int_equal(eterm_text(&t, text, sizeof(text), &got), i == 3 || i == 4 || i == 5 ? 0 : -EPROTOTYPE);
                if (i == 3)
                        assert_int_equal(got, 0);
                assert_ptr_equal(c.p, bytes);
        }
}

static void all_forms_of_text_are_read(void **state) {
        static const struct {
                const char *hex;
                int result;
        } cases[] = {
                { "6d00000003 616263", 3 },
                { "6b0003 616263", 3 },
                { "6c00000003 6161 6162 6163 6a", 3 },
                { "6c00000003 6161 6200000062 6e010063 6a", 3 },
                { "6a", 0 },
                { "6b0000", 0 },
                { "6d00000004 61626364", -ENOBUFS },
                { "6b0004 61626364", -ENOBUFS },
                { "6c00000004 6161 6162 6163 6164 6a", -ENOBUFS },
                { "6c00000001 6200000100 6a", -EPROTOTYPE },
                { "6c00000001 62ffffffff 6a", -EPROTOTYPE },
                { "6c00000001 6a 6a", -EPROTOTYPE },
                { "6c00000001 6161 6162", -EPROTOTYPE },
                { "6c00000002 6161 6a", -EPROTOTYPE },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t bytes[64], text[4] = { 0, 0, 0, 77 };
                size_t n = unhex_spaced(cases[i].hex, bytes), got = 77;
                struct eterm c = eterm_init(bytes, n);
                int r = eterm_text(&c, text, 3, &got);

                if (r < 0 ? r != cases[i].result : (int) got != cases[i].result)
                        fail_msg("%s: %i", cases[i].hex, r);
                assert_true(r >= 0 || (got == 77 && c.p == bytes));
                if (r >= 0)
                        assert_memory_equal(text, "abc", got);
                assert_int_equal(text[3], 77);
        }
}

static void counts_past_the_end_are_refused(void **state) {
        static const char *const bad[] = {
                "68ff", "69ffffffff", "6cffffffff", "6c0000000161", "74ffffffff", "7480000001", "6dffffffff", "6bffff", "6effff",
                "6fffffffff00", "64ffff", "77ff", "4dffffffff01", "72ffff64000161", "5affff640001610000000000", "70ffffffff", "7000000003",
                "7000000000", "6d80000000", "6980000000", "586161",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                uint8_t bytes[32];
                size_t n = unhex(bad[i], bytes);
                char text[64];
                void *owner;
                struct eterm c = exact(bytes, n, &owner), t = c;
                struct eterm_bytes s;
                struct eterm_list list;
                size_t arity;
                int64_t v;

                if (eterm_skip(&t, NULL) != -EBADMSG)
                        fail_msg("%s is skipped", bad[i]);
                t = c;
                (void) eterm_format(&(struct eterm_bytes) { c.p, n }, text, sizeof(text));
                assert_true(eterm_tuple(&t, &arity) < 0);
                t = c;
                assert_true(eterm_list(&t, &list) < 0 || list.n <= n);
                t = c;
                assert_true(eterm_binary(&t, &s) < 0);
                t = c;
                assert_true(eterm_int64(&t, &v) < 0);
                free(owner);
        }
}

static void depth_is_limited(void **state) {
        uint8_t bytes[2 * (ETERM_DEPTH_MAX + 1) + 1];

        for (unsigned depth = ETERM_DEPTH_MAX; depth <= ETERM_DEPTH_MAX + 1; depth++) {
                size_t n = 0;
                struct eterm c;
                char text[256];

                for (unsigned i = 0; i < depth; i++) {
                        bytes[n++] = ETERM_SMALL_TUPLE;
                        bytes[n++] = 1;
                }
                bytes[n++] = ETERM_NIL;
                c = eterm_init(bytes, n);
                assert_int_equal(eterm_skip(&c, NULL), depth > ETERM_DEPTH_MAX ? -EBADMSG : 0);
                eterm_format(&(struct eterm_bytes) { bytes, n }, text, sizeof(text));
                assert_true(!strstr(text, "#Bad") == (depth <= ETERM_DEPTH_MAX));
        }

        /* A million deep, and a million wide. */
        size_t n = 2 * 1000 * 1000 + 1;
        uint8_t *deep = malloc(n);
        struct eterm c = eterm_init(deep, n);
        char text[64];

        assert_non_null(deep);
        for (size_t i = 0; i + 1 < n; i += 2) {
                deep[i] = ETERM_SMALL_TUPLE;
                deep[i + 1] = 1;
        }
        deep[n - 1] = ETERM_NIL;
        assert_int_equal(eterm_skip(&c, NULL), -EBADMSG);
        memset(deep, ETERM_NIL, n);
        memcpy(deep, "\x6c\0\x0f\x42\x40", 5);
        c = eterm_init(deep, n);
        assert_int_equal(eterm_skip(&c, NULL), 0);
        assert_int_equal(c.p - deep, 5 + 1000000 + 1);
        assert_int_equal(eterm_format(&(struct eterm_bytes) { deep, n }, text, sizeof(text)), ETERM_FORMAT_MAX + 3);
        free(deep);
}

static void a_message_begins_with_the_version(void **state) {
        struct eterm c;

        assert_int_equal(eterm_message("\x83\x6a", 2, &c), 0);
        assert_int_equal(eterm_message("\x82\x6a", 2, &c), -EBADMSG);
        assert_int_equal(eterm_message("\x83", 1, &c), -EBADMSG);
        assert_int_equal(eterm_message(NULL, 0, &c), -EBADMSG);
        assert_int_equal(eterm_message("\x83\x50\0\0\0\1\x6a", 7, &c), -EBADMSG); /* compressed */
        c = eterm_init("\x83\x50\0\0\0\1\x6a", 7);
        assert_int_equal(eterm_version(&c), -EBADMSG);
        c = eterm_init("\x6a\x83", 2);
        assert_int_equal(eterm_version(&c), -EPROTOTYPE);
}

static void text_is_cut_and_counted(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        struct eterm_writer w = eterm_write_begin(&b);
        struct eterm_bytes term;
        char text[32], *big;
        size_t n;

        eterm_put_tuple(&w, 2);
        eterm_put_int(&w, 12345);
        eterm_put_binary(&w, "a\"b\\c", 5);
        assert_int_equal(eterm_write_end(&w), 0);
        term = (struct eterm_bytes) { buffer_head(&b), buffer_size(&b) };
        n = eterm_format(&term, NULL, 0);
        assert_int_equal(n, 21);
        for (size_t size = 1; size < sizeof(text); size++) {
                memset(text, 'x', sizeof(text));
                assert_int_equal(eterm_format(&term, text, size), n);
                assert_true(strlen(text) < size);
                if (size > n)
                        assert_string_equal(text, "{12345,<<\"a\\\"b\\\\c\">>}");
        }

        buffer_clear(&b);
        w = eterm_write_begin(&b);
        big = calloc(1, ETERM_FORMAT_MAX * 2);
        assert_non_null(big);
        memset(big, 'x', ETERM_FORMAT_MAX);
        eterm_put_binary(&w, big, ETERM_FORMAT_MAX);
        assert_int_equal(eterm_write_end(&w), 0);
        term = (struct eterm_bytes) { buffer_head(&b), buffer_size(&b) };
        n = eterm_format(&term, big, ETERM_FORMAT_MAX * 2);
        assert_int_equal(n, ETERM_FORMAT_MAX + 3);
        assert_string_equal(big + n - 3, "...");
        free(big);
}

static void the_writer_writes_all_or_nothing(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(16);
        struct eterm_writer w;
        char name[257];

        assert_int_equal(buffer_append(&b, "before", 6), 0);
        w = eterm_write_begin(&b);
        eterm_put_binary(&w, "12345678901", 5);
        assert_int_equal(eterm_write_end(&w), 0);
        assert_int_equal(buffer_size(&b), 16);

        /* Past the buffer's limit nothing is left of what was begun. */
        w = eterm_write_begin(&b);
        eterm_put_tuple(&w, 0);
        eterm_put_nil(&w);
        assert_int_equal(eterm_write_end(&w), -ENOBUFS);
        assert_int_equal(buffer_size(&b), 16);
        buffer_consume(&b, 6);
        w = eterm_write_begin(&b);
        eterm_put_int(&w, 1);
        eterm_put_int(&w, 1);
        eterm_put_int(&w, 1);
        eterm_put_int(&w, 1);
        assert_int_equal(eterm_write_end(&w), -ENOBUFS);
        assert_int_equal(buffer_size(&b), 10);
        assert_int_equal(buffer_head(&b)[0], ETERM_BINARY);

        b.limit = 0;
        memset(name, 'a', 256);
        name[256] = 0;
        w = eterm_write_begin(&b);
        eterm_put_atom(&w, name);
        assert_int_equal(eterm_write_end(&w), -EMSGSIZE);
        w = eterm_write_begin(&b);
        eterm_put_atom(&w, name + 1);
        eterm_put_tuple(&w, 255);
        eterm_put_tuple(&w, 256);
        eterm_put_list(&w, 1);
        eterm_put_list(&w, 0);
        assert_int_equal(eterm_write_end(&w), 0);
        assert_memory_equal(buffer_head(&b) + 10, "d\0\xff", 3);
        assert_memory_equal(buffer_head(&b) + 10 + 3 + 255, "h\xffi\0\0\1\0l\0\0\0\1j", 13);
        if (SIZE_MAX > UINT32_MAX) {
                w = eterm_write_begin(&b);
                eterm_put_binary(&w, name, (size_t) UINT32_MAX + 1);
                assert_int_equal(eterm_write_end(&w), -EMSGSIZE);
                w = eterm_write_begin(&b);
                eterm_put_tuple(&w, (size_t) UINT32_MAX + 1);
                assert_int_equal(eterm_write_end(&w), -EMSGSIZE);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(vectors_are_read_and_written),
                cmocka_unit_test(every_tag_is_read),
                cmocka_unit_test(unknown_tags_are_refused),
                cmocka_unit_test(integers_have_their_shortest_form),
                cmocka_unit_test(integers_that_do_not_fit_are_told),
                cmocka_unit_test(kinds_are_not_confused),
                cmocka_unit_test(all_forms_of_text_are_read),
                cmocka_unit_test(counts_past_the_end_are_refused),
                cmocka_unit_test(depth_is_limited),
                cmocka_unit_test(a_message_begins_with_the_version),
                cmocka_unit_test(text_is_cut_and_counted),
                cmocka_unit_test(the_writer_writes_all_or_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
