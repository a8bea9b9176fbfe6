/* SPDX-License-Identifier: Apache-2.0 */
/* bench-start NOTIFY-SOCKET PROGRAM ARGUMENT: starts confd-had (PROGRAM ARGUMENT) until it says READY, and systemd's daemons until they have their
 * names on $DBUS_SYSTEM_BUS_ADDRESS, in turns. Milliseconds: "pair timedated OURS THEIRS", "pair hostnamed OURS THEIRS". */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <systemd/sd-bus.h>

#include "basic/time-util.h"
#include "basic/util.h"

enum { ROUNDS = 31, DEADLINE_SEC = 20 };

static char notify_path[sizeof(((struct sockaddr_un *) NULL)->sun_path)];

static pid_t start(char *const argv[]) {
        pid_t pid = fork();

        if (pid == 0) {
                (void) setenv("NOTIFY_SOCKET", notify_path, /* overwrite= */ 1);
                int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

                (void) dup2(null, STDERR_FILENO);
                execv(argv[0], argv);
                _exit(127);
        }
        return pid;
}

static void end(pid_t pid) {
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
}

/* Until READY comes on the socket. */
static int wait_ready(int fd) {
        char message[1024];

        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                ssize_t n;

                if (poll(&p, 1, DEADLINE_SEC * 1000) <= 0)
                        return -ETIMEDOUT;
                n = recv(fd, message, sizeof(message) - 1, 0);
                if (n < 0)
                        return -errno;
                message[n] = 0;
                if (strstr(message, "READY=1"))
                        return 0;
        }
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;

        if (sd_bus_message_read(m, "sss", &name, &old, &new) >= 0)
                *(bool *) userdata = *new != 0;
        return 0;
}

static int wait_owner(sd_bus *bus, const bool *owned, bool wanted) {
        uint64_t deadline = now_monotonic() + DEADLINE_SEC * USEC_PER_SEC;

        while (*owned != wanted) {
                int r = sd_bus_process(bus, NULL);

                if (r == 0)
                        r = sd_bus_wait(bus, USEC_PER_SEC);
                if (r < 0)
                        return r;
                if (now_monotonic() > deadline)
                        return -ETIMEDOUT;
        }
        return 0;
}

static int by_ready(int fd, char *const argv[], double *ret) {
        uint64_t begun = now_monotonic();
        pid_t pid = start(argv);
        int r = wait_ready(fd);

        *ret = (double) (now_monotonic() - begun) / 1e3;
        end(pid);
        while (recv(fd, &(char) { 0 }, 1, MSG_DONTWAIT) >= 0)
                ;
        return r;
}

static int by_name(sd_bus *bus, bool *owned, const char *program, double *ret) {
        uint64_t begun = now_monotonic();
        pid_t pid = start((char *const[]) { (char *) program, NULL });
        int r = wait_owner(bus, owned, /* wanted= */ true);

        *ret = (double) (now_monotonic() - begun) / 1e3;
        end(pid);
        return r < 0 ? r : wait_owner(bus, owned, /* wanted= */ false);
}

static const struct other {
        const char *name, *bus_name, *program;
} others[] = {
        { "timedated", "org.freedesktop.timedate1", "/lib/systemd/systemd-timedated" },
        { "hostnamed", "org.freedesktop.hostname1", "/lib/systemd/systemd-hostnamed" },
};

int main(int argc, char *argv[]) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_close_ int fd = -1;
        bool owned[ELEMENTSOF(others)] = {};
        char match[256];
        int r;

        if (argc != 4) {
                fprintf(stderr, "bench-start: NOTIFY-SOCKET PROGRAM ARGUMENT wanted\n");
                return 2;
        }
        snprintf(notify_path, sizeof(notify_path), "%s", argv[1]);
        memcpy(a.sun_path, notify_path, sizeof(a.sun_path));
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        r = fd < 0 || bind(fd, (struct sockaddr *) &a, sizeof(a)) < 0 ? -errno : sd_bus_open_system(&bus);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(others); i++) {
                snprintf(match, sizeof(match), "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
                         others[i].bus_name);
                r = sd_bus_add_match(bus, NULL, match, on_owner, &owned[i]);
        }
        for (int round = 0; r >= 0 && round < ROUNDS; round++)
                for (size_t i = 0; r >= 0 && i < ELEMENTSOF(others); i++) {
                        double ours, theirs;

                        if (round % 2) {
                                r = by_ready(fd, argv + 2, &ours);
                                if (r >= 0)
                                        r = by_name(bus, &owned[i], others[i].program, &theirs);
                        } else {
                                r = by_name(bus, &owned[i], others[i].program, &theirs);
                                if (r >= 0)
                                        r = by_ready(fd, argv + 2, &ours);
                        }
                        if (r >= 0 && round > 0)
                                printf("pair %s %.3f %.3f\n", others[i].name, ours, theirs);
                }
        if (r < 0) {
                fprintf(stderr, "bench-start: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
