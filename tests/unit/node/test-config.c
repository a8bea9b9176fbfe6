/* SPDX-License-Identifier: Apache-2.0 */
/* The node's settings: every key and switch, what overrides what, and messages that name the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "node/config.h"

struct fixture {
        char dir[64];
        char file[96];
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        (void) strcpy(f->dir, "/tmp/test-node-config-XXXXXX");
        if (!mkdtemp(f->dir))
                return -1;
        (void) snprintf(f->file, sizeof(f->file), "%s/node.conf", f->dir);
        log_set_target(LOG_TARGET_NULL);
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;
        char command[128];
        int r;

        (void) snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
        r = system(command);
        free(f);
        return r;
}

static void write_file(const char *path, const char *text) {
        FILE *stream = fopen(path, "we");

        assert_non_null(stream);
        assert_true(fputs(text, stream) >= 0);
        assert_int_equal(fclose(stream), 0);
}

static void expect_address(const struct socket_address *a, const char *text) {
        _cleanup_free_ char *s = format_socket_address(a);

        assert_string_equal(s, text);
}

static void an_empty_file_gives_the_defaults(void **state) {
        _cleanup_node_config_ struct node_config c = {};
        _cleanup_free_ char *error = NULL;
        struct fixture *f = *state;

        write_file(f->file, "");
        assert_int_equal(node_config_load(&(struct node_options) { .config = f->file }, &c, &error), 0);
        expect_address(&c.ipc, "127.0.0.1:4565");
        expect_address(&c.ha, "0.0.0.0:4570");
        assert_int_equal(c.n_extra_listen, 0);
        assert_int_equal(c.tick_usec, 20 * USEC_PER_SEC);
        assert_int_equal(c.sync_timeout_usec, 60 * USEC_PER_SEC);
        assert_string_equal(c.data_directory, "/var/lib/confd-ha-node");
        assert_true(isempty(c.access_file));
        assert_true(isempty(c.schema_directory));
        assert_true(isempty(c.bus_name));
        assert_int_equal(c.start_phase, 2);
        assert_int_equal(c.log_level, LOG_INFO);
}

static void every_key_is_read(void **state) {
        _cleanup_node_config_ struct node_config c = {};
        _cleanup_free_ char *error = NULL;
        struct fixture *f = *state;
        char text[NODE_ADDRESS_TEXT_MAX];

        write_file(f->file,
                   "[Node]\nIpcAddress=unix:/run/x/ipc.sock\nAccessFile=/etc/x\nHaAddress=[::1]:5000\n"
                   "ExtraListen=10.0.0.1  [fd00::1]:4571\nTickTimeoutSec=0\nSyncTimeoutSec=1.5\nDataDirectory=/data\n"
                   "SchemaDirectory=/fxs\nBusName=org.example.Node\nStartPhase=1\nLogLevel=debug\n");
        assert_int_equal(node_config_load(&(struct node_options) { .config = f->file }, &c, &error), 0);
        expect_address(&c.ipc, "unix:/run/x/ipc.sock");
        expect_address(&c.ha, "[::1]:5000");
        assert_int_equal(c.n_extra_listen, 2);
        assert_string_equal(node_address_text(c.extra_listen, text), "10.0.0.1");
        assert_string_equal(node_address_text(c.extra_listen + 1, text), "[fd00::1]:4571");
        assert_int_equal(c.tick_usec, 0);
        assert_int_equal(c.sync_timeout_usec, 1500 * USEC_PER_MSEC);
        assert_string_equal(c.data_directory, "/data");
        assert_string_equal(c.access_file, "/etc/x");
        assert_string_equal(c.schema_directory, "/fxs");
        assert_string_equal(c.bus_name, "org.example.Node");
        assert_int_equal(c.start_phase, 1);
        assert_int_equal(c.log_level, LOG_DEBUG);
}

static void switches_win_over_the_file(void **state) {
        _cleanup_node_config_ struct node_config c = {};
        _cleanup_free_ char *error = NULL;
        struct fixture *f = *state;
        struct node_options options;
        char config[128], *argv[] = { (char *) "confd-ha-node", config, (char *) "--ipc=[::1]:4999", (char *) "--ha=127.0.0.2",
                                      (char *) "--data=d", (char *) "--bus-name=org.example.B", (char *) "--start-phase0", NULL };

        (void) snprintf(config, sizeof(config), "--config=%s", f->file);
        write_file(f->file, "[Node]\nIpcAddress=unix:/run/x\nHaAddress=1.2.3.4\nDataDirectory=/data\nBusName=org.example.A\nStartPhase=1\n");
        assert_int_equal(node_options_parse(7, argv, &options), 1);
        assert_int_equal(node_config_load(&options, &c, &error), 0);
        expect_address(&c.ipc, "[::1]:4999");
        expect_address(&c.ha, "127.0.0.2:4570");
        assert_string_equal(c.data_directory, "d");
        assert_string_equal(c.bus_name, "org.example.B");
        assert_int_equal(c.start_phase, 0);
}

static void drop_ins_win_in_the_order_of_their_names(void **state) {
        _cleanup_node_config_ struct node_config c = {};
        _cleanup_free_ char *error = NULL;
        struct fixture *f = *state;
        char path[128];

        write_file(f->file, "[Node]\nTickTimeoutSec=1\n");
        (void) snprintf(path, sizeof(path), "%s.d", f->file);
        assert_int_equal(mkdir(path, 0700), 0);
        (void) snprintf(path, sizeof(path), "%s.d/20-b.conf", f->file);
        write_file(path, "[Node]\nTickTimeoutSec=3\n");
        (void) snprintf(path, sizeof(path), "%s.d/10-a.conf", f->file);
        write_file(path, "[Node]\nTickTimeoutSec=2\nUnknown=1\n");
        assert_int_equal(node_config_load(&(struct node_options) { .config = f->file }, &c, &error), 0);
        assert_int_equal(c.tick_usec, 3 * USEC_PER_SEC);
}

static void a_bad_value_is_named_with_file_and_line(void **state) {
        static const char *const lines[] = {
                "IpcAddress=", "IpcAddress=nonsense", "IpcAddress=127.0.0.1:0", "IpcAddress=unix:relative", "HaAddress=unix:/run/x",
                "HaAddress=::1", "HaAddress=10.0.0.1:70000", "ExtraListen=10.0.0.1,10.0.0.2", "ExtraListen=x",
                ("ExtraListen=1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9 "
                "1.1.1.10 1.1.1.11 1.1.1.12 1.1.1.13 1.1.1.14 1.1.1.15 1.1.1.16 1.1.1.17"),
                "TickTimeoutSec=-1", "TickTimeoutSec=x", "TickTimeoutSec=0.001", "SyncTimeoutSec=1m", "DataDirectory=",
                "DataDirectory=relative", "AccessFile=relative", "SchemaDirectory=relative", "BusName=x", "BusName=:1.1",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                _cleanup_node_config_ struct node_config c = {};
                _cleanup_free_ char *error = NULL;
                char text[512], place[128];

                (void) snprintf(text, sizeof(text), "[Node]\n# a comment\n%s\n", lines[i]);
                (void) snprintf(place, sizeof(place), "%s:3: ", f->file);
                write_file(f->file, text);
                assert_true(node_config_load(&(struct node_options) { .config = f->file }, &c, &error) < 0);
                assert_non_null(error);
                if (strncmp(error, place, strlen(place)) != 0)
                        fail_msg("%s does not begin with %s", error, place);
        }
}

static void a_bad_switch_is_named(void **state) {
        static const struct {
                struct node_options options;
                const char *says;
        } cases[] = {
                { { .ipc = "x" }, "--ipc=x: " },
                { { .ha = "unix:/x" }, "--ha=unix:/x: " },
                { { .data = "" }, "--data=: " },
                { { .bus_name = "no" }, "--bus-name=no: " },
        };
        struct fixture *f = *state;

        write_file(f->file, "");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_node_config_ struct node_config c = {};
                struct node_options options = cases[i].options;
                _cleanup_free_ char *error = NULL;

                options.config = f->file;
                assert_true(node_config_load(&options, &c, &error) < 0);
                assert_memory_equal(error, cases[i].says, strlen(cases[i].says));
        }
}

static void a_file_that_was_named_has_to_be_there(void **state) {
        _cleanup_node_config_ struct node_config c = {};
        _cleanup_free_ char *error = NULL;
        struct fixture *f = *state;

        assert_int_equal(node_config_load(&(struct node_options) { .config = f->file }, &c, &error), -ENOENT);
        assert_non_null(strstr(error, f->file));
}

static void there_may_be_sixteen_extra_addresses(void **state) {
        _cleanup_node_config_ struct node_config c = {};
        _cleanup_free_ char *error = NULL;
        struct fixture *f = *state;

        write_file(f->file, "[Node]\nExtraListen=1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9 "
                   "1.1.1.10 1.1.1.11 1.1.1.12 1.1.1.13 1.1.1.14 1.1.1.15 1.1.1.16\n");
        assert_int_equal(node_config_load(&(struct node_options) { .config = f->file }, &c, &error), 0);
        assert_int_equal(c.n_extra_listen, 16);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(an_empty_file_gives_the_defaults), T(every_key_is_read), T(switches_win_over_the_file), T(drop_ins_win_in_the_order_of_their_names), T(a_bad_value_is_named_with_file_and_line),
                T(a_bad_switch_is_named), T(a_file_that_was_named_has_to_be_there), T(there_may_be_sixteen_extra_addresses),
        };

        return cmocka_run_group_tests_name("node-config", tests, NULL, NULL);
}
