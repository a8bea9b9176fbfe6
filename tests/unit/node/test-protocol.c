/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the protocol between nodes against an implementation that is not ours: protocol.py, written from the document. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "fixture.h"

struct script {
        pid_t pid;
        int fd;
        char output[65536];
        size_t n;
};

static int setup(void **state) {
        *state = fixture_new();
        return 0;
}

static int teardown(void **state) {
        fixture_free(*state);
        return 0;
}

static const char *host(const struct node *n, char buf[static NODE_ADDRESS_TEXT_MAX]) {
        struct node_address a = n->config.ha_address;

        a.port = 0;
        return node_address_text(&a, buf);
}

static void script_start(struct script *s, struct fixture *f, char *const argv[]) {
        int fds[2];

        memset(s, 0, sizeof(*s));
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        fflush(stdout);
        s->pid = fork();
        if (s->pid == 0) {
                dup2(fds[1], 1);
                execv("/usr/bin/python3", argv);
                _exit(127);
        }
        f->children[0] = s->pid;
        close(fds[1]);
        s->fd = fds[0];
        assert_int_equal(fcntl(s->fd, F_SETFL, O_NONBLOCK), 0);
}

/* Whether it has written that by now. */
static bool script_wrote(struct script *s, const char *text) {
        ssize_t n = read(s->fd, s->output + s->n, sizeof(s->output) - 1 - s->n);

        if (n > 0)
                s->n += (size_t) n;
        s->output[s->n] = 0;
        return strstr(s->output, text);
}

static int script_end(struct script *s, struct fixture *f) {
        int status = 0;

        WAIT(f, (script_wrote(s, ""), waitpid(s->pid, &status, WNOHANG) == s->pid));
        f->children[0] = 0;
        (void) script_wrote(s, "");
        close(s->fd);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                print_message("# %s\n", s->output);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void joins_our_master(struct fixture *f, const char *tls) {
        struct node *a = node_new(f, 1);
        char address[NODE_ADDRESS_TEXT_MAX], big[200001], expect[TRANSACTION_ID_MAX + 8];
        struct script s;

        memset(big, 'b', sizeof(big) - 1);
        big[sizeof(big) - 1] = 0;
        node_be_master(a);
        assert_int_equal(node_set(a, "/a", "1"), 0);
        assert_int_equal(node_set(a, "/b", "2"), 0);
        node_fill(a, 1000, 10);
        script_start(&s, f, (char *[]) { (char *) "python3", (char *) NODE_PROTOCOL_PY, (char *) "join", (char *) tls,
                                         (char *) host(a, address), (char *) "4570", (char *) "py", (char *) "n1",
                                         (char *) "secret", (char *) "3", NULL });
        WAIT(f, script_wrote(&s, "admitted"));
        WAIT(f, a->arrived == 1);
        assert_int_equal(node_set(a, "/big", big), 0); /* in pieces; returns only when it has acknowledged */
        assert_int_equal(node_set(a, "/big", NULL), 0);
        assert_int_equal(node_set(a, "/c", "3"), 0);
        assert_int_equal(script_end(&s, f), 0);
        assert_non_null(strstr(s.output, "\n/a=1\n/b=2\n/c=3\n/fill/00000000=v"));
        assert_null(strstr(s.output, "/big"));
        (void) snprintf(expect, sizeof(expect), "id %s\n", store_transaction_id(a->store));
        assert_non_null(strstr(s.output, expect));
        WAIT(f, a->died == 1);
}

static void it_joins_our_master_by_openssl(void **state) {
        joins_our_master(*state, "openssl");
}

static void it_joins_our_master_by_gnutls(void **state) {
        joins_our_master(*state, "gnutls");
}

static int run_recording_py(struct script *s, struct fixture *f, const char *a, const char *b, const char *c, const char *d) {
        script_start(s, f, (char *[]) { (char *) "python3", (char *) NODE_RECORDING_PY, (char *) a, (char *) b, (char *) c, (char *) d, NULL });
        return script_end(s, f);
}

static void who_recorded_a_join_and_learns_the_token_reads_nothing(void **state) {
        struct fixture *f = *state;
        char recording[96], keylog[96];
        struct script s;

        (void) snprintf(recording, sizeof(recording), "%s/recording", f->directory);
        (void) snprintf(keylog, sizeof(keylog), "%s/keylog", f->directory);
        assert_int_equal(setenv("RECORDING", recording, 1), 0);
        assert_int_equal(setenv("KEYLOG", keylog, 1), 0);
        joins_our_master(f, "openssl");
        unsetenv("RECORDING");
        unsetenv("KEYLOG");
        assert_int_equal(run_recording_py(&s, f, recording, "secret", keylog, "/fill/00000123"), 0);
        assert_string_equal(s.output, "the token opens nothing\nthe connection's own secrets do\n");
        assert_int_equal(run_recording_py(&s, f, recording, "Secret", keylog, "/fill/00000123"), 1); /* it does know the token */
        /* And it could, if there were no key exchange. */
        assert_int_equal(run_recording_py(&s, f, "control", "secret", NULL, NULL), 0);
        assert_string_equal(s.output, "without a key exchange it does\n");
        (void) unlink(recording);
        (void) unlink(keylog);
}

static void refused(struct fixture *f, const char *tls) {
        static const struct {
                const char *own, *expected, *token, *outcome;
        } cases[] = {
                { "py", "n1", "wrong", "wrong token\n" },
                { "py", "n7", "secret", "refused 29\n" },
                { "n1", "n1", "secret", "refused 29\n" },
        };
        struct node *a = node_new(f, 1);
        char address[NODE_ADDRESS_TEXT_MAX];
        struct script s;

        node_be_master(a);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                script_start(&s, f, (char *[]) { (char *) "python3", (char *) NODE_PROTOCOL_PY, (char *) "join", (char *) tls,
                                                 (char *) host(a, address), (char *) "4570", (char *) cases[i].own,
                                                 (char *) cases[i].expected, (char *) cases[i].token, (char *) "0", NULL });
                assert_int_equal(script_end(&s, f), 0);
                assert_string_equal(s.output, cases[i].outcome);
        }
        assert_int_equal(a->arrived, 0);
}

static void it_is_refused_for_token_and_names(void **state) {
        refused(*state, "openssl");
}

static void it_is_refused_by_gnutls_too(void **state) {
        refused(*state, "gnutls");
}

static void we_join_it(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), m = {};
        char address[NODE_ADDRESS_TEXT_MAX];
        struct script s;

        m.config.ha_address = a->config.ha_address;
        m.config.ha_address.ip4.s_addr = htonl(ntohl(a->config.ha_address.ip4.s_addr) + 1);
        node_id_set(&m.id, "py");
        assert_int_equal(node_set(a, "/own", "1"), 0);
        script_start(&s, f, (char *[]) { (char *) "python3", (char *) NODE_PROTOCOL_PY, (char *) "serve", (char *) "openssl", (char *) host(&m, address),
                                         (char *) "4570", (char *) "py", (char *) "secret", (char *) "500", NULL });
        WAIT(f, script_wrote(&s, "listening"));
        node_be_slave(a, &m);
        if (a->failed)
                print_message("# %s\n", a->reason);
        assert_int_equal(a->joined, 1);
        assert_true(a->copied);
        assert_int_equal(script_end(&s, f), 0);
        assert_non_null(strstr(s.output, "acknowledged"));
        WAIT(f, a->lost);
        assert_int_equal(store_entries(a->store), 501); /* 500, one deleted, two added */
        assert_true(node_has(a, "/own", NULL) && node_has(a, "/during", "1") && node_has(a, "/py/00000000", NULL));
        assert_true(node_has(a, "/py/00000499", "value 499"));
        assert_string_equal(store_transaction_id(a->store), "py-3");
}

static void a_false_master_is_known(void **state) {
        struct fixture *f = *state;
        struct node *a = node_new(f, 1), m = {};
        char address[NODE_ADDRESS_TEXT_MAX];
        struct script s;

        m.config.ha_address = a->config.ha_address;
        m.config.ha_address.ip4.s_addr = htonl(ntohl(a->config.ha_address.ip4.s_addr) + 1);
        node_id_set(&m.id, "py");
        script_start(&s, f, (char *[]) { (char *) "python3", (char *) NODE_PROTOCOL_PY, (char *) "serve", (char *) "openssl", (char *) host(&m, address),
                                         (char *) "4570", (char *) "py", (char *) "guessed", (char *) "500", NULL });
        WAIT(f, script_wrote(&s, "listening"));
        node_be_slave(a, &m);
        assert_int_equal(a->failed, 1);
        assert_int_equal(a->code, HA_ERROR_BADTOKEN);
        end_child(f, s.pid);
        close(s.fd);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_joins_our_master_by_openssl, setup, teardown),
                cmocka_unit_test_setup_teardown(it_joins_our_master_by_gnutls, setup, teardown),
                cmocka_unit_test_setup_teardown(who_recorded_a_join_and_learns_the_token_reads_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(it_is_refused_for_token_and_names, setup, teardown),
                cmocka_unit_test_setup_teardown(it_is_refused_by_gnutls_too, setup, teardown),
                cmocka_unit_test_setup_teardown(we_join_it, setup, teardown),
                cmocka_unit_test_setup_teardown(a_false_master_is_known, setup, teardown),
        };

        log_set_target(getenv("TEST_LOG") ? LOG_TARGET_CONSOLE : LOG_TARGET_NULL);
        return cmocka_run_group_tests_name("node-protocol", tests, NULL, NULL);
}
