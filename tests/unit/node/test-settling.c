/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of a be slave that a later order ends, at whichever moment: what is said of it, and what data there is then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "fixture.h"
#include "node/peers.h"

static int setup(void **state) {
        *state = fixture_new();
        return 0;
}

static int teardown(void **state) {
        fixture_free(*state);
        return 0;
}

struct replies {
        unsigned n;
        enum ha_order order[4];
        int code[4];
};

static void on_reply(void *userdata, uint64_t controller, enum ha_order order, int code, const char *why) {
        struct replies *r = userdata;

        assert_true(r->n < ELEMENTSOF(r->order));
        r->order[r->n] = order;
        r->code[r->n++] = code;
}

static bool on_event(void *userdata, const struct role_event *event) {
        return false;
}

static void on_changed(void *userdata) {
}

static const struct role_ops ops = { .reply = on_reply, .event = on_event, .changed = on_changed };

static void an_ended_be_slave_has_left_the_old_data_and_a_done_one_the_new(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        unsigned ended = 0, done = 0;
        struct replies replies = {};
        struct peers *peers;
        struct role *role;

        node_be_master(a);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        assert_int_equal(peers_new(f->event, b->store, &b->config, &peers), 0);
        assert_int_equal(peers_set_token(peers, &f->token), 0);
        assert_int_equal(role_new(&role, ROLE_PHASE_MAX, &peers_role_ops, peers, &ops, &replies), 0);
        peers_set_role(peers, role);
        for (unsigned turns = 0; turns < 120; turns++) {
                struct role_order follow = { .type = HA_ORDER_BESLAVE, .wait = true, .id = b->id, .master_id = a->id,
                                             .master_address = a->config.ha_address };
                struct role_order leave = { .type = HA_ORDER_BENONE };

                assert_int_equal(node_set(b, "/own", "1"), 0); /* with no role */
                replies.n = 0;
                assert_int_equal(role_submit(role, 1, &follow), 0);
                for (unsigned i = 0; i < turns && replies.n == 0; i++)
                        fixture_run(f);
                assert_int_equal(role_submit(role, 1, &leave), 0);
                WAIT(f, replies.n == 2);
                assert_int_equal(replies.order[0], HA_ORDER_BESLAVE);
                assert_int_equal(replies.order[1], HA_ORDER_BENONE);
                assert_int_equal(replies.code[1], 0);
                fixture_run_for(f, 20 * USEC_PER_MSEC); /* whatever might still come */
                if (replies.code[0] == 0) {
                        assert_true(nodes_equal(a, b));
                        done++;
                } else {
                        assert_int_equal(replies.code[0], CONFD_ERR_HA_ABORT);
                        assert_true(node_has(b, "/own", "1"));
                        ended++;
                }
        }
        print_message("# ended %u times, done %u times\n", ended, done);
        assert_true(ended > 0 && done > 0);
        peers_free(peers);
        role_free(role);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(an_ended_be_slave_has_left_the_old_data_and_a_done_one_the_new, setup, teardown),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        return cmocka_run_group_tests_name("node-settling", tests, NULL, NULL);
}
