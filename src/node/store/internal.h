/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share: generations, jobs for the writer, incoming copies. */
#pragma once

#include <lmdb.h>
#include <pthread.h>

#include "basic/buffer.h"
#include "node/store/store.h"

enum {
        STORE_GROUP_BYTES_MAX = 32 * 1024 * 1024, /* transactions that share an fsync hold that much at most */
        COPY_BLOCK_SIZE = 256 * 1024,             /* entries of a copy go to the writer in blocks of this size */
        COPY_BATCH_SIZE = 16 * 1024 * 1024,       /* and are written out when so much has come together */
        SNAPSHOTS_MAX = 1024,
};

/* One LMDB file. The writer's thread changes it, the loop's reads it; both may name different ones during a swap. */
struct generation {
        uint64_t number;
        MDB_env *env;
        MDB_dbi data, meta, log;
        unsigned refs; /* the store's own and one for each snapshot; the loop's thread only */
        bool obsolete; /* its file is removed: close it without ado */
};

struct generation_state {
        char transaction_id[TRANSACTION_ID_MAX + 1];
        uint64_t entries;
        uint64_t sequence;
};

/* store-generation.c: files. All return 0 or a negative errno. */
int lmdb_error(int rc); /* 0 or a positive errno or an MDB_ code, to a negative errno */
int generation_open(int directory_fd, const char *directory, const char *file, bool create, struct generation **ret,
                    char **ret_error);
struct generation *generation_close(struct generation *g);
int generation_state_read(struct generation *g, MDB_txn *txn, struct generation_state *ret);
int generation_state_write(struct generation *g, MDB_txn *txn, const char *transaction_id, uint64_t sequence);
int generation_current(int directory_fd, uint64_t *ret); /* -ENOENT: none yet; -EUCLEAN */
int generation_make_current(int directory_fd, uint64_t number);
void generation_file_name(uint64_t number, char buf[static 64]);
void generation_remove(int directory_fd, const char *file);
void generation_remove_others(int directory_fd, uint64_t current);
int generation_failed_commit(struct generation *g, int error); /* after a failed commit: tells a full disk, gives back space */

/* store-verify.c: looks a file over in a process of its own. -EUCLEAN if it is damaged. */
int store_verify(const char *path);

enum job_kind {
        JOB_COMMIT,
        JOB_BARRIER,
        JOB_CLEAR_LOG,
        JOB_COPY_PUT,
        JOB_COPY_APPLY,
        JOB_COPY_FINISH,
        JOB_COPY_SWAP,
        JOB_COPY_DROP,
        JOB_CLOSE,
};

struct job {
        enum job_kind kind;
        struct job *next;
        size_t bytes;
        int result;
        void *userdata;
        uint64_t sequence;
        union {
                transaction_stored_fn commit_fn;
                store_copy_fn copy_fn; /* a barrier's, too */
        };
        struct transaction *transaction;
        bool log;
        uint64_t chain;
        struct store_copy *copy;
        struct buffer block;
        struct generation *generation; /* JOB_CLOSE: to close; JOB_COPY_SWAP: the new one */
        struct generation_state state; /* JOB_COMMIT, JOB_COPY_FINISH, JOB_COPY_SWAP: afterwards */
};

struct job_queue {
        struct job *head, *tail;
        size_t n, bytes;
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
        struct job_queue delivering;
        int event_fd;

        /* The writer's side. */
        pthread_t thread;
        bool running;
        struct generation *writing;
        uint64_t broken_chain; /* the last one in which a commit failed, and why */
        int broken_error;
        bool stale_log;     /* what is in the log of an earlier run or copy has to go */

        /* Between them. */
        pthread_mutex_t mutex;
        pthread_cond_t wake;
        struct job_queue waiting, done; /* waiting.n and .bytes count until the job is done */
        bool stop;
};

struct store_copy {
        struct store *store;
        bool dropped; /* the owner is gone; freed when the writer is through with it */
        struct buffer block;
        size_t pending;
        int error;    /* the first failure that the loop knows of */
        store_copy_fn drained_fn;
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

void job_queue_push(struct job_queue *q, struct job *j);
struct job *job_queue_pop(struct job_queue *q);
struct job *job_free(struct job *j);
void store_submit(struct store *s, struct job *j);

/* store-writer.c */
void *store_writer(void *userdata);

/* store-copy.c: the writer's part of it, and what the loop does when a job comes back. */
void copy_run(struct store *s, struct job *j);
void copy_done(struct store *s, struct job *j);
