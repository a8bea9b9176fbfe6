/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the pager process. The variables are those of systemd's tools: SYSTEMD_PAGER, PAGER, SYSTEMD_LESS,
 * SYSTEMD_LESSCHARSET, SYSTEMD_PAGERSECURE. */
#include <fcntl.h>
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-login.h>

#include "basic/parse.h"
#include "ctl/pager.h"
#include "ctl/process.h"

enum { PAGER_WORDS_MAX = 32 };

/* Whether only a pager that honours LESSSECURE may run: less lets its user start programs and write files, which
 * somebody who was allowed only this command (by sudo, say) must not get. */
static bool needs_secure_pager(bool *ret_trust) {
        const char *e = getenv("SYSTEMD_PAGERSECURE");
        bool secure;
        uid_t uid;

        if (e) {
                /* Said so explicitly: then the configured pager is trusted to know. Nonsense is the safe side. */
                if (parse_boolean(e, &secure) < 0) {
                        *ret_trust = false;
                        return true;
                }
                *ret_trust = true;
                return secure;
        }
        if (sd_pid_get_owner_uid(0, &uid) < 0)
                secure = true;
        else
                secure = uid != geteuid();
        *ret_trust = !secure;
        return secure;
}

static _Noreturn void exec_pager(pid_t parent, int input, const char *configured, bool secure, bool trust) {
        static const char *const pagers[] = { "pager", "less", "more" };
        const char *less = getenv("SYSTEMD_LESS"), *charset = getenv("SYSTEMD_LESSCHARSET");

        process_child_setup(parent, SIGTERM);
        if (dup2(input, STDIN_FILENO) < 0 || setenv("LESS", less ?: "FRSXMK", /* overwrite= */ 1) < 0)
                _exit(127);
        if (!charset && streq(nl_langinfo(CODESET), "UTF-8"))
                charset = "utf-8";
        if (charset && setenv("LESSCHARSET", charset, /* overwrite= */ 1) < 0)
                _exit(127);
        if ((secure ? setenv("LESSSECURE", "1", /* overwrite= */ 1) : unsetenv("LESSSECURE")) < 0)
                _exit(127);

        if (trust && configured) {
                _cleanup_free_ char *copy = strdup(configured);
                char *words[PAGER_WORDS_MAX + 1], *save = NULL;
                size_t n = 0;

                for (char *w = copy ? strtok_r(copy, " \t", &save) : NULL; w && n < PAGER_WORDS_MAX;
                     w = strtok_r(NULL, " \t", &save))
                        words[n++] = w;
                words[n] = NULL;
                if (n > 0)
                        execvp(words[0], words);
        }
        for (size_t i = 0; i < ELEMENTSOF(pagers); i++)
                if (!secure || streq(pagers[i], "less"))
                        execlp(pagers[i], pagers[i], (char *) NULL);
        /* No pager at all: pass the text on. */
        for (;;) {
                char buf[4096];
                ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        _exit(0);
                for (ssize_t done = 0, k; done < n; done += k) {
                        k = write(STDOUT_FILENO, buf + done, (size_t) (n - done));
                        if (k < 0)
                                _exit(1);
                }
        }
}

void pager_open(struct ctl *c) {
        const char *configured = getenv("SYSTEMD_PAGER") ?: getenv("PAGER"), *term = getenv("TERM");
        bool secure, trust;
        pid_t parent = getpid();
        int fds[2];

        if (c->pager > 0 || !c->use_pager || !isatty(STDOUT_FILENO))
                return;
        if (!term || streq(term, "dumb"))
                return;
        if (configured && (streq(configured, "") || streq(configured, "cat")))
                return;
        secure = needs_secure_pager(&trust);
        if (pipe2(fds, O_CLOEXEC) < 0)
                return;
        fflush(stdout);
        c->pager = fork();
        if (c->pager == 0) {
                /* Where there is no pager nothing is executed, which would close this end; its end would never come. */
                close(fds[1]);
                exec_pager(parent, fds[0], configured, secure, trust);
        }
        close(fds[0]);
        if (c->pager < 0 || dup2(fds[1], STDOUT_FILENO) < 0) {
                close(fds[1]);
                if (c->pager > 0)
                        (void) process_wait(c->pager);
                c->pager = 0;
                return;
        }
        close(fds[1]);
        /* Ctrl-C belongs to the pager, and a pager that was left early is no error. */
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGPIPE, SIG_IGN);
}

void pager_close(struct ctl *c) {
        if (c->pager <= 0)
                return;
        fflush(stdout);
        /* The pager sees the end of its input only when we hold no copy of the pipe. */
        if (!freopen("/dev/null", "w", stdout))
                (void) close(STDOUT_FILENO);
        (void) kill(c->pager, SIGCONT);
        (void) process_wait(c->pager);
        c->pager = 0;
        (void) signal(SIGINT, SIG_DFL);
        (void) signal(SIGPIPE, SIG_DFL);
}
