/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what the service manager is told. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "basic/escape.h"
#include "basic/notify.h"
#include "basic/time-util.h"

enum { STATE_SIZE = 64 };

static struct {
        int fd;
        struct sockaddr_un address;
        socklen_t address_size; /* 0: there is no manager */
        sd_event_source *retry;
        sd_event_source *watchdog;
        uint64_t watchdog_usec;

        /* What has still to be told. */
        char state[STATE_SIZE];
        char *status;
        bool feed;
} manager = { .fd = -EBADF };

static int send_text(const char *text) {
        const struct iovec iov = { (char *) text, strlen(text) };
        const struct msghdr m = {
                .msg_name = &manager.address,
                .msg_namelen = manager.address_size,
                .msg_iov = (struct iovec *) &iov,
                .msg_iovlen = 1,
        };

        while (sendmsg(manager.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                if (errno != EINTR)
                        return errno == ENOBUFS ? -EAGAIN : -errno;
        return 0;
}

static void tell(void) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (manager.address_size == 0 || (!*manager.state && !manager.status && !manager.feed))
                return;
        if (asprintf(&text, "%s%s%s%s%s", manager.state, *manager.state ? "\n" : "", manager.feed ? "WATCHDOG=1\n" : "",
                     manager.status ? "STATUS=" : "", manager.status ?: "") < 0) {
                text = NULL;
                return;
        }
        r = send_text(text);
        if (r == -EAGAIN && manager.retry && sd_event_source_set_time_relative(manager.retry, NOTIFY_RETRY_USEC) >= 0 &&
            sd_event_source_set_enabled(manager.retry, SD_EVENT_ONESHOT) >= 0)
                return;
        /* Told, or nobody is there to be told. */
        manager.state[0] = 0;
        manager.feed = false;
        free(TAKE_PTR(manager.status));
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        tell();
        return 0;
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata) {
        manager.feed = true;
        tell();
        if (sd_event_source_set_time_relative(source, manager.watchdog_usec / 2) < 0)
                return 0;
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int find_manager(void) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        size_t n = path ? strlen(path) : 0;

        if (n < 2 || n >= sizeof(un.sun_path) || (path[0] != '/' && path[0] != '@'))
                return 0;
        manager.fd = safe_close(manager.fd);
        manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (manager.fd < 0)
                return -errno;
        memcpy(un.sun_path, path, n + 1);
        if (path[0] == '@')
                un.sun_path[0] = 0;
        manager.address = un;
        /* An abstract name has no NUL at its end. */
        manager.address_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '/'));
        return 0;
}

int notify_attach_event(sd_event *event) {
        uint64_t usec = 0;
        int r;

        r = find_manager();
        if (r < 0 || manager.address_size == 0)
                return r;
        notify_detach_event();
        r = sd_event_add_time_relative(event, &manager.retry, CLOCK_MONOTONIC, 0, 0, on_retry, NULL);
        if (r >= 0)
                r = sd_event_source_set_enabled(manager.retry, SD_EVENT_OFF);
        if (r < 0 || sd_watchdog_enabled(/* unset_environment= */ 0, &usec) <= 0)
                return r;
        /* Between a half and three quarters of its time, so that it may be fed when the loop is awake anyway. A loop that is busy
         * is alive. */
        manager.watchdog_usec = usec;
        r = sd_event_add_time_relative(event, &manager.watchdog, CLOCK_MONOTONIC, 0, usec / 4, on_watchdog, NULL);
        return r < 0 ? r : sd_event_source_set_priority(manager.watchdog, SD_EVENT_PRIORITY_IMPORTANT);
}

void notify_detach_event(void) {
        manager.retry = sd_event_source_disable_unref(manager.retry);
        manager.watchdog = sd_event_source_disable_unref(manager.watchdog);
}

/* It is one line: in another the manager would see what is not ours to say. */
static void set_status(const char *status) {
        char *line;

        if (!status)
                return;
        line = utf8_is_printable(status, strlen(status)) ? strdup(status) : utf8_escape(status, strlen(status));
        if (!line)
                return; /* the one before stands */
        free(manager.status);
        manager.status = line;
}

void notify_ready(const char *status) {
        (void) snprintf(manager.state, sizeof(manager.state), "READY=1");
        set_status(status);
        tell();
}

void notify_reloading(void) {
        (void) snprintf(manager.state, sizeof(manager.state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_monotonic());
        tell();
}

void notify_stopping(const char *status) {
        (void) snprintf(manager.state, sizeof(manager.state), "STOPPING=1");
        set_status(status);
        tell();
}

void notify_status(const char *status) {
        set_status(status);
        tell();
}
