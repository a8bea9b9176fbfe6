/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof of confd-had as a program: configuration, secrets, reload, what it tells its manager, its end. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness.h"

enum { EXIT_CONFIG = 78 };

static int run(struct fixture *f, const char *a, const char *b) {
        const char *const arguments[] = { a, b, NULL };

        f->dies = true;
        service_start_with(f, arguments);
        return service_wait_exit(f);
}

static void help_and_version(void **state) {
        struct fixture *f = *state;

        CHECK(f, run(f, "--help", NULL) == 0);
        WAIT_FOR(f, trace_count(&f->service.trace, "*--config*") > 0);
        CHECK(f, run(f, "--version", NULL) == 0);
        CHECK(f, run(f, "--no-such-option", NULL) != 0);
        CHECK(f, run(f, "--config", NULL) != 0);
        CHECK(f, run(f, "an-argument", NULL) != 0);
}

static void a_missing_file_is_an_error(void **state) {
        struct fixture *f = *state;

        CHECK(f, run(f, kept(f, "--config=%s/none.conf", f->dir), NULL) == EXIT_CONFIG);
        WAIT_FOR(f, trace_count(&f->service.trace, "*none.conf*") > 0);
}

static void bad_values_name_file_and_line(void **state) {
        static const struct {
                const char *text, *line;
        } table[] = {
                { "[ConfD]\nAddress=localhost\n", "2" },
                { "[ConfD]\nAddress=127.0.0.1:0\n", "2" },
                { "[ConfD]\nAddress=127.0.0.1:65536\n", "2" },
                { "[ConfD]\nAddress=unix:relative\n", "2" },
                { "[ConfD]\nAddress=\n", "2" },
                { "[ConfD]\n# a comment\n\nRequestTimeoutSec=soon\n", "4" },
                { "[ConfD]\nRequestTimeoutSec=-1\n", "2" },
                { "[ConfD]\nRequestTimeoutSec=0\n", "2" },
                { "[ConfD]\nRequestTimeoutSec=1e3\n", "2" },
                { "[ConfD]\nRequestTimeoutSec=\n", "2" },
                { "[ConfD]\nSyncTimeoutSec=1 h\n", "2" },
                { "[ConfD]\nReconnectMinSec=x\n", "2" },
                { "[ConfD]\nReconnectMaxSec=0.5s\n", "2" },
                { "[ConfD]\nAllowAddressStrings=maybe\n", "2" },
                { "[ConfD]\nTokenFile=relative/token\n", "2" },
                { "[Roles]\nTargets=perhaps\n", "2" },
                { "[Roles]\nGraceSec=ten\n", "2" },
                { "[ConfD]\nthis is no assignment\n", "2" },
                { "[ConfD\nAddress=127.0.0.1:4565\n", "1" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                size_t before = f->service.trace.n;
                int status;

                configure(f, table[i].text);
                status = run(f, kept(f, "--config=%s", f->config), NULL);
                if (status != EXIT_CONFIG)
                        give_up(f, __FILE__, __LINE__, kept(f, "exit status %d for %s", status, table[i].text));
                if (trace_find(&f->service.trace, before, kept(f, "*/confd-ha.conf.d/50-test.conf:%s:*", table[i].line)) < 0)
                        give_up(f, __FILE__, __LINE__, kept(f, "file and line not named for %s", table[i].text));
        }
        CHECK(f, trace_count(&f->notify, "READY=1") == 0);
}

static void unknown_keys_are_warnings(void **state) {
        struct fixture *f = *state;

        configure(f, "[ConfD]\nRequestTimeoutSec=5\nColour=green\n[Unheard]\nOf=yes\n");
        service_start(f);
        service_wait_connected(f);
        WAIT_FOR(f, trace_count(&f->service.trace, "*50-test.conf:3:*Colour*") == 1);
        WAIT_FOR(f, trace_count(&f->service.trace, "*50-test.conf:5:*") == 1);
}

static void drop_ins_are_read_in_order(void **state) {
        struct fixture *f = *state;

        write_file(f, "confd-ha.conf.d/90-last.conf", "[ConfD]\nAddress=unix:/last\n");
        write_file(f, "confd-ha.conf.d/95-other.txt", "[ConfD]\nAddress=unix:/never\n");
        configure(f, "[ConfD]\nAddress=unix:/middle\n");
        service_start(f);
        service_wait_name(f);
        CHECK_PROPERTY(f, "ConfdAddress", "'unix:/last'");
}

/* READY comes when the name is held, and STATUS says at all times how things are. */
static void the_manager_is_told(void **state) {
        struct fixture *f = *state;

        service_start(f);
        EXPECT(f, &f->notify, "READY=1");
        CHECK_PROPERTY(f, "Version", "'*'");
        service_wait_connected(f);
        CALL_OK(f, "BeSlave", "sssb", "n2", "the-master", "10.0.0.1", true);
        EXPECT(f, &f->notify, "STATUS=*slave*the-master*");
        sim(f, "stop_listening");
        sim(f, "{close,both}");
        EXPECT(f, &f->notify, kept(f, "STATUS=*%s*", f->sim_address));
        sim(f, "listen");
        EXPECT(f, &f->notify, "STATUS=*slave*");
        CALL_OK(f, "Reload", "");
        EXPECT(f, &f->notify, "RELOADING=1");
        EXPECT(f, &f->notify, "READY=1");
        CHECK(f, service_stop(f) == 0);
        EXPECT(f, &f->notify, "STOPPING=1");
}

static void the_watchdog_is_fed(void **state) {
        struct fixture *f = *state;

        f->service_env[0] = "WATCHDOG_USEC=400000";
        service_start(f);
        service_wait_connected(f);
        for (int i = 0; i < 3; i++)
                EXPECT(f, &f->notify, "WATCHDOG=1");
}

static void sigterm_leaves_the_role(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK(f, service_stop(f) == 0);
        CHECK(f, sim_count(f, "{order,{3}}") == 0);
        EXPECT(f, &f->sim.trace, "{closed,*}");
}

static void sigterm_with_orders_under_way(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,sync,manual}");
        (void) call_start(f->root, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        SIM_EXPECT(f, "{order,{2,*");
        sim(f, "{on,5,hang}");
        (void) call_start(f->root, "SlaveDead", "s", "n7");
        SIM_EXPECT(f, "{order,{5,*");
        CHECK(f, service_stop(f) == 0);
}

static void losing_the_bus_is_an_error(void **state) {
        struct fixture *f = *state;
        int status;

        f->dies = true;
        child_end(&f->daemon);
        status = service_wait_exit(f);
        CHECK(f, status > 0 && status < 128 && status != EXIT_CONFIG);
}

static void without_a_bus_it_does_not_start(void **state) {
        struct fixture *f = *state;
        int status;

        child_end(&f->daemon);
        status = run(f, kept(f, "--config=%s", f->config), NULL);
        CHECK(f, status > 0 && status < 128 && status != EXIT_CONFIG);
        CHECK(f, trace_count(&f->notify, "READY=1") == 0);
}

static void the_name_is_held_once(void **state) {
        struct fixture *f = *state;
        struct child first = f->service;
        int status;

        /* A second one beside it; the harness's handle of the first is put back for its end. */
        f->service = (struct child) { .trace = { .name = "service" } };
        sd_event_source_set_userdata(first.source, &first);
        service_start(f);
        status = service_wait_exit(f);
        CHECK(f, status > 0 && status < 128);
        child_done(&f->service);
        f->service = first;
        sd_event_source_set_userdata(f->service.source, &f->service);
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK(f, sim_count(f, "{hello,ha,*") == 1); /* the second one never came near ConfD */
}

/* Secrets */

static void starts_without_token(struct fixture *f, const char *path) {
        const char *message;

        service_start(f);
        service_wait_name(f);
        EXPECT(f, &f->notify, "READY=1");
        message = CALL_FAILS(f, HAD_ERROR("NoToken"), "BeMaster", "s", "n1");
        CHECK(f, strstr(message, path));
        CALL_FAILS(f, HAD_ERROR("NoToken"), "Status", "");
        CHECK_PROPERTY(f, "LastError", kept(f, "('org.confd.HA.Error.NoToken' '*%s*' *)", path));
        CHECK_PROPERTY(f, "Connected", "false");
        WAIT_FOR(f, trace_count(&f->notify, kept(f, "STATUS=*%s*", path)) > 0);
        WAIT_FOR(f, trace_count(&f->service.trace, kept(f, "*%s*", path)) > 0);
        CHECK(f, sim_count(f, "{hello,*") == 0);
}

static void no_token(void **state) {
        struct fixture *f = *state;
        const char *path = in_dir(f, "token");

        CHECK(f, unlink(path) == 0);
        starts_without_token(f, path);
        CHECK_PROPERTY(f, "LastError", "('org.confd.HA.Error.NoToken' '*openssl rand -hex 32*' *)");
        WAIT_FOR(f, trace_count(&f->notify, "STATUS=*openssl rand -hex 32*") > 0);
        WAIT_FOR(f, trace_count(&f->service.trace, "*openssl rand -hex 32*") > 0);
        /* The file and a reload are all it takes. */
        (void) write_file(f, "token", "late\n");
        CALL_OK(f, "Reload", "");
        SIM_EXPECT(f, "{token,<<\"late\">>}");
        WAIT_PROPERTY(f, "Connected", "true");
        WAIT_PROPERTY(f, "LastError", "('' '' 0)");
}

static void an_empty_token_is_none(void **state) {
        struct fixture *f = *state;

        starts_without_token(f, write_file(f, "token", "\n"));
}

static void a_token_for_all_to_read_is_refused(void **state) {
        struct fixture *f = *state;
        const char *path = in_dir(f, "token");

        CHECK(f, chmod(path, 0644) == 0);
        starts_without_token(f, path);
        CHECK(f, chmod(path, 0640) == 0);
        CALL_OK(f, "Reload", "");
        WAIT_PROPERTY(f, "Connected", "true");
}

static void a_token_has_1_to_255_bytes(void **state) {
        struct fixture *f = *state;
        char token[258];

        memset(token, 't', sizeof(token));
        token[256] = 0;
        starts_without_token(f, write_file(f, "token", "%s\n", token));
        token[255] = 0;
        (void) write_file(f, "token", "%s\n", token);
        CALL_OK(f, "Reload", "");
        SIM_EXPECT(f, kept(f, "{token,<<\"%s\">>}", token));
        /* One newline is dropped, not two. */
        (void) write_file(f, "token", "two\n\n");
        CALL_OK(f, "Reload", "");
        SIM_EXPECT(f, "{token,<<\"two\\n\">>}");
        /* A NUL would end it elsewhere. */
        (void) write_file(f, "token", "a%cb\n", 0);
        CALL_FAILS(f, "*", "Reload", "");
}

static void a_credential_wins(void **state) {
        struct fixture *f = *state;
        const char *dir = in_dir(f, "credentials");

        CHECK(f, mkdir(dir, 0700) == 0);
        (void) write_file(f, "credentials/ha-token", "from the credential\n");
        f->service_env[0] = kept(f, "CREDENTIALS_DIRECTORY=%s", dir);
        service_start(f);
        SIM_EXPECT(f, "{token,<<\"from the credential\">>}");
        /* And changes only by restart. */
        service_wait_connected(f);
        (void) write_file(f, "token", "another\n");
        CALL_OK(f, "Reload", "");
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK(f, sim_count(f, "{token,*") == 1);
}

static void an_access_credential_wins_too(void **state) {
        struct fixture *f = *state;
        const char *dir = in_dir(f, "credentials");

        CHECK(f, mkdir(dir, 0700) == 0);
        (void) write_file(f, "credentials/ipc-access", "the secret");
        sim(f, "{set,secret,<<\"the secret\">>}");
        f->service_env[0] = kept(f, "CREDENTIALS_DIRECTORY=%s", dir);
        service_start(f);
        service_wait_connected(f);
        CHECK(f, sim_count(f, "{access,ok}") == 2);
}

/* Reload */

static void reload_without_changes_keeps_the_connection(void **state) {
        struct fixture *f = *state;

        configure(f, "[ConfD]\nRequestTimeoutSec=0.5\n");
        CALL_OK(f, "Reload", "");
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK(f, sim_count(f, "{hello,*") == 2);
        /* The new time holds all the same. */
        sim(f, "{on,1,hang}");
        CALL_FAILS(f, HAD_ERROR("Timeout"), "BeMaster", "s", "n1");
}

static void reload_takes_a_new_token(void **state) {
        struct fixture *f = *state;

        (void) write_file(f, "token", "the new one\n");
        CALL_OK(f, "Reload", "");
        SIM_EXPECT(f, "{token,<<\"the new one\">>}");
        WAIT_PROPERTY(f, "Connected", "true");
        CHECK(f, trace_count(&f->root->trace, "*Displaced*") == 0);
        CALL_OK(f, "BeMaster", "s", "n1");
}

static void reload_takes_a_new_address(void **state) {
        struct fixture *f = *state;

        sim(f, "{listen,{unix,\"%s/elsewhere\"}}", f->dir);
        CHECK(f, sim_count(f, "{hello,*") == 2);
        configure(f, kept(f, "[ConfD]\nAddress=unix:%s/elsewhere\n", f->dir));
        CALL_OK(f, "Reload", "");
        SIM_EXPECT(f, "{token,*");
        WAIT_PROPERTY(f, "Connected", "true");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CHECK_PROPERTY(f, "ConfdAddress", kept(f, "'unix:%s/elsewhere'", f->dir));
        EXPECT(f, &f->root->trace, "changed* ConfdAddress='*/elsewhere'*");
        CHECK(f, sim_count(f, "{hello,*") == 4);
}

static void a_bad_file_changes_nothing(void **state) {
        struct fixture *f = *state;
        const char *message;

        configure(f, "[ConfD]\nAddress=unix:/elsewhere\nRequestTimeoutSec=never\n");
        message = CALL_FAILS(f, "org.*", "Reload", "");
        CHECK(f, strstr(message, "50-test.conf:3"));
        CHECK_PROPERTY(f, "ConfdAddress", kept(f, "'%s'", f->sim_address));
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK(f, sim_count(f, "{token,*") == 1);
}

static void a_lost_token_changes_nothing(void **state) {
        struct fixture *f = *state;
        const char *path = in_dir(f, "token");

        CHECK(f, unlink(path) == 0);
        CHECK(f, strstr(CALL_FAILS(f, "org.*", "Reload", ""), path));
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "Connected", "true");
        (void) write_file(f, "token", "the token\n");
        CHECK(f, chmod(path, 0644) == 0);
        CHECK(f, strstr(CALL_FAILS(f, "org.*", "Reload", ""), path));
        CHECK_PROPERTY(f, "Connected", "true");
        CHECK(f, sim_count(f, "{token,*") == 1);
}

/* The words name the file, and the bus takes no words that are not UTF-8. */
static void a_mistake_in_a_file_with_a_strange_name_is_told(void **state) {
        struct fixture *f = *state;
        const char *words;

        (void) write_file(f, "confd-ha.conf.d/\xff\x1b.conf", "[ConfD]\nRequestTimeoutSec=never\n");
        words = CALL_FAILS(f, HAD_ERROR("BadConfiguration"), "Reload", "");
        CHECK(f, strstr(words, "\\xff\\x1b.conf:2: "));
        CHECK(f, unlink(in_dir(f, "confd-ha.conf.d/\xff\x1b.conf")) == 0);
        CALL_OK(f, "Reload", "");
}

static void a_missing_access_file_changes_nothing(void **state) {
        struct fixture *f = *state;

        configure(f, kept(f, "[ConfD]\nAccessFile=%s/none\n", f->dir));
        CHECK(f, strstr(CALL_FAILS(f, "org.*", "Reload", ""), kept(f, "%s/none", f->dir)));
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK(f, sim_count(f, "{token,*") == 1);
}

static void an_access_file_for_all_to_read_is_refused(void **state) {
        struct fixture *f = *state;
        const char *path = write_file(f, "access", "secret");

        CHECK(f, chmod(path, 0644) == 0);
        configure(f, kept(f, "[ConfD]\nAccessFile=%s\n", path));
        CHECK(f, strstr(CALL_FAILS(f, "org.*", "Reload", ""), path));
        CALL_OK(f, "BeMaster", "s", "n1");
}

/* The same at the start: it runs, does not connect, and says why. */
static void no_access_file_at_the_start(void **state) {
        struct fixture *f = *state;
        const char *path = in_dir(f, "access");

        configure(f, kept(f, "[ConfD]\nAccessFile=%s\n", path));
        service_start(f);
        service_wait_name(f);
        CHECK(f, strstr(CALL_FAILS(f, HAD_ERROR("Secret"), "Status", ""), path));
        CHECK_PROPERTY(f, "LastError", kept(f, "('org.confd.HA.Error.Secret' '*%s*' *)", path));
        CHECK(f, sim_count(f, "{hello,*") == 0);
        (void) write_file(f, "access", "secret");
        CALL_OK(f, "Reload", "");
        WAIT_PROPERTY(f, "Connected", "true");
}

static void without_the_default_file_the_defaults_hold(void **state) {
        struct fixture *f = *state;
        static const char *const none[] = { NULL };

        if (access(CONFD_HA_SYSCONFDIR "/confd-ha", F_OK) == 0)
                skip(); /* this machine has one */
        service_start_with(f, none);
        service_wait_name(f);
        CHECK_PROPERTY(f, "ConfdAddress", "'127.0.0.1:4565'");
        CHECK_PROPERTY(f, "LastError", "('org.confd.HA.Error.NoToken' '*" CONFD_HA_SYSCONFDIR "/confd-ha/token*' *)");
}

static void orders_under_way_end_first(void **state) {
        struct fixture *f = *state;
        struct call *order, *reload;

        (void) write_file(f, "token", "the new one\n");
        sim(f, "{on,1,hold}");
        order = call_start(f->root, "BeMaster", "s", "n1");
        SIM_EXPECT(f, "{order,{1,<<\"n1\">>}}");
        reload = call_start(f->root, "Reload", "");
        barrier(f, f->root);
        CHECK(f, !order->done);
        sim(f, "release");
        WAIT_CALL_OK(f, order);
        WAIT_CALL_OK(f, reload);
        SIM_EXPECT(f, "{token,<<\"the new one\">>}");
        WAIT_PROPERTY(f, "State", "'master'");
}

/* It does not wait for ConfD. */
static void reload_while_nobody_answers(void **state) {
        struct fixture *f = *state;

        sim(f, "stop_listening");
        service_start(f);
        service_wait_name(f);
        CALL_OK(f, "Reload", "");
        sim(f, "listen");
        sim(f, "{set,handshake,silent}");
        configure(f, "[ConfD]\nRequestTimeoutSec=60\n");
        CALL_OK(f, "Reload", "");
        SIM_EXPECT(f, "{hello,*");
        CALL_OK(f, "Reload", "");
}

static void sighup_reloads(void **state) {
        struct fixture *f = *state;

        (void) write_file(f, "token", "the new one\n");
        CHECK(f, kill(f->service.pid, SIGHUP) == 0);
        SIM_EXPECT(f, "{token,<<\"the new one\">>}");
        WAIT_PROPERTY(f, "Connected", "true");
        configure(f, "[ConfD]\nRequestTimeoutSec=never\n");
        CHECK(f, kill(f->service.pid, SIGHUP) == 0);
        WAIT_FOR(f, trace_count(&f->service.trace, "*50-test.conf:2*") > 0);
        CALL_OK(f, "BeMaster", "s", "n1");
}

static void a_reload_before_the_name_is_held_is_not_told_as_ready(void **state) {
        struct fixture *f = *state;

        CHECK(f, kill(f->daemon.pid, SIGSTOP) == 0);
        service_start(f);
        EXPECT(f, &f->notify, "STATUS=*");
        CHECK(f, kill(f->service.pid, SIGHUP) == 0);
        WAIT_FOR(f, trace_count(&f->service.trace, "*has been read again*") > 0);
        idle(f, 0.1);
        CHECK(f, trace_count(&f->notify, "READY=1") == 0);
        CHECK(f, kill(f->daemon.pid, SIGCONT) == 0);
        EXPECT(f, &f->notify, "READY=1");
}

#define STOPPED BUS_TEST_STOPPED

int main(void) {
        static const struct CMUnitTest tests[] = {
                STOPPED(help_and_version),
                STOPPED(a_missing_file_is_an_error),
                STOPPED(bad_values_name_file_and_line),
                STOPPED(unknown_keys_are_warnings),
                STOPPED(drop_ins_are_read_in_order),
                STOPPED(the_manager_is_told),
                STOPPED(the_watchdog_is_fed),
                BUS_TEST(sigterm_leaves_the_role),
                BUS_TEST(sigterm_with_orders_under_way),
                BUS_TEST(losing_the_bus_is_an_error),
                STOPPED(without_a_bus_it_does_not_start),
                BUS_TEST(the_name_is_held_once),
                STOPPED(no_token),
                STOPPED(an_empty_token_is_none),
                STOPPED(a_token_for_all_to_read_is_refused),
                STOPPED(a_token_has_1_to_255_bytes),
                STOPPED(a_credential_wins),
                STOPPED(an_access_credential_wins_too),
                BUS_TEST(reload_without_changes_keeps_the_connection),
                BUS_TEST(reload_takes_a_new_token),
                BUS_TEST(reload_takes_a_new_address),
                BUS_TEST(a_bad_file_changes_nothing),
                BUS_TEST(a_lost_token_changes_nothing),
                BUS_TEST(a_mistake_in_a_file_with_a_strange_name_is_told),
                BUS_TEST(a_missing_access_file_changes_nothing),
                BUS_TEST(an_access_file_for_all_to_read_is_refused),
                STOPPED(no_access_file_at_the_start),
                STOPPED(without_the_default_file_the_defaults_hold),
                BUS_TEST(orders_under_way_end_first),
                STOPPED(reload_while_nobody_answers),
                BUS_TEST(sighup_reloads),
                STOPPED(a_reload_before_the_name_is_held_is_not_told_as_ready),
        };

        return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
