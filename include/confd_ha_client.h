/* SPDX-License-Identifier: Apache-2.0 */
/* The non-blocking client: the HA orders and the event subscription without a call that waits.
 *
 * A client is one connection to ConfD's IPC port. It owns no event loop: it has a file descriptor, says which poll(2)
 * events it wants and until when, and is stepped by confd_ha_client_process(). It never blocks, never logs, raises no
 * signal and keeps no globals. One client is used by one thread at a time.
 *
 *      confd_ha_client_new()  --connect()-->  CONNECTING  --handshake-->  READY  --error, EOF, close()-->  CLOSED
 *                                                                                                            |
 *                             <----------------------------- connect() again ------------------------------+
 *
 * Functions return 0 or a negative errno (system's), as documented for each; ConfD's own error codes come in replies.
 * Callbacks run inside confd_ha_client_process() only, never inside another call but confd_ha_client_close() and
 * confd_ha_client_free(), which end what is pending with -ECANCELED. A callback may call any function of the
 * client, confd_ha_client_close() and confd_ha_client_free() included.
 *
 * Times are microseconds of CLOCK_MONOTONIC. Source of the protocol: confd_lib_ha(3), confd_lib_events(3).
 */
#ifndef CONFD_HA_CLIENT_H
#define CONFD_HA_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <confd_events.h>
#include <confd_ha.h>
#include <confd_lib.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct confd_ha_client confd_ha_client;

#define CONFD_HA_CLIENT_NO_DEADLINE UINT64_MAX

/* Most orders that may wait for replies at a time; one more is refused with -EBUSY. */
#define CONFD_HA_CLIENT_ORDERS_MAX 1024

/* An encoded Erlang term (without version byte), borrowed from the client: valid during the callback. */
struct confd_ha_term {
        const unsigned char *data;
        size_t size;
};

/* One node of a status or an event, as ConfD sent it. An id may be any value, also one that is no node id here. */
struct confd_ha_node_term {
        struct confd_ha_term id;
        struct confd_ha_term address;
};

/* What became of an order, of a connect, or of the connection. */
struct confd_ha_result {
        /* 0, or a negative errno:
         *   -EREMOTEIO      ConfD answered with an error: confd_code and message say which
         *   -ETIMEDOUT      the deadline passed
         *   -ECONNRESET     the peer closed or vanished (also in mid-frame)
         *   -EPROTO         the peer sent what the protocol does not allow
         *   -EACCES         the IPC access check failed (CONFD_ERR_ACCESS_DENIED)
         *   -EPROTONOSUPPORT no common protocol version
         *   -ECANCELED      closed by us
         *   -ECONNREFUSED, -ENOENT, ... as connect(2) gave it; -ENOMEM */
        int error;
        /* The CONFD_ERR_ code that the blocking functions would leave in confd_errno, 0 on success. Tells the access check's
         * -EACCES (CONFD_ERR_ACCESS_DENIED) from connect(2)'s (CONFD_ERR_OS). */
        int confd_code;
        /* In words, never NULL, "" on success; UTF-8 (what ConfD sent is escaped). For -EREMOTEIO to an order it is what ConfD
         * said, else it begins with the server's address. Valid during the callback. */
        const char *message;
        /* Whether any byte of the order has been handed to the system: if not, it certainly has no effect. */
        int sent;
};

/* The reply to get status. */
struct confd_ha_status_reply {
        enum confd_ha_status_state state;
        unsigned num_nodes;                     /* at most 255 */
        const struct confd_ha_node_term *nodes; /* valid during the callback */
};

/* One HA event. */
struct confd_ha_event {
        enum confd_ha_info_type type;
        int code;                       /* NOMASTER, BESLAVE_RESULT: error code or 0; SLAVE_INITIALIZED: copied or not */
        struct confd_ha_node_term node; /* SLAVE_DIED, SLAVE_ARRIVED */
};

typedef void (*confd_ha_connect_cb)(confd_ha_client *c, const struct confd_ha_result *result, void *userdata);
/* `status` is NULL unless the order was get status and succeeded. */
typedef void (*confd_ha_order_cb)(confd_ha_client *c, const struct confd_ha_result *result,
                                  const struct confd_ha_status_reply *status, void *userdata);
typedef void (*confd_ha_event_cb)(confd_ha_client *c, const struct confd_ha_event *event, void *userdata);
/* Another notification than HA_INFO: bit of enum confd_notification_type (HEARTBEAT, HEALTH_CHECK, or one unknown). */
typedef void (*confd_ha_notification_cb)(confd_ha_client *c, uint64_t bit, void *userdata);
/* A READY connection has ended, whoever ended it. Comes last, after the pending orders' callbacks, once. */
typedef void (*confd_ha_closed_cb)(confd_ha_client *c, const struct confd_ha_result *result, void *userdata);

/* A client for orders, with the HA token (bytes, any length from 0 to 65535, copied, erased when freed).
 * -EINVAL, -ENOMEM. */
int confd_ha_client_new(confd_ha_client **ret, const void *token, size_t token_size);

/* A client for events: mask of enum confd_notification_type bits; data may be NULL. Each HA event is acknowledged by
 * confd_ha_client_sync() if the mask has CONFD_NOTIF_HA_INFO_SYNC. -EINVAL, -ENOMEM. */
int confd_ha_client_new_events(confd_ha_client **ret, int mask, const struct confd_notifications_data *data,
                               confd_ha_event_cb event, confd_ha_notification_cb notification, void *userdata);

/* Closes, frees, returns NULL. NULL is fine. */
confd_ha_client *confd_ha_client_free(confd_ha_client *c);

/* The IPC access secret to prove (bytes, at most 65536, copied, erased when freed), NULL for none; by default none, and the environment is not
 * looked at. Takes effect with the next connect. -EINVAL, -ENOMEM. */
int confd_ha_client_set_access_secret(confd_ha_client *c, const void *secret, size_t size);

/* The protocol version to say first (1 to 65535, 0 = CONFD_LIB_PROTO_VSN). A server that refuses it is spoken to
 * anew with the version that it named, once, within the same deadline. -EINVAL. */
int confd_ha_client_set_protocol_version(confd_ha_client *c, unsigned version);

/* Called when a READY connection ends; one per client, NULL takes it off. */
void confd_ha_client_set_closed_callback(confd_ha_client *c, confd_ha_closed_cb closed, void *userdata);

/* Starts to connect (AF_INET, AF_INET6, AF_UNIX) and to shake hands; cb hears the outcome, once, from process().
 * timeout in µs, CONFD_HA_CLIENT_NO_DEADLINE for none. For a client for orders READY means that the handshake is done
 * and the token frame is queued; for a client for events, that the subscription has been answered ok.
 * -EISCONN unless CLOSED or new, -EAFNOSUPPORT, -EINVAL, -ENOMEM, -EMFILE ...: then cb is not called. */
int confd_ha_client_connect(confd_ha_client *c, const struct sockaddr *address, socklen_t address_size,
                            uint64_t timeout, confd_ha_connect_cb cb, void *userdata);

/* Ends the connection; pending callbacks come first, with -ECANCELED. Does nothing on a closed one. */
void confd_ha_client_close(confd_ha_client *c);

/* For the caller's loop. All three may change with every call and every process(), the descriptor too (a reconnect with
 * another version): ask again afterwards. get_fd: -ENOTCONN when there is none. get_events: POLLIN, POLLOUT or both, 0
 * without a descriptor. get_deadline: when process() must be called even if nothing happens on the descriptor, or
 * CONFD_HA_CLIENT_NO_DEADLINE; a time in the past means now. */
int confd_ha_client_get_fd(const confd_ha_client *c);
int confd_ha_client_get_events(const confd_ha_client *c);
uint64_t confd_ha_client_get_deadline(const confd_ha_client *c);

/* Reads, writes, checks deadlines, calls back; a bounded amount of work a call, and the fd stays ready if there is more
 * (get_deadline() is in the past if the rest is in our buffer). Returns 0 while there is a connection (also when it
 * has just been made), -ENOTCONN when there is none (any more). */
int confd_ha_client_process(confd_ha_client *c);

/* 1 when READY, else 0. */
int confd_ha_client_is_ready(const confd_ha_client *c);
/* What the server said in the handshake: protocol version spoken and its library version (0x08020500); 0 unless READY. */
unsigned confd_ha_client_get_protocol_version(const confd_ha_client *c);
uint32_t confd_ha_client_get_server_version(const confd_ha_client *c);

/* Orders. Each goes out at once or as soon as the socket takes it, in the order of the calls; replies come in that
 * order too. timeout in µs from now, CONFD_HA_CLIENT_NO_DEADLINE for none. When an order times out, the connection
 * is ended (a late reply would be taken for another order's): the timed-out order hears -ETIMEDOUT, all others
 * -ECONNRESET, then the closed callback comes with -ETIMEDOUT. cb may be NULL.
 * Errors: -ENOTCONN unless READY, -EINVAL (a value that is no node id: see confd_errno table, CONFD_ERR_BADTYPE),
 * -EBUSY past CONFD_HA_CLIENT_ORDERS_MAX or with 1 MiB unsent, -EOPNOTSUPP on a client for events, -ENOMEM. */
int confd_ha_client_bemaster(confd_ha_client *c, const confd_value_t *nodeid, uint64_t timeout,
                             confd_ha_order_cb cb, void *userdata);
/* With wait, cb hears ConfD's reply; without there is none: cb (if any) is called from process() as soon as the whole
 * order is with the system; the outcome is the event BESLAVE_RESULT. */
int confd_ha_client_beslave(confd_ha_client *c, const confd_value_t *nodeid, const struct confd_ha_node *master,
                            int wait, uint64_t timeout, confd_ha_order_cb cb, void *userdata);
int confd_ha_client_berelay(confd_ha_client *c, uint64_t timeout, confd_ha_order_cb cb, void *userdata);
int confd_ha_client_benone(confd_ha_client *c, uint64_t timeout, confd_ha_order_cb cb, void *userdata);
int confd_ha_client_status(confd_ha_client *c, uint64_t timeout, confd_ha_order_cb cb, void *userdata);
int confd_ha_client_slave_dead(confd_ha_client *c, const confd_value_t *nodeid, uint64_t timeout,
                               confd_ha_order_cb cb, void *userdata);

/* Events: acknowledges one HA event (atom ha_synced). -ENOTCONN, -EOPNOTSUPP on a client for orders and on one whose mask
 * lacks CONFD_NOTIF_HA_INFO_SYNC, -EBUSY with 1 MiB unsent, -ENOMEM. */
int confd_ha_client_sync(confd_ha_client *c);

/* Terms as text, UTF-8 and NUL-terminated, as snprintf(3): the length of the whole text is returned, and at most size
 * bytes are written. An id: a binary or a list of bytes as its characters, where bytes that are not UTF-8 and control
 * characters become \xHH and a backslash is doubled; any other term as Erlang prints it ({8,7}, ok, ...).
 * An address: an IPv4 or IPv6 literal (IPv4-mapped as IPv4), a string as an id is written, else as Erlang prints it.
 * Terms of more than 64 KiB of text are cut with "..." . */
size_t confd_ha_format_id(const struct confd_ha_term *id, char *buf, size_t size);
size_t confd_ha_format_address(const struct confd_ha_term *address, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
