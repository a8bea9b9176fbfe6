/* SPDX-License-Identifier: Apache-2.0 */
/* The non-blocking client inside: the struct, and what its two halves (states and orders; bytes) ask of each other. */
#pragma once

#include <sys/queue.h>

#include <confd_ha_client.h>

#include "basic/buffer.h"
#include "lib/event.h"
#include "lib/frame.h"
#include "lib/ipc.h"
#include "lib/orders.h"

enum {
        CLIENT_UNSENT_MAX = 1024 * 1024,      /* with this much unsent, orders are refused */
        CLIENT_ACCESS_SECRET_MAX = 64 * 1024,
        CLIENT_READ_SIZE = 4096,              /* read at a time, unless a frame is known to be larger */
        CLIENT_FRAMES_A_STEP = 64,            /* handled in one process() */
        CLIENT_READS_A_STEP = 16,
        CLIENT_MESSAGE_MAX = 1024,
        CLIENT_CONNECT_RETRY_USEC = 20 * 1000, /* a Unix socket whose backlog is full gives no event to wait for */
};

struct pending_order {
        TAILQ_ENTRY(pending_order) queue;
        struct order order;   /* its pointers are not kept */
        uint64_t begin, end;  /* its bytes, counted since the connection was made */
        uint64_t deadline;
        confd_ha_order_cb cb;
        void *userdata;
};

TAILQ_HEAD(pending_orders, pending_order);

struct order_queue {
        struct pending_orders list;
        unsigned n;
};

enum client_state {
        CLIENT_CLOSED,
        CLIENT_CONNECT_FAILED, /* connect(2) failed at once: process() tells the callback */
        CLIENT_CONNECT_AGAIN,  /* a full backlog: connect(2) is tried again at retry_at */
        CLIENT_CONNECTING,
        CLIENT_HANDSHAKE,
        CLIENT_SUBSCRIBING,
        CLIENT_READY,
};

struct confd_ha_client {
        /* What it was made for. */
        bool for_events;
        void *token;
        size_t token_size;
        struct subscription subscription;
        confd_ha_event_cb event_cb;
        confd_ha_notification_cb notification_cb;
        void *events_userdata;

        /* Settings. */
        void *secret;
        size_t secret_size;
        uint16_t protocol_version;
        confd_ha_closed_cb closed_cb;
        void *closed_userdata;

        /* The connection. */
        enum client_state state;
        int fd;
        struct sockaddr_storage address;
        socklen_t address_size;
        void *proof;                /* a copy of the secret, which may be set anew meanwhile */
        size_t proof_size;
        char *peer;                 /* the address as text, for messages */
        uint64_t connect_deadline, retry_at;
        int connect_error;          /* of CONNECT_FAILED: negative errno */
        confd_ha_connect_cb connect_cb;
        void *connect_userdata;
        struct ipc ipc;
        uint16_t speak_version;     /* protocol_version, or the server's own once it has refused that one */
        bool version_retried;       /* the server's own version has been tried */
        int remote_code;            /* what the server answered to the subscription, with -EREMOTEIO */
        bool old_form;              /* subscribe without Verbosity, since the server closed on the present form */
        struct buffer in, out;
        uint64_t queued, sent;      /* bytes of this connection */
        int send_error;             /* send(2) failed: nothing more is sent, and reading finds out why */
        struct order_queue orders;

        /* A connection that has ended and whose callbacks are still to be called; see client.c. */
        struct order_queue ending_orders;
        const struct confd_ha_result *ending;        /* for the connect, the closed callback, and late orders */
        const struct confd_ha_result *ending_others; /* for orders that were in time, when another was not */
        bool ending_was_ready;

        unsigned long generation;   /* changes with each connect and each end */
        unsigned busy;              /* calls that are on the stack */
        bool processing;
        bool dead;                  /* freed by a callback: goes away with the last call on the stack */

        struct confd_ha_node_term nodes[CONFD_HA_STATUS_NODES_MAX];
};

/* client-io.c: no callbacks are called there, except the ones that messages bring. */

/* Makes a socket and starts to connect. Sets the state; only -EAFNOSUPPORT, -EMFILE, -ENFILE, -ENOMEM, -EACCES and the like
 * of socket(2) are returned, what connect(2) says becomes CLIENT_CONNECT_FAILED. */
_must_check_ int client_open(struct confd_ha_client *c);

/* Sends what there is and the socket takes. */
void client_flush(struct confd_ha_client *c);

/* One step of work on the descriptor. Returns 0, or a negative errno with words in `message` that end the connection. */
_must_check_ int client_step(struct confd_ha_client *c, char *message, size_t message_size);

/* Whether there is work that the descriptor says nothing about. */
bool client_has_buffered_work(const struct confd_ha_client *c);

/* client.c */

/* Calls the connect callback with success. */
void client_connected(struct confd_ha_client *c);

/* Handles one frame: calls back. With words in `message`: -EPROTO, -EREMOTEIO (and remote_code) for a refused subscription. */
_must_check_ int client_handle_frame(struct confd_ha_client *c, const void *body, size_t size, char *message, size_t message_size);
