/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of frames between nodes: what is read is written as the same bytes again, and nothing else is taken. */
#include "fuzz.h"
#include "node/replication/hop.h"
#include "node/replication/message.h"

static void same(const uint8_t *p, size_t n, const uint8_t *q, size_t m) {
        if (n != m || memcmp(p, q, n) != 0)
                abort();
}

static void one_transaction(const uint8_t *data, size_t size) {
        struct transaction *t;
        size_t pos = 0, n = 0;
        struct change c;

        if (transaction_from_data(data, size, &t) < 0)
                return;
        while (transaction_next(t, &pos, &c) > 0) {
                if (!key_is_valid(c.key, c.key_size) || c.value_size > VALUE_SIZE_MAX)
                        abort();
                n++;
        }
        if (n != transaction_changes(t))
                abort();
        same(data, size, transaction_data(t), transaction_size(t));
        transaction_unref(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t buf[MESSAGE_SIZE_MAX];
        struct accept_message accept;
        struct join_message join;
        struct node_path path;
        enum ha_error code;
        size_t key, value, whole;
        uint64_t acknowledged;
        unsigned depth;
        char *reason;
        uint8_t kind;

        if (size < 1)
                return 0;
        kind = *data++;
        size--;
        switch (kind % 9) {
        case 0:
                if (join_message_decode(data, size, &join) >= 0)
                        same(data, size, buf, join_message_encode(&join, buf));
                break;
        case 1:
                if (accept_message_decode(data, size, &accept) >= 0)
                        same(data, size, buf, accept_message_encode(&accept, buf));
                break;
        case 2:
                if (node_path_decode(data, size, &path) >= 0)
                        same(data, size, buf, node_path_encode(&path, buf));
                break;
        case 3:
                if (size >= RECORD_HEADER_SIZE && record_header_decode(data, &key, &value) >= 0) {
                        record_header_encode(key, value, buf);
                        same(data, RECORD_HEADER_SIZE, buf, RECORD_HEADER_SIZE);
                }
                break;
        case 4:
                if (hop_parse_refuse(data, size, &code, &reason) >= 0)
                        free(reason);
                break;
        case 6:
                if (ack_message_decode(data, size, &acknowledged) >= 0) {
                        ack_message_encode(acknowledged, buf);
                        same(data, size, buf, ACK_MESSAGE_SIZE);
                }
                break;
        case 7:
                if (tick_message_decode(data, size, &depth) >= 0) {
                        tick_message_encode(depth, buf);
                        same(data, size, buf, TICK_MESSAGE_SIZE);
                }
                break;
        case 8:
                if (transaction_header_decode(data, size, &whole) >= 0) {
                        transaction_header_encode(whole, buf);
                        same(data, TRANSACTION_HEADER_SIZE, buf, TRANSACTION_HEADER_SIZE);
                        if (whole < size - TRANSACTION_HEADER_SIZE)
                                abort();
                }
                break;
        default:
                one_transaction(data, size);
        }
        return 0;
}
