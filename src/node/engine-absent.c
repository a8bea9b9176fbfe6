/* SPDX-License-Identifier: Apache-2.0 */
/* A node without replication: it can be master of nobody. Built only where the engine's sources are not. */
#include "node/master.h"
#include "node/schema.h"
#include "node/slave.h"

struct master {
        int unused;
};

int schema_load(const char *directory, struct schema *ret, char **ret_error) {
        *ret = (struct schema) {};
        return 0;
}

int master_new(sd_event *event, struct store *store, const struct replication_config *config, const struct node_id *id,
               const struct secret *token, struct slave *upstream, const struct master_callbacks *callbacks, void *userdata,
               struct master **ret, char **ret_error) {
        *ret = calloc(1, sizeof(struct master));
        return *ret ? 0 : -ENOMEM;
}

struct master *master_free(struct master *m) {
        free(m);
        return NULL;
}

void master_promote(struct master *m) {}

int master_rename(struct master *m, const struct node_id *id) {
        return 0;
}

int master_set_token(struct master *m, const struct secret *token) {
        return 0;
}

void master_slave_dead(struct master *m, const struct node_id *id) {}

void master_set_hold(struct master *m, bool hold) {}

int master_commit(struct master *m, struct transaction *t, master_commit_fn fn, void *userdata) {
        return -EBUSY;
}

int slave_new(sd_event *event, struct store *store, const struct replication_config *config, const struct node_id *id,
              const struct node_id *master_id, const struct node_address *address, const struct secret *token,
              const struct slave_callbacks *callbacks, void *userdata, struct slave **ret) {
        return -EOPNOTSUPP;
}

struct slave *slave_free(struct slave *s) {
        return NULL;
}

const struct node_id *slave_master_id(const struct slave *s) {
        return NULL;
}

const struct node_address *slave_master_address(const struct slave *s) {
        return NULL;
}
