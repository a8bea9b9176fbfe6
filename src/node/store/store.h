/* SPDX-License-Identifier: Apache-2.0 */
/* The store: key-value data in LMDB with the id of the last transaction, changed by one writer thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "basic/util.h"
#include "node/store/transaction.h"

/* In the data directory: "lock" (held by the process that has it open), "current" (names the generation in force), "store-N.mdb"
 * (generation N). A copy from a master is written into a generation of its own and swapped in by replacing "current": a crash at
 * any moment leaves the old data or the new one, whole. "redo" is what was committed since the generation was last written to
 * (redo.h); it belongs to the generation in force.
 *
 * Everything is called from the thread of the event loop, and all callbacks come from that loop, in the order of the
 * calls, never from within the call itself. Only the fsyncs and writes happen in threads of their own. */
struct store;

/* Opens (and creates, mode 0700) the directory and starts the writer.
 * -EBUSY: another process has it; -EUCLEAN: what is there is damaged, or does not say what is in force; -EACCES, -EPERM, -EROFS,
 * -ENOTDIR: the directory cannot be used; these but the first only a person can mend. -ENOSPC, -EIO, -ENOMEM and others.
 * *ret_error is then a message that names directory, file and cause (free it). */
_must_check_ int store_open(const char *directory, sd_event *event, struct store **ret, char **ret_error);

/* Waits until what has been submitted is written, and closes. Of the callbacks those of transactions come still, from within this call, and
 * may not use the store: they let go of what waits for them. Returns NULL, takes NULL. */
struct store *store_free(struct store *s);
DEFINE_CLEANUP(struct store *, store_free)
#define _cleanup_store_ _cleanup_(store_freep)

/* The state as of the last commit or swap whose callback has come. Id: "" while nothing has ever been committed. */
const char *store_transaction_id(const struct store *s);
uint64_t store_entries(const struct store *s);

/* Called once, when nothing can be stored any more: the disk does not let what was acknowledged be written on, or what is in force
 * be told. The program has to end; the next start shows what is there. */
typedef void (*store_failed_fn)(struct store *s, int error, void *userdata);
void store_set_failed_callback(struct store *s, store_failed_fn fn, void *userdata);

/* Called when the disk is full: who holds snapshots lets go of them now, as they keep the file from using its space again, and
 * returns true if there were any: then it is tried again before a commit is refused. */
typedef bool (*store_full_fn)(struct store *s, void *userdata);
void store_set_full_callback(struct store *s, store_full_fn fn, void *userdata);

/* Called whenever one of these two may have changed (before the commit's own callback). NULL: nobody wants to know. */
typedef void (*store_changed_fn)(struct store *s, void *userdata);
void store_set_changed_callback(struct store *s, store_changed_fn fn, void *userdata);

/* One value, NUL-terminated copy (free it). -ENOENT, -EINVAL (bad key), -ENOMEM, -EIO. */
_must_check_ int store_get(struct store *s, const char *key, char **ret_value);

/* Entries in key order whose key starts with prefix ("" = all) and is greater than after ("" = from the start), at most
 * `max` (0 = no limit of number), as many as fit 4 MiB (key, value and 16 bytes each; one that alone is larger comes
 * alone). fn gets NUL-terminated copies; a negative return ends the walk and is returned. *ret_next: "" when there
 * are no more, else what to pass as `after` to go on (free it). -ENOMEM, -EIO. */
enum { STORE_LIST_BUDGET = 4 * 1024 * 1024 };
typedef int (*store_list_fn)(const char *key, const char *value, void *userdata);
_must_check_ int store_list(struct store *s, const char *prefix, const char *after, uint32_t max,
                            store_list_fn fn, void *userdata, char **ret_next);

/* Makes a sealed transaction durable, all or nothing. result: 0, -ENOSPC (works again once there is space), -EIO, -ENOMEM: it is
 * not stored, and will not be; -ENOTRECOVERABLE: the next start shows whether it is, and the store has failed (see above).
 * Several that wait share one fsync; each keeps its own id and its place in the order.
 * With a role, transactions go through master_commit(); in state none they come here directly.
 * Errors: -EBUSY when STORE_QUEUE_MAX transactions or STORE_QUEUE_BYTES_MAX bytes wait already, -EINVAL (not sealed). */
enum { STORE_QUEUE_MAX = 1024, STORE_QUEUE_BYTES_MAX = 64 * 1024 * 1024 };
_must_check_ int store_commit(struct store *s, struct transaction *t, transaction_stored_fn fn, void *userdata);

/* The same in a chain: when one of a chain fails, all that come after it in that chain fail with the same error, so that
 * what follows a lost transaction is never applied without it. A swap can be part of a chain, too: transactions that were made
 * for the data of a copy are then never applied to other data. Chain 0 is none. */
uint64_t store_chain_new(struct store *s);
_must_check_ int store_commit_chained(struct store *s, uint64_t chain, struct transaction *t, transaction_stored_fn fn,
                                      void *userdata);

/* How a piece of work ended. */
typedef void (*store_done_fn)(int result, void *userdata);

/* Calls fn once everything that was submitted before is done, unless it is cancelled (by the userdata) before. -ENOMEM */
_must_check_ int store_barrier(struct store *s, store_done_fn fn, void *userdata);
void store_barrier_cancel(struct store *s, void *userdata);

/* Whether a commit of that many bytes might fail: the last one did, or could not be applied, or the file system is nearly full. */
bool store_is_tight(struct store *s, size_t bytes);

/* A consistent view of the data at one moment, read piece by piece while commits go on. Must be freed before the store. */
struct store_snapshot;
_must_check_ int store_snapshot_new(struct store *s, struct store_snapshot **ret);
struct store_snapshot *store_snapshot_free(struct store_snapshot *p);
DEFINE_CLEANUP(struct store_snapshot *, store_snapshot_free)
const char *store_snapshot_transaction_id(const struct store_snapshot *p);
uint64_t store_snapshot_entries(const struct store_snapshot *p);
uint64_t store_snapshot_sequence(const struct store_snapshot *p); /* how far it is in store_sequence()'s count */
/* The next entry; the pointers stay good until the next call. 1, 0 at the end, -EIO (also when the file had to be opened anew). */
_must_check_ int store_snapshot_next(struct store_snapshot *p, struct change *ret);

/* How many transactions were submitted in this generation so far: the one being submitted next has this plus one. */
uint64_t store_sequence(const struct store *s);

/* While the log is on, transactions that are submitted are kept in it, too, so that a reader that falls behind
 * can be sent them from disk in constant memory. It is emptied when it is turned off. */
void store_set_log(struct store *s, bool on);
/* The first logged transaction whose number is greater than `after`, among those that are durable. 1, or 0 if there is none. */
_must_check_ int store_log_next(struct store *s, uint64_t after, struct transaction **ret, uint64_t *ret_sequence);

/* An incoming copy. One at a time (-EBUSY); reads see the old data until the swap. */
struct store_copy;
_must_check_ int store_copy_new(struct store *s, struct store_copy **ret);
/* Drops it and removes what it has written; a swap that has begun goes on, another one is given up. Its callbacks do not come. */
struct store_copy *store_copy_free(struct store_copy *c);
DEFINE_CLEANUP(struct store_copy *, store_copy_free)
/* Adds entries, in key order, or a transaction on top of them (no entries then any more), which tells by fn when it has come as far
 * as the copy, without being durable yet. An error shows in what comes after, too; pending tells how many bytes still wait to
 * be written, so that the caller reads no further when it is much. */
_must_check_ int store_copy_put(struct store_copy *c, const char *key, size_t key_size, const void *value, size_t size);
_must_check_ int store_copy_apply(struct store_copy *c, struct transaction *t, transaction_stored_fn fn, void *userdata);
/* Has everything so far written to the disk, and from then on in pieces, so that finish has little left to do. */
_must_check_ int store_copy_sync(struct store_copy *c, store_done_fn fn, void *userdata);
size_t store_copy_pending(const struct store_copy *c);
void store_copy_set_drained_callback(struct store_copy *c, store_done_fn fn, void *userdata);
/* Makes the copy durable with that transaction id, without putting it in force yet. */
_must_check_ int store_copy_finish(struct store_copy *c, const char *transaction_id, store_done_fn fn, void *userdata);
/* Puts a finished copy in force in place of the old data, durably, as part of that chain. What was in force is removed. */
_must_check_ int store_copy_swap(struct store_copy *c, uint64_t chain, store_done_fn fn, void *userdata);
/* Gives up a swap that has not begun: the old data stays, and its callback comes with -ECANCELED (unless the copy is freed). False: it
 * has begun, and what comes of it the callback will tell. */
bool store_copy_cancel_swap(struct store_copy *c);
