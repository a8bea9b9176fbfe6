/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what two statuses that differ say in the place of events that were missed. */
#include "service/bus-errors.h"
#include "service/state-internal.h"

bool state_take_late(struct state *s, const struct signal *g, uint64_t monotonic) {
        bool late = false;

        for (size_t i = 0; i < s->told.n;) {
                struct signal *t = &s->told.items[i];
                bool same_id = streq(t->args[0] ?: "", g->args[0] ?: "");
                bool peer = t->kind == SIGNAL_SLAVE_DIED || t->kind == SIGNAL_SLAVE_ARRIVED;

                if (t->stamp < monotonic)
                        signal_list_remove(&s->told, i);
                else if (!late && t->kind == g->kind && (!peer || signal_is_about(t, g->args[0], g->args[1]))) {
                        late = true;
                        signal_list_remove(&s->told, i);
                } else if (peer && t->kind != g->kind && same_id)
                        signal_list_remove(&s->told, i);
                else
                        i++;
        }
        return late;
}

static int add(struct state *s, struct signal_list *batch, enum signal_kind kind, const char *a, const char *b,
               uint64_t monotonic) {
        struct signal g, t;

        if (signal_make(&g, kind, a, b, NULL) < 0)
                return -ENOMEM;
        g.group = s->group;
        g.stamp = UINT64_MAX; /* after what was reported */
        g.by_copy = true; /* not known: whoever caches data does well to think so */
        if (signal_list_add(batch, g) < 0)
                return -ENOMEM;
        if (signal_make(&t, kind, a, b, NULL) < 0)
                return -ENOMEM;
        t.stamp = monotonic + STATE_LATE_USEC;
        while (s->told.n >= STATE_PENDING_MAX)
                signal_list_remove(&s->told, 0);
        return signal_list_add(&s->told, t);
}

int state_add_difference(struct state *s, struct signal_list *batch, enum signal_kind kind, const char *a, const char *b,
                          uint64_t monotonic) {
        bool peer = kind == SIGNAL_SLAVE_DIED || kind == SIGNAL_SLAVE_ARRIVED;

        if (signal_list_tells(batch, kind, peer ? a : NULL, b))
                return 0;
        return add(s, batch, kind, a, b, monotonic);
}

int state_add_differences(struct state *s, struct signal_list *batch, const struct status_reading *now) {
        const bool under_order = now->under_order, synchronizing = now->synchronizing;
        const struct node_list *nodes = now->nodes;
        const uint64_t monotonic = now->monotonic;
        const enum ha_state state = now->state;
        const struct node_list *old = s->known_state == HA_STATE_MASTER ? s->known : NULL;
        int r = 0;

        if (s->known_state == HA_STATE_UNKNOWN)
                return 0;
        /* Who leaves a role by order reports no losses. */
        if (ha_state_follows(s->known_state) && state == HA_STATE_NONE && !under_order)
                r = state_add_difference(s, batch, SIGNAL_MASTER_LOST, ERROR_CLOSED,
                                   "the master was lost while there was no event connection to ConfD", monotonic);
        if (s->known_state == HA_STATE_MASTER && state == HA_STATE_MASTER)
                for (size_t i = 0; r >= 0 && i < node_list_size(old); i++)
                        if (!node_list_has(nodes, &old->nodes[i]))
                                r = state_add_difference(s, batch, SIGNAL_SLAVE_DIED, old->nodes[i].id, old->nodes[i].address,
                                                   monotonic);
        if (state == HA_STATE_MASTER)
                for (size_t i = 0; r >= 0 && i < node_list_size(nodes); i++)
                        if (!node_list_has(old, &nodes->nodes[i]))
                                r = state_add_difference(s, batch, SIGNAL_SLAVE_ARRIVED, nodes->nodes[i].id,
                                                   nodes->nodes[i].address, monotonic);
        if (r >= 0 && !synchronizing && ha_state_follows(state) &&
            (!ha_state_follows(s->known_state) || !node_list_same_master(s->known, nodes)))
                r = state_add_difference(s, batch, SIGNAL_SLAVE_INITIALIZED, NULL, NULL, monotonic);
        return r;
}

/* By id: another address in its place is another connection of the same. */
static bool is_there(const struct status_reading *now, const char *id) {
        for (size_t i = 0; now->state == HA_STATE_MASTER && i < node_list_size(now->nodes); i++)
                if (streq(now->nodes->nodes[i].id, id))
                        return true;
        return false;
}

static bool dies_after(const struct signal_list *l, size_t i) {
        const struct signal *arrival = &l->items[i];

        for (size_t j = 0; j < l->n; j++)
                if (l->items[j].kind == SIGNAL_SLAVE_DIED && l->items[j].group > arrival->group &&
                    streq(l->items[j].args[0], arrival->args[0]))
                        return true;
        return false;
}

int state_add_deaths(struct state *s, struct signal_list *batch, const struct status_reading *now) {
        size_t n = batch->n;
        bool first = true;

        /* Who leaves the role has no slaves any more, and nobody is told of each. */
        if (s->state == HA_STATE_MASTER && now->state != HA_STATE_MASTER)
                return 0;
        for (size_t i = 0; i < n; i++) {
                const struct signal *g = &batch->items[i];
                int r;

                if (g->kind != SIGNAL_SLAVE_ARRIVED || is_there(now, g->args[0]) || dies_after(batch, i))
                        continue;
                s->group += first; /* after what has arrived */
                first = false;
                r = add(s, batch, SIGNAL_SLAVE_DIED, g->args[0], g->args[1], now->monotonic);
                if (r < 0)
                        return r;
        }
        return 0;
}
