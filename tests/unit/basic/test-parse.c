/* SPDX-License-Identifier: Apache-2.0 */
/* Strict parsing: what is taken, what is not, and times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <sys/un.h>

#include "basic/parse.h"
#include "basic/time-util.h"

static void numbers_hold_to_their_limits(void **state) {
        uint64_t v = 77;

        assert_int_equal(parse_unsigned("0", 0, 5, &v), 0);
        assert_int_equal(v, 0);
        assert_int_equal(parse_unsigned("18446744073709551615", 0, UINT64_MAX, &v), 0);
        assert_true(v == UINT64_MAX);
        v = 77;
        assert_int_equal(parse_unsigned("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
        assert_int_equal(parse_unsigned("99999999999999999999999", 0, UINT64_MAX, &v), -ERANGE);
        assert_int_equal(parse_unsigned("6", 0, 5, &v), -ERANGE);
        assert_int_equal(parse_unsigned("0", 1, 5, &v), -ERANGE);
        for (const char *const *s = (const char *const[]) { "", " 1", "1 ", "+1", "-1", "0x1", "1a", "1.0", NULL }; *s; s++)
                assert_int_equal(parse_unsigned(*s, 0, 5, &v), -EINVAL);
        assert_int_equal(v, 77);
}

static void seconds_are_read_exactly(void **state) {
        static const struct {
                const char *s;
                int r;
                uint64_t usec;
        } cases[] = {
                { "0", 0, 0 },
                { "10", 0, 10000000 },
                { "0.25", 0, 250000 },
                { "0.000001", 0, 1 },
                { "1.5", 0, 1500000 },
                { "316224000", 0, UINT64_C(316224000) * 1000000 },
                { "316224001", -ERANGE, 0 },
                { "316224000.5", -ERANGE, 0 },
                { "9999999999999999", -ERANGE, 0 },
                { "99999999999999999999", -ERANGE, 0 },
                { "0.0000001", -EINVAL, 0 },
                { "", -EINVAL, 0 },
                { ".5", -EINVAL, 0 },
                { "1.", -EINVAL, 0 },
                { "1.2.3", -EINVAL, 0 },
                { "-1", -EINVAL, 0 },
                { "1s", -EINVAL, 0 },
                { "1,5", -EINVAL, 0 },
                { " 1", -EINVAL, 0 },
                { "infinity", -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t v = 77;
                int r = parse_sec(cases[i].s, &v);

                if (r != cases[i].r || v != (r < 0 ? 77 : cases[i].usec))
                        fail_msg("%s: %i %llu", cases[i].s, r, (unsigned long long) v);
        }
}

static void words_of_yes_and_no_are_read(void **state) {
        static const char *const words[] = { "no", "yes", "False", "TRUE", "off", "on", "0", "1" };
        bool v;

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                assert_int_equal(parse_boolean(words[i], &v), 0);
                assert_int_equal(v, i % 2);
        }
        assert_int_equal(parse_boolean("", &v), -EINVAL);
        assert_int_equal(parse_boolean("2", &v), -EINVAL);
        assert_int_equal(parse_boolean("yes ", &v), -EINVAL);
}

static void addresses_are_read_and_written_back(void **state) {
        static const struct {
                const char *s, *back;
                int r;
                bool local;
        } cases[] = {
                { "127.0.0.1:4565", "127.0.0.1:4565", 0, true },
                { "127.9.9.9", "127.9.9.9:7", 0, true },
                { "10.0.0.1:65535", "10.0.0.1:65535", 0, false },
                { "0.0.0.0", "0.0.0.0:7", 0, false },
                { "[::1]:1", "[::1]:1", 0, true },
                { "[::1]", "[::1]:7", 0, true },
                { "[fd00::1]:2", "[fd00::1]:2", 0, false },
                { "[::ffff:127.0.0.1]:2", "[::ffff:127.0.0.1]:2", 0, true },
                { "[::ffff:10.0.0.1]:2", "[::ffff:10.0.0.1]:2", 0, false },
                { "unix:/run/confd.sock", "unix:/run/confd.sock", 0, true },
                { "", NULL, -EINVAL, false },
                { ":1", NULL, -EINVAL, false },
                { "localhost:1", NULL, -EINVAL, false },
                { "127.0.0.1:0", NULL, -ERANGE, false },
                { "127.0.0.1:65536", NULL, -ERANGE, false },
                { "127.0.0.1:", NULL, -EINVAL, false },
                { "127.0.0.1:1 ", NULL, -EINVAL, false },
                { "127.0.0.1 :1", NULL, -EINVAL, false },
                { "127.1:1", NULL, -EINVAL, false },
                { "::1", NULL, -EINVAL, false },
                { "[::1:1", NULL, -EINVAL, false },
                { "[::1]1", NULL, -EINVAL, false },
                { "[127.0.0.1]:1", NULL, -EINVAL, false },
                { "[]:1", NULL, -EINVAL, false },
                { "unix:relative", NULL, -EINVAL, false },
                { "unix:", NULL, -EINVAL, false },
                { "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1", NULL, -EINVAL, false },
        };
        char longest[sizeof("unix:") + sizeof(((struct sockaddr_un *) NULL)->sun_path)];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct socket_address a;
                _cleanup_free_ char *back = NULL;
                int r = parse_socket_address(cases[i].s, 7, &a);

                if (r != cases[i].r)
                        fail_msg("%s: %i", cases[i].s, r);
                if (r < 0)
                        continue;
                back = format_socket_address(&a);
                assert_string_equal(back, cases[i].back);
                assert_int_equal(socket_address_is_local(&a), cases[i].local);
        }

        struct socket_address a;
        assert_int_equal(parse_socket_address("127.0.0.1", 0, &a), -EINVAL);
        memset(longest, 'p', sizeof(longest));
        memcpy(longest, "unix:/", 6);
        longest[sizeof(longest) - 1] = 0;
        assert_int_equal(parse_socket_address(longest, 0, &a), -ENAMETOOLONG);
        longest[sizeof(longest) - 2] = 0;
        assert_int_equal(parse_socket_address(longest, 0, &a), 0);
        a.sa.sa_family = AF_UNSPEC;
        assert_false(socket_address_is_local(&a));
}

static void times_are_added_without_wrapping(void **state) {
        uint64_t a = now_monotonic(), b = now_monotonic();

        assert_true(a > 0 && b >= a);
        assert_true(now_realtime() > UINT64_C(1700000000) * USEC_PER_SEC);
        assert_true(usec_add(1, 2) == 3);
        assert_true(usec_add(USEC_INFINITY, 0) == USEC_INFINITY);
        assert_true(usec_add(0, USEC_INFINITY) == USEC_INFINITY);
        assert_true(usec_add(USEC_INFINITY - 1, 1) == USEC_INFINITY);
        assert_true(usec_add(USEC_INFINITY - 1, 2) == USEC_INFINITY);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_hold_to_their_limits),
                cmocka_unit_test(seconds_are_read_exactly),
                cmocka_unit_test(words_of_yes_and_no_are_read),
                cmocka_unit_test(addresses_are_read_and_written_back),
                cmocka_unit_test(times_are_added_without_wrapping),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
