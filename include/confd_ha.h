/* SPDX-License-Identifier: Apache-2.0 */
/* The HA orders, as calls that wait for ConfD's reply (confd_lib_ha(3)).
 *
 * A program opens a stream socket (AF_INET, AF_INET6 or AF_UNIX), connects it with confd_ha_connect(), and gives orders on
 * it. The socket is and stays the caller's: the library never closes it. ConfD has one HA controller: a new connection
 * ends the previous one, whose next call returns CONFD_EOF.
 *
 * All functions but confd_ha_set_protocol_version() return CONFD_OK; CONFD_EOF when the server has closed the
 * connection (confd_errno CONFD_ERR_EOF); or CONFD_ERR with confd_errno, which besides what each function documents can
 * be what ConfD answered (CONFD_ERR_BADSTATE, ...; its reason is in confd_lasterr()), CONFD_ERR_OS (a system call
 * failed; errno is kept), CONFD_ERR_PROTOUSAGE (a call out of order, or the peer broke the protocol, which ends the use of
 * the socket), CONFD_ERR_TIMEOUT (see below) and CONFD_ERR_MALLOC.
 *
 * Waiting: calls wait for the reply as long as the connection stands, since a be-slave may copy a large database. A
 * program that wants a limit sets SO_RCVTIMEO and SO_SNDTIMEO on its socket: the library honours them for each call
 * as a whole (CONFD_ERR_TIMEOUT). The handshake never takes longer than CONFD_HA_HANDSHAKE_SEC. After a timeout, an EOF or
 * a protocol error the socket is good for nothing but close(2): the following calls fail. The non-blocking client
 * (confd_ha_client.h) has a deadline for each order.
 * Interrupted system calls are repeated. SIGPIPE is never raised. A socket may be used by one thread at a time.
 */
#ifndef CONFD_HA_H
#define CONFD_HA_H

#include <confd_lib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The longest that connecting and shaking hands may take, in seconds. */
#define CONFD_HA_HANDSHAKE_SEC 30

/* The longest token, in bytes. */
#define CONFD_HA_TOKEN_MAX 65535

/* The most nodes that a status has. */
#define CONFD_HA_STATUS_NODES_MAX 255

/* What ConfD is (confd_lib_ha(3)), in both vocabularies. */
enum confd_ha_status_state {
        CONFD_HA_STATE_NONE = 1,
        CONFD_HA_STATE_SLAVE = 2,
        CONFD_HA_STATE_MASTER = 3,
        CONFD_HA_STATE_SLAVE_RELAY = 4,
        CONFD_HA_STATE_SECONDARY = 2,
        CONFD_HA_STATE_PRIMARY = 3,
        CONFD_HA_STATE_SECONDARY_RELAY = 4
};

/* A status: no nodes for none; the master for a slave; the slaves for a master; the master first, then its own slaves, for
 * a relay. nodes[] is self-contained, but its pointers point into itself: copy the struct and they still point
 * into the original. */
struct confd_ha_status {
        enum confd_ha_status_state state;
        struct confd_ha_node nodes[CONFD_HA_STATUS_NODES_MAX];
        int num_nodes;
};

/* Connects the socket, shakes hands and sends the token (confd_lib_ha(3)).
 *   sock     a stream socket of srv's family, not connected; non-blocking ones work too
 *   srv      the address of ConfD's IPC port
 *   srv_sz   its size
 *   token    the cluster's shared secret, NUL-terminated, at most CONFD_HA_TOKEN_MAX bytes; "" is allowed
 * If $CONFD_IPC_ACCESS_FILE (or else $NCS_IPC_ACCESS_FILE) names a file, its content, at most 64 KiB, is proven to the
 * server in the IPC access check.
 * CONFD_ERR_ACCESS_DENIED the access check failed, or the access file cannot be read
 * CONFD_ERR_PROTOUSAGE    the server refused the protocol version: confd_lasterr() names both versions; make a new
 *                         socket, call confd_ha_set_protocol_version() with the server's, and try again
 * CONFD_ERR_OS            connect(2) failed, see errno
 * CONFD_ERR_TIMEOUT       CONFD_HA_HANDSHAKE_SEC have passed
 * After a failure every later call on the socket fails until it has been closed and made anew. */
int confd_ha_connect(int sock, const struct sockaddr *srv, int srv_sz, const char *token);

/* Makes this node the master (confd_lib_ha(3)).
 *   sock       connected with confd_ha_connect()
 *   mynodeid   this node's name: 1 to 127 bytes, or one of the other types that enum confd_vtype allows
 * CONFD_ERR_BADTYPE (the id is no node id), CONFD_ERR_HA_BIND, CONFD_ERR_BADSTATE, CONFD_ERR_HA_WITH_UPGRADE, ... */
int confd_ha_bemaster(int sock, confd_value_t *mynodeid);
int confd_ha_beprimary(int sock, confd_value_t *mynodeid);

/* Makes this node a slave of another (confd_lib_ha(3)).
 *   sock       connected with confd_ha_connect()
 *   mynodeid   this node's name
 *   master     name and address of the master or relay to follow; af AF_INET, AF_INET6, or AF_UNSPEC with addr.str
 *              (NUL-terminated, 1 to 127 bytes); buf and addr_buf are not looked at
 *   waitreply  not 0: wait until the data is in place or the order failed; 0: return as soon as the order is sent: the
 *              outcome is the event CONFD_HA_INFO_BESLAVE_RESULT
 * CONFD_ERR_BADTYPE, CONFD_ERR_HA_CONNECT, _HA_BADNAME, _HA_BADTOKEN, _HA_BADFXS, _HA_BADVSN, _HA_CLOSED, _HA_ABORT, ... */
int confd_ha_beslave(int sock, confd_value_t *mynodeid, struct confd_ha_node *master, int waitreply);
int confd_ha_besecondary(int sock, confd_value_t *mynodeid, struct confd_ha_node *primary, int waitreply);

/* Makes this slave a relay, which serves slaves of its own (confd_lib_ha(3)).
 *   sock       connected with confd_ha_connect()
 * CONFD_ERR_HA_BIND, CONFD_ERR_BADSTATE, ... */
int confd_ha_berelay(int sock);

/* Ends this node's role (confd_lib_ha(3)).
 *   sock       connected with confd_ha_connect() */
int confd_ha_benone(int sock);

/* Asks for role and peers (confd_lib_ha(3)). The struct has the function's name, in C++ too: write
 * `struct confd_ha_status` for the type.
 *   sock       connected with confd_ha_connect()
 *   stat       filled on success only
 * CONFD_ERR_PROTOUSAGE also when a node's id or address does not fit struct confd_ha_node or is of a type that has no
 * place in it: confd_lasterr() says which. The socket stays good then. */
int confd_ha_status(int sock, struct confd_ha_status *stat);
int confd_ha_get_status(int sock, struct confd_ha_status *stat);

/* Tells this node that another is dead, so that it need not wait for ticks (confd_lib_ha(3)).
 *   sock       connected with confd_ha_connect()
 *   nodeid     the dead node's name; an unknown one is no error */
int confd_ha_slave_dead(int sock, confd_value_t *nodeid);
int confd_ha_secondary_dead(int sock, confd_value_t *nodeid);

/* Sets the protocol version that the next connects of this process say, of confd_ha_connect() and the
 * confd_notifications_connect()s in all threads. Ours, not in the man pages.
 *   version    1 to 65535; 0 for CONFD_LIB_PROTO_VSN
 * CONFD_OK, or CONFD_ERR with CONFD_ERR_PROTOUSAGE for a larger one. */
int confd_ha_set_protocol_version(unsigned version);

#ifdef __cplusplus
}
#endif
#endif
