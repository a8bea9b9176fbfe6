/* SPDX-License-Identifier: Apache-2.0 */
/* What is text, and the printable form of what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/escape.h"
#include "basic/node-name.h"

static void what_is_utf8_and_printable_is_known(void **state) {
        static const struct {
                const char *s;
                bool valid, printable;
        } cases[] = {
                { "", true, true },
                { "abc ~", true, true },
                { "\n", true, false },
                { "\x7f", true, false },
                { "\xc2\x80", true, false },         /* C1 */
                { "\xc2\x9f", true, false },
                { "\xc2\xa0", true, true },
                { "\xdf\xbf", true, true },
                { "\xe0\xa0\x80", true, true },
                { "\xef\xbf\xbf", true, true },
                { "\xf0\x90\x80\x80", true, true },
                { "\xf4\x8f\xbf\xbf", true, true },
                { "\xf4\x90\x80\x80", false, false }, /* past U+10FFFF */
                { "\xf5\x80\x80\x80", false, false },
                { "\xc0\x80", false, false },         /* overlong */
                { "\xc1\xbf", false, false },
                { "\xe0\x9f\xbf", false, false },
                { "\xf0\x8f\xbf\xbf", false, false },
                { "\xed\xa0\x80", false, false },     /* surrogates */
                { "\xed\xbf\xbf", false, false },
                { "\x80", false, false },
                { "\xff", false, false },
                { "\xc3", false, false },
                { "\xe2\x82", false, false },
                { "\xf0\x9f\x99", false, false },
                { "\xc3(", false, false },
                { "a\xe2\x28\xa1", false, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t n = strlen(cases[i].s);
                char *s = malloc(n ?: 1); /* without a NUL, so that the sanitizer sees a byte too far */

                memcpy(s, cases[i].s, n);
                assert_int_equal(utf8_is_valid(s, n), cases[i].valid);
                assert_int_equal(utf8_is_printable(s, n), cases[i].printable);
                free(s);
        }
        assert_false(utf8_is_valid("a\0b", 3));
}

static void assert_escaped(const char *s, size_t n, const char *expected) {
        _cleanup_free_ char *t = utf8_escape(s, n);
        char piece[UTF8_ESCAPED_MAX], joined[256];
        size_t at = 0, k, used;

        assert_non_null(t);
        assert_string_equal(t, expected);
        assert_true(utf8_is_printable(t, strlen(t)));
        for (; n > 0; s += used, n -= used, at += k) {
                used = utf8_escape_next(s, n, piece, &k);
                assert_true(used >= 1 && used <= n && k >= 1 && k <= sizeof(piece));
                memcpy(joined + at, piece, k);
        }
        assert_int_equal(at, strlen(expected));
        assert_memory_equal(joined, expected, at);
}

static void what_is_not_printable_is_escaped(void **state) {
        assert_escaped("", 0, "");
        assert_escaped("n1", 2, "n1");
        assert_escaped("a\\x41", 5, "a\\\\x41");
        assert_escaped("\0\n\x7f", 3, "\\x00\\x0a\\x7f");
        assert_escaped("\xc2\x85", 2, "\\xc2\\x85");
        assert_escaped("\xc3\xa5\xc3", 3, "\xc3\xa5\\xc3");
        assert_escaped("\xe2\x82z", 3, "\\xe2\\x82z");
        assert_escaped("\xf0\x9f\x99\x82", 4, "\xf0\x9f\x99\x82");
        assert_escaped("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");
        assert_null(utf8_escape("", SIZE_MAX / 2));
}

/* Different bytes have different forms. */
static void different_bytes_have_different_forms(void **state) {
        for (unsigned a = 0; a < 256; a++)
                for (unsigned b = 0; b < 256; b += 5) {
                        const char one[] = { (char) a, (char) b }, other[] = { '\\', 'x', "0123456789abcdef"[a >> 4],
                                                                               "0123456789abcdef"[a & 15] };
                        _cleanup_free_ char *x = utf8_escape(one, 1), *y = utf8_escape(other, 4), *z = utf8_escape(one, 2);

                        assert_string_not_equal(x, y);
                        assert_string_not_equal(x, z);
                }
}

static void what_cannot_be_seen_is_no_node_id(void **state) {
        char id[129] = {};

        assert_false(node_id_is_valid(""));
        assert_true(node_id_is_valid("n"));
        assert_false(node_id_is_valid("a\nb"));
        /* What cannot be seen makes two ids look the same, or one like something else. */
        static const char *const unseen[] = {
                "\u00ad", "\u061c", "\u180e", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a",
                "\u202b", "\u202c", "\u202d", "\u202e", "\u2060", "\u2063", "\u2066", "\u2067", "\u2068", "\u2069", "\ufe0f",
                "\ufeff", "\U000e0041",
        };
        for (size_t i = 0; i < ELEMENTSOF(unseen); i++) {
                char name[16];
                _cleanup_free_ char *shown = NULL;

                (void) snprintf(name, sizeof(name), "n%s1", unseen[i]);
                assert_false(node_id_is_valid(name));
                assert_true(utf8_is_printable(name, strlen(name)));
                shown = utf8_escape(name, strlen(name));
                assert_memory_equal(shown, "n\\x", 3);
                assert_string_equal(shown + strlen(shown) - 1, "1");
                assert_true(utf8_is_plain(shown, strlen(shown)));
        }
        /* Blanks may stand in it, not be it. */
        assert_true(node_id_is_valid("core 1"));
        assert_true(node_id_is_valid(" n"));
        assert_false(node_id_is_valid(" "));
        assert_false(node_id_is_valid(" \u00a0\u3000 "));
        assert_true(node_id_is_valid("\u4e3b\u00e9\u05d0\u0627"));
        assert_false(node_id_is_valid("\xff"));
        memset(id, 'x', 127);
        assert_true(node_id_is_valid(id));
        id[127] = 'x';
        assert_false(node_id_is_valid(id));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_utf8_and_printable_is_known),
                cmocka_unit_test(what_is_not_printable_is_escaped),
                cmocka_unit_test(different_bytes_have_different_forms),
                cmocka_unit_test(what_cannot_be_seen_is_no_node_id),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
