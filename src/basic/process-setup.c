/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a program inherits and does not want. */
#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "basic/process-setup.h"

int process_setup(sighandler_t sigpipe) {
        sigset_t none;

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                int opened;

                if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
                        continue;
                opened = open("/dev/null", O_RDWR); /* the lowest that is free, so this one */
                if (opened < 0)
                        return -errno;
                if (opened != fd)
                        return -EBADF;
        }
        (void) sigemptyset(&none);
        if (signal(SIGCHLD, SIG_DFL) == SIG_ERR || signal(SIGPIPE, sigpipe) == SIG_ERR ||
            sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                return -errno;
        return 0;
}

void process_give_memory_back(int large, int kept) {
        (void) mallopt(M_MMAP_THRESHOLD, large);
        (void) mallopt(M_TRIM_THRESHOLD, kept);
}

void process_hide_memory(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_cur == 0)
                (void) prctl(PR_SET_DUMPABLE, 0);
}
