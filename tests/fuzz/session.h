/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets of both sides of a replication session share: a real store, and the other end of a true connection, which says
 * what the input has it say. */
#pragma once

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/node/scratch.h"
#include "basic/log.h"
#include "input.h"
#include "node/replication/master.h"
#include "node/replication/peer.h"
#include "node/replication/slave.h"

enum { STEPS_MAX = 48, KEYS = 8, VALUE_MAX = 8, SLAVES = 3, PORT = 4571, CHANGES_MAX = 3, PASSED_MAX = STEPS_MAX + 1 };

struct data {
        bool there[KEYS];
        char value[KEYS][VALUE_MAX + 1];
};

struct conn {
        struct peer *peer;
        bool over, authenticated, arrived;
        unsigned sent[256], heard[256]; /* frames by type */
        uint64_t acks_sent, acks_heard;
        uint64_t commits_at_arrival, acks_since_arrival;
        struct accept_message accept;
        struct buffer stream, transaction;
        size_t transaction_size;
        uint64_t entries;
};

struct commit {
        uint64_t number; /* of those that were begun */
        bool done;
        int result;
        bool awaits[SLAVES]; /* arrived when it was begun, and stayed */
};

static struct world {
        char directory[64];
        sd_event *event;
        struct store *store;
        struct replication_config config;
        struct node_address master_address;
        struct node_id ids[SLAVES + 1]; /* n1 is the master */
        struct conn conns[SLAVES];
        struct slave *slave;
        struct master *master;
        bool barrier;
        /* as a slave */
        unsigned joined, failed, lost, settling;
        bool copied;
        bool wild;                       /* frames of the kinds that change data were sent with anything in them */
        struct data old, copy;
        struct data passed[PASSED_MAX][2]; /* after so many transactions: on what was there, and on the copy */
        size_t n_passed;
        uint8_t flip_at, flip;
        /* as a master */
        struct commit commits[STEPS_MAX];
        size_t n_commits;
        unsigned arrived, died;
} w;

static const struct secret token = { (uint8_t *) "token", 5 };

/* ---- the store ---- */

static void on_barrier(int result, void *userdata) {
        w.barrier = true;
}

/* Until nothing more happens, also in the store's threads: a barrier has come back with nothing before it and nothing after it. Each costs
 * a way through two threads, and most of what a step costs is these. */
static void settle(void) {
        for (unsigned round = 0, idle = 0; round < 8 && idle < 1; round++) {
                unsigned events = 0;

                while (events < 10000 && sd_event_run(w.event, 0) > 0)
                        events++;
                w.barrier = false;
                if (store_barrier(w.store, on_barrier, &w) < 0)
                        abort();
                for (; !w.barrier; events++)
                        if (sd_event_run(w.event, UINT64_MAX) < 0)
                                abort();
                idle = events <= 1; /* the barrier's own */
        }
}

static int take_entry(const char *key, const char *value, void *userdata) {
        struct data *d = userdata;

        if (strlen(key) != 3 || key[2] < '0' || key[2] >= '0' + KEYS || strlen(value) > VALUE_MAX)
                return -ERANGE; /* what it was told by no step of ours */
        d->there[key[2] - '0'] = true;
        strcpy(d->value[key[2] - '0'], value);
        return 0;
}

static bool read_store(struct data *ret) {
        char *next = NULL;
        int r;

        *ret = (struct data) {};
        r = store_list(w.store, "/k", "", 0, take_entry, ret, &next);
        free(next);
        if (r < 0 && r != -ERANGE)
                abort();
        return r >= 0;
}

static void commit_here(struct transaction *t) {
        if (transaction_seal(t, "n1") < 0 || store_commit(w.store, t, NULL, NULL) < 0)
                abort();
        transaction_unref(t);
        settle();
}

static int delete_entry(const char *key, const char *value, void *userdata) {
        return transaction_delete(userdata, key);
}

/* Whatever there is goes, and two entries come. */
static void reset_store(void) {
        struct transaction *t;
        char *next = NULL;

        if (transaction_new(&t) < 0 || store_list(w.store, "", "", 0, delete_entry, t, &next) < 0)
                abort();
        free(next);
        if (transaction_changes(t) > 0)
                commit_here(t);
        else
                transaction_unref(t);
        if (transaction_new(&t) < 0 || transaction_set(t, "/k0", "old") < 0 || transaction_set(t, "/k5", "old") < 0)
                abort();
        commit_here(t);
        if (!read_store(&w.old))
                abort();
}

static void remove_directory(void) {
        char command[128];

        w.store = store_free(w.store);
        sd_event_unref(w.event);
        (void) snprintf(command, sizeof(command), "rm -rf %s", w.directory);
        (void) !system(command);
}

static struct node_address address_of(unsigned number) {
        unsigned pid = (unsigned) getpid();
        struct node_address a = { .family = AF_INET, .port = PORT };

        a.ip4.s_addr = htonl(127u << 24 | (128 + (pid >> 8) % 64) << 16 | (pid & 255) << 8 | number);
        return a;
}

static void begin_once(void) {
        char *error = NULL;

        if (w.store)
                return;
        log_set_target(LOG_TARGET_NULL);
        if (!scratch_directory("fuzz-node-session", w.directory, sizeof(w.directory)) || sd_event_new(&w.event) < 0 ||
            store_open(w.directory, w.event, &w.store, &error) < 0 || atexit(remove_directory) != 0)
                abort();
        for (unsigned i = 0; i <= SLAVES; i++) {
                const uint8_t id[] = { 109, 0, 0, 0, 2, 'n', (uint8_t) ('1' + i) };

                if (node_id_from_bytes(id, sizeof(id), &w.ids[i]) < 0)
                        abort();
        }
}

/* ---- frames ---- */

static void say(struct conn *c, enum hop_type type, const void *p, size_t n) {
        uint8_t body[2048];

        n = MIN(n, sizeof(body));
        if (!c->peer || c->over || !c->authenticated)
                return;
        if (n > 0)
                memcpy(body, p, n);
        if (w.flip && n > 0) {
                body[w.flip_at % n] ^= w.flip;
                w.flip = 0;
                w.wild = true;
        }
        c->sent[type & 255]++;
        peer_send(c->peer, type, &(struct iovec) { body, n }, 1);
}

static void say_raw(struct conn *c, struct input *in) {
        static const uint8_t types[] = { HOP_HELLO, HOP_NAMES, HOP_REFUSE, HOP_JOIN, HOP_ACCEPT, HOP_COPY, HOP_TRANSACTION, HOP_MORE,
                                         HOP_END,
                                         HOP_READY, HOP_ADMIT, HOP_ACK, HOP_TICK, HOP_PATH, HOP_COPIED, HOP_IN_FORCE, HOP_ARRIVED };
        uint8_t b = take_byte(in);
        uint8_t type = b < 0x80 ? types[b % ELEMENTSOF(types)] : b;
        const uint8_t *p;
        size_t n = take_bytes(in, &p);
        uint64_t acks;

        if (type == HOP_ACCEPT || type == HOP_COPY || type == HOP_TRANSACTION || type == HOP_MORE || type == HOP_END || type == HOP_ADMIT)
                w.wild = true;
        if (type == HOP_ACK && ack_message_decode(p, n, &acks) >= 0)
                c->acks_sent += acks, c->acks_since_arrival += acks;
        say(c, (enum hop_type) type, p, n);
}

static void on_authenticated(struct peer *p, void *userdata) {
        ((struct conn *) userdata)->authenticated = true;
}

static void on_closed(struct peer *p, enum ha_error error, const char *reason, void *userdata) {
        ((struct conn *) userdata)->over = true;
}

/* Each input finds the same. */
static void begin(void) {
        memset(w.conns, 0, sizeof(w.conns));
        w.joined = w.failed = w.lost = w.settling = w.arrived = w.died = 0;
        w.n_passed = w.n_commits = 0;
        w.wild = w.copied = false;
        w.flip = 0;
        memset(&w.copy, 0, sizeof(w.copy));
        memset(w.passed, 0, sizeof(w.passed));
        reset_store();
}
