/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the names of the states. */
#include "service/roles.h"

static const char *const names[] = {
        [HA_STATE_UNKNOWN] = "unknown",
        [HA_STATE_NONE] = "none",
        [HA_STATE_SLAVE] = "slave",
        [HA_STATE_MASTER] = "master",
        [HA_STATE_SLAVE_RELAY] = "slave-relay",
};

const char *ha_state_to_string(enum ha_state state) {
        return names[state];
}

enum ha_state ha_state_from_string(const char *s) {
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (streq(names[i], s))
                        return (enum ha_state) i;
        return HA_STATE_UNKNOWN;
}
