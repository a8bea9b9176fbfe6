/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the names in a data directory. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "basic/log.h"
#include "basic/parse.h"
#include "basic/util.h"
#include "node/store/directory.h"

void store_file_name(uint64_t number, char buf[static FILE_NAME_SIZE]) {
        (void) snprintf(buf, FILE_NAME_SIZE, "store-%" PRIu64 ".mdb", number);
}

void copy_file_name(uint64_t number, char buf[static FILE_NAME_SIZE]) {
        (void) snprintf(buf, FILE_NAME_SIZE, ".copy-%" PRIu64 ".mdb", number);
}

static void replaced_file_name(uint64_t number, char buf[static FILE_NAME_SIZE]) {
        (void) snprintf(buf, FILE_NAME_SIZE, ".replaced-%" PRIu64 ".mdb", number);
}

static bool exists(int fd, const char *name) {
        return faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

int directory_current(int fd, uint64_t *ret) {
        _cleanup_close_ int file = openat(fd, "current", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        char buf[FILE_NAME_SIZE];
        uint64_t number;
        ssize_t n;

        if (file < 0)
                return -errno;
        n = read(file, buf, sizeof(buf) - 1);
        if (n < 0)
                return -errno;
        buf[n] = 0;
        /* One line, as we write it: what is behind a NUL, or a zero before the number, is damage. */
        if (n < 2 || strlen(buf) != (size_t) n || buf[n - 1] != '\n' || strncmp(buf, "store-", 6) != 0 || buf[6] == '0')
                return -EUCLEAN;
        buf[n - 1] = 0;
        if (parse_unsigned(buf + 6, 1, UINT64_MAX - 1, &number) < 0)
                return -EUCLEAN;
        *ret = number;
        return 0;
}

/* prefix, a number as we write it, and ".mdb" */
static bool is_numbered(const char *name, const char *prefix, uint64_t *ret) {
        size_t skip = strlen(prefix), n = strlen(name);
        char digits[24];

        if (strncmp(name, prefix, skip) != 0 || n < skip + 5 || n - skip - 4 >= sizeof(digits) || !streq(name + n - 4, ".mdb") ||
            name[skip] == '0')
                return false;
        memcpy(digits, name + skip, n - skip - 4);
        digits[n - skip - 4] = 0;
        return parse_unsigned(digits, 1, UINT64_MAX - 1, ret) >= 0;
}

/* The name under which LMDB opens its readers' table, for a moment. */
static bool is_lock(const char *name) {
        char copy[FILE_NAME_SIZE];
        size_t n = strlen(name);
        uint64_t number;

        if (n <= 5 || n >= sizeof(copy) || !streq(name + n - 5, "-lock"))
                return false;
        memcpy(copy, name, n - 5);
        copy[n - 5] = 0;
        return is_numbered(copy, ".copy-", &number);
}

static DIR *open_dir(int fd) {
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d;

        if (copy < 0)
                return NULL;
        d = fdopendir(copy);
        if (!d)
                (void) safe_close(copy);
        return d;
}

int directory_stray_store(int fd, char **ret) {
        uint64_t number, best = 0;
        char *name = NULL;
        struct dirent *e;
        DIR *d;
        int r = 0;

        d = open_dir(fd);
        if (!d)
                return -errno;
        while (r >= 0 && (e = readdir(d))) {
                bool numbered = is_numbered(e->d_name, "store-", &number);
                const char *ending = strrchr(e->d_name, '-');

                if (numbered ? number <= best && name
                             : (name || strncmp(e->d_name, "store-", 6) != 0 || !strstr(e->d_name, ".mdb") || streq(ending, "-lock")) &&
                               !is_numbered(e->d_name, ".replaced-", &number))
                        continue;
                if (numbered)
                        best = number;
                r = free_and_strdup(&name, e->d_name);
        }
        closedir(d);
        if (r < 0) {
                free(name);
                return r;
        }
        *ret = name;
        return 0;
}

int directory_settle(int fd, uint64_t current) {
        char store[FILE_NAME_SIZE], copy[FILE_NAME_SIZE], replaced[FILE_NAME_SIZE];
        uint64_t number;
        struct dirent *e;
        DIR *d;

        store_file_name(current, store);
        copy_file_name(current, copy);
        replaced_file_name(current, replaced);
        if (!exists(fd, store) && renameat(fd, replaced, fd, store) < 0 && renameat(fd, copy, fd, store) < 0)
                return -errno;
        (void) unlinkat(fd, "current.new", 0);
        d = open_dir(fd);
        if (!d)
                return -errno;
        while ((e = readdir(d)))
                if (is_numbered(e->d_name, ".copy-", &number) || is_numbered(e->d_name, ".replaced-", &number) ||
                    is_lock(e->d_name))
                        (void) unlinkat(fd, e->d_name, 0);
                else if (is_numbered(e->d_name, "store-", &number) && number != current)
                        log_notice("%s is not in force and is left alone: remove it if nobody needs it", e->d_name);
        closedir(d);
        return 0;
}

uint64_t directory_next(int fd, uint64_t current) {
        char store[FILE_NAME_SIZE], copy[FILE_NAME_SIZE], replaced[FILE_NAME_SIZE];
        uint64_t number = current;

        do {
                number++;
                store_file_name(number, store);
                copy_file_name(number, copy);
                replaced_file_name(number, replaced);
        } while (exists(fd, store) || exists(fd, copy) || exists(fd, replaced));
        return number;
}

static int negative_errno(void) {
        return errno == EDQUOT || errno == EFBIG ? -ENOSPC : -errno;
}

/* Writes "current". *ret_renamed: the new one is in place, whether or not it can be made durable. */
static int make_current(int fd, uint64_t number, bool *ret_renamed) {
        _cleanup_close_ int file = -EBADF;
        char buf[FILE_NAME_SIZE];
        int n, r;

        *ret_renamed = false;
        n = snprintf(buf, sizeof(buf), "store-%" PRIu64 "\n", number);
        file = openat(fd, "current.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file < 0)
                return negative_errno();
        r = write(file, buf, (size_t) n) == n ? 0 : errno == EIO ? -EIO : -ENOSPC;
        if (r >= 0 && fsync(file) < 0)
                r = negative_errno();
        if (r >= 0 && renameat(fd, "current.new", fd, "current") < 0)
                r = negative_errno();
        if (r < 0) {
                (void) unlinkat(fd, "current.new", 0);
                return r;
        }
        *ret_renamed = true;
        return fsync(fd) < 0 ? negative_errno() : 0;
}

/* What is in place may be what a power failure leaves, or not: with the old one durable again it does not matter. */
static int take_back(int fd, uint64_t current) {
        bool renamed;

        if (current > 0)
                return make_current(fd, current, &renamed);
        if (unlinkat(fd, "current", 0) < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

int directory_swap(int fd, uint64_t current, uint64_t next) {
        char store[FILE_NAME_SIZE], copy[FILE_NAME_SIZE], replaced[FILE_NAME_SIZE];
        bool renamed;
        int r;

        store_file_name(current, store);
        replaced_file_name(current, replaced);
        /* Out of the way first, under a name that tells what it is: so nothing has to be guessed after a crash. */
        if (current > 0 && renameat(fd, store, fd, replaced) < 0)
                return negative_errno();
        r = make_current(fd, next, &renamed);
        if (r < 0 && renamed && take_back(fd, current) < 0)
                return -ENOTRECOVERABLE;
        if (r < 0) {
                if (current > 0 && renameat(fd, replaced, fd, store) < 0)
                        return -ENOTRECOVERABLE;
                return r;
        }
        copy_file_name(next, copy);
        store_file_name(next, store);
        if (renameat(fd, copy, fd, store) < 0)
                return -ENOTRECOVERABLE; /* it is in force, and the next start finds it */
        if (current > 0)
                (void) unlinkat(fd, replaced, 0);
        return 0;
}
