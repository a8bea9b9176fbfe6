/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the rules of confd-ha-keepalived. */
#include "keepalived/plan.h"
#include "view/names.h"

bool plan_may_take_over(const struct wishes *w, const struct node_view *n) {
        if (!n->known || n->synchronizing)
                return false;
        return n->in_sync || n->state == STATE_MASTER || (!w->stale && (n->was_master || n->lost_master));
}

static struct plan later(enum step step, uint64_t at) {
        return (struct plan) { .step = step, .at_usec = at };
}

/* A BeSlave ends what this node could still prove of its own data: were the master to be found dead by it, nobody could
 * take over; and one that fails anyway could cross an administrator's order. So it looks first whether there is a master at
 * the other side. */
static struct plan follow(const struct node_view *n, const struct progress *p) {
        if (n->follows_peer || n->synchronizing)
                return (struct plan) {};
        return later(STEP_PROBE_PEER, p->follow_again_usec);
}

struct plan plan_next(const struct wishes *w, const struct node_view *n, const struct progress *p) {
        /* Without ConfD there is nothing to give; what comes back is none, or tells what it is. */
        if (!n->known || !n->connected || n->state == STATE_UNKNOWN)
                return (struct plan) {};
        switch (w->role) {
        case WISH_NOTHING:
                return (struct plan) {};
        case WISH_MASTER:
                if (n->state != STATE_MASTER)
                        return later(STEP_TAKE_OVER, p->take_over_again_usec);
                if (w->peer_gone && n->peer_is_slave)
                        return later(STEP_SLAVE_DEAD, p->dead_again_usec);
                return (struct plan) {};
        case WISH_BACKUP:
        case WISH_FAULT:
                /* First the writes end, at once; then it follows when there is somebody to follow. In FAULT, too: that
                 * may be for want of data, and then this is what mends it. */
                if (n->state == STATE_MASTER || n->state == STATE_RELAY)
                        return later(STEP_BE_NONE, p->none_again_usec);
                return follow(n, p);
        case WISH_STOP:
                if (n->state != STATE_NONE || n->synchronizing)
                        return later(STEP_BE_NONE, p->none_again_usec);
                return (struct plan) {};
        }
        return (struct plan) {};
}

uint64_t plan_retry_usec(enum step step, const char *error_name) {
        static const char *const hopeless[] = { "BadToken", "BadSchema", "BadVersion", "BadName", "BadConfig" };
        const char *name = isempty(error_name) ? "" : error_name;

        if (strncmp(name, HA_ERROR_PREFIX, strlen(HA_ERROR_PREFIX)) == 0)
                name += strlen(HA_ERROR_PREFIX);
        for (size_t i = 0; i < ELEMENTSOF(hopeless); i++)
                if (streq(name, hopeless[i]))
                        return RETRY_HOPELESS_USEC;
        if ((step == STEP_FOLLOW && streq(name, "Connect")) || step == STEP_PROBE_PEER)
                return RETRY_REFUSED_USEC;
        return RETRY_USEC;
}
