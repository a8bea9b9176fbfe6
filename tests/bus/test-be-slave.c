/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof of BeSlave: waiting, results matched with orders, joining and superseding, life without events. */
#include "harness.h"

#define ORDER(wait) "{order,{2,<<\"n2\">>,{<<\"n1\">>,{10,0,0,1}}," #wait "}}"

static struct call *begin(struct fixture *f, struct client *c, const char *id, const char *master, bool wait) {
        return call_start(c, "BeSlave", "sssb", id, master, "10.0.0.1", (int) wait);
}

static void settles_as_ordered(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        SIM_EXPECT(f, ORDER(0));
        SIM_EXPECT(f, "{order,{4}}");
        EXPECT(f, &f->root->trace, "changed* State='slave'*");
        EXPECT(f, &f->root->trace, "signal StateChanged 'none' 'slave' 'order'");
        EXPECT(f, &f->root->trace, "signal BeSlaveResult '' ''");
        EXPECT(f, &f->root->trace, "reply BeSlave");
        CHECK(f, trace_find(&f->root->trace, 0, "signal SlaveInitialized true") <
                 trace_find(&f->root->trace, 0, "signal BeSlaveResult '' ''"));
        CHECK_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "NodeId", "'n2'");
        CHECK_PROPERTY(f, "Master", "('n1' '10.0.0.1')");
        CHECK_PROPERTY(f, "Slaves", "[]");
        CHECK_PROPERTY(f, "Synchronizing", "false");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult*") == 1);
        CHECK(f, trace_count(&f->root->trace, "signal SlaveInitialized*") == 1);
}

static void waits_for_the_data(void **state) {
        struct fixture *f = *state;
        struct call *call;

        sim(f, "{set,sync,manual}");
        call = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(0));
        EXPECT(f, &f->root->trace, "changed* Synchronizing=true*");
        /* The status behind the order has been answered, and the caller still waits. */
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
        CHECK(f, !call->done);
        sim(f, "{joined,0}");
        WAIT_CALL_OK(f, call);
        /* The status was read again after the event, so what belongs together comes in the order of the API. */
        EXPECT(f, &f->root->trace, "changed* State='slave'*");
        EXPECT(f, &f->root->trace, "signal SlaveInitialized false");
        EXPECT(f, &f->root->trace, "signal StateChanged 'none' 'slave' 'order'");
        EXPECT(f, &f->root->trace, "signal BeSlaveResult '' ''");
        EXPECT(f, &f->root->trace, "reply BeSlave");
        CHECK(f, trace_find(&f->root->trace, 0, "changed* Synchronizing=false*") <
                 trace_find(&f->root->trace, 0, "signal BeSlaveResult '' ''"));
}

static void without_wait_returns_once_confd_has_the_order(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,sync,manual}");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", false);
        SIM_EXPECT(f, ORDER(0));
        SIM_EXPECT(f, "{order,{4}}");
        CHECK_PROPERTY(f, "Synchronizing", "true");
        sim(f, "{joined,1}");
        EXPECT(f, &f->root->trace, "signal BeSlaveResult '' ''");
        CHECK_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "Synchronizing", "false");
}

static void without_wait_still_needs_confds_sign(void **state) {
        struct fixture *f = *state;
        struct call *call;

        sim(f, "{set,sync,manual}");
        sim(f, "{on,4,hold}");
        call = begin(f, f->root, "n2", "n1", false);
        SIM_EXPECT(f, "{order,{4}}");
        barrier(f, f->root);
        CHECK(f, !call->done);
        sim(f, "release");
        WAIT_CALL_OK(f, call);
}

static void every_failure_has_its_name(void **state) {
        static const struct {
                int code;
                const char *name;
        } table[] = {
                { 17, "BadState" }, { 25, "Connect" },      { 26, "Closed" },      { 27, "BadSchema" }, { 28, "BadToken" },
                { 29, "BadName" },  { 31, "NoTick" },       { 47, "WithUpgrade" }, { 52, "BadVersion" },
                { 69, "BadConfig" }, { 71, "Aborted" },     { 18, "Failed" },
        };
        struct fixture *f = *state;

        sim(f, "{set,sync,manual}");
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const char *name = kept(f, "org.confd.HA.Error.%s", table[i].name);
                struct call *call = begin(f, f->root, "n2", "n1", true);

                SIM_EXPECT(f, ORDER(0));
                /* ConfD's word for one that it has: what it aborts before it has answered is taken for an older one's. */
                WAIT_PROPERTY(f, "Synchronizing", "true");
                sim(f, "{join_failed,%d}", table[i].code);
                WAIT_CALL_FAILS(f, call, name);
                EXPECT(f, &f->root->trace, kept(f, "signal BeSlaveResult '%s' '*'", name));
                EXPECT(f, &f->root->trace, kept(f, "error BeSlave %s: *", name));
                CHECK_PROPERTY(f, "LastError", kept(f, "('%s' '*' *)", name));
                CHECK_PROPERTY(f, "Synchronizing", "false");
                CHECK_PROPERTY(f, "State", "'none'");
        }
}

static void a_failure_nobody_waits_for_is_signalled(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,sync,manual}");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", false);
        sim(f, "{join_failed,28}");
        EXPECT(f, &f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.BadToken' '*'");
        CHECK_PROPERTY(f, "LastError", "('org.confd.HA.Error.BadToken' '*' *)");
}

static void an_early_slave_is_not_yet_settled(void **state) {
        struct fixture *f = *state;
        struct call *call;

        sim(f, "{set,sync,manual}");
        call = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(0));
        sim(f, "{state,slave,{<<\"n1\">>,{10,0,0,1}},[]}");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'slave' *");
        CHECK_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "Synchronizing", "true");
        CHECK(f, !call->done);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, call);
}

static void the_same_again_changes_nothing(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult '' ''") == 2);
        CHECK(f, trace_count(&f->root->trace, "signal StateChanged*'order'") == 1);
}

static void a_result_without_an_order_is_nobodys(void **state) {
        struct fixture *f = *state;

        sim(f, "{event,{7,0}}");
        sim(f, "{event,{7,25}}");
        sim(f, "{event,{3,{<<\"n9\">>,{10,0,0,9}}}}");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n9' '10.0.0.9'");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult*") == 0);
        /* Nor is it taken for that of a later order. */
        sim(f, "{set,sync,manual}");
        {
                struct call *call = begin(f, f->root, "n2", "n1", true);

                SIM_EXPECT(f, ORDER(0));
                CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
                CHECK(f, !call->done);
                sim(f, "{joined,1}");
                WAIT_CALL_OK(f, call);
        }
}

static void an_equal_order_joins(void **state) {
        struct fixture *f = *state;
        struct client *other = client_new(f, 0);
        struct call *a, *b;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(0));
        SIM_EXPECT(f, "{order,{4}}");
        b = begin(f, other, "n2", "n1", true);
        barrier(f, other);
        CHECK(f, !a->done && !b->done);
        sim(f, "{join_failed,29}");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("BadName"));
        WAIT_CALL_FAILS(f, b, HAD_ERROR("BadName"));
        CHECK(f, sim_count(f, "{order,{2,*") == 1);
}

static void superseded_by(struct fixture *f, struct call *first, struct call *second) {
        WAIT_CALL_FAILS(f, first, HAD_ERROR("Superseded"));
        WAIT_CALL_OK(f, second);
        /* It was told before its caller, and ConfD's own word about it (71) told nobody anything more. */
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.Superseded' *") == 1);
        CHECK(f, trace_find(&f->root->trace, 0, "signal BeSlaveResult 'org.confd.HA.Error.Superseded' *") <
                 trace_find(&f->root->trace, 0, "error BeSlave org.confd.HA.Error.Superseded*"));
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.Aborted' *") == 0);
        CHECK_PROPERTY(f, "Synchronizing", "false");
}

static void be_master_supersedes(void **state) {
        struct fixture *f = *state;
        struct call *a;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(0));
        superseded_by(f, a, call_start(f->root, "BeMaster", "s", "n2"));
        CHECK_PROPERTY(f, "State", "'master'");
        CHECK_PROPERTY(f, "NodeId", "'n2'");
}

static void be_none_supersedes(void **state) {
        struct fixture *f = *state;
        struct call *a;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(0));
        superseded_by(f, a, call_start(f->root, "BeNone", ""));
        CHECK_PROPERTY(f, "State", "'none'");
}

/* ConfD tells of the first order's end (71) before that of the second: first in, first out. */
static void a_different_be_slave_supersedes(void **state) {
        struct fixture *f = *state;
        struct call *a, *b;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(0));
        b = begin(f, f->root, "n2", "n3", true);
        SIM_EXPECT(f, "{order,{2,<<\"n2\">>,{<<\"n3\">>,{10,0,0,1}},0}}");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
        CHECK(f, !b->done);
        CHECK_PROPERTY(f, "Synchronizing", "true");
        sim(f, "{joined,1}");
        superseded_by(f, a, b);
        CHECK_PROPERTY(f, "Master", "('n3' '10.0.0.1')");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult*") == 2);
}

static void three_in_a_row(void **state) {
        struct fixture *f = *state;
        struct call *a, *b, *c;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        b = begin(f, f->root, "n2", "n3", true);
        c = begin(f, f->root, "n2", "n4", true);
        WAIT_CALL_FAILS(f, a, HAD_ERROR("Superseded"));
        WAIT_CALL_FAILS(f, b, HAD_ERROR("Superseded"));
        SIM_EXPECT(f, "{order,{2,<<\"n2\">>,{<<\"n4\">>,*");
        sim(f, "{join_failed,26}");
        WAIT_CALL_FAILS(f, c, HAD_ERROR("Closed"));
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult*") == 3);
}

static void an_order_that_does_not_pass_is_bad_state(void **state) {
        struct fixture *f = *state;
        struct call *a;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(0));
        CALL_FAILS(f, HAD_ERROR("BadState"), "BeRelay", "");
        CHECK(f, sim_count(f, "{order,{6}}") == 0);
        /* These pass by. */
        CALL_OK(f, "SlaveDead", "s", "n7");
        CALL_OK(f, "Status", "");
        CHECK(f, !a->done);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, a);
        CALL_OK(f, "BeRelay", "");
}

static void the_order_outlives_its_caller(void **state) {
        struct fixture *f = *state;
        struct client *other = client_new(f, 0);

        sim(f, "{set,sync,manual}");
        (void) begin(f, other, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(0));
        client_leave(other);
        sim(f, "{joined,1}");
        EXPECT(f, &f->root->trace, "signal BeSlaveResult '' ''");
        CHECK_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "NodeId", "'n2'");
}

static void takes_no_longer_than_sync_timeout(void **state) {
        struct fixture *f = *state;
        uint64_t begun;

        configure(f, "[ConfD]\nSyncTimeoutSec=1.5\nRequestTimeoutSec=0.5\n");
        service_start(f);
        service_wait_connected(f);
        sim(f, "{set,sync,manual}");
        begun = now_monotonic();
        CALL_FAILS(f, HAD_ERROR("Timeout"), "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        CHECK(f, now_monotonic() - begun > 1400 * USEC_PER_MSEC);
        EXPECT(f, &f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.Timeout' '*'");
        CHECK_PROPERTY(f, "Synchronizing", "false");
        WAIT_PROPERTY(f, "Connected", "true");
        CALL_OK(f, "BeMaster", "s", "n1");
}

/* The name in use is kept while a BeSlave runs, although ConfD is in state none then. */
static void the_name_is_kept_while_joining(void **state) {
        struct fixture *f = *state;
        struct call *a;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n1", "n3", true);
        WAIT_PROPERTY(f, "State", "'none'");
        CHECK_PROPERTY(f, "NodeId", "'n1'");
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, a);
        CHECK_PROPERTY(f, "NodeId", "'n1'");
        sim(f, "{master_lost,26}");
        EXPECT(f, &f->root->trace, "signal MasterLost 'org.confd.HA.Error.Closed'");
        CHECK_PROPERTY(f, "NodeId", "''");
}

/* Without an event socket the result can only come as a reply. */
static void setup_without_events(struct fixture *f, const char *config) {
        configure(f, config);
        sim(f, "{set,events,close}");
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "Connected", "true");
        WAIT_PROPERTY(f, "State", "'none'");
        CHECK_PROPERTY(f, "EventsConnected", "false");
}

static void without_events_the_reply_is_awaited(void **state) {
        struct fixture *f = *state;
        struct call *a;

        setup_without_events(f, "[ConfD]\nRequestTimeoutSec=1\n");
        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(1));
        /* ConfD answers in order, so a status behind it has to wait, but not for ever. */
        CALL_FAILS(f, HAD_ERROR("Timeout"), "Status", "");
        CHECK(f, !a->done);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, a);
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult '' ''") == 1);
        CHECK_PROPERTY(f, "State", "'slave'");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'slave' [('n1' '10.0.0.1')]");
}

static void without_events_the_failure_is_the_reply(void **state) {
        struct fixture *f = *state;
        struct call *a;

        setup_without_events(f, "");
        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(1));
        sim(f, "{join_failed,52}");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("BadVersion"));
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.BadVersion' *") == 1);
}

static void without_events_an_order_ends_it(void **state) {
        struct fixture *f = *state;
        struct call *a;

        setup_without_events(f, "");
        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(1));
        superseded_by(f, a, call_start(f->root, "BeMaster", "s", "n2"));
}

static void without_events_changes_are_noticed(void **state) {
        struct fixture *f = *state;

        setup_without_events(f, "");
        sim(f, "{state,master,none,[{<<\"n2\">>,{10,0,0,2}}]}");
        WAIT_PROPERTY(f, "State", "'master'");
        EXPECT(f, &f->root->trace, "signal StateChanged 'none' 'master' 'external'");
        CHECK(f, trace_find(&f->root->trace, 0, "signal SlaveArrived 'n2' '10.0.0.2'") >= 0);
        /* It says so. */
        WAIT_FOR(f, trace_count(&f->service.trace, "*event*") > 0);
        sim(f, "{set,events,accept}");
        WAIT_PROPERTY(f, "EventsConnected", "true");
}

/* One that nothing shows ConfD to have: the question behind it gets that in place of an answer. */
static struct call *begin_unseen(struct fixture *f, const char *question) {
        struct call *a;

        sim(f, "{set,sync,manual}");
        sim(f, "{on,2,hang}");
        sim(f, "{on,4,%s}", question);
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, ORDER(0));
        SIM_EXPECT(f, "{order,{4}}");
        return a;
}

static void a_lost_connection_ends_one_that_confd_need_not_have(void **state) {
        struct fixture *f = *state;
        struct call *a = begin_unseen(f, "hang");
        sim(f, "{close,both}");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("NotConnected"));
        EXPECT(f, &f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.NotConnected' '*'");
        WAIT_PROPERTY(f, "Connected", "true");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", false);
}

/* "Aborted" before ConfD is seen to have the order may be the end of another, so the status decides. */
static void one_that_is_aborted_before_its_answer_is_judged_by_the_status(void **state) {
        struct fixture *f = *state;
        struct call *a = begin_unseen(f, "hold");
        sim(f, "{event,{7,71}}");
        sim(f, "{state,master,none,[]}");
        sim(f, "release");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("Failed"));
        CHECK_PROPERTY(f, "State", "'master'");
        CHECK_PROPERTY(f, "Synchronizing", "false");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult *") == 1);
}

/* In state none ConfD may be at it, and cannot be asked: there is an end to it all the same. */
static void one_that_is_aborted_before_its_answer_ends_in_time(void **state) {
        struct fixture *f = *state;
        struct call *a;

        configure(f, "[ConfD]\nSyncTimeoutSec=1.5\nRequestTimeoutSec=0.5\n");
        service_start(f);
        service_wait_connected(f);
        a = begin_unseen(f, "hold");
        sim(f, "{event,{7,71}}");
        sim(f, "release");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("Timeout"));
        CHECK_PROPERTY(f, "Synchronizing", "false");
        CALL_OK(f, "BeMaster", "s", "n1");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                BUS_TEST(settles_as_ordered),
                BUS_TEST(waits_for_the_data),
                BUS_TEST(without_wait_returns_once_confd_has_the_order),
                BUS_TEST(without_wait_still_needs_confds_sign),
                BUS_TEST(every_failure_has_its_name),
                BUS_TEST(a_failure_nobody_waits_for_is_signalled),
                BUS_TEST(an_early_slave_is_not_yet_settled),
                BUS_TEST(the_same_again_changes_nothing),
                BUS_TEST(a_result_without_an_order_is_nobodys),
                BUS_TEST(an_equal_order_joins),
                BUS_TEST(be_master_supersedes),
                BUS_TEST(be_none_supersedes),
                BUS_TEST(a_different_be_slave_supersedes),
                BUS_TEST(three_in_a_row),
                BUS_TEST(an_order_that_does_not_pass_is_bad_state),
                BUS_TEST(the_order_outlives_its_caller),
                BUS_TEST_STOPPED(takes_no_longer_than_sync_timeout),
                BUS_TEST(the_name_is_kept_while_joining),
                BUS_TEST_STOPPED(without_events_the_reply_is_awaited),
                BUS_TEST_STOPPED(without_events_the_failure_is_the_reply),
                BUS_TEST_STOPPED(without_events_an_order_ends_it),
                BUS_TEST_STOPPED(without_events_changes_are_noticed),
                BUS_TEST(a_lost_connection_ends_one_that_confd_need_not_have),
                BUS_TEST(one_that_is_aborted_before_its_answer_is_judged_by_the_status),
                BUS_TEST_STOPPED(one_that_is_aborted_before_its_answer_ends_in_time),
        };

        return cmocka_run_group_tests_name("be-slave", tests, NULL, NULL);
}
