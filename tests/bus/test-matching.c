/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that each result of a be slave finds its order, whatever came in between. */
#include "harness.h"

static struct call *begin(struct fixture *f, struct client *c, const char *id, const char *master, bool wait) {
        return call_start(c, "BeSlave", "sssb", id, master, "10.0.0.1", (int) wait);
}

static const char *order(struct fixture *f, const char *master) {
        return kept(f, "{order,{2,<<\"n2\">>,{<<\"%s\">>,{10,0,0,1}},0}}", master);
}

/* ConfD goes on with an order whose connection was lost; its result is not the next order's. */
static void an_order_before_the_connection(void **state) {
        struct fixture *f = *state;
        struct call *a, *b;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, order(f, "n1"));
        CALL_OK(f, "Status", "");
        sim(f, "{close,ha}");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("NotConnected"));
        WAIT_PROPERTY(f, "Connected", "true");
        b = begin(f, f->root, "n2", "n3", true);
        SIM_EXPECT(f, order(f, "n3")); /* ConfD has said 71 now, about the first */
        CALL_OK(f, "Status", "");
        CHECK(f, !b->done);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, b);
        CHECK_PROPERTY(f, "Master", "('n3' '10.0.0.1')");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult *") == 2);
}

static void an_order_before_a_restart_of_the_service(void **state) {
        struct fixture *f = *state;
        struct call *b;

        sim(f, "{set,sync,manual}");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", false);
        CHECK(f, service_stop(f) == 0);
        service_start(f);
        service_wait_connected(f);
        b = begin(f, f->root, "n2", "n3", true);
        SIM_EXPECT(f, order(f, "n3"));
        CALL_OK(f, "Status", "");
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, b);
        CHECK_PROPERTY(f, "State", "'slave'");
}

static void a_result_after_its_deadline(void **state) {
        struct fixture *f = *state;
        struct call *b;

        configure(f, "[ConfD]\nSyncTimeoutSec=0.5\n");
        service_start(f);
        service_wait_connected(f);
        sim(f, "{set,sync,manual}");
        CALL_FAILS(f, HAD_ERROR("Timeout"), "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        sim(f, "{joined,1}");
        WAIT_PROPERTY(f, "State", "'slave'");
        configure(f, "[ConfD]\nSyncTimeoutSec=30\n");
        CALL_OK(f, "Reload", "");
        b = begin(f, f->root, "n2", "n3", true);
        SIM_EXPECT(f, order(f, "n3"));
        CALL_OK(f, "Status", "");
        CHECK(f, !b->done);
        sim(f, "{join_failed,25}");
        WAIT_CALL_FAILS(f, b, HAD_ERROR("Connect"));
}

/* The result may come before the answer that shows that ConfD has the order. */
static void a_result_before_the_status(void **state) {
        struct fixture *f = *state;
        struct call *a;

        sim(f, "{on,4,hold}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, order(f, "n1"));
        SIM_EXPECT(f, "{order,{4}}");
        idle(f, 0.1);
        sim(f, "release");
        WAIT_CALL_OK(f, a);
        CHECK_PROPERTY(f, "State", "'slave'");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult '' ''") == 1);
}

static void an_equal_order_without_wait_has_its_answer_already(void **state) {
        struct fixture *f = *state;
        struct call *a;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, order(f, "n1"));
        CALL_OK(f, "Status", "");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", false);
        CHECK(f, !a->done);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, a);
        CHECK(f, sim_count(f, "{order,{2,*") == 1);
}

static void equal_is_what_is_sent(void **state) {
        struct fixture *f = *state;
        struct call *a, *b;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, order(f, "n1"));
        b = call_start(f->root, "BeSlave", "sssb", "n2", "n1", "::ffff:10.0.0.1", true);
        barrier(f, f->root);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, a);
        WAIT_CALL_OK(f, b);
        CHECK(f, sim_count(f, "{order,{2,*") == 1);
}

static void each_difference_is_another_order(void **state) {
        static const char *const args[][3] = {
                { "n2", "n1", "10.0.0.1" }, { "n3", "n1", "10.0.0.1" }, { "n3", "n4", "10.0.0.1" }, { "n3", "n4", "10.0.0.2" },
        };
        struct fixture *f = *state;
        struct call *before = NULL;

        sim(f, "{set,sync,manual}");
        for (size_t i = 0; i < ELEMENTSOF(args); i++) {
                struct call *now = call_start(f->root, "BeSlave", "sssb", args[i][0], args[i][1], args[i][2], true);

                SIM_EXPECT(f, "{order,{2,*");
                if (before)
                        WAIT_CALL_FAILS(f, before, HAD_ERROR("Superseded"));
                before = now;
        }
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, before);
}

/* One that ConfD has not even been given is superseded too. */
static void a_queued_be_slave_is_superseded(void **state) {
        struct fixture *f = *state;
        struct call *a, *b, *c;

        sim(f, "{on,1,hold}");
        a = call_start(f->root, "BeMaster", "s", "n2");
        SIM_EXPECT(f, "{order,{1,*");
        b = begin(f, f->root, "n2", "n1", true);
        c = call_start(f->root, "BeNone", "");
        WAIT_CALL_FAILS(f, b, HAD_ERROR("Superseded"));
        sim(f, "release");
        WAIT_CALL_OK(f, a);
        WAIT_CALL_OK(f, c);
        CHECK_PROPERTY(f, "State", "'none'");
        CHECK_PROPERTY(f, "Synchronizing", "false");
        /* The count of results is not upset by an order that was never given. */
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
}

static void superseded_by_one_that_fails(void **state) {
        struct fixture *f = *state;
        struct call *a;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, order(f, "n1"));
        sim(f, "{on,1,{reply,{error,30}}}");
        CALL_FAILS(f, HAD_ERROR("Bind"), "BeMaster", "s", "n2");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("Superseded"));
        /* ConfD goes on with the first; nobody waits for it any more. */
        sim(f, "{joined,1}");
        WAIT_PROPERTY(f, "State", "'slave'");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult *") == 1);
        sim(f, "{set,sync,auto}");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n3", "10.0.0.1", true);
}

/* A reload waits for the orders under way, but what passes by a BeSlave does not wait for the reload. */
static void a_reload_meanwhile_blocks_nobody(void **state) {
        struct fixture *f = *state;
        struct call *a;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, order(f, "n1"));
        configure(f, "[ConfD]\nRequestTimeoutSec=4\n");
        CALL_OK(f, "Reload", "");
        CALL_OK(f, "Status", "");
        CALL_OK(f, "SlaveDead", "s", "n7");
        CHECK(f, !a->done);
        WAIT_CALL_OK(f, call_start(f->root, "BeMaster", "s", "n2"));
        WAIT_CALL_FAILS(f, a, HAD_ERROR("Superseded"));
}

static void a_new_token_waits_for_the_be_slave(void **state) {
        struct fixture *f = *state;
        struct call *a;

        sim(f, "{set,sync,manual}");
        a = begin(f, f->root, "n2", "n1", true);
        SIM_EXPECT(f, order(f, "n1"));
        (void) write_file(f, "token", "the new one\n");
        CALL_OK(f, "Reload", "");
        CHECK(f, sim_count(f, "{token,*") == 1);
        CHECK(f, !a->done);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, a);
        SIM_EXPECT(f, "{token,<<\"the new one\">>}");
        WAIT_PROPERTY(f, "State", "'slave'");
}

/* Those who wait for a slave's target state and those who do not, through one order. */
static void callers_come_and_go(void **state) {
        struct fixture *f = *state;
        struct client *other = client_new(f, 0);
        struct call *a;

        sim(f, "{set,sync,manual}");
        (void) begin(f, other, "n2", "n1", true);
        SIM_EXPECT(f, order(f, "n1"));
        a = begin(f, f->root, "n2", "n1", true);
        barrier(f, f->root);
        client_leave(other);
        barrier(f, f->root);
        CHECK(f, !a->done);
        sim(f, "{joined,0}");
        WAIT_CALL_OK(f, a);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                BUS_TEST(an_order_before_the_connection),
                BUS_TEST(an_order_before_a_restart_of_the_service),
                BUS_TEST_STOPPED(a_result_after_its_deadline),
                BUS_TEST(a_result_before_the_status),
                BUS_TEST(an_equal_order_without_wait_has_its_answer_already),
                BUS_TEST(equal_is_what_is_sent),
                BUS_TEST(each_difference_is_another_order),
                BUS_TEST(a_queued_be_slave_is_superseded),
                BUS_TEST(superseded_by_one_that_fails),
                BUS_TEST(a_reload_meanwhile_blocks_nobody),
                BUS_TEST(a_new_token_waits_for_the_be_slave),
                BUS_TEST(callers_come_and_go),
        };

        return cmocka_run_group_tests_name("matching", tests, NULL, NULL);
}
