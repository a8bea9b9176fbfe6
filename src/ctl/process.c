/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what children have in common. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ctl/process.h"

int process_wait(pid_t pid) {
        int status;

        for (;;) {
                if (waitpid(pid, &status, 0) >= 0)
                        break;
                if (errno != EINTR)
                        return -errno;
        }
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void process_child_setup(pid_t parent, int death_signal) {
        static const int signals[] = { SIGINT, SIGTERM, SIGPIPE, SIGQUIT, SIGHUP };
        sigset_t none;

        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) signal(signals[i], SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) prctl(PR_SET_PDEATHSIG, death_signal);
        if (getppid() != parent)
                _exit(127);
}
