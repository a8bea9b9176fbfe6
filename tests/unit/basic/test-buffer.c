/* SPDX-License-Identifier: Apache-2.0 */
/* The byte queue: order, limits, and what a failure leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/buffer.h"

static void what_goes_in_comes_out(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        uint8_t next_in = 0, next_out = 0, *p;
        unsigned seed = 1;

        /* Pieces of pseudo-random sizes; what comes out is what went in. */
        for (int i = 0; i < 20000; i++) {
                size_t n;

                seed = seed * 1103515245 + 12345;
                n = (seed >> 16) % 700;
                if (seed & 0x8000) {
                        assert_int_equal(buffer_reserve(&b, n, &p), 0);
                        for (size_t k = 0; k < n; k++)
                                p[k] = next_in++;
                        buffer_commit(&b, n);
                } else {
                        n = MIN(n, buffer_size(&b));
                        for (size_t k = 0; k < n; k++)
                                assert_int_equal(buffer_head(&b)[k], next_out++);
                        buffer_consume(&b, n);
                }
        }
}

static void the_limit_holds(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(10);
        uint8_t *p = NULL;

        assert_null(buffer_head(&b));
        assert_int_equal(buffer_append(&b, "1234567890", 10), 0);
        assert_int_equal(buffer_append(&b, "", 0), 0);
        assert_int_equal(buffer_append(&b, "x", 1), -ENOBUFS);
        assert_int_equal(buffer_reserve(&b, 1, &p), -ENOBUFS);
        assert_null(p);
        assert_memory_equal(buffer_head(&b), "1234567890", 10);
        buffer_consume(&b, 3);
        assert_int_equal(buffer_append(&b, "abcd", 4), -ENOBUFS);
        assert_int_equal(buffer_append(&b, "abc", 3), 0);
        assert_memory_equal(buffer_head(&b), "4567890abc", 10);
        buffer_consume(&b, SIZE_MAX);
        assert_int_equal(buffer_size(&b), 0);
        assert_int_equal(buffer_append(&b, "12345678901", 11), -ENOBUFS);
        b.limit = 0;
        assert_int_equal(buffer_reserve(&b, SIZE_MAX, &p), -ENOBUFS);
        assert_int_equal(buffer_reserve(&b, SIZE_MAX / 2 + 1, &p), -ENOBUFS);
        buffer_shrink(&b);
        assert_null(b.data);
        assert_int_equal(b.limit, 0);
}

/* A limit set below what is there refuses, and nothing wraps. */
static void a_lowered_limit_refuses_and_nothing_wraps(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(100);

        assert_int_equal(buffer_append(&b, "1234567890", 10), 0);
        b.limit = 5;
        assert_int_equal(buffer_append(&b, "x", 1), -ENOBUFS);
        buffer_clear(&b);
        assert_int_equal(buffer_append(&b, "12345", 5), 0);
        buffer_done(&b);
        assert_int_equal(b.limit, 5);
}

/* A steady stream does not make it grow. */
static void memory_follows_the_content(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        char piece[100] = {};

        assert_int_equal(buffer_append(&b, piece, 1), 0);
        for (int i = 0; i < 10000; i++) {
                assert_int_equal(buffer_append(&b, piece, sizeof(piece)), 0);
                buffer_consume(&b, sizeof(piece));
        }
        assert_int_equal(buffer_size(&b), 1);
        assert_true(b.allocated <= 1024);
}

static bool has(const struct buffer *b, const char *word) {
        return b->data && memmem(b->data, b->allocated, word, strlen(word));
}

/* Looks at memory behind the unread bytes, too. */
static void a_secret_leaves_nothing_behind(void **state) {
        struct buffer b = BUFFER_INIT_SECRET(0);
        uint8_t *p;

        assert_int_equal(buffer_append(&b, "first.secret.", 13), 0);
        assert_int_equal(buffer_append(&b, "second", 6), 0);
        buffer_consume(&b, 13);
        assert_false(has(&b, "first"));
        assert_false(has(&b, "secret."));
        assert_memory_equal(buffer_head(&b), "second", 6);
        /* moved to the front, within the same allocation */
        assert_int_equal(buffer_reserve(&b, b.allocated - 6, &p), 0);
        assert_int_equal(b.begin, 0);
        assert_memory_equal(buffer_head(&b), "second", 6);
        assert_false(memmem(b.data + 6, b.allocated - 6, "ond", 3));
        /* and into another one */
        assert_int_equal(buffer_reserve(&b, 2 * b.allocated, &p), 0);
        assert_memory_equal(buffer_head(&b), "second", 6);
        assert_int_equal(buffer_size(&b), 6);
        buffer_clear(&b);
        assert_false(has(&b, "second"));
        buffer_shrink(&b);
        assert_true(b.secret);
        assert_null(b.data);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_goes_in_comes_out),
                cmocka_unit_test(the_limit_holds),
                cmocka_unit_test(a_lowered_limit_refuses_and_nothing_wraps),
                cmocka_unit_test(memory_follows_the_content),
                cmocka_unit_test(a_secret_leaves_nothing_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
