/* SPDX-License-Identifier: Apache-2.0 */
/* The event subscription as a frame, and events as structs. */
#pragma once

#include <confd_ha_client.h>

#include "basic/buffer.h"
#include "lib/eterm.h"

struct subscription {
        uint32_t mask; /* CONFD_NOTIF_ bits */
        uint32_t heartbeat_interval;
        uint32_t health_check_interval;
};

/* Makes a subscription of what callers hand in. -EINVAL for a mask that is not positive, for interval bits without data,
 * and for a negative interval. */
_must_check_ int subscription_init(struct subscription *ret, int mask, const struct confd_notifications_data *data);

/* Appends the subscription as a frame; old_form leaves out Verbosity, as servers of older releases want it. */
_must_check_ int subscription_append(struct buffer *b, const struct subscription *s, bool old_form);

/* Appends the acknowledgement of one HA event as a frame. -ENOBUFS, -ENOMEM. */
_must_check_ int sync_append(struct buffer *b);

struct event {
        uint64_t bit;             /* which notification; 0 for what has to be skipped */
        struct confd_ha_event ha; /* if bit is CONFD_NOTIF_HA_INFO; points into the body */
};

/* Reads a frame's body. What is well formed up to its type and of a type that is not known here is no error: bit says
 * what it is, or is 0 if that cannot be told (also for an HA event of an unknown type). -EPROTO for what is no
 * notification, and for an HA event that is not as the protocol says. */
_must_check_ int event_parse(const void *body, size_t size, struct event *ret);
