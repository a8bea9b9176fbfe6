/* SPDX-License-Identifier: Apache-2.0 */
/* The event notifications, as far as HA needs them, with calls that wait (confd_lib_events(3)).
 *
 * A program opens a stream socket, subscribes with confd_notifications_connect() and reads events with
 * confd_read_notification(), usually when poll(2) says that the socket is readable. Return values, confd_errno,
 * timeouts and signals are as confd_ha.h says; the socket stays the caller's.
 */
#ifndef CONFD_EVENTS_H
#define CONFD_EVENTS_H

#include <confd_lib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of the subscription mask, and the types of events (confd_lib_events(3)). */
enum confd_notification_type {
        CONFD_NOTIF_HA_INFO = 1 << 6,
        CONFD_NOTIF_HEARTBEAT = 1 << 13,
        CONFD_NOTIF_HEALTH_CHECK = 1 << 18,
        CONFD_NOTIF_HA_INFO_SYNC = 1 << 20
};

/* What happened, in both vocabularies (confd_lib_events(3)). */
enum confd_ha_info_type {
        CONFD_HA_INFO_NOMASTER = 1,
        CONFD_HA_INFO_SLAVE_DIED = 2,
        CONFD_HA_INFO_SLAVE_ARRIVED = 3,
        CONFD_HA_INFO_SLAVE_INITIALIZED = 4,
        CONFD_HA_INFO_IS_MASTER = 5,
        CONFD_HA_INFO_IS_NONE = 6,
        CONFD_HA_INFO_BESLAVE_RESULT = 7,
        CONFD_HA_INFO_NOPRIMARY = 1,
        CONFD_HA_INFO_SECONDARY_DIED = 2,
        CONFD_HA_INFO_SECONDARY_ARRIVED = 3,
        CONFD_HA_INFO_SECONDARY_INITIALIZED = 4,
        CONFD_HA_INFO_IS_PRIMARY = 5,
        CONFD_HA_INFO_BESECONDARY_RESULT = 7
};

/* An HA event (confd_lib_events(3)): the member of `data` that goes with `type`; IS_MASTER and IS_NONE have none.
 * Pointers inside a node point into the struct itself. */
struct confd_ha_notification {
        enum confd_ha_info_type type;
        union {
                int nomaster;                      /* why: CONFD_ERR_HA_CLOSED or CONFD_ERR_HA_NOTICK */
                int noprimary;                     /* the same */
                struct confd_ha_node slave_died;
                struct confd_ha_node secondary_died;
                struct confd_ha_node slave_arrived;
                struct confd_ha_node secondary_arrived;
                int cdb_initialized_by_copy;       /* 1: copied from the master, 0: it was the same already */
                int beslave_result;                /* CONFD_OK or a CONFD_ERR_ code */
                int besecondary_result;            /* the same */
        } data;
};

struct confd_notification {
        enum confd_notification_type type;
        union {
                struct confd_ha_notification hnot; /* CONFD_NOTIF_HA_INFO; other types have no data */
        } n;
};

/* How often the events come that ConfD sends by the clock (confd_lib_events(3)). Milliseconds, not negative; only looked
 * at when the mask has the bit. */
struct confd_notifications_data {
        int heartbeat_interval;    /* CONFD_NOTIF_HEARTBEAT */
        int health_check_interval; /* CONFD_NOTIF_HEALTH_CHECK */
};

/* Connects the socket, shakes hands and subscribes (confd_lib_events(3)).
 *   sock     a stream socket of srv's family, not connected
 *   srv      the address of ConfD's IPC port
 *   srv_sz   its size
 *   mask     CONFD_NOTIF_ bits, at least one
 *   data     the intervals; NULL is allowed for masks without their bits
 * Fails as confd_ha_connect() does; CONFD_ERR_PROTOUSAGE also for a mask of 0, a mask with interval bits without data,
 * and a negative interval. A server of an older release closes the connection on the subscription: a TCP socket is then
 * connected once more (the same descriptor, within the same time), and it is tried in the older form; on a Unix
 * socket, which such servers do not have, CONFD_EOF is returned.
 */
int confd_notifications_connect(int sock, const struct sockaddr *srv, int srv_sz, int mask);
int confd_notifications_connect2(int sock, const struct sockaddr *srv, int srv_sz, int mask,
                                 struct confd_notifications_data *data);

/* Reads one event, waiting for it (confd_lib_events(3)).
 *   sock     subscribed
 *   n        filled on success only
 * Events of types that are not in enum confd_notification_type are skipped whole, and the wait goes on.
 * CONFD_ERR_PROTOUSAGE also for an HA event whose node does not fit struct confd_ha_node: it is skipped, and the socket
 * stays good. */
int confd_read_notification(int sock, struct confd_notification *n);

/* Releases what an event owns, which is nothing at present; call it for each that was read (confd_lib_events(3)).
 *   n        the event; NULL is fine */
void confd_free_notification(struct confd_notification *n);

/* Acknowledges one HA event: a subscriber with CONFD_NOTIF_HA_INFO_SYNC owes one for each, after having acted on it
 * (confd_lib_events(3)).
 *   sock     subscribed with that bit */
int confd_sync_ha_notification(int sock);

#ifdef __cplusplus
}
#endif
#endif
