/* SPDX-License-Identifier: Apache-2.0 */
/* Connections are taken from a listening socket, also after descriptors have run out for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include "basic/acceptor.h"
#include "basic/log.h"
#include "basic/time-util.h"

enum { CLIENTS = 8 };

struct fixture {
        sd_event *event;
        int listener;
        struct sockaddr_in address;
        struct acceptor *acceptor;
        int clients[CLIENTS];
        int taken[CLIENTS];
        unsigned n_taken;
};

static void take(int fd, const struct sockaddr_storage *peer, socklen_t peer_size, void *userdata) {
        struct fixture *f = userdata;

        assert_int_equal(peer->ss_family, AF_INET);
        assert_int_equal(peer_size, sizeof(struct sockaddr_in));
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_in_range(f->n_taken, 0, CLIENTS - 1);
        f->taken[f->n_taken++] = fd;
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        socklen_t size = sizeof(f->address);

        log_set_target(LOG_TARGET_NULL);
        assert_int_equal(sd_event_new(&f->event), 0);
        f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        f->address = (struct sockaddr_in) { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        assert_int_equal(bind(f->listener, (struct sockaddr *) &f->address, size), 0);
        assert_int_equal(listen(f->listener, CLIENTS), 0);
        assert_int_equal(getsockname(f->listener, (struct sockaddr *) &f->address, &size), 0);
        for (unsigned i = 0; i < CLIENTS; i++)
                f->clients[i] = -EBADF;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        acceptor_free(f->acceptor);
        for (unsigned i = 0; i < CLIENTS; i++)
                safe_close(f->clients[i]);
        for (unsigned i = 0; i < f->n_taken; i++)
                safe_close(f->taken[i]);
        safe_close(f->listener);
        sd_event_unref(f->event);
        free(f);
        return 0;
}

static void connect_all(struct fixture *f) {
        for (unsigned i = 0; i < CLIENTS; i++) {
                f->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(connect(f->clients[i], (struct sockaddr *) &f->address, sizeof(f->address)), 0);
        }
}

/* Returns how often the loop had something to do within the time, or until all are taken. */
static unsigned run(struct fixture *f, uint64_t usec, unsigned wanted) {
        uint64_t until = now_monotonic() + usec;
        unsigned n = 0;

        while (f->n_taken < wanted && now_monotonic() < until)
                n += sd_event_run(f->event, 10 * USEC_PER_MSEC) > 0;
        return n;
}

static void connections_wait_while_it_is_not_enabled(void **state) {
        struct fixture *f = *state;

        assert_int_equal(acceptor_new(f->event, f->listener, "clients", /* enabled= */ false, take, f, &f->acceptor), 0);
        connect_all(f);
        assert_int_equal(run(f, 50 * USEC_PER_MSEC, CLIENTS), 0);
        assert_int_equal(acceptor_set_enabled(f->acceptor, true), 0);
        (void) run(f, 10 * USEC_PER_SEC, CLIENTS);
        assert_int_equal(f->n_taken, CLIENTS);
}

static void those_without_a_descriptor_are_taken_later_and_the_loop_does_not_spin(void **state) {
        struct fixture *f = *state;
        struct rlimit before, none;

        assert_int_equal(acceptor_new(f->event, f->listener, "clients", /* enabled= */ true, take, f, &f->acceptor), 0);
        connect_all(f);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = before;
        none.rlim_cur = 3;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        /* Twice what the pauses allow in this time: a loop that spins has thousands. */
        assert_in_range(run(f, USEC_PER_SEC / 2, CLIENTS), 1, 20);
        assert_int_equal(f->n_taken, 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        (void) run(f, 10 * USEC_PER_SEC, CLIENTS);
        assert_int_equal(f->n_taken, CLIENTS);
}

static void a_pause_does_not_enable_what_was_switched_off(void **state) {
        struct fixture *f = *state;
        struct rlimit before, none;

        assert_int_equal(acceptor_new(f->event, f->listener, "clients", /* enabled= */ true, take, f, &f->acceptor), 0);
        connect_all(f);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = before;
        none.rlim_cur = 3;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        assert_true(sd_event_run(f->event, USEC_PER_SEC) > 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(acceptor_set_enabled(f->acceptor, false), 0);
        (void) run(f, 3 * ACCEPTOR_PAUSE_USEC, CLIENTS);
        assert_int_equal(f->n_taken, 0);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(connections_wait_while_it_is_not_enabled),
                T(those_without_a_descriptor_are_taken_later_and_the_loop_does_not_spin),
                T(a_pause_does_not_enable_what_was_switched_off),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
