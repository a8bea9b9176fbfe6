/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the knowledge of what the packaged unit hides. */
#include "basic/util.h"
#include "service/sandbox.h"

bool sandbox_hides(const char *path) {
        static const char *const hidden[] = { "/home", "/root", "/run/user", "/tmp", "/var/tmp" };

        for (size_t i = 0; i < ELEMENTSOF(hidden); i++) {
                size_t n = strlen(hidden[i]);

                if (strncmp(path, hidden[i], n) == 0 && path[n] == '/')
                        return true;
        }
        return false;
}
