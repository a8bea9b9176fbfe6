/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the serving and the following side of replication on the role's behalf. */
#include <stdio.h>

#include "basic/log.h"
#include "node/peers.h"
#include "node/replication/slave.h"

struct peers {
        sd_event *event;
        struct store *store;
        struct replication_config config;
        struct role *role;
        struct secret token;
        struct master *master; /* as master and as relay */
        struct slave *slave;   /* while joining, as slave and as relay */
        char *why;             /* what the last failure said */
};

/* ---- what happens ---- */

static void on_slave_arrived(struct master *m, const struct node_id *id, const struct node_address *address,
                             void *userdata) {
        struct role_node node = { .id = *id, .address = *address };
        struct peers *p = userdata;

        node.address.port = 0; /* the port of an outgoing connection tells nobody anything */
        role_slave_arrived(p->role, &node);
}

static void on_slave_died(struct master *m, const struct node_id *id, const struct node_address *address,
                          void *userdata) {
        struct peers *p = userdata;

        role_slave_died(p->role, id);
}

static void on_settling(struct slave *s, void *userdata) {
        struct peers *p = userdata;

        role_join_settles(p->role);
}

static void on_joined(struct slave *s, bool copied, void *userdata) {
        struct peers *p = userdata;

        role_joined(p->role, copied);
}

static void on_failed(struct slave *s, enum ha_error code, const char *reason, void *userdata) {
        struct peers *p = userdata;

        role_join_failed(p->role, code, reason);
}

static void on_lost(struct slave *s, enum ha_error code, const char *reason, void *userdata) {
        struct peers *p = userdata;

        role_master_lost(p->role, code);
}

/* ---- the relay: what goes between its two ends ---- */

static void on_depth(struct master *m, unsigned depth, void *userdata) {
        struct peers *p = userdata;

        if (p->slave)
                slave_set_depth(p->slave, depth);
}

static void on_progress(struct master *m, void *userdata) {
        struct peers *p = userdata;

        if (p->slave)
                slave_progresses(p->slave);
}

static int on_follow(struct slave *s, uint64_t chain, struct transaction *t, transaction_stored_fn fn, void *fn_userdata,
                     void *userdata) {
        struct peers *p = userdata;

        return p->master ? master_pass_on(p->master, t, chain, fn, fn_userdata)
                         : store_commit_chained(p->store, chain, t, fn, fn_userdata);
}

static void on_path(struct slave *s, const struct node_path *path, void *userdata) {
        struct peers *p = userdata;

        if (p->master)
                master_set_path(p->master, path);
}

static const struct master_callbacks master_callbacks = {
        .slave_arrived = on_slave_arrived,
        .slave_died = on_slave_died,
        .depth = on_depth,
        .progress = on_progress,
};

static const struct slave_callbacks slave_callbacks = {
        .settling = on_settling,
        .joined = on_joined,
        .failed = on_failed,
        .lost = on_lost,
        .follow = on_follow,
        .path = on_path,
};

/* ---- what the role decides ---- */

static int rename_master(struct peers *p, bool as_master, const struct node_id *id) {
        int r;

        r = master_rename(p->master, id);
        if (r < 0)
                return CONFD_ERR_MALLOC;
        if (as_master)
                master_promote(p->master);
        return 0;
}

static int serve(void *userdata, bool as_master, const struct node_id *id, const char **ret_why) {
        _cleanup_free_ char *error = NULL;
        struct peers *p = userdata;
        int r;

        *ret_why = "out of memory";
        if (p->master)
                return rename_master(p, as_master, id);
        r = master_new(p->event, p->store, &p->config, id, &p->token, as_master ? NULL : slave_path(p->slave), &master_callbacks, p,
                       &p->master, &error);
        if (r >= 0)
                return 0;
        if (r == -ENOMEM)
                return CONFD_ERR_MALLOC;
        log_warning("Cannot serve slaves: %s", error ?: strerror(-r));
        free(p->why);
        p->why = TAKE_PTR(error);
        *ret_why = p->why ?: strerror(-r);
        return CONFD_ERR_HA_BIND;
}

static void unserve(void *userdata) {
        struct peers *p = userdata;

        p->master = master_free(p->master);
        if (p->slave)
                slave_set_depth(p->slave, 0);
}

static void drop(void *userdata, const struct node_id *id) {
        struct peers *p = userdata;

        if (p->master)
                master_slave_dead(p->master, id);
}

static void follow(void *userdata, const struct node_id *id, const struct role_node *master) {
        struct peers *p = userdata;
        int r;

        r = slave_new(p->event, p->store, &p->config, id, &master->id, &master->address, &p->token, &slave_callbacks, p,
                      &p->slave);
        if (r < 0) {
                p->slave = NULL;
                role_join_failed(p->role, r == -ENOMEM ? CONFD_ERR_MALLOC : CONFD_ERR_INTERNAL, strerror(-r));
        }
}

static void unfollow(void *userdata) {
        struct peers *p = userdata;

        p->slave = slave_free(p->slave);
}

static void hold(void *userdata, bool on) {
        struct peers *p = userdata;

        if (p->master)
                master_set_hold(p->master, on);
}

const struct role_peer_ops peers_role_ops = {
        .serve = serve,
        .unserve = unserve,
        .drop = drop,
        .follow = follow,
        .unfollow = unfollow,
        .hold = hold,
};

/* ---- data ---- */

/* Without a role there is nobody to replicate to; the id says who made it, as far as that is known. */
static int commit_alone(struct peers *p, struct transaction *t, transaction_stored_fn fn, void *userdata) {
        const struct node_id *id = role_get_id(p->role);
        char text[NODE_ID_TEXT_MAX];
        int r;

        r = transaction_seal(t, id->size > 0 ? node_id_text(id, text) : "none");
        return r < 0 ? r : store_commit(p->store, t, fn, userdata);
}

int peers_commit(struct peers *p, struct transaction *t, transaction_stored_fn fn, void *userdata) {
        if (!role_is_writable(p->role))
                return -EROFS;
        return p->master ? master_commit(p->master, t, fn, userdata) : commit_alone(p, t, fn, userdata);
}

void peers_slaves(const struct peers *p, master_slave_fn fn, void *userdata) {
        if (p->master)
                master_slaves(p->master, fn, userdata);
}

/* ---- life ---- */

static bool on_disk_full(struct store *s, void *userdata) {
        struct peers *p = userdata;

        return p->master && master_give_up_copies(p->master);
}

int peers_new(sd_event *event, struct store *store, const struct replication_config *config, struct peers **ret) {
        struct peers *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->event = sd_event_ref(event);
        p->store = store;
        p->config = *config;
        store_set_full_callback(store, on_disk_full, p);
        *ret = p;
        return 0;
}

void peers_leave(struct peers *p) {
        p->master = master_free(p->master);
        p->slave = slave_free(p->slave);
}

struct peers *peers_free(struct peers *p) {
        if (!p)
                return NULL;
        store_set_full_callback(p->store, NULL, NULL);
        peers_leave(p);
        secret_done(&p->token);
        sd_event_unref(p->event);
        free(p->why);
        free(p);
        return NULL;
}

void peers_configure(struct peers *p, const struct replication_config *config) {
        p->config = *config;
        if (p->master)
                master_set_schema(p->master, &config->schema);
}

void peers_set_role(struct peers *p, struct role *role) {
        p->role = role;
}

int peers_set_token(struct peers *p, const struct secret *token) {
        int r;

        r = secret_copy(token, &p->token);
        if (r >= 0 && p->master)
                r = master_set_token(p->master, token);
        return r;
}
