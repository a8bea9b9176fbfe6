/* SPDX-License-Identifier: Apache-2.0 */
/* A question before something that cannot be taken back. */
#pragma once

#include <stdbool.h>

/* Whether there is somebody to ask: standard input and standard error are a terminal. */
bool confirm_possible(void);

/* Asks on standard error; only y or yes is yes. */
bool confirm(const char *question);
