/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a size, for tests in which nothing else of them matters. */
#pragma once

#include <stdlib.h>
#include <string.h>

/* Free it. */
static inline char *value_of(size_t size) {
        char *value = malloc(size + 1);

        if (!value)
                abort();
        memset(value, 'v', size);
        value[size] = 0;
        return value;
}
