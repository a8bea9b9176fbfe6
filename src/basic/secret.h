/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in memory: read from files, copied, compared, erased. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "basic/util.h"

struct secret {
        uint8_t *data; /* NUL-terminated for convenience, the NUL is not counted */
        size_t size;
};

/* Erases and frees. */
void secret_done(struct secret *s);
#define _cleanup_secret_ _cleanup_(secret_done)

/* A copy, NUL-terminated too, that replaces what *to holds. -ENOMEM, and *to is as it was. */
_must_check_ int secret_copy(const struct secret *from, struct secret *to);

bool secret_equal(const struct secret *a, const struct secret *b);

/* Reads a whole regular file of at most max bytes. With strip_newline one trailing newline, LF or CR LF, is
 * dropped. A file that has one of
 * the `refused` bits in its mode is refused.
 * -ENOENT, -EACCES (not ours to read), -EPERM (mode too open), -EFBIG, -EINVAL (not a regular file), others.
 * An empty result is success with size 0; data is not NULL then either. */
_must_check_ int secret_read(const char *path, size_t max, bool strip_newline, mode_t refused, struct secret *ret);
