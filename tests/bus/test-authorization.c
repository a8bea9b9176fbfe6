/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof of who may give orders: asked of polkit about the right caller, action and details, and failing closed. */
#include "harness.h"

#define ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define INTERACTIVE_REQUIRED "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"

/* Someone who needs polkit, if the tests may play others at all. */
static struct client *somebody(struct fixture *f, enum polkit_answer answer) {
        if (geteuid() != 0)
                skip();
        polkit_start(f, answer);
        return client_new(f, NOBODY);
}

enum { ORDERS = 7 };

static struct call *give_order(struct client *c, int i) {
        switch (i) {
        case 0:
                return call_start(c, "BeMaster", "s", "n1");
        case 1:
                return call_start(c, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        case 2:
                return call_start(c, "BeRelay", "");
        case 3:
                return call_start(c, "BeNone", "");
        case 4:
                return call_start(c, "SlaveDead", "s", "n3");
        case 5:
                return call_start(c, "Inhibit", "ss", "somebody", "for a test");
        default:
                return call_start(c, "Reload", "");
        }
}

static void each_method_has_its_action_and_details(void **state) {
        static const struct {
                const char *action, *details[3];
        } table[] = {
                { "be-master", { "'node_id': 'n1'" } },
                { "be-slave", { "'node_id': 'n2'", "'master_id': 'n1'", "'master_address': '10.0.0.1'" } },
                { "be-relay", {} },
                { "be-none", {} },
                { "slave-dead", { "'node_id': 'n3'" } },
                { "inhibit", {} },
                { "reload", {} },
        };
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_YES);
        const char *name, *line;

        CHECK(f, sd_bus_get_unique_name(c->bus, &name) >= 0);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                size_t n = 0;

                WAIT_CALL_OK(f, give_order(c, (int) i));
                line = EXPECT(f, &f->polkit.trace,
                              kept(f, "check ('system-bus-name' {'name': '%s'}) 'org.confd.HA.%s' {*} 0 '*'", name,
                                   table[i].action));
                for (; n < 3 && table[i].details[n]; n++)
                        CHECK(f, strstr(line, table[i].details[n]));
                if (n == 0)
                        CHECK(f, strstr(line, " {} 0 "));
        }
        /* Nothing is remembered: each order is asked about. */
        WAIT_CALL_OK(f, give_order(c, 0));
        CHECK(f, trace_count(&f->polkit.trace, "check *") == ELEMENTSOF(table) + 1);
        /* To take over is to be master. */
        CALL_OK_AS(f, c, "TakeOver", "ss", "n1", "");
        EXPECT(f, &f->polkit.trace, "check * 'org.confd.HA.be-master' {'node_id': 'n1'} 0 '*'");
        EXPECT(f, &f->polkit.trace, "check * 'org.confd.HA.be-master' {'node_id': 'n1'} 0 '*'");
}

static void refused_by(struct fixture *f, struct client *c, const char *error) {
        size_t before = sim_count(f, "{order,{4}}");

        for (int i = 0; i < ORDERS; i++)
                WAIT_CALL_FAILS(f, give_order(c, i), error);
        CALL_FAILS_AS(f, c, error, "TakeOver", "ss", "n1", "");
        CHECK(f, sim_count(f, "{order,*") == before);
        CHECK_PROPERTY(f, "LastError", "('' '' 0)");
}

static void no_is_a_denial(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_NO);

        refused_by(f, c, ACCESS_DENIED);
}

static void failing_is_a_denial(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_ERROR);

        refused_by(f, c, ACCESS_DENIED);
}

static void nonsense_is_a_denial(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_GARBAGE);

        refused_by(f, c, ACCESS_DENIED);
}

static void without_polkit_all_are_denied(void **state) {
        struct fixture *f = *state;

        if (geteuid() != 0)
                skip();
        refused_by(f, client_new(f, NOBODY), ACCESS_DENIED);
}

static void a_challenge_needs_the_flag(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_CHALLENGE);

        refused_by(f, c, INTERACTIVE_REQUIRED);
        WAIT_CALL_OK(f, call_start_interactive(c, "BeMaster", "s", "n1"));
        EXPECT(f, &f->polkit.trace, "check * 'org.confd.HA.be-master' {'node_id': 'n1'} 1 '*'");
}

static void the_flag_does_not_help_against_no(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_NO);

        WAIT_CALL_FAILS(f, call_start_interactive(c, "BeMaster", "s", "n1"), ACCESS_DENIED);
}

static void root_needs_no_polkit(void **state) {
        struct fixture *f = *state;

        if (geteuid() != 0)
                skip();
        polkit_start(f, POLKIT_NO);
        for (int i = 0; i < ORDERS; i++)
                WAIT_CALL_OK(f, give_order(f->root, i));
        CHECK(f, f->polkit.trace.n == 0);
}

static void the_services_own_user_needs_none_either(void **state) {
        struct fixture *f = *state;

        if (geteuid() != 0)
                skip();
        f->service_uid = NOBODY;
        (void) write_file(f, "token", "the token\n");
        CHECK(f, chown(f->config, NOBODY, NOBODY) == 0);
        service_start(f);
        service_wait_connected(f);
        polkit_start(f, POLKIT_NO);
        CALL_OK_AS(f, client_new(f, NOBODY), "BeMaster", "s", "n1");
        CALL_OK(f, "BeMaster", "s", "n2");
        CHECK(f, f->polkit.trace.n == 0);
        CALL_FAILS_AS(f, client_new(f, OTHER_USER), ACCESS_DENIED, "BeMaster", "s", "n3");
        CHECK(f, trace_count(&f->polkit.trace, "check *") == 1);
}

static void reading_needs_nothing(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_NO);

        CHECK_TEXT(f, CALL_OK_AS(f, c, "Status", ""), "'none' []");
        CHECK_TEXT(f, WAIT_CALL_OK(f, call_start_member(c, HAD_PATH, "org.freedesktop.DBus.Properties", "Get", "ss",
                                                        HAD_INTERFACE, "State")),
                   "'none'");
        CHECK(f, f->polkit.trace.n == 0);
}

static void arguments_come_first(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_NO);

        CALL_FAILS_AS(f, c, "org.freedesktop.DBus.Error.InvalidArgs", "BeMaster", "s", "");
        CALL_FAILS_AS(f, c, "org.freedesktop.DBus.Error.InvalidArgs", "BeSlave", "sssb", "n2", "n1", "here", true);
        CHECK(f, f->polkit.trace.n == 0);
}

static void a_slow_answer_delays_its_caller_alone(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_HOLD);
        struct call *call = give_order(c, 0);

        EXPECT(f, &f->polkit.trace, "check *");
        CALL_OK(f, "BeMaster", "s", "mine");
        CALL_OK_AS(f, c, "Status", "");
        CHECK(f, !call->done);
        polkit_release(&f->polkit, POLKIT_YES);
        WAIT_CALL_OK(f, call);
        CHECK_PROPERTY(f, "NodeId", "'n1'");
}

/* The deadline of an order starts after its authorization. */
static void time_to_authenticate_is_not_the_orders(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_HOLD);
        struct call *call;

        configure(f, "[ConfD]\nRequestTimeoutSec=0.5\n");
        service_start(f);
        service_wait_connected(f);
        call = call_start_interactive(c, "BeMaster", "s", "n1");
        EXPECT(f, &f->polkit.trace, "check *");
        idle(f, 1);
        CHECK(f, !call->done);
        polkit_release(&f->polkit, POLKIT_YES);
        WAIT_CALL_OK(f, call);
}

static void a_caller_gone_before_its_authorization(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_HOLD);

        /* With the flag, so that no deadline of seconds ends it instead. */
        (void) call_start_interactive(c, "BeMaster", "s", "n1");
        EXPECT(f, &f->polkit.trace, "check *");
        client_leave(c);
        EXPECT(f, &f->polkit.trace, "cancel '*'");
        polkit_release(&f->polkit, POLKIT_YES);
        barrier(f, f->root);
        CALL_OK(f, "SlaveDead", "s", "n2");
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
}

static void polkit_goes_while_asked(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_HOLD);
        struct call *call = give_order(c, 0);

        EXPECT(f, &f->polkit.trace, "check *");
        polkit_stop(&f->polkit);
        WAIT_CALL_FAILS(f, call, ACCESS_DENIED);
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
}

/* A polkit that does not answer in time is a denial. */
static void a_silent_polkit_is_a_denial(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_HOLD);
        struct call *call = give_order(c, 0);

        WAIT_FOR_SEC(f, 60, call->done);
        CHECK(f, call->error);
        CHECK_TEXT(f, call->error, "org.freedesktop.DBus.Error.AccessDenied");
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
}

static void what_is_authorized_is_what_is_ordered(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_HOLD);
        struct call *a = call_start(c, "BeMaster", "s", "a"), *b = call_start(c, "BeMaster", "s", "b");

        EXPECT(f, &f->polkit.trace, "check * {'node_id': 'a'} *");
        EXPECT(f, &f->polkit.trace, "check * {'node_id': 'b'} *");
        polkit_release(&f->polkit, POLKIT_YES);
        WAIT_CALL_OK(f, a);
        WAIT_CALL_OK(f, b);
        SIM_EXPECT(f, "{order,{1,<<\"a\">>}}");
        SIM_EXPECT(f, "{order,{1,<<\"b\">>}}");
}

/* Who is denied ends no other's BeSlave. */
static void denied_orders_supersede_nothing(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_NO);
        struct call *call;

        sim(f, "{set,sync,manual}");
        call = give_order(f->root, 1);
        SIM_EXPECT(f, "{order,{2,*");
        WAIT_CALL_FAILS(f, give_order(c, 0), ACCESS_DENIED);
        WAIT_CALL_FAILS(f, give_order(c, 3), ACCESS_DENIED);
        WAIT_CALL_FAILS(f, give_order(c, 1), ACCESS_DENIED);
        CHECK(f, !call->done);
        sim(f, "{joined,1}");
        WAIT_CALL_OK(f, call);
}

static void a_flood_of_the_unauthorized(void **state) {
        struct fixture *f = *state;
        struct client *c = somebody(f, POLKIT_HOLD);
        struct call *calls[400];
        size_t open = 0;

        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                calls[i] = give_order(c, 0);
        barrier(f, c);
        barrier(f, f->root);
        CALL_OK(f, "BeMaster", "s", "mine");
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                if (calls[i]->done)
                        CHECK_TEXT(f, calls[i]->error, "org.freedesktop.DBus.Error.LimitsExceeded");
                else
                        open++;
        /* What one sender may keep waiting is limited here too. */
        CHECK(f, open == 16);
        polkit_release(&f->polkit, POLKIT_NO);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                WAIT_FOR(f, calls[i]->done);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                BUS_TEST(each_method_has_its_action_and_details),
                BUS_TEST(no_is_a_denial),
                BUS_TEST(failing_is_a_denial),
                BUS_TEST(nonsense_is_a_denial),
                BUS_TEST(without_polkit_all_are_denied),
                BUS_TEST(a_challenge_needs_the_flag),
                BUS_TEST(the_flag_does_not_help_against_no),
                BUS_TEST(root_needs_no_polkit),
                BUS_TEST_STOPPED(the_services_own_user_needs_none_either),
                BUS_TEST(reading_needs_nothing),
                BUS_TEST(arguments_come_first),
                BUS_TEST(a_slow_answer_delays_its_caller_alone),
                BUS_TEST_STOPPED(time_to_authenticate_is_not_the_orders),
                BUS_TEST(a_caller_gone_before_its_authorization),
                BUS_TEST(polkit_goes_while_asked),
                BUS_TEST(a_silent_polkit_is_a_denial),
                BUS_TEST(what_is_authorized_is_what_is_ordered),
                BUS_TEST(denied_orders_supersede_nothing),
                BUS_TEST(a_flood_of_the_unauthorized),
        };

        return cmocka_run_group_tests_name("authorization", tests, NULL, NULL);
}
