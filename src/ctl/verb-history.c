/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl history`; on another machine it has the confd-hactl there do it. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "ctl/history.h"
#include "ctl/pager.h"
#include "ctl/process.h"
#include "ctl/text.h"

enum { SSH_ARGS_MAX = 24 };

/* HOST as libsystemd takes it for -H: [USER@]HOST[:PORT][/CONTAINER]; cut up in place. -EINVAL */
static int split_host(char *s, const char **ret_host, const char **ret_port, const char **ret_container) {
        char *slash = strchr(s, '/'), *host, *colon;

        *ret_port = *ret_container = NULL;
        if (slash) {
                *slash = '\0';
                *ret_container = slash + 1;
                /* It goes through a shell over there, so it may hold what container names hold and nothing else. */
                if (!slash[1] || slash[1 + strspn(slash + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")])
                        return -EINVAL;
        }
        host = strrchr(s, '@');
        host = host ? host + 1 : s;
        colon = strrchr(host, ':');
        if (*host == '[') {
                /* ssh wants a literal without its brackets */
                char *end = strchr(host, ']');

                if (!end || (end[1] && end[1] != ':'))
                        return -EINVAL;
                colon = end[1] ? end + 1 : NULL;
                *end = '\0';
                memmove(host, host + 1, strlen(host));
        } else if (colon && memchr(host, ':', (size_t) (colon - host)))
                colon = NULL; /* several colons: a bare IPv6 literal */
        if (colon) {
                *colon = '\0';
                if (!colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
                        return -EINVAL;
                *ret_port = colon + 1;
        }
        if (!*host || *s == '-')
                return -EINVAL;
        *ret_host = s;
        return 0;
}

static enum ctl_exit history_remote(struct ctl *c) {
        _cleanup_free_ char *copy = strdup(c->host);
        const char *host, *port, *container, *args[SSH_ARGS_MAX];
        char lines[64], connect_timeout[64], machine[512];
        pid_t parent = getpid();
        size_t n = 0;
        int status;

        if (!copy || split_host(copy, &host, &port, &container) < 0) {
                fprintf(stderr, "confd-hactl: Not a valid host: '%s'\n", c->host);
                return CTL_USAGE;
        }
        snprintf(lines, sizeof(lines), "--lines=%" PRIu64, c->lines);
        args[n++] = "ssh";
        args[n++] = "-xT";
        if (c->timeout != USEC_INFINITY) {
                snprintf(connect_timeout, sizeof(connect_timeout), "ConnectTimeout=%" PRIu64,
                         MAX((c->timeout + USEC_PER_SEC - 1) / USEC_PER_SEC, UINT64_C(1)));
                args[n++] = "-o";
                args[n++] = connect_timeout;
        }
        /* A machine that dies in the middle must not leave us waiting. */
        args[n++] = "-o";
        args[n++] = "ServerAliveInterval=10";
        if (port) {
                args[n++] = "-p";
                args[n++] = port;
        }
        args[n++] = "--";
        args[n++] = host;
        args[n++] = "confd-hactl";
        args[n++] = "history";
        args[n++] = "--no-pager";
        args[n++] = lines;
        args[n++] = c->json == JSON_SHORT ? "--json=short" : c->json == JSON_PRETTY ? "--json=pretty" : "--json=off";
        if (!c->legend)
                args[n++] = "--no-legend";
        if (c->quiet)
                args[n++] = "-q";
        if (container) {
                snprintf(machine, sizeof(machine), "--machine=%s", container);
                args[n++] = machine;
        }
        args[n] = NULL;

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
        if (status < 0 || status > 255) {
                fprintf(stderr, "confd-hactl: Cannot run ssh: %s\n", strerror(-status));
                return CTL_FAILED;
        }
        if (status == 255) {
                fprintf(stderr, "confd-hactl: history of %s failed: ssh could not run there. Try: ssh %s true\n", c->host,
                        host);
                return CTL_NOT_THERE;
        }
        if (status == 126 || status == 127) {
                fprintf(stderr, "confd-hactl: history of %s failed: confd-hactl is not installed there.\n", c->host);
                return CTL_NOT_THERE;
        }
        return status > CTL_NOT_AUTHORIZED ? CTL_FAILED : (enum ctl_exit) status;
}

enum ctl_exit verb_history(struct ctl *c, char **args) {
        struct history_entry *entries = NULL;
        bool partial, more;
        size_t n = 0;
        int r;

        if (c->host)
                return history_remote(c);
        r = history_read(c, &entries, &n, &partial, &more);
        if (r < 0) {
                fprintf(stderr, "confd-hactl: Cannot read the journal%s%s: %s\n", c->machine ? " of container " : "",
                        c->machine ?: "", strerror(-r));
                if (!c->quiet)
                        fprintf(stderr, "%s\n", c->machine ? "Only root may read the journal of a container; is it running? machinectl"
                                                           : "Try: journalctl -u confd-ha.service");
                return r == -EACCES || r == -EPERM ? CTL_NOT_AUTHORIZED
                       : r == -ENXIO || r == -ENOENT ? CTL_NOT_THERE : CTL_FAILED;
        }
        if (!c->quiet) {
                if (partial)
                        fprintf(stderr,
                                "confd-hactl: You may read the journal only in part, so entries may be missing here. "
                                "Root and the groups systemd-journal and adm see all of it.\n");
                if (more)
                        fprintf(stderr, "confd-hactl: Older entries were left out; --lines= takes more than %" PRIu64 ".\n",
                                c->lines);
                if (n == 0 && !partial)
                        fprintf(stderr, "confd-hactl: The journal has no orders and no transitions.\n");
        }
        pager_open(c);
        r = history_print(c, entries, n);
        for (size_t i = 0; i < n; i++)
                history_entry_done(entries + i);
        free(entries);
        if (r < 0) {
                fprintf(stderr, "confd-hactl: Cannot print the history: %s\n", strerror(-r));
                return CTL_FAILED;
        }
        return CTL_DONE;
}
