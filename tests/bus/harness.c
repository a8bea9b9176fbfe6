/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the fixture: who takes part in a test, from its setup to its teardown. */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "harness.h"

static const char bus_config[] =
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
        " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
        "<busconfig>\n"
        "  <listen>unix:path=%s/bus</listen>\n"
        "  <auth>EXTERNAL</auth>\n"
        "  <policy context=\"default\">\n"
        "    <allow user=\"*\"/>\n"
        "    <allow own=\"*\"/>\n"
        "    <allow send_destination=\"*\"/>\n"
        "    <allow receive_sender=\"*\"/>\n"
        "  </policy>\n"
        "%s"
        "  <limit name=\"max_connections_per_user\">1024</limit>\n"
        "  <limit name=\"max_replies_per_connection\">%d</limit>\n"
        "  <limit name=\"max_incoming_bytes\">%d</limit>\n"
        "</busconfig>\n";

/* Most tests let one caller have more calls under way than a system's bus would. */
enum { REPLIES_MAX = 16384, REPLIES_MAX_OF_A_SYSTEM = 128 };
static int replies_max = REPLIES_MAX;
int bus_incoming_max = BUS_INCOMING_MAX;

static const char service_config[] =
        "# What every test begins with; the drop-in beside it has the rest.\n"
        "[ConfD]\n"
        "Address=%s\n"
        "TokenFile=%s\n"
        "RequestTimeoutSec=5\n"
        "SyncTimeoutSec=30\n"
        "ReconnectMinSec=0.05\n"
        "ReconnectMaxSec=0.4\n"
        "[Roles]\n"
        "Targets=no\n";

const char *keep(struct fixture *f, char *s) {
        char **p = reallocarray(f->kept, f->n_kept + 1, sizeof(char *));

        if (!p || !s)
                abort();
        f->kept = p;
        return f->kept[f->n_kept++] = s;
}

const char *kept(struct fixture *f, const char *format, ...) {
        char *s = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&s, format, ap) < 0)
                abort();
        va_end(ap);
        return keep(f, s);
}

const char *in_dir(struct fixture *f, const char *name) {
        return kept(f, "%s/%s", f->dir, name);
}

const char *write_file(struct fixture *f, const char *name, const char *format, ...) {
        const char *path = in_dir(f, name);
        FILE *file = fopen(path, "we");
        va_list ap;

        if (!file)
                abort();
        va_start(ap, format);
        (void) vfprintf(file, format, ap);
        va_end(ap);
        if (fclose(file) != 0 || chmod(path, 0640) < 0)
                abort();
        if (f->service_uid != 0 && chown(path, f->service_uid, f->service_uid) < 0)
                abort();
        return path;
}

void step(struct fixture *f, uint64_t usec) {
        if (sd_event_run(f->event, usec) < 0)
                abort();
}

void idle(struct fixture *f, double sec) {
        uint64_t end = now_monotonic() + (uint64_t) (sec * 1e6);

        for (;;) {
                uint64_t now = now_monotonic();

                if (now >= end)
                        return;
                step(f, end - now);
        }
}

void give_up(struct fixture *f, const char *file, int line, const char *what) {
        f->failed = true;
        fprintf(stderr, "# %s:%d: %s\n", file, line, what);
        trace_print(&f->daemon.trace);
        trace_print(&f->sim.trace);
        trace_print(&f->service.trace);
        trace_print(&f->notify);
        trace_print(&f->polkit.trace);
        trace_print(&f->systemd.trace);
        trace_print(&f->journal.trace);
        for (struct client *c = f->clients; c; c = c->next)
                trace_print(&c->trace);
        print_error("%s:%d: %s\n", file, line, what);
        _fail(file, line);
        abort(); /* _fail() does not return */
}

void check_text(struct fixture *f, const char *file, int line, const char *text, const char *expected) {
        if (!text || !pattern_matches(expected, text))
                give_up(f, file, line, kept(f, "expected %s, got %s", expected, text ?: "nothing"));
}

const char *expect(struct fixture *f, const char *file, int line, struct trace *t, const char *pattern) {
        uint64_t end = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        const char *s;

        while (!(s = trace_next(t, pattern))) {
                if (now_monotonic() > end)
                        give_up(f, file, line, kept(f, "waited in vain for %s: %s", t->name, pattern));
                step(f, 10000);
        }
        return s;
}

static int on_notify(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        struct fixture *f = userdata;
        char data[4096], *line, *rest = data;
        ssize_t n = recv(fd, data, sizeof(data) - 1, MSG_DONTWAIT);

        if (n <= 0)
                return 0;
        data[n] = 0;
        while ((line = strsep(&rest, "\n")))
                if (*line)
                        trace_add(&f->notify, "%s", line);
        return 0;
}

static void notify_start(struct fixture *f) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        snprintf(a.sun_path, sizeof(a.sun_path), "%s/notify", f->dir);
        f->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (f->notify_fd < 0 || bind(f->notify_fd, (struct sockaddr *) &a, sizeof(a)) < 0 ||
            chmod(a.sun_path, 0666) < 0 ||
            sd_event_add_io(f->event, &f->notify_source, f->notify_fd, EPOLLIN, on_notify, f) < 0)
                abort();
}

void bus_start(struct fixture *f) {
        const char *policy = getenv("CONFD_HA_BUS_POLICY");
        const char *config = write_file(f, "bus.conf", bus_config, f->dir,
                                        policy ? kept(f, "  <include>%s</include>\n", policy) : "", replies_max, bus_incoming_max);
        const char *const argv[] = { "dbus-daemon", "--nofork", "--nopidfile", "--print-address=1",
                                     kept(f, "--config-file=%s", config), NULL };

        f->daemon.trace.name = "bus";
        child_start(&f->daemon, f->event, argv, NULL);
        EXPECT(f, &f->daemon.trace, "unix:*");
        f->bus_address = (char *) kept(f, "unix:path=%s/bus", f->dir);
        f->root = client_new(f, 0);
}

void bus_end(struct fixture *f) {
        for (struct client *c = f->clients; c; c = c->next)
                if (c->bus)
                        client_leave(c);
        child_end(&f->daemon);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

/* Whatever ends us, a timeout's SIGKILL included, closes the pipe; the directory goes then. */
static void janitor_start(struct fixture *f) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0 || (f->janitor = fork()) < 0)
                abort();
        if (f->janitor == 0) {
                char c;

                /* Out of reach of who kills our process group. */
                (void) setsid();
                (void) close(fds[1]);
                while (read(fds[0], &c, 1) < 0 && errno == EINTR)
                        ;
                (void) nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
                _exit(0);
        }
        safe_close(fds[0]);
        f->janitor_fd = fds[1];
}

static void janitor_end(struct fixture *f) {
        f->janitor_fd = safe_close(f->janitor_fd);
        while (waitpid(f->janitor, NULL, 0) < 0 && errno == EINTR)
                ;
}

static struct fixture *current; /* for a setup that failed: no teardown follows it */

static void destroy(struct fixture *f);

static void destroy_current(void) {
        if (current)
                destroy(current);
}

static int setup_subject(void **state, const struct subject *subject, bool with_sim) {
        static bool registered;
        struct fixture *f = calloc(1, sizeof(*f));
        char dir[] = "/tmp/confd-ha-bus-XXXXXX";

        if (!registered && atexit(destroy_current) == 0)
                registered = true;
        destroy_current();
        current = f;
        if (!f || !mkdtemp(dir) || chmod(dir, 0755) < 0 || sd_event_new(&f->event) < 0)
                abort();
        *state = f;
        f->subject = subject;
        f->dir = (char *) kept(f, "%s", dir);
        janitor_start(f);
        f->service.trace.name = "service";
        f->notify.name = "notify";
        f->journal.trace.name = "journal";
        if (mkdir(in_dir(f, "run"), 0755) < 0 || mkdir(in_dir(f, "state"), 0755) < 0 || mkdir(in_dir(f, "confd-ha.conf.d"), 0755) < 0)
                abort();
        notify_start(f);
        bus_start(f);
        f->sim_address = (char *) kept(f, "unix:%s/ipc", f->dir);
        f->config = (char *) write_file(f, "confd-ha.conf", service_config, f->sim_address,
                                        write_file(f, "token", "the token\n"));
        if (with_sim)
                sim_start(f);
        return 0;
}

static int setup(void **state, bool with_sim) {
        static const struct subject had = { HAD_NAME, HAD_PATH, HAD_INTERFACE };

        return setup_subject(state, &had, with_sim);
}

int setup_for(void **state, const struct subject *subject) {
        return setup_subject(state, subject, /* with_sim= */ false);
}

int setup_bare(void **state) {
        return setup(state, false);
}

int setup_stopped(void **state) {
        return setup(state, true);
}

int setup_running(void **state) {
        int r = setup(state, true);

        if (r == 0)
                service_start(*state);
        return r;
}

int setup_connected(void **state) {
        int r = setup_running(state);

        if (r == 0)
                service_wait_connected(*state);
        return r;
}

int setup_as_on_a_system(void **state) {
        int r;

        replies_max = REPLIES_MAX_OF_A_SYSTEM;
        r = setup_connected(state);
        replies_max = REPLIES_MAX;
        return r;
}

static void destroy(struct fixture *f) {
        child_done(&f->service);
        child_done(&f->sim);
        polkit_done(&f->polkit);
        systemd_done(&f->systemd);
        journal_done(&f->journal);
        while (f->clients) {
                struct client *c = f->clients;

                f->clients = c->next;
                client_free(c);
        }
        child_done(&f->daemon);
        sd_event_source_disable_unref(f->notify_source);
        safe_close(f->notify_fd);
        trace_done(&f->notify);
        sd_event_unref(f->event);
        janitor_end(f);
        for (size_t i = 0; i < f->n_kept; i++)
                free(f->kept[i]);
        free(f->kept);
        free(f);
        current = NULL;
}

static bool sanitizer_complained(const struct fixture *f) {
        return trace_count(&f->service.trace, "*ERROR: *Sanitizer*") > 0 ||
               trace_count(&f->service.trace, "*runtime error:*") > 0;
}

int teardown(void **state) {
        struct fixture *f = *state;
        int r = 0;

        if (f->service.pid != 0 && !f->dies && !f->failed) {
                int status = service_stop(f);

                if (status != 0) {
                        fprintf(stderr, "# the service ended with %d\n", status);
                        r = -1;
                }
        }
        if (trace_count(&f->sim.trace, "{bad_frame,*") > 0) {
                fprintf(stderr, "# the service sent what is no order\n");
                r = -1;
        }
        if (sanitizer_complained(f))
                r = -1;
        if (r < 0 && !f->failed) {
                trace_print(&f->sim.trace);
                trace_print(&f->service.trace);
        }
        destroy(f);
        *state = NULL;
        return r;
}

/* The service */

void configure(struct fixture *f, const char *text) {
        (void) write_file(f, "confd-ha.conf.d/50-test.conf", "%s", text);
}

void service_start_with(struct fixture *f, const char *const arguments[]) {
        const char *argv[16] = { getenv("CONFD_HAD") };
        const char *env[ELEMENTSOF(f->service_env) + 16];
        struct child_options options = { .uid = f->service_uid, .set_env = env, .journal_dir = f->journal_dir };
        size_t n = 0;

        if (!argv[0]) {
                fprintf(stderr, "# CONFD_HAD has to name the program under test\n");
                abort();
        }
        for (size_t i = 0; i < ELEMENTSOF(argv) - 2 && arguments[i]; i++)
                argv[i + 1] = arguments[i];
        env[n++] = kept(f, "DBUS_SYSTEM_BUS_ADDRESS=%s", f->bus_address);
        env[n++] = kept(f, "RUNTIME_DIRECTORY=%s/run", f->dir);
        env[n++] = kept(f, "STATE_DIRECTORY=%s/state", f->dir);
        env[n++] = kept(f, "NOTIFY_SOCKET=%s/notify", f->dir);
        env[n++] = "JOURNAL_STREAM";
        env[n++] = "CREDENTIALS_DIRECTORY";
        env[n++] = "WATCHDOG_USEC";
        env[n++] = "WATCHDOG_PID";
        for (size_t i = 0; i < ELEMENTSOF(f->service_env) && f->service_env[i]; i++)
                env[n++] = f->service_env[i];
        env[n] = NULL;
        if (f->service_uid != 0 && (chown(in_dir(f, "run"), f->service_uid, f->service_uid) < 0 ||
                                    chown(in_dir(f, "state"), f->service_uid, f->service_uid) < 0))
                abort();
        child_end(&f->service);
        child_start(&f->service, f->event, argv, &options);
}

void service_start(struct fixture *f) {
        const char *const arguments[] = { kept(f, "--config=%s", f->config), NULL };

        service_start_with(f, arguments);
}

static bool name_has_owner(struct fixture *f) {
        sd_bus_message *reply = NULL;
        int owned = 0;

        if (sd_bus_call_method(f->root->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                               "NameHasOwner", NULL, &reply, "s", f->subject->name) < 0 ||
            sd_bus_message_read(reply, "b", &owned) < 0)
                abort();
        sd_bus_message_unref(reply);
        return owned;
}

void service_wait_name(struct fixture *f) {
        WAIT_FOR(f, name_has_owner(f) || child_has_ended(&f->service));
        CHECK(f, f->service.pid != 0);
}

void service_wait_connected(struct fixture *f) {
        service_wait_name(f);
        WAIT_PROPERTY(f, "Connected", "true");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        /* Both are up before the first status is in. */
        WAIT_FOR(f, !streq(property(f, "State"), "'unknown'"));
        sim_settle(f);
        trace_restart(&f->root->trace);
        trace_skip(&f->sim.trace);
}

int service_wait_exit(struct fixture *f) {
        WAIT_FOR(f, child_has_ended(&f->service));
        return WIFEXITED(f->service.status) ? WEXITSTATUS(f->service.status) : 128 + WTERMSIG(f->service.status);
}

void service_kill(struct fixture *f) {
        if (kill(f->service.pid, SIGKILL) < 0)
                abort();
        (void) service_wait_exit(f);
}

int service_stop(struct fixture *f) {
        if (f->service.pid > 0)
                (void) kill(f->service.pid, SIGTERM);
        return service_wait_exit(f);
}

/* The scripted ConfD */

void sim_start(struct fixture *f) {
        static const char *const env[] = { "ERL_CRASH_DUMP=/dev/null", "ERL_AFLAGS", "ERL_FLAGS", "ERL_LIBS", NULL };
        const char *const argv[] = { "erl", "+S", "1", "+A", "1", "+SDio", "1", "-boot", "start_clean", "-noshell",
                                     "-pa", getenv("CONFD_SIM_DIR") ?: ".", "-s", "confd_sim", "main", NULL };
        struct child_options options = { .with_input = true, .set_env = env };

        f->sim.trace.name = "sim";
        child_start(&f->sim, f->event, argv, &options);
        sim(f, "{listen,{unix,\"%s\"}}", f->sim_address + strlen("unix:"));
        (void) chmod(f->sim_address + strlen("unix:"), 0777);
}

void sim(struct fixture *f, const char *format, ...) {
        size_t done = trace_count(&f->sim.trace, "done");
        char *command = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&command, format, ap);
        va_end(ap);
        if (n < 0)
                abort();
        (void) keep(f, command);
        if (dprintf(f->sim.input, "%s.\n", command) < 0)
                give_up(f, __FILE__, __LINE__, "the scripted ConfD is gone");
        WAIT_FOR(f, trace_count(&f->sim.trace, "done") > done || child_has_ended(&f->sim));
        CHECK(f, f->sim.pid != 0);
}

size_t sim_count(struct fixture *f, const char *pattern) {
        sim(f, "sync");
        return trace_count(&f->sim.trace, pattern);
}

void sim_settle(struct fixture *f) {
        size_t before, after = sim_count(f, "{order,{4}}");

        do {
                before = after;
                idle(f, 0.02);
                after = sim_count(f, "{order,{4}}");
        } while (after != before);
}

/* Calls */

const char *wait_call(struct fixture *f, const char *file, int line, struct call *call, const char *error) {
        uint64_t end = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        while (!call->done) {
                if (now_monotonic() > end)
                        give_up(f, file, line, kept(f, "no reply to %s", call->method));
                step(f, 10000);
        }
        if (!error && call->error)
                give_up(f, file, line, kept(f, "%s failed: %s: %s", call->method, call->error, call->message));
        if (error && !call->error)
                give_up(f, file, line, kept(f, "%s succeeded, expected %s", call->method, error));
        if (error && !pattern_matches(error, call->error))
                give_up(f, file, line, kept(f, "%s: expected %s, got %s: %s", call->method, error, call->error,
                                            call->message));
        return error ? call->message : call->text;
}

const char *call_ok(struct fixture *f, const char *file, int line, struct client *c, const char *method,
                    const char *types, ...) {
        struct call *call;
        va_list ap;

        va_start(ap, types);
        call = call_startv(c, false, method, types, ap);
        va_end(ap);
        return wait_call(f, file, line, call, NULL);
}

const char *call_fails(struct fixture *f, const char *file, int line, struct client *c, const char *error,
                       const char *method, const char *types, ...) {
        struct call *call;
        va_list ap;

        va_start(ap, types);
        call = call_startv(c, false, method, types, ap);
        va_end(ap);
        return wait_call(f, file, line, call, error);
}

void barrier(struct fixture *f, struct client *c) {
        for (int i = 0; i < 5; i++)
                (void) wait_call(f, __FILE__, __LINE__,
                                 call_start_member(c, f->subject->path, "org.freedesktop.DBus.Peer", "Ping", ""), NULL);
}

const char *property(struct fixture *f, const char *name) {
        struct call *call = call_start_member(f->root, f->subject->path, "org.freedesktop.DBus.Properties", "Get", "ss",
                                              f->subject->interface, name);

        return wait_call(f, __FILE__, __LINE__, call, NULL);
}

void wait_property(struct fixture *f, const char *file, int line, const char *name, const char *pattern) {
        uint64_t end = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        const char *s;

        while (!pattern_matches(pattern, s = property(f, name))) {
                if (now_monotonic() > end)
                        give_up(f, file, line, kept(f, "waited in vain for %s %s, it is %s", name, pattern, s));
                step(f, 10000);
        }
}

void check_introspection(struct fixture *f, const char *file) {
        struct child compare = { .trace = { .name = "compare" } };
        const char *xml = WAIT_CALL_OK(f, call_start_member(f->root, f->subject->path, "org.freedesktop.DBus.Introspectable",
                                                            "Introspect", ""));
        const char *const args[] = { "python3", getenv("CONFD_HA_COMPARE") ?: "same-interface.py", f->subject->interface, file,
                                     write_file(f, "introspected.xml", "%.*s", (int) strlen(xml) - 2, xml + 1), NULL };

        child_start(&compare, f->event, args, NULL);
        WAIT_FOR(f, child_has_ended(&compare));
        if (!WIFEXITED(compare.status) || WEXITSTATUS(compare.status) != 0) {
                trace_print(&compare.trace);
                give_up(f, __FILE__, __LINE__, "the introspection differs from the XML");
        }
        child_done(&compare);
}
