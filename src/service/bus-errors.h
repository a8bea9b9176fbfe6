/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the errors on the bus, and the one translator to them: from ConfD's codes and the client's results. */
#pragma once

#include "basic/util.h"

#define ERROR_PREFIX "org.confd.HA.Error."
#define ERROR_NOT_CONNECTED ERROR_PREFIX "NotConnected"
#define ERROR_NO_TOKEN ERROR_PREFIX "NoToken"
#define ERROR_TIMEOUT ERROR_PREFIX "Timeout"
#define ERROR_BAD_STATE ERROR_PREFIX "BadState"
#define ERROR_CONNECT ERROR_PREFIX "Connect"
#define ERROR_CLOSED ERROR_PREFIX "Closed"
#define ERROR_BAD_SCHEMA ERROR_PREFIX "BadSchema"
#define ERROR_BAD_TOKEN ERROR_PREFIX "BadToken"
#define ERROR_BAD_NAME ERROR_PREFIX "BadName"
#define ERROR_BIND ERROR_PREFIX "Bind"
#define ERROR_NO_TICK ERROR_PREFIX "NoTick"
#define ERROR_WITH_UPGRADE ERROR_PREFIX "WithUpgrade"
#define ERROR_BAD_VERSION ERROR_PREFIX "BadVersion"
#define ERROR_BAD_CONFIG ERROR_PREFIX "BadConfig"
#define ERROR_ABORTED ERROR_PREFIX "Aborted"
#define ERROR_ACCESS_DENIED ERROR_PREFIX "AccessDenied"
#define ERROR_PROTOCOL ERROR_PREFIX "Protocol"
#define ERROR_SUPERSEDED ERROR_PREFIX "Superseded"
#define ERROR_DISPLACED ERROR_PREFIX "Displaced"
#define ERROR_NOT_IN_SYNC ERROR_PREFIX "NotInSync"
#define ERROR_INHIBITED ERROR_PREFIX "Inhibited"
#define ERROR_BAD_CONFIGURATION ERROR_PREFIX "BadConfiguration"
#define ERROR_SECRET ERROR_PREFIX "Secret"
#define ERROR_FAILED ERROR_PREFIX "Failed"
#define ERROR_INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"
#define ERROR_LIMITS_EXCEEDED "org.freedesktop.DBus.Error.LimitsExceeded"
#define ERROR_BUS_ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define ERROR_INTERACTIVE_REQUIRED "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
#define ERROR_NO_MEMORY "org.freedesktop.DBus.Error.NoMemory"

/* What a failure is; each has one of the names above on the bus. */
enum failure_kind {
        SUCCESS,
        FAILURE_NOT_CONNECTED,
        FAILURE_NO_TOKEN,
        FAILURE_TIMEOUT,
        FAILURE_BAD_STATE,
        FAILURE_CONNECT,
        FAILURE_CLOSED,
        FAILURE_BAD_SCHEMA,
        FAILURE_BAD_TOKEN,
        FAILURE_BAD_NAME,
        FAILURE_BIND,
        FAILURE_NO_TICK,
        FAILURE_WITH_UPGRADE,
        FAILURE_BAD_VERSION,
        FAILURE_BAD_CONFIG,
        FAILURE_ABORTED,
        FAILURE_ACCESS_DENIED,
        FAILURE_PROTOCOL,
        FAILURE_SUPERSEDED,
        FAILURE_DISPLACED,
        FAILURE_NOT_IN_SYNC,
        FAILURE_INHIBITED,
        FAILURE_BAD_CONFIGURATION,
        FAILURE_SECRET,
        FAILURE_FAILED,
        /* The bus's own. */
        FAILURE_INVALID_ARGS,
        FAILURE_LIMITS_EXCEEDED,
        FAILURE_BUS_ACCESS_DENIED,
        FAILURE_INTERACTIVE_REQUIRED,
        FAILURE_NO_MEMORY,
        FAILURE_KINDS,
};

/* How something ended on the bus. The message is owned. */
struct failure {
        enum failure_kind kind;
        char *message;
};
#define FAILURE_NONE ((struct failure) {})

void failure_done(struct failure *f);
#define _cleanup_failure_ _cleanup_(failure_done)

/* The bus takes no words that are not UTF-8, terminals take some that they had better not, and nobody reads pages: words with
 * bytes that are not plain text are escaped, and cut at that many bytes. Without memory for them the kind stays. */
enum { FAILURE_WORDS_MAX = 2000 };
_printf_(2, 3) struct failure failure_make(enum failure_kind kind, const char *format, ...);
struct failure failure_copy(const struct failure *f);
static inline _unused_ bool failure_is_set(const struct failure *f) { return f->kind != SUCCESS; }

/* Its name on the bus, NULL for SUCCESS; and its message, or the name where there was no memory for one. */
const char *failure_kind_to_name(enum failure_kind kind);
const char *failure_name(const struct failure *f);
const char *failure_words(const struct failure *f);

/* Whether it is the want of a connection, which LastError tells for as long as there is none; and whether it says why
 * there is no connection, so that who asks for one is to hear this and not NotConnected. */
bool failure_is_of_connection(const struct failure *f);
bool failure_is_cause(const struct failure *f);

/* A code with which ConfD answered `what` (an order's name), or 0, which is success; its own words may be NULL or "". */
struct failure failure_from_code(const char *what, int code, const char *words);

/* Why the master was lost, by the code of NOMASTER. */
struct failure failure_from_nomaster(int code);

struct confd_ha_result;

/* What became of an order that was given to the client; result->error must not be 0. */
struct failure failure_from_order(const char *what, const struct confd_ha_result *result);

/* Why a connection to `address` could not be had, or ended. `which` names it in words ("HA", "event"). */
struct failure failure_from_connection(const char *which, const char *address, const struct confd_ha_result *result);
