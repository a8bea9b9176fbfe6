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

enum {
        STRANGERS = 10000,
        OPEN_MAX = STRANGERS_MAX + 80, /* at a time: more than the master keeps */
        PATIENCE_SEC = 4 * STRANGER_SEC, /* for it to get rid of one, on a busy machine */
        MEMORY_MAX = 32 * 1024 * 1024,
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
        size_t idle, most = 0;
        uint64_t longest = 0, begin, flood_begin;
        unsigned commits = 0;
        bool rightful = false;
        int status = 0, go;
        sd_event_source *post;
        pid_t pid;

        a->config.tick_usec = USEC_PER_SEC;
        pid = start_flood(f, a, &go);
        node_be_master(a);
        fork_slave(f, 2, a, /* rejoin= */ false, 0);
        WAIT(f, a->arrived == 1);
        for (int i = 0; i < 20; i++)
                assert_int_equal(node_set(a, "/idle", "1"), 0);
        idle = allocated();
        assert_int_equal(sd_event_add_post(f->event, &post, on_turn, &most), 0);
        flood_begin = now_monotonic();
        assert_int_equal(write(go, "x", 1), 1);
        while (waitpid(pid, &status, WNOHANG) == 0) {
                begin = now_monotonic();
                assert_int_equal(node_set(a, "/busy", commits++ % 2 ? "1" : "2"), 0);
                longest = MAX(longest, now_monotonic() - begin);
                assert_true(begin - flood_begin < 250 * USEC_PER_SEC);
                if (!rightful && begin - flood_begin > USEC_PER_SEC) {
                        /* Somebody who has the token comes in the middle of it, and comes again if the crowd has pushed him out
                         * before he could prove it. */
                        rightful = true;
                        fork_slave(f, 3, a, /* rejoin= */ true, 0);
                }
        }
        f->children[FLOOD] = 0;
        print_message("# %zu KiB over idle, %u commits, the longest took %.0f ms, %.1f s in all\n",
                      (MAX(most, idle) - idle) / 1024, commits, (double) longest / 1000, (double) (now_monotonic() - flood_begin) / 1e6);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_true(most < idle + MEMORY_MAX);
        assert_true(rightful);
        WAIT(f, a->arrived == 2);
        assert_int_equal(a->died, 0);
        sd_event_source_disable_unref(post);
        close(go);
        fixture_free(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ten_thousand_strangers_cost_little_and_keep_nobody_out),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        return cmocka_run_group_tests_name("node-strangers", tests, NULL, NULL);
}
