/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that the queue of orders admits, supersedes, joins and matches as the D-Bus API says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <confd_lib.h>

#include "service/orders.h"

struct caller {
        unsigned calls;
        char name[64];
};

static void done(void *userdata, const struct failure *failure) {
        struct caller *c = userdata;

        c->calls++;
        snprintf(c->name, sizeof(c->name), "%s", failure_name(failure) ?: "");
}

static struct caller nobody;

static const struct order_request be_master = { .kind = ORDER_KIND_BE_MASTER, .node_id = "n1" };
static const struct order_request be_none = { .kind = ORDER_KIND_BE_NONE };
static const struct order_request be_relay = { .kind = ORDER_KIND_BE_RELAY };
static const struct order_request slave_dead = { .kind = ORDER_KIND_SLAVE_DEAD, .node_id = "n9" };
static const struct order_request be_slave = {
        .kind = ORDER_KIND_BE_SLAVE, .node_id = "n2", .master_id = "n1", .master_address = "10.0.0.1", .wait = true,
};

static int submit(struct orders *o, const struct order_request *request, struct caller *c) {
        struct order *order, *other = NULL;
        int r = orders_submit(o, request, done, c ?: &nobody, &order, &other);

        /* What is superseded is ended by whoever submits. */
        if (r == 0 && other) {
                orders_finish(o, other, 0, failure_make(FAILURE_SUPERSEDED, "x"));
                other = orders_take_finished(o, 0);
                order_reply(other, &other->outcome, false);
                order_free(other);
        }
        return r;
}

/* Sends the next one, without reply if it is a BeSlave and there are events. */
static struct order *send_next(struct orders *o, bool events) {
        struct order *n = orders_next(o);

        if (!n)
                return NULL;
        n->with_reply = !(n->kind == ORDER_KIND_BE_SLAVE && events);
        n->accept_query = 1;
        orders_sent(o, n);
        n->on_wire = false; /* there is no client here to call back */
        return n;
}

static void end(struct orders *o, struct order *order, struct failure f) {
        struct order *x;

        orders_finish(o, order, 0, f);
        while ((x = orders_take_finished(o, 0))) {
                order_reply(x, &x->outcome, false);
                order_free(x);
        }
}

static void one_at_a_time_first_in_first_out(void **unused) {
        struct orders o;
        struct caller a = {}, b = {};
        struct order *first;

        orders_init(&o);
        assert_null(orders_next(&o));
        assert_int_equal(submit(&o, &be_master, &a), 0);
        assert_int_equal(submit(&o, &slave_dead, &b), 0);
        first = send_next(&o, true);
        assert_int_equal(first->kind, ORDER_KIND_BE_MASTER);
        assert_true(orders_under_way(&o));
        assert_null(orders_next(&o));
        end(&o, first, FAILURE_NONE);
        assert_int_equal(a.calls, 1);
        assert_string_equal(a.name, "");
        assert_int_equal(orders_next(&o)->kind, ORDER_KIND_SLAVE_DEAD);
        assert_int_equal(b.calls, 0);
        orders_done(&o);
}

static void limits(void **unused) {
        struct orders o;

        orders_init(&o);
        for (int i = 0; i < ORDERS_MAX; i++)
                assert_int_equal(submit(&o, &slave_dead, NULL), 0);
        assert_int_equal(submit(&o, &slave_dead, NULL), -EBUSY);
        /* The one in flight waits for nobody. */
        (void) send_next(&o, true);
        assert_int_equal(submit(&o, &slave_dead, NULL), 0);
        orders_done(&o);
}

static void an_equal_be_slave_joins(void **unused) {
        struct orders o;
        struct caller a = {}, b = {}, c = {};
        struct order_request same = be_slave;
        struct order *n;

        orders_init(&o);
        assert_int_equal(submit(&o, &be_slave, &a), 0);
        assert_int_equal(submit(&o, &be_slave, &b), 1); /* queued */
        n = send_next(&o, true);
        same.wait = false;
        assert_int_equal(submit(&o, &same, &c), 1); /* in flight */
        assert_ptr_equal(orders_accept(&o, 1), n);
        order_reply(n, &FAILURE_NONE, /* accepted_only= */ true);
        assert_int_equal(c.calls, 1);
        assert_int_equal(a.calls + b.calls, 0);
        assert_int_equal(submit(&o, &be_slave, &c), 1); /* following */
        assert_int_equal(o.n_queued, 0);
        end(&o, n, failure_make(FAILURE_CONNECT, "x"));
        assert_string_equal(a.name, ERROR_CONNECT);
        assert_string_equal(b.name, ERROR_CONNECT);
        assert_int_equal(c.calls, 2);
        /* And after its end it is a new one. */
        assert_int_equal(submit(&o, &be_slave, &a), 0);
        orders_done(&o);
}

static void the_same_address_in_other_words_is_equal(void **unused) {
        struct orders o;
        struct order_request a = be_slave, b = be_slave;

        orders_init(&o);
        a.master_address = "fd00:0::1";
        b.master_address = "fd00::1";
        assert_int_equal(submit(&o, &a, NULL), 0);
        assert_int_equal(submit(&o, &b, NULL), 1);
        b.master_address = "fd00::2";
        assert_int_equal(submit(&o, &b, NULL), 0);
        orders_done(&o);
}

static void calls_that_join_are_limited(void **unused) {
        struct orders o;

        orders_init(&o);
        assert_int_equal(submit(&o, &be_slave, NULL), 0);
        for (int i = 1; i < ORDER_CALLS_MAX; i++)
                assert_int_equal(submit(&o, &be_slave, NULL), 1);
        assert_int_equal(submit(&o, &be_slave, NULL), -EBUSY);
        orders_done(&o);
}

static void supersedes(const struct order_request *by, unsigned stage) {
        struct orders o;
        struct caller a = {};

        orders_init(&o);
        assert_int_equal(submit(&o, &be_slave, &a), 0);
        if (stage > 0)
                (void) send_next(&o, true);
        if (stage > 1)
                assert_non_null(orders_accept(&o, 1));
        assert_true(orders_synchronizing(&o, 0));
        assert_int_equal(submit(&o, by, NULL), 0);
        assert_int_equal(a.calls, 1);
        assert_string_equal(a.name, ERROR_SUPERSEDED);
        assert_int_equal(orders_synchronizing(&o, 0), by->kind == ORDER_KIND_BE_SLAVE);
        assert_int_equal(orders_next(&o)->kind, by->kind);
        orders_done(&o);
}

static void role_orders_supersede(void **unused) {
        struct order_request different = be_slave;

        different.master_id = "n7";
        for (unsigned stage = 0; stage < 3; stage++) {
                supersedes(&be_master, stage);
                supersedes(&be_none, stage);
                supersedes(&different, stage);
        }
}

static void be_relay_does_not_go_meanwhile(void **unused) {
        struct orders o;
        struct caller a = {};

        orders_init(&o);
        assert_int_equal(submit(&o, &be_slave, &a), 0);
        assert_int_equal(submit(&o, &be_relay, NULL), -EALREADY);
        assert_int_equal(a.calls, 0);
        (void) send_next(&o, true);
        assert_int_equal(submit(&o, &be_relay, NULL), -EALREADY);
        (void) orders_accept(&o, 1);
        assert_int_equal(submit(&o, &be_relay, NULL), -EALREADY);
        end(&o, o.following, FAILURE_NONE);
        assert_int_equal(submit(&o, &be_relay, NULL), 0);
        orders_done(&o);
}

static void slave_dead_passes_by(void **unused) {
        struct orders o;
        struct caller a = {};
        struct order *slave, *dead;

        orders_init(&o);
        /* Behind one without reply as soon as it is accepted. */
        assert_int_equal(submit(&o, &be_slave, &a), 0);
        assert_int_equal(submit(&o, &slave_dead, NULL), 0);
        slave = send_next(&o, true);
        assert_null(orders_next(&o));
        assert_null(orders_accept(&o, 0)); /* an earlier question shows nothing */
        assert_non_null(orders_accept(&o, 1));
        dead = send_next(&o, true);
        assert_int_equal(dead->kind, ORDER_KIND_SLAVE_DEAD);
        end(&o, dead, FAILURE_NONE);
        end(&o, slave, FAILURE_NONE);

        /* Behind one with reply at once, one at a time; a role order does not. */
        assert_int_equal(submit(&o, &be_slave, &a), 0);
        slave = send_next(&o, false);
        assert_true(orders_blocking(&o));
        assert_int_equal(submit(&o, &slave_dead, NULL), 0);
        assert_int_equal(submit(&o, &slave_dead, NULL), 0);
        dead = send_next(&o, false);
        assert_non_null(dead);
        assert_null(orders_next(&o));
        end(&o, dead, FAILURE_NONE);
        assert_non_null(orders_next(&o));
        assert_true(orders_blocking(&o));
        end(&o, slave, FAILURE_NONE);
        assert_false(orders_blocking(&o));
        orders_done(&o);
}

static void finished_ones_wait_for_their_status(void **unused) {
        struct orders o;
        struct order *n;

        orders_init(&o);
        assert_int_equal(submit(&o, &be_slave, NULL), 0);
        n = send_next(&o, true);
        orders_finish(&o, n, 7, FAILURE_NONE);
        assert_true(orders_synchronizing(&o, 6));
        assert_false(orders_synchronizing(&o, 7));
        assert_true(orders_under_way(&o));
        assert_null(orders_take_finished(&o, 6));
        /* One that ConfD did not end overtakes it. */
        assert_int_equal(submit(&o, &be_none, NULL), 0);
        orders_finish(&o, orders_first(&o), 0, failure_make(FAILURE_NOT_CONNECTED, "x"));
        order_free(orders_take_finished(&o, 0));
        assert_null(orders_take_finished(&o, 0));
        /* The first outcome counts. */
        orders_finish(&o, n, 0, failure_make(FAILURE_TIMEOUT, "x"));
        assert_ptr_equal(orders_take_finished(&o, 7), n);
        assert_false(failure_is_set(&n->outcome));
        order_free(n);
        assert_false(orders_under_way(&o));
        orders_done(&o);
}

/* A BeSlave that ConfD has, and that somebody may supersede. */
static struct order *accepted(struct orders *o, const char *master) {
        struct order_request request = be_slave;
        struct order *n;

        request.master_id = master;
        assert_int_equal(submit(o, &request, NULL), 0);
        n = send_next(o, true);
        assert_ptr_equal(orders_accept(o, 1), n);
        return n;
}

static void results_match_first_in_first_out(void **unused) {
        struct orders o;
        struct order *c;

        orders_init(&o);
        assert_null(orders_match_result(&o, 0));
        (void) accepted(&o, "a");
        (void) accepted(&o, "b");
        c = accepted(&o, "c");
        assert_null(orders_match_result(&o, CONFD_ERR_HA_ABORT));
        assert_null(orders_match_result(&o, CONFD_ERR_HA_CONNECT));
        assert_ptr_equal(orders_match_result(&o, 0), c);
        assert_null(orders_match_result(&o, 0));
        end(&o, c, FAILURE_NONE);
        orders_done(&o);
}

static void results_that_may_have_been_missed_are_passed_over(void **unused) {
        struct orders o;
        struct order *b;

        orders_init(&o);
        (void) accepted(&o, "a");
        b = accepted(&o, "b");
        assert_false(b->uncertain);
        orders_events_lost(&o, /* may_join= */ false);
        assert_true(b->uncertain);
        /* The result of the superseded one may have come unheard. */
        assert_ptr_equal(orders_match_result(&o, 0), b);
        end(&o, b, FAILURE_NONE);

        /* But "aborted" is the one's that was superseded. */
        (void) accepted(&o, "a");
        b = accepted(&o, "b");
        orders_events_lost(&o, /* may_join= */ false);
        assert_null(orders_match_result(&o, CONFD_ERR_HA_ABORT));
        assert_ptr_equal(orders_match_result(&o, CONFD_ERR_HA_BADNAME), b);
        end(&o, b, FAILURE_NONE);
        orders_done(&o);
}

/* Somebody before us, or we before a restart, gave ConfD a BeSlave that ours ends. */
static void an_older_order_of_somebody_else_is_aborted(void **unused) {
        struct orders o;
        struct order *n;

        orders_init(&o);
        orders_expect_stray(&o);
        orders_expect_stray(&o);
        assert_int_equal(o.n_slots, 1);
        assert_int_equal(submit(&o, &be_slave, NULL), 0);
        n = send_next(&o, true);
        assert_null(orders_match_result(&o, CONFD_ERR_HA_ABORT));
        assert_ptr_equal(orders_accept(&o, 1), n);
        assert_ptr_equal(orders_match_result(&o, 0), n);
        end(&o, n, FAILURE_NONE);

        /* Nothing was under way: the first result is ours, */
        orders_expect_stray(&o);
        assert_int_equal(submit(&o, &be_slave, NULL), 0);
        n = send_next(&o, true);
        assert_ptr_equal(orders_match_result(&o, CONFD_ERR_HA_CONNECT), n);
        end(&o, n, FAILURE_NONE);
        /* and once ConfD has the order, so is any. */
        orders_expect_stray(&o);
        n = accepted(&o, "n1");
        assert_ptr_equal(orders_match_result(&o, CONFD_ERR_HA_ABORT), n);
        end(&o, n, FAILURE_NONE);
        orders_done(&o);
}

/* As many as ConfD held back, and not only one: else each later order would be given what it has itself ended, and end the next. */
static void several_older_orders_are_aborted(void **unused) {
        struct orders o;
        struct order *n;

        orders_init(&o);
        for (int i = 0; i < 2; i++) {
                (void) accepted(&o, i == 0 ? "a" : "b");
                orders_events_lost(&o, /* may_join= */ false);
                end(&o, o.following, failure_make(FAILURE_TIMEOUT, "x"));
        }
        assert_int_equal(submit(&o, &be_slave, NULL), 0);
        n = send_next(&o, true);
        for (int i = 0; i < 3; i++)
                assert_null(orders_match_result(&o, CONFD_ERR_HA_ABORT));
        /* Should one have been its own, it is judged by the status. */
        assert_true(n->uncertain && n->may_join);
        assert_ptr_equal(orders_accept(&o, 1), n);
        assert_ptr_equal(orders_match_result(&o, 0), n);
        end(&o, n, FAILURE_NONE);
        assert_int_equal(o.n_slots, 0);
        orders_done(&o);
}

/* The place of one that may come makes it no surer whose end it is. */
static void what_may_be_its_own_end_is_judged(void **unused) {
        struct orders o;
        struct order *n;

        orders_init(&o);
        orders_expect_stray(&o);
        assert_int_equal(submit(&o, &be_slave, NULL), 0);
        n = send_next(&o, true);
        assert_null(orders_match_result(&o, CONFD_ERR_HA_ABORT));
        assert_true(n->uncertain && n->may_join);
        assert_int_equal(o.n_slots, 1);
        end(&o, n, FAILURE_NONE);
        orders_done(&o);
}

static void a_success_where_none_is_waited_for_is_remembered(void **unused) {
        struct orders o;
        struct order *b;

        orders_init(&o);
        (void) accepted(&o, "a");
        b = accepted(&o, "b");
        assert_null(orders_match_result(&o, 0));
        assert_true(o.stray_success);
        end(&o, b, FAILURE_NONE);
        assert_false(o.stray_success);
        orders_done(&o);
}

static void results_that_never_come_fill_nothing(void **unused) {
        struct orders o;
        struct order *n = NULL;
        char master[16];

        orders_init(&o);
        for (int i = 0; i < RESULT_SLOTS_MAX + 5; i++) {
                snprintf(master, sizeof(master), "m%d", i);
                n = accepted(&o, master);
        }
        assert_int_equal(o.n_slots, RESULT_SLOTS_MAX);
        assert_ptr_equal(o.slots[RESULT_SLOTS_MAX - 1].order, n);
        orders_done(&o);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_at_a_time_first_in_first_out),
                cmocka_unit_test(limits),
                cmocka_unit_test(an_equal_be_slave_joins),
                cmocka_unit_test(the_same_address_in_other_words_is_equal),
                cmocka_unit_test(calls_that_join_are_limited),
                cmocka_unit_test(role_orders_supersede),
                cmocka_unit_test(be_relay_does_not_go_meanwhile),
                cmocka_unit_test(slave_dead_passes_by),
                cmocka_unit_test(finished_ones_wait_for_their_status),
                cmocka_unit_test(results_match_first_in_first_out),
                cmocka_unit_test(results_that_may_have_been_missed_are_passed_over),
                cmocka_unit_test(an_older_order_of_somebody_else_is_aborted),
                cmocka_unit_test(several_older_orders_are_aborted),
                cmocka_unit_test(what_may_be_its_own_end_is_judged),
                cmocka_unit_test(a_success_where_none_is_waited_for_is_remembered),
                cmocka_unit_test(results_that_never_come_fill_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
