/* SPDX-License-Identifier: Apache-2.0 */
/* The form of what is kept in files: a line a field, name=value. */
#pragma once

#include "basic/util.h"

/* A copy of the field's value; -ENOENT if there is none, -EBADMSG if it is not printable UTF-8, or there are two, -ENOMEM. */
_must_check_ int kept_field(const char *text, const char *name, char **ret);
_must_check_ int kept_field_u64(const char *text, const char *name, uint64_t *ret);
