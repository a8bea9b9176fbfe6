/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of orders that come when a join can no longer be given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/role.h"

struct fixture {
        struct role *role;
        char trace[512];
};

static void trace(struct fixture *f, const char *word) {
        size_t n = strlen(f->trace);

        (void) snprintf(f->trace + n, sizeof(f->trace) - n, "%s%s", n > 0 ? " " : "", word);
}

static int op_serve(void *userdata, bool as_master, const struct node_id *id, const char **ret_why) {
        trace(userdata, "serve");
        return 0;
}

static void op_nothing(void *userdata) {
}

static void op_drop(void *userdata, const struct node_id *id) {
}

static void op_follow(void *userdata, const struct node_id *id, const struct role_node *master) {
        trace(userdata, "follow");
}

static void op_unfollow(void *userdata) {
        trace(userdata, "unfollow");
}

static void op_hold(void *userdata, bool hold) {
}

static void op_reply(void *userdata, uint64_t controller, enum ha_order type, int code, const char *why) {
        char word[32];

        (void) snprintf(word, sizeof(word), "%d:%d", (int) type, code);
        trace(userdata, word);
}

static bool op_event(void *userdata, const struct role_event *event) {
        return false;
}

static const struct role_peer_ops peer_ops = {
        .serve = op_serve,
        .unserve = op_nothing,
        .drop = op_drop,
        .follow = op_follow,
        .unfollow = op_unfollow,
        .hold = op_hold,
};

static const struct role_ops ops = {
        .reply = op_reply,
        .event = op_event,
        .changed = op_nothing,
};

static void submit(struct fixture *f, enum ha_order type) {
        struct role_order o = { .type = type, .wait = true };

        (void) snprintf((char *) o.id.etf, sizeof(o.id.etf), "m");
        o.id.size = 6;
        o.master_id.size = 6;
        o.master_id.etf[5] = 'x';
        assert_int_equal(role_submit(f->role, 1, &o), 0);
}

static void expect(struct fixture *f, const char *text) {
        assert_string_equal(f->trace, text);
        f->trace[0] = 0;
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        assert_int_equal(role_new(&f->role, ROLE_PHASE_MAX, &peer_ops, f, &ops, f), 0);
        submit(f, HA_ORDER_BESLAVE);
        expect(f, "follow");
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        role_free(f->role);
        free(f);
        return 0;
}

static void a_join_that_can_be_given_up_is_ended_by_an_order(void **state) {
        struct fixture *f = *state;

        submit(f, HA_ORDER_BENONE);
        expect(f, "unfollow 2:71 3:0");
}

static void an_order_waits_for_the_outcome_of_a_swap_that_has_begun(void **state) {
        struct fixture *f = *state;

        role_join_settles(f->role);
        submit(f, HA_ORDER_BENONE);
        submit(f, HA_ORDER_STATUS); /* behind it */
        expect(f, "");
        role_joined(f->role, /* copied= */ true);
        expect(f, "2:0 unfollow 3:0 4:0"); /* the data is the master's, and that is what is said */
}

static void an_order_waits_for_the_failure_of_a_swap_that_has_begun(void **state) {
        struct fixture *f = *state;

        role_join_settles(f->role);
        submit(f, HA_ORDER_BEMASTER);
        expect(f, "");
        role_join_failed(f->role, CONFD_ERR_HA_CLOSED, "no space");
        assert_non_null(strstr(f->trace, "serve"));
        assert_int_equal(strncmp(f->trace, "unfollow 2:", 11), 0);
        assert_null(strstr(f->trace, "2:71"));
        assert_int_equal(role_get_state(f->role), CONFD_HA_STATE_MASTER);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_join_that_can_be_given_up_is_ended_by_an_order, setup, teardown),
                cmocka_unit_test_setup_teardown(an_order_waits_for_the_outcome_of_a_swap_that_has_begun, setup, teardown),
                cmocka_unit_test_setup_teardown(an_order_waits_for_the_failure_of_a_swap_that_has_begun, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-role-join", tests, NULL, NULL);
}
