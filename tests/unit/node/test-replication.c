/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of replication: join, copy, follow, commits, losses, relays. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "fixture.h"

static int setup(void **state) {
        *state = fixture_new();
        return 0;
}

static int teardown(void **state) {
        fixture_free(*state);
        return 0;
}

static void a_slave_joins_and_follows(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 3);

        assert_int_equal(node_set(a, "/before", "1"), 0);
        node_be_master(a);
        node_be_slave(b, a);
        assert_int_equal(b->joined, 1);
        assert_true(b->copied);
        assert_true(nodes_equal(a, b));
        assert_int_equal(master_n_slaves(a->master), 1);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        assert_true(node_has(b, "/x", "1")); /* at once: it is durable there, too */
        assert_true(nodes_equal(a, b));
        node_be_slave(c, a);
        assert_true(c->copied);
        for (int i = 0; i < 20; i++) {
                char value[16];

                (void) snprintf(value, sizeof(value), "%d", i);
                assert_int_equal(node_set(a, "/y", value), 0);
                assert_true(node_has(b, "/y", value) && node_has(c, "/y", value));
        }
        assert_int_equal(node_set(a, "/x", NULL), 0);
        assert_true(node_has(b, "/x", NULL));
        assert_int_equal(a->arrived, 2);

        /* Leaving and joining with the same data copies nothing. */
        node_be_none(b);
        WAIT(f, a->died == 1);
        node_be_slave(b, a);
        assert_int_equal(b->joined, 1);
        assert_false(b->copied);
        assert_int_equal(node_set(a, "/z", "1"), 0);
        assert_true(nodes_equal(a, b) && nodes_equal(a, c));
        assert_string_equal(a->events, "+n2 +n3 -n2 +n2 ");
}

static void a_failover_among_equals_copies_nothing(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 3);

        node_be_master(a);
        node_be_slave(b, a);
        node_be_slave(c, a);
        assert_false(b->copied); /* both are new and empty */
        assert_int_equal(node_set(a, "/x", "1"), 0);
        node_close(a);
        WAIT(f, b->lost && c->lost);
        assert_int_equal(b->code, HA_ERROR_CLOSED);
        node_be_master(b);
        node_be_slave(c, b);
        assert_int_equal(c->joined, 1);
        assert_false(c->copied);
        node_open(a);
        node_be_slave(a, b);
        assert_false(a->copied);
        assert_int_equal(node_set(b, "/x", "2"), 0);
        assert_true(nodes_equal(a, b) && nodes_equal(b, c));

        /* Divergence: what a master committed alone is overwritten. */
        node_be_none(c);
        assert_int_equal(node_set(c, "/alone", "1"), 0);
        node_be_slave(c, b);
        assert_true(c->copied);
        assert_true(node_has(c, "/alone", NULL));
        assert_true(nodes_equal(b, c));
}

static void a_large_copy_arrives_whole(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        char *big = malloc(VALUE_SIZE_MAX + 1);

        memset(big, 'b', VALUE_SIZE_MAX);
        big[VALUE_SIZE_MAX] = 0;
        node_be_master(a);
        node_fill(a, 50000, 600);
        assert_int_equal(node_set(a, "/big", big), 0);
        assert_int_equal(node_set(a, "/empty", ""), 0);
        node_be_slave(b, a);
        assert_true(b->copied);
        assert_true(nodes_equal(a, b));
        assert_int_equal(node_set(a, "/big2", big), 0);
        assert_true(nodes_equal(a, b));
        free(big);
}

static int run_until_exit(struct fixture *f, pid_t pid) {
        int status = 0;

        WAIT(f, waitpid(pid, &status, WNOHANG) == pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_join_fails(struct node *n, struct node *master, enum ha_error code) {
        node_be_slave(n, master);
        if (!n->failed || n->code != code)
                fail_msg("joined %u failed %u with %s: %s", n->joined, n->failed, ha_error_name(n->code), n->reason);
        assert_true(n->reason[0]);
}

static void each_refusal_has_its_code_and_changes_nothing(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        struct secret wrong = { (uint8_t *) "wrong", 5 }, none = { (uint8_t *) "", 0 };
        struct node_id a_id = a->id, b_id = b->id;

        assert_int_equal(node_set(b, "/own", "1"), 0);
        assert_join_fails(b, a, HA_ERROR_CONNECT); /* nobody listens */
        node_be_master(a);

        b->token = wrong;
        assert_join_fails(b, a, HA_ERROR_BADTOKEN);
        b->token = none;
        assert_join_fails(b, a, HA_ERROR_BADTOKEN);
        b->token = f->token;
        assert_int_equal(master_set_token(a->master, &none), 0);
        assert_join_fails(b, a, HA_ERROR_BADTOKEN);
        b->token = none;
        assert_join_fails(b, a, HA_ERROR_BADTOKEN);
        b->token = f->token;
        assert_int_equal(master_set_token(a->master, &f->token), 0);

        node_id_set(&a->id, "other"); /* whom b looks for */
        assert_join_fails(b, a, HA_ERROR_BADNAME);
        b->token = wrong; /* the token comes before the name */
        assert_join_fails(b, a, HA_ERROR_BADTOKEN);
        b->token = f->token;
        a->id = a_id;
        b->id = a->id;
        assert_join_fails(b, a, HA_ERROR_BADNAME);
        b->id = b_id;

        b->config.schema.digest[0] ^= 1;
        assert_join_fails(b, a, HA_ERROR_BADFXS);
        node_id_set(&a->id, "other"); /* the name comes before the schema */
        assert_join_fails(b, a, HA_ERROR_BADNAME);
        a->id = a_id;
        b->config.schema = a->config.schema;

        assert_true(node_has(b, "/own", "1")); /* the old data is whole */
        assert_int_equal(a->arrived, 0);
        node_be_slave(b, a);
        assert_int_equal(b->joined, 1);
}

struct writer {
        struct node *node;
        unsigned sent, done, failed, in_flight;
        char *value;
};

static void on_written(int result, struct transaction *t, void *userdata) {
        struct writer *w = userdata;

        w->done++;
        w->in_flight--;
        w->failed += result < 0;
}

static int write_more(struct writer *w) {
        struct transaction *t;
        char key[32];
        int r;

        (void) snprintf(key, sizeof(key), "/w/%u", w->sent % 50);
        assert_int_equal(transaction_new(&t), 0);
        assert_int_equal(transaction_set(t, key, w->value), 0);
        (void) snprintf(key, sizeof(key), "%u", w->sent);
        assert_int_equal(transaction_set(t, "/last", key), 0);
        r = master_commit(w->node->master, t, on_written, w);
        transaction_unref(t);
        if (r >= 0) {
                w->sent++;
                w->in_flight++;
        }
        return r;
}

/* More is committed during the copy than is kept in memory for a slave. */
static void commits_during_a_copy_arrive_behind_it(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 3);
        struct writer w = { .node = a, .value = malloc(512 * 1024 + 1) };
        uint64_t deadline = now_monotonic() + FIXTURE_DEADLINE_SEC * USEC_PER_SEC;

        memset(w.value, 'w', 512 * 1024);
        w.value[512 * 1024] = 0;
        node_be_master(a);
        node_be_slave(c, a); /* one that follows all the time */
        node_fill(a, 40000, 1000);
        node_start_slave(b, a);
        while (!b->joined && !b->failed) {
                assert_true(now_monotonic() < deadline);
                if (w.in_flight < 3)
                        assert_int_equal(write_more(&w), 0);
                assert_true(sd_event_run(f->event, 1000) >= 0);
        }
        assert_int_equal(b->joined, 1);
        for (int i = 0; i < 10; i++)
                assert_int_equal(write_more(&w), 0);
        WAIT(f, w.done == w.sent);
        assert_int_equal(w.failed, 0);
        print_message("# %u transactions of 512 KiB during and after the copy\n", w.sent);
        assert_true(w.sent > 10);
        assert_true(nodes_equal(a, b));
        assert_true(nodes_equal(a, c));
        /* The log is gone. */
        assert_int_equal(node_set(a, "/x", "1"), 0);
        {
                struct transaction *t;
                uint64_t sequence;

                assert_int_equal(store_log_next(a->store, 0, &t, &sequence), 0);
        }
        free(w.value);
}

/* Thousands in flight: all acknowledged, in order, at each node. */
static void thousands_of_commits_arrive_in_order(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 3);
        struct writer w = { .node = a, .value = (char *) "v" };
        uint64_t begin;
        int r = 0;

        node_be_master(a);
        node_be_slave(b, a);
        node_be_slave(c, a);
        begin = now_monotonic();
        while (w.sent < 20000) {
                while (w.sent < 20000 && (r = write_more(&w)) >= 0)
                        ;
                assert_true(r == 0 || r == -EBUSY);
                fixture_run(f);
        }
        WAIT(f, w.done == w.sent);
        print_message("# %.0f commits/s on three nodes in one process\n", w.sent * 1e6 / (double) (now_monotonic() - begin));
        assert_int_equal(w.failed, 0);
        assert_true(node_has(c, "/last", "19999"));
        assert_true(nodes_equal(a, b) && nodes_equal(a, c));
}

static void a_slave_of_the_same_name_takes_the_place(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 3);

        node_be_master(a);
        node_be_slave(b, a);
        c->id = b->id;
        node_be_slave(c, a);
        assert_int_equal(c->joined, 1);
        WAIT(f, b->lost);
        assert_int_equal(b->code, HA_ERROR_CLOSED);
        assert_string_equal(a->events, "+n2 -n2 +n2 ");
        assert_int_equal(master_n_slaves(a->master), 1);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        assert_true(nodes_equal(a, c));
}

static void a_slave_that_was_dropped_is_gone(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        struct node_id unknown;

        node_be_master(a);
        node_be_slave(b, a);
        node_id_set(&unknown, "unknown");
        master_slave_dead(a->master, &unknown);
        master_slave_dead(a->master, &b->id);
        assert_int_equal(a->died, 0); /* not from within the call */
        WAIT(f, a->died == 1 && b->lost == 1);
        assert_int_equal(master_n_slaves(a->master), 0);
        assert_int_equal(node_set(a, "/x", "1"), 0);
}

static void a_frozen_slave_is_dropped(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        uint64_t begin, took;
        pid_t pid;

        a->config.tick_usec = b->config.tick_usec = 300 * USEC_PER_MSEC;
        node_be_master(a);
        node_be_slave(b, a);
        pid = fork_slave(f, 3, a, false, 0);
        WAIT(f, a->arrived == 2);
        fixture_run_for(f, 1500 * USEC_PER_MSEC); /* ticks keep it */
        assert_int_equal(a->died, 0);
        kill(pid, SIGSTOP);
        begin = now_monotonic();
        assert_int_equal(node_set(a, "/x", "1"), 0);
        took = now_monotonic() - begin;
        assert_true(took > 300 * USEC_PER_MSEC && took < 1500 * USEC_PER_MSEC);
        WAIT(f, a->died == 1);
        assert_string_equal(a->events, "+n2 +n3 -n3 ");
        assert_true(nodes_equal(a, b));
        begin = now_monotonic();
        assert_int_equal(node_set(a, "/x", "2"), 0);
        assert_true(now_monotonic() - begin < 250 * USEC_PER_MSEC);
}

static void a_killed_slave_is_told_at_once(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1);
        struct writer w = { .node = a, .value = (char *) "v" };
        pid_t pid;

        node_be_master(a);
        pid = fork_slave(f, 2, a, false, 0);
        WAIT(f, a->arrived == 1);
        for (int i = 0; i < 100; i++)
                assert_int_equal(write_more(&w), 0);
        end_child(f, pid);
        WAIT(f, w.done == w.sent);
        assert_int_equal(w.failed, 0);
        WAIT(f, a->died == 1);
}

static void a_frozen_master_is_given_up(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), m = {};
        uint64_t begin;
        pid_t pid;

        a->config.tick_usec = 300 * USEC_PER_MSEC;
        pid = fork_master(f, 2, 0);
        m.config.ha_address = a->config.ha_address;
        m.config.ha_address.ip4.s_addr = htonl(ntohl(a->config.ha_address.ip4.s_addr) + 1);
        node_id_set(&m.id, "n2");
        do
                node_be_slave(a, &m);
        while (a->failed && a->code == HA_ERROR_CONNECT);
        assert_int_equal(a->joined, 1);
        fixture_run_for(f, 1500 * USEC_PER_MSEC);
        assert_int_equal(a->lost, 0);
        kill(pid, SIGSTOP);
        begin = now_monotonic();
        WAIT(f, a->lost);
        assert_int_equal(a->code, HA_ERROR_NOTICK);
        assert_true(now_monotonic() - begin < 1500 * USEC_PER_MSEC);
        end_child(f, pid);
}

/* Ticks of different lengths, and none at one side: who needs them gets them. */
static void the_shorter_tick_interval_counts(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2), *c = node_new(f, 3);

        a->config.tick_usec = 100 * USEC_PER_MSEC;
        b->config.tick_usec = 10 * USEC_PER_SEC;
        c->config.tick_usec = 0;
        node_be_master(a);
        node_be_slave(b, a);
        node_be_slave(c, a);
        fixture_run_for(f, 1000 * USEC_PER_MSEC);
        assert_int_equal(a->died, 0);
        assert_int_equal(b->lost + c->lost, 0);
}

static void a_silent_synchronization_has_its_own_time(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), m = {};
        pid_t pid;

        a->config.tick_usec = 0;
        a->config.sync_timeout_usec = 500 * USEC_PER_MSEC;
        assert_int_equal(node_set(a, "/own", "1"), 0);
        pid = fork_master(f, 2, 100000);
        m.config.ha_address = a->config.ha_address;
        m.config.ha_address.ip4.s_addr = htonl(ntohl(a->config.ha_address.ip4.s_addr) + 1);
        node_id_set(&m.id, "n2");
        for (;;) {
                node_start_slave(a, &m);
                WAIT(f, a->failed || node_copies(a));
                if (!a->failed)
                        break;
                assert_int_equal(a->code, HA_ERROR_CONNECT);
        }
        kill(pid, SIGSTOP);
        WAIT(f, a->failed || a->joined);
        assert_int_equal(a->failed, 1);
        assert_int_equal(a->code, HA_ERROR_CLOSED);
        assert_true(node_has(a, "/own", "1"));
        assert_int_equal(store_entries(a->store), 1);
        end_child(f, pid);
}

static void a_relay_passes_on(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *r = node_new(f, 2), *s = node_new(f, 3), *t = node_new(f, 4);

        node_be_master(a);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        node_be_slave(r, a);
        node_be_relay(r);
        node_be_slave(s, r);
        assert_int_equal(s->joined, 1);
        assert_true(s->copied);
        assert_int_equal(node_set(a, "/x", "2"), 0);
        assert_true(node_has(s, "/x", "2")); /* durable below the relay, too, when the commit returns */
        node_be_relay(s);
        node_be_slave(t, s);
        assert_int_equal(node_set(a, "/x", "3"), 0);
        assert_true(node_has(t, "/x", "3"));
        assert_true(nodes_equal(a, t));
        {
                struct transaction *x;

                assert_int_equal(transaction_new(&x), 0);
                assert_int_equal(transaction_set(x, "/no", "1"), 0);
                assert_int_equal(master_commit(r->master, x, NULL, NULL), -EROFS);
                transaction_unref(x);
        }

        /* A circle: whoever is above a relay cannot follow it. */
        {
                struct node *again = node_new(f, 5);

                again->id = a->id;
                node_be_slave(again, s);
                assert_int_equal(again->failed, 1);
                assert_int_equal(again->code, HA_ERROR_BADNAME);
        }

        /* The relay that loses its master drops its slaves, which drop theirs. */
        node_be_none(a);
        WAIT(f, r->lost && s->lost && t->lost);
        assert_int_equal(t->code, HA_ERROR_CLOSED);
        assert_true(nodes_equal(a, t));
}

static void a_promoted_relay_keeps_its_slaves(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *r = node_new(f, 2), *s = node_new(f, 3);
        struct node_id name;

        node_be_master(a);
        node_be_slave(r, a);
        node_be_relay(r);
        node_be_slave(s, r);
        node_be_master(r);
        WAIT(f, a->died == 1);
        assert_int_equal(s->lost, 0);
        assert_int_equal(node_set(r, "/x", "1"), 0);
        assert_true(node_has(s, "/x", "1"));
        node_id_set(&name, "renamed");
        assert_int_equal(master_rename(r->master, &name), 0);
        assert_int_equal(node_set(r, "/x", "2"), 0);
        assert_true(node_has(s, "/x", "2"));
        assert_true(strncmp(store_transaction_id(s->store), "renamed-", 8) == 0);
        assert_int_equal(s->lost, 0);
        node_be_slave(a, r);
        assert_int_equal(a->code, HA_ERROR_BADNAME); /* under its old name it is not there any more */
}

static void nobody_is_admitted_while_events_are_held(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);

        node_be_master(a);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        master_set_hold(a->master, true);
        node_start_slave(b, a);
        fixture_run_for(f, 300 * USEC_PER_MSEC);
        assert_int_equal(b->joined + b->failed, 0);
        assert_int_equal(a->arrived, 0);
        assert_true(node_has(b, "/x", NULL)); /* its old data still */
        assert_int_equal(node_set(a, "/y", "1"), 0); /* waits for nobody */
        master_set_hold(a->master, false);
        WAIT(f, b->joined && a->arrived);
        WAIT(f, nodes_equal(a, b));
}

static void a_taken_address_is_named(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        struct node_address free_one = b->config.ha_address;
        struct master *m = NULL;
        char *error = NULL;

        node_be_master(a);
        /* The second of its addresses is taken: nothing is left bound. */
        b->config.extra_listen[0] = a->config.ha_address;
        b->config.n_extra_listen = 1;
        assert_int_equal(master_new(f->event, b->store, &b->config, &b->id, &b->token, NULL, NULL, NULL, &m, &error), -EADDRINUSE);
        assert_null(m);
        assert_non_null(strstr(error, "127."));
        free(error);
        b->config.extra_listen[0] = free_one; /* twice the same is once */
        b->config.extra_listen[1] = (struct node_address) { .family = AF_INET6, .ip6 = IN6ADDR_LOOPBACK_INIT,
                                                            .port = (uint16_t) (20000 + f->net % 20000) };
        b->config.n_extra_listen = 2;
        node_be_master(b);
        node_be_none(a);
        {
                struct node v6 = *b;

                v6.config.ha_address = b->config.extra_listen[1];
                node_be_slave(a, &v6);
                assert_int_equal(a->joined, 1);
        }
        /* and a restart may bind again at once */
        node_be_none(b);
        node_be_master(b);
}

static void a_full_disk_at_a_slave_ends_that_slave_only(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1);
        char *big = value_of(4 * 1024 * 1024), *value = NULL;
        struct node *b;
        int status;
        pid_t pid;

        node_be_master(a);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        pid = fork_slave(f, 2, a, false, 1024 * 1024);
        WAIT(f, a->arrived == 1);
        assert_int_equal(node_set(a, "/y", "1"), 0);
        {
                /* The slave's death fails neither; and it must not store the small one without the large one. */
                struct writer w = { .node = a, .value = big };

                assert_int_equal(write_more(&w), 0);
                w.value = (char *) "small";
                assert_int_equal(write_more(&w), 0);
                WAIT(f, w.done == 2);
                assert_int_equal(w.failed, 0);
        }
        WAIT(f, a->died == 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        f->children[0] = 0;
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), HA_ERROR_CLOSED);
        b = node_new(f, 2); /* what it has: everything before */
        assert_int_equal(store_entries(b->store), 2);
        assert_true(node_has(b, "/y", "1"));
        node_close(b);

        /* The same in the initial copy. */
        pid = fork_slave(f, 2, a, false, 1024 * 1024);
        assert_int_equal(run_until_exit(f, pid), HA_ERROR_CLOSED);
        f->children[0] = 0;
        node_open(b);
        assert_int_equal(store_entries(b->store), 2);
        node_be_slave(b, a);
        assert_int_equal(b->joined, 1);
        assert_true(nodes_equal(a, b));
        free(big);
        free(value);
}

static void a_full_disk_at_the_master_fails_the_commit_only(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b;
        char *big = value_of(4 * 1024 * 1024);
        char id[TRANSACTION_ID_MAX + 1];
        struct rlimit limit;
        unsigned arrived;
        pid_t pid;

        signal(SIGXFSZ, SIG_IGN);
        node_be_master(a);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        pid = fork_slave(f, 2, a, true, 0);
        WAIT(f, a->arrived == 1);
        strcpy(id, store_transaction_id(a->store));
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = 1024 * 1024;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(node_set(a, "/big", big), COMMIT_MAYBE_ELSEWHERE);
        assert_string_equal(store_transaction_id(a->store), id);
        /* The slave has what nobody else has: it is cut off and copies. */
        WAIT(f, a->died == 1 && a->arrived == 2);
        /* Now that space is known to be short, the store is asked first and no slave is lost. */
        arrived = a->arrived;
        assert_int_equal(node_set(a, "/big", big), -ENOSPC);
        assert_int_equal(node_set(a, "/y", "1"), 0);
        assert_int_equal(a->died, 1);
        assert_int_equal(a->arrived, arrived);
        limit.rlim_cur = limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(node_set(a, "/big", big), 0);
        assert_int_equal(a->died, 1);
        end_child(f, pid);
        b = node_new(f, 2);
        assert_true(nodes_equal(a, b));
        free(big);
}

static void a_crash_in_a_copy_leaves_the_old_data(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        unsigned old = 0, new = 0;
        uint64_t seed = (uint64_t) getpid(), whole;

        node_be_master(a);
        node_fill(a, 20000, 500);
        whole = now_monotonic();
        node_be_slave(b, a);
        whole = now_monotonic() - whole; /* how long it takes, about */
        node_be_none(b);
        node_close(b);
        for (int i = 0; i < 24; i++) {
                uint64_t until;
                pid_t pid;

                /* b has something of its own, so that it has to copy */
                node_open(b);
                assert_int_equal(node_set(b, "/own", "1"), 0);
                assert_int_equal(node_set(b, "/fill/00000001", "own"), 0);
                node_close(b);
                pid = fork_slave(f, 2, a, false, 0);
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                until = now_monotonic() + (seed >> 33) % (2 * whole);
                while (now_monotonic() < until)
                        assert_true(sd_event_run(f->event, 1000) >= 0);
                end_child(f, pid);
                node_open(b);
                if (streq(store_transaction_id(b->store), store_transaction_id(a->store))) {
                        assert_true(nodes_equal(a, b));
                        new++;
                } else {
                        assert_true(node_has(b, "/own", "1"));
                        assert_true(node_has(b, "/fill/00000001", "own"));
                        old++;
                }
                node_close(b);
        }
        print_message("# killed in the copy: %u times the old data, %u times the new\n", old, new);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_slave_joins_and_follows, setup, teardown),
                cmocka_unit_test_setup_teardown(a_failover_among_equals_copies_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(a_large_copy_arrives_whole, setup, teardown),
                cmocka_unit_test_setup_teardown(each_refusal_has_its_code_and_changes_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(commits_during_a_copy_arrive_behind_it, setup, teardown),
                cmocka_unit_test_setup_teardown(thousands_of_commits_arrive_in_order, setup, teardown),
                cmocka_unit_test_setup_teardown(a_slave_of_the_same_name_takes_the_place, setup, teardown),
                cmocka_unit_test_setup_teardown(a_slave_that_was_dropped_is_gone, setup, teardown),
                cmocka_unit_test_setup_teardown(a_frozen_slave_is_dropped, setup, teardown),
                cmocka_unit_test_setup_teardown(a_killed_slave_is_told_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(a_frozen_master_is_given_up, setup, teardown),
                cmocka_unit_test_setup_teardown(the_shorter_tick_interval_counts, setup, teardown),
                cmocka_unit_test_setup_teardown(a_silent_synchronization_has_its_own_time, setup, teardown),
                cmocka_unit_test_setup_teardown(a_relay_passes_on, setup, teardown),
                cmocka_unit_test_setup_teardown(a_promoted_relay_keeps_its_slaves, setup, teardown),
                cmocka_unit_test_setup_teardown(nobody_is_admitted_while_events_are_held, setup, teardown),
                cmocka_unit_test_setup_teardown(a_taken_address_is_named, setup, teardown),
                cmocka_unit_test_setup_teardown(a_full_disk_at_a_slave_ends_that_slave_only, setup, teardown),
                cmocka_unit_test_setup_teardown(a_full_disk_at_the_master_fails_the_commit_only, setup, teardown),
                cmocka_unit_test_setup_teardown(a_crash_in_a_copy_leaves_the_old_data, setup, teardown),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        if (getenv("TEST_FILTER"))
                cmocka_set_test_filter(getenv("TEST_FILTER"));
        return cmocka_run_group_tests_name("node-replication", tests, NULL, NULL);
}
