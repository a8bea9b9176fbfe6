/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of somebody between two nodes who flips, drops, doubles, swaps, replays and cuts what they say to each other.
 *
 * MIDDLE_JOINS=N for another number of joins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "basic/buffer.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "fixture.h"

enum { JOINS = 500, ENTRIES = 300, VALUE_SIZE = 200, RECORDS_MAX = 64, CHUNK = 16 * 1024 + 300 };

enum deed { NOTHING, FLIP, DROP, DOUBLE, SWAP, REPLAY, REFLECT, INSERT, CUT, DEEDS };

static const char *const deed_names[] = { "nothing", "flip", "drop", "double", "swap", "replay", "reflect", "insert", "cut" };

struct way {
        struct middle *middle;
        int from, to;
        sd_event_source *source;
        struct buffer in;
        unsigned units;     /* frames of the greeting and records that have passed */
        uint8_t held[CHUNK]; /* for SWAP */
        size_t held_size;
};

struct middle {
        struct fixture *f;
        struct node *master;
        int listener;
        sd_event_source *source;
        struct way ways[2]; /* from the slave, from the master */
        enum deed deed;
        unsigned direction, unit; /* what it is done to */
        bool done, cut;
        uint64_t since; /* that it is done */
        uint64_t seed;
        /* of an earlier connection, for REPLAY */
        uint8_t recorded[2][RECORDS_MAX][CHUNK];
        size_t recorded_size[2][RECORDS_MAX];
};

static uint32_t dice(struct middle *m) {
        m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
        return (uint32_t) (m->seed >> 33);
}

static void pass_on(struct way *w, const uint8_t *p, size_t n) {
        while (n > 0) {
                ssize_t k = send(w->to, p, n, MSG_NOSIGNAL);

                if (k < 0) /* gone; that it would have to wait cannot be, a whole join fits into the socket's buffer */
                        return;
                p += k;
                n -= (size_t) k;
        }
}

static void middle_hang_up(struct middle *m) {
        for (int i = 0; i < 2; i++) {
                m->ways[i].source = sd_event_source_disable_unref(m->ways[i].source);
                buffer_done(&m->ways[i].in);
        }
        m->ways[0].from = safe_close(m->ways[0].from);
        m->ways[0].to = safe_close(m->ways[0].to);
        m->cut = true;
}

static const uint8_t inserted[] = { 23, 3, 3, 0, 17, 'n', 'o', 't', ' ', 'w', 'h', 'a', 't', ' ', 'w', 'a', 's', ' ', 's', 'a', 'i', 'd' };

/* One frame of the greeting, or one record. Returns false when it has cut the connection. */
static bool unit_passes(struct middle *m, unsigned direction, uint8_t *p, size_t n) {
        struct way *w = &m->ways[direction];
        unsigned number = w->units++;

        if (number < RECORDS_MAX && !m->recorded_size[direction][number] && n <= CHUNK) {
                memcpy(m->recorded[direction][number], p, n);
                m->recorded_size[direction][number] = n;
        }
        if (w->held_size > 0) {
                pass_on(w, p, n);
                pass_on(w, w->held, w->held_size);
                w->held_size = 0;
                return true;
        }
        if (m->done || direction != m->direction || number != m->unit) {
                pass_on(w, p, n);
                return true;
        }
        m->done = m->deed != NOTHING;
        m->since = now_monotonic();
        switch (m->deed) {
        case FLIP:
                p[dice(m) % n] ^= (uint8_t) (1 << dice(m) % 8);
                pass_on(w, p, n);
                return true;
        case DROP:
                return true;
        case DOUBLE:
                pass_on(w, p, n);
                pass_on(w, p, n);
                return true;
        case SWAP:
                memcpy(w->held, p, n);
                w->held_size = n;
                return true;
        case REPLAY:
                number = MIN(number, RECORDS_MAX - 1u);
                if (m->recorded_size[direction][number] > 0)
                        pass_on(w, m->recorded[direction][number], m->recorded_size[direction][number]);
                return true;
        case REFLECT:
                pass_on(&m->ways[!direction], p, n);
                return true;
        case INSERT:
                pass_on(w, inserted, sizeof(inserted));
                pass_on(w, p, n);
                return true;
        case CUT:
                pass_on(w, p, dice(m) % n);
                middle_hang_up(m);
                return false;
        default:
                pass_on(w, p, n);
                return true;
        }
}

/* The first in each direction is a frame of the greeting, all others are records. */
static size_t unit_size(const struct way *w) {
        const uint8_t *p = buffer_head(&w->in);
        size_t have = buffer_size(&w->in), size;

        if (have < 5)
                return 0;
        size = w->units == 0 ? 4 + ((size_t) p[2] << 8 | p[3]) : 5 + ((size_t) p[3] << 8 | p[4]);
        return have < size ? 0 : size;
}

static int on_bytes(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct way *w = userdata;
        struct middle *m = w->middle;
        unsigned direction = w == &m->ways[1];
        uint8_t *to;
        size_t size;
        ssize_t n;

        assert_int_equal(buffer_reserve(&w->in, CHUNK, &to), 0);
        n = recv(fd, to, CHUNK, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) {
                middle_hang_up(m);
                return 0;
        }
        buffer_commit(&w->in, (size_t) n);
        while ((size = unit_size(w)) > 0) {
                uint8_t unit[CHUNK];

                assert_true(size <= sizeof(unit));
                memcpy(unit, buffer_head(&w->in), size);
                buffer_consume(&w->in, size);
                if (!unit_passes(m, direction, unit, size))
                        return 0;
        }
        return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct middle *m = userdata;
        struct sockaddr_storage sa;
        socklen_t size;
        int slave = accept4(fd, NULL, NULL, SOCK_CLOEXEC), master;

        assert_true(slave >= 0);
        assert_int_equal(node_address_to_sockaddr(&m->master->config.ha_address, 0, &sa, &size), 0);
        master = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(master >= 0 && connect(master, (struct sockaddr *) &sa, size) >= 0);
        for (int i = 0; i < 2; i++) {
                struct way *w = &m->ways[i];

                *w = (struct way) { .middle = m, .from = i ? master : slave, .to = i ? slave : master, .in = BUFFER_INIT(0) };
                assert_int_equal(sd_event_add_io(m->f->event, &w->source, w->from, EPOLLIN, on_bytes, w), 0);
        }
        m->cut = false;
        return 0;
}

/* What was dropped would be waited for; and somebody in between would not wait either. */
static void hang_up_if_stuck(struct middle *m) {
        if (m->done && !m->cut && now_monotonic() - m->since > 100 * USEC_PER_MSEC)
                middle_hang_up(m);
}

static void middle_start(struct middle *m, struct node *as) {
        struct sockaddr_storage sa;
        socklen_t size;

        assert_int_equal(node_address_to_sockaddr(&as->config.ha_address, 0, &sa, &size), 0);
        m->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(m->listener, (struct sockaddr *) &sa, size), 0);
        assert_int_equal(listen(m->listener, 8), 0);
        assert_int_equal(sd_event_add_io(m->f->event, &m->source, m->listener, EPOLLIN, on_connection, m), 0);
        m->cut = true;
}

static void somebody_in_between_gets_closed_connections_and_nothing_else(void **state) {
        struct fixture *f = fixture_new();
        struct node *a = node_new(f, 1), *b = node_new(f, 2), as = {};
        unsigned joins = getenv("MIDDLE_JOINS") ? (unsigned) atoi(getenv("MIDDLE_JOINS")) : JOINS, outcomes[DEEDS][2] = {};
        struct middle *m = calloc(1, sizeof(*m));
        unsigned units[2] = {};

        as.config.ha_address = a->config.ha_address;
        as.config.ha_address.ip4.s_addr = htonl(ntohl(as.config.ha_address.ip4.s_addr) + 100);
        as.id = a->id;
        m->f = f;
        m->master = a;
        m->seed = 7;
        middle_start(m, &as);
        node_be_master(a);
        node_fill(a, ENTRIES, VALUE_SIZE);
        /* One join with nothing done to it shows how many units there are. */
        node_be_slave(b, &as);
        assert_int_equal(b->joined, 1);
        units[0] = m->ways[0].units;
        units[1] = m->ways[1].units;
        print_message("# a join is %u units there and %u back\n", units[0], units[1]);
        for (unsigned i = 0; i < joins; i++) {
                char id[32];

                node_be_none(b);
                WAIT(f, m->cut);
                /* Of its own: so that there is something to copy, and something to lose. */
                (void) snprintf(id, sizeof(id), "%u", i);
                assert_int_equal(node_set(b, "/own", id), 0);
                m->done = false;
                m->deed = (enum deed) (FLIP + i % (DEEDS - 1));
                m->direction = dice(m) % 2;
                m->unit = dice(m) % units[m->direction];
                b->lost = b->joined = b->failed = 0;
                node_start_slave(b, &as);
                WAIT(f, (hang_up_if_stuck(m), b->failed || b->joined));
                if (b->joined)
                        assert_true(nodes_equal(a, b));
                else {
                        assert_true(node_has(b, "/own", id));
                        assert_true(b->code == HA_ERROR_CLOSED ||
                                    (m->deed != CUT && (b->code == HA_ERROR_BADTOKEN || b->code == HA_ERROR_BADVSN)));
                }
                outcomes[m->deed][b->joined]++;
        }
        for (int i = FLIP; i < DEEDS; i++)
                print_message("# %s: %u joins failed, %u succeeded unharmed\n", deed_names[i], outcomes[i][0], outcomes[i][1]);
        m->deed = NOTHING;
        node_be_none(b);
        WAIT(f, m->cut);
        assert_int_equal(node_set(b, "/own", "last"), 0);
        node_be_slave(b, &as);
        assert_true(nodes_equal(a, b));
        node_be_none(b);
        WAIT(f, m->cut);
        sd_event_source_disable_unref(m->source);
        close(m->listener);
        free(m);
        fixture_free(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(somebody_in_between_gets_closed_connections_and_nothing_else),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        return cmocka_run_group_tests_name("node-middle", tests, NULL, NULL);
}
