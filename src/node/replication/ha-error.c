/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the names of HA error codes. */
#include "node/replication/ha-error.h"

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
