/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading, copying and erasing of secrets. */
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/secret.h"

void secret_done(struct secret *s) {
        if (s->data)
                explicit_bzero(s->data, s->size);
        free(s->data);
        *s = (struct secret) {};
}

int secret_copy(const struct secret *from, struct secret *to) {
        uint8_t *data = malloc(from->size + 1);

        if (!data)
                return -ENOMEM;
        if (from->size > 0)
                memcpy(data, from->data, from->size);
        data[from->size] = 0;
        secret_done(to);
        *to = (struct secret) { .data = data, .size = from->size };
        return 0;
}

bool secret_equal(const struct secret *a, const struct secret *b) {
        return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

int secret_read(const char *path, size_t max, bool strip_newline, mode_t refused, struct secret *ret) {
        _cleanup_secret_ struct secret s = {};
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        /* O_NONBLOCK: a FIFO in the place of the file must not hang us. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (st.st_mode & refused)
                return -EPERM;

        /* Two bytes for the newline to drop, one to notice that there is more, one for the NUL. */
        s.data = malloc(max + 4);
        if (!s.data)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read(fd, s.data + s.size, max + 3 - s.size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                s.size += (size_t) n;
                if (s.size == max + 3)
                        return -EFBIG;
        }
        if (strip_newline && s.size > 0 && s.data[s.size - 1] == '\n') {
                s.size--;
                if (s.size > 0 && s.data[s.size - 1] == '\r')
                        s.size--;
        }
        if (s.size > max)
                return -EFBIG;
        s.data[s.size] = 0;
        *ret = s;
        s = (struct secret) {};
        return 0;
}
