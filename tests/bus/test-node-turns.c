/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that the node's bus and its slaves share the loop: what several writers have sent is read in few turns, however many
 * slaves have to acknowledge meanwhile, and slaves are not kept waiting for all of it. */
#include <stdio.h>

#include "harness.h"
#include "node/bus.h"
#include "node/store/transaction.h"

enum { APPLIES = 100, SLAVES = 128 };

struct commit {
        struct transaction *transaction;
        transaction_stored_fn fn;
        void *userdata;
};

struct turns {
        sd_event *event;
        struct store *store;
        struct node_bus *bus;
        sd_event_source *slaves[SLAVES];
        struct commit commits[APPLIES];
        bool started;
        size_t n_commits, n_acknowledged, in_a_row, longest, n_replies;
};

/* ---- the node, but for its bus ---- */

static void on_started(int error, const char *why, void *userdata) {
        struct turns *t = userdata;

        if (error < 0)
                fail_msg("%s", why);
        t->started = true;
}

static const char *none(void *userdata) {
        return "none";
}

static bool no(void *userdata) {
        return false;
}

static unsigned last_phase(void *userdata) {
        return 2;
}

static void no_slaves(master_slave_fn fn, void *fn_userdata, void *userdata) {
}

static int no_phase(unsigned phase, void *userdata) {
        return -EPERM;
}

static int on_acknowledgement(sd_event_source *source, void *userdata) {
        struct turns *t = userdata;

        t->n_acknowledged++;
        t->in_a_row = 0;
        return 0;
}

/* Every slave has it at once, and acknowledges when it is its turn. */
static int commit(struct transaction *transaction, transaction_stored_fn fn, void *fn_userdata, void *userdata) {
        struct turns *t = userdata;

        assert_true(t->n_commits < APPLIES);
        assert_int_equal(transaction_seal(transaction, "n1"), 0);
        t->commits[t->n_commits++] = (struct commit) { transaction_ref(transaction), fn, fn_userdata };
        t->longest = MAX(t->longest, ++t->in_a_row);
        for (size_t i = 0; i < SLAVES; i++)
                assert_true(sd_event_source_set_enabled(t->slaves[i], SD_EVENT_ONESHOT) >= 0);
        return 0;
}

static const struct node_bus_ops ops = {
        .started = on_started,
        .state = none,
        .joining = no,
        .phase = last_phase,
        .slaves = no_slaves,
        .set_phase = no_phase,
        .commit = commit,
};

#define RUN_UNTIL(f, t, condition) \
        do { \
                uint64_t _end = now_monotonic() + 2 * PATIENCE_SEC * USEC_PER_SEC; \
                while (!(condition)) { \
                        CHECK(f, now_monotonic() < _end); \
                        CHECK(f, sd_event_run((t)->event, 10000) >= 0); \
                } \
        } while (0)

static void begin(struct fixture *f, struct turns *t) {
        _cleanup_free_ char *error = NULL;

        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", f->bus_address, /* replace= */ 1), 0);
        assert_int_equal(sd_event_new(&t->event), 0);
        assert_int_equal(store_open(in_dir(f, "data"), t->event, &t->store, &error), 0);
        assert_int_equal(node_bus_new(t->event, NODE_BUS_INTERFACE, t->store, &ops, t, &t->bus, &error), 0);
        for (size_t i = 0; i < SLAVES; i++) {
                assert_int_equal(sd_event_add_defer(t->event, &t->slaves[i], on_acknowledgement, t), 0);
                assert_true(sd_event_source_set_enabled(t->slaves[i], SD_EVENT_OFF) >= 0);
        }
        RUN_UNTIL(f, t, t->started);
}

static void end(struct turns *t) {
        for (size_t i = 0; i < SLAVES; i++)
                sd_event_source_disable_unref(t->slaves[i]);
        node_bus_free(t->bus);
        store_free(t->store);
        sd_event_unref(t->event);
}

/* ---- the writers ---- */

static sd_bus *writer_new(struct fixture *f) {
        sd_bus *bus = NULL;

        assert_int_equal(sd_bus_new(&bus), 0);
        assert_true(sd_bus_set_address(bus, f->bus_address) >= 0);
        assert_true(sd_bus_set_bus_client(bus, true) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        return bus;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct turns *t = userdata;

        assert_false(sd_bus_message_is_method_error(m, NULL));
        t->n_replies++;
        return 0;
}

/* All of it waits in the node's socket when this returns: the bus handles one message after the other. */
static void send_all(sd_bus *writer, struct turns *t) {
        for (unsigned i = 0; i < APPLIES; i++) {
                char key[16];

                (void) snprintf(key, sizeof(key), "/k%u", i);
                assert_true(sd_bus_call_method_async(writer, NULL, NODE_BUS_INTERFACE, NODE_BUS_PATH, NODE_BUS_INTERFACE, "Apply",
                                                     on_reply, t, "a{ss}as", 1, key, "value", 0) >= 0);
        }
        for (int i = 0; i < 2; i++)
                assert_true(sd_bus_call_method(writer, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId",
                                               NULL, NULL, NULL) >= 0);
}

static int setup(void **state) {
        static const struct subject node = { NODE_BUS_INTERFACE, NODE_BUS_PATH, NODE_BUS_INTERFACE };

        setup_for(state, &node);
        return 0;
}

static void what_several_writers_have_sent_is_read_while_slaves_acknowledge(void **state) {
        struct fixture *f = *state;
        struct turns t = {};
        sd_bus *writer = writer_new(f);
        uint64_t deadline;

        begin(f, &t);
        send_all(writer, &t);
        RUN_UNTIL(f, &t, t.n_commits == APPLIES);
        print_message("# %zu acknowledgements, and %zu orders at most between two of them\n", t.n_acknowledged, t.longest);
        /* Each time that a slave had its turn all others had theirs: one Apply for each of these would be 100 rounds. */
        CHECK(f, t.n_acknowledged <= (size_t) SLAVES * APPLIES / 8);
        /* They need not wait for all that writers send. */
        CHECK(f, t.longest <= 2 * BUS_MESSAGES_A_TURN && t.n_acknowledged >= SLAVES);

        for (size_t i = 0; i < APPLIES; i++) {
                t.commits[i].fn(0, t.commits[i].transaction, t.commits[i].userdata);
                transaction_unref(t.commits[i].transaction);
        }
        deadline = now_monotonic() + 2 * PATIENCE_SEC * USEC_PER_SEC;
        while (t.n_replies < APPLIES) {
                CHECK(f, now_monotonic() < deadline);
                CHECK(f, sd_event_run(t.event, 1000) >= 0);
                while (sd_bus_process(writer, NULL) > 0)
                        ;
        }
        sd_bus_flush_close_unref(writer);
        end(&t);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_several_writers_have_sent_is_read_while_slaves_acknowledge, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-turns", tests, NULL, NULL);
}
