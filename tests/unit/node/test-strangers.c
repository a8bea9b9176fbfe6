/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of a master that 10,000 strangers come to: what they cost, and whom they keep out. */
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "fixture.h"
#include "node/replication/hop.h"
#include "node/replication/peer.h"

enum {
        STRANGERS = 10000,
        OPEN_MAX = STRANGERS_MAX + 80, /* at a time: more than the master keeps */
        PATIENCE_SEC = 4 * STRANGER_SEC, /* for it to get rid of one, on a busy machine */
        MEMORY_MAX = 32 * 1024 * 1024,
        COMMIT_USEC_MAX = 50 * 1000, /* or twice of what it takes in peace: the flood's own process takes a processor */
        FLOOD = 7, /* its place among the children */
};

/* ---- the strangers, in a process of their own ---- */

enum kind { SILENT, HALF, SLOW, LYING, STALLING, KINDS };

struct guest {
        int fd; /* -1: none */
        enum kind kind;
        struct hop *hop;
        uint64_t since;
        size_t sent;
};

static const struct secret true_token = { (uint8_t *) "secret", 6 }, other_token = { (uint8_t *) "guess", 5 };

static void guest_come(struct guest *g, struct node *master, unsigned number) {
        struct node_address from = master->config.ha_address;
        struct sockaddr_storage sa;
        struct node_id id;
        socklen_t size;
        char name[16];

        *g = (struct guest) { .kind = number % KINDS, .since = now_monotonic() };
        (void) snprintf(name, sizeof(name), "guest%u", number);
        node_id_set(&id, name);
        if (hop_new_joining(&id, &master->id, g->kind == LYING ? &other_token : &true_token, &g->hop) < 0)
                _exit(2);
        g->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        from.ip4.s_addr = htonl((ntohl(from.ip4.s_addr) & 0xffffff00) + 100 + number % 16);
        from.port = 0;
        if (g->fd < 0 || node_address_to_sockaddr(&from, 0, &sa, &size) < 0 ||
            setsockopt(g->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int) { 1 }, sizeof(int)) < 0 ||
            bind(g->fd, (struct sockaddr *) &sa, size) < 0 ||
            node_address_to_sockaddr(&master->config.ha_address, 0, &sa, &size) < 0 ||
            (connect(g->fd, (struct sockaddr *) &sa, size) < 0 && errno != EINPROGRESS))
                _exit(2);
}

static void guest_go(struct guest *g) {
        close(g->fd);
        g->fd = -1;
        g->hop = hop_free(g->hop);
}

/* Returns whether it has gone. */
static bool guest_listens(struct guest *g) {
        struct hop_frame f;
        uint8_t *to;
        size_t room;
        ssize_t n;

        if (hop_input(g->hop, &to, &room) < 0)
                _exit(2);
        n = recv(g->fd, to, room, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        if (n <= 0)
                return true;
        hop_input_done(g->hop, (size_t) n);
        return hop_next(g->hop, &f) < 0;
}

static void guest_speaks(struct guest *g) {
        struct buffer *out = hop_output(g->hop);
        size_t most = SIZE_MAX;
        ssize_t n;

        if (g->kind == SILENT)
                most = 0;
        else if (g->kind == HALF)
                most = g->sent < 100 ? 100 - g->sent : 0; /* some of the ClientHello */
        else if (g->kind == SLOW)
                most = 1;
        else if (g->kind == STALLING && g->sent > 17 + 200)
                most = 0; /* all of it; Finished never comes */
        most = MIN(most, buffer_size(out));
        n = most > 0 ? send(g->fd, buffer_head(out), most, MSG_NOSIGNAL) : 0;
        if (n > 0) {
                buffer_consume(out, (size_t) n);
                g->sent += (size_t) n;
        }
}

static int flood(struct node *master) {
        static struct guest guests[OPEN_MAX];
        static struct pollfd fds[OPEN_MAX];
        unsigned come = 0, open;

        for (size_t i = 0; i < OPEN_MAX; i++)
                guests[i].fd = -1;
        do {
                open = 0;
                for (size_t i = 0; i < OPEN_MAX; i++) {
                        if (guests[i].fd < 0 && come < STRANGERS)
                                guest_come(&guests[i], master, come++);
                        fds[i] = (struct pollfd) { .fd = guests[i].fd, .events = POLLIN };
                        open += guests[i].fd >= 0;
                }
                (void) poll(fds, OPEN_MAX, 10);
                for (size_t i = 0; i < OPEN_MAX; i++) {
                        struct guest *g = &guests[i];

                        if (g->fd < 0)
                                continue;
                        if (now_monotonic() - g->since > PATIENCE_SEC * USEC_PER_SEC)
                                return 3; /* still there */
                        if (fds[i].revents && guest_listens(g)) {
                                guest_go(g);
                                continue;
                        }
                        guest_speaks(g);
                }
        } while (open > 0);
        return 0;
}

/* ---- the master, in this process ---- */

/* What is allocated, by us and by OpenSSL. */
#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
static size_t allocated(void) {
        return __sanitizer_get_current_allocated_bytes();
}
#else
static size_t allocated(void) {
        char line[128];
        size_t kib = 0;
        FILE *f = fopen("/proc/self/status", "re");

        assert_non_null(f);
        while (fgets(line, sizeof(line), f) && sscanf(line, "RssAnon: %zu kB", &kib) != 1)
                ;
        fclose(f);
        assert_true(kib > 0);
        return kib * 1024;
}
#endif

static int on_turn(sd_event_source *source, void *userdata) {
        size_t *most = userdata;

        *most = MAX(*most, allocated());
        return 0;
}

/* What commits take, in the middle of them. */
struct times {
        uint64_t all[65536];
        size_t n;
};

static void timed_commit(struct node *n, struct times *t) {
        uint64_t begin = now_monotonic();

        assert_int_equal(node_set(n, "/key", t->n % 2 ? "1" : "2"), 0);
        if (t->n < ELEMENTSOF(t->all))
                t->all[t->n++] = now_monotonic() - begin;
}

static int compare_times(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static uint64_t median(struct times *t) {
        qsort(t->all, t->n, sizeof(t->all[0]), compare_times);
        return t->n > 0 ? t->all[t->n / 2] : 0;
}

static pid_t start_flood(struct fixture *f, struct node *master, int *ret_go) {
        int go[2];
        pid_t pid;
        char byte;

        assert_int_equal(pipe2(go, O_CLOEXEC), 0);
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                close(go[1]);
                _exit(read(go[0], &byte, 1) == 1 ? flood(master) : 2);
        }
        f->children[FLOOD] = pid;
        close(go[0]);
        *ret_go = go[1];
        return pid;
}

static void ten_thousand_strangers_cost_little_and_keep_nobody_out(void **state) {
        struct fixture *f = fixture_new();
        struct node *a = node_new(f, 1);
        static struct times in_peace, in_flood;
        size_t idle, most = 0;
        uint64_t begin;
        bool rightful = false;
        int status = 0, go;
        sd_event_source *post;
        pid_t pid;

        a->config.tick_usec = USEC_PER_SEC;
        pid = start_flood(f, a, &go);
        node_be_master(a);
        fork_slave(f, 2, a, /* rejoin= */ false, 0);
        WAIT(f, a->arrived == 1);
        for (int i = 0; i < 100; i++)
                timed_commit(a, &in_peace);
        idle = allocated();
        assert_int_equal(sd_event_add_post(f->event, &post, on_turn, &most), 0);
        begin = now_monotonic();
        assert_int_equal(write(go, "x", 1), 1);
        while (waitpid(pid, &status, WNOHANG) == 0) {
                timed_commit(a, &in_flood);
                assert_true(now_monotonic() - begin < 250 * USEC_PER_SEC);
                if (!rightful && now_monotonic() - begin > USEC_PER_SEC) {
                        /* Somebody who has the token comes in the middle of it, once. */
                        rightful = true;
                        fork_slave(f, 3, a, /* rejoin= */ false, 0);
                }
        }
        f->children[FLOOD] = 0;
        print_message("# %zu KiB over idle; %zu commits, in the median %llu us, and %llu us before; %.1f s in all\n",
                      (MAX(most, idle) - idle) / 1024, in_flood.n, (unsigned long long) median(&in_flood),
                      (unsigned long long) median(&in_peace), (double) (now_monotonic() - begin) / 1e6);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_true(most < idle + MEMORY_MAX);
        assert_true(median(&in_flood) <= MAX(2 * median(&in_peace), (uint64_t) COMMIT_USEC_MAX));
        assert_true(rightful);
        WAIT(f, a->arrived == 2);
        assert_int_equal(a->died, 0);
        sd_event_source_disable_unref(post);
        close(go);
        fixture_free(f);
}

/* ---- who goes ---- */

/* Strangers of this process: their sockets, by the order in which they came. */
struct crowd {
        struct fixture *f;
        struct node *master;
        int fds[2 * STRANGERS_MAX];
        size_t n;
};

/* One from host `host`; it says the first `n` bytes of HELLO. Returns when the master has answered a whole one, or has at least had
 * time to see it. */
static int comes(struct crowd *c, unsigned host, size_t n) {
        static const uint8_t hello[] = { 0, 0, 0, 13, HOP_HELLO, 'C', 'O', 'N', 'F', 'D', '-', 'H', 'A', 0, 2, 0, 2 };
        struct node_address from = c->master->config.ha_address;
        struct sockaddr_storage sa;
        socklen_t size;
        char byte;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0 && c->n < ELEMENTSOF(c->fds));
        from.ip4.s_addr = htonl(ntohl(from.ip4.s_addr) + 64 + host);
        from.port = 0;
        assert_int_equal(node_address_to_sockaddr(&from, 0, &sa, &size), 0);
        assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int) { 1 }, sizeof(int)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &sa, size), 0);
        assert_int_equal(node_address_to_sockaddr(&c->master->config.ha_address, FIXTURE_PORT, &sa, &size), 0);
        if (connect(fd, (struct sockaddr *) &sa, size) < 0)
                assert_int_equal(errno, EINPROGRESS);
        if (n > 0)
                assert_int_equal(send(fd, hello, MIN(n, sizeof(hello)), MSG_NOSIGNAL), MIN(n, sizeof(hello)));
        c->fds[c->n++] = fd;
        if (n >= sizeof(hello))
                WAIT(c->f, recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
        else
                for (int i = 0; i < 4; i++)
                        assert_true(sd_event_run(c->f->event, 0) >= 0);
        return fd;
}

static bool was_sent_away(int fd) {
        char buf[256];
        ssize_t n;

        do
                n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
        while (n > 0);
        return n == 0 || (errno != EAGAIN && errno != EINTR);
}

static void go_home(struct crowd *c) {
        while (c->n > 0)
                close(c->fds[--c->n]);
        node_be_none(c->master);
        fixture_free(c->f);
}

static void crowd_init(struct crowd *c) {
        c->n = 0;
        c->f = fixture_new();
        c->master = node_new(c->f, 1);
        node_be_master(c->master);
}

enum { SAYS_NOTHING = 0, SAYS_HALF = 8, SAYS_HELLO = 17, HOSTS = 1, MANY_HOSTS = 128 };

/* He has said nothing yet, or little, and all others have said more: he is let go on, from wherever they come. */
static void who_has_just_come_stays_among_those_who_have_said_more(void **state) {
        static const struct {
                unsigned hosts;
                size_t says;
        } table[] = { { HOSTS, SAYS_NOTHING }, { MANY_HOSTS, SAYS_NOTHING }, { HOSTS, SAYS_HALF } };
        static struct crowd c;

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                int newcomer;

                crowd_init(&c);
                for (unsigned k = 0; k < STRANGERS_MAX; k++)
                        comes(&c, 1 + k % table[i].hosts, SAYS_HELLO);
                newcomer = comes(&c, 0, table[i].says);
                for (unsigned k = 0; k < 32; k++)
                        comes(&c, 1 + k % table[i].hosts, SAYS_HELLO);
                assert_false(was_sent_away(newcomer));
                assert_true(was_sent_away(c.fds[0]));
                go_home(&c);
        }
}

/* One that has the token, and does not join, or not as one does. */
struct proven {
        struct peer *peer;
        int fd; /* its socket, also when it is over for the peer */
        bool authenticated, refused;
};

static void proven_authenticated(struct peer *p, void *userdata) {
        struct proven *proven = userdata;

        proven->authenticated = true;
}

static void proven_frame(struct peer *p, const struct hop_frame *frame, void *userdata) {
        struct proven *proven = userdata;

        proven->refused |= frame->type == HOP_REFUSE;
}

static void proven_closed(struct peer *p, enum ha_error error, const char *reason, void *userdata) {
}

static void comes_with_the_token(struct crowd *c, unsigned number, struct proven *proven) {
        static const struct peer_callbacks callbacks = {
                .authenticated = proven_authenticated, .frame = proven_frame, .closed = proven_closed,
        };
        struct node_id id;
        struct hop *hop;
        char name[16];

        (void) snprintf(name, sizeof(name), "light%u", number);
        node_id_set(&id, name);
        *proven = (struct proven) { .fd = comes(c, 1, SAYS_NOTHING) };
        assert_int_equal(hop_new_joining(&id, &c->master->id, &c->f->token, &hop), 0);
        assert_int_equal(peer_new(c->f->event, dup(proven->fd), /* connecting= */ true, hop, &callbacks, proven, &proven->peer), 0);
        WAIT(c->f, proven->authenticated);
}

/* He has been told why he is refused, and is let read it: what he still says would be answered with a reset otherwise. */
static void who_is_refused_stays_among_those_who_have_said_more(void **state) {
        static struct proven refused;
        static struct crowd c;

        crowd_init(&c);
        comes_with_the_token(&c, 0, &refused);
        peer_send(refused.peer, HOP_JOIN, NULL, 0);
        WAIT(c.f, refused.refused);
        for (unsigned k = 0; k < STRANGERS_MAX + 32; k++)
                comes(&c, 2, SAYS_HELLO);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(send(refused.fd, "x", 1, MSG_NOSIGNAL), 1);
                fixture_run_for(c.f, USEC_PER_MSEC);
        }
        peer_free(refused.peer);
        go_home(&c);
}

/* He has to prove himself, and all others have done so. */
static void who_was_greeted_stays_among_those_who_have_the_token(void **state) {
        static struct proven proven[STRANGERS_MAX + 8];
        static struct crowd c;
        int greeted;

        crowd_init(&c);
        for (unsigned k = 0; k < STRANGERS_MAX; k++)
                comes_with_the_token(&c, k, &proven[k]);
        greeted = comes(&c, 0, SAYS_HELLO);
        for (unsigned k = STRANGERS_MAX; k < ELEMENTSOF(proven); k++)
                comes_with_the_token(&c, k, &proven[k]);
        assert_false(was_sent_away(greeted));
        for (unsigned k = 0; k < ELEMENTSOF(proven); k++)
                peer_free(proven[k].peer);
        go_home(&c);
}

/* Nobody who comes and says less pushes him out, not from his own address either. */
static void who_was_greeted_stays_among_those_who_say_less(void **state) {
        static const size_t say[] = { SAYS_NOTHING, SAYS_HALF };
        static struct crowd c;

        for (size_t i = 0; i < ELEMENTSOF(say); i++) {
                int greeted;

                crowd_init(&c);
                greeted = comes(&c, 0, SAYS_HELLO);
                for (unsigned k = 0; k < STRANGERS_MAX + 64; k++)
                        comes(&c, 0, say[i]);
                assert_false(was_sent_away(greeted));
                assert_true(was_sent_away(c.fds[1]));
                go_home(&c);
        }
}

/* Of those that have come equally far the host that has the most loses the one that stands still for the longest. */
static void the_host_with_the_most_loses_its_slowest(void **state) {
        static struct crowd c;
        int alone;

        crowd_init(&c);
        alone = comes(&c, 0, SAYS_HELLO);
        for (unsigned k = 0; k < STRANGERS_MAX - 1; k++)
                comes(&c, 1 + (k >= 100), SAYS_HELLO);
        comes(&c, 3, SAYS_HELLO);
        assert_false(was_sent_away(alone));
        assert_false(was_sent_away(c.fds[1]));
        assert_true(was_sent_away(c.fds[101]));
        assert_false(was_sent_away(c.fds[102]));
        go_home(&c);
}

/* As a node of the former protocol that goes on with what it would have said: it is let to hear why, and not to say all it likes. */
static void a_refused_one_says_so_much_and_no_more(void **state) {
        static const uint8_t old[] = { 0, 0, 0, 13, HOP_HELLO, 'C', 'O', 'N', 'F', 'D', '-', 'H', 'A', 0, 1, 0, 1 };
        static const uint8_t junk[4096];
        static struct crowd c;
        size_t said = 0;
        uint64_t begin;
        ssize_t n;
        int fd;

        crowd_init(&c);
        fd = comes(&c, 0, SAYS_NOTHING);
        assert_int_equal(send(fd, old, sizeof(old), 0), sizeof(old));
        begin = now_monotonic();
        while ((n = send(fd, junk, sizeof(junk), MSG_NOSIGNAL)) > 0 || errno == EAGAIN) {
                said += n > 0 ? (size_t) n : 0;
                assert_true(now_monotonic() - begin < STRANGER_SEC * USEC_PER_SEC / 2);
                assert_true(sd_event_run(c.f->event, 0) >= 0);
        }
        assert_true(said < 16 * 1024 * 1024); /* most of it was never read */
        go_home(&c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_has_just_come_stays_among_those_who_have_said_more),
                cmocka_unit_test(who_was_greeted_stays_among_those_who_say_less),
                cmocka_unit_test(who_is_refused_stays_among_those_who_have_said_more),
                cmocka_unit_test(who_was_greeted_stays_among_those_who_have_the_token),
                cmocka_unit_test(the_host_with_the_most_loses_its_slowest),
                cmocka_unit_test(a_refused_one_says_so_much_and_no_more),
                cmocka_unit_test(ten_thousand_strangers_cost_little_and_keep_nobody_out),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        return cmocka_run_group_tests_name("node-strangers", tests, NULL, NULL);
}
