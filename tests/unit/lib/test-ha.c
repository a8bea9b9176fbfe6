/* SPDX-License-Identifier: Apache-2.0 */
/* The documented HA calls that wait, against a server that Erlang plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/un.h>

#include <confd_ha.h>

#include "basic/time-util.h"
#include "assert-confd.h"
#include "erl-process.h"

static int try_connect_to(const struct server *s, int fd, const char *token) {
        return confd_ha_connect(fd, (const struct sockaddr *) &s->address, (int) s->address_size, token);
}

static int connected(const char *token) {
        int fd = server_socket(&server);

        if (try_connect_to(&server, fd, token) != CONFD_OK)
                fail_msg("%s", confd_lasterr());
        return fd;
}

/* After a failure that ends a socket's use nothing works on it any more, and the reason is kept apart from an EOF. */
static void assert_useless(int fd) {
        struct confd_ha_status status;
        confd_value_t id;

        CONFD_SET_STR(&id, "x");
        assert_failed(confd_ha_status(fd, &status), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_failed(confd_ha_bemaster(fd, &id), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_failed(confd_ha_benone(fd), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
}

static void check_status_of_every_kind(const struct confd_ha_status *status) {
        char text[INET6_ADDRSTRLEN];

        assert_int_equal(status->state, CONFD_HA_STATE_SLAVE_RELAY);
        assert_int_equal(status->num_nodes, 7);
        assert_int_equal(status->nodes[0].nodeid.type, C_BUF);
        assert_int_equal(CONFD_GET_BUFSIZE(&status->nodes[0].nodeid), 2);
        assert_ptr_equal(CONFD_GET_BUFPTR(&status->nodes[0].nodeid), status->nodes[0].buf);
        assert_string_equal((char *) CONFD_GET_BUFPTR(&status->nodes[0].nodeid), "n1");
        assert_int_equal(status->nodes[0].af, AF_INET);
        assert_int_equal(status->nodes[0].addr.ip4.s_addr, inet_addr("10.0.0.1"));
        assert_int_equal(status->nodes[1].nodeid.type, C_BUF);
        assert_string_equal(status->nodes[1].buf, "n4");
        assert_int_equal(status->nodes[1].af, AF_INET6);
        assert_string_equal(inet_ntop(AF_INET6, &status->nodes[1].addr.ip6, text, sizeof(text)), "fd00::4");
        assert_int_equal(status->nodes[2].nodeid.type, C_UINT64);
        assert_true(CONFD_GET_UINT64(&status->nodes[2].nodeid) == UINT64_MAX);
        assert_int_equal(status->nodes[2].af, AF_UNSPEC);
        assert_ptr_equal(status->nodes[2].addr.str, status->nodes[2].addr_buf);
        assert_string_equal(status->nodes[2].addr.str, "h:1");
        assert_int_equal(status->nodes[3].nodeid.type, C_INT32);
        assert_int_equal(CONFD_GET_INT32(&status->nodes[3].nodeid), 7);
        assert_string_equal(status->nodes[3].addr.str, "host");
        assert_int_equal(status->nodes[4].nodeid.type, C_BINARY);
        assert_int_equal(CONFD_GET_BINARY_SIZE(&status->nodes[4].nodeid), 2);
        assert_memory_equal(CONFD_GET_BINARY_PTR(&status->nodes[4].nodeid), "\0\1", 2);
        assert_string_equal(status->nodes[4].addr.str, "");
        assert_int_equal(status->nodes[5].nodeid.type, C_BOOL);
        assert_string_equal(status->nodes[5].addr.str, "hi");
        assert_int_equal(status->nodes[6].nodeid.type, C_IPV4);
}

static void every_order_is_done(void **state) {
        static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                static struct confd_ha_status status;
                struct confd_ha_node master = { .af = AF_INET };
                confd_value_t id;
                struct server s;
                int fd;

                server_start(&s, families[i]);
                server_script(&s, "[{accept,17},{token,<<\"secret\">>},"
                              "{expect,{1,<<\"n1\">>}},{send,ok},{expect,{1,<<\"n1\">>}},{utf8,ok},"
                              "{expect,{2,<<\"n1\">>,{<<\"n2\">>,{10,0,0,2}},1}},{slowly,ok},"
                              "{expect,{2,<<\"n1\">>,{<<\"n2\">>,{10,0,0,2}},0}},"
                              "{expect,{6}},{send,ok},{expect,{3}},{send,ok},{expect,{5,<<\"n3\">>}},{send,ok},"
                              "{expect,{5,<<\"n3\">>}},{send,ok},"
                              "{expect,{4}},{slowly,{4,[{<<\"n1\">>,{10,0,0,1}},{\"n4\",{64768,0,0,0,0,0,0,4}},{{13,18446744073709551615},"
                              "<<\"h:1\">>},{7,\"host\"},{{39,<<0,1>>},[]},{true,[104,105]},{{1,2,3,4},{0,0,0,0}}]}},"
                              "{expect,{4}},{send,{1,[]}},closed]");
                fd = server_socket(&s);
                assert_int_equal(try_connect_to(&s, fd, "secret"), CONFD_OK);
                CONFD_SET_STR(&id, "n1");
                assert_int_equal(confd_ha_bemaster(fd, &id), CONFD_OK);
                assert_int_equal(confd_ha_beprimary(fd, &id), CONFD_OK);
                CONFD_SET_STR(&master.nodeid, "n2");
                master.addr.ip4.s_addr = inet_addr("10.0.0.2");
                assert_int_equal(confd_ha_beslave(fd, &id, &master, 1), CONFD_OK);
                assert_int_equal(confd_ha_besecondary(fd, &id, &master, 0), CONFD_OK);
                assert_int_equal(confd_ha_berelay(fd), CONFD_OK);
                assert_int_equal(confd_ha_benone(fd), CONFD_OK);
                CONFD_SET_STR(&id, "n3");
                assert_int_equal(confd_ha_slave_dead(fd, &id), CONFD_OK);
                assert_int_equal(confd_ha_secondary_dead(fd, &id), CONFD_OK);

                if (confd_ha_status(fd, &status) != CONFD_OK)
                        fail_msg("%s", confd_lasterr());
                check_status_of_every_kind(&status);
                assert_int_equal(confd_ha_get_status(fd, &status), CONFD_OK);
                assert_int_equal(status.state, CONFD_HA_STATE_NONE);
                assert_int_equal(status.num_nodes, 0);
                close(fd);
                server_done(&s);
                server_stop(&s);
        }
}

static void errors_come_with_their_words(void **state) {
        static struct confd_ha_status status;
        confd_value_t id;
        int fd;

        CONFD_SET_STR(&id, "n1");
        server_script(&server, "[{accept,17},{token,<<>>},{expect,{1,<<\"n1\">>}},{send,{error,30}},{expect,{3}},"
                      "{utf8,{error,17,<<\"start phase 0\">>}},{expect,{4}},{send,{error,3,\"no\"}},{expect,{6}},{send,ok},closed]");
        fd = connected("");
        assert_failed(confd_ha_bemaster(fd, &id), CONFD_ERR, CONFD_ERR_HA_BIND);
        assert_string_equal(confd_lasterr(), "confd_ha_bemaster: Failed to bind the address for other nodes");
        assert_failed(confd_ha_benone(fd), CONFD_ERR, CONFD_ERR_BADSTATE);
        assert_non_null(strstr(confd_lasterr(), "start phase 0"));
        status.num_nodes = 77;
        assert_failed(confd_ha_status(fd, &status), CONFD_ERR, CONFD_ERR_ACCESS_DENIED);
        assert_int_equal(status.num_nodes, 77);
        assert_int_equal(confd_ha_berelay(fd), CONFD_OK); /* the socket is as good as before */
        close(fd);
        server_done(&server);
}

static void a_status_is_read_up_to_its_limit(void **state) {
        static struct confd_ha_status status;
        char id127[128], id128[129];
        confd_value_t id;
        int fd;

        memset(id127, 'i', 127);
        memset(id128, 'i', 128);
        id127[127] = id128[128] = 0;
        server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{1,<<\"%s\">>}},{send,ok},"
                      "{expect,{4}},{send,{3,[{<<\"%s\">>,<<\"%s\">>}]}},"
                      "{expect,{4}},{send,{3,[{<<\"%s\">>,<<\"a\">>}]}},"
                      "{expect,{4}},{send,{3,[{<<\"a\">>,\"%s\"}]}},"
                      "{expect,{4}},{send,{3,[{#{},\"a\"}]}},{expect,{4}},{send,{3,[{{6,128},\"a\"}]}},"
                      "{expect,{4}},{status,3,255},{expect,{4}},{status,3,256},closed]",
                      id127, id127, id127, id128, id128);
        fd = connected("t");
        CONFD_SET_STR(&id, id128);
        assert_failed(confd_ha_bemaster(fd, &id), CONFD_ERR, CONFD_ERR_BADTYPE);
        CONFD_SET_BUF(&id, id128, 0);
        assert_failed(confd_ha_bemaster(fd, &id), CONFD_ERR, CONFD_ERR_BADTYPE);
        CONFD_SET_STR(&id, id127);
        assert_int_equal(confd_ha_bemaster(fd, &id), CONFD_OK);

        assert_int_equal(confd_ha_status(fd, &status), CONFD_OK);
        assert_int_equal(CONFD_GET_BUFSIZE(&status.nodes[0].nodeid), 127);
        assert_string_equal(status.nodes[0].buf, id127);
        assert_string_equal(status.nodes[0].addr.str, id127);
        status.num_nodes = 77;
        for (int i = 0; i < 4; i++) {
                assert_failed(confd_ha_status(fd, &status), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
                assert_non_null(strstr(confd_lasterr(), "node 1"));
        }
        assert_int_equal(status.num_nodes, 77);
        assert_string_equal(status.nodes[0].buf, id127);
        assert_int_equal(confd_ha_status(fd, &status), CONFD_OK);
        assert_int_equal(status.num_nodes, 255);
        assert_string_equal(status.nodes[254].buf, "n255");
        assert_failed(confd_ha_status(fd, &status), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_int_equal(status.num_nodes, 255);
        assert_useless(fd);
        close(fd);
        server_done(&server);
}

static void values_of_a_bad_type_are_refused(void **state) {
        static const enum confd_vtype bad[] = { C_NOEXISTS, C_XMLTAG, C_SYMBOL, C_DOUBLE, C_QNAME, C_LIST, C_UNION, C_BITBIG };
        struct confd_ha_node master = { .af = 77 };
        confd_value_t id = {};
        int fd;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{3}},{send,ok},closed]");
        fd = connected("t");
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                id.type = bad[i];
                assert_failed(confd_ha_bemaster(fd, &id), CONFD_ERR, CONFD_ERR_BADTYPE);
                assert_failed(confd_ha_slave_dead(fd, &id), CONFD_ERR, CONFD_ERR_BADTYPE);
        }
        assert_failed(confd_ha_bemaster(fd, NULL), CONFD_ERR, CONFD_ERR_BADTYPE);
        CONFD_SET_STR(&id, "a");
        CONFD_SET_STR(&master.nodeid, "b");
        assert_failed(confd_ha_beslave(fd, &id, &master, 1), CONFD_ERR, CONFD_ERR_BADTYPE);
        assert_failed(confd_ha_beslave(fd, &id, NULL, 1), CONFD_ERR, CONFD_ERR_BADTYPE);
        assert_failed(confd_ha_status(fd, NULL), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_int_equal(confd_ha_benone(fd), CONFD_OK); /* nothing of it was sent */
        close(fd);
        server_done(&server);
}

static void a_peer_that_vanishes_is_told(void **state) {
        static const struct {
                const char *step;
                int result, code;
                const char *word;
        } cases[] = {
                { "{repeat,0,[]}", CONFD_EOF, CONFD_ERR_EOF, "closed" },
                { "reset", CONFD_EOF, CONFD_ERR_EOF, "closed" },
                { "{part,{1,[]},1}", CONFD_EOF, CONFD_ERR_EOF, "after 1 of 4 bytes" },
                { "{part,{1,[]},3}", CONFD_EOF, CONFD_ERR_EOF, "after 3 of 4 bytes" },
                { "{part,{1,[]},4}", CONFD_EOF, CONFD_ERR_EOF, "after 4 of 10 bytes" },
                { "{part,{1,[]},9}", CONFD_EOF, CONFD_ERR_EOF, "after 9 of 10 bytes" },
                { "{raw,<<0,16,0,1,0>>},closed", CONFD_ERR, CONFD_ERR_PROTOUSAGE, "1048576" },
                { "{raw,<<255,255,255,255>>},closed", CONFD_ERR, CONFD_ERR_PROTOUSAGE, "more than" },
                { "{frame,<<>>},closed", CONFD_ERR, CONFD_ERR_PROTOUSAGE, "protocol" },
                { "{frame,<<131,104,2>>},closed", CONFD_ERR, CONFD_ERR_PROTOUSAGE, "protocol" },
                { "{send,{1,[x]}},closed", CONFD_ERR, CONFD_ERR_PROTOUSAGE, "protocol" },
                { "{send,{error}},closed", CONFD_ERR, CONFD_ERR_PROTOUSAGE, "protocol" },
        };
        static struct confd_ha_status status;
        int fd;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{4}},%s]", cases[i].step);
                fd = connected("t");
                status.num_nodes = 77;
                confd_errno = 0;
                if (confd_ha_status(fd, &status) != cases[i].result || confd_errno != cases[i].code ||
                    !strstr(confd_lasterr(), cases[i].word))
                        fail_msg("%s: %i %s", cases[i].step, confd_errno, confd_lasterr());
                assert_int_equal(status.num_nodes, 77);
                if (cases[i].result == CONFD_EOF) {
                        /* And it stays so, without a signal. */
                        assert_failed(confd_ha_status(fd, &status), CONFD_EOF, CONFD_ERR_EOF);
                        assert_failed(confd_ha_benone(fd), CONFD_EOF, CONFD_ERR_EOF);
                } else
                        assert_useless(fd);
                close(fd);
                server_done(&server);
        }
}

static void a_connect_that_fails_is_told(void **state) {
        static const struct {
                const char *script;
                int result, code;
        } cases[] = {
                { "[{hello,17}]", CONFD_EOF, CONFD_ERR_EOF },
                { "[{hello,17},reset]", CONFD_EOF, CONFD_ERR_EOF },
                { "[{hello,17},{raw,<<0,0,82,8,2,5,0,0>>}]", CONFD_EOF, CONFD_ERR_EOF },
                { "[{hello,17},{raw,<<9,0,82,8,2,5,0,0,0>>},closed]", CONFD_ERR, CONFD_ERR_PROTOUSAGE },
                { "[{hello,17},{raw,<<11,0:256>>},closed]", CONFD_ERR, CONFD_ERR_ACCESS_DENIED },
        };
        struct sockaddr_storage nowhere = server.address;
        struct sockaddr_un *un = (struct sockaddr_un *) &nowhere;
        int fd, listener;
        socklen_t n = sizeof(nowhere);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                server_script(&server, "%s", cases[i].script);
                fd = server_socket(&server);
                confd_errno = 0;
                if (try_connect_to(&server, fd, "t") != cases[i].result || confd_errno != cases[i].code)
                        fail_msg("%s: %i %s", cases[i].script, confd_errno, confd_lasterr());
                assert_useless(fd);
                close(fd);
                server_done(&server);
        }

        /* A port that was free a moment ago. */
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ((struct sockaddr_in *) &nowhere)->sin_port = 0;
        assert_int_equal(bind(listener, (struct sockaddr *) &nowhere, sizeof(struct sockaddr_in)), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *) &nowhere, &n), 0);
        fd = server_socket(&server);
        assert_failed(confd_ha_connect(fd, (struct sockaddr *) &nowhere, (int) n, "t"), CONFD_ERR, CONFD_ERR_OS);
        assert_int_equal(errno, ECONNREFUSED);
        assert_non_null(strstr(confd_lasterr(), "127.0.0.1:"));
        assert_useless(fd);
        /* The same socket cannot be used again, whether the kernel would connect it or not. */
        assert_int_equal(listen(listener, 1), 0);
        assert_failed(confd_ha_connect(fd, (struct sockaddr *) &nowhere, (int) n, "t"), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_useless(fd);
        close(fd);
        close(listener);

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        *un = (struct sockaddr_un) { .sun_family = AF_UNIX, .sun_path = "/nonexistent/socket" };
        assert_failed(confd_ha_connect(fd, (struct sockaddr *) un, sizeof(*un), "t"), CONFD_ERR, CONFD_ERR_OS);
        assert_int_equal(errno, ENOENT);
        assert_useless(fd);
        close(fd);

        /* Never connected, and no socket at all. */
        fd = server_socket(&server);
        assert_int_not_equal(confd_ha_benone(fd), CONFD_OK);
        close(fd);
        assert_failed(confd_ha_benone(fd), CONFD_ERR, CONFD_ERR_OS);
        assert_failed(try_connect_to(&server, fd, "t"), CONFD_ERR, CONFD_ERR_OS);
        assert_failed(confd_ha_connect(-1, NULL, 0, "t"), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_failed(confd_ha_connect(-1, NULL, 0, NULL), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
}

static void a_refused_version_is_told(void **state) {
        int fd;

        server_script(&server, "[{hello,17},{answer,1,71}]");
        fd = server_socket(&server);
        assert_failed(try_connect_to(&server, fd, "t"), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_non_null(strstr(confd_lasterr(), "82"));
        assert_non_null(strstr(confd_lasterr(), "71"));
        assert_non_null(strstr(confd_lasterr(), "confd_ha_set_protocol_version"));
        assert_useless(fd);
        close(fd);
        server_done(&server);

        assert_failed(confd_ha_set_protocol_version(65536), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        assert_int_equal(confd_ha_set_protocol_version(71), CONFD_OK);
        server_script(&server, "[{hello,17,71},{answer,0,71},{token,<<\"t\">>},closed]");
        close(connected("t"));
        server_done(&server);
        assert_int_equal(confd_ha_set_protocol_version(0), CONFD_OK);
        server_script(&server, "[{accept,17},{token,<<\"t\">>},closed]");
        close(connected("t"));
        server_done(&server);
}

static void write_file(const char *path, const void *p, size_t n) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, p, n), n);
        close(fd);
}

static void the_access_check_is_passed(void **state) {
        static char big[64 * 1024 + 1];
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/tmp/confd-ha-test.%i.access", (int) getpid());
        write_file(path, "pass\0word\n", 10);
        assert_int_equal(setenv("NCS_IPC_ACCESS_FILE", "/nonexistent", 1), 0);
        assert_int_equal(setenv("CONFD_IPC_ACCESS_FILE", path, 1), 0);

        server_script(&server, "[{hello,209},{access,<<\"pass\",0,\"word\\n\">>},{answer,0,82},{token,<<\"t\">>},closed]");
        close(connected("t"));
        server_done(&server);
        server_script(&server, "[{hello,209},{answer,0,82},{token,<<\"t\">>},closed]");
        close(connected("t"));
        server_done(&server);
        server_script(&server, "[{hello,209},{access,<<\"pass\">>}]");
        fd = server_socket(&server);
        assert_failed(try_connect_to(&server, fd, "t"), CONFD_ERR, CONFD_ERR_ACCESS_DENIED);
        assert_null(strstr(confd_lasterr(), "pass"));
        assert_useless(fd);
        close(fd);
        server_done(&server);

        /* Files at the limit and past it, and none. */
        write_file(path, big, sizeof(big) - 1);
        server_script(&server, "[{hello,209},{access,<<0:524288>>},{answer,0,82},{token,<<\"t\">>},closed]");
        close(connected("t"));
        server_done(&server);
        write_file(path, big, sizeof(big));
        fd = server_socket(&server);
        assert_failed(try_connect_to(&server, fd, "t"), CONFD_ERR, CONFD_ERR_ACCESS_DENIED);
        assert_non_null(strstr(confd_lasterr(), path));
        assert_useless(fd);
        close(fd);
        unsetenv("CONFD_IPC_ACCESS_FILE");
        fd = server_socket(&server);
        assert_failed(try_connect_to(&server, fd, "t"), CONFD_ERR, CONFD_ERR_ACCESS_DENIED);
        assert_non_null(strstr(confd_lasterr(), "/nonexistent"));
        close(fd);
        unsetenv("NCS_IPC_ACCESS_FILE");
        unlink(path);
}

static void a_call_ends_in_time(void **state) {
        const struct timeval tv = { .tv_usec = 50 * 1000 };
        static struct confd_ha_status status;
        int fd;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{4}},{part,{1,[]},2},closed]");
        fd = connected("t");
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
        assert_failed(confd_ha_status(fd, &status), CONFD_ERR, CONFD_ERR_TIMEOUT);
        assert_useless(fd);
        close(fd);
        server_done(&server);

        server_script(&server, "[{hello,17},closed]");
        fd = server_socket(&server);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
        assert_failed(try_connect_to(&server, fd, "t"), CONFD_ERR, CONFD_ERR_TIMEOUT);
        assert_useless(fd);
        close(fd);
        server_done(&server);
}

static volatile sig_atomic_t signals;

static void on_signal(int sig) {
        signals++;
}

static void a_storm_of_signals_interrupts_nothing(void **state) {
        const struct itimerval storm = { .it_interval = { .tv_usec = 200 }, .it_value = { .tv_usec = 200 } }, calm = {};
        const struct sigaction sa = { .sa_handler = on_signal }; /* without SA_RESTART */
        static struct confd_ha_status status;
        confd_value_t id;
        int fd;

        CONFD_SET_STR(&id, "n1");
        assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
        server_script(&server, "[{accept,17},{token,<<\"t\">>},{repeat,20,[{expect,{4}},{slowly,{3,[{<<\"n2\">>,{10,0,0,2}}]}},"
                      "{expect,{1,<<\"n1\">>}},{slowly,ok}]},closed]");
        assert_int_equal(setitimer(ITIMER_REAL, &storm, NULL), 0);
        fd = connected("t");
        for (int i = 0; i < 20; i++) {
                if (confd_ha_status(fd, &status) != CONFD_OK || confd_ha_bemaster(fd, &id) != CONFD_OK)
                        fail_msg("%s", confd_lasterr());
                assert_int_equal(status.num_nodes, 1);
        }
        while (signals == 0)
                (void) pause();
        assert_int_equal(setitimer(ITIMER_REAL, &calm, NULL), 0);
        close(fd);
        server_done(&server);
}

static void a_socket_that_does_not_block_is_waited_for(void **state) {
        static struct confd_ha_status status;
        int fd;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},{expect,{4}},{slowly,{1,[]}},closed]");
        fd = server_socket(&server);
        assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(try_connect_to(&server, fd, "t"), CONFD_OK);
        assert_int_equal(confd_ha_status(fd, &status), CONFD_OK);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        close(fd);
        server_done(&server);

        server_script(&server, "[{accept,17},{token,<<\"t\">>},closed]");
        fd = connected("t");
        assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
        close(fd);
        server_done(&server);
}

/* What is sent after the token must not wait for the kernel of the other side to acknowledge that. */
static void orders_are_not_held_back(void **state) {
        socklen_t size = sizeof(int);
        int fd, on = 0;

        server_script(&server, "[{accept,17},{token,<<\"t\">>},closed]");
        fd = connected("t");
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
        assert_int_not_equal(on, 0);
        close(fd);
        server_done(&server);
}

static void long_tokens_are_sent_whole(void **state) {
        static char token[CONFD_HA_TOKEN_MAX + 2];
        int fd;

        memset(token, 't', CONFD_HA_TOKEN_MAX + 1);
        fd = server_socket(&server);
        assert_failed(try_connect_to(&server, fd, token), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
        close(fd);
        token[CONFD_HA_TOKEN_MAX] = 0;
        server_script(&server, "[{accept,17},{token,<<\"%s\">>},closed]", token);
        close(connected(token));
        server_done(&server);
}

static void traces_tell_no_secrets(void **state) {
        static struct confd_ha_status status;
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);
        int fd;

        assert_non_null(f);
        confd_init("the-program", f, CONFD_PROTO_TRACE);
        server_script(&server, "[{accept,17},{token,<<\"very secret\">>},{expect,{4}},{send,{3,[{<<\"n2\">>,{10,0,0,2}}]}},{expect,{3}},"
                      "{send,{error,17,<<\"because\">>}},closed]");
        fd = connected("very secret");
        assert_int_equal(confd_ha_status(fd, &status), CONFD_OK);
        assert_int_equal(confd_ha_benone(fd), CONFD_ERR);
        close(fd);
        server_done(&server);
        assert_int_equal(confd_set_debug(CONFD_SILENT, NULL), CONFD_OK);
        fd = server_socket(&server);
        assert_int_equal(confd_ha_connect(fd, NULL, 0, "x"), CONFD_ERR);
        close(fd);
        confd_init(NULL, NULL, CONFD_SILENT);
        fclose(f);
        assert_non_null(strstr(text, "the-program: "));
        assert_non_null(strstr(text, "-> {4}"));
        assert_non_null(strstr(text, "<- {3,[{<<\"n2\">>,{10,0,0,2}}]}"));
        assert_non_null(strstr(text, "because"));
        assert_null(strstr(text, "secret"));
        assert_null(strstr(text, "address"));
        free(text);
        assert_failed(confd_set_debug((enum confd_debug_level) 4, NULL), CONFD_ERR, CONFD_ERR_PROTOUSAGE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_order_is_done),
                cmocka_unit_test(errors_come_with_their_words),
                cmocka_unit_test(a_status_is_read_up_to_its_limit),
                cmocka_unit_test(values_of_a_bad_type_are_refused),
                cmocka_unit_test(a_peer_that_vanishes_is_told),
                cmocka_unit_test(a_connect_that_fails_is_told),
                cmocka_unit_test(a_refused_version_is_told),
                cmocka_unit_test(the_access_check_is_passed),
                cmocka_unit_test(a_call_ends_in_time),
                cmocka_unit_test(a_storm_of_signals_interrupts_nothing),
                cmocka_unit_test(a_socket_that_does_not_block_is_waited_for),
                cmocka_unit_test(orders_are_not_held_back),
                cmocka_unit_test(long_tokens_are_sent_whole),
                cmocka_unit_test(traces_tell_no_secrets),
        };

        unsetenv("CONFD_IPC_ACCESS_FILE");
        unsetenv("NCS_IPC_ACCESS_FILE");
        signal(SIGPIPE, SIG_DFL); /* one would end the test */
        return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
