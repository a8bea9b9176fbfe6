/* SPDX-License-Identifier: Apache-2.0 */
/* The data interface org.confd.HANode of a real node on a bus of its own: every member, error and limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <confd_ha.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "basic/time-util.h"
#include "basic/util.h"

#define NAME "org.confd.HANode"
#define PATH "/org/confd/HANode"
#define ERROR(e) NAME ".Error." e
#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"

enum { PATIENCE_SEC = 20, MIB = 1024 * 1024 };

struct fixture {
        char dir[64];
        char address[128];
        pid_t daemon, node;
        sd_bus *bus;
        char *error; /* of the last call that failed */
        unsigned n_changed;
        char changed[512];
};

/* ---- processes ---- */

static pid_t start(const struct fixture *f, const char *const argv[]) {
        const char *asan = getenv("ASAN_OPTIONS");
        char log[128], options[1024];
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) snprintf(log, sizeof(log), "%s/log", f->dir);
        /* Memory is measured: what was freed shall not be held back long. */
        (void) snprintf(options, sizeof(options), "%s:quarantine_size_mb=4", asan ?: "");
        if (setenv("ASAN_OPTIONS", options, 1) < 0)
                _exit(126);
        if (!freopen(log, "a", stderr) || !freopen("/dev/null", "w", stdout) ||
            setenv("DBUS_SYSTEM_BUS_ADDRESS", f->address, 1) < 0)
                _exit(126);
        execvp(argv[0], (char *const *) argv);
        _exit(127);
}

static int end(pid_t *pid, int sig) {
        int status = 0;

        if (*pid == 0)
                return 0;
        (void) kill(*pid, sig);
        assert_int_equal(waitpid(*pid, &status, 0), *pid);
        *pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* With the limits of a system bus. */
static const char daemon_config[] =
        "<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth>"
        "<policy context=\"default\"><allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/></policy>"
        "<limit name=\"max_incoming_bytes\">133169152</limit><limit name=\"max_outgoing_bytes\">133169152</limit>"
        "<limit name=\"max_message_size\">33554432</limit><limit name=\"max_replies_per_connection\">2000</limit></busconfig>";

static void start_daemon(struct fixture *f) {
        char config[128], option[160];
        uint64_t until = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        FILE *stream;
        int r;

        (void) snprintf(config, sizeof(config), "%s/bus.conf", f->dir);
        stream = fopen(config, "we");
        assert_non_null(stream);
        (void) fprintf(stream, daemon_config, f->address);
        assert_int_equal(fclose(stream), 0);
        (void) snprintf(option, sizeof(option), "--config-file=%s", config);
        f->daemon = start(f, (const char *const[]) { "dbus-daemon", "--nofork", "--nopidfile", option, NULL });
        for (;;) {
                assert_int_equal(sd_bus_new(&f->bus), 0);
                assert_true(sd_bus_set_address(f->bus, f->address) >= 0);
                assert_true(sd_bus_set_bus_client(f->bus, true) >= 0);
                r = sd_bus_start(f->bus);
                if (r >= 0)
                        break;
                assert_true(now_monotonic() < until);
                f->bus = sd_bus_unref(f->bus);
                (void) usleep(10000);
        }
}

static pid_t start_node(const struct fixture *f, const char *name, const char *more) {
        char ipc[128], data[128], config[128], ha[32];
        int pid = (int) getpid();

        (void) snprintf(ipc, sizeof(ipc), "--ipc=unix:%s/%s.ipc", f->dir, name);
        (void) snprintf(data, sizeof(data), "--data=%s/%s", f->dir, name);
        (void) snprintf(config, sizeof(config), "--config=%s/conf", f->dir);
        /* An address that no other test that runs now has. */
        (void) snprintf(ha, sizeof(ha), "--ha=127.79.%d.%d", pid >> 8 & 255, pid & 255);
        return start(f, (const char *const[]) { getenv("CONFD_HA_NODE"), config, ipc, data, ha,
                                                "--bus-name=" NAME, more, NULL });
}

static void wait_for_name(struct fixture *f) {
        uint64_t until = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        while (sd_bus_get_name_creds(f->bus, NAME, 0, NULL) < 0) {
                assert_true(now_monotonic() < until);
                (void) usleep(10000);
        }
}

/* ---- calls ---- */

/* The error's name, or NULL with the reply's text in value (if wanted). */
static const char *call(struct fixture *f, char **value, const char *member, const char *types, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        const char *s = NULL;
        va_list ap;
        int r;

        assert_true(sd_bus_message_new_method_call(f->bus, &m, NAME, PATH, NAME, member) >= 0);
        va_start(ap, types);
        r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        assert_true(r >= 0);
        r = sd_bus_call(f->bus, m, PATIENCE_SEC * USEC_PER_SEC, &error, &reply);
        free(f->error);
        f->error = r < 0 ? strdup(error.name ?: "?") : NULL;
        if (r < 0)
                return f->error;
        if (value) {
                assert_true(sd_bus_message_read(reply, "s", &s) >= 0);
                assert_int_equal(free_and_strdup(value, s), 0);
        }
        return NULL;
}

#define OK(f, ...) assert_null(call((f), NULL, __VA_ARGS__))
#define FAILS(f, e, ...) assert_string_equal(call((f), NULL, __VA_ARGS__) ?: "no error", (e))

static void check_value(struct fixture *f, const char *key, const char *value) {
        _cleanup_free_ char *s = NULL;

        if (!value) {
                FAILS(f, ERROR("NotFound"), "Get", "s", key);
                return;
        }
        assert_null(call(f, &s, "Get", "s", key));
        assert_string_equal(s, value);
}

static void expect_text_property(struct fixture *f, const char *property, const char *value) {
        _cleanup_free_ char *s = NULL;

        assert_true(sd_bus_get_property_string(f->bus, NAME, PATH, NAME, property, NULL, &s) >= 0);
        assert_string_equal(s, value);
}

static uint64_t entries(struct fixture *f) {
        uint64_t n;

        assert_true(sd_bus_get_property_trivial(f->bus, NAME, PATH, NAME, "Entries", NULL, 't', &n) >= 0);
        return n;
}

static char *filled(char c, size_t n) {
        char *s = malloc(n + 1);

        assert_non_null(s);
        memset(s, c, n);
        s[n] = 0;
        return s;
}

/* One page of a List as "key=value ...", and the next. */
static void list(struct fixture *f, const char *prefix, const char *after, uint32_t max, char **ret, char **ret_next) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *key, *value, *next;
        FILE *stream;
        size_t size;

        assert_true(sd_bus_call_method(f->bus, NAME, PATH, NAME, "List", NULL, &reply, "ssu", prefix, after, max) >= 0);
        stream = open_memstream(ret, &size);
        assert_non_null(stream);
        assert_true(sd_bus_message_enter_container(reply, 'a', "{ss}") >= 0);
        while (sd_bus_message_read(reply, "{ss}", &key, &value) > 0)
                (void) fprintf(stream, "%s=%s ", key, strlen(value) > 16 ? "long" : value);
        assert_true(sd_bus_message_exit_container(reply) >= 0);
        assert_true(sd_bus_message_read(reply, "s", &next) >= 0);
        *ret_next = strdup(next);
        assert_int_equal(fclose(stream), 0);
}

static void expect_list(struct fixture *f, const char *prefix, const char *after, uint32_t max, const char *wanted,
                        const char *wanted_next) {
        _cleanup_free_ char *got = NULL, *next = NULL;

        list(f, prefix, after, max, &got, &next);
        assert_string_equal(got, wanted);
        assert_string_equal(next, wanted_next);
}

/* ---- fixture ---- */

static int setup_with(void **state, const char *more) {
        struct fixture *f = calloc(1, sizeof(*f));
        char config[128];
        FILE *stream;

        *state = f;
        (void) strcpy(f->dir, "/tmp/test-node-bus-XXXXXX");
        if (!mkdtemp(f->dir))
                return -1;
        (void) snprintf(f->address, sizeof(f->address), "unix:path=%s/bus", f->dir);
        (void) snprintf(config, sizeof(config), "%s/conf", f->dir);
        stream = fopen(config, "we");
        if (!stream || fclose(stream) != 0)
                return -1;
        start_daemon(f);
        f->node = start_node(f, "n1", more);
        wait_for_name(f);
        return 0;
}

static int setup(void **state) {
        return setup_with(state, NULL);
}

static int setup_phase0(void **state) {
        return setup_with(state, "--start-phase0");
}

static int teardown(void **state) {
        struct fixture *f = *state;
        char command[128];
        int status;

        status = end(&f->node, SIGTERM);
        sd_bus_flush_close_unref(f->bus);
        (void) end(&f->daemon, SIGKILL);
        (void) snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
        if (system(command) != 0)
                status = 1;
        free(f->error);
        free(f);
        return status;
}

/* ---- tests ---- */

static void test_data(void **state) {
        _cleanup_free_ char *first = NULL, *second = NULL;
        struct fixture *f = *state;

        expect_text_property(f, "TransactionId", "");
        check_value(f, "/a", NULL);
        assert_null(call(f, &first, "Apply", "a{ss}as", 2, "/a", "1", "/b", "zwei \xe2\x82\xac", 0));
        expect_text_property(f, "TransactionId", first);
        check_value(f, "/a", "1");
        check_value(f, "/b", "zwei \xe2\x82\xac");
        assert_int_equal(entries(f), 2);
        assert_null(call(f, &second, "Apply", "a{ss}as", 1, "/b", "", 2, "/a", "/unknown"));
        assert_string_not_equal(first, second);
        check_value(f, "/a", NULL);
        check_value(f, "/b", "");
        assert_int_equal(entries(f), 1);
}

static void test_apply_is_whole(void **state) {
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 1, "/kept", "1", 0);
        FAILS(f, ERROR("BadKey"), "Apply", "a{ss}as", 2, "/new", "1", "bad", "2", 0);
        FAILS(f, ERROR("BadKey"), "Apply", "a{ss}as", 1, "/new", "1", 2, "/kept", "bad");
        FAILS(f, INVALID_ARGS, "Apply", "a{ss}as", 2, "/new", "1", "/kept", "2", 1, "/kept");
        FAILS(f, INVALID_ARGS, "Apply", "a{ss}as", 2, "/new", "1", "/new", "2", 0);
        FAILS(f, INVALID_ARGS, "Apply", "a{ss}as", 0, 2, "/kept", "/kept");
        FAILS(f, INVALID_ARGS, "Apply", "a{ss}as", 0, 0);
        check_value(f, "/kept", "1");
        assert_int_equal(entries(f), 1);
}

static void test_key_limits(void **state) {
        _cleanup_free_ char *longest = filled('k', 511), *longer = filled('k', 512);
        struct fixture *f = *state;

        longest[0] = longer[0] = '/';
        OK(f, "Apply", "a{ss}as", 2, "/", "root", longest, "v", 0);
        check_value(f, "/", "root");
        check_value(f, longest, "v");
        FAILS(f, ERROR("BadKey"), "Apply", "a{ss}as", 1, longer, "v", 0);
        FAILS(f, ERROR("BadKey"), "Apply", "a{ss}as", 1, "", "v", 0);
        FAILS(f, ERROR("BadKey"), "Apply", "a{ss}as", 0, 1, "a");
        FAILS(f, ERROR("BadKey"), "Get", "s", longer);
        FAILS(f, ERROR("BadKey"), "Get", "s", "");
        FAILS(f, ERROR("BadKey"), "Get", "s", "a");
        FAILS(f, ERROR("BadKey"), "List", "ssu", "a", "", 0);
        FAILS(f, ERROR("BadKey"), "List", "ssu", "", "a", 0);
}

static void test_value_limits(void **state) {
        _cleanup_free_ char *largest = filled('v', 8 * MIB), *larger = filled('v', 8 * MIB + 1), *half = filled('w', 8 * MIB - 16), *third = filled('x', 100);
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 1, "/v", largest, 0);
        check_value(f, "/v", largest);
        FAILS(f, ERROR("TooLarge"), "Apply", "a{ss}as", 1, "/v", larger, 0);
        OK(f, "Apply", "a{ss}as", 2, "/1", half, "/2", half, 0);
        FAILS(f, ERROR("TooLarge"), "Apply", "a{ss}as", 3, "/1", half, "/2", half, "/3", third, 0);
        check_value(f, "/3", NULL);
        check_value(f, "/v", largest);
}

static void test_list(void **state) {
        struct fixture *f = *state;

        expect_list(f, "", "", 0, "", "");
        OK(f, "Apply", "a{ss}as", 5, "/b/2", "2", "/a", "a", "/b", "b", "/b/1", "1", "/c", "c", 0);
        expect_list(f, "", "", 0, "/a=a /b=b /b/1=1 /b/2=2 /c=c ", "");
        expect_list(f, "/b", "", 0, "/b=b /b/1=1 /b/2=2 ", "");
        expect_list(f, "/b/", "", 0, "/b/1=1 /b/2=2 ", "");
        expect_list(f, "", "", 2, "/a=a /b=b ", "/b");
        expect_list(f, "", "/b", 2, "/b/1=1 /b/2=2 ", "/b/2");
        expect_list(f, "", "/b/2", 2, "/c=c ", "");
        expect_list(f, "", "/bb", 0, "/c=c ", "");
        expect_list(f, "/x", "", 0, "", "");
        expect_list(f, "", "/x", 0, "", "");
}

static void test_list_in_pages(void **state) {
        _cleanup_free_ char *value = filled('v', 3 * MIB), *next = NULL, *page = NULL, *next2 = NULL, *page2 = NULL;
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 3, "/1", value, "/2", value, "/3", "short", 0);
        list(f, "", "", 0, &page, &next);
        assert_string_equal(page, "/1=long ");
        assert_string_equal(next, "/1");
        list(f, "", next, 0, &page2, &next2);
        assert_string_equal(page2, "/2=long /3=short ");
        assert_string_equal(next2, "");
}

static void test_phase(void **state) {
        struct fixture *f = *state;
        uint32_t phase;

        assert_true(sd_bus_get_property_trivial(f->bus, NAME, PATH, NAME, "Phase", NULL, 'u', &phase) >= 0);
        assert_int_equal(phase, 0);
        FAILS(f, INVALID_ARGS, "SetPhase", "u", 3);
        OK(f, "SetPhase", "u", 1);
        FAILS(f, INVALID_ARGS, "SetPhase", "u", 0);
        OK(f, "SetPhase", "u", 1);
        OK(f, "SetPhase", "u", 2);
        assert_true(sd_bus_get_property_trivial(f->bus, NAME, PATH, NAME, "Phase", NULL, 'u', &phase) >= 0);
        assert_int_equal(phase, 2);
}

/* ---- PropertiesChanged ---- */

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct fixture *f = userdata;
        const char *name;

        assert_true(sd_bus_message_skip(m, "s") >= 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") >= 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(m, "s", &name) >= 0);
                assert_true(strlen(f->changed) + strlen(name) + 2 < sizeof(f->changed));
                (void) strcat(strcat(f->changed, name), " ");
                assert_true(sd_bus_message_skip(m, "v") >= 0);
                assert_true(sd_bus_message_exit_container(m) >= 0);
        }
        f->n_changed++;
        return 0;
}

static void expect_changed(struct fixture *f, const char *names) {
        uint64_t until = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        while (f->n_changed == 0) {
                assert_true(sd_bus_process(f->bus, NULL) >= 0);
                assert_true(sd_bus_wait(f->bus, 10000) >= 0);
                assert_true(now_monotonic() < until);
        }
        assert_string_equal(f->changed, names);
        f->n_changed = 0;
        f->changed[0] = 0;
}

static int connect_ha(struct fixture *f, int sock) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };

        (void) snprintf(un.sun_path, sizeof(un.sun_path), "%s/n1.ipc", f->dir);
        return confd_ha_connect(sock, (struct sockaddr *) &un, sizeof(un), "token");
}

static void test_properties_changed(void **state) {
        _cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct fixture *f = *state;
        confd_value_t id;

        assert_true(sd_bus_match_signal(f->bus, NULL, NAME, PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                        on_changed, f) >= 0);
        OK(f, "Apply", "a{ss}as", 1, "/a", "1", 0);
        expect_changed(f, "TransactionId Entries ");
        OK(f, "Apply", "a{ss}as", 1, "/a", "2", 0);
        expect_changed(f, "TransactionId ");
        OK(f, "SetPhase", "u", 1);
        expect_changed(f, "Phase ");
        assert_int_equal(connect_ha(f, sock), CONFD_OK);
        CONFD_SET_STR(&id, "n1");
        OK(f, "SetPhase", "u", 2);
        expect_changed(f, "Phase ");
        assert_int_equal(confd_ha_bemaster(sock, &id), CONFD_OK);
        expect_changed(f, "State ");
        expect_text_property(f, "State", "master");
        OK(f, "Apply", "a{ss}as", 1, "/a", "3", 0);
        expect_changed(f, "TransactionId ");
        check_value(f, "/a", "3");
}

/* ---- many at once, and the bus itself ---- */

struct tally {
        unsigned ok, busy, other;
};

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct tally *t = userdata;

        if (!sd_bus_message_is_method_error(m, NULL))
                t->ok++;
        else if (sd_bus_message_is_method_error(m, ERROR("Busy")))
                t->busy++;
        else
                t->other++;
        return 0;
}

static void test_many_at_once(void **state) {
        enum { MANY = 1000 };
        uint64_t until = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        struct fixture *f = *state;
        struct tally t = {};

        for (unsigned i = 0; i < MANY; i++) {
                char key[16];

                (void) snprintf(key, sizeof(key), "/%u", i);
                assert_true(sd_bus_call_method_async(f->bus, NULL, NAME, PATH, NAME, "Apply", on_reply, &t, "a{ss}as", 1, key,
                                                     "v", 0) >= 0);
        }
        while (t.ok + t.busy + t.other < MANY) {
                assert_true(sd_bus_process(f->bus, NULL) >= 0);
                assert_true(sd_bus_wait(f->bus, 10000) >= 0);
                assert_true(now_monotonic() < until);
        }
        assert_int_equal(t.other, 0);
        assert_true(t.ok > 0);
        assert_int_equal(entries(f), t.ok);
}

/* In KiB, the most that the node's memory ever was. */
static unsigned long peak(const struct fixture *f) {
        char path[64], line[128];
        unsigned long kib = 0;
        FILE *stream;

        (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) f->node);
        stream = fopen(path, "re");
        assert_non_null(stream);
        while (fgets(line, sizeof(line), stream) && sscanf(line, "VmHWM: %lu", &kib) != 1)
                ;
        (void) fclose(stream);
        assert_true(kib > 0);
        return kib;
}

/* Some ask for everything many times at once, and do not read it. */
enum { GREEDY = 4, MANY = 40 };

static void open_greedy(struct fixture *f, sd_bus *greedy[static GREEDY]) {
        _cleanup_free_ char *value = filled('v', 4 * MIB);

        OK(f, "Apply", "a{ss}as", 2, "/v", value, "/w", "w", 0);
        for (unsigned i = 0; i < GREEDY; i++) {
                assert_int_equal(sd_bus_new(&greedy[i]), 0);
                assert_true(sd_bus_set_address(greedy[i], f->address) >= 0);
                assert_true(sd_bus_set_bus_client(greedy[i], true) >= 0);
                assert_true(sd_bus_start(greedy[i]) >= 0);
                for (unsigned n = 0; n < MANY; n++)
                        assert_true(sd_bus_call_method_async(greedy[i], NULL, NAME, PATH, NAME, "List", on_reply, NULL, "ssu",
                                                             "", "", 1) >= 0);
                assert_true(sd_bus_flush(greedy[i]) >= 0);
        }
        /* Whether this is answered is the bus's affair, but by then the node has read all of theirs. */
        assert_true(sd_bus_set_method_call_timeout(f->bus, 3 * USEC_PER_SEC) >= 0);
        (void) sd_bus_call_method(f->bus, NAME, PATH, NAME, "Get", NULL, NULL, "s", "/w");
}

static void close_greedy(sd_bus *greedy[static GREEDY]) {
        for (unsigned i = 0; i < GREEDY; i++)
                greedy[i] = sd_bus_close_unref(greedy[i]);
}

/* The bus takes so much of one sender and no more; what has no place there must not lie in the node's memory, and nothing
 * of it may last once they are gone. */
static void test_many_large_answers(void **state) {
        struct fixture *f = *state;
        sd_bus *greedy[GREEDY] = {};
        unsigned long most;

        open_greedy(f, greedy);
        most = peak(f);
        close_greedy(greedy);
        assert_in_range(most, 1, 150 * 1024);
        check_value(f, "/w", "w");
}

static void test_ends_while_the_bus_is_full(void **state) {
        struct fixture *f = *state;
        sd_bus *greedy[GREEDY] = {};
        uint64_t since;
        int status;

        open_greedy(f, greedy);
        since = now_monotonic();
        assert_int_equal(kill(f->node, SIGTERM), 0);
        while (waitpid(f->node, &status, WNOHANG) == 0 && now_monotonic() - since < PATIENCE_SEC * USEC_PER_SEC)
                (void) usleep(10000);
        close_greedy(greedy);
        assert_in_range(now_monotonic() - since, 0, PATIENCE_SEC * USEC_PER_SEC);
        f->node = 0;
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_name_is_taken(void **state) {
        struct fixture *f = *state;
        int status;
        pid_t pid;

        pid = start_node(f, "n2", NULL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
        expect_text_property(f, "State", "none");
}

static void test_bus_comes_back(void **state) {
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 1, "/a", "1", 0);
        f->bus = sd_bus_flush_close_unref(f->bus);
        (void) end(&f->daemon, SIGKILL);
        start_daemon(f);
        wait_for_name(f);
        check_value(f, "/a", "1");
        OK(f, "Apply", "a{ss}as", 1, "/a", "2", 0);
}

static bool log_has(const struct fixture *f, const char *words) {
        char path[128], text[16384];
        FILE *stream;
        size_t n;

        (void) snprintf(path, sizeof(path), "%s/log", f->dir);
        stream = fopen(path, "re");
        assert_non_null(stream);
        n = fread(text, 1, sizeof(text) - 1, stream);
        text[n] = 0;
        (void) fclose(stream);
        return strstr(text, words);
}

/* Somebody else was faster: the bus tells that by an answer, not by an error. */
static void test_bus_comes_back_without_the_name(void **state) {
        uint64_t until = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        struct fixture *f = *state;

        f->bus = sd_bus_flush_close_unref(f->bus);
        assert_int_equal(kill(f->node, SIGSTOP), 0);
        (void) end(&f->daemon, SIGKILL);
        start_daemon(f);
        assert_true(sd_bus_request_name(f->bus, NAME, 0) >= 0);
        assert_int_equal(kill(f->node, SIGCONT), 0);
        while (!log_has(f, "cannot take the name " NAME)) {
                assert_true(now_monotonic() < until);
                (void) usleep(10000);
        }
        assert_false(log_has(f, "is offered as"));
        assert_true(sd_bus_release_name(f->bus, NAME) >= 0);
        wait_for_name(f);
        OK(f, "Apply", "a{ss}as", 1, "/a", "1", 0);
        check_value(f, "/a", "1");
}

static void test_survives_a_crash(void **state) {
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 1, "/a", "1", 0);
        assert_int_equal(end(&f->node, SIGKILL), 128 + SIGKILL);
        f->node = start_node(f, "n1", NULL);
        wait_for_name(f);
        check_value(f, "/a", "1");
        assert_int_equal(entries(f), 1);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(test_data), T(test_apply_is_whole), T(test_key_limits), T(test_value_limits), T(test_list),
                T(test_list_in_pages),
                cmocka_unit_test_setup_teardown(test_phase, setup_phase0, teardown),
                cmocka_unit_test_setup_teardown(test_properties_changed, setup_phase0, teardown),
                T(test_many_at_once), T(test_many_large_answers), T(test_ends_while_the_bus_is_full), T(test_name_is_taken), T(test_bus_comes_back),
                T(test_bus_comes_back_without_the_name),T(test_survives_a_crash),
        };

        return cmocka_run_group_tests_name("node-bus", tests, NULL, NULL);
}
