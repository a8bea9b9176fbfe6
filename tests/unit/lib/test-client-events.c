/* SPDX-License-Identifier: Apache-2.0 */
/* The non-blocking client's events, against a server that Erlang plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>

#include "client-driver.h"
#include "erl-process.h"

static void events_are_handed_out(void **state) {
        const struct confd_notifications_data data = { 100, 200 };
        const int mask = CONFD_NOTIF_HA_INFO | CONFD_NOTIF_HEARTBEAT | CONFD_NOTIF_HEALTH_CHECK | CONFD_NOTIF_HA_INFO_SYNC;
        struct events ev = {};
        struct heard h = {};
        confd_ha_client *c;

        assert_int_equal(confd_ha_client_new_events(&c, 0, NULL, on_event, on_notification, &ev), -EINVAL);
        assert_int_equal(confd_ha_client_new_events(&c, mask, NULL, on_event, on_notification, &ev), -EINVAL);
        assert_int_equal(confd_ha_client_new_events(&c, mask, &(struct confd_notifications_data) { -1, 0 }, on_event,
                                                    on_notification, &ev), -EINVAL);
        assert_int_equal(confd_ha_client_new_events(&c, mask, &data, on_event, on_notification, &ev), 0);
        server_script(&server, "[{accept,11},{expect,{%i,100,200,undefined,0}},{slowly,ok},"
                      "{send,{64,{1,26}}},{expect,ha_synced},{utf8,{64,{2,{<<\"n2\">>,{10,0,0,2}}}}},{expect,ha_synced},"
                      "{send,{64,{3,{7,<<\"h\">>}}}},{send,{64,{4,1}}},{send,{64,{5,#{1=>2.5}}}},{send,{64,{6,[]}}},"
                      "{send,{1,{commit,[1,2,3],#{x=>y}}}},{send,{8192}},{send,{262144}},{send,hello},{send,{}},"
                      "{send,{64,{99,x}}},{send,{foo,bar}},{send,{18446744073709551616,1}},"
                      "{send,{64,{7,0}}},{send,{64,{7,28}}},closed]", mask);
        connect_to(&server, c, &h);
        assert_int_equal(h.error, 0);
        run_until(c, &ev.n, 1);
        assert_int_equal(ev.last.type, CONFD_HA_INFO_NOMASTER);
        assert_int_equal(ev.last.code, CONFD_ERR_HA_CLOSED);
        assert_int_equal(confd_ha_client_sync(c), 0);
        run_until(c, &ev.n, 2);
        assert_int_equal(ev.last.type, CONFD_HA_INFO_SLAVE_DIED);
        assert_string_equal(ev.node, "n2@10.0.0.2");
        assert_int_equal(confd_ha_client_sync(c), 0);
        run_until(c, &ev.n, 8);
        assert_int_equal(ev.last.type, CONFD_HA_INFO_BESLAVE_RESULT);
        assert_int_equal(ev.last.code, CONFD_ERR_HA_BADTOKEN);
        assert_int_equal(ev.others, 3);
        assert_int_equal(ev.last_bit, CONFD_NOTIF_HEALTH_CHECK);
        assert_int_equal(confd_ha_client_status(c, CONFD_HA_CLIENT_NO_DEADLINE, NULL, NULL), -EOPNOTSUPP);
        confd_ha_client_free(c);
        server_done(&server);
}

static void the_old_subscription_is_tried_once(void **state) {
        struct events ev = {};
        struct heard h = {};
        confd_ha_client *c;

        assert_int_equal(confd_ha_client_new_events(&c, CONFD_NOTIF_HA_INFO, NULL, on_event, on_notification, &ev), 0);
        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}}]");
        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined}},{send,ok},{send,{64,{6,0}}},closed]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, 0);
        run_until(c, &ev.n, 1);
        assert_int_equal(confd_ha_client_sync(c), -EOPNOTSUPP);
        confd_ha_client_close(c);
        server_done(&server);
        server_done(&server);

        /* Not for ever. */
        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}}]");
        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined}}]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, -ECONNRESET);
        server_done(&server);
        server_done(&server);

        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}},{send,{error,17,<<\"phase 0\">>}},closed]");
        connect_to(&server, c, &h);
        assert_int_equal(h.error, -EREMOTEIO);
        assert_int_equal(h.code, CONFD_ERR_BADSTATE);
        assert_non_null(strstr(h.message, "phase 0"));
        confd_ha_client_free(c);
        server_done(&server);
}

static void bad_events_end_the_connection(void **state) {
        static const char *const bad[] = {
                "{send,{64}}", "{send,{64,1}}", "{send,{64,{1}}}", "{send,{64,{1,x}}}", "{send,{64,{1,-1}}}",
                "{send,{64,{2,{a}}}}", "{send,{64,{2,7}}}", "{send,{64,{1,26},3}}", "{frame,<<131>>}",
                "{frame,<<131,104,2,97,64,104,2,97,1>>}", "{frame,<<131,1>>}",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                struct heard h = {}, closed = {};
                struct events ev = {};
                confd_ha_client *c;

                assert_int_equal(confd_ha_client_new_events(&c, CONFD_NOTIF_HA_INFO, NULL, on_event, on_notification, &ev), 0);
                confd_ha_client_set_closed_callback(c, on_result, &closed);
                server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}},{send,ok},%s,closed]", bad[i]);
                connect_to(&server, c, &h);
                assert_int_equal(h.error, 0);
                run_to_end(c, &closed);
                if (closed.error != -EPROTO || ev.n != 0)
                        fail_msg("%s: %i %s", bad[i], closed.error, closed.message);
                confd_ha_client_free(c);
                server_done(&server);
        }
}

/* One process() does a bounded amount of work, and what is left in the buffer is announced by the deadline. */
static void a_flood_of_events_is_taken_in_turns(void **state) {
        struct events ev = {};
        struct heard h = {};
        confd_ha_client *c;
        unsigned before;

        assert_int_equal(confd_ha_client_new_events(&c, CONFD_NOTIF_HA_INFO, NULL, on_event, on_notification, &ev), 0);
        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}},{send,ok},{repeat,5000,[{send,{64,{6,0}}}]},closed]");
        connect_to(&server, c, &h);
        while (ev.n < 5000) {
                struct pollfd p = { .fd = confd_ha_client_get_fd(c), .events = (short) confd_ha_client_get_events(c) };

                assert_int_equal(p.events, POLLIN);
                if (confd_ha_client_get_deadline(c) != 0)
                        assert_int_equal(poll(&p, 1, 20000), 1);
                before = ev.n;
                assert_int_equal(confd_ha_client_process(c), 0);
                assert_true(ev.n - before <= 64);
        }
        assert_true(confd_ha_client_get_deadline(c) == CONFD_HA_CLIENT_NO_DEADLINE);
        confd_ha_client_free(c);
        server_done(&server);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(events_are_handed_out),
                cmocka_unit_test(the_old_subscription_is_tried_once),
                cmocka_unit_test(bad_events_end_the_connection),
                cmocka_unit_test(a_flood_of_events_is_taken_in_turns),
        };

        signal(SIGPIPE, SIG_DFL); /* one would end the test */
        return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
