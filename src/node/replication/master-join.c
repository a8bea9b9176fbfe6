/* SPDX-License-Identifier: Apache-2.0 */
/* Owns a slave's way from its JOIN to its arrival: the checks, and the steps that both sides take together. */
#include <stdio.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/master-internal.h"

void remote_send_path(struct remote *r, const struct node_path *path) {
        uint8_t buf[MESSAGE_SIZE_MAX];

        if (!remote_is_joined(r))
                return;
        r->path_due = !peer_has_room(r->peer);
        if (!r->path_due)
                peer_send(r->peer, HOP_PATH, &(struct iovec) { buf, node_path_encode(path, buf) }, 1);
}

/* Why it may not join: the checks in the order of the model. 0, or an HA error with its reason. */
static int check(struct remote *r, const struct join_message *join, const struct node_path *path, char *reason, size_t size) {
        const struct node_id *expected = hop_expected(peer_hop(r->peer));
        struct master *m = r->master;
        char name[NODE_ID_TEXT_MAX], own[NODE_ID_TEXT_MAX];
        const char *why;

        if (!node_id_equal(expected, &m->id)) {
                (void) snprintf(reason, size, "it looks for node %s, but this is node %s", node_id_text(expected, name),
                                node_id_text(&m->id, own));
                return HA_ERROR_BADNAME;
        }
        if (node_id_equal(&r->id, &m->id))
                why = "it has the name of this node";
        else if (node_path_contains(path, &r->id))
                why = "this node follows it, directly or through relays: that would be a circle";
        else if (path->n >= PATH_NODES_MAX)
                why = "the chain of relays is too long";
        else if (memcmp(join->schema, m->config.schema.digest, sizeof(join->schema)) != 0) {
                (void) snprintf(reason, size, "its schema set is not ours: the files of SchemaDirectory have to be the same");
                return HA_ERROR_BADFXS;
        } else
                return 0;
        (void) snprintf(reason, size, "%s", why);
        return HA_ERROR_BADNAME;
}

/* It takes the place of one of its name. Returns whether there is room. */
static bool take_place(struct remote *r) {
        size_t n = 0;

        for (struct remote *other = TAILQ_FIRST(&r->master->remotes), *next; other; other = next) {
                next = TAILQ_NEXT(other, remotes);
                if (!remote_is_joined(other))
                        continue;
                if (node_id_equal(&other->id, &r->id))
                        remote_drop(other, "it has joined again");
                else
                        n++;
        }
        return n < SLAVES_MAX;
}

static void log_join(struct remote *r, const struct accept_message *accept) {
        char name[NODE_ID_TEXT_MAX], address[NODE_ADDRESS_TEXT_MAX];

        node_id_text(&r->id, name);
        node_address_text(&r->address, address);
        if (accept->copy)
                log_info("Slave %s joins from %s and is sent all data (%llu entries)", name, address,
                         (unsigned long long) accept->entries);
        else
                log_info("Slave %s joins from %s and has our data already", name, address);
}

void remote_on_join(struct remote *r, const struct hop_frame *frame) {
        struct master *m = r->master;
        struct accept_message accept = {};
        struct join_message join;
        uint8_t buf[MESSAGE_SIZE_MAX];
        char reason[2 * NODE_ID_TEXT_MAX + 128];
        int k;

        r->id = *hop_peer(peer_hop(r->peer));
        if (join_message_decode(frame->body, frame->size, &join) < 0) {
                remote_refuse(r, HA_ERROR_CLOSED, "malformed JOIN");
                return;
        }
        master_path(m, &accept.path);
        k = check(r, &join, &accept.path, reason, sizeof(reason));
        if (k > 0) {
                remote_refuse(r, (enum ha_error) k, reason);
                return;
        }
        if (!take_place(r)) {
                remote_refuse(r, HA_ERROR_CONNECT, "254 slaves are connected, and there cannot be more");
                return;
        }
        strcpy(r->transaction_id, join.transaction_id);
        k = remote_begin(r, &accept.copy, &accept.entries, accept.transaction_id);
        if (k < 0) {
                remote_refuse(r, HA_ERROR_CLOSED, strerror(-k));
                return;
        }
        if (r->state == REMOTE_GONE)
                return;
        /* Only now: a refused one keeps the stranger's deadline. */
        k = remote_start_ticks(r, join.tick_usec);
        if (k < 0) {
                remote_drop(r, strerror(-k));
                return;
        }
        log_join(r, &accept);
        accept.tick_usec = m->config.tick_usec;
        peer_send(r->peer, HOP_ACCEPT, &(struct iovec) { buf, accept_message_encode(&accept, buf) }, 1);
        master_depth_changed(m);
        remote_pump(r);
}

/* What it was sent of the snapshot is on its disk. From here on it catches up, and the writers' patience with that begins. */
void remote_on_copied(struct remote *r) {
        r->copy_written = true;
        r->catching_up_since = now_monotonic();
        remote_progresses(r);
        remote_pump(r);
}

/* What it was sent up to END is durable there. What it has been owed since then is sent right behind the admission, and
 * commits wait for it. */
void remote_on_ready(struct remote *r) {
        remote_is_durable(r);
        remote_progresses(r);
        r->state = REMOTE_ADMITTED;
        peer_send(r->peer, HOP_ADMIT, NULL, 0);
        remote_pump(r);
}

void remote_on_in_force(struct remote *r) {
        struct master *m = r->master;
        char name[NODE_ID_TEXT_MAX];

        r->state = REMOTE_FOLLOWING;
        m->n_arrived++;
        remote_progresses(r);
        log_notice("Slave %s has arrived", node_id_text(&r->id, name));
        peer_send(r->peer, HOP_ARRIVED, NULL, 0);
        master_event(m, /* arrived= */ true, &r->id, &r->address);
}
