/* SPDX-License-Identifier: Apache-2.0 */
/* The error codes of ConfD's HA subsystem that the replication engine reports (numbers of the IPC protocol). */
#pragma once

enum ha_error {
        HA_ERROR_CONNECT = 25,  /* no connection: refused, unreachable, silent for 10 s, or the peer takes no more slaves */
        HA_ERROR_CLOSED = 26,   /* the connection broke, or the initial synchronization timed out */
        HA_ERROR_BADFXS = 27,   /* another schema set */
        HA_ERROR_BADTOKEN = 28, /* another token, or none */
        HA_ERROR_BADNAME = 29,  /* the node there has another name, or it is our own, or relays would form a circle */
        HA_ERROR_BIND = 30,     /* cannot listen */
        HA_ERROR_NOTICK = 31,   /* three intervals without a tick */
        HA_ERROR_BADVSN = 52,   /* another version of the protocol between nodes */
        HA_ERROR_ABORT = 71,    /* ended by a later order */
};

/* "HA_CONNECT" and so on; "HA error" for others. Static text. */
const char *ha_error_name(int code);
