/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the translation of the service's picture into what the rules are told. */
#include "keepalived/view.h"

struct node_view view_of(const struct picture *p, const struct settings *s) {
        /* In the order of the enum. */
        static const char *const states[] = { "unknown", "none", "slave", "slave-relay", "master" };
        struct node_view v = {
                .known = true,
                .connected = p->connected,
                .synchronizing = p->synchronizing,
                .in_sync = p->in_sync,
                .follows_peer = p->master.id && streq(p->master.id, s->peer_id),
                .was_master = p->last_in_sync.role && streq(p->last_in_sync.role, "master"),
                .lost_master = !isempty(p->last_in_sync.role) && p->last_in_sync.how &&
                               streq(p->last_in_sync.how, "master-lost"),
        };

        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (streq(picture_state(p), states[i]))
                        v.state = i;
        for (size_t i = 0; i < p->n_slaves; i++)
                v.peer_is_slave = v.peer_is_slave || streq(p->slaves[i].id, s->peer_id);
        return v;
}
