/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof of who may take over, and that a record survives its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/sync-record.h"

struct world {
        struct sync_record r;
};

static int setup(void **state) {
        static struct world w;

        *state = &w;
        return sync_record_init(&w.r);
}

static int teardown(void **state) {
        sync_record_done(&((struct world *) *state)->r);
        return 0;
}

/* The reason's words, or "" if it may. */
static bool may(const struct sync_record *r, const char *node_id, const char *old_master, const char *words) {
        _cleanup_failure_ struct failure f = sync_record_judge(r, node_id, old_master);

        if (!failure_is_set(&f))
                return true;
        assert_int_equal(f.kind, FAILURE_NOT_IN_SYNC);
        if (words)
                assert_non_null(strstr(f.message, words));
        return false;
}

static void who_never_was_in_sync_takes_over_from_itself_only(void **state) {
        struct sync_record *r = &((struct world *) *state)->r;

        assert_true(may(r, "n1", "n1", NULL));
        assert_false(may(r, "n1", "n2", "never in sync"));
        assert_false(may(r, "n1", "", "never in sync"));
        /* Not once a BeSlave may have brought half of somebody's data. */
        assert_true(sync_record_beslave(r, 1));
        assert_false(may(r, "n1", "n1", "a BeSlave was begun"));
}

static void what_is_lost_is_not_never(void **state) {
        struct sync_record *r = &((struct world *) *state)->r;

        r->lost = true;
        assert_false(may(r, "n1", "n1", "record of it is lost"));
        assert_false(may(r, "n1", "", "record of it is lost"));
        assert_int_equal(sync_record_begin(r, HA_STATE_MASTER, "n1", ""), 1);
        assert_true(may(r, "n1", "n1", NULL));
}

static void a_slave_takes_over_while_it_lasts_and_when_the_master_is_lost(void **state) {
        struct sync_record *r = &((struct world *) *state)->r;

        assert_int_equal(sync_record_begin(r, HA_STATE_SLAVE, "n1", "10.0.0.1"), 1);
        assert_int_equal(sync_record_begin(r, HA_STATE_SLAVE, "n1", "10.0.0.1"), 0);
        assert_true(may(r, "n2", "n1", NULL));
        assert_true(may(r, "n2", "", NULL));
        assert_false(may(r, "n2", "n3", "as slave of n1 (10.0.0.1), and is"));
        assert_true(sync_record_end(r, SYNC_MASTER_LOST, 1000000));
        assert_true(may(r, "n2", "n1", NULL));
        assert_false(may(r, "n2", "n3", "1970-01-01 00:00:01"));
        /* What is known first of its end stays. */
        assert_false(sync_record_end(r, SYNC_ORDER, 2000000));
        assert_true(may(r, "n2", "n1", NULL));
}

static void a_slave_does_not_take_over_after_an_order_or_an_outage(void **state) {
        struct sync_record *r = &((struct world *) *state)->r;

        assert_int_equal(sync_record_begin(r, HA_STATE_SLAVE_RELAY, "n1", "10.0.0.1"), 1);
        assert_true(sync_record_end(r, SYNC_ORDER, 1));
        assert_false(may(r, "n2", "n1", "an order ended it"));
        assert_int_equal(sync_record_begin(r, HA_STATE_SLAVE, "n1", "10.0.0.1"), 1);
        assert_true(sync_record_end(r, SYNC_OUTAGE, 1));
        assert_false(may(r, "n2", "n1", "an outage here ended it"));
}

static void who_was_master_itself_takes_over_however_it_ended(void **state) {
        struct sync_record *r = &((struct world *) *state)->r;

        for (enum sync_end how = SYNC_MASTER_LOST; how <= SYNC_OUTAGE; how++) {
                assert_int_equal(sync_record_begin(r, HA_STATE_MASTER, "n1", ""), 1);
                assert_true(may(r, "n1", "n1", NULL));
                assert_true(sync_record_end(r, how, 1));
                assert_true(may(r, "n1", "n1", NULL));
                assert_true(may(r, "n1", "", NULL));
                assert_false(may(r, "n1", "n2", "as master \"n1\""));
        }
}

static void nobody_takes_over_once_a_be_slave_was_begun(void **state) {
        struct sync_record *r = &((struct world *) *state)->r;

        assert_int_equal(sync_record_begin(r, HA_STATE_MASTER, "n1", ""), 1);
        assert_true(sync_record_beslave(r, 7));
        assert_int_equal(r->how, SYNC_ORDER);
        assert_int_equal(r->ended, 7);
        assert_false(sync_record_beslave(r, 8));
        assert_false(may(r, "n1", "n1", "a BeSlave was begun since"));
        /* Until it is in sync again. */
        assert_int_equal(sync_record_begin(r, HA_STATE_SLAVE, "n2", "10.0.0.2"), 1);
        assert_true(may(r, "n1", "n2", NULL));
        /* One that came when the master was lost already changes nothing of how it ended, but is one. */
        assert_true(sync_record_end(r, SYNC_MASTER_LOST, 9));
        assert_true(sync_record_beslave(r, 10));
        assert_int_equal(r->how, SYNC_MASTER_LOST);
        assert_int_equal(r->ended, 9);
        assert_false(may(r, "n1", "n2", "a BeSlave was begun since"));
}

static void check_round_trip(const struct sync_record *r) {
        _cleanup_free_ char *text = sync_record_to_text(r);
        _cleanup_(sync_record_done) struct sync_record back = {};

        assert_non_null(text);
        assert_int_equal(sync_record_from_text(&back, text), 0);
        assert_int_equal(back.as, r->as);
        assert_string_equal(back.id, r->id);
        assert_string_equal(back.address, r->address);
        assert_int_equal(back.ended, r->ended);
        assert_int_equal(back.how, r->how);
        assert_int_equal(back.beslave_since, r->beslave_since);
}

static void a_record_comes_back_from_its_file(void **state) {
        struct sync_record *r = &((struct world *) *state)->r;

        check_round_trip(r);
        assert_int_equal(sync_record_begin(r, HA_STATE_SLAVE, "a=b how=lasts", "10.0.0.1"), 1);
        check_round_trip(r);
        assert_true(sync_record_end(r, SYNC_MASTER_LOST, UINT64_MAX));
        check_round_trip(r);
        assert_true(sync_record_beslave(r, 3));
        check_round_trip(r);
        assert_int_equal(sync_record_begin(r, HA_STATE_MASTER, "", ""), 1);
        check_round_trip(r);
}

static void a_damaged_file_is_no_record(void **state) {
        static const char *const texts[] = {
                "", "nonsense\n", "as=slave\nid=n1\naddress=a\nended=0\nhow=lasts\n",
                "as=slave\nid=n1\naddress=a\nended=0\nhow=maybe\nbe-slave-since=no\n",
                "as=none\nid=n1\naddress=a\nended=0\nhow=lasts\nbe-slave-since=no\n",
                "as=slave\nid=n1\naddress=a\nended=5\nhow=lasts\nbe-slave-since=no\n",
                "as=slave\nid=n1\naddress=a\nended=0\nhow=order\nbe-slave-since=no\n",
                "as=slave\nid=n1\naddress=a\nended=x\nhow=order\nbe-slave-since=no\n",
                "as=slave\nid=n1\naddress=a\nended=5\nhow=order\nbe-slave-since=perhaps\n",
                "as=slave\nid=\xff\naddress=a\nended=5\nhow=order\nbe-slave-since=no\n",
                "as=\nid=n1\naddress=a\nended=5\nhow=order\nbe-slave-since=no\n",
                "as=slave\nid=n1\naddress=a\nended=05\nhow=order\nbe-slave-since=no\n",
                "as=slave\nid=n1\naddress=a\nended=5\nhow=order\nbe-slave-since=no\nid=n2\n",
        };
        struct sync_record *r = &((struct world *) *state)->r;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_int_equal(sync_record_from_text(r, texts[i]), -EBADMSG);
        assert_int_equal(r->how, SYNC_NEVER);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(who_never_was_in_sync_takes_over_from_itself_only, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_lost_is_not_never, setup, teardown),
                cmocka_unit_test_setup_teardown(a_slave_takes_over_while_it_lasts_and_when_the_master_is_lost, setup, teardown),
                cmocka_unit_test_setup_teardown(a_slave_does_not_take_over_after_an_order_or_an_outage, setup, teardown),
                cmocka_unit_test_setup_teardown(who_was_master_itself_takes_over_however_it_ended, setup, teardown),
                cmocka_unit_test_setup_teardown(nobody_takes_over_once_a_be_slave_was_begun, setup, teardown),
                cmocka_unit_test_setup_teardown(a_record_comes_back_from_its_file, setup, teardown),
                cmocka_unit_test_setup_teardown(a_damaged_file_is_no_record, setup, teardown),
        };

        return cmocka_run_group_tests_name("service-sync-record", tests, NULL, NULL);
}
