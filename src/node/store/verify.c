/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the look over a store's file before it is trusted.
 *
 * LMDB has no checksums and follows what it finds in a page: a damaged file can crash whoever reads it. So a child process reads
 * it first, every page it can in a short time; if it dies of that, or finds what cannot be, the file is not opened. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/time-util.h"
#include "node/store/generation.h"
#include "node/store/verify.h"

/* A larger store than can be read in that time is looked over in part. */
enum { VERIFY_MSEC = 500, VERIFY_MSEC_MAX = 2000, CLOCK_EVERY = 256, PAGE = 4096 };

/* What the child ends with; anything else tells nothing of the file. */
enum { SOUND = 0, DAMAGED = 100, UNREADABLE, UNSURE };

struct verify {
        uint64_t deadline;
        size_t last_page;
        uint64_t n;        /* steps since the start */
        bool late;
        unsigned char sum; /* of the bytes that were touched, so that they are */
};

static bool late(struct verify *v) {
        if (++v->n % CLOCK_EVERY == 0 && now_monotonic() > v->deadline)
                v->late = true;
        return v->late;
}

static void touch(struct verify *v, const MDB_val *value) {
        const volatile unsigned char *p = value->mv_data;

        for (size_t i = 0; i < value->mv_size && !late(v); i += PAGE)
                v->sum ^= p[i];
        if (value->mv_size > 0)
                v->sum ^= p[value->mv_size - 1]; /* it may lie in one page more */
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
                n++;
                if (v->late || late(v))
                        return true;
                if (n > stat.ms_entries) /* also the end of a loop of pages */
                        return false;
        }
        return rc == MDB_NOTFOUND && n == stat.ms_entries;
}

static void on_assert(MDB_env *env, const char *message) {
        _exit(DAMAGED); /* and not abort() with a line on standard error */
}

/* Where the file is mapped, for who is called in the midst of reading it. */
static struct {
        const uint8_t *map;
        size_t size;
        int fd;
} reading;

/* A page that is not there: behind the end of the file, or the disk does not give it. */
static void on_sigbus(int sig, siginfo_t *info, void *context) {
        const uint8_t *at = info->si_addr;
        char byte;

        if (reading.map && at >= reading.map && at < reading.map + reading.size &&
            pread(reading.fd, &byte, 1, (off_t) (at - reading.map)) < 0)
                _exit(UNREADABLE);
        _exit(DAMAGED);
}

static int open_file(const char *path, MDB_env **ret) {
        struct stat st;
        int rc;

        *ret = NULL;
        rc = stat(path, &st) < 0 ? errno : mdb_env_create(ret);
        if (rc == 0)
                rc = mdb_env_set_assert(*ret, on_assert);
        if (rc == 0)
                rc = mdb_env_set_maxdbs(*ret, 3);
        /* No more address space than the file has pages. */
        if (rc == 0)
                rc = mdb_env_set_mapsize(*ret, ((size_t) st.st_size | (1024 * 1024 - 1)) + 1);
        if (rc == 0)
                rc = mdb_env_open(*ret, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0);
        return rc;
}

/* A damaged header may speak of pages so large or so many that they cannot be read or mapped, which LMDB tells as it tells that there
 * is no memory. Pages behind the end of the file are free ones, of which the file has a list, with 8 bytes for each. */
static bool error_is_damage(const char *path, int rc) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE), most;
        struct stat st;
        void *p;

        if (rc == EINVAL || lmdb_error(rc) == -EUCLEAN)
                return true;
        if (rc != ENOMEM || stat(path, &st) < 0 || (size_t) st.st_size > SIZE_MAX / (2 * page))
                return false;
        /* If that many can be mapped, memory is not what it lacked. */
        most = MAX((size_t) st.st_size / sizeof(size_t), (size_t) 256) * page + (size_t) st.st_size;
        p = mmap(NULL, most, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
                return false;
        (void) munmap(p, most);
        return true;
}

static int look(const char *path) {
        static const char *const names[] = { "data", "meta", "log" };
        struct verify v = { .deadline = now_monotonic() + VERIFY_MSEC * USEC_PER_MSEC };
        MDB_envinfo info;
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi dbi;
        int rc;

        rc = open_file(path, &env);
        if (rc != 0)
                return error_is_damage(path, rc) ? DAMAGED : UNSURE;
        if (mdb_env_get_fd(env, &reading.fd) != 0 || mdb_env_info(env, &info) != 0)
                return UNSURE;
        reading.map = info.me_mapaddr;
        reading.size = info.me_mapsize;
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
        if (rc != 0)
                return rc == ENOMEM ? UNSURE : DAMAGED;
        v.last_page = info.me_last_pgno;
        if (!database_is_sound(&v, txn, 0, /* free_list= */ true))
                return DAMAGED;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (mdb_dbi_open(txn, names[i], 0, &dbi) != 0 || !database_is_sound(&v, txn, dbi, /* free_list= */ false))
                        return DAMAGED;
        return SOUND;
}

_Noreturn static void child(const char *path) {
        static const int deadly[] = { SIGSEGV, SIGABRT, SIGILL, SIGFPE, SIGALRM };
        struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
        sigset_t none;

        /* Nothing of the parent's is to be kept open, the lock of the directory least of all: it may be killed and started anew
         * while we still look. */
        (void) close_range(3, ~0U, 0);
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* It may well die, and that is then no matter for crash handlers, core files or a sanitizer. */
        for (size_t i = 0; i < ELEMENTSOF(deadly); i++)
                (void) signal(deadly[i], SIG_DFL);
        (void) sigaction(SIGBUS, &action, NULL);
        (void) prctl(PR_SET_DUMPABLE, 0);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) alarm((VERIFY_MSEC_MAX + 999) / 1000); /* a disk can be slow, and damage can make it go in circles */
        _exit(look(path));
}

int store_verify(const char *path) {
        struct sigaction waited = { .sa_handler = SIG_DFL }, before;
        int status = 0, n;
        pid_t pid;

        /* Who ignores SIGCHLD has no children to wait for. */
        if (sigaction(SIGCHLD, &waited, &before) < 0)
                return 0;
        pid = fork();
        if (pid == 0)
                child(path);
        n = pid < 0 ? -1 : 0;
        if (pid > 0)
                do
                        n = waitpid(pid, &status, 0);
                while (n < 0 && errno == EINTR);
        (void) sigaction(SIGCHLD, &before, NULL);
        if (n < 0)
                return 0;
        if (WIFSIGNALED(status))
                return WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGILL ||
                       WTERMSIG(status) == SIGFPE ? -EUCLEAN : 0;
        return WEXITSTATUS(status) == DAMAGED ? -EUCLEAN : WEXITSTATUS(status) == UNREADABLE ? -EIO : 0;
}
