/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof of InSync, LastInSync and TakeOver: whose data are in place, over what it is remembered, who may take over. */
#include <sys/stat.h>

#include "harness.h"

#define N1 "{<<\"n1\">>,{10,0,0,1}}"
#define NOT_IN_SYNC HAD_ERROR("NotInSync")

static void follow(struct fixture *f) {
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        CHECK_PROPERTY(f, "InSync", "true");
        CHECK_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' 0 'lasts')");
}

static void at_first_nothing_is_remembered(void **state) {
        struct fixture *f = *state;

        CHECK_PROPERTY(f, "InSync", "false");
        CHECK_PROPERTY(f, "LastInSync", "('' '' '' 0 '')");
        CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n1", "n2");
        CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n1", "");
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
        CHECK_PROPERTY(f, "LastError", "('org.confd.HA.Error.NotInSync' '*' *)");
        /* A new cluster gets its first master. */
        CALL_OK(f, "TakeOver", "ss", "n1", "n1");
        SIM_EXPECT(f, "{order,{1,<<\"n1\">>}}");
        CHECK_PROPERTY(f, "State", "'master'");
        CHECK_PROPERTY(f, "NodeId", "'n1'");
        CHECK_PROPERTY(f, "InSync", "true");
        CHECK_PROPERTY(f, "LastInSync", "('master' 'n1' '' 0 'lasts')");
}

static void arguments_are_checked(void **state) {
        struct fixture *f = *state;

        CALL_FAILS(f, "org.freedesktop.DBus.Error.InvalidArgs", "TakeOver", "ss", "", "n1");
        CALL_FAILS(f, "org.freedesktop.DBus.Error.InvalidArgs", "TakeOver", "ss", "n1", "a\nb");
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
}

static void a_slave_takes_over_from_the_master_it_lost(void **state) {
        struct fixture *f = *state;

        follow(f);
        sim(f, "{master_lost,26}");
        EXPECT(f, &f->root->trace, "signal MasterLost *");
        CHECK_PROPERTY(f, "InSync", "false");
        CHECK_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' * 'master-lost')");
        CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n2", "n3");
        CALL_OK(f, "TakeOver", "ss", "n2", "n1");
        CHECK_PROPERTY(f, "State", "'master'");
        CHECK_PROPERTY(f, "LastInSync", "('master' 'n2' '' 0 'lasts')");
}

static void a_slave_takes_over_while_it_follows(void **state) {
        struct fixture *f = *state;

        follow(f);
        CALL_OK(f, "TakeOver", "ss", "n2", "");
        CHECK_PROPERTY(f, "State", "'master'");
}

static void a_slave_does_not_after_an_order(void **state) {
        struct fixture *f = *state;

        follow(f);
        CALL_OK(f, "BeNone", "");
        CHECK_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' * 'order')");
        CHECK_TEXT(f, CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n2", "n1"), "*slave of n1 (10.0.0.1)*an order ended it*");
        CHECK_PROPERTY(f, "State", "'none'");
}

static void a_master_may_come_back(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        CALL_OK(f, "BeNone", "");
        CHECK_PROPERTY(f, "LastInSync", "('master' 'n1' '' * 'order')");
        CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n1", "n2");
        CALL_OK(f, "TakeOver", "ss", "n1", "n1");
}

static void not_while_a_be_slave_is_under_way_nor_after(void **state) {
        struct fixture *f = *state;
        struct call *a;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{set,sync,manual}");
        a = call_start(f->root, "BeSlave", "sssb", "n1", "n3", "10.0.0.3", (int) true);
        SIM_EXPECT(f, "{order,{2,*");
        WAIT_PROPERTY(f, "State", "'none'");
        CHECK_PROPERTY(f, "LastInSync", "('master' 'n1' '' * 'order')");
        /* It fails, and the BeSlave goes on. */
        CHECK_TEXT(f, CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n1", "n1"), "*BeSlave*");
        CHECK(f, !a->done);
        sim(f, "{join_failed,25}");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("Connect"));
        CHECK_TEXT(f, CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n1", "n1"), "*BeSlave*");
        CHECK(f, sim_count(f, "{order,{1,*") == 1);
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "InSync", "true");
}

/* ConfD may say slave before the data are there. */
/* ConfD may be master for a while when it has the order. */
static void a_master_is_not_in_sync_while_it_becomes_a_slave(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "InSync", "true");
        sim(f, "{on,2,hang}");
        (void) call_start(f->root, "BeSlave", "sssb", "n1", "n3", "10.0.0.3", (int) true);
        SIM_EXPECT(f, "{order,{2,*");
        CHECK_PROPERTY(f, "InSync", "false");
        CHECK_PROPERTY(f, "LastInSync", "('master' 'n1' '' * 'order')");
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "InSync", "true");
        CHECK_PROPERTY(f, "LastInSync", "('master' 'n1' '' 0 'lasts')");
}

static void an_early_slave_is_not_in_sync(void **state) {
        struct fixture *f = *state;
        struct call *a;

        sim(f, "{set,sync,manual}");
        a = call_start(f->root, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", (int) true);
        SIM_EXPECT(f, "{order,{2,*");
        sim(f, "{state,slave," N1 ",[]}");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'slave' *");
        CHECK_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "InSync", "false");
        CHECK_PROPERTY(f, "LastInSync", "('' '' '' 0 '')");
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, a);
        CHECK_PROPERTY(f, "InSync", "true");
        CHECK_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' 0 'lasts')");
}

static void a_refused_be_slave_leaves_it_in_sync(void **state) {
        struct fixture *f = *state;

        follow(f);
        sim(f, "{set,phase,0}");
        CALL_FAILS(f, HAD_ERROR("BadState"), "BeSlave", "sssb", "n2", "n3", "10.0.0.3", true);
        CHECK_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "InSync", "true");
        CHECK_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' 0 'lasts')");
}

static void restart(struct fixture *f, bool clean) {
        if (clean)
                CHECK(f, service_stop(f) == 0);
        else
                service_kill(f);
}

static void what_goes_on_without_the_service_lasts(void **state) {
        struct fixture *f = *state;

        follow(f);
        for (int i = 0; i < 2; i++) {
                restart(f, i == 0);
                service_start(f);
                service_wait_connected(f);
                WAIT_PROPERTY(f, "State", "'slave'");
                CHECK_PROPERTY(f, "InSync", "true");
                CHECK_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' 0 'lasts')");
        }
        CALL_OK(f, "TakeOver", "ss", "n2", "n1");
}

static void what_ended_without_the_service_is_an_outage(void **state) {
        struct fixture *f = *state;

        follow(f);
        restart(f, false);
        sim(f, "{state,none,none,[]}");
        service_start(f);
        service_wait_connected(f);
        WAIT_PROPERTY(f, "State", "'none'");
        CHECK_PROPERTY(f, "InSync", "false");
        WAIT_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' * 'outage')");
        CHECK_TEXT(f, CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n2", "n1"), "*outage*");
        /* A master that was away still has all that it acknowledged. */
        CALL_OK(f, "BeMaster", "s", "n2");
        restart(f, false);
        sim(f, "{state,none,none,[]}");
        service_start(f);
        service_wait_connected(f);
        WAIT_PROPERTY(f, "State", "'none'");
        WAIT_PROPERTY(f, "LastInSync", "('master' 'n2' '' * 'outage')");
        CALL_OK(f, "TakeOver", "ss", "n2", "n2");
}

/* Not the loss of the master: ConfD itself was away, and does not know what the master did. */
static void an_outage_of_confd_is_one(void **state) {
        struct fixture *f = *state;

        follow(f);
        sim(f, "{close,both}");
        sim(f, "{state,none,none,[]}");
        WAIT_PROPERTY(f, "State", "'none'");
        WAIT_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' * 'outage')");
        CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n2", "n1");
}

static void a_connection_lost_and_found_ends_nothing(void **state) {
        struct fixture *f = *state;

        follow(f);
        sim(f, "{close,both}");
        WAIT_PROPERTY(f, "Connected", "false");
        CHECK_PROPERTY(f, "InSync", "false");
        CHECK_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' 0 'lasts')");
        WAIT_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "InSync", "true");
        CHECK_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' 0 'lasts')");
}

/* A BeSlave that was begun is remembered before ConfD has it. */
static void a_be_slave_that_was_begun_is_on_disk(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{on,2,hang}");
        (void) call_start(f->root, "BeSlave", "sssb", "n1", "n3", "10.0.0.3", (int) true);
        SIM_EXPECT(f, "{order,{2,*");
        restart(f, false);
        sim(f, "{state,none,none,[]}");
        service_start(f);
        service_wait_connected(f);
        WAIT_PROPERTY(f, "State", "'none'");
        CHECK_PROPERTY(f, "LastInSync", "('master' 'n1' '' * 'order')");
        CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n1", "n1");
}

/* What was is not known any more, which is not the same as that nothing was: a slave whose record is lost takes over from nobody,
 * itself included. */
static void a_record_that_cannot_be_written_is_lost(void **state) {
        struct fixture *f = *state;
        struct stat st;

        follow(f);
        CHECK(f, access(in_dir(f, "state/last-in-sync"), F_OK) == 0);
        CHECK(f, mkdir(in_dir(f, "state/last-in-sync.new"), 0700) == 0);
        CALL_OK(f, "BeNone", "");
        CHECK(f, stat(in_dir(f, "state/last-in-sync"), &st) == 0 && st.st_size == 0);
        EXPECT(f, &f->service.trace, "*last-in-sync: cannot be written*Is a directory*");
        restart(f, false);
        service_start(f);
        service_wait_connected(f);
        CHECK_PROPERTY(f, "LastInSync", "('' '' '' 0 '')");
        CHECK_TEXT(f, CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n2", "n2"), "*record of it is lost*");
        /* Once in sync again it is as any. */
        CHECK(f, rmdir(in_dir(f, "state/last-in-sync.new")) == 0);
        CALL_OK(f, "BeMaster", "s", "n2");
        CALL_OK(f, "TakeOver", "ss", "n2", "n2");
}

static void a_damaged_record_is_lost_too(void **state) {
        struct fixture *f = *state;

        follow(f);
        restart(f, false);
        (void) write_file(f, "state/last-in-sync", "as=slave\nid=n1\n");
        sim(f, "{state,none,none,[]}");
        service_start(f);
        service_wait_connected(f);
        CHECK_TEXT(f, CALL_FAILS(f, NOT_IN_SYNC, "TakeOver", "ss", "n2", "n2"), "*record of it is lost*");
}

/* The check and the order are one: what has been told by then counts, what comes before it is carried out before. */
static void it_is_judged_when_its_turn_comes(void **state) {
        struct fixture *f = *state;
        struct call *a, *b;

        follow(f);
        sim(f, "{on,3,hold}");
        a = call_start(f->root, "BeNone", "");
        SIM_EXPECT(f, "{order,{3}}");
        b = call_start(f->root, "TakeOver", "ss", "n2", "n1");
        barrier(f, f->root);
        sim(f, "release");
        WAIT_CALL_OK(f, a);
        WAIT_CALL_FAILS(f, b, NOT_IN_SYNC);
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
        CHECK_PROPERTY(f, "State", "'none'");
}

static void it_fails_with_confds_own_reason(void **state) {
        struct fixture *f = *state;

        follow(f);
        sim(f, "{on,1,{reply,{error,30}}}");
        CALL_FAILS(f, HAD_ERROR("Bind"), "TakeOver", "ss", "n2", "n1");
        CHECK_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' 0 'lasts')");
        sim(f, "{on,4,{reply,{error,18}}}");
        CALL_FAILS(f, HAD_ERROR("Failed"), "TakeOver", "ss", "n2", "n1");
        CALL_OK(f, "TakeOver", "ss", "n2", "n1");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                BUS_TEST(at_first_nothing_is_remembered),
                BUS_TEST(arguments_are_checked),
                BUS_TEST(a_slave_takes_over_from_the_master_it_lost),
                BUS_TEST(a_slave_takes_over_while_it_follows),
                BUS_TEST(a_slave_does_not_after_an_order),
                BUS_TEST(a_master_may_come_back),
                BUS_TEST(not_while_a_be_slave_is_under_way_nor_after),
                BUS_TEST(a_master_is_not_in_sync_while_it_becomes_a_slave),
                BUS_TEST(an_early_slave_is_not_in_sync),
                BUS_TEST(a_refused_be_slave_leaves_it_in_sync),
                BUS_TEST(what_goes_on_without_the_service_lasts),
                BUS_TEST(what_ended_without_the_service_is_an_outage),
                BUS_TEST(an_outage_of_confd_is_one),
                BUS_TEST(a_connection_lost_and_found_ends_nothing),
                BUS_TEST(a_be_slave_that_was_begun_is_on_disk),
                BUS_TEST(a_record_that_cannot_be_written_is_lost),
                BUS_TEST(a_damaged_record_is_lost_too),
                BUS_TEST(it_is_judged_when_its_turn_comes),
                BUS_TEST(it_fails_with_confds_own_reason),
        };

        return cmocka_run_group_tests_name("take-over", tests, NULL, NULL);
}
