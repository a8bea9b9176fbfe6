/* SPDX-License-Identifier: Apache-2.0 */
/* What is asserted of the documented functions: the result, the code, and that there are words. */
#pragma once

#include <confd_lib.h>

#define assert_failed(call, result, code) \
        do { \
                confd_errno = 0; \
                assert_int_equal(call, result); \
                assert_int_equal(confd_errno, code); \
                assert_true(strlen(confd_lasterr()) > 0); \
        } while (0)

#define assert_ok(call) \
        do { \
                if ((call) != CONFD_OK) \
                        fail_msg("%s", confd_lasterr()); \
        } while (0)
