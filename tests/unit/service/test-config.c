/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof that the service's configuration and secrets are read as the manual says, and what is wrong is named. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "service/config.h"

static char dir[] = "/tmp/confd-ha-config-XXXXXX";
static char path_buf[128];

static const char *path(const char *name) {
        snprintf(path_buf, sizeof(path_buf), "%s/%s", dir, name);
        return path_buf;
}

static void put(const char *name, const char *text, size_t n, mode_t mode) {
        int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, n), n);
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
}

/* A [ConfD] file with a good token, and what is given beside. */
static int load(struct config **ret, const char *text, char **ret_error) {
        char all[2048];

        snprintf(all, sizeof(all), "[ConfD]\nTokenFile=%s/token\n%s", dir, text);
        put("c.conf", all, strlen(all), 0644);
        return config_load(ret, path("c.conf"), ret_error);
}

static struct config *good(const char *text) {
        struct config *c = NULL;
        char *error = NULL;

        assert_int_equal(load(&c, text, &error), 0);
        assert_null(error);
        return c;
}

static void bad(const char *text, const char *line, const char *word) {
        struct config *c = NULL;
        char *error = NULL, place[256];

        assert_true(load(&c, text, &error) < 0);
        assert_null(c);
        assert_non_null(error);
        snprintf(place, sizeof(place), "%s/c.conf%s", dir, line);
        assert_non_null(strstr(error, place));
        assert_non_null(strstr(error, word));
        free(error);
}

static void defaults(void **unused) {
        struct config *c;

        put("token", "secret\n", 7, 0600);
        c = good("");
        assert_string_equal(c->address_name, "127.0.0.1:4565");
        assert_int_equal(c->request_timeout, 10 * USEC_PER_SEC);
        assert_int_equal(c->sync_timeout, 3600 * USEC_PER_SEC);
        assert_int_equal(c->reconnect_min, 200 * USEC_PER_MSEC);
        assert_int_equal(c->reconnect_max, 10 * USEC_PER_SEC);
        assert_false(c->allow_address_strings);
        assert_true(c->targets);
        assert_int_equal(c->grace, 10 * USEC_PER_SEC);
        assert_int_equal(c->token.size, 6);
        assert_memory_equal(c->token.data, "secret", 6);
        assert_false(c->has_access);
        assert_false(failure_is_set(&c->problem));
        config_free(c);
}

static void values(void **unused) {
        struct config *c;

        put("access", "key\n", 4, 0640);
        c = good("Address=[::1]:4569\nRequestTimeoutSec=2.5\nSyncTimeoutSec=60\nReconnectMinSec=0.01\nReconnectMaxSec=1\n"
                 "AllowAddressStrings=yes\n[Roles]\nTargets=no\nGraceSec=0\n");
        assert_string_equal(c->address_name, "[::1]:4569");
        assert_int_equal(c->request_timeout, 2500 * USEC_PER_MSEC);
        assert_int_equal(c->sync_timeout, 60 * USEC_PER_SEC);
        assert_int_equal(c->reconnect_min, 10 * USEC_PER_MSEC);
        assert_int_equal(c->reconnect_max, USEC_PER_SEC);
        assert_true(c->allow_address_strings);
        assert_false(c->targets);
        assert_int_equal(c->grace, 0);
        config_free(c);
        c = good("Address=unix:/run/confd/ipc.sock\n");
        assert_string_equal(c->address_name, "unix:/run/confd/ipc.sock");
        config_free(c);
}

static void bad_values_name_file_and_line(void **unused) {
        bad("Address=localhost\n", ":3", "Address=localhost");
        bad("\n# comment\nAddress=1.2.3.4:0\n", ":5", "Address");
        bad("RequestTimeoutSec=0\n", ":3", "0.01");
        bad("RequestTimeoutSec=soon\n", ":3", "seconds");
        bad("SyncTimeoutSec=-1\n", ":3", "SyncTimeoutSec");
        bad("ReconnectMinSec=0\n", ":3", "ReconnectMinSec");
        bad("ReconnectMaxSec=0.001\n", ":3", "ReconnectMaxSec");
        bad("AllowAddressStrings=maybe\n", ":3", "yes or no");
        bad("AccessFile=relative\n", ":3", "absolute");
        bad("TokenFile=\n", ":3", "TokenFile");
        bad("[Roles]\nGraceSec=x\n", ":4", "GraceSec");
        bad("ReconnectMinSec=5\nReconnectMaxSec=4\n", ":", "ReconnectMaxSec=");
        bad("nonsense\n", ":3", "Key=Value");
}

static void a_missing_file(void **unused) {
        struct config *c = NULL;
        char *error = NULL;

        assert_int_equal(config_load(&c, path("absent.conf"), &error), -ENOENT);
        assert_non_null(strstr(error, "absent.conf"));
        free(error);
}

static void token_problem(const char *word) {
        struct config *c = good("");

        assert_string_equal(failure_name(&c->problem), ERROR_NO_TOKEN);
        assert_non_null(strstr(c->problem.message, word));
        assert_non_null(strstr(c->problem.message, path("token")));
        assert_non_null(strstr(c->problem.message, "openssl rand -hex 32"));
        config_free(c);
}

static void tokens(void **unused) {
        char longest[TOKEN_MAX + 2];
        struct config *c;

        memset(longest, 'x', sizeof(longest));
        unlink(path("token"));
        token_problem("no such file");
        put("token", "", 0, 0600);
        token_problem("empty");
        put("token", "\n", 1, 0600);
        token_problem("empty");
        put("token", "a\0b", 3, 0600);
        token_problem("NUL");
        put("token", "secret", 6, 0644);
        token_problem("others");
        put("token", "secret", 6, 0602);
        token_problem("others");
        put("token", longest, TOKEN_MAX + 1, 0600);
        token_problem("255");
        longest[TOKEN_MAX] = '\n';
        put("token", longest, TOKEN_MAX + 1, 0640);
        c = good("");
        assert_int_equal(c->token.size, TOKEN_MAX);
        assert_false(failure_is_set(&c->problem));
        config_free(c);
        put("token", "two\n\n", 5, 0600);
        c = good("");
        assert_int_equal(c->token.size, 4);
        config_free(c);
        unlink(path("token"));
        assert_int_equal(mkdir(path("token"), 0700), 0);
        token_problem("regular");
        rmdir(path("token"));
        put("token", "secret", 6, 0600);
}

static void access_secrets(void **unused) {
        struct config *c;
        char text[256];

        put("access", "key\n", 4, 0640);
        snprintf(text, sizeof(text), "AccessFile=%s/access\n", dir);
        c = good(text);
        assert_true(c->has_access);
        assert_int_equal(c->access.size, 4); /* byte for byte */
        config_free(c);
        put("access", "key", 3, 0644);
        c = good(text);
        assert_string_equal(failure_name(&c->problem), ERROR_SECRET);
        assert_non_null(strstr(c->problem.message, "others"));
        config_free(c);
        unlink(path("access"));
        c = good(text);
        assert_string_equal(failure_name(&c->problem), ERROR_SECRET);
        assert_non_null(strstr(c->problem.message, "access"));
        assert_string_equal(c->problem_file, path("access"));
        config_free(c);
}

static void credentials_win(void **unused) {
        struct config *c;

        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
        put("ha-token", "credential\n", 11, 0444);
        put("ipc-access", "proof", 5, 0444);
        c = good("");
        assert_int_equal(c->token.size, 10);
        assert_memory_equal(c->token.data, "credential", 10);
        assert_true(c->has_access);
        assert_memory_equal(c->access.data, "proof", 5);
        config_free(c);
        unlink(path("ha-token"));
        unlink(path("ipc-access"));
        c = good("");
        assert_memory_equal(c->token.data, "secret", 6);
        assert_false(c->has_access);
        config_free(c);
        unsetenv("CREDENTIALS_DIRECTORY");
}

/* What is wrong with it is no matter of the file that it takes the place of. */
static void a_bad_credential_is_blamed(const char *name, size_t n, const char *error, const char *file) {
        static const char much[128 * 1024] = { [0 ... 128 * 1024 - 1] = 'x' };
        struct config *c;

        put(name, much, n, 0444);
        c = good("");
        assert_string_equal(failure_name(&c->problem), error);
        assert_non_null(strstr(c->problem.message, path(name)));
        assert_non_null(strstr(c->problem.message, "restart"));
        assert_null(strstr(c->problem.message, file));
        assert_null(strstr(c->problem.message, "reload"));
        assert_null(strstr(c->problem.message, " :"));
        assert_string_equal(c->problem_file, path(name));
        config_free(c);
        unlink(path(name));
}

static void bad_credentials_are_blamed(void **unused) {
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
        a_bad_credential_is_blamed("ha-token", 0, ERROR_NO_TOKEN, "/token");
        a_bad_credential_is_blamed("ha-token", 256, ERROR_NO_TOKEN, "/token");
        a_bad_credential_is_blamed("ipc-access", 65537, ERROR_SECRET, "from :");
        unsetenv("CREDENTIALS_DIRECTORY");
}

static void what_the_sandbox_hides_is_said(void **unused) {
        struct config *c = good("TokenFile=/home/nobody-at-all/token\n");

        assert_non_null(strstr(c->problem.message, "sandbox"));
        config_free(c);
        c = good("TokenFile=/nowhere/token\n");
        assert_null(strstr(c->problem.message, "sandbox"));
        config_free(c);
}

static void what_reconnects(void **unused) {
        struct config *a = good(""), *b = good("RequestTimeoutSec=1\n");

        assert_true(config_connection_equal(a, b));
        config_free(b);
        b = good("Address=127.0.0.1:4566\n");
        assert_false(config_connection_equal(a, b));
        config_free(b);
        put("token", "another", 7, 0600);
        b = good("");
        assert_false(config_connection_equal(a, b));
        config_free(b);
        config_free(a);
        put("token", "secret", 6, 0600);
}

static int set_up(void **unused) {
        log_set_target(LOG_TARGET_NULL);
        return mkdtemp(dir) ? 0 : -1;
}

static int drop(const char *name, const struct stat *st, int type, struct FTW *ftw) {
        return remove(name);
}

static int tear_down(void **unused) {
        return nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(defaults),
                cmocka_unit_test(values),
                cmocka_unit_test(bad_values_name_file_and_line),
                cmocka_unit_test(a_missing_file),
                cmocka_unit_test(tokens),
                cmocka_unit_test(access_secrets),
                cmocka_unit_test(credentials_win),
                cmocka_unit_test(bad_credentials_are_blamed),
                cmocka_unit_test(what_the_sandbox_hides_is_said),
                cmocka_unit_test(what_reconnects),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
