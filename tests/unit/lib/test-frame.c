/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: limits, and streams that come in any pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/frame.h"

static void frames_may_come_byte_by_byte(void **state) {
        _cleanup_buffer_ struct buffer from = BUFFER_INIT(0), to = BUFFER_INIT(0);
        const uint8_t *body;
        unsigned frames = 0;
        size_t n;

        assert_int_equal(frame_append(&from, "one", 3), 0);
        assert_int_equal(frame_append(&from, "", 0), 0);
        assert_int_equal(frame_append(&from, "three", 5), 0);
        while (buffer_size(&from) > 0) {
                assert_int_equal(frame_next(&to, FRAME_BODY_MAX, &body, &n), 0);
                assert_true(n > 0 && n <= buffer_size(&from)); /* never asks for more than the frame has */
                assert_int_equal(buffer_append(&to, buffer_head(&from), 1), 0);
                buffer_consume(&from, 1);
                if (frame_next(&to, FRAME_BODY_MAX, &body, &n) == 1) {
                        static const char *const bodies[] = { "one", "", "three" };

                        assert_int_equal(n, strlen(bodies[frames]));
                        assert_memory_equal(body, bodies[frames], n);
                        frames++;
                        frame_consume(&to, n);
                        assert_int_equal(buffer_size(&to), 0);
                }
        }
        assert_int_equal(frames, 3);
}

static void frames_hold_to_their_limits(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        const uint8_t *body;
        size_t n = 77;

        assert_int_equal(buffer_append(&b, "\0\0\0\5abcde", 9), 0);
        assert_int_equal(frame_next(&b, 5, &body, &n), 1);
        assert_int_equal(frame_next(&b, 4, &body, &n), -EMSGSIZE);
        assert_int_equal(frame_parse_header("\0\x10\0\0", FRAME_BODY_MAX, &n), 0);
        assert_int_equal(n, 1024 * 1024);
        assert_int_equal(frame_parse_header("\0\x10\0\1", FRAME_BODY_MAX, &n), -EMSGSIZE);
        assert_int_equal(frame_parse_header("\xff\xff\xff\xff", FRAME_BODY_MAX, &n), -EMSGSIZE);
        assert_int_equal(frame_parse_header("\x80\0\0\0", FRAME_BODY_MAX, &n), -EMSGSIZE);
}

static void a_frame_is_appended_whole_or_not_at_all(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(12);
        size_t mark;

        assert_int_equal(frame_append(&b, "1234", 4), 0);
        assert_int_equal(frame_append(&b, "1", 1), -ENOBUFS);
        assert_int_equal(frame_append(&b, "", 0), 0);
        assert_int_equal(frame_append(&b, "", 0), -ENOBUFS);
        assert_int_equal(frame_open(&b, &mark), -ENOBUFS);
        assert_int_equal(buffer_size(&b), 12);
        buffer_consume(&b, 8);
        assert_int_equal(frame_open(&b, &mark), 0);
        assert_int_equal(buffer_append(&b, "x", 1), 0);
        frame_cancel(&b, mark);
        assert_int_equal(buffer_size(&b), 4);
        assert_int_equal(frame_open(&b, &mark), 0);
        assert_int_equal(buffer_append(&b, "xyz", 3), 0);
        assert_int_equal(frame_close(&b, mark), 0);
        assert_memory_equal(buffer_head(&b), "\0\0\0\0\0\0\0\3xyz", 11);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(frames_may_come_byte_by_byte),
                cmocka_unit_test(frames_hold_to_their_limits),
                cmocka_unit_test(a_frame_is_appended_whole_or_not_at_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
