/* SPDX-License-Identifier: Apache-2.0 */
/* Error codes: a text for each of the table, one state a thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>

#include "lib/errors.h"

/* The numbers of the documented table, which has holes. */
static void every_code_has_a_text(void **state) {
        for (int code = 1; code <= 71; code++) {
                bool hole = code == 56 || (code >= 62 && code <= 66);
                const char *text = confd_strerror(code);

                assert_true(strlen(text) > 0);
                assert_true((error_text(code) == NULL) == hole);
                for (int other = 1; other < code; other++)
                        if (!hole && error_text(other) && streq(error_text(other), text))
                                fail_msg("%i and %i have the same text", other, code);
        }
        assert_non_null(strstr(confd_strerror(4711), "4711"));
        assert_non_null(strstr(confd_strerror(-1), "-1"));
        assert_non_null(strstr(confd_strerror(56), "56"));
        assert_string_equal(confd_strerror(0), "Success");
}

static void *other_thread(void *userdata) {
        assert_int_equal(confd_errno, 0);
        assert_string_equal(confd_lasterr(), "");
        errno = 5;
        assert_int_equal(error_set(CONFD_ERR_EOF, "%s", "gone"), CONFD_EOF);
        assert_int_equal(errno, 5);
        return NULL;
}

static void each_thread_has_its_own_error(void **state) {
        char words[3000];
        pthread_t t;

        assert_string_equal(confd_lasterr(), "");
        assert_int_equal(error_set(CONFD_ERR_OS, "n = %i", 3), CONFD_ERR);
        assert_int_equal(pthread_create(&t, NULL, other_thread, NULL), 0);
        assert_int_equal(pthread_join(t, NULL), 0);
        assert_int_equal(confd_errno, CONFD_ERR_OS);
        assert_string_equal(confd_lasterr(), "n = 3");
        confd_errno = 7;
        assert_int_equal(confd_errno, 7);
        memset(words, 'x', sizeof(words));
        words[sizeof(words) - 1] = 0;
        assert_int_equal(error_set(CONFD_ERR_OS, "%s", words), CONFD_ERR);
        assert_int_equal(strlen(confd_lasterr()), 1023);
}

static void errnos_have_their_codes(void **state) {
        assert_int_equal(error_code_from_errno(0), CONFD_OK);
        assert_int_equal(error_code_from_errno(-EACCES), CONFD_ERR_ACCESS_DENIED);
        assert_int_equal(error_code_from_errno(-ECONNRESET), CONFD_ERR_EOF);
        assert_int_equal(error_code_from_errno(-EPROTO), CONFD_ERR_PROTOUSAGE);
        assert_int_equal(error_code_from_errno(-EPROTONOSUPPORT), CONFD_ERR_PROTOUSAGE);
        assert_int_equal(error_code_from_errno(-ETIMEDOUT), CONFD_ERR_TIMEOUT);
        assert_int_equal(error_code_from_errno(-ENOMEM), CONFD_ERR_MALLOC);
        assert_int_equal(error_code_from_errno(-ECANCELED), CONFD_ERR_ABORTED);
        assert_int_equal(error_code_from_errno(-ECONNREFUSED), CONFD_ERR_OS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_code_has_a_text),
                cmocka_unit_test(each_thread_has_its_own_error),
                cmocka_unit_test(errnos_have_their_codes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
