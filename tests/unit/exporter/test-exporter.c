/* SPDX-License-Identifier: Apache-2.0 */
/* What the exporter makes of the service's properties: the answers of probes, the text of metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "exporter/metrics.h"
#include "exporter/probe.h"

static struct picture picture_of(const char *state, bool in_sync) {
        return (struct picture) {
                .state = (char *) state, .connected = true, .in_sync = in_sync, .node_id = (char *) "n1",
        };
}

static void answers(const struct picture *p, const char *expected) {
        static const char *const paths[] = { "/primary", "/master", "/replica", "/slave", "/read-only", "/ready", "/live" };
        char text[8] = "";

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                text[i] = probe_answer(probe_find(paths[i]), p) ? 'y' : '-';
        assert_string_equal(text, expected);
}

static void a_master_is_primary_and_can_be_read(void **state) {
        struct picture p = picture_of("master", true);

        answers(&p, "yy--yyy");
}

static void a_slave_is_a_replica_only_with_its_data_in_place(void **state) {
        struct picture fresh = picture_of("slave", true), stale = picture_of("slave", false),
                       relay = picture_of("slave-relay", true);

        answers(&fresh, "--yyyyy");
        answers(&relay, "--yyyyy");
        answers(&stale, "-----yy");
}

static void who_synchronizes_is_not_ready(void **state) {
        struct picture p = picture_of("none", false);

        answers(&p, "-----yy");
        p.synchronizing = true;
        answers(&p, "------y");
}

static void an_unknown_state_is_nothing_but_alive(void **state) {
        struct picture unknown = picture_of("unknown", true), lost = picture_of("master", true);

        lost.connected = false;
        answers(&unknown, "------y");
        answers(&lost, "------y");
        answers(NULL, "-------");
}

static void no_other_path_is_a_probe(void **state) {
        assert_null(probe_find("/"));
        assert_null(probe_find("/primary/"));
        assert_null(probe_find("/metrics"));
        assert_null(probe_find("primary"));
}

static char *text_of(const struct picture *p, enum metrics_format format) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        metrics_write(p, /* now_usec= */ 5000000, format, f);
        assert_int_equal(fclose(f), 0);
        return text;
}

static void contains(const char *text, const char *line) {
        if (!strstr(text, line))
                fail_msg("no '%s' in:\n%s", line, text);
}

static void what_is_unknown_is_only_down(void **state) {
        _cleanup_free_ char *text = text_of(NULL, METRICS_OPENMETRICS);

        contains(text, "confd_ha_up 0\n# EOF\n");
        assert_null(strstr(text, "confd_ha_state"));
}

static void times_are_in_seconds(void **state) {
        struct picture p = picture_of("slave", true);
        _cleanup_free_ char *text = NULL;

        p.state_since_usec = 1500000;
        p.error_name = (char *) "org.confd.HA.Error.NoTick";
        p.error_usec = 1000001;
        text = text_of(&p, METRICS_PROMETHEUS);
        contains(text, "\nconfd_ha_state_duration_seconds 3.500000\n");
        contains(text, "\nconfd_ha_state_since_timestamp_seconds 1.500000\n");
        contains(text, "\nconfd_ha_last_error_timestamp_seconds{error=\"NoTick\"} 1.000001\n");
        contains(text, "\nconfd_ha_state{confd_ha_state=\"slave\"} 1\n");
        contains(text, "\nconfd_ha_state{confd_ha_state=\"master\"} 0\n");
}

static void a_clock_set_back_gives_no_huge_duration(void **state) {
        struct picture p = picture_of("slave", true);
        _cleanup_free_ char *text = NULL;

        p.state_since_usec = 6000000;
        text = text_of(&p, METRICS_PROMETHEUS);
        contains(text, "\nconfd_ha_state_duration_seconds 0.000000\n");
}

static void labels_are_escaped(void **state) {
        struct picture p = picture_of("slave", true);
        _cleanup_free_ char *text = NULL;

        p.node_id = (char *) "a\"b\\c";
        text = text_of(&p, METRICS_PROMETHEUS);
        contains(text, "confd_ha_node_info{node_id=\"a\\\"b\\\\c\",");
}

static void a_failed_target_is_told_without_its_reason(void **state) {
        struct picture p = picture_of("master", true);
        _cleanup_free_ char *text = NULL;

        p.targets = (char *) "failed: polkit is not there";
        text = text_of(&p, METRICS_PROMETHEUS);
        contains(text, "confd_ha_target{confd_ha_target=\"failed\"} 1\n");
        assert_null(strstr(text, "polkit"));
}

static void outcomes_of_one_order_are_one_histogram(void **state) {
        struct order_count orders[] = {
                { .kind = (char *) "BeMaster", .outcome = (char *) "ok", .sum_usec = 2000000, .counts = { 1, 2, 3 } },
                { .kind = (char *) "BeMaster", .outcome = (char *) "org.confd.HA.Error.Bind", .sum_usec = 500000,
                  .counts = { 0, 1, 1 } },
                { .kind = (char *) "BeNone", .outcome = (char *) "ok", .sum_usec = 1, .counts = { 7, 7, 7 } },
        };
        struct picture p = picture_of("master", true);
        _cleanup_free_ char *text = NULL;

        p.orders = orders;
        p.n_orders = ELEMENTSOF(orders);
        p.n_bounds = 2;
        p.bounds[0] = 5000;
        p.bounds[1] = 3600000000;
        text = text_of(&p, METRICS_OPENMETRICS);
        contains(text, "confd_ha_orders_total{order=\"BeMaster\",outcome=\"ok\"} 3\n"
                       "confd_ha_orders_total{order=\"BeMaster\",outcome=\"Bind\"} 1\n"
                       "confd_ha_orders_total{order=\"BeNone\",outcome=\"ok\"} 7\n");
        contains(text, "confd_ha_order_duration_seconds_bucket{order=\"BeMaster\",le=\"0.005\"} 1\n"
                       "confd_ha_order_duration_seconds_bucket{order=\"BeMaster\",le=\"3600\"} 3\n"
                       "confd_ha_order_duration_seconds_bucket{order=\"BeMaster\",le=\"+Inf\"} 4\n"
                       "confd_ha_order_duration_seconds_sum{order=\"BeMaster\"} 2.500000\n"
                       "confd_ha_order_duration_seconds_count{order=\"BeMaster\"} 4\n");
}

static void who_asks_for_openmetrics_has_it(void **state) {
        assert_int_equal(metrics_format_from_accept(NULL), METRICS_PROMETHEUS);
        assert_int_equal(metrics_format_from_accept("text/html, */*"), METRICS_PROMETHEUS);
        assert_int_equal(metrics_format_from_accept("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
                         METRICS_OPENMETRICS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_master_is_primary_and_can_be_read),
                cmocka_unit_test(a_slave_is_a_replica_only_with_its_data_in_place),
                cmocka_unit_test(who_synchronizes_is_not_ready),
                cmocka_unit_test(an_unknown_state_is_nothing_but_alive),
                cmocka_unit_test(no_other_path_is_a_probe),
                cmocka_unit_test(what_is_unknown_is_only_down),
                cmocka_unit_test(times_are_in_seconds),
                cmocka_unit_test(a_clock_set_back_gives_no_huge_duration),
                cmocka_unit_test(labels_are_escaped),
                cmocka_unit_test(a_failed_target_is_told_without_its_reason),
                cmocka_unit_test(outcomes_of_one_order_are_one_histogram),
                cmocka_unit_test(who_asks_for_openmetrics_has_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
