/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of a master and a slave with peers that are many, mute, mad or strangers. */
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/message.h"
#include "node/replication/peer.h"
#include "fixture.h"

static int setup(void **state) {
        *state = fixture_new();
        return 0;
}

static int teardown(void **state) {
        fixture_free(*state);
        return 0;
}

/* Slaves that are hardly more than a connection. */

struct light {
        struct peer *peer;
        int fd; /* the peer's */
        struct fixture *fixture;
        bool admitted, refused, closed;
        enum ha_error code;
        bool mute; /* does not answer */
        bool empty; /* has nothing yet, and reads no more, until it is told to, when its copy has begun */
        bool copying;
};

static void light_authenticated(struct peer *p, void *userdata) {
        struct light *l = userdata;
        struct join_message join = {};
        uint8_t buf[MESSAGE_SIZE_MAX];

        if (!l->empty)
                strcpy(join.transaction_id, store_transaction_id(l->fixture->nodes[0]->store));
        peer_send(p, HOP_JOIN, &(struct iovec) { buf, join_message_encode(&join, buf) }, 1);
}

static void light_frame(struct peer *p, const struct hop_frame *frame, void *userdata) {
        struct light *l = userdata;
        char *reason = NULL;

        if (frame->type == HOP_END)
                peer_send(p, HOP_READY, NULL, 0);
        else if (frame->type == HOP_ADMIT)
                peer_send(p, HOP_IN_FORCE, NULL, 0);
        else if (frame->type == HOP_ARRIVED)
                l->admitted = true;
        else if (frame->type == HOP_TRANSACTION && !l->mute)
                peer_send(p, HOP_ACK, &(struct iovec) { (uint8_t[]) { 0, 0, 0, 0, 0, 0, 0, 1 }, 8 }, 1);
        else if (frame->type == HOP_COPY && l->empty && !l->copying) {
                l->copying = true;
                peer_pause(p);
        } else if (frame->type == HOP_REFUSE) {
                l->refused = true;
                assert_int_equal(hop_parse_refuse(frame->body, frame->size, &l->code, &reason), 0);
                free(reason);
        }
}

static void light_closed(struct peer *p, enum ha_error error, const char *reason, void *userdata) {
        struct light *l = userdata;

        l->closed = true;
}

static int connect_to(struct node *n) {
        struct sockaddr_storage sa;
        socklen_t size;
        int fd;

        assert_int_equal(node_address_to_sockaddr(&n->config.ha_address, 0, &sa, &size), 0);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_true(connect(fd, (struct sockaddr *) &sa, size) >= 0 || errno == EINPROGRESS);
        return fd;
}

static void light_start(struct light *l, struct fixture *f, struct node *master, unsigned number) {
        static const struct peer_callbacks callbacks = {
                .authenticated = light_authenticated, .frame = light_frame, .closed = light_closed,
        };
        struct node_id id;
        struct hop *hop;
        char name[16];

        (void) snprintf(name, sizeof(name), "light%u", number);
        node_id_set(&id, name);
        l->fixture = f;
        assert_int_equal(hop_new_joining(&id, &master->id, &f->token, &hop), 0);
        assert_int_equal(peer_new(f->event, l->fd = connect_to(master), true, hop, &callbacks, l, &l->peer), 0);
}

static void slaves_254_join_and_one_more_is_refused(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1);
        struct light *l = calloc(SLAVES_MAX + 2, sizeof(*l));
        uint64_t begin;

        a->config.tick_usec = 0;
        node_be_master(a);
        for (unsigned i = 0; i < SLAVES_MAX; i++) {
                light_start(&l[i], f, a, i);
                if (i % 16 == 15) /* or they would be too many strangers at a time */
                        WAIT(f, l[i].admitted);
        }
        WAIT(f, a->arrived == SLAVES_MAX);
        assert_int_equal(master_n_slaves(a->master), SLAVES_MAX);
        light_start(&l[SLAVES_MAX], f, a, SLAVES_MAX);
        WAIT(f, l[SLAVES_MAX].refused);
        assert_int_equal(l[SLAVES_MAX].code, HA_ERROR_CONNECT);
        assert_int_equal(master_n_slaves(a->master), SLAVES_MAX);
        begin = now_monotonic();
        assert_int_equal(node_set(a, "/x", "1"), 0);
        print_message("# a commit with 254 slaves: %.1f ms\n", (double) (now_monotonic() - begin) / 1000);
        /* One that is there may come again. */
        light_start(&l[SLAVES_MAX + 1], f, a, 7);
        WAIT(f, l[SLAVES_MAX + 1].admitted && l[7].closed);
        assert_int_equal(master_n_slaves(a->master), SLAVES_MAX);
        for (unsigned i = 0; i < SLAVES_MAX + 2; i++)
                peer_free(l[i].peer);
        free(l);
}

/* Nonsense from those that have the token: it costs them the connection and nobody anything else. */

struct nonsense {
        struct light light;
        uint8_t type;
        const uint8_t *body;
        size_t size;
        unsigned when; /* in place of JOIN, after it, in place of READY, after ADMIT */
        bool sent;
};

static void nonsense_send(struct peer *p, struct nonsense *n) {
        n->sent = true;
        peer_send(p, (enum hop_type) n->type, &(struct iovec) { (void *) n->body, n->size }, 1);
}

static void nonsense_authenticated(struct peer *p, void *userdata) {
        struct nonsense *n = userdata;

        if (n->when > 0)
                light_authenticated(p, &n->light);
        if (n->when <= 1)
                nonsense_send(p, n);
}

static void nonsense_frame(struct peer *p, const struct hop_frame *frame, void *userdata) {
        struct nonsense *n = userdata;

        if (frame->type == HOP_END && n->when == 2)
                nonsense_send(p, n);
        else
                light_frame(p, frame, &n->light);
        if (frame->type == HOP_ARRIVED && n->when == 3)
                nonsense_send(p, n);
}

static void nonsense_closed(struct peer *p, enum ha_error error, const char *reason, void *userdata) {
        struct nonsense *n = userdata;

        n->light.closed = true;
}

static const struct peer_callbacks nonsense_callbacks = {
        .authenticated = nonsense_authenticated, .frame = nonsense_frame, .closed = nonsense_closed,
};

static const uint8_t nonsense_bytes[300] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const size_t nonsense_sizes[] = { 0, 8, 300 };

static void nonsense_from_a_slave_ends_that_slave_only(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);

        node_be_master(a);
        node_be_slave(b, a);
        for (unsigned when = 0; when < 4; when++)
                for (uint8_t type = 0; type < 32; type++)
                        for (size_t k = 0; k < ELEMENTSOF(nonsense_sizes); k++) {
                                struct nonsense n = { .light = { .fixture = f }, .type = type, .body = nonsense_bytes,
                                                      .size = nonsense_sizes[k], .when = when };
                                struct node_id id;
                                struct hop *hop;

                                /* what would not be nonsense there */
                                if (type == HOP_READY && (when == 2 || when == 1))
                                        continue;
                                node_id_set(&id, "nonsense");
                                assert_int_equal(hop_new_joining(&id, &a->id, &f->token, &hop), 0);
                                assert_int_equal(peer_new(f->event, connect_to(a), true, hop, &nonsense_callbacks, &n, &n.light.peer), 0);
                                WAIT(f, n.sent && n.light.closed);
                                peer_free(n.light.peer);
                        }
        assert_int_equal(b->lost, 0);
        assert_int_equal(master_n_slaves(a->master), 1);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        assert_true(nodes_equal(a, b));
}

/* A master that has the token and has gone mad: one connection after the other. */
struct mad {
        struct nonsense n;
        struct fixture *f;
        int listener;
        unsigned step;
};

static void mad_authenticated(struct peer *p, void *userdata) {
}

static void mad_frame(struct peer *p, const struct hop_frame *frame, void *userdata) {
        struct mad *m = userdata;
        struct accept_message accept = { .copy = true, .entries = 1, .transaction_id = "mad-1", .path.n = 1 };
        uint8_t buf[MESSAGE_SIZE_MAX];

        if (frame->type == HOP_JOIN && m->n.when == 0)
                nonsense_send(p, &m->n);
        else if (frame->type == HOP_JOIN) {
                node_id_set(&accept.path.names[0], "mad");
                peer_send(p, HOP_ACCEPT, &(struct iovec) { buf, accept_message_encode(&accept, buf) }, 1);
                if (m->n.when == 1)
                        nonsense_send(p, &m->n);
                else {
                        peer_send(p, HOP_COPY, &(struct iovec) { (void *) "\0\2\0\0\0\1/xv", 9 }, 1);
                        if (m->n.when == 2)
                                nonsense_send(p, &m->n);
                        peer_send(p, HOP_END, NULL, 0);
                }
        } else if (frame->type == HOP_READY) {
                peer_send(p, HOP_ADMIT, NULL, 0);
                if (m->n.when == 3)
                        nonsense_send(p, &m->n);
        }
}

static void mad_closed(struct peer *p, enum ha_error error, const char *reason, void *userdata) {
        struct mad *m = userdata;

        m->n.light.closed = true;
}

static int on_mad_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        static const struct peer_callbacks mad_callbacks = {
                .authenticated = mad_authenticated, .frame = mad_frame, .closed = mad_closed,
        };
        struct mad *m = userdata;
        struct node_id id;
        struct hop *hop;

        fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        assert_true(fd >= 0);
        node_id_set(&id, "mad");
        assert_int_equal(hop_new_serving(&id, &m->f->token, &hop), 0);
        assert_int_equal(peer_new(m->f->event, fd, false, hop, &mad_callbacks, m, &m->n.light.peer), 0);
        return 0;
}

/* Returns what has to be disabled: the mad master beside A. */
static sd_event_source *mad_listen(struct mad *m, const struct node *a, struct node *ret_master) {
        sd_event_source *source;
        struct sockaddr_storage sa;
        socklen_t size;

        ret_master->config.ha_address = a->config.ha_address;
        ret_master->config.ha_address.ip4.s_addr = htonl(ntohl(a->config.ha_address.ip4.s_addr) + 1);
        node_id_set(&ret_master->id, "mad");
        assert_int_equal(node_address_to_sockaddr(&ret_master->config.ha_address, 0, &sa, &size), 0);
        m->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(m->listener, (struct sockaddr *) &sa, size), 0);
        assert_int_equal(listen(m->listener, 8), 0);
        assert_int_equal(sd_event_add_io(m->f->event, &source, m->listener, EPOLLIN, on_mad_connection, m), 0);
        return source;
}

static void nonsense_from_a_master_ends_the_join(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), master = {};
        struct mad m = { .f = f };
        sd_event_source *source = mad_listen(&m, a, &master);

        a->config.tick_usec = USEC_PER_SEC; /* some of it is only silence */
        assert_int_equal(node_set(a, "/own", "1"), 0);
        for (unsigned when = 0; when < 4; when++)
                for (uint8_t type = 0; type < 32; type++)
                        for (size_t k = 0; k < ELEMENTSOF(nonsense_sizes); k++) {
                                m.n = (struct nonsense) { .type = type, .body = nonsense_bytes,
                                                          .size = nonsense_sizes[k], .when = when };
                                if (type == HOP_TICK && when > 0)
                                        continue;
                                if (type == HOP_END && when == 2)
                                        continue;
                                node_start_slave(a, &master);
                                WAIT(f, m.n.sent && (a->failed || a->lost));
                                assert_int_equal(a->failed, when < 3);
                                peer_free(m.n.light.peer);
                                if (when < 3)
                                        assert_true(node_has(a, "/own", "1"));
                        }
        assert_int_equal(store_entries(a->store), 1);
        sd_event_source_disable_unref(source);
        close(m.listener);
}

/* A transaction that lies right behind the admission is for the copy: where that cannot be put in force, it is for nobody. */
static void what_lies_behind_an_admission_whose_swap_fails_is_for_nobody(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), master = {};
        struct mad m = { .f = f };
        sd_event_source *source = mad_listen(&m, a, &master);
        char path[128], id[TRANSACTION_ID_MAX + 1];
        _cleanup_transaction_ struct transaction *t = NULL;
        uint8_t body[512];

        assert_int_equal(transaction_new(&t), 0);
        assert_int_equal(transaction_set(t, "/behind", "1"), 0);
        assert_int_equal(transaction_seal(t, "mad"), 0);
        transaction_header_encode(transaction_size(t), body);
        assert_true(TRANSACTION_HEADER_SIZE + transaction_size(t) <= sizeof(body));
        memcpy(body + TRANSACTION_HEADER_SIZE, transaction_data(t), transaction_size(t));
        m.n = (struct nonsense) { .type = HOP_TRANSACTION, .body = body, .when = 3,
                                  .size = TRANSACTION_HEADER_SIZE + transaction_size(t) };
        assert_int_equal(node_set(a, "/own", "1"), 0);
        strcpy(id, store_transaction_id(a->store));
        (void) snprintf(path, sizeof(path), "%s/current.new", a->directory);
        assert_int_equal(mkdir(path, 0700), 0);
        node_start_slave(a, &master);
        WAIT(f, m.n.sent && a->failed);
        fixture_run_for(f, 100 * USEC_PER_MSEC);
        assert_string_equal(store_transaction_id(a->store), id);
        assert_int_equal(store_entries(a->store), 1);
        assert_true(node_has(a, "/own", "1"));
        assert_int_equal(rmdir(path), 0);
        /* As the next start finds it, too. */
        node_close(a);
        node_open(a);
        assert_string_equal(store_transaction_id(a->store), id);
        peer_free(m.n.light.peer);
        sd_event_source_disable_unref(source);
        close(m.listener);
}

static void on_committed(int result, struct transaction *t, void *userdata) {
        assert_int_equal(result, 0);
        *(bool *) userdata = true;
}

/* One that ticks, but never acknowledges, holds a commit for three ticks and no longer; and hardly longer if it says that it has
 * all the world below it, and that all of that gets on. */
static void hold_commit(void **state, uint8_t depth) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        struct light l = { .mute = true };
        uint64_t begin;

        a->config.tick_usec = b->config.tick_usec = 200 * USEC_PER_MSEC;
        node_be_master(a);
        node_be_slave(b, a);
        light_start(&l, f, a, 1);
        WAIT(f, l.admitted);
        begin = now_monotonic();
        {
                bool done = false;
                struct transaction *t;
                uint64_t last_tick = begin;

                assert_int_equal(transaction_new(&t), 0);
                assert_int_equal(transaction_set(t, "/x", "1"), 0);
                assert_int_equal(master_commit(a->master, t, on_committed, &done), 0);
                transaction_unref(t);
                while (!done) {
                        assert_true(now_monotonic() - begin < FIXTURE_DEADLINE_SEC * USEC_PER_SEC); /* a slow disk is in it, too */
                        if (now_monotonic() - last_tick > 100 * USEC_PER_MSEC && !l.closed) {
                                last_tick = now_monotonic();
                                peer_send(l.peer, HOP_TICK, &(struct iovec) { &depth, 1 }, 1);
                                peer_send(l.peer, HOP_ACK, &(struct iovec) { (uint8_t[8]) {}, 8 }, 1);
                        }
                        assert_true(sd_event_run(f->event, 10000) >= 0);
                }
        }
        assert_true(now_monotonic() - begin >= 500 * USEC_PER_MSEC);
        assert_true(now_monotonic() - begin < 3 * USEC_PER_SEC); /* a slow disk is in it, too */
        WAIT(f, a->died == 1);
        assert_true(nodes_equal(a, b));
        peer_free(l.peer);
}

static void a_mute_slave_holds_a_commit_for_three_ticks(void **state) {
        hold_commit(state, /* depth= */ 0);
}

static void a_mute_slave_that_claims_a_depth_holds_a_commit_hardly_longer(void **state) {
        hold_commit(state, /* depth= */ PATH_NODES_MAX);
}

/* As the node does. */
static bool on_disk_full(struct store *s, void *userdata) {
        const struct node *n = userdata;

        return master_give_up_copies(n->master);
}

/* Each commit takes space that the copy keeps from being used again, and is kept for the slave that lags. */
static void commit_with_a_copy_under_way(struct fixture *f) {
        struct node *a = node_new(f, 1);
        struct light l = { .empty = true };
        char *value = malloc(100 * 1000 + 1);

        a->config.tick_usec = 0;
        node_be_master(a);
        store_set_full_callback(a->store, on_disk_full, a);
        node_fill(a, 16000, 1000);
        light_start(&l, f, a, 1);
        WAIT(f, l.copying);
        for (int i = 0; i < 800; i++) {
                memset(value, 'a' + i % 26, 100 * 1000);
                value[100 * 1000] = 0;
                assert_int_equal(node_set(a, "/same", value), 0);
        }
        assert_true(node_has(a, "/same", value));
        peer_resume(l.peer);
        WAIT(f, l.closed || l.admitted);
        assert_false(l.admitted);
        node_close(a);
        node_open(a);
        assert_int_equal(store_entries(a->store), 16001);
        assert_true(node_has(a, "/same", value));
        peer_free(l.peer);
        free(value);
}

static void a_copy_is_given_up_before_a_full_disk_refuses_a_commit(void **state) {
        struct fixture *f = *state;
        int status;
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                struct fixture *own = fixture_new();

                (void) rmdir(own->directory);
                strcpy(own->directory, f->directory);
                if ((unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
                    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", own->directory, "tmpfs", 0, "size=64m") < 0)
                        _exit(77);
                commit_with_a_copy_under_way(own);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                print_message("# skipped: this machine allows no mounts\n");
        else
                assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Without ticks nobody else would notice. */
static void what_does_not_authenticate_ends_a_connection_that_reads_nothing(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1);
        struct light l = { .mute = true };
        char *value = value_of(4 * 1024 * 1024);
        bool done = false;

        a->config.tick_usec = 0;
        node_be_master(a);
        light_start(&l, f, a, 1);
        WAIT(f, l.admitted);
        peer_pause(l.peer);
        for (int i = 0; i < 8; i++) { /* more than the sockets take */
                _cleanup_transaction_ struct transaction *t = NULL;

                assert_int_equal(transaction_new(&t), 0);
                assert_int_equal(transaction_set(t, i < 7 ? "/a" : "/b", value), 0);
                assert_int_equal(master_commit(a->master, t, on_committed, &done), 0);
        }
        WAIT(f, node_has(a, "/b", value));
        assert_false(done);
        assert_int_equal(send(l.fd, "\x17\x03\x03\0\x20 this is thirty-two bytes of text", 37, MSG_NOSIGNAL), 37);
        WAIT(f, a->died == 1 && done);
        peer_free(l.peer);
        free(value);
}

/* Strangers: many, silent or noisy; who has the token still gets in. */
static void strangers_do_not_keep_out_who_has_the_token(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        int fds[STRANGERS_MAX + 20];

        node_be_master(a);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                fds[i] = connect_to(a);
                if (i % 2)
                        (void) !send(fds[i], "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL);
        }
        node_be_slave(b, a);
        assert_int_equal(b->joined, 1);
        assert_int_equal(node_set(a, "/x", "1"), 0);
        /* All the others are gone after some seconds. */
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                char byte;

                WAIT(f, recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != ENOTCONN));
                close(fds[i]);
        }
        assert_int_equal(b->lost, 0);
}

/* From the very address of the slave, so that no share of addresses helps it: neither those that are quick, nor one that has said
 * HELLO and then takes its time. */
static void a_flood_of_silent_connections_keeps_nobody_out(void **state) {
        static const char hello[] = "\0\0\0\x0d\1CONFD-HA\0\2\0\2";
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), *b = node_new(f, 2);
        struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr = b->config.ha_address.ip4 }, to = own;
        uint8_t bytes[256];
        pid_t pid;
        int fd;

        node_be_master(a);
        to.sin_addr = a->config.ha_address.ip4;
        to.sin_port = htons(FIXTURE_PORT);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &own, sizeof(own)), 0);
        assert_int_equal(connect(fd, (struct sockaddr *) &to, sizeof(to)), 0);
        assert_int_equal(send(fd, hello, sizeof(hello) - 1, 0), sizeof(hello) - 1);
        WAIT(f, recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0);
        pid = fork_flood(f, b, a);
        fixture_run_for(f, USEC_PER_SEC); /* until there are more than there is room for */
        assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
        assert_int_equal(errno, EAGAIN);
        for (int i = 0; i < 20; i++) {
                node_be_slave(b, a);
                if (!b->joined)
                        fail_msg("%s", b->reason);
                node_be_none(b);
        }
        end_child(f, pid);
        close(fd);
}

static void the_tick_interval_is_the_shorter_within_its_limits(void **state) {
        const uint64_t own = 3 * USEC_PER_SEC;

        assert_int_equal(tick_interval(0, 0), 0);
        assert_int_equal(tick_interval(own, 0), own);
        assert_int_equal(tick_interval(0, own), own);
        assert_int_equal(tick_interval(own, USEC_PER_SEC), USEC_PER_SEC);
        assert_int_equal(tick_interval(own, own + 1), own);
        /* Who wants ticks without end, or never, does not get them. */
        assert_int_equal(tick_interval(own, TICK_USEC_MIN), TICK_USEC_MIN);
        assert_int_equal(tick_interval(own, TICK_USEC_MIN - 1), TICK_USEC_MIN);
        assert_int_equal(tick_interval(own, 1), TICK_USEC_MIN);
        assert_int_equal(tick_interval(0, TICK_USEC_MAX), TICK_USEC_MAX);
        assert_int_equal(tick_interval(0, TICK_USEC_MAX + 1), TICK_USEC_MAX);
        assert_int_equal(tick_interval(0, UINT64_MAX), TICK_USEC_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_tick_interval_is_the_shorter_within_its_limits),
                cmocka_unit_test_setup_teardown(slaves_254_join_and_one_more_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(nonsense_from_a_slave_ends_that_slave_only, setup, teardown),
                cmocka_unit_test_setup_teardown(what_lies_behind_an_admission_whose_swap_fails_is_for_nobody, setup, teardown),
                cmocka_unit_test_setup_teardown(nonsense_from_a_master_ends_the_join, setup, teardown),
                cmocka_unit_test_setup_teardown(a_mute_slave_holds_a_commit_for_three_ticks, setup, teardown),
                cmocka_unit_test_setup_teardown(a_mute_slave_that_claims_a_depth_holds_a_commit_hardly_longer, setup, teardown),
                cmocka_unit_test_setup_teardown(a_copy_is_given_up_before_a_full_disk_refuses_a_commit, setup, teardown),
                cmocka_unit_test_setup_teardown(what_does_not_authenticate_ends_a_connection_that_reads_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(a_flood_of_silent_connections_keeps_nobody_out, setup, teardown),
                cmocka_unit_test_setup_teardown(strangers_do_not_keep_out_who_has_the_token, setup, teardown),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        if (getenv("TEST_FILTER"))
                cmocka_set_test_filter(getenv("TEST_FILTER"));
        return cmocka_run_group_tests_name("node-peers", tests, NULL, NULL);
}
