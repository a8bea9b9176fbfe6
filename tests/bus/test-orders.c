/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that each method becomes its order, and each reply its outcome, in the order that the API promises. */
#include "harness.h"

#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"
#define N127 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" \
             "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

static void be_master_changes_then_signals_then_replies(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        SIM_EXPECT(f, "{order,{1,<<\"n1\">>}}");
        /* The service asks for the status after the reply, before it tells anybody. */
        SIM_EXPECT(f, "{order,{4}}");
        EXPECT(f, &f->root->trace, "changed* State='master'*");
        EXPECT(f, &f->root->trace, "signal StateChanged 'none' 'master' 'order'");
        EXPECT(f, &f->root->trace, "reply BeMaster");
        CHECK_PROPERTY(f, "State", "'master'");
        CHECK_PROPERTY(f, "NodeId", "'n1'");
        CHECK(f, trace_count(&f->root->trace, "signal StateChanged*'order'") == 1);
}

static void be_master_again_renames(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        CALL_OK(f, "BeMaster", "s", "n9");
        SIM_EXPECT(f, "{order,{1,<<\"n9\">>}}");
        CHECK_PROPERTY(f, "NodeId", "'n9'");
        CHECK(f, trace_count(&f->root->trace, "signal StateChanged*'order'") == 1);
}

static void be_none(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        trace_skip(&f->root->trace);
        CALL_OK(f, "BeNone", "");
        SIM_EXPECT(f, "{order,{3}}");
        EXPECT(f, &f->root->trace, "changed* State='none'*");
        EXPECT(f, &f->root->trace, "signal StateChanged 'master' 'none' 'order'");
        EXPECT(f, &f->root->trace, "reply BeNone");
        CHECK_PROPERTY(f, "NodeId", "''");
}

static void be_relay(void **state) {
        struct fixture *f = *state;

        CALL_FAILS(f, HAD_ERROR("BadState"), "BeRelay", "");
        sim(f, "{state,slave,{<<\"n1\">>,{10,0,0,1}},[]}");
        sim(f, "{event,{4,0}}");
        WAIT_PROPERTY(f, "State", "'slave'");
        CALL_OK(f, "BeRelay", "");
        SIM_EXPECT(f, "{order,{6}}");
        EXPECT(f, &f->root->trace, "changed* State='slave-relay'*");
        EXPECT(f, &f->root->trace, "signal StateChanged 'slave' 'slave-relay' 'order'");
        EXPECT(f, &f->root->trace, "reply BeRelay");
        sim(f, "{state,relay,{<<\"n1\">>,{10,0,0,1}},[{<<\"n3\">>,{10,0,0,3}}]}");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'slave-relay' [('n1' '10.0.0.1') ('n3' '10.0.0.3')]");
        CHECK_PROPERTY(f, "Master", "('n1' '10.0.0.1')");
        CHECK_PROPERTY(f, "Slaves", "[('n3' '10.0.0.3')]");
}

static void slave_dead(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{arrive,<<\"n2\">>,{10,0,0,2}}");
        EXPECT(f, &f->root->trace, "changed* Slaves=[('n2' '10.0.0.2')]*");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n2' '10.0.0.2'");
        CALL_OK(f, "SlaveDead", "s", "n2");
        SIM_EXPECT(f, "{order,{5,<<\"n2\">>}}");
        EXPECT(f, &f->root->trace, "changed* Slaves=[]*");
        EXPECT(f, &f->root->trace, "signal SlaveDied 'n2' '10.0.0.2'");
        CHECK_PROPERTY(f, "Slaves", "[]");
        CALL_OK(f, "SlaveDead", "s", "nobody");
        CHECK(f, trace_count(&f->root->trace, "signal SlaveDied*") == 1);
}

static void status_of_each_state(void **state) {
        struct fixture *f = *state;

        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
        sim(f, "{state,master,none,[{<<\"n2\">>,{10,0,0,2}},{<<\"n3\">>,{64768,0,0,0,0,0,0,3}}]}");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'master' [('n2' '10.0.0.2') ('n3' 'fd00::3')]");
        sim(f, "{state,slave,{<<\"n1\">>,{10,0,0,1}},[]}");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'slave' [('n1' '10.0.0.1')]");
        /* What a caller has been told, the properties say too. */
        CHECK_PROPERTY(f, "State", "'slave'");
        CHECK_PROPERTY(f, "Master", "('n1' '10.0.0.1')");
}

static void status_of_255_nodes(void **state) {
        struct fixture *f = *state;
        const char *nodes = "", *text;

        for (int i = 0; i < 255; i++)
                nodes = kept(f, "%s%s{<<\"node%d\">>,{10,0,0,%d}}", nodes, i ? "," : "", i, i);
        sim(f, "{state,master,none,[%s]}", nodes);
        text = CALL_OK(f, "Status", "");
        CHECK(f, strstr(text, "('node0' '10.0.0.0')"));
        CHECK(f, strstr(text, "('node254' '10.0.0.254')"));
}

/* Nothing that ConfD reports is dropped, and one odd id does not spoil the rest. */
static void odd_ids_and_addresses(void **state) {
        static const struct {
                const char *id, *address, *shown;
        } table[] = {
                { "<<16#ff,\"a\">>", "{10,0,0,2}", "('\\xffa' '10.0.0.2')" },
                { "<<\"a\\\\b\">>", "{10,0,0,2}", "('a\\\\b' '10.0.0.2')" },
                { "<<195,188>>", "{10,0,0,2}", "('\303\274' '10.0.0.2')" },
                { "{8,7}", "{10,0,0,2}", "('{8,7}' '10.0.0.2')" },
                { "42", "{10,0,0,2}", "('42' '10.0.0.2')" },
                { "true", "{10,0,0,2}", "('true' '10.0.0.2')" },
                { "{39,<<1,2>>}", "{10,0,0,2}", "('{39,<<1,2>>}' '10.0.0.2')" },
                { "<<\"n2\">>", "{0,0,0,0,0,65535,2560,1}", "('n2' '10.0.0.1')" },
                { "<<\"n2\">>", "<<\"host:4570\">>", "('n2' 'host:4570')" },
                { "<<\"n2\">>", "undefined", "('n2' 'undefined')" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                sim(f, "{state,master,none,[{%s,%s},{<<\"n3\">>,{10,0,0,3}}]}", table[i].id, table[i].address);
                CHECK_TEXT(f, CALL_OK(f, "Status", ""), kept(f, "'master' [%s ('n3' '10.0.0.3')]", table[i].shown));
        }
        sim(f, "{event,{2,{{8,7},{10,0,0,2}}}}");
        EXPECT(f, &f->root->trace, "signal SlaveDied '{8,7}' '10.0.0.2'");
}

static void every_encoding_is_read(void **state) {
        static const int atoms[] = { 100, 115, 118, 119 };
        static const char *const strings[] = { "binary", "string", "list" };
        struct fixture *f = *state;

        sim(f, "{state,master,none,[{<<\"n2\">>,{10,0,0,2}}]}");
        for (size_t i = 0; i < ELEMENTSOF(atoms); i++)
                for (size_t j = 0; j < ELEMENTSOF(strings); j++) {
                        sim(f, "{set,atoms,%d}", atoms[i]);
                        sim(f, "{set,strings,%s}", strings[j]);
                        sim(f, "{set,tuples,%s}", (i + j) % 2 ? "large" : "small");
                        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'master' [('n2' '10.0.0.2')]");
                        CALL_OK(f, "BeMaster", "s", "n1");
                        sim(f, "{event,{3,{<<\"n3\">>,{10,0,0,3}}}}");
                        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n3' '10.0.0.3'");
                }
}

static void every_error_has_its_name(void **state) {
        static const struct {
                int code;
                const char *name;
        } table[] = {
                { 17, "BadState" }, { 25, "Connect" },     { 26, "Closed" },     { 27, "BadSchema" }, { 28, "BadToken" },
                { 29, "BadName" },  { 30, "Bind" },        { 31, "NoTick" },     { 47, "WithUpgrade" },
                { 52, "BadVersion" }, { 69, "BadConfig" }, { 71, "Aborted" },    { 5, "Failed" },     { 18, "Failed" },
                { 20, "Failed" },   { 60, "Failed" },      { 12345, "Failed" },
        };
        static const char *const forms[] = { "{error,%d}", "{error,%d,<<\"why \\\\ so\">>}", "{error,%d,\"why\"}" };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                for (size_t j = 0; j < ELEMENTSOF(forms); j++) {
                        const char *name = kept(f, "org.confd.HA.Error.%s", table[i].name), *message;

                        sim(f, "{on,1,{reply,%s}}", kept(f, forms[j], table[i].code));
                        message = CALL_FAILS(f, name, "BeMaster", "s", "n1");
                        CHECK(f, *message);
                        if (streq(table[i].name, "Failed"))
                                CHECK(f, strstr(message, kept(f, "%d", table[i].code)));
                        CHECK_PROPERTY(f, "LastError", kept(f, "('%s' '*' *)", name));
                        CHECK_PROPERTY(f, "State", "'none'");
                }
}

static void each_method_hears_its_error(void **state) {
        struct fixture *f = *state;

        sim(f, "{on,3,{reply,{error,17}}}");
        CALL_FAILS(f, HAD_ERROR("BadState"), "BeNone", "");
        sim(f, "{on,5,{reply,{error,17}}}");
        CALL_FAILS(f, HAD_ERROR("BadState"), "SlaveDead", "s", "n2");
        sim(f, "{on,6,{reply,{error,30}}}");
        CALL_FAILS(f, HAD_ERROR("Bind"), "BeRelay", "");
        sim(f, "{on,4,{reply,{error,18}}}");
        CALL_FAILS(f, HAD_ERROR("Failed"), "Status", "");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
}

static void phase_0_serves_status_only(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,phase,0}");
        CALL_FAILS(f, HAD_ERROR("BadState"), "BeMaster", "s", "n1");
        CALL_FAILS(f, HAD_ERROR("BadState"), "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        CALL_FAILS(f, HAD_ERROR("BadState"), "BeNone", "");
        CALL_FAILS(f, HAD_ERROR("BadState"), "SlaveDead", "s", "n2");
        CHECK_TEXT(f, CALL_OK(f, "Status", ""), "'none' []");
        sim(f, "{set,phase,1}");
        CALL_OK(f, "BeMaster", "s", "n1");
}

static void node_ids_are_checked(void **state) {
        static const char *const bad[] = { "", N127 "n", "a\tb", "\n", "a\177", "a\302\205" /* U+0085 */ };
        static const char *const good[] = { "n", N127, "\303\274 \342\202\254", "a b\\c'", "\360\237\220\247" };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                CALL_FAILS(f, INVALID_ARGS, "BeMaster", "s", bad[i]);
                CALL_FAILS(f, INVALID_ARGS, "SlaveDead", "s", bad[i]);
                CALL_FAILS(f, INVALID_ARGS, "BeSlave", "sssb", bad[i], "n1", "10.0.0.1", true);
                CALL_FAILS(f, INVALID_ARGS, "BeSlave", "sssb", "n2", bad[i], "10.0.0.1", true);
        }
        CHECK(f, sim_count(f, "{order,{1,*") + sim_count(f, "{order,{2,*") +
                 sim_count(f, "{order,{5,*") == 0);
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                CALL_OK(f, "BeMaster", "s", good[i]);
                CHECK_PROPERTY(f, "NodeId", kept(f, "'%s'", good[i]));
                CALL_OK(f, "SlaveDead", "s", good[i]);
                CALL_OK(f, "BeSlave", "sssb", good[i], "m", "10.0.0.1", true);
                CALL_OK(f, "BeSlave", "sssb", "n2", good[i], "10.0.0.1", true);
        }
        SIM_EXPECT(f, "{order,{1,<<240,159,144,167>>}}");
}

static void addresses_are_checked(void **state) {
        static const char *const bad[] = { "", "host", "10.0.0", "10.0.0.1 ", " 10.0.0.1", "10.0.0.256", "10.0.0.1:4570",
                                           "[fd00::1]", "fe80::1%lo", "fd00::1::2", "1", "0x0a.0.0.1" };
        static const struct {
                const char *ordered, *sent, *shown;
        } good[] = {
                { "10.0.0.1", "{10,0,0,1}", "10.0.0.1" },
                { "fd00::1", "{64768,0,0,0,0,0,0,1}", "fd00::1" },
                { "::ffff:10.0.0.1", "{10,0,0,1}", "10.0.0.1" },
                { "::1", "{0,0,0,0,0,0,0,1}", "::1" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                CALL_FAILS(f, INVALID_ARGS, "BeSlave", "sssb", "n2", "n1", bad[i], true);
        CHECK(f, sim_count(f, "{order,{2,*") == 0);
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                CALL_OK(f, "BeSlave", "sssb", "n2", "n1", good[i].ordered, true);
                SIM_EXPECT(f, kept(f, "{order,{2,<<\"n2\">>,{<<\"n1\">>,%s},0}}", good[i].sent));
                CHECK_PROPERTY(f, "Master", kept(f, "('n1' '%s')", good[i].shown));
        }
}

static void address_strings_when_allowed(void **state) {
        struct fixture *f = *state;

        configure(f, "[ConfD]\nAllowAddressStrings=yes\n");
        service_start(f);
        service_wait_connected(f);
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "host.example:4571", true);
        SIM_EXPECT(f, "{order,{2,<<\"n2\">>,{<<\"n1\">>,*\"host.example:4571\"*},0}}");
        CHECK_PROPERTY(f, "Master", "('n1' 'host.example:4571')");
        /* A literal stays an address. */
        CALL_OK(f, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", true);
        SIM_EXPECT(f, "{order,{2,<<\"n2\">>,{<<\"n1\">>,{10,0,0,1}},0}}");
}

static void wrong_calls_get_the_buss_own_errors(void **state) {
        struct fixture *f = *state;

        CALL_FAILS(f, INVALID_ARGS, "BeMaster", "");
        CALL_FAILS(f, INVALID_ARGS, "BeMaster", "u", 1);
        CALL_FAILS(f, INVALID_ARGS, "BeNone", "s", "n1");
        CALL_FAILS(f, "org.freedesktop.DBus.Error.UnknownMethod", "BeAnything", "");
        WAIT_CALL_FAILS(f, call_start_member(f->root, HAD_PATH, "org.freedesktop.DBus.Properties", "Set", "ssv",
                                             HAD_INTERFACE, "State", "s", "master"),
                        "org.freedesktop.DBus.Error.PropertyReadOnly");
}

/* A reason is `order` while an order of ours is under way, its failure included. */
static void a_failed_order_may_change_the_state(void **state) {
        struct fixture *f = *state;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{on,1,hang}");
        {
                struct call *call = call_start(f->root, "BeMaster", "s", "n2");

                SIM_EXPECT(f, "{order,{1,<<\"n2\">>}}");
                sim(f, "{state,none,none,[]}");
                sim(f, "{reply,{error,30}}");
                WAIT_CALL_FAILS(f, call, HAD_ERROR("Bind"));
        }
        EXPECT(f, &f->root->trace, "signal StateChanged 'master' 'none' 'order'");
        EXPECT(f, &f->root->trace, "error BeMaster*");
}

/* What comes on the other socket before the reply does not upset the order of things either. */
static void events_after_the_reply(void **state) {
        struct fixture *f = *state;

        sim(f, "{set,events_first,false}");
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "State", "'master'");
        CALL_OK(f, "BeNone", "");
        CHECK_PROPERTY(f, "State", "'none'");
        CHECK(f, trace_count(&f->root->trace, "signal StateChanged*'order'") == 2);
}

static void orders_are_answered_first_in_first_out(void **state) {
        struct fixture *f = *state;
        struct call *a, *b, *c;

        sim(f, "{on,1,hold}");
        a = call_start(f->root, "BeMaster", "s", "a");
        SIM_EXPECT(f, "{order,{1,<<\"a\">>}}");
        b = call_start(f->root, "SlaveDead", "s", "b");
        c = call_start(f->root, "BeMaster", "s", "c");
        /* All of them are on their way before the first is answered. */
        barrier(f, f->root);
        CHECK(f, !a->done && !b->done && !c->done);
        sim(f, "release");
        WAIT_CALL_OK(f, a);
        WAIT_CALL_OK(f, b);
        WAIT_CALL_OK(f, c);
        EXPECT(f, &f->root->trace, "reply BeMaster");
        EXPECT(f, &f->root->trace, "reply SlaveDead");
        EXPECT(f, &f->root->trace, "reply BeMaster");
        SIM_EXPECT(f, "{order,{5,<<\"b\">>}}");
        SIM_EXPECT(f, "{order,{1,<<\"c\">>}}");
        CHECK_PROPERTY(f, "NodeId", "'c'");
}

/* The question that shows what an order did goes out behind it, and not when it has been answered. */
static void one_question_behind_an_order_is_enough(void **state) {
        struct fixture *f = *state;
        size_t before = sim_count(f, "{order,{4}}");
        struct call *call;

        sim(f, "{on,3,hold}");
        call = call_start(f->root, "BeNone", "");
        SIM_EXPECT(f, "{order,{3}}");
        SIM_EXPECT(f, "{order,{4}}");
        CHECK(f, !call->done);
        sim(f, "release");
        WAIT_CALL_OK(f, call);
        CHECK(f, sim_count(f, "{order,{4}}") == before + 1);
        CHECK(f, trace_count(&f->root->trace, "changed*") == 0);
}

/* Whoever has given the first hears how it ended while ConfD holds the second back, also if what it did, being told by an event
 * as well, is asked about again. */
static void an_answered_order_does_not_wait_for_the_next(void **state) {
        struct fixture *f = *state;
        struct call *first, *second;

        sim(f, "{on,1,hold}");
        sim(f, "{on,3,hold}");
        first = call_start(f->root, "BeMaster", "s", "a");
        SIM_EXPECT(f, "{order,{1,<<\"a\">>}}");
        SIM_EXPECT(f, "{order,{4}}");
        second = call_start(f->root, "BeNone", "");
        barrier(f, f->root);
        sim(f, "release");
        WAIT_CALL_OK(f, first);
        EXPECT(f, &f->root->trace, "signal StateChanged 'none' 'master' 'order'");
        SIM_EXPECT(f, "{order,{3}}");
        CHECK(f, !second->done);
        sim(f, "release");
        WAIT_CALL_OK(f, second);
}

/* It may be older than what has been told in between. */
static void an_event_beside_an_order_is_asked_for_again(void **state) {
        struct fixture *f = *state;
        struct call *call;

        CALL_OK(f, "BeMaster", "s", "n1");
        sim(f, "{on,5,hold}");
        call = call_start(f->root, "SlaveDead", "s", "x");
        SIM_EXPECT(f, "{order,{5,<<\"x\">>}}");
        SIM_EXPECT(f, "{order,{4}}");
        sim(f, "{arrive,<<\"n9\">>,{10,0,0,9}}");
        sim(f, "{on,4,{reply,{3,[]}}}"); /* as it was before */
        sim(f, "release");
        WAIT_CALL_OK(f, call);
        EXPECT(f, &f->root->trace, "changed* Slaves=*'n9' '10.0.0.9'*");
        EXPECT(f, &f->root->trace, "signal SlaveArrived 'n9' '10.0.0.9'");
        EXPECT(f, &f->root->trace, "reply SlaveDead");
}

/* Whoever asks when the order has been answered, asks himself. */
static void a_question_behind_an_order_is_not_shared_after_it(void **state) {
        struct fixture *f = *state;
        size_t before, asked;

        /* Nothing shows from outside that the service has read the reply while its question is open: it is given more and more time. */
        for (unsigned tenths = 1; tenths < 70; tenths *= 2) {
                struct call *order, *status;

                before = sim_count(f, "{order,{4}}");
                sim(f, "{on,4,hold}");
                order = call_start(f->root, "BeNone", "");
                SIM_EXPECT(f, "{order,{4}}");
                idle(f, tenths / 10.0);
                status = call_start(f->root, "Status", "");
                barrier(f, f->root);
                CHECK(f, !order->done && !status->done);
                sim(f, "release");
                WAIT_CALL_OK(f, order);
                CHECK_TEXT(f, WAIT_CALL_OK(f, status), "'none' []");
                asked = sim_count(f, "{order,{4}}") - before;
                CHECK(f, asked == 1 || asked == 2);
                if (asked == 2)
                        return;
        }
        fail_msg("it is shared each time");
}

/* Two ids that look the same to a person are no two ids, and none looks like words of ours: in polkit's dialogue, say. */
static void ids_with_what_cannot_be_seen_are_refused(void **state) {
        static const char *const bad[] = { " ", "\u00a0\u3000", "n\u202e1", "n\u2066" "1", "n\u200b1", "n\u2060", "\ufeffn1", "n\u2028" "1",
                                           "n\u2029" "1", "n\u00ad1" };
        struct fixture *f = *state;

        configure(f, "[ConfD]\nAllowAddressStrings=yes\n");
        service_start(f);
        service_wait_connected(f);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                CALL_FAILS(f, INVALID_ARGS, "BeMaster", "s", bad[i]);
                CALL_FAILS(f, INVALID_ARGS, "SlaveDead", "s", bad[i]);
                CALL_FAILS(f, INVALID_ARGS, "TakeOver", "ss", bad[i], "");
                CALL_FAILS(f, INVALID_ARGS, "TakeOver", "ss", "n1", bad[i]);
                CALL_FAILS(f, INVALID_ARGS, "BeSlave", "sssb", bad[i], "n1", "10.0.0.1", true);
                CALL_FAILS(f, INVALID_ARGS, "BeSlave", "sssb", "n2", bad[i], "10.0.0.1", true);
                CALL_FAILS(f, INVALID_ARGS, "Inhibit", "ss", bad[i], "why");
                if (i >= 2) {
                        CALL_FAILS(f, INVALID_ARGS, "BeSlave", "sssb", "n2", "n1", bad[i], true);
                        CALL_FAILS(f, INVALID_ARGS, "Inhibit", "ss", "who", bad[i]);
                }
        }
        CHECK(f, sim_count(f, "{order,{1,*") == 0);
        CALL_OK(f, "BeMaster", "s", "\u00e4 \u65e5\u672c \u0645");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                BUS_TEST(be_master_changes_then_signals_then_replies),
                BUS_TEST(be_master_again_renames),
                BUS_TEST(be_none),
                BUS_TEST(be_relay),
                BUS_TEST_STOPPED(ids_with_what_cannot_be_seen_are_refused),
                BUS_TEST(slave_dead),
                BUS_TEST(status_of_each_state),
                BUS_TEST(status_of_255_nodes),
                BUS_TEST(odd_ids_and_addresses),
                BUS_TEST(every_encoding_is_read),
                BUS_TEST(every_error_has_its_name),
                BUS_TEST(each_method_hears_its_error),
                BUS_TEST(phase_0_serves_status_only),
                BUS_TEST(node_ids_are_checked),
                BUS_TEST(addresses_are_checked),
                BUS_TEST_STOPPED(address_strings_when_allowed),
                BUS_TEST(wrong_calls_get_the_buss_own_errors),
                BUS_TEST(a_failed_order_may_change_the_state),
                BUS_TEST(events_after_the_reply),
                BUS_TEST(orders_are_answered_first_in_first_out),
                BUS_TEST(one_question_behind_an_order_is_enough),
                BUS_TEST(an_answered_order_does_not_wait_for_the_next),
                BUS_TEST(an_event_beside_an_order_is_asked_for_again),
                BUS_TEST(a_question_behind_an_order_is_not_shared_after_it),
        };

        return cmocka_run_group_tests_name("orders", tests, NULL, NULL);
}
