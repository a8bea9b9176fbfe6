/* SPDX-License-Identifier: Apache-2.0 */
/* Owns one LMDB file: how it is opened, its databases, and the pair of its last transaction's id and its entries. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "node/store/generation.h"
#include "node/store/verify.h"

#define FORMAT "confd-ha store 1"
#define KEY_FORMAT "format"
#define KEY_STATE "state"
#define KEY_IDENTITY "identity"
#define KEY_REPLACES "replaces"

enum {
        DATABASES = 3,
        SNAPSHOTS_MAX = 1024,
        LOCK_SIZE = 128 * 1024,    /* more than that many readers take */
        ROOM_SPARE = 1024 * 1024,  /* for pages that a commit changes beside those for its own data */
};

int lmdb_error(int rc) {
        switch (rc) {
        case 0:
                return 0;
        case ENOSPC:
        case EFBIG:
        case EDQUOT:
        case MDB_MAP_FULL:
                return -ENOSPC;
        case MDB_INVALID:
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_VERSION_MISMATCH:
        case MDB_INCOMPATIBLE:
                return -EUCLEAN;
        case MDB_NOTFOUND:
                return -ENOENT;
        case MDB_KEYEXIST:
                return -EEXIST;
        default:
                return rc > 0 ? -rc : -EIO;
        }
}

struct generation *generation_close(struct generation *g) {
        if (g) {
                if (g->env)
                        mdb_env_close(g->env);
                free(g);
        }
        return NULL;
}
DEFINE_CLEANUP(struct generation *, generation_close)

static void txn_abortp(MDB_txn **txn) {
        if (*txn)
                mdb_txn_abort(*txn);
}

int generation_state_read(struct generation *g, MDB_txn *txn, struct generation_state *ret) {
        struct generation_state state = {};
        MDB_val key = { sizeof(KEY_STATE) - 1, (void *) KEY_STATE }, value;
        MDB_stat stat;
        int r;

        r = lmdb_error(mdb_get(txn, g->meta, &key, &value));
        if (r < 0)
                return r == -ENOENT ? -EUCLEAN : r;
        if (value.mv_size < sizeof(uint64_t) || value.mv_size > sizeof(uint64_t) + TRANSACTION_ID_MAX)
                return -EUCLEAN;
        memcpy(&state.sequence, value.mv_data, sizeof(uint64_t));
        memcpy(state.transaction_id, (const uint8_t *) value.mv_data + sizeof(uint64_t), value.mv_size - sizeof(uint64_t));
        if (value.mv_size > sizeof(uint64_t) && !transaction_id_is_valid(state.transaction_id, value.mv_size - sizeof(uint64_t)))
                return -EUCLEAN;
        r = lmdb_error(mdb_stat(txn, g->data, &stat));
        if (r < 0)
                return r;
        state.entries = stat.ms_entries;
        *ret = state;
        return 0;
}

int generation_state_write(struct generation *g, MDB_txn *txn, const char *transaction_id, uint64_t sequence) {
        uint8_t buf[sizeof(uint64_t) + TRANSACTION_ID_MAX];
        size_t n = strlen(transaction_id);
        MDB_val key = { sizeof(KEY_STATE) - 1, (void *) KEY_STATE }, value = { sizeof(uint64_t) + n, buf };

        memcpy(buf, &sequence, sizeof(sequence));
        memcpy(buf + sizeof(uint64_t), transaction_id, n);
        return lmdb_error(mdb_put(txn, g->meta, &key, &value, 0));
}

/* What ties the redo log to its data: a number of a file can come again, this does not. */
static int identity_get(struct generation *g, MDB_txn *txn, const char *name, uint64_t absent, uint64_t *ret) {
        MDB_val key = { strlen(name), (void *) name }, value;
        int r;

        r = lmdb_error(mdb_get(txn, g->meta, &key, &value));
        if (r == -ENOENT) {
                *ret = absent;
                return 0;
        }
        if (r < 0)
                return r;
        if (value.mv_size != sizeof(*ret))
                return -EUCLEAN;
        memcpy(ret, value.mv_data, sizeof(*ret));
        return 0;
}

static int identity_put(struct generation *g, MDB_txn *txn, const char *name, uint64_t identity) {
        MDB_val key = { strlen(name), (void *) name }, value = { sizeof(identity), &identity };

        return lmdb_error(mdb_put(txn, g->meta, &key, &value, 0));
}

int generation_replaces_write(struct generation *g, MDB_txn *txn, uint64_t identity) {
        g->replaces = identity;
        return identity_put(g, txn, KEY_REPLACES, identity);
}

static int identities(struct generation *g, MDB_txn *txn, bool create) {
        int r;

        if (create) {
                if (getrandom(&g->identity, sizeof(g->identity), 0) != (ssize_t) sizeof(g->identity))
                        return -EIO;
                return identity_put(g, txn, KEY_IDENTITY, g->identity);
        }
        r = identity_get(g, txn, KEY_IDENTITY, g->number, &g->identity);
        return r < 0 ? r : identity_get(g, txn, KEY_REPLACES, 0, &g->replaces);
}

/* How many pages from that one on are in the list of those that are free. */
static int count_free(struct generation *g, size_t first, size_t *ret) {
        _cleanup_(txn_abortp) MDB_txn *txn = NULL;
        size_t n, page, free_pages = 0;
        MDB_cursor *cursor;
        MDB_val key, value;
        int r;

        r = lmdb_error(mdb_txn_begin(g->env, NULL, MDB_RDONLY, &txn));
        if (r >= 0)
                r = lmdb_error(mdb_cursor_open(txn, /* dbi= */ 0, &cursor));
        if (r < 0)
                return r;
        while (r >= 0 && (r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) >= 0) {
                if (value.mv_size < sizeof(n))
                        r = -EUCLEAN;
                else
                        memcpy(&n, value.mv_data, sizeof(n));
                if (r >= 0 && n > value.mv_size / sizeof(page) - 1)
                        r = -EUCLEAN;
                for (size_t i = 1; r >= 0 && i <= n; i++) {
                        memcpy(&page, (const uint8_t *) value.mv_data + i * sizeof(page), sizeof(page));
                        free_pages += page >= first;
                }
        }
        mdb_cursor_close(cursor);
        if (r != -ENOENT)
                return r;
        *ret = free_pages;
        return 0;
}

/* A file that is shorter than its own header says would be a SIGBUS at the first look at the missing pages, unless nobody looks:
 * pages that were taken at the end of the file and given back in the same transaction have never been written, and are free. */
static int check_length(struct generation *g) {
        size_t pages, free_pages;
        struct stat st;
        MDB_envinfo info;
        MDB_stat stat;
        int fd, r;

        r = lmdb_error(mdb_env_get_fd(g->env, &fd));
        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        (void) mdb_env_info(g->env, &info);
        (void) mdb_env_stat(g->env, &stat);
        pages = (size_t) st.st_size / stat.ms_psize;
        if (pages > info.me_last_pgno)
                return 0;
        r = count_free(g, pages, &free_pages);
        if (r < 0)
                return r;
        return free_pages == info.me_last_pgno + 1 - pages ? 0 : -EUCLEAN;
}

static int open_databases(struct generation *g, bool create) {
        MDB_val key = { sizeof(KEY_FORMAT) - 1, (void *) KEY_FORMAT }, value = { sizeof(FORMAT) - 1, (void *) FORMAT };
        _cleanup_(txn_abortp) MDB_txn *txn = NULL;
        unsigned flags = create ? MDB_CREATE : 0;
        struct generation_state state;
        int r;

        r = lmdb_error(mdb_txn_begin(g->env, NULL, create ? 0 : MDB_RDONLY, &txn));
        if (r < 0)
                return r;
        r = lmdb_error(mdb_dbi_open(txn, "data", flags, &g->data));
        if (r >= 0)
                r = lmdb_error(mdb_dbi_open(txn, "meta", flags, &g->meta));
        if (r >= 0)
                r = lmdb_error(mdb_dbi_open(txn, "log", flags, &g->log));
        if (r >= 0 && create)
                r = lmdb_error(mdb_put(txn, g->meta, &key, &value, 0));
        if (r >= 0 && create)
                r = generation_state_write(g, txn, "", 0);
        if (r >= 0 && !create)
                r = lmdb_error(mdb_get(txn, g->meta, &key, &value));
        if (r >= 0 && (value.mv_size != sizeof(FORMAT) - 1 || memcmp(value.mv_data, FORMAT, value.mv_size) != 0))
                r = -EUCLEAN;
        if (r >= 0)
                r = identities(g, txn, create);
        if (r >= 0)
                r = generation_state_read(g, txn, &state);
        if (r < 0)
                return r == -ENOENT ? -EUCLEAN : r;
        return lmdb_error(mdb_txn_commit(TAKE_PTR(txn)));
}

/* LMDB keeps its readers in a file of its own, sparse and mapped: on a full disk the first touch of one of its pages would be a
 * SIGBUS. Only one process has the store open, so it lies in memory: the name that LMDB opens is a link to it, for a moment. */
static int lock_in_memory(int *ret) {
        _cleanup_close_ int fd = memfd_create("confd-ha-node-readers", MFD_CLOEXEC);

        if (fd < 0 || fallocate(fd, 0, 0, LOCK_SIZE) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

static int open_files(MDB_env *env, const char *path) {
        return lmdb_error(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600));
}

/* A full disk may not even have room for that name: then both names lie in memory. */
static int open_elsewhere(MDB_env *env, int directory_fd, const char *file, const char *lock_target) {
        char directory[] = "/dev/shm/confd-ha-node-XXXXXX", target[FILE_NAME_SIZE + 40], data[64], lock[64];
        int r;

        if (!mkdtemp(directory))
                return lmdb_error(errno);
        (void) snprintf(target, sizeof(target), "/proc/self/fd/%d/%s", directory_fd, file);
        (void) snprintf(data, sizeof(data), "%s/store", directory);
        (void) snprintf(lock, sizeof(lock), "%s/store-lock", directory);
        r = symlink(target, data) < 0 || symlink(lock_target, lock) < 0 ? lmdb_error(errno) : open_files(env, data);
        (void) unlink(data);
        (void) unlink(lock);
        (void) rmdir(directory);
        return r;
}

static int open_env(struct generation *g, int directory_fd, const char *path, const char *file, size_t map) {
        char lock_name[FILE_NAME_SIZE + 8], lock_target[40];
        _cleanup_close_ int lock = -EBADF;
        int r;

        r = lmdb_error(mdb_env_create(&g->env));
        if (r >= 0)
                r = lmdb_error(mdb_env_set_maxdbs(g->env, DATABASES));
        if (r >= 0)
                r = lmdb_error(mdb_env_set_maxreaders(g->env, SNAPSHOTS_MAX));
        if (r >= 0)
                r = lmdb_error(mdb_env_set_mapsize(g->env, map));
        if (r >= 0)
                r = lock_in_memory(&lock);
        if (r < 0)
                return r;
        (void) snprintf(lock_target, sizeof(lock_target), "/proc/self/fd/%d", lock);
        (void) snprintf(lock_name, sizeof(lock_name), "%s-lock", file);
        if (unlinkat(directory_fd, lock_name, 0) < 0 && errno != ENOENT)
                return -errno;
        if (symlinkat(lock_target, directory_fd, lock_name) < 0)
                return lmdb_error(errno) == -ENOSPC ? open_elsewhere(g->env, directory_fd, file, lock_target) : -errno;
        r = open_files(g->env, path);
        (void) unlinkat(directory_fd, lock_name, 0);
        return r;
}

static char *open_error(const char *path, int r) {
        char *text;
        int n;

        if (r == -EUCLEAN)
                n = asprintf(&text, "%s is no intact store of confd-ha-node: restore it from a copy, or move it and the files \"current\" "
                             "and \"redo\" beside it to another directory to start with an empty one", path);
        else
                n = asprintf(&text, "cannot open %s: %s%s", path, strerror(-r),
                             r == -EACCES || r == -EPERM ? ": it has to belong to the user that confd-ha-node runs as" :
                             r == -EIO ? ": the disk cannot be read there" :
                             r == -ENOMEM ? ": is the address space limited (ulimit -v)?" : "");
        return n < 0 ? NULL : text;
}

/* LMDB would turn an empty file into a new database. */
static int check_file(int directory_fd, const char *path, const char *file) {
        struct stat st;

        if (fstatat(directory_fd, file, &st, 0) < 0)
                return errno == ENOENT ? -EUCLEAN : -errno;
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
                return -EUCLEAN;
        if (faccessat(directory_fd, file, R_OK | W_OK, AT_EACCESS) < 0)
                return -errno;
        return store_verify(path);
}

int generation_open(int directory_fd, const char *directory, const char *file, uint64_t number, bool create, struct generation **ret,
                    char **ret_error) {
        _cleanup_(generation_closep) struct generation *g = NULL;
        _cleanup_free_ char *path = NULL;
        int r = 0;

        if (asprintf(&path, "%s/%s", directory, file) < 0)
                return -ENOMEM;
        if (!create)
                r = check_file(directory_fd, path, file);
        /* The map is address space, not memory: as much as we can get, so that the store grows as it needs to. */
        for (size_t map = sizeof(void *) > 4 ? (size_t) 1 << 40 : (size_t) 1 << 30; r >= 0; map /= 2) {
                g = calloc(1, sizeof(*g));
                if (!g)
                        return -ENOMEM;
                g->number = number;
                r = open_env(g, directory_fd, path, file, map);
                if ((r != -ENOMEM && r != -EINVAL) || map <= (size_t) 1 << 28)
                        break;
                g = generation_close(g);
                r = 0;
        }
        if (r == -EINVAL)
                r = -ENOMEM; /* a map of any size was too much */
        if (r >= 0)
                r = check_length(g);
        if (r >= 0)
                r = open_databases(g, create);
        if (r < 0) {
                if (ret_error)
                        *ret_error = open_error(path, r);
                return r;
        }
        g->refs = 1;
        *ret = TAKE_PTR(g);
        return 0;
}

/* Whether the file system would give so much more. Only it knows of quotas and limits. */
static bool has_room(int fd, off_t at, size_t bytes) {
        struct rlimit limit;
        struct statvfs st;

        if (getrlimit(RLIMIT_FSIZE, &limit) >= 0 && (uint64_t) at + bytes > limit.rlim_cur)
                return false;
        if (fallocate(fd, FALLOC_FL_KEEP_SIZE, at, (off_t) bytes) >= 0)
                return true;
        if (errno != EOPNOTSUPP && errno != ENOSYS)
                return errno != ENOSPC && errno != EDQUOT && errno != EFBIG;
        return fstatvfs(fd, &st) < 0 || (uint64_t) st.f_bavail * st.f_frsize >= bytes;
}

/* LMDB reports a write that the file system cut short as EIO: one may be that, even if a little is free, when less is free than
 * was needed. What the failed transaction had appended to the file lies behind the last page in use, and is given back; unless it
 * is not known which page that is, after an error in the page that tells it. */
int generation_failed_commit(struct generation *g, int error, size_t bytes) {
        MDB_envinfo info;
        MDB_stat stat;
        struct stat st;
        MDB_txn *txn;
        int fd;

        if (mdb_env_get_fd(g->env, &fd) != 0 || fstat(fd, &st) < 0)
                return error;
        if (error == -EIO && !has_room(fd, st.st_size, 2 * bytes + ROOM_SPARE))
                error = -ENOSPC;
        if (mdb_txn_begin(g->env, NULL, MDB_RDONLY, &txn) != 0)
                return error;
        mdb_txn_abort(txn);
        (void) mdb_env_info(g->env, &info);
        (void) mdb_env_stat(g->env, &stat);
        (void) !ftruncate(fd, (off_t) ((info.me_last_pgno + 1) * stat.ms_psize));
        return error;
}
