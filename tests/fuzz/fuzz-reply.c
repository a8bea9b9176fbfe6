/* SPDX-License-Identifier: Apache-2.0 */
/* Replies and events from anybody. */
#include "fuzz.h"
#include "lib/event.h"
#include "lib/orders.h"

static struct confd_ha_node_term nodes[CONFD_HA_STATUS_NODES_MAX];

/* A view lies inside the message that it is of. */
static void inside(const struct confd_ha_term *t, const uint8_t *data, size_t size) {
        if (t->size == 0 || t->data < data || t->size > size || (size_t) (t->data - data) > size - t->size)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct reply r = {};
        struct event e = {};
        char words[200];

        if (reply_parse(data, size, &r) >= 0)
                reply_describe(&r, words, sizeof(words));
        r = (struct reply) {};
        if (reply_parse_status(data, size, &r, nodes) >= 0) {
                if (r.num_nodes > CONFD_HA_STATUS_NODES_MAX)
                        abort();
                for (unsigned i = 0; i < r.num_nodes; i++) {
                        inside(&nodes[i].id, data, size);
                        inside(&nodes[i].address, data, size);
                        (void) confd_ha_format_id(&nodes[i].id, words, sizeof(words));
                        (void) confd_ha_format_address(&nodes[i].address, words, sizeof(words));
                }
        }
        if (event_parse(data, size, &e) >= 0 && e.bit == CONFD_NOTIF_HA_INFO &&
            (e.ha.type == CONFD_HA_INFO_SLAVE_DIED || e.ha.type == CONFD_HA_INFO_SLAVE_ARRIVED)) {
                inside(&e.ha.node.id, data, size);
                inside(&e.ha.node.address, data, size);
        }
        return 0;
}
