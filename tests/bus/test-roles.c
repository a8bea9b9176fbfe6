/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that the role targets follow the role, through a systemd that records what it is asked. */
#include <signal.h>

#include "harness.h"

#define START_MASTER "StartUnit 'confd-ha-master.target' *"
#define START_SLAVE "StartUnit 'confd-ha-slave.target' *"
#define STOP_MASTER "StopUnit 'confd-ha-master.target' *"
#define STOP_SLAVE "StopUnit 'confd-ha-slave.target' *"

static void with_targets(struct fixture *f, const char *config) {
        systemd_start(f);
        configure(f, kept(f, "[Roles]\nTargets=yes\n%s", config));
        service_start(f);
        service_wait_connected(f);
        /* Both were stopped when state none was found, if they were not yet: that does not count. */
        trace_restart(&f->systemd.trace);
}

static size_t jobs(struct fixture *f) {
        return trace_count(&f->systemd.trace, "StartUnit *") + trace_count(&f->systemd.trace, "StopUnit *");
}

static void targets_follow_the_role(void **state) {
        struct fixture *f = *state;

        with_targets(f, "");
        CALL_OK(f, "BeMaster", "s", "n1");
        EXPECT(f, &f->systemd.trace, START_MASTER);
        WAIT_FOR(f, f->systemd.master && !f->systemd.slave);
        /* From role to role it is one start: the conflict stops the other. */
        CALL_OK(f, "BeSlave", "sssb", "n1", "n2", "10.0.0.2", true);
        EXPECT(f, &f->systemd.trace, START_SLAVE);
        WAIT_FOR(f, f->systemd.slave);
        CALL_OK(f, "BeRelay", "");
        CALL_OK(f, "BeMaster", "s", "n1");
        EXPECT(f, &f->systemd.trace, START_MASTER);
        CALL_OK(f, "BeNone", "");
        EXPECT(f, &f->systemd.trace, STOP_MASTER);
        WAIT_FOR(f, !f->systemd.master && !f->systemd.slave);
        /* A relay counts as slave: nothing was asked for it. */
        CHECK(f, trace_count(&f->systemd.trace, START_SLAVE) == 1);
        CHECK(f, trace_count(&f->systemd.trace, START_MASTER) == 2);
        CHECK(f, trace_count(&f->systemd.trace, "StopUnit *") == 1);
}

/* However fast roles change, what runs in the end is the last one's. */
static void the_last_role_wins(void **state) {
        struct fixture *f = *state;

        with_targets(f, "");
        for (int i = 0; i < 5; i++) {
                CALL_OK(f, "BeMaster", "s", "n1");
                CALL_OK(f, "BeNone", "");
                CALL_OK(f, "BeSlave", "sssb", "n1", "n2", "10.0.0.2", true);
        }
        WAIT_FOR(f, f->systemd.slave && !f->systemd.master);
        CALL_OK(f, "BeMaster", "s", "n1");
        WAIT_FOR(f, f->systemd.master && !f->systemd.slave);
        barrier(f, f->root);
        CHECK(f, f->systemd.master && !f->systemd.slave);
}

static void a_joining_slave_has_no_target_yet(void **state) {
        struct fixture *f = *state;
        struct call *call;

        with_targets(f, "");
        sim(f, "{set,sync,manual}");
        call = call_start(f->root, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        SIM_EXPECT(f, "{order,{2,*");
        /* ConfD may say slave early. */
        sim(f, "{state,slave,{<<\"n1\">>,{10,0,0,1}},[]}");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'slave' *");
        CHECK(f, trace_count(&f->systemd.trace, START_SLAVE) == 0);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, call);
        EXPECT(f, &f->systemd.trace, START_SLAVE);
}

static void a_lost_master_stops_the_target(void **state) {
        struct fixture *f = *state;

        with_targets(f, "");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        EXPECT(f, &f->systemd.trace, START_SLAVE);
        WAIT_FOR(f, f->systemd.slave);
        sim(f, "{master_lost,31}");
        EXPECT(f, &f->systemd.trace, STOP_SLAVE);
}

/* A restart of the service: what runs stays, without a stop in between. */
static void the_first_known_state_reconciles(void **state) {
        struct fixture *f = *state;

        with_targets(f, "");
        CALL_OK(f, "BeMaster", "s", "n1");
        WAIT_FOR(f, f->systemd.master);
        CHECK(f, service_stop(f) == 0);
        idle(f, 0.1);
        CHECK(f, trace_count(&f->systemd.trace, "StopUnit *") == 0);
        service_start(f);
        service_wait_connected(f);
        CALL_OK(f, "Status", "");
        WAIT_FOR(f, f->systemd.master);
        CHECK(f, trace_count(&f->systemd.trace, "StopUnit *") == 0);
        /* Down while the service was away. */
        CHECK(f, service_stop(f) == 0);
        f->systemd.master = false;
        service_start(f);
        WAIT_FOR(f, f->systemd.master);
        CHECK(f, trace_count(&f->systemd.trace, "StopUnit *") == 0);
        /* And a role lost while the service was away. */
        CHECK(f, service_stop(f) == 0);
        sim(f, "{state,none,none,[]}");
        service_start(f);
        WAIT_FOR(f, !f->systemd.master && !f->systemd.slave);
        CHECK(f, trace_count(&f->systemd.trace, STOP_MASTER) == 1);
}

static void a_role_changed_meanwhile(void **state) {
        struct fixture *f = *state;

        systemd_start(f);
        f->systemd.master = true;
        sim(f, "{state,slave,{<<\"n1\">>,{10,0,0,1}},[]}");
        configure(f, "[Roles]\nTargets=yes\n");
        service_start(f);
        EXPECT(f, &f->systemd.trace, START_SLAVE);
        WAIT_FOR(f, f->systemd.slave && !f->systemd.master);
        CHECK(f, trace_count(&f->systemd.trace, "StopUnit *") == 0);
}

static void unknown_for_a_moment_changes_nothing(void **state) {
        struct fixture *f = *state;
        size_t before;

        with_targets(f, "GraceSec=10\n");
        CALL_OK(f, "BeMaster", "s", "n1");
        WAIT_FOR(f, f->systemd.master);
        before = jobs(f);
        sim(f, "{close,both}");
        EXPECT(f, &f->root->trace, "signal StateChanged 'unknown' 'master' 'connected'");
        sim(f, "{close,ha}");
        EXPECT(f, &f->root->trace, "signal StateChanged 'unknown' 'master' 'connected'");
        CALL_OK(f, "Status", "");
        CHECK(f, trace_count(&f->systemd.trace, "StopUnit *") == 0);
        CHECK(f, jobs(f) == before);
}

static void unknown_for_long_stops_both(void **state) {
        struct fixture *f = *state;
        uint64_t begun;

        with_targets(f, "GraceSec=1\n");
        CALL_OK(f, "BeMaster", "s", "n1");
        WAIT_FOR(f, f->systemd.master);
        sim(f, "stop_listening");
        sim(f, "{close,both}");
        WAIT_PROPERTY(f, "State", "'unknown'");
        begun = now_monotonic();
        EXPECT(f, &f->systemd.trace, STOP_MASTER);
        CHECK(f, now_monotonic() - begun > 700 * USEC_PER_MSEC);
        WAIT_FOR(f, !f->systemd.master && !f->systemd.slave);
        sim(f, "listen");
        EXPECT(f, &f->systemd.trace, START_MASTER);
}

static void a_target_that_fails_disturbs_nothing(void **state) {
        struct fixture *f = *state;

        with_targets(f, "");
        f->systemd.fails = true;
        CALL_OK(f, "BeMaster", "s", "n1");
        EXPECT(f, &f->systemd.trace, START_MASTER);
        WAIT_FOR(f, trace_count(&f->service.trace, "*confd-ha-master.target*") > 0);
        CALL_OK(f, "BeNone", "");
        CHECK_PROPERTY(f, "LastError", "('' '' 0)");
}

/* However long it takes: three tries were not enough for a polkit that was away for half a minute. */
static void what_fails_is_tried_for_as_long_as_it_is_wanted(void **state) {
        struct fixture *f = *state;

        with_targets(f, "");
        CHECK_PROPERTY(f, "Targets", "'off'");
        f->systemd.fails = true;
        CALL_OK(f, "BeMaster", "s", "n1");
        WAIT_PROPERTY(f, "Targets", "'failed: confd-ha-master.target: StartUnit: Unit confd-ha-master.target not found.'");
        EXPECT(f, &f->notify, "STATUS=*confd-ha-master.target: StartUnit: *");
        WAIT_FOR_SEC(f, 40, trace_count(&f->systemd.trace, START_MASTER) > 4);
        /* It is told once. */
        CHECK(f, trace_count(&f->service.trace, "*systemd did not do with confd-ha-master.target*") == 1);
        f->systemd.fails = false;
        WAIT_FOR_SEC(f, 40, f->systemd.master);
        WAIT_PROPERTY(f, "Targets", "'reached'");
        EXPECT(f, &f->root->trace, "changed Targets='reached'");
}

/* An order for the role that there is already, and a reload, look after the target at once. */
static void an_order_and_a_reload_try_again_at_once(void **state) {
        struct fixture *f = *state;
        size_t before;

        with_targets(f, "");
        f->systemd.fails = true;
        CALL_OK(f, "BeMaster", "s", "n1");
        WAIT_FOR_SEC(f, 20, trace_count(&f->systemd.trace, START_MASTER) > 3);
        /* The next try is seconds away. */
        before = trace_count(&f->systemd.trace, START_MASTER);
        CALL_OK(f, "BeMaster", "s", "n1");
        WAIT_FOR_SEC(f, 2, trace_count(&f->systemd.trace, START_MASTER) > before);
        f->systemd.fails = false;
        CALL_OK(f, "Reload", "");
        WAIT_FOR_SEC(f, 2, f->systemd.master);
        WAIT_PROPERTY(f, "Targets", "'reached'");
}

static void a_target_stopped_from_outside_is_seen_and_started_again(void **state) {
        struct fixture *f = *state;

        with_targets(f, "");
        CALL_OK(f, "BeMaster", "s", "n1");
        WAIT_PROPERTY(f, "Targets", "'reached'");
        systemd_set(&f->systemd, "confd-ha-master.target", false);
        EXPECT(f, &f->root->trace, "changed Targets='failed: confd-ha-master.target: it was stopped from outside'");
        WAIT_FOR(f, f->systemd.master);
        WAIT_PROPERTY(f, "Targets", "'reached'");
        /* Also without a word from systemd, by the next order. */
        f->systemd.master = false;
        CALL_OK(f, "BeMaster", "s", "n1");
        WAIT_FOR(f, f->systemd.master);
        /* And one that is not to be up. */
        CALL_OK(f, "BeNone", "");
        WAIT_PROPERTY(f, "Targets", "'off'");
        /* With a word or, while it looks for itself as it does after an order, without one. */
        systemd_set(&f->systemd, "confd-ha-slave.target", true);
        WAIT_FOR(f, !f->systemd.slave);
        WAIT_PROPERTY(f, "Targets", "'off'");
}

/* What comes while the service is asking, as it does after each order, is told no less. */
static void a_target_stopped_while_it_is_asked_for_is_told(void **state) {
        struct fixture *f = *state;

        with_targets(f, "");
        CALL_OK(f, "BeMaster", "s", "n1");
        WAIT_PROPERTY(f, "Targets", "'reached'");
        f->systemd.stops_when_asked = true;
        CALL_OK(f, "BeMaster", "s", "n1");
        EXPECT(f, &f->root->trace, "changed Targets='failed: confd-ha-master.target: it was stopped from outside'");
        /* The order is a reason to start it at once. */
        WAIT_FOR(f, f->systemd.master);
        WAIT_PROPERTY(f, "Targets", "'reached'");
}

/* As after a boot in another order, or a systemctl daemon-reexec. */
static void a_systemd_that_comes_later_is_asked_then(void **state) {
        struct fixture *f = *state;

        configure(f, "[Roles]\nTargets=yes\n");
        service_start(f);
        service_wait_connected(f);
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "Targets", "'off'");
        systemd_start(f);
        WAIT_FOR(f, f->systemd.master);
        WAIT_PROPERTY(f, "Targets", "'reached'");
}

static void targets_can_be_turned_off(void **state) {
        struct fixture *f = *state;

        systemd_start(f);
        service_start(f); /* Targets=no is the fixture's own */
        service_wait_connected(f);
        CALL_OK(f, "BeMaster", "s", "n1");
        CALL_OK(f, "BeNone", "");
        CHECK(f, jobs(f) == 0);
}

static void without_systemd_it_is_skipped(void **state) {
        struct fixture *f = *state;

        configure(f, "[Roles]\nTargets=yes\n");
        service_start(f);
        service_wait_connected(f);
        CALL_OK(f, "BeMaster", "s", "n1");
        CALL_OK(f, "BeSlave", "sssb", "n1", "n2", "10.0.0.2", true);
        CALL_OK(f, "BeNone", "");
}

/* Who asked is looked up for the journal, and no order waits for it. */
static void a_silent_systemd_delays_no_order(void **state) {
        struct fixture *f = *state;
        uint64_t begun;

        systemd_start(f);
        f->systemd.silent = true;
        service_start(f);
        service_wait_connected(f);
        begun = now_monotonic();
        CALL_OK(f, "BeMaster", "s", "n1");
        CALL_OK(f, "BeNone", "");
        CHECK(f, now_monotonic() - begun < 2 * USEC_PER_SEC);
}

#define STOPPED BUS_TEST_STOPPED

int main(void) {
        static const struct CMUnitTest tests[] = {
                STOPPED(targets_follow_the_role),
                STOPPED(the_last_role_wins),
                STOPPED(a_joining_slave_has_no_target_yet),
                STOPPED(a_lost_master_stops_the_target),
                STOPPED(the_first_known_state_reconciles),
                STOPPED(a_role_changed_meanwhile),
                STOPPED(unknown_for_a_moment_changes_nothing),
                STOPPED(unknown_for_long_stops_both),
                STOPPED(a_target_that_fails_disturbs_nothing),
                STOPPED(what_fails_is_tried_for_as_long_as_it_is_wanted),
                STOPPED(an_order_and_a_reload_try_again_at_once),
                STOPPED(a_target_stopped_from_outside_is_seen_and_started_again),
                STOPPED(a_target_stopped_while_it_is_asked_for_is_told),
                STOPPED(a_systemd_that_comes_later_is_asked_then),
                STOPPED(targets_can_be_turned_off),
                STOPPED(without_systemd_it_is_skipped),
                STOPPED(a_silent_systemd_delays_no_order),
        };

        return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
