/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the translation of errors to names on the bus and helpful words. */
#include <stdarg.h>
#include <stdio.h>

#include <confd_ha_client.h>
#include <confd_lib.h>

#include "basic/escape.h"
#include "service/bus-errors.h"
#include "service/sandbox.h"

enum { OF_CONNECTION = 1 << 0, CAUSE = 1 << 1 };

static const struct {
        const char *name;
        unsigned traits;
} kinds[FAILURE_KINDS] = {
        [FAILURE_NOT_CONNECTED] = { ERROR_NOT_CONNECTED, OF_CONNECTION },
        [FAILURE_NO_TOKEN] = { ERROR_NO_TOKEN, OF_CONNECTION | CAUSE },
        [FAILURE_TIMEOUT] = { ERROR_TIMEOUT },
        [FAILURE_BAD_STATE] = { ERROR_BAD_STATE },
        [FAILURE_CONNECT] = { ERROR_CONNECT },
        [FAILURE_CLOSED] = { ERROR_CLOSED },
        [FAILURE_BAD_SCHEMA] = { ERROR_BAD_SCHEMA },
        [FAILURE_BAD_TOKEN] = { ERROR_BAD_TOKEN },
        [FAILURE_BAD_NAME] = { ERROR_BAD_NAME },
        [FAILURE_BIND] = { ERROR_BIND },
        [FAILURE_NO_TICK] = { ERROR_NO_TICK },
        [FAILURE_WITH_UPGRADE] = { ERROR_WITH_UPGRADE },
        [FAILURE_BAD_VERSION] = { ERROR_BAD_VERSION },
        [FAILURE_BAD_CONFIG] = { ERROR_BAD_CONFIG },
        [FAILURE_ABORTED] = { ERROR_ABORTED },
        [FAILURE_ACCESS_DENIED] = { ERROR_ACCESS_DENIED, OF_CONNECTION | CAUSE },
        [FAILURE_PROTOCOL] = { ERROR_PROTOCOL, CAUSE },
        [FAILURE_SUPERSEDED] = { ERROR_SUPERSEDED },
        [FAILURE_DISPLACED] = { ERROR_DISPLACED, OF_CONNECTION | CAUSE },
        [FAILURE_NOT_IN_SYNC] = { ERROR_NOT_IN_SYNC },
        [FAILURE_INHIBITED] = { ERROR_INHIBITED },
        [FAILURE_BAD_CONFIGURATION] = { ERROR_BAD_CONFIGURATION },
        [FAILURE_SECRET] = { ERROR_SECRET, OF_CONNECTION | CAUSE },
        [FAILURE_FAILED] = { ERROR_FAILED },
        [FAILURE_INVALID_ARGS] = { ERROR_INVALID_ARGS },
        [FAILURE_LIMITS_EXCEEDED] = { ERROR_LIMITS_EXCEEDED },
        [FAILURE_BUS_ACCESS_DENIED] = { ERROR_BUS_ACCESS_DENIED },
        [FAILURE_INTERACTIVE_REQUIRED] = { ERROR_INTERACTIVE_REQUIRED },
        [FAILURE_NO_MEMORY] = { ERROR_NO_MEMORY },
};

static const struct {
        int code;
        enum failure_kind kind;
        const char *words;
} codes[] = {
        { CONFD_ERR_BADSTATE, FAILURE_BAD_STATE,
          "ConfD's state does not allow it; look at the property State, and whether ConfD is still in start phase 0" },
        { CONFD_ERR_HA_CONNECT, FAILURE_CONNECT,
          "no connection to the master; look at the address, whether ConfD runs there as master or relay, and at "
          "firewalls between the HA ports" },
        { CONFD_ERR_HA_CLOSED, FAILURE_CLOSED,
          "the other node closed the connection or went away; look at its log, and at the disk space of both" },
        { CONFD_ERR_HA_BADFXS, FAILURE_BAD_SCHEMA,
          "the nodes have different schemas loaded; give both the same set of fxs files in the same versions" },
        { CONFD_ERR_HA_BADTOKEN, FAILURE_BAD_TOKEN,
          "the nodes have different tokens; give all nodes the same token file, then reload confd-had" },
        { CONFD_ERR_HA_BADNAME, FAILURE_BAD_NAME,
          "the node at that address has another name, or it is this node; look at the ids of the order" },
        { CONFD_ERR_HA_BIND, FAILURE_BIND,
          "ConfD could not listen on its HA address; look for another program on that port, and at the address in "
          "ConfD's configuration" },
        { CONFD_ERR_HA_NOTICK, FAILURE_NO_TICK,
          "no sign of life from the other node for three ticks; look whether it hangs, and at the network" },
        { CONFD_ERR_HA_WITH_UPGRADE, FAILURE_WITH_UPGRADE, "an upgrade of the data is under way; try again when it is done" },
        { CONFD_ERR_HA_BADVSN, FAILURE_BAD_VERSION, "the nodes run versions of ConfD that do not go together" },
        { CONFD_ERR_HA_BADCONFIG, FAILURE_BAD_CONFIG,
          "ConfD's HA configuration does not allow it; look whether HA is enabled in its configuration file" },
        { CONFD_ERR_HA_ABORT, FAILURE_ABORTED, "another order ended it" },
};

void failure_done(struct failure *f) {
        free(f->message);
        *f = FAILURE_NONE;
}

const char *failure_kind_to_name(enum failure_kind kind) {
        return kinds[kind].name;
}

const char *failure_name(const struct failure *f) {
        return failure_kind_to_name(f->kind);
}

const char *failure_words(const struct failure *f) {
        return isempty(f->message) ? failure_name(f) : f->message;
}

bool failure_is_of_connection(const struct failure *f) {
        return kinds[f->kind].traits & OF_CONNECTION;
}

bool failure_is_cause(const struct failure *f) {
        return kinds[f->kind].traits & CAUSE;
}

/* Takes the words over. */
static char *presentable(char *words) {
        size_t n = strlen(words);
        char *escaped;

        if (!utf8_is_plain(words, n)) {
                escaped = utf8_escape(words, n);
                free(words);
                if (!escaped)
                        return NULL;
                words = escaped;
                n = strlen(words);
        }
        if (n > FAILURE_WORDS_MAX) {
                n = FAILURE_WORDS_MAX - strlen("...");
                /* Not within a character, nor within the form of one that is none. */
                for (size_t i = 0; i < UTF8_ESCAPED_MAX && ((words[n] & 0xc0) == 0x80 || memchr(&words[n - 3], '\\', 3)); i++)
                        n--;
                strcpy(&words[n], "...");
        }
        return words;
}

struct failure failure_make(enum failure_kind kind, const char *format, ...) {
        struct failure f = { .kind = kind };
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&f.message, format, ap) < 0)
                f.message = NULL;
        va_end(ap);
        if (f.message)
                f.message = presentable(f.message);
        return f;
}

struct failure failure_copy(const struct failure *f) {
        return (struct failure) { .kind = f->kind, .message = f->message ? strdup(f->message) : NULL };
}

struct failure failure_from_code(const char *what, int code, const char *words) {
        const char *before = isempty(words) ? "" : " ConfD says: ";

        if (code == 0)
                return FAILURE_NONE;
        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                if (codes[i].code == code)
                        return failure_make(codes[i].kind, "%s failed: %s (ConfD's error %d).%s%s", what, codes[i].words,
                                            code, before, words ?: "");
        return failure_make(FAILURE_FAILED, "%s failed: ConfD answered with its error %d; look into ConfD's log.%s%s", what,
                            code, before, words ?: "");
}

struct failure failure_from_nomaster(int code) {
        switch (code) {
        case CONFD_ERR_HA_CLOSED:
                return failure_make(FAILURE_CLOSED, "the connection to the master is closed; look whether ConfD still runs "
                                                  "there, and give this node a new role");
        case CONFD_ERR_HA_NOTICK:
                return failure_make(FAILURE_NO_TICK, "the master has sent no ticks; look whether it hangs, at the network "
                                                   "between the two, and give this node a new role");
        default:
                return failure_from_code("following the master", code != 0 ? code : CONFD_ERR_HA_CLOSED, NULL);
        }
}

struct failure failure_from_order(const char *what, const struct confd_ha_result *result) {
        switch (result->error) {
        case -EREMOTEIO:
                return failure_from_code(what, result->confd_code, result->message);
        case -ETIMEDOUT:
                return failure_make(FAILURE_TIMEOUT, "ConfD did not answer %s in time; the order may still take effect", what);
        case -EPROTO:
                return failure_make(FAILURE_PROTOCOL, "ConfD answered %s with nonsense: %s; look whether it is ConfD that "
                                                    "listens there", what, result->message);
        case -ENOMEM:
                return failure_make(FAILURE_NO_MEMORY, "no memory for %s", what);
        default:
                return failure_make(FAILURE_NOT_CONNECTED, "the connection to ConfD was lost during %s: %s; %s", what,
                                    *result->message ? result->message : strerror(-result->error),
                                    result->sent ? "the order may still take effect" : "the order was not given");
        }
}

/* The client's words name the address already. */
static struct failure from_connection(const char *which, const char *address, const struct confd_ha_result *result,
                                      enum failure_kind kind, const char *advice) {
        if (*result->message)
                return failure_make(kind, "no %s connection: %s%s", which, result->message, advice);
        return failure_make(kind, "no %s connection: ConfD at %s: %s%s", which, address, strerror(-result->error), advice);
}

struct failure failure_from_connection(const char *which, const char *address, const struct confd_ha_result *result) {
        switch (result->error) {
        case -EACCES:
                if (result->confd_code == CONFD_ERR_ACCESS_DENIED)
                        return from_connection(which, address, result, FAILURE_ACCESS_DENIED,
                                               "; ConfD refused the IPC access secret: look at AccessFile= and at ConfD's own "
                                               "access file");
                return from_connection(which, address, result, FAILURE_NOT_CONNECTED,
                                       "; the socket's mode and group have to let confd-had in");
        case -EPERM:
                return from_connection(which, address, result, FAILURE_NOT_CONNECTED,
                                       "; the sandbox of the service allows localhost only: for a remote ConfD write "
                                       "/etc/systemd/system/confd-ha.service.d/remote.conf with [Service] and "
                                       "IPAddressAllow=ADDRESS (see confd-ha.conf(5)), then systemctl daemon-reload and restart "
                                       "confd-ha");
        case -EPROTO:
                return from_connection(which, address, result, FAILURE_PROTOCOL, "; look whether it is ConfD that listens there");
        case -EPROTONOSUPPORT:
                return from_connection(which, address, result, FAILURE_PROTOCOL, "; this ConfD speaks another protocol");
        case -ETIMEDOUT:
                return from_connection(which, address, result, FAILURE_NOT_CONNECTED, "; look whether ConfD hangs");
        case -ECONNREFUSED:
        case -ENOENT:
                if (strncmp(address, "unix:", 5) == 0 && sandbox_hides(address + 5))
                        return from_connection(which, address, result, FAILURE_NOT_CONNECTED,
                                               "; look whether ConfD runs; the sandbox of confd-ha.service hides /home, /root, "
                                               "/run/user, /tmp and /var/tmp: a socket there needs the drop-in "
                                               "confd-socket.conf, see confd-had(8)");
                return from_connection(which, address, result, FAILURE_NOT_CONNECTED,
                                       "; look whether ConfD runs, and at Address= in the configuration");
        default:
                return from_connection(which, address, result, FAILURE_NOT_CONNECTED, "");
        }
}
