/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how connections are taken from a listening socket. */
#include "basic/acceptor.h"
#include "basic/log.h"
#include "basic/time-util.h"

struct acceptor {
        sd_event_source *io;
        sd_event_source *pause;
        bool enabled;
        const char *what;
        struct ratelimit complaints;
        acceptor_fn fn;
        void *userdata;
};

/* A connection stays readable in the backlog when there is no descriptor for it, and the loop must not spin on it. */
static void pause_accepting(struct acceptor *a, int error) {
        log_limited(&a->complaints, LOG_WARNING, "Cannot take connections of %s: %s; trying again until it can", a->what,
                    strerror(error));
        if (sd_event_source_set_time_relative(a->pause, ACCEPTOR_PAUSE_USEC) < 0 ||
            sd_event_source_set_enabled(a->pause, SD_EVENT_ONESHOT) < 0)
                return; /* without a clock the loop has to spin */
        (void) sd_event_source_set_enabled(a->io, SD_EVENT_OFF);
}

static int on_pause(sd_event_source *source, uint64_t usec, void *userdata) {
        struct acceptor *a = userdata;

        return a->enabled ? sd_event_source_set_enabled(a->io, SD_EVENT_ON) : 0;
}

/* Of all that accept(2) may say: what concerns the one connection, and not us. */
static bool is_about_the_peer(int error) {
        switch (error) {
        case ECONNABORTED:
        case EINTR:
        case ENETDOWN:
        case EPROTO:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
        case ETIMEDOUT:
                return true;
        default:
                return false;
        }
}

static int on_connection(sd_event_source *source, int listener, uint32_t revents, void *userdata) {
        struct acceptor *a = userdata;

        for (unsigned i = 0; i < ACCEPTOR_BUDGET && a->enabled; i++) {
                struct sockaddr_storage peer = {};
                socklen_t size = sizeof(peer);
                int fd = accept4(listener, (struct sockaddr *) &peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd >= 0)
                        a->fn(fd, &peer, size, a->userdata);
                else if (errno == EAGAIN)
                        break;
                else if (!is_about_the_peer(errno)) {
                        pause_accepting(a, errno);
                        break;
                }
        }
        return 0;
}

int acceptor_new(sd_event *event, int listener, const char *what, bool enabled, acceptor_fn fn, void *userdata,
                 struct acceptor **ret) {
        _cleanup_(acceptor_freep) struct acceptor *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                return -ENOMEM;
        a->what = what;
        a->fn = fn;
        a->userdata = userdata;
        a->complaints = RATELIMIT_INIT(10 * USEC_PER_SEC, 1);
        r = sd_event_add_io(event, &a->io, listener, EPOLLIN, on_connection, a);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &a->pause, CLOCK_MONOTONIC, 0, 0, on_pause, a);
        if (r >= 0)
                r = sd_event_source_set_enabled(a->pause, SD_EVENT_OFF);
        if (r >= 0)
                r = acceptor_set_enabled(a, enabled);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

struct acceptor *acceptor_free(struct acceptor *a) {
        if (!a)
                return NULL;
        sd_event_source_disable_unref(a->io);
        sd_event_source_disable_unref(a->pause);
        free(a);
        return NULL;
}

int acceptor_set_enabled(struct acceptor *a, bool enabled) {
        int r;

        r = sd_event_source_set_enabled(a->io, enabled ? SD_EVENT_ON : SD_EVENT_OFF);
        if (r >= 0)
                a->enabled = enabled;
        return r;
}
