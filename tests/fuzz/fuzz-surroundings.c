/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager says in the environment: where it listens, how often it wants to hear, where standard error goes. Whatever that
 * is, nothing waits; and a manager that is there hears all that is said, in lines of its own.
 *
 * The first byte says what stands in the environment, and whether the manager is ours; then come its words: $NOTIFY_SOCKET, $WATCHDOG_USEC,
 * $WATCHDOG_PID, $JOURNAL_STREAM; what is left is the status. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "basic/escape.h"
#include "basic/log.h"
#include "basic/notify.h"
#include "input.h"

enum { OURS = 1, SOCKET = 2, WATCHDOG = 4, PID = 8, STREAM = 16 };

static struct world {
        int fd;
        char name[64];
} w = { .fd = -1 };

static void end(void) {
        close(w.fd);
}

static void begin_once(void) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        int n;

        if (w.fd >= 0)
                return;
        n = snprintf(w.name, sizeof(w.name), "@fuzz-surroundings-%d", (int) getpid());
        memcpy(un.sun_path + 1, w.name + 1, (size_t) n - 1);
        w.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (w.fd < 0 || bind(w.fd, (struct sockaddr *) &un, (socklen_t) (offsetof(struct sockaddr_un, sun_path) + (size_t) n)) < 0 ||
            atexit(end) != 0)
                abort();
}

static void set(const char *name, bool given, const char *value) {
        if (given ? setenv(name, value, 1) < 0 : unsetenv(name) < 0)
                abort();
}

/* Another manager than ours is not to be told anything: not that of whoever runs this. */
static void surround(struct input *in, uint8_t how) {
        char socket_name[256], buf[256];

        (void) take_string(in, socket_name);
        if (strstr(socket_name, "systemd") || strstr(socket_name, "run/"))
                socket_name[1] = 0;
        set("NOTIFY_SOCKET", how & (OURS | SOCKET), how & OURS ? w.name : socket_name);
        set("WATCHDOG_USEC", how & WATCHDOG, take_string(in, buf));
        set("WATCHDOG_PID", how & PID, take_string(in, buf));
        set("JOURNAL_STREAM", how & STREAM, take_string(in, buf));
}

/* What came, without what feeds the watchdog. */
static size_t hear(char *buf, size_t size) {
        static const char fed[] = "WATCHDOG=1\n";
        ssize_t n;
        char *p;

        do {
                n = recv(w.fd, buf, size - 1, 0);
                if (n < 0)
                        return 0;
                buf[n] = 0;
                while (strncmp(buf, fed, strlen(fed)) != 0 && (p = strstr(buf, "\nWATCHDOG=1\n")))
                        memmove(p + 1, p + 1 + strlen(fed), strlen(p + 1 + strlen(fed)) + 1);
        } while (streq(buf, fed));
        return strlen(buf);
}

static void judge(const char *expected) {
        char buf[2048];

        if (hear(buf, sizeof(buf)) == 0 || !streq(buf, expected))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char status[256], expected[1100], buf[2048], *escaped;
        struct input in = { data, size };
        uint8_t how = take_byte(&in);
        sd_event *event;

        begin_once();
        surround(&in, how);
        (void) take_string(&in, status);
        escaped = utf8_is_printable(status, strlen(status)) ? strdup(status) : utf8_escape(status, strlen(status));
        if (!escaped)
                abort();
        log_set_target(LOG_TARGET_AUTO);
        if (log_get_target() != (how & STREAM ? LOG_TARGET_JOURNAL : LOG_TARGET_CONSOLE))
                abort();
        log_set_target(LOG_TARGET_NULL);
        if (sd_event_new(&event) < 0)
                abort();
        (void) !notify_attach_event(event); /* an error of the watchdog's words is one */
        notify_ready(status);
        (void) snprintf(expected, sizeof(expected), "READY=1\nSTATUS=%s", escaped);
        free(escaped);
        if (how & OURS)
                judge(expected);
        for (int i = 0; i < 4; i++)
                if (sd_event_run(event, 0) < 0)
                        abort();
        while (recv(w.fd, buf, sizeof(buf), 0) >= 0)
                ;
        notify_stopping(NULL);
        if (how & OURS)
                judge("STOPPING=1\n");
        notify_detach_event();
        while (recv(w.fd, buf, sizeof(buf), 0) >= 0)
                ;
        sd_event_unref(event);
        return 0;
}
