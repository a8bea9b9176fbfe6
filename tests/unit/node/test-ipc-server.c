/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets into the IPC port while others flood it, and what becomes of orders that came faster than replies are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <fcntl.h>
#include <arpa/inet.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "lib/frame.h"
#include "lib/protocol.h"
#include "node/ipc/server.h"

enum { FLOOD = 2 * IPC_STRANGERS_MAX, PATIENCE_SEC = 20 };

struct fixture {
        sd_event *event;
        struct ipc_server *server;
        struct sockaddr_in address;
        unsigned tokens, orders;
        int flood[FLOOD];
        size_t n_flood;
};

static void on_token(const struct secret *token, void *userdata) {
        struct fixture *f = userdata;

        f->tokens++;
}

/* What the socket takes: as it is; nothing once, and then all. */
static enum { AS_IT_IS, FULL, EMPTY } socket_room;

ssize_t send(int fd, const void *data, size_t size, int flags) {
        if (socket_room == AS_IT_IS)
                return sendto(fd, data, size, flags, NULL, 0);
        if (socket_room == EMPTY)
                return (ssize_t) size;
        socket_room = EMPTY;
        errno = EAGAIN;
        return -1;
}

/* The first has more replies than there is room for. */
static int on_order(uint64_t controller, const struct role_order *order, void *userdata) {
        struct fixture *f = userdata;

        if (f->orders++ > 0)
                return 0;
        socket_room = FULL;
        for (size_t i = 0; i <= IPC_CONTROLLER_QUEUE_HIGH / FRAME_HEADER_SIZE; i++)
                ipc_server_reply(f->server, controller, 0, NULL);
        return 0;
}

static bool on_may_order(void *userdata) {
        return true;
}

static void on_gone(uint64_t controller, void *userdata) {
}

static void on_synced(void *userdata) {
}

static const struct ipc_callbacks callbacks = {
        .token = on_token, .order = on_order, .may_order = on_may_order, .gone = on_gone, .synced = on_synced,
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        struct socket_address address = {};
        socklen_t size = sizeof(f->address);
        int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        log_set_target(LOG_TARGET_NULL);
        assert_int_equal(sd_event_new(&f->event), 0);
        /* A port that is free; all of 127.0.0.0/8 comes in. */
        f->address = (struct sockaddr_in) { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY) };
        assert_int_equal(bind(probe, (struct sockaddr *) &f->address, size), 0);
        assert_int_equal(getsockname(probe, (struct sockaddr *) &f->address, &size), 0);
        safe_close(probe);
        memcpy(&address.storage, &f->address, sizeof(f->address));
        address.length = sizeof(f->address);
        assert_int_equal(ipc_server_new(f->event, &address, NULL, &callbacks, f, &f->server), 0);
        f->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        for (size_t i = 0; i < f->n_flood; i++)
                safe_close(f->flood[i]);
        ipc_server_free(f->server);
        sd_event_unref(f->event);
        free(f);
        return 0;
}

/* Until the loop has nothing more to do. */
static void settle(struct fixture *f) {
        while (sd_event_run(f->event, 0) > 0)
                ;
}

static int connect_from(struct fixture *f, const char *source) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in own = { .sin_family = AF_INET };

        assert_int_equal(inet_pton(AF_INET, source, &own.sin_addr), 1);
        assert_int_equal(bind(fd, (struct sockaddr *) &own, sizeof(own)), 0);
        assert_int_equal(connect(fd, (struct sockaddr *) &f->address, sizeof(f->address)), 0);
        return fd;
}

static void say_hello(int fd) {
        static const uint8_t hello[IPC_HELLO_SIZE] = { IPC_KIND_HA, 0, 60, 0, 0, 0, 0, 20, 9 };

        assert_int_equal(send(fd, hello, sizeof(hello), MSG_NOSIGNAL), sizeof(hello));
}

/* As many as there is room for, and as many again, so that those who were there before would be the oldest. */
static void flood(struct fixture *f, const char *source, bool hello) {
        for (size_t i = 0; i < IPC_STRANGERS_MAX; i++) {
                int fd = connect_from(f, source);

                f->flood[f->n_flood++] = fd;
                if (hello)
                        say_hello(fd);
                settle(f);
        }
}

static void gets_in(struct fixture *f, int fd) {
        static const uint8_t token[] = { 0, 0, 0, 5, 't', 'o', 'k', 'e', 'n' };
        uint64_t until = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        unsigned before = f->tokens;

        assert_int_equal(send(fd, token, sizeof(token), MSG_NOSIGNAL), sizeof(token));
        while (f->tokens == before) {
                assert_true(sd_event_run(f->event, USEC_PER_SEC) >= 0);
                assert_true(now_monotonic() < until);
        }
}

static void who_speaks_gets_in_past_silent_ones_of_the_same_host(void **state) {
        _cleanup_close_ int fd = -EBADF;
        struct fixture *f = *state;

        flood(f, "127.0.0.1", /* hello= */ false);
        fd = connect_from(f, "127.0.0.1");
        say_hello(fd);
        settle(f);
        flood(f, "127.0.0.1", /* hello= */ false);
        gets_in(f, fd);
}

static void what_has_been_sent_but_not_read_counts_as_speaking(void **state) {
        _cleanup_close_ int fd = -EBADF;
        struct fixture *f = *state;

        flood(f, "127.0.0.1", /* hello= */ false);
        fd = connect_from(f, "127.0.0.1");
        say_hello(fd);
        /* All of these are accepted in one go with it, before anything is read. */
        for (unsigned i = 0; i < 30; i++)
                f->flood[f->n_flood++] = connect_from(f, "127.0.0.1");
        settle(f);
        gets_in(f, fd);
}

static void a_host_that_floods_with_greetings_closes_its_own(void **state) {
        _cleanup_close_ int fd = -EBADF;
        struct fixture *f = *state;

        fd = connect_from(f, "127.0.0.1");
        say_hello(fd);
        settle(f);
        flood(f, "127.0.0.2", /* hello= */ true);
        flood(f, "127.0.0.2", /* hello= */ true);
        gets_in(f, fd);
}

/* Two controllers that take over from each other, as fast as they can. */
static void takeovers_do_not_fill_the_log(void **state) {
        struct fixture *f = *state;
        int before = dup(STDERR_FILENO), file = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        FILE *lines;
        char line[256];
        unsigned n = 0;

        assert_true(before >= 0 && file >= 0);
        assert_true(dup2(file, STDERR_FILENO) >= 0);
        log_set_target(LOG_TARGET_CONSOLE);
        for (unsigned i = 0; i < 100; i++) {
                _cleanup_close_ int fd = connect_from(f, "127.0.0.1");

                say_hello(fd);
                gets_in(f, fd);
        }
        log_set_target(LOG_TARGET_NULL);
        assert_true(dup2(before, STDERR_FILENO) >= 0);
        safe_close(before);
        assert_int_equal(lseek(file, 0, SEEK_SET), 0);
        lines = fdopen(file, "r");
        while (fgets(line, sizeof(line), lines))
                n++;
        fclose(lines);
        /* On a slow machine it takes more than one interval. */
        assert_in_range(n, 1, 50);
}

/* The peer reads all that waited just when the connection has paused for it. */
static void orders_behind_a_pause_are_taken_when_it_ends(void **state) {
        static const uint8_t orders[] = { 0, 0, 0, 5, 131, 104, 1, 97, 3, 0, 0, 0, 5, 131, 104, 1, 97, 3 };
        struct fixture *f = *state;
        _cleanup_close_ int fd = connect_from(f, "127.0.0.1");
        uint64_t until = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        say_hello(fd);
        gets_in(f, fd);
        assert_int_equal(send(fd, orders, sizeof(orders), MSG_NOSIGNAL), sizeof(orders));
        while (f->orders < 2) {
                assert_true(sd_event_run(f->event, USEC_PER_SEC) >= 0);
                assert_true(now_monotonic() < until);
        }
        socket_room = AS_IT_IS;
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(who_speaks_gets_in_past_silent_ones_of_the_same_host),
                T(what_has_been_sent_but_not_read_counts_as_speaking),
                T(a_host_that_floods_with_greetings_closes_its_own),
                T(takeovers_do_not_fill_the_log),
                T(orders_behind_a_pause_are_taken_when_it_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
