/* SPDX-License-Identifier: Apache-2.0 */
/* The redo log: one preallocated file in which transactions become durable, before they are written to the generation in force.
 *
 * A commit is one record in it and one fdatasync, whatever it changes. What LMDB needs two synchronous steps for is then done
 * for many commits at once (apply.h). The file has two segments that are filled in turns: one is used again when all that is in it
 * has been applied. Records begin at blocks of their own, so that no block is ever rewritten that holds something acknowledged.
 *
 *      header   magic, random id of this log, identity of the generation, size of a segment, last transaction before it, checksum
 *      record   magic, id, the transaction before it, last transaction in it, number, size, checksum over all; then each transaction:
 *               sequence number, flags, size, its encoded form
 *
 * Numbers are in the machine's order, as LMDB's are. What was there before is told by the id, what is torn by the checksum, and
 * what is missing by the chain of transactions: then there is no guessing, but an error. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "node/store/generation.h"
#include "node/store/job.h"

enum {
        REDO_BLOCK = 4096,
        REDO_SEGMENT_MIN = 64 * 1024,
        REDO_SEGMENT_MAX = 4 * 1024 * 1024, /* more only for a transaction that is larger, until that has been applied */
        REDO_GROUP_MAX = 500,               /* transactions in a record */
        REDO_SPACE_MIN = REDO_BLOCK + 2 * REDO_SEGMENT_MIN,
        REDO_SPACE = REDO_BLOCK + 2 * REDO_SEGMENT_MAX,
};

struct redo;

/* Opens the file, or makes and fills it, a small one if there is no space for more: -ENOSPC. -EUCLEAN: it is damaged. */
_must_check_ int redo_open(int directory_fd, struct redo **ret);
struct redo *redo_free(struct redo *r); /* returns NULL, takes NULL */
DEFINE_CLEANUP(struct redo *, redo_free)

/* Whether one is there that has, or may have, records: 1, 0, an error. */
_must_check_ int redo_is_in_use(int directory_fd);

/* Appends a job for each transaction that the generation does not have yet, and is then ready for more. A log of another one is
 * begun anew if it is of what this one replaced, or has no records. -EUCLEAN: it is damaged, or does not belong to that data. */
_must_check_ int redo_recover(struct redo *r, uint64_t identity, uint64_t replaced, const struct generation_state *state,
                              struct job_queue *q);

/* Begins anew: durable on return. -ENOTRECOVERABLE: it must not be used any more in this run. */
_must_check_ int redo_reset(struct redo *r, uint64_t identity, const struct generation_state *state);

/* Whether such a group fits a segment at all. */
bool redo_fits(const struct redo *r, size_t n, size_t bytes);

/* Room for a group of n transactions of so many bytes together: 1; 0: once more has been applied, up to `applied`;
 * -EFBIG: the segments are too small. */
int redo_room(struct redo *r, size_t n, size_t bytes, uint64_t applied);

/* Makes the segments large enough for it, when everything in them has been applied. -ENOSPC: it is as it was. */
_must_check_ int redo_grow(struct redo *r, size_t n, size_t bytes);
/* And as they usually are again, when everything in them has been applied; small they stay while there is no space. */
bool redo_is_large(const struct redo *r);
bool redo_is_small(const struct redo *r);
_must_check_ int redo_resize(struct redo *r);

/* The sequence number of the last transaction that is in it, or that was before it. */
uint64_t redo_last(const struct redo *r);

/* Writes the first n of the queue from j on, for which there is room, and makes them durable, all or none. After an error none of
 * them is there, nor will it be; -ENOTRECOVERABLE: that will show at the next start. */
_must_check_ int redo_write(struct redo *r, const struct job *j, size_t n);
