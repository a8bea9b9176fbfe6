/* SPDX-License-Identifier: Apache-2.0 */
/* Several nodes' replication engines in one process, on loopback addresses and one event loop. */
#pragma once

#include "node/replication/master.h"
#include "node/replication/slave.h"
#include "value-of.h"

enum { FIXTURE_PORT = 4570, FIXTURE_DEADLINE_SEC = 120 };

struct node {
        struct fixture *fixture;
        char name[16];
        char directory[80];
        struct node_id id;
        struct secret token; /* borrowed from the fixture unless a test gives it its own */
        struct replication_config config;
        struct store *store;
        struct master *master;
        struct slave *slave;
        /* what was told */
        unsigned arrived, died, joined, failed, lost;
        bool copied;
        enum ha_error code;
        char reason[512];
        char events[256]; /* the last ones, as "+n2 -n2 " */
};

struct fixture {
        char directory[64];
        sd_event *event;
        unsigned net; /* 127.(64 + net / 256).(net % 256).x */
        struct secret token;
        struct node *nodes[8];
        pid_t children[8];
};

struct fixture *fixture_new(void);
void fixture_free(struct fixture *f);

struct node *node_new(struct fixture *f, unsigned number); /* n1 is number 1 at 127.x.y.1 */
void node_open(struct node *n);
void node_close(struct node *n);

void node_be_master(struct node *n);
void node_be_relay(struct node *n);
void node_be_relay_of(struct node *n, const char *name); /* without a following side: master_pass_on() is the test's */
void node_be_slave(struct node *n, struct node *master); /* and waits until it has joined or failed */
void node_start_slave(struct node *n, struct node *master);
void node_be_none(struct node *n);
bool node_copies(struct node *n); /* what it copies is on its way to the disk */

void node_id_set(struct node_id *id, const char *name);

/* A process of its own that follows `master` as node `number`, again and again if it is to rejoin. It can be stopped and
 * killed; fixture_free() kills it. `file_limit`: how large its files may become, in place of a disk that is full; 0: no limit.
 * When it loses its master and is not to rejoin it exits with the code. */
pid_t fork_slave(struct fixture *f, unsigned number, struct node *master, bool rejoin, size_t file_limit);
pid_t fork_master(struct fixture *f, unsigned number, size_t entries);
/* A process that carries one connection to `to`, so many bytes a second from there: follow what is returned in its place. */
struct node fork_slow_link(struct fixture *f, unsigned number, struct node *to, size_t bytes_per_second);
/* One that connects from the address of `from`, says nothing, and comes again as soon as it has been sent away. */
pid_t fork_flood(struct fixture *f, const struct node *from, const struct node *to);
void end_child(struct fixture *f, pid_t pid);

/* At a master, or locally. Returns the result. */
int node_set(struct node *n, const char *key, const char *value);
bool node_has(struct node *n, const char *key, const char *value); /* NULL: has it not */
bool nodes_equal(struct node *a, struct node *b); /* same data and transaction id */
void node_fill(struct node *n, size_t entries, size_t value_size);

/* Runs the loop once; fails the test after the deadline since `start`. */
void fixture_run(struct fixture *f);
void fixture_run_for(struct fixture *f, uint64_t usec); /* to see that something does not happen */
#define WAIT(f, condition) \
        do { \
                uint64_t _deadline = now_monotonic() + FIXTURE_DEADLINE_SEC * USEC_PER_SEC; \
                while (!(condition)) { \
                        if (now_monotonic() > _deadline) \
                                fail_msg("%s:%d: in vain: %s", __FILE__, __LINE__, #condition); \
                        fixture_run(f); \
                } \
        } while (0)
