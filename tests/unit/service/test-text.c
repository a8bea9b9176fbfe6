/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof of what the service writes for people and programs to read: error names, the status line, versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <confd_ha_client.h>

#include "basic/escape.h"
#include "basic/node-name.h"
#include "service/bus-errors.h"
#include "service/convert.h"
#include "service/status-text.h"

static void each_code_has_its_name(void **unused) {
        static const struct {
                int code;
                const char *name;
        } table[] = {
                { 17, "BadState" },     { 25, "Connect" },  { 26, "Closed" },     { 27, "BadSchema" },
                { 28, "BadToken" },     { 29, "BadName" },  { 30, "Bind" },       { 31, "NoTick" },
                { 47, "WithUpgrade" },  { 52, "BadVersion" }, { 69, "BadConfig" }, { 71, "Aborted" },
        };
        char number[8], name[64];

        for (int code = 1; code < 200; code++) {
                struct failure f = failure_from_code("BeMaster", code, "reason");
                const char *wanted = "Failed";

                for (size_t i = 0; i < ELEMENTSOF(table); i++)
                        if (table[i].code == code)
                                wanted = table[i].name;
                snprintf(name, sizeof(name), "org.confd.HA.Error.%s", wanted);
                assert_string_equal(failure_name(&f), name);
                snprintf(number, sizeof(number), "%d", code);
                assert_non_null(strstr(f.message, number));
                assert_non_null(strstr(f.message, "BeMaster"));
                assert_non_null(strstr(f.message, "reason"));
                failure_done(&f);
        }
        assert_false(failure_is_set(&(struct failure) { .kind = failure_from_code("x", 0, NULL).kind }));
}

static void lost_masters(void **unused) {
        struct failure closed = failure_from_nomaster(26), no_tick = failure_from_nomaster(31), odd = failure_from_nomaster(99);

        assert_string_equal(failure_name(&closed), ERROR_CLOSED);
        assert_string_equal(failure_name(&no_tick), ERROR_NO_TICK);
        assert_string_equal(failure_name(&odd), ERROR_FAILED);
        assert_non_null(strstr(odd.message, "99"));
        failure_done(&closed);
        failure_done(&no_tick);
        failure_done(&odd);
}

static void what_becomes_of_orders(void **unused) {
        static const struct {
                struct confd_ha_result result;
                const char *name;
        } table[] = {
                { { .error = -EREMOTEIO, .confd_code = 30, .message = "m" }, ERROR_BIND },
                { { .error = -EREMOTEIO, .confd_code = 3, .message = "m" }, ERROR_FAILED },
                { { .error = -ETIMEDOUT, .confd_code = 48, .message = "m" }, ERROR_TIMEOUT },
                { { .error = -ECONNRESET, .confd_code = 45, .message = "m" }, ERROR_NOT_CONNECTED },
                { { .error = -ECANCELED, .confd_code = 45, .message = "" }, ERROR_NOT_CONNECTED },
                { { .error = -EPROTO, .confd_code = 21, .message = "m" }, ERROR_PROTOCOL },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                struct failure f = failure_from_order("BeNone", &table[i].result);

                assert_string_equal(failure_name(&f), table[i].name);
                assert_non_null(strstr(f.message, "BeNone"));
                failure_done(&f);
        }
}

static void what_becomes_of_connections(void **unused) {
        static const struct {
                struct confd_ha_result result;
                const char *name, *word;
        } table[] = {
                { { .error = -EACCES, .confd_code = 3, .message = "m" }, ERROR_ACCESS_DENIED, "AccessFile=" },
                { { .error = -EACCES, .confd_code = 24, .message = "m" }, ERROR_NOT_CONNECTED, "mode" },
                { { .error = -EPERM, .confd_code = 24, .message = "m" }, ERROR_NOT_CONNECTED, "confd-ha.service.d/remote.conf" },
                { { .error = -EPROTO, .confd_code = 21, .message = "m" }, ERROR_PROTOCOL, "m" },
                { { .error = -EPROTONOSUPPORT, .confd_code = 21, .message = "m" }, ERROR_PROTOCOL, "m" },
                { { .error = -ECONNREFUSED, .confd_code = 24, .message = "" }, ERROR_NOT_CONNECTED, "1.2.3.4:5" },
                { { .error = -ETIMEDOUT, .confd_code = 48, .message = "m" }, ERROR_NOT_CONNECTED, "hangs" },
                { { .error = -EHOSTUNREACH, .confd_code = 24, .message = "" }, ERROR_NOT_CONNECTED, "No route" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                struct failure f = failure_from_connection("HA", "1.2.3.4:5", &table[i].result);

                assert_string_equal(failure_name(&f), table[i].name);
                assert_non_null(strstr(f.message, table[i].word));
                failure_done(&f);
        }
}

static void a_socket_that_the_sandbox_hides_is_told_so(void **unused) {
        static const struct {
                const char *address;
                bool hidden;
        } table[] = {
                { "unix:/tmp/confd.sock", true }, { "unix:/run/user/1000/confd.sock", true }, { "unix:/home/a/confd.sock", true },
                { "unix:/run/confd/ipc.sock", false }, { "127.0.0.1:4565", false },
        };
        const struct confd_ha_result none = { .error = -ENOENT, .confd_code = 24, .message = "" };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                struct failure f = failure_from_connection("HA", table[i].address, &none);

                assert_int_equal(strstr(f.message, "confd-socket.conf") != NULL, table[i].hidden);
                failure_done(&f);
        }
}

static void names_are_distinct(void **unused) {
        assert_null(failure_kind_to_name(SUCCESS));
        for (enum failure_kind i = SUCCESS + 1; i < FAILURE_KINDS; i++) {
                const char *name = failure_kind_to_name(i);

                assert_true(strncmp(name, ERROR_PREFIX, strlen(ERROR_PREFIX)) == 0 ||
                            strncmp(name, "org.freedesktop.DBus.Error.", strlen("org.freedesktop.DBus.Error.")) == 0);
                for (enum failure_kind j = SUCCESS + 1; j < i; j++)
                        assert_string_not_equal(name, failure_kind_to_name(j));
        }
}

static void versions(void **unused) {
        char buf[16];

        assert_string_equal(format_confd_version(0x08020500, buf), "8.2.5");
        assert_string_equal(format_confd_version(0x08020501, buf), "8.2.5.1");
        assert_string_equal(format_confd_version(0x08000500, buf), "8.0.5");
        assert_string_equal(format_confd_version(0x08000000, buf), "8");
        assert_string_equal(format_confd_version(0xffffffff, buf), "255.255.255.255");
        assert_string_equal(format_confd_version(0, buf), "");
}

static void master_addresses(void **unused) {
        static const struct {
                const char *given, *plain, *with_strings;
        } table[] = {
                { "10.0.0.1", "10.0.0.1", "10.0.0.1" },
                { "fd00::1", "fd00::1", "fd00::1" },
                { "FD00:0::1", "FD00:0::1", "FD00:0::1" },
                { "::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1" },
                { "::ffff:a00:1", "10.0.0.1", "10.0.0.1" },
                { "::1", "::1", "::1" },
                { "fe80::1%lo", NULL, "fe80::1%lo" },
                { "10.1", NULL, "10.1" },
                { "010.0.0.1", NULL, "010.0.0.1" },
                { "host:4570", NULL, "host:4570" },
                { "", NULL, NULL },
                { "a\nb", NULL, NULL },
        };
        char longest[ADDRESS_STRING_MAX + 2], *t = NULL;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                for (int strings = 0; strings < 2; strings++) {
                        const char *wanted = strings ? table[i].with_strings : table[i].plain;

                        assert_int_equal(master_address_normalize(table[i].given, strings, &t), wanted ? 0 : -EINVAL);
                        if (wanted) {
                                assert_string_equal(t, wanted);
                                free(t);
                        }
                }
        memset(longest, 'x', sizeof(longest));
        longest[ADDRESS_STRING_MAX + 1] = 0;
        assert_int_equal(master_address_normalize(longest, true, &t), -EINVAL);
        longest[ADDRESS_STRING_MAX] = 0;
        assert_int_equal(master_address_normalize(longest, true, &t), 0);
        free(t);
}

static void nodes_for_the_client(void **unused) {
        struct confd_ha_node n;

        node_fill(&n, "n1", "10.0.0.1");
        assert_int_equal(n.af, AF_INET);
        assert_int_equal(n.addr.ip4.s_addr, htonl(0x0a000001));
        assert_int_equal(CONFD_GET_BUFSIZE(&n.nodeid), 2);
        node_fill(&n, "n1", "fd00::1");
        assert_int_equal(n.af, AF_INET6);
        node_fill(&n, "n1", "host:4570");
        assert_int_equal(n.af, AF_UNSPEC);
        assert_string_equal(n.addr.str, "host:4570");
}

static void check_line_with(const struct state *s, bool polling, const char *targets, const char *wanted) {
        _cleanup_free_ char *text = status_text(s, polling, targets);

        assert_non_null(text);
        assert_string_equal(text, wanted);
        assert_true(utf8_is_printable(text, strlen(text)));
}

static void check_line(const struct state *s, bool polling, const char *wanted) {
        check_line_with(s, polling, "reached", wanted);
}

static int now(struct state *s, enum ha_state state, const struct node_list *nodes, bool synchronizing) {
        return state_status(s, &(struct status_reading) {
                                       .state = state, .nodes = nodes, .synchronizing = synchronizing, .monotonic = 1, .realtime = 1 });
}

static void the_status_line(void **unused) {
        struct state *s = NULL;
        struct node_list *l;
        struct node many[STATUS_TEXT_PEERS_MAX + 2];
        char longest[1000], line[1200];

        assert_int_equal(state_new(&s, "127.0.0.1:4565", "n1", 1), 0);
        check_line(s, false, "Connecting to ConfD at 127.0.0.1:4565");
        state_set_error(s, ERROR_KIND_CONNECTION, ERROR_NO_TOKEN, "no token", 1);
        check_line(s, false, "Not connected: no token");
        assert_int_equal(state_set_confd(s, NULL, "8.2.5", 82), 0);
        state_connected(s);
        check_line(s, false, "Connected to ConfD 8.2.5 at 127.0.0.1:4565: its role is not known yet");
        assert_int_equal(now(s, HA_STATE_MASTER, NULL, false), 0);
        check_line(s, false, "Connected to ConfD 8.2.5 at 127.0.0.1:4565: master n1, no slaves");
        check_line_with(s, false, "starting", "Connected to ConfD 8.2.5 at 127.0.0.1:4565: master n1, no slaves");
        check_line_with(s, false, "failed: confd-ha-master.target: no",
                        "Connected to ConfD 8.2.5 at 127.0.0.1:4565: master n1, no slaves; a role target is not as it is to be: "
                        "confd-ha-master.target: no");
        for (size_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = (struct node) { "n2", "10.0.0.2" };
        l = node_list_new(many, 1);
        assert_int_equal(now(s, HA_STATE_MASTER, l, false), 0);
        node_list_free(l);
        check_line(s, true, "Connected to ConfD 8.2.5 at 127.0.0.1:4565: master n1, 1 slave: n2 (10.0.0.2); no event connection, "
                            "its status is asked for every few seconds");
        l = node_list_new(many, ELEMENTSOF(many));
        assert_int_equal(now(s, HA_STATE_MASTER, l, false), 0);
        check_line(s, false, "Connected to ConfD 8.2.5 at 127.0.0.1:4565: master n1, 8 slaves: n2 (10.0.0.2), n2 (10.0.0.2), "
                             "n2 (10.0.0.2), n2 (10.0.0.2), n2 (10.0.0.2), n2 (10.0.0.2) and 2 more");
        node_list_free(l);
        l = node_list_new(many, 2);
        assert_int_equal(now(s, HA_STATE_SLAVE_RELAY, l, true), 0);
        node_list_free(l);
        check_line(s, false, "Connected to ConfD 8.2.5 at 127.0.0.1:4565: slave-relay n1 of n2 (10.0.0.2), 1 slave: n2 (10.0.0.2), a "
                             "BeSlave is under way");
        /* An id of any length, cut between its two-byte characters. */
        memset(longest, 'x', sizeof(longest));
        for (size_t i = 0; i < NODE_ID_MAX; i += 2)
                memcpy(longest + i, "\xc3\xa9", 2);
        longest[sizeof(longest) - 1] = 0;
        l = node_list_new(&(struct node) { longest, "a" }, 1);
        assert_int_equal(now(s, HA_STATE_SLAVE, l, false), 0);
        node_list_free(l);
        longest[NODE_ID_MAX - 1] = 0;
        snprintf(line, sizeof(line), "Connected to ConfD 8.2.5 at 127.0.0.1:4565: slave n1 of %s... (a)", longest);
        check_line(s, false, line);
        assert_int_equal(now(s, HA_STATE_NONE, NULL, false), 0);
        check_line(s, false, "Connected to ConfD 8.2.5 at 127.0.0.1:4565: no role");
        state_free(s);
}

/* The bus refuses an error whose words are not UTF-8, and whoever called would wait for ever. */
static void words_of_failures_can_be_sent_and_shown(void **unused) {
        char many[5000];
        struct failure f = failure_make(FAILURE_BAD_CONFIGURATION, "/etc/x.d/\xff\x1b[1m.conf:1: nonsense");

        assert_string_equal(f.message, "/etc/x.d/\\xff\\x1b[1m.conf:1: nonsense");
        failure_done(&f);
        f = failure_make(FAILURE_FAILED, "%s", "a \\ and an \xc3\xa4 stay");
        assert_string_equal(f.message, "a \\ and an \xc3\xa4 stay");
        failure_done(&f);
        for (size_t shift = 0; shift < 8; shift++)
                for (size_t kind = 0; kind < 2; kind++) {
                        size_t n = 0;

                        while (n < shift)
                                many[n++] = 'a';
                        for (; n + 3 < sizeof(many); n += 2)
                                memcpy(&many[n], kind == 0 ? "\xc3\xa4" : "\xff\xfe", 2);
                        many[n] = 0;
                        f = failure_make(FAILURE_FAILED, "%s", many);
                        n = strlen(f.message);
                        assert_true(n <= FAILURE_WORDS_MAX && n > FAILURE_WORDS_MAX - 16);
                        assert_true(utf8_is_printable(f.message, n));
                        assert_string_equal(&f.message[n - 3], "...");
                        if (kind == 1)
                                assert_int_equal((n - 3 - shift) % 4, 0);
                        failure_done(&f);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_code_has_its_name),
                cmocka_unit_test(lost_masters),
                cmocka_unit_test(what_becomes_of_orders),
                cmocka_unit_test(what_becomes_of_connections),
                cmocka_unit_test(a_socket_that_the_sandbox_hides_is_told_so),
                cmocka_unit_test(names_are_distinct),
                cmocka_unit_test(versions),
                cmocka_unit_test(master_addresses),
                cmocka_unit_test(nodes_for_the_client),
                cmocka_unit_test(words_of_failures_can_be_sent_and_shown),
                cmocka_unit_test(the_status_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
