/* SPDX-License-Identifier: Apache-2.0 */
/* The node's role under random orders, reports and acknowledgements: whatever comes in whatever order, each order has its
 * one answer in its place, and the replication is told nothing that makes no sense. A failure names its seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/role.h"

enum { SEEDS = 3000, STEPS = 300, NAMES = 6 };

struct world {
        struct role *role;
        unsigned seed;
        uint64_t random;

        /* The replication, as the role has ordered it. */
        bool serving, as_master, following, joined;
        bool slaves[NAMES];

        /* The subscribers. */
        bool hold_wanted, holding, hold_told;
        unsigned results, results_due;
        bool nomaster_last;
        bool is_master_said; /* by the last IS_ event */

        /* The controller, whose replies are awaited in this order. */
        uint64_t controller;
        enum ha_order due[ROLE_ORDERS_MAX];
        unsigned n_due;
};

/* xorshift: the same everywhere, so that a seed means the same everywhere */
static unsigned pick(struct world *w, unsigned n) {
        w->random ^= w->random << 13;
        w->random ^= w->random >> 7;
        w->random ^= w->random << 17;
        return (unsigned) (w->random >> 33) % n;
}

#define CHECK(w, condition) \
        do { \
                if (!(condition)) \
                        fail_msg("seed %u: %s", (w)->seed, #condition); \
        } while (0)

static struct node_id name(unsigned i) {
        return (struct node_id) { .size = 6, .etf = { 109, 0, 0, 0, 1, (uint8_t) ('a' + i) } };
}

static int op_serve(void *userdata, bool as_master, const struct node_id *id, const char **ret_why) {
        struct world *w = userdata;

        *ret_why = "no luck";
        if (!w->serving && pick(w, 8) == 0)
                return CONFD_ERR_HA_BIND;
        if (!as_master)
                CHECK(w, w->following && w->joined && !w->serving); /* only a slave becomes a relay */
        w->serving = true;
        w->as_master = as_master;
        return 0;
}

static void op_unserve(void *userdata) {
        struct world *w = userdata;

        CHECK(w, w->serving);
        w->serving = false;
        memset(w->slaves, 0, sizeof(w->slaves));
}

static void op_drop(void *userdata, const struct node_id *id) {
        struct world *w = userdata;

        CHECK(w, w->serving);
        w->slaves[id->etf[5] - 'a'] = false;
}

static void op_follow(void *userdata, const struct node_id *id, const struct role_node *master) {
        struct world *w = userdata;

        CHECK(w, !w->following && !w->serving);
        w->following = true;
        w->joined = false;
}

static void op_unfollow(void *userdata) {
        struct world *w = userdata;

        /* A relay's slaves go before its master, unless it has become the master itself. */
        CHECK(w, !w->serving || w->as_master);
        w->following = w->joined = false;
}

static void op_reply(void *userdata, uint64_t controller, enum ha_order type, int code, const char *why) {
        struct world *w = userdata;

        CHECK(w, controller == w->controller);
        CHECK(w, w->n_due > 0 && w->due[0] == type);
        CHECK(w, code == 0 || *why);
        memmove(w->due, w->due + 1, (w->n_due - 1) * sizeof(*w->due));
        w->n_due--;
}

static bool op_event(void *userdata, const struct role_event *event) {
        struct world *w = userdata;

        CHECK(w, !w->holding);
        if (w->nomaster_last)
                CHECK(w, event->type == CONFD_HA_INFO_IS_NONE);
        w->nomaster_last = event->type == CONFD_HA_INFO_NOMASTER;
        switch (event->type) {
        case CONFD_HA_INFO_BESLAVE_RESULT:
                w->results++;
                CHECK(w, w->results <= w->results_due);
                break;
        case CONFD_HA_INFO_IS_MASTER:
                CHECK(w, !w->is_master_said);
                w->is_master_said = true;
                break;
        case CONFD_HA_INFO_IS_NONE:
                w->is_master_said = false;
                break;
        case CONFD_HA_INFO_SLAVE_ARRIVED:
        case CONFD_HA_INFO_SLAVE_DIED:
                CHECK(w, w->is_master_said);
                break;
        default:
                break;
        }
        w->holding = w->hold_wanted && pick(w, 2) == 0;
        return w->holding;
}

static void op_hold(void *userdata, bool hold) {
        struct world *w = userdata;

        CHECK(w, hold != w->hold_told);
        w->hold_told = hold;
}

static void op_changed(void *userdata) {
        struct world *w = userdata;
        enum confd_ha_status_state state = role_get_state(w->role);
        unsigned n = role_get_n_nodes(w->role);

        switch (state) {
        case CONFD_HA_STATE_NONE:
                CHECK(w, n == 0);
                CHECK(w, role_is_writable(w->role) == !role_is_joining(w->role));
                break;
        case CONFD_HA_STATE_SLAVE:
                CHECK(w, n == 1 && w->following && w->joined && !w->serving);
                CHECK(w, !role_is_writable(w->role));
                break;
        case CONFD_HA_STATE_SLAVE_RELAY:
                CHECK(w, n >= 1 && w->following && w->joined && w->serving && !w->as_master);
                CHECK(w, !role_is_writable(w->role));
                break;
        case CONFD_HA_STATE_MASTER:
                CHECK(w, !w->following && w->serving && w->as_master);
                CHECK(w, role_is_writable(w->role));
                break;
        default:
                CHECK(w, false);
        }
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

static void give_order(struct world *w) {
        struct role_order o = {
                .type = (enum ha_order) (1 + pick(w, 6)),
                .id = name(pick(w, NAMES)),
                .master_id = name(pick(w, NAMES)),
                .wait = pick(w, 2),
        };

        if (!role_may_submit(w->role))
                return;
        if (pick(w, 20) == 0) {
                o.error = CONFD_ERR_BADTYPE;
                o.why = "bad";
        }
        /* Replies may come from within the call. */
        if (o.type == HA_ORDER_BESLAVE && !o.wait)
                w->results_due++;
        else
                w->due[w->n_due++] = o.type;
        CHECK(w, role_submit(w->role, w->controller, &o) == 0);
}

/* What the replication may say in the state that it is in. */
static void make_report(struct world *w) {
        unsigned i = pick(w, NAMES);
        struct role_node node = { .id = name(i) };

        if (w->following && !w->joined) {
                if (pick(w, 3) == 0) {
                        role_join_failed(w->role, CONFD_ERR_HA_CLOSED, "why not");
                        return;
                }
                w->joined = true;
                role_joined(w->role, pick(w, 2));
        } else if (w->following && pick(w, 4) == 0) {
                role_master_lost(w->role, pick(w, 2) ? CONFD_ERR_HA_CLOSED : CONFD_ERR_HA_NOTICK);
        } else if (w->serving && !w->slaves[i]) {
                w->slaves[i] = true;
                role_slave_arrived(w->role, &node);
        } else if (w->serving) {
                w->slaves[i] = false;
                role_slave_died(w->role, &node.id);
        }
}

static void change_controller(struct world *w) {
        uint64_t old = w->controller;

        w->controller++;
        w->n_due = 0;
        role_controller_gone(w->role, old);
}

static void release(struct world *w) {
        if (!w->holding)
                return;
        w->holding = false;
        role_release(w->role);
}

static void live(struct world *w) {
        unsigned dice = pick(w, 100);

        if (dice < 45)
                give_order(w);
        else if (dice < 75)
                make_report(w);
        else if (dice < 97)
                release(w);
        else if (dice < 98)
                change_controller(w);
        else
                w->hold_wanted = !w->hold_wanted;
}

static void random_orders_keep_every_promise(void **state) {
        for (unsigned seed = 1; seed <= SEEDS; seed++) {
                struct world w = { .seed = seed, .random = seed * UINT64_C(0x9e3779b97f4a7c15), .controller = 1 };
                unsigned n = 0, slaves = 0;

                assert_int_equal(role_new(&w.role, ROLE_PHASE_MAX, &peer_ops, &w, &ops, &w), 0);
                for (unsigned i = 0; i < STEPS; i++)
                        live(&w);

                /* Everything that is owed comes once nobody holds and the join has its outcome. */
                w.hold_wanted = false;
                for (unsigned i = 0; i < 10; i++) {
                        release(&w);
                        if (w.following && !w.joined)
                                role_join_failed(w.role, CONFD_ERR_HA_CLOSED, "the end");
                }
                CHECK(&w, w.n_due == 0);
                CHECK(&w, w.results == w.results_due);
                CHECK(&w, !role_is_joining(w.role));
                CHECK(&w, !w.hold_told);

                /* And both agree on who is there. */
                for (unsigned i = 0; i < NAMES; i++)
                        slaves += w.slaves[i];
                n = role_get_n_nodes(w.role) - (w.following ? 1 : 0);
                CHECK(&w, n == (w.serving ? slaves : 0));
                role_free(w.role);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(random_orders_keep_every_promise) };

        return cmocka_run_group_tests_name("node-role-random", tests, NULL, NULL);
}
