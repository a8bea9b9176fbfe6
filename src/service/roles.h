/* SPDX-License-Identifier: Apache-2.0 */
/* The states that a node may be in, and their names. */
#pragma once

#include "basic/util.h"

enum ha_state { HA_STATE_UNKNOWN, HA_STATE_NONE, HA_STATE_SLAVE, HA_STATE_MASTER, HA_STATE_SLAVE_RELAY };

const char *ha_state_to_string(enum ha_state state);

/* UNKNOWN for what is none. */
enum ha_state ha_state_from_string(const char *s);

/* Whether it follows another node. */
static inline _unused_ bool ha_state_follows(enum ha_state state) {
        return state == HA_STATE_SLAVE || state == HA_STATE_SLAVE_RELAY;
}
