/* SPDX-License-Identifier: Apache-2.0 */
/* Replies and events: what is cut anywhere, or altered anywhere, is refused or read, and never read past its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/event.h"
#include "lib/orders.h"

static struct confd_ha_node_term nodes[CONFD_HA_STATUS_NODES_MAX];

/* The message in an allocation that ends where it ends. */
static void *exact(const void *p, size_t n) {
        void *copy = malloc(n ?: 1);

        assert_non_null(copy);
        memcpy(copy, p, n);
        return copy;
}

static volatile unsigned touched; /* so that no access is left out */

/* Asks for every byte that a result points to. */
static unsigned touch(const struct confd_ha_term *t) {
        unsigned sum = 0;

        for (size_t i = 0; i < t->size; i++)
                sum += t->data[i];
        return sum;
}

static int parse_reply(const void *p, size_t n) {
        struct reply r = {};
        char words[200];
        int e = reply_parse(p, n, &r);

        if (e >= 0 && r.code != 0)
                reply_describe(&r, words, sizeof(words));
        return e;
}

static int parse_status(const void *p, size_t n) {
        struct reply r = {};
        int e = reply_parse_status(p, n, &r, nodes);

        for (unsigned i = 0; e >= 0 && i < r.num_nodes; i++)
                touched += touch(&nodes[i].id) + touch(&nodes[i].address);
        return e;
}

static int parse_event(const void *p, size_t n) {
        struct event ev = {};
        int e = event_parse(p, n, &ev);

        if (e >= 0 && ev.bit == CONFD_NOTIF_HA_INFO)
                touched += touch(&ev.ha.node.id) + touch(&ev.ha.node.address);
        return e;
}

static const struct {
        int (*parse)(const void *p, size_t n);
        const char *message;
        size_t n;
} messages[] = {
#define MESSAGE(parse, bytes) { parse, bytes, sizeof(bytes) - 1 }
        MESSAGE(parse_reply, "\x83" "d\0\2ok"),
        MESSAGE(parse_reply, "\x83w\2ok"),
        MESSAGE(parse_reply, "\x83h\2d\0\5errora\x11"),
        MESSAGE(parse_reply, "\x83h\3w\5errora\x11m\0\0\0\3why"),
        MESSAGE(parse_reply, "\x83h\3w\5errora\x11k\0\3why"),
        MESSAGE(parse_reply, "\x83i\0\0\0\3w\5errorb\0\0\0\x11t\0\0\0\1a\1a\2"),
        MESSAGE(parse_status, "\x83h\2a\1j"),
        MESSAGE(parse_status, "\x83h\2d\0\5errora\x11"),
        MESSAGE(parse_status, "\x83h\2a\3l\0\0\0\2h\2m\0\0\0\2n2h\4a\na\0a\0a\2h\2a\7m\0\0\0\1hj"),
        MESSAGE(parse_event, "\x83h\2a@h\2a\1a\x1a"),
        MESSAGE(parse_event, "\x83h\2a@h\2a\2h\2m\0\0\0\2n2h\4a\na\0a\0a\2"),
        MESSAGE(parse_event, "\x83h\2a@h\2a\5t\0\0\0\1a\1F\0\0\0\0\0\0\0\0"),
};

static void what_is_cut_anywhere_is_refused(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(messages); i++) {
                assert_int_equal(messages[i].parse(messages[i].message, messages[i].n), 0);
                for (size_t n = 0; n < messages[i].n; n++) {
                        void *p = exact(messages[i].message, n);

                        assert_int_equal(messages[i].parse(p, n), -EPROTO);
                        free(p);
                }
        }
}

static void what_is_altered_anywhere_is_read_safely(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(messages); i++)
                for (size_t at = 0; at < messages[i].n; at++)
                        for (unsigned byte = 0; byte < 256; byte++) {
                                uint8_t *p = exact(messages[i].message, messages[i].n);
                                int r;

                                p[at] = (uint8_t) byte;
                                r = messages[i].parse(p, messages[i].n);
                                assert_true(r == 0 || r == -EPROTO);
                                free(p);
                        }
}

static void a_byte_too_much_is_refused(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(messages); i++) {
                char text[128] = {};

                memcpy(text, messages[i].message, messages[i].n);
                text[messages[i].n] = 'j';
                assert_int_equal(messages[i].parse(text, messages[i].n + 1), -EPROTO);
        }
}

static void replies_have_their_words(void **state) {
        const char long_reason[] = "\x83h\3d\0\5errora\x11m\0\0\1\0";
        char message[sizeof(long_reason) - 1 + 256], words[128], small[8];
        struct reply r;

        memcpy(message, long_reason, sizeof(long_reason) - 1);
        memset(message + sizeof(long_reason) - 1, 'y', 256);
        assert_int_equal(reply_parse(message, sizeof(message), &r), 0);
        reply_describe(&r, words, sizeof(words));
        assert_int_equal(strlen(words), sizeof(words) - 1);
        reply_describe(&r, small, sizeof(small));
        assert_string_equal(small, "Not pos");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_cut_anywhere_is_refused),
                cmocka_unit_test(what_is_altered_anywhere_is_read_safely),
                cmocka_unit_test(a_byte_too_much_is_refused),
                cmocka_unit_test(replies_have_their_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
