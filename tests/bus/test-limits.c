/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that nobody keeps others out: what a connection, a user and all may have waiting, and for whom places are
 * kept whatever the others do. */
#include <signal.h>

#include "harness.h"

#define ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define LIMITS_EXCEEDED "org.freedesktop.DBus.Error.LimitsExceeded"
#define LOG_PATH "/org/freedesktop/LogControl1"
#define LOG_INTERFACE "org.freedesktop.LogControl1"

/* Users that every Debian has, for the bus knows only users that exist. */
static const uid_t users[] = { 1, 2, 3, 5, 6, 7, 8, 9, 10 };
enum { LAST_USER = 13, CALLS_MAX = 5000 };

struct crowd {
        struct call *calls[CALLS_MAX];
        size_t n;
};

typedef struct call *(*start_fn)(struct client *c);

static struct call *be_master(struct client *c) {
        return call_start(c, "BeMaster", "s", "n1");
}

static struct call *slave_dead(struct client *c) {
        return call_start(c, "SlaveDead", "s", "n1");
}

static struct call *status(struct client *c) {
        return call_start(c, "Status", "");
}

static struct call *set_level(struct client *c) {
        return call_start_member(c, LOG_PATH, "org.freedesktop.DBus.Properties", "Set", "ssv", LOG_INTERFACE, "LogLevel", "s",
                                 "debug");
}

/* So many connections of the user, each with so many calls; returns when the service has taken them in. */
static void come(struct fixture *f, struct crowd *w, uid_t uid, size_t connections, size_t calls, start_fn start) {
        for (size_t k = 0; k < connections; k++) {
                struct client *c = client_new(f, uid);

                for (size_t i = 0; i < calls && w->n < CALLS_MAX; i++)
                        w->calls[w->n++] = start(c);
                barrier(f, c);
        }
        barrier(f, f->root);
}

/* How many wait; the others have been refused, and nothing else. */
static size_t waiting(struct fixture *f, const struct crowd *w) {
        size_t n = 0;

        for (size_t i = 0; i < w->n; i++)
                if (!w->calls[i]->done)
                        n++;
                else if (!w->calls[i]->error)
                        give_up(f, __FILE__, __LINE__, "a call was carried out");
                else
                        CHECK_TEXT(f, w->calls[i]->error, LIMITS_EXCEEDED);
        return n;
}

static void all_end(struct fixture *f, const struct crowd *w) {
        for (size_t i = 0; i < w->n; i++)
                WAIT_FOR_SEC(f, 60, w->calls[i]->done);
}

static void needs_other_users(void) {
        if (geteuid() != 0)
                skip();
}

static void a_user_has_sixty_four_orders_waiting(void **state) {
        static struct crowd w;
        struct fixture *f = *state;
        struct call *mine;

        needs_other_users();
        w.n = 0;
        polkit_start(f, POLKIT_HOLD);
        come(f, &w, NOBODY, 4, 17, be_master);
        CHECK(f, waiting(f, &w) == 64);
        come(f, &w, NOBODY, 3, 16, be_master);
        CHECK(f, waiting(f, &w) == 64);
        /* Others are not concerned: root, and a user who needs polkit as much. */
        CALL_OK(f, "BeMaster", "s", "mine");
        f->polkit.answer = POLKIT_YES;
        mine = be_master(client_new(f, OTHER_USER));
        WAIT_CALL_OK(f, mine);
        polkit_release(&f->polkit, POLKIT_NO);
        all_end(f, &w);
        /* Who was refused may come again. */
        WAIT_CALL_OK(f, be_master(client_new(f, NOBODY)));
}

/* polkit answers in minutes, if a person has to, and there are users enough to fill all places. */
static void whoever_fills_the_places_for_orders_leaves_some(void **state) {
        static struct crowd w, roots;
        struct fixture *f = *state;
        struct client *newcomer;
        struct call *c;

        needs_other_users();
        w.n = roots.n = 0;
        polkit_start(f, POLKIT_HOLD);
        for (size_t i = 0; i < 5; i++)
                come(f, &w, users[i], 4, 16, be_master);
        /* 32 are kept; who came first when all others were taken had one of these. */
        CHECK(f, waiting(f, &w) == 224 + 1);
        newcomer = client_new(f, LAST_USER);
        f->polkit.answer = POLKIT_YES;
        WAIT_CALL_OK(f, be_master(newcomer));
        CALL_OK(f, "BeMaster", "s", "mine");
        /* Nor are there more than 256 for anybody. */
        sim(f, "{on,5,hold}");
        come(f, &roots, 0, 3, 16, slave_dead);
        CHECK(f, waiting(f, &roots) == 31);
        c = be_master(newcomer);
        WAIT_CALL_FAILS(f, c, LIMITS_EXCEEDED);
        sim(f, "release");
        polkit_release(&f->polkit, POLKIT_NO);
        all_end(f, &roots);
        all_end(f, &w);
        CALL_OK(f, "BeMaster", "s", "again");
}

static void questions_to_polkit_leave_room_on_the_bus(void **state) {
        static struct crowd w;
        struct fixture *f = *state;
        size_t asked;

        needs_other_users();
        w.n = 0;
        polkit_start(f, POLKIT_HOLD);
        for (size_t i = 0; i < 4; i++)
                come(f, &w, users[i], 3, 16, be_master);
        CHECK(f, waiting(f, &w) == 192);
        asked = f->polkit.n_held;
        CHECK(f, asked <= 112);
        /* A user who has no question open is asked about at once, and the bus takes the question. */
        f->polkit.answer = POLKIT_YES;
        WAIT_CALL_OK(f, be_master(client_new(f, LAST_USER)));
        /* Each has its turn. */
        polkit_release(&f->polkit, POLKIT_YES);
        all_end(f, &w);
        for (size_t i = 0; i < w.n; i++)
                CHECK(f, !w.calls[i]->error);
}

static void whoever_fills_the_places_for_status_leaves_some(void **state) {
        static struct crowd w;
        struct fixture *f = *state;
        struct client *c;
        struct call *first, *mine;

        needs_other_users();
        w.n = 0;
        /* On a slow machine it takes longer than a request's ten seconds until four thousand have come. */
        configure(f, "[ConfD]\nRequestTimeoutSec=300\n");
        CALL_OK(f, "Reload", "");
        sim(f, "{on,4,hang}");
        first = status(f->root);
        SIM_EXPECT(f, "{order,{4}}");
        come(f, &w, users[0], 1, 70, status);
        CHECK(f, waiting(f, &w) == 64);
        come(f, &w, users[0], 8, 64, status);
        CHECK(f, waiting(f, &w) == 512);
        for (size_t i = 1; i < 8; i++)
                come(f, &w, users[i], 8, 64, status);
        /* root's own counts, too. */
        CHECK(f, waiting(f, &w) == 4096 - 32 - 1);
        c = client_new(f, LAST_USER);
        mine = status(c);
        barrier(f, c);
        CHECK(f, !mine->done);
        sim(f, "{reply,{1,[]}}");
        WAIT_FOR(f, first->done && mine->done);
        CHECK_TEXT(f, WAIT_CALL_OK(f, mine), "'none' []");
        CALL_OK(f, "Status", "");
        all_end(f, &w);
}

static void whoever_floods_the_log_setters_keeps_nobody_out(void **state) {
        static struct crowd w;
        struct fixture *f = *state;
        struct call *mine;

        needs_other_users();
        w.n = 0;
        /* It finds them all at once, and root's behind them. */
        CHECK(f, kill(f->service.pid, SIGSTOP) == 0);
        for (size_t k = 0; k < 20; k++) {
                struct client *c = client_new(f, NOBODY);

                for (size_t i = 0; i < 20; i++)
                        w.calls[w.n++] = set_level(c);
        }
        mine = set_level(client_new(f, 0));
        CHECK(f, kill(f->service.pid, SIGCONT) == 0);
        WAIT_CALL_OK(f, mine);
        all_end(f, &w);
        for (size_t i = 0; i < w.n; i++)
                if (!streq(w.calls[i]->error, LIMITS_EXCEEDED))
                        CHECK_TEXT(f, w.calls[i]->error, ACCESS_DENIED);
}

/* A user comes with a connection for each order, and leaves at once. */
static void those_who_leave_leave_no_places_behind(void **state) {
        struct fixture *f = *state;

        needs_other_users();
        polkit_start(f, POLKIT_HOLD);
        for (size_t i = 0; i < 100; i++) {
                struct client *c = client_new(f, NOBODY);

                (void) be_master(c);
                if (i % 2)
                        barrier(f, c);
                client_leave(c);
        }
        f->polkit.answer = POLKIT_YES;
        WAIT_CALL_OK(f, be_master(client_new(f, NOBODY)));
        CALL_OK(f, "BeMaster", "s", "mine");
}

#define AS_ON_A_SYSTEM(f) cmocka_unit_test_setup_teardown(f, setup_as_on_a_system, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                AS_ON_A_SYSTEM(a_user_has_sixty_four_orders_waiting),
                AS_ON_A_SYSTEM(whoever_fills_the_places_for_orders_leaves_some),
                AS_ON_A_SYSTEM(questions_to_polkit_leave_room_on_the_bus),
                AS_ON_A_SYSTEM(whoever_fills_the_places_for_status_leaves_some),
                AS_ON_A_SYSTEM(whoever_floods_the_log_setters_keeps_nobody_out),
                AS_ON_A_SYSTEM(those_who_leave_leave_no_places_behind),
        };

        return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
