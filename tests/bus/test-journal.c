/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that what happens is in the journal, by the message ids and fields that are promised. */
#include <sys/socket.h>
#include <sys/un.h>

#include "basic/message-ids.h"
#include "harness.h"

static void with_journal(struct fixture *f) {
        if (geteuid() != 0)
                skip();
        journal_start(f);
        service_start(f);
        service_wait_connected(f);
}

#define HAS(f, line, field) \
        do { \
                if (!strstr((line), "{" field "}")) \
                        give_up((f), __FILE__, __LINE__, "no field " field); \
        } while (0)
#define HAS_NOT(f, line, name) CHECK(f, !strstr((line), "{" name "="))

static void orders_are_entries(void **state) {
        struct fixture *f = *state;
        const char *line;

        with_journal(f);
        systemd_start(f);
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER);
        HAS(f, line, "PRIORITY=6");
        HAS(f, line, "CONFD_HA_METHOD=BeSlave");
        HAS(f, line, "CONFD_HA_RESULT=done");
        HAS(f, line, "CONFD_HA_NODE_ID=n2");
        HAS(f, line, "CONFD_HA_MASTER_ID=n1");
        HAS(f, line, "CONFD_HA_MASTER_ADDRESS=10.0.0.1");
        HAS(f, line, "CONFD_HA_SENDER_UID=0");
        HAS(f, line, "CONFD_HA_SENDER_UNIT=keepalived.service");
        CHECK(f, strstr(line, kept(f, "{CONFD_HA_SENDER_PID=%ld}", (long) getpid())));
        CHECK(f, strstr(line, "{CONFD_HA_DURATION_USEC="));
        HAS_NOT(f, line, "CONFD_HA_ERROR");
        CALL_OK(f, "SlaveDead", "s", "n7");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER);
        HAS(f, line, "CONFD_HA_METHOD=SlaveDead");
        HAS(f, line, "CONFD_HA_PEER_ID=n7");
        CALL_OK(f, "Reload", "");
        JOURNAL_EXPECT(f, CONFD_HA_MSG_RELOADED);
        WAIT_FOR(f, trace_count(&f->journal.trace, "*{MESSAGE_ID=" CONFD_HA_MSG_ORDER "}*{CONFD_HA_METHOD=Reload}*") == 1);
}

static void failed_orders_are_warnings(void **state) {
        struct fixture *f = *state;
        const char *line;

        with_journal(f);
        sim(f, "{on,1,{reply,{error,30}}}");
        CALL_FAILS(f, HAD_ERROR("Bind"), "BeMaster", "s", "n1");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER_FAILED);
        HAS(f, line, "PRIORITY=4");
        HAS(f, line, "CONFD_HA_METHOD=BeMaster");
        HAS(f, line, "CONFD_HA_RESULT=org.confd.HA.Error.Bind");
        CHECK(f, strstr(line, "{CONFD_HA_ERROR="));
        /* No systemd answered, so there is no unit. */
        HAS_NOT(f, line, "CONFD_HA_SENDER_UNIT");
        CALL_FAILS_AS(f, client_new(f, NOBODY), "org.freedesktop.DBus.Error.AccessDenied", "BeMaster", "s", "n9");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER_FAILED);
        HAS(f, line, "CONFD_HA_NODE_ID=n9");
        HAS(f, line, "CONFD_HA_SENDER_UID=65534");
        HAS(f, line, "CONFD_HA_RESULT=org.freedesktop.DBus.Error.AccessDenied");
}

#define DENIED "*{MESSAGE_ID=" CONFD_HA_MSG_ORDER_FAILED "}*{CONFD_HA_RESULT=org.freedesktop.DBus.Error.AccessDenied}*"

/* Who may nothing can fill no journal. All the same nothing is lost: what has no entry is counted. */
static void denied_orders_are_told_few_and_counted(void **state) {
        struct fixture *f = *state;
        const char *line;

        with_journal(f);
        systemd_start(f);
        for (int i = 0; i < 30; i++)
                CALL_FAILS_AS(f, client_new(f, NOBODY), "org.freedesktop.DBus.Error.AccessDenied", "BeMaster", "s", "n9");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_REFUSALS);
        HAS(f, line, "PRIORITY=4");
        HAS(f, line, "CONFD_HA_COUNT=25");
        HAS(f, line, "CONFD_HA_SENDER_UID=65534");
        CHECK(f, strstr(line, "{CONFD_HA_DURATION_USEC="));
        CHECK(f, trace_count(&f->journal.trace, DENIED) == 5);
        /* Nor is systemd asked about each. */
        CHECK(f, trace_count(&f->systemd.trace, "GetUnitByPID *") == 5);
        /* Another user's, and what was carried out, are told. */
        CALL_FAILS_AS(f, client_new(f, OTHER_USER), "org.freedesktop.DBus.Error.AccessDenied", "BeMaster", "s", "n8");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER_FAILED);
        HAS(f, line, "CONFD_HA_SENDER_UID=1");
        CALL_OK(f, "BeMaster", "s", "n1");
        JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER);
}

static void calls_past_a_limit_are_entries(void **state) {
        struct fixture *f = *state;
        const char *line;

        with_journal(f);
        CALL_OK(f, "Status", "");
        sim(f, "{on,4,hang}");
        sim(f, "{on,5,hold}");
        for (int i = 0; i < 17; i++)
                (void) call_start(f->root, "SlaveDead", "s", "n9");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER_FAILED);
        HAS(f, line, "CONFD_HA_METHOD=SlaveDead");
        HAS(f, line, "CONFD_HA_RESULT=org.freedesktop.DBus.Error.LimitsExceeded");
        HAS(f, line, "CONFD_HA_SENDER_UID=0");
        for (int i = 0; i < 65; i++)
                (void) call_start(f->root, "Status", "");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_CALL_REFUSED);
        HAS(f, line, "CONFD_HA_METHOD=Status");
        HAS(f, line, "CONFD_HA_RESULT=org.freedesktop.DBus.Error.LimitsExceeded");
        sim(f, "release");
}

static void a_caller_who_does_not_stay_is_told_why(void **state) {
        struct fixture *f = *state;
        struct client *c;
        const char *line;

        with_journal(f);
        for (int i = 0; i < 8; i++) {
                c = client_new(f, 0);
                (void) call_start(c, "BeMaster", "s", "n1");
                client_leave(c);
        }
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER_FAILED);
        HAS(f, line, "CONFD_HA_METHOD=BeMaster");
        HAS(f, line, "CONFD_HA_NODE_ID=n1");
        CHECK(f, strstr(line, "--print-reply"));
}

/* As dbus-send sends it by itself. */
static void an_order_that_comes_as_a_signal_is_told(void **state) {
        struct fixture *f = *state;
        sd_bus_message *m = NULL;
        const char *line;

        with_journal(f);
        CHECK(f, sd_bus_message_new_signal(f->root->bus, &m, HAD_PATH, HAD_INTERFACE, "BeMaster") >= 0);
        CHECK(f, sd_bus_message_append(m, "s", "n1") >= 0);
        CHECK(f, sd_bus_send_to(f->root->bus, m, HAD_NAME, NULL) >= 0);
        sd_bus_message_unref(m);
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_CALL_REFUSED);
        HAS(f, line, "CONFD_HA_METHOD=BeMaster");
        CHECK(f, strstr(line, "--print-reply"));
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
}

static void a_silent_systemd_leaves_the_unit_out(void **state) {
        struct fixture *f = *state;
        const char *line;

        with_journal(f);
        systemd_start(f);
        f->systemd.silent = true;
        CALL_OK(f, "BeMaster", "s", "n1");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER);
        HAS(f, line, "CONFD_HA_SENDER_UID=0");
        HAS_NOT(f, line, "CONFD_HA_SENDER_UNIT");
        /* Questions that are not answered do not pile up at the bus. */
        trace_skip(&f->systemd.trace);
        CALL_OK(f, "BeMaster", "s", "n2");
        JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER);
        CHECK(f, trace_count(&f->systemd.trace, "GetUnitByPID *") == 1);
}

static void transitions_and_losses_are_entries(void **state) {
        struct fixture *f = *state;
        const char *line;

        with_journal(f);
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_CONNECTION_UP);
        HAS(f, line, "CONFD_HA_CONFD_VERSION=8.2.5");
        CHECK(f, strstr(line, kept(f, "{CONFD_HA_CONFD_ADDRESS=%s}", f->sim_address)));
        trace_skip(&f->journal.trace);
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        CHECK(f, trace_count(&f->journal.trace, "*{MESSAGE_ID=" CONFD_HA_MSG_SLAVE_INITIALIZED "}*"
                                                "{CONFD_HA_BY_COPY=yes}*") == 1);
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_STATE);
        HAS(f, line, "PRIORITY=5");
        HAS(f, line, "CONFD_HA_OLD_STATE=none");
        HAS(f, line, "CONFD_HA_NEW_STATE=slave");
        HAS(f, line, "CONFD_HA_REASON=order");
        HAS(f, line, "CONFD_HA_MASTER_ID=n1");
        HAS(f, line, "CONFD_HA_MASTER_ADDRESS=10.0.0.1");
        sim(f, "{master_lost,31}");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_MASTER_LOST);
        HAS(f, line, "PRIORITY=4");
        HAS(f, line, "CONFD_HA_RESULT=org.confd.HA.Error.NoTick");
        HAS(f, line, "CONFD_HA_MASTER_ID=n1");
        EXPECT(f, &f->root->trace, "signal StateChanged 'slave' 'none' 'master-lost'");
        CALL_OK(f, "BeMaster", "s", "n2");
        sim(f, "{arrive,<<\"n\\\\3\">>,{10,0,0,3}}");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_SLAVE_ARRIVED);
        HAS(f, line, "PRIORITY=6");
        HAS(f, line, "CONFD_HA_PEER_ID=n\\\\3");
        HAS(f, line, "CONFD_HA_PEER_ADDRESS=10.0.0.3");
        HAS(f, line, "CONFD_HA_NODE_ID=n2");
        sim(f, "{die,<<\"n\\\\3\">>}");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_SLAVE_DIED);
        HAS(f, line, "PRIORITY=4");
}

static void an_outage_is_one_entry(void **state) {
        struct fixture *f = *state;
        const char *line;

        with_journal(f);
        sim(f, "stop_listening");
        sim(f, "{close,both}");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_CONNECTION_LOST);
        HAS(f, line, "PRIORITY=4");
        HAS(f, line, "CONFD_HA_RESULT=org.confd.HA.Error.NotConnected");
        CALL_FAILS(f, HAD_ERROR("NotConnected"), "Status", "");
        CALL_FAILS(f, HAD_ERROR("NotConnected"), "Status", "");
        sim(f, "listen");
        JOURNAL_EXPECT(f, CONFD_HA_MSG_CONNECTION_UP);
        CHECK(f, trace_count(&f->journal.trace, "*{MESSAGE_ID=" CONFD_HA_MSG_CONNECTION_LOST "}*") == 1);
        WAIT_PROPERTY(f, "EventsConnected", "true");
        sim(f, "{close,ha}");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_DISPLACED);
        HAS(f, line, "CONFD_HA_RESULT=org.confd.HA.Error.Displaced");
        CHECK(f, trace_count(&f->journal.trace, "*{MESSAGE_ID=" CONFD_HA_MSG_CONNECTION_LOST "}*") == 1);
}

static void a_missing_token_and_a_refused_reload(void **state) {
        struct fixture *f = *state;
        const char *line, *path = in_dir(f, "token");

        if (geteuid() != 0)
                skip();
        CHECK(f, unlink(path) == 0);
        journal_start(f);
        service_start(f);
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_NO_TOKEN);
        HAS(f, line, "PRIORITY=3");
        CHECK(f, strstr(line, kept(f, "{CONFD_HA_FILE=%s}", path)));
        service_wait_name(f);
        configure(f, "[ConfD]\nRequestTimeoutSec=never\n");
        CALL_FAILS(f, "org.*", "Reload", "");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_RELOAD_REFUSED);
        HAS(f, line, "PRIORITY=3");
        CHECK(f, strstr(line, "{CONFD_HA_ERROR="));
}

/* ConfD takes ids that nobody could tell apart. Where a person reads them they are told apart. */
static void ids_of_confds_show_what_cannot_be_seen(void **state) {
        struct fixture *f = *state;
        const char *line;

        with_journal(f);
        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{arrive,<<226,128,174,\"n3\",226,128,139>>,{10,0,0,3}}");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_SLAVE_ARRIVED);
        HAS(f, line, "CONFD_HA_PEER_ID=\\xe2\\x80\\xaen3\\xe2\\x80\\x8b");
        CHECK(f, !strstr(line, "\u202e") && !strstr(line, "\u200b"));
        CHECK_PROPERTY(f, "Slaves", "[('*xe2*x80*xaen3*xe2*x80*x8b' '10.0.0.3')]");
        sim(f, "{on,1,{reply,{error,30,<<\"say \",226,128,174>>}}}");
        (void) call_start(f->root, "BeMaster", "s", "n1");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER_FAILED);
        CHECK(f, !strstr(line, "\u202e"));
}

/* An id may hold what would end a field. */
static void no_field_is_forged(void **state) {
        struct fixture *f = *state;
        const char *line;

        with_journal(f);
        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{arrive,<<\"n3\\nCONFD_HA_RESULT=done\">>,{10,0,0,3}}");
        line = JOURNAL_EXPECT(f, CONFD_HA_MSG_SLAVE_ARRIVED);
        HAS(f, line, "CONFD_HA_PEER_ID=n3\\x0aCONFD_HA_RESULT=done");
        HAS_NOT(f, line, "CONFD_HA_RESULT");
}

/* Any user can fill journald's queue, and it may be stopped. */
static void a_full_journal_keeps_nobody_waiting_and_is_told_what_it_missed(void **state) {
        struct fixture *f = *state;
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        with_journal(f);
        CHECK(f, sd_event_source_set_enabled(f->journal.source, SD_EVENT_OFF) >= 0);
        snprintf(a.sun_path, sizeof(a.sun_path), "%s/journal/socket", f->dir);
        while (sendto(fd, "FILL=1\n", 7, 0, (struct sockaddr *) &a, sizeof(a)) > 0)
                ;
        CHECK(f, errno == EAGAIN);
        for (unsigned i = 0; i < 5; i++)
                CALL_OK(f, "SlaveDead", "s", "n7");
        CHECK(f, sd_event_source_set_enabled(f->journal.source, SD_EVENT_ON) >= 0);
        EXPECT(f, &f->journal.trace, "{MESSAGE=5 lines of the log are lost*}*");
        CALL_OK(f, "SlaveDead", "s", "n8");
        HAS(f, JOURNAL_EXPECT(f, CONFD_HA_MSG_ORDER), "CONFD_HA_PEER_ID=n8");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                BUS_TEST_STOPPED(orders_are_entries),
                BUS_TEST_STOPPED(failed_orders_are_warnings),
                BUS_TEST_STOPPED(denied_orders_are_told_few_and_counted),
                BUS_TEST_STOPPED(calls_past_a_limit_are_entries),
                BUS_TEST_STOPPED(a_caller_who_does_not_stay_is_told_why),
                BUS_TEST_STOPPED(an_order_that_comes_as_a_signal_is_told),
                BUS_TEST_STOPPED(a_silent_systemd_leaves_the_unit_out),
                BUS_TEST_STOPPED(transitions_and_losses_are_entries),
                BUS_TEST_STOPPED(an_outage_is_one_entry),
                BUS_TEST_STOPPED(a_missing_token_and_a_refused_reload),
                BUS_TEST_STOPPED(ids_of_confds_show_what_cannot_be_seen),
                BUS_TEST_STOPPED(no_field_is_forged),
                BUS_TEST_STOPPED(a_full_journal_keeps_nobody_waiting_and_is_told_what_it_missed),
        };

        return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
