/* SPDX-License-Identifier: Apache-2.0 */
/* The words for states that users may type. */
#pragma once

/* The service's word for what a user typed: none, slave, master, slave-relay or unknown; primary, secondary and
 * secondary-relay are taken too. NULL for anything else. */
const char *state_from_user(const char *word);
