/* SPDX-License-Identifier: Apache-2.0 */
/* What the terms on the IPC port mean: orders and subscriptions in, replies, states and events out. */
#pragma once

#include "basic/buffer.h"
#include "node/role.h"

/* Reads one order. What is wrong with a well-formed term is found in ret->error and ret->why, to be answered in its turn:
 * CONFD_ERR_PROTOUSAGE for what is no order, CONFD_ERR_BADTYPE for a name or address that is none, CONFD_ERR_HA_CONNECT for an
 * address string that is not literal. -EBADMSG: no term at all; such a peer cannot be answered sensibly. */
_must_check_ int ipc_read_order(const void *body, size_t size, struct role_order *ret);

struct ipc_subscription {
        uint64_t mask;
        uint64_t heartbeat_usec;    /* 0: none */
        uint64_t health_check_usec; /* 0: none */
};

/* Intervals are kept within these, so that one subscriber cannot keep the node busy. */
enum { IPC_INTERVAL_MIN_MS = 10 };

/* Reads {Mask, HeartbeatMs, HealthCheckMs, StreamInfo} with or without Verbosity. -EBADMSG no term, -EPROTO another. */
_must_check_ int ipc_read_subscription(const void *body, size_t size, struct ipc_subscription *ret);

/* 0 if it is ha_synced. -EBADMSG, -EPROTO. */
_must_check_ int ipc_read_sync(const void *body, size_t size);

/* Each appends one whole frame or nothing. -ENOBUFS past the buffer's limit, -ENOMEM. */
_must_check_ int ipc_put_ok(struct buffer *out);
_must_check_ int ipc_put_error(struct buffer *out, int code, const char *why);
_must_check_ int ipc_put_status(struct buffer *out, const struct role *role);
_must_check_ int ipc_put_event(struct buffer *out, const struct role_event *event);
_must_check_ int ipc_put_notification(struct buffer *out, uint64_t bit);
