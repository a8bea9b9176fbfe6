/* SPDX-License-Identifier: Apache-2.0 */
/* The words for states that users may type. */
#pragma once

#include <stdbool.h>

enum { STATES = 5 };

/* The number of a state by a word for it, 0 ... STATES - 1: none, slave, master, slave-relay or unknown; primary,
 * secondary and secondary-relay are taken too. -EINVAL for anything else. */
int state_index(const char *word);

/* The service's word for what a user typed; NULL for what is no state. */
const char *state_from_user(const char *word);

/* Whether `list`, words separated by commas, has the state; -EINVAL with *ret_bad set (free it) if it has words that are
 * no states, -ENOMEM. An empty list has one such word. */
int states_list_has(const char *list, const char *state, char **ret_bad);
