/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the journal of the tests: journald's native protocol, read. */
#include <endian.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "harness.h"

/* A field is NAME=value and a newline, or, if the value has newlines, NAME, newline, 64 bits of length, value, newline. */
static void add_entry(struct journal *j, const char *p, const char *end) {
        char *line = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&line, &size);

        if (!f)
                abort();
        while (p < end) {
                const char *stop = memchr(p, '\n', (size_t) (end - p)), *equals;

                if (!stop)
                        break;
                equals = memchr(p, '=', (size_t) (stop - p));
                if (equals) {
                        fprintf(f, "%s{%.*s}", ftell(f) > 0 ? " " : "", (int) (stop - p), p);
                        p = stop + 1;
                } else {
                        uint64_t n;

                        if (end - stop < 9)
                                break;
                        memcpy(&n, stop + 1, sizeof(n));
                        n = le64toh(n);
                        if (n > (uint64_t) (end - stop - 9))
                                break;
                        fprintf(f, "%s{%.*s=%.*s}", ftell(f) > 0 ? " " : "", (int) (stop - p), p, (int) n, stop + 9);
                        p = stop + 9 + n + 1;
                }
        }
        if (fclose(f) != 0)
                abort();
        trace_add(&j->trace, "%s", line);
        free(line);
}

static int on_entry(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        struct journal *j = userdata;
        static char data[65536];
        ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

        if (n > 0)
                add_entry(j, data, data + n);
        return 0;
}

void journal_start(struct fixture *f) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        struct journal *j = &f->journal;

        f->journal_dir = in_dir(f, "journal");
        snprintf(a.sun_path, sizeof(a.sun_path), "%s/journal/socket", f->dir);
        j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (mkdir(f->journal_dir, 0755) < 0 || j->fd < 0 || bind(j->fd, (struct sockaddr *) &a, sizeof(a)) < 0 ||
            chmod(a.sun_path, 0666) < 0 || sd_event_add_io(f->event, &j->source, j->fd, EPOLLIN, on_entry, j) < 0)
                abort();
}

void journal_done(struct journal *j) {
        sd_event_source_disable_unref(j->source);
        if (j->fd > 0)
                safe_close(j->fd);
        trace_done(&j->trace);
}
