/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the state machine of the role. */
#include <assert.h>
#include <stdio.h>

#include "node/role-internal.h"

/* ---- small things ---- */

static struct step *step_free(struct step *s) {
        if (s)
                free(s->why);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(struct step *, step_free)

static void role_made_event(struct role *role, enum confd_ha_info_type type, int code, const struct role_node *node) {
        struct queued_event *q = calloc(1, sizeof(*q));

        /* Without memory for 200 bytes the subscribers cannot be told; they learn it from their next status. */
        if (!q)
                return;
        q->event = (struct role_event) { .type = type, .code = code };
        if (node)
                q->event.node = *node;
        TAILQ_INSERT_TAIL(&role->events, q, events);
}

static void set_state(struct role *role, enum confd_ha_status_state state) {
        if (role->state == state)
                return;
        role->state = state;
        /* Whoever had it start without writes wants none without a role, however that was lost. */
        if (state == CONFD_HA_STATE_NONE && !role->starts_writable)
                role->phase = MIN(role->phase, ROLE_PHASE_MAX - 1U);
        if (state == CONFD_HA_STATE_NONE)
                role_made_event(role, CONFD_HA_INFO_IS_NONE, 0, NULL);
        else if (state == CONFD_HA_STATE_MASTER)
                role_made_event(role, CONFD_HA_INFO_IS_MASTER, 0, NULL);
}

static int find_slave(const struct role *role, const struct node_id *id) {
        for (unsigned i = 0; i < role->n_slaves; i++)
                if (node_id_equal(&role->slaves[i].id, id))
                        return (int) i;
        return -1;
}

static void remove_slave(struct role *role, unsigned i) {
        memmove(role->slaves + i, role->slaves + i + 1, (role->n_slaves - i - 1) * sizeof(*role->slaves));
        role->n_slaves--;
}

static bool serves(const struct role *role) {
        return role->state == CONFD_HA_STATE_MASTER || role->state == CONFD_HA_STATE_SLAVE_RELAY;
}

static void leave_master(struct role *role) {
        role->follow_epoch++;
        role->settling = false;
        role->master = (struct role_node) {};
        role->peer_ops->unfollow(role->peers);
}

static void leave_slaves(struct role *role) {
        role->serve_epoch++;
        role->n_slaves = 0;
        role->peer_ops->unserve(role->peers);
}

static void make_events(struct role *role) {
        while (!role->held && !TAILQ_EMPTY(&role->events)) {
                _cleanup_free_ struct queued_event *q = TAILQ_FIRST(&role->events);

                TAILQ_REMOVE(&role->events, q, events);
                role->held = role->ops->event(role->userdata, &q->event);
        }
        if (role->hold_told != role->held) {
                role->hold_told = role->held;
                role->peer_ops->hold(role->peers, role->held);
        }
}

/* The events come first where they can, so that whoever has the reply finds them made. */
static void reply(struct role *role, const struct step *s, int code, const char *why) {
        make_events(role);
        if (s->controller != 0)
                role->ops->reply(role->userdata, s->controller, s->order.type, code, why ?: "");
}

/* The outcome of a be slave: a reply to those who wait, an event for those who do not, never both. */
static void beslave_outcome(struct role *role, const struct step *s, int code, const char *why) {
        if (s->order.wait)
                reply(role, s, code, why);
        else
                role_made_event(role, CONFD_HA_INFO_BESLAVE_RESULT, code, NULL);
}

/* ---- a join ---- */

/* The join has an outcome. What was waiting behind its reply comes next, before everything else that waits. */
static void end_join(struct role *role, int code, const char *why) {
        struct step *s;

        role->joining = false;
        if (!role->join_wait)
                role_made_event(role, CONFD_HA_INFO_BESLAVE_RESULT, code, NULL);
        make_events(role);
        if (role->join_wait && role->join_heard)
                role->ops->reply(role->userdata, role->join_controller, HA_ORDER_BESLAVE, code, why ?: "");
        role->join_heard = false;
        while ((s = TAILQ_LAST(&role->behind, step_queue))) {
                TAILQ_REMOVE(&role->behind, s, steps);
                TAILQ_INSERT_HEAD(&role->steps, s, steps);
        }
}

static bool somebody_waits(const struct role *role) {
        return role->joining && role->join_wait && role->join_heard;
}

static void take_order(struct role *role, struct step *s);

/* Ends a join under way because another order takes its place. What was queued behind its reply is answered now,
 * before that order's own reply; those are orders that cannot start a join themselves. */
static void abort_join(struct role *role) {
        struct step_queue behind;

        if (!role->joining)
                return;
        leave_master(role);
        TAILQ_INIT(&behind);
        TAILQ_CONCAT(&behind, &role->behind, steps);
        end_join(role, CONFD_ERR_HA_ABORT, "ended by a later order");
        while (!TAILQ_EMPTY(&behind)) {
                _cleanup_(step_freep) struct step *s = TAILQ_FIRST(&behind);

                TAILQ_REMOVE(&behind, s, steps);
                role->n_steps--;
                role->n_orders--;
                take_order(role, s);
        }
}

static bool is_role_order(const struct role_order *o) {
        return o->error == 0 && o->type != HA_ORDER_STATUS && o->type != HA_ORDER_SLAVE_DEAD;
}

/* ---- orders ---- */

static void be_master(struct role *role, struct step *s) {
        const char *why = "";
        int code;

        code = role->peer_ops->serve(role->peers, /* as_master= */ true, &s->order.id, &why);
        if (code != 0) {
                reply(role, s, code, why);
                return;
        }
        abort_join(role);
        if (follows(role))
                leave_master(role);
        role->id = s->order.id;
        set_state(role, CONFD_HA_STATE_MASTER);
        reply(role, s, 0, NULL);
}

static void be_slave(struct role *role, struct step *s) {
        const struct role_order *o = &s->order;
        struct step *next;

        if (follows(role) && node_id_equal(&role->id, &o->id) && node_id_equal(&role->master.id, &o->master_id) &&
            node_address_equal(&role->master.address, &o->master_address)) {
                if (role->state == CONFD_HA_STATE_SLAVE_RELAY) {
                        leave_slaves(role);
                        set_state(role, CONFD_HA_STATE_SLAVE);
                }
                beslave_outcome(role, s, 0, NULL);
                return;
        }

        next = calloc(1, sizeof(*next));
        if (!next) {
                beslave_outcome(role, s, CONFD_ERR_MALLOC, "out of memory");
                return;
        }
        abort_join(role);
        if (serves(role))
                leave_slaves(role);
        if (follows(role))
                leave_master(role);
        role->id = o->id;
        role->master = (struct role_node) { .id = o->master_id, .address = o->master_address };
        role->joining = true;
        role->join_wait = o->wait;
        role->join_heard = s->controller != 0;
        role->join_controller = s->controller;
        set_state(role, CONFD_HA_STATE_NONE);

        /* A subscriber that is waited for may have to let go of something before other data comes in. */
        next->type = STEP_START_JOIN;
        next->epoch = ++role->follow_epoch;
        TAILQ_INSERT_HEAD(&role->steps, next, steps);
        role->n_steps++;
}

static void start_join(struct role *role) {
        if (node_id_equal(&role->id, &role->master.id)) {
                role->follow_epoch++;
                role->master = (struct role_node) {};
                end_join(role, CONFD_ERR_HA_BADNAME, "the master's name is our own");
                return;
        }
        role->peer_ops->follow(role->peers, &role->id, &role->master);
}

static void be_relay(struct role *role, struct step *s) {
        const char *why = "";
        int code = CONFD_ERR_BADSTATE;

        if (role->state == CONFD_HA_STATE_SLAVE)
                code = role->peer_ops->serve(role->peers, /* as_master= */ false, &role->id, &why);
        else
                why = role->joining ? "not a slave yet: still joining" : "not a slave";
        if (code == 0)
                set_state(role, CONFD_HA_STATE_SLAVE_RELAY);
        reply(role, s, code, why);
}

static void be_none(struct role *role, struct step *s) {
        abort_join(role);
        if (serves(role))
                leave_slaves(role);
        if (follows(role))
                leave_master(role);
        set_state(role, CONFD_HA_STATE_NONE);
        reply(role, s, 0, NULL);
}

static void lose_master(struct role *role, int reason) {
        if (role->state == CONFD_HA_STATE_SLAVE_RELAY)
                leave_slaves(role);
        leave_master(role);
        role_made_event(role, CONFD_HA_INFO_NOMASTER, reason, NULL);
        set_state(role, CONFD_HA_STATE_NONE);
}

/* Reports of this slave that still wait for their turn are overtaken: the connection is ended here and now. */
static void forget_reports(struct role *role, const struct node_id *id) {
        struct step *s = TAILQ_FIRST(&role->steps);

        while (s) {
                struct step *next = TAILQ_NEXT(s, steps);

                if ((s->type == STEP_ARRIVED || s->type == STEP_DIED) && node_id_equal(&s->node.id, id)) {
                        TAILQ_REMOVE(&role->steps, s, steps);
                        role->n_steps--;
                        step_free(s);
                }
                s = next;
        }
}

static void lose_slave(struct role *role, unsigned i) {
        struct role_node node = role->slaves[i];

        remove_slave(role, i);
        if (role->state == CONFD_HA_STATE_MASTER)
                role_made_event(role, CONFD_HA_INFO_SLAVE_DIED, 0, &node);
}

static void slave_dead(struct role *role, struct step *s) {
        int i = find_slave(role, &s->order.id);

        /* Also one that is not there for us yet: it may be copying, or its arrival may wait for its turn. */
        if (serves(role)) {
                role->peer_ops->drop(role->peers, &s->order.id);
                forget_reports(role, &s->order.id);
        }
        if (i >= 0)
                lose_slave(role, (unsigned) i);
        else if (follows(role) && node_id_equal(&role->master.id, &s->order.id))
                lose_master(role, CONFD_ERR_HA_CLOSED);
        reply(role, s, 0, NULL);
}

static void take_order(struct role *role, struct step *s) {
        const struct role_order *o = &s->order;

        if (o->type == HA_ORDER_STATUS && o->error == 0) {
                reply(role, s, 0, NULL);
                return;
        }
        /* Whoever waits for a be slave hears of its end before anything else is answered. */
        if (somebody_waits(role) && role->join_controller == s->controller && role->phase > 0 && is_role_order(o))
                abort_join(role);
        if (o->error != 0 || role->phase == 0) {
                int code = o->error ?: CONFD_ERR_BADSTATE;
                const char *why = o->error ? o->why : "start phase 0: only status is served";

                if (o->type == HA_ORDER_BESLAVE)
                        beslave_outcome(role, s, code, why);
                else
                        reply(role, s, code, why);
                return;
        }
        switch (o->type) {
        case HA_ORDER_BEMASTER:
                be_master(role, s);
                break;
        case HA_ORDER_BESLAVE:
                be_slave(role, s);
                break;
        case HA_ORDER_BERELAY:
                be_relay(role, s);
                break;
        case HA_ORDER_BENONE:
                be_none(role, s);
                break;
        case HA_ORDER_SLAVE_DEAD:
                slave_dead(role, s);
                break;
        case HA_ORDER_STATUS:
        case HA_ORDER_UNKNOWN:
                break;
        }
}

/* ---- steps ---- */

static void arrived(struct role *role, const struct role_node *node) {
        if (!serves(role) || role->n_slaves == ROLE_SLAVES_MAX || find_slave(role, &node->id) >= 0)
                return;
        role->slaves[role->n_slaves++] = *node;
        if (role->state == CONFD_HA_STATE_MASTER)
                role_made_event(role, CONFD_HA_INFO_SLAVE_ARRIVED, 0, node);
}

static void take_report(struct role *role, struct step *s) {
        bool of_slaves = s->type == STEP_ARRIVED || s->type == STEP_DIED;
        int i;

        if (s->epoch != (of_slaves ? role->serve_epoch : role->follow_epoch))
                return;
        switch (s->type) {
        case STEP_START_JOIN:
                start_join(role);
                break;
        case STEP_JOINED:
                if (!role->joining)
                        break;
                set_state(role, CONFD_HA_STATE_SLAVE);
                role_made_event(role, CONFD_HA_INFO_SLAVE_INITIALIZED, s->code, NULL);
                end_join(role, 0, NULL);
                break;
        case STEP_JOIN_FAILED:
                if (!role->joining)
                        break;
                leave_master(role);
                end_join(role, s->code, s->why);
                break;
        case STEP_MASTER_LOST:
                if (follows(role))
                        lose_master(role, s->code);
                break;
        case STEP_ARRIVED:
                arrived(role, &s->node);
                break;
        case STEP_DIED:
                i = find_slave(role, &s->node.id);
                if (i >= 0)
                        lose_slave(role, (unsigned) i);
                break;
        case STEP_ORDER:
                break;
        }
}

/* Takes the steps that may be taken. Called anew from inside an action it does nothing: the outer call goes on. */
static void run(struct role *role) {
        if (role->running)
                return;
        role->running = true;
        for (;;) {
                _cleanup_(step_freep) struct step *s = NULL;
                struct step *first;
                bool is_status;

                make_events(role);
                first = TAILQ_FIRST(&role->steps);
                if (!first)
                        break;
                is_status = first->type == STEP_ORDER && first->order.type == HA_ORDER_STATUS;
                if ((role->held || role->settling) && !is_status)
                        break;
                TAILQ_REMOVE(&role->steps, first, steps);
                if (first->type == STEP_ORDER && somebody_waits(role) && first->controller == role->join_controller &&
                    !is_role_order(&first->order)) {
                        TAILQ_INSERT_TAIL(&role->behind, first, steps);
                        continue;
                }
                s = first;
                role->n_steps--;
                if (s->type == STEP_ORDER) {
                        role->n_orders--;
                        take_order(role, s);
                } else
                        take_report(role, s);
                role->ops->changed(role->userdata);
        }
        role->running = false;
}

static void add(struct role *role, struct step *s) {
        bool outcome = s->type == STEP_JOINED || s->type == STEP_JOIN_FAILED;
        if (outcome && role->settling) /* before the orders that came too late to end the join */
                TAILQ_INSERT_HEAD(&role->steps, s, steps);
        else
                TAILQ_INSERT_TAIL(&role->steps, s, steps);
        role->settling = role->settling && !outcome;
        role->n_steps++;
        /* A subscriber that holds everything while peers come and go must not fill the memory. */
        if (role->n_steps > ROLE_STEPS_MAX)
                role->held = false;
        run(role);
}

/* ---- inputs ---- */

int role_new(struct role **ret, unsigned phase, const struct role_peer_ops *peer_ops, void *peers,
             const struct role_ops *ops, void *userdata) {
        _cleanup_(role_freep) struct role *role = calloc(1, sizeof(*role));

        if (!role)
                return -ENOMEM;
        TAILQ_INIT(&role->steps);
        TAILQ_INIT(&role->behind);
        TAILQ_INIT(&role->events);
        role->peer_ops = peer_ops;
        role->peers = peers;
        role->ops = ops;
        role->userdata = userdata;
        role->phase = phase;
        role->starts_writable = phase == ROLE_PHASE_MAX;
        role->state = CONFD_HA_STATE_NONE;
        role->slaves = calloc(ROLE_SLAVES_MAX, sizeof(*role->slaves));
        if (!role->slaves)
                return -ENOMEM;
        *ret = TAKE_PTR(role);
        return 0;
}

struct role *role_free(struct role *role) {
        struct queued_event *q;
        struct step *s;

        if (!role)
                return NULL;
        TAILQ_CONCAT(&role->steps, &role->behind, steps);
        while ((s = TAILQ_FIRST(&role->steps))) {
                TAILQ_REMOVE(&role->steps, s, steps);
                step_free(s);
        }
        while ((q = TAILQ_FIRST(&role->events))) {
                TAILQ_REMOVE(&role->events, q, events);
                free(q);
        }
        free(role->slaves);
        free(role);
        return NULL;
}

bool role_may_submit(const struct role *role) {
        return role->n_orders < ROLE_ORDERS_MAX;
}

static bool has_orders(const struct role *role, uint64_t controller) {
        struct step *s;

        TAILQ_FOREACH(s, &role->steps, steps)
                if (s->type == STEP_ORDER && s->controller == controller)
                        return true;
        return false;
}

int role_submit(struct role *role, uint64_t controller, const struct role_order *order) {
        _cleanup_(step_freep) struct step *s = NULL;
        bool waits = somebody_waits(role) && role->join_controller == controller;

        if (!role_may_submit(role))
                return -EBUSY;
        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->type = STEP_ORDER;
        s->controller = controller;
        s->order = *order;

        /* A status with nothing of the same controller before it is served whatever else is waiting. */
        if (order->type == HA_ORDER_STATUS && !waits && !has_orders(role, controller)) {
                take_order(role, s);
                return 0;
        }
        role->n_orders++;
        add(role, TAKE_PTR(s));
        return 0;
}

static void forget_controller(struct role *role, struct step_queue *queue, uint64_t controller) {
        struct step *s = TAILQ_FIRST(queue);

        while (s) {
                struct step *next = TAILQ_NEXT(s, steps);

                if (s->type == STEP_ORDER && s->controller == controller) {
                        s->controller = 0;
                        if (s->order.type == HA_ORDER_STATUS) {
                                TAILQ_REMOVE(queue, s, steps);
                                role->n_steps--;
                                role->n_orders--;
                                step_free(s);
                        }
                }
                s = next;
        }
}

void role_controller_gone(struct role *role, uint64_t controller) {
        struct step *s;

        forget_controller(role, &role->steps, controller);
        forget_controller(role, &role->behind, controller);
        if (role->join_controller == controller)
                role->join_heard = false;
        /* Nobody waits for the join's reply any more, so nothing has to wait behind it. */
        if (!somebody_waits(role))
                while ((s = TAILQ_LAST(&role->behind, step_queue))) {
                        TAILQ_REMOVE(&role->behind, s, steps);
                        TAILQ_INSERT_HEAD(&role->steps, s, steps);
                }
        run(role);
}

void role_release(struct role *role) {
        role->held = false;
        run(role);
}

static void report(struct role *role, enum step_type type, int code, const char *why, const struct role_node *node) {
        bool of_slaves = type == STEP_ARRIVED || type == STEP_DIED;
        struct step *s = calloc(1, sizeof(*s));

        /* Losing a report would leave the role and the replication apart for good; there is no going on from here. */
        if (!s)
                abort();
        s->type = type;
        s->epoch = of_slaves ? role->serve_epoch : role->follow_epoch;
        s->code = code;
        s->why = why ? strdup(why) : NULL;
        if (node)
                s->node = *node;
        add(role, s);
}

void role_join_settles(struct role *role) {
        role->settling = role->joining;
}

void role_joined(struct role *role, bool copied) {
        report(role, STEP_JOINED, copied, NULL, NULL);
}

void role_join_failed(struct role *role, int code, const char *why) {
        report(role, STEP_JOIN_FAILED, code, why, NULL);
}

void role_master_lost(struct role *role, int reason) {
        report(role, STEP_MASTER_LOST, reason, NULL, NULL);
}

void role_slave_arrived(struct role *role, const struct role_node *node) {
        report(role, STEP_ARRIVED, 0, NULL, node);
}

void role_slave_died(struct role *role, const struct node_id *id) {
        report(role, STEP_DIED, 0, NULL, &(struct role_node) { .id = *id });
}

int role_set_phase(struct role *role, unsigned phase) {
        if (phase > ROLE_PHASE_MAX)
                return -EINVAL;
        if (phase < role->phase)
                return -EPERM;
        role->phase = phase;
        role->ops->changed(role->userdata);
        return 0;
}
