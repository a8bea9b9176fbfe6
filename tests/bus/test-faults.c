/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that a ConfD that hangs or talks nonsense, or a caller that floods, harms nobody else. */
#include <stdio.h>

#include "harness.h"

#define LIMITS_EXCEEDED "org.freedesktop.DBus.Error.LimitsExceeded"

static void back_to_normal(struct fixture *f) {
        WAIT_PROPERTY(f, "Connected", "true");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'master' []");
        sim_settle(f);
}

static void impatient(struct fixture *f) {
        configure(f, "[ConfD]\nRequestTimeoutSec=1\n");
        service_start(f);
        service_wait_connected(f);
}

static void an_order_that_hangs(void **state) {
        struct fixture *f = *state;
        struct call *a, *b, *c;
        uint64_t begun;

        impatient(f);
        sim(f, "{on,1,hang}");
        begun = now_monotonic();
        a = call_start(f->root, "BeMaster", "s", "n1");
        SIM_EXPECT(f, "{order,{1,<<\"n1\">>}}");
        b = call_start(f->root, "SlaveDead", "s", "n2");
        c = call_start(f->root, "BeNone", "");
        /* Nobody else is kept waiting. */
        barrier(f, f->root);
        CHECK_PROPERTY(f, "State", "'none'");
        CHECK(f, !a->done && !b->done && !c->done);
        CHECK(f, strstr(WAIT_CALL_FAILS(f, a, HAD_ERROR("Timeout")), "may still take effect"));
        CHECK(f, now_monotonic() - begun > 900 * USEC_PER_MSEC);
        WAIT_CALL_FAILS(f, b, HAD_ERROR("NotConnected"));
        WAIT_CALL_FAILS(f, c, HAD_ERROR("NotConnected"));
        /* The connection is made anew, lest a late reply be taken for another's. */
        SIM_EXPECT(f, "{closed,ha}");
        SIM_EXPECT(f, "{token,*");
        CHECK(f, sim_count(f, "{order,{3}}") == 0);
        back_to_normal(f);
}

static void each_order_has_its_deadline(void **state) {
        struct fixture *f = *state;

        impatient(f);
        sim(f, "{on,3,hang}");
        CALL_FAILS(f, HAD_ERROR("Timeout"), "BeNone", "");
        WAIT_PROPERTY(f, "Connected", "true");
        sim(f, "{on,5,hang}");
        CALL_FAILS(f, HAD_ERROR("Timeout"), "SlaveDead", "s", "n2");
        WAIT_PROPERTY(f, "Connected", "true");
        sim(f, "{on,6,hang}");
        CALL_FAILS(f, HAD_ERROR("Timeout"), "BeRelay", "");
        back_to_normal(f);
}

/* Anybody may ask for the status: who does cannot end a connection with it, and what hangs on the role with that. */
static void a_status_that_stalls_fails_its_callers_only(void **state) {
        struct fixture *f = *state;
        size_t before;

        impatient(f);
        before = sim_count(f, "{order,{4}}");
        sim(f, "{on,4,hold}");
        CALL_FAILS(f, HAD_ERROR("Timeout"), "Status", "");
        /* Who comes later waits for another question, which is not asked before the first is answered. */
        CALL_FAILS(f, HAD_ERROR("Timeout"), "Status", "");
        CHECK_PROPERTY(f, "State", "'none'");
        CHECK_PROPERTY(f, "Connected", "true");
        CHECK_PROPERTY(f, "LastError", "('' '' 0)");
        CHECK(f, sim_count(f, "{order,{4}}") == before + 1);
        sim(f, "release");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
        CHECK(f, sim_count(f, "{closed,*") == 0);
        back_to_normal(f);
}

/* But an order behind it gives the connection up, as by itself. */
static void an_order_behind_a_status_that_stalls_is_late(void **state) {
        struct fixture *f = *state;
        struct call *a, *b;

        impatient(f);
        sim(f, "{on,4,hold}");
        a = call_start(f->root, "Status", "");
        SIM_EXPECT(f, "{order,{4}}");
        b = call_start(f->root, "BeMaster", "s", "n1");
        WAIT_CALL_FAILS(f, a, HAD_ERROR("Timeout"));
        WAIT_CALL_FAILS(f, b, HAD_ERROR("Timeout"));
        SIM_EXPECT(f, "{closed,ha}");
        back_to_normal(f);
}

/* One that waits for the status which shows what it did is answered, though it has to wait. */
static void an_order_is_done_although_the_status_behind_it_stalls(void **state) {
        struct fixture *f = *state;

        impatient(f);
        sim_settle(f);
        sim(f, "{always,4,hold}");
        CALL_OK(f, "BeMaster", "s", "n1");
        SIM_EXPECT(f, "{closed,ha}");
        sim(f, "{never,4}");
        back_to_normal(f);
}

/* Without events the status is all there is of a watch over ConfD. */
static void without_events_a_status_that_stalls_is_noticed(void **state) {
        struct fixture *f = *state;

        configure(f, "[ConfD]\nRequestTimeoutSec=1\n");
        sim(f, "{set,events,close}");
        service_start(f);
        service_wait_name(f);
        WAIT_PROPERTY(f, "State", "'none'");
        sim(f, "{always,4,hold}");
        EXPECT(f, &f->root->trace, "changed* LastError=('org.confd.HA.Error.Timeout' *");
        sim(f, "{never,4}");
        sim(f, "{set,events,accept}");
        back_to_normal(f);
}

static void ask_often(struct fixture *f, struct client *c, unsigned times) {
        struct call *last = NULL;

        for (unsigned i = 0; i < times; i++) {
                /* One after the other, so that none of them can be shared. */
                last = call_start(c, "Status", "");
                WAIT_CALL_OK(f, last);
        }
}

/* 20 at once, then 100 a second. */
static void who_has_no_privilege_shares_later_questions(void **state) {
        struct fixture *f = *state;
        struct client *c;
        uint64_t begun, took;
        size_t before;

        if (geteuid() != 0)
                skip();
        c = client_new(f, OTHER_USER);
        sim_settle(f);
        before = sim_count(f, "{order,{4}}");
        begun = now_monotonic();
        ask_often(f, c, 120);
        took = now_monotonic() - begun;
        CHECK(f, took >= 900 * USEC_PER_MSEC);
        CHECK(f, sim_count(f, "{order,{4}}") - before == 120);
        /* Root does not wait for that. */
        begun = now_monotonic();
        ask_often(f, f->root, 30);
        CHECK(f, sim_count(f, "{order,{4}}") - before == 150);
}

/* However many of them ask, and however often: all are answered, and ConfD is asked no more than that. */
static void a_crowd_without_privilege_makes_few_questions(void **state) {
        enum { CROWD = 40 };
        struct fixture *f = *state;
        struct client *clients[CROWD];
        struct call *calls[CROWD] = {};
        size_t before, asked, answered = 0;
        uint64_t begun, took;

        if (geteuid() != 0)
                skip();
        for (size_t i = 0; i < CROWD; i++)
                clients[i] = client_new(f, i % 2 ? OTHER_USER : NOBODY);
        sim_settle(f);
        before = sim_count(f, "{order,{4}}");
        begun = now_monotonic();
        while (now_monotonic() - begun < 3 * USEC_PER_SEC) {
                for (size_t i = 0; i < CROWD; i++) {
                        if (calls[i] && !calls[i]->done)
                                continue;
                        CHECK(f, !calls[i] || !calls[i]->error);
                        answered += calls[i] != NULL;
                        calls[i] = call_start(clients[i], "Status", "");
                }
                step(f, 1000);
        }
        asked = sim_count(f, "{order,{4}}") - before;
        took = now_monotonic() - begun;
        CHECK(f, asked <= 20 + took / (10 * USEC_PER_MSEC) + 2);
        /* They were not kept waiting for anything else. */
        CHECK(f, answered > 2 * asked);
        for (size_t i = 0; i < CROWD; i++)
                WAIT_CALL_OK(f, calls[i]);
}


static void a_status_that_hangs_behind_a_be_slave(void **state) {
        struct fixture *f = *state;

        impatient(f);
        sim(f, "{set,sync,manual}");
        sim(f, "{on,4,hang}");
        CALL_FAILS(f, HAD_ERROR("Timeout"), "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        SIM_EXPECT(f, "{token,*");
        back_to_normal(f);
}

static void one_that_reads_nothing(void **state) {
        struct fixture *f = *state;

        impatient(f);
        sim(f, "{stop_reading,ha}");
        CALL_FAILS(f, HAD_ERROR("Timeout"), "BeMaster", "s", "n1");
        SIM_EXPECT(f, "{token,*");
        back_to_normal(f);
}

static void a_late_reply_is_nobodys(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        /* A reply that answers nothing must not become the next order's. */
        sim(f, "{reply,{error,30}}");
        sim(f, "{on,3,{delay,300}}");
        {
                struct call *call = call_start(f->root, "BeNone", "");

                WAIT_FOR(f, call->done);
                if (call->error)
                        CHECK(f, !streq(call->error, HAD_ERROR("Bind")));
        }
        back_to_normal(f);
}

static void nonsense_in_place_of_a_reply(void **state) {
        static const char *const nonsense[] = {
                "{raw,<<255,255,255,255,1,2,3>>}",                     /* a frame of 4 GiB */
                "{raw,<<0,0,0,0>>}",                                   /* an empty one */
                "{raw,<<0,0,0,1,131>>}",                               /* no term */
                "{raw,<<0,0,0,3,131,97,1>>}",                          /* a number */
                "{raw,<<0,0,0,2,97,1>>}",                              /* no version byte */
                "{raw,<<0,0,0,6,131,104,255,97,1,97>>}",               /* a tuple longer than its frame */
                "{raw,<<0,0,0,11,131,108,255,255,255,255,97,1,97,1,106>>}",
                "{raw,<<0,0,0,6,131,109,255,255,255,255>>}",           /* a binary of 4 GiB */
                "{raw,<<0,0,0,9,131,80,0,0,0,9,1,2,3>>}",              /* the compressed envelope */
                "{raw,<<0,0,0,4,131,97,1,97>>}",                       /* more than a term */
                "{raw,[<<0,0,39,17,131>>,binary:copy(<<104,1>>,5000)]}", /* deep */
                "{reply,yes}",
                "{reply,{1,2,3,4,5}}",
                "{reply,{error}}",
                "{reply,{error,no_number}}",
                "{reply,{9,[]}}",                                      /* a state that there is not */
                "{reply,[]}",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(nonsense); i++) {
                const char *say = nonsense[i];

                if (strstr(say, "binary:copy")) {
                        const char *tuples = "";

                        /* Terms on standard input are data; a function call is none. */
                        for (int j = 0; j < 1000; j++)
                                tuples = kept(f, "%s104,1,", tuples);
                        say = kept(f, "{raw,<<0,0,7,210,131,%s106>>}", tuples);
                }
                sim(f, "{on,1,%s}", say);
                CALL_FAILS(f, HAD_ERROR("Protocol"), "BeMaster", "s", "n1");
                back_to_normal(f);
                sim(f, "{on,4,%s}", say);
                CALL_FAILS(f, HAD_ERROR("Protocol"), "Status", "");
                back_to_normal(f);
        }
}

static void nonsense_in_a_status(void **state) {
        static const char *const nonsense[] = {
                "{3,nodes}", "{3,[{<<\"n2\">>}]}", "{3,[n2]}", "{ok,[]}", "{3,[{<<\"n2\">>,{10,0,0,2}}|tail]}", "ok",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(nonsense); i++) {
                sim(f, "{on,4,{reply,%s}}", nonsense[i]);
                CALL_FAILS(f, HAD_ERROR("Protocol"), "Status", "");
                back_to_normal(f);
        }
}

static void nonsense_among_the_events(void **state) {
        static const char *const nonsense[] = {
                "<<255,255,255,255,1,2,3>>", "<<0,0,0,0>>", "<<0,0,0,2,97,1>>", "<<0,0,0,6,131,104,255,97,1,97>>",
                "<<0,0,0,9,131,80,0,0,0,9,1,2,3>>",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(nonsense); i++) {
                trace_skip(&f->root->trace);
                sim(f, "{raw,events,%s}", nonsense[i]);
                EXPECT(f, &f->root->trace, "changed* EventsConnected=false*");
                EXPECT(f, &f->root->trace, "changed* EventsConnected=true*");
                /* Orders go on all the while. */
                CALL_OK(f, "BeMaster", "s", "n1");
        }
        CHECK(f, sim_count(f, "{token,*") == 1);
}

static void unknown_events_are_skipped(void **state) {
        static const char *const events[] = {
                "{1024,{1.5,123456789012345678901234567890,[a|b],<<1:3>>}}",
                "{8,#{a => [1,2,3]}}",
                "{262144,0}",
                "{8192}",
                "{64,{99,what}}",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                sim(f, "{event_term,%s}", events[i]);
        sim(f, "{event,{5,[any,{term,1.0}]}}");
        sim(f, "{arrive,<<\"n2\">>,{10,0,0,2}}");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n2' '10.0.0.2'");
        CHECK_PROPERTY(f, "EventsConnected", "true");
        CHECK(f, sim_count(f, "{subscribed,*") == 1);
}

static void an_end_in_mid_frame(void **state) {
        struct fixture *f = *state;

        for (int n = 0; n < 9; n++) {
                sim(f, "{on,1,{cut,%d}}", n);
                CALL_FAILS(f, HAD_ERROR("NotConnected"), "BeMaster", "s", "n1");
                back_to_normal(f);
        }
        sim(f, "{cut,events,100,50}");
        EXPECT(f, &f->root->trace, "changed* EventsConnected=false*");
        back_to_normal(f);
}

static void a_flood_of_events(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        for (int i = 0; i < 300; i++) {
                sim(f, "{arrive,<<\"n%d\">>,{10,0,0,2}}", i % 3);
                sim(f, "{die,<<\"n%d\">>}", i % 3);
        }
        sim(f, "{arrive,<<\"last\">>,{10,0,0,9}}");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'last' '10.0.0.9'");
        CHECK_PROPERTY(f, "Slaves", "[('last' '10.0.0.9')]");
}

/* Orders queue to a limit, each sender's first. */
static void sixteen_a_sender(void **state) {
        struct fixture *f = *state;
        struct client *other = client_new(f, 0);
        struct call *calls[24], *theirs;
        size_t refused = 0;

        sim(f, "{on,5,hold}");
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                calls[i] = call_start(f->root, "SlaveDead", "s", kept(f, "n%zu", i));
        theirs = call_start(other, "SlaveDead", "s", "other");
        barrier(f, f->root);
        barrier(f, other);
        CHECK(f, !theirs->done);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                if (calls[i]->done) {
                        CHECK_TEXT(f, calls[i]->error, LIMITS_EXCEEDED);
                        CHECK(f, i >= 16);
                        refused++;
                }
        /* Whether the one that ConfD has counts among them is left open. */
        CHECK(f, refused == ELEMENTSOF(calls) - 16 || refused == ELEMENTSOF(calls) - 17);
        CHECK(f, calls[23]->done);
        sim(f, "release");
        for (size_t i = 0; i < 16; i++)
                WAIT_CALL_OK(f, calls[i]);
        WAIT_CALL_OK(f, theirs);
        CALL_OK(f, "SlaveDead", "s", "again");
}

/* The orders of those who leave do not count for ever. */
static void those_who_leave_make_room(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f, 0);

        sim(f, "{on,5,hold}");
        for (size_t i = 0; i < 20; i++)
                (void) call_start(c, "SlaveDead", "s", "n2");
        barrier(f, c);
        client_leave(c);
        sim(f, "release");
        CALL_OK(f, "SlaveDead", "s", "mine");
        SIM_EXPECT(f, "{order,{5,<<\"mine\">>}}");
}

static void callers_share_a_question(void **state) {
        struct fixture *f = *state;
        struct call *calls[60];
        size_t before;

        sim(f, "{on,4,hold}");
        before = sim_count(f, "{order,{4}}");
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                calls[i] = call_start(f->root, "Status", "");
        barrier(f, f->root);
        SIM_EXPECT(f, "{order,{4}}");
        sim(f, "release");
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                CHECK_TEXT(f, WAIT_CALL_OK(f, calls[i]), "'none' []");
        CHECK(f, sim_count(f, "{order,{4}}") == before + 1);
}

/* An answer that may be older than what the service has seen is not shared. */
static void a_stale_question_is_not_shared(void **state) {
        struct fixture *f = *state;
        struct call *a, *b;

        sim(f, "{on,4,hang}");
        a = call_start(f->root, "Status", "");
        SIM_EXPECT(f, "{order,{4}}");
        sim(f, "{state,master,none,[]}");
        sim(f, "{event,{5,0}}");
        /* Nothing shows from outside that the service has read the event while its question is open. */
        idle(f, 0.3);
        b = call_start(f->root, "Status", "");
        barrier(f, f->root);
        sim(f, "{reply,{1,[]}}");
        CHECK_TEXT(f, WAIT_CALL_OK(f, b), "'master' []");
        WAIT_FOR(f, a->done);
        CHECK_PROPERTY(f, "State", "'master'");
}

static void a_flood_without_a_confd(void **state) {
        struct fixture *f = *state;
        struct call *calls[400];
        size_t refused = 0;

        sim(f, "{set,handshake,silent}");
        configure(f, "[ConfD]\nRequestTimeoutSec=1.5\n");
        service_start(f);
        service_wait_name(f);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                calls[i] = call_start(f->root, i % 2 ? "BeMaster" : "SlaveDead", "s", "n1");
        barrier(f, f->root);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                WAIT_FOR(f, calls[i]->done);
                CHECK(f, calls[i]->error);
                if (streq(calls[i]->error, LIMITS_EXCEEDED))
                        refused++;
                else
                        CHECK_TEXT(f, calls[i]->error, HAD_ERROR("NotConnected"));
        }
        CHECK(f, refused >= ELEMENTSOF(calls) - 17);
        sim(f, "{set,handshake,accept}");
        back_to_normal(f);
}

#define STOPPED BUS_TEST_STOPPED

/* The sanitizer keeps what is freed, on purpose. */
#ifndef __SANITIZE_ADDRESS__
static unsigned resident_kib(struct fixture *f) {
        char line[128], *path = (char *) kept(f, "/proc/%d/status", (int) f->service.pid);
        FILE *status = fopen(path, "re");
        unsigned kib = 0;

        CHECK(f, status);
        while (fgets(line, sizeof(line), status))
                if (sscanf(line, "VmRSS: %u kB", &kib) == 1)
                        break;
        fclose(status);
        CHECK(f, kib > 0);
        return kib;
}

static void what_a_large_message_took_is_given_back(void **state) {
        struct fixture *f = *state;
        const size_t size = 30 * 1024 * 1024;
        char *large = malloc(size + 1);
        unsigned before;

        if (!large)
                abort();
        memset(large, 'x', size);
        large[size] = 0;
        CALL_OK(f, "Status", "");
        before = resident_kib(f);
        for (int i = 0; i < 3; i++)
                CALL_FAILS(f, "org.freedesktop.DBus.Error.InvalidArgs", "BeMaster", "s", large);
        CALL_OK(f, "Status", "");
        WAIT_FOR(f, resident_kib(f) < before + 3 * 1024);
        free(large);
}
#endif

int main(void) {
        static const struct CMUnitTest tests[] = {
                STOPPED(an_order_that_hangs),
#ifndef __SANITIZE_ADDRESS__
                BUS_TEST(what_a_large_message_took_is_given_back),
#endif
                STOPPED(each_order_has_its_deadline),
                STOPPED(a_status_that_stalls_fails_its_callers_only),
                STOPPED(an_order_behind_a_status_that_stalls_is_late),
                STOPPED(an_order_is_done_although_the_status_behind_it_stalls),
                STOPPED(without_events_a_status_that_stalls_is_noticed),
                BUS_TEST(who_has_no_privilege_shares_later_questions),
                BUS_TEST(a_crowd_without_privilege_makes_few_questions),
                STOPPED(a_status_that_hangs_behind_a_be_slave),
                STOPPED(one_that_reads_nothing),
                BUS_TEST(a_late_reply_is_nobodys),
                BUS_TEST(nonsense_in_place_of_a_reply),
                BUS_TEST(nonsense_in_a_status),
                BUS_TEST(nonsense_among_the_events),
                BUS_TEST(unknown_events_are_skipped),
                BUS_TEST(an_end_in_mid_frame),
                BUS_TEST(a_flood_of_events),
                BUS_TEST(sixteen_a_sender),
                BUS_TEST(those_who_leave_make_room),
                BUS_TEST(callers_share_a_question),
                BUS_TEST(a_stale_question_is_not_shared),
                STOPPED(a_flood_without_a_confd),
        };

        return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
