/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where the blocking functions find the IPC access secret. */
#include "lib/access-file.h"

int access_file_read(struct secret *ret, const char **ret_path) {
        const char *path = secure_getenv("CONFD_IPC_ACCESS_FILE");
        int r;

        if (isempty(path))
                path = secure_getenv("NCS_IPC_ACCESS_FILE");
        if (isempty(path)) {
                *ret = (struct secret) {};
                return 0;
        }
        *ret_path = path;
        r = secret_read(path, ACCESS_FILE_MAX, /* strip_newline= */ false, /* refused= */ 0, ret);
        return r < 0 ? r : 1;
}
