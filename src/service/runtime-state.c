/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the file that keeps NodeId. */
#include <fcntl.h>
#include <stdio.h>

#include "basic/escape.h"
#include "basic/log.h"
#include "service/runtime-state.h"

#define FALLBACK "/run/confd-ha"

static char *file_name(const char *suffix) {
        const char *dirs = getenv("RUNTIME_DIRECTORY"), *dir = dirs && dirs[0] == '/' ? dirs : FALLBACK;
        char *path = NULL;

        /* systemd separates several by colons. */
        if (asprintf(&path, "%.*s/node-id%s", (int) strcspn(dir, ":"), dir, suffix) < 0)
                return NULL;
        return path;
}

char *runtime_state_load(void) {
        _cleanup_free_ char *path = file_name("");
        _cleanup_close_ int fd = -EBADF;
        char text[NODE_ID_MAX + 2] = "";
        ssize_t n;

        if (!path)
                return NULL;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) {
                if (errno != ENOENT)
                        log_warning("%s: cannot open, so NodeId is not known: %m", path);
                return strdup("");
        }
        n = read(fd, text, sizeof(text) - 1);
        if (n < 0) {
                log_warning("%s: cannot read, so NodeId is not known: %m", path);
                return strdup("");
        }
        text[n] = 0;
        text[strcspn(text, "\n")] = 0;
        return strdup(node_id_is_valid(text) ? text : "");
}

static int save(const char *path, const char *temporary, const char *node_id) {
        _cleanup_close_ int fd = -EBADF;
        char text[NODE_ID_MAX + 2];
        int n;

        fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return -errno;
        n = snprintf(text, sizeof(text), "%s\n", node_id);
        if (write(fd, text, (size_t) n) != n)
                return -EIO;
        if (rename(temporary, path) < 0)
                return -errno;
        return 0;
}

void runtime_state_save(const char *node_id) {
        _cleanup_free_ char *path = file_name(""), *temporary = file_name(".new");
        static bool said;
        int r;

        if (!path || !temporary)
                return;
        if (*node_id)
                r = save(path, temporary, node_id);
        else
                r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
        if (r < 0 && !said)
                log_warning("%s: cannot be written, so NodeId will not outlive a restart of the service: %s", path,
                            strerror(-r));
        said = r < 0;
}
