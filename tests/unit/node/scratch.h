/* SPDX-License-Identifier: Apache-2.0 */
/* Where a test has its data: in memory if there is plenty, as hardly one needs a disk, and a slow one makes a minute of many syncs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SCRATCH_FREE_MIN (UINT64_C(1) << 30) /* more than all the tests that run side by side take */

/* A new directory of that name and some random letters. */
static inline bool scratch_directory(const char *name, char *buf, size_t size) {
        static const char memory[] = "/dev/shm";
        struct statvfs st;
        bool plenty = access(memory, W_OK | X_OK) >= 0 && statvfs(memory, &st) >= 0 &&
                      (uint64_t) st.f_bavail * st.f_frsize >= SCRATCH_FREE_MIN;
        int n = snprintf(buf, size, "%s/%s-XXXXXX", plenty ? memory : "/tmp", name);

        return n > 0 && (size_t) n < size && mkdtemp(buf);
}
