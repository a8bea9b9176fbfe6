/* SPDX-License-Identifier: Apache-2.0 */
/* An entry of the history as a struct: what the journal has of it, and how it is shown. */
#pragma once

#include <stdint.h>

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

void history_entry_done(struct history_entry *e);

/* Prints entries, the oldest first, as c->json says. -ENOMEM */
_must_check_ int history_print(const struct ctl *c, const struct history_entry *entries, size_t n);

/* Reads the last c->lines entries from the journal of this machine, or of the container -M.
 * *ret is owned by the caller, each entry by history_entry_done(). *ret_partial: whether there are journal files that
 * this user may not read; *ret_more: whether older entries were left out. */
_must_check_ int history_read(struct ctl *c, struct history_entry **ret, size_t *ret_n, bool *ret_partial,
                              bool *ret_more);
