/* SPDX-License-Identifier: Apache-2.0 */
/* From the words of the command line to struct ctl. */
#pragma once

#include "ctl/ctl.h"
#include "ctl/verbs.h"

/* Parses the command line: options before and after the verb, and the verb's arguments, which *ret_args, ended by NULL,
 * gets with the verb first; it points into argv, or to the default. *ret_given: flags of the options that not every verb
 * takes.
 * Returns 1 to go on, 0 if the text was help or version (printed), -EINVAL after saying what is wrong. */
_must_check_ int options_parse(struct ctl *c, int argc, char **argv, const struct verb **ret_verb, char ***ret_args);
