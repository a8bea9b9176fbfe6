/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of ConfD's IPC protocol, as far as HA needs it.
 *
 *      client                                              server
 *        | kind, protocol version, library version, ...       |     9 bytes
 *        |--------------------------------------------------->|
 *        |                               11, challenge        |     33 bytes, only if the kind asks for the access
 *        |<---------------------------------------------------|     check and the server has it enabled
 *        | 12, SHA-256(secret, challenge)                     |     33 bytes
 *        |--------------------------------------------------->|
 *        |                                               0    |     1 byte
 *        |<---------------------------------------------------|
 *        |           0, protocol version, server version, ... |     9 bytes
 *        |<---------------------------------------------------|
 *        |                                                    |     from here on frames: 4 bytes length, body
 *     HA:| token frame (no reply), then an order ...          |
 *        |--------------------------------------------------->|
 *        |                                    ... its reply   |
 *        |<---------------------------------------------------|
 * events:| subscription; ok comes back, then an event a frame |
 */
#pragma once

#include <stdint.h>

/* The hello of each side: kind or status (1), protocol version (2), library version (4), MAXDEPTH (1), MAXKEYLEN (1). */
enum { IPC_HELLO_SIZE = 9 };

enum {
        IPC_KIND_EVENTS = 11,
        IPC_KIND_HA = 17,
        IPC_KIND_ACCESS_CHECK = 0xc0, /* or-ed to the kind by a client that has an access secret */
};

/* The access check. */
enum {
        IPC_CHALLENGE = 11, /* and IPC_CHALLENGE_SIZE bytes */
        IPC_ANSWER = 12,    /* and IPC_ANSWER_SIZE bytes */
        IPC_ACCESS_GRANTED = 0,
        IPC_CHALLENGE_SIZE = 32,
        IPC_ANSWER_SIZE = 32,
};

/* The first byte of the server's hello. */
enum {
        IPC_ACCEPTED = 0,
        IPC_BAD_VERSION = 1,
        IPC_ACCEPTED_OTHER_LIMITS = 2,
};

/* The first element of an order's tuple. */
enum ha_order {
        HA_ORDER_UNKNOWN = 0, /* never on the wire */
        HA_ORDER_BEMASTER = 1,
        HA_ORDER_BESLAVE = 2,
        HA_ORDER_BENONE = 3,
        HA_ORDER_STATUS = 4,
        HA_ORDER_SLAVE_DEAD = 5,
        HA_ORDER_BERELAY = 6,
};
