/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the serving side share. */
#pragma once

#include "node/replication/listeners.h"
#include "node/replication/master.h"
#include "node/replication/message.h"
#include "node/replication/peer.h"

enum {
        COMMITS_MAX = 1024,                   /* under way at a time */
        COMMIT_BYTES_MAX = 64 * 1024 * 1024,  /* of them all; one alone may have its full size */
        BACKLOG_BYTES_MAX = 8 * 1024 * 1024,  /* kept in memory for a slave that is still copying; beyond, on disk */
        CATCH_UP_SEC = 10,                    /* or three ticks, if that is longer: then the writers wait for the slave */
        PIECE_SIZE = 64 * 1024,               /* of a copy or a transaction, in one frame */
        PUMP_FRAMES = 32,                     /* sent to one slave before others have their turn */
};

enum remote_state {
        REMOTE_GONE,      /* dropped; freed when the loop comes round */
        REMOTE_STRANGER,  /* has proven nothing */
        REMOTE_PROVEN,    /* JOIN is awaited */
        REMOTE_REFUSED,   /* the refusal is on its way */
        REMOTE_COPYING,   /* is sent the snapshot */
        REMOTE_CATCHING_UP, /* is sent what was committed meanwhile */
        REMOTE_ENDED,     /* READY is awaited */
        REMOTE_HELD,      /* ready, but nobody is to be admitted now */
        REMOTE_FOLLOWING, /* arrived */
};

struct commit {
        struct master *master;
        unsigned refs; /* the list of those under way, and each entry in a remote's queues */
        struct transaction *transaction;
        uint64_t sequence, chain;
        uint64_t since;       /* monotonic */
        transaction_stored_fn fn;
        void *userdata;
        bool logged;          /* was submitted while the log was on */
        bool sent;            /* the slaves have been given it */
        bool stored;          /* the store has answered, with: */
        int result;
        bool finished;        /* waits for its callback */
        unsigned waiting;     /* for so many slaves */
        struct commit *next;  /* under way, in their order */
};

struct entry {
        struct commit *commit; /* NULL: one from the log */
        bool counts;           /* the commit waits for this slave */
        struct entry *next;
};

struct entry_queue {
        struct entry *head, *tail;
        size_t n, bytes;
};

struct remote {
        struct master *master;
        struct peer *peer;
        enum remote_state state;
        struct node_address address;
        struct node_id id;       /* from REMOTE_PROVEN on */
        uint64_t since;          /* monotonic: of the connection */
        sd_event_source *timer;  /* a stranger's or refused one's deadline; later ticks */
        uint64_t tick_usec;      /* how often we send one; 0: never */
        uint64_t last_tick;
        unsigned depth;          /* levels of nodes below it, as it says */
        char transaction_id[TRANSACTION_ID_MAX + 1]; /* that it had when it joined */
        bool copied;

        struct store_snapshot *snapshot;
        uint64_t snapshot_sequence;
        struct change record;    /* of the snapshot, sent up to record_sent */
        size_t record_sent, record_size;

        uint64_t catching_up_since;
        struct entry_queue unsent;  /* in their order; after them come those in the log, up to log_until */
        struct entry_queue unacked;
        uint64_t log_after, log_until;
        struct transaction *current; /* sent up to current_sent */
        size_t current_sent;
        bool path_due;               /* the path has changed, and there was no room to say so */

        struct remote *next;
};

struct event {
        bool arrived;
        struct node_id id;
        struct node_address address;
        struct event *next;
};

struct master {
        unsigned refs; /* the owner's, each commit's, and that of a callback that runs */
        bool dead;     /* freed by its owner */
        sd_event *event;
        struct store *store;
        struct replication_config config;
        struct node_id id;
        struct secret token;
        bool relay;
        struct node_path above; /* a relay's: from the real master down to the node that it follows */
        struct master_callbacks callbacks;
        void *userdata;
        bool hold;
        bool log;
        struct listeners *listeners;
        struct remote *remotes;    /* in the order of their connection */
        struct remote *gone;
        uint64_t refusals_since;   /* what strangers can have us write into the log is limited */
        unsigned refusals;
        size_t n_arrived;          /* of those, the ones that follow */
        unsigned told_depth;
        struct commit *commits, *last_commit;
        size_t n_commits, commit_bytes;
        uint64_t chain, last_sequence; /* of the last commit */
        struct event *events, *last_event;
        sd_event_source *deliver;
        uint8_t piece[PIECE_SIZE];
};

/* master.c */
void master_unref(struct master *m);
void master_event(struct master *m, bool arrived, const struct node_id *id, const struct node_address *address);
void master_wake(struct master *m); /* finished commits wait for delivery */
void master_path(const struct master *m, struct node_path *ret);
void master_depth_changed(struct master *m);

/* master-remote.c */
_must_check_ int remote_new(struct master *m, int fd, const struct node_address *address);
void remote_drop(struct remote *r, const char *why); /* logs, reports the death of an arrived one; it is then REMOTE_GONE */
void remote_drop_all(struct master *m); /* silently */
void remote_bury(struct master *m);      /* frees those that are gone */
void remote_admit(struct remote *r);
void remote_send_path(struct remote *r, const struct node_path *path); /* later, if there is no room now */

/* master-send.c: what a remote is sent, as fast as it takes it. */
_must_check_ int remote_begin(struct remote *r, bool *ret_copy, uint64_t *ret_entries, char ret_id[static TRANSACTION_ID_MAX + 1]);
void remote_queue(struct remote *r, struct commit *c, bool counts);
void remote_pump(struct remote *r);
bool remote_lags(const struct remote *r); /* needs the log */
_must_check_ int remote_acknowledged(struct remote *r, uint64_t n);
void remote_queues_done(struct remote *r);
const struct commit *remote_oldest_awaited(const struct remote *r); /* that waits for it; NULL: none */
void remote_describe(const struct remote *r, struct master_slave *ret);

/* master-commit.c */
void commit_unref(struct commit *c);
void commit_released(struct commit *c); /* a slave has it, or is gone */
void commits_deliver(struct master *m);
void commits_abandon(struct master *m); /* nobody is waited for any more */
void master_update_log(struct master *m);
