/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the serving side as a whole: name, path and token, the list of slaves, events. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/master-internal.h"

void master_unref(struct master *m) {
        struct master_event *e;

        if (--m->refs > 0)
                return;
        sd_event_source_disable_unref(m->deliver);
        sd_event_source_disable_unref(m->copies_go_on);
        sd_event_unref(m->event);
        secret_done(&m->token);
        while ((e = STAILQ_FIRST(&m->events))) {
                STAILQ_REMOVE_HEAD(&m->events, events);
                free(e);
        }
        remote_bury(m);
        free(m);
}

void master_wake(struct master *m) {
        (void) sd_event_source_set_enabled(m->deliver, SD_EVENT_ONESHOT);
}

void master_event(struct master *m, bool arrived, const struct node_id *id, const struct node_address *address) {
        struct master_event *e;

        e = calloc(1, sizeof(*e));
        if (!e)
                return; /* the status is right all the same */
        *e = (struct master_event) { .arrived = arrived, .id = *id, .address = *address };
        STAILQ_INSERT_TAIL(&m->events, e, events);
        master_wake(m);
}

/* Events and results of commits, outside of everything else, so that their receivers may do what they like. */
static int on_deliver(sd_event_source *source, void *userdata) {
        struct master *m = userdata;
        struct master_event *e;

        m->refs++;
        while (!m->dead && (e = STAILQ_FIRST(&m->events))) {
                STAILQ_REMOVE_HEAD(&m->events, events);
                if (e->arrived && m->callbacks.slave_arrived)
                        m->callbacks.slave_arrived(m, &e->id, &e->address, m->userdata);
                else if (!e->arrived && m->callbacks.slave_died)
                        m->callbacks.slave_died(m, &e->id, &e->address, m->userdata);
                free(e);
        }
        commits_deliver(m);
        remote_bury(m);
        master_unref(m);
        return 0;
}

void master_path(const struct master *m, struct node_path *ret) {
        *ret = m->above;
        if (ret->n < PATH_NODES_MAX)
                ret->names[ret->n++] = m->id;
}

static unsigned master_depth(const struct master *m) {
        const struct remote *r;
        unsigned depth = 0;

        TAILQ_FOREACH(r, &m->remotes, remotes)
                if (remote_is_joined(r))
                        depth = MAX(depth, 1 + r->depth);
        return depth;
}

void master_depth_changed(struct master *m) {
        unsigned depth = master_depth(m);

        if (depth == m->told_depth || m->dead)
                return;
        m->told_depth = depth;
        if (m->callbacks.depth)
                m->callbacks.depth(m, depth, m->userdata);
}

void master_progresses(struct master *m) {
        if (m->relay && !m->dead && m->callbacks.progress)
                m->callbacks.progress(m, m->userdata);
}

static void master_path_changed(struct master *m) {
        struct node_path path;
        struct remote *r;

        master_path(m, &path);
        TAILQ_FOREACH(r, &m->remotes, remotes)
                remote_send_path(r, &path);
}

static void on_connection(int fd, const struct node_address *from, void *userdata) {
        int r;

        r = remote_new(userdata, fd, from);
        if (r < 0)
                log_warning("Cannot take a connection of a node: %s", strerror(-r));
}

void master_set_schema(struct master *m, const struct schema *schema) {
        m->config.schema = *schema;
}

int master_set_token(struct master *m, const struct secret *token) {
        if (token->size > TOKEN_SIZE_MAX)
                return -EINVAL;
        return secret_copy(token, &m->token);
}

/* Until now connections only queued: what is on its way to the disk is neither in a snapshot nor among our commits. */
static void on_settled(int result, void *userdata) {
        struct master *m = userdata;

        listeners_start(m->listeners);
}

int master_new(sd_event *event, struct store *store, const struct replication_config *config, const struct node_id *id,
               const struct secret *token, const struct node_path *above, const struct master_callbacks *callbacks, void *userdata,
               struct master **ret, char **ret_error) {
        struct master *m;
        int r;

        *ret_error = NULL;
        if (id->size == 0)
                return -EINVAL;
        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        m->refs = 1;
        m->refusals = RATELIMIT_INIT(REFUSALS_SEC * USEC_PER_SEC, REFUSALS_LOGGED);
        TAILQ_INIT(&m->remotes);
        TAILQ_INIT(&m->gone);
        TAILQ_INIT(&m->commits);
        STAILQ_INIT(&m->events);
        m->event = sd_event_ref(event);
        m->store = store;
        m->config = *config;
        m->id = *id;
        m->relay = above;
        if (above)
                m->above = *above;
        if (callbacks)
                m->callbacks = *callbacks;
        m->userdata = userdata;
        m->chain = store_chain_new(store);
        r = master_set_token(m, token);
        if (r >= 0)
                r = sd_event_add_defer(event, &m->deliver, on_deliver, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->deliver, SD_EVENT_OFF);
        if (r >= 0)
                r = copies_new(m);
        if (r >= 0)
                r = listeners_new(event, config, on_connection, m, &m->listeners, ret_error);
        if (r < 0) {
                master_unref(m);
                return r;
        }
        r = store_barrier(store, on_settled, m);
        if (r < 0) {
                master_free(m);
                return r;
        }
        *ret = m;
        return 0;
}

struct master *master_free(struct master *m) {
        if (!m)
                return NULL;
        store_barrier_cancel(m->store, m);
        m->listeners = listeners_free(m->listeners);
        m->dead = true;
        commits_desert(m);
        remote_drop_all(m);
        master_update_log(m);
        master_unref(m);
        return NULL;
}

void master_promote(struct master *m) {
        if (!m->relay)
                return;
        m->relay = false;
        m->above.n = 0;
        master_path_changed(m);
}

void master_set_path(struct master *m, const struct node_path *above) {
        if (!m->relay)
                return;
        m->above = *above;
        master_path_changed(m);
}

int master_rename(struct master *m, const struct node_id *id) {
        if (id->size == 0)
                return -EINVAL;
        if (node_id_equal(&m->id, id))
                return 0;
        m->id = *id;
        master_path_changed(m);
        return 0;
}

void master_set_hold(struct master *m, bool hold) {
        if (hold == m->hold)
                return;
        m->hold = hold;
        for (struct remote *r = TAILQ_FIRST(&m->remotes), *next; r; r = next) {
                next = TAILQ_NEXT(r, remotes);
                if (r->state != REMOTE_CATCHING_UP)
                        continue;
                r->catching_up_since = now_monotonic();
                if (hold)
                        remote_excuse(r);
                else
                        remote_pump(r);
        }
}

void master_slave_dead(struct master *m, const struct node_id *id) {
        for (struct remote *r = TAILQ_FIRST(&m->remotes), *next; r; r = next) {
                next = TAILQ_NEXT(r, remotes);
                if (remote_is_joined(r) && node_id_equal(&r->id, id))
                        remote_drop(r, "declared dead by order");
        }
}

size_t master_n_slaves(const struct master *m) {
        return m->n_arrived;
}

void master_slaves(const struct master *m, master_slave_fn fn, void *userdata) {
        struct master_slave slave;
        const struct remote *r;

        TAILQ_FOREACH(r, &m->remotes, remotes)
                if (r->state == REMOTE_FOLLOWING) {
                        remote_describe(r, &slave);
                        fn(&slave, userdata);
                }
}
