/* SPDX-License-Identifier: Apache-2.0 */
/* A generation's file whose pages a disk has damaged. It is refused by name, or it can be read to its end, by key, too; and what is
 * looked at does not go in circles.
 *
 * The first byte chooses one of the files that were written at the start: little data, or enough for a tree with large values and free
 * pages. Then come edits, each a byte that chooses it and the page, and what it takes. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "../unit/node/scratch.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "input.h"
#include "node/store/generation.h"
#include "node/store/verify.h"

#define FILE_NAME "store-5.mdb"

enum {
        PAGE = 4096,
        IMAGES = 2,
        EDITS_MAX = 8,
        PROCESSOR_MAX_MSEC = 300, /* in which a sanitizer's child starts and ends many times */
        CLOCK_MAX_MSEC = 400,     /* less than after which the look ends unsure */
};

static struct world {
        char directory[64], path[80];
        int fd;
        struct {
                uint8_t *p;
                size_t size;
        } images[IMAGES];
} w;

/* ---- whole files ---- */

static void put(MDB_txn *txn, MDB_dbi dbi, const char *text, size_t size) {
        char *bytes = malloc(size);
        MDB_val key = { strlen(text), (void *) text }, value = { size, bytes };

        if (!bytes)
                abort();
        memset(bytes, 'v', size);
        if (mdb_put(txn, dbi, &key, &value, 0) != 0)
                abort();
        free(bytes);
}

/* In several transactions, so that there are free pages. */
static void fill(struct generation *g, unsigned entries, bool large) {
        for (unsigned round = 0; round < 3; round++) {
                MDB_txn *txn;
                char text[32];

                if (mdb_txn_begin(g->env, NULL, 0, &txn) != 0)
                        abort();
                for (unsigned i = round; i < entries; i += round + 1) {
                        (void) snprintf(text, sizeof(text), "/key/%03u", i);
                        put(txn, g->data, text, 100 + 30 * round);
                }
                (void) snprintf(text, sizeof(text), "%08u", round);
                put(txn, g->log, text, large && round < 2 ? 9000 : 50);
                if (generation_state_write(g, txn, "0-0-n1", round + 1) < 0 || mdb_txn_commit(txn) != 0)
                        abort();
        }
}

static void make_image(size_t at, unsigned entries, bool large) {
        struct generation *g;
        char *error = NULL;
        struct stat st;
        int fd;

        if (generation_open(w.fd, w.directory, FILE_NAME, 5, /* create= */ true, &g, &error) < 0)
                abort();
        fill(g, entries, large);
        generation_close(g);
        fd = openat(w.fd, FILE_NAME, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || !(w.images[at].p = malloc((size_t) st.st_size)) ||
            pread(fd, w.images[at].p, (size_t) st.st_size, 0) != st.st_size)
                abort();
        w.images[at].size = (size_t) st.st_size;
        close(fd);
        (void) unlinkat(w.fd, FILE_NAME, 0);
}

static void end(void) {
        for (size_t i = 0; i < IMAGES; i++)
                free(w.images[i].p);
        close(w.fd);
        (void) rmdir(w.directory);
}

static void begin_once(void) {
        if (w.directory[0])
                return;
        log_set_target(LOG_TARGET_NULL);
        if (!scratch_directory("fuzz-node-pages", w.directory, sizeof(w.directory)))
                abort();
        (void) snprintf(w.path, sizeof(w.path), "%s/%s", w.directory, FILE_NAME);
        w.fd = open(w.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (w.fd < 0 || atexit(end) != 0)
                abort();
        make_image(0, /* entries= */ 6, /* large= */ false);
        make_image(1, /* entries= */ 90, /* large= */ true);
}

/* ---- damage ---- */

/* Returns the file's new size. */
static size_t edit(struct input *in, uint8_t *image, size_t size) {
        uint8_t how = take_byte(in), page = take_byte(in);
        size_t pages = size / PAGE, at = page % pages * PAGE, other;
        const uint8_t *p;

        switch (how % 4) {
        case 0: /* bytes at a place that two bytes tell */
                at += (take_byte(in) * 256u + take_byte(in)) % PAGE;
                other = take_bytes(in, &p);
                memcpy(image + at, p, MIN(other, size - at));
                return size;
        case 1: /* the header's, or the first places of what is in the page */
                at += take_byte(in) % 64;
                image[at] = take_byte(in);
                return size;
        case 2: /* another page written in its place */
                other = take_byte(in) % pages * PAGE;
                memcpy(image + at, image + other, PAGE);
                return size;
        default:
                return MAX(at, (size_t) 1);
        }
}

static void write_damaged(struct input *in) {
        size_t which = take_byte(in) % IMAGES, size = w.images[which].size;
        uint8_t *image = malloc(size);
        int fd = openat(w.fd, FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (!image || fd < 0)
                abort();
        memcpy(image, w.images[which].p, size);
        for (unsigned i = 0; in->left > 0 && size >= PAGE && i < EDITS_MAX; i++)
                size = edit(in, image, size);
        if (write(fd, image, size) != (ssize_t) size)
                abort();
        close(fd);
        free(image);
}

/* ---- the look, and what is trusted after it ---- */

static uint64_t children_msec(void) {
        struct rusage usage;

        if (getrusage(RUSAGE_CHILDREN, &usage) < 0)
                abort();
        return (uint64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
               (uint64_t) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* False also if the machine was so busy that the look may have ended before it was over. */
static bool is_accepted(bool is_whole) {
        uint64_t used = children_msec(), begun = now_monotonic();
        int r = store_verify(w.path);

        if (r < 0 && (r != -EUCLEAN || is_whole))
                abort();
        if (children_msec() - used > PROCESSOR_MAX_MSEC)
                abort();
        return r >= 0 && now_monotonic() - begun < CLOCK_MAX_MSEC * USEC_PER_MSEC;
}

static void read_database(MDB_txn *txn, MDB_dbi dbi) {
        MDB_cursor *cursor, *other;
        MDB_val key, value, found;
        int rc;

        if (mdb_cursor_open(txn, dbi, &cursor) != 0 || mdb_cursor_open(txn, dbi, &other) != 0)
                abort();
        while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
                char copy[KEY_SIZE_MAX];

                if (key.mv_size > sizeof(copy))
                        abort();
                memcpy(copy, key.mv_data, key.mv_size);
                for (size_t i = 0; i < value.mv_size; i++)
                        (void) ((const volatile uint8_t *) value.mv_data)[i];
                key.mv_data = copy;
                (void) mdb_get(txn, dbi, &key, &found);
                (void) mdb_cursor_get(other, &key, &found, MDB_SET_RANGE);
        }
        if (rc != MDB_NOTFOUND)
                abort();
        mdb_cursor_close(cursor);
        mdb_cursor_close(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };
        struct generation_state state;
        struct generation *g;
        char *error = NULL;
        MDB_txn *txn;
        int r;

        begin_once();
        write_damaged(&in);
        if (is_accepted(/* is_whole= */ size <= 1)) {
                r = generation_open(w.fd, w.directory, FILE_NAME, 5, /* create= */ false, &g, &error);
                if (r < 0 ? size <= 1 || r != -EUCLEAN || !error || !strstr(error, FILE_NAME) : !!error)
                        abort();
                if (r >= 0) {
                        if (mdb_txn_begin(g->env, NULL, MDB_RDONLY, &txn) != 0 || generation_state_read(g, txn, &state) < 0)
                                abort();
                        read_database(txn, g->data);
                        read_database(txn, g->meta);
                        read_database(txn, g->log);
                        mdb_txn_abort(txn);
                        generation_close(g);
                }
                free(error);
        }
        (void) unlinkat(w.fd, FILE_NAME, 0);
        return 0;
}
