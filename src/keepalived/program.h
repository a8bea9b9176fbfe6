/* SPDX-License-Identifier: Apache-2.0 */
/* The program's three faces: notify program, worker, track script. */
#pragma once

#include "basic/util.h"

/* 1 to go on with what is left from optind on: one word that is ours, or three or four of keepalived's. 0 to end well, -EINVAL: told
 * what is wrong. */
_must_check_ int program_options_parse(int argc, char **argv, const char **ret_config, const char **ret_directory);

/* Returns the exit status. */
int program_run(int argc, char **argv);
