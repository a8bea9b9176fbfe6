/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof of what becomes of a BeSlave over the loss of connections and over a restart of the service, with a ConfD
 * that says slave before the data are in place. What waits for the service's own patience runs side by side: see main(). */
#include <sys/stat.h>

#include "harness.h"

#define N1 "{<<\"n1\">>,{10,0,0,1}}"
#define ORDER "{order,{2,<<\"n2\">>," N1 ",0}}"

/* Under way, and ConfD says slave already. */
static struct call *begin_early(struct fixture *f) {
        struct call *a;

        sim(f, "{set,sync,early}");
        a = call_start(f->root, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", (int) true);
        SIM_EXPECT(f, ORDER);
        WAIT_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "Synchronizing", "true");
        sim_settle(f);
        return a;
}

static void still_under_way(struct fixture *f) {
        WAIT_PROPERTY(f, "Connected", "true");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        WAIT_PROPERTY(f, "State", "'slave'");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'slave' *");
        CHECK_PROPERTY(f, "Synchronizing", "true");
        CHECK_PROPERTY(f, "InSync", "false");
}

static void done(struct fixture *f) {
        EXPECT(f, &f->root->trace, "signal SlaveInitialized *");
        EXPECT(f, &f->root->trace, "signal BeSlaveResult '' ''");
        CHECK_PROPERTY(f, "Synchronizing", "false");
        CHECK_PROPERTY(f, "InSync", "true");
        CHECK_PROPERTY(f, "NodeId", "'n2'");
        CHECK_PROPERTY(f, "Master", "('n1' '10.0.0.1')");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult *") == 1);
        CHECK(f, trace_count(&f->root->trace, "signal SlaveInitialized *") == 1);
}

/* ---- the outcome is heard afterwards ---- */

static void lost_events_are_not_the_end(void **state) {
        struct fixture *f = *state;
        struct call *a = begin_early(f);

        sim(f, "{close,events}");
        EXPECT(f, &f->root->trace, "changed* EventsConnected=false*");
        still_under_way(f);
        CHECK(f, !a->done);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, a);
        done(f);
}

static void a_lost_ha_connection_is_not_the_end(void **state) {
        struct fixture *f = *state;
        struct call *a = begin_early(f);

        sim(f, "{close,ha}");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("NotConnected"));
        CHECK_PROPERTY(f, "Synchronizing", "true");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult *") == 0);
        still_under_way(f);
        /* An equal order joins it. */
        a = call_start(f->root, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", (int) true);
        barrier(f, f->root);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, a);
        done(f);
        CHECK(f, sim_count(f, ORDER) == 1);
}

static void both_connections_lost_are_not_the_end(void **state) {
        struct fixture *f = *state;
        struct call *a = begin_early(f);

        sim(f, "{close,both}");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("NotConnected"));
        still_under_way(f);
        sim(f, "{join_failed,26}");
        EXPECT(f, &f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.Closed' '*'");
        CHECK_PROPERTY(f, "Synchronizing", "false");
        CHECK_PROPERTY(f, "State", "'none'");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult *") == 1);
}

static void the_timeout_of_another_order_is_not_the_end(void **state) {
        struct fixture *f = *state;
        struct call *a;

        configure(f, "[ConfD]\nRequestTimeoutSec=1\n");
        service_start(f);
        service_wait_connected(f);
        a = begin_early(f);
        sim(f, "{on,5,hang}");
        CALL_FAILS(f, HAD_ERROR("Timeout"), "SlaveDead", "s", "n7");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("NotConnected"));
        still_under_way(f);
        sim(f, "{joined,1}");
        done(f);
}

static void after_start(struct fixture *f) {
        service_start(f);
        service_wait_name(f);
        /* From the very first. */
        CHECK_PROPERTY(f, "Synchronizing", "true");
        still_under_way(f);
}

/* A clean end tells who waits, and no more: the next start goes on. */
static void a_clean_end_is_not_the_end(void **state) {
        struct fixture *f = *state;
        struct call *a = begin_early(f);

        CHECK(f, service_stop(f) == 0);
        WAIT_CALL_FAILS(f, a, HAD_ERROR("NotConnected"));
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult *") == 0);
        after_start(f);
        sim(f, "{joined,1}");
        done(f);
        /* And it is over then. */
        CHECK(f, service_stop(f) == 0);
        service_start(f);
        service_wait_connected(f);
        CHECK_PROPERTY(f, "Synchronizing", "false");
        CHECK_PROPERTY(f, "InSync", "true");
}

static void a_crash_is_not_the_end(void **state) {
        struct fixture *f = *state;

        (void) begin_early(f);
        service_kill(f);
        after_start(f);
        /* Another order ends it. */
        WAIT_CALL_OK(f, call_start(f->root, "BeMaster", "s", "n2"));
        EXPECT(f, &f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.Superseded' '*'");
        CHECK_PROPERTY(f, "Synchronizing", "false");
        CHECK_PROPERTY(f, "State", "'master'");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult *") == 1);
}

/* The reference node says none while it joins. */
static void a_node_that_joins_over_a_restart_goes_on(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,sync,manual}");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", false);
        CHECK(f, service_stop(f) == 0);
        service_start(f);
        service_wait_connected(f);
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
        CHECK_PROPERTY(f, "Synchronizing", "true");
        sim(f, "{joined,1}");
        done(f);
}

static void it_ends_with_sync_timeout_sec_over_a_restart(void **state) {
        struct fixture *f = *state;

        configure(f, "[ConfD]\nSyncTimeoutSec=3\n");
        service_start(f);
        service_wait_connected(f);
        (void) begin_early(f);
        service_kill(f);
        service_start(f);
        EXPECT(f, &f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.Timeout' '*'");
        WAIT_PROPERTY(f, "Synchronizing", "false");
        CHECK_PROPERTY(f, "InSync", "false");
}

static void the_target_waits_over_a_restart(void **state) {
        struct fixture *f = *state;

        systemd_start(f);
        configure(f, "[Roles]\nTargets=yes\n");
        service_start(f);
        service_wait_connected(f);
        (void) begin_early(f);
        CHECK(f, service_stop(f) == 0);
        after_start(f);
        CHECK(f, !f->systemd.slave);
        sim(f, "{joined,1}");
        WAIT_FOR(f, f->systemd.slave);
}

/* Only its events were away: what it says now is how it ended. */
static void a_missed_failure_shows_in_the_status(void **state) {
        struct fixture *f = *state;
        struct call *a;

        sim(f, "{set,sync,manual}");
        a = call_start(f->root, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", (int) true);
        SIM_EXPECT(f, ORDER);
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
        sim(f, "{set,events,close}");
        sim(f, "{close,events}");
        WAIT_PROPERTY(f, "EventsConnected", "false");
        sim(f, "{join_failed,25}");
        sim(f, "{set,events,accept}");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("Failed"));
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult*") == 1);
        WAIT_PROPERTY(f, "EventsConnected", "true");
        /* The next order is not mistaken for the one before. */
        sim(f, "{set,sync,auto}");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
}

/* SLAVE_INITIALIZED tells as much as the result. */
static void that_the_data_are_there_is_an_outcome(void **state) {
        struct fixture *f = *state;
        struct call *a = begin_early(f);

        sim(f, "{event,{4,1}}");
        WAIT_CALL_OK(f, a);
        done(f);
        /* The result that follows is nobody's, nor a later order's. */
        sim(f, "{joined,1}");
        EXPECT(f, &f->root->trace, "signal SlaveInitialized *");
        a = call_start(f->root, "BeSlave", "sssb", "n2", "n3", "10.0.0.3", (int) true);
        SIM_EXPECT(f, "{order,{2,<<\"n2\">>,{<<\"n3\">>,*");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'slave' *");
        CHECK(f, !a->done);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, a);
}

static void a_damaged_file_is_no_order(void **state) {
        struct fixture *f = *state;

        (void) write_file(f, "run/be-slave", "nonsense\n");
        service_start(f);
        service_wait_connected(f);
        CHECK_PROPERTY(f, "Synchronizing", "false");
        CHECK(f, access(in_dir(f, "run/be-slave"), F_OK) < 0);
}

/* An old one would be wrong. */
static void a_name_that_cannot_be_kept_is_not_remembered(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK(f, access(in_dir(f, "run/node-id"), F_OK) == 0);
        CHECK(f, mkdir(in_dir(f, "run/node-id.new"), 0700) == 0);
        CALL_OK(f, "BeMaster", "s", "n2");
        EXPECT(f, &f->service.trace, "*node-id: cannot be written*Is a directory*");
        service_kill(f);
        service_start(f);
        service_wait_connected(f);
        WAIT_PROPERTY(f, "State", "'master'");
        CHECK_PROPERTY(f, "NodeId", "''");
}

/* ---- the outcome was told while nobody listened ---- */

static void patient(struct fixture *f) {
        configure(f, "[ConfD]\nSyncTimeoutSec=600\n");
        service_start(f);
        service_wait_connected(f);
}

/* Nothing is said for 30 s: the same order goes out once more, and its result decides. */
static void is_given_once_more(struct fixture *f) {
        uint64_t begun = now_monotonic();

        still_under_way(f);
        CHECK(f, sim_count(f, ORDER) == 1);
        WAIT_FOR_SEC(f, 60, sim_count(f, ORDER) == 2);
        CHECK(f, now_monotonic() - begun > 25 * USEC_PER_SEC);
}

static void a_missed_success_is_asked_for(void **state) {
        struct fixture *f = *state;
        struct call *a;

        patient(f);
        a = begin_early(f);
        sim(f, "{set,events,close}");
        sim(f, "{close,events}");
        WAIT_PROPERTY(f, "EventsConnected", "false");
        sim(f, "{joined,1}");
        sim(f, "{set,events,accept}");
        CHECK(f, !a->done);
        is_given_once_more(f);
        WAIT_CALL_OK(f, a);
        done(f);
}

/* While it still copies the second order waits for the data like the first. */
static void one_that_still_copies_after_a_timeout(void **state) {
        struct fixture *f = *state;

        configure(f, "[ConfD]\nRequestTimeoutSec=1\nSyncTimeoutSec=600\n");
        service_start(f);
        service_wait_connected(f);
        (void) begin_early(f);
        sim(f, "{on,5,hang}");
        CALL_FAILS(f, HAD_ERROR("Timeout"), "SlaveDead", "s", "n7");
        is_given_once_more(f);
        still_under_way(f);
        sim(f, "{joined,1}");
        done(f);
}

static void one_that_ended_while_the_service_was_away(void **state) {
        struct fixture *f = *state;

        patient(f);
        (void) begin_early(f);
        CHECK(f, service_stop(f) == 0);
        sim(f, "{joined,1}");
        after_start(f);
        is_given_once_more(f);
        done(f);
}

static void one_that_failed_when_it_was_given_again(void **state) {
        struct fixture *f = *state;

        patient(f);
        (void) begin_early(f);
        service_kill(f);
        after_start(f);
        is_given_once_more(f);
        sim(f, "{join_failed,28}");
        EXPECT(f, &f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.BadToken' '*'");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult *") == 1);
        CHECK_PROPERTY(f, "Synchronizing", "false");
}

/* One that follows nobody all that time has failed. */
static void none_for_long_after_a_restart_is_a_failure(void **state) {
        struct fixture *f = *state;

        patient(f);
        sim(f, "{set,sync,manual}");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", false);
        service_kill(f);
        sim(f, "{join_failed,25}");
        service_start(f);
        service_wait_connected(f);
        CHECK_PROPERTY(f, "Synchronizing", "true");
        WAIT_FOR_SEC(f, 60, trace_count(&f->root->trace, "signal BeSlaveResult 'org.confd.HA.Error.Failed' '*'") == 1);
        CHECK_PROPERTY(f, "Synchronizing", "false");
        CHECK_PROPERTY(f, "NodeId", "''");
        CHECK(f, sim_count(f, ORDER) == 1);
}

/* ---- the reference node, which says none while it joins ---- */

static bool joining;

static int property_joining(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                            void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "b", (int) joining);
}

static void reference_node_start(struct fixture *f) {
        static const sd_bus_vtable vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_PROPERTY("Joining", "b", property_joining, 0, 0),
                SD_BUS_VTABLE_END
        };

        CHECK(f, sd_bus_add_object_vtable(f->root->bus, NULL, "/org/confd/HANode", "org.confd.HANode", vtable, NULL) >= 0);
        CHECK(f, sd_bus_request_name(f->root->bus, "org.confd.HANode", 0) >= 0);
}

/* However long the copy takes after the restart, it is not called failed; and one that has failed meanwhile is. */
static void a_join_that_outlasts_the_patience_after_a_restart_goes_on(void **state) {
        struct fixture *f = *state;

        patient(f);
        reference_node_start(f);
        sim(f, "{set,sync,manual}");
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", false);
        service_kill(f);
        joining = true;
        service_start(f);
        service_wait_connected(f);
        WAIT_FOR_SEC(f, 60, trace_count(&f->service.trace, "*is still at the BeSlave*") == 1);
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
        CHECK_PROPERTY(f, "Synchronizing", "true");
        CHECK(f, trace_count(&f->root->trace, "signal BeSlaveResult *") == 0);
        sim(f, "{joined,1}");
        done(f);
        CHECK(f, sim_count(f, ORDER) == 1);
}

static void a_join_that_has_failed_over_a_restart_is_told_as_failed(void **state) {
        struct fixture *f = *state;

        joining = false;
        reference_node_start(f);
        none_for_long_after_a_restart_is_a_failure(state);
}

#define GROUP(name, ...) \
        if (argc > 1 && streq(argv[1], name)) { \
                const struct CMUnitTest tests[] = { __VA_ARGS__ }; \
                return cmocka_run_group_tests_name("gaps-" name, tests, NULL, NULL); \
        }

int main(int argc, char *argv[]) {
        GROUP("short", BUS_TEST(lost_events_are_not_the_end), BUS_TEST(a_lost_ha_connection_is_not_the_end),
              BUS_TEST(both_connections_lost_are_not_the_end), BUS_TEST_STOPPED(the_timeout_of_another_order_is_not_the_end),
              BUS_TEST(a_clean_end_is_not_the_end), BUS_TEST(a_crash_is_not_the_end),
              BUS_TEST(a_node_that_joins_over_a_restart_goes_on),
              BUS_TEST_STOPPED(it_ends_with_sync_timeout_sec_over_a_restart), BUS_TEST_STOPPED(the_target_waits_over_a_restart),
              BUS_TEST(a_missed_failure_shows_in_the_status), BUS_TEST(that_the_data_are_there_is_an_outcome),
              BUS_TEST_STOPPED(a_damaged_file_is_no_order), BUS_TEST(a_name_that_cannot_be_kept_is_not_remembered))
        GROUP("events", BUS_TEST_STOPPED(a_missed_success_is_asked_for))
        GROUP("timeout", BUS_TEST_STOPPED(one_that_still_copies_after_a_timeout))
        GROUP("restart", BUS_TEST_STOPPED(one_that_ended_while_the_service_was_away))
        GROUP("kill", BUS_TEST_STOPPED(one_that_failed_when_it_was_given_again))
        GROUP("joining", BUS_TEST_STOPPED(a_join_that_outlasts_the_patience_after_a_restart_goes_on))
        GROUP("not-joining", BUS_TEST_STOPPED(a_join_that_has_failed_over_a_restart_is_told_as_failed))
        GROUP("none", BUS_TEST_STOPPED(none_for_long_after_a_restart_is_a_failure))
        return EXIT_FAILURE;
}
