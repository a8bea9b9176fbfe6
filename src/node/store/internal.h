/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share: the store itself, and incoming copies. */
#pragma once

#include <pthread.h>

#include "basic/buffer.h"
#include "node/store/generation.h"
#include "node/store/job.h"
#include "node/store/overlay.h"
#include "node/store/redo.h"
#include "node/store/store.h"

enum {
        STORE_GROUP_BYTES_MAX = 1024 * 1024,      /* transactions that share an fsync hold that much at most; one alone any */
        COPY_BLOCK_SIZE = 256 * 1024,             /* entries of a copy go to the writer in blocks of this size */
        COPY_BATCH_SIZE = 4 * 1024 * 1024,        /* and are written out when so much has come together */
        APPLY_USEC = 1000 * 1000,                 /* what is in the redo log is applied after that time, */
        APPLY_BYTES = REDO_SEGMENT_MAX / 2,       /* so many bytes, */
        APPLY_COUNT = 32 * 1024,                  /* or so many transactions */
        APPLY_ERRORS_MAX = 3,                     /* so often it is tried with the file opened anew */
        BROKEN_CHAINS_MAX = 64,                   /* a stream that goes on in one that broke before all these is let through no more */
};

struct store {
        char *directory;
        int directory_fd, lock_fd;

        /* The loop's side. */
        sd_event *event;
        struct generation *current;
        struct generation_state state;
        uint64_t submitted; /* sequence number of the last transaction that was submitted */
        uint64_t chains;
        bool log;           /* transactions that are submitted now go into the log of those that lag behind, too */
        bool last_failed;   /* the last commit failed */
        bool closing;       /* nobody is called any more */
        struct store_copy *copy;
        store_changed_fn changed_fn;
        void *changed_userdata;
        store_failed_fn failed_fn;
        void *failed_userdata;
        store_full_fn full_fn;
        void *full_userdata;
        int failed;         /* was told */
        sd_event_source *event_source;
        int event_fd;
        size_t n_commits, commit_bytes; /* submitted, and not delivered */
        LIST_HEAD(, job) barriers;

        /* Durable in the redo log: waiting, and being applied to the generation. */
        struct job_queue delivering; /* done, and not heard of yet */
        struct job_queue pending, applying;
        size_t n_pending, pending_bytes;
        struct overlay *overlay;
        struct job *log_hint;  /* where the last one that lags was */
        sd_event_source *apply_timer;
        struct job *apply_job;
        bool apply_busy;       /* it is at the applier's */
        struct generation *apply_generation; /* for which it holds a reference */
        bool apply_again;      /* after a full disk, with a snapshot let go */
        bool apply_stale;      /* what it is at has been replaced */
        bool clear_log;
        uint64_t log_after;    /* who lags needs none up to that one any more */
        int apply_result;      /* of the last one */
        unsigned apply_errors; /* other than a full disk, in succession */

        /* The writer's side. */
        pthread_t thread;
        bool running;
        struct redo *redo;
        uint64_t number, identity; /* of the generation in force */
        size_t alone;    /* of the next jobs, each is tried alone */
        struct broken_chain {
                uint64_t chain;
                int error;
        } broken[BROKEN_CHAINS_MAX]; /* the last ones in which something failed, and why; a ring */
        size_t n_broken;
        uint64_t forgotten_chain; /* the last one that the ring holds no more */

        /* The applier's. */
        pthread_t applier;
        bool applier_running;

        /* Between them. */
        pthread_mutex_t mutex;
        pthread_cond_t wake, apply_wake, space;
        struct job_queue waiting, done;
        struct job *to_apply;
        uint64_t applied;      /* up to that transaction the redo log is not needed any more */
        uint64_t apply_rounds;
        int apply_error;       /* of the last one, for who waits for room */
        bool want_apply;       /* the writer waits for room */
        bool redo_large;       /* larger than it usually is */
        int writer_failed;
        bool stop, writer_done, applier_stop;
};

struct store_copy {
        struct store *store;
        bool dropped; /* the owner is gone; freed when the writer is through with it */
        struct job *drop;
        struct buffer block;
        size_t pending;
        int error;    /* the first failure that the loop knows of */
        store_done_fn drained_fn;
        void *drained_userdata;
        bool finishing, finished, swapping;
        bool swap_begun, swap_cancelled; /* under the store's mutex */

        /* The writer's. */
        struct generation *generation;
        MDB_txn *txn;
        MDB_cursor *cursor;
        size_t batch;
        off_t written[2]; /* where the disk has been told to begin: before the last batch, and behind it */
        bool synced;  /* what is written out goes to the disk */
        bool applied; /* transactions came, so entries can come no more */
        int failed;
        char transaction_id[TRANSACTION_ID_MAX + 1]; /* that it gets in the end */
        struct generation_state state;               /* once it is finished */
};

/* open.c */
int store_lock_directory(struct store *s, char **ret_error);
int store_open_current(struct store *s, char **ret_error);

/* store.c */
void store_submit(struct store *s, struct job *j);
void store_deliver(struct store *s); /* what has been done */
void store_generation_unref(struct store *s, struct generation *g);
void store_fail(struct store *s, int error);

/* writer.c */
void *store_writer(void *userdata);
void writer_fail(struct store *s, int error); /* nothing is written any more */
int chain_error(const struct store *s, uint64_t chain); /* 0, or why the chain is broken */
void chain_break(struct store *s, uint64_t chain, int error);

/* apply.c: the applier's thread, and the loop's side of it. */
void *store_applier(void *userdata);
int apply_add(struct store *s, struct job *j); /* takes a job that is durable in the redo log */
void apply_now(struct store *s);
void apply_later(struct store *s);
void apply_done(struct store *s, struct job *j);
void apply_reopened(struct store *s, struct job *j);
void apply_forget(struct store *s);            /* all of it: the data that it was for has been replaced */
int apply_finish(struct store *s);             /* waits until nothing is left */

/* copy.c: the writer's part of it, and what the loop does when a job comes back. */
void copy_run(struct store *s, struct job *j);
void copy_done(struct store *s, struct job *j);
