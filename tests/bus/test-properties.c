/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof of what the object shows: properties, signals, introspection, the log's interface. */
#include <stdio.h>
#include <sys/wait.h>

#include "harness.h"

static struct call *get(struct client *c, const char *name) {
        return call_start_member(c, HAD_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", HAD_INTERFACE, name);
}

static void all_exist_from_the_start(void **state) {
        static const struct {
                const char *name, *value;
        } table[] = {
                { "Version", "'?*'" },          { "State", "'unknown'" },       { "NodeId", "''" },
                { "Master", "('' '')" },        { "Slaves", "[]" },             { "Connected", "false" },
                { "EventsConnected", "false" }, { "Synchronizing", "false" },   { "ConfdAddress", "'unix:*'" },
                { "ConfdVersion", "''" },       { "ProtocolVersion", "0" },     { "LastError", "('*' '*' *)" },
                { "StateSince", "*" },          { "Transitions", "0" },
        };
        struct fixture *f = *state;
        struct client *anybody;
        const char *all;
        uint64_t begun = now_realtime();

        sim(f, "stop_listening");
        service_start(f);
        service_wait_name(f);
        anybody = client_new(f, geteuid() == 0 ? NOBODY : 0);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const char *pattern = streq(table[i].value, "'?*'") ? "'*.*'" : table[i].value;

                CHECK_TEXT(f, WAIT_CALL_OK(f, get(anybody, table[i].name)), pattern);
        }
        all = WAIT_CALL_OK(f, call_start_member(anybody, HAD_PATH, "org.freedesktop.DBus.Properties", "GetAll", "s",
                                                HAD_INTERFACE));
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                CHECK(f, strstr(all, kept(f, "'%s': ", table[i].name)));
        /* At first the start of the service. */
        {
                uint64_t since = strtoull(property(f, "StateSince"), NULL, 10);

                CHECK(f, since >= begun && since <= now_realtime());
        }
}

static void signatures_are_as_told(void **state) {
        static const struct {
                const char *name, *type;
        } table[] = {
                { "Version", "s" },       { "State", "s" },           { "NodeId", "s" },       { "Master", "(ss)" },
                { "Slaves", "a(ss)" },    { "Connected", "b" },       { "EventsConnected", "b" },
                { "Synchronizing", "b" }, { "ConfdAddress", "s" },    { "ConfdVersion", "s" }, { "ProtocolVersion", "u" },
                { "LastError", "(sst)" }, { "StateSince", "t" },      { "Transitions", "t" },
        };
        struct fixture *f = *state;
        const char *xml = WAIT_CALL_OK(f, call_start_member(f->root, HAD_PATH, "org.freedesktop.DBus.Introspectable",
                                                            "Introspect", ""));

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                CHECK(f, strstr(xml, kept(f, "<property name=\"%s\" type=\"%s\" access=\"read\"", table[i].name,
                                          table[i].type)));
}

static void the_version_is_the_programs(void **state) {
        struct fixture *f = *state;
        struct child version = { .trace = { .name = "version" } };
        const char *const argv[] = { getenv("CONFD_HAD"), "--version", NULL };
        const char *ours;

        child_start(&version, f->event, argv, NULL);
        WAIT_FOR(f, child_has_ended(&version));
        ours = property(f, "Version");
        ours = kept(f, "*%.*s*", (int) strlen(ours) - 2, ours + 1);
        CHECK(f, trace_find(&version.trace, 0, ours) >= 0);
        CHECK(f, WIFEXITED(version.status) && WEXITSTATUS(version.status) == 0);
        child_done(&version);
}

static void every_change_is_told_with_its_value(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        CHECK(f, trace_count(&f->root->trace, "changed* State='slave'*") == 1);
        CHECK(f, trace_count(&f->root->trace, "changed* NodeId='n2'*") == 1);
        CHECK(f, trace_count(&f->root->trace, "changed* Master=('n1' '10.0.0.1')*") == 1);
        CHECK(f, trace_count(&f->root->trace, "changed* Synchronizing=true*") == 1);
        CHECK(f, trace_count(&f->root->trace, "changed* Synchronizing=false*") == 1);
        CHECK(f, trace_count(&f->root->trace, "changed* StateSince=*") >= 1);
        CHECK(f, trace_count(&f->root->trace, "changed* Transitions=2*") == 1);
        sim(f, "{close,both}");
        EXPECT(f, &f->root->trace, "changed* Connected=false*");
        EXPECT(f, &f->root->trace, "changed* Connected=true*");
        CHECK(f, trace_count(&f->root->trace, "changed* EventsConnected=false*") == 1);
        CHECK(f, trace_count(&f->root->trace, "changed* ConfdVersion=''*") == 1);
        CHECK(f, trace_count(&f->root->trace, "changed* ProtocolVersion=0*") == 1);
        WAIT_FOR(f, trace_count(&f->root->trace, "changed* ProtocolVersion=82*") >= 1);
        /* None is told without its value. */
        CHECK(f, trace_count(&f->root->trace, "changed* -*") == 0);
        CHECK(f, trace_count(&f->root->trace, "changed* Version=*") == 0);
        CHECK(f, trace_count(&f->root->trace, "changed* ConfdAddress=*") == 0);
}

static void what_stays_is_not_told(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        trace_skip(&f->root->trace);
        CALL_OK(f, "Status", "");
        CALL_OK(f, "Status", "");
        sim(f, "{event,{5,0}}");
        sim(f, "{arrive,<<\"n2\">>,{10,0,0,2}}");
        EXPECT(f, &f->root->trace, "signal SlaveArrived*");
        CHECK(f, trace_count(&f->root->trace, "changed* State='master'*") == 1);
        CHECK(f, trace_count(&f->root->trace, "changed* NodeId='n1'*") == 1);
        CHECK(f, trace_count(&f->root->trace, "changed") == 0);
}

static void transitions_and_their_time(void **state) {
        struct fixture *f = *state;
        uint64_t before, after;

        /* From unknown to none. */
        CHECK_PROPERTY(f, "Transitions", "1");
        before = strtoull(property(f, "StateSince"), NULL, 10);
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "Transitions", "2");
        after = strtoull(property(f, "StateSince"), NULL, 10);
        CHECK(f, after > before && after <= now_realtime());
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "Transitions", "2");
        CHECK_PROPERTY(f, "StateSince", kept(f, "%llu", (unsigned long long) after));
        sim(f, "{close,both}");
        EXPECT(f, &f->root->trace, "signal StateChanged 'unknown' 'master' 'connected'");
        CHECK_PROPERTY(f, "Transitions", "4");
}

static void a_lost_master_is_told(void **state) {
        static const struct {
                int code;
                const char *name;
        } table[] = { { 26, "Closed" }, { 31, "NoTick" } };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const char *name = kept(f, "org.confd.HA.Error.%s", table[i].name);

                CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
                trace_skip(&f->root->trace);
                sim(f, "{master_lost,%d}", table[i].code);
                EXPECT(f, &f->root->trace, "changed* State='none'*");
                EXPECT(f, &f->root->trace, kept(f, "signal MasterLost '%s'", name));
                EXPECT(f, &f->root->trace, "signal StateChanged 'slave' 'none' 'master-lost'");
                CHECK_PROPERTY(f, "Master", "('' '')");
                CHECK_PROPERTY(f, "NodeId", "''");
                CHECK_PROPERTY(f, "LastError", kept(f, "('%s' '*' *)", name));
        }
        CHECK(f, trace_count(&f->root->trace, "signal MasterLost*") == 2);
}

static void others_change_the_state_too(void **state) {
        struct fixture *f = *state;

        sim(f, "{state,master,none,[]}");
        sim(f, "{event,{5,0}}");
        EXPECT(f, &f->root->trace, "changed* State='master'*");
        EXPECT(f, &f->root->trace, "signal StateChanged 'none' 'master' 'external'");
        sim(f, "{state,none,none,[]}");
        sim(f, "{event,{6,0}}");
        EXPECT(f, &f->root->trace, "signal StateChanged 'master' 'none' 'external'");
}

static void the_address_is_shown_as_ordered(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        /* ConfD may see the master under another address of it. */
        sim(f, "{state,slave,{<<\"n1\">>,{192,168,0,1}},[]}");
        CALL_OK(f, "Status", "");
        CHECK_PROPERTY(f, "Master", "('n1' '10.0.0.1')");
}

static void last_error_and_when_it_goes(void **state) {
        struct fixture *f = *state;
        const char *error;
        unsigned long long when = 0;
        uint64_t begun = now_realtime();

        CHECK_PROPERTY(f, "LastError", "('' '' 0)");
        sim(f, "{on,1,{reply,{error,30}}}");
        CALL_FAILS(f, HAD_ERROR("Bind"), "BeMaster", "s", "n1");
        EXPECT(f, &f->root->trace, "changed* LastError=('org.confd.HA.Error.Bind' *");
        EXPECT(f, &f->root->trace, "error BeMaster *");
        error = property(f, "LastError");
        CHECK(f, sscanf(strrchr(error, ' '), "%llu", &when) == 1);
        CHECK(f, when >= begun && when <= now_realtime());
        /* It stays after success, and what was no failure of an order or a connection does not change it. */
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "LastError", error);
        CALL_FAILS(f, "org.freedesktop.DBus.Error.InvalidArgs", "BeMaster", "s", "");
        CHECK_PROPERTY(f, "LastError", error);
        /* A connection's error takes its place, and goes with the next connection. */
        sim(f, "stop_listening");
        sim(f, "{close,both}");
        WAIT_PROPERTY(f, "LastError", "('org.confd.HA.Error.NotConnected' '*' *)");
        sim(f, "listen");
        WAIT_PROPERTY(f, "LastError", "('' '' 0)");
        EXPECT(f, &f->root->trace, "changed* LastError=('' '' 0)*");
}

static void the_name_is_kept_over_restarts(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1 \303\274\\");
        CHECK(f, service_stop(f) == 0);
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "State", "'master'");
        CHECK_PROPERTY(f, "NodeId", "'n1 \303\274\\'");
        CALL_OK(f, "BeNone", "");
        CHECK(f, service_stop(f) == 0);
        sim(f, "{state,master,none,[]}");
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "State", "'master'");
        CHECK_PROPERTY(f, "NodeId", "''");
}

static void the_name_is_kept_over_a_crash(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        child_end(&f->service);
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "NodeId", "'n2'");
}

static void the_name_goes_with_the_role(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK(f, service_stop(f) == 0);
        sim(f, "{state,none,none,[]}");
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "State", "'none'");
        CHECK_PROPERTY(f, "NodeId", "''");
}

static void a_spoilt_name_file_harms_nothing(void **state) {
        struct fixture *f = *state;
        char name[600];

        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK(f, service_stop(f) == 0);
        /* Whatever the service calls its files: all of them hold too much that is no name. */
        memset(name, '\001', sizeof(name) - 1);
        name[sizeof(name) - 1] = 0;
        {
                const char *const argv[] = { "/bin/sh", "-c", "for f in \"$1\"/*; do printf %s \"$2\" >\"$f\"; done",
                                             "sh", in_dir(f, "run"), name, NULL };
                struct child shell = { .trace = { .name = "shell" } };

                child_start(&shell, f->event, argv, NULL);
                WAIT_FOR(f, child_has_ended(&shell));
                child_done(&shell);
        }
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "State", "'master'");
        CHECK_PROPERTY(f, "NodeId", "''");
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "NodeId", "'n1'");
}

static void a_refused_name_is_not_taken(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{on,1,{reply,{error,30}}}");
        CALL_FAILS(f, HAD_ERROR("Bind"), "BeMaster", "s", "n9");
        CHECK_PROPERTY(f, "NodeId", "'n1'");
}

static void introspection_equals_the_xml(void **state) {
        struct fixture *f = *state;

        check_introspection(f, getenv("CONFD_HA_XML") ?: "org.confd.HA.xml");
}

static struct call *log_control(struct client *c, const char *what, const char *name, const char *value) {
        const char *path = "/org/freedesktop/LogControl1", *interface = "org.freedesktop.LogControl1";

        if (value)
                return call_start_member(c, path, "org.freedesktop.DBus.Properties", what, "ssv", interface, name, "s",
                                         value);
        return call_start_member(c, path, "org.freedesktop.DBus.Properties", what, "ss", interface, name);
}

static void the_log_is_controlled_by_root(void **state) {
        struct fixture *f = *state;
        struct call *call;

        CHECK_TEXT(f, WAIT_CALL_OK(f, log_control(f->root, "Get", "LogLevel", NULL)), "'info'");
        CHECK_TEXT(f, WAIT_CALL_OK(f, log_control(f->root, "Get", "SyslogIdentifier", NULL)), "'confd-had'");
        CHECK_TEXT(f, WAIT_CALL_OK(f, log_control(f->root, "Get", "LogTarget", NULL)), "'console'");
        WAIT_CALL_OK(f, log_control(f->root, "Set", "LogLevel", "debug"));
        CHECK_TEXT(f, WAIT_CALL_OK(f, log_control(f->root, "Get", "LogLevel", NULL)), "'debug'");
        call = log_control(f->root, "Set", "LogLevel", "loud");
        WAIT_FOR(f, call->done);
        CHECK(f, call->error);
        call = log_control(f->root, "Set", "LogTarget", "nowhere");
        WAIT_FOR(f, call->done);
        CHECK(f, call->error);
        CHECK_TEXT(f, WAIT_CALL_OK(f, log_control(f->root, "Get", "LogLevel", NULL)), "'debug'");
        WAIT_CALL_OK(f, log_control(f->root, "Set", "LogTarget", "null"));
        CHECK_TEXT(f, WAIT_CALL_OK(f, log_control(f->root, "Get", "LogTarget", NULL)), "'null'");
}

static void the_log_is_not_controlled_by_others(void **state) {
        struct fixture *f = *state;
        struct client *c;

        if (geteuid() != 0)
                skip();
        c = client_new(f, NOBODY);
        polkit_start(f, POLKIT_YES);
        CHECK_TEXT(f, WAIT_CALL_OK(f, log_control(c, "Get", "LogLevel", NULL)), "'info'");
        WAIT_CALL_FAILS(f, log_control(c, "Set", "LogLevel", "debug"), "org.freedesktop.DBus.Error.AccessDenied");
        WAIT_CALL_FAILS(f, log_control(c, "Set", "LogTarget", "null"), "org.freedesktop.DBus.Error.AccessDenied");
        CHECK_TEXT(f, WAIT_CALL_OK(f, log_control(f->root, "Get", "LogLevel", NULL)), "'info'");
        CHECK_TEXT(f, WAIT_CALL_OK(f, log_control(f->root, "Get", "LogTarget", NULL)), "'console'");
}

/* Entries about orders ignore the level. */
static void orders_are_logged_at_every_level(void **state) {
        struct fixture *f = *state;
        size_t before;

        WAIT_CALL_OK(f, log_control(f->root, "Set", "LogLevel", "emerg"));
        before = f->service.trace.n;
        CALL_OK(f, "BeMaster", "s", "a-name-to-look-for");
        WAIT_FOR(f, trace_find(&f->service.trace, before, "*a-name-to-look-for*") >= 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                BUS_TEST_STOPPED(all_exist_from_the_start),
                BUS_TEST(signatures_are_as_told),
                BUS_TEST(the_version_is_the_programs),
                BUS_TEST(every_change_is_told_with_its_value),
                BUS_TEST(what_stays_is_not_told),
                BUS_TEST(transitions_and_their_time),
                BUS_TEST(a_lost_master_is_told),
                BUS_TEST(others_change_the_state_too),
                BUS_TEST(the_address_is_shown_as_ordered),
                BUS_TEST(last_error_and_when_it_goes),
                BUS_TEST(the_name_is_kept_over_restarts),
                BUS_TEST(the_name_is_kept_over_a_crash),
                BUS_TEST(the_name_goes_with_the_role),
                BUS_TEST(a_spoilt_name_file_harms_nothing),
                BUS_TEST(a_refused_name_is_not_taken),
                BUS_TEST(introspection_equals_the_xml),
                BUS_TEST(the_log_is_controlled_by_root),
                BUS_TEST(the_log_is_not_controlled_by_others),
                BUS_TEST(orders_are_logged_at_every_level),
        };

        return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}
