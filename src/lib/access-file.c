/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where the blocking functions find the IPC access secret. */
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/access-file.h"

void access_secret_free(void *secret, size_t size) {
        if (secret)
                explicit_bzero(secret, size);
        free(secret);
}

static int read_all(int fd, uint8_t *p, size_t *ret_size) {
        size_t n = 0;

        for (;;) {
                ssize_t k = read(fd, p + n, ACCESS_FILE_MAX + 1 - n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
                if (n > ACCESS_FILE_MAX)
                        return -EFBIG;
        }
        *ret_size = n;
        return 0;
}

int access_file_read(void **ret, size_t *ret_size, const char **ret_path) {
        const char *path = secure_getenv("CONFD_IPC_ACCESS_FILE");
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        uint8_t *p;
        int r;

        if (isempty(path))
                path = secure_getenv("NCS_IPC_ACCESS_FILE");
        if (isempty(path)) {
                *ret = NULL;
                *ret_size = 0;
                return 0;
        }
        *ret_path = path;

        /* O_NONBLOCK: a FIFO in the place of the file must not hang us. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        p = malloc(ACCESS_FILE_MAX + 1);
        if (!p)
                return -ENOMEM;
        r = read_all(fd, p, ret_size);
        if (r < 0) {
                access_secret_free(p, ACCESS_FILE_MAX + 1);
                return r;
        }
        *ret = p;
        return 1;
}
