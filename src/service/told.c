/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the comparison of properties with what was told of them. */
#include <inttypes.h>
#include <stdio.h>

#include "service/state.h"
#include "service/told.h"

void told_done(struct told *t) {
        for (size_t i = 0; i < TOLD_BITS_MAX; i++)
                free(t->text[i]);
        *t = (struct told) {};
}

/* The parts of one property cannot be mistaken for each other: each comes with its length. */
static void put(FILE *f, const char *s) {
        fprintf(f, "%zu:%s,", strlen(s), s);
}

/* Whether there is a text for the bit. State, StateSince and Transitions change together, and never back. */
static bool print(FILE *f, const struct state *s, unsigned bit) {
        switch (bit) {
        case CHANGED_NODE_ID:
                put(f, s->node_id);
                return true;
        case CHANGED_MASTER:
                put(f, s->master_id);
                put(f, s->master_address);
                return true;
        case CHANGED_SLAVES:
                for (size_t i = 0; i < node_list_size(s->slaves); i++) {
                        put(f, s->slaves->nodes[i].id);
                        put(f, s->slaves->nodes[i].address);
                }
                return true;
        case CHANGED_CONNECTED:
                fprintf(f, "%d", s->connected);
                return true;
        case CHANGED_EVENTS_CONNECTED:
                fprintf(f, "%d", s->events_connected);
                return true;
        case CHANGED_SYNCHRONIZING:
                fprintf(f, "%d", s->synchronizing);
                return true;
        case CHANGED_IN_SYNC:
                fprintf(f, "%d", s->in_sync);
                return true;
        case CHANGED_CONFD_ADDRESS:
                put(f, s->confd_address);
                return true;
        case CHANGED_CONFD_VERSION:
                put(f, s->confd_version);
                fprintf(f, "%u", s->protocol_version);
                return true;
        case CHANGED_LAST_ERROR:
                put(f, s->error_name);
                put(f, s->error_message);
                fprintf(f, "%" PRIu64, s->error_time);
                return true;
        case CHANGED_LAST_IN_SYNC:
                fprintf(f, "%u,%u,%" PRIu64 ",", s->last_in_sync.as, s->last_in_sync.how, s->last_in_sync.ended);
                put(f, s->last_in_sync.id);
                put(f, s->last_in_sync.address);
                return true;
        default:
                return false;
        }
}

unsigned told_update(struct told *t, const struct state *s, unsigned changed) {
        for (unsigned i = 0; i < TOLD_BITS_MAX; i++) {
                unsigned bit = 1U << i;
                char *text = NULL;
                size_t size = 0;
                FILE *f;
                bool known;

                if (!(changed & bit))
                        continue;
                f = open_memstream(&text, &size);
                if (!f)
                        continue;
                known = print(f, s, bit);
                if (fclose(f) == 0 && known && t->text[i] && streq(t->text[i], text))
                        changed &= ~bit;
                free(t->text[i]);
                t->text[i] = text;
        }
        return changed;
}
