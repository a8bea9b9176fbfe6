/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the serving side share. */
#pragma once

#include <sys/queue.h>

#include "basic/ratelimit.h"
#include "node/replication/listeners.h"
#include "node/replication/master.h"
#include "node/replication/message.h"
#include "node/replication/peer.h"

enum {
        COMMITS_MAX = 1024,                   /* under way at a time */
        COMMIT_BYTES_MAX = 64 * 1024 * 1024,  /* of them all; one alone may have its full size */
        BACKLOG_BYTES_MAX = 8 * 1024 * 1024,  /* kept in memory for a slave that is still copying; beyond, on disk */
        CATCH_UP_SEC = 10,                    /* or three ticks, if that is longer: then the writers wait for the slave, */
        CATCH_UP_LOOK_SEC = 1,                /* or if it is no nearer after that time */
        CATCH_UP_BYTES = 256 * 1024,          /* a slave that has to take no more than that yet has nearly caught up */
        BELIEVED_BYTES = 8 * 1024,            /* a relay is believed that its slaves get on once for so many bytes that it owes */
        PIECE_SIZE = 64 * 1024,               /* of a copy or a transaction, in one frame */
        REFUSALS_LOGGED = 20,                 /* in ten seconds: what strangers can have us write into the log is limited */
        REFUSALS_SEC = 10,
        PUMP_FRAMES = 8,                      /* sent to one slave before others have their turn, */
        PUMP_COPY_FRAMES = 1,                 /* and of a copy, whose frames are large */
        GIVE_WAY_USEC = 1000,                 /* from one frame of a copy to its next while commits are under way, */
        GIVE_WAY_AFTER_USEC = 5000,           /* or were begun so long ago: what is sent between two holds the next one up */
};

enum remote_state {
        REMOTE_GONE,        /* dropped; freed when the loop comes round */
        REMOTE_STRANGER,    /* has proven nothing */
        REMOTE_PROVEN,      /* JOIN is awaited */
        REMOTE_REFUSED,     /* the refusal is on its way */
        REMOTE_COPYING,     /* is sent the snapshot */
        REMOTE_CATCHING_UP, /* is sent what was committed meanwhile */
        REMOTE_ENDED,       /* READY is awaited; from here on every commit waits for it */
        REMOTE_ADMITTED,    /* has all of it durably; that it is in force is awaited */
        REMOTE_FOLLOWING,   /* arrived */
};

struct commit {
        struct master *master;
        unsigned refs; /* the list of those under way, the store's, and each entry in a remote's queues */
        struct transaction *transaction;
        uint64_t sequence, chain;
        uint64_t since;       /* monotonic */
        transaction_stored_fn fn;
        void *userdata;
        uint64_t logged;      /* it is in the log of that number; 0: in none */
        bool sent;            /* it is in the queues of the slaves */
        bool given;           /* some slave was sent it, or the beginning of it */
        bool deserted;        /* the role ended before all who had to have it said that they have it */
        bool stored;          /* the store has answered, with: */
        int result;
        bool finished;        /* waits for its callback */
        unsigned waiting;     /* for so many slaves */
        TAILQ_ENTRY(commit) under_way; /* in their order */
};
TAILQ_HEAD(commit_list, commit);

struct entry {
        struct commit *commit; /* NULL: one from the log */
        size_t size;
        uint64_t end;          /* when it was sent: where in the stream to the slave it ends (peer_queued()) */
        bool counts;           /* the commit waits for this slave */
        TAILQ_ENTRY(entry) entries;
};
struct entry_queue {
        TAILQ_HEAD(entry_list, entry) list;
        size_t n, bytes;
};

struct remote {
        struct master *master;
        struct peer *peer;
        enum remote_state state;
        struct node_address address;
        struct node_id id;       /* from REMOTE_PROVEN on */
        sd_event_source *timer;  /* a stranger's or refused one's deadline; later ticks */
        uint64_t tick_usec;      /* how often we send one; 0: never */
        uint64_t last_tick;
        uint64_t taken, progress; /* how much of the stream its host had taken when that was last found to have grown, and when */
        unsigned depth;          /* levels of nodes below it, as it says */
        unsigned believed;       /* so often since it last acknowledged something */
        char transaction_id[TRANSACTION_ID_MAX + 1]; /* that it had when it joined */

        bool copied;             /* it is sent a copy, which, says it, */
        bool copy_written;       /* is on its disk */
        struct store_snapshot *snapshot;
        uint64_t snapshot_sequence;
        struct change record;    /* of the snapshot, sent up to record_sent */
        size_t record_sent, record_size;
        uint64_t piece_sent;     /* when the last frame of it went out */

        uint64_t catching_up_since;
        uint64_t looked, looked_behind; /* when it was last seen how far it is behind, and how far; 0: not yet */
        bool awaited;               /* has been long about it, or does not get nearer: commits wait for it */
        struct entry_queue unsent;  /* in their order; after them come those in the log, up to log_until */
        struct entry_queue unacked;
        struct entry_queue applied; /* it has those that count, but says nothing yet of durable */
        uint64_t log_after, log_until;
        size_t n_logged;            /* of those in the log that it has not been sent, */
        uint64_t log_bytes;         /* and how large they are */
        uint64_t given;             /* the number of the last commit that it was sent, or the beginning of it */
        struct entry *current_entry;
        struct transaction *current; /* sent up to current_sent */
        size_t current_sent;
        bool path_due;               /* the path has changed, and there was no room to say so */

        TAILQ_ENTRY(remote) remotes;
};
TAILQ_HEAD(remote_list, remote);

struct master_event {
        bool arrived;
        struct node_id id;
        struct node_address address;
        STAILQ_ENTRY(master_event) events;
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
        uint64_t log_number; /* of the log that is on, or was last: what was in the one before is gone */
        struct listeners *listeners;
        struct remote_list remotes;    /* in the order of their connection */
        struct remote_list gone;
        struct ratelimit refusals;     /* that are logged */
        size_t n_arrived;          /* of the remotes, the ones that follow */
        unsigned told_depth;
        struct commit_list commits;
        size_t n_commits, commit_bytes;
        uint64_t chain, last_sequence; /* of the last commit */
        STAILQ_HEAD(, master_event) events;
        sd_event_source *deliver;
        sd_event_source *copies_go_on; /* some gave way to commits */
        uint64_t commit_begun;         /* when the last commit was */
        uint8_t piece[PIECE_SIZE];
};

/* master.c */
void master_unref(struct master *m);
void master_event(struct master *m, bool arrived, const struct node_id *id, const struct node_address *address);
void master_wake(struct master *m); /* finished commits wait for delivery */
void master_path(const struct master *m, struct node_path *ret);
void master_depth_changed(struct master *m);
void master_progresses(struct master *m); /* some slave that a commit waits for does */

/* master-remote.c: one connection, from its first byte to its last. */
_must_check_ int remote_new(struct master *m, int fd, const struct node_address *address);
bool remote_is_joined(const struct remote *r);
void remote_refuse(struct remote *r, enum ha_error code, const char *reason);
void remote_log_refusal(struct remote *r, enum ha_error code, const char *reason);
void remote_drop(struct remote *r, const char *why); /* logs, reports the death of an arrived one; it is then REMOTE_GONE */
void remote_drop_all(struct master *m); /* silently */
void remote_bury(struct master *m);      /* frees those that are gone */

/* master-strangers.c */
void strangers_make_room(struct master *m); /* for one more */

/* master-join.c: its way to a slave that has arrived. */
void remote_on_join(struct remote *r, const struct hop_frame *frame);
void remote_on_copied(struct remote *r);
void remote_on_ready(struct remote *r);
void remote_on_in_force(struct remote *r);
void remote_send_path(struct remote *r, const struct node_path *path); /* later, if there is no room now */

/* master-live.c: whether it is alive. */
_must_check_ int remote_start_ticks(struct remote *r, uint64_t theirs);
void remote_progresses(struct remote *r); /* it has said that it got on */
void remote_claims_progress(struct remote *r); /* it has said that those below it do */

/* master-send.c: what a remote is sent, as fast as it takes it. */
_must_check_ int remote_begin(struct remote *r, bool *ret_copy, uint64_t *ret_entries, char ret_id[static TRANSACTION_ID_MAX + 1]);
void remote_queue(struct remote *r, struct commit *c); /* and sends it, if it can */
void remote_pump(struct remote *r);
_must_check_ int copies_new(struct master *m);
bool remote_lags(const struct remote *r);       /* needs the log */
bool remote_was_given(const struct remote *r, const struct commit *c);
void remote_misses(struct remote *r, const struct commit *c); /* it could not be stored, and will not be in the log */
_must_check_ int remote_acknowledged(struct remote *r, uint64_t n); /* -EBADMSG: it was not sent so many */
void remote_is_durable(struct remote *r);       /* all that it was sent before END */
void remote_excuse(struct remote *r);           /* nobody waits for it: it may not be admitted yet */
void remote_queues_done(struct remote *r);
const struct entry *remote_oldest_awaited(const struct remote *r); /* whose commit waits for it; NULL: none */
void remote_describe(const struct remote *r, struct master_slave *ret);

/* master-commit.c */
void commit_unref(struct commit *c);
void commit_released(struct commit *c); /* a slave has it, or is gone */
void commits_deliver(struct master *m);
void commits_desert(struct master *m); /* nobody is waited for any more: the role ends */
void master_update_log(struct master *m);
