/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that two hundred connections of the worst kinds keep nobody out, and leave nothing behind: some vanish, some
 * flood, some never read, and some say whatever nobody should. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "harness.h"

enum {
        CONNECTIONS = 50, /* of each kind */
        AT_A_TIME = 16,   /* calls of each; a dbus-daemon takes 128, and writes a line into its log for each one more */
        ASKED = 51,       /* by the neighbour, for a median */
};

/* ---- the hostile ones; each kind is a process of its own, which goes on until it is killed ---- */

static sd_bus *come(const char *address) {
        sd_bus *bus = NULL;

        if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 || sd_bus_set_bus_client(bus, true) < 0 ||
            sd_bus_start(bus) < 0)
                return sd_bus_unref(bus);
        return bus;
}

static size_t n_open; /* calls that have no answer yet */

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        n_open--;
        return 0;
}

static int ignore(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return 0;
}

static void say(sd_bus *bus, const char *path, const char *interface, const char *member, const char *types, ...) {
        sd_bus_message *m = NULL;
        va_list ap;

        va_start(ap, types);
        if (bus && sd_bus_message_new_method_call(bus, &m, HAD_NAME, path, interface, member) >= 0 &&
            sd_bus_message_appendv(m, types, ap) >= 0 &&
            sd_bus_call_async(bus, NULL, m, on_answer, NULL, 60 * USEC_PER_SEC) >= 0)
                n_open++;
        va_end(ap);
        sd_bus_message_unref(m);
}

/* What only the bus, or systemd, has to say. */
static void forge(sd_bus *bus, const char *member, const char *name) {
        sd_bus_message *m = NULL;

        if (bus && sd_bus_message_new_signal(bus, &m, "/org/freedesktop/DBus", "org.freedesktop.DBus", member) >= 0 &&
            sd_bus_message_set_destination(m, HAD_NAME) >= 0 &&
            (streq(member, "NameOwnerChanged") ? sd_bus_message_append(m, "sss", name, name, "") : sd_bus_message_append(m, "s", name)) >= 0)
                (void) sd_bus_send(bus, m, NULL);
        sd_bus_message_unref(m);
}

#define SAY(bus, member, ...) say((bus), HAD_PATH, HAD_INTERFACE, (member), __VA_ARGS__)

static void say_what_is_right(sd_bus *bus, unsigned i) {
        switch (i % 6) {
        case 0:
                SAY(bus, "BeMaster", "s", "evil");
                break;
        case 1:
                SAY(bus, "BeSlave", "sssb", "evil", "n1", "10.0.0.1", (int) true);
                break;
        case 2:
                SAY(bus, "Inhibit", "ss", "evil", "because");
                break;
        case 3:
                say(bus, HAD_PATH, "org.freedesktop.DBus.Properties", "GetAll", "s", HAD_INTERFACE);
                break;
        case 4:
                say(bus, "/org/freedesktop/LogControl1", "org.freedesktop.DBus.Properties", "Set", "ssv",
                    "org.freedesktop.LogControl1", "LogLevel", "s", "debug");
                break;
        default:
                SAY(bus, "Status", "");
        }
}

/* Which change with the round, so that each method sees each of them. */
static void say_what_is_wrong(sd_bus *bus, unsigned i, const char *huge) {
        static const char *const members[] = { "BeMaster", "BeSlave", "BeRelay", "BeNone", "Status", "SlaveDead", "TakeOver",
                                               "Inhibit", "Reload", "NoSuchMethod" };
        static const char *const texts[] = { "", " ", "\n", "n\x1b[1m", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x80\x8b" };
        const char *member = members[i % ELEMENTSOF(members)], *s = texts[i / 10 % ELEMENTSOF(texts)];

        switch (i / 70 % 13) {
        case 12:
                forge(bus, i % 2 ? "NameLost" : "NameOwnerChanged", i % 4 < 2 ? HAD_NAME : "org.freedesktop.systemd1");
                break;
        case 0:
                SAY(bus, member, "");
                break;
        case 1:
                SAY(bus, member, "s", s);
                break;
        case 2:
                SAY(bus, member, "ss", s, s);
                break;
        case 3:
                SAY(bus, member, "sssb", s, "n1", "10.0.0.1", (int) true);
                break;
        case 4:
                SAY(bus, member, "sssb", "n2", "n1", s, (int) true);
                break;
        case 5:
                SAY(bus, member, "u", 7u);
                break;
        case 6:
                SAY(bus, member, "a(ss)", 1u, s, s);
                break;
        case 7:
                SAY(bus, member, "h", STDERR_FILENO);
                break;
        case 8:
                if (i % 64 == 0)
                        SAY(bus, member, "s", huge);
                break;
        case 9:
                say(bus, HAD_PATH, "org.freedesktop.DBus.Properties", "Set", "ssv", HAD_INTERFACE, "State", "s", s);
                break;
        case 10:
                say(bus, "/org/confd/HA/nothing", s[0] ? HAD_INTERFACE : NULL, member, "s", s);
                break;
        default:
                say(bus, "/org/freedesktop/LogControl1", "org.freedesktop.DBus.Properties", "Set", "ssv",
                    "org.freedesktop.LogControl1", i % 2 ? "LogLevel" : "LogTarget", "s", s);
        }
}

/* Every call gets an answer, however wrong it is. */
static void take_answers(sd_bus *buses[]) {
        while (n_open > 0)
                for (size_t k = 0; k < CONNECTIONS && n_open > 0; k++) {
                        while (sd_bus_process(buses[k], NULL) > 0)
                                ;
                        (void) sd_bus_wait(buses[k], 1000);
                }
}

static void come_all(sd_bus *buses[], const char *address) {
        for (size_t k = 0; k < CONNECTIONS; k++) {
                buses[k] = come(address);
                if (!buses[k])
                        _exit(1);
        }
}

_Noreturn static void vanish(const char *address, const char *huge) {
        for (unsigned i = 0;; i++) {
                sd_bus *bus = come(address);

                say_what_is_right(bus, i);
                if (bus && i % 2)
                        (void) sd_bus_flush(bus);
                sd_bus_close_unref(bus);
        }
}

_Noreturn static void flood(const char *address, const char *huge) {
        sd_bus *buses[CONNECTIONS];

        come_all(buses, address);
        for (unsigned i = 0;;) {
                for (size_t k = 0; k < CONNECTIONS; k++)
                        for (unsigned n = 0; n < AT_A_TIME; n++)
                                say_what_is_right(buses[k], i++);
                take_answers(buses);
        }
}

/* As many as the bus takes of each, and none of the answers. */
_Noreturn static void never_read(const char *address, const char *huge) {
        sd_bus *buses[CONNECTIONS];

        come_all(buses, address);
        for (size_t k = 0; k < CONNECTIONS; k++) {
                (void) sd_bus_add_match_async(buses[k], NULL, "type='signal',path='" HAD_PATH "'", ignore, NULL, NULL);
                for (unsigned i = 0; i < 128; i++)
                        say_what_is_right(buses[k], i);
                (void) sd_bus_flush(buses[k]);
        }
        for (;;)
                pause();
}

_Noreturn static void say_nonsense(const char *address, const char *huge) {
        sd_bus *buses[CONNECTIONS];

        come_all(buses, address);
        for (unsigned i = 0;;) {
                for (size_t k = 0; k < CONNECTIONS; k++)
                        for (unsigned n = 0; n < AT_A_TIME; n++)
                                say_what_is_wrong(buses[k], i++, huge);
                take_answers(buses);
        }
}

typedef void (*attack_fn)(const char *address, const char *huge);

static const attack_fn attacks[] = { vanish, flood, never_read, say_nonsense };

static void attack(struct fixture *f, pid_t pids[]) {
        static char huge[1024 * 1024];

        memset(huge, 'x', sizeof(huge) - 1);
        for (size_t i = 0; i < ELEMENTSOF(attacks); i++) {
                pids[i] = fork();
                CHECK(f, pids[i] >= 0);
                if (pids[i] > 0)
                        continue;
                (void) close_range(3, ~0U, 0); /* what of ours it keeps open nobody sees the end of */
                (void) signal(SIGPIPE, SIG_IGN);
                if (setgid(NOBODY) == 0 && setuid(NOBODY) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0)
                        attacks[i](f->bus_address, huge);
                _exit(1);
        }
}

static void attack_end(pid_t pids[]) {
        for (size_t i = 0; i < ELEMENTSOF(attacks); i++)
                (void) kill(pids[i], SIGKILL);
        for (size_t i = 0; i < ELEMENTSOF(attacks); i++)
                while (waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
                        ;
}

/* ---- the neighbour ---- */

static int by_size(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

/* Each call has its answer; 0 if one has not. */
static uint64_t median(const char *address, const char *member) {
        sd_bus *bus = come(address);
        uint64_t took[ASKED];

        if (!bus)
                return 0;
        for (size_t i = 0; i < ASKED; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                uint64_t before = now_monotonic();

                if (sd_bus_message_new_method_call(bus, &m, HAD_NAME, HAD_PATH, HAD_INTERFACE, member) < 0)
                        return 0;
                if (sd_bus_call(bus, m, 20 * USEC_PER_SEC, &error, NULL) < 0) {
                        fprintf(stderr, "# %s fails after %" PRIu64 " ms: %s: %s\n", member, (now_monotonic() - before) / 1000,
                                error.name, error.message);
                        return 0;
                }
                took[i] = now_monotonic() - before;
        }
        qsort(took, ASKED, sizeof(took[0]), by_size);
        return took[ASKED / 2];
}

/* In a process of its own: here the loop has to go on, for others speak with us. */
static uint64_t ask(struct fixture *f, const char *member) {
        uint64_t usec = 0;
        int fds[2];
        pid_t pid;

        CHECK(f, pipe2(fds, O_CLOEXEC | O_NONBLOCK) >= 0);
        pid = fork();
        CHECK(f, pid >= 0);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                usec = median(f->bus_address, member);
                _exit(write(fds[1], &usec, sizeof(usec)) != sizeof(usec));
        }
        safe_close(fds[1]);
        WAIT_FOR_SEC(f, 120, read(fds[0], &usec, sizeof(usec)) == sizeof(usec));
        safe_close(fds[0]);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        CHECK(f, usec > 0);
        return usec;
}

static size_t open_files(struct fixture *f) {
        DIR *d = opendir(kept(f, "/proc/%ld/fd", (long) f->service.pid));
        size_t n = 0;

        CHECK(f, d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static size_t memory_kib(struct fixture *f) {
        FILE *file = fopen(kept(f, "/proc/%ld/status", (long) f->service.pid), "re");
        char line[256];
        size_t kib = 0;

        CHECK(f, file);
        while (fgets(line, sizeof(line), file))
                if (sscanf(line, "VmRSS: %zu", &kib) == 1)
                        break;
        fclose(file);
        return kib;
}

/* What sanitizers keep is no matter of ours. */
#ifdef __SANITIZE_ADDRESS__
enum { WITH_MEMORY = false };
#else
enum { WITH_MEMORY = true };
#endif

static void neighbours_are_served_and_nothing_is_left(void **state) {
        struct fixture *f = *state;
        pid_t pids[ELEMENTSOF(attacks)];
        uint64_t idle_usec, status_usec, order_usec;
        size_t files, memory, most = 0;

        if (geteuid() != 0)
                skip();
        files = open_files(f);
        idle_usec = ask(f, "Status");
        memory = memory_kib(f);
        attack(f, pids);
        for (int i = 0; i < 2; i++) {
                idle(f, 0.5);
                status_usec = ask(f, "Status");
                order_usec = ask(f, "BeNone");
                most = MAX(most, memory_kib(f));
                print_message("# median of Status %" PRIu64 " us, alone %" PRIu64 " us; of BeNone %" PRIu64 " us\n", status_usec,
                              idle_usec, order_usec);
                /* A busy machine delays anybody; a queue behind the hostile ones would be seconds long. */
                CHECK(f, status_usec < USEC_PER_SEC / 4 && order_usec < USEC_PER_SEC / 4);
        }
        attack_end(pids);
        print_message("# memory: %zu KiB at most, before %zu KiB\n", most, memory);
        CHECK(f, !WITH_MEMORY || most < memory + 16 * 1024);
        /* Nobody of them was let do anything. */
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
        CHECK(f, sim_count(f, "{order,{2,*") == 0);
        CHECK_PROPERTY(f, "Inhibitors", "[]");
        WAIT_FOR(f, open_files(f) == files);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(neighbours_are_served_and_nothing_is_left, setup_as_on_a_system, teardown),
        };

        return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
