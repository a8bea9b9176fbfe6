/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that the service takes bytes as they come, and comes out of each disturbance with nothing left over. */
#include <dirent.h>
#include <stdio.h>

#include "harness.h"

static size_t open_files(struct fixture *f) {
        DIR *d = opendir(kept(f, "/proc/%ld/fd", (long) f->service.pid));
        size_t n = 0;

        CHECK(f, d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static void a_reply_byte_by_byte(void **state) {
        static const int bytes[] = { 0, 0, 0, 6, 131, 104, 2, 97, 3, 106 };
        struct fixture *f = *state;
        struct call *call;

        sim(f, "{on,4,hang}");
        call = call_start(f->root, "Status", "");
        SIM_EXPECT(f, "{order,{4}}");
        for (size_t i = 0; i < ELEMENTSOF(bytes); i++) {
                CHECK(f, !call->done);
                sim(f, "{raw,ha,<<%d>>}", bytes[i]);
        }
        sim(f, "{state,master,none,[]}");
        CHECK_TEXT(f, WAIT_CALL_OK(f, call), "'master' []");
}

/* Two events and the head of a third in one piece, then its rest. */
static void events_in_other_pieces(void **state) {
        static const char died[] = "0,0,0,28,131,104,2,97,64,104,2,97,%d,104,2,109,0,0,0,2,110,%d,104,4,97,10,97,0,97,0,97,%d";
        struct fixture *f = *state;
        const char *third;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{state,master,none,[{<<\"n3\">>,{10,0,0,3}}]}");
        third = kept(f, died, 3, '3', 3);
        sim(f, "{raw,events,<<%s,%s,%.18s>>}", kept(f, died, 3, '2', 2), kept(f, died, 2, '2', 2), third);
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n2' '10.0.0.2'");
        EXPECT(f, &f->root->trace, "signal SlaveDied 'n2' '10.0.0.2'");
        sim(f, "{raw,events,<<%s>>}", third + 19);
        WAIT_FOR(f, trace_count(&f->root->trace, "signal SlaveArrived 'n3' '10.0.0.3'") == 1);
        CHECK_PROPERTY(f, "EventsConnected", "true");
}

static void a_status_under_unceasing_events(void **state) {
        struct fixture *f = *state;
        struct call *call;

        CALL_OK(f, "BeMaster", "s", "n1");
        call = call_start(f->root, "Status", "");
        for (int i = 0; i < 200 && !call->done; i++)
                sim(f, "{event,{3,{<<\"n%d\">>,{10,0,0,1}}}}", i);
        WAIT_CALL_OK(f, call);
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'master' []");
}

static void more_nodes_than_there_can_be(void **state) {
        struct fixture *f = *state;
        const char *nodes = "{<<\"n\">>,{10,0,0,1}}";
        struct call *call;

        for (int i = 0; i < 9; i++)
                nodes = kept(f, "%s,%s", nodes, nodes);
        sim(f, "{on,4,{reply,{3,[%s]}}}", nodes);
        call = call_start(f->root, "Status", "");
        WAIT_FOR(f, call->done);
        if (call->error)
                CHECK_TEXT(f, call->error, HAD_ERROR("Protocol"));
        WAIT_PROPERTY(f, "Connected", "true");
        CALL_OK(f, "BeMaster", "s", "n1");
}

static void an_id_of_great_length(void **state) {
        struct fixture *f = *state;
        const char *text;

        sim(f, "{state,master,none,[{<<\"%s\">>,{10,0,0,2}},{<<\"n3\">>,{10,0,0,3}}]}",
            kept(f, "%0*d", 20000, 7));
        text = CALL_OK(f, "Status", "");
        CHECK(f, strlen(text) > 20000);
        CHECK(f, strstr(text, "('n3' '10.0.0.3')"));
}

/* Nothing is left over from a connection that has ended. */
static void many_restarts_of_confd(void **state) {
        struct fixture *f = *state;
        size_t before;

        configure(f, "[ConfD]\nReconnectMinSec=0.01\nReconnectMaxSec=0.02\n");
        service_start(f);
        service_wait_connected(f);
        CALL_OK(f, "BeMaster", "s", "n1");
        before = open_files(f);
        for (int i = 0; i < 25; i++) {
                sim(f, "{close,both}");
                SIM_EXPECT(f, "{token,*");
                SIM_EXPECT(f, "{subscribed,*");
        }
        WAIT_PROPERTY(f, "Connected", "true");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CALL_OK(f, "Status", "");
        CHECK(f, open_files(f) == before);
        CHECK(f, trace_count(&f->root->trace, "*Displaced*") == 0);
}

/* The delay between attempts grows, but not past its limit. */
static void attempts_become_rarer(void **state) {
        struct fixture *f = *state;
        uint64_t last = 0, longest = 0, shortest = UINT64_MAX;

        configure(f, "[ConfD]\nReconnectMinSec=0.05\nReconnectMaxSec=0.8\n");
        sim(f, "{set,handshake,close}");
        service_start(f);
        for (int i = 0; i < 9; i++) {
                uint64_t now;

                SIM_EXPECT(f, "{hello,ha,*");
                now = now_monotonic();
                if (last > 0) {
                        longest = MAX(longest, now - last);
                        shortest = MIN(shortest, now - last);
                }
                last = now;
        }
        CHECK(f, shortest < 300 * USEC_PER_MSEC);
        CHECK(f, longest > 400 * USEC_PER_MSEC);
        CHECK(f, longest < 2000 * USEC_PER_MSEC);
}

static void calls_without_a_reply(void **state) {
        struct fixture *f = *state;
        sd_bus_message *m = NULL;

        CHECK(f, sd_bus_message_new_method_call(f->root->bus, &m, HAD_NAME, HAD_PATH, HAD_INTERFACE, "BeMaster") >= 0);
        CHECK(f, sd_bus_message_append(m, "s", "n1") >= 0);
        CHECK(f, sd_bus_message_set_expect_reply(m, false) >= 0);
        CHECK(f, sd_bus_send(f->root->bus, m, NULL) >= 0);
        sd_bus_message_unref(m);
        SIM_EXPECT(f, "{order,{1,<<\"n1\">>}}");
        EXPECT(f, &f->root->trace, "signal StateChanged 'none' 'master' 'order'");
}

/* Once authorized, an order does not depend on its caller. */
static void queued_orders_outlive_their_callers(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f, 0);

        sim(f, "{on,5,hold}");
        for (int i = 0; i < 4; i++)
                (void) call_start(c, "SlaveDead", "s", kept(f, "n%d", i));
        SIM_EXPECT(f, "{order,{5,<<\"n0\">>}}");
        barrier(f, c);
        client_leave(c);
        barrier(f, f->root);
        sim(f, "release");
        for (int i = 1; i < 4; i++)
                SIM_EXPECT(f, kept(f, "{order,{5,<<\"n%d\">>}}", i));
}

static void an_end_while_polkit_is_asked(void **state) {
        struct fixture *f = *state;

        if (geteuid() != 0)
                skip();
        polkit_start(f, POLKIT_HOLD);
        (void) call_start(client_new(f, NOBODY), "BeMaster", "s", "n1");
        EXPECT(f, &f->polkit.trace, "check *");
        CHECK(f, service_stop(f) == 0);
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
}

static void an_end_before_the_first_connection(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,handshake,silent}");
        service_start(f);
        service_wait_name(f);
        (void) call_start(f->root, "Status", "");
        (void) call_start(f->root, "BeMaster", "s", "n1");
        barrier(f, f->root);
        CHECK(f, service_stop(f) == 0);
}

/* Each half of ConfD may be the slow one. */
static void events_that_are_never_granted(void **state) {
        struct fixture *f = *state;

        configure(f, "[ConfD]\nRequestTimeoutSec=0.7\n");
        sim(f, "{set,events,silent}");
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "Connected", "true");
        CALL_OK(f, "BeMaster", "s", "n1");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        CHECK_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "EventsConnected", "false");
        sim(f, "{set,events,accept}");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CHECK_PROPERTY(f, "State", "'slave'");
}

static void events_that_are_refused(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,events,{reply,{error,3}}}");
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "Connected", "true");
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "EventsConnected", "false");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                BUS_TEST(a_reply_byte_by_byte),
                BUS_TEST(events_in_other_pieces),
                BUS_TEST(a_status_under_unceasing_events),
                BUS_TEST(more_nodes_than_there_can_be),
                BUS_TEST(an_id_of_great_length),
                BUS_TEST_STOPPED(many_restarts_of_confd),
                BUS_TEST_STOPPED(attempts_become_rarer),
                BUS_TEST(calls_without_a_reply),
                BUS_TEST(queued_orders_outlive_their_callers),
                BUS_TEST(an_end_while_polkit_is_asked),
                BUS_TEST_STOPPED(an_end_before_the_first_connection),
                BUS_TEST_STOPPED(events_that_are_never_granted),
                BUS_TEST_STOPPED(events_that_are_refused),
        };

        return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
