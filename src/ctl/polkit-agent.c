/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the agent that asks for passwords on the terminal. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "ctl/polkit-agent.h"
#include "ctl/process.h"

enum { AGENT_READY_MSEC = 10000 };

static _Noreturn void exec_agent(const struct ctl *c, pid_t parent, int notify_fd) {
        char fd_text[16];
        _cleanup_close_ int tty = -EBADF;

        process_child_setup(parent, SIGTERM);
        snprintf(fd_text, sizeof(fd_text), "%i", notify_fd);
        /* The question belongs on the terminal, even where our own output goes into a file. */
        if (!isatty(STDOUT_FILENO) || !isatty(STDERR_FILENO)) {
                tty = open("/dev/tty", O_WRONLY | O_CLOEXEC);
                if (tty < 0 || (!isatty(STDOUT_FILENO) && dup2(tty, STDOUT_FILENO) < 0) ||
                    (!isatty(STDERR_FILENO) && dup2(tty, STDERR_FILENO) < 0))
                        _exit(127);
        }
        /* The polkit that is asked is the one on the bus that we call. */
        if (c->address && setenv("DBUS_SYSTEM_BUS_ADDRESS", c->address, /* overwrite= */ 1) < 0)
                _exit(127);
        execlp("pkttyagent", "pkttyagent", "--notify-fd", fd_text, "--fallback", (char *) NULL);
        _exit(127);
}

void polkit_agent_open(struct ctl *c) {
        int fds[2];
        pid_t parent = getpid();

        if (c->agent > 0 || !c->ask_password || c->host || c->machine)
                return;
        if (geteuid() == 0 || !isatty(STDIN_FILENO))
                return;
        if (pipe(fds) < 0)
                return;
        (void) fcntl(fds[0], F_SETFD, FD_CLOEXEC);
        c->agent = fork();
        if (c->agent == 0) {
                close(fds[0]);
                exec_agent(c, parent, fds[1]);
        }
        close(fds[1]);
        if (c->agent > 0) {
                /* It writes or closes the pipe once it is registered; it also closes it by failing to start. */
                struct pollfd p = { .fd = fds[0], .events = POLLIN };

                while (poll(&p, 1, AGENT_READY_MSEC) < 0 && errno == EINTR)
                        ;
        } else
                c->agent = 0;
        close(fds[0]);
}

void polkit_agent_close(struct ctl *c) {
        if (c->agent <= 0)
                return;
        /* SIGCONT: a stopped agent would not see the end coming, and we would wait for ever. */
        (void) kill(c->agent, SIGTERM);
        (void) kill(c->agent, SIGCONT);
        (void) process_wait(c->agent);
        c->agent = 0;
}
