/* SPDX-License-Identifier: Apache-2.0 */
/* What may be a node's id where people give it: on the bus, on a command line, in a file. */
#pragma once

#include "basic/util.h"

enum { NODE_ID_MAX = 127 };

/* 1 to NODE_ID_MAX bytes of UTF-8 without control characters and without what cannot be seen (utf8_is_plain()), and not of blanks
 * alone. What ConfD reports may be anything. */
bool node_id_is_valid(const char *s);
