/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to another node: a socket on the event loop that carries the protocol of hop.h. */
#pragma once

#include <systemd/sd-event.h>

#include "node/replication/hop.h"

enum {
        PEER_OUTPUT_LOW = 128 * 1024, /* below that much unsent output `writable` asks for more */
        PEER_GATHER_MAX = 32 * 1024,  /* so much is sent at once, however more may come */
};

struct peer;

/* All from the event loop. Any of them may free the peer. */
struct peer_callbacks {
        void (*connected)(struct peer *p, void *userdata);     /* joining side only */
        void (*authenticated)(struct peer *p, void *userdata); /* once, before the first frame */
        /* An authenticated frame. Its body is good only during the call. */
        void (*frame)(struct peer *p, const struct hop_frame *frame, void *userdata);
        void (*writable)(struct peer *p, void *userdata);
        /* The connection is over, and nothing comes any more. Free it. */
        void (*closed)(struct peer *p, enum ha_error error, const char *reason, void *userdata);
};

/* Takes over the non-blocking socket and the hop, also when it fails. connecting: connect() is still under way. */
_must_check_ int peer_new(sd_event *event, int fd, bool connecting, struct hop *hop, const struct peer_callbacks *callbacks,
                          void *userdata, struct peer **ret);
struct peer *peer_free(struct peer *p); /* closes; takes NULL, returns NULL */

struct hop *peer_hop(struct peer *p);

/* Sends an authenticated frame, or leaves it in the output, whose size peer_output() tells. When it cannot, the connection
 * ends, which `closed` tells from the loop. */
void peer_send(struct peer *p, enum hop_type type, const struct iovec *parts, size_t n_parts);
size_t peer_output(const struct peer *p);

/* While this is on, what is sent may wait until the loop has nothing more urgent to do, something comes from the other side, or it is
 * PEER_GATHER_MAX bytes: many small frames then share a system call, and wake the other side once. */
void peer_gather(struct peer *p, bool on);

/* Bytes that the other side's host has not taken yet: those in the output and those that the kernel keeps. */
size_t peer_unsent(const struct peer *p);

/* Places in the stream to the other side, in bytes from its beginning: how far it is filled, and how far the other side's host has
 * taken it. */
uint64_t peer_queued(const struct peer *p);
uint64_t peer_taken(const struct peer *p);

/* Whether more is worth sending now: less than the low mark waits, and the connection has not failed. */
bool peer_has_room(const struct peer *p);

/* `writable` comes when the loop has come round, even if nothing is kept from being sent: for senders who let others have
 * their turn. */
void peer_want_writable(struct peer *p);

/* No frames come until resumed; the sender feels it through TCP. */
void peer_pause(struct peer *p);
void peer_resume(struct peer *p);
bool peer_is_paused(const struct peer *p);

/* Sends a refusal and what else is in the output, ends our direction, and waits for the other side to close (`closed` tells it;
 * the caller limits the time), or to say more than anybody does who has not heard it yet. */
void peer_refuse(struct peer *p, enum ha_error code, const char *reason);

/* Serving side: how far it came, and when it last came further (monotonic; at first, when it was made). */
enum hop_progress peer_progress(const struct peer *p);
uint64_t peer_last_step(const struct peer *p);

/* When bytes last came (monotonic); and that this be now, because until now we could not have noticed. */
uint64_t peer_last_input(const struct peer *p);
void peer_forgive(struct peer *p);
