/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the calls that wait to be answered: what becomes of them at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "basic/time-util.h"
#include "node/bus-reads.h"

#define PATH "/test"
#define INTERFACE "org.confd.Test"
#define ENDING INTERFACE ".Error.Ending"

enum { DEADLINE_SEC = 30, CALLS = 5 };

struct ends {
        sd_event *event;
        struct bus_reads *reads;
        sd_bus *server, *client;
        unsigned came, refused, answered, ended, others; /* calls and their answers */
};

static int answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "");
}

static int method_read(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct ends *e = userdata;
        int r = bus_reads_add(e->reads, m, answer, e);

        e->came++;
        if (r != -ECANCELED)
                return r < 0 ? r : 1;
        e->refused++;
        return sd_bus_error_set(error, ENDING, "The end");
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Read", "", "", method_read, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END
};

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct ends *e = userdata;

        if (!sd_bus_message_is_method_error(m, NULL))
                e->answered++;
        else if (sd_bus_message_is_method_error(m, ENDING))
                e->ended++;
        else
                e->others++;
        return 0;
}

/* The loop is not run: what waits has no turn. */
static void process_until(struct ends *e, const unsigned *counted, unsigned wanted) {
        uint64_t deadline = now_monotonic() + DEADLINE_SEC * USEC_PER_SEC;

        while (*counted < wanted) {
                int served = sd_bus_process(e->server, NULL), heard = sd_bus_process(e->client, NULL);

                assert_true(served >= 0 && heard >= 0);
                assert_true(now_monotonic() < deadline);
                if (served == 0 && heard == 0)
                        assert_true(sd_bus_wait(e->client, 1000) >= 0);
        }
}

static void call(struct ends *e) {
        assert_true(sd_bus_call_method_async(e->client, NULL, NULL, PATH, INTERFACE, "Read", on_answer, e, "") >= 0);
}

static int setup(void **state) {
        struct ends *e = calloc(1, sizeof(*e));
        int fds[2];

        assert_non_null(e);
        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), errno);
        assert_return_code(sd_event_new(&e->event), 0);
        assert_return_code(bus_reads_new(e->event, &e->reads), 0);
        assert_true(sd_bus_new(&e->server) >= 0 && sd_bus_new(&e->client) >= 0);
        assert_true(sd_bus_set_fd(e->server, fds[0], fds[0]) >= 0 && sd_bus_set_fd(e->client, fds[1], fds[1]) >= 0);
        assert_true(sd_bus_set_server(e->server, true, SD_ID128_MAKE(1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,1)) >= 0);
        assert_true(sd_bus_set_anonymous(e->server, true) >= 0 && sd_bus_set_anonymous(e->client, true) >= 0);
        assert_true(sd_bus_start(e->server) >= 0 && sd_bus_start(e->client) >= 0);
        assert_true(sd_bus_add_object_vtable(e->server, NULL, PATH, INTERFACE, vtable, e) >= 0);
        *state = e;
        return 0;
}

static int teardown(void **state) {
        struct ends *e = *state;

        sd_bus_close_unref(e->client);
        sd_bus_close_unref(e->server);
        bus_reads_free(e->reads);
        sd_event_unref(e->event);
        free(e);
        return 0;
}

static void who_waits_at_the_end_is_told(void **state) {
        struct ends *e = *state;

        for (unsigned i = 0; i < CALLS; i++)
                call(e);
        process_until(e, &e->came, CALLS);
        assert_int_equal(e->answered + e->ended + e->others, 0);
        bus_reads_end(e->reads, &SD_BUS_ERROR_MAKE_CONST(ENDING, "The end"));
        process_until(e, &e->ended, CALLS);
        assert_int_equal(e->refused, 0);
        assert_int_equal(e->answered + e->others, 0);
}

/* A loop that is over takes no sources any more: it is not asked. */
static void who_comes_after_the_end_is_refused(void **state) {
        struct ends *e = *state;

        assert_return_code(sd_event_exit(e->event, 0), 0);
        assert_return_code(sd_event_loop(e->event), 0);
        bus_reads_end(e->reads, &SD_BUS_ERROR_MAKE_CONST(ENDING, "The end"));
        for (unsigned i = 0; i < CALLS; i++)
                call(e);
        process_until(e, &e->ended, CALLS);
        assert_int_equal(e->refused, CALLS);
        assert_int_equal(e->answered + e->others, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(who_waits_at_the_end_is_told, setup, teardown),
                cmocka_unit_test_setup_teardown(who_comes_after_the_end_is_refused, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-bus-reads", tests, NULL, NULL);
}
