/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the files of the data directory: generations of the store, and which of them is in force. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/parse.h"
#include "node/store/internal.h"

#define FORMAT "confd-ha store 1"
#define KEY_FORMAT "format"
#define KEY_STATE "state"

enum { DATABASES = 3, COPY_NAME_MAX = 64 };

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

void generation_file_name(uint64_t number, char buf[static 64]) {
        (void) snprintf(buf, 64, "store-%" PRIu64 ".mdb", number);
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
        if (state.transaction_id[0] &&
            (strlen(state.transaction_id) != value.mv_size - sizeof(uint64_t) ||
             !transaction_id_is_valid(state.transaction_id, strlen(state.transaction_id))))
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

/* A file that is shorter than its own header says would be a SIGBUS at the first look at the missing pages. */
static int check_length(struct generation *g) {
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
        if ((uint64_t) st.st_size / stat.ms_psize <= info.me_last_pgno)
                return -EUCLEAN;
        return 0;
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
                r = generation_state_read(g, txn, &state);
        if (r < 0)
                return r == -ENOENT ? -EUCLEAN : r;
        return lmdb_error(mdb_txn_commit(TAKE_PTR(txn)));
}

int generation_open(int directory_fd, const char *directory, const char *file, bool create, struct generation **ret,
                    char **ret_error) {
        _cleanup_(generation_closep) struct generation *g = NULL;
        _cleanup_free_ char *path = NULL;
        size_t map;
        struct stat st;
        int r;

        if (asprintf(&path, "%s/%s", directory, file) < 0)
                return -ENOMEM;
        if (!create) {
                /* LMDB would turn an empty file into a new database. */
                if (fstatat(directory_fd, file, &st, 0) < 0)
                        r = errno == ENOENT ? -EUCLEAN : -errno;
                else
                        r = !S_ISREG(st.st_mode) || st.st_size == 0 ? -EUCLEAN : store_verify(path);
                if (r < 0)
                        goto fail;
        }
        /* The map is address space, not memory: as much as we can get, so that the store grows as it needs to. */
        for (map = sizeof(void *) > 4 ? (size_t) 1 << 40 : (size_t) 1 << 30;; map /= 2) {
                g = calloc(1, sizeof(*g));
                if (!g)
                        return -ENOMEM;
                r = lmdb_error(mdb_env_create(&g->env));
                if (r >= 0)
                        r = lmdb_error(mdb_env_set_maxdbs(g->env, DATABASES));
                if (r >= 0)
                        r = lmdb_error(mdb_env_set_maxreaders(g->env, SNAPSHOTS_MAX));
                if (r >= 0)
                        r = lmdb_error(mdb_env_set_mapsize(g->env, map));
                if (r >= 0)
                        r = lmdb_error(mdb_env_open(g->env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600));
                if (r != -ENOMEM || map <= (size_t) 1 << 28)
                        break;
                g = generation_close(g);
        }
        if (r >= 0)
                r = check_length(g);
        if (r >= 0)
                r = open_databases(g, create);
        if (r < 0)
                goto fail;
        g->refs = 1;
        *ret = TAKE_PTR(g);
        return 0;

fail:
        if (ret_error) {
                if (r == -EUCLEAN) {
                        if (asprintf(ret_error, "%s is no intact store of confd-ha-node: restore it from a copy, or move it "
                                                "away with the file \"current\" beside it to start with an empty one", path) < 0)
                                *ret_error = NULL;
                } else if (asprintf(ret_error, "cannot open %s: %s", path, strerror(-r)) < 0)
                        *ret_error = NULL;
        }
        return r;
}

int generation_current(int directory_fd, uint64_t *ret) {
        _cleanup_close_ int fd = openat(directory_fd, "current", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        char buf[COPY_NAME_MAX];
        uint64_t number;
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, buf, sizeof(buf) - 1);
        if (n < 0)
                return -errno;
        buf[n] = 0;
        if (n < 2 || buf[n - 1] != '\n' || strncmp(buf, "store-", 6) != 0)
                return -EUCLEAN;
        buf[n - 1] = 0;
        if (parse_unsigned(buf + 6, 1, UINT64_MAX - 1, &number) < 0)
                return -EUCLEAN;
        *ret = number;
        return 0;
}

int generation_make_current(int directory_fd, uint64_t number) {
        _cleanup_close_ int fd = -EBADF;
        char buf[COPY_NAME_MAX];
        int n, r;

        n = snprintf(buf, sizeof(buf), "store-%" PRIu64 "\n", number);
        fd = openat(directory_fd, "current.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
                return lmdb_error(errno);
        r = write(fd, buf, (size_t) n) == n ? 0 : -ENOSPC;
        if (r >= 0 && fsync(fd) < 0)
                r = lmdb_error(errno);
        if (r >= 0 && renameat(directory_fd, "current.new", directory_fd, "current") < 0)
                r = lmdb_error(errno);
        if (r < 0) {
                (void) unlinkat(directory_fd, "current.new", 0);
                return r;
        }
        /* Renamed is renamed: whether the directory's fsync fails or not, the new name is what the next start may find, and
         * both files are there and whole. */
        (void) fsync(directory_fd);
        return 0;
}

void generation_remove(int directory_fd, const char *file) {
        char lock[96];

        (void) unlinkat(directory_fd, file, 0);
        (void) snprintf(lock, sizeof(lock), "%s-lock", file);
        (void) unlinkat(directory_fd, lock, 0);
}

void generation_remove_others(int directory_fd, uint64_t current) {
        char keep[64], keep_lock[96];
        struct dirent *e;
        DIR *d;
        int fd;

        generation_file_name(current, keep);
        (void) snprintf(keep_lock, sizeof(keep_lock), "%s-lock", keep);
        fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return;
        d = fdopendir(fd);
        if (!d) {
                close(fd);
                return;
        }
        while ((e = readdir(d)))
                if (streq(e->d_name, "current.new") || streq(e->d_name, "new.mdb") || streq(e->d_name, "new.mdb-lock") ||
                    (strncmp(e->d_name, "store-", 6) == 0 && strstr(e->d_name, ".mdb") && !streq(e->d_name, keep) &&
                     !streq(e->d_name, keep_lock)))
                        (void) unlinkat(directory_fd, e->d_name, 0);
        closedir(d);
}

/* LMDB reports a write that the file system cut short as EIO. Whether there is room for one more page tells the two apart. What
 * the failed transaction had appended to the file lies behind the last page in use: it is given back, for others to use. */
int generation_failed_commit(struct generation *g, int error) {
        static const uint8_t zeros[4096];
        MDB_envinfo info;
        MDB_stat stat;
        struct stat st;
        int fd;

        if (mdb_env_get_fd(g->env, &fd) != 0 || fstat(fd, &st) < 0)
                return error;
        if (error == -EIO && (pwrite(fd, zeros, sizeof(zeros), st.st_size) != (ssize_t) sizeof(zeros)))
                error = -ENOSPC;
        (void) mdb_env_info(g->env, &info);
        (void) mdb_env_stat(g->env, &stat);
        if (ftruncate(fd, (off_t) ((info.me_last_pgno + 1) * stat.ms_psize)) < 0)
                return error;
        return error;
}
