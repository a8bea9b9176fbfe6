/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the start of a store: its directory is locked, the generation in force is found, or the first one made. */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/log.h"
#include "node/store/internal.h"

/* A directory that was made is to be there after a power failure, too. */
static int make_directory(const char *path) {
        _cleanup_free_ char *copy = NULL;
        _cleanup_close_ int parent = -EBADF;

        if (mkdir(path, 0700) < 0)
                return errno == EEXIST ? 0 : -errno;
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        parent = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return parent < 0 || fsync(parent) < 0 ? -errno : 0;
}

int store_lock_directory(struct store *s, char **ret_error) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        pid_t holder = 0;
        int r;

        r = make_directory(s->directory);
        if (r < 0)
                goto fail;
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
                        : asprintf(ret_error, "cannot use data directory %s: %s%s", s->directory, strerror(-r),
                                   r == -EACCES || r == -EPERM ? ": it has to belong to the user that confd-ha-node runs as" : "") < 0)
                *ret_error = NULL;
        return r;
}

/* The first start: "current" comes when the file is whole. */
static int check_that_there_is_none(struct store *s, char **ret_error) {
        char *stray;
        int r;

        r = directory_stray_store(s->directory_fd, &stray);
        if (r < 0)
                return r;
        if (stray) {
                if (asprintf(ret_error, "data directory %s has %s, but no file \"current\" that says which store is in force: write the name "
                             "of one as a line into it, such as \"store-1\" for store-1.mdb, or move what is there to another directory, "
                             "the file \"redo\" too, to start with an empty store", s->directory, stray) < 0)
                        *ret_error = NULL;
                free(stray);
                return -EUCLEAN;
        }
        r = redo_is_in_use(s->directory_fd);
        if (r <= 0)
                return r;
        if (asprintf(ret_error, "data directory %s has no store, but a file \"redo\" with the last commits of one: put that store and its file "
                     "\"current\" back, or move redo to another directory, too, to start with an empty store", s->directory) < 0)
                *ret_error = NULL;
        return -EUCLEAN;
}

static int create_first(struct store *s, char **ret_error) {
        struct generation *g = NULL;
        char file[FILE_NAME_SIZE];
        int r;

        r = check_that_there_is_none(s, ret_error);
        if (r < 0)
                return r;
        copy_file_name(1, file);
        if (unlinkat(s->directory_fd, file, 0) < 0 && errno != ENOENT)
                return -errno;
        r = generation_open(s->directory_fd, s->directory, file, 1, /* create= */ true, &g, ret_error);
        if (r >= 0) {
                generation_close(g);
                r = directory_swap(s->directory_fd, 0, 1);
        }
        if (r < 0 && r != -ENOTRECOVERABLE) /* else it is in force, perhaps */
                (void) unlinkat(s->directory_fd, file, 0);
        if (r >= 0)
                log_warning("The store in %s is new, and empty", s->directory);
        return r;
}

/* Which one is in force, with all that was interrupted ended. */
static int find_current(struct store *s, uint64_t *ret, char **ret_error) {
        char file[FILE_NAME_SIZE];
        int r;

        *ret = 1;
        r = directory_current(s->directory_fd, ret);
        if (r == -ENOENT) {
                r = create_first(s, ret_error);
                if (r < 0)
                        return r;
        }
        if (r == -EUCLEAN && asprintf(ret_error, "%s/current does not name a store: it has to be one line such as \"store-1\"",
                                      s->directory) < 0)
                *ret_error = NULL;
        if (r < 0)
                return r;
        r = directory_settle(s->directory_fd, *ret);
        if (r == -ENOENT) {
                store_file_name(*ret, file);
                if (asprintf(ret_error, "%s/%s is in force, as the file \"current\" says, and is not there: restore it from a copy, or move "
                             "\"current\" and \"redo\" to another directory to start with an empty store", s->directory, file) < 0)
                        *ret_error = NULL;
                r = -EUCLEAN;
        }
        return r;
}

/* What had been committed when the last run ended, and is in the redo log only. */
static int recover(struct store *s, const char *file, char **ret_error) {
        struct job_queue found = TAILQ_HEAD_INITIALIZER(found);
        struct job *j;
        int r;

        s->applied = s->state.sequence;
        r = redo_open(s->directory_fd, &s->redo);
        if (r >= 0)
                r = redo_recover(s->redo, s->identity, s->current->replaces, &s->state, &found);
        if (r >= 0 && TAILQ_EMPTY(&found) && redo_is_small(s->redo)) /* made on a full disk */
                r = redo_resize(s->redo);
        if (r == -EUCLEAN) {
                if (asprintf(ret_error, "%s/redo, which has the last commits, is damaged or belongs to other data than %s: restore both from a "
                             "copy, or move redo to another directory to go on without those commits", s->directory, file) < 0)
                        *ret_error = NULL;
        } else if (r == -ENOSPC) {
                if (asprintf(ret_error, "cannot make %s/redo, which the last commits go to: no space; make at least %d KiB (better %d MiB) free in "
                             "the data directory's file system", s->directory, REDO_SPACE_MIN / 1024, REDO_SPACE / 1024 / 1024) < 0)
                        *ret_error = NULL;
        } else if (r < 0 && asprintf(ret_error, "cannot use %s/redo: %s", s->directory, strerror(-r)) < 0)
                *ret_error = NULL;
        while ((j = job_queue_pop(&found)))
                if (r >= 0)
                        r = apply_add(s, j);
                else
                        job_free(j);
        s->redo_large = r >= 0 && redo_is_large(s->redo);
        return r;
}

int store_open_current(struct store *s, char **ret_error) {
        char file[FILE_NAME_SIZE];
        uint64_t number;
        MDB_txn *txn;
        int r;

        r = find_current(s, &number, ret_error);
        if (r < 0) {
                if (!*ret_error && asprintf(ret_error, "cannot set up data directory %s: %s", s->directory, strerror(-r)) < 0)
                        *ret_error = NULL;
                return r;
        }
        store_file_name(number, file);
        r = generation_open(s->directory_fd, s->directory, file, number, /* create= */ false, &s->current, ret_error);
        if (r < 0)
                return r;
        s->number = number;
        s->identity = s->current->identity;
        r = lmdb_error(mdb_txn_begin(s->current->env, NULL, MDB_RDONLY, &txn));
        if (r >= 0) {
                r = generation_state_read(s->current, txn, &s->state);
                mdb_txn_abort(txn);
        }
        if (r >= 0)
                r = recover(s, file, ret_error);
        return r;
}
