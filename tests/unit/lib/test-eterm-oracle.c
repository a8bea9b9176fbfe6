/* SPDX-License-Identifier: Apache-2.0 */
/* Terms against Erlang: random ones of all tags that it writes, and ours that it reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "erl-process.h"
#include "lib/eterm.h"
#include "lib/event.h"
#include "lib/frame.h"
#include "lib/orders.h"
#include "lib/value.h"

enum { RANDOM_TERMS = 2000, MESSAGE_MAX = 64 * 1024 };

static struct erl_process erl;

static int start(void **state) {
        erl_start(&erl, "oracle");
        return 0;
}

static int stop(void **state) {
        erl_stop(&erl);
        return 0;
}

static size_t unhex(const char *hex, uint8_t *to) {
        static const char digits[] = "0123456789abcdef";
        size_t n = strlen(hex) / 2;

        assert_true(n <= MESSAGE_MAX);
        for (size_t i = 0; i < n; i++)
                to[i] = (uint8_t) ((strchr(digits, hex[2 * i]) - digits) << 4 | (strchr(digits, hex[2 * i + 1]) - digits));
        return n;
}

static char *hex(const uint8_t *p, size_t n) {
        char *s = malloc(2 * n + 1);

        assert_non_null(s);
        for (size_t i = 0; i < n; i++)
                sprintf(s + 2 * i, "%02x", p[i]);
        s[2 * n] = 0;
        return s;
}

/* Whether the name can be written by eterm_put_atom(). */
static bool is_ascii(const struct eterm_bytes *s) {
        for (size_t i = 0; i < s->size; i++)
                if (s->data[i] >= 0x80 || s->data[i] == 0)
                        return false;
        return true;
}

/* Writes the term anew; what only can be skipped is copied as it is. Recursion is fine on terms six deep. */
static void copy_term(struct eterm *c, struct eterm_writer *w) {
        struct eterm_list list;
        struct eterm_bytes s;
        struct eterm at = *c;
        char name[256];
        uint64_t u;
        int64_t i;
        size_t n;

        switch (eterm_kind(c)) {
        case ETERM_KIND_INTEGER:
                if (eterm_int64(c, &i) >= 0) {
                        eterm_put_int(w, i);
                        return;
                }
                if (eterm_uint64(c, &u) >= 0) {
                        eterm_put_uint(w, u);
                        return;
                }
                break;
        case ETERM_KIND_ATOM:
                assert_int_equal(eterm_atom(&at, &s), 0);
                if (!is_ascii(&s))
                        break;
                memcpy(name, s.data, s.size);
                name[s.size] = 0;
                eterm_put_atom(w, name);
                *c = at;
                return;
        case ETERM_KIND_TUPLE:
                assert_int_equal(eterm_tuple(c, &n), 0);
                eterm_put_tuple(w, n);
                while (n-- > 0)
                        copy_term(c, w);
                return;
        case ETERM_KIND_LIST:
                assert_int_equal(eterm_list(c, &list), 0);
                eterm_put_list(w, list.n);
                for (n = 0; n < list.n; n++)
                        copy_term(c, w);
                if (eterm_list_end(c, &list) < 0)
                        copy_term(c, w); /* improper */
                else if (list.n > 0)
                        eterm_put_nil(w);
                return;
        case ETERM_KIND_BINARY:
                assert_int_equal(eterm_binary(c, &s), 0);
                eterm_put_binary(w, s.data, s.size);
                return;
        case ETERM_KIND_STRING:
                assert_int_equal(eterm_text(c, name, sizeof(name), &n), 0);
                eterm_put_list(w, n);
                for (size_t k = 0; k < n; k++)
                        eterm_put_int(w, (uint8_t) name[k]);
                if (n > 0)
                        eterm_put_nil(w);
                return;
        case ETERM_KIND_OTHER:
                break;
        default:
                fail();
        }
        assert_int_equal(eterm_skip(c, &s), 0);
        eterm_put_raw(w, s.data, s.size);
}

static void random_terms_are_read_as_erlang_reads_them(void **state) {
        static uint8_t message[MESSAGE_MAX];
        static char text[ETERM_FORMAT_MAX + 4];
        bool seen[256] = {};

        for (unsigned seed = 0; seed < RANDOM_TERMS; seed++) {
                _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
                _cleanup_free_ char *theirs = NULL, *ours = NULL;
                struct eterm_bytes all;
                struct eterm_writer w;
                struct eterm c = {}, at;
                size_t n;

                erl_write(&erl, "random %u", seed);
                theirs = strdup(erl_read(&erl));
                assert_non_null(theirs);
                n = unhex(theirs, message);
                if (n < 2 || eterm_message(message, n, &c) < 0)
                        fail_msg("not read: %s", theirs);
                seen[message[1]] = true;
                at = c;
                assert_int_equal(eterm_skip(&at, &all), 0);
                assert_true(eterm_at_end(&at));
                eterm_format(&all, text, sizeof(text));
                assert_null(strstr(text, "#Bad"));

                w = eterm_write_begin(&b);
                eterm_put_version(&w);
                copy_term(&c, &w);
                assert_int_equal(eterm_write_end(&w), 0);
                ours = hex(buffer_head(&b), buffer_size(&b));
                erl_write(&erl, "same %s %s", theirs, ours);
                if (!streq(erl_read(&erl), "true"))
                        fail_msg("seed %u: %s became %s", seed, theirs, ours);
        }
        /* All the tags have been there. */
        for (const char *tags = "aboFcMdvswhijklmnt"; *tags; tags++)
                if (!seen[(uint8_t) *tags])
                        fail_msg("no term began with tag %i", *tags);
}

/* What we print, Erlang prints too, for all that both have a notation for. */
static void terms_are_written_as_erlang_writes_them(void **state) {
        static const char *const terms[] = {
                "{1,<<\"n1\">>}", "[]", "[a,b|c]", "{error,17,\"why\"}", "'with space'", "'Up'", "'it\\'s'", "ok@host_1",
                "[1,2,3]", "\"a\\\"b\"", "<<1,2>>", "<<>>", "{}", "#{a => {1,2}}", "18446744073709551615", "-9223372036854775808", "[[[]]]",
                "[256,1]", "{[],[{<<\"x\">>,{10,0,0,1}}]}",
        };

        for (size_t i = 0; i < ELEMENTSOF(terms); i++) {
                uint8_t message[512];
                struct eterm_bytes term;
                _cleanup_free_ char *text = NULL;
                char ours[512];
                size_t n;

                erl_write(&erl, i % 2 ? "utf8 %s" : "encode %s", terms[i]);
                n = unhex(erl_read(&erl), message);
                if (n == 0)
                        fail_msg("%s", terms[i]);
                term = (struct eterm_bytes) { message + 1, n - 1 };
                eterm_format(&term, ours, sizeof(ours));
                text = hex(message, n);
                erl_write(&erl, "text %s", text);
                assert_string_equal(ours, erl_read(&erl));
        }
}

/* The body of the only frame in b, as Erlang prints it. */
static void assert_erlang_reads(const struct buffer *b, const char *expected) {
        _cleanup_free_ char *text = NULL;
        const uint8_t *body;
        size_t n;

        assert_int_equal(frame_next(b, FRAME_BODY_MAX, &body, &n), 1);
        assert_int_equal(n + FRAME_HEADER_SIZE, buffer_size(b));
        text = hex(body, n);
        erl_write(&erl, "text %s", text);
        assert_string_equal(erl_read(&erl), expected);
}

static void erlang_reads_orders_of_all_values(void **state) {
        static const char *const texts[] = {
                "<<\"str\">>", "<<0,255>>", "{39,<<0,255>>}", "{6,-128}", "{7,-32768}", "-2147483648", "{9,-9223372036854775808}",
                "{10,255}", "{11,65535}", "{12,4294967295}", "{13,18446744073709551615}", "{10,0,0,1}",
                "{64768,0,0,0,0,0,0,1}", "true", "false", "{28,-5}",
        };
        confd_value_t values[ELEMENTSOF(texts)];
        struct in6_addr ip6;
        struct in_addr ip;

        ip.s_addr = inet_addr("10.0.0.1");
        assert_int_equal(inet_pton(AF_INET6, "fd00::1", &ip6), 1);
        CONFD_SET_STR(&values[0], "str");
        CONFD_SET_BUF(&values[1], "\0\xff", 2);
        CONFD_SET_BINARY(&values[2], "\0\xff", 2);
        CONFD_SET_INT8(&values[3], INT8_MIN);
        CONFD_SET_INT16(&values[4], INT16_MIN);
        CONFD_SET_INT32(&values[5], INT32_MIN);
        CONFD_SET_INT64(&values[6], INT64_MIN);
        CONFD_SET_UINT8(&values[7], UINT8_MAX);
        CONFD_SET_UINT16(&values[8], UINT16_MAX);
        CONFD_SET_UINT32(&values[9], UINT32_MAX);
        CONFD_SET_UINT64(&values[10], UINT64_MAX);
        CONFD_SET_IPV4(&values[11], ip);
        CONFD_SET_IPV6(&values[12], ip6);
        CONFD_SET_BOOL(&values[13], 5);
        CONFD_SET_BOOL(&values[14], 0);
        CONFD_SET_ENUM_VALUE(&values[15], -5);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
                struct confd_ha_node master = { .nodeid = values[i], .af = AF_INET6, .addr.ip6 = ip6 };
                struct order o = { .type = HA_ORDER_BEMASTER, .nodeid = &values[i] };
                uint8_t message[64];
                confd_value_t back;
                struct eterm c;
                char expected[256];
                size_t n;

                assert_int_equal(order_append(&b, &o), 0);
                snprintf(expected, sizeof(expected), "{1,%s}", texts[i]);
                assert_erlang_reads(&b, expected);
                buffer_clear(&b);
                o = (struct order) { .type = HA_ORDER_BESLAVE, .nodeid = &values[i], .master = &master, .wait = true };
                assert_int_equal(order_append(&b, &o), 0);
                snprintf(expected, sizeof(expected), "{2,%s,{%s,{64768,0,0,0,0,0,0,1}},1}", texts[i], texts[i]);
                assert_erlang_reads(&b, expected);

                erl_write(&erl, i % 2 ? "utf8 %s" : "encode %s", texts[i]);
                n = unhex(erl_read(&erl), message);
                assert_int_equal(eterm_message(message, n, &c), 0);
                assert_int_equal(value_get(&c, &back), 0);
                assert_true(value_equal(&back, &values[i]));
        }
}

static void erlang_reads_the_other_frames(void **state) {
        static const struct {
                struct order order;
                const char *text;
        } orders[] = {
                { { .type = HA_ORDER_BENONE }, "{3}" },
                { { .type = HA_ORDER_STATUS }, "{4}" },
                { { .type = HA_ORDER_BERELAY }, "{6}" },
        };
        struct confd_ha_node master = { .af = AF_UNSPEC, .addr.str = (char *) "h:1" };
        struct subscription s;
        confd_value_t id;

        for (size_t i = 0; i < ELEMENTSOF(orders); i++) {
                _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);

                assert_int_equal(order_append(&b, &orders[i].order), 0);
                assert_erlang_reads(&b, orders[i].text);
        }

        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        CONFD_SET_STR(&id, "n1");
        CONFD_SET_STR(&master.nodeid, "n2");
        assert_int_equal(order_append(&b, &(struct order) { HA_ORDER_BESLAVE, &id, &master, false }), 0);
        assert_erlang_reads(&b, "{2,<<\"n1\">>,{<<\"n2\">>,<<\"h:1\">>},0}");
        buffer_clear(&b);
        assert_int_equal(subscription_init(&s, INT32_MAX, &(struct confd_notifications_data) { 1000, INT32_MAX }), 0);
        assert_int_equal(subscription_append(&b, &s, false), 0);
        assert_erlang_reads(&b, "{2147483647,1000,2147483647,undefined,0}");
        buffer_clear(&b);
        assert_int_equal(subscription_append(&b, &s, true), 0);
        assert_erlang_reads(&b, "{2147483647,1000,2147483647,undefined}");
        buffer_clear(&b);
        assert_int_equal(sync_append(&b), 0);
        assert_erlang_reads(&b, "ha_synced");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(random_terms_are_read_as_erlang_reads_them),
                cmocka_unit_test(terms_are_written_as_erlang_writes_them),
                cmocka_unit_test(erlang_reads_orders_of_all_values),
                cmocka_unit_test(erlang_reads_the_other_frames),
        };

        return cmocka_run_group_tests(tests, start, stop);
}
