/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that what follows from the token does not stay in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "hop-pair.h"
#include "node/replication/hop-tls.h"

enum { MASK = 0x5a, MAPPING_MAX = 1 << 30 };

static void mask(uint8_t *p, size_t n) {
        for (size_t i = 0; i < n; i++)
                p[i] ^= MASK;
}

/* Whether what is masked there is anywhere on the heap, in the clear; also where memory was freed. */
static bool is_in_memory(const uint8_t *masked, size_t n) {
        static uint8_t window[1 << 20];
        FILE *maps = fopen("/proc/self/maps", "re"), *mem = fopen("/proc/self/mem", "re");
        unsigned long from, to;
        char line[512], mode[8];
        bool found = false;

        assert_true(maps && mem && setvbuf(mem, NULL, _IONBF, 0) == 0); /* or it would find its own buffer */
        while (!found && fgets(line, sizeof(line), maps)) {
                assert_int_equal(sscanf(line, "%lx-%lx %7s", &from, &to, mode), 3);
                if (mode[0] != 'r' || mode[1] != 'w' || to - from > MAPPING_MAX || strstr(line, "[stack]"))
                        continue;
                for (unsigned long at = from; !found && at < to; at += sizeof(window) - n) {
                        size_t got;

                        if (fseek(mem, (long) at, SEEK_SET) < 0)
                                break;
                        got = fread(window, 1, MIN(sizeof(window), to - at), mem);
                        for (size_t i = 0; !found && i + n <= got; i++) {
                                size_t k = 0;

                                while (k < n && window[i + k] == (masked[k] ^ MASK))
                                        k++;
                                found = k == n && (at + i < (unsigned long) window || at + i >= (unsigned long) window + sizeof(window));
                        }
                        memset(window, 0, sizeof(window));
                }
        }
        fclose(maps);
        fclose(mem);
        return found;
}

static void neither_token_nor_keys_stay_in_memory(void **state) {
        struct { uint8_t token[32], extracted[HOP_KEY_SIZE], key[HOP_KEY_SIZE]; } masked;
        uint8_t *token = malloc(32), *copy, *hello, *welcome;
        struct node_id n1 = id_of("n1"), n2 = id_of("n2");
        struct secret secret = { token, 32 };
        size_t hello_size, welcome_size;
        struct hop_frame f;
        struct pair p;

        for (uint8_t i = 0; i < 32; i++)
                token[i] = masked.token[i] = (uint8_t) (200 - 3 * i);
        mask(masked.token, sizeof(masked.token));
        assert_int_equal(hop_new_joining(&n2, &n1, &secret, &p.joining), 0);
        assert_int_equal(hop_new_serving(&n1, &secret, &p.serving), 0);
        hello = take(p.joining, &hello_size);
        feed(p.serving, hello, hello_size);
        assert_int_equal(hop_next(p.serving, &f), 0);
        welcome = take(p.serving, &welcome_size);
        assert_int_equal(hop_key_extract(&secret, masked.extracted), 0);
        assert_int_equal(hop_key_expand(masked.extracted, (struct iovec[]) { { hello, hello_size }, { welcome, welcome_size } }, 2,
                                        masked.key), 0);
        mask(masked.extracted, sizeof(masked.extracted));
        mask(masked.key, sizeof(masked.key));
        /* It would be found. */
        assert_true(is_in_memory(masked.token, sizeof(masked.token)));
        copy = malloc(HOP_KEY_SIZE);
        memcpy(copy, masked.key, HOP_KEY_SIZE);
        mask(copy, HOP_KEY_SIZE);
        assert_true(is_in_memory(masked.key, sizeof(masked.key)));
        hop_key_erase(copy);
        free(copy);
        hop_key_erase(token);
        free(token);

        assert_false(is_in_memory(masked.token, sizeof(masked.token)));
        feed(p.joining, welcome, welcome_size);
        assert_int_equal(hop_next(p.joining, &f), 0);
        for (int step = 2; step < STEPS; step++)
                assert_int_equal(carry(sender(&p, step), receiver(&p, step), &f), 0);
        assert_true(hop_is_authenticated(p.joining) && hop_is_authenticated(p.serving));
        assert_false(is_in_memory(masked.token, sizeof(masked.token)));
        assert_false(is_in_memory(masked.extracted, sizeof(masked.extracted)));
        assert_false(is_in_memory(masked.key, sizeof(masked.key)));
        pair_free(&p);
        assert_false(is_in_memory(masked.key, sizeof(masked.key)));
        free(hello);
        free(welcome);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(neither_token_nor_keys_stay_in_memory),
        };

        return cmocka_run_group_tests_name("node-hop-memory", tests, NULL, NULL);
}
