/* SPDX-License-Identifier: Apache-2.0 */
/* The error state of the documented API: confd_errno and its words, per thread, and the texts of the codes. */
#pragma once

#include <confd_lib.h>

#include "basic/util.h"

/* What a CONFD_ERR_ code means, static text; NULL for a code that there is not. */
const char *error_text(int code);

/* The code that goes with a negative errno of this library where ConfD said none. */
int error_code_from_errno(int error);

/* Sets confd_errno and confd_lasterr of this thread, and traces it; returns CONFD_ERR, or CONFD_EOF for CONFD_ERR_EOF.
 * `errno` is kept. Words longer than 1 KiB are cut. */
_printf_(2, 3) int error_set(int code, const char *format, ...);
