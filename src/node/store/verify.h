/* SPDX-License-Identifier: Apache-2.0 */
/* The look over a store's file before it is trusted. */
#pragma once

#include "basic/util.h"

/* Looks it over in a process of its own. 0 also if that could not be done, or not be done in time: only what is certain counts.
 * -EUCLEAN: it is damaged; -EIO: the disk cannot be read there. */
_must_check_ int store_verify(const char *path);
