/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of a connection between nodes: when what is sent goes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "basic/time-util.h"
#include "hop-pair.h"
#include "node/replication/peer.h"

enum { DEADLINE_SEC = 30 };

struct ends {
        sd_event *event;
        struct peer *joining, *serving;
        int serving_fd;
        unsigned authenticated, frames, writable;
};

static void on_authenticated(struct peer *p, void *userdata) {
        ((struct ends *) userdata)->authenticated++;
}

static void on_frame(struct peer *p, const struct hop_frame *frame, void *userdata) {
        struct ends *e = userdata;

        e->frames += p == e->serving;
}

static void on_closed(struct peer *p, enum ha_error error, const char *reason, void *userdata) {
        fail_msg("closed: %s", reason);
}

static void send_frame(struct peer *p, size_t size) {
        _cleanup_free_ char *body = calloc(1, size);

        assert_non_null(body);
        peer_send(p, HOP_MORE, &(struct iovec) { body, size }, 1);
}

/* A sender who would never end. */
static void on_writable(struct peer *p, void *userdata) {
        struct ends *e = userdata;

        e->writable++;
        send_frame(p, 100);
        peer_want_writable(p);
}

static const struct peer_callbacks callbacks = {
        .authenticated = on_authenticated, .frame = on_frame, .closed = on_closed, .writable = on_writable,
};

static void run_until(struct ends *e, const unsigned *counted, unsigned wanted) {
        uint64_t deadline = now_monotonic() + DEADLINE_SEC * USEC_PER_SEC;

        while (*counted < wanted) {
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(e->event, 100 * USEC_PER_MSEC) >= 0);
        }
}

static void ends_open(struct ends *e) {
        struct pair p = pair_new("token", "token");
        int fds[2];

        *e = (struct ends) {};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        e->serving_fd = fds[1];
        assert_true(sd_event_new(&e->event) >= 0);
        assert_int_equal(peer_new(e->event, fds[0], /* connecting= */ true, p.joining, &callbacks, e, &e->joining), 0);
        assert_int_equal(peer_new(e->event, fds[1], /* connecting= */ false, p.serving, &callbacks, e, &e->serving), 0);
        run_until(e, &e->authenticated, 2);
}

static void ends_close(struct ends *e) {
        peer_free(e->joining);
        peer_free(e->serving);
        sd_event_unref(e->event);
}

static bool something_came(const struct ends *e) {
        return recv(e->serving_fd, &(char) { 0 }, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void a_frame_goes_out_at_once(void **state) {
        struct ends e;

        ends_open(&e);
        send_frame(e.joining, 100);
        assert_true(something_came(&e));
        assert_int_equal(peer_output(e.joining), 0);
        ends_close(&e);
}

static void gathered_frames_go_out_together(void **state) {
        struct ends e;

        ends_open(&e);
        peer_gather(e.joining, true);
        for (unsigned i = 0; i < 10; i++)
                send_frame(e.joining, 100);
        peer_gather(e.joining, false);
        assert_false(something_came(&e));
        assert_true(peer_output(e.joining) > 1000);
        run_until(&e, &e.frames, 10);
        assert_int_equal(peer_output(e.joining), 0);
        ends_close(&e);
}

static void what_is_gathered_goes_before_what_comes_after(void **state) {
        struct ends e;

        ends_open(&e);
        peer_gather(e.joining, true);
        send_frame(e.joining, 100);
        peer_gather(e.joining, false);
        send_frame(e.joining, 100);
        assert_int_equal(peer_output(e.joining), 0);
        run_until(&e, &e.frames, 2);
        ends_close(&e);
}

static void much_is_not_gathered(void **state) {
        struct ends e;

        ends_open(&e);
        peer_gather(e.joining, true);
        send_frame(e.joining, PEER_GATHER_MAX / 2);
        assert_false(something_came(&e));
        send_frame(e.joining, PEER_GATHER_MAX / 2);
        assert_true(something_came(&e));
        run_until(&e, &e.frames, 2);
        ends_close(&e);
}

static int on_other(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ++*(unsigned *) userdata;
        return 0;
}

/* Ours was once deferred work, which the loop puts before all descriptors: a copy then kept everybody else waiting to its end. */
static void who_wants_to_send_more_and_more_leaves_others_their_turn(void **state) {
        unsigned other = 0, before;
        sd_event_source *source;
        struct ends e;
        int fd;

        ends_open(&e);
        peer_want_writable(e.joining);
        run_until(&e, &e.writable, 10);
        fd = eventfd(1, EFD_CLOEXEC);
        assert_true(fd >= 0);
        assert_true(sd_event_add_io(e.event, &source, fd, EPOLLIN, on_other, &other) >= 0);
        before = e.writable;
        for (unsigned i = 0; i < 100; i++)
                assert_true(sd_event_run(e.event, 100 * USEC_PER_MSEC) >= 0);
        assert_in_range(other, 20, 80); /* there are three who have something to do all the time */
        assert_in_range(e.writable - before, 20, 80);
        sd_event_source_disable_unref(source);
        safe_close(fd);
        ends_close(&e);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_frame_goes_out_at_once),
                cmocka_unit_test(gathered_frames_go_out_together),
                cmocka_unit_test(what_is_gathered_goes_before_what_comes_after),
                cmocka_unit_test(much_is_not_gathered),
                cmocka_unit_test(who_wants_to_send_more_and_more_leaves_others_their_turn),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
