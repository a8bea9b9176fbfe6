/* SPDX-License-Identifier: Apache-2.0 */
/* The non-blocking client against a server that Erlang plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/un.h>

#include <confd_ha_client.h>

#include "basic/time-util.h"
#include "client-driver.h"
#include "erl-process.h"

static confd_ha_client *ready_client(const char *token) {
        struct heard h = {};
        confd_ha_client *c;

        assert_int_equal(confd_ha_client_new(&c, token, strlen(token)), 0);
        connect_to(&server, c, &h);
        assert_string_equal(h.message, "");
        assert_int_equal(h.error, 0);
        assert_true(confd_ha_client_is_ready(c));
        return c;
}

static void order(confd_ha_client *c, struct heard *h, int r) {
        assert_int_equal(r, 0);
        run_until(c, &h->n, h->n + 1);
}

#define NO_DEADLINE CONFD_HA_CLIENT_NO_DEADLINE
static void status(confd_ha_client *c, struct heard *h) {
        order(c, h, confd_ha_client_status(c, PATIENCE_USEC, on_order, h));
}

static void every_order_has_its_bytes_and_its_outcome(void **state) {
        struct confd_ha_node master = { .af = AF_INET6 };
        struct heard h = {};
        confd_value_t id;
        confd_ha_client *c;

        server_script(&server, "[{accept,17},{token,<<\"secret\">>},"
                      "{expect,{1,<<\"n1\">>}},{send,ok},"
                      "{expect,{2,<<\"n1\">>,{<<\"n2\">>,{64768,0,0,0,0,0,0,1}},1}},{utf8,ok},"
                      "{expect,{3}},{send,ok},{expect,{5,{13,18446744073709551615}}},{send,ok},{expect,{6}},{utf8,ok},"
                      "{expect,{4}},{send,{4,[{<<\"n1\">>,{10,0,0,1}},{<<\"n4\">>,{0,0,0,0,0,65535,2560,4}}]}},closed]");
        c = ready_client("secret");
        assert_int_equal(confd_ha_client_get_protocol_version(c), 82);
        assert_int_equal(confd_ha_client_get_server_version(c), 0x08020500);

        CONFD_SET_STR(&id, "n1");
        order(c, &h, confd_ha_client_bemaster(c, &id, PATIENCE_USEC, on_order, &h));
        assert_int_equal(h.error, 0);
        assert_false(h.has_status);
        CONFD_SET_STR(&master.nodeid, "n2");
        assert_int_equal(inet_pton(AF_INET6, "fd00::1", &master.addr.ip6), 1);
        order(c, &h, confd_ha_client_beslave(c, &id, &master, 1, NO_DEADLINE, on_order, &h));
        assert_int_equal(h.error, 0);
        order(c, &h, confd_ha_client_benone(c, PATIENCE_USEC, on_order, &h));
        assert_int_equal(h.error, 0);
        CONFD_SET_UINT64(&id, UINT64_MAX);
        order(c, &h, confd_ha_client_slave_dead(c, &id, PATIENCE_USEC, on_order, &h));
        assert_int_equal(h.error, 0);
        order(c, &h, confd_ha_client_berelay(c, PATIENCE_USEC, on_order, &h));
        assert_int_equal(h.error, 0);
        status(c, &h);
        assert_int_equal(h.state, CONFD_HA_STATE_SLAVE_RELAY);
        assert_string_equal(h.nodes, "n1@10.0.0.1 n4@10.0.0.4");
        confd_ha_client_free(c);
        server_done(&server);
}

static void errors_are_read_in_every_form(void **state) {
        static const struct {
                const char *step;
                int code;
                const char *message;
        } cases[] = {
                { "{send,{error,17}}", CONFD_ERR_BADSTATE, "Not possible in the present state" },
                { "{utf8,{error,17}}", CONFD_ERR_BADSTATE, "Not possible in the present state" },
                { "{send,{error,25,<<\"no way\">>}}", CONFD_ERR_HA_CONNECT, "Failed to connect to the other node: no way" },
                { "{utf8,{error,25,\"no\\nway\"}}", CONFD_ERR_HA_CONNECT, "Failed to connect to the other node: no\\x0away" },
                { "{send,{error,25,\"\"}}", CONFD_ERR_HA_CONNECT, "Failed to connect to the other node" },
                { "{send,{error,25,{why,#{}}}}", CONFD_ERR_HA_CONNECT, "Failed to connect to the other node: {why,#{}}" },
                { "{send,{error,4711,<<\"x\">>}}", 4711, "Error code 4711: x" },
        };
        struct heard h = {};
        confd_ha_client *c;

        server_script(&server, "[{accept,17},{token,<<>>},%s]", "{repeat,0,[]}");
        c = ready_client("");
        server_done(&server);
        confd_ha_client_free(c);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{3}},%s,{expect,{4}},%s,closed]", cases[i].step,
                              cases[i].step);
                c = ready_client("t");
                order(c, &h, confd_ha_client_benone(c, PATIENCE_USEC, on_order, &h));
                assert_int_equal(h.error, -EREMOTEIO);
                assert_int_equal(h.code, cases[i].code);
                assert_string_equal(h.message, cases[i].message);
                assert_int_equal(h.sent, 1);
                status(c, &h);
                assert_false(h.has_status);
                assert_int_equal(h.code, cases[i].code);
                confd_ha_client_free(c);
                server_done(&server);
        }
}

static void odd_ids_spoil_nothing(void **state) {
        struct heard h = {};
        confd_ha_client *c;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{4}},{slowly,{3,[{7,{1,2,3,4}},{{8,7},<<\"host:1\">>},"
                      "{#{a=>1.0},\"h2\"},{<<255,92,10>>,{300,0,0,0}},{<<\"\">>,[]},{[1|2],ok}]}},closed]");
        c = ready_client("t");
        status(c, &h);
        assert_int_equal(h.num_nodes, 6);
        assert_string_equal(h.nodes, "7@1.2.3.4 {8,7}@host:1 #{a => #Float<1>}@h2 \\xff\\\\\\x0a@{300,0,0,0} @ [1|2]@ok");
        confd_ha_client_free(c);
        server_done(&server);
}

static void a_status_has_255_nodes_and_not_256(void **state) {
        struct heard h = {}, closed = {};
        confd_ha_client *c;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{4}},{status,3,255},{expect,{4}},{status,3,256},closed]");
        c = ready_client("t");
        confd_ha_client_set_closed_callback(c, on_result, &closed);
        status(c, &h);
        assert_int_equal(h.error, 0);
        assert_int_equal(h.num_nodes, 255);
        assert_memory_equal(h.nodes, "n1@10.0.0.1 n2@10.0.0.2 ", 24);
        assert_int_equal(confd_ha_client_status(c, PATIENCE_USEC, on_order, &h), 0);
        run_to_end(c, &closed);
        assert_int_equal(h.error, -EPROTO);
        confd_ha_client_free(c);
        server_done(&server);
}

static void be_slave_without_wait_ends_when_it_is_sent(void **state) {
        struct confd_ha_node master = { .af = AF_UNSPEC, .addr.str = (char *) "10.0.0.1:4571" };
        struct heard h = {};
        confd_value_t id;
        confd_ha_client *c;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{2,5,{<<\"n2\">>,<<\"10.0.0.1:4571\">>},0}},"
                      "{expect,{4}},{send,{1,[]}},closed]");
        c = ready_client("t");
        CONFD_SET_INT32(&id, 5);
        CONFD_SET_BUF(&master.nodeid, "n2xx", 2);
        order(c, &h, confd_ha_client_beslave(c, &id, &master, 0, PATIENCE_USEC, on_order, &h));
        assert_int_equal(h.error, 0);
        assert_int_equal(h.sent, 1);
        status(c, &h);
        assert_int_equal(h.state, CONFD_HA_STATE_NONE);
        assert_int_equal(h.num_nodes, 0);
        confd_ha_client_free(c);
        server_done(&server);
}

static void bad_ids_are_refused_at_once(void **state) {
        static const char long_id[] = "1234567890123456789012345678901234567890123456789012345678901234567890"
                                      "1234567890123456789012345678901234567890123456789012345678"; /* 128 */
        struct confd_ha_node master = { .af = AF_UNIX };
        confd_value_t id;
        confd_ha_client *c;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},closed]");
        c = ready_client("t");
        CONFD_SET_BUF(&id, long_id, 128);
        assert_int_equal(confd_ha_client_bemaster(c, &id, NO_DEADLINE, NULL, NULL), -EINVAL);
        CONFD_SET_DOUBLE(&id, 1.5);
        assert_int_equal(confd_ha_client_bemaster(c, &id, NO_DEADLINE, NULL, NULL), -EINVAL);
        CONFD_SET_STR(&id, "");
        assert_int_equal(confd_ha_client_slave_dead(c, &id, NO_DEADLINE, NULL, NULL), -EINVAL);
        assert_int_equal(confd_ha_client_slave_dead(c, NULL, NO_DEADLINE, NULL, NULL), -EINVAL);
        CONFD_SET_STR(&id, "a");
        CONFD_SET_STR(&master.nodeid, "b");
        assert_int_equal(confd_ha_client_beslave(c, &id, &master, 1, NO_DEADLINE, NULL, NULL), -EINVAL);
        master.af = AF_UNSPEC;
        assert_int_equal(confd_ha_client_beslave(c, &id, &master, 1, NO_DEADLINE, NULL, NULL), -EINVAL);
        assert_int_equal(confd_ha_client_beslave(c, &id, NULL, 1, NO_DEADLINE, NULL, NULL), -EINVAL);
        assert_int_equal(confd_ha_client_sync(c), -EOPNOTSUPP);
        confd_ha_client_free(c);
        server_done(&server);
}

static void the_access_check_is_passed_or_told(void **state) {
        struct heard h = {};
        confd_ha_client *c;

        assert_int_equal(confd_ha_client_new(&c, "t", 1), 0);
        assert_int_equal(confd_ha_client_set_access_secret(c, "pass\nword", 9), 0);

        server_script(&server, "[{hello,209},{access,<<\"pass\\nword\">>},{answer,0,82},{token,<<\"t\">>},closed]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, 0);
        confd_ha_client_close(c);
        server_done(&server);

        server_script(&server, "[{hello,209},{access,<<\"other\">>}]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, -EACCES);
        assert_int_equal(h.code, CONFD_ERR_ACCESS_DENIED);
        assert_non_null(strstr(h.message, "access secret"));
        server_done(&server);

        /* Closed instead of a verdict. */
        server_script(&server, "[{hello,209},{raw,<<11,0:256>>}]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, -EACCES);
        server_done(&server);

        /* A server that checks nobody. */
        server_script(&server, "[{hello,209},{answer,2,82},{token,<<\"t\">>},closed]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, 0);
        confd_ha_client_close(c);
        server_done(&server);

        assert_int_equal(confd_ha_client_set_access_secret(c, NULL, 0), 0);
        server_script(&server, "[{hello,17},{raw,<<11,0:256>>},closed]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, -EACCES);
        assert_non_null(strstr(h.message, "CONFD_IPC_ACCESS_FILE"));
        server_done(&server);
        confd_ha_client_free(c);
}

static void another_version_is_tried_once(void **state) {
        struct heard h = {};
        confd_ha_client *c;

        assert_int_equal(confd_ha_client_new(&c, "t", 1), 0);
        server_script(&server, "[{hello,17},{answer,1,71}]");
        server_script(&server, "[{hello,17,71},{answer,0,71},{token,<<\"t\">>},closed]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, 0);
        assert_int_equal(confd_ha_client_get_protocol_version(c), 71);
        confd_ha_client_close(c);
        server_done(&server);
        server_done(&server);

        /* A server that refuses its own version is not asked for ever; and each connect starts with ours. */
        server_script(&server, "[{hello,17},{answer,1,71}]");
        server_script(&server, "[{hello,17,71},{answer,1,70}]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, -EPROTONOSUPPORT);
        assert_int_equal(h.code, CONFD_ERR_PROTOUSAGE);
        assert_non_null(strstr(h.message, "71"));
        assert_non_null(strstr(h.message, "70"));
        server_done(&server);
        server_done(&server);

        server_script(&server, "[{hello,17},{answer,1,82}]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, -EPROTONOSUPPORT);
        server_done(&server);

        assert_int_equal(confd_ha_client_set_protocol_version(c, 65536), -EINVAL);
        assert_int_equal(confd_ha_client_set_protocol_version(c, 60), 0);
        server_script(&server, "[{hello,17,60},{answer,0,60},{token,<<\"t\">>},closed]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, 0);
        confd_ha_client_free(c);
        server_done(&server);
}

static void what_servers_do_wrong_ends_the_connection(void **state) {
        static const struct {
                const char *step;
                int error;
        } cases[] = {
                { "{repeat,0,[]}", -ECONNRESET },                   /* closes */
                { "reset", -ECONNRESET },
                { "shut", -ECONNRESET },
                { "{part,{1,[]},1}", -ECONNRESET },
                { "{part,{1,[]},3}", -ECONNRESET },
                { "{part,{1,[]},4}", -ECONNRESET },
                { "{part,{1,[]},9}", -ECONNRESET },
                { "{raw,<<0,16,0,1,0>>}", -EPROTO },                /* one byte more than FRAME_BODY_MAX */
                { "{raw,<<255,255,255,255>>}", -EPROTO },
                { "{frame,<<>>}", -EPROTO },
                { "{frame,<<131>>}", -EPROTO },
                { "{frame,<<131,80,0,0,0,3,120,156>>}", -EPROTO },
                { "{frame,<<130,104,2,97,1,106>>}", -EPROTO },
                { "{frame,<<131,104,2,97,1,106,106>>}", -EPROTO },
                { "{frame,<<131,104,2,97,1,108,255,255,255,255>>}", -EPROTO },
                { "{send,{0,[]}}", -EPROTO },
                { "{send,{5,[]}}", -EPROTO },
                { "{send,{1,foo}}", -EPROTO },
                { "{send,{1,[{a}]}}", -EPROTO },
                { "{send,{1,[{a,b}|{c,d}]}}", -EPROTO },
                { "{send,{1,\"ab\"}}", -EPROTO },
                { "{send,ok}", -EPROTO },                           /* to a status */
                { "{send,{error,0}}", -EPROTO },
                { "{send,{error,-1}}", -EPROTO },
                { "{send,{error,why}}", -EPROTO },
                { "{send,{error,4294967296}}", -EPROTO },
                { "{send,{error,1,2,3}}", -EPROTO },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct heard h = {}, second = {}, closed = {};
                confd_ha_client *c;

                server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{4}},%s]", cases[i].step);
                c = ready_client("t");
                confd_ha_client_set_closed_callback(c, on_result, &closed);
                assert_int_equal(confd_ha_client_status(c, PATIENCE_USEC, on_order, &h), 0);
                assert_int_equal(confd_ha_client_benone(c, PATIENCE_USEC, on_order, &second), 0);
                run_to_end(c, &closed);
                if (h.error != cases[i].error)
                        fail_msg("%s: %i %s", cases[i].step, h.error, h.message);
                assert_int_equal(h.n, 1);
                assert_int_equal(second.n, 1);
                assert_int_equal(second.error, cases[i].error);
                assert_int_equal(closed.error, cases[i].error);
                assert_int_equal(closed.n, 1);
                assert_memory_equal(h.message, "ConfD at 127.0.0.1:", 19);
                confd_ha_client_free(c);
                server_done(&server);
        }
}

static void a_reply_that_nobody_waits_for_ends_the_connection(void **state) {
        struct heard closed = {};
        confd_ha_client *c;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},{send,ok},closed]");
        c = ready_client("t");
        confd_ha_client_set_closed_callback(c, on_result, &closed);
        run_to_end(c, &closed);
        assert_int_equal(closed.error, -EPROTO);
        confd_ha_client_free(c);
        server_done(&server);
}

static void a_status_passes_an_order_that_is_held_back(void **state) {
        struct heard held = {}, second = {}, asked = {}, closed = {};
        confd_ha_client *c;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{3}},{expect,{4}},{send,{3,[]}},{expect,{4}},{send,ok},{send,{1,[]}},"
                      "{expect,{3}},{expect,{3}},{expect,{4}},{send,{1,[]}},{send,ok},{send,ok},"
                      "{expect,{3}},{expect,{4}},{send,{3,[]}},{send,{3,[]}},closed]");
        c = ready_client("t");
        confd_ha_client_set_closed_callback(c, on_result, &closed);
        assert_int_equal(confd_ha_client_benone(c, PATIENCE_USEC, on_order, &held), 0);
        status(c, &asked);
        assert_int_equal(asked.state, CONFD_HA_STATE_MASTER);
        assert_int_equal(held.n, 0);
        status(c, &asked);
        assert_int_equal(asked.state, CONFD_HA_STATE_NONE);
        assert_int_equal(held.n, 1);
        assert_int_equal(held.error, 0);

        /* Nor can it be that of any of several. */
        assert_int_equal(confd_ha_client_benone(c, PATIENCE_USEC, on_order, &held), 0);
        assert_int_equal(confd_ha_client_benone(c, PATIENCE_USEC, on_order, &second), 0);
        status(c, &asked);
        assert_int_equal(asked.state, CONFD_HA_STATE_NONE);
        run_until(c, &second.n, 1);
        assert_int_equal(held.error, 0);
        assert_int_equal(second.error, 0);

        /* One is the answer to the question, and no other can be the order's. */
        assert_int_equal(confd_ha_client_benone(c, PATIENCE_USEC, on_order, &held), 0);
        assert_int_equal(confd_ha_client_status(c, PATIENCE_USEC, on_order, &asked), 0);
        run_to_end(c, &closed);
        assert_int_equal(asked.error, 0);
        assert_int_equal(held.error, -EPROTO);
        confd_ha_client_free(c);
        server_done(&server);
}

static void a_handshake_that_fails_is_told(void **state) {
        static const struct {
                const char *script;
                int error;
        } cases[] = {
                { "[{hello,17}]", -ECONNRESET },
                { "[{hello,17},reset]", -ECONNRESET },
                { "[{hello,17},{raw,<<0>>}]", -ECONNRESET },
                { "[{hello,17},{raw,<<0,0,82,8,2,5,0,0>>}]", -ECONNRESET },
                { "[{hello,17},{raw,<<3,0,82,8,2,5,0,0,0>>}]", -EPROTO },
                { "[{hello,17},{raw,<<\"HTTP/1.1 400 Bad Request\">>}]", -EPROTO },
        };
        struct heard h = {};
        confd_ha_client *c;

        assert_int_equal(confd_ha_client_new(&c, "t", 1), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                server_script(&server, "%s", cases[i].script);
                connect_to(&server, c, &h);
                if (h.error != cases[i].error)
                        fail_msg("%s: %i %s", cases[i].script, h.error, h.message);
                server_done(&server);
        }
        confd_ha_client_free(c);
}

static void each_wait_has_its_end(void **state) {
        struct heard early = {}, late = {}, closed = {}, h = {};
        confd_ha_client *c;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{3}},{expect,{4}},closed]");
        c = ready_client("t");
        confd_ha_client_set_closed_callback(c, on_result, &closed);
        assert_int_equal(confd_ha_client_benone(c, NO_DEADLINE, on_order, &early), 0);
        assert_true(confd_ha_client_get_deadline(c) == NO_DEADLINE);
        assert_int_equal(confd_ha_client_status(c, 50 * 1000, on_order, &late), 0);
        assert_true(confd_ha_client_get_deadline(c) <= now_monotonic() + 50 * 1000);
        run_to_end(c, &closed);
        assert_int_equal(late.error, -ETIMEDOUT);
        assert_int_equal(late.code, CONFD_ERR_TIMEOUT);
        assert_int_equal(late.sent, 1);
        assert_int_equal(early.error, -ECONNRESET);
        assert_int_equal(closed.error, -ETIMEDOUT);
        server_done(&server);

        server_script(&server, "[{hello,17},closed]");
        assert_int_equal(confd_ha_client_connect(c, (struct sockaddr *) &server.address, server.address_size, 50 * 1000,
                                                 on_result, &h), 0);
        assert_int_equal(confd_ha_client_connect(c, (struct sockaddr *) &server.address, server.address_size, 50 * 1000,
                                                 on_result, &h), -EISCONN);
        assert_int_equal(confd_ha_client_status(c, NO_DEADLINE, NULL, NULL), -ENOTCONN);
        run_until(c, &h.n, 1);
        assert_int_equal(h.error, -ETIMEDOUT);
        assert_int_equal(closed.n, 1); /* it was never ready */
        confd_ha_client_free(c);
        server_done(&server);
}

static void a_server_that_does_not_read_blocks_nobody(void **state) {
        struct heard h = {}, closed = {};
        unsigned n = 0;
        confd_value_t id;
        confd_ha_client *c;
        char text[127];
        int r;

        server_script(&server, "[{accept,17},tell,{token,<<\"t\">>},{expect,{3}},tell,closed]");
        c = ready_client("t");
        assert_string_equal(erl_read(&server.erl), "told");
        confd_ha_client_set_closed_callback(c, on_result, &closed);
        memset(text, 'x', sizeof(text));
        CONFD_SET_BUF(&id, text, sizeof(text));
        /* Not one order too many is taken. */
        while ((r = confd_ha_client_benone(c, NO_DEADLINE, on_order, &h)) == 0)
                n++;
        assert_int_equal(r, -EBUSY);
        assert_int_equal(n, CONFD_HA_CLIENT_ORDERS_MAX);
        confd_ha_client_close(c);
        assert_int_equal(h.n, CONFD_HA_CLIENT_ORDERS_MAX);
        assert_int_equal(h.error, -ECANCELED);
        assert_int_equal(closed.n, 1);
        assert_int_equal(closed.error, -ECANCELED);
        confd_ha_client_free(c);
        assert_string_equal(erl_read(&server.erl), "told");
        (void) erl_read(&server.erl); /* the script's end is of no interest */
}

static void many_orders_may_be_in_flight(void **state) {
        struct heard h = {};
        confd_ha_client *c;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},{repeat,1000,[{expect,{4}}]},"
                      "{repeat,1000,[{send,{3,[{<<\"n2\">>,{10,0,0,2}}]}}]},closed]");
        c = ready_client("t");
        for (unsigned i = 0; i < 1000; i++)
                assert_int_equal(confd_ha_client_status(c, PATIENCE_USEC, on_order, &h), 0);
        run_until(c, &h.n, 1000);
        assert_int_equal(h.error, 0);
        assert_string_equal(h.nodes, "n2@10.0.0.2");
        confd_ha_client_free(c);
        server_done(&server);
}

/* Callbacks that end, free or reconnect the client. */
enum deed { DEED_CLOSE, DEED_FREE, DEED_RECONNECT, DEED_PROCESS };

struct doer {
        enum deed deed;
        unsigned calls;
        bool done;
        struct heard connected;
};

static void do_deed(confd_ha_client *c, struct doer *d) {
        d->calls++;
        if (d->done)
                return;
        d->done = true;
        switch (d->deed) {
        case DEED_CLOSE:
                confd_ha_client_close(c);
                break;
        case DEED_FREE:
                assert_null(confd_ha_client_free(c));
                break;
        case DEED_RECONNECT:
                confd_ha_client_close(c);
                assert_int_equal(confd_ha_client_connect(c, (struct sockaddr *) &server.address, server.address_size,
                                                         PATIENCE_USEC, on_result, &d->connected), 0);
                break;
        case DEED_PROCESS:
                (void) confd_ha_client_process(c);
                break;
        }
}

static void deed_order(confd_ha_client *c, const struct confd_ha_result *r, const struct confd_ha_status_reply *s, void *u) {
        do_deed(c, u);
        /* The view stays good, whatever has been done to the client. */
        if (s)
                assert_int_equal(s->nodes[0].id.data[0], 109);
}

static void deed_result(confd_ha_client *c, const struct confd_ha_result *r, void *u) {
        do_deed(c, u);
}

static void callbacks_may_do_anything(void **state) {
        for (enum deed deed = DEED_CLOSE; deed <= DEED_PROCESS; deed++) {
                for (int at_reply = 0; at_reply < 2; at_reply++) {
                        struct doer d = { .deed = deed };
                        confd_ha_client *c;

                        server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{4}},{expect,{4}},{expect,{4}},%s]",
                                      at_reply ? "{send,{2,[{<<\"n\">>,{1,2,3,4}}]}},closed" : "shut,closed");
                        if (deed == DEED_RECONNECT)
                                server_script(&server, "[{accept,17},{token,<<\"t\">>},closed]");
                        c = ready_client("t");
                        confd_ha_client_set_closed_callback(c, deed_result, &d);
                        for (int i = 0; i < 3; i++)
                                assert_int_equal(confd_ha_client_status(c, PATIENCE_USEC, deed_order, &d), 0);
                        if (deed == DEED_PROCESS && at_reply) {
                                run_until(c, &d.calls, 1);
                                confd_ha_client_free(c);
                        } else if (deed == DEED_RECONNECT) {
                                run_until(c, &d.connected.n, 1);
                                assert_int_equal(d.connected.error, 0);
                                assert_int_equal(d.calls, 4);
                                confd_ha_client_free(c);
                        } else {
                                /* The client may be gone in the middle of the last process(). */
                                while (d.calls < 4) {
                                        struct pollfd p = { .fd = confd_ha_client_get_fd(c), .events = POLLIN };

                                        assert_int_equal(poll(&p, 1, 20000), 1);
                                        (void) confd_ha_client_process(c);
                                }
                                assert_int_equal(d.calls, 4);
                                if (deed != DEED_FREE)
                                        confd_ha_client_free(c);
                        }
                        server_done(&server);
                        if (deed == DEED_RECONNECT)
                                server_done(&server);
                }
        }
}

static void all_families_of_addresses_are_connected_to(void **state) {
        static const int families[] = { AF_INET6, AF_UNIX };

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                struct heard h = {};
                confd_ha_client *c;
                struct server s;

                server_start(&s, families[i]);
                assert_int_equal(confd_ha_client_new(&c, "t", 1), 0);
                server_script(&s, "[{accept,17},{token,<<\"t\">>},{expect,{4}},{slowly,{1,[]}},closed]");
                connect_to(&s, c, &h);
                assert_int_equal(h.error, 0);
                status(c, &h);
                assert_int_equal(h.error, 0);
                confd_ha_client_close(c);
                server_done(&s);
                server_close(&s);
                connect_to(&s, c, &h);
                assert_int_equal(h.error, families[i] == AF_UNIX ? -ENOENT : -ECONNREFUSED);
                assert_int_equal(h.code, CONFD_ERR_OS);
                assert_int_equal(h.sent, 0);
                confd_ha_client_free(c);
                server_stop(&s);
        }
}

/* A Unix socket whose backlog is full gives no event to wait for: the client tries again by itself. */
static void a_full_backlog_is_waited_for(void **state) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        socklen_t n = sizeof(un);
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), others[8], n_others = 0, fd;
        struct heard h = {}, second = {};
        uint64_t deadline;
        confd_ha_client *c;

        /* A name of the abstract namespace that the kernel chooses. */
        assert_int_equal(bind(listener, (struct sockaddr *) &un, sizeof(sa_family_t)), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *) &un, &n), 0);
        assert_int_equal(listen(listener, 1), 0);
        do {
                assert_true(n_others < 8);
                others[n_others] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        } while (connect(others[n_others++], (struct sockaddr *) &un, n) == 0);
        assert_int_equal(errno, EAGAIN);

        assert_int_equal(confd_ha_client_new(&c, "t", 1), 0);
        assert_int_equal(confd_ha_client_connect(c, (struct sockaddr *) &un, n, 60 * 1000, on_result, &h), 0);
        assert_int_equal(confd_ha_client_get_fd(c), -ENOTCONN);
        deadline = confd_ha_client_get_deadline(c);
        assert_true(deadline > 0 && deadline <= now_monotonic() + 60 * 1000);
        run_until(c, &h.n, 1);
        assert_int_equal(h.error, -ETIMEDOUT);

        assert_int_equal(confd_ha_client_connect(c, (struct sockaddr *) &un, n, PATIENCE_USEC, on_result, &second), 0);
        assert_int_equal(confd_ha_client_process(c), 0);
        fd = accept(listener, NULL, NULL);
        assert_true(fd >= 0);
        close(fd);
        while (confd_ha_client_get_fd(c) < 0) {
                (void) poll(NULL, 0, 5);
                assert_int_equal(confd_ha_client_process(c), 0);
        }
        while ((fd = accept(listener, NULL, NULL)) >= 0)
                close(fd);
        run_until(c, &second.n, 1);
        assert_int_equal(second.error, -ECONNRESET);
        confd_ha_client_free(c);
        while (n_others > 0)
                close(others[--n_others]);
        close(listener);
}

static void bad_arguments_are_refused(void **state) {
        struct sockaddr_storage a = { .ss_family = AF_INET };
        confd_ha_client *c;

        assert_null(confd_ha_client_free(NULL));
        assert_int_equal(confd_ha_client_new(&c, NULL, 1), -EINVAL);
        assert_int_equal(confd_ha_client_new(&c, "", 65536), -EINVAL);
        assert_int_equal(confd_ha_client_new(&c, NULL, 0), 0);
        assert_int_equal(confd_ha_client_connect(c, (struct sockaddr *) &a, 4, NO_DEADLINE, NULL, NULL), -EINVAL);
        a.ss_family = AF_PACKET;
        assert_int_equal(confd_ha_client_connect(c, (struct sockaddr *) &a, sizeof(a), NO_DEADLINE, NULL, NULL), -EAFNOSUPPORT);
        assert_int_equal(confd_ha_client_process(c), -ENOTCONN);
        assert_int_equal(confd_ha_client_status(c, NO_DEADLINE, NULL, NULL), -ENOTCONN);
        assert_int_equal(confd_ha_client_set_access_secret(c, "", 65537), -EINVAL);
        confd_ha_client_close(c);
        confd_ha_client_free(c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_order_has_its_bytes_and_its_outcome),
                cmocka_unit_test(errors_are_read_in_every_form),
                cmocka_unit_test(odd_ids_spoil_nothing),
                cmocka_unit_test(a_status_has_255_nodes_and_not_256),
                cmocka_unit_test(be_slave_without_wait_ends_when_it_is_sent),
                cmocka_unit_test(bad_ids_are_refused_at_once),
                cmocka_unit_test(the_access_check_is_passed_or_told),
                cmocka_unit_test(another_version_is_tried_once),
                cmocka_unit_test(what_servers_do_wrong_ends_the_connection),
                cmocka_unit_test(a_reply_that_nobody_waits_for_ends_the_connection),
                cmocka_unit_test(a_status_passes_an_order_that_is_held_back),
                cmocka_unit_test(a_handshake_that_fails_is_told),
                cmocka_unit_test(each_wait_has_its_end),
                cmocka_unit_test(a_server_that_does_not_read_blocks_nobody),
                cmocka_unit_test(many_orders_may_be_in_flight),
                cmocka_unit_test(callbacks_may_do_anything),
                cmocka_unit_test(all_families_of_addresses_are_connected_to),
                cmocka_unit_test(a_full_backlog_is_waited_for),
                cmocka_unit_test(bad_arguments_are_refused),
        };

        signal(SIGPIPE, SIG_DFL); /* one would end the test */
        return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
