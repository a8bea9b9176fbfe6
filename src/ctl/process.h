/* SPDX-License-Identifier: Apache-2.0 */
/* Children: the pager, the polkit agent, ssh. */
#pragma once

#include "basic/util.h"

/* Waits for the child. Its exit status, 128 + the number of the signal that ended it, or a negative errno. */
int process_wait(pid_t pid);

/* To be called first in a child: it ends when its parent, which has the process id `parent`, does, and has the default
 * disposition of the signals that the parent may have changed. Does not return if the parent is gone already. */
void process_child_setup(pid_t parent, int death_signal);
