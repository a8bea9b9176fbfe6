/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker of confd-ha-keepalived does in which situation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka wants those before it. */
#include <cmocka.h>

#include "keepalived/plan.h"

static struct node_view node(int state) {
        return (struct node_view) { .known = true, .connected = true, .state = state };
}

static enum step next(enum wish role, struct node_view n) {
        struct wishes w = { .role = role };
        struct progress p = {};

        return plan_next(&w, &n, &p).step;
}

static void nothing_is_done_before_keepalived_has_told(void **unused) {
        for (int s = STATE_UNKNOWN; s <= STATE_MASTER; s++)
                assert_int_equal(next(WISH_NOTHING, node(s)), STEP_NOTHING);
}

static void a_master_wish_takes_over_and_is_kept(void **unused) {
        assert_int_equal(next(WISH_MASTER, node(STATE_NONE)), STEP_TAKE_OVER);
        assert_int_equal(next(WISH_MASTER, node(STATE_SLAVE)), STEP_TAKE_OVER);
        assert_int_equal(next(WISH_MASTER, node(STATE_RELAY)), STEP_TAKE_OVER);
        assert_int_equal(next(WISH_MASTER, node(STATE_MASTER)), STEP_NOTHING);
}

static void a_backup_that_is_master_gives_that_up_first(void **unused) {
        assert_int_equal(next(WISH_BACKUP, node(STATE_MASTER)), STEP_BE_NONE);
        assert_int_equal(next(WISH_FAULT, node(STATE_MASTER)), STEP_BE_NONE);
        assert_int_equal(next(WISH_STOP, node(STATE_MASTER)), STEP_BE_NONE);
}

static void a_backup_without_anything_to_prove_looks_for_a_master(void **unused) {
        assert_int_equal(next(WISH_BACKUP, node(STATE_NONE)), STEP_PROBE_PEER);
        assert_int_equal(next(WISH_FAULT, node(STATE_NONE)), STEP_PROBE_PEER);
}

/* A BeSlave would end what it can prove, just when it may have to take over. */
static void a_backup_that_lost_its_master_looks_before_it_follows(void **unused) {
        struct node_view n = node(STATE_NONE);

        n.lost_master = true;
        assert_int_equal(next(WISH_BACKUP, n), STEP_PROBE_PEER);
        n.lost_master = false;
        n.was_master = true;
        assert_int_equal(next(WISH_BACKUP, n), STEP_PROBE_PEER);
}

static void a_stale_backup_follows_whatever_it_once_was(void **unused) {
        struct wishes w = { .role = WISH_BACKUP, .stale = true };
        struct node_view n = node(STATE_NONE);
        struct progress p = {};

        n.lost_master = true;
        assert_int_equal(plan_next(&w, &n, &p).step, STEP_PROBE_PEER);
        assert_false(plan_may_take_over(&w, &n));
        n.in_sync = true;
        assert_true(plan_may_take_over(&w, &n));
}

static void who_follows_or_joins_is_left_alone(void **unused) {
        struct node_view n = node(STATE_SLAVE);

        n.follows_peer = true;
        assert_int_equal(next(WISH_BACKUP, n), STEP_NOTHING);
        n = node(STATE_NONE);
        n.synchronizing = true;
        assert_int_equal(next(WISH_BACKUP, n), STEP_NOTHING);
        assert_int_equal(next(WISH_STOP, n), STEP_BE_NONE);
}

static void a_slave_of_somebody_else_follows_the_peer(void **unused) {
        assert_int_equal(next(WISH_BACKUP, node(STATE_SLAVE)), STEP_PROBE_PEER);
}

static void a_silent_peer_is_dead_only_at_the_master_that_has_it(void **unused) {
        struct wishes w = { .role = WISH_MASTER, .peer_gone = true };
        struct node_view n = node(STATE_MASTER);
        struct progress p = {};

        assert_int_equal(plan_next(&w, &n, &p).step, STEP_NOTHING);
        n.peer_is_slave = true;
        assert_int_equal(plan_next(&w, &n, &p).step, STEP_SLAVE_DEAD);
        w.peer_gone = false;
        assert_int_equal(plan_next(&w, &n, &p).step, STEP_NOTHING);
        w.role = WISH_BACKUP;
        w.peer_gone = true;
        assert_int_not_equal(plan_next(&w, &n, &p).step, STEP_SLAVE_DEAD);
}

static void nothing_is_ordered_without_confd(void **unused) {
        for (int w = WISH_NOTHING; w <= WISH_STOP; w++) {
                struct node_view n = node(STATE_MASTER);

                n.connected = false;
                assert_int_equal(next(w, n), STEP_NOTHING);
                n = node(STATE_UNKNOWN);
                assert_int_equal(next(w, n), STEP_NOTHING);
                n = node(STATE_NONE);
                n.known = false;
                assert_int_equal(next(w, n), STEP_NOTHING);
        }
}

static void who_never_was_in_sync_may_not_take_over(void **unused) {
        struct wishes w = {};
        struct node_view n = node(STATE_NONE);

        assert_false(plan_may_take_over(&w, &n));
        n.was_master = true;
        assert_true(plan_may_take_over(&w, &n));
        n.synchronizing = true;
        assert_false(plan_may_take_over(&w, &n));
        n = node(STATE_SLAVE);
        assert_false(plan_may_take_over(&w, &n));
        n.in_sync = true;
        assert_true(plan_may_take_over(&w, &n));
        n.known = false;
        assert_false(plan_may_take_over(&w, &n));
}

static void a_try_waits_for_its_time(void **unused) {
        struct wishes w = { .role = WISH_BACKUP };
        struct node_view n = node(STATE_NONE);
        struct progress p = { .follow_again_usec = 77 };

        assert_int_equal(plan_next(&w, &n, &p).at_usec, 77);
        w.role = WISH_MASTER;
        p.take_over_again_usec = 78;
        assert_int_equal(plan_next(&w, &n, &p).at_usec, 78);
}

static void a_refused_connection_is_tried_again_soon_and_a_wrong_token_late(void **unused) {
        assert_int_equal(plan_retry_usec(STEP_FOLLOW, "org.confd.HA.Error.Connect"), 200000);
        assert_int_equal(plan_retry_usec(STEP_PROBE_PEER, NULL), 200000);
        assert_int_equal(plan_retry_usec(STEP_FOLLOW, "org.confd.HA.Error.Closed"), RETRY_USEC);
        assert_int_equal(plan_retry_usec(STEP_FOLLOW, "org.confd.HA.Error.BadToken"), RETRY_HOPELESS_USEC);
        assert_int_equal(plan_retry_usec(STEP_FOLLOW, "org.confd.HA.Error.BadSchema"), RETRY_HOPELESS_USEC);
        assert_int_equal(plan_retry_usec(STEP_TAKE_OVER, "org.confd.HA.Error.NotInSync"), RETRY_USEC);
        assert_int_equal(plan_retry_usec(STEP_BE_NONE, NULL), RETRY_USEC);
}

static void every_word_of_keepalived_is_a_wish(void **unused) {
        enum wish w;

        assert_int_equal(wish_from_string("MASTER", &w), 0);
        assert_int_equal(w, WISH_MASTER);
        assert_int_equal(wish_from_string("DELETED", &w), 0);
        assert_int_equal(w, WISH_STOP);
        assert_int_equal(wish_from_string("master", &w), -EINVAL);
        assert_int_equal(wish_from_string("", &w), -EINVAL);
        assert_int_equal(w, WISH_STOP);
}

static void a_stored_wish_is_read_back_and_nothing_is_no_error(void **unused) {
        char directory[] = "/tmp/confd-ha-wish.XXXXXX", command[64];
        struct wishes w;

        assert_non_null(mkdtemp(directory));
        assert_int_equal(wish_load(directory, &w), 0);
        assert_int_equal(w.role, WISH_NOTHING);
        assert_false(w.peer_gone);
        assert_int_equal(wish_store_role(directory, WISH_FAULT), 0);
        assert_int_equal(wish_store_peer(directory, true), 0);
        assert_int_equal(wish_store_stale(directory, true), 0);
        assert_int_equal(wish_load(directory, &w), 0);
        assert_int_equal(w.role, WISH_FAULT);
        assert_true(w.peer_gone);
        assert_true(w.stale);
        assert_true(w.role_usec > 0);
        assert_int_equal(wish_store_role(directory, WISH_MASTER), 0);
        assert_int_equal(wish_load(directory, &w), 0);
        assert_int_equal(w.role, WISH_MASTER);
        (void) snprintf(command, sizeof(command), "rm -r %s", directory);
        assert_int_equal(system(command), 0);
        assert_int_equal(wish_load(directory, &w), -ENOENT);
        assert_int_equal(wish_store_role(directory, WISH_MASTER), -ENOENT);
}

static void of_two_notifications_the_one_that_was_begun_later_counts(void **unused) {
        const struct notice early = { .ticks = 100, .pid = 7000 }, later = { .ticks = 101, .pid = 300 },
                            next = { .ticks = 100, .pid = 7001 }, anew = { .ticks = 100, .pid = 301 }, last = { .ticks = 100, .pid = 32767 };

        assert_true(notice_is_later(&later, &early));
        assert_false(notice_is_later(&early, &later));
        assert_true(notice_is_later(&next, &early));
        assert_false(notice_is_later(&early, &next));
        assert_false(notice_is_later(&early, &early));
        /* Ids begin anew. */
        assert_true(notice_is_later(&anew, &last));
        assert_false(notice_is_later(&last, &anew));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_is_done_before_keepalived_has_told),
                cmocka_unit_test(a_master_wish_takes_over_and_is_kept),
                cmocka_unit_test(a_backup_that_is_master_gives_that_up_first),
                cmocka_unit_test(a_backup_without_anything_to_prove_looks_for_a_master),
                cmocka_unit_test(a_backup_that_lost_its_master_looks_before_it_follows),
                cmocka_unit_test(a_stale_backup_follows_whatever_it_once_was),
                cmocka_unit_test(who_follows_or_joins_is_left_alone),
                cmocka_unit_test(a_slave_of_somebody_else_follows_the_peer),
                cmocka_unit_test(a_silent_peer_is_dead_only_at_the_master_that_has_it),
                cmocka_unit_test(nothing_is_ordered_without_confd),
                cmocka_unit_test(who_never_was_in_sync_may_not_take_over),
                cmocka_unit_test(a_try_waits_for_its_time),
                cmocka_unit_test(a_refused_connection_is_tried_again_soon_and_a_wrong_token_late),
                cmocka_unit_test(every_word_of_keepalived_is_a_wish),
                cmocka_unit_test(of_two_notifications_the_one_that_was_begun_later_counts),
                cmocka_unit_test(a_stored_wish_is_read_back_and_nothing_is_no_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
