/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the files with keepalived's wishes. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "basic/time-util.h"
#include "keepalived/wish.h"

#define ROLE_FILE "role"
#define PEER_FILE "peer"
#define DATA_FILE "data"
#define LOCK_FILE ".lock"
/* Nobody holds it for longer than it takes to read and rename a file; who is stopped meanwhile keeps no other from its end. */
#define LOCK_TRIES 100
#define LOCK_PAUSE_USEC (2 * USEC_PER_MSEC)
enum { WORD_MAX = 16, LINE_SIZE = 64, PIDS_AGO = 16384 };

static const struct {
        const char *word;
        enum wish wish;
} words[] = {
        { "MASTER", WISH_MASTER }, { "BACKUP", WISH_BACKUP }, { "FAULT", WISH_FAULT },
        { "STOP", WISH_STOP },     { "DELETED", WISH_STOP },
};

const char *wish_to_string(enum wish w) {
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (words[i].wish == w)
                        return words[i].word;
        return "nothing";
}

int wish_from_string(const char *s, enum wish *ret) {
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(words[i].word, s)) {
                        *ret = words[i].wish;
                        return 0;
                }
        return -EINVAL;
}

/* ---- who was told later ---- */

bool notice_is_later(const struct notice *n, const struct notice *than) {
        if (n->ticks != than->ticks)
                return n->ticks > than->ticks;
        /* Of the same hundredth of a second: process ids count up, and begin anew. */
        return n->pid > than->pid ? n->pid - than->pid < PIDS_AGO : than->pid - n->pid >= PIDS_AGO;
}

/* A number, behind blanks; *s goes on behind it. False: there is none. */
static bool take_number(const char **s, uint64_t *ret) {
        char *end;

        *s += strspn(*s, " ");
        if (**s < '0' || **s > '9')
                return false; /* nor a sign */
        errno = 0;
        *ret = strtoull(*s, &end, 10);
        if (errno != 0 || end == *s)
                return false;
        *s = end;
        return true;
}

/* When this process was begun, as the kernel has it: keepalived begins them in the order of what they tell. */
static int notice_of_this_process(struct notice *ret) {
        _cleanup_close_ int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        char line[1024];
        const char *s;
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, line, sizeof(line) - 1);
        if (n < 0)
                return -errno;
        line[n] = '\0';
        /* The name may be anything, also with blanks and brackets; behind it come the state, which is field 3, and numbers. */
        s = strrchr(line, ')');
        for (unsigned field = 2; s && field < 22; field++)
                s = strchr(s + 1, ' ');
        if (!s || !take_number(&s, &ret->ticks))
                return -EBADMSG;
        ret->pid = getpid();
        return 0;
}

/* Without it after a while, for keepalived does not wait. The descriptor is the lock. */
static int lock(int dir) {
        int fd = openat(dir, LOCK_FILE, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        for (unsigned i = 0; fd >= 0 && i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
                (void) usleep(LOCK_PAUSE_USEC);
        return fd;
}

/* ---- the files ---- */

/* The first word of a file, "" if there is no such file, or nothing in it; "?" for what none of us has written. */
static int load(int dir, const char *name, char line[static LINE_SIZE], char word[static WORD_MAX + 1], uint64_t *ret_usec) {
        _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;
        size_t size;
        ssize_t n;

        line[0] = word[0] = '\0';
        *ret_usec = 0;
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        n = read(fd, line, LINE_SIZE - 1);
        if (n < 0 || fstat(fd, &st) < 0)
                return -errno;
        line[n] = '\0';
        *ret_usec = (uint64_t) st.st_mtim.tv_sec * USEC_PER_SEC + (uint64_t) st.st_mtim.tv_nsec / 1000;
        size = strcspn(line, " \n");
        if (strlen(line) != (size_t) n || (size == 0 && n > 0) || size > WORD_MAX)
                strcpy(word, "?");
        else
                (void) snprintf(word, WORD_MAX + 1, "%.*s", (int) size, line);
        return 0;
}

static bool has_later(int dir, const char *name, const struct notice *own) {
        char line[LINE_SIZE], word[WORD_MAX + 1];
        uint64_t unused, ticks, pid;
        enum wish wish;
        const char *s;

        if (load(dir, name, line, word, &unused) < 0)
                return false;
        /* What is no notice keeps none from its place. */
        if (wish_from_string(word, &wish) < 0 && !streq(word, "gone") && !streq(word, "there"))
                return false;
        s = line + strlen(word);
        return take_number(&s, &ticks) && take_number(&s, &pid) && pid <= INT_MAX &&
               notice_is_later(&(struct notice) { ticks, (pid_t) pid }, own);
}

static int replace(int dir, const char *name, const char *text) {
        _cleanup_close_ int fd = -EBADF;
        char temporary[64];
        size_t n = strlen(text);

        (void) snprintf(temporary, sizeof(temporary), ".%s.%ld", name, (long) getpid());
        fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        errno = 0;
        if (write(fd, text, n) != (ssize_t) n || renameat(dir, temporary, dir, name) < 0) {
                int r = errno > 0 ? -errno : -EIO;

                (void) unlinkat(dir, temporary, 0);
                return r;
        }
        return 0;
}

/* What was told later stays, whoever comes to store first. */
static int store_notice(const char *directory, const char *name, const char *word) {
        _cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), locked = -EBADF;
        struct notice own = {};
        char line[LINE_SIZE];

        if (dir < 0)
                return -errno;
        if (notice_of_this_process(&own) < 0)
                return replace(dir, name, word);
        locked = lock(dir);
        if (has_later(dir, name, &own))
                return 0;
        (void) snprintf(line, sizeof(line), "%s %" PRIu64 " %d\n", word, own.ticks, own.pid);
        return replace(dir, name, line);
}

int wish_store_role(const char *directory, enum wish w) {
        return store_notice(directory, ROLE_FILE, wish_to_string(w));
}

int wish_store_peer(const char *directory, bool gone) {
        return store_notice(directory, PEER_FILE, gone ? "gone" : "there");
}

int wish_store_stale(const char *directory, bool stale) {
        _cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return dir < 0 ? -errno : replace(dir, DATA_FILE, stale ? "stale" : "fresh");
}

int wish_load(const char *directory, struct wishes *ret) {
        _cleanup_close_ int dir = -EBADF;
        struct wishes w = {};
        char line[LINE_SIZE], word[WORD_MAX + 1];
        uint64_t unused;
        int r;

        dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return -errno;
        r = load(dir, ROLE_FILE, line, word, &w.role_usec);
        if (r < 0)
                return r;
        if (*word) {
                r = wish_from_string(word, &w.role);
                if (r < 0)
                        return -EBADMSG;
        }
        r = load(dir, PEER_FILE, line, word, &unused);
        if (r < 0)
                return r;
        w.peer_gone = streq(word, "gone");
        r = load(dir, DATA_FILE, line, word, &unused);
        if (r < 0)
                return r;
        w.stale = *word && !streq(word, "fresh"); /* what cannot be read is no proof */
        *ret = w;
        return 0;
}
