/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the digest of the schema set.
 *
 * SHA-256 over, for each file in the byte order of the names: the name's length (4 bytes), the name, and the SHA-256 of
 * the file's contents. No two sets that differ in a name or in contents have the same. */
#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "node/replication/schema.h"

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

static void md_freep(EVP_MD_CTX **ctx) {
        EVP_MD_CTX_free(*ctx);
}

struct names {
        char **list;
        size_t n;
};

static void names_done(struct names *names) {
        for (size_t i = 0; i < names->n; i++)
                free(names->list[i]);
        free(names->list);
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int digest_file(int directory_fd, const char *name, uint8_t ret[static SCHEMA_DIGEST_SIZE]) {
        _cleanup_close_ int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        _cleanup_(md_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t buf[16384];
        struct stat st;
        off_t total = 0;
        ssize_t n;

        if (!ctx)
                return -ENOMEM;
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (!EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
                return -EIO;
        while ((n = read(fd, buf, sizeof(buf))) != 0) {
                if (n < 0)
                        return -errno;
                total += n;
                if (total > SCHEMA_FILE_SIZE_MAX)
                        return -EFBIG;
                if (!EVP_DigestUpdate(ctx, buf, (size_t) n))
                        return -EIO;
        }
        return EVP_DigestFinal_ex(ctx, ret, NULL) ? 0 : -EIO;
}

/* Passes over hidden files and directories; links count as what they point to. */
static int is_member(int directory_fd, const char *name) {
        struct stat st;

        if (name[0] == '.')
                return 0;
        if (fstatat(directory_fd, name, &st, 0) < 0)
                return -errno;
        return S_ISREG(st.st_mode);
}

static int add_name(struct names *names, const char *name) {
        char **list;

        if (names->n >= SCHEMA_FILES_MAX)
                return -E2BIG;
        list = reallocarray(names->list, names->n + 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        names->list = list;
        list[names->n] = strdup(name);
        if (!list[names->n])
                return -ENOMEM;
        names->n++;
        return 0;
}

static int digest_directory(const char *directory, struct schema *ret, char **ret_name) {
        _cleanup_(closedirp) DIR *d = opendir(directory);
        _cleanup_(md_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        _cleanup_(names_done) struct names names = {};
        struct schema schema = {};
        struct dirent *e;
        int r;

        if (!d)
                return -errno;
        if (!ctx)
                return -ENOMEM;
        for (;;) {
                errno = 0;
                e = readdir(d);
                if (!e)
                        break;
                r = is_member(dirfd(d), e->d_name);
                if (r > 0)
                        r = add_name(&names, e->d_name);
                if (r < 0) {
                        *ret_name = strdup(e->d_name);
                        return r;
                }
        }
        if (errno)
                return -errno;
        if (names.n == 0) {
                *ret = schema;
                return 0;
        }
        qsort(names.list, names.n, sizeof(*names.list), compare);
        if (!EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
                return -EIO;
        for (size_t i = 0; i < names.n; i++) {
                uint8_t digest[SCHEMA_DIGEST_SIZE];
                size_t n = strlen(names.list[i]);
                uint32_t length = htobe32((uint32_t) n);

                r = digest_file(dirfd(d), names.list[i], digest);
                if (r < 0) {
                        *ret_name = strdup(names.list[i]);
                        return r;
                }
                if (!EVP_DigestUpdate(ctx, &length, sizeof(length)) || !EVP_DigestUpdate(ctx, names.list[i], n) ||
                    !EVP_DigestUpdate(ctx, digest, sizeof(digest)))
                        return -EIO;
        }
        if (!EVP_DigestFinal_ex(ctx, schema.digest, NULL))
                return -EIO;
        schema.files = names.n;
        *ret = schema;
        return 0;
}

int schema_load(const char *directory, struct schema *ret, char **ret_error) {
        _cleanup_free_ char *name = NULL;
        int r;

        if (isempty(directory)) {
                *ret = (struct schema) {};
                return 0;
        }
        r = digest_directory(directory, ret, &name);
        if (r < 0 && asprintf(ret_error, "cannot read the schema in %s%s%s: %s", directory, name ? "/" : "", name ?: "",
                              r == -E2BIG ? "more than 4096 files" : strerror(-r)) < 0)
                *ret_error = NULL;
        return r;
}
