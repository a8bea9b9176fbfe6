/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the question to the reference node. */
#include "service/reference-node.h"

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct reference_node *n = userdata;
        int joining = 0;

        n->slot = sd_bus_slot_unref(n->slot);
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "v", "b", &joining) < 0)
                joining = 0;
        n->fn(n->userdata, joining);
        return 0;
}

int reference_node_ask(struct reference_node *n, sd_bus *bus, reference_node_fn fn, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        reference_node_done(n);
        n->fn = fn;
        n->userdata = userdata;
        r = sd_bus_message_new_method_call(bus, &m, "org.confd.HANode", "/org/confd/HANode", "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", "org.confd.HANode", "Joining");
        if (r >= 0)
                r = sd_bus_call_async(bus, &n->slot, m, on_answer, n, REFERENCE_NODE_PATIENCE_USEC);
        return r;
}

void reference_node_done(struct reference_node *n) {
        n->slot = sd_bus_slot_unref(n->slot);
}
