/* SPDX-License-Identifier: Apache-2.0 */
/* Where programs find their secrets: files of the configuration, and systemd's credentials. Errors as of secret_read(). */
#pragma once

#include "basic/secret.h"

/* A file that others than owner and group may read or write is refused. */
_must_check_ int secret_read_file(const char *path, size_t max, bool strip_newline, struct secret *ret);

/* The credential `name` in $CREDENTIALS_DIRECTORY. -ENOENT if there is none; modes are systemd's business. */
_must_check_ int secret_read_credential(const char *name, size_t max, bool strip_newline, struct secret *ret);
