/* SPDX-License-Identifier: Apache-2.0 */
/* The data interface org.confd.HANode of a real node on a bus of its own: every member, error and limit. */
#include <arpa/inet.h>
#include <confd_ha.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "node-fixture.h"

#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"


static int setup(void **state) {
        return setup_with(state, NULL);
}

static int setup_phase0(void **state) {
        return setup_with(state, "--start-phase0");
}

/* ---- calls ---- */

#define OK(f, ...) CALL_OK(f, __VA_ARGS__)
#define FAILS(f, e, ...) CALL_FAILS(f, e, __VA_ARGS__)

static void check_value(struct fixture *f, const char *key, const char *value) {
        if (value)
                CHECK_TEXT(f, OK(f, "Get", "s", key), kept(f, "'%s'", value));
        else
                FAILS(f, ERROR("NotFound"), "Get", "s", key);
}

#define LIST(f, prefix, after, max, expected) CHECK_TEXT(f, OK(f, "List", "ssu", prefix, after, max), expected)

/* ---- data ---- */

static void what_is_applied_can_be_read(void **state) {
        struct fixture *f = *state;
        const char *first, *second;

        CHECK_PROPERTY(f, "TransactionId", "''");
        check_value(f, "/a", NULL);
        first = OK(f, "Apply", "a{ss}as", 2, "/a", "1", "/b", "zwei \xe2\x82\xac", 0);
        CHECK_PROPERTY(f, "TransactionId", first);
        check_value(f, "/a", "1");
        check_value(f, "/b", "zwei \xe2\x82\xac");
        CHECK_PROPERTY(f, "Entries", "2");
        second = OK(f, "Apply", "a{ss}as", 1, "/b", "", 2, "/a", "/unknown");
        CHECK(f, !streq(first, second));
        check_value(f, "/a", NULL);
        check_value(f, "/b", "");
        CHECK_PROPERTY(f, "Entries", "1");
}

static void introspection_equals_the_xml(void **state) {
        struct fixture *f = *state;

        check_introspection(f, getenv("CONFD_HA_XML") ?: "org.confd.HANode.xml");
}

static void an_apply_is_all_or_nothing(void **state) {
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 1, "/kept", "1", 0);
        FAILS(f, ERROR("BadKey"), "Apply", "a{ss}as", 2, "/new", "1", "bad", "2", 0);
        FAILS(f, ERROR("BadKey"), "Apply", "a{ss}as", 1, "/new", "1", 2, "/kept", "bad");
        FAILS(f, INVALID_ARGS, "Apply", "a{ss}as", 2, "/new", "1", "/kept", "2", 1, "/kept");
        FAILS(f, INVALID_ARGS, "Apply", "a{ss}as", 2, "/new", "1", "/new", "2", 0);
        FAILS(f, INVALID_ARGS, "Apply", "a{ss}as", 0, 2, "/kept", "/kept");
        FAILS(f, INVALID_ARGS, "Apply", "a{ss}as", 0, 0);
        check_value(f, "/kept", "1");
        CHECK_PROPERTY(f, "Entries", "1");
}

static void keys_have_1_to_511_bytes_and_begin_with_a_slash(void **state) {
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

/* Of /proc/PID/status, in KiB: VmHWM is the most that the node's memory ever was. */
static unsigned long node_kib(struct fixture *f, const char *what) {
        char line[128];
        unsigned long kib = 0;
        FILE *stream = fopen(kept(f, "/proc/%d/status", (int) f->service.pid), "re");

        CHECK(f, stream);
        while (fgets(line, sizeof(line), stream) && (strncmp(line, what, strlen(what)) != 0 || sscanf(line, "%*[^:]: %lu", &kib) != 1))
                ;
        (void) fclose(stream);
        CHECK(f, kib > 0);
        return kib;
}

static void values_have_8_mib_and_an_apply_has_16(void **state) {
        _cleanup_free_ char *largest = filled('v', 8 * MIB), *larger = filled('v', 8 * MIB + 1);
        _cleanup_free_ char *half = filled('w', 8 * MIB - 16), *third = filled('x', 100);
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 1, "/v", largest, 0);
        check_value(f, "/v", largest);
        FAILS(f, ERROR("TooLarge"), "Apply", "a{ss}as", 1, "/v", larger, 0);
        OK(f, "Apply", "a{ss}as", 2, "/1", half, "/2", half, 0);
        FAILS(f, ERROR("TooLarge"), "Apply", "a{ss}as", 3, "/1", half, "/2", half, "/3", third, 0);
        check_value(f, "/3", NULL);
        check_value(f, "/v", largest);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed, on purpose */
        WAIT_FOR(f, node_kib(f, "RssAnon") < 12 * 1024); /* what all that took is given back */
#endif
}

static void a_list_is_by_prefix_and_in_the_order_of_keys(void **state) {
        struct fixture *f = *state;

        LIST(f, "", "", 0, "{} ''");
        OK(f, "Apply", "a{ss}as", 5, "/b/2", "2", "/a", "a", "/b", "b", "/b/1", "1", "/c", "c", 0);
        LIST(f, "", "", 0, "{'/a': 'a', '/b': 'b', '/b/1': '1', '/b/2': '2', '/c': 'c'} ''");
        LIST(f, "/b", "", 0, "{'/b': 'b', '/b/1': '1', '/b/2': '2'} ''");
        LIST(f, "/b/", "", 0, "{'/b/1': '1', '/b/2': '2'} ''");
        LIST(f, "", "", 2, "{'/a': 'a', '/b': 'b'} '/b'");
        LIST(f, "", "/b", 2, "{'/b/1': '1', '/b/2': '2'} '/b/2'");
        LIST(f, "", "/b/2", 2, "{'/c': 'c'} ''");
        LIST(f, "", "/bb", 0, "{'/c': 'c'} ''");
        LIST(f, "/x", "", 0, "{} ''");
        LIST(f, "", "/x", 0, "{} ''");
}

static void a_list_comes_in_pages_of_4_mib(void **state) {
        _cleanup_free_ char *value = filled('v', 3 * MIB);
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 3, "/1", value, "/2", value, "/3", "short", 0);
        LIST(f, "", "", 0, "{'/1': 'v*v'} '/1'");
        LIST(f, "", "/1", 0, "{'/2': 'v*v', '/3': 'short'} ''");
}

/* ---- start phases ---- */

static void phases_only_go_up(void **state) {
        struct fixture *f = *state;

        CHECK_PROPERTY(f, "Phase", "0");
        FAILS(f, INVALID_ARGS, "SetPhase", "u", 3);
        OK(f, "SetPhase", "u", 1);
        FAILS(f, INVALID_ARGS, "SetPhase", "u", 0);
        OK(f, "SetPhase", "u", 1);
        OK(f, "SetPhase", "u", 2);
        CHECK_PROPERTY(f, "Phase", "2");
}

static void writes_are_taken_in_phase_2_only_and_orders_from_phase_1_on(void **state) {
        struct fixture *f = *state;
        _cleanup_close_ int sock = -EBADF;
        confd_value_t id;

        CONFD_SET_STR(&id, "n1");
        FAILS(f, ERROR("NotReady"), "Apply", "a{ss}as", 1, "/a", "1", 0);
        sock = connect_ha(f, 1);
        CHECK(f, confd_ha_bemaster(sock, &id) == CONFD_ERR && confd_errno == CONFD_ERR_BADSTATE);
        CHECK(f, kill(f->service.pid, SIGUSR1) == 0);
        WAIT_PROPERTY(f, "Phase", "1");
        FAILS(f, ERROR("NotReady"), "Apply", "a{ss}as", 1, "/a", "1", 0);
        be_master(f, sock);
        CHECK_PROPERTY(f, "State", "'master'");
        FAILS(f, ERROR("NotReady"), "Apply", "a{ss}as", 1, "/a", "1", 0);
        check_value(f, "/a", NULL);
        CHECK(f, kill(f->service.pid, SIGUSR1) == 0);
        WAIT_PROPERTY(f, "Phase", "2");
        OK(f, "Apply", "a{ss}as", 1, "/a", "1", 0);
        check_value(f, "/a", "1");
}

static void the_configuration_says_in_which_phase_it_starts(void **state) {
        struct fixture *f = *state;

        CHECK(f, service_stop(f) == 0);
        (void) write_file(f, "node.conf", "[Node]\nStartPhase=1\n");
        start_node(f, &f->service, 1, NAME, NULL);
        service_wait_name(f);
        CHECK_PROPERTY(f, "Phase", "1");
}

/* ---- slaves ---- */

static void slaves_are_listed_with_how_far_they_are(void **state) {
        struct fixture *f = *state;
        struct child slave = { .trace.name = "slave" };
        _cleanup_close_ int first = -EBADF, second = -EBADF;

        CHECK_TEXT(f, OK(f, "Slaves", ""), "[]");
        first = connect_ha(f, 1);
        be_master(f, first);
        CHECK_TEXT(f, OK(f, "Slaves", ""), "[]");
        start_node(f, &slave, 2, "", NULL);
        second = connect_ha(f, 2);
        be_slave(f, second, 2);
        WAIT_FOR(f, pattern_matches(kept(f, "[('n2' '%s' * 0 0 0)]", address_of(f, 2)), OK(f, "Slaves", "")));
        /* One that takes nothing has something to acknowledge, and it gets older. */
        CHECK(f, kill(slave.pid, SIGSTOP) == 0);
        (void) call_start(f->root, "Apply", "a{ss}as", 1, "/a", "1", 0);
        WAIT_FOR(f, pattern_matches("[('n2' '*' * 0 1)]", OK(f, "Slaves", "")) &&
                            !pattern_matches("[('n2' '*' * 0 0 1)]", OK(f, "Slaves", "")));
        CHECK(f, kill(slave.pid, SIGCONT) == 0);
        WAIT_FOR(f, pattern_matches("[('n2' '*' * 0 0 0)]", OK(f, "Slaves", "")));
        check_value(f, "/a", "1");
        child_end(&slave);
        WAIT_FOR(f, streq(OK(f, "Slaves", ""), "[]"));
        child_done(&slave);
}

static void who_joins_is_read_only(void **state) {
        struct sockaddr_in silent = { .sin_family = AF_INET, .sin_port = htons(4570) };
        _cleanup_close_ int sock = -EBADF, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct confd_ha_node master = { .af = AF_INET };
        struct fixture *f = *state;
        confd_value_t id;

        CHECK(f, inet_pton(AF_INET, address_of(f, 2), &silent.sin_addr) == 1);
        CHECK(f, bind(listener, (struct sockaddr *) &silent, sizeof(silent)) == 0 && listen(listener, 1) == 0);
        CONFD_SET_STR(&id, "n1");
        CONFD_SET_STR(&master.nodeid, "n2");
        master.addr.ip4 = silent.sin_addr;
        sock = connect_ha(f, 1);
        CHECK_PROPERTY(f, "Joining", "false");
        CHECK(f, confd_ha_beslave(sock, &id, &master, 0) == CONFD_OK);
        EXPECT(f, &f->service.trace, "*Joining a master*");
        CHECK_PROPERTY(f, "State", "'none'");
        CHECK_PROPERTY(f, "Joining", "true");
        FAILS(f, ERROR("ReadOnly"), "Apply", "a{ss}as", 1, "/a", "1", 0);
}

/* ---- PropertiesChanged ---- */

static void changed_properties_are_told(void **state) {
        struct fixture *f = *state;
        struct trace *t = &f->root->trace;
        _cleanup_close_ int sock = connect_ha(f, 1);

        OK(f, "SetPhase", "u", 1);
        EXPECT(f, t, "changed Phase=1");
        OK(f, "SetPhase", "u", 2);
        EXPECT(f, t, "changed Phase=2");
        OK(f, "Apply", "a{ss}as", 1, "/a", "1", 0);
        EXPECT(f, t, "changed TransactionId='*' Entries=1");
        OK(f, "Apply", "a{ss}as", 1, "/a", "2", 0);
        EXPECT(f, t, "changed TransactionId='none*'");
        be_master(f, sock);
        EXPECT(f, t, "changed State='master'");
        CHECK_PROPERTY(f, "State", "'master'");
        OK(f, "Apply", "a{ss}as", 1, "/a", "3", 0);
        EXPECT(f, t, "changed TransactionId='n1*'");
        check_value(f, "/a", "3");
}

/* ---- settings while it runs ---- */

static void a_hangup_reloads_and_says_what_takes_a_restart(void **state) {
        struct fixture *f = *state;
        struct trace *t = &f->service.trace;
        pid_t pid = f->service.pid;

        (void) write_file(f, "node.conf", "[Node]\nTickTimeoutSec=5\nDataDirectory=/elsewhere\nAccessFile=/no/file\n");
        CHECK(f, kill(pid, SIGHUP) == 0);
        EXPECT(f, t, "*AccessFile= has changed, which takes a restart*");
        EXPECT(f, t, "*has been read again*");
        /* The switch wins over the file, so this one has not. */
        CHECK(f, trace_count(t, "*DataDirectory=*") == 0);
        (void) write_file(f, "node.conf", "[Node]\nTickTimeoutSec=soon\n");
        CHECK(f, kill(pid, SIGHUP) == 0);
        EXPECT(f, t, "*refused, the old one stays: *node.conf:2: TickTimeoutSec=soon: *");
        (void) write_file(f, "node.conf", "[Node]\nLogLevel=err\nSchemaDirectory=/no/directory\n");
        CHECK(f, kill(pid, SIGHUP) == 0);
        EXPECT(f, t, "*refused, the old one stays: */no/directory*");
        OK(f, "Apply", "a{ss}as", 1, "/a", "1", 0);
        (void) write_file(f, "node.conf", "[Node]\nLogLevel=err\n");
        CHECK(f, kill(pid, SIGHUP) == 0);
        idle(f, 0.1);
        trace_restart(t);
        CHECK(f, kill(pid, SIGHUP) == 0);
        OK(f, "Apply", "a{ss}as", 1, "/a", "2", 0);
        CHECK(f, trace_count(t, "*has been read again*") == 0);
        CHECK(f, f->service.pid == pid);
}

/* As a client whose access file is that one. */
static int connects(struct fixture *f, const char *access_file) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

        (void) snprintf(un.sun_path, sizeof(un.sun_path), "%s/n1.ipc", f->dir);
        CHECK(f, setenv("CONFD_IPC_ACCESS_FILE", access_file, 1) == 0);
        r = confd_ha_connect(sock, (struct sockaddr *) &un, sizeof(un), "token") == CONFD_OK ? CONFD_OK : confd_errno;
        CHECK(f, unsetenv("CONFD_IPC_ACCESS_FILE") == 0);
        safe_close(sock);
        return r;
}

static const char *secret_file(struct fixture *f, const char *name, const char *text) {
        const char *path = write_file(f, name, "%s", text);

        CHECK(f, chmod(path, 0600) == 0);
        return path;
}

static void a_hangup_reads_the_access_secret_again(void **state) {
        struct fixture *f = *state;
        const char *access = secret_file(f, "access", "one"), *one = secret_file(f, "one", "one"), *two = secret_file(f, "two", "two");

        CHECK(f, service_stop(f) == 0);
        (void) write_file(f, "node.conf", "[Node]\nAccessFile=%s\n", access);
        start_node(f, &f->service, 1, NAME, NULL);
        service_wait_name(f);
        CHECK(f, connects(f, one) == CONFD_OK);
        CHECK(f, connects(f, two) == CONFD_ERR_ACCESS_DENIED);
        access = secret_file(f, "access", "two");
        CHECK(f, connects(f, one) == CONFD_OK);
        CHECK(f, kill(f->service.pid, SIGHUP) == 0);
        EXPECT(f, &f->service.trace, "*has been read again*");
        CHECK(f, connects(f, one) == CONFD_ERR_ACCESS_DENIED);
        CHECK(f, connects(f, two) == CONFD_OK);
        /* One that others may read is no secret. */
        CHECK(f, chmod(secret_file(f, "access", "one"), 0644) == 0);
        CHECK(f, kill(f->service.pid, SIGHUP) == 0);
        EXPECT(f, &f->service.trace, "*refused, the old one stays: AccessFile=*chmod o=*");
        CHECK(f, connects(f, two) == CONFD_OK);
}

/* A schema upgrade: the master takes the new set over, and from then on those join that have it. */
static void a_reload_of_a_master_takes_another_schema(void **state) {
        struct child slave = { .trace.name = "slave" };
        _cleanup_close_ int first = -EBADF, second = -EBADF;
        struct confd_ha_node master = { .af = AF_INET };
        struct fixture *f = *state;
        confd_value_t id;

        first = connect_ha(f, 1);
        be_master(f, first);
        CHECK(f, mkdir(in_dir(f, "fxs"), 0755) == 0);
        (void) write_file(f, "fxs/a.fxs", "version 2\n");
        (void) write_file(f, "node.conf", "[Node]\nSchemaDirectory=%s\n", in_dir(f, "fxs"));
        start_node(f, &slave, 2, "", NULL);
        second = connect_ha(f, 2);
        CONFD_SET_STR(&id, "n2");
        CONFD_SET_STR(&master.nodeid, "n1");
        CHECK(f, inet_pton(AF_INET, address_of(f, 1), &master.addr.ip4) == 1);
        CHECK(f, confd_ha_beslave(second, &id, &master, 1) == CONFD_ERR && confd_errno == CONFD_ERR_HA_BADFXS);
        CHECK(f, kill(f->service.pid, SIGHUP) == 0);
        EXPECT(f, &f->service.trace, "*has been read again*");
        CHECK(f, confd_ha_beslave(second, &id, &master, 1) == CONFD_OK);
        CHECK_PROPERTY(f, "State", "'master'");
        child_end(&slave);
        child_done(&slave);
}

/* ---- many at once, and the bus itself ---- */

static void a_thousand_at_once_are_carried_out_or_told_to_wait(void **state) {
        enum { MANY = 1000 };
        struct call *calls[MANY];
        struct fixture *f = *state;
        unsigned ok = 0;

        for (unsigned i = 0; i < MANY; i++)
                calls[i] = call_start(f->root, "Apply", "a{ss}as", 1, kept(f, "/%u", i), "v", 0);
        for (unsigned i = 0; i < MANY; i++) {
                WAIT_FOR(f, calls[i]->done);
                ok += !calls[i]->error;
                CHECK(f, !calls[i]->error || streq(calls[i]->error, ERROR("Busy")));
        }
        CHECK(f, ok > 0);
        CHECK_PROPERTY(f, "Entries", kept(f, "%u", ok));
}

/* The node finds all of theirs at once, and then that of one who has asked for nothing yet. Some ask once and leave. */
static void come_before_another(struct fixture *f, struct call *(*ask)(struct client *), unsigned connections, unsigned leaving) {
        enum { EACH = 120 };
        struct call *last;

        CHECK(f, kill(f->service.pid, SIGSTOP) == 0);
        for (unsigned k = 0; k < connections; k++) {
                struct client *c = client_new(f, 0);

                for (unsigned i = 0; i < EACH; i++)
                        (void) ask(c);
        }
        for (unsigned k = 0; k < leaving; k++) {
                struct client *c = client_new(f, 0);

                (void) ask(c);
                CHECK(f, sd_bus_flush(c->bus) >= 0);
                client_leave(c);
        }
        last = ask(client_new(f, 0));
        CHECK(f, kill(f->service.pid, SIGCONT) == 0);
        (void) WAIT_CALL_OK(f, last);
        if (leaving > 0)
                return;
        for (struct client *c = f->clients; c; c = c->next)
                for (struct call *i = c->calls; i; i = i->next) {
                        WAIT_FOR(f, i->done);
                        CHECK(f, !i->error || streq(i->error, ERROR("Busy")));
                }
}

static struct call *ask_for_a_value(struct client *c) {
        return call_start(c, "Get", "s", "/v");
}

static struct call *apply_one(struct client *c) {
        return call_start(c, "Apply", "a{ss}as", 1, "/v", "other", 0);
}

static void whoever_fills_the_places_of_readers_leaves_some(void **state) {
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 1, "/v", "value", 0);
        come_before_another(f, ask_for_a_value, 12, 0);
}

static void readers_who_leave_leave_no_places_behind(void **state) {
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 1, "/v", "value", 0);
        come_before_another(f, ask_for_a_value, 8, 300);
}

static void whoever_fills_the_places_of_writers_leaves_some(void **state) {
        come_before_another(*state, apply_one, 8, 0);
}

/* The bus takes so much of one sender and no more; what has no place there must not lie in the node's memory, and nothing
 * of it may last once they are gone. */
static void answers_that_nobody_takes_do_not_fill_the_memory(void **state) {
        struct fixture *f = *state;
        sd_bus *greedy[GREEDY] = {};
        unsigned long most;

        open_greedy(f, greedy);
        most = node_kib(f, "VmHWM");
        close_greedy(greedy);
        if (most > 150UL * 1024)
                give_up(f, __FILE__, __LINE__, kept(f, "its memory was %lu KiB", most));
        check_value(f, "/w", "w");
}

static void it_ends_while_the_bus_is_full(void **state) {
        struct fixture *f = *state;
        sd_bus *greedy[GREEDY] = {};

        open_greedy(f, greedy);
        CHECK(f, service_stop(f) == 0);
        close_greedy(greedy);
}

static void a_name_that_is_taken_is_an_error(void **state) {
        struct child other = { .trace.name = "other" };
        struct fixture *f = *state;

        start_node(f, &other, 2, NAME, NULL);
        WAIT_FOR(f, child_has_ended(&other));
        CHECK(f, WIFEXITED(other.status) && WEXITSTATUS(other.status) == 1);
        CHECK_PROPERTY(f, "State", "'none'");
        child_done(&other);
}

static void a_bus_that_comes_back_is_found_again(void **state) {
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 1, "/a", "1", 0);
        bus_end(f);
        bus_start(f);
        service_wait_name(f);
        check_value(f, "/a", "1");
        OK(f, "Apply", "a{ss}as", 1, "/a", "2", 0);
}

/* Somebody else was faster: the bus tells that by an answer, not by an error. */
static void a_name_that_is_lost_to_another_is_taken_when_it_is_free(void **state) {
        struct fixture *f = *state;

        CHECK(f, kill(f->service.pid, SIGSTOP) == 0);
        bus_end(f);
        bus_start(f);
        CHECK(f, sd_bus_request_name(f->root->bus, NAME, 0) >= 0);
        CHECK(f, kill(f->service.pid, SIGCONT) == 0);
        EXPECT(f, &f->service.trace, "*annot take the name " NAME "*");
        CHECK(f, trace_count(&f->service.trace, "*is offered as*") == 0);
        CHECK(f, sd_bus_release_name(f->root->bus, NAME) >= 0);
        service_wait_name(f);
        OK(f, "Apply", "a{ss}as", 1, "/a", "1", 0);
        check_value(f, "/a", "1");
}

/* What replicates does not wait for what only looks at it. */
static void a_bus_that_hangs_keeps_no_node_from_its_start(void **state) {
        struct fixture *f = *state;
        int sock;

        CHECK(f, service_stop(f) == 0);
        CHECK(f, kill(f->daemon.pid, SIGSTOP) == 0);
        start_node(f, &f->service, 1, NAME, NULL);
        sock = connect_ha(f, 1);
        be_master(f, sock);
        EXPECT(f, &f->service.trace, "*the bus does not answer*");
        CHECK(f, kill(f->daemon.pid, SIGCONT) == 0);
        service_wait_name(f);
        CHECK_PROPERTY(f, "State", "'master'");
        safe_close(sock);
}

static void data_survives_a_crash(void **state) {
        struct fixture *f = *state;

        OK(f, "Apply", "a{ss}as", 1, "/a", "1", 0);
        CHECK(f, kill(f->service.pid, SIGKILL) == 0);
        CHECK(f, service_wait_exit(f) == 128 + SIGKILL);
        start_node(f, &f->service, 1, NAME, NULL);
        service_wait_name(f);
        check_value(f, "/a", "1");
        CHECK_PROPERTY(f, "Entries", "1");
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define PHASE0(name) cmocka_unit_test_setup_teardown(name, setup_phase0, teardown)
        const struct CMUnitTest tests[] = {
                T(what_is_applied_can_be_read),
                T(introspection_equals_the_xml),
                T(an_apply_is_all_or_nothing),
                T(keys_have_1_to_511_bytes_and_begin_with_a_slash),
                T(values_have_8_mib_and_an_apply_has_16),
                T(a_list_is_by_prefix_and_in_the_order_of_keys),
                T(a_list_comes_in_pages_of_4_mib),
                PHASE0(phases_only_go_up),
                PHASE0(writes_are_taken_in_phase_2_only_and_orders_from_phase_1_on),
                T(the_configuration_says_in_which_phase_it_starts),
                T(slaves_are_listed_with_how_far_they_are),
                T(who_joins_is_read_only),
                PHASE0(changed_properties_are_told),
                T(a_hangup_reloads_and_says_what_takes_a_restart),
                T(a_hangup_reads_the_access_secret_again),
                T(a_reload_of_a_master_takes_another_schema),
                T(a_thousand_at_once_are_carried_out_or_told_to_wait),
                T(whoever_fills_the_places_of_readers_leaves_some),
                T(readers_who_leave_leave_no_places_behind),
                T(whoever_fills_the_places_of_writers_leaves_some),
                T(answers_that_nobody_takes_do_not_fill_the_memory),
                T(it_ends_while_the_bus_is_full),
                T(a_name_that_is_taken_is_an_error),
                T(a_bus_that_comes_back_is_found_again),
                T(a_name_that_is_lost_to_another_is_taken_when_it_is_free),
                T(a_bus_that_hangs_keeps_no_node_from_its_start),
                T(data_survives_a_crash),
        };

        return cmocka_run_group_tests_name("node-bus", tests, NULL, NULL);
}
