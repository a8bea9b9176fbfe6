/* SPDX-License-Identifier: Apache-2.0 */
/* A generation of the store: one LMDB file. */
#pragma once

#include <lmdb.h>

#include "node/store/directory.h"
#include "node/store/transaction.h"

/* One LMDB file. The writer's thread changes it, the loop's reads it; both may name different ones during a swap. */
struct generation {
        uint64_t number;
        uint64_t identity; /* random; its number if it was made before there were any */
        uint64_t replaces; /* the identity of that which it was made to replace; 0: none */
        MDB_env *env;
        MDB_dbi data, meta, log;
        unsigned refs; /* the store's own, one for each snapshot, and the applier's; the loop's thread only */
        bool lost;     /* another one has the same file open now: what is read from this one is not to be trusted */
};

struct generation_state {
        char transaction_id[TRANSACTION_ID_MAX + 1];
        uint64_t entries;
        uint64_t sequence;
};

/* All return 0 or a negative errno. */
int lmdb_error(int rc); /* 0 or a positive errno or an MDB_ code, to a negative errno */
int generation_open(int directory_fd, const char *directory, const char *file, uint64_t number, bool create, struct generation **ret,
                    char **ret_error);
struct generation *generation_close(struct generation *g);
int generation_state_read(struct generation *g, MDB_txn *txn, struct generation_state *ret);
int generation_state_write(struct generation *g, MDB_txn *txn, const char *transaction_id, uint64_t sequence);
int generation_replaces_write(struct generation *g, MDB_txn *txn, uint64_t identity);
/* After a failed commit of so many bytes: tells a full disk by its name, and gives back space. */
int generation_failed_commit(struct generation *g, int error, size_t bytes);
