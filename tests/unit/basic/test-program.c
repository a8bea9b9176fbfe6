/* SPDX-License-Identifier: Apache-2.0 */
/* What programs read: secrets and configuration files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/ini-config.h"
#include "basic/log.h"
#include "basic/secret-sources.h"

static char dir[] = "/tmp/confd-ha-test.XXXXXX";

static char *in_dir(const char *name) {
        static char paths[4][128];
        static unsigned turn;
        char *p = paths[turn++ % 4];

        snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
        return p;
}

static const char *put(const char *name, const void *p, size_t n, mode_t mode) {
        char *path = in_dir(name);
        int fd;

        /* One that was there may not be writable. */
        (void) unlink(path);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, p, n), n);
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
        return path;
}

static const char *put_text(const char *name, const char *s) {
        return put(name, s, strlen(s), 0644);
}

static int start(void **state) {
        log_set_target(LOG_TARGET_NULL);
        return mkdtemp(dir) ? 0 : -1;
}

static int stop(void **state) {
        char command[64];

        snprintf(command, sizeof(command), "rm -rf %s", dir);
        return system(command);
}

static void a_secret_is_read_from_its_file(void **state) {
        _cleanup_secret_ struct secret s = {};
        static char big[102];

        memset(big, 'x', sizeof(big));
        assert_int_equal(secret_read_file(put("s", "abc\n", 4, 0640), 100, true, &s), 0);
        assert_int_equal(s.size, 3);
        assert_string_equal((char *) s.data, "abc");
        secret_done(&s);
        assert_int_equal(secret_read_file(put("s", "a\0\n\n", 4, 0400), 100, false, &s), 0);
        assert_int_equal(s.size, 4);
        secret_done(&s);
        assert_int_equal(secret_read_file(put("s", "\n\n", 2, 0400), 100, true, &s), 0);
        assert_int_equal(s.size, 1);
        secret_done(&s);
        assert_int_equal(secret_read_file(put("s", "", 0, 0400), 100, true, &s), 0);
        assert_int_equal(s.size, 0);
        assert_non_null(s.data);
        secret_done(&s);

        /* As one that an editor of another system wrote; a CR in any other place belongs to the secret. */
        assert_int_equal(secret_read_file(put("s", "abc\r\n", 5, 0400), 100, true, &s), 0);
        assert_string_equal((char *) s.data, "abc");
        secret_done(&s);
        assert_int_equal(secret_read_file(put("s", "\r\n", 2, 0400), 100, true, &s), 0);
        assert_int_equal(s.size, 0);
        secret_done(&s);
        assert_int_equal(secret_read_file(put("s", "abc\r\n\r\n", 7, 0400), 100, true, &s), 0);
        assert_string_equal((char *) s.data, "abc\r\n");
        secret_done(&s);
        assert_int_equal(secret_read_file(put("s", "abc\r", 4, 0400), 100, true, &s), 0);
        assert_string_equal((char *) s.data, "abc\r");
        secret_done(&s);
        assert_int_equal(secret_read_file(put("s", "abc\r\n", 5, 0400), 100, false, &s), 0);
        assert_int_equal(s.size, 5);
        secret_done(&s);

        /* The limit is that of the secret, not of its newline. */
        big[100] = '\n';
        assert_int_equal(secret_read_file(put("s", big, 101, 0400), 100, true, &s), 0);
        assert_int_equal(s.size, 100);
        secret_done(&s);
        big[100] = '\r', big[101] = '\n';
        assert_int_equal(secret_read_file(put("s", big, 102, 0400), 100, true, &s), 0);
        assert_int_equal(s.size, 100);
        big[100] = '\n', big[101] = 'x';
        secret_done(&s);
        assert_int_equal(secret_read_file(put("s", big, 101, 0400), 100, false, &s), -EFBIG);
        assert_int_equal(secret_read_file(put("s", big, 100, 0400), 100, false, &s), 0);
        secret_done(&s);
        assert_int_equal(secret_read_file(put("s", big, 102, 0400), 100, true, &s), -EFBIG);

        assert_int_equal(secret_read_file(put("s", "abc", 3, 0644), 100, true, &s), -EPERM);
        assert_int_equal(secret_read_file(put("s", "abc", 3, 0602), 100, true, &s), -EPERM);
        assert_int_equal(secret_read_file(in_dir("absent"), 100, true, &s), -ENOENT);
        assert_int_equal(secret_read_file(dir, 100, true, &s), -EINVAL);
        assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
        assert_int_equal(secret_read_file(in_dir("fifo"), 100, true, &s), -EINVAL);
        assert_null(s.data);
        secret_done(&s);
}

static void a_credential_is_read_from_its_directory(void **state) {
        _cleanup_secret_ struct secret s = {};

        unsetenv("CREDENTIALS_DIRECTORY");
        assert_int_equal(secret_read_credential("c", 100, true, &s), -ENOENT);
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir + 1, 1), 0);
        assert_int_equal(secret_read_credential("c", 100, true, &s), -ENOENT);
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
        assert_int_equal(secret_read_credential("c", 100, true, &s), -ENOENT);
        put("c", "from systemd\n", 13, 0444);
        assert_int_equal(secret_read_credential("c", 100, true, &s), 0);
        assert_string_equal((char *) s.data, "from systemd");
        unsetenv("CREDENTIALS_DIRECTORY");
}

static void secrets_are_compared(void **state) {
        uint8_t x[] = "ab", y[] = "ac";

        assert_true(secret_equal(&(struct secret) {}, &(struct secret) {}));
        assert_true(secret_equal(&(struct secret) { x, 1 }, &(struct secret) { y, 1 }));
        assert_false(secret_equal(&(struct secret) { x, 2 }, &(struct secret) { y, 2 }));
        assert_false(secret_equal(&(struct secret) { x, 1 }, &(struct secret) { x, 2 }));
}

struct config {
        char *name, *path;
        uint64_t time;
        bool flag;
};

static const struct ini_key table[] = {
        { "One", "Name", config_parse_string, offsetof(struct config, name) },
        { "One", "Time", config_parse_sec, offsetof(struct config, time) },
        { "Two", "Flag", config_parse_bool, offsetof(struct config, flag) },
        { "Two", "Path", config_parse_path, offsetof(struct config, path) },
        {},
};

static void assert_load(const char *file, int expected, const char *words) {
        _cleanup_free_ char *error = NULL;
        struct config c = {};
        int r = ini_config_load(file, true, table, &c, &error);

        if (r != expected || (words && (!error || !strstr(error, words))))
                fail_msg("%i %s, not %i %s", r, error ?: "", expected, words ?: "");
        assert_true(r >= 0 || error);
        free(c.name);
        free(c.path);
}

static void a_configuration_is_read(void **state) {
        _cleanup_free_ char *error = NULL;
        _cleanup_free_ char *file = strdup(put_text("a.conf", "# comment\n; comment\n\n[One]\nName = first # not a comment\nTime=1.5\n"
                                              "Unknown=1\n[Two]\nFlag=yes\nPath=/x\n[Three]\nName=other\n"));
        struct config c = {};

        assert_int_equal(ini_config_load(file, true, table, &c, &error), 0);
        assert_null(error);
        assert_string_equal(c.name, "first # not a comment");
        assert_int_equal(c.time, 1500000);
        assert_true(c.flag);
        assert_string_equal(c.path, "/x");

        /* Drop-ins come in the order of their names, and only .conf files. */
        assert_int_equal(mkdir(in_dir("a.conf.d"), 0755), 0);
        put_text("a.conf.d/20.conf", "[One]\nName=third\n");
        put_text("a.conf.d/10.conf", "[One]\nName=second\nTime=2\n");
        put_text("a.conf.d/99.conf~", "[One]\nName=never\n");
        put_text("a.conf.d/.30.conf", "[One]\nName=never\n");
        put_text("a.conf.d/.conf", "[One]\nName=never\n");
        assert_int_equal(ini_config_load(file, true, table, &c, &error), 0);
        assert_string_equal(c.name, "third");
        assert_int_equal(c.time, 2000000);
        /* One is masked as systemd's users do, and what comes after it is read. */
        assert_int_equal(unlink(in_dir("a.conf.d/20.conf")), 0);
        assert_int_equal(symlink("/dev/null", in_dir("a.conf.d/20.conf")), 0);
        assert_int_equal(ini_config_load(file, true, table, &c, &error), 0);
        assert_string_equal(c.name, "second");
        put_text("a.conf.d/15.conf", "[One]\n\nTime=soon\n");
        assert_int_equal(ini_config_load(file, true, table, &c, &error), -EINVAL);
        assert_non_null(strstr(error, "a.conf.d/15.conf:3: Time=soon: not a time"));
        free(c.name);
        free(c.path);
}

static void a_configuration_error_is_named_with_file_and_line(void **state) {
        _cleanup_free_ char *error = NULL;
        static char text[8192];
        struct config c = {};

        assert_int_equal(ini_config_load(in_dir("absent"), false, table, &c, &error), 0);
        assert_load(in_dir("absent"), -ENOENT, "absent: cannot open: No such file");
        assert_load(put_text("b.conf", "[One]\nName\n"), -EINVAL, "b.conf:2:");
        assert_load(put_text("b.conf", "[One\nName=1\n"), -EINVAL, "b.conf:1:");
        assert_load(put_text("b.conf", "[Two]\nFlag=maybe\n"), -EINVAL, "b.conf:2: Flag=maybe: not a boolean");
        assert_load(put_text("b.conf", "[Two]\nPath=relative\n"), -EINVAL, "b.conf:2: Path=relative: not an absolute path");
        assert_load(put_text("b.conf", "[One]\nName=\xff\n"), -EINVAL, "b.conf:2: Name: not UTF-8");
        assert_load(put("b.conf", "[One]\nName=a\0b\n", 15, 0644), -EINVAL, "b.conf:2: a NUL byte");
        assert_load(dir, -EINVAL, "not a regular file");
        assert_load(in_dir("fifo"), -EINVAL, "not a regular file");
        assert_load(put_text("b.conf", ""), 0, NULL);
        assert_load(put_text("b.conf", "[One]\nName=no newline at the end"), 0, NULL);
        assert_load(put_text("b.conf", "\xef\xbb\xbf[One]\r\nTime=1\r\n"), 0, NULL);

        /* Lines of 4096 bytes before the newline, and of one more. */
        memset(text, 'x', sizeof(text));
        memcpy(text, "[One]\nName=", 11);
        for (size_t n = 4094; n <= 4098; n++) {
                text[6 + n - 1] = '\n';
                text[6 + n] = 0;
                assert_load(put("b.conf", text, 6 + n, 0644), n <= 4097 ? 0 : -EINVAL, n <= 4097 ? NULL : "b.conf:2: line is longer");
                text[6 + n - 1] = 'x';
                text[6 + n] = 'x';
        }
}

static void log_levels_have_names(void **state) {
        enum log_target t;
        int level;

        for (level = LOG_EMERG; level <= LOG_DEBUG; level++) {
                int back = -1;

                assert_int_equal(log_level_from_string(log_level_to_string(level), &back), 0);
                assert_int_equal(back, level);
        }
        assert_int_equal(log_level_from_string("loud", &level), -EINVAL);
        assert_int_equal(log_target_from_string("console", &t), 0);
        assert_int_equal(t, LOG_TARGET_CONSOLE);
        assert_int_equal(log_target_from_string("syslog", &t), -EINVAL);
        assert_string_equal(log_target_to_string(log_get_target()), "null");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_secret_is_read_from_its_file),
                cmocka_unit_test(a_credential_is_read_from_its_directory),
                cmocka_unit_test(secrets_are_compared),
                cmocka_unit_test(a_configuration_is_read),
                cmocka_unit_test(a_configuration_error_is_named_with_file_and_line),
                cmocka_unit_test(log_levels_have_names),
        };

        return cmocka_run_group_tests(tests, start, stop);
}
