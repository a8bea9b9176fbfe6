/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what the tests of the store share. */
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "scratch.h"
#include "store-fixture.h"

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        return remove(path);
}

void open_store(struct fixture *f) {
        char *error = NULL;
        int r;

        assert_int_equal(sd_event_new(&f->event), 0);
        r = store_open(f->directory, f->event, &f->store, &error);
        if (r < 0)
                print_message("store_open: %s: %s\n", strerror(-r), error ? error : "");
        free(error);
        assert_int_equal(r, 0);
}

void close_store(struct fixture *f) {
        f->store = store_free(f->store);
        f->event = sd_event_unref(f->event);
}

int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_true(scratch_directory("test-node-store", f->directory, sizeof(f->directory)));
        open_store(f);
        *state = f;
        return 0;
}

int teardown(void **state) {
        struct fixture *f = *state;

        close_store(f);
        nftw(f->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

void run_until(sd_event *event, const bool *done) {
        uint64_t deadline = now_monotonic() + DEADLINE_USEC;

        while (!*done) {
                assert_true(now_monotonic() < deadline);
                assert_true(sd_event_run(event, 100 * 1000) >= 0);
        }
}

void on_commit(int result, struct transaction *t, void *userdata) {
        struct outcome *o = userdata;

        o->done = true;
        o->result = result;
        strcpy(o->id, transaction_id(t));
}

void on_copy(int result, void *userdata) {
        struct outcome *o = userdata;

        o->done = true;
        o->result = result;
}

struct transaction *one(const char *key, const char *value) {
        struct transaction *t;

        assert_int_equal(transaction_new(&t), 0);
        assert_int_equal(value ? transaction_set(t, key, value) : transaction_delete(t, key), 0);
        assert_int_equal(transaction_seal(t, "n1"), 0);
        return t;
}

int commit(struct fixture *f, const char *key, const char *value) {
        struct transaction *t = one(key, value);
        struct outcome o = {};

        assert_int_equal(store_commit(f->store, t, on_commit, &o), 0);
        transaction_unref(t);
        run_until(f->event, &o.done);
        return o.result;
}

void assert_value(struct fixture *f, const char *key, const char *value) {
        char *v = NULL;
        int r = store_get(f->store, key, &v);

        if (!value)
                assert_int_equal(r, -ENOENT);
        else {
                assert_int_equal(r, 0);
                assert_string_equal(v, value);
        }
        free(v);
}

void fill_copy(struct store_copy *c, size_t n, const char *value) {
        for (size_t i = 0; i < n; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "/copy/%08zu", i);
                assert_int_equal(store_copy_put(c, key, strlen(key), value, strlen(value)), 0);
        }
}

/* A copy of n entries that has all it needs, and may be put in force. */
struct store_copy *finished_copy(struct fixture *f, size_t n) {
        struct outcome o = {};
        struct store_copy *c;

        assert_int_equal(store_copy_new(f->store, &c), 0);
        fill_copy(c, n, "v");
        assert_int_equal(store_copy_finish(c, "m-1", on_copy, &o), 0);
        run_until(f->event, &o.done);
        assert_int_equal(o.result, 0);
        return c;
}

bool has_file(const struct fixture *f, const char *name) {
        char path[192];

        (void) snprintf(path, sizeof(path), "%s/%s", f->directory, name);
        return access(path, F_OK) == 0;
}

void rename_file(const struct fixture *f, const char *from, const char *to) {
        char a[192], b[192];

        (void) snprintf(a, sizeof(a), "%s/%s", f->directory, from);
        (void) snprintf(b, sizeof(b), "%s/%s", f->directory, to);
        assert_int_equal(rename(a, b), 0);
}

/* What it says; free it. */
char *open_error(const struct fixture *f, int expected) {
        struct store *s = NULL;
        sd_event *event;
        char *error = NULL;
        int r;

        assert_int_equal(sd_event_new(&event), 0);
        r = store_open(f->directory, event, &s, &error);
        if (r >= 0)
                store_free(s);
        sd_event_unref(event);
        assert_int_equal(r, expected);
        assert_non_null(error);
        return error;
}

size_t count_files(const char *directory) {
        char command[128];
        FILE *p;
        size_t n = 0;

        (void) snprintf(command, sizeof(command), "ls -A %s", directory);
        p = popen(command, "r");
        for (int ch; (ch = getc(p)) != EOF;)
                n += ch == '\n';
        pclose(p);
        return n;
}

int in_child(void (*fn)(struct fixture *), struct fixture *f) {
        int status;
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                fn(f);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

/* As in_child(), with the directory on a file system of its own, if this machine allows one. The store is open before and afterwards, and
 * fn opens one there. */
void in_tmpfs(void (*fn)(struct fixture *), struct fixture *f, const char *options) {
        int status;
        pid_t pid;

        close_store(f);
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                if ((unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
                    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", f->directory, "tmpfs", 0, options) < 0)
                        _exit(77);
                fn(f);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                print_message("# skipped: this machine allows no mounts\n");
        else
                assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        open_store(f);
}

void write_file(struct fixture *f, const char *name, const void *p, size_t n, int flags) {
        char path[128];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/%s", f->directory, name);
        fd = open(path, O_WRONLY | O_CREAT | flags, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, p, n), (ssize_t) n);
        close(fd);
}

int collect(const char *key, const char *value, void *userdata) {
        struct collected *c = userdata;

        assert_true(strcmp(key, c->last) > 0);
        strcpy(c->last, key);
        c->n++;
        c->bytes += strlen(key) + strlen(value);
        return 0;
}
