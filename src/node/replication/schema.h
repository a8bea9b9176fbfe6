/* SPDX-License-Identifier: Apache-2.0 */
/* The schema set: a digest over the names and contents of the files in a directory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "basic/util.h"

enum {
        SCHEMA_DIGEST_SIZE = 32,
        SCHEMA_FILES_MAX = 4096,                   /* -E2BIG */
        SCHEMA_FILE_SIZE_MAX = 256 * 1024 * 1024,  /* -EFBIG */
};

struct schema {
        uint8_t digest[SCHEMA_DIGEST_SIZE]; /* all zero: no schema */
        size_t files;
};

/* Reads the regular files directly in the directory (hidden ones are passed over). An empty path or a directory
 * without files is the empty set. The order of the directory does not matter, times and modes neither.
 * On an error *ret_error is a message that names the file and the cause (free it). */
_must_check_ int schema_load(const char *directory, struct schema *ret, char **ret_error);
