/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the nodes that the tests of replication play with. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "basic/time-util.h"
#include "fixture.h"
#include "scratch.h"

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        return remove(path);
}

struct fixture *fixture_new(void) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_true(scratch_directory("test-node", f->directory, sizeof(f->directory)));
        assert_int_equal(sd_event_new(&f->event), 0);
        f->token.data = (uint8_t *) strdup("secret");
        f->token.size = 6;
        f->net = (unsigned) getpid();
        return f;
}

void end_child(struct fixture *f, pid_t pid) {
        for (size_t i = 0; i < ELEMENTSOF(f->children); i++)
                if (f->children[i] == pid) {
                        f->children[i] = 0;
                        kill(pid, SIGKILL);
                        (void) waitpid(pid, NULL, 0);
                }
}

void fixture_free(struct fixture *f) {
        for (size_t i = 0; i < ELEMENTSOF(f->children); i++)
                if (f->children[i] > 0)
                        end_child(f, f->children[i]);
        for (size_t i = 0; i < ELEMENTSOF(f->nodes); i++)
                if (f->nodes[i]) {
                        node_close(f->nodes[i]);
                        free(f->nodes[i]);
                }
        sd_event_unref(f->event);
        secret_done(&f->token);
        nftw(f->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(f);
}

void fixture_run(struct fixture *f) {
        assert_true(sd_event_run(f->event, 100 * 1000) >= 0);
}

void fixture_run_for(struct fixture *f, uint64_t usec) {
        uint64_t until = now_monotonic() + usec;

        while (now_monotonic() < until)
                assert_true(sd_event_run(f->event, 10 * 1000) >= 0);
}

void node_open(struct node *n) {
        char *error = NULL;

        if (store_open(n->directory, n->fixture->event, &n->store, &error) < 0)
                fail_msg("%s", error);
}

void node_close(struct node *n) {
        n->master = master_free(n->master);
        n->slave = slave_free(n->slave);
        if (n->store) {
                /* what is under way comes to its end, so that nothing is left behind */
                fixture_run(n->fixture);
                n->store = store_free(n->store);
        }
}

/* A binary as a term: tag, length, bytes. */
void node_id_set(struct node_id *id, const char *name) {
        uint8_t term[64] = { 109, 0, 0, 0, (uint8_t) strlen(name) };

        memcpy(term + 5, name, strlen(name));
        assert_int_equal(node_id_from_bytes(term, 5 + strlen(name), id), 0);
}

struct node *node_new(struct fixture *f, unsigned number) {
        struct node *n = calloc(1, sizeof(*n));
        char address[32];

        f->nodes[number - 1] = n;
        n->fixture = f;
        (void) snprintf(n->name, sizeof(n->name), "n%u", number);
        (void) snprintf(n->directory, sizeof(n->directory), "%s/%s", f->directory, n->name);
        node_id_set(&n->id, n->name);
        n->token = f->token;
        (void) snprintf(address, sizeof(address), "127.%u.%u.%u", 64 + (f->net >> 8) % 64, f->net & 255, number);
        n->config.ha_address.family = AF_INET;
        n->config.ha_address.port = FIXTURE_PORT;
        assert_int_equal(inet_pton(AF_INET, address, &n->config.ha_address.ip4), 1);
        n->config.tick_usec = 5 * USEC_PER_SEC;
        n->config.sync_timeout_usec = 20 * USEC_PER_SEC;
        node_open(n);
        return n;
}

static void note(struct node *n, char kind, const struct node_id *id) {
        char text[NODE_ID_TEXT_MAX];
        size_t at = strlen(n->events);

        if (at + 8 >= sizeof(n->events))
                at = 0;
        (void) snprintf(n->events + at, sizeof(n->events) - at, "%c%s ", kind, node_id_text(id, text));
}

static void on_arrived(struct master *m, const struct node_id *id, const struct node_address *address, void *userdata) {
        struct node *n = userdata;

        n->arrived++;
        note(n, '+', id);
        assert_int_equal(address->port, 0);
}

static void on_died(struct master *m, const struct node_id *id, const struct node_address *address, void *userdata) {
        struct node *n = userdata;

        n->died++;
        note(n, '-', id);
}

static void on_depth(struct master *m, unsigned depth, void *userdata) {
        struct node *n = userdata;

        if (n->slave)
                slave_set_depth(n->slave, depth);
}

static void on_progress(struct master *m, void *userdata) {
        struct node *n = userdata;

        if (n->slave)
                slave_progresses(n->slave);
}

static int on_follow(struct slave *s, uint64_t chain, struct transaction *t, transaction_stored_fn fn, void *fn_userdata,
                     void *userdata) {
        struct node *n = userdata;

        return n->master ? master_pass_on(n->master, t, chain, fn, fn_userdata)
                         : store_commit_chained(n->store, chain, t, fn, fn_userdata);
}

static void on_path(struct slave *s, const struct node_path *path, void *userdata) {
        struct node *n = userdata;

        if (n->master)
                master_set_path(n->master, path);
}

static const struct master_callbacks master_callbacks = { on_arrived, on_died, on_depth, on_progress };

static void on_joined(struct slave *s, bool copied, void *userdata) {
        struct node *n = userdata;

        n->joined++;
        n->copied = copied;
}

static void on_failed(struct slave *s, enum ha_error code, const char *reason, void *userdata) {
        struct node *n = userdata;

        n->failed++;
        n->code = code;
        (void) snprintf(n->reason, sizeof(n->reason), "%s", reason);
        n->slave = slave_free(n->slave);
}

static void on_lost(struct slave *s, enum ha_error code, const char *reason, void *userdata) {
        struct node *n = userdata;

        n->lost++;
        n->code = code;
        (void) snprintf(n->reason, sizeof(n->reason), "%s", reason);
        n->master = master_free(n->master); /* a relay drops its slaves */
        n->slave = slave_free(n->slave);
}

static const struct slave_callbacks slave_callbacks = {
        .joined = on_joined, .failed = on_failed, .lost = on_lost, .follow = on_follow, .path = on_path,
};

static void serve(struct node *n, const struct node_path *above) {
        char *error = NULL;

        if (master_new(n->fixture->event, n->store, &n->config, &n->id, &n->token, above, &master_callbacks, n,
                       &n->master, &error) < 0)
                fail_msg("%s", error);
}

void node_be_master(struct node *n) {
        if (n->master && n->slave)
                master_promote(n->master);
        n->slave = slave_free(n->slave);
        if (!n->master)
                serve(n, NULL);
}

void node_be_relay(struct node *n) {
        assert_true(slave_is_joined(n->slave));
        serve(n, slave_path(n->slave));
}

void node_be_relay_of(struct node *n, const char *name) {
        struct node_path above = { .n = 1 };

        node_id_set(&above.names[0], name);
        serve(n, &above);
}

void node_start_slave(struct node *n, struct node *master) {
        n->master = master_free(n->master);
        n->slave = slave_free(n->slave);
        n->joined = n->failed = n->lost = 0;
        n->copied = false;
        assert_int_equal(slave_new(n->fixture->event, n->store, &n->config, &n->id, &master->id, &master->config.ha_address,
                                   &n->token, &slave_callbacks, n, &n->slave), 0);
}

void node_be_slave(struct node *n, struct node *master) {
        node_start_slave(n, master);
        WAIT(n->fixture, n->joined || n->failed);
}

void node_be_none(struct node *n) {
        n->master = master_free(n->master);
        n->slave = slave_free(n->slave);
}

bool node_copies(struct node *n) {
        char path[128];

        for (unsigned i = 2; i < 9; i++) {
                (void) snprintf(path, sizeof(path), "%s/.copy-%u.mdb", n->directory, i);
                if (access(path, F_OK) == 0)
                        return true;
        }
        return false;
}

struct outcome {
        bool done;
        int result;
};

static void on_commit(int result, struct transaction *t, void *userdata) {
        struct outcome *o = userdata;

        o->result = result;
        o->done = true;
}

static int node_commit(struct node *n, struct transaction *t) {
        struct outcome o = {};
        int r;

        if (n->master)
                r = master_commit(n->master, t, on_commit, &o);
        else {
                assert_int_equal(transaction_seal(t, "none"), 0);
                r = store_commit(n->store, t, on_commit, &o);
        }
        transaction_unref(t);
        if (r < 0)
                return r;
        WAIT(n->fixture, o.done);
        return o.result;
}

int node_set(struct node *n, const char *key, const char *value) {
        struct transaction *t;

        assert_int_equal(transaction_new(&t), 0);
        assert_int_equal(value ? transaction_set(t, key, value) : transaction_delete(t, key), 0);
        return node_commit(n, t);
}

bool node_has(struct node *n, const char *key, const char *value) {
        char *v = NULL;
        int r = store_get(n->store, key, &v);
        bool yes = value ? r == 0 && streq(v, value) : r == -ENOENT;

        free(v);
        return yes;
}

void node_fill(struct node *n, size_t entries, size_t value_size) {
        char *value = value_of(value_size), key[64];
        struct transaction *t;
        size_t bytes = 0;

        assert_int_equal(transaction_new(&t), 0);
        for (size_t i = 0; i < entries; i++) {
                (void) snprintf(key, sizeof(key), "/fill/%08zu", i);
                if (bytes + strlen(key) + value_size > TRANSACTION_SIZE_MAX) {
                        assert_int_equal(node_commit(n, t), 0);
                        assert_int_equal(transaction_new(&t), 0);
                        bytes = 0;
                }
                assert_int_equal(transaction_set(t, key, value), 0);
                bytes += strlen(key) + value_size;
        }
        assert_int_equal(node_commit(n, t), 0);
        free(value);
}

bool nodes_equal(struct node *a, struct node *b) {
        struct store_snapshot *x, *y;
        bool same;

        assert_int_equal(store_snapshot_new(a->store, &x), 0);
        assert_int_equal(store_snapshot_new(b->store, &y), 0);
        same = streq(store_snapshot_transaction_id(x), store_snapshot_transaction_id(y)) &&
               store_snapshot_entries(x) == store_snapshot_entries(y);
        while (same) {
                struct change p, q;
                int r = store_snapshot_next(x, &p);

                assert_int_equal(store_snapshot_next(y, &q), r);
                if (r == 0)
                        break;
                same = p.key_size == q.key_size && memcmp(p.key, q.key, p.key_size) == 0 && p.value_size == q.value_size &&
                       memcmp(p.value, q.value, p.value_size) == 0;
        }
        store_snapshot_free(x);
        store_snapshot_free(y);
        return same;
}

/* In the child: nothing of the parent's is to be kept open, the locks of its stores least of all. */
static struct node *child_node(struct fixture *f, unsigned number) {
        (void) close_range(3, ~0U, 0);
        signal(SIGXFSZ, SIG_IGN);
        memset(f->nodes, 0, sizeof(f->nodes));
        memset(f->children, 0, sizeof(f->children));
        if (sd_event_new(&f->event) < 0)
                _exit(99);
        return node_new(f, number);
}

static pid_t child(struct fixture *f) {
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid > 0)
                for (size_t i = 0; i < ELEMENTSOF(f->children); i++)
                        if (f->children[i] == 0) {
                                f->children[i] = pid;
                                break;
                        }
        return pid;
}

pid_t fork_slave(struct fixture *f, unsigned number, struct node *master, bool rejoin, size_t file_limit) {
        struct rlimit limit = { file_limit, file_limit };
        struct node *n;
        pid_t pid = child(f);

        if (pid != 0)
                return pid;
        n = child_node(f, number);
        n->config.tick_usec = master->config.tick_usec;
        if (file_limit > 0 && setrlimit(RLIMIT_FSIZE, &limit) < 0)
                _exit(99);
        do {
                node_start_slave(n, master);
                while (!n->failed && !n->lost)
                        if (sd_event_run(f->event, UINT64_MAX) < 0)
                                _exit(99);
        } while (rejoin);
        fprintf(stderr, "# %s: %s\n", n->name, n->reason);
        n->store = store_free(n->store);
        _exit(n->code);
}

pid_t fork_master(struct fixture *f, unsigned number, size_t entries) {
        uint64_t tick = f->nodes[0] ? f->nodes[0]->config.tick_usec : 0;
        struct node *n;
        pid_t pid = child(f);

        if (pid != 0)
                return pid;
        n = child_node(f, number);
        n->config.tick_usec = tick;
        if (entries > 0)
                node_fill(n, entries, 1000);
        node_be_master(n); /* whoever finds it listening finds it with all its data */
        for (;;)
                if (sd_event_run(f->event, UINT64_MAX) < 0)
                        _exit(99);
}

/* ---- a slow link ---- */

/* One way from a to b: what was read and not written yet. */
struct way {
        int from, to;
        uint8_t data[4096];
        size_t n;
};

static void flow(struct way *w, size_t *budget) {
        ssize_t n;

        if (w->n == 0 && *budget > 0) {
                n = recv(w->from, w->data, MIN(sizeof(w->data), *budget), MSG_DONTWAIT);
                if (n == 0 || (n < 0 && errno != EAGAIN))
                        _exit(0); /* whatever ends it ends it for both */
                w->n = n > 0 ? (size_t) n : 0;
                *budget -= w->n;
        }
        if (w->n > 0) {
                n = send(w->to, w->data, w->n, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n < 0 && errno != EAGAIN)
                        _exit(0);
                if (n > 0) {
                        memmove(w->data, w->data + n, w->n - (size_t) n);
                        w->n -= (size_t) n;
                }
        }
}

/* Little is kept on the way, so that who sends feels how slow it is. */
static void carry(int listener, const struct node_address *to, size_t bytes_per_second) {
        int client = accept(listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
        struct way down = { .from = server, .to = client }, up = { .from = client, .to = server };
        const uint64_t step = 10 * USEC_PER_MSEC;
        struct sockaddr_storage sa;
        socklen_t size;

        if (client < 0 || setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) < 0 ||
            node_address_to_sockaddr(to, 0, &sa, &size) < 0 || connect(server, (struct sockaddr *) &sa, size) < 0)
                _exit(99);
        for (;;) {
                size_t budget = bytes_per_second / 100, plenty = sizeof(up.data);
                uint64_t until = now_monotonic() + step;

                for (int i = 0; i < 8; i++) {
                        flow(&down, &budget);
                        flow(&up, &plenty);
                }
                while (now_monotonic() < until)
                        (void) usleep(USEC_PER_MSEC);
        }
}

struct node fork_slow_link(struct fixture *f, unsigned number, struct node *to, size_t bytes_per_second) {
        struct node link = { .id = to->id, .config.ha_address = to->config.ha_address };
        struct sockaddr_storage sa;
        socklen_t size;
        int fd, on = 1;

        link.config.ha_address.ip4.s_addr = htonl((ntohl(to->config.ha_address.ip4.s_addr) & 0xffffff00) + number);
        assert_int_equal(node_address_to_sockaddr(&link.config.ha_address, 0, &sa, &size), 0);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &sa, size), 0);
        assert_int_equal(listen(fd, 8), 0);
        if (child(f) == 0) {
                assert_int_equal(dup2(fd, 3), 3);
                (void) close_range(4, ~0U, 0);
                carry(3, &to->config.ha_address, bytes_per_second);
        }
        close(fd);
        return link;
}

/* ---- a flood ---- */

/* More than the master keeps, and fewer than would fill the kernel's backlog on top of them: what the kernel does not take is not
 * the master's to let in, and on a busy machine that would be nearly all. */
enum { FLOOD = STRANGERS_MAX + 160 };

static void flood(const struct sockaddr_storage *from, socklen_t from_size, const struct sockaddr_storage *to, socklen_t to_size) {
        struct pollfd fds[FLOOD];

        for (size_t i = 0; i < FLOOD; i++)
                fds[i] = (struct pollfd) { .fd = -1, .events = POLLIN, .revents = POLLIN };
        for (;;) {
                for (size_t i = 0; i < FLOOD; i++) {
                        int *fd = &fds[i].fd;

                        if (!fds[i].revents)
                                continue;
                        safe_close(*fd);
                        *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
                        (void) setsockopt(*fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int) { 1 }, sizeof(int));
                        if (*fd < 0 || bind(*fd, (const struct sockaddr *) from, from_size) < 0)
                                _exit(99);
                        (void) !connect(*fd, (const struct sockaddr *) to, to_size);
                }
                (void) poll(fds, FLOOD, -1);
        }
}

pid_t fork_flood(struct fixture *f, const struct node *from, const struct node *to) {
        struct node_address own = from->config.ha_address;
        struct sockaddr_storage sa, any_port;
        socklen_t size, own_size;
        pid_t pid;

        own.port = 0;
        assert_int_equal(node_address_to_sockaddr(&to->config.ha_address, 0, &sa, &size), 0);
        assert_int_equal(node_address_to_sockaddr(&own, 0, &any_port, &own_size), 0);
        pid = child(f);
        if (pid != 0)
                return pid;
        (void) close_range(3, ~0U, 0);
        flood(&any_port, own_size, &sa, size);
        _exit(0);
}
