/* SPDX-License-Identifier: Apache-2.0 */
/* Owns confd_errno, its words, and the texts of the codes. */
#include <stdarg.h>
#include <stdio.h>

#include "lib/errors.h"
#include "lib/export.h"
#include "lib/trace.h"

enum { LASTERR_SIZE = 1024 };

static _Thread_local int thread_errno;
static _Thread_local char thread_lasterr[LASTERR_SIZE];
static _Thread_local char thread_unknown[48];

static const char *const error_texts[CONFD_ERR_HA_ABORT + 1];

_public_ int *confd_errno_location(void) {
        return &thread_errno;
}

_public_ char *confd_lasterr(void) {
        return thread_lasterr;
}

const char *error_text(int code) {
        return code >= 0 && code <= CONFD_ERR_HA_ABORT ? error_texts[code] : NULL;
}

/* The documented type is char *; the texts are never written to. */
_public_ char *confd_strerror(int code) {
        const char *text = error_text(code);

        if (text)
                return (char *) text;
        snprintf(thread_unknown, sizeof(thread_unknown), "Unknown error code %i", code);
        return thread_unknown;
}

int error_code_from_errno(int error) {
        switch (-error) {
        case 0:
                return CONFD_OK;
        case EACCES:
                return CONFD_ERR_ACCESS_DENIED;
        case ECONNRESET:
                return CONFD_ERR_EOF;
        case ENOMEM:
                return CONFD_ERR_MALLOC;
        case EPROTO:
        case EPROTONOSUPPORT:
                return CONFD_ERR_PROTOUSAGE;
        case ETIMEDOUT:
                return CONFD_ERR_TIMEOUT;
        case ECANCELED:
                return CONFD_ERR_ABORTED;
        default:
                return CONFD_ERR_OS;
        }
}

int error_set(int code, const char *format, ...) {
        int saved = errno;
        va_list ap;

        thread_errno = code;
        va_start(ap, format);
        vsnprintf(thread_lasterr, sizeof(thread_lasterr), format, ap);
        va_end(ap);
        trace(CONFD_DEBUG, "error %i: %s", code, thread_lasterr);
        errno = saved;
        return code == CONFD_ERR_EOF ? CONFD_EOF : CONFD_ERR;
}

static const char *const error_texts[CONFD_ERR_HA_ABORT + 1] = {
        [CONFD_OK] = "Success",
        [CONFD_ERR_NOEXISTS] = "Item does not exist",
        [CONFD_ERR_ALREADY_EXISTS] = "Item already exists",
        [CONFD_ERR_ACCESS_DENIED] = "Access denied",
        [CONFD_ERR_NOT_WRITABLE] = "Item is not writable",
        [CONFD_ERR_BADTYPE] = "Value is of the wrong type",
        [CONFD_ERR_NOTCREATABLE] = "Item cannot be created",
        [CONFD_ERR_NOTDELETABLE] = "Item cannot be deleted",
        [CONFD_ERR_BADPATH] = "Bad path",
        [CONFD_ERR_NOSTACK] = "No stack to pop",
        [CONFD_ERR_LOCKED] = "Locked by another session",
        [CONFD_ERR_INUSE] = "In use",
        [CONFD_ERR_NOTSET] = "A mandatory item is not set",
        [CONFD_ERR_NON_UNIQUE] = "Values are not unique",
        [CONFD_ERR_BAD_KEYREF] = "A key reference points nowhere",
        [CONFD_ERR_TOO_FEW_ELEMS] = "Too few elements",
        [CONFD_ERR_TOO_MANY_ELEMS] = "Too many elements",
        [CONFD_ERR_BADSTATE] = "Not possible in the present state",
        [CONFD_ERR_INTERNAL] = "Internal error of ConfD",
        [CONFD_ERR_EXTERNAL] = "An external program failed",
        [CONFD_ERR_MALLOC] = "Out of memory",
        [CONFD_ERR_PROTOUSAGE] = "Wrong use of the API or of the protocol",
        [CONFD_ERR_NOSESSION] = "No session",
        [CONFD_ERR_TOOMANYTRANS] = "Too many transactions",
        [CONFD_ERR_OS] = "A system call failed",
        [CONFD_ERR_HA_CONNECT] = "Failed to connect to the other node",
        [CONFD_ERR_HA_CLOSED] = "The other node closed the connection",
        [CONFD_ERR_HA_BADFXS] = "The other node has another set of schemas",
        [CONFD_ERR_HA_BADTOKEN] = "The other node has another token",
        [CONFD_ERR_HA_BADNAME] = "The other node has another name",
        [CONFD_ERR_HA_BIND] = "Failed to bind the address for other nodes",
        [CONFD_ERR_HA_NOTICK] = "The other node sends no ticks",
        [CONFD_ERR_VALIDATION_WARNING] = "Validation gave warnings",
        [CONFD_ERR_SUBAGENT_DOWN] = "A subagent is down",
        [CONFD_ERR_LIB_NOT_INITIALIZED] = "The library is not initialized",
        [CONFD_ERR_TOO_MANY_SESSIONS] = "Too many sessions",
        [CONFD_ERR_BAD_CONFIG] = "Bad configuration",
        [CONFD_ERR_RESOURCE_DENIED] = "Not enough resources",
        [CONFD_ERR_INCONSISTENT_VALUE] = "Inconsistent value",
        [CONFD_ERR_APPLICATION_INTERNAL] = "Internal error of the application",
        [CONFD_ERR_UNSET_CHOICE] = "A mandatory choice is not set",
        [CONFD_ERR_MUST_FAILED] = "A must condition is not met",
        [CONFD_ERR_MISSING_INSTANCE] = "A required instance is missing",
        [CONFD_ERR_INVALID_INSTANCE] = "Invalid instance",
        [CONFD_ERR_UNAVAILABLE] = "Not available",
        [CONFD_ERR_EOF] = "The server closed the connection",
        [CONFD_ERR_NOTMOVABLE] = "Item cannot be moved",
        [CONFD_ERR_HA_WITH_UPGRADE] = "Not possible during an upgrade",
        [CONFD_ERR_TIMEOUT] = "Timed out",
        [CONFD_ERR_ABORTED] = "Aborted",
        [CONFD_ERR_XPATH] = "Bad XPath expression",
        [CONFD_ERR_NOT_IMPLEMENTED] = "Operation is not available",
        [CONFD_ERR_HA_BADVSN] = "The other node has an incompatible version",
        [CONFD_ERR_POLICY_FAILED] = "A policy is not met",
        [CONFD_ERR_POLICY_COMPILATION_FAILED] = "A policy cannot be compiled",
        [CONFD_ERR_POLICY_EVALUATION_FAILED] = "A policy cannot be evaluated",
        [CONFD_ERR_START_FAILED] = "ConfD failed to start",
        [CONFD_ERR_DATA_MISSING] = "Data is missing",
        [CONFD_ERR_CLI_CMD] = "A CLI command failed",
        [CONFD_ERR_UPGRADE_IN_PROGRESS] = "An upgrade is in progress",
        [CONFD_ERR_NOTRANS] = "No such transaction",
        [CONFD_ERR_NO_MOUNT_ID] = "A mount point has no id",
        [CONFD_ERR_STALE_INSTANCE] = "Stale instance",
        [CONFD_ERR_HA_BADCONFIG] = "Bad configuration for high availability",
        [CONFD_ERR_TRANSACTION_CONFLICT] = "Conflict between transactions",
        [CONFD_ERR_HA_ABORT] = "Ended by a later order",
};
