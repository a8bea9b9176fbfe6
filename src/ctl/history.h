/* SPDX-License-Identifier: Apache-2.0 */
/* An entry of the history as a struct: what the journal has of it, and how it is shown. */
#pragma once

#include <stdint.h>
#include <systemd/sd-journal.h>

#include "ctl/ctl.h"

/* The fields that entries may have, by the names of basic/message-ids.h. */
enum history_field {
        HISTORY_METHOD,
        HISTORY_NODE_ID,
        HISTORY_MASTER_ID,
        HISTORY_MASTER_ADDRESS,
        HISTORY_RESULT,
        HISTORY_ERROR,
        HISTORY_DURATION_USEC,
        HISTORY_SENDER_UID,
        HISTORY_SENDER_PID,
        HISTORY_SENDER_UNIT,
        HISTORY_OLD_STATE,
        HISTORY_NEW_STATE,
        HISTORY_REASON,
        HISTORY_PEER_ID,
        HISTORY_PEER_ADDRESS,
        HISTORY_BY_COPY,
        HISTORY_CONFD_ADDRESS,
        HISTORY_CONFD_VERSION,
        HISTORY_TARGET,
        HISTORY_FILE,
        HISTORY_COUNT,
        HISTORY_WHO,
        HISTORY_WHY,
        HISTORY_MESSAGE,
        HISTORY_FIELDS
};

struct history_entry {
        uint64_t usec;                  /* wall clock */
        const char *message_id;         /* one of history_event()'s; static */
        char *fields[HISTORY_FIELDS];   /* NULL where the entry has none */
};

/* The journal's name of a field, and its key in JSON; both for 0 ... HISTORY_FIELDS - 1. */
const char *history_field_name(enum history_field f);
const char *history_field_key(enum history_field f);

/* The word for a message id ("order", "state", ...); NULL for an id that is not ours. */
const char *history_event(const char *message_id);

/* The i-th message id, NULL past the last. */
const char *history_message_id(size_t i);

/* Where the fields of an entry are: gives the one of that name as the journal has it, "NAME=" and then anything. -ENOENT if there is
 * none, or another error. */
typedef int (*history_get_fn)(void *userdata, const char *name, const void **ret_data, size_t *ret_size);

/* A field longer than this is cut: nothing that the service writes comes near it. */
enum { HISTORY_FIELD_MAX = 8192 };

/* Reads all but the time into an empty entry. -ENOENT for one that is not ours, -ENOMEM, or the error of `get`; *e is to be ended in
 * any case. */
_must_check_ int history_entry_read(struct history_entry *e, history_get_fn get, void *userdata);
void history_entry_done(struct history_entry *e);

/* Whether the service refused the call before it was an order of anybody's: who may not, or too many at once. Of these
 * there may be any number. */
bool history_is_refused(const struct history_entry *e);

struct history {
        sd_journal *journal;
        char *newest;                  /* the cursor of the last entry there was, NULL if there was none */
        struct history_entry *entries; /* the oldest first */
        size_t n;
        bool partial;     /* there are journal files that this user may not read */
        bool more;        /* older entries were left out */
        uint64_t refused; /* calls left out, without --all, beyond the last HISTORY_REFUSED_SHOWN */
};

enum { HISTORY_REFUSED_SHOWN = 20 };

/* Opens the journal of this machine, or of the container -M, for the entries that c asks for. */
_must_check_ int history_open(struct ctl *c, struct history *h);
void history_done(struct history *h);
#define _cleanup_history_ _cleanup_(history_done)

/* Reads the last c->lines entries; refused calls count for none of them. */
_must_check_ int history_read(struct ctl *c, struct history *h);

/* Prints the entries, as c->json says. -ENOMEM */
_must_check_ int history_print(const struct ctl *c, const struct history *h);

/* Prints what comes, entry by entry, until interrupted. -EPIPE if nobody reads any more, or another error. */
_must_check_ int history_follow(const struct ctl *c, struct history *h);

/* One entry on a line, for what is followed. -ENOMEM, -EPIPE */
_must_check_ int history_print_line(const struct ctl *c, const struct history_entry *e);

/* The history of the host -H, by the confd-hactl there. */
enum ctl_exit history_remote(struct ctl *c);
