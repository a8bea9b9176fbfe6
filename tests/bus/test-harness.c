/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that the tests' own participants do what they are told: the scripted ConfD by bytes written down here,
 * the polkit authority and the systemd by calls. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "harness.h"
#include "message-text.h"

static int dial(struct fixture *f) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        struct timeval patience = { .tv_sec = PATIENCE_SEC };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->sim_address + strlen("unix:"));
        CHECK(f, fd >= 0);
        CHECK(f, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
        CHECK(f, connect(fd, (struct sockaddr *) &a, sizeof(a)) == 0);
        return fd;
}

static void put_hex(struct fixture *f, int fd, const char *hex) {
        for (; *hex; hex += 2) {
                unsigned byte;
                uint8_t b;

                CHECK(f, sscanf(hex, "%2x", &byte) == 1);
                b = (uint8_t) byte;
                CHECK(f, write(fd, &b, 1) == 1);
        }
}

static const char *get_hex(struct fixture *f, int fd, size_t n) {
        char text[512] = "";

        for (size_t i = 0; i < n; i++) {
                uint8_t b;

                if (read(fd, &b, 1) != 1)
                        return keep(f, strdup("closed"));
                sprintf(text + 2 * i, "%02x", b);
        }
        return keep(f, strdup(text));
}

static int orders(struct fixture *f) {
        int fd = dial(f);

        put_hex(f, fd, "110052080205000000");
        CHECK_TEXT(f, get_hex(f, fd, 9), "000052080205000000");
        put_hex(f, fd, "00000003616263");
        SIM_EXPECT(f, "{hello,ha,82,{8,2,5,0},false}");
        SIM_EXPECT(f, "{token,<<\"abc\">>}");
        return fd;
}

static int events(struct fixture *f) {
        int fd = dial(f);

        put_hex(f, fd, "0b0052080205000000");
        CHECK_TEXT(f, get_hex(f, fd, 9), "000052080205000000");
        /* {64, 0, 0, undefined, 0} */
        put_hex(f, fd, "00000017"
                       "8368056140610061006400"
                       "09756e646566696e6564"
                       "6100");
        CHECK_TEXT(f, get_hex(f, fd, 10), "00000006836400026f6b");
        SIM_EXPECT(f, "{subscribed,{64,0,0,undefined,0}}");
        return fd;
}

static void orders_are_read_and_answered(void **state) {
        struct fixture *f = *state;
        _cleanup_close_ int ev = events(f), fd = orders(f);

        put_hex(f, fd, "0000000a" "836802" "6101" "6d000000" "00");
        SIM_EXPECT(f, "{order,{1,<<>>}}");
        CHECK_TEXT(f, get_hex(f, fd, 10), "00000006836400026f6b");
        /* {64, {5, 0}} */
        CHECK_TEXT(f, get_hex(f, ev, 15), "0000000b" "836802" "6140" "6802" "61056100");
        put_hex(f, fd, "00000005" "836801" "6104");
        CHECK_TEXT(f, get_hex(f, fd, 10), "00000006" "836802" "61036a");

        sim(f, "{on,4,{cut,5}}");
        put_hex(f, fd, "00000005" "836801" "6104");
        CHECK_TEXT(f, get_hex(f, fd, 5), "0000000683");
        CHECK_TEXT(f, get_hex(f, fd, 1), "closed");
}

static void the_other_encodings(void **state) {
        struct fixture *f = *state;
        _cleanup_close_ int fd = orders(f);

        sim(f, "{set,atoms,119}");
        sim(f, "{set,strings,string}");
        sim(f, "{set,tuples,large}");
        sim(f, "{state,master,none,[{<<\"n2\">>,{10,0,0,2}}]}");
        put_hex(f, fd, "00000005" "836801" "6104");
        CHECK_TEXT(f, get_hex(f, fd, 41),
                   "00000025" "8369" "00000002" "6103" "6c00000001" "6900000002" "6b0002" "6e32" "6900000004"
                   "610a6100610061026a");
        sim(f, "{set,errors,binary}");
        sim(f, "{reply,{error,17}}");
        CHECK_TEXT(f, get_hex(f, fd, 19), "0000000f" "8369" "00000002" "7705" "6572726f72" "6111");
}

static void a_later_controller_displaces(void **state) {
        struct fixture *f = *state;
        _cleanup_close_ int first = orders(f), second = orders(f);

        CHECK_TEXT(f, get_hex(f, first, 1), "closed");
        WAIT_FOR(f, trace_count(&f->sim.trace, "{displaced}") == 1);
        put_hex(f, second, "00000005" "836801" "6104");
        CHECK_TEXT(f, get_hex(f, second, 10), "00000006" "836802" "61016a");
}

static void the_join_of_the_model(void **state) {
        struct fixture *f = *state;
        _cleanup_close_ int ev = events(f), fd = orders(f);

        sim(f, "{set,sync,manual}");
        /* {2, <<"n2">>, {<<"n1">>, {10,0,0,1}}, 0} */
        put_hex(f, fd, "00000021" "836804" "6102" "6d00000002" "6e32" "6802" "6d00000002" "6e31" "6804" "610a610061006101"
                       "6100");
        SIM_EXPECT(f, "{order,{2,<<\"n2\">>,{<<\"n1\">>,{10,0,0,1}},0}}");
        sim(f, "{joined,1}");
        CHECK_TEXT(f, get_hex(f, ev, 15), "0000000b" "836802" "6140" "6802" "61046101");
        CHECK_TEXT(f, get_hex(f, ev, 15), "0000000b" "836802" "6140" "6802" "61076100");
}

static void a_wrong_secret_is_refused(void **state) {
        struct fixture *f = *state;
        _cleanup_close_ int fd = -EBADF;

        sim(f, "{set,secret,<<\"s\">>}");
        fd = dial(f);
        put_hex(f, fd, "d10052080205000000");
        (void) get_hex(f, fd, 33);
        put_hex(f, fd, "0c" "0000000000000000000000000000000000000000000000000000000000000000");
        CHECK_TEXT(f, get_hex(f, fd, 1), "closed");
        SIM_EXPECT(f, "{access,wrong}");
}

static void a_version_is_refused(void **state) {
        struct fixture *f = *state;
        _cleanup_close_ int fd = -EBADF;

        sim(f, "{set,versions,[70]}");
        sim(f, "{set,version,70}");
        fd = dial(f);
        put_hex(f, fd, "110052080205000000");
        CHECK_TEXT(f, get_hex(f, fd, 9), "010046080205000000");
        CHECK_TEXT(f, get_hex(f, fd, 1), "closed");
}

static void the_bus_knows_other_users(void **state) {
        struct fixture *f = *state;
        struct client *c;
        sd_bus_message *reply = NULL;
        const char *name;
        uint32_t uid;

        if (geteuid() != 0)
                skip();
        c = client_new(f, NOBODY);
        CHECK(f, sd_bus_get_unique_name(c->bus, &name) >= 0);
        CHECK(f, sd_bus_call_method(f->root->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                    "org.freedesktop.DBus", "GetConnectionUnixUser", NULL, &reply, "s", name) >= 0);
        CHECK(f, sd_bus_message_read(reply, "u", &uid) >= 0);
        CHECK(f, uid == NOBODY);
        sd_bus_message_unref(reply);
}

static void ask(struct fixture *f, sd_bus_message **ret, uint32_t flags) {
        sd_bus_message *m = NULL;

        CHECK(f, sd_bus_message_new_method_call(f->root->bus, &m, "org.freedesktop.PolicyKit1",
                                                "/org/freedesktop/PolicyKit1/Authority",
                                                "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization") >= 0);
        CHECK(f, sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s", ":1.0", "an.action", 1,
                                       "node_id", "n1", flags, "cookie") >= 0);
        *ret = m;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        char **text = userdata;

        *text = sd_bus_message_get_error(m) ? strdup("error") : message_text(m);
        return 0;
}

static void the_authority_answers_as_told(void **state) {
        static const struct {
                enum polkit_answer answer;
                uint32_t flags;
                const char *expected;
        } table[] = {
                { POLKIT_YES, 0, "(true false {})" },       { POLKIT_NO, 0, "(false false {})" },
                { POLKIT_CHALLENGE, 0, "(false true {})" }, { POLKIT_CHALLENGE, 1, "(true false {})" },
                { POLKIT_ERROR, 0, "error" },               { POLKIT_GARBAGE, 0, "'yes'" },
                { POLKIT_HOLD, 0, "(true false {})" },
        };
        struct fixture *f = *state;

        polkit_start(f, POLKIT_NO);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *text = NULL;
                sd_bus_message *m;

                f->polkit.answer = table[i].answer;
                ask(f, &m, table[i].flags);
                CHECK(f, sd_bus_call_async(f->root->bus, NULL, m, on_answer, &text, 0) >= 0);
                sd_bus_message_unref(m);
                EXPECT(f, &f->polkit.trace,
                       "check ('system-bus-name' {'name': ':1.0'}) 'an.action' {'node_id': 'n1'} * 'cookie'");
                if (table[i].answer == POLKIT_HOLD)
                        polkit_release(&f->polkit, POLKIT_YES);
                WAIT_FOR(f, text);
                CHECK_TEXT(f, text, table[i].expected);
        }
}

static void patterns_match(void **state) {
        assert_true(pattern_matches("", ""));
        assert_false(pattern_matches("", "a"));
        assert_true(pattern_matches("*", ""));
        assert_true(pattern_matches("a*c", "abcabc"));
        assert_false(pattern_matches("a*c", "abcab"));
        assert_true(pattern_matches("*a*", "bab"));
        assert_false(pattern_matches("ab", "abc"));
}

#define SIM_TEST(t) cmocka_unit_test_setup_teardown(t, setup_stopped, teardown)
#define BARE_TEST(t) cmocka_unit_test_setup_teardown(t, setup_bare, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(patterns_match),
                SIM_TEST(orders_are_read_and_answered),
                SIM_TEST(the_other_encodings),
                SIM_TEST(a_later_controller_displaces),
                SIM_TEST(the_join_of_the_model),
                SIM_TEST(a_wrong_secret_is_refused),
                SIM_TEST(a_version_is_refused),
                BARE_TEST(the_bus_knows_other_users),
                BARE_TEST(the_authority_answers_as_told),
        };

        return cmocka_run_group_tests_name("harness", tests, NULL, NULL);
}
