/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof of the long deadlines: each test here takes as long as the fixed times of the service make it. */
#include "harness.h"

/* Health checks come every 30 s; three missed ones are a timeout, although nobody asks for anything. */
static void missed_health_checks_are_a_timeout(void **state) {
        struct fixture *f = *state;
        uint64_t begun = now_monotonic();

        sim(f, "{set,health,false}");
        WAIT_FOR_SEC(f, 130, trace_find(&f->root->trace, 0, "changed* LastError=('org.confd.HA.Error.Timeout' *") >= 0);
        CHECK(f, now_monotonic() - begun >= 80 * USEC_PER_SEC);
        sim(f, "{set,health,true}");
        WAIT_PROPERTY(f, "Connected", "true");
        WAIT_PROPERTY(f, "EventsConnected", "true");
        CALL_OK(f, "BeMaster", "s", "n1");
}

static void health_checks_that_come_keep_the_connection(void **state) {
        struct fixture *f = *state;

        idle(f, 100);
        CHECK(f, trace_count(&f->root->trace, "changed* Connected=*") == 0);
        CHECK(f, trace_count(&f->root->trace, "changed* EventsConnected=*") == 0);
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "LastError", "('' '' 0)");
}

int main(int argc, char *argv[]) {
        static const struct CMUnitTest health[] = { BUS_TEST(missed_health_checks_are_a_timeout) };
        static const struct CMUnitTest quiet[] = { BUS_TEST(health_checks_that_come_keep_the_connection) };

        /* Two programs' worth: they run side by side, for they do nothing but wait. */
        if (argc > 1 && streq(argv[1], "health"))
                return cmocka_run_group_tests_name("patience-health", health, NULL, NULL);
        return cmocka_run_group_tests_name("patience-quiet", quiet, NULL, NULL);
}
