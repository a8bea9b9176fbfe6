/* SPDX-License-Identifier: Apache-2.0 */
/* What load balancers and orchestrators ask: yes or no, and a line of JSON why. Pure. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "basic/util.h"
#include "view/picture.h"

/* One question, by its path: /primary /master /replica /slave /read-only /ready /live. */
struct probe {
        const char *path;
        bool (*answer)(const struct picture *p);
};

/* NULL if the path is none of them. */
const struct probe *probe_find(const char *path);

/* Whether the answer is yes; p is NULL while nothing is known of the service: no. */
bool probe_answer(const struct probe *probe, const struct picture *p);

/* One line: what was asked, what is known, and, while nothing is, why. */
void probe_write(const struct probe *probe, const struct picture *p, const char *why, FILE *f);
