/* SPDX-License-Identifier: Apache-2.0 */
/* Node ids and addresses: limits, types, and their printed form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "lib/value.h"

static char long_text[NODE_TEXT_MAX + 2];

static void what_may_be_a_node_id_is_known(void **state) {
        confd_value_t v;

        memset(long_text, 'x', NODE_TEXT_MAX + 1);
        assert_int_equal(value_check_node_id(NULL), -EPROTOTYPE);
        CONFD_SET_STR(&v, NULL);
        assert_int_equal(value_check_node_id(&v), -EPROTOTYPE);
        CONFD_SET_STR(&v, "");
        assert_int_equal(value_check_node_id(&v), -EINVAL);
        CONFD_SET_STR(&v, long_text);
        assert_int_equal(value_check_node_id(&v), -ENAMETOOLONG);
        CONFD_SET_STR(&v, long_text + 1);
        assert_int_equal(value_check_node_id(&v), 0);
        for (int binary = 0; binary < 2; binary++) {
                CONFD_SET_BUF(&v, long_text, NODE_TEXT_MAX);
                if (binary)
                        v.type = C_BINARY;
                assert_int_equal(value_check_node_id(&v), 0);
                CONFD_GET_BUFSIZE(&v)++;
                assert_int_equal(value_check_node_id(&v), -ENAMETOOLONG);
                CONFD_GET_BUFSIZE(&v) = 0;
                assert_int_equal(value_check_node_id(&v), -EINVAL);
                CONFD_GET_BUFPTR(&v) = NULL;
                assert_int_equal(value_check_node_id(&v), -EINVAL);
                CONFD_GET_BUFSIZE(&v) = 1;
                assert_int_equal(value_check_node_id(&v), -EPROTOTYPE);
        }
        for (int type = 0; type <= C_BITBIG + 1; type++) {
                bool good = (type >= C_INT8 && type <= C_UINT64) || type == C_IPV4 || type == C_IPV6 || type == C_BOOL ||
                            type == C_ENUM_VALUE;

                if (type == C_STR || type == C_BUF || type == C_BINARY)
                        continue;
                v = (confd_value_t) { .type = (enum confd_vtype) type };
                assert_int_equal(value_check_node_id(&v), good ? 0 : -EPROTOTYPE);
        }
}

static void what_may_be_a_node_is_known(void **state) {
        struct confd_ha_node n = { .af = AF_INET };

        assert_int_equal(node_check(NULL), -EPROTOTYPE);
        assert_int_equal(node_check(&n), -EPROTOTYPE); /* no id */
        CONFD_SET_STR(&n.nodeid, "a");
        assert_int_equal(node_check(&n), 0);
        n.af = AF_INET6;
        assert_int_equal(node_check(&n), 0);
        n.af = AF_UNIX;
        assert_int_equal(node_check(&n), -EAFNOSUPPORT);
        n.af = AF_UNSPEC;
        n.addr.str = NULL;
        assert_int_equal(node_check(&n), -EPROTOTYPE);
        n.addr.str = (char *) "";
        assert_int_equal(node_check(&n), -EINVAL);
        n.addr.str = long_text;
        assert_int_equal(node_check(&n), -ENAMETOOLONG);
        n.addr.str = long_text + 1;
        assert_int_equal(node_check(&n), 0);
}

static void bad_types_are_not_written(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        struct confd_ha_node n = { .af = AF_UNIX };
        struct eterm_writer w = eterm_write_begin(&b);

        eterm_put_version(&w);
        value_put(&w, &(const confd_value_t) { .type = C_DOUBLE });
        assert_int_equal(eterm_write_end(&w), -EPROTOTYPE);
        assert_int_equal(buffer_size(&b), 0);
        w = eterm_write_begin(&b);
        CONFD_SET_STR(&n.nodeid, "a");
        node_put(&w, &n);
        assert_int_equal(eterm_write_end(&w), -EAFNOSUPPORT);
}

#define TERM(...) eterm_init((const uint8_t[]) { __VA_ARGS__ }, sizeof((const uint8_t[]) { __VA_ARGS__ }))

static void assert_get(struct eterm c, int expected) {
        confd_value_t v = { .type = (enum confd_vtype) 77 };
        const uint8_t *p = c.p;

        assert_int_equal(value_get(&c, &v), expected);
        assert_true(expected == 0 ? c.p == c.end : c.p == p && (int) v.type == 77);
}

static void typed_integers_hold_to_their_limits(void **state) {
        assert_get(TERM(104, 2, 97, 6, 97, 127), 0);
        assert_get(TERM(104, 2, 97, 6, 97, 128), -ERANGE);
        assert_get(TERM(104, 2, 97, 6, 98, 255, 255, 255, 128), 0);
        assert_get(TERM(104, 2, 97, 6, 98, 255, 255, 255, 127), -ERANGE);
        assert_get(TERM(104, 2, 97, 7, 98, 0, 0, 127, 255), 0);
        assert_get(TERM(104, 2, 97, 7, 98, 0, 0, 128, 0), -ERANGE);
        assert_get(TERM(104, 2, 97, 10, 97, 255), 0);
        assert_get(TERM(104, 2, 97, 10, 98, 0, 0, 1, 0), -ERANGE);
        assert_get(TERM(104, 2, 97, 10, 98, 255, 255, 255, 255), -ERANGE);
        assert_get(TERM(104, 2, 97, 11, 98, 0, 0, 255, 255), 0);
        assert_get(TERM(104, 2, 97, 11, 98, 0, 1, 0, 0), -ERANGE);
        assert_get(TERM(104, 2, 97, 12, 110, 4, 0, 255, 255, 255, 255), 0);
        assert_get(TERM(104, 2, 97, 12, 110, 5, 0, 0, 0, 0, 0, 1), -ERANGE);
        assert_get(TERM(104, 2, 97, 13, 110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255), 0);
        assert_get(TERM(104, 2, 97, 13, 97, 0), 0);
        assert_get(TERM(104, 2, 97, 13, 98, 255, 255, 255, 255), -ERANGE);
        assert_get(TERM(104, 2, 97, 9, 110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255), -ERANGE);
        assert_get(TERM(104, 2, 97, 28, 110, 4, 0, 0, 0, 0, 128), -ERANGE);
        assert_get(TERM(98, 127, 255, 255, 255), 0);
        assert_get(TERM(110, 4, 0, 0, 0, 0, 128), -ERANGE);
}

static void terms_that_are_no_values_are_refused(void **state) {
        assert_get(TERM(104, 0), -EPROTOTYPE);
        assert_get(TERM(104, 2, 97, 8, 97, 1), -EPROTOTYPE);
        assert_get(TERM(104, 2, 97, 14, 70, 0, 0, 0, 0, 0, 0, 0, 0), -EPROTOTYPE);
        assert_get(TERM(104, 2, 97, 6, 106), -EPROTOTYPE);
        assert_get(TERM(104, 2, 97, 39, 97, 1), -EPROTOTYPE);
        assert_get(TERM(104, 2, 98, 255, 255, 255, 255, 97, 1), -EPROTOTYPE);
        assert_get(TERM(104, 2, 106, 97, 1), -EPROTOTYPE);
        assert_get(TERM(104, 4, 97, 1, 97, 2, 97, 3, 98, 0, 0, 1, 0), -EPROTOTYPE);
        assert_get(TERM(104, 3, 97, 1, 97, 2, 97, 3), -EPROTOTYPE);
        assert_get(TERM(100, 0, 2, 'o', 'k'), -EPROTOTYPE);
        assert_get(TERM(106), -EPROTOTYPE);
        assert_get(TERM(116, 0, 0, 0, 0), -EPROTOTYPE);
        assert_get(TERM(104, 2, 97, 6), -EBADMSG);
        assert_get(TERM(109, 0, 0, 0, 2, 1), -EBADMSG);
        assert_get(TERM(1), -EBADMSG);
        assert_get((struct eterm) {}, -EBADMSG);
}

static void equal_values_are_equal(void **state) {
        confd_value_t a, b;

        CONFD_SET_STR(&a, "n1");
        CONFD_SET_BUF(&b, "n1x", 2);
        assert_true(value_equal(&a, &b));
        CONFD_SET_BINARY(&b, "n1x", 2);
        assert_false(value_equal(&a, &b));
        CONFD_SET_BUF(&b, "n1x", 3);
        assert_false(value_equal(&a, &b));
        CONFD_SET_INT8(&a, 1);
        CONFD_SET_UINT8(&b, 1);
        assert_false(value_equal(&a, &b));
        CONFD_SET_INT8(&b, 2);
        assert_false(value_equal(&a, &b));
        CONFD_SET_BOOL(&a, 1);
        b = a;
        b.val.boolean = 2;
        assert_true(value_equal(&a, &b));
        CONFD_SET_NOEXISTS(&a);
        assert_false(value_equal(&a, &b));
}

static void assert_id(struct eterm c, const char *text, const char *address) {
        struct eterm_bytes term = { c.p, (size_t) (c.end - c.p) };
        char buf[128];

        assert_int_equal(term_format_id(&term, buf, sizeof(buf)), strlen(text));
        assert_string_equal(buf, text);
        assert_int_equal(term_format_address(&term, buf, sizeof(buf)), strlen(address));
        assert_string_equal(buf, address);
        /* Too small a buffer holds whole characters only. */
        for (size_t size = 0; size <= strlen(text); size++) {
                char *small = malloc(size ?: 1);

                assert_int_equal(term_format_id(&term, small, size), strlen(text));
                if (size > 0)
                        assert_memory_equal(small, text, strlen(small));
                free(small);
        }
}

static void ids_and_addresses_have_their_text(void **state) {
        assert_id(TERM(109, 0, 0, 0, 2, 'n', '1'), "n1", "n1");
        assert_id(TERM(107, 0, 2, 'n', '1'), "n1", "n1");
        assert_id(TERM(108, 0, 0, 0, 2, 97, 'n', 97, '1', 106), "n1", "n1");
        assert_id(TERM(106), "", "");
        assert_id(TERM(109, 0, 0, 0, 0), "", "");
        assert_id(TERM(109, 0, 0, 0, 9, 0xc3, 0xa5, '\\', '\n', 0x7f, 0xc2, 0x85, 0xff, 0), "å\\\\\\x0a\\x7f\\xc2\\x85\\xff\\x00",
                  "å\\\\\\x0a\\x7f\\xc2\\x85\\xff\\x00");
        assert_id(TERM(109, 0, 0, 0, 3, 0xed, 0xa0, 0x80), "\\xed\\xa0\\x80", "\\xed\\xa0\\x80");
        assert_id(TERM(104, 4, 97, 10, 97, 0, 97, 0, 97, 1), "{10,0,0,1}", "10.0.0.1");
        assert_id(TERM(104, 8, 98, 0, 0, 253, 0, 97, 0, 97, 0, 97, 0, 97, 0, 97, 0, 97, 0, 97, 1), "{64768,0,0,0,0,0,0,1}", "fd00::1");
        assert_id(TERM(104, 8, 97, 0, 97, 0, 97, 0, 97, 0, 97, 0, 98, 0, 0, 255, 255, 98, 0, 0, 10, 0, 97, 1),
                  "{0,0,0,0,0,65535,2560,1}", "10.0.0.1");
        assert_id(TERM(104, 2, 97, 8, 97, 7), "{8,7}", "{8,7}");
        assert_id(TERM(97, 7), "7", "7");
        assert_id(TERM(100, 0, 2, 'o', 'k'), "ok", "ok");
        assert_id(TERM(108, 0, 0, 0, 1, 98, 0, 0, 1, 0, 106), "[256]", "[256]");
        assert_id(TERM(1, 2, 3), "#Bad", "#Bad");
}

static void values_are_printed_and_cut(void **state) {
        struct in6_addr ip6 = IN6ADDR_LOOPBACK_INIT;
        struct in_addr ip = { htonl(INADDR_LOOPBACK) };
        confd_value_t v;
        char buf[64];

#define assert_pp(text) \
        do { \
                assert_int_equal(confd_pp_value(buf, sizeof(buf), &v), strlen(text)); \
                assert_string_equal(buf, text); \
        } while (0)
        CONFD_SET_STR(&v, "a\nb");
        assert_pp("a\\x0ab");
        CONFD_SET_BUF(&v, "abc", 2);
        assert_pp("ab");
        CONFD_SET_BINARY(&v, "\1\xff", 2);
        assert_pp("01:ff");
        CONFD_SET_INT8(&v, -128);
        assert_pp("-128");
        CONFD_SET_INT16(&v, -32768);
        assert_pp("-32768");
        CONFD_SET_INT32(&v, INT32_MIN);
        assert_pp("-2147483648");
        CONFD_SET_INT64(&v, INT64_MIN);
        assert_pp("-9223372036854775808");
        CONFD_SET_UINT8(&v, 255);
        assert_pp("255");
        CONFD_SET_UINT16(&v, 65535);
        assert_pp("65535");
        CONFD_SET_UINT32(&v, UINT32_MAX);
        assert_pp("4294967295");
        CONFD_SET_UINT64(&v, UINT64_MAX);
        assert_pp("18446744073709551615");
        CONFD_SET_DOUBLE(&v, 1.5);
        assert_pp("1.5");
        CONFD_SET_IPV4(&v, ip);
        assert_pp("127.0.0.1");
        CONFD_SET_IPV6(&v, ip6);
        assert_pp("::1");
        CONFD_SET_BOOL(&v, 7);
        assert_pp("true");
        CONFD_SET_BOOL(&v, 0);
        assert_pp("false");
        CONFD_SET_ENUM_VALUE(&v, -3);
        assert_pp("-3");
        CONFD_SET_NOEXISTS(&v);
        assert_pp("<noexists>");
        v.type = C_LIST;
        assert_pp("<value of type 31>");

        CONFD_SET_STR(&v, "abcdef");
        assert_int_equal(confd_pp_value(buf, 4, &v), 6);
        assert_string_equal(buf, "abc");
        assert_int_equal(confd_pp_value(NULL, 0, &v), 6);
        assert_int_equal(confd_pp_value(NULL, 1, &v), CONFD_ERR);
        assert_int_equal(confd_pp_value(buf, -1, &v), CONFD_ERR);
        assert_int_equal(confd_pp_value(buf, 1, NULL), CONFD_ERR);

        CONFD_SET_BUF(&v, malloc(3), 3);
        confd_free_value(&v);
        assert_int_equal(v.type, C_NOEXISTS);
        confd_free_value(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_may_be_a_node_id_is_known),
                cmocka_unit_test(what_may_be_a_node_is_known),
                cmocka_unit_test(bad_types_are_not_written),
                cmocka_unit_test(typed_integers_hold_to_their_limits),
                cmocka_unit_test(terms_that_are_no_values_are_refused),
                cmocka_unit_test(equal_values_are_equal),
                cmocka_unit_test(ids_and_addresses_have_their_text),
                cmocka_unit_test(values_are_printed_and_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
