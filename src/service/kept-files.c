/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the files that outlive the service. */
#include <fcntl.h>
#include <stdio.h>

#include "basic/log.h"
#include "service/kept-files.h"

static const struct {
        const char *variable, *fallback;
        bool durable;
} places[] = {
        [KEPT_RUNTIME] = { "RUNTIME_DIRECTORY", "/run/confd-ha", false },
        [KEPT_STATE] = { "STATE_DIRECTORY", CONFD_HA_LOCALSTATEDIR "/lib/confd-ha", true },
};

static char *directory(enum kept_in in) {
        const char *dirs = getenv(places[in].variable);

        /* systemd separates several by colons. */
        return dirs && dirs[0] == '/' ? strndup(dirs, strcspn(dirs, ":")) : strdup(places[in].fallback);
}

static char *file_name(const char *dir, const char *name, const char *suffix) {
        char *path = NULL;

        return dir && asprintf(&path, "%s/%s%s", dir, name, suffix) >= 0 ? path : NULL;
}

/* ---- reading ---- */

static int read_all(int fd, char **ret) {
        _cleanup_free_ char *text = malloc(KEPT_MAX + 1);
        size_t n = 0;
        ssize_t k;

        if (!text)
                return -ENOMEM;
        while ((k = read(fd, text + n, KEPT_MAX + 1 - n)) != 0) {
                if (k < 0)
                        return -errno;
                n += (size_t) k;
                if (n > KEPT_MAX)
                        return -EFBIG;
        }
        /* All of them are lines, so that one that was cut short shows. */
        if (memchr(text, 0, n) || (n > 0 && text[n - 1] != '\n'))
                return -EBADMSG;
        *ret = strndup(text, n);
        return *ret ? 0 : -ENOMEM;
}

char *kept_load(enum kept_in in, const char *name, bool *ret_lost) {
        _cleanup_free_ char *dir = directory(in), *path = file_name(dir, name, "");
        _cleanup_close_ int fd = -EBADF;
        char *text = NULL;
        int r;

        if (!path)
                return NULL;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        r = fd < 0 ? -errno : read_all(fd, &text);
        if (r == -ENOMEM)
                return NULL;
        if (r < 0 && r != -ENOENT)
                log_warning("%s: cannot be read, so what it has kept is not known: %s", path, strerror(-r));
        *ret_lost = r != -ENOENT && isempty(text);
        return text ?: strdup("");
}

/* ---- writing ---- */

static int write_all(int fd, const char *text, bool durable) {
        for (size_t n = strlen(text); n > 0;) {
                ssize_t k = write(fd, text, n);

                if (k < 0)
                        return -errno;
                text += k;
                n -= (size_t) k;
        }
        return durable && fsync(fd) < 0 ? -errno : 0;
}

static int sync_directory(const char *dir) {
        _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        return fsync(fd) < 0 ? -errno : 0;
}

static int replace(const char *path, const char *temporary, const char *text, bool durable) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text, durable);
        if (r >= 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(temporary);
        return r;
}

static int remove_file(const char *path) {
        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* An empty file needs no room, and no descriptor. One that is gone would say that there never was anything to be kept: only if nothing
 * else goes. That a disk does not take even this is no reason for it: at the next start, at least, the file is empty. */
static int lose(const char *path) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);

        if (fd < 0)
                return truncate(path, 0) < 0 ? remove_file(path) : 0;
        (void) fsync(fd);
        return 0;
}

struct kept_outcome kept_try(enum kept_in in, const char *name, const char *text) {
        _cleanup_free_ char *dir = directory(in), *path = file_name(dir, name, ""), *temporary = file_name(dir, name, ".new");
        bool durable = places[in].durable;
        struct kept_outcome o = { .error = -ENOMEM };

        if (!path || !temporary)
                return o;
        o.error = *text ? replace(path, temporary, text, durable) : remove_file(path);
        if (o.error < 0)
                o.stale = !*text || (durable ? lose(path) : remove_file(path)) < 0;
        /* What the old one leaves may be room enough. */
        if (o.error < 0 && !o.stale)
                o.error = replace(path, temporary, text, durable);
        if (durable && o.error >= 0)
                o.error = sync_directory(dir);
        return o;
}

void kept_complain(enum kept_in in, const char *name, const struct kept_outcome *outcome) {
        static bool said[ELEMENTSOF(places)];
        _cleanup_free_ char *dir = directory(in), *path = file_name(dir, name, "");

        if (outcome->error < 0 && !said[in])
                log_warning("%s: cannot be written, so what it is to keep will not outlive %s: %s%s", path ?: name,
                            places[in].durable ? "the service" : "a restart of the service", strerror(-outcome->error),
                            outcome->stale ? "; nor can what it says now be removed, which is out of date: remove it" : "");
        said[in] = outcome->error < 0;
}

int kept_save(enum kept_in in, const char *name, const char *text) {
        struct kept_outcome outcome = kept_try(in, name, text);

        kept_complain(in, name, &outcome);
        return outcome.error;
}
