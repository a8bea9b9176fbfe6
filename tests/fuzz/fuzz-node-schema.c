/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of schema files: names of any bytes, with contents, and what is no file among them. The digest is that of the rule, made
 * here from what was written, in whatever order the directory has it; what cannot be read is an error that names it.
 *
 * For each: a byte that says what it is, its name, its contents. */
#include <endian.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../unit/node/scratch.h"
#include "input.h"
#include "node/replication/schema.h"

enum { ENTRIES_MAX = 12, NAME_MAX_SIZE = 256 };

enum kind { KIND_FILE, KIND_LINK, KIND_DIRECTORY, KIND_FIFO, KIND_DANGLING, KINDS };

struct entry {
        char name[NAME_MAX_SIZE];
        enum kind kind;
        const uint8_t *p;
        size_t n;
};

static struct world {
        char directory[64], outside[80];
        int fd;
} w;

static void end(void) {
        close(w.fd);
        (void) unlink(w.outside);
        (void) rmdir(w.directory);
}

static void begin_once(void) {
        if (w.directory[0])
                return;
        if (!scratch_directory("fuzz-node-schema", w.directory, sizeof(w.directory)))
                abort();
        (void) snprintf(w.outside, sizeof(w.outside), "%s.txt", w.directory);
        w.fd = open(w.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (w.fd < 0 || atexit(end) != 0)
                abort();
}

static void write_at(int fd, const char *name, const uint8_t *p, size_t n) {
        int file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (file < 0 || write(file, p, n) != (ssize_t) n)
                abort();
        close(file);
}

/* False if there can be none of that name. */
static bool take_entry(struct input *in, struct entry *ret) {
        const uint8_t *p;
        size_t n;

        ret->kind = take_byte(in) % KINDS;
        n = take_bytes(in, &p);
        if (n > 0)
                memcpy(ret->name, p, n);
        ret->name[n] = 0;
        ret->n = take_bytes(in, &ret->p);
        return ret->name[0] && !strchr(ret->name, '/') && !streq(ret->name, ".") && !streq(ret->name, "..") &&
               faccessat(w.fd, ret->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/* All links point to one file, which has what the last of them was given. */
static void make(const struct entry *e) {
        int r = 0;

        switch (e->kind) {
        case KIND_FILE:
                write_at(w.fd, e->name, e->p, e->n);
                break;
        case KIND_LINK:
                write_at(AT_FDCWD, w.outside, e->p, e->n);
                r = symlinkat(w.outside, w.fd, e->name);
                break;
        case KIND_DIRECTORY:
                r = mkdirat(w.fd, e->name, 0700);
                break;
        case KIND_FIFO:
                r = mkfifoat(w.fd, e->name, 0600);
                break;
        default:
                r = symlinkat("/nonexistent/schema", w.fd, e->name);
        }
        if (r < 0)
                abort();
}

static int compare(const void *a, const void *b) {
        return strcmp(((const struct entry *) a)->name, ((const struct entry *) b)->name);
}

/* Returns how many files there are. */
static size_t expect(struct entry *entries, size_t n, const struct entry *last_link, uint8_t digest[static SCHEMA_DIGEST_SIZE]) {
        uint8_t text[ENTRIES_MAX * (4 + NAME_MAX_SIZE + SCHEMA_DIGEST_SIZE)];
        size_t size = 0, files = 0;

        qsort(entries, n, sizeof(*entries), compare);
        for (size_t i = 0; i < n; i++) {
                const struct entry *e = &entries[i], *of = e->kind == KIND_LINK ? last_link : e;
                uint32_t length = htobe32((uint32_t) strlen(e->name));

                if (e->name[0] == '.' || (e->kind != KIND_FILE && e->kind != KIND_LINK))
                        continue;
                memcpy(text + size, &length, sizeof(length));
                memcpy(text + size + sizeof(length), e->name, strlen(e->name));
                size += sizeof(length) + strlen(e->name);
                SHA256(of->n > 0 ? of->p : (const uint8_t *) "", of->n, text + size);
                size += SCHEMA_DIGEST_SIZE;
                files++;
        }
        memset(digest, 0, SCHEMA_DIGEST_SIZE);
        if (files > 0)
                SHA256(text, size, digest);
        return files;
}

static void judge(struct entry *entries, size_t n, const struct entry *last_link) {
        uint8_t digest[SCHEMA_DIGEST_SIZE];
        struct schema schema = {};
        const char *dangling = NULL;
        char *error = NULL;
        size_t files;
        int r;

        r = schema_load(w.directory, &schema, &error);
        files = expect(entries, n, last_link, digest);
        for (size_t i = 0; i < n; i++)
                if (entries[i].kind == KIND_DANGLING && entries[i].name[0] != '.' &&
                    (!dangling || (error && strstr(error, entries[i].name))))
                        dangling = entries[i].name;
        if (dangling ? r != -ENOENT || !error || !strstr(error, dangling)
                     : r < 0 || error || schema.files != files || memcmp(schema.digest, digest, sizeof(digest)) != 0)
                abort();
        free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct entry entries[ENTRIES_MAX], last_link = {};
        struct input in = { data, size };
        size_t n = 0;

        begin_once();
        while (in.left > 0 && n < ENTRIES_MAX)
                if (take_entry(&in, &entries[n])) {
                        make(&entries[n]);
                        if (entries[n].kind == KIND_LINK)
                                last_link = entries[n];
                        n++;
                }
        judge(entries, n, &last_link);
        for (size_t i = 0; i < n; i++)
                if (unlinkat(w.fd, entries[i].name, entries[i].kind == KIND_DIRECTORY ? AT_REMOVEDIR : 0) < 0)
                        abort();
        return 0;
}
