/* SPDX-License-Identifier: Apache-2.0 */
/* What confd-hactl reads of people: times, hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "basic/time-util.h"
#include "ctl/ssh.h"
#include "ctl/when.h"

/* Sun 2026-11-22 11:34:08.270924 UTC */
#define NOW UINT64_C(1795347248270924)

static void times_are_those_of_systemd(void **state) {
        static const struct {
                const char *text;
                uint64_t usec;
        } cases[] = {
                { "now", NOW },
                { "@1795347248.270924", NOW },
                { "@1795347248", UINT64_C(1795347248000000) },
                { "@0", 0 },
                { "@1.5", 1500000 },
                { "today", UINT64_C(1795305600000000) },
                { "yesterday", UINT64_C(1795219200000000) },
                { "2026-11-22 11:34:08", UINT64_C(1795347248000000) },
                { "2026-11-22 11:34", UINT64_C(1795347240000000) },
                { "2026-11-22", UINT64_C(1795305600000000) },
                { "11:34:08", UINT64_C(1795347248000000) },
                { "11:34", UINT64_C(1795347240000000) },
                { "-1h", NOW - 3600 * USEC_PER_SEC },
                { "-1h30min", NOW - 5400 * USEC_PER_SEC },
                { "-90", NOW - 90 * USEC_PER_SEC },
                { "+2 days", NOW + 172800 * USEC_PER_SEC },
                { "5min ago", NOW - 300 * USEC_PER_SEC },
                { "1 week 2h ago", NOW - 612000 * USEC_PER_SEC },
                { "-1000000000w", 0 },
        };

        assert_int_equal(setenv("TZ", "UTC", /* overwrite= */ 1), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 1;

                assert_int_equal(when_parse(cases[i].text, NOW, &usec), 0);
                assert_int_equal(usec, cases[i].usec);
        }
}

static void what_is_no_time_is_refused(void **state) {
        static const char *const cases[] = { "", "soon", "-", "+", "-h", "1h", "ago", " ago", "-1x", "-1h x", "@", "@x", "@1.",
                                             "@1.1234567", "@1x", "@253402300800", "2026-11-22T11:34", "2026-13-01",
                                             "25:00", "2026-11-22 11:34:08 x", "-99999999999999999999999999999999999999999s" };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 7;

                assert_int_equal(when_parse(cases[i], NOW, &usec), -EINVAL);
                assert_int_equal(usec, 7);
        }
}

static void hosts_are_cut_as_libsystemd_does(void **state) {
        static const struct {
                const char *text, *host, *port, *container;
        } cases[] = {
                { "n1", "n1", NULL, NULL },
                { "me@n1:2222", "me@n1", "2222", NULL },
                { "n1/box-1", "n1", NULL, "box-1" },
                { "me@[fd00::1]:22/box", "me@fd00::1", "22", "box" },
                { "[fd00::1]", "fd00::1", NULL, NULL },
                { "fd00::1", "fd00::1", NULL, NULL },
        };
        static const char *const bad[] = { "", "-x", "n1:", "n1:x", "[fd00::1", "[fd00::1]x", "me@", "n1/", "n1/a b", "/x" };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_ssh_host_ struct ssh_host h;

                assert_int_equal(ssh_host_parse(&h, cases[i].text), 0);
                assert_string_equal(h.host, cases[i].host);
                assert_string_equal(h.port ?: "-", cases[i].port ?: "-");
                assert_string_equal(h.container ?: "-", cases[i].container ?: "-");
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                struct ssh_host h;

                assert_int_equal(ssh_host_parse(&h, bad[i]), -EINVAL);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(times_are_those_of_systemd),
                cmocka_unit_test(what_is_no_time_is_refused),
                cmocka_unit_test(hosts_are_cut_as_libsystemd_does),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
