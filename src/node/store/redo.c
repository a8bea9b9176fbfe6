/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the redo log: its file, what is written to it, what is found in it. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <xxhash.h>

#include "node/store/redo.h"

#define REDO_FILE "redo"
#define HEADER_MAGIC UINT64_C(0x314f444552414843)
#define RECORD_MAGIC UINT64_C(0x3143455241484343)

enum { FLAG_LOG = 1, DISK_SHARE = 32, IOV_COUNT = 2 + 2 * REDO_GROUP_MAX };

struct position {
        uint64_t sequence, hash; /* of a transaction, and of its id */
};

struct header {
        uint64_t magic, id, identity, segment_size;
        struct position base;
        XXH128_hash_t sum;
};

struct record {
        uint64_t magic, id;
        struct position previous, last;
        uint32_t count, size;
        XXH128_hash_t sum;
};

struct entry {
        uint64_t sequence;
        uint32_t flags, size;
};

struct redo {
        int fd;
        struct header header;
        struct position last;
        unsigned active;         /* the segment that is being filled */
        size_t end;              /* in it */
        uint64_t segment_last[2]; /* last sequence number in each; 0: none */
        XXH3_state_t *sum;
        struct entry entries[REDO_GROUP_MAX];
        struct iovec iov[IOV_COUNT];
};

static int redo_error(int error) {
        if (error == EDQUOT || error == EFBIG)
                return -ENOSPC;
        return error > 0 ? -error : -EIO;
}

static uint64_t id_hash(const char *id) {
        return XXH3_64bits(id, strlen(id));
}

static size_t blocks(size_t size) {
        return (size + REDO_BLOCK - 1) / REDO_BLOCK * REDO_BLOCK;
}

static size_t record_size(size_t n, size_t bytes) {
        return blocks(sizeof(struct record) + n * sizeof(struct entry) + bytes);
}

static off_t segment_at(const struct redo *r, unsigned segment) {
        return (off_t) (REDO_BLOCK + segment * r->header.segment_size);
}

/* ---- the file ---- */

/* Blocks that have been written need no change of the file's structure when they are synced; the one large transaction that a log
 * is grown for is not worth writing them twice. */
static int fill(int fd, off_t from, off_t to, bool write) {
        static const uint8_t zeros[256 * 1024];

        if (!write) {
                if (fallocate(fd, 0, from, to - from) >= 0)
                        from = to;
                else if (errno != EOPNOTSUPP && errno != ENOSYS)
                        return redo_error(errno); /* and not what is left of the disk taken from others, for a moment */
        }
        while (from < to) {
                ssize_t n = pwrite(fd, zeros, (size_t) MIN(to - from, (off_t) sizeof(zeros)), from);

                if (n <= 0)
                        return n < 0 ? redo_error(errno) : -ENOSPC;
                from += n;
        }
        return fsync(fd) < 0 ? redo_error(errno) : 0;
}

/* A small disk is not filled with our log. */
static uint64_t default_segment(int fd) {
        struct statvfs st;
        uint64_t size = REDO_SEGMENT_MAX;

        if (fstatvfs(fd, &st) >= 0)
                size = MIN(size, (uint64_t) st.f_blocks * st.f_frsize / DISK_SHARE);
        return MAX(size / REDO_BLOCK * REDO_BLOCK, (uint64_t) REDO_SEGMENT_MIN);
}

static int write_header(struct redo *r) {
        uint8_t block[REDO_BLOCK] = {};
        ssize_t n;

        r->header.sum = (XXH128_hash_t) {};
        r->header.sum = XXH3_128bits(&r->header, sizeof(r->header));
        memcpy(block, &r->header, sizeof(r->header));
        n = pwrite(r->fd, block, sizeof(block), 0);
        if (n < 0 && redo_error(errno) == -ENOSPC)
                return -ENOSPC; /* not a byte of it */
        /* Else which header is on the disk is not known, and so not which records would count. */
        return n != (ssize_t) sizeof(block) || fdatasync(r->fd) < 0 ? -ENOTRECOVERABLE : 0;
}

static bool header_is_sound(const struct header *h, off_t size) {
        struct header copy = *h;

        copy.sum = (XXH128_hash_t) {};
        return h->magic == HEADER_MAGIC && h->segment_size >= REDO_SEGMENT_MIN && h->segment_size % REDO_BLOCK == 0 &&
               h->segment_size <= (uint64_t) size && REDO_BLOCK + 2 * h->segment_size <= (uint64_t) size &&
               XXH128_isEqual(XXH3_128bits(&copy, sizeof(copy)), h->sum);
}

static int create(struct redo *r, int directory_fd) {
        uint64_t size = default_segment(r->fd);
        unsigned long flags;
        int k;

        /* Where pages are copied on write, ours are not to be: they are overwritten, and sync with one step only then. */
        if (ioctl(r->fd, FS_IOC_GETFLAGS, &flags) >= 0) {
                flags |= FS_NOCOW_FL;
                (void) ioctl(r->fd, FS_IOC_SETFLAGS, &flags);
        }
        r->header = (struct header) { .magic = HEADER_MAGIC };
        do { /* on a full disk a small one, until there is space: begin_anew() */
                r->header.segment_size = size;
                k = ftruncate(r->fd, 0) < 0 ? redo_error(errno) : fill(r->fd, 0, segment_at(r, 2), /* write= */ true);
                size = MAX(size / 2 / REDO_BLOCK * REDO_BLOCK, (uint64_t) REDO_SEGMENT_MIN);
        } while (k == -ENOSPC && r->header.segment_size > REDO_SEGMENT_MIN);
        if (k >= 0)
                k = write_header(r);
        if (k >= 0 && fsync(directory_fd) < 0)
                k = redo_error(errno);
        if (k < 0)
                (void) unlinkat(directory_fd, REDO_FILE, 0);
        return k;
}

/* Whether there is anything that begins like a record, of whatever log. */
static int any_record(int fd) {
        uint64_t magic;
        ssize_t n;

        for (off_t at = REDO_BLOCK; (n = pread(fd, &magic, sizeof(magic), at)) == (ssize_t) sizeof(magic); at += REDO_BLOCK)
                if (magic == RECORD_MAGIC)
                        return 1;
        return n < 0 ? -errno : 0;
}

/* 1, or 0 for one that was never begun, which has nothing in it: its header comes last. */
static int load(int directory_fd, int flags, struct redo **ret) {
        _cleanup_(redo_freep) struct redo *r = calloc(1, sizeof(*r));
        static const struct header none;
        struct stat st;
        ssize_t n;
        int k = 1;

        if (!r)
                return -ENOMEM;
        r->sum = XXH3_createState();
        r->fd = openat(directory_fd, REDO_FILE, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
        if (!r->sum)
                return -ENOMEM;
        if (r->fd < 0)
                return redo_error(errno);
        if (fstat(r->fd, &st) < 0)
                return redo_error(errno);
        if (!S_ISREG(st.st_mode))
                return -EUCLEAN;
        n = pread(r->fd, &r->header, sizeof(r->header), 0);
        if (n < 0)
                return redo_error(errno);
        if (memcmp(&r->header, &none, sizeof(none)) == 0) {
                k = any_record(r->fd);
                if (k != 0)
                        return k < 0 ? k : -EUCLEAN;
        } else if (n < (ssize_t) sizeof(r->header) || !header_is_sound(&r->header, st.st_size))
                return -EUCLEAN;
        *ret = TAKE_PTR(r);
        return k;
}

int redo_open(int directory_fd, struct redo **ret) {
        _cleanup_(redo_freep) struct redo *r = NULL;
        int k;

        k = load(directory_fd, O_RDWR | O_CREAT, &r);
        if (!r)
                return k;
        if (k == 0)
                k = create(r, directory_fd);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

struct redo *redo_free(struct redo *r) {
        if (r) {
                (void) safe_close(r->fd);
                (void) XXH3_freeState(r->sum);
                free(r);
        }
        return NULL;
}

static int begin(struct redo *r, uint64_t identity, struct position base) {
        struct header before = r->header;
        int k;

        if (getrandom(&r->header.id, sizeof(r->header.id), 0) != (ssize_t) sizeof(r->header.id))
                return -EIO;
        r->header.identity = identity;
        r->header.base = base;
        k = write_header(r);
        if (k < 0) {
                r->header = before;
                return k;
        }
        r->last = r->header.base;
        r->active = 0;
        r->end = 0;
        r->segment_last[0] = r->segment_last[1] = 0;
        return 0;
}

/* With segments of the usual size, whatever they were grown to, or had to be on a full disk. */
static int begin_anew(struct redo *r, uint64_t identity, struct position base) {
        uint64_t before = r->header.segment_size, usual = default_segment(r->fd);
        off_t end = segment_at(r, 2);
        int k;

        r->header.segment_size = usual;
        if (usual > before && fill(r->fd, end, segment_at(r, 2), /* write= */ true) < 0) {
                (void) !ftruncate(r->fd, end);
                r->header.segment_size = before;
        }
        k = begin(r, identity, base);
        if (k < 0)
                r->header.segment_size = before;
        else if (segment_at(r, 2) < end)
                (void) !ftruncate(r->fd, segment_at(r, 2)); /* the next start does, if we do not come to it */
        return k;
}

int redo_reset(struct redo *r, uint64_t identity, const struct generation_state *state) {
        return begin_anew(r, identity, (struct position) { state->sequence, id_hash(state->transaction_id) });
}

bool redo_is_large(const struct redo *r) {
        return r->header.segment_size > default_segment(r->fd);
}

bool redo_is_small(const struct redo *r) {
        return r->header.segment_size < default_segment(r->fd);
}

int redo_resize(struct redo *r) {
        return begin_anew(r, r->header.identity, r->last);
}

uint64_t redo_last(const struct redo *r) {
        return r->last.sequence;
}

int redo_grow(struct redo *r, size_t n, size_t bytes) {
        off_t end = segment_at(r, 2);
        uint64_t before = r->header.segment_size;
        int k;

        r->header.segment_size = record_size(n, bytes);
        k = fill(r->fd, end, segment_at(r, 2), /* write= */ false);
        if (k >= 0)
                k = begin(r, r->header.identity, r->last);
        if (k < 0) {
                r->header.segment_size = before;
                if (k != -ENOTRECOVERABLE) /* the header on the disk may be the new one */
                        (void) !ftruncate(r->fd, end);
        }
        return k;
}

/* ---- writing ---- */

bool redo_fits(const struct redo *r, size_t n, size_t bytes) {
        return record_size(n, bytes) <= r->header.segment_size;
}

int redo_room(struct redo *r, size_t n, size_t bytes, uint64_t applied) {
        unsigned other = !r->active;
        size_t need = record_size(n, bytes);

        if (need > r->header.segment_size)
                return -EFBIG;
        if (r->end + need <= r->header.segment_size)
                return 1;
        if (r->segment_last[other] > applied)
                return 0;
        r->active = other;
        r->end = 0;
        r->segment_last[other] = 0;
        return 1;
}

/* *ret_any: some of it may be there after an error. */
static int write_all(int fd, struct iovec *iov, size_t n, off_t at, bool *ret_any) {
        *ret_any = false;
        while (n > 0) {
                ssize_t k = pwritev(fd, iov, (int) n, at);

                *ret_any = *ret_any || k >= 0 || errno == EIO;

                if (k <= 0)
                        return k < 0 ? redo_error(errno) : -ENOSPC;
                at += k;
                for (; n > 0 && (size_t) k >= iov->iov_len; iov++, n--)
                        k -= (ssize_t) iov->iov_len;
                if (n > 0) {
                        iov->iov_base = (uint8_t *) iov->iov_base + k;
                        iov->iov_len -= (size_t) k;
                }
        }
        return 0;
}

static uint8_t zeros_block[REDO_BLOCK];

/* What was to be written may be on the disk, whole even, or not: make sure that it is not. */
static int wipe(struct redo *r, off_t at, int error) {
        return pwrite(r->fd, zeros_block, sizeof(zeros_block), at) != (ssize_t) sizeof(zeros_block) || fdatasync(r->fd) < 0
                       ? -ENOTRECOVERABLE : error;
}

int redo_write(struct redo *r, const struct job *j, size_t n) {
        off_t at = segment_at(r, r->active) + (off_t) r->end;
        struct record record = { .magic = RECORD_MAGIC, .id = r->header.id, .previous = r->last, .count = (uint32_t) n };
        size_t size = 0, i = 0, total;
        bool any;
        int k;

        r->iov[i++] = (struct iovec) { &record, sizeof(record) };
        for (size_t e = 0; e < n; e++, j = TAILQ_NEXT(j, queue)) {
                size_t bytes = transaction_size(j->transaction);

                r->entries[e] = (struct entry) { .sequence = j->sequence, .flags = j->log ? FLAG_LOG : 0, .size = (uint32_t) bytes };
                r->iov[i++] = (struct iovec) { &r->entries[e], sizeof(r->entries[e]) };
                r->iov[i++] = (struct iovec) { (void *) transaction_data(j->transaction), bytes };
                size += sizeof(r->entries[e]) + bytes;
                record.last = (struct position) { j->sequence, id_hash(transaction_id(j->transaction)) };
        }
        record.size = (uint32_t) size;
        (void) XXH3_128bits_reset(r->sum);
        for (size_t v = 0; v < i; v++)
                (void) XXH3_128bits_update(r->sum, r->iov[v].iov_base, r->iov[v].iov_len);
        record.sum = XXH3_128bits_digest(r->sum);
        total = blocks(sizeof(record) + size);
        if (total > sizeof(record) + size)
                r->iov[i++] = (struct iovec) { zeros_block, total - sizeof(record) - size };
        k = write_all(r->fd, r->iov, i, at, &any);
        if (k < 0)
                return any ? wipe(r, at, k) : k;
        if (fdatasync(r->fd) < 0)
                return wipe(r, at, redo_error(errno));
        r->last = record.last;
        r->segment_last[r->active] = record.last.sequence;
        r->end += total;
        return 0;
}

/* ---- reading ---- */

static bool same(const struct position *a, const struct position *b) {
        return a->sequence == b->sequence && a->hash == b->hash;
}

/* The record there, with its payload, if it is whole. `room`: to the end of the segment. */
static int read_record(struct redo *r, off_t at, size_t room, struct record *ret, uint8_t **ret_payload) {
        _cleanup_free_ uint8_t *payload = NULL;
        struct record record, copy;

        if (room < sizeof(record))
                return 0;
        if (pread(r->fd, &record, sizeof(record), at) != (ssize_t) sizeof(record))
                return -EIO;
        if (record.magic != RECORD_MAGIC || record.id != r->header.id || record.size > room - sizeof(record) || record.count == 0)
                return 0;
        payload = malloc(record.size);
        if (!payload)
                return -ENOMEM;
        if (pread(r->fd, payload, record.size, at + (off_t) sizeof(record)) != (ssize_t) record.size)
                return -EIO;
        copy = record;
        copy.sum = (XXH128_hash_t) {};
        (void) XXH3_128bits_reset(r->sum);
        (void) XXH3_128bits_update(r->sum, &copy, sizeof(copy));
        (void) XXH3_128bits_update(r->sum, payload, record.size);
        if (!XXH128_isEqual(XXH3_128bits_digest(r->sum), record.sum))
                return 0;
        *ret = record;
        *ret_payload = TAKE_PTR(payload);
        return 1;
}

/* Those of the record's transactions that the data does not have. *found: the place where the data is was passed. */
static int take_entries(const struct record *record, const uint8_t *p, const struct position *data, bool *found, struct job_queue *q) {
        const uint8_t *end = p + record->size;
        struct entry e;

        for (uint32_t i = 0; i < record->count; i++) {
                _cleanup_(job_freep) struct job *j = job_new(JOB_COMMIT);
                struct position at;
                int k;

                if (!j)
                        return -ENOMEM;
                if ((size_t) (end - p) < sizeof(e))
                        return -EUCLEAN;
                memcpy(&e, p, sizeof(e));
                p += sizeof(e);
                if (e.size > (size_t) (end - p))
                        return -EUCLEAN;
                k = transaction_from_data(p, e.size, &j->transaction);
                if (k < 0)
                        return k == -ENOMEM ? k : -EUCLEAN;
                p += e.size;
                at = (struct position) { e.sequence, id_hash(transaction_id(j->transaction)) };
                if (*found) {
                        j->sequence = e.sequence;
                        j->log = e.flags & FLAG_LOG;
                        j->bytes = e.size;
                        struct job *take = TAKE_PTR(j);
                        TAILQ_INSERT_TAIL(q, take, queue);
                } else
                        *found = same(&at, data);
        }
        return 0;
}

/* Reads on in a segment, as far as it goes. */
static int read_segment(struct redo *r, unsigned segment, const struct position *data, bool *found, struct job_queue *q) {
        size_t at = 0;

        r->active = segment;
        for (;;) {
                _cleanup_free_ uint8_t *payload = NULL;
                struct record record;
                int k;

                k = read_record(r, segment_at(r, segment) + (off_t) at, r->header.segment_size - at, &record, &payload);
                if (k < 0)
                        return k;
                if (k == 0 || !same(&record.previous, &r->last))
                        break;
                *found = *found || same(&record.previous, data);
                k = take_entries(&record, payload, data, found, q);
                if (k < 0)
                        return k;
                at += blocks(sizeof(record) + record.size);
                r->last = record.last;
                r->segment_last[segment] = record.last.sequence;
        }
        r->end = at;
        return 0;
}

/* A tear is at the end only: a whole record behind it, of a transaction after the last one, tells that what is missing was there. */
static int look_behind(struct redo *r) {
        enum { PIECE = 16 * REDO_BLOCK };
        _cleanup_free_ uint8_t *piece = malloc(PIECE);
        off_t end = segment_at(r, 2);
        struct record record;

        if (!piece)
                return -ENOMEM;
        for (off_t at = segment_at(r, 0); at < end; at += PIECE) {
                ssize_t n = pread(r->fd, piece, (size_t) MIN(end - at, (off_t) PIECE), at);

                if (n < 0)
                        return -errno;
                for (ssize_t i = 0; i + (ssize_t) sizeof(record) <= n; i += REDO_BLOCK) {
                        _cleanup_free_ uint8_t *payload = NULL;
                        off_t block = at + i;
                        int k;

                        memcpy(&record, piece + i, sizeof(record));
                        if (record.magic != RECORD_MAGIC || record.id != r->header.id || record.last.sequence <= r->last.sequence)
                                continue;
                        k = read_record(r, block, (size_t) (segment_at(r, block < segment_at(r, 1) ? 1 : 2) - block), &record, &payload);
                        if (k != 0)
                                return k < 0 ? k : -EUCLEAN;
                }
        }
        return 0;
}

/* What is behind the segments was left by a change of their size that did not come to its end. */
static void cut_off(struct redo *r) {
        struct stat st;

        if (fstat(r->fd, &st) >= 0 && st.st_size > segment_at(r, 2))
                (void) !ftruncate(r->fd, segment_at(r, 2));
}

static int has_records(struct redo *r) {
        int k;

        r->last = (struct position) {};
        k = look_behind(r);
        return k == -EUCLEAN ? 1 : k;
}

int redo_is_in_use(int directory_fd) {
        _cleanup_(redo_freep) struct redo *r = NULL;
        int k;

        k = load(directory_fd, O_RDONLY, &r);
        if (!r)
                return k == -ENOENT ? 0 : k == -EUCLEAN ? 1 : k;
        return k > 0 ? has_records(r) : 0;
}

int redo_recover(struct redo *r, uint64_t identity, uint64_t replaced, const struct generation_state *state, struct job_queue *q) {
        struct position data = { state->sequence, id_hash(state->transaction_id) };
        struct record first[2];
        bool there[2], found = false;
        unsigned older = 0;
        int k;

        cut_off(r);
        if (r->header.identity != identity) {
                k = r->header.identity == replaced ? 0 : has_records(r);
                return k < 0 ? k : k > 0 ? -EUCLEAN : redo_reset(r, identity, state);
        }
        for (unsigned i = 0; i < 2; i++) {
                _cleanup_free_ uint8_t *payload = NULL;

                k = read_record(r, segment_at(r, i), r->header.segment_size, &first[i], &payload);
                if (k < 0)
                        return k;
                there[i] = k > 0;
        }
        if (there[1] && (!there[0] || first[1].previous.sequence < first[0].previous.sequence))
                older = 1;
        r->last = there[older] ? first[older].previous : r->header.base;
        k = read_segment(r, older, &data, &found, q);
        if (k >= 0 && there[!older]) {
                /* An older one that ends too soon was being used again, and so all of it had been applied. */
                if (!found)
                        r->last = first[!older].previous;
                k = read_segment(r, !older, &data, &found, q);
        }
        if (k >= 0)
                k = look_behind(r);
        if (k < 0)
                return k;
        /* Nothing in it: then it does not matter where it was. */
        if (!there[0] && !there[1] && !same(&r->last, &data))
                return redo_reset(r, identity, state);
        return found || same(&r->last, &data) ? 0 : -EUCLEAN;
}
