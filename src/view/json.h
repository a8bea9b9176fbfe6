/* SPDX-License-Identifier: Apache-2.0 */
/* A writer of JSON, member by member, to a stream. libsmartcols can only write flat tables of it, in one layout. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
        FILE *f;
        bool pretty;
        bool has_members; /* of the container that is open */
        unsigned depth;
};

/* `key` is NULL in arrays and at the top. A container that was opened has to be closed. Keys and strings
 * are escaped, and bytes that are not UTF-8 become U+FFFD. */
void json_begin_object(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_begin_array(struct json *j, const char *key);
void json_end_array(struct json *j);
void json_string(struct json *j, const char *key, const char *value); /* null for NULL */
void json_signed(struct json *j, const char *key, int64_t value);
void json_unsigned(struct json *j, const char *key, uint64_t value);
void json_boolean(struct json *j, const char *key, bool value);
