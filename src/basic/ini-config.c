/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of configuration files: order, limits, and messages that name file and line. */
#include <dirent.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/escape.h"
#include "basic/ini-config.h"
#include "basic/log.h"
#include "basic/parse.h"

enum { LINE_LIMIT = 4096 };

struct reading {
        const char *file;
        const struct ini_key *table;
        void *config;
        FILE *stream;
        unsigned line;
        int r;
        char **ret_error;
};

/* The first error stays; later ones of the same file would only repeat it. */
_printf_(3, 4) static int fail(struct reading *in, int r, const char *format, ...) {
        va_list ap;

        if (in->r < 0)
                return in->r;
        in->r = r;
        va_start(ap, format);
        if (vasprintf(in->ret_error, format, ap) < 0) {
                *in->ret_error = NULL;
                in->r = -ENOMEM;
        }
        va_end(ap);
        return in->r;
}

/* inih tells handlers no line numbers as Debian builds it, so we count lines as it reads them. */
static char *next_line(char *s, int num, void *userdata) {
        struct reading *in = userdata;
        size_t n = 0;
        int c;

        if (in->r < 0)
                return NULL;
        while ((c = getc(in->stream)) != EOF) {
                if (n + 2 > (size_t) num) {
                        in->line++;
                        (void) fail(in, -EINVAL, "%s:%u: line is longer than %d bytes", in->file, in->line, num - 2);
                        return NULL;
                }
                if (c == 0) {
                        (void) fail(in, -EINVAL, "%s:%u: a NUL byte: this is not a text file", in->file, in->line + 1);
                        return NULL;
                }
                s[n++] = (char) c;
                if (c == '\n')
                        break;
        }
        if (ferror(in->stream)) {
                (void) fail(in, -EIO, "%s: cannot read: %m", in->file);
                return NULL;
        }
        if (n == 0)
                return NULL;
        s[n] = 0;
        in->line++;
        return s;
}

static int handle(void *userdata, const char *section, const char *name, const char *value) {
        struct reading *in = userdata;
        bool known_section = false;

        for (const struct ini_key *k = in->table; k->section; k++) {
                const char *why = "invalid value";
                int r;

                if (!streq(k->section, section))
                        continue;
                known_section = true;
                if (!streq(k->key, name))
                        continue;
                if (!utf8_is_valid(value, strlen(value))) {
                        (void) fail(in, -EINVAL, "%s:%u: %s: not UTF-8", in->file, in->line, name);
                        return 1;
                }
                r = k->parse(value, (char *) in->config + k->offset, &why);
                if (r == -ENOMEM)
                        (void) fail(in, r, "%s:%u: out of memory", in->file, in->line);
                else if (r < 0)
                        (void) fail(in, r, "%s:%u: %s=%s: %s", in->file, in->line, name, value, why);
                return 1;
        }
        {
                _cleanup_free_ char *s = utf8_escape(section, strlen(section)), *n = utf8_escape(name, strlen(name));

                if (known_section)
                        log_warning("%s:%u: unknown key %s in section [%s], ignored", in->file, in->line, n ?: "?", s ?: "?");
                else
                        log_warning("%s:%u: key %s in unknown section [%s], ignored", in->file, in->line, n ?: "?", s ?: "?");
        }
        return 1;
}

static int load_one(const char *file, bool required, const struct ini_key *table, void *config, char **ret_error) {
        struct reading in = { .file = file, .table = table, .config = config, .ret_error = ret_error };
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                if (errno == ENOENT && !required)
                        return 0;
                return fail(&in, -errno, "%s: cannot open: %m", file);
        }
        if (fstat(fd, &st) < 0)
                return fail(&in, -errno, "%s: cannot stat: %m", file);
        /* A drop-in is masked by a link to /dev/null, as with systemd. */
        if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
                return 0;
        if (!S_ISREG(st.st_mode))
                return fail(&in, -EINVAL, "%s: not a regular file", file);
        in.stream = fdopen(fd, "re");
        if (!in.stream)
                return fail(&in, -errno, "%s: cannot read: %m", file);
        TAKE_FD(fd);

        ini_allow_inline_comments = false;
        ini_allow_multiline = false;
        ini_use_stack = false;
        ini_max_line = LINE_LIMIT + 2;
        ini_initial_alloc = LINE_LIMIT + 2; /* else its lines end at 200 bytes, and ours with them */
        r = ini_parse_stream(next_line, &in, handle, &in);
        fclose(in.stream);
        if (in.r < 0)
                return in.r;
        if (r == -2)
                return fail(&in, -ENOMEM, "%s: out of memory", file);
        if (r != 0)
                return fail(&in, -EINVAL, "%s:%d: neither a [Section] nor Key=Value", file, r);
        return 0;
}

static int is_conf(const struct dirent *d) {
        size_t n = strlen(d->d_name);

        return n > 5 && d->d_name[0] != '.' && streq(d->d_name + n - 5, ".conf");
}

/* Not alphasort(): the order must not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

int ini_config_load(const char *file, bool required, const struct ini_key *table, void *config, char **ret_error) {
        _cleanup_free_ char *dir = NULL;
        struct dirent **names = NULL;
        int n, r;

        *ret_error = NULL;
        r = load_one(file, required, table, config, ret_error);
        if (r < 0)
                return r;
        if (asprintf(&dir, "%s.d", file) < 0)
                return -ENOMEM;
        n = scandir(dir, &names, is_conf, by_name);
        if (n < 0) {
                if (errno == ENOENT)
                        return 0;
                r = -errno;
                if (asprintf(ret_error, "%s: cannot read the directory: %m", dir) < 0)
                        *ret_error = NULL;
                return r;
        }
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = NULL;

                if (r >= 0) {
                        if (asprintf(&path, "%s/%s", dir, names[i]->d_name) < 0)
                                r = -ENOMEM;
                        else
                                r = load_one(path, /* required= */ true, table, config, ret_error);
                }
                free(names[i]);
        }
        free(names);
        return r;
}

int config_parse_string(const char *value, void *target, const char **ret_why) {
        return free_and_strdup(target, value);
}

int config_parse_sec(const char *value, void *target, const char **ret_why) {
        *ret_why = "not a time in seconds, as 10 or 0.2";
        return parse_sec(value, target);
}

int config_parse_bool(const char *value, void *target, const char **ret_why) {
        *ret_why = "not a boolean, write yes or no";
        return parse_boolean(value, target);
}

int config_parse_path(const char *value, void *target, const char **ret_why) {
        *ret_why = "not an absolute path";
        if (*value && *value != '/')
                return -EINVAL;
        return free_and_strdup(target, value);
}
