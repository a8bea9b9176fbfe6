/* SPDX-License-Identifier: Apache-2.0 */
/* The access file that the environment names. */
#pragma once

#include "basic/secret.h"

enum { ACCESS_FILE_MAX = 64 * 1024 };

/* Reads the file that $CONFD_IPC_ACCESS_FILE, or else $NCS_IPC_ACCESS_FILE, names, whole. No variable, or an empty one:
 * 0 with ret->data NULL. Else 1, ret->data is never NULL. -EFBIG past ACCESS_FILE_MAX, -EINVAL for what is no regular file,
 * others of open(2) and read(2); *ret_path then says which file (from the environment). */
_must_check_ int access_file_read(struct secret *ret, const char **ret_path);
