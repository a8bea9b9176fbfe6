/* SPDX-License-Identifier: Apache-2.0 */
/* Colour on terminals, by the rules and environment variables of systemd's tools. */
#pragma once

#include <stdbool.h>

enum colour {
        COLOUR_NONE, /* as before */
        COLOUR_GOOD,
        COLOUR_BUSY,
        COLOUR_BAD,
        COLOUR_DIM,
        COLOUR_HEAD
};

/* Looks at the environment and at standard output and error, once, before a pager may take their place. */
void colour_init(void);

/* The sequence for standard output, for standard error: an empty string where there is no colour. */
const char *colour_out(enum colour colour);
const char *colour_err(enum colour colour);

/* Whether standard output has colours. */
bool colour_is_on(void);

/* The colour of a state. */
enum colour colour_of_state(const char *state, bool synchronizing, bool in_sync);
