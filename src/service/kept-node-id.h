/* SPDX-License-Identifier: Apache-2.0 */
/* The name that ConfD has accepted last, over restarts of the service. */
#pragma once

/* "" if it is not known (free it); NULL without memory. */
char *kept_node_id_load(void);

/* "" is none. */
void kept_node_id_save(const char *node_id);
