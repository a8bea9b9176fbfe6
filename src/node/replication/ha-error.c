/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the names of HA error codes. */
#include <assert.h>
#include <confd_lib.h>

#include "node/replication/ha-error.h"

/* The numbers are those that the library has for applications. */
static_assert((int) HA_ERROR_CONNECT == CONFD_ERR_HA_CONNECT, "HA_CONNECT");
static_assert((int) HA_ERROR_CLOSED == CONFD_ERR_HA_CLOSED, "HA_CLOSED");
static_assert((int) HA_ERROR_BADFXS == CONFD_ERR_HA_BADFXS, "HA_BADFXS");
static_assert((int) HA_ERROR_BADTOKEN == CONFD_ERR_HA_BADTOKEN, "HA_BADTOKEN");
static_assert((int) HA_ERROR_BADNAME == CONFD_ERR_HA_BADNAME, "HA_BADNAME");
static_assert((int) HA_ERROR_BIND == CONFD_ERR_HA_BIND, "HA_BIND");
static_assert((int) HA_ERROR_NOTICK == CONFD_ERR_HA_NOTICK, "HA_NOTICK");
static_assert((int) HA_ERROR_BADVSN == CONFD_ERR_HA_BADVSN, "HA_BADVSN");
static_assert((int) HA_ERROR_ABORT == CONFD_ERR_HA_ABORT, "HA_ABORT");

const char *ha_error_name(int code) {
        switch (code) {
        case HA_ERROR_CONNECT:
                return "HA_CONNECT";
        case HA_ERROR_CLOSED:
                return "HA_CLOSED";
        case HA_ERROR_BADFXS:
                return "HA_BADFXS";
        case HA_ERROR_BADTOKEN:
                return "HA_BADTOKEN";
        case HA_ERROR_BADNAME:
                return "HA_BADNAME";
        case HA_ERROR_BIND:
                return "HA_BIND";
        case HA_ERROR_NOTICK:
                return "HA_NOTICK";
        case HA_ERROR_BADVSN:
                return "HA_BADVSN";
        case HA_ERROR_ABORT:
                return "HA_ABORT";
        default:
                return "HA error";
        }
}
