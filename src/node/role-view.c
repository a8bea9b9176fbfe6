/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how others see the role. */
#include "node/role-internal.h"

unsigned role_get_phase(const struct role *role) {
        return role->phase;
}

enum confd_ha_status_state role_get_state(const struct role *role) {
        return role->state;
}

const char *role_state_to_string(enum confd_ha_status_state state) {
        static const char *const names[] = {
                [CONFD_HA_STATE_NONE] = "none",
                [CONFD_HA_STATE_SLAVE] = "slave",
                [CONFD_HA_STATE_MASTER] = "master",
                [CONFD_HA_STATE_SLAVE_RELAY] = "slave-relay",
        };

        return names[state];
}

unsigned role_get_n_nodes(const struct role *role) {
        return (follows(role) ? 1 : 0) + role->n_slaves;
}

const struct role_node *role_get_node(const struct role *role, unsigned i) {
        if (follows(role))
                return i == 0 ? &role->master : &role->slaves[i - 1];
        return &role->slaves[i];
}

bool role_is_joining(const struct role *role) {
        return role->joining;
}

bool role_is_writable(const struct role *role) {
        return role->state == CONFD_HA_STATE_MASTER || (role->state == CONFD_HA_STATE_NONE && !role->joining);
}

const struct node_id *role_get_id(const struct role *role) {
        return &role->id;
}
