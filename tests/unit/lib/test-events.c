/* SPDX-License-Identifier: Apache-2.0 */
/* The documented event calls that wait, against a server that Erlang plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/time.h>

#include <confd_events.h>

#include "assert-confd.h"
#include "erl-process.h"

static int subscribe(const struct server *s, int fd, int mask, struct confd_notifications_data *data) {
        const struct sockaddr *a = (const struct sockaddr *) &s->address;

        return data ? confd_notifications_connect2(fd, a, (int) s->address_size, mask, data)
                    : confd_notifications_connect(fd, a, (int) s->address_size, mask);
}

static void every_event_is_read(void **state) {
        static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                struct confd_notifications_data data = { 1000, 2000 };
                const int mask = CONFD_NOTIF_HA_INFO | CONFD_NOTIF_HA_INFO_SYNC | CONFD_NOTIF_HEARTBEAT | CONFD_NOTIF_HEALTH_CHECK;
                struct confd_notification n;
                struct server s;
                int fd;

                server_start(&s, families[i]);
                server_script(&s, "[{accept,11},{expect,{%i,1000,2000,undefined,0}},{slowly,ok},"
                              "{slowly,{64,{1,31}}},{expect,ha_synced},"
                              "{utf8,{64,{2,{<<\"n2\">>,{10,0,0,2}}}}},{expect,ha_synced},"
                              "{send,{64,{3,{{12,4294967295},{64768,0,0,0,0,0,0,2}}}}},{send,{64,{4,1}}},{send,{64,{4,0}}},"
                              "{send,{64,{5,{any,term}}}},{send,{64,{6,1.5}}},{send,{64,{7,0}}},{send,{64,{7,71}}},"
                              "{send,{1,[#{a=>b},\"audit\",1.5,<<1>>]}},{send,hello},{send,{64,{8,x}}},{send,{8192}},{send,{262144}},"
                              "{frame,<<131,104,2,97,2,255>>},{send,{64,{6,0}}}]", mask);
                fd = server_socket(&s);
                assert_ok(subscribe(&s, fd, mask, &data));

                assert_ok(confd_read_notification(fd, &n));
                assert_int_equal(n.type, CONFD_NOTIF_HA_INFO);
                assert_int_equal(n.n.hnot.type, CONFD_HA_INFO_NOMASTER);
                assert_int_equal(n.n.hnot.data.nomaster, CONFD_ERR_HA_NOTICK);
                assert_int_equal(n.n.hnot.data.noprimary, CONFD_ERR_HA_NOTICK);
                confd_free_notification(&n);
                assert_ok(confd_sync_ha_notification(fd));

                assert_ok(confd_read_notification(fd, &n));
                assert_int_equal(n.n.hnot.type, CONFD_HA_INFO_SLAVE_DIED);
                assert_string_equal((char *) CONFD_GET_BUFPTR(&n.n.hnot.data.slave_died.nodeid), "n2");
                assert_ptr_equal(CONFD_GET_BUFPTR(&n.n.hnot.data.slave_died.nodeid), n.n.hnot.data.slave_died.buf);
                assert_int_equal(n.n.hnot.data.secondary_died.addr.ip4.s_addr, inet_addr("10.0.0.2"));
                assert_ok(confd_sync_ha_notification(fd));

                assert_ok(confd_read_notification(fd, &n));
                assert_int_equal(n.n.hnot.type, CONFD_HA_INFO_SLAVE_ARRIVED);
                assert_int_equal(n.n.hnot.data.slave_arrived.nodeid.type, C_UINT32);
                assert_int_equal(CONFD_GET_UINT32(&n.n.hnot.data.slave_arrived.nodeid), UINT32_MAX);
                assert_int_equal(n.n.hnot.data.slave_arrived.af, AF_INET6);

                for (int copied = 1; copied >= 0; copied--) {
                        assert_ok(confd_read_notification(fd, &n));
                        assert_int_equal(n.n.hnot.type, CONFD_HA_INFO_SLAVE_INITIALIZED);
                        assert_int_equal(n.n.hnot.data.cdb_initialized_by_copy, copied);
                }
                assert_ok(confd_read_notification(fd, &n));
                assert_int_equal(n.n.hnot.type, CONFD_HA_INFO_IS_MASTER);
                assert_ok(confd_read_notification(fd, &n));
                assert_int_equal(n.n.hnot.type, CONFD_HA_INFO_IS_NONE);
                assert_ok(confd_read_notification(fd, &n));
                assert_int_equal(n.n.hnot.data.beslave_result, CONFD_OK);
                assert_ok(confd_read_notification(fd, &n));
                assert_int_equal(n.n.hnot.data.besecondary_result, CONFD_ERR_HA_ABORT);
                assert_ok(confd_read_notification(fd, &n));
                assert_int_equal(n.type, CONFD_NOTIF_HEARTBEAT);
                assert_ok(confd_read_notification(fd, &n));
                assert_int_equal(n.type, CONFD_NOTIF_HEALTH_CHECK);
                assert_ok(confd_read_notification(fd, &n));
                assert_int_equal(n.n.hnot.type, CONFD_HA_INFO_IS_NONE);
                assert_failed(confd_read_notification(fd, &n), CONFD_EOF, CONFD_ERR_EOF);
                confd_free_notification(NULL);
                close(fd);
                server_done(&s);
                server_stop(&s);
        }
}

static void bad_arguments_are_refused(void **state) {
        struct confd_notifications_data data = { -1, 0 };
        int fd = server_socket(&server);

        assert_failed(subscribe(&server, fd, 0, NULL), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_failed(subscribe(&server, fd, CONFD_NOTIF_HEARTBEAT, NULL), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_failed(subscribe(&server, fd, CONFD_NOTIF_HEARTBEAT, &data), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_failed(confd_read_notification(fd, NULL), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_failed(confd_sync_ha_notification(fd), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        close(fd);
}

static void old_servers_get_the_old_form(void **state) {
        struct confd_notification n;
        struct server s;
        int fd;

        /* A server that closes on the present form hears the old one, on the same socket. */
        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}}]");
        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined}},{send,ok},{send,{64,{6,0}}}]");
        fd = server_socket(&server);
        assert_ok(subscribe(&server, fd, CONFD_NOTIF_HA_INFO, NULL));
        assert_ok(confd_read_notification(fd, &n));
        assert_failed(confd_read_notification(fd, &n), CONFD_EOF, CONFD_ERR_EOF);
        close(fd);
        server_done(&server);
        server_done(&server);

        /* With a reset, and not for ever. */
        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}},reset]");
        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined}},reset]");
        fd = server_socket(&server);
        assert_failed(subscribe(&server, fd, CONFD_NOTIF_HA_INFO, NULL), CONFD_EOF, CONFD_ERR_EOF);
        assert_failed(confd_read_notification(fd, &n), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        close(fd);
        server_done(&server);
        server_done(&server);

        server_start(&s, AF_UNIX);
        server_script(&s, "[{accept,11},{expect,{64,0,0,undefined,0}}]");
        fd = server_socket(&s);
        assert_failed(subscribe(&s, fd, CONFD_NOTIF_HA_INFO, NULL), CONFD_EOF, CONFD_ERR_EOF);
        assert_failed(confd_sync_ha_notification(fd), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        close(fd);
        server_done(&s);
        server_stop(&s);
}

static void a_refusal_is_told(void **state) {
        int fd;

        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}},{send,{error,17,<<\"why\">>}},closed]");
        fd = server_socket(&server);
        assert_failed(subscribe(&server, fd, CONFD_NOTIF_HA_INFO, NULL), CONFD_ERR, CONFD_ERR_BADSTATE);
        assert_non_null(strstr(confd_lasterr(), "why"));
        assert_failed(confd_sync_ha_notification(fd), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        close(fd);
        server_done(&server);

        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}},{send,{what}},closed]");
        fd = server_socket(&server);
        assert_failed(subscribe(&server, fd, CONFD_NOTIF_HA_INFO, NULL), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        close(fd);
        server_done(&server);
}

static void bad_events_end_the_connection(void **state) {
        static const struct {
                const char *step;
                int result, code;
        } cases[] = {
                { "{part,{64,{6,0}},2}", CONFD_EOF, CONFD_ERR_EOF },
                { "{part,{64,{6,0}},8}", CONFD_EOF, CONFD_ERR_EOF },
                { "{raw,<<1,0,0,0>>},closed", CONFD_ERR, CONFD_ERR_PROTOUSAGE },
                { "{send,{64,{2,{a}}}},closed", CONFD_ERR, CONFD_ERR_PROTOUSAGE },
                { "{send,{64,{1,x}}},closed", CONFD_ERR, CONFD_ERR_PROTOUSAGE },
                { "{frame,<<131,104>>},closed", CONFD_ERR, CONFD_ERR_PROTOUSAGE },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct confd_notification n = { .type = 77 };
                int fd = server_socket(&server);

                server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}},{send,ok},%s]", cases[i].step);
                assert_ok(subscribe(&server, fd, CONFD_NOTIF_HA_INFO, NULL));
                assert_failed(confd_read_notification(fd, &n), cases[i].result, cases[i].code);
                assert_failed(confd_read_notification(fd, &n), cases[i].result, cases[i].code);
                assert_int_equal(n.type, 77);
                close(fd);
                server_done(&server);
        }
}

static void nodes_that_do_not_fit_are_told(void **state) {
        struct confd_notification n = { .type = 77 };
        char id[129];
        int fd = server_socket(&server);

        memset(id, 'i', 128);
        id[128] = 0;
        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}},{send,ok},{send,{64,{3,{<<\"%s\">>,{1,2,3,4}}}}},"
                      "{send,{64,{3,{<<\"%s\">>,{1,2,3,4}}}}},closed]", id, id + 1);
        assert_ok(subscribe(&server, fd, CONFD_NOTIF_HA_INFO, NULL));
        assert_failed(confd_read_notification(fd, &n), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_int_equal(n.type, 77);
        assert_ok(confd_read_notification(fd, &n)); /* the socket is as good as before */
        assert_string_equal(n.n.hnot.data.slave_arrived.buf, id + 1);
        close(fd);
        server_done(&server);
}

static void the_handshake_ends_in_time(void **state) {
        const struct timeval tv = { .tv_usec = 50 * 1000 };
        struct confd_notification n;
        int fd = server_socket(&server);

        server_script(&server, "[{accept,11},{expect,{64,0,0,undefined,0}},{send,ok},{part,{64,{6,0}},5},closed]");
        assert_ok(subscribe(&server, fd, CONFD_NOTIF_HA_INFO, NULL));
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
        assert_failed(confd_read_notification(fd, &n), CONFD_ERR, CONFD_ERR_TIMEOUT);
        assert_failed(confd_read_notification(fd, &n), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        close(fd);
        server_done(&server);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_event_is_read),
                cmocka_unit_test(bad_arguments_are_refused),
                cmocka_unit_test(old_servers_get_the_old_form),
                cmocka_unit_test(a_refusal_is_told),
                cmocka_unit_test(bad_events_end_the_connection),
                cmocka_unit_test(nodes_that_do_not_fit_are_told),
                cmocka_unit_test(the_handshake_ends_in_time),
        };

        unsetenv("CONFD_IPC_ACCESS_FILE");
        unsetenv("NCS_IPC_ACCESS_FILE");
        signal(SIGPIPE, SIG_DFL); /* one would end the test */
        return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
