/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the start of a store: its directory is locked, the generation in force is found, or the first one made. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "node/store/internal.h"

int store_lock_directory(struct store *s, char **ret_error) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        pid_t holder = 0;
        int r;

        if (mkdir(s->directory, 0700) < 0 && errno != EEXIST) {
                r = -errno;
                goto fail;
        }
        s->directory_fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->directory_fd < 0) {
                r = -errno;
                goto fail;
        }
        s->lock_fd = openat(s->directory_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (s->lock_fd < 0) {
                r = -errno;
                goto fail;
        }
        /* A lock that a child does not inherit: store_verify()'s must not keep us from being started anew. */
        if (fcntl(s->lock_fd, F_SETLK, &lock) < 0) {
                r = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
                if (r == -EBUSY && fcntl(s->lock_fd, F_GETLK, &lock) >= 0 && lock.l_type != F_UNLCK)
                        holder = lock.l_pid;
                goto fail;
        }
        return 0;

fail:
        if (r == -EBUSY ? asprintf(ret_error, "data directory %s is in use by another process (pid %d): each node needs its own",
                                   s->directory, (int) holder) < 0
                        : asprintf(ret_error, "cannot use data directory %s: %s", s->directory, strerror(-r)) < 0)
                *ret_error = NULL;
        return r;
}

/* The first start: the file gets its name when it is complete, and "current" comes last. */
static int create_first(struct store *s, char **ret_error) {
        struct generation *g = NULL;
        char file[64];
        int r;

        generation_file_name(1, file);
        if (faccessat(s->directory_fd, file, F_OK, 0) < 0) {
                generation_remove(s->directory_fd, "new.mdb");
                r = generation_open(s->directory_fd, s->directory, "new.mdb", /* create= */ true, &g, ret_error);
                if (r < 0)
                        return r;
                generation_close(g);
                if (renameat(s->directory_fd, "new.mdb", s->directory_fd, file) < 0)
                        return -errno;
                generation_remove(s->directory_fd, "new.mdb");
        } else {
                /* Interrupted between the two, then: the store has to be empty, or "current" was lost. */
                r = generation_open(s->directory_fd, s->directory, file, /* create= */ false, &g, ret_error);
                if (r >= 0) {
                        struct generation_state state = {};
                        MDB_txn *txn;

                        r = lmdb_error(mdb_txn_begin(g->env, NULL, MDB_RDONLY, &txn));
                        if (r >= 0) {
                                r = generation_state_read(g, txn, &state);
                                mdb_txn_abort(txn);
                        }
                        if (r >= 0 && (state.entries > 0 || state.transaction_id[0]))
                                r = -EUCLEAN;
                        generation_close(g);
                        if (r == -EUCLEAN && asprintf(ret_error, "data directory %s has data in %s, but no file \"current\" that puts "
                                                      "it in force: write the line \"store-1\" into that file", s->directory, file) < 0)
                                *ret_error = NULL;
                }
                if (r < 0)
                        return r;
        }
        if (fsync(s->directory_fd) < 0)
                return -errno;
        return generation_make_current(s->directory_fd, 1);
}

int store_open_current(struct store *s, char **ret_error) {
        uint64_t number = 1;
        char file[64];
        MDB_txn *txn;
        int r;

        r = generation_current(s->directory_fd, &number);
        if (r == -ENOENT)
                r = create_first(s, ret_error);
        else if (r == -EUCLEAN && asprintf(ret_error, "%s/current does not name a store: it has to be one line such as \"store-1\"",
                                           s->directory) < 0)
                *ret_error = NULL;
        if (r < 0) {
                if (!*ret_error && asprintf(ret_error, "cannot set up data directory %s: %s", s->directory, strerror(-r)) < 0)
                        *ret_error = NULL;
                return r;
        }
        generation_file_name(number, file);
        r = generation_open(s->directory_fd, s->directory, file, /* create= */ false, &s->current, ret_error);
        if (r < 0)
                return r;
        s->current->number = number;
        /* Half copies of an earlier run. */
        generation_remove_others(s->directory_fd, number);

        r = lmdb_error(mdb_txn_begin(s->current->env, NULL, MDB_RDONLY, &txn));
        if (r >= 0) {
                r = generation_state_read(s->current, txn, &s->state);
                mdb_txn_abort(txn);
        }
        return r;
}
