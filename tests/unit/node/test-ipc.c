/* SPDX-License-Identifier: Apache-2.0 */
/* What the node makes of bytes on its IPC port: handshakes, orders and subscriptions, whole, cut and altered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/sha.h>

#include "basic/time-util.h"
#include "lib/frame.h"
#include "node/ipc/handshake.h"
#include "node/ipc/terms.h"

/* Written by Erlang's term_to_binary() (shared vectors of the protocol). */
static const struct {
        const char *hex;
        enum ha_order type;
        const char *id, *master, *address;
        bool wait;
} orders[] = {
        { "83680261016d000000026e31", HA_ORDER_BEMASTER, "n1" },
        { "83680461026d000000026e3268026d000000026e316804610a6100610061016101", HA_ORDER_BESLAVE, "n2", "n1", "10.0.0.1", true },
        { "83680461026d000000026e3268026d000000026e316808620000fd0061006100610061006100610061016100", HA_ORDER_BESLAVE, "n2", "n1",
          "fd00::1", false },
        { "8368016103", HA_ORDER_BENONE },
        { "8368016104", HA_ORDER_STATUS },
        { "83680261056d000000026e33", HA_ORDER_SLAVE_DEAD, "n3" },
        { "8368016106", HA_ORDER_BERELAY },
};

static size_t from_hex(const char *hex, uint8_t *out) {
        size_t n = 0;
        unsigned byte;

        for (; hex[0] && sscanf(hex, "%2x", &byte) == 1; hex += 2)
                out[n++] = (uint8_t) byte;
        return n;
}

/* A copy of exactly that size, so that a sanitizer sees a read past its end. */
static uint8_t *exact(const uint8_t *p, size_t n) {
        uint8_t *copy = malloc(n > 0 ? n : 1);

        assert_non_null(copy);
        memcpy(copy, p, n);
        return copy;
}

static void expect_id(const struct node_id *id, const char *name) {
        char text[NODE_ID_TEXT_MAX];

        assert_string_equal(node_id_text(id, text), name ?: "?");
}

static void every_order_is_read(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(orders); i++) {
                char address[NODE_ADDRESS_TEXT_MAX];
                struct role_order o;
                uint8_t b[128];
                size_t n = from_hex(orders[i].hex, b);

                assert_int_equal(ipc_read_order(b, n, &o), 0);
                assert_int_equal(o.error, 0);
                assert_int_equal(o.type, orders[i].type);
                assert_int_equal(o.wait, orders[i].wait);
                expect_id(&o.id, orders[i].id);
                expect_id(&o.master_id, orders[i].master);
                assert_string_equal(node_address_text(&o.master_address, address), orders[i].address ?: "?");
        }
}

static void a_cut_order_is_none(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(orders); i++) {
                uint8_t b[128];
                size_t n = from_hex(orders[i].hex, b);

                for (size_t size = 0; size < n; size++) {
                        _cleanup_free_ uint8_t *cut = exact(b, size);
                        struct role_order o;

                        assert_int_equal(ipc_read_order(cut, size, &o), -EBADMSG);
                }
        }
}

/* Every byte of every order replaced by every other: an order, a refusal, or no term, and never anything else. */
static void an_altered_order_is_an_order_a_refusal_or_no_term(void **state) {
        unsigned whole = 0, refused = 0, none = 0;

        for (size_t i = 0; i < ELEMENTSOF(orders); i++) {
                uint8_t b[128];
                size_t n = from_hex(orders[i].hex, b);

                for (size_t at = 0; at < n; at++)
                        for (unsigned v = 0; v < 256; v++) {
                                _cleanup_free_ uint8_t *altered = exact(b, n);
                                struct role_order o;
                                int r;

                                altered[at] = (uint8_t) v;
                                r = ipc_read_order(altered, n, &o);
                                if (r < 0) {
                                        assert_int_equal(r, -EBADMSG);
                                        none++;
                                } else if (o.error != 0) {
                                        assert_true(o.error == CONFD_ERR_BADTYPE || o.error == CONFD_ERR_PROTOUSAGE);
                                        assert_non_null(o.why);
                                        refused++;
                                } else {
                                        assert_true(o.type >= HA_ORDER_BEMASTER && o.type <= HA_ORDER_BERELAY);
                                        whole++;
                                }
                        }
        }
        assert_true(whole > 0 && refused > 0 && none > 0);
}

static void both_forms_of_a_subscription_are_read(void **state) {
        static const char five[] = "836805614061006100640009756e646566696e65646100";
        /* {8256,5,2000,undefined} */
        static const char four[] = "8368046200002040610562000007d0640009756e646566696e6564";
        struct ipc_subscription s;
        uint8_t b[64];
        size_t n;

        n = from_hex(five, b);
        assert_int_equal(ipc_read_subscription(b, n, &s), 0);
        assert_int_equal(s.mask, 64);
        assert_int_equal(s.heartbeat_usec, 0);
        for (size_t at = 0; at < n; at++)
                for (unsigned v = 0; v < 256; v++) {
                        _cleanup_free_ uint8_t *altered = exact(b, n);
                        int r;

                        altered[at] = (uint8_t) v;
                        r = ipc_read_subscription(altered, n, &s);
                        assert_true(r == 0 || r == -EBADMSG || r == -EPROTO);
                }
        n = from_hex(four, b);
        assert_int_equal(ipc_read_subscription(b, n, &s), 0);
        assert_int_equal(s.mask, 64 | CONFD_NOTIF_HEARTBEAT);
        assert_int_equal(s.heartbeat_usec, IPC_INTERVAL_MIN_MS * USEC_PER_MSEC); /* 5 ms would be too often */
        assert_int_equal(s.health_check_usec, 0);                                /* its bit is not in the mask */
        for (size_t size = 0; size < n; size++) {
                _cleanup_free_ uint8_t *cut = exact(b, size);

                assert_int_equal(ipc_read_subscription(cut, size, &s), -EBADMSG);
        }
}

static void only_ha_synced_acknowledges(void **state) {
        uint8_t b[32];
        size_t n = from_hex("8364000968615f73796e636564", b);

        assert_int_equal(ipc_read_sync(b, n), 0);
        assert_int_equal(ipc_read_sync(b, n - 1), -EBADMSG);
        b[n - 1] = 'x';
        assert_int_equal(ipc_read_sync(b, n), -EPROTO);
}

/* What goes out, byte for byte as Erlang writes it, but for the frame. */
static void expect_frame(struct buffer *b, const char *hex) {
        uint8_t wanted[256];
        size_t n = from_hex(hex, wanted), size;
        const uint8_t *body;

        assert_int_equal(frame_next(b, FRAME_BODY_MAX, &body, &size), 1);
        assert_int_equal(size, n);
        assert_memory_equal(body, wanted, n);
        frame_consume(b, size);
        assert_int_equal(buffer_size(b), 0);
}

static void replies_and_events_have_the_bytes_of_the_protocol(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        struct role_node n2 = { .id = { .size = 7, .etf = { 109, 0, 0, 0, 2, 'n', '2' } } };

        assert_int_equal(node_address_parse("10.0.0.2", 8, &n2.address), 0);
        n2.address.is_text = false;
        assert_int_equal(ipc_put_ok(&b), 0);
        expect_frame(&b, "836400026f6b");
        assert_int_equal(ipc_put_error(&b, 17, ""), 0);
        expect_frame(&b, "8368026400056572726f726111");
        assert_int_equal(ipc_put_error(&b, 25, "connection refused"), 0);
        expect_frame(&b, "8368036400056572726f7261196d00000012636f6e6e656374696f6e2072656675736564");
        assert_int_equal(ipc_put_event(&b, &(struct role_event) { .type = CONFD_HA_INFO_NOMASTER, .code = 26 }), 0);
        expect_frame(&b, "836802614068026101611a");
        assert_int_equal(ipc_put_event(&b, &(struct role_event) { .type = CONFD_HA_INFO_SLAVE_DIED, .node = n2 }), 0);
        expect_frame(&b, "83680261406802610268026d000000026e326804610a610061006102");
        assert_int_equal(ipc_put_event(&b, &(struct role_event) { .type = CONFD_HA_INFO_SLAVE_INITIALIZED, .code = 1 }), 0);
        expect_frame(&b, "8368026140680261046101");
        assert_int_equal(ipc_put_event(&b, &(struct role_event) { .type = CONFD_HA_INFO_IS_MASTER }), 0);
        expect_frame(&b, "8368026140680261056100");
        assert_int_equal(ipc_put_event(&b, &(struct role_event) { .type = CONFD_HA_INFO_BESLAVE_RESULT, .code = 28 }), 0);
        expect_frame(&b, "836802614068026107611c");
}

static void a_frame_goes_out_whole_or_not_at_all(void **state) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(20);

        assert_int_equal(ipc_put_ok(&b), 0);
        assert_int_equal(ipc_put_error(&b, 25, "this does not fit any more"), -ENOBUFS);
        expect_frame(&b, "836400026f6b");
}

/* A name that another node sends has to be in the one form that is compared. */
static void a_name_from_a_node_has_the_one_form(void **state) {
        static const struct {
                const char *hex;
                int r;
        } cases[] = {
                { "6d000000026e31", 0 },          { "6105", 0 },
                { "6200000005", -EINVAL },        { "6e0105", -EINVAL },
                { "6d000000026e", -EINVAL },      { "6d000000026e3100", -EINVAL },
                { "6d00000000", -EINVAL },        { "", -EINVAL },
                { "64000474727565", -EINVAL },   { "68026106617b", 0 },
                { "69000000026106617b", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t b[32];
                size_t n = from_hex(cases[i].hex, b);
                struct node_id id;

                assert_int_equal(node_id_from_bytes(b, n, &id), cases[i].r);
        }
}

/* ---- the handshake ---- */

static void put(struct buffer *b, const void *p, size_t n) {
        assert_int_equal(buffer_append(b, p, n), 0);
}

static const uint8_t hello[] = { IPC_KIND_HA, 0, 82, 8, 2, 5, 0, 20, 9 };
static const uint8_t hello_secret[] = { IPC_KIND_EVENTS | IPC_KIND_ACCESS_CHECK, 0, 60, 8, 2, 5, 0, 0, 0 };

static void the_handshake_may_come_byte_by_byte(void **state) {
        _cleanup_buffer_ struct buffer in = BUFFER_INIT(0), out = BUFFER_INIT(0);
        struct ipc_handshake h = IPC_HANDSHAKE_INIT(NULL);
        const uint8_t wanted[] = { 0, 0, 82, 8, 2, 5, 0, 20, 9 };

        for (size_t i = 0; i < sizeof(hello); i++) {
                put(&in, hello + i, 1);
                assert_int_equal(ipc_handshake_step(&h, &in, &out), i + 1 == sizeof(hello));
        }
        assert_int_equal(h.kind, IPC_KIND_HA);
        assert_int_equal(buffer_size(&out), sizeof(wanted));
        assert_memory_equal(buffer_head(&out), wanted, sizeof(wanted));
}

static void versions_60_to_99_are_taken(void **state) {
        static const struct {
                unsigned version;
                int r;
        } cases[] = { { 0, -EPROTONOSUPPORT }, { 59, -EPROTONOSUPPORT }, { 60, 1 }, { 99, 1 }, { 100, -EPROTONOSUPPORT },
                      { 65535, -EPROTONOSUPPORT } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_buffer_ struct buffer in = BUFFER_INIT(0), out = BUFFER_INIT(0);
                struct ipc_handshake h = IPC_HANDSHAKE_INIT(NULL);
                unsigned said;
                uint8_t b[9];

                memcpy(b, hello, sizeof(b));
                b[1] = (uint8_t) (cases[i].version >> 8);
                b[2] = (uint8_t) cases[i].version;
                put(&in, b, sizeof(b));
                assert_int_equal(ipc_handshake_step(&h, &in, &out), cases[i].r);
                said = (unsigned) buffer_head(&out)[1] << 8 | buffer_head(&out)[2];
                assert_int_equal(said, cases[i].r > 0 ? cases[i].version : 82);
                assert_int_equal(buffer_head(&out)[0], cases[i].r > 0 ? IPC_ACCEPTED : IPC_BAD_VERSION);
        }
}

static void every_bit_of_the_access_proof_counts(void **state) {
        const struct secret secret = { .data = (uint8_t *) "s3\0cret", .size = 7 };

        /* every bit of the answer counts */
        for (int wrong = -1; wrong < (1 + IPC_ANSWER_SIZE) * 8; wrong++) {
                _cleanup_buffer_ struct buffer in = BUFFER_INIT(0), out = BUFFER_INIT(0);
                struct ipc_handshake h = IPC_HANDSHAKE_INIT(&secret);
                uint8_t message[7 + IPC_CHALLENGE_SIZE], answer[1 + IPC_ANSWER_SIZE] = { IPC_ANSWER };

                put(&in, hello_secret, sizeof(hello_secret));
                assert_int_equal(ipc_handshake_step(&h, &in, &out), 0);
                assert_int_equal(buffer_size(&out), 1 + IPC_CHALLENGE_SIZE);
                assert_int_equal(buffer_head(&out)[0], IPC_CHALLENGE);
                memcpy(message, secret.data, secret.size);
                memcpy(message + secret.size, buffer_head(&out) + 1, IPC_CHALLENGE_SIZE);
                buffer_clear(&out);
                (void) SHA256(message, sizeof(message), answer + 1);
                if (wrong >= 0)
                        answer[wrong / 8] ^= (uint8_t) (1 << wrong % 8);
                put(&in, answer, sizeof(answer) - 1);
                assert_int_equal(ipc_handshake_step(&h, &in, &out), 0);
                put(&in, answer + sizeof(answer) - 1, 1);
                assert_int_equal(ipc_handshake_step(&h, &in, &out), wrong < 0 ? 1 : -EACCES);
                assert_int_equal(buffer_size(&out), wrong < 0 ? 1 + IPC_HELLO_SIZE : 1);
                assert_int_equal(buffer_head(&out)[0] == IPC_ACCESS_GRANTED, wrong < 0);
        }
}

static void who_offers_no_access_proof_is_refused(void **state) {
        const struct secret secret = { .data = (uint8_t *) "x", .size = 1 };
        _cleanup_buffer_ struct buffer in = BUFFER_INIT(0), out = BUFFER_INIT(0);
        struct ipc_handshake h = IPC_HANDSHAKE_INIT(&secret);

        put(&in, hello, 1);
        assert_int_equal(ipc_handshake_step(&h, &in, &out), -EACCES);
        assert_int_equal(buffer_size(&out), 0);
}

static void two_kinds_of_clients_are_known(void **state) {
        for (unsigned kind = 0; kind < 256; kind++) {
                _cleanup_buffer_ struct buffer in = BUFFER_INIT(0), out = BUFFER_INIT(0);
                struct ipc_handshake h = IPC_HANDSHAKE_INIT(NULL);
                uint8_t b = (uint8_t) kind;
                bool good = b == 17 || b == 11 || b == (17 | 0xc0) || b == (11 | 0xc0);

                put(&in, &b, 1);
                assert_int_equal(ipc_handshake_step(&h, &in, &out), good ? 0 : -EPROTO);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_order_is_read),
                cmocka_unit_test(a_cut_order_is_none),
                cmocka_unit_test(an_altered_order_is_an_order_a_refusal_or_no_term),
                cmocka_unit_test(both_forms_of_a_subscription_are_read), cmocka_unit_test(only_ha_synced_acknowledges),
                cmocka_unit_test(a_name_from_a_node_has_the_one_form),
                cmocka_unit_test(replies_and_events_have_the_bytes_of_the_protocol),
                cmocka_unit_test(a_frame_goes_out_whole_or_not_at_all),
                cmocka_unit_test(the_handshake_may_come_byte_by_byte), cmocka_unit_test(versions_60_to_99_are_taken),
                cmocka_unit_test(every_bit_of_the_access_proof_counts),
                cmocka_unit_test(who_offers_no_access_proof_is_refused),
                cmocka_unit_test(two_kinds_of_clients_are_known),
        };

        return cmocka_run_group_tests_name("node-ipc", tests, NULL, NULL);
}
