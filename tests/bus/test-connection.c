/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that the connections to ConfD come up as configured, and come back after each way of losing them. */
#include <stdio.h>

#include "harness.h"

#define DISPLACED HAD_ERROR("Displaced")

static void says_who_it_is(void **state) {
        struct fixture *f = *state;
        const char *line;
        int mask = 0;

        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CHECK(f, sim_count(f, "{hello,ha,82,{8,2,5,0},false}") == 1);
        CHECK(f, trace_find(&f->sim.trace, 0, "{hello,events,82,{8,2,5,0},false}") >= 0);
        /* One newline at the end of the file is no part of the token. */
        CHECK(f, trace_find(&f->sim.trace, 0, "{token,<<\"the token\">>}") >= 0);
        line = SIM_EXPECT(f, "{subscribed,{*,0,30000,undefined,0}}");
        CHECK(f, sscanf(line, "{subscribed,{%d,", &mask) == 1);
        CHECK(f, (mask & 1 << 6) && (mask & 1 << 18));
        CHECK_PROPERTY(f, "ConfdVersion", "'8.2.5'");
        CHECK_PROPERTY(f, "ProtocolVersion", "82");
        CHECK_PROPERTY(f, "ConfdAddress", kept(f, "'%s'", f->sim_address));
}

static void over_tcp(struct fixture *f, const char *host, const char *shown) {
        int port = 0;

        sim(f, "{listen,{tcp,\"%s\",0}}", host);
        CHECK(f, sscanf(strrchr(f->sim.trace.lines[f->sim.trace.n - 2], ',') + 1, "%d", &port) == 1);
        configure(f, kept(f, "[ConfD]\nAddress=%s:%d\n", shown, port));
        service_start(f);
        service_wait_connected(f);
        CHECK_PROPERTY(f, "ConfdAddress", kept(f, "'%s:%d'", shown, port));
        CALL_OK(f, "BeMaster", "s", "n1");
        /* Any local user could give ConfD orders past polkit. */
        WAIT_FOR(f, trace_count(&f->service.trace, "*AccessFile*") == 1);
}

static void over_ipv4(void **state) {
        over_tcp(*state, "127.0.0.1", "127.0.0.1");
}

static void over_ipv6(void **state) {
        over_tcp(*state, "::1", "[::1]");
}

static void access_secret(struct fixture *f, const char *ours, const char *theirs) {
        const char *path = write_file(f, "access", "%s", ours);

        configure(f, kept(f, "[ConfD]\nAccessFile=%s\nRequestTimeoutSec=1\n", path));
        if (theirs)
                sim(f, "{set,secret,<<\"%s\">>}", theirs);
        service_start(f);
        service_wait_name(f);
}

/* The secret is the content of the file, byte for byte. */
static void the_secret_is_proven(void **state) {
        struct fixture *f = *state;

        access_secret(f, "s3cret\n", "s3cret\\n");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        WAIT_PROPERTY(f, "Connected", "true");
        CHECK(f, sim_count(f, "{hello,ha,82,{8,2,5,0},true}") == 1);
        CHECK(f, sim_count(f, "{access,ok}") == 2);
        CALL_OK(f, "BeMaster", "s", "n1");
}

static void a_server_may_not_want_the_secret(void **state) {
        struct fixture *f = *state;

        access_secret(f, "s3cret", NULL);
        WAIT_PROPERTY(f, "Connected", "true");
        CALL_OK(f, "BeMaster", "s", "n1");
}

static void a_wrong_secret(struct fixture *f) {
        access_secret(f, "s3cret", "secret");
        CALL_FAILS(f, HAD_ERROR("AccessDenied"), "Status", "");
        CALL_FAILS(f, HAD_ERROR("AccessDenied"), "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "Connected", "false");
        CHECK_PROPERTY(f, "State", "'unknown'");
        CHECK_PROPERTY(f, "LastError", "('org.confd.HA.Error.AccessDenied' '*' *)");
        /* Put right, it works without more ado. */
        sim(f, "{set,secret,<<\"s3cret\">>}");
        WAIT_PROPERTY(f, "Connected", "true");
}

static void a_wrong_secret_refused_by_closing(void **state) {
        a_wrong_secret(*state);
}

static void a_wrong_secret_refused_by_a_byte(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,refusal,1}");
        a_wrong_secret(f);
}

static void an_older_protocol_is_spoken(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,versions,[70]}");
        sim(f, "{set,version,70}");
        sim(f, "{set,release,{7,3,0,0}}");
        service_start(f);
        service_wait_connected(f);
        CHECK_PROPERTY(f, "ProtocolVersion", "70");
        CHECK_PROPERTY(f, "ConfdVersion", "'7.3'");
        CALL_OK(f, "BeMaster", "s", "n1");
}

static void no_common_protocol(void **state) {
        struct fixture *f = *state;
        struct call *call;

        configure(f, "[ConfD]\nRequestTimeoutSec=1\n");
        sim(f, "{set,versions,[]}");
        sim(f, "{set,version,70}");
        service_start(f);
        service_wait_name(f);
        call = call_start(f->root, "Status", "");
        WAIT_FOR(f, call->done);
        CHECK(f, call->error);
        CHECK(f, streq(call->error, HAD_ERROR("Protocol")) || streq(call->error, HAD_ERROR("NotConnected")));
        CHECK_PROPERTY(f, "ProtocolVersion", "0");
}

static void other_limits_do_not_matter(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,code,2}");
        service_start(f);
        service_wait_connected(f);
        CALL_OK(f, "BeMaster", "s", "n1");
}

static void an_older_server_takes_four(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,events,old}");
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CHECK(f, sim_count(f, "{subscribed,{*,0,30000,undefined}}") == 1);
        sim(f, "{state,master,none,[]}");
        sim(f, "{event,{5,0}}");
        WAIT_PROPERTY(f, "State", "'master'");
}

/* Whatever the server says in place of its 9 bytes: nobody waits for ever, and it is tried again. */
static void bad_handshake(struct fixture *f, const char *how, const char *error, const char *error2) {
        struct call *call;

        configure(f, "[ConfD]\nRequestTimeoutSec=1\n");
        sim(f, "{set,handshake,%s}", how);
        service_start(f);
        service_wait_name(f);
        SIM_EXPECT(f, "{hello,ha,*");
        call = call_start(f->root, "Status", "");
        WAIT_FOR(f, call->done);
        CHECK(f, call->error);
        if (!streq(call->error, error))
                CHECK_TEXT(f, call->error, error2 ?: error);
        sim(f, "{set,handshake,accept}");
        WAIT_PROPERTY(f, "Connected", "true");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CALL_OK(f, "BeMaster", "s", "n1");
}

static void a_silent_server(void **state) {
        bad_handshake(*state, "silent", HAD_ERROR("NotConnected"), NULL);
}

static void a_closing_server(void **state) {
        bad_handshake(*state, "close", HAD_ERROR("NotConnected"), NULL);
}

static void half_a_handshake(void **state) {
        bad_handshake(*state, "{cut,5}", HAD_ERROR("NotConnected"), HAD_ERROR("Protocol"));
}

static void another_servers_greeting(void **state) {
        bad_handshake(*state, "{raw,<<\"HTTP/1.1 400 Bad Request\\r\\n\\r\\n\">>}", HAD_ERROR("Protocol"), NULL);
}

static void without_a_confd(void **state) {
        struct fixture *f = *state;
        uint64_t begun;

        sim(f, "stop_listening");
        configure(f, "[ConfD]\nRequestTimeoutSec=1\n");
        service_start(f);
        service_wait_name(f);
        CHECK_PROPERTY(f, "State", "'unknown'");
        CHECK_PROPERTY(f, "Connected", "false");
        CHECK_PROPERTY(f, "EventsConnected", "false");
        CHECK_PROPERTY(f, "ConfdVersion", "''");
        CHECK_PROPERTY(f, "ProtocolVersion", "0");
        CHECK_PROPERTY(f, "ConfdAddress", kept(f, "'%s'", f->sim_address));
        begun = now_monotonic();
        CHECK(f, strstr(CALL_FAILS(f, HAD_ERROR("NotConnected"), "BeMaster", "s", "n1"), f->sim_address));
        CHECK(f, now_monotonic() - begun < 3 * USEC_PER_SEC);
        CALL_FAILS(f, HAD_ERROR("NotConnected"), "Status", "");
        CHECK_PROPERTY(f, "LastError", "('org.confd.HA.Error.NotConnected' '*' *)");
        sim(f, "listen");
        WAIT_PROPERTY(f, "Connected", "true");
        /* The connection's error is no longer one. */
        WAIT_PROPERTY(f, "LastError", "('' '' 0)");
}

static void a_call_triggers_an_attempt(void **state) {
        struct fixture *f = *state;
        uint64_t begun;

        configure(f, "[ConfD]\nReconnectMinSec=60\nReconnectMaxSec=60\n");
        sim(f, "stop_listening");
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "LastError", "('org.confd.HA.Error.NotConnected' '*' *)");
        sim(f, "listen");
        begun = now_monotonic();
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
        CHECK(f, now_monotonic() - begun < 5 * USEC_PER_SEC);
        CHECK_PROPERTY(f, "Connected", "true");
}

static void calls_join_an_attempt(void **state) {
        struct fixture *f = *state;
        struct client *other = client_new(f, 0);
        struct call *a, *b;

        sim(f, "{set,handshake,hold}");
        service_start(f);
        service_wait_name(f);
        SIM_EXPECT(f, "{hello,ha,*");
        a = call_start(f->root, "BeMaster", "s", "n1");
        b = call_start(other, "Status", "");
        barrier(f, other);
        CHECK(f, !a->done && !b->done);
        sim(f, "go_on");
        WAIT_CALL_OK(f, a);
        WAIT_CALL_OK(f, b);
        CHECK(f, sim_count(f, "{hello,ha,*") == 1);
}

static void plain_disconnection(struct fixture *f) {
        EXPECT(f, &f->root->trace, "changed* State='unknown'*");
        EXPECT(f, &f->root->trace, "signal StateChanged 'master' 'unknown' 'disconnected'");
        EXPECT(f, &f->root->trace, "signal StateChanged 'unknown' 'master' 'connected'");
        CHECK(f, trace_count(&f->root->trace, "*" DISPLACED "*") == 0);
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CHECK_PROPERTY(f, "Connected", "true");
}

static void confd_restarts(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "stop_listening");
        sim(f, "{close,both}");
        WAIT_PROPERTY(f, "State", "'unknown'");
        CHECK_PROPERTY(f, "Connected", "false");
        WAIT_PROPERTY(f, "EventsConnected", "false");
        CHECK_PROPERTY(f, "ConfdVersion", "''");
        CHECK_PROPERTY(f, "ProtocolVersion", "0");
        CHECK_PROPERTY(f, "Master", "('' '')");
        /* It takes a moment to tell a restart from a displacement. */
        WAIT_PROPERTY(f, "LastError", "('org.confd.HA.Error.NotConnected' '*' *)");
        sim(f, "listen");
        plain_disconnection(f);
        WAIT_PROPERTY(f, "LastError", "('' '' 0)");
}

static void a_restart_forgets_the_role(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{state,none,none,[]}");
        sim(f, "{close,both}");
        EXPECT(f, &f->root->trace, "signal StateChanged 'unknown' 'none' 'connected'");
        CHECK_PROPERTY(f, "NodeId", "''");
}

static void events_close_first(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{close,events}");
        sim(f, "{close,ha}");
        plain_disconnection(f);
}

static void events_close_a_moment_later(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{close,ha}");
        sim(f, "{close,events}");
        plain_disconnection(f);
}

static void only_events_close(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{close,events}");
        EXPECT(f, &f->root->trace, "changed* EventsConnected=false*");
        EXPECT(f, &f->root->trace, "changed* EventsConnected=true*");
        CHECK_PROPERTY(f, "State", "'master'");
        CHECK(f, trace_count(&f->root->trace, "signal StateChanged*'disconnected'") == 0);
        CHECK(f, sim_count(f, "{token,*") == 1);
}

static void without_events_a_close_is_plain(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,events,close}");
        sim(f, "{state,master,none,[]}");
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "State", "'master'");
        sim(f, "{set,events,silent}");
        sim(f, "{close,ha}");
        EXPECT(f, &f->root->trace, "signal StateChanged 'master' 'unknown' 'disconnected'");
        EXPECT(f, &f->root->trace, "signal StateChanged 'unknown' 'master' 'connected'");
        CHECK(f, trace_count(&f->root->trace, "*" DISPLACED "*") == 0);
}

/* Another client takes the orders: ConfD closes ours while the events go on. */
static void displacement_is_told(void **state) {
        struct fixture *f = *state;
        struct call *call;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{close,ha}");
        EXPECT(f, &f->root->trace, "changed* State='unknown'*");
        EXPECT(f, &f->root->trace, "signal StateChanged 'master' 'unknown' 'disconnected'");
        EXPECT(f, &f->root->trace, "signal StateChanged 'unknown' 'master' 'connected'");
        CHECK(f, trace_count(&f->root->trace, "changed* LastError=('" DISPLACED "' '*' *)*") == 1);
        CHECK(f, trace_count(&f->root->trace, "changed* EventsConnected=*") == 0);
        WAIT_FOR(f, trace_count(&f->service.trace, "*nother*") > 0);
        /* Up again; its error is gone, and it takes orders. */
        WAIT_PROPERTY(f, "LastError", "('' '' 0)");
        call = call_start(f->root, "BeNone", "");
        WAIT_CALL_OK(f, call);
}

static void an_order_in_flight_when_displaced(void **state) {
        struct fixture *f = *state;

        sim(f, "{on,1,close}");
        CALL_FAILS(f, HAD_ERROR("NotConnected"), "BeMaster", "s", "n1");
        CALL_OK(f, "BeMaster", "s", "n1");
}

/* After the second time within a minute it does not fight. */
static void displaced_twice_it_holds_back(void **state) {
        struct fixture *f = *state;
        uint64_t closed;

        configure(f, "[ConfD]\nReconnectMinSec=0.05\nReconnectMaxSec=2\n");
        service_start(f);
        service_wait_connected(f);
        sim(f, "{close,ha}");
        SIM_EXPECT(f, "{token,*");
        WAIT_PROPERTY(f, "Connected", "true");
        for (int i = 0; i < 2; i++) {
                closed = now_monotonic();
                sim(f, "{close,ha}");
                SIM_EXPECT(f, "{token,*");
                CHECK(f, now_monotonic() - closed >= 1900 * USEC_PER_MSEC);
                WAIT_PROPERTY(f, "Connected", "true");
        }
}

static void displaced_twice_a_call_does_not_fight_either(void **state) {
        struct fixture *f = *state;

        configure(f, "[ConfD]\nReconnectMinSec=0.05\nReconnectMaxSec=60\nRequestTimeoutSec=1\n");
        service_start(f);
        service_wait_connected(f);
        sim(f, "{close,ha}");
        SIM_EXPECT(f, "{token,*");
        WAIT_PROPERTY(f, "Connected", "true");
        sim(f, "{close,ha}");
        WAIT_PROPERTY(f, "LastError", "('" DISPLACED "' '*' *)");
        CALL_FAILS(f, DISPLACED, "BeMaster", "s", "n1");
        CALL_FAILS(f, DISPLACED, "Status", "");
        CHECK(f, sim_count(f, "{token,*") == 2);
}

/* What its connections missed, the difference of two statuses tells, once. */
static void missed_events_are_made_up_for(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{arrive,<<\"n2\">>,{10,0,0,2}}");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n2' '10.0.0.2'");
        sim(f, "stop_listening");
        sim(f, "{close,events}");
        sim(f, "{die,<<\"n2\">>}");
        sim(f, "{arrive,<<\"n3\">>,{10,0,0,3}}");
        sim(f, "listen");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n3' '10.0.0.3'");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CHECK_PROPERTY(f, "Slaves", "[('n3' '10.0.0.3')]");
        CALL_OK(f, "Status", "");
        CHECK(f, trace_count(&f->root->trace, "signal SlaveDied 'n2' '10.0.0.2'") == 1);
        CHECK(f, trace_count(&f->root->trace, "signal SlaveArrived*") == 2);
}

static void what_a_disconnection_hid_is_made_up_for(void **state) {
        struct fixture *f = *state;

        sim(f, "{state,master,none,[{<<\"n2\">>,{10,0,0,2}},{<<\"n4\">>,{10,0,0,4}}]}");
        CALL_OK(f, "Status", "");
        sim(f, "stop_listening");
        sim(f, "{close,both}");
        WAIT_PROPERTY(f, "State", "'unknown'");
        sim(f, "{state,master,none,[{<<\"n3\">>,{10,0,0,3}},{<<\"n4\">>,{10,0,0,4}}]}");
        trace_skip(&f->root->trace);
        sim(f, "listen");
        EXPECT(f, &f->root->trace, "signal SlaveDied 'n2' '10.0.0.2'");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n3' '10.0.0.3'");
        EXPECT(f, &f->root->trace, "signal StateChanged 'unknown' 'master' 'connected'");
        CHECK_PROPERTY(f, "Slaves", "[('n3' '10.0.0.3') ('n4' '10.0.0.4')]");
        CHECK(f, trace_count(&f->root->trace, "signal SlaveArrived 'n3'*") == 1);
        CHECK(f, trace_count(&f->root->trace, "signal SlaveDied 'n4'*") == 0);
}

/* A status may show an arrival before its event comes: it is told once. */
static void an_event_after_its_status_tells_no_more(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{state,master,none,[{<<\"n2\">>,{10,0,0,2}}]}");
        CALL_OK(f, "Status", "");
        CHECK_PROPERTY(f, "Slaves", "[('n2' '10.0.0.2')]");
        sim(f, "{event,{3,{<<\"n2\">>,{10,0,0,2}}}}");
        sim(f, "{arrive,<<\"n3\">>,{10,0,0,3}}");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n3' '10.0.0.3'");
        CHECK(f, trace_count(&f->root->trace, "signal SlaveArrived 'n2' '10.0.0.2'") == 1);
}

/* Nor does one that comes after the difference of two statuses has told it already. */
static void an_event_after_its_difference_tells_no_more(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{close,events}");
        sim(f, "{state,master,none,[{<<\"n2\">>,{10,0,0,2}}]}");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n2' '10.0.0.2'");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        sim(f, "{event,{3,{<<\"n2\">>,{10,0,0,2}}}}");
        sim(f, "{arrive,<<\"n3\">>,{10,0,0,3}}");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n3' '10.0.0.3'");
        CHECK(f, trace_count(&f->root->trace, "signal SlaveArrived 'n2' '10.0.0.2'") == 1);
        /* One that truly comes again is told again. */
        sim(f, "{die,<<\"n2\">>}");
        sim(f, "{arrive,<<\"n2\">>,{10,0,0,2}}");
        EXPECT(f, &f->root->trace, "signal SlaveDied 'n2' '10.0.0.2'");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n2' '10.0.0.2'");
}

static void first_contact_finds_a_role(void **state) {
        struct fixture *f = *state;

        sim(f, "{state,slave,{<<\"n1\">>,{10,0,0,1}},[]}");
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "Master", "('n1' '10.0.0.1')");
        CHECK_PROPERTY(f, "Synchronizing", "false");
        CHECK_PROPERTY(f, "NodeId", "''");
}

#define STOPPED BUS_TEST_STOPPED

int main(void) {
        static const struct CMUnitTest tests[] = {
                STOPPED(says_who_it_is),
                STOPPED(over_ipv4),
                STOPPED(over_ipv6),
                STOPPED(the_secret_is_proven),
                STOPPED(a_server_may_not_want_the_secret),
                STOPPED(a_wrong_secret_refused_by_closing),
                STOPPED(a_wrong_secret_refused_by_a_byte),
                STOPPED(an_older_protocol_is_spoken),
                STOPPED(no_common_protocol),
                STOPPED(other_limits_do_not_matter),
                STOPPED(an_older_server_takes_four),
                STOPPED(a_silent_server),
                STOPPED(a_closing_server),
                STOPPED(half_a_handshake),
                STOPPED(another_servers_greeting),
                STOPPED(without_a_confd),
                STOPPED(a_call_triggers_an_attempt),
                STOPPED(calls_join_an_attempt),
                BUS_TEST(confd_restarts),
                BUS_TEST(a_restart_forgets_the_role),
                BUS_TEST(events_close_first),
                BUS_TEST(events_close_a_moment_later),
                BUS_TEST(only_events_close),
                STOPPED(without_events_a_close_is_plain),
                BUS_TEST(displacement_is_told),
                BUS_TEST(an_order_in_flight_when_displaced),
                STOPPED(displaced_twice_it_holds_back),
                STOPPED(displaced_twice_a_call_does_not_fight_either),
                BUS_TEST(missed_events_are_made_up_for),
                BUS_TEST(what_a_disconnection_hid_is_made_up_for),
                BUS_TEST(an_event_after_its_status_tells_no_more),
                BUS_TEST(an_event_after_its_difference_tells_no_more),
                STOPPED(first_contact_finds_a_role),
        };

        return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
