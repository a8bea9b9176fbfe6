/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the roles and their transitions: from what ConfD says to properties and signals. */
#include <limits.h>

#include "service/state-internal.h"

struct outcome {
        TAILQ_ENTRY(outcome) outcomes;
        uint64_t stamp;
        bool beslave, refused;
        enum error_kind error_kind;
        char *node_id, *master_id, *master_address, *error_name, *error_message;
};

/* ---- a state ---- */

/* Emits one signal, with what the journal wants to know beside. */
static int emit(struct state *s, struct signal g, const char *node_id, const char *master_id, const char *master_address) {
        if (free_and_strdup(&g.node_id, node_id) < 0 || free_and_strdup(&g.master_id, master_id) < 0 ||
            free_and_strdup(&g.master_address, master_address) < 0) {
                signal_done(&g);
                return -ENOMEM;
        }
        return signal_list_add(&s->signals, g);
}

static struct outcome *outcome_free(struct outcome *o) {
        if (!o)
                return NULL;
        free(o->node_id);
        free(o->master_id);
        free(o->master_address);
        free(o->error_name);
        free(o->error_message);
        free(o);
        return NULL;
}

struct state *state_free(struct state *s) {
        if (!s)
                return NULL;
        for (struct outcome *o; (o = TAILQ_FIRST(&s->outcomes));) {
                TAILQ_REMOVE(&s->outcomes, o, outcomes);
                outcome_free(o);
        }
        signal_list_done(&s->signals);
        signal_list_done(&s->pending);
        signal_list_done(&s->told);
        node_list_free(s->slaves);
        node_list_free(s->known);
        free(s->node_id);
        free(s->master_id);
        free(s->master_address);
        free(s->confd_address);
        free(s->confd_version);
        free(s->error_name);
        free(s->error_message);
        free(s->ordered_id);
        free(s->ordered_address);
        sync_record_done(&s->last_in_sync);
        told_done(&s->shown);
        free(s);
        return NULL;
}

int state_new(struct state **ret, const char *confd_address, const char *node_id, uint64_t realtime) {
        _cleanup_(state_freep) struct state *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        TAILQ_INIT(&s->outcomes);
        s->since = realtime;
        s->missed = true;
        s->gap = true;
        s->gap_since = realtime;
        if (sync_record_init(&s->last_in_sync) < 0)
                return -ENOMEM;
        if (free_and_strdup(&s->node_id, node_id) < 0 || free_and_strdup(&s->confd_address, confd_address) < 0 ||
            free_and_strdup(&s->master_id, "") < 0 || free_and_strdup(&s->master_address, "") < 0 ||
            free_and_strdup(&s->confd_version, "") < 0 || free_and_strdup(&s->error_name, "") < 0 ||
            free_and_strdup(&s->error_message, "") < 0)
                return -ENOMEM;
        (void) told_update(&s->shown, s, UINT_MAX);
        *ret = TAKE_PTR(s);
        return 0;
}

void state_remember(struct state *s, struct sync_record *last_in_sync) {
        sync_record_done(&s->last_in_sync);
        s->last_in_sync = *last_in_sync;
        *last_in_sync = (struct sync_record) {};
        (void) told_update(&s->shown, s, CHANGED_LAST_IN_SYNC);
}

/* Sets a string property. */
static int set_string(struct state *s, char **p, const char *value, unsigned change) {
        int r;

        if (streq(*p, value))
                return 0;
        r = free_and_strdup(p, value);
        if (r >= 0)
                s->changed |= change;
        return r;
}

static void set_bool(struct state *s, bool *p, bool value, unsigned change) {
        if (*p == value)
                return;
        *p = value;
        s->changed |= change;
}

int state_set_confd(struct state *s, const char *address, const char *version, unsigned protocol_version) {
        int r = 0;

        if (address)
                r = set_string(s, &s->confd_address, address, CHANGED_CONFD_ADDRESS);
        if (r >= 0 && version)
                r = set_string(s, &s->confd_version, version, CHANGED_CONFD_VERSION);
        if (version && s->protocol_version != protocol_version) {
                s->protocol_version = protocol_version;
                s->changed |= CHANGED_CONFD_VERSION;
        }
        return r;
}

void state_connected(struct state *s) {
        set_bool(s, &s->connected, true, CHANGED_CONNECTED);
        state_clear_error(s, ERROR_KIND_CONNECTION);
}

void state_events_up(struct state *s, uint64_t stamp) {
        set_bool(s, &s->events_connected, true, CHANGED_EVENTS_CONNECTED);
        s->missed_until = stamp;
        state_clear_error(s, ERROR_KIND_EVENTS);
}

void state_events_down(struct state *s) {
        set_bool(s, &s->events_connected, false, CHANGED_EVENTS_CONNECTED);
        s->missed = true;
}

static void set_in_sync(struct state *s) {
        bool in_sync = !s->synchronizing && (s->state == HA_STATE_MASTER || (ha_state_follows(s->state) && s->in_place));

        set_bool(s, &s->in_sync, in_sync, CHANGED_IN_SYNC);
}

void state_set_synchronizing(struct state *s, bool synchronizing) {
        set_bool(s, &s->synchronizing, synchronizing, CHANGED_SYNCHRONIZING);
        set_in_sync(s);
}

void state_expect_beslave(struct state *s, uint64_t realtime) {
        if (sync_record_beslave(&s->last_in_sync, realtime))
                s->changed |= CHANGED_LAST_IN_SYNC | CHANGED_BESLAVE_SINCE;
}

void state_beslave(struct state *s, uint64_t realtime) {
        state_expect_beslave(s, realtime);
        s->was_in_place = s->in_place;
        s->in_place = s->untold_copy = false;
        state_set_synchronizing(s, true);
}

void state_set_error(struct state *s, enum error_kind kind, const char *name, const char *message, uint64_t realtime) {
        char *n = strdup(name), *m = strdup(message);

        if (!n || !m) {
                free(n);
                free(m);
                return;
        }
        free(s->error_name);
        free(s->error_message);
        s->error_name = n;
        s->error_message = m;
        s->error_time = realtime;
        s->error_kind = kind;
        s->changed |= CHANGED_LAST_ERROR;
}

void state_clear_error(struct state *s, enum error_kind kind) {
        if (s->error_kind != kind)
                return;
        state_set_error(s, ERROR_KIND_NONE, "", "", 0);
}

/* ---- what ConfD reports ---- */

/* Whether the event undoes one of its group that stands after it in the table. */
static bool contradicts(const struct state *s, const struct signal *g) {
        for (size_t i = 0; i < s->pending.n; i++) {
                const struct signal *p = &s->pending.items[i];

                if (p->group != s->group)
                        continue;
                if (g->kind == SIGNAL_SLAVE_DIED && p->kind == SIGNAL_SLAVE_ARRIVED && streq(p->args[0], g->args[0]))
                        return true;
                if (g->kind == SIGNAL_MASTER_LOST && p->kind == SIGNAL_SLAVE_INITIALIZED)
                        return true;
        }
        return false;
}

void state_event(struct state *s, uint64_t stamp, enum signal_kind kind, const char *arg1, const char *arg2, bool by_copy) {
        struct signal g;

        /* What is left out here shows as a difference. */
        if (s->pending.n >= STATE_PENDING_MAX || signal_make(&g, kind, arg1, arg2, NULL) < 0) {
                s->missed = true;
                s->missed_until = stamp;
                return;
        }
        g.stamp = stamp;
        g.by_copy = by_copy;
        /* The order of the table would turn "arrived, then died" round: what contradicts starts a new group. */
        if (contradicts(s, &g))
                s->group++;
        g.group = s->group;
        if (signal_list_add(&s->pending, g) < 0) {
                s->missed = true;
                s->missed_until = stamp;
        }
}

int state_outcome(struct state *s, uint64_t stamp, const struct order_outcome *outcome) {
        struct outcome *o = calloc(1, sizeof(*o));

        if (!o)
                return -ENOMEM;
        o->stamp = stamp;
        o->beslave = outcome->beslave;
        o->refused = outcome->refused;
        o->error_kind = outcome->error_kind;
        if (free_and_strdup(&o->node_id, outcome->node_id) < 0 || free_and_strdup(&o->master_id, outcome->master_id) < 0 ||
            free_and_strdup(&o->master_address, outcome->master_address) < 0 ||
            free_and_strdup(&o->error_name, outcome->error_name) < 0 ||
            free_and_strdup(&o->error_message, outcome->error_message) < 0) {
                outcome_free(o);
                return -ENOMEM;
        }
        TAILQ_INSERT_TAIL(&s->outcomes, o, outcomes);
        return 0;
}

/* The outcomes that are covered take effect; their signals go to `results`. */
static int apply_outcomes(struct state *s, uint64_t covers, struct signal_list *results, uint64_t realtime) {
        int r = 0;

        for (struct outcome *o = TAILQ_FIRST(&s->outcomes), *next; o; o = next) {
                struct signal g;

                next = TAILQ_NEXT(o, outcomes);
                if (o->stamp > covers)
                        continue;
                TAILQ_REMOVE(&s->outcomes, o, outcomes);
                if (o->error_name)
                        state_set_error(s, o->error_kind, o->error_name, o->error_message ?: "", realtime);
                if (o->node_id && set_string(s, &s->node_id, o->node_id, CHANGED_NODE_ID) < 0)
                        r = -ENOMEM;
                if (o->master_id) {
                        free(s->ordered_id);
                        free(s->ordered_address);
                        s->ordered_id = TAKE_PTR(o->master_id);
                        s->ordered_address = TAKE_PTR(o->master_address);
                }
                /* Whether it follows the master that was ordered is the status's to say. */
                if (o->beslave && (!o->error_name || o->refused))
                        s->in_place = !o->error_name || s->was_in_place;
                if (o->beslave && (signal_make(&g, SIGNAL_BESLAVE_RESULT, o->error_name ?: "", o->error_message ?: "", NULL) < 0 ||
                                   signal_list_add(results, g) < 0))
                        r = -ENOMEM;
                outcome_free(o);
        }
        return r;
}

/* ---- taking effect ---- */

static int set_slaves(struct state *s, const struct node *nodes, size_t n) {
        struct node_list *l = node_list_new(nodes, n);

        if (!l)
                return -ENOMEM;
        if (node_list_equal(l, s->slaves))
                node_list_free(l);
        else {
                node_list_free(s->slaves);
                s->slaves = l;
                s->changed |= CHANGED_SLAVES;
        }
        return 0;
}

static int set_peers(struct state *s, enum ha_state state, const struct node_list *nodes) {
        static const struct node nobody = { "", "" };
        const struct node *master = &nobody;
        size_t skip = node_list_size(nodes);
        const char *address;
        int r, q;

        if (ha_state_follows(state) && skip > 0)
                master = &nodes->nodes[0];
        if (state == HA_STATE_MASTER)
                skip = 0;
        else if (state == HA_STATE_SLAVE_RELAY && skip > 0)
                skip = 1;

        address = master->address;
        if (s->ordered_id && s->ordered_address && master != &nobody && streq(master->id, s->ordered_id))
                address = s->ordered_address;
        r = set_string(s, &s->master_id, master->id, CHANGED_MASTER);
        q = set_string(s, &s->master_address, address, CHANGED_MASTER);
        if (r >= 0)
                r = q;
        q = nodes ? set_slaves(s, nodes->nodes + skip, nodes->n - skip) : set_slaves(s, NULL, 0);
        return r < 0 ? r : q;
}

static int change_state(struct state *s, enum ha_state state, const char *reason, unsigned group, struct signal_list *batch,
                        uint64_t realtime) {
        struct signal g;
        int r;

        if (s->state == state)
                return 0;
        r = signal_make(&g, SIGNAL_STATE_CHANGED, ha_state_to_string(s->state), ha_state_to_string(state), reason);
        s->state = state;
        s->since = realtime;
        s->transitions++;
        s->changed |= CHANGED_STATE;
        if (r < 0)
                return r;
        g.group = group;
        return signal_list_add(batch, g);
}

/* Whose master was lost is known from before the status. */
struct subject {
        char *node_id, *master_id, *master_address;
};

static void subject_done(struct subject *b) {
        free(b->node_id);
        free(b->master_id);
        free(b->master_address);
}

static int emit_batch(struct state *s, struct signal_list *batch, const struct subject *before) {
        int r = 0;

        signal_list_sort(batch);
        for (size_t i = 0; i < batch->n; i++) {
                struct signal g = signal_list_take(batch, i);
                int q;

                if (before && g.kind == SIGNAL_MASTER_LOST)
                        q = emit(s, g, before->node_id, before->master_id, before->master_address);
                else
                        q = emit(s, g, s->node_id, s->master_id, s->master_address);
                if (q < 0)
                        r = q;
        }
        return r;
}

/* What a status brings with it, on its way to taking effect. */
struct effect {
        const struct status_reading *reading;
        struct signal_list batch, results;
        struct subject before;
        struct node_list *known;
};

static void effect_done(struct effect *e) {
        signal_list_done(&e->batch);
        signal_list_done(&e->results);
        subject_done(&e->before);
        node_list_free(e->known);
}

static int effect_init(struct effect *e, const struct state *s, const struct status_reading *reading) {
        /* Who the lost master was is not shown any more when the connection is down. */
        bool shown = s->state != HA_STATE_UNKNOWN || !ha_state_follows(s->known_state) || node_list_size(s->known) == 0;

        *e = (struct effect) {
                .reading = reading,
                .before.node_id = strdup(s->node_id),
                .before.master_id = strdup(shown ? s->master_id : s->known->nodes[0].id),
                .before.master_address = strdup(shown ? s->master_address : s->known->nodes[0].address),
                .known = node_list_copy(reading->nodes),
        };
        return e->known && e->before.node_id && e->before.master_id && e->before.master_address ? 0 : -ENOMEM;
}

/* What has been told and is covered, and what shows as a difference. */
static int collect(struct state *s, struct effect *e) {
        const struct status_reading *now = e->reading;
        size_t left = 0;
        int r, q;

        r = apply_outcomes(s, now->covers, &e->results, now->realtime);
        for (size_t i = 0; i < s->pending.n; i++) {
                struct signal g = signal_list_take(&s->pending, i);

                if (g.stamp > now->covers)
                        s->pending.items[left++] = g;
                else if (state_take_late(s, &g, now->monotonic))
                        signal_done(&g);
                else if (signal_list_add(&e->batch, g) < 0)
                        r = -ENOMEM;
        }
        s->pending.n = left;
        if (!ha_state_follows(now->state) || signal_list_tells(&e->batch, SIGNAL_SLAVE_INITIALIZED, NULL, NULL))
                s->untold_copy = false;
        else if (s->untold_copy && !now->synchronizing && s->in_place) {
                s->untold_copy = false;
                q = state_add_difference(s, &e->batch, SIGNAL_SLAVE_INITIALIZED, NULL, NULL, now->monotonic);
                if (q < 0)
                        r = q;
        } else if (s->missed && now->synchronizing)
                s->untold_copy = true;
        if (s->missed) {
                q = state_add_differences(s, &e->batch, now);
                if (q < 0)
                        r = q;
                if (s->events_connected && now->covers >= s->missed_until && r >= 0)
                        s->missed = false;
        }
        q = state_add_deaths(s, &e->batch, now);
        return q < 0 ? q : r;
}

/* Why the state is another. */
static const char *find_reason(struct state *s, const struct effect *e) {
        for (size_t i = 0; i < e->batch.n; i++) {
                const struct signal *g = &e->batch.items[i];

                if (g->kind == SIGNAL_MASTER_LOST)
                        state_set_error(s, ERROR_KIND_MASTER, g->args[0], g->args[1] ?: "", e->reading->realtime);
        }
        if (s->state == HA_STATE_UNKNOWN)
                return "connected";
        if (e->reading->under_order)
                return "order";
        return signal_list_tells(&e->batch, SIGNAL_MASTER_LOST, NULL, NULL) ? "master-lost" : "external";
}

/* Whether the data of the master that it follows now are in place. At first there is nobody to have told, and who follows
 * while no BeSlave is known of is taken to have them. */
static bool is_in_place(const struct state *s, const struct effect *e) {
        const struct status_reading *now = e->reading;

        if (!ha_state_follows(now->state))
                return false;
        if (signal_list_tells(&e->batch, SIGNAL_SLAVE_INITIALIZED, NULL, NULL))
                return true;
        if (s->known_state == HA_STATE_UNKNOWN)
                return s->in_place || (!now->synchronizing && !s->last_in_sync.beslave_since);
        for (size_t i = 0; i < e->results.n; i++)
                if (!*e->results.items[i].args[0])
                        return true;
        return s->in_place && ha_state_follows(s->known_state) && node_list_same_master(s->known, now->nodes);
}

static int show(struct state *s, struct effect *e, const char *reason) {
        const struct status_reading *now = e->reading;
        int r, q;

        r = set_peers(s, now->state, now->nodes);
        s->in_place = is_in_place(s, e);
        state_set_synchronizing(s, now->synchronizing);
        if (now->state == HA_STATE_NONE && !now->synchronizing && set_string(s, &s->node_id, "", CHANGED_NODE_ID) < 0)
                r = -ENOMEM;
        if (!ha_state_follows(now->state) && !now->synchronizing) {
                free(TAKE_PTR(s->ordered_id));
                free(TAKE_PTR(s->ordered_address));
        }
        q = change_state(s, now->state, reason, s->group, &e->batch, now->realtime);
        node_list_free(s->known);
        s->known = TAKE_PTR(e->known);
        s->known_state = now->state;
        return q < 0 ? q : r;
}

/* Why it is no longer in sync. Only what ConfD has told, or shows on the connection that there was all the time, is the loss
 * of the master: after a gap ConfD itself may have been away. */
static enum sync_end find_end(const struct state *s, const struct effect *e) {
        for (size_t i = 0; i < e->batch.n; i++) {
                const struct signal *g = &e->batch.items[i];

                if (g->kind == SIGNAL_MASTER_LOST && (!s->gap || g->stamp != UINT64_MAX))
                        return SYNC_MASTER_LOST;
        }
        return s->gap ? SYNC_OUTAGE : SYNC_ORDER;
}

static int keep_in_sync(struct state *s, const struct effect *e) {
        enum sync_end end = find_end(s, e);
        uint64_t realtime = end == SYNC_OUTAGE ? s->gap_since : e->reading->realtime;
        bool master = s->state == HA_STATE_MASTER;
        int r = 0;

        set_in_sync(s);
        if (s->in_sync)
                r = sync_record_begin(&s->last_in_sync, s->state, master ? s->node_id : s->master_id,
                                      master ? "" : s->master_address);
        else if (!s->synchronizing || s->state == HA_STATE_NONE) /* else a BeSlave that has begun has ended it */
                r = sync_record_end(&s->last_in_sync, end, realtime);
        if (r > 0)
                s->changed |= CHANGED_LAST_IN_SYNC | CHANGED_BESLAVE_SINCE;
        s->gap = false;
        return r;
}

static int tell(struct state *s, struct effect *e) {
        int r = 0, q;

        for (size_t i = 0; i < e->results.n; i++) {
                struct signal g = signal_list_take(&e->results, i);

                g.group = s->group;
                if (signal_list_add(&e->batch, g) < 0)
                        r = -ENOMEM;
        }
        q = emit_batch(s, &e->batch, &e->before);
        if (s->pending.n == 0)
                s->group = 0;
        return q < 0 ? q : r;
}

int state_status(struct state *s, const struct status_reading *reading) {
        _cleanup_(effect_done) struct effect e;
        int r, q;

        r = effect_init(&e, s, reading);
        if (r < 0)
                return r;
        r = collect(s, &e);
        q = show(s, &e, find_reason(s, &e));
        if (q < 0)
                r = q;
        q = keep_in_sync(s, &e);
        if (q < 0)
                r = q;
        q = tell(s, &e);
        return q < 0 ? q : r;
}

int state_outcomes_now(struct state *s, uint64_t covers, bool synchronizing, uint64_t realtime) {
        _cleanup_(signal_list_done) struct signal_list batch = {};
        int r, q;

        r = apply_outcomes(s, covers, &batch, realtime);
        state_set_synchronizing(s, synchronizing);
        if (s->state == HA_STATE_NONE && !synchronizing && set_string(s, &s->node_id, "", CHANGED_NODE_ID) < 0)
                r = -ENOMEM;
        q = emit_batch(s, &batch, /* before= */ NULL);
        return r < 0 ? r : q;
}

void state_disconnected(struct state *s, bool synchronizing, uint64_t realtime) {
        _cleanup_(signal_list_done) struct signal_list batch = {};

        set_bool(s, &s->connected, false, CHANGED_CONNECTED);
        (void) set_string(s, &s->confd_version, "", CHANGED_CONFD_VERSION);
        if (s->protocol_version != 0)
                s->changed |= CHANGED_CONFD_VERSION;
        s->protocol_version = 0;
        if (!s->gap) {
                s->gap = true;
                s->gap_since = realtime;
        }
        (void) set_peers(s, HA_STATE_UNKNOWN, NULL);
        state_set_synchronizing(s, synchronizing);
        (void) apply_outcomes(s, UINT64_MAX, &batch, realtime);
        (void) change_state(s, HA_STATE_UNKNOWN, "disconnected", 0, &batch, realtime);
        set_in_sync(s);
        (void) emit_batch(s, &batch, /* before= */ NULL);
}

unsigned state_take(struct state *s, struct signal_list *ret_signals) {
        unsigned changed = s->changed;

        *ret_signals = s->signals;
        s->signals = (struct signal_list) {};
        s->changed = 0;
        return told_update(&s->shown, s, changed);
}
