/* SPDX-License-Identifier: Apache-2.0 */
/* Whose data this node had in place last, and how that ended: what decides who may take over. Pure.
 *
 * A node is in sync while it is master, or follows its master with its data in place. The record of it begins then, and ends
 * with what is known first of its end. A BeSlave that is begun may overwrite the data: from then on the record says nothing
 * of them, until the node is in sync again. */
#pragma once

#include "basic/util.h"
#include "service/bus-errors.h"
#include "service/roles.h"

enum sync_end {
        SYNC_NEVER,       /* there is no record */
        SYNC_LASTS,
        SYNC_MASTER_LOST,
        SYNC_ORDER,
        SYNC_OUTAGE,
};

struct sync_record {
        enum ha_state as;
        char *id, *address; /* of the master whose data it was; never NULL once sync_record_init() is through */
        uint64_t ended;     /* µs since the epoch, 0 while it lasts */
        enum sync_end how;
        bool beslave_since; /* a BeSlave has been begun since */
        bool lost;          /* SYNC_NEVER, but only because what there was is lost */
};

/* None. -ENOMEM. */
_must_check_ int sync_record_init(struct sync_record *r);
void sync_record_done(struct sync_record *r);

/* Another with the same in it; what *to held is not looked at. -ENOMEM. */
_must_check_ int sync_record_copy(const struct sync_record *from, struct sync_record *to);

const char *sync_end_to_string(enum sync_end end);

/* In sync as this. Returns 1 if that is news, 0 if not, -ENOMEM. */
_must_check_ int sync_record_begin(struct sync_record *r, enum ha_state as, const char *id, const char *address);

/* No longer. Whether that is news. */
bool sync_record_end(struct sync_record *r, enum sync_end how, uint64_t realtime);

/* A BeSlave goes out. Whether that is news. */
bool sync_record_beslave(struct sync_record *r, uint64_t realtime);

/* Whether the node may be master as node_id in the place of old_master ("": of any): none, or NotInSync with what is known. */
struct failure sync_record_judge(const struct sync_record *r, const char *node_id, const char *old_master);

/* As a file has it, NULL without memory; and back: -EBADMSG for what is none, -ENOMEM. */
char *sync_record_to_text(const struct sync_record *r);
_must_check_ int sync_record_from_text(struct sync_record *r, const char *text);
