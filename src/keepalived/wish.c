/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the files with keepalived's wishes. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/time-util.h"
#include "keepalived/wish.h"

#define ROLE_FILE "role"
#define PEER_FILE "peer"
#define DATA_FILE "data"
enum { WORD_MAX = 16 };

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

static int store(const char *directory, const char *name, const char *word) {
        _cleanup_close_ int dir = -EBADF, fd = -EBADF;
        char temporary[64];
        size_t n = strlen(word);

        dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return -errno;
        (void) snprintf(temporary, sizeof(temporary), ".%s.%ld", name, (long) getpid());
        fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        if (write(fd, word, n) != (ssize_t) n || renameat(dir, temporary, dir, name) < 0) {
                int r = errno > 0 ? -errno : -EIO;

                (void) unlinkat(dir, temporary, 0);
                return r;
        }
        return 0;
}

int wish_store_role(const char *directory, enum wish w) {
        return store(directory, ROLE_FILE, wish_to_string(w));
}

int wish_store_peer(const char *directory, bool gone) {
        return store(directory, PEER_FILE, gone ? "gone" : "there");
}

int wish_store_stale(const char *directory, bool stale) {
        return store(directory, DATA_FILE, stale ? "stale" : "fresh");
}

/* 0 and an empty word if there is no such file. */
static int load(int dir, const char *name, char word[WORD_MAX + 1], uint64_t *ret_usec) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        ssize_t n;

        word[0] = '\0';
        *ret_usec = 0;
        fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        n = read(fd, word, WORD_MAX);
        if (n < 0 || fstat(fd, &st) < 0)
                return -errno;
        word[n] = '\0';
        *ret_usec = (uint64_t) st.st_mtim.tv_sec * USEC_PER_SEC + (uint64_t) st.st_mtim.tv_nsec / 1000;
        return 0;
}

int wish_load(const char *directory, struct wishes *ret) {
        _cleanup_close_ int dir = -EBADF;
        struct wishes w = {};
        char word[WORD_MAX + 1];
        uint64_t unused;
        int r;

        dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return -errno;
        r = load(dir, ROLE_FILE, word, &w.role_usec);
        if (r < 0)
                return r;
        if (*word) {
                r = wish_from_string(word, &w.role);
                if (r < 0)
                        return -EBADMSG;
        }
        r = load(dir, PEER_FILE, word, &unused);
        if (r < 0)
                return r;
        w.peer_gone = streq(word, "gone");
        r = load(dir, DATA_FILE, word, &unused);
        if (r < 0)
                return r;
        w.stale = streq(word, "stale");
        *ret = w;
        return 0;
}
