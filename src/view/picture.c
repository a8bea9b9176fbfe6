/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of properties. */
#include "basic/time-util.h"
#include "view/names.h"
#include "view/picture.h"

static void slaves_free(struct picture *p) {
        for (size_t i = 0; i < p->n_slaves; i++) {
                free(p->slaves[i].id);
                free(p->slaves[i].address);
        }
        free(p->slaves);
        p->slaves = NULL;
        p->n_slaves = 0;
}

static void inhibitors_free(struct picture *p) {
        for (size_t i = 0; i < p->n_inhibitors; i++) {
                free(p->inhibitors[i].who);
                free(p->inhibitors[i].why);
        }
        free(p->inhibitors);
        p->inhibitors = NULL;
        p->n_inhibitors = 0;
}

static void orders_free(struct picture *p) {
        for (size_t i = 0; i < p->n_orders; i++) {
                free(p->orders[i].kind);
                free(p->orders[i].outcome);
        }
        free(p->orders);
        p->orders = NULL;
        p->n_orders = 0;
}

void picture_done(struct picture *p) {
        orders_free(p);
        free(p->version);
        free(p->state);
        free(p->node_id);
        free(p->master.id);
        free(p->master.address);
        slaves_free(p);
        free(p->last_in_sync.role);
        free(p->last_in_sync.master.id);
        free(p->last_in_sync.master.address);
        free(p->last_in_sync.how);
        inhibitors_free(p);
        free(p->targets);
        free(p->confd_address);
        free(p->confd_version);
        free(p->error_name);
        free(p->error_message);
        *p = (struct picture) {};
}

static int read_string(sd_bus_message *m, void *target, struct picture *p) {
        const char *s;
        int r;

        r = sd_bus_message_read_basic(m, 's', &s);
        return r < 0 ? r : free_and_strdup(target, s);
}

static int read_boolean(sd_bus_message *m, void *target, struct picture *p) {
        int r, b;

        r = sd_bus_message_read_basic(m, 'b', &b);
        if (r >= 0)
                *(bool *) target = b;
        return r;
}

static int read_u32(sd_bus_message *m, void *target, struct picture *p) {
        return sd_bus_message_read_basic(m, 'u', target);
}

static int read_u64(sd_bus_message *m, void *target, struct picture *p) {
        return sd_bus_message_read_basic(m, 't', target);
}

static int read_peer(sd_bus_message *m, void *target, struct picture *p) {
        struct peer *peer = target;
        const char *id, *address;
        int r;

        r = sd_bus_message_read(m, "(ss)", &id, &address);
        if (r >= 0)
                r = free_and_strdup(&peer->id, id);
        return r < 0 ? r : free_and_strdup(&peer->address, address);
}

static int read_slaves(sd_bus_message *m, void *target, struct picture *p) {
        int r;

        slaves_free(p);
        r = sd_bus_message_enter_container(m, 'a', "(ss)");
        while (r >= 0 && (r = sd_bus_message_at_end(m, /* complete= */ false)) == 0) {
                struct peer *grown;

                if (p->n_slaves >= PICTURE_SLAVES_MAX)
                        return -E2BIG;
                grown = reallocarray(p->slaves, p->n_slaves + 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                p->slaves = grown;
                p->slaves[p->n_slaves++] = (struct peer) {};
                r = read_peer(m, p->slaves + p->n_slaves - 1, p);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_order(sd_bus_message *m, struct order_count *c, size_t n_bounds) {
        const char *kind, *outcome;
        const uint64_t *counts;
        size_t size;
        int r;

        r = sd_bus_message_enter_container(m, 'r', "sstat");
        if (r >= 0)
                r = sd_bus_message_read(m, "sst", &kind, &outcome, &c->sum_usec);
        if (r >= 0)
                r = free_and_strdup(&c->kind, kind);
        if (r >= 0)
                r = free_and_strdup(&c->outcome, outcome);
        if (r >= 0)
                r = sd_bus_message_read_array(m, 't', (const void **) &counts, &size);
        if (r < 0)
                return r;
        if (size != (n_bounds + 1) * sizeof(*counts))
                return -EBADMSG;
        memcpy(c->counts, counts, size);
        return sd_bus_message_exit_container(m);
}

static int read_orders(sd_bus_message *m, void *target, struct picture *p) {
        const uint64_t *bounds;
        size_t size;
        int r;

        orders_free(p);
        r = sd_bus_message_enter_container(m, 'r', "ata(sstat)");
        if (r >= 0)
                r = sd_bus_message_read_array(m, 't', (const void **) &bounds, &size);
        if (r < 0)
                return r;
        if (size > sizeof(p->bounds))
                return -E2BIG;
        p->n_bounds = size / sizeof(*bounds);
        if (size > 0)
                memcpy(p->bounds, bounds, size);
        r = sd_bus_message_enter_container(m, 'a', "(sstat)");
        while (r >= 0 && (r = sd_bus_message_at_end(m, /* complete= */ false)) == 0) {
                struct order_count *grown;

                if (p->n_orders >= PICTURE_ORDERS_MAX)
                        return -E2BIG;
                grown = reallocarray(p->orders, p->n_orders + 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                p->orders = grown;
                p->orders[p->n_orders++] = (struct order_count) {};
                r = read_order(m, p->orders + p->n_orders - 1, p->n_bounds);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_error(sd_bus_message *m, void *target, struct picture *p) {
        const char *name, *message;
        uint64_t usec;
        int r;

        r = sd_bus_message_read(m, "(sst)", &name, &message, &usec);
        if (r >= 0)
                r = free_and_strdup(&p->error_name, name);
        if (r >= 0)
                r = free_and_strdup(&p->error_message, message);
        if (r >= 0)
                p->error_usec = usec;
        return r;
}

static int read_in_sync(sd_bus_message *m, void *target, struct picture *p) {
        p->knows_in_sync = true;
        return read_boolean(m, target, p);
}

static int read_last_in_sync(sd_bus_message *m, void *target, struct picture *p) {
        const char *role, *id, *address, *how;
        uint64_t usec;
        int r;

        r = sd_bus_message_read(m, "(sssts)", &role, &id, &address, &usec, &how);
        if (r >= 0)
                r = free_and_strdup(&p->last_in_sync.role, role);
        if (r >= 0)
                r = free_and_strdup(&p->last_in_sync.master.id, id);
        if (r >= 0)
                r = free_and_strdup(&p->last_in_sync.master.address, address);
        if (r >= 0)
                r = free_and_strdup(&p->last_in_sync.how, how);
        if (r >= 0)
                p->last_in_sync.usec = usec;
        return r;
}

static int read_inhibitor(sd_bus_message *m, struct inhibitor *i) {
        const char *who, *why;
        int r;

        r = sd_bus_message_read(m, "(ssut)", &who, &why, &i->uid, &i->since_usec);
        if (r >= 0)
                r = free_and_strdup(&i->who, who);
        return r < 0 ? r : free_and_strdup(&i->why, why);
}

static int read_inhibitors(sd_bus_message *m, void *target, struct picture *p) {
        int r;

        inhibitors_free(p);
        r = sd_bus_message_enter_container(m, 'a', "(ssut)");
        while (r >= 0 && (r = sd_bus_message_at_end(m, /* complete= */ false)) == 0) {
                struct inhibitor *grown;

                if (p->n_inhibitors >= PICTURE_INHIBITORS_MAX)
                        return -E2BIG;
                grown = reallocarray(p->inhibitors, p->n_inhibitors + 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                p->inhibitors = grown;
                p->inhibitors[p->n_inhibitors++] = (struct inhibitor) {};
                r = read_inhibitor(m, p->inhibitors + p->n_inhibitors - 1);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static const struct {
        const char *name;
        const char *signature;
        int (*read)(sd_bus_message *m, void *target, struct picture *p);
        size_t offset;
} properties[] = {
        { "Version", "s", read_string, offsetof(struct picture, version) },
        { "State", "s", read_string, offsetof(struct picture, state) },
        { "NodeId", "s", read_string, offsetof(struct picture, node_id) },
        { "Master", "(ss)", read_peer, offsetof(struct picture, master) },
        { "Slaves", "a(ss)", read_slaves, 0 },
        { "Connected", "b", read_boolean, offsetof(struct picture, connected) },
        { "EventsConnected", "b", read_boolean, offsetof(struct picture, events_connected) },
        { "Synchronizing", "b", read_boolean, offsetof(struct picture, synchronizing) },
        { "InSync", "b", read_in_sync, offsetof(struct picture, in_sync) },
        { "LastInSync", "(sssts)", read_last_in_sync, 0 },
        { "Inhibitors", "a(ssut)", read_inhibitors, 0 },
        { "Targets", "s", read_string, offsetof(struct picture, targets) },
        { "ConfdAddress", "s", read_string, offsetof(struct picture, confd_address) },
        { "ConfdVersion", "s", read_string, offsetof(struct picture, confd_version) },
        { "ProtocolVersion", "u", read_u32, offsetof(struct picture, protocol_version) },
        { "LastError", "(sst)", read_error, 0 },
        { "StateSince", "t", read_u64, offsetof(struct picture, state_since_usec) },
        { "Orders", "(ata(sstat))", read_orders, 0 },
        { "Transitions", "t", read_u64, offsetof(struct picture, transitions) },
};

static int read_property(struct picture *p, sd_bus_message *m) {
        const char *name, *signature;
        char type;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        r = sd_bus_message_peek_type(m, &type, &signature);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(properties); i++) {
                if (!streq(name, properties[i].name))
                        continue;
                if (!streq(signature, properties[i].signature))
                        return -EBADMSG;
                r = sd_bus_message_enter_container(m, 'v', signature);
                if (r >= 0)
                        r = properties[i].read(m, (char *) p + properties[i].offset, p);
                return r < 0 ? r : sd_bus_message_exit_container(m);
        }
        return sd_bus_message_skip(m, "v");
}

int picture_read(struct picture *p, sd_bus_message *m) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_property(p, m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r == -ENXIO ? -EBADMSG : MIN(r, 0);
}

bool picture_is_synced(const struct picture *p) {
        const char *state = picture_state(p);

        return (streq(state, "slave") || streq(state, "slave-relay")) && !p->synchronizing &&
               (p->in_sync || !p->knows_in_sync);
}

bool picture_is_in_sync(const struct picture *p) {
        return p->knows_in_sync ? p->in_sync : streq(picture_state(p), "master") || picture_is_synced(p);
}

/* The errors of connections to ConfD, which say nothing of orders. */
static bool is_of_connection(const char *error) {
        static const char *const names[] = { "NotConnected", "NoToken", "AccessDenied", "Displaced", "Protocol",
                                             "BadConfiguration", "Secret" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strncmp(error, HA_ERROR_PREFIX, strlen(HA_ERROR_PREFIX)) == 0 &&
                    streq(error + strlen(HA_ERROR_PREFIX), names[i]))
                        return true;
        return false;
}

bool picture_has_failed(const struct picture *p, uint64_t mark) {
        uint64_t ended = p->last_in_sync.usec;

        if (!p->connected || p->synchronizing || p->in_sync || picture_is_synced(p))
                return false;
        if (isempty(p->error_name) || is_of_connection(p->error_name))
                return false;
        if (mark != USEC_INFINITY)
                return p->error_usec > mark;
        if (!isempty(p->last_in_sync.role) && ended == 0)
                return false;
        /* The loss of a master is an error, too, but no order's: it is told when the sync ends, within a moment. */
        if (streq(p->last_in_sync.how ?: "", "master-lost") && !isempty(p->last_in_sync.role))
                ended = usec_add(ended, USEC_PER_SEC);
        return p->error_usec > ended;
}
