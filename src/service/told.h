/* SPDX-License-Identifier: Apache-2.0 */
/* What was told last of each property: one that has changed and changed back in between is no news. Pure. */
#pragma once

#include "basic/util.h"

struct state;

enum { TOLD_BITS_MAX = 16 };

/* In the order of the CHANGED_ bits. */
struct told {
        char *text[TOLD_BITS_MAX];
};

void told_done(struct told *t);

/* Those of the changed bits whose properties are not as they were told last. They count as told now. */
unsigned told_update(struct told *t, const struct state *s, unsigned changed);
