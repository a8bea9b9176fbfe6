/* SPDX-License-Identifier: Apache-2.0 */
/* The IPC port: connections from the handshake on, the one HA controller, and the subscribers to events.
 *
 * What is done about what a peer may do wrong:
 *
 *      no handshake, another kind of client, no or a wrong access proof    closed
 *      a version that is not 60 to 99                                      told which one we speak, closed
 *      the handshake with token or subscription takes too long             closed
 *      too many in handshake, or too many in all                           a silent one of who has most is closed
 *      a frame longer than its kind may be, or one that is no term         closed
 *      an order that is none, or with bad arguments                        {error, 21 or 5, Reason}, in its turn
 *      a subscription that is none                                         {error, 21, Reason}, closed
 *      one subscriber too many                                             {error, 35, Reason}, closed
 *      anything but ha_synced from a subscriber                            closed
 *      orders faster than they can be done                                 not read until some are done
 *      replies or events that are not read                                 closed once too much waits
 */
#pragma once

#include <systemd/sd-event.h>

#include "basic/parse.h"
#include "basic/secret.h"
#include "node/role.h"

enum {
        IPC_CONNECTIONS_MAX = 512,
        IPC_STRANGERS_MAX = 64,              /* in handshake, token or subscription included */
        IPC_SUBSCRIBERS_MAX = IPC_CONNECTIONS_MAX - IPC_STRANGERS_MAX - 1, /* leaves room for who comes and for the controller */
        IPC_HANDSHAKE_SEC = 5,
        IPC_SYNC_SEC = 10,                   /* the longest that a subscriber may hold HA steps */
        IPC_TOKEN_MAX = 65535,
        IPC_FRAME_MAX = 4096,                /* orders, subscriptions, acknowledgements */
        IPC_CONTROLLER_QUEUE_MAX = 1024 * 1024,
        IPC_CONTROLLER_QUEUE_HIGH = 128 * 1024, /* beyond it no more orders are read */
        IPC_SUBSCRIBER_QUEUE_MAX = 64 * 1024,
        IPC_ACCESS_SECRET_MAX = 65536,
};

struct ipc_server;

struct ipc_callbacks {
        /* A new controller, whose token this is; the previous one, if any, is gone (and was said to be). */
        void (*token)(const struct secret *token, void *userdata);
        /* One order of the controller, while may_order() said yes. */
        int (*order)(uint64_t controller, const struct role_order *order, void *userdata);
        bool (*may_order)(void *userdata);
        /* This controller will hear no more replies. */
        void (*gone)(uint64_t controller, void *userdata);
        /* Everybody has acknowledged the last event that had to be, or has been waited for long enough. */
        void (*synced)(void *userdata);
};

/* Starts to listen. secret: of the access check, NULL for none; borrowed for as long as the server is there.
 * Errors of ipc_listen(), -ENOMEM. */
_must_check_ int ipc_server_new(sd_event *event, const struct socket_address *address, const struct secret *secret,
                                const struct ipc_callbacks *callbacks, void *userdata, struct ipc_server **ret);
struct ipc_server *ipc_server_free(struct ipc_server *s);
DEFINE_CLEANUP(struct ipc_server *, ipc_server_free)

/* Replies to a controller; nothing happens if it is gone. */
void ipc_server_reply(struct ipc_server *s, uint64_t controller, int code, const char *why);
void ipc_server_reply_status(struct ipc_server *s, uint64_t controller, const struct role *role);

/* Sends an event to all subscribers. True if one of them has to acknowledge it: synced() will come. */
bool ipc_server_event(struct ipc_server *s, const struct role_event *event);

/* may_order() may say yes again. */
void ipc_server_resume(struct ipc_server *s);
