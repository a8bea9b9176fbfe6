/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the Erlang children of tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "basic/time-util.h"
#include "erl-process.h"

enum { BUFFER_SIZE = 4 * 1024 * 1024, PATIENCE_MSEC = 30000 };

void erl_start(struct erl_process *p, const char *module) {
        int in[2], out[2];

        *p = (struct erl_process) { .buffer = malloc(BUFFER_SIZE) };
        assert_non_null(p->buffer);
        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        p->pid = fork();
        assert_true(p->pid >= 0);
        if (p->pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves nothing behind */
                dup2(in[0], STDIN_FILENO);
                dup2(out[1], STDOUT_FILENO);
                execlp("erl", "erl", "+S", "1", "-noshell", "-pa", ERLANG_DIR, "-s", module, "main", NULL);
                _exit(127);
        }
        close(in[0]);
        close(out[1]);
        p->in = in[1];
        p->out = out[0];
}

void erl_stop(struct erl_process *p) {
        close(p->in);
        close(p->out);
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
        free(p->buffer);
}

static void write_all(int fd, const char *s, size_t n) {
        while (n > 0) {
                ssize_t k = write(fd, s, n);

                if (k < 0 && errno == EINTR)
                        continue;
                assert_true(k > 0);
                s += k;
                n -= (size_t) k;
        }
}

static void write_line(struct erl_process *p, const char *format, va_list ap, const char *end) {
        char *s = NULL;

        assert_true(vasprintf(&s, format, ap) >= 0);
        write_all(p->in, s, strlen(s));
        write_all(p->in, end, strlen(end));
        free(s);
}

void erl_write(struct erl_process *p, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        write_line(p, format, ap, "\n");
        va_end(ap);
}

const char *erl_read(struct erl_process *p) {
        struct pollfd fd = { .fd = p->out, .events = POLLIN };
        uint64_t end = now_monotonic() + PATIENCE_MSEC * USEC_PER_MSEC;
        char *newline;
        ssize_t n;

        memmove(p->buffer, p->buffer + p->used, p->have - p->used);
        p->have -= p->used;
        p->used = 0;
        while (!(newline = memchr(p->buffer, '\n', p->have))) {
                if (now_monotonic() >= end)
                        fail_msg("the Erlang program says nothing");
                if (poll(&fd, 1, 100) <= 0)
                        continue;
                n = read(p->out, p->buffer + p->have, BUFFER_SIZE - p->have);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        fail_msg("the Erlang program has ended");
                p->have += (size_t) n;
        }
        *newline = 0;
        p->used = (size_t) (newline - p->buffer) + 1;
        return p->buffer;
}

void server_start(struct server *s, int family) {
        struct sockaddr_in *in = (struct sockaddr_in *) &s->address;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &s->address;
        struct sockaddr_un *un = (struct sockaddr_un *) &s->address;
        unsigned port = 0;

        *s = (struct server) {};
        erl_start(&s->erl, "lib_server");
        s->address.ss_family = (sa_family_t) family;
        switch (family) {
        case AF_INET:
                erl_write(&s->erl, "{listen, tcp}.");
                in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                s->address_size = sizeof(*in);
                break;
        case AF_INET6:
                erl_write(&s->erl, "{listen, tcp6}.");
                in6->sin6_addr = in6addr_loopback;
                s->address_size = sizeof(*in6);
                break;
        default:
                snprintf(s->path, sizeof(s->path), "/tmp/confd-ha-test.%i.sock", (int) getpid());
                unlink(s->path);
                erl_write(&s->erl, "{listen, {unix, \"%s\"}}.", s->path);
                strcpy(un->sun_path, s->path);
                s->address_size = sizeof(*un);
        }
        assert_int_equal(sscanf(erl_read(&s->erl), "port %u", &port), 1);
        if (family == AF_INET)
                in->sin_port = htons((uint16_t) port);
        if (family == AF_INET6)
                in6->sin6_port = htons((uint16_t) port);
}

void server_stop(struct server *s) {
        erl_stop(&s->erl);
        if (*s->path)
                unlink(s->path);
}

void server_script(struct server *s, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        write_line(&s->erl, format, ap, ".\n");
        va_end(ap);
}

void server_done(struct server *s) {
        const char *line = erl_read(&s->erl);

        if (!streq(line, "ok"))
                fail_msg("the server says: %s", line);
}

void server_close(struct server *s) {
        erl_write(&s->erl, "close.");
        server_done(s);
        if (*s->path)
                unlink(s->path);
}

int server_socket(const struct server *s) {
        int fd = socket(s->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        return fd;
}

struct server server;

int server_setup(void **state) {
        server_start(&server, AF_INET);
        return 0;
}

int server_teardown(void **state) {
        server_stop(&server);
        return 0;
}
