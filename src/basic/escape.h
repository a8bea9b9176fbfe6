/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 validation, and a printable form for bytes that are not. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/util.h"

/* Whether the n bytes are well-formed UTF-8 (no surrogates, no overlong forms, nothing past U+10FFFF, no NUL). */
bool utf8_is_valid(const char *s, size_t n);

/* Whether the n bytes are UTF-8 and free of control characters (C0, DEL, C1). */
bool utf8_is_printable(const char *s, size_t n);

/* Whether they are that, and free of what shows nothing of itself and changes how the rest looks: controls of direction, characters
 * without width, separators of lines and paragraphs. So no two of them look the same because of what cannot be seen. */
bool utf8_is_plain(const char *s, size_t n);

/* Whether all of the n bytes are blanks, of whatever width. */
bool utf8_is_blank(const char *s, size_t n);

/* A copy in which every byte that is not part of well-formed UTF-8 and every character that is not plain is written \xHH, and
 * each backslash is doubled, so that the original can be told from it. NULL without memory. */
char *utf8_escape(const void *p, size_t n);

/* The same piece by piece, without allocating: writes the form of the first character (or the first byte that belongs to
 * none) of the n > 0 bytes at p to out, its length to *ret_n, and returns how many bytes it stands for. */
enum { UTF8_ESCAPED_MAX = 16 };
size_t utf8_escape_next(const void *p, size_t n, char out[UTF8_ESCAPED_MAX], size_t *ret_n);
