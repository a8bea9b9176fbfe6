/* SPDX-License-Identifier: Apache-2.0 */
/* Owns one look at the peer's HA port. */
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "keepalived/probe.h"

struct probe {
        probe_fn told;
        void *userdata;
        int fd;
        sd_event_source *io, *timer;
};

struct probe *probe_free(struct probe *p) {
        if (!p)
                return NULL;
        sd_event_source_disable_unref(p->io);
        sd_event_source_disable_unref(p->timer);
        safe_close(p->fd);
        free(p);
        return NULL;
}

/* The callback may free the probe. */
static int tell(struct probe *p, bool listens) {
        (void) sd_event_source_set_enabled(p->io, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
        p->told(listens, p->userdata);
        return 0;
}

static int on_io(sd_event_source *s, int fd, uint32_t events, void *userdata) {
        int error = 0;
        socklen_t n = sizeof(error);

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
                error = errno;
        return tell(userdata, error == 0);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        return tell(userdata, false);
}

static socklen_t address_from_string(const char *address, uint16_t port, struct sockaddr_storage *ret) {
        struct sockaddr_in *v4 = (struct sockaddr_in *) ret;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) ret;

        *ret = (struct sockaddr_storage) {};
        if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
                v4->sin_family = AF_INET;
                v4->sin_port = htons(port);
                return sizeof(*v4);
        }
        if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
                v6->sin6_family = AF_INET6;
                v6->sin6_port = htons(port);
                return sizeof(*v6);
        }
        return 0;
}

int probe_start(struct probe **ret, sd_event *event, const char *address, uint16_t port, probe_fn told, void *userdata) {
        _cleanup_(probe_freep) struct probe *p = NULL;
        struct sockaddr_storage a;
        socklen_t n = address_from_string(address, port, &a);
        int r;

        if (n == 0)
                return -EINVAL;
        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->told = told;
        p->userdata = userdata;
        p->fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (p->fd < 0)
                return -errno;
        /* A refusal that comes at once is told by the descriptor, too. */
        if (connect(p->fd, (struct sockaddr *) &a, n) < 0 && errno != EINPROGRESS) {
                r = sd_event_add_time_relative(event, &p->timer, CLOCK_MONOTONIC, 0, 0, on_timer, p);
        } else {
                r = sd_event_add_io(event, &p->io, p->fd, EPOLLOUT, on_io, p);
                if (r >= 0)
                        r = sd_event_add_time_relative(event, &p->timer, CLOCK_MONOTONIC, PROBE_USEC, 0, on_timer, p);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}
