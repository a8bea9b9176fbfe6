/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the look over a store's file before it is trusted.
 *
 * LMDB has no checksums and follows what it finds in a page: a damaged file can crash whoever reads it. So a child process reads
 * it first, every page it can in a short time; if it dies of that, or finds what cannot be, the file is not opened. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "basic/time-util.h"
#include "node/store/internal.h"

/* A larger store than can be read in that time is looked over in part. */
enum { VERIFY_MSEC = 500, CLOCK_EVERY = 256, PAGE = 4096 };

struct verify {
        uint64_t deadline;
        size_t last_page;
        unsigned char sum; /* of the bytes that were touched, so that they are */
};

static bool late(const struct verify *v, uint64_t n) {
        return n % CLOCK_EVERY == 0 && now_monotonic() > v->deadline;
}

static void touch(struct verify *v, const MDB_val *value) {
        const volatile unsigned char *p = value->mv_data;

        for (size_t i = 0; i < value->mv_size; i += PAGE)
                v->sum ^= p[i];
        if (value->mv_size > 0)
                v->sum ^= p[value->mv_size - 1];
}

/* The free pages: for each old transaction their number and they, all within the file. */
static bool free_list_is_sound(const struct verify *v, const MDB_val *key, const MDB_val *value) {
        size_t n, page;

        if (key->mv_size != sizeof(size_t) || value->mv_size < sizeof(size_t))
                return false;
        memcpy(&n, value->mv_data, sizeof(n));
        if (n > value->mv_size / sizeof(size_t) - 1)
                return false;
        for (size_t i = 1; i <= n; i++) {
                memcpy(&page, (const uint8_t *) value->mv_data + i * sizeof(size_t), sizeof(page));
                if (page < 2 || page > v->last_page)
                        return false;
        }
        return true;
}

static bool database_is_sound(struct verify *v, MDB_txn *txn, MDB_dbi dbi, bool free_list) {
        unsigned char last[KEY_SIZE_MAX];
        MDB_cursor *cursor;
        size_t last_size = 0;
        MDB_val key, value;
        uint64_t n = 0;
        MDB_stat stat;
        int rc;

        if (mdb_stat(txn, dbi, &stat) != 0 || mdb_cursor_open(txn, dbi, &cursor) != 0)
                return false;
        while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
                if (key.mv_size < 1 || key.mv_size > KEY_SIZE_MAX || value.mv_size > TRANSACTION_DATA_MAX)
                        return false;
                touch(v, &key);
                touch(v, &value);
                if (free_list) {
                        if (!free_list_is_sound(v, &key, &value))
                                return false;
                } else if (n > 0) {
                        int order = memcmp(last, key.mv_data, MIN(last_size, key.mv_size));

                        if (order > 0 || (order == 0 && last_size >= key.mv_size))
                                return false;
                }
                memcpy(last, key.mv_data, key.mv_size);
                last_size = key.mv_size;
                if (late(v, ++n))
                        return true;
                if (n > stat.ms_entries) /* also the end of a loop of pages */
                        return false;
        }
        return rc == MDB_NOTFOUND && n == stat.ms_entries;
}

static void on_assert(MDB_env *env, const char *message) {
        _exit(1); /* and not abort() with a line on standard error */
}

static bool file_is_sound(const char *path) {
        static const char *const names[] = { "data", "meta", "log" };
        struct verify v = { .deadline = now_monotonic() + VERIFY_MSEC * USEC_PER_MSEC };
        MDB_envinfo info;
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi dbi;

        if (mdb_env_create(&env) != 0 || mdb_env_set_assert(env, on_assert) != 0 || mdb_env_set_maxdbs(env, ELEMENTSOF(names)) != 0 ||
            mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0) != 0 || mdb_env_info(env, &info) != 0 ||
            mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
                return false;
        v.last_page = info.me_last_pgno;
        if (!database_is_sound(&v, txn, 0, /* free_list= */ true))
                return false;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (mdb_dbi_open(txn, names[i], 0, &dbi) != 0 || !database_is_sound(&v, txn, dbi, /* free_list= */ false))
                        return false;
        return true;
}

int store_verify(const char *path) {
        static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE };
        int status, r;
        pid_t pid;

        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                /* Nothing of the parent's is to be kept open, the lock of the directory least of all: it may be killed and
                 * started anew while we still look. */
                (void) close_range(3, ~0U, 0);
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                /* It may well die, and that is then no matter for crash handlers, core files or a sanitizer. */
                for (size_t i = 0; i < ELEMENTSOF(deadly); i++)
                        (void) signal(deadly[i], SIG_DFL);
                (void) prctl(PR_SET_DUMPABLE, 0);
                (void) signal(SIGALRM, SIG_DFL);
                (void) alarm(2 + VERIFY_MSEC / 1000); /* damage can also make it go in circles */
                _exit(file_is_sound(path) ? 0 : 1);
        }
        do
                r = waitpid(pid, &status, 0) < 0 ? -errno : 0;
        while (r == -EINTR);
        if (r < 0)
                return r;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EUCLEAN;
}
