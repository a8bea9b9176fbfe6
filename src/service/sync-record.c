/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the record of whose data this node had in place last. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "basic/time-util.h"
#include "service/kept-fields.h"
#include "service/sync-record.h"

static const char *const end_names[] = {
        [SYNC_NEVER] = "",
        [SYNC_LASTS] = "lasts",
        [SYNC_MASTER_LOST] = "master-lost",
        [SYNC_ORDER] = "order",
        [SYNC_OUTAGE] = "outage",
};

const char *sync_end_to_string(enum sync_end end) {
        return end_names[end];
}

int sync_record_init(struct sync_record *r) {
        *r = (struct sync_record) { .id = strdup(""), .address = strdup("") };
        return r->id && r->address ? 0 : -ENOMEM;
}

void sync_record_done(struct sync_record *r) {
        free(r->id);
        free(r->address);
        *r = (struct sync_record) {};
}

int sync_record_begin(struct sync_record *r, enum ha_state as, const char *id, const char *address) {
        char *i, *a;

        if (r->how == SYNC_LASTS && r->as == as && streq(r->id, id) && streq(r->address, address))
                return 0;
        i = strdup(id);
        a = strdup(address);
        if (!i || !a) {
                free(i);
                free(a);
                return -ENOMEM;
        }
        sync_record_done(r);
        *r = (struct sync_record) { .as = as, .id = i, .address = a, .how = SYNC_LASTS };
        return 1;
}

int sync_record_copy(const struct sync_record *from, struct sync_record *to) {
        struct sync_record copy = *from;

        copy.id = copy.address = NULL;
        if (free_and_strdup(&copy.id, from->id) < 0 || free_and_strdup(&copy.address, from->address) < 0) {
                sync_record_done(&copy);
                return -ENOMEM;
        }
        *to = copy;
        return 0;
}

bool sync_record_end(struct sync_record *r, enum sync_end how, uint64_t realtime) {
        if (r->how != SYNC_LASTS)
                return false;
        r->how = how;
        r->ended = realtime;
        return true;
}

bool sync_record_beslave(struct sync_record *r, uint64_t realtime) {
        bool news = !r->beslave_since;

        r->beslave_since = true;
        return sync_record_end(r, SYNC_ORDER, realtime) || news;
}

/* ---- who may take over ---- */

static const char *format_time(uint64_t realtime, char buf[static 32]) {
        time_t t = (time_t) (realtime / USEC_PER_SEC);
        struct tm tm;

        if (!gmtime_r(&t, &tm) || strftime(buf, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
                strcpy(buf, "an unknown time");
        return buf;
}

static struct failure not_in_sync(const struct sync_record *r, const char *why) {
        char since[32];
        _cleanup_free_ char *known = NULL;
        int n;

        if (r->how == SYNC_NEVER && r->lost)
                n = asprintf(&known, "it is not known what this node's data was last in sync with, as the record of it is lost");
        else if (r->how == SYNC_NEVER)
                n = asprintf(&known, "this node's data was never in sync, as far as is known");
        else if (r->as == HA_STATE_MASTER)
                n = asprintf(&known, "this node was last in sync as master \"%s\"%s%s", r->id, r->ended > 0 ? ", until " : ", and is",
                             r->ended > 0 ? format_time(r->ended, since) : "");
        else
                n = asprintf(&known, "this node's data was last in sync as %s of %s (%s)%s%s", ha_state_to_string(r->as), r->id,
                             r->address, r->ended > 0 ? ", until " : ", and is", r->ended > 0 ? format_time(r->ended, since) : "");
        if (n < 0)
                known = NULL;
        return failure_make(FAILURE_NOT_IN_SYNC, "%s; %s; BeMaster makes it master all the same, with the data that it has",
                            known ?: "", why);
}

struct failure sync_record_judge(const struct sync_record *r, const char *node_id, const char *old_master) {
        /* In a cluster that has never had a master, the first one takes over from itself. */
        if (r->how == SYNC_NEVER && !r->beslave_since && !r->lost && streq(old_master, node_id))
                return FAILURE_NONE;
        if (r->how == SYNC_NEVER && r->lost)
                return not_in_sync(r, "it may have been a slave, whose data is old");
        if (r->how == SYNC_NEVER && r->beslave_since)
                return not_in_sync(r, "a BeSlave was begun, which may have changed its data");
        if (r->how == SYNC_NEVER)
                return not_in_sync(r, "such a node may take over from itself only");
        if (r->beslave_since)
                return not_in_sync(r, "a BeSlave was begun since, which may have changed its data");
        if (*old_master && !streq(r->id, old_master))
                return not_in_sync(r, "the master to take over from is another");
        if (r->as == HA_STATE_MASTER || r->how == SYNC_LASTS || r->how == SYNC_MASTER_LOST)
                return FAILURE_NONE;
        return not_in_sync(r, r->how == SYNC_ORDER ? "an order ended it, and what that master did afterwards is not known here"
                                                   : "an outage here ended it, and what that master did meanwhile is not known "
                                                     "here");
}

/* ---- in a file ---- */

char *sync_record_to_text(const struct sync_record *r) {
        char *text;

        if (asprintf(&text, "as=%s\nid=%s\naddress=%s\nended=%" PRIu64 "\nhow=%s\nbe-slave-since=%s\n",
                     r->how == SYNC_NEVER ? "" : ha_state_to_string(r->as), r->id, r->address, r->ended, end_names[r->how],
                     r->beslave_since ? "yes" : "no") < 0)
                return NULL;
        return text;
}

int sync_record_from_text(struct sync_record *ret, const char *text) {
        _cleanup_(sync_record_done) struct sync_record r = {};
        _cleanup_free_ char *as = NULL, *how = NULL, *since = NULL;
        int k;

        k = kept_field(text, "as", &as);
        if (k >= 0)
                k = kept_field(text, "id", &r.id);
        if (k >= 0)
                k = kept_field(text, "address", &r.address);
        if (k >= 0)
                k = kept_field_u64(text, "ended", &r.ended);
        if (k >= 0)
                k = kept_field(text, "how", &how);
        if (k >= 0)
                k = kept_field(text, "be-slave-since", &since);
        if (k < 0)
                return k == -ENOMEM ? k : -EBADMSG;

        while (r.how < ELEMENTSOF(end_names) && !streq(end_names[r.how], how))
                r.how++;
        if (r.how == ELEMENTSOF(end_names) || (!streq(since, "yes") && !streq(since, "no")))
                return -EBADMSG;
        r.as = ha_state_from_string(as);
        if (r.how == SYNC_NEVER ? *as != 0 : r.as != HA_STATE_MASTER && !ha_state_follows(r.as))
                return -EBADMSG;
        if ((r.how == SYNC_NEVER || r.how == SYNC_LASTS) != (r.ended == 0))
                return -EBADMSG;
        r.beslave_since = streq(since, "yes");
        sync_record_done(ret);
        *ret = r;
        r = (struct sync_record) {};
        return 0;
}
