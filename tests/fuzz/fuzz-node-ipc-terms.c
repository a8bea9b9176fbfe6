/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody sends on the node's IPC port once hands are shaken: an order, a subscription or an acknowledgement, by the first
 * byte. What is taken can be printed, and is within its limits. */
#include "fuzz.h"
#include "node/ipc/terms.h"

static void check_id(const struct node_id *id) {
        char text[NODE_ID_TEXT_MAX];
        struct node_id again;

        (void) node_id_text(id, text);
        if (id->size > 0 && (node_id_from_bytes(id->etf, id->size, &again) < 0 || !node_id_equal(id, &again)))
                abort();
}

static void check_order(const uint8_t *data, size_t size) {
        char text[NODE_ADDRESS_TEXT_MAX];
        struct role_order o;

        if (ipc_read_order(data, size, &o) < 0)
                return;
        if (o.type > HA_ORDER_BERELAY || (o.type == HA_ORDER_UNKNOWN && o.error == 0) || (o.error != 0 && !o.why))
                abort();
        check_id(&o.id);
        check_id(&o.master_id);
        (void) node_address_text(&o.master_address, text);
        /* An order without a mistake has all that it needs. */
        if (o.error == 0 && (o.type == HA_ORDER_BEMASTER || o.type == HA_ORDER_BESLAVE || o.type == HA_ORDER_SLAVE_DEAD) &&
            o.id.size == 0)
                abort();
        if (o.error == 0 && o.type == HA_ORDER_BESLAVE && (o.master_id.size == 0 || o.master_address.family == 0))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct ipc_subscription s;

        if (size == 0)
                return 0;
        switch (data[0] % 3) {
        case 0:
                check_order(data + 1, size - 1);
                break;
        case 1:
                if (ipc_read_subscription(data + 1, size - 1, &s) >= 0 &&
                    ((s.heartbeat_usec > 0 && s.heartbeat_usec < IPC_INTERVAL_MIN_MS * UINT64_C(1000)) ||
                     (s.health_check_usec > 0 && s.health_check_usec < IPC_INTERVAL_MIN_MS * UINT64_C(1000))))
                        abort();
                break;
        default:
                if (ipc_read_sync(data + 1, size - 1) > 0)
                        abort();
        }
        return 0;
}
