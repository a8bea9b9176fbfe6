/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that the service's state turns what ConfD says into the right properties and signals, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/bus-errors.h"
#include "service/state.h"

#define T0 UINT64_C(1000000)

struct world {
        struct state *s;
        uint64_t stamp;
        uint64_t monotonic, realtime;
        char *told; /* the signals of the last step, as text */
        unsigned changed;
};

static struct world *world_new(void) {
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        w->monotonic = w->realtime = T0;
        assert_int_equal(state_new(&w->s, "127.0.0.1:4565", "", w->realtime), 0);
        return w;
}

static void world_free(struct world *w) {
        state_free(w->s);
        free(w->told);
        free(w);
}

/* Everything that is emitted now, as "name(arguments) name(arguments)". */
static const char *take(struct world *w) {
        static const char *const names[] = { "lost", "died", "arrived", "initialized", "state", "result" };
        struct signal_list l;
        size_t size;
        FILE *f;

        free(w->told);
        w->told = NULL;
        f = open_memstream(&w->told, &size);
        assert_non_null(f);
        w->changed = state_take(w->s, &l);
        for (size_t i = 0; i < l.n; i++) {
                const struct signal *g = &l.items[i];
                const char *last = g->kind == SIGNAL_STATE_CHANGED ? g->args[2] : NULL;

                fprintf(f, "%s%s(", i > 0 ? " " : "", names[g->kind]);
                switch (g->kind) {
                case SIGNAL_SLAVE_INITIALIZED:
                        fprintf(f, "%s", g->by_copy ? "copy" : "same");
                        break;
                case SIGNAL_STATE_CHANGED:
                        fprintf(f, "%s,%s,%s", g->args[0], g->args[1], last);
                        break;
                case SIGNAL_SLAVE_DIED:
                case SIGNAL_SLAVE_ARRIVED:
                        fprintf(f, "%s,%s", g->args[0], g->args[1]);
                        break;
                default:
                        fprintf(f, "%s", strrchr(g->args[0], '.') ? strrchr(g->args[0], '.') + 1 : g->args[0]);
                }
                fprintf(f, ")");
        }
        fclose(f);
        signal_list_done(&l);
        return w->told;
}

struct ask {
        bool under_order, synchronizing;
        uint64_t covers; /* 0: everything so far */
};

#define NODES(...) ((const struct node[]) { __VA_ARGS__ }), sizeof((const struct node[]) { __VA_ARGS__ }) / sizeof(struct node)
#define NOBODY NULL, 0

static const char *status(struct world *w, enum ha_state state, const struct node *nodes, size_t n, struct ask ask) {
        struct node_list *l = node_list_new(nodes, n);

        assert_non_null(l);
        w->monotonic += 1000;
        w->realtime += 1000;
        assert_int_equal(state_status(w->s, &(struct status_reading) {
                                                    .covers = ask.covers ?: w->stamp,
                                                    .state = state,
                                                    .nodes = l,
                                                    .under_order = ask.under_order,
                                                    .synchronizing = ask.synchronizing,
                                                    .monotonic = w->monotonic,
                                                    .realtime = w->realtime,
                                            }), 0);
        node_list_free(l);
        return take(w);
}

static void event(struct world *w, enum signal_kind kind, const char *a, const char *b, bool copy) {
        state_event(w->s, ++w->stamp, kind, a, b, copy);
}

static void master_lost(struct world *w) {
        event(w, SIGNAL_MASTER_LOST, ERROR_NO_TICK, "no ticks", false);
}

/* Connected, with events, and in this role. */
static struct world *in_role(enum ha_state state, const struct node *nodes, size_t n) {
        struct world *w = world_new();

        assert_int_equal(state_set_confd(w->s, NULL, "8.2.5", 82), 0);
        state_connected(w->s);
        state_events_up(w->s, ++w->stamp);
        (void) status(w, state, nodes, n, (struct ask) {});
        return w;
}

static void at_first_all_is_there(void **unused) {
        struct world *w = world_new();

        assert_string_equal(ha_state_to_string(w->s->state), "unknown");
        assert_int_equal(w->s->since, T0);
        assert_int_equal(w->s->transitions, 0);
        assert_string_equal(w->s->confd_address, "127.0.0.1:4565");
        assert_string_equal(w->s->error_name, "");
        assert_string_equal(take(w), "");
        assert_int_equal(w->changed, 0);
        world_free(w);
}

static void the_first_status_connects(void **unused) {
        struct world *w = world_new();

        state_connected(w->s);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "10.0.0.2" }), (struct ask) {}),
                            "state(unknown,master,connected)");
        assert_int_equal(w->s->transitions, 1);
        assert_int_equal(w->s->since, w->realtime);
        assert_int_equal(node_list_size(w->s->slaves), 1);
        assert_true(w->changed & CHANGED_SLAVES);
        assert_true(w->changed & CHANGED_CONNECTED);
        world_free(w);
}

static void each_role_shows_its_peers(void **unused) {
        struct world *w = in_role(HA_STATE_SLAVE, NODES({ "n1", "10.0.0.1" }));

        assert_string_equal(w->s->master_id, "n1");
        assert_string_equal(w->s->master_address, "10.0.0.1");
        assert_int_equal(node_list_size(w->s->slaves), 0);
        (void) status(w, HA_STATE_SLAVE_RELAY, NODES({ "n1", "10.0.0.1" }, { "n3", "10.0.0.3" }), (struct ask) {});
        assert_string_equal(w->s->master_id, "n1");
        assert_int_equal(node_list_size(w->s->slaves), 1);
        assert_string_equal(w->s->slaves->nodes[0].id, "n3");
        (void) status(w, HA_STATE_MASTER, NODES({ "n3", "10.0.0.3" }, { "n4", "10.0.0.4" }), (struct ask) {});
        assert_string_equal(w->s->master_id, "");
        assert_int_equal(node_list_size(w->s->slaves), 2);
        (void) status(w, HA_STATE_NONE, NOBODY, (struct ask) {});
        assert_int_equal(node_list_size(w->s->slaves), 0);
        /* A slave without a master in its list is odd, but no reason to fall over. */
        (void) status(w, HA_STATE_SLAVE, NOBODY, (struct ask) {});
        assert_string_equal(w->s->master_id, "");
        (void) status(w, HA_STATE_SLAVE_RELAY, NOBODY, (struct ask) {});
        assert_int_equal(node_list_size(w->s->slaves), 0);
        world_free(w);
}

static void nothing_new_emits_nothing(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NODES({ "n2", "10.0.0.2" }));

        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "10.0.0.2" }), (struct ask) {}), "");
        assert_int_equal(w->changed, 0);
        world_free(w);
}

static void reasons(void **unused) {
        struct world *w = in_role(HA_STATE_NONE, NOBODY);

        assert_string_equal(status(w, HA_STATE_MASTER, NOBODY, (struct ask) { .under_order = true }), "state(none,master,order)");
        assert_string_equal(status(w, HA_STATE_SLAVE, NODES({ "n1", "a" }), (struct ask) {}), "state(master,slave,external)");
        master_lost(w);
        assert_string_equal(status(w, HA_STATE_NONE, NOBODY, (struct ask) {}), "lost(NoTick) state(slave,none,master-lost)");
        assert_string_equal(w->s->error_name, ERROR_NO_TICK);
        assert_string_equal(w->s->error_message, "no ticks");
        state_disconnected(w->s, false, ++w->realtime);
        assert_string_equal(take(w), "state(none,unknown,disconnected)");
        assert_int_equal(w->s->transitions, 5);
        assert_int_equal(w->s->since, w->realtime);
        /* Down is down. */
        state_disconnected(w->s, false, ++w->realtime);
        assert_string_equal(take(w), "");
        assert_int_equal(w->s->transitions, 5);
        world_free(w);
}

static void an_order_gives_the_reason_even_if_the_master_is_lost(void **unused) {
        struct world *w = in_role(HA_STATE_SLAVE, NODES({ "n1", "a" }));

        master_lost(w);
        assert_string_equal(status(w, HA_STATE_NONE, NOBODY, (struct ask) { .under_order = true }),
                            "lost(NoTick) state(slave,none,order)");
        world_free(w);
}

static void events_wait_for_a_status_that_covers_them(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NOBODY);

        event(w, SIGNAL_SLAVE_ARRIVED, "n2", "10.0.0.2", false);
        assert_string_equal(take(w), "");
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "10.0.0.2" }), (struct ask) { .covers = w->stamp - 1 }), "");
        assert_true(w->changed & CHANGED_SLAVES);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "10.0.0.2" }), (struct ask) {}), "arrived(n2,10.0.0.2)");
        world_free(w);
}

static void signals_come_in_the_order_of_the_table(void **unused) {
        struct world *w = in_role(HA_STATE_SLAVE, NODES({ "n1", "a" }));
        const struct order_outcome outcome = { .beslave = true, .error_name = ERROR_CLOSED, .error_message = "m" };

        event(w, SIGNAL_SLAVE_INITIALIZED, NULL, NULL, true);
        event(w, SIGNAL_SLAVE_ARRIVED, "n4", "d", false);
        event(w, SIGNAL_SLAVE_DIED, "n3", "c", false);
        assert_int_equal(state_outcome(w->s, ++w->stamp, &outcome), 0);
        assert_string_equal(status(w, HA_STATE_NONE, NOBODY, (struct ask) { .under_order = true }),
                            "died(n3,c) arrived(n4,d) initialized(copy) died(n4,d) state(slave,none,order) result(Closed)");
        world_free(w);
}

static void what_contradicts_keeps_its_order(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NOBODY);

        event(w, SIGNAL_SLAVE_ARRIVED, "n2", "b", false);
        event(w, SIGNAL_SLAVE_DIED, "n2", "b", false);
        event(w, SIGNAL_SLAVE_ARRIVED, "n2", "b", false);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {}),
                            "arrived(n2,b) died(n2,b) arrived(n2,b)");
        /* A join under a connected slave's id. */
        event(w, SIGNAL_SLAVE_DIED, "n2", "b", false);
        event(w, SIGNAL_SLAVE_ARRIVED, "n2", "b", false);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {}), "died(n2,b) arrived(n2,b)");
        world_free(w);
}

static void no_differences_while_events_come(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NODES({ "n2", "b" }));

        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n3", "c" }), (struct ask) {}), "");
        assert_true(w->changed & CHANGED_SLAVES);
        world_free(w);
}

static void differences_take_the_place_of_missed_events(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NODES({ "n2", "b" }, { "n3", "c" }));

        state_events_down(w->s);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n3", "c" }, { "n4", "d" }), (struct ask) {}),
                            "died(n2,b) arrived(n4,d)");
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n3", "c" }, { "n4", "d" }), (struct ask) {}), "");
        /* Up again: the next status may still show what was missed, the one after may not. */
        state_events_up(w->s, ++w->stamp);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n3", "c" }), (struct ask) { .covers = w->stamp - 1 }),
                            "died(n4,d)");
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n3", "c" }, { "n5", "e" }), (struct ask) {}), "arrived(n5,e)");
        assert_string_equal(status(w, HA_STATE_MASTER, NOBODY, (struct ask) {}), "");
        world_free(w);
}

#define none_now(w) (struct status_reading) { .covers = (w)->stamp, .state = HA_STATE_NONE, .monotonic = 1, .realtime = 1 }

/* Whoever counts arrivals and deaths has the slaves at any time. */
static void who_arrived_and_is_not_there_is_gone_again(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NODES({ "n2", "b" }));

        event(w, SIGNAL_SLAVE_ARRIVED, "n3", "c", false);
        event(w, SIGNAL_SLAVE_ARRIVED, "n4", "d", false);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "b" }, { "n4", "d" }), (struct ask) {}),
                            "arrived(n3,c) arrived(n4,d) died(n3,c)");
        /* Its own word of it is late then. */
        event(w, SIGNAL_SLAVE_DIED, "n3", "c", false);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "b" }, { "n4", "d" }), (struct ask) {}), "");
        /* One that says so itself says it once. */
        event(w, SIGNAL_SLAVE_ARRIVED, "n5", "e", false);
        event(w, SIGNAL_SLAVE_DIED, "n5", "e", false);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "b" }, { "n4", "d" }), (struct ask) {}),
                            "arrived(n5,e) died(n5,e)");
        world_free(w);
}

/* As when ConfD takes a name and loses its role before the status shows it. */
static void what_has_changed_back_is_no_news(void **unused) {
        struct world *w = in_role(HA_STATE_NONE, NOBODY);
        struct order_outcome o = { .node_id = "n1" };

        assert_int_equal(state_outcome(w->s, ++w->stamp, &o), 0);
        assert_string_equal(status(w, HA_STATE_NONE, NOBODY, (struct ask) {}), "");
        assert_int_equal(w->changed, 0);
        assert_int_equal(state_outcome(w->s, ++w->stamp, &o), 0);
        (void) status(w, HA_STATE_MASTER, NOBODY, (struct ask) {});
        assert_true(w->changed & CHANGED_NODE_ID);
        state_set_synchronizing(w->s, true);
        state_set_synchronizing(w->s, false);
        (void) take(w);
        assert_int_equal(w->changed, 0);
        world_free(w);
}

static void a_lost_master_is_named_to_the_journal(void **unused) {
        struct world *w = in_role(HA_STATE_SLAVE, NODES({ "n1", "a" }));
        struct signal_list l;

        master_lost(w);
        assert_int_equal(state_status(w->s, &none_now(w)), 0);
        (void) state_take(w->s, &l);
        assert_int_equal(l.items[0].kind, SIGNAL_MASTER_LOST);
        assert_string_equal(l.items[0].master_id, "n1");
        assert_string_equal(l.items[0].master_address, "a");
        assert_string_equal(l.items[1].master_id, "");
        signal_list_done(&l);
        world_free(w);

        /* Also when it went while nobody was connected. */
        w = in_role(HA_STATE_SLAVE, NODES({ "n1", "a" }));
        state_events_down(w->s);
        state_disconnected(w->s, false, 1);
        (void) take(w);
        assert_int_equal(state_status(w->s, &none_now(w)), 0);
        (void) state_take(w->s, &l);
        assert_int_equal(l.items[0].kind, SIGNAL_MASTER_LOST);
        assert_string_equal(l.items[0].master_id, "n1");
        signal_list_done(&l);
        world_free(w);
}

static void differences_over_a_disconnection(void **unused) {
        struct world *w = in_role(HA_STATE_SLAVE, NODES({ "n1", "a" }));

        state_events_down(w->s);
        state_disconnected(w->s, false, ++w->realtime);
        (void) take(w);
        assert_string_equal(w->s->master_id, "");
        state_connected(w->s);
        assert_string_equal(status(w, HA_STATE_NONE, NOBODY, (struct ask) {}), "lost(Closed) state(unknown,none,connected)");
        assert_string_equal(w->s->error_name, ERROR_CLOSED);
        assert_string_equal(status(w, HA_STATE_NONE, NOBODY, (struct ask) {}), "");
        world_free(w);
}

static void an_order_that_ends_the_role_loses_no_master(void **unused) {
        struct world *w = in_role(HA_STATE_SLAVE, NODES({ "n1", "a" }));

        state_events_down(w->s);
        assert_string_equal(status(w, HA_STATE_NONE, NOBODY, (struct ask) { .under_order = true }), "state(slave,none,order)");
        world_free(w);
}

static void a_master_that_leaves_reports_no_deaths(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NODES({ "n2", "b" }));

        state_events_down(w->s);
        assert_string_equal(status(w, HA_STATE_NONE, NOBODY, (struct ask) {}), "state(master,none,external)");
        assert_string_equal(status(w, HA_STATE_SLAVE, NODES({ "n1", "a" }), (struct ask) {}),
                            "initialized(copy) state(none,slave,external)");
        /* Once, and once more for another master; to be a relay needs no new data. */
        assert_string_equal(status(w, HA_STATE_SLAVE, NODES({ "n1", "a" }), (struct ask) {}), "");
        assert_string_equal(status(w, HA_STATE_SLAVE_RELAY, NODES({ "n1", "a" }), (struct ask) {}),
                            "state(slave,slave-relay,external)");
        assert_string_equal(status(w, HA_STATE_SLAVE, NODES({ "n9", "i" }), (struct ask) {}),
                            "initialized(copy) state(slave-relay,slave,external)");
        world_free(w);
}

static void a_late_event_is_swallowed_once(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NOBODY);

        state_events_down(w->s);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {}), "arrived(n2,b)");
        state_events_up(w->s, ++w->stamp);
        (void) status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {});
        event(w, SIGNAL_SLAVE_ARRIVED, "n2", "b", false);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {}), "");
        event(w, SIGNAL_SLAVE_ARRIVED, "n2", "b", false);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {}), "arrived(n2,b)");
        world_free(w);
}

static void a_late_event_is_late_for_a_moment_only(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NOBODY);

        state_events_down(w->s);
        (void) status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {});
        state_events_up(w->s, ++w->stamp);
        (void) status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {});
        w->monotonic += STATE_LATE_USEC + 1;
        event(w, SIGNAL_SLAVE_ARRIVED, "n2", "b", false);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {}), "arrived(n2,b)");
        world_free(w);
}

static void the_opposite_ends_the_waiting_for_a_late_event(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NOBODY);

        state_events_down(w->s);
        (void) status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {});
        state_events_up(w->s, ++w->stamp);
        (void) status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {});
        event(w, SIGNAL_SLAVE_DIED, "n2", "b", false);
        event(w, SIGNAL_SLAVE_ARRIVED, "n2", "b", false);
        assert_string_equal(status(w, HA_STATE_MASTER, NODES({ "n2", "b" }), (struct ask) {}), "died(n2,b) arrived(n2,b)");
        world_free(w);
}

static void too_many_events_become_differences(void **unused) {
        struct world *w = in_role(HA_STATE_MASTER, NOBODY);
        char id[16];

        for (int i = 0; i <= STATE_PENDING_MAX; i++) {
                snprintf(id, sizeof(id), "n%d", i);
                event(w, SIGNAL_SLAVE_ARRIVED, id, "a", false);
        }
        assert_int_equal(w->s->pending.n, STATE_PENDING_MAX);
        snprintf(id, sizeof(id), "n%d", STATE_PENDING_MAX);
        (void) status(w, HA_STATE_MASTER, NODES({ id, "a" }), (struct ask) {});
        /* The last one was told by the difference, and none of them twice. */
        assert_non_null(strstr(w->told, "arrived(n1023,a) arrived(n1024,a)"));
        assert_int_equal(w->s->pending.n, 0);
        world_free(w);
}

static void node_id_follows_orders(void **unused) {
        struct world *w = in_role(HA_STATE_NONE, NOBODY);
        struct order_outcome master = { .node_id = "n1" };

        assert_int_equal(state_outcome(w->s, ++w->stamp, &master), 0);
        (void) status(w, HA_STATE_MASTER, NOBODY, (struct ask) { .under_order = true });
        assert_string_equal(w->s->node_id, "n1");
        assert_true(w->changed & CHANGED_NODE_ID);
        /* Joining: none, but under a running BeSlave. */
        (void) status(w, HA_STATE_NONE, NOBODY, (struct ask) { .under_order = true, .synchronizing = true });
        assert_string_equal(w->s->node_id, "n1");
        assert_true(w->s->synchronizing);
        (void) status(w, HA_STATE_NONE, NOBODY, (struct ask) {});
        assert_string_equal(w->s->node_id, "");
        assert_false(w->s->synchronizing);
        world_free(w);
}

static void node_id_outlives_a_disconnection(void **unused) {
        struct world *w = world_new();

        state_free(w->s);
        assert_int_equal(state_new(&w->s, "a", "n7", T0), 0);
        assert_string_equal(w->s->node_id, "n7");
        (void) status(w, HA_STATE_MASTER, NOBODY, (struct ask) {});
        assert_string_equal(w->s->node_id, "n7");
        state_disconnected(w->s, false, ++w->realtime);
        assert_string_equal(w->s->node_id, "n7");
        /* ConfD came back and knows of nothing. */
        (void) status(w, HA_STATE_NONE, NOBODY, (struct ask) {});
        assert_string_equal(w->s->node_id, "");
        world_free(w);
}

static void the_master_has_the_address_that_was_ordered(void **unused) {
        struct world *w = in_role(HA_STATE_NONE, NOBODY);
        struct order_outcome o = { .beslave = true, .node_id = "n2", .master_id = "n1", .master_address = "192.0.2.1" };

        assert_int_equal(state_outcome(w->s, ++w->stamp, &o), 0);
        assert_string_equal(status(w, HA_STATE_SLAVE, NODES({ "n1", "10.0.0.1" }), (struct ask) { .under_order = true }),
                            "state(none,slave,order) result()");
        assert_string_equal(w->s->master_address, "192.0.2.1");
        assert_string_equal(w->s->node_id, "n2");
        /* Another master was not ordered by us. */
        (void) status(w, HA_STATE_SLAVE, NODES({ "n9", "10.0.0.9" }), (struct ask) {});
        assert_string_equal(w->s->master_address, "10.0.0.9");
        world_free(w);
}

static void last_error(void **unused) {
        struct world *w = in_role(HA_STATE_NONE, NOBODY);
        struct order_outcome o = { .error_kind = ERROR_KIND_ORDER, .error_name = ERROR_BIND, .error_message = "taken" };

        assert_int_equal(state_outcome(w->s, ++w->stamp, &o), 0);
        assert_string_equal(w->s->error_name, "");
        (void) status(w, HA_STATE_NONE, NOBODY, (struct ask) {});
        assert_string_equal(w->s->error_name, ERROR_BIND);
        assert_int_equal(w->s->error_time, w->realtime);
        /* An order's error stays when a connection comes up, a connection's does not. */
        state_connected(w->s);
        assert_string_equal(w->s->error_name, ERROR_BIND);
        state_set_error(w->s, ERROR_KIND_CONNECTION, ERROR_NOT_CONNECTED, "refused", 5);
        assert_int_equal(w->s->error_time, 5);
        state_events_up(w->s, ++w->stamp);
        assert_string_equal(w->s->error_name, ERROR_NOT_CONNECTED);
        state_connected(w->s);
        assert_string_equal(w->s->error_name, "");
        assert_string_equal(w->s->error_message, "");
        assert_int_equal(w->s->error_time, 0);
        world_free(w);
}

static void outcomes_without_a_status(void **unused) {
        struct world *w = in_role(HA_STATE_NONE, NOBODY);
        struct order_outcome later = { .beslave = true, .node_id = "n2" };
        struct order_outcome now = { .beslave = true, .error_kind = ERROR_KIND_ORDER, .error_name = ERROR_SUPERSEDED };

        /* What ConfD said waits for its status, though it came first. */
        assert_int_equal(state_outcome(w->s, ++w->stamp, &later), 0);
        assert_int_equal(state_outcome(w->s, 0, &now), 0);
        assert_int_equal(state_outcomes_now(w->s, 0, true, w->realtime), 0);
        assert_string_equal(take(w), "result(Superseded)");
        assert_string_equal(w->s->error_name, ERROR_SUPERSEDED);
        assert_string_equal(status(w, HA_STATE_SLAVE, NODES({ "n1", "a" }), (struct ask) { .under_order = true }),
                            "state(none,slave,order) result()");
        /* When the connection goes, nothing waits any more. */
        assert_int_equal(state_outcome(w->s, ++w->stamp, &later), 0);
        state_disconnected(w->s, false, ++w->realtime);
        assert_string_equal(take(w), "state(slave,unknown,disconnected) result()");
        world_free(w);
}

static void confd_is_described_while_connected(void **unused) {
        struct world *w = in_role(HA_STATE_NONE, NOBODY);

        assert_string_equal(w->s->confd_version, "8.2.5");
        assert_int_equal(w->s->protocol_version, 82);
        state_disconnected(w->s, false, 1);
        (void) take(w);
        assert_true(w->changed & CHANGED_CONFD_VERSION);
        assert_true(w->changed & CHANGED_CONNECTED);
        assert_string_equal(w->s->confd_version, "");
        assert_int_equal(w->s->protocol_version, 0);
        world_free(w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(at_first_all_is_there),
                cmocka_unit_test(the_first_status_connects),
                cmocka_unit_test(each_role_shows_its_peers),
                cmocka_unit_test(nothing_new_emits_nothing),
                cmocka_unit_test(reasons),
                cmocka_unit_test(an_order_gives_the_reason_even_if_the_master_is_lost),
                cmocka_unit_test(events_wait_for_a_status_that_covers_them),
                cmocka_unit_test(signals_come_in_the_order_of_the_table),
                cmocka_unit_test(what_contradicts_keeps_its_order),
                cmocka_unit_test(no_differences_while_events_come),
                cmocka_unit_test(differences_take_the_place_of_missed_events),
                cmocka_unit_test(who_arrived_and_is_not_there_is_gone_again),
                cmocka_unit_test(what_has_changed_back_is_no_news),
                cmocka_unit_test(a_lost_master_is_named_to_the_journal),
                cmocka_unit_test(differences_over_a_disconnection),
                cmocka_unit_test(an_order_that_ends_the_role_loses_no_master),
                cmocka_unit_test(a_master_that_leaves_reports_no_deaths),
                cmocka_unit_test(a_late_event_is_swallowed_once),
                cmocka_unit_test(a_late_event_is_late_for_a_moment_only),
                cmocka_unit_test(the_opposite_ends_the_waiting_for_a_late_event),
                cmocka_unit_test(too_many_events_become_differences),
                cmocka_unit_test(node_id_follows_orders),
                cmocka_unit_test(node_id_outlives_a_disconnection),
                cmocka_unit_test(the_master_has_the_address_that_was_ordered),
                cmocka_unit_test(last_error),
                cmocka_unit_test(outcomes_without_a_status),
                cmocka_unit_test(confd_is_described_while_connected),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
