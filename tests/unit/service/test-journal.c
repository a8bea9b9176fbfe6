/* SPDX-License-Identifier: Apache-2.0 */
/* When systemd is asked for the unit of a caller: he may be gone as soon as he has his reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "basic/log.h"
#include "service/journal.h"

enum { HEARD_MAX = 8 };

struct fixture {
        sd_event *event;
        sd_bus *service, *peer; /* the two ends of a connection without a bus */
        struct journal *journal;
        const char *heard[HEARD_MAX]; /* the members of what came, in order */
        size_t n_heard;
};

static const char *known_member(const char *member) {
        static const char *const members[] = { "GetUnitByPID", "Given", "Reply" };

        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                if (streq(members[i], member))
                        return members[i];
        return "other";
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct fixture *f = userdata;
        const char *member = sd_bus_message_get_member(m);

        if (!member)
                return 0;
        assert_true(f->n_heard < HEARD_MAX);
        f->heard[f->n_heard++] = known_member(member);
        return streq(member, "GetUnitByPID") ? sd_bus_reply_method_errorf(m, "org.example.No", "none") : 1;
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        int pair[2];

        log_set_target(LOG_TARGET_NULL);
        assert_non_null(f);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        assert_int_equal(sd_event_new(&f->event), 0);
        assert_int_equal(sd_bus_new(&f->service), 0);
        assert_int_equal(sd_bus_set_fd(f->service, pair[0], pair[0]), 0);
        assert_int_equal(sd_bus_new(&f->peer), 0);
        assert_int_equal(sd_bus_set_fd(f->peer, pair[1], pair[1]), 0);
        assert_int_equal(sd_bus_set_server(f->peer, 1, (sd_id128_t) {}), 0);
        assert_true(sd_bus_add_filter(f->peer, NULL, on_message, f) >= 0);
        assert_true(sd_bus_start(f->peer) >= 0);
        assert_true(sd_bus_start(f->service) >= 0);
        assert_true(sd_bus_attach_event(f->peer, f->event, 0) >= 0);
        assert_true(sd_bus_attach_event(f->service, f->event, 0) >= 0);
        assert_int_equal(journal_new(&f->journal, f->event, f->service), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        journal_free(f->journal);
        sd_bus_close_unref(f->service);
        sd_bus_close_unref(f->peer);
        sd_event_unref(f->event);
        free(f);
        return 0;
}

static void say(struct fixture *f, const char *member) {
        assert_true(sd_bus_emit_signal(f->service, "/", "org.example.Test", member, NULL) >= 0);
}

static void expect_heard(struct fixture *f, const char *first, const char *second) {
        while (f->n_heard < 2)
                assert_true(sd_event_run(f->event, UINT64_MAX) >= 0);
        assert_string_equal(f->heard[0], first);
        assert_string_equal(f->heard[1], second);
}

static struct journal_order *begin(struct fixture *f) {
        const struct authorize_details details = {};
        const struct caller caller = { .known = true, .pid = 1 };
        struct journal_order *o = journal_order_begin(f->journal, "Reload", &details);

        journal_order_caller(o, &caller);
        journal_order_accepted(o);
        return o;
}

static void an_order_goes_before_the_question_for_its_caller(void **state) {
        const struct failure none = FAILURE_NONE;
        struct fixture *f = *state;
        struct journal_order *o = begin(f);

        say(f, "Given");
        journal_order_given(o);
        expect_heard(f, "Given", "GetUnitByPID");
        journal_order_end(o, &none);
}

/* As Reload does. */
static void what_ends_while_it_is_given_is_asked_for_before_its_reply(void **state) {
        const struct failure none = FAILURE_NONE;
        struct fixture *f = *state;
        struct journal_order *o = begin(f);

        journal_order_end(o, &none);
        say(f, "Reply");
        journal_order_given(o);
        expect_heard(f, "GetUnitByPID", "Reply");
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(an_order_goes_before_the_question_for_its_caller),
                T(what_ends_while_it_is_given_is_asked_for_before_its_reply),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
