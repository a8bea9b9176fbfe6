/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the history of another host, which the confd-hactl over there shows. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "ctl/complain.h"
#include "ctl/history.h"
#include "ctl/pager.h"
#include "ctl/process.h"
#include "ctl/ssh.h"

enum { ARGS_MAX = SSH_WORDS_MAX + 20 };

/* The arguments of the confd-hactl over there. ssh gives them to a shell, so each of them is made of harmless bytes:
 * numbers, words of ours, a container's name that was checked. */
struct remote_words {
        char lines[64], since[64], until[64], machine[512];
};

static size_t remote_words(const struct ctl *c, const struct ssh_host *h, const char **args, struct remote_words *buf) {
        size_t n = 0;

        args[n++] = "confd-hactl";
        args[n++] = "history";
        args[n++] = "--no-pager";
        snprintf(buf->lines, sizeof(buf->lines), "--lines=%" PRIu64, c->lines);
        args[n++] = buf->lines;
        args[n++] = c->json == JSON_SHORT ? "--json=short" : c->json == JSON_PRETTY ? "--json=pretty" : "--json=off";
        if (!c->legend)
                args[n++] = "--no-legend";
        if (c->quiet)
                args[n++] = "-q";
        if (c->since) {
                snprintf(buf->since, sizeof(buf->since), "--since=@%" PRIu64 ".%06" PRIu64, c->since / USEC_PER_SEC,
                         c->since % USEC_PER_SEC);
                args[n++] = buf->since;
        }
        if (c->until != USEC_INFINITY) {
                snprintf(buf->until, sizeof(buf->until), "--until=@%" PRIu64 ".%06" PRIu64, c->until / USEC_PER_SEC,
                         c->until % USEC_PER_SEC);
                args[n++] = buf->until;
        }
        if (c->reverse)
                args[n++] = "--reverse";
        if (c->follow)
                args[n++] = "--follow";
        if (c->only_orders)
                args[n++] = "--orders";
        if (c->only_transitions)
                args[n++] = "--transitions";
        if (c->all)
                args[n++] = "--all";
        if (h->container) {
                snprintf(buf->machine, sizeof(buf->machine), "--machine=%s", h->container);
                args[n++] = buf->machine;
        }
        return n;
}

static int run(struct ctl *c, const char **args) {
        pid_t parent = getpid();
        int status;

        if (!c->follow)
                pager_open(c);
        fflush(stdout);
        c->ssh = fork();
        if (c->ssh == 0) {
                int null = open("/dev/null", O_RDONLY);

                process_child_setup(parent, SIGTERM);
                /* ssh asks its questions on the terminal itself. */
                if (null < 0 || dup2(null, STDIN_FILENO) < 0)
                        _exit(127);
                execvp(args[0], (char *const *) args);
                fprintf(stderr, "confd-hactl: Cannot start ssh: %s\n", strerror(errno));
                _exit(255);
        }
        status = c->ssh < 0 ? -errno : process_wait(c->ssh);
        c->ssh = 0;
        pager_close(c);
        return status;
}

enum ctl_exit history_remote(struct ctl *c) {
        const char *args[ARGS_MAX];
        _cleanup_ssh_host_ struct ssh_host h = {};
        struct remote_words words;
        char buf[SSH_BUF_MAX], advice[300];
        size_t n;
        int status;

        if (ssh_host_parse(&h, c->host) < 0) {
                complain(c, CTL_ERROR_USAGE, NULL, "Not a valid host: '%s'", c->host);
                return CTL_USAGE;
        }
        n = ssh_words(&h, c->timeout, /* batch= */ false, args, buf);
        n += remote_words(c, &h, args + n, &words);
        args[n] = NULL;

        status = run(c, args);
        if (status < 0 || status > 255) {
                complain(c, CTL_ERROR_FAILED, NULL, "Cannot run ssh: %s", strerror(-status));
                return CTL_FAILED;
        }
        if (status == 255) {
                snprintf(advice, sizeof(advice), "Try: ssh %s true", h.host);
                complain(c, CTL_ERROR_NOT_THERE, advice, "history of %s failed: ssh could not run there.", c->host);
                return CTL_NOT_THERE;
        }
        if (status == 126 || status == 127) {
                complain(c, CTL_ERROR_NOT_THERE, NULL, "history of %s failed: confd-hactl is not installed there.", c->host);
                return CTL_NOT_THERE;
        }
        return status > CTL_TIMED_OUT ? CTL_FAILED : (enum ctl_exit) status;
}
