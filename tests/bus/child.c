/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the child processes of a test. */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "child.h"

static void add_output(struct child *c, const char *data, size_t n) {
        char *p = realloc(c->partial, c->n_partial + n + 1);
        char *line, *end;

        if (!p)
                abort();
        memcpy(p + c->n_partial, data, n);
        c->n_partial += n;
        p[c->n_partial] = 0;
        c->partial = p;
        for (line = p; (end = memchr(line, '\n', (size_t) (p + c->n_partial - line))); line = end + 1) {
                *end = 0;
                trace_add(&c->trace, "%s", line);
        }
        c->n_partial -= (size_t) (line - p);
        memmove(p, line, c->n_partial + 1);
}

/* Returns false at the end of the output. */
static bool read_output(struct child *c) {
        char data[4096];
        ssize_t n = read(c->output, data, sizeof(data));

        if (n > 0)
                add_output(c, data, (size_t) n);
        return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static int on_output(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        struct child *c = userdata;

        if (!read_output(c))
                c->source = sd_event_source_disable_unref(c->source);
        return 0;
}

/* In a mount namespace of its own: nobody else's /run changes. */
static bool enter_journal(const char *dir) {
        static char stream[64];
        struct stat st;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") < 0 || mkdir("/run/systemd", 0755) < 0 ||
            mkdir("/run/systemd/journal", 0755) < 0 ||
            mount(dir, "/run/systemd/journal", NULL, MS_BIND, NULL) < 0 || fstat(STDERR_FILENO, &st) < 0)
                return false;
        snprintf(stream, sizeof(stream), "JOURNAL_STREAM=%ju:%ju", (uintmax_t) st.st_dev, (uintmax_t) st.st_ino);
        return putenv(stream) == 0;
}

static _Noreturn void run(const char *const argv[], const struct child_options *o, int in, int out, pid_t parent) {
        sigset_t none;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(127);
        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
                _exit(127);
        for (const char *const *e = o->set_env; e && *e; e++)
                if (putenv((char *) *e) != 0)
                        _exit(127);
        if (o->journal_dir && !enter_journal(o->journal_dir)) {
                fprintf(stderr, "no journal: %m\n");
                _exit(127);
        }
        if (o->uid != 0) {
                if (setgroups(0, NULL) < 0 || setresgid(o->uid, o->uid, o->uid) < 0 ||
                    setresuid(o->uid, o->uid, o->uid) < 0)
                        _exit(127);
                /* A change of the user clears it. */
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        }
        execvp(argv[0], (char *const *) argv);
        fprintf(stderr, "cannot run %s: %m\n", argv[0]);
        _exit(127);
}

void child_start(struct child *c, sd_event *event, const char *const argv[], const struct child_options *options) {
        struct child_options none = {};
        int in[2] = { -EBADF, -EBADF }, out[2];
        pid_t parent = getpid();

        if (!options)
                options = &none;
        c->status = -1;
        if (options->with_input) {
                if (pipe2(in, O_CLOEXEC) < 0)
                        abort();
        } else
                in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (in[0] < 0 || pipe2(out, O_CLOEXEC) < 0)
                abort();
        c->pid = fork();
        if (c->pid < 0)
                abort();
        if (c->pid == 0)
                run(argv, options, in[0], out[1], parent);
        safe_close(in[0]);
        safe_close(out[1]);
        c->input = in[1];
        c->output = out[0];
        if (fcntl(c->output, F_SETFL, O_NONBLOCK) < 0 ||
            sd_event_add_io(event, &c->source, c->output, EPOLLIN, on_output, c) < 0)
                abort();
}

bool child_has_ended(struct child *c) {
        pid_t p;

        if (c->pid == 0)
                return true;
        p = waitpid(c->pid, &c->status, WNOHANG);
        if (p != c->pid)
                return false;
        c->pid = 0;
        /* What it wrote before it ended is in the pipe; a grandchild may hold the other end open. */
        if (c->source)
                for (int i = 0; i < 256; i++) {
                        char data[4096];
                        ssize_t n = read(c->output, data, sizeof(data));

                        if (n <= 0)
                                break;
                        add_output(c, data, (size_t) n);
                }
        if (c->n_partial > 0)
                trace_add(&c->trace, "%s", c->partial);
        child_end(c);
        return true;
}

void child_end(struct child *c) {
        if (c->pid > 0) {
                (void) kill(c->pid, SIGKILL);
                while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
                        ;
                c->pid = 0;
        }
        c->source = sd_event_source_disable_unref(c->source);
        if (c->input > 0)
                c->input = safe_close(c->input);
        if (c->output > 0)
                c->output = safe_close(c->output);
        free(c->partial);
        c->partial = NULL;
        c->n_partial = 0;
}

void child_done(struct child *c) {
        child_end(c);
        trace_done(&c->trace);
}
