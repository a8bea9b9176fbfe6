/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where programs find their secrets. */
#include <stdio.h>
#include <sys/stat.h>

#include "basic/secret-sources.h"

int secret_read_file(const char *path, size_t max, bool strip_newline, struct secret *ret) {
        return secret_read(path, max, strip_newline, S_IRWXO, ret);
}

int secret_read_credential(const char *name, size_t max, bool strip_newline, struct secret *ret) {
        const char *dir = getenv("CREDENTIALS_DIRECTORY");
        _cleanup_free_ char *path = NULL;

        if (!dir || dir[0] != '/')
                return -ENOENT;
        if (asprintf(&path, "%s/%s", dir, name) < 0)
                return -ENOMEM;
        return secret_read(path, max, strip_newline, /* refused= */ 0, ret);
}
