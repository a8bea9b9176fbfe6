/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the IPC server share: a connection, the server, and who calls whom.
 *
 *      ipc-server       accepts, keeps to the limits, frees
 *      ipc-connection   bytes in and out of one connection, its handshake and its frames, its end
 *      ipc-controller   the HA controller: token, orders, replies
 *      ipc-subscribers  the subscribers: events, acknowledgements, what comes by the clock */
#pragma once

#include <netinet/in.h>
#include <sys/queue.h>

#include "basic/acceptor.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "lib/frame.h"
#include "node/ipc/handshake.h"
#include "node/ipc/listen.h"
#include "node/ipc/server.h"
#include "node/ipc/terms.h"

enum { IPC_READ_SIZE = 4096 };

enum stage {
        STAGE_HANDSHAKE,
        STAGE_FIRST_FRAME, /* the token or the subscription is awaited */
        STAGE_CONTROLLER,
        STAGE_SUBSCRIBER,
        STAGE_CLOSING,     /* what is queued still goes out; what comes is thrown away until the peer closes too */
};

/* Who connects, as far as that can be told: a user, or a host. */
struct source {
        bool is_user;
        uid_t uid;
        struct in6_addr address; /* IPv4 as mapped */
};

struct connection {
        TAILQ_ENTRY(connection) connections;
        struct ipc_server *server;
        uint64_t number;
        int fd;
        enum stage stage;
        sd_event_source *io;
        sd_event_source *deadline;
        struct buffer in, out;
        struct ipc_handshake handshake;
        uint32_t events;           /* that io waits for */
        bool taking;               /* its frames are being taken */
        bool broken;               /* to be freed as soon as nobody is using it */
        char peer[64];
        struct source source;

        /* subscribers */
        struct ipc_subscription subscription;
        sd_event_source *heartbeat, *health_check;
        unsigned unacknowledged;
        bool late;                 /* has let a hold time out: not waited for until it has caught up */
};
TAILQ_HEAD(connection_list, connection);

struct ipc_server {
        sd_event *event;
        const struct secret *secret;
        const struct ipc_callbacks *callbacks;
        void *userdata;

        struct ipc_listener listener;
        struct acceptor *acceptor;
        sd_event_source *sweep; /* frees broken connections from the loop, where nobody holds one */
        struct connection_list connections;
        unsigned n_connections, n_strangers, n_subscribers;
        uint64_t last_number;
        struct connection *controller;

        bool syncing;
        sd_event_source *sync_timer;

        struct ratelimit complaints, takeovers;
};

/* Messages about peers are limited: a flood on the port must not become one in the journal. */
#define complain(c, ...) log_limited(&(c)->server->complaints, LOG_WARNING, __VA_ARGS__)

/* ---- ipc-connection ---- */

/* In its handshake, token or subscription included. */
bool ipc_is_stranger(const struct connection *c);

/* What the connection was is over now. Only the memory is given back later, from the loop, since callers up the stack may
 * still look at it: c->broken says so. */
void ipc_drop(struct connection *c);
/* Whatever is queued is still sent, and then no more. For strangers, whose deadline stands. */
void ipc_close_politely(struct connection *c);
/* After something was appended to the output; r is what the appending said. */
void ipc_appended(struct connection *c, int r);
/* Takes the whole frames that have been read, as far as their effects have room. */
void ipc_take_frames(struct connection *c);
struct connection *ipc_connection_free(struct connection *c);
DEFINE_CLEANUP(struct connection *, ipc_connection_free)

/* Handlers of its event sources. */
int ipc_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata);
int ipc_on_deadline(sd_event_source *source, uint64_t usec, void *userdata);

/* ---- ipc-controller ---- */

/* The whole first frame of an HA connection: the token. */
void ipc_take_control(struct connection *c, const uint8_t *body, size_t size);
void ipc_give_order(struct connection *c, const uint8_t *body, size_t size);

/* ---- ipc-subscribers ---- */

/* The first frame of an event connection. */
void ipc_subscribe(struct connection *c, const uint8_t *body, size_t size);
/* Any later one. */
void ipc_take_sync(struct connection *c, const uint8_t *body, size_t size);
/* Whether the one that has just gone was the last that was waited for. */
void ipc_check_synced(struct ipc_server *s);
int ipc_on_sync_timer(sd_event_source *source, uint64_t usec, void *userdata);
