/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the pretence of a disk that can lose power, or fail a call, for the program that it is preloaded into.
 *
 * The files of the directory CHAOS_DATA are what they would be without us, for whoever reads or maps them. What is kept apart, in
 * the journal CHAOS_JOURNAL, is the way back: before each write what was there before, and which sync has covered it. After a
 * SIGKILL powerloss.py goes some of that way. Files that are replaced or removed keep a name in CHAOS_GRAVES for that. No sync is
 * carried out: to the machine that this runs on nothing happens; each takes up to CHAOS_SYNC_USEC, as on a disk.
 *
 * A sync covers what was written before it was called, and not what other threads write while it is under way.
 *
 * A line in CHAOS_FAULT, "CALL NUMBER ERROR", has that call of a file there fail once, do half of what it should (SHORT), or be the
 * last one (DIE); with a + behind the error all of them fail from that one on. Then there is a file CHAOS_FIRED: without it that call
 * never came. */
#undef _FILE_OFFSET_BITS /* both names of each call are ours */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { FDS_MAX = 4096, FILES_MAX = 256 };
enum kind { WRITE = 1, SIZE, SYNC, SYNC_FAILED, RENAME, UNLINK, CREATE, DIRECTORY_SYNC };

struct head {
        uint32_t kind, durable;
        uint64_t inode, offset, length, old_length, old_size, grave, sequence;
        uint32_t name_size, other_size; /* of what follows, before old_length bytes of data */
};

enum what { NOTHING, DATA_FILE, DATA_DIRECTORY };

static struct {
        const char *data, *graves;
        size_t data_size;
        int journal;
        pthread_mutex_t lock;
        unsigned char what[FDS_MAX];
        bool synchronous[FDS_MAX];
        uint64_t sequence;         /* of the last entry of the journal, over all that it had */
        struct {
                uint64_t inode, sequence;
        } dirty[FILES_MAX];        /* files with pieces that no sync has covered, and the last of these */
        size_t n_dirty;
        uint64_t names;            /* the last change of a name that no sync has covered, or 0 */
        bool doubtful;
        uint64_t grave;
        const char *fired;
        char fault[32];
        unsigned fault_left;
        int fault_error;
        bool fault_short, fault_stays;
        unsigned sync_usec;
} p = { .journal = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the start ---- */

static void read_fault(void) {
        const char *text = getenv("CHAOS_FAULT");
        char error[16];

        p.fired = getenv("CHAOS_FIRED");
        if (!text || sscanf(text, "%31s %u %15s", p.fault, &p.fault_left, error) != 3)
                p.fault_left = 0;
        else {
                p.fault_stays = strchr(error, '+') != NULL;
                p.fault_error = strncmp(error, "ENOSPC", strlen("ENOSPC")) == 0 ? ENOSPC : strcmp(error, "DIE") == 0 ? 0 : EIO;
                p.fault_short = strcmp(error, "SHORT") == 0;
        }
}

__attribute__((constructor)) static void start(void) {
        const char *journal = getenv("CHAOS_JOURNAL");

        p.data = getenv("CHAOS_DATA");
        p.graves = getenv("CHAOS_GRAVES");
        if (!p.data || !p.graves || !journal)
                return;
        p.data_size = strlen(p.data);
        p.journal = (int) syscall(SYS_openat, AT_FDCWD, journal, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
        read_fault();
        p.sync_usec = getenv("CHAOS_SYNC_USEC") ? (unsigned) atoi(getenv("CHAOS_SYNC_USEC")) : 0;
        (void) unsetenv("LD_PRELOAD");
}

static bool active(void) {
        return p.journal >= 0;
}

/* Whether this call is the one that is to fail. Under the lock. */
static bool fails(const char *call) {
        if (p.fault_left == 0 || strcmp(call, p.fault) != 0)
                return false;
        if (p.fault_left > 1) {
                p.fault_left--;
                return false;
        }
        p.fault_left = p.fault_stays;
        if (p.fired)
                (void) syscall(SYS_close, (int) syscall(SYS_openat, AT_FDCWD, p.fired, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        if (p.fault_error == 0)
                (void) kill(getpid(), SIGKILL);
        errno = p.fault_error;
        return true;
}

static void *next(const char *name) {
        return dlsym(RTLD_NEXT, name);
}

#define NEXT(name) ((__typeof__(&name)) next(#name))

/* ---- the journal ---- */

static void append(struct head *h, const char *name, const char *other, const void *data) {
        struct iovec iov[4] = { { (void *) h, sizeof(*h) }, { (void *) name, h->name_size }, { (void *) other, h->other_size },
                                { (void *) data, data ? h->old_length : 0 } };

        h->sequence = ++p.sequence;
        (void) syscall(SYS_writev, p.journal, iov, 4);
}

/* When everything is on the disk there is no way back to be kept. */
static void settle(void) {
        char path[4200];

        if (p.n_dirty > 0 || p.names > 0 || p.doubtful)
                return;
        (void) syscall(SYS_ftruncate, p.journal, 0L);
        for (; p.grave > 0; p.grave--) {
                (void) snprintf(path, sizeof(path), "%s/%llu", p.graves, (unsigned long long) p.grave);
                (void) syscall(SYS_unlinkat, AT_FDCWD, path, 0);
        }
}

/* After its entry. */
static void set_dirty(uint64_t inode) {
        size_t i = 0;

        while (i < p.n_dirty && p.dirty[i].inode != inode)
                i++;
        if (i == FILES_MAX)
                return;
        p.n_dirty += i == p.n_dirty;
        p.dirty[i].inode = inode;
        p.dirty[i].sequence = p.sequence;
}

/* Of what came up to that entry. */
static void set_clean(uint64_t inode, uint64_t last) {
        for (size_t i = 0; i < p.n_dirty; i++)
                if (p.dirty[i].inode == inode && p.dirty[i].sequence <= last)
                        p.dirty[i--] = p.dirty[--p.n_dirty];
}

static enum what what_is(int fd) {
        return active() && fd >= 0 && fd < FDS_MAX ? p.what[fd] : NOTHING;
}

static void *read_old(int fd, uint64_t offset, size_t size) {
        char path[64];
        void *old = malloc(size > 0 ? size : 1);
        int in;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        in = (int) syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        if (in < 0 || !old || syscall(SYS_pread64, in, old, size, offset) != (long) size) {
                (void) fprintf(stderr, "chaos preload: cannot read what is to be overwritten\n");
                abort();
        }
        (void) syscall(SYS_close, in);
        return old;
}

/* A write of so many bytes is going to be made there. Under the lock. */
static void journal_write(int fd, uint64_t offset, size_t size) {
        struct head h = { .kind = WRITE, .durable = p.synchronous[fd], .offset = offset, .length = size };
        struct stat st;
        void *old;

        if (fstat(fd, &st) < 0 || size == 0)
                return;
        h.inode = st.st_ino;
        h.old_size = (uint64_t) st.st_size;
        h.old_length = h.old_size <= offset ? 0 : h.old_size - offset < size ? h.old_size - offset : size;
        old = read_old(fd, offset, h.old_length);
        append(&h, NULL, NULL, old);
        free(old);
        set_dirty(h.inode);
}

static void journal_size(int fd, uint64_t size) {
        struct head h = { .kind = SIZE, .length = size };
        struct stat st;
        void *old;

        if (fstat(fd, &st) < 0 || (uint64_t) st.st_size == size)
                return;
        h.inode = st.st_ino;
        h.old_size = (uint64_t) st.st_size;
        h.old_length = h.old_size > size ? h.old_size - size : 0;
        h.offset = size;
        old = read_old(fd, size, h.old_length);
        append(&h, NULL, NULL, old);
        free(old);
        set_dirty(h.inode);
}

static void journal_names(enum kind kind, uint64_t inode, const char *name, const char *other, uint64_t grave) {
        struct head h = { .kind = kind, .inode = inode, .grave = grave, .name_size = (uint32_t) strlen(name),
                          .other_size = other ? (uint32_t) strlen(other) : 0 };

        append(&h, name, other, NULL);
        p.names = p.sequence;
}

/* ---- writing ---- */

static ssize_t do_write(const char *call, int fd, const struct iovec *iov, int n, off_t at, bool positioned) {
        struct iovec half = { n > 0 ? iov[0].iov_base : NULL, n > 0 ? (iov[0].iov_len + 1) / 2 : 0 };
        size_t size = 0;
        ssize_t r = -1;
        bool failed;

        pthread_mutex_lock(&p.lock);
        failed = fails(call);
        if (failed && p.fault_short && n > 0) {
                failed = false;
                iov = n > 1 ? iov : &half;
                n = n > 1 ? n / 2 : 1;
        }
        for (int i = 0; i < n; i++)
                size += iov[i].iov_len;
        if (!failed) {
                journal_write(fd, (uint64_t) (positioned ? at : (off_t) syscall(SYS_lseek, fd, 0L, SEEK_CUR)), size);
                r = positioned ? syscall(SYS_pwritev, fd, iov, (long) n, (long) at, 0L) : syscall(SYS_writev, fd, iov, (long) n);
        }
        pthread_mutex_unlock(&p.lock);
        return r;
}

EXPORT ssize_t write(int fd, const void *data, size_t size) {
        return what_is(fd) == DATA_FILE ? do_write("write", fd, &(struct iovec) { (void *) data, size }, 1, 0, false)
                                        : NEXT(write)(fd, data, size);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int n) {
        return what_is(fd) == DATA_FILE ? do_write("write", fd, iov, n, 0, false) : NEXT(writev)(fd, iov, n);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
        return what_is(fd) == DATA_FILE ? do_write("pwrite", fd, &(struct iovec) { (void *) data, size }, 1, at, true)
                                        : NEXT(pwrite64)(fd, data, size, at);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
        return pwrite64(fd, data, size, at);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int n, off64_t at) {
        return what_is(fd) == DATA_FILE ? do_write("pwritev", fd, iov, n, at, true) : NEXT(pwritev64)(fd, iov, n, at);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at) {
        return pwritev64(fd, iov, n, at);
}

/* ---- reading ---- */

static bool read_fails(const char *call, int fd) {
        bool r;

        if (what_is(fd) != DATA_FILE)
                return false;
        pthread_mutex_lock(&p.lock);
        r = fails(call);
        pthread_mutex_unlock(&p.lock);
        return r;
}

EXPORT ssize_t read(int fd, void *data, size_t size) {
        return read_fails("read", fd) ? -1 : NEXT(read)(fd, data, size);
}

EXPORT ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
        return read_fails("pread", fd) ? -1 : NEXT(pread64)(fd, data, size, at);
}

EXPORT ssize_t pread(int fd, void *data, size_t size, off_t at) {
        return pread64(fd, data, size, at);
}

/* ---- sizes ---- */

EXPORT int ftruncate64(int fd, off64_t size) {
        int r = -1;

        if (what_is(fd) != DATA_FILE)
                return NEXT(ftruncate64)(fd, size);
        pthread_mutex_lock(&p.lock);
        if (!fails("ftruncate")) {
                journal_size(fd, (uint64_t) size);
                r = (int) syscall(SYS_ftruncate, fd, size);
        }
        pthread_mutex_unlock(&p.lock);
        return r;
}

EXPORT int ftruncate(int fd, off_t size) {
        return ftruncate64(fd, size);
}

EXPORT int fallocate64(int fd, int mode, off64_t from, off64_t size) {
        struct stat st;
        int r = -1;

        if (what_is(fd) != DATA_FILE)
                return NEXT(fallocate64)(fd, mode, from, size);
        pthread_mutex_lock(&p.lock);
        if (!fails("fallocate")) {
                if (!(mode & FALLOC_FL_KEEP_SIZE) && fstat(fd, &st) >= 0 && st.st_size < from + size)
                        journal_size(fd, (uint64_t) (from + size));
                r = (int) syscall(SYS_fallocate, fd, mode, from, size);
        }
        pthread_mutex_unlock(&p.lock);
        return r;
}

EXPORT int fallocate(int fd, int mode, off_t from, off_t size) {
        return fallocate64(fd, mode, from, size);
}

/* ---- syncing ---- */

static int do_sync(const char *call, int fd) {
        struct head h = { .kind = SYNC };
        struct stat st;
        int r = 0;

        pthread_mutex_lock(&p.lock);
        h.offset = p.sequence;
        pthread_mutex_unlock(&p.lock);
        if (p.sync_usec > 0)
                (void) usleep((unsigned) random() % p.sync_usec);
        pthread_mutex_lock(&p.lock);
        if (what_is(fd) == DATA_DIRECTORY) {
                h.kind = DIRECTORY_SYNC;
                if (fails(call))
                        r = -1;
                else {
                        append(&h, NULL, NULL, NULL);
                        p.names = p.names > h.offset ? p.names : 0;
                }
        } else if (fstat(fd, &st) >= 0) {
                h.inode = st.st_ino;
                if (fails(call)) {
                        /* What was not written then is never written: the kernel takes the pages for clean. */
                        h.kind = SYNC_FAILED;
                        p.doubtful = true;
                        r = -1;
                }
                append(&h, NULL, NULL, NULL);
                set_clean(h.inode, h.offset);
        }
        if (r == 0)
                settle();
        pthread_mutex_unlock(&p.lock);
        return r;
}

EXPORT int fsync(int fd) {
        return what_is(fd) != NOTHING ? do_sync("fsync", fd) : NEXT(fsync)(fd);
}

EXPORT int fdatasync(int fd) {
        return what_is(fd) != NOTHING ? do_sync("fdatasync", fd) : NEXT(fdatasync)(fd);
}

/* It promises nothing: neither the disk's cache nor the file's structure are written. */
EXPORT int sync_file_range(int fd, off64_t from, off64_t size, unsigned flags) {
        return what_is(fd) == DATA_FILE ? 0 : NEXT(sync_file_range)(fd, from, size, flags);
}

/* ---- names ---- */

/* The name of a file that we care for, in the data directory; or NULL. */
static const char *our_name(int directory, const char *path) {
        const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        size_t size = strlen(name);

        if (!active() || strcmp(name, "lock") == 0 || (size > 5 && strcmp(name + size - 5, "-lock") == 0) || strncmp(name, "ballast", 7) == 0)
                return NULL;
        if (path[0] == '/')
                return strncmp(path, p.data, p.data_size) == 0 && path[p.data_size] == '/' && path + p.data_size + 1 == name ? name : NULL;
        return name == path && what_is(directory) == DATA_DIRECTORY ? name : NULL;
}

static bool stat_of(int directory, const char *path, struct stat *st) {
        return syscall(SYS_newfstatat, directory, path, st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISREG(st->st_mode);
}

/* A size, without a descriptor. */
EXPORT int truncate64(const char *path, off64_t size) {
        int fd, r;

        if (!our_name(AT_FDCWD, path))
                return NEXT(truncate64)(path, size);
        fd = (int) syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -1;
        pthread_mutex_lock(&p.lock);
        r = -1;
        if (!fails("truncate")) {
                journal_size(fd, (uint64_t) size);
                r = (int) syscall(SYS_ftruncate, fd, size);
        }
        pthread_mutex_unlock(&p.lock);
        (void) syscall(SYS_close, fd);
        return r;
}

EXPORT int truncate(const char *path, off_t size) {
        return truncate64(path, size);
}

/* A name for it that stays, or 0. */
static uint64_t bury(int directory, const char *path) {
        char grave[4200];

        (void) snprintf(grave, sizeof(grave), "%s/%llu", p.graves, (unsigned long long) p.grave + 1);
        (void) syscall(SYS_unlinkat, AT_FDCWD, grave, 0);
        return syscall(SYS_linkat, directory, path, AT_FDCWD, grave, 0) < 0 ? 0 : ++p.grave;
}

EXPORT int renameat(int from_directory, const char *from, int to_directory, const char *to) {
        const char *name = our_name(from_directory, from), *other = our_name(to_directory, to);
        struct stat st, victim;
        uint64_t grave = 0;
        int r = -1;

        if (!name || !other || !stat_of(from_directory, from, &st))
                return NEXT(renameat)(from_directory, from, to_directory, to);
        pthread_mutex_lock(&p.lock);
        if (!fails("rename")) {
                if (stat_of(to_directory, to, &victim))
                        grave = bury(to_directory, to);
                r = (int) syscall(SYS_renameat2, from_directory, from, to_directory, to, 0L);
                if (r >= 0)
                        journal_names(RENAME, st.st_ino, name, other, grave);
        }
        pthread_mutex_unlock(&p.lock);
        return r;
}

EXPORT int rename(const char *from, const char *to) {
        return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

EXPORT int unlinkat(int directory, const char *path, int flags) {
        const char *name = flags == 0 ? our_name(directory, path) : NULL;
        struct stat st;
        uint64_t grave;
        int r = -1;

        if (!name || !stat_of(directory, path, &st))
                return NEXT(unlinkat)(directory, path, flags);
        pthread_mutex_lock(&p.lock);
        if (!fails("unlink")) {
                grave = bury(directory, path);
                r = (int) syscall(SYS_unlinkat, directory, path, 0L);
                if (r >= 0)
                        journal_names(UNLINK, st.st_ino, name, NULL, grave);
        }
        pthread_mutex_unlock(&p.lock);
        return r;
}

EXPORT int unlink(const char *path) {
        return unlinkat(AT_FDCWD, path, 0);
}

/* ---- opening ---- */

static void know(int fd, int flags) {
        char link[64], path[4200];
        ssize_t n;

        if (fd < 0 || fd >= FDS_MAX || !active())
                return;
        p.what[fd] = NOTHING;
        p.synchronous[fd] = (flags & O_DSYNC) != 0;
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return;
        path[n] = 0;
        if (strcmp(path, p.data) == 0)
                p.what[fd] = DATA_DIRECTORY;
        else if (our_name(AT_FDCWD, path))
                p.what[fd] = DATA_FILE;
}

static int do_open(int directory, const char *path, int flags, mode_t mode) {
        const char *name = our_name(directory, path);
        struct stat st;
        bool there;
        int fd = -1, old;

        if (!active())
                return (int) syscall(SYS_openat, directory, path, flags, mode);
        pthread_mutex_lock(&p.lock);
        there = name && stat_of(directory, path, &st);
        if (!name || (flags & O_ACCMODE) == O_RDONLY || !fails("open")) {
                if (there && (flags & O_TRUNC) && st.st_size > 0) {
                        old = (int) syscall(SYS_openat, directory, path, O_RDWR | O_CLOEXEC);
                        if (old >= 0) {
                                journal_size(old, 0);
                                (void) syscall(SYS_close, old);
                        }
                }
                fd = (int) syscall(SYS_openat, directory, path, flags, mode);
                know(fd, flags);
                if (fd >= 0 && name && !there && (flags & O_CREAT) && fstat(fd, &st) >= 0 && what_is(fd) == DATA_FILE)
                        journal_names(CREATE, st.st_ino, name, NULL, 0);
        }
        pthread_mutex_unlock(&p.lock);
        return fd;
}

#define MODE(flags, last)                                                                 \
        ({                                                                                \
                mode_t mode_ = 0;                                                         \
                if ((flags) & (O_CREAT | __O_TMPFILE)) {                                  \
                        va_list ap_;                                                      \
                        va_start(ap_, last);                                              \
                        mode_ = va_arg(ap_, mode_t);                                      \
                        va_end(ap_);                                                      \
                }                                                                         \
                mode_;                                                                    \
        })

EXPORT int open64(const char *path, int flags, ...) {
        return do_open(AT_FDCWD, path, flags, MODE(flags, flags));
}

EXPORT int open(const char *path, int flags, ...) {
        return do_open(AT_FDCWD, path, flags, MODE(flags, flags));
}

EXPORT int openat64(int directory, const char *path, int flags, ...) {
        return do_open(directory, path, flags, MODE(flags, flags));
}

EXPORT int openat(int directory, const char *path, int flags, ...) {
        return do_open(directory, path, flags, MODE(flags, flags));
}

/* As the fortified headers have it, where there is no mode to be given. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);

EXPORT int __open_2(const char *path, int flags) {
        return do_open(AT_FDCWD, path, flags, 0);
}

EXPORT int __open64_2(const char *path, int flags) {
        return do_open(AT_FDCWD, path, flags, 0);
}

EXPORT int __openat_2(int directory, const char *path, int flags) {
        return do_open(directory, path, flags, 0);
}

EXPORT int __openat64_2(int directory, const char *path, int flags) {
        return do_open(directory, path, flags, 0);
}

EXPORT int close(int fd) {
        if (fd >= 0 && fd < FDS_MAX && fd != p.journal)
                p.what[fd] = NOTHING;
        return NEXT(close)(fd);
}
