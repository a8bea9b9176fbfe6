/* SPDX-License-Identifier: Apache-2.0 */
/* A piece of work for the writer's or the applier's thread, and a queue of them. */
#pragma once

#include <sys/queue.h>

#include "basic/buffer.h"
#include "node/store/generation.h"
#include "node/store/store.h"

enum job_kind {
        JOB_COMMIT,
        JOB_BARRIER,
        JOB_COPY_PUT,
        JOB_COPY_APPLY,
        JOB_COPY_SYNC,
        JOB_COPY_FINISH,
        JOB_COPY_SWAP,
        JOB_COPY_DROP,
        JOB_CLOSE,
        JOB_SHRINK, /* the redo log, when all of it has been applied */
        JOB_APPLY,  /* the applier's, as the next one */
        JOB_REOPEN,
};

struct job {
        enum job_kind kind;
        TAILQ_ENTRY(job) queue;
        LIST_ENTRY(job) barriers; /* JOB_BARRIER: of those that the loop has not heard of */
        size_t bytes;
        int result;
        void *userdata;
        uint64_t sequence;
        union {
                transaction_stored_fn stored_fn; /* JOB_COMMIT, JOB_COPY_APPLY */
                store_done_fn done_fn;           /* the others */
        };
        struct transaction *transaction;
        bool log;       /* JOB_COMMIT: kept for those that lag behind, too */
        uint64_t chain;
        struct store_copy *copy;
        struct buffer block;
        struct generation *generation; /* JOB_CLOSE: to close; JOB_COPY_SWAP, JOB_REOPEN: the new one; JOB_APPLY: which */
        bool clear_log;
        uint64_t log_after; /* JOB_APPLY: those up to that one are kept for nobody any more */
};

/* Jobs in their order. */
TAILQ_HEAD(job_queue, job);

struct job *job_new(enum job_kind kind);
struct job *job_free(struct job *j); /* returns NULL, takes NULL */
DEFINE_CLEANUP(struct job *, job_free)

/* The first one, taken off; NULL if there is none. */
struct job *job_queue_pop(struct job_queue *q);
