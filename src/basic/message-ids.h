/* SPDX-License-Identifier: Apache-2.0 */
/* The journal entries of the service: message ids and field names, which the service writes, the catalog explains and
 * confd-hactl history reads back. They are part of what administrators rely on: add to them, never change one. */
#pragma once

/* Message ids (MESSAGE_ID=), 32 hex digits. Beside each: its level, and the fields that it carries. "sender" stands
 * for SENDER_UID, SENDER_PID and, where systemd knew it in time, SENDER_UNIT; each field has the prefix CONFD_HA_.
 * Fields that do not apply, or whose value would be empty, are left out. */

/* info. An order, or a Reload, ended well. METHOD, RESULT=done, DURATION_USEC, sender, and of the arguments NODE_ID,
 * MASTER_ID, MASTER_ADDRESS as far as the method has them (SlaveDead: PEER_ID, for it names another node). */
#define CONFD_HA_MSG_ORDER "6b3ffd57a2444c118fec5fc864a7c8c7"
/* warning. It failed, or was refused: the same, with RESULT=full error name and ERROR=its message. */
#define CONFD_HA_MSG_ORDER_FAILED "4390bb7ba5b04396ab235fc31309befb"
/* warning. Another call, a Status or a change of the log, was refused because too many wait, or an order came as a signal:
 * METHOD, RESULT, ERROR, sender. */
#define CONFD_HA_MSG_CALL_REFUSED "f9049b0f933e4c26980d9771bff3882d"
/* warning. So many more calls of one user (of several, without SENDER_UID) were denied or refused, or their callers went away,
 * and have no entries of their own: COUNT, DURATION_USEC=in what time, SENDER_UID. */
#define CONFD_HA_MSG_REFUSALS "cf41b38793b44b7eb3ab89b55c81c644"
/* notice. State changed: OLD_STATE, NEW_STATE, REASON; NODE_ID; MASTER_ID and MASTER_ADDRESS if there is one now. */
#define CONFD_HA_MSG_STATE "233afdaba6804aa6ba4b6f1cdc5a4074"
/* warning. This node lost its master: RESULT=full error name, NODE_ID, MASTER_ID, MASTER_ADDRESS. */
#define CONFD_HA_MSG_MASTER_LOST "716178bbfff142cc9cf0653e1205c73e"
/* warning, info. A slave of this node went, came: PEER_ID, PEER_ADDRESS, NODE_ID. */
#define CONFD_HA_MSG_SLAVE_DIED "c74e9822d7c84ed59223a6e6ead2e531"
#define CONFD_HA_MSG_SLAVE_ARRIVED "3b79643cd36f45f5a1be463a7b58b848"
/* info. This slave's data is in place: BY_COPY=yes or no, NODE_ID, MASTER_ID, MASTER_ADDRESS. */
#define CONFD_HA_MSG_SLAVE_INITIALIZED "6617f858861341c0a3f61c8e7b883890"
/* info. ConfD is connected: CONFD_ADDRESS, CONFD_VERSION. */
#define CONFD_HA_MSG_CONNECTION_UP "2d399161b4634b0e9b5e840c65299f51"
/* warning. The connection is lost, or could not be had (once for each outage): CONFD_ADDRESS, RESULT=full error name,
 * ERROR=its message. */
#define CONFD_HA_MSG_CONNECTION_LOST "10d4af1012af4a5ca8f7d10cfab5dfdc"
/* warning. Another client took the HA socket over: CONFD_ADDRESS, RESULT=org.confd.HA.Error.Displaced, ERROR. */
#define CONFD_HA_MSG_DISPLACED "decaf4abf9194c88ad812a4d304e5be2"
/* error. There is no token, so there is no connection: FILE, RESULT=org.confd.HA.Error.NoToken, ERROR. */
#define CONFD_HA_MSG_NO_TOKEN "7e84267590c241ed8353ecea6728f46e"
/* error. Another secret cannot be read or used, so there is no connection: FILE, RESULT=org.confd.HA.Error.Secret, ERROR. */
#define CONFD_HA_MSG_SECRET "1cf75266e88548f0ad437e976de1b824"
/* warning. systemd did not start or stop a role target: TARGET=the unit, RESULT=full error name, ERROR. */
#define CONFD_HA_MSG_TARGET_FAILED "518c861050204d068934c10ea429d532"
/* notice. Somebody inhibits role orders, and no longer does: WHO, WHY, SENDER_UID; the first with SENDER_PID. An Inhibit also
 * gives an ORDER or ORDER_FAILED entry. */
#define CONFD_HA_MSG_INHIBITED "b16b094fd62a405abf9fcb8d33a7c559"
#define CONFD_HA_MSG_INHIBITOR_GONE "5a4c33144d704d829e37f2cbec479798"
/* info, error. The configuration was read again, was refused (the old one stays; RESULT, ERROR); FILE, sender if a
 * Reload asked for it. A Reload also gives an ORDER or ORDER_FAILED entry; a SIGHUP gives only these. */
#define CONFD_HA_MSG_RELOADED "552e2b313a854296bcda225f72041a92"
#define CONFD_HA_MSG_RELOAD_REFUSED "935b5df3fe584390ab6a4111bb8bdacb"

/* Field names, to be followed by "=value". Values are text as on the bus (ids escaped as there); numbers are decimal. */
#define CONFD_HA_FIELD_METHOD "CONFD_HA_METHOD"                 /* the D-Bus method's name, as BeSlave */
#define CONFD_HA_FIELD_NODE_ID "CONFD_HA_NODE_ID"               /* this node: as ordered, else the NodeId property */
#define CONFD_HA_FIELD_MASTER_ID "CONFD_HA_MASTER_ID"
#define CONFD_HA_FIELD_MASTER_ADDRESS "CONFD_HA_MASTER_ADDRESS"
#define CONFD_HA_FIELD_RESULT "CONFD_HA_RESULT"                 /* "done", or the full name of an error */
#define CONFD_HA_FIELD_ERROR "CONFD_HA_ERROR"                   /* the error's message */
#define CONFD_HA_FIELD_DURATION_USEC "CONFD_HA_DURATION_USEC"   /* from the call's arrival to its outcome */
#define CONFD_HA_FIELD_SENDER_UID "CONFD_HA_SENDER_UID"
#define CONFD_HA_FIELD_SENDER_PID "CONFD_HA_SENDER_PID"
#define CONFD_HA_FIELD_SENDER_UNIT "CONFD_HA_SENDER_UNIT"
#define CONFD_HA_FIELD_OLD_STATE "CONFD_HA_OLD_STATE"
#define CONFD_HA_FIELD_NEW_STATE "CONFD_HA_NEW_STATE"
#define CONFD_HA_FIELD_REASON "CONFD_HA_REASON"                 /* as in the signal StateChanged */
#define CONFD_HA_FIELD_PEER_ID "CONFD_HA_PEER_ID"
#define CONFD_HA_FIELD_PEER_ADDRESS "CONFD_HA_PEER_ADDRESS"
#define CONFD_HA_FIELD_BY_COPY "CONFD_HA_BY_COPY"               /* yes or no */
#define CONFD_HA_FIELD_CONFD_ADDRESS "CONFD_HA_CONFD_ADDRESS"
#define CONFD_HA_FIELD_CONFD_VERSION "CONFD_HA_CONFD_VERSION"
#define CONFD_HA_FIELD_TARGET "CONFD_HA_TARGET"
#define CONFD_HA_FIELD_FILE "CONFD_HA_FILE"
#define CONFD_HA_FIELD_COUNT "CONFD_HA_COUNT"
#define CONFD_HA_FIELD_WHO "CONFD_HA_WHO"
#define CONFD_HA_FIELD_WHY "CONFD_HA_WHY"
