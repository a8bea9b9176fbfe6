/* SPDX-License-Identifier: Apache-2.0 */
/* The names in a data directory: which generation is in force, and what may be removed.
 *
 * "store-N.mdb" is a generation, and "current" names the one in force. What begins with a dot is ours alone: ".copy-N.mdb" is a
 * generation that is being filled, ".replaced-N.mdb" one whose place another has taken. Those are removed when they are of no
 * use any more, at the next start at the latest. Nothing else is ever removed: it may be an operator's backup. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { FILE_NAME_SIZE = 64 };

void store_file_name(uint64_t number, char buf[static FILE_NAME_SIZE]);
void copy_file_name(uint64_t number, char buf[static FILE_NAME_SIZE]);

/* The generation in force. -ENOENT: the file is not there; -EUCLEAN: it does not name one. */
int directory_current(int fd, uint64_t *ret);

/* What is there although nothing is in force: the name of a store, NULL if there is none (free it). */
int directory_stray_store(int fd, char **ret);

/* Ends a swap that was interrupted, one way or the other, and removes what is ours and of no use.
 * -ENOENT: the generation in force is not there. */
int directory_settle(int fd, uint64_t current);

/* A number for a new generation, under which nothing is there. */
uint64_t directory_next(int fd, uint64_t current);

/* Puts the copy `next` in force in place of `current` (0: the first one), durably, and removes what was in force. After an error
 * it is as it was; -ENOTRECOVERABLE: what is in force is known at the next start only. */
int directory_swap(int fd, uint64_t current, uint64_t next);
