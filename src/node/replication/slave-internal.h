/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the following side share. */
#pragma once

#include <sys/queue.h>

#include "node/replication/peer.h"
#include "node/replication/slave.h"

enum {
        COPY_PENDING_MAX = 8 * 1024 * 1024,  /* so much may wait to be written before we read no further */
        COPY_PENDING_LOW = 2 * 1024 * 1024,
        ARRIVED_SEC = 1, /* how long the master may take to say that it counts us; it makes no difference to our data */
};

enum slave_state {
        SLAVE_SETTLING,  /* what was submitted to the store before is waited for */
        SLAVE_CONNECTING,
        SLAVE_PROVING,   /* until ACCEPT */
        SLAVE_COPYING,   /* until END; also when there is nothing to copy */
        SLAVE_FINISHING, /* what came before END is made durable */
        SLAVE_READY,     /* ADMIT is awaited */
        SLAVE_SWAPPING,  /* the copy is put in force; nothing is read meanwhile */
        SLAVE_IN_FORCE,  /* ARRIVED is awaited */
        SLAVE_FOLLOWING,
        SLAVE_OVER,
};

/* A transaction that was received and is not durable yet. Outlives the slave, as the store's callback does. */
struct follow {
        struct slave *slave; /* NULL: gone */
        LIST_ENTRY(follow) following;
};

struct slave {
        sd_event *event;
        struct store *store;
        struct replication_config config;
        struct node_id id, master_id;
        struct node_address address;
        struct slave_callbacks callbacks;
        void *userdata;
        enum slave_state state;
        struct hop *hop; /* until we connect */
        struct peer *peer;
        unsigned depth;        /* levels of nodes below us */
        uint64_t chain;
        struct node_path path;
        sd_event_source *defer, *deadline, *timer;
        uint64_t tick_usec, last_tick;
        bool in_force;         /* the data is in place: `joined` is to be told, or was */
        bool joined;           /* it was told */

        struct store_copy *copy;
        bool copied;
        bool busy;             /* all that the master has to say until then was said: we have to get it onto the disk */
        bool swapping;         /* the outcome of the swap is awaited, whatever becomes of the connection */
        uint64_t entries;      /* of the copy, still to come */
        struct buffer stream;  /* an incomplete record of the copy */
        char transaction_id[TRANSACTION_ID_MAX + 1]; /* that the copy has when it is complete */

        struct buffer incoming; /* an incomplete transaction */
        size_t incoming_size;   /* 0: none */
        struct transaction *stuck; /* one that the queue had no room for */
        LIST_HEAD(, follow) following; /* not durable yet */
        uint64_t to_acknowledge;
        sd_event_source *acknowledge; /* once all that became durable together is counted */

        enum ha_error code;    /* the outcome that `defer` is to tell */
        char *reason;
};

/* slave.c: lets go of everything, and tells the outcome from the loop. */
_printf_(3, 4) void slave_end(struct slave *s, enum ha_error code, const char *format, ...);
void slave_end_store(struct slave *s, int error);
void slave_malformed(struct slave *s, const char *what);
void slave_set_timer(struct slave *s);
void slave_tell(struct slave *s);
void slave_await(struct slave *s, uint64_t usec); /* that the master goes on */
void slave_arrived(struct slave *s);
void slave_set_busy(struct slave *s, bool busy);

/* slave-receive.c: one frame each. */
void slave_on_piece(struct slave *s, const struct hop_frame *frame); /* TRANSACTION, MORE */
void slave_on_copy(struct slave *s, const struct hop_frame *frame);
void slave_on_end(struct slave *s);
void slave_on_admit(struct slave *s);
_must_check_ int slave_begin_copy(struct slave *s, const struct accept_message *accept);
void slave_acknowledge(struct slave *s); /* what is due, in one frame; later, if there is no room now */
int slave_on_acknowledge(sd_event_source *source, void *userdata); /* the same, from the loop */
void slave_receive_done(struct slave *s);
