/* SPDX-License-Identifier: Apache-2.0 */
/* What confd-hactl writes for people and for programs: times, foreign strings, JSON. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/time-util.h"
#include "basic/util.h"
#include "ctl/error-table.h"
#include "view/json.h"
#include "ctl/states.h"
#include "ctl/text.h"

static void spans_of_time_are_read_at_a_glance(void **state) {
        static const struct {
                uint64_t usec;
                const char *text;
        } cases[] = {
                { 0, "0" },
                { 1, "1us" },
                { 999, "999us" },
                { 1000, "1ms" },
                { 250 * USEC_PER_MSEC + 7, "250ms" },
                { USEC_PER_SEC, "1s" },
                { USEC_PER_SEC * 3 / 2, "1s" },
                { 61 * USEC_PER_SEC, "1min 1s" },
                { 60 * USEC_PER_SEC, "1min" },
                { 3600 * USEC_PER_SEC + 59 * USEC_PER_SEC, "1h" },
                { 26 * 3600 * USEC_PER_SEC, "1d 2h" },
                { 400 * UINT64_C(86400) * USEC_PER_SEC, "1y 34d" },
                { UINT64_MAX, "584542y 16d" },
        };
        char buf[TEXT_TIME_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_string_equal(text_timespan(cases[i].usec, buf), cases[i].text);
}

static void ages_are_rounded_down(void **state) {
        char buf[TEXT_TIME_MAX];

        assert_string_equal(text_age(100, 100, buf), "just now");
        assert_string_equal(text_age(0, USEC_PER_SEC - 1, buf), "just now");
        assert_string_equal(text_age(0, USEC_PER_SEC, buf), "1s ago");
        assert_string_equal(text_age(0, 125 * USEC_PER_SEC, buf), "2min 5s ago");
        /* A clock that was set back, or a broken peer. */
        assert_string_equal(text_age(125 * USEC_PER_SEC, 0, buf), "2min 5s from now");
        assert_string_equal(text_age(0, UINT64_MAX, buf), "584542y 16d ago");
}

static void times_are_local_and_whole(void **state) {
        char buf[TEXT_TIME_MAX];

        assert_int_equal(setenv("TZ", "UTC", /* overwrite= */ 1), 0);
        assert_string_equal(text_timestamp(0, buf), "Thu 1970-01-01 00:00:00 UTC");
        assert_string_equal(text_timestamp(UINT64_C(1795347248270924), buf), "Sun 2026-11-22 11:34:08 UTC");
        assert_string_equal(text_timestamp(UINT64_MAX, buf), "18446744073709551615us");
}

static void what_others_brought_is_printed_escaped(void **state) {
        static const struct {
                const char *raw, *printable;
        } cases[] = {
                { "", "" },
                { "n1", "n1" },
                { "節点", "節点" },
                { "a\\x01", "a\\x01" },            /* escaped by the service already: as it is */
                { "a\x1b[2J", "a\\x1b[2J" },
                { "a\xc2\x9b", "a\\xc2\\x9b" },     /* C1 control */
                { "a\xff", "a\\xff" },
                { "line\nbreak", "line\\x0abreak" },
                { "a\xe2\x80\xae" "b", "a\\xe2\\x80\\xaeb" },         /* turns what follows round */
                { "a\xe2\x80\x8b" "b", "a\\xe2\\x80\\x8bb" },      /* has no width */
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *printable = text_printable(cases[i].raw);

                assert_non_null(printable);
                assert_string_equal(printable, cases[i].printable);
        }
        assert_null(text_printable(NULL));
}

/* What a locale does not have would keep libsmartcols busy for ever. */
static void tables_have_what_the_locale_has(void **state) {
        static const struct {
                const char *raw, *narrow, *wide;
        } cases[] = {
                { "", "", "" },
                { "a\\b", "a\\b", "a\\b" },
                { "né", "n\\xc3\\xa9", "né" },
                { "\\é", "\\\\\\xc3\\xa9", "\\é" },
                { "節\x1b", "\\xe7\\xaf\\x80\\x1b", "節\\x1b" },
                { "a\xff", "a\\xff", "a\\xff" },
        };

        for (int wide = 0; wide < 2; wide++) {
                assert_non_null(setlocale(LC_CTYPE, wide ? "C.UTF-8" : "C"));
                for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                        _cleanup_free_ char *cell = text_cell(cases[i].raw);

                        assert_non_null(cell);
                        assert_string_equal(cell, wide ? cases[i].wide : cases[i].narrow);
                }
        }
        assert_non_null(setlocale(LC_CTYPE, "C"));
        assert_null(text_cell(NULL));
}

static void errors_lose_their_prefix(void **state) {
        assert_string_equal(text_short_error("org.confd.HA.Error.BadName"), "BadName");
        assert_string_equal(text_short_error("org.confd.HA.Error."), "org.confd.HA.Error.");
        assert_string_equal(text_short_error("org.confd.HA2.Error.BadName"), "org.confd.HA2.Error.BadName");
        assert_string_equal(text_short_error("org.freedesktop.DBus.Error.Failed"), "org.freedesktop.DBus.Error.Failed");
        assert_string_equal(text_short_error(""), "");
}

static void states_have_their_aliases(void **state) {
        assert_string_equal(state_from_user("slave-relay"), "slave-relay");
        assert_string_equal(state_from_user("secondary-relay"), "slave-relay");
        assert_string_equal(state_from_user("primary"), "master");
        assert_null(state_from_user("Master"));
        assert_null(state_from_user(""));
}

/* Writes a document with everything in it; returned to be freed. */
static char *write_all(bool pretty) {
        char *text = NULL;
        size_t size;
        struct json j = { .f = open_memstream(&text, &size), .pretty = pretty };

        assert_non_null(j.f);
        json_begin_object(&j, NULL);
        json_string(&j, "s", "a\"\\/\n\t\x1b\xc2\x9b\x7f節\xff\xe7\xaf");
        json_string(&j, "null", NULL);
        json_unsigned(&j, "n", UINT64_MAX);
        json_signed(&j, "i", INT64_MIN);
        json_begin_array(&j, "empty");
        json_end_array(&j);
        json_begin_array(&j, "a");
        json_boolean(&j, NULL, true);
        json_begin_object(&j, NULL);
        json_end_object(&j);
        json_boolean(&j, NULL, false);
        json_end_array(&j);
        json_end_object(&j);
        assert_int_equal(fclose(j.f), 0);
        return text;
}

/* What hides or turns text round is escaped, beyond 16 bits as two surrogates; what is only foreign stays as it is. */
static void json_shows_what_hides(void **state) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        struct json j = { .f = open_memstream(&text, &size) };

        assert_non_null(j.f);
        json_begin_array(&j, NULL);
        json_string(&j, NULL, "a\xe2\x80\xae" "b\xe2\x80\x8b" "c\xf3\xa0\x80\x81\xc2\x9b\xf0\x9f\x99\x82\xef\xbb\xbf");
        json_end_array(&j);
        assert_int_equal(fclose(j.f), 0);
        assert_string_equal(text, "[\"a\\u202eb\\u200bc\\udb40\\udc01\\u009b\xf0\x9f\x99\x82\\ufeff\"]\n");
}

/* A key can be a name that somebody else has chosen. */
static void json_keys_are_strings(void **state) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        struct json j = { .f = open_memstream(&text, &size) };

        assert_non_null(j.f);
        json_begin_object(&j, NULL);
        json_unsigned(&j, "a\":1,\"\x1b\xff", 2);
        json_end_object(&j);
        assert_int_equal(fclose(j.f), 0);
        assert_string_equal(text, "{\"a\\\":1,\\\"\\u001b\\ufffd\":2}\n");
}

static void short_json_is_one_line(void **state) {
        _cleanup_free_ char *text = write_all(/* pretty= */ false);

        assert_string_equal(text,
                            "{\"s\":\"a\\\"\\\\/\\n\\u0009\\u001b\\u009b\\u007f節\\ufffd\\ufffd\\ufffd\",\"null\":null,"
                            "\"n\":18446744073709551615,\"i\":-9223372036854775808,\"empty\":[],\"a\":[true,{},false]}\n");
}

static void pretty_json_is_indented(void **state) {
        _cleanup_free_ char *text = write_all(/* pretty= */ true);

        assert_string_equal(text,
                            "{\n"
                            "        \"s\" : \"a\\\"\\\\/\\n\\u0009\\u001b\\u009b\\u007f節\\ufffd\\ufffd\\ufffd\",\n"
                            "        \"null\" : null,\n"
                            "        \"n\" : 18446744073709551615,\n"
                            "        \"i\" : -9223372036854775808,\n"
                            "        \"empty\" : [],\n"
                            "        \"a\" : [\n"
                            "                true,\n"
                            "                {},\n"
                            "                false\n"
                            "        ]\n"
                            "}\n");
}

/* Several documents one after the other are lines. */
static void a_stream_of_json_is_a_line_each(void **state) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        struct json j = { .f = open_memstream(&text, &size) };

        assert_non_null(j.f);
        for (unsigned i = 0; i < 2; i++) {
                json_begin_object(&j, NULL);
                json_unsigned(&j, "i", i);
                json_end_object(&j);
        }
        assert_int_equal(fclose(j.f), 0);
        assert_string_equal(text, "{\"i\":0}\n{\"i\":1}\n");
}

/* The numbers of the table and ConfD's names for them are two tables that have to agree. */
static void every_error_is_explained(void **state) {
        for (size_t i = 0; i < error_table_size; i++) {
                const struct error_entry *e = error_table + i;

                assert_true(e->name && e->meaning && e->look_at);
                if (e->code > 0) {
                        assert_non_null(confd_error_name(e->code));
                        assert_string_equal(confd_error_name(e->code), e->confd_name);
                } else
                        assert_null(e->confd_name);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(e->name, error_table[k].name);
        }
        assert_null(confd_error_name(-1));
        assert_null(confd_error_name(0));
        assert_null(confd_error_name(56));
        assert_null(confd_error_name(CONFD_ERROR_MAX + 1));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(spans_of_time_are_read_at_a_glance),
                cmocka_unit_test(ages_are_rounded_down),
                cmocka_unit_test(times_are_local_and_whole),
                cmocka_unit_test(what_others_brought_is_printed_escaped),
                cmocka_unit_test(tables_have_what_the_locale_has),
                cmocka_unit_test(errors_lose_their_prefix),
                cmocka_unit_test(states_have_their_aliases),
                cmocka_unit_test(json_shows_what_hides),
                cmocka_unit_test(json_keys_are_strings),
                cmocka_unit_test(short_json_is_one_line),
                cmocka_unit_test(pretty_json_is_indented),
                cmocka_unit_test(a_stream_of_json_is_a_line_each),
                cmocka_unit_test(every_error_is_explained),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
