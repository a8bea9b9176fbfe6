/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the schema set's digest. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "node/replication/schema.h"

struct fixture {
        char a[64], b[64];
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        return remove(path);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        (void) snprintf(f->a, sizeof(f->a), "/tmp/test-node-schema-a-XXXXXX");
        (void) snprintf(f->b, sizeof(f->b), "/tmp/test-node-schema-b-XXXXXX");
        assert_non_null(mkdtemp(f->a));
        assert_non_null(mkdtemp(f->b));
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        nftw(f->a, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        nftw(f->b, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

static void put(const char *directory, const char *name, const char *contents) {
        char path[256];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/%s", directory, name);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(contents, f);
        fclose(f);
}

static bool same(struct fixture *f) {
        struct schema a, b;
        char *error;

        assert_int_equal(schema_load(f->a, &a, &error), 0);
        assert_int_equal(schema_load(f->b, &b, &error), 0);
        return memcmp(a.digest, b.digest, sizeof(a.digest)) == 0;
}

static void equal_sets_have_equal_digests_and_others_have_not(void **state) {
        struct fixture *f = *state;
        char path[256];

        assert_true(same(f));
        put(f->a, "x.fxs", "1");
        assert_false(same(f));
        put(f->a, "y.fxs", "2");
        put(f->b, "y.fxs", "2"); /* in another order */
        put(f->b, "x.fxs", "1");
        assert_true(same(f));
        put(f->b, ".hidden", "3");
        (void) snprintf(path, sizeof(path), "%s/directory", f->b);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_true(same(f));
        put(f->b, "y.fxs", "3");
        assert_false(same(f));
        put(f->b, "y.fxs", "1"); /* the same contents under each other's names */
        put(f->b, "x.fxs", "2");
        assert_false(same(f));
        put(f->b, "x.fxs", "1");
        put(f->b, "y.fxs", "2");
        put(f->b, "z.fxs", "");
        assert_false(same(f));
}

static void no_schema_is_all_zeros(void **state) {
        static const uint8_t zeros[SCHEMA_DIGEST_SIZE];
        struct fixture *f = *state;
        struct schema s;
        char *error = NULL;

        assert_int_equal(schema_load("", &s, &error), 0);
        assert_memory_equal(s.digest, zeros, sizeof(zeros));
        assert_int_equal(schema_load(NULL, &s, &error), 0);
        assert_int_equal(schema_load(f->a, &s, &error), 0);
        assert_memory_equal(s.digest, zeros, sizeof(zeros));
        assert_int_equal(s.files, 0);
}

/* SHA-256 over 00000001 "x" SHA-256("1"), as any other tool computes it. */
static void a_known_set_has_its_digest(void **state) {
        struct fixture *f = *state;
        char command[512], line[128] = "", hex[2 * SCHEMA_DIGEST_SIZE + 1];
        struct schema s;
        char *error;
        FILE *p;

        put(f->a, "x", "1");
        assert_int_equal(schema_load(f->a, &s, &error), 0);
        for (size_t i = 0; i < sizeof(s.digest); i++)
                (void) snprintf(hex + 2 * i, 3, "%02x", s.digest[i]);
        (void) snprintf(command, sizeof(command),
                        "/usr/bin/python3 -c 'import hashlib; h=hashlib.sha256; "
                        "print(h(b\"\\0\\0\\0\\1x\" + h(b\"1\").digest()).hexdigest())'");
        p = popen(command, "r");
        assert_non_null(p);
        assert_non_null(fgets(line, sizeof(line), p));
        pclose(p);
        line[strcspn(line, "\n")] = 0;
        assert_string_equal(line, hex);
}

static void what_cannot_be_read_is_named(void **state) {
        struct fixture *f = *state;
        struct schema s = { .files = 77 };
        char *error = NULL, path[256];

        assert_int_equal(schema_load("/nonexistent", &s, &error), -ENOENT);
        assert_non_null(strstr(error, "/nonexistent"));
        free(error);
        (void) snprintf(path, sizeof(path), "%s/dangling.fxs", f->a);
        assert_int_equal(symlink("/nonexistent", path), 0);
        assert_int_equal(schema_load(f->a, &s, &error), -ENOENT);
        assert_non_null(strstr(error, "dangling.fxs"));
        free(error);
        assert_int_equal(s.files, 77);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(equal_sets_have_equal_digests_and_others_have_not, setup, teardown),
                cmocka_unit_test_setup_teardown(no_schema_is_all_zeros, setup, teardown),
                cmocka_unit_test_setup_teardown(a_known_set_has_its_digest, setup, teardown),
                cmocka_unit_test_setup_teardown(what_cannot_be_read_is_named, setup, teardown),
        };

        return cmocka_run_group_tests_name("node-schema", tests, NULL, NULL);
}
