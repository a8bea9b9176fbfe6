/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives a restart of the service but not one of the machine: NodeId, in the runtime directory. */
#pragma once

#include "basic/util.h"

/* "" if there is none, or none that can be read. NULL without memory. */
char *runtime_state_load(void);

/* Keeps it, replacing the file as a whole. Says once in the log if that is impossible. */
void runtime_state_save(const char *node_id);
