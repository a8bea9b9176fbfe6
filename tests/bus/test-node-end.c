/* SPDX-License-Identifier: Apache-2.0 */
/* A node that is told to end has an answer for everybody who wrote, and ends cleanly whatever comes in meanwhile. */
#include <signal.h>
#include <stdio.h>

#include "node-fixture.h"

enum { WRITERS = 8, EACH = 40, GREEDY_READS = 8, LATE = 400, TRIES = 5 };

#define UNCERTAIN_HERE "The transaction is stored here, but perhaps nowhere else*"

/* Node 1 is master, node 2 follows it. */
struct pair {
        struct child slave;
        int first, second;
};

static void pair_start(struct fixture *f, struct pair *p) {
        *p = (struct pair) { .slave.trace.name = "slave" };
        p->first = connect_ha(f, 1);
        be_master(f, p->first);
        start_node(f, &p->slave, 2, "", NULL);
        p->second = connect_ha(f, 2);
        be_slave(f, p->second, 2);
        WAIT_FOR(f, pattern_matches("[('n2' *)]", CALL_OK(f, "Slaves", "")));
}

static void pair_end(struct pair *p) {
        safe_close(p->first);
        safe_close(p->second);
        child_end(&p->slave);
        child_done(&p->slave);
}

static int setup(void **state) {
        return setup_with(state, NULL);
}

/* It is not known whether the slave has it, and nobody waits for that for longer than a moment. */
static void a_write_that_no_slave_has_acknowledged_is_uncertain(void **state) {
        struct fixture *f = *state;
        struct call *call;
        struct pair p;

        pair_start(f, &p);
        CHECK(f, kill(p.slave.pid, SIGSTOP) == 0);
        call = call_start(f->root, "Apply", "a{ss}as", 1, "/a", "1", 0);
        WAIT_FOR(f, pattern_matches("[('n2' '*' * 1)]", CALL_OK(f, "Slaves", "")));
        CHECK(f, service_stop(f) == 0);
        CHECK(f, pattern_matches(UNCERTAIN_HERE, WAIT_CALL_FAILS(f, call, ERROR("Uncertain"))));
        CHECK(f, kill(p.slave.pid, SIGCONT) == 0);
        start_node(f, &f->service, 1, NAME, NULL);
        service_wait_name(f);
        CHECK_TEXT(f, CALL_OK(f, "Get", "s", "/a"), "'1'");
        pair_end(&p);
}

/* The node has read all of them when it is told to end. */
static void all_that_write_when_it_ends_are_answered(void **state) {
        unsigned ok = 0, uncertain = 0;
        struct fixture *f = *state;
        struct pair p;

        pair_start(f, &p);
        CHECK(f, kill(p.slave.pid, SIGSTOP) == 0);
        for (unsigned k = 0; k < WRITERS; k++) {
                struct client *c = client_new(f, 0);

                for (unsigned i = 0; i < EACH; i++)
                        (void) call_start(c, "Apply", "a{ss}as", 1, kept(f, "/%u/%u", k, i), "v", 0);
        }
        WAIT_FOR(f, pattern_matches(kept(f, "[('n2' '*' * %d)]", (int) WRITERS * EACH), CALL_OK(f, "Slaves", "")));
        CHECK(f, kill(f->service.pid, SIGTERM) == 0);
        CHECK(f, kill(p.slave.pid, SIGCONT) == 0);
        CHECK(f, service_wait_exit(f) == 0);
        for (struct client *c = f->clients; c; c = c->next)
                for (struct call *call = c->calls; call; call = call->next) {
                        if (!streq(call->method, "Apply"))
                                continue;
                        WAIT_FOR(f, call->done);
                        ok += !call->error;
                        uncertain += call->error && streq(call->error, ERROR("Uncertain"));
                }
        CHECK(f, ok + uncertain == WRITERS * EACH);
        pair_end(&p);
}

/* Writes that come once it is ending are refused, and have changed nothing. */
static void writes_that_come_too_late_are_refused(void **state) {
        struct fixture *f = *state;
        struct call *first, *late;
        struct pair p;

        pair_start(f, &p);
        CHECK(f, kill(p.slave.pid, SIGSTOP) == 0);
        first = call_start(f->root, "Apply", "a{ss}as", 1, "/a", "1", 0);
        WAIT_FOR(f, pattern_matches("[('n2' '*' * 1)]", CALL_OK(f, "Slaves", "")));
        /* A signal is seen before what was sent after it, but not before what was there already. */
        CHECK(f, kill(f->service.pid, SIGSTOP) == 0);
        CHECK(f, kill(f->service.pid, SIGTERM) == 0);
        late = call_start(f->root, "Apply", "a{ss}as", 1, "/b", "1", 0);
        CHECK(f, kill(f->service.pid, SIGCONT) == 0);
        CHECK(f, service_wait_exit(f) == 0);
        (void) WAIT_CALL_FAILS(f, first, ERROR("Uncertain"));
        WAIT_FOR(f, late->done);
        CHECK(f, late->error);
        if (!streq(late->error, ERROR("Uncertain"))) /* it was faster */
                CHECK_TEXT(f, late->error, ERROR("Busy"));
        CHECK(f, kill(p.slave.pid, SIGCONT) == 0);
        pair_end(&p);
}

static int setup_narrow(void **state) {
        int r;

        bus_incoming_max = MIB;
        r = setup(state);
        bus_incoming_max = BUS_INCOMING_MAX;
        return r;
}

/* Within the time that nobody has to wait. Where a machine takes longer it is too early to go on, and less is seen. */
static bool is_answered(struct fixture *f) {
        struct call *call = call_start(f->root, "Get", "s", "/w");

        for (uint64_t until = now_monotonic() + USEC_PER_SEC / 2; !call->done && now_monotonic() < until;)
                step(f, 10000);
        return call->done;
}

struct told {
        unsigned answered, busy, odd;
};

static int on_told(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct told *told = userdata;

        told->answered++;
        if (sd_bus_message_is_method_error(m, ERROR("Busy")))
                told->busy++;
        else if (sd_bus_message_is_method_error(m, NULL) && !sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY))
                told->odd++;
        return 0;
}

/* Somebody who reads none of his answers. */
static sd_bus *greedy_reader(struct fixture *f, struct told *told) {
        _cleanup_free_ char *value = filled('v', 4 * MIB);
        sd_bus *greedy;

        (void) CALL_OK(f, "Apply", "a{ss}as", 2, "/v", value, "/w", "w", 0);
        /* The first answer lies on the bus, as nobody reads it, the next ones in the kernel, and so the others in the node. */
        CHECK(f, sd_bus_new(&greedy) == 0 && sd_bus_set_address(greedy, f->bus_address) >= 0);
        CHECK(f, sd_bus_set_bus_client(greedy, true) >= 0 && sd_bus_start(greedy) >= 0);
        for (unsigned i = 0; i < GREEDY_READS; i++)
                CHECK(f, sd_bus_call_method_async(greedy, NULL, NAME, PATH, NAME, "Get", on_told, told, "s", "/v") >= 0);
        CHECK(f, sd_bus_flush(greedy) >= 0);
        while (is_answered(f))
                ;
        return greedy;
}

/* While its last answers cannot go out it reads what else others ask and write, and that they leave. */
static void what_comes_in_while_it_ends_does_no_harm(void **state) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *greedy = NULL;
        struct fixture *f = *state;
        struct client *leaves;
        struct told told = {};

        greedy = greedy_reader(f, &told);
        CHECK(f, kill(f->service.pid, SIGSTOP) == 0);
        leaves = client_new(f, 0);
        for (unsigned i = 0; i < LATE; i++) {
                (void) call_start(f->root, "Get", "s", "/w");
                (void) call_start(leaves, "Get", "s", "/w");
                (void) call_start(f->root, "Apply", "a{ss}as", 1, "/w", "other", 0);
        }
        CHECK(f, sd_bus_flush(f->root->bus) >= 0 && sd_bus_flush(leaves->bus) >= 0);
        client_leave(leaves);
        /* The bus has all of it once it has answered what came after, and has passed it on at its next turn. */
        for (unsigned i = 0; i < 3; i++)
                CHECK(f, sd_bus_call_method(f->root->bus, "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId", NULL, NULL,
                                            "") >= 0);
        CHECK(f, kill(f->service.pid, SIGTERM) == 0 && kill(f->service.pid, SIGCONT) == 0);
        CHECK(f, service_wait_exit(f) == 0);
}

static bool somebody_is_told(struct fixture *f) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *greedy = NULL;
        struct told told = {};
        uint64_t until;

        greedy = greedy_reader(f, &told);
        CHECK(f, kill(f->service.pid, SIGTERM) == 0);
        until = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        while (told.answered < GREEDY_READS && now_monotonic() < until)
                CHECK(f, sd_bus_process(greedy, NULL) > 0 || sd_bus_wait(greedy, USEC_PER_SEC) >= 0);
        CHECK(f, told.answered == GREEDY_READS && told.odd == 0);
        CHECK(f, service_wait_exit(f) == 0);
        return told.busy > 0;
}

/* Its last words have half a second; whom they do not reach on a busy machine hears from the bus. */
static void who_waits_for_an_answer_when_it_ends_is_told(void **state) {
        struct fixture *f = *state;
        bool told = somebody_is_told(f);

        for (unsigned i = 0; !told && i < TRIES; i++) {
                start_node(f, &f->service, 1, NAME, NULL);
                service_wait_name(f);
                told = somebody_is_told(f);
        }
        CHECK(f, told);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(a_write_that_no_slave_has_acknowledged_is_uncertain),
                T(all_that_write_when_it_ends_are_answered),
                T(writes_that_come_too_late_are_refused),
                cmocka_unit_test_setup_teardown(what_comes_in_while_it_ends_does_no_harm, setup_narrow, teardown),
                cmocka_unit_test_setup_teardown(who_waits_for_an_answer_when_it_ends_is_told, setup_narrow, teardown),
        };

        return cmocka_run_group_tests_name("node-end", tests, NULL, NULL);
}
