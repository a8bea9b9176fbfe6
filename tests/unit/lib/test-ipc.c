/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake without a server: every path, in pieces of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/ipc.h"

/* (printf secret; head -c32 /dev/zero) | sha256sum */
static const uint8_t digest[IPC_ANSWER_SIZE] = {
        0x62, 0xa3, 0xad, 0x91, 0xb7, 0xfd, 0x28, 0x6d, 0xfe, 0x8f, 0xf0, 0xd4, 0xb2, 0x6b, 0xfd, 0xcf,
        0xb3, 0x5f, 0xde, 0x17, 0x27, 0x3f, 0x42, 0x96, 0x5a, 0x8f, 0x3b, 0x79, 0x09, 0x11, 0xab, 0xef,
};

struct script {
        const char *in; /* what the server sends, n bytes */
        size_t n;
        const char *secret;
        int result;
};

/* Plays the server's bytes in pieces of `piece`; returns the result, and how much was taken. */
static int play(struct ipc *ipc, const struct script *s, size_t piece, size_t *ret_taken) {
        size_t at = 0, n;
        int r = 0;

        ipc_begin(ipc, IPC_KIND_HA, 0x1234, s->secret, s->secret ? strlen(s->secret) : 0);
        while (r == 0 && at < s->n) {
                (void) ipc_output(ipc, &n);
                ipc_sent(ipc, n);
                n = MIN(piece, ipc_wants(ipc));
                n = MIN(n, s->n - at);
                r = ipc_input(ipc, s->in + at, n);
                at += n;
        }
        *ret_taken = at;
        return r;
}

#define CHALLENGE "\x0b" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define HELLO "\0\0\x52\x08\x02\x05\0\x14\x09"
#define SCRIPT(bytes, secret, result) { bytes, sizeof(bytes) - 1, secret, result }

static void the_handshake_goes_every_way_of_the_protocol(void **state) {
        static const struct script scripts[] = {
                SCRIPT(HELLO, NULL, 1),
                SCRIPT(HELLO "frame", NULL, 1),
                SCRIPT(HELLO, "secret", 1),
                SCRIPT("\2\0\x52\x08\x02\x05\0\x14\x09", NULL, 1),
                SCRIPT("\1\0\x47\x08\x02\x05\0\x14\x09", NULL, -EPROTONOSUPPORT),
                SCRIPT("\3", NULL, -EPROTO),
                SCRIPT("\xff", NULL, -EPROTO),
                SCRIPT(CHALLENGE, NULL, -EACCES),
                SCRIPT(CHALLENGE "\0" HELLO, "secret", 1),
                SCRIPT(CHALLENGE "\1", "secret", -EACCES),
                SCRIPT(CHALLENGE "\0\x0b", "secret", -EPROTO), /* no second challenge */
        };

        for (size_t i = 0; i < ELEMENTSOF(scripts); i++)
                for (size_t piece = 1; piece <= 40; piece++) {
                        struct ipc ipc;
                        size_t taken;
                        char words[256];

                        assert_int_equal(play(&ipc, &scripts[i], piece, &taken), scripts[i].result);
                        assert_int_equal(ipc_wants(&ipc), 0);
                        if (scripts[i].result == 1)
                                assert_int_equal(ipc.server_version, 0x08020500);
                        if (i == 1)
                                assert_int_equal(taken, IPC_HELLO_SIZE); /* the frame is left */
                        if (scripts[i].result < 0) {
                                ipc_describe(&ipc, scripts[i].result, words, sizeof(words));
                                assert_true(strlen(words) > 10);
                                assert_null(strstr(words, "secret\n"));
                        }
                        assert_int_equal(ipc_input(&ipc, "x", 1), -EPROTO); /* it is over */
                }
}

static void the_hello_has_the_bytes_of_the_protocol(void **state) {
        struct ipc ipc;
        size_t n;

        ipc_begin(&ipc, IPC_KIND_EVENTS, 82, NULL, 0);
        assert_memory_equal(ipc_output(&ipc, &n), "\x0b\0\x52\x08\x02\x05\0\0\0", 9);
        assert_int_equal(n, 9);
        ipc_sent(&ipc, 4);
        assert_memory_equal(ipc_output(&ipc, &n), "\x02\x05\0\0\0", 5);
        assert_int_equal(n, 5);
        ipc_sent(&ipc, 100);
        (void) ipc_output(&ipc, &n);
        assert_int_equal(n, 0);
        ipc_begin(&ipc, IPC_KIND_HA, 0xabcd, "", 0); /* an empty secret is one */
        assert_memory_equal(ipc_output(&ipc, &n), "\xd1\xab\xcd", 3);
}

static void the_answer_is_the_hash_of_secret_and_challenge(void **state) {
        struct ipc ipc;
        size_t n;

        ipc_begin(&ipc, IPC_KIND_HA, 82, "secret", 6);
        ipc_sent(&ipc, IPC_HELLO_SIZE);
        assert_int_equal(ipc_input(&ipc, CHALLENGE, 1), 0);
        assert_int_equal(ipc_wants(&ipc), 32);
        assert_int_equal(ipc_input(&ipc, &CHALLENGE[1], 32), 0);
        assert_int_equal(ipc_output(&ipc, &n)[0], IPC_ANSWER);
        assert_int_equal(n, 33);
        assert_memory_equal(ipc_output(&ipc, &n) + 1, digest, sizeof(digest));
        assert_int_equal(ipc_eof(&ipc), -EACCES);
        assert_int_equal(ipc_input(&ipc, "\0\0", 2), -EPROTO); /* more than was wanted */
}

static void an_end_before_the_hello_is_a_reset(void **state) {
        struct ipc ipc;

        ipc_begin(&ipc, IPC_KIND_HA, 82, NULL, 0);
        assert_int_equal(ipc_eof(&ipc), -ECONNRESET);
        assert_int_equal(ipc_input(&ipc, "", 0), 0);
        assert_int_equal(ipc_input(&ipc, "\0", 1), 0);
        assert_int_equal(ipc_eof(&ipc), -ECONNRESET);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_handshake_goes_every_way_of_the_protocol),
                cmocka_unit_test(the_hello_has_the_bytes_of_the_protocol),
                cmocka_unit_test(the_answer_is_the_hash_of_secret_and_challenge),
                cmocka_unit_test(an_end_before_the_hello_is_a_reset),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
