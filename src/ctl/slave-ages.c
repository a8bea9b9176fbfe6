/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the question to the reference node. */
#include "ctl/bus-connection.h"
#include "ctl/slave-ages.h"

/* It is an addition to a status that is known already, so nobody waits for it for long. */
#define ASK_USEC USEC_PER_SEC

enum { SLAVES_MAX = 4096 };

static int read_one(sd_bus_message *m, struct slave_ages *a) {
        struct slave_age *grown;
        const char *id, *address;
        struct slave_age s = {};
        int r;

        r = sd_bus_message_read(m, "(sstttt)", &id, &address, &s.tick_usec, &s.oldest_usec, &s.unsent, &s.unacknowledged);
        if (r <= 0)
                return r;
        if (a->n >= SLAVES_MAX)
                return -E2BIG;
        grown = reallocarray(a->slaves, a->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        a->slaves = grown;
        s.id = strdup(id);
        s.address = strdup(address);
        grown[a->n++] = s;
        return s.id && s.address ? 1 : -ENOMEM;
}

static int question(sd_bus *bus, sd_bus_message **ret) {
        int r = sd_bus_message_new_method_call(bus, ret, "org.confd.HANode", "/org/confd/HANode", "org.confd.HANode", "Slaves");

        return r < 0 ? r : sd_bus_message_set_auto_start(*ret, false);
}

int slave_ages_send(sd_bus *bus, sd_bus_message_handler_t done, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = question(bus, &m);

        return r < 0 ? r : sd_bus_call_async(bus, NULL, m, done, userdata, ASK_USEC);
}

int slave_ages_read(sd_bus_message *reply, struct slave_ages *ret) {
        struct slave_ages a = {};
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(sstttt)");
        while (r >= 0 && (r = read_one(reply, &a)) > 0)
                ;
        if (r < 0)
                slave_ages_done(&a);
        *ret = a;
        return r;
}

void slave_ages_ask(struct ctl *c, struct slave_ages *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r;

        *ret = (struct slave_ages) {};
        r = question(c->bus, &m);
        if (r >= 0)
                r = sd_bus_call(c->bus, m, MIN(bus_time_left(c), ASK_USEC), NULL, &reply);
        if (r >= 0)
                r = slave_ages_read(reply, ret);
        (void) r; /* then there are none */
}

void slave_ages_done(struct slave_ages *a) {
        for (size_t i = 0; i < a->n; i++) {
                free(a->slaves[i].id);
                free(a->slaves[i].address);
        }
        free(a->slaves);
        *a = (struct slave_ages) {};
}

const struct slave_age *slave_ages_find(const struct slave_ages *a, const char *id) {
        for (size_t i = 0; i < a->n; i++)
                if (streq(a->slaves[i].id, id))
                        return a->slaves + i;
        return NULL;
}
