/* SPDX-License-Identifier: Apache-2.0 */
/* INI configuration files with drop-ins, over inih. For programs. */
#pragma once

#include "basic/util.h"

/* Says what an assignment's value does: parse `value` into `target`.
 * Returns 0, or a negative errno with *ret_why set to words (static text) that say what would be right. */
typedef int (*config_parse_fn)(const char *value, void *target, const char **ret_why);

struct ini_key {
        const char *section;
        const char *key;
        config_parse_fn parse;
        size_t offset; /* of the target in the configuration struct */
};

/* Reads `file`, then the .conf files of FILE.d in the order of their names, into `config` by `table` (ended by section == NULL).
 * A missing file is an error only if `required`. Unknown sections and keys are warnings in the log, with file and line.
 * Returns 0, or a negative errno with *ret_error set to a message that names file and line (free it); `config` may
 * then be changed in part, so parse into a fresh copy.
 * Limits: 4096 bytes a line; files have to be regular, or links to /dev/null, which are empty. */
_must_check_ int ini_config_load(const char *file, bool required, const struct ini_key *table, void *config,
                                 char **ret_error);

/* Parsers for tables. Targets: char * (owned), uint64_t µs, bool. */
int config_parse_string(const char *value, void *target, const char **ret_why);
int config_parse_sec(const char *value, void *target, const char **ret_why);
int config_parse_bool(const char *value, void *target, const char **ret_why);
int config_parse_path(const char *value, void *target, const char **ret_why); /* absolute, or empty */
