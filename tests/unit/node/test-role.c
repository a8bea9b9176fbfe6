/* SPDX-License-Identifier: Apache-2.0 */
/* The node's roles, told what happens and compared with what they do: each action becomes a word in a trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/role.h"

struct fixture {
        struct role *role;
        char trace[8192];
        bool hold;       /* a subscriber wants to be waited for */
        int serve_code;  /* what serve() answers */
        bool serving;
};

static void trace(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void trace(struct fixture *f, const char *format, ...) {
        size_t n = strlen(f->trace);
        va_list ap;

        va_start(ap, format);
        if (n > 0 && n < sizeof(f->trace) - 1)
                f->trace[n++] = ' ';
        (void) vsnprintf(f->trace + n, sizeof(f->trace) - n, format, ap);
        va_end(ap);
}

/* Compares what was done since the last call, and starts anew. */
#define expect(f, text) \
        do { \
                assert_string_equal((f)->trace, text); \
                (f)->trace[0] = 0; \
        } while (0)

static struct node_id name(const char *s) {
        struct node_id id = { .size = (uint8_t) (strlen(s) + 5), .etf = { 109, 0, 0, 0, (uint8_t) strlen(s) } };

        memcpy(id.etf + 5, s, strlen(s));
        return id;
}

static const char *text(const struct node_id *id) {
        static char buf[4][128];
        static unsigned i;
        char *s = buf[i++ % 4];

        (void) snprintf(s, 128, "%.*s", id->size - 5, (const char *) id->etf + 5);
        return s;
}

static int op_serve(void *userdata, bool as_master, const struct node_id *id, const char **ret_why) {
        struct fixture *f = userdata;

        trace(f, "serve:%s:%s%s", as_master ? "master" : "relay", text(id), f->serve_code ? ":refused" : "");
        *ret_why = "address in use";
        if (f->serve_code == 0)
                f->serving = true;
        return f->serve_code;
}

static void op_unserve(void *userdata) {
        struct fixture *f = userdata;

        assert_true(f->serving);
        f->serving = false;
        trace(f, "unserve");
}

static void op_drop(void *userdata, const struct node_id *id) {
        trace(userdata, "drop:%s", text(id));
}

static void op_follow(void *userdata, const struct node_id *id, const struct role_node *master) {
        trace(userdata, "follow:%s:%s", text(id), text(&master->id));
}

static void op_unfollow(void *userdata) {
        trace(userdata, "unfollow");
}

static void op_reply(void *userdata, uint64_t controller, enum ha_order type, int code, const char *why) {
        struct fixture *f = userdata;

        if (type == HA_ORDER_STATUS) {
                char nodes[512] = "";

                for (unsigned i = 0; i < role_get_n_nodes(f->role); i++) {
                        strcat(nodes, ",");
                        strcat(nodes, text(&role_get_node(f->role, i)->id));
                }
                trace(f, "%d:status:%s%s", (int) controller, role_state_to_string(role_get_state(f->role)), nodes);
        } else if (code == 0)
                trace(f, "%d:ok:%d", (int) controller, (int) type);
        else
                trace(f, "%d:error:%d:%d", (int) controller, (int) type, code);
}

static bool op_event(void *userdata, const struct role_event *event) {
        static const char *const names[] = { "", "NOMASTER", "DIED", "ARRIVED", "INITIALIZED", "IS_MASTER", "IS_NONE", "RESULT" };
        struct fixture *f = userdata;

        if (event->type == CONFD_HA_INFO_SLAVE_DIED || event->type == CONFD_HA_INFO_SLAVE_ARRIVED)
                trace(f, "%s:%s", names[event->type], text(&event->node.id));
        else if (event->type == CONFD_HA_INFO_IS_MASTER || event->type == CONFD_HA_INFO_IS_NONE)
                trace(f, "%s", names[event->type]);
        else
                trace(f, "%s:%d", names[event->type], event->code);
        return f->hold;
}

static void op_hold(void *userdata, bool hold) {
        trace(userdata, hold ? "hold" : "unhold");
}

static void op_changed(void *userdata) {
}

static const struct role_peer_ops peer_ops = {
        .serve = op_serve,
        .unserve = op_unserve,
        .drop = op_drop,
        .follow = op_follow,
        .unfollow = op_unfollow,
        .hold = op_hold,
};

static const struct role_ops ops = {
        .reply = op_reply,
        .event = op_event,
        .changed = op_changed,
};

static int setup_phase(void **state, unsigned phase) {
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        return f ? role_new(&f->role, phase, &peer_ops, f, &ops, f) : -1;
}

static int setup(void **state) {
        return setup_phase(state, 2);
}

static int setup0(void **state) {
        return setup_phase(state, 0);
}

static int teardown(void **state) {
        struct fixture *f = *state;

        role_free(f->role);
        free(f);
        return 0;
}

static void submit(struct fixture *f, uint64_t controller, const struct role_order *o) {
        assert_int_equal(role_submit(f->role, controller, o), 0);
}

static void be_master(struct fixture *f, const char *id) {
        submit(f, 1, &(struct role_order) { .type = HA_ORDER_BEMASTER, .id = name(id) });
}

static void be_slave_by(struct fixture *f, uint64_t controller, const char *id, const char *master, bool wait) {
        submit(f, controller, &(struct role_order) {
                .type = HA_ORDER_BESLAVE,
                .id = name(id),
                .master_id = name(master),
                .master_address = { .family = AF_INET, .ip4.s_addr = htonl(INADDR_LOOPBACK) },
                .wait = wait,
        });
}

static void be_slave(struct fixture *f, const char *id, const char *master, bool wait) {
        be_slave_by(f, 1, id, master, wait);
}

static void order(struct fixture *f, enum ha_order type) {
        submit(f, 1, &(struct role_order) { .type = type });
}

static void slave_dead(struct fixture *f, const char *id) {
        submit(f, 1, &(struct role_order) { .type = HA_ORDER_SLAVE_DEAD, .id = name(id) });
}

static void arrive(struct fixture *f, const char *id) {
        role_slave_arrived(f->role, &(struct role_node) { .id = name(id), .address.family = AF_INET });
}

static void die(struct fixture *f, const char *id) {
        struct node_id n = name(id);

        role_slave_died(f->role, &n);
}

/* Brings the role somewhere, without trace. */
static void become_master(struct fixture *f) {
        be_master(f, "n1");
        f->trace[0] = 0;
}

static void become_slave(struct fixture *f) {
        be_slave(f, "n2", "n1", /* wait= */ true);
        role_joined(f->role, /* copied= */ false);
        f->trace[0] = 0;
}

static void become_relay(struct fixture *f) {
        become_slave(f);
        order(f, HA_ORDER_BERELAY);
        f->trace[0] = 0;
}

/* ---- each order from each state ---- */

static void a_new_role_is_none(void **state) {
        struct fixture *f = *state;

        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:none");
        order(f, HA_ORDER_BENONE);
        expect(f, "1:ok:3");
        order(f, HA_ORDER_BERELAY);
        expect(f, "1:error:6:17");
        slave_dead(f, "n9");
        expect(f, "1:ok:5");
        assert_true(role_is_writable(f->role));
}

static void be_master_serves(void **state) {
        struct fixture *f = *state;

        be_master(f, "n1");
        expect(f, "serve:master:n1 IS_MASTER 1:ok:1");
        assert_true(role_is_writable(f->role));
        arrive(f, "n2");
        expect(f, "ARRIVED:n2");
        be_master(f, "n7");
        expect(f, "serve:master:n7 1:ok:1");
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:master,n2");
        order(f, HA_ORDER_BERELAY);
        expect(f, "1:error:6:17");
        order(f, HA_ORDER_BENONE);
        expect(f, "unserve IS_NONE 1:ok:3");
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:none");
}

static void an_address_that_cannot_be_bound_leaves_none(void **state) {
        struct fixture *f = *state;

        f->serve_code = CONFD_ERR_HA_BIND;
        be_master(f, "n1");
        expect(f, "serve:master:n1:refused 1:error:1:30");
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:none");
        f->serve_code = 0;
        become_slave(f);
        f->serve_code = CONFD_ERR_HA_BIND;
        order(f, HA_ORDER_BERELAY);
        expect(f, "serve:relay:n2:refused 1:error:6:30");
        be_master(f, "n2");
        expect(f, "serve:master:n2:refused 1:error:1:30");
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:slave,n1");
}

static void a_join_goes_on_when_an_address_cannot_be_bound(void **state) {
        struct fixture *f = *state;

        be_slave(f, "n2", "n1", /* wait= */ false);
        expect(f, "follow:n2:n1");
        f->serve_code = CONFD_ERR_HA_BIND;
        be_master(f, "n2");
        expect(f, "serve:master:n2:refused 1:error:1:30");
        role_joined(f->role, true);
        expect(f, "INITIALIZED:1 RESULT:0");
}

static void be_slave_with_wait_is_answered_when_it_has_joined(void **state) {
        struct fixture *f = *state;

        be_slave(f, "n2", "n1", /* wait= */ true);
        expect(f, "follow:n2:n1");
        assert_true(role_is_joining(f->role));
        assert_false(role_is_writable(f->role));
        role_joined(f->role, /* copied= */ true);
        expect(f, "INITIALIZED:1 1:ok:2");
        assert_false(role_is_writable(f->role));
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:slave,n1");
        be_slave(f, "n2", "n1", /* wait= */ true);
        expect(f, "1:ok:2");
        be_slave(f, "n2", "n1", /* wait= */ false);
        expect(f, "RESULT:0");
        be_slave(f, "n3", "n1", /* wait= */ true);
        expect(f, "unfollow IS_NONE follow:n3:n1");
}

static void be_slave_without_wait_tells_by_events(void **state) {
        struct fixture *f = *state;

        be_slave(f, "n2", "n1", /* wait= */ false);
        order(f, HA_ORDER_STATUS);
        expect(f, "follow:n2:n1 1:status:none");
        role_joined(f->role, /* copied= */ false);
        expect(f, "INITIALIZED:0 RESULT:0");
}

static void a_failed_join_leaves_none(void **state) {
        struct fixture *f = *state;

        become_master(f);
        arrive(f, "n3");
        expect(f, "ARRIVED:n3");
        be_slave(f, "n2", "n1", /* wait= */ true);
        expect(f, "unserve IS_NONE follow:n2:n1");
        role_join_failed(f->role, CONFD_ERR_HA_BADTOKEN, "no");
        expect(f, "unfollow 1:error:2:28");
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:none");
        assert_true(role_is_writable(f->role));
        be_slave(f, "n2", "n1", /* wait= */ false);
        role_join_failed(f->role, CONFD_ERR_HA_CONNECT, "no");
        expect(f, "follow:n2:n1 unfollow RESULT:25");
}

static void nobody_follows_itself(void **state) {
        struct fixture *f = *state;

        be_slave(f, "n2", "n2", /* wait= */ true);
        expect(f, "1:error:2:29");
        be_slave(f, "n2", "n2", /* wait= */ false);
        expect(f, "RESULT:29");
        assert_false(role_is_joining(f->role));
}

static void a_slave_becomes_a_relay(void **state) {
        struct fixture *f = *state;

        become_slave(f);
        order(f, HA_ORDER_BERELAY);
        expect(f, "serve:relay:n2 1:ok:6");
        order(f, HA_ORDER_BERELAY);
        expect(f, "1:error:6:17");
        arrive(f, "n4");
        die(f, "n4");
        arrive(f, "n5");
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:slave-relay,n1,n5"); /* and no arrival was reported */
        be_slave(f, "n2", "n1", /* wait= */ false);
        expect(f, "unserve RESULT:0");
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:slave,n1");
}

static void a_relay_becomes_master(void **state) {
        struct fixture *f = *state;

        become_relay(f);
        arrive(f, "n5");
        be_master(f, "n2");
        expect(f, "serve:master:n2 unfollow IS_MASTER 1:ok:1");
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:master,n5");
}

static void a_relay_that_loses_its_master_is_none(void **state) {
        struct fixture *f = *state;

        become_relay(f);
        arrive(f, "n5");
        role_master_lost(f->role, CONFD_ERR_HA_NOTICK);
        expect(f, "unserve unfollow NOMASTER:31 IS_NONE");
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:none");
}

static void a_slave_that_loses_its_master_is_none(void **state) {
        struct fixture *f = *state;

        become_slave(f);
        role_master_lost(f->role, CONFD_ERR_HA_CLOSED);
        expect(f, "unfollow NOMASTER:26 IS_NONE");
        assert_true(role_is_writable(f->role));
}

static void slave_dead_drops_a_slave(void **state) {
        struct fixture *f = *state;

        become_master(f);
        arrive(f, "n2");
        slave_dead(f, "n2");
        expect(f, "ARRIVED:n2 drop:n2 DIED:n2 1:ok:5");
        die(f, "n2"); /* the replication says so too, later: nothing is told twice */
        expect(f, "");
        become_slave(f);
        slave_dead(f, "n1");
        expect(f, "unfollow NOMASTER:26 IS_NONE 1:ok:5");
        become_relay(f);
        arrive(f, "n5");
        slave_dead(f, "n5");
        expect(f, "drop:n5 1:ok:5");
        slave_dead(f, "n1");
        expect(f, "drop:n1 unserve unfollow NOMASTER:26 IS_NONE 1:ok:5");
        become_master(f);
        slave_dead(f, "copying"); /* it has not arrived: nothing is told */
        expect(f, "drop:copying 1:ok:5");
}

static void a_slave_that_comes_again_is_one(void **state) {
        struct fixture *f = *state;

        become_master(f);
        arrive(f, "n2");
        die(f, "n2");
        arrive(f, "n2");
        expect(f, "ARRIVED:n2 DIED:n2 ARRIVED:n2");
}

static void there_are_254_slaves_at_most(void **state) {
        struct fixture *f = *state;

        become_master(f);
        for (unsigned i = 0; i < ROLE_SLAVES_MAX; i++) {
                char id[16];

                (void) snprintf(id, sizeof(id), "s%u", i);
                arrive(f, id);
                f->trace[0] = 0;
        }
        assert_int_equal(role_get_n_nodes(f->role), 254);
        arrive(f, "more");
        expect(f, "");
        assert_int_equal(role_get_n_nodes(f->role), 254);
}

/* ---- one order after another ---- */

static void a_wait_that_is_superseded_fails(void **state) {
        struct fixture *f = *state;

        be_slave(f, "n2", "n1", /* wait= */ true);
        order(f, HA_ORDER_STATUS);
        slave_dead(f, "n1");
        expect(f, "follow:n2:n1"); /* answered after it */
        order(f, HA_ORDER_BENONE);
        expect(f, "unfollow 1:error:2:71 1:status:none 1:ok:5 1:ok:3");
        be_slave(f, "n2", "n1", /* wait= */ true);
        be_master(f, "n2");
        expect(f, "follow:n2:n1 unfollow 1:error:2:71 serve:master:n2 IS_MASTER 1:ok:1");
        be_slave(f, "n2", "n1", /* wait= */ true);
        be_slave(f, "n2", "n3", /* wait= */ true);
        expect(f, "unserve IS_NONE follow:n2:n1 unfollow 1:error:2:71 follow:n2:n3");
        order(f, HA_ORDER_BERELAY);
        expect(f, "unfollow 1:error:2:71 1:error:6:17");
}

static void a_status_waits_for_a_be_slave_with_wait(void **state) {
        struct fixture *f = *state;

        be_slave(f, "n2", "n1", /* wait= */ true);
        order(f, HA_ORDER_STATUS);
        role_joined(f->role, false);
        expect(f, "follow:n2:n1 INITIALIZED:0 1:ok:2 1:status:slave,n1");
        be_slave(f, "n2", "n3", /* wait= */ true);
        order(f, HA_ORDER_STATUS);
        role_join_failed(f->role, CONFD_ERR_HA_BADVSN, "");
        expect(f, "unfollow IS_NONE follow:n2:n3 unfollow 1:error:2:52 1:status:none");
}

static void a_join_that_is_superseded_ends(void **state) {
        struct fixture *f = *state;

        be_slave(f, "n2", "n1", /* wait= */ false);
        be_slave(f, "n2", "n3", /* wait= */ false);
        be_slave(f, "n2", "n3", /* wait= */ true);
        role_joined(f->role, true);
        expect(f, "follow:n2:n1 unfollow RESULT:71 follow:n2:n3 unfollow RESULT:71 follow:n2:n3 INITIALIZED:1 1:ok:2");
        be_slave(f, "n2", "n1", /* wait= */ false);
        order(f, HA_ORDER_BERELAY); /* refused, so it ends nothing */
        expect(f, "unfollow IS_NONE follow:n2:n1 1:error:6:17");
        order(f, HA_ORDER_BENONE);
        expect(f, "unfollow RESULT:71 1:ok:3");
}

static void in_phase_0_orders_fail(void **state) {
        struct fixture *f = *state;

        be_master(f, "n1");
        order(f, HA_ORDER_BERELAY);
        order(f, HA_ORDER_BENONE);
        slave_dead(f, "n1");
        be_slave(f, "n2", "n1", /* wait= */ true);
        be_slave(f, "n2", "n1", /* wait= */ false);
        order(f, HA_ORDER_STATUS);
        expect(f, "1:error:1:17 1:error:6:17 1:error:3:17 1:error:5:17 1:error:2:17 RESULT:17 1:status:none");
        assert_int_equal(role_set_phase(f->role, 3), -EINVAL);
        assert_int_equal(role_set_phase(f->role, 1), 0);
        assert_int_equal(role_set_phase(f->role, 0), -EPERM);
        assert_int_equal(role_set_phase(f->role, 1), 0);
        be_master(f, "n1");
        expect(f, "serve:master:n1 IS_MASTER 1:ok:1");
        assert_int_equal(role_set_phase(f->role, 2), 0);
        assert_int_equal(role_get_phase(f->role), 2);
        order(f, HA_ORDER_BENONE); /* who does not start with writes has none without a role */
        assert_int_equal(role_get_phase(f->role), 1);
}

static void bad_arguments_fail_in_their_turn(void **state) {
        struct fixture *f = *state;

        become_master(f);
        submit(f, 1, &(struct role_order) { .type = HA_ORDER_BEMASTER, .error = CONFD_ERR_BADTYPE, .why = "x" });
        submit(f, 1, &(struct role_order) { .type = HA_ORDER_BESLAVE, .wait = true, .error = CONFD_ERR_BADTYPE, .why = "x" });
        submit(f, 1, &(struct role_order) { .type = HA_ORDER_BESLAVE, .error = CONFD_ERR_BADTYPE, .why = "x" });
        order(f, HA_ORDER_STATUS);
        expect(f, "1:error:1:5 1:error:2:5 RESULT:5 1:status:master");
}

/* ---- controllers ---- */

static void orders_stand_when_their_controller_is_gone(void **state) {
        struct fixture *f = *state;

        be_slave(f, "n2", "n1", /* wait= */ true);
        order(f, HA_ORDER_STATUS);
        role_controller_gone(f->role, 1);
        submit(f, 2, &(struct role_order) { .type = HA_ORDER_STATUS });
        expect(f, "follow:n2:n1 2:status:none"); /* the new one does not wait for the old one's join */
        role_joined(f->role, true);
        expect(f, "INITIALIZED:1"); /* which has gone on */
}

static void a_new_controllers_orders_supersede(void **state) {
        struct fixture *f = *state;

        be_slave(f, "n2", "n1", /* wait= */ true);
        role_controller_gone(f->role, 1);
        submit(f, 2, &(struct role_order) { .type = HA_ORDER_BENONE });
        expect(f, "follow:n2:n1 unfollow 2:ok:3");
}

static void so_many_orders_wait_and_no_more(void **state) {
        struct fixture *f = *state;
        struct role_order o = { .type = HA_ORDER_STATUS };

        be_slave(f, "n2", "n1", /* wait= */ true);
        for (unsigned i = 0; i < ROLE_ORDERS_MAX; i++) {
                assert_true(role_may_submit(f->role));
                submit(f, 1, &o);
        }
        assert_false(role_may_submit(f->role));
        assert_int_equal(role_submit(f->role, 1, &o), -EBUSY);
        role_join_failed(f->role, CONFD_ERR_HA_CLOSED, "");
        assert_true(role_may_submit(f->role));
}

/* ---- holds ---- */

static void steps_wait_for_the_acknowledgement(void **state) {
        struct fixture *f = *state;

        f->hold = true;
        be_master(f, "n1");
        expect(f, "serve:master:n1 IS_MASTER hold 1:ok:1");
        order(f, HA_ORDER_STATUS);
        expect(f, "1:status:master");
        order(f, HA_ORDER_BENONE);
        order(f, HA_ORDER_STATUS); /* behind it, as replies come in order */
        arrive(f, "n2");
        submit(f, 2, &(struct role_order) { .type = HA_ORDER_STATUS }); /* another's is served at once */
        expect(f, "2:status:master");
        role_release(f->role);
        expect(f, "unhold unserve IS_NONE hold 1:ok:3 1:status:none");
        role_release(f->role); /* the slave had arrived at what is no more */
        expect(f, "unhold");
}

static void a_lost_master_waits_for_the_acknowledgement(void **state) {
        struct fixture *f = *state;

        become_slave(f);
        f->hold = true;
        role_master_lost(f->role, CONFD_ERR_HA_CLOSED);
        expect(f, "unfollow NOMASTER:26 hold");
        role_release(f->role);
        expect(f, "IS_NONE");
        role_release(f->role);
        expect(f, "unhold");
}

static void a_join_waits_for_the_acknowledgement(void **state) {
        struct fixture *f = *state;

        become_master(f);
        f->hold = true;
        be_slave(f, "n2", "n1", /* wait= */ true);
        expect(f, "unserve IS_NONE hold"); /* nothing comes in before the acknowledgement */
        order(f, HA_ORDER_STATUS);
        expect(f, "");
        role_release(f->role);
        expect(f, "unhold follow:n2:n1");
        role_joined(f->role, true);
        expect(f, "INITIALIZED:1 hold 1:ok:2 1:status:slave,n1");
}

static void slave_dead_waits_for_the_acknowledgement(void **state) {
        struct fixture *f = *state;

        become_master(f);
        arrive(f, "n2");
        f->hold = true;
        arrive(f, "n3");
        expect(f, "ARRIVED:n2 ARRIVED:n3 hold");
        slave_dead(f, "n2");
        die(f, "n2");
        arrive(f, "n2"); /* it came back before its death was ordered: the order ends that connection */
        role_release(f->role);
        expect(f, "unhold drop:n2 DIED:n2 hold 1:ok:5");
        role_release(f->role);
        order(f, HA_ORDER_STATUS);
        expect(f, "unhold 1:status:master,n3");
}

static void reports_that_are_stale_by_then_are_dropped(void **state) {
        struct fixture *f = *state;

        become_slave(f);
        f->hold = true;
        be_slave(f, "n2", "n3", /* wait= */ true);
        be_slave(f, "n2", "n4", /* wait= */ true);
        expect(f, "unfollow IS_NONE hold");
        role_release(f->role);
        expect(f, "unhold follow:n2:n3 unfollow 1:error:2:71 follow:n2:n4");
        f->hold = false;
        role_joined(f->role, true);
        expect(f, "INITIALIZED:1 1:ok:2");
        f->hold = true;
        be_slave(f, "n2", "n1", /* wait= */ false);
        be_slave(f, "n2", "n5", /* wait= */ false);
        expect(f, "unfollow IS_NONE hold");
        /* these are of what was followed when they were said, and not of what is followed when their turn comes */
        role_joined(f->role, true);
        role_master_lost(f->role, CONFD_ERR_HA_CLOSED);
        f->hold = false;
        role_release(f->role);
        expect(f, "unhold follow:n2:n1 unfollow RESULT:71 follow:n2:n5");
        assert_true(role_is_joining(f->role));
}

static void who_arrives_twice_is_one_slave(void **state) {
        struct fixture *f = *state;

        become_master(f);
        arrive(f, "n2");
        arrive(f, "n2");
        expect(f, "ARRIVED:n2");
        assert_int_equal(role_get_n_nodes(f->role), 1);
}

static void a_hold_is_bounded(void **state) {
        struct fixture *f = *state;

        become_master(f);
        f->hold = true;
        arrive(f, "n2");
        f->hold = false;
        f->trace[0] = 0;
        for (unsigned i = 0; i <= ROLE_STEPS_MAX; i++) {
                assert_string_equal(f->trace, "");
                die(f, "other");
        }
        expect(f, "unhold");
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(a_new_role_is_none), T(be_master_serves), T(an_address_that_cannot_be_bound_leaves_none), T(a_join_goes_on_when_an_address_cannot_be_bound),
                T(be_slave_with_wait_is_answered_when_it_has_joined), T(be_slave_without_wait_tells_by_events), T(a_failed_join_leaves_none), T(nobody_follows_itself),
                T(a_slave_becomes_a_relay), T(a_relay_becomes_master), T(a_relay_that_loses_its_master_is_none), T(a_slave_that_loses_its_master_is_none),
                T(slave_dead_drops_a_slave), T(a_slave_that_comes_again_is_one), T(there_are_254_slaves_at_most),
                T(a_wait_that_is_superseded_fails), T(a_status_waits_for_a_be_slave_with_wait), T(a_join_that_is_superseded_ends),
                cmocka_unit_test_setup_teardown(in_phase_0_orders_fail, setup0, teardown),
                T(bad_arguments_fail_in_their_turn), T(orders_stand_when_their_controller_is_gone), T(a_new_controllers_orders_supersede), T(so_many_orders_wait_and_no_more),
                T(steps_wait_for_the_acknowledgement), T(a_lost_master_waits_for_the_acknowledgement), T(a_join_waits_for_the_acknowledgement), T(slave_dead_waits_for_the_acknowledgement), T(a_hold_is_bounded),
                T(reports_that_are_stale_by_then_are_dropped), T(who_arrives_twice_is_one_slave),
        };

        return cmocka_run_group_tests_name("node-role", tests, NULL, NULL);
}
