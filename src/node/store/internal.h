/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share: the store itself, and incoming copies. */
#pragma once

#include <pthread.h>

#include "basic/buffer.h"
#include "node/store/generation.h"
#include "node/store/job.h"
#include "node/store/store.h"

enum {
        STORE_GROUP_BYTES_MAX = 32 * 1024 * 1024, /* transactions that share an fsync hold that much at most */
        COPY_BLOCK_SIZE = 256 * 1024,             /* entries of a copy go to the writer in blocks of this size */
        COPY_BATCH_SIZE = 16 * 1024 * 1024,       /* and are written out when so much has come together */
        BROKEN_CHAINS_MAX = 64,                   /* a stream that goes on in one that broke before all these is let through no more */
};

struct store {
        char *directory;
        int directory_fd, lock_fd;

        /* The loop's side. */
        struct generation *current;
        struct generation_state state;
        uint64_t submitted; /* sequence number of the last transaction that was submitted */
        uint64_t chains;
        bool log;           /* transactions that are submitted now go into the log, too */
        bool last_failed;   /* the last commit found no space */
        struct store_copy *copy;
        store_changed_fn changed_fn;
        void *changed_userdata;
        sd_event_source *event_source;
        int event_fd;
        size_t n_commits, commit_bytes; /* submitted, and not delivered */
        LIST_HEAD(, job) barriers;

        /* The writer's side. */
        pthread_t thread;
        bool running;
        struct generation *writing;
        struct broken_chain {
                uint64_t chain;
                int error;
        } broken[BROKEN_CHAINS_MAX]; /* the last ones in which something failed, and why; a ring */
        size_t n_broken;
        uint64_t forgotten_chain; /* the last one that the ring holds no more */
        bool stale_log;     /* what is in the log of an earlier run or copy has to go */

        /* Between them. */
        pthread_mutex_t mutex;
        pthread_cond_t wake;
        struct job_queue waiting, done;
        bool stop;
};

struct store_copy {
        struct store *store;
        bool dropped; /* the owner is gone; freed when the writer is through with it */
        struct buffer block;
        size_t pending;
        int error;    /* the first failure that the loop knows of */
        store_done_fn drained_fn;
        void *drained_userdata;
        bool finishing, finished, swapping;

        /* The writer's. */
        struct generation *generation;
        MDB_txn *txn;
        MDB_cursor *cursor;
        size_t batch;
        bool applied; /* transactions came, so entries can come no more */
        int failed;
        bool swapped;
        struct generation_state state;
};

/* open.c */
int store_lock_directory(struct store *s, char **ret_error);
int store_open_current(struct store *s, char **ret_error);

/* store.c */
void store_submit(struct store *s, struct job *j);

/* writer.c */
void *store_writer(void *userdata);
int chain_error(const struct store *s, uint64_t chain); /* 0, or why the chain is broken */
void chain_break(struct store *s, uint64_t chain, int error);

/* copy.c: the writer's part of it, and what the loop does when a job comes back. */
void copy_run(struct store *s, struct job *j);
void copy_done(struct store *s, struct job *j);
