/* SPDX-License-Identifier: Apache-2.0 */
/* Owns one connection at the serving side, from its first byte to its last: strangers, what each frame means, its end. */
#include <stdio.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/master-internal.h"

bool remote_is_joined(const struct remote *r) {
        return r->state >= REMOTE_COPYING;
}

static const char *address_text(const struct remote *r, char buf[static NODE_ADDRESS_TEXT_MAX]) {
        return node_address_text(&r->address, buf);
}

void remote_log_refusal(struct remote *r, enum ha_error code, const char *reason) {
        struct master *m = r->master;
        char address[NODE_ADDRESS_TEXT_MAX], name[NODE_ID_TEXT_MAX];
        unsigned held_back;

        if (!ratelimit_allow(&m->refusals, now_monotonic(), &held_back))
                return;
        if (held_back > 0)
                log_warning("Refused %u more connections of nodes in the last seconds", held_back);
        if (hop_is_authenticated(peer_hop(r->peer)))
                log_warning("Refused node %s at %s (%s): %s", node_id_text(hop_peer(peer_hop(r->peer)), name),
                            address_text(r, address), ha_error_name(code), reason);
        else
                log_warning("Refused a connection from %s (%s): %s", address_text(r, address), ha_error_name(code), reason);
}

static void bury_later(struct remote *r) {
        struct master *m = r->master;

        TAILQ_REMOVE(&m->remotes, r, remotes);
        if (r->state == REMOTE_FOLLOWING)
                m->n_arrived--;
        r->state = REMOTE_GONE;
        r->timer = sd_event_source_disable_unref(r->timer);
        r->peer = peer_free(r->peer);
        remote_queues_done(r);
        TAILQ_INSERT_TAIL(&m->gone, r, remotes);
        master_wake(m);
}

void remote_bury(struct master *m) {
        struct remote *r;

        while ((r = TAILQ_FIRST(&m->gone))) {
                TAILQ_REMOVE(&m->gone, r, remotes);
                free(r);
        }
}

void remote_drop(struct remote *r, const char *why) {
        struct master *m = r->master;
        char address[NODE_ADDRESS_TEXT_MAX], name[NODE_ID_TEXT_MAX];
        bool joined = remote_is_joined(r), arrived = r->state == REMOTE_FOLLOWING;

        if (r->state == REMOTE_GONE)
                return;
        if (joined)
                log_notice("Slave %s at %s is gone%s: %s", node_id_text(&r->id, name), address_text(r, address),
                           arrived ? "" : " before it was synchronized", why);
        bury_later(r);
        if (arrived)
                master_event(m, /* arrived= */ false, &r->id, &r->address);
        if (joined) {
                master_update_log(m);
                master_depth_changed(m);
        }
}

void remote_drop_all(struct master *m) {
        struct remote *r;

        while ((r = TAILQ_FIRST(&m->remotes)))
                bury_later(r);
        remote_bury(m);
}

bool master_give_up_copies(struct master *m) {
        bool any = false;

        for (struct remote *r = TAILQ_FIRST(&m->remotes), *next; r; r = next) {
                next = TAILQ_NEXT(r, remotes); /* dropping one takes only that one off the list */
                if (!remote_is_joined(r) || r->state >= REMOTE_ENDED)
                        continue;
                any = true;
                remote_drop(r, "its copy would cost us the last of the disk, and is given up");
        }
        return any;
}

void remote_refuse(struct remote *r, enum ha_error code, const char *reason) {
        remote_log_refusal(r, code, reason);
        r->state = REMOTE_REFUSED; /* the stranger's timer still runs */
        peer_refuse(r->peer, code, reason);
}

static int on_stranger_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        struct remote *r = userdata;

        if (r->state != REMOTE_REFUSED)
                remote_log_refusal(r, HA_ERROR_CLOSED, "it did not prove itself within 5 seconds");
        remote_drop(r, "");
        return 0;
}

static void on_authenticated(struct peer *p, void *userdata) {
        struct remote *r = userdata;

        r->state = REMOTE_PROVEN;
}

static void on_frame(struct peer *p, const struct hop_frame *frame, void *userdata) {
        struct remote *r = userdata;
        unsigned depth;
        uint64_t n;

        switch (frame->type) {
        case HOP_JOIN:
                if (r->state != REMOTE_PROVEN)
                        break;
                remote_on_join(r, frame);
                return;
        case HOP_COPIED:
                if (r->state != REMOTE_CATCHING_UP || !r->copied || r->copy_written)
                        break;
                remote_on_copied(r);
                return;
        case HOP_READY:
                if (r->state != REMOTE_ENDED)
                        break;
                remote_on_ready(r);
                return;
        case HOP_IN_FORCE:
                if (r->state != REMOTE_ADMITTED)
                        break;
                remote_on_in_force(r);
                return;
        case HOP_ACK:
                if (r->state < REMOTE_CATCHING_UP || ack_message_decode(frame->body, frame->size, &n) < 0 ||
                    remote_acknowledged(r, n) < 0)
                        break;
                if (n > 0)
                        remote_progresses(r);
                else
                        remote_claims_progress(r);
                remote_pump(r);
                return;
        case HOP_TICK:
                if (!remote_is_joined(r) || tick_message_decode(frame->body, frame->size, &depth) < 0)
                        break;
                if (r->depth != depth) {
                        r->depth = depth;
                        master_depth_changed(r->master);
                }
                return;
        default:
                break;
        }
        if (!remote_is_joined(r))
                remote_log_refusal(r, HA_ERROR_CLOSED, "it does not keep to the protocol");
        remote_drop(r, "it does not keep to the protocol");
}

static void on_writable(struct peer *p, void *userdata) {
        struct remote *r = userdata;
        struct node_path path;

        if (r->path_due) {
                master_path(r->master, &path);
                remote_send_path(r, &path);
        }
        remote_pump(r);
}

static void on_closed(struct peer *p, enum ha_error error, const char *reason, void *userdata) {
        struct remote *r = userdata;

        if (r->state == REMOTE_STRANGER || r->state == REMOTE_PROVEN)
                remote_log_refusal(r, error, reason);
        remote_drop(r, reason);
}

static const struct peer_callbacks callbacks = {
        .authenticated = on_authenticated,
        .frame = on_frame,
        .writable = on_writable,
        .closed = on_closed,
};

int remote_new(struct master *m, int fd, const struct node_address *address) {
        struct remote *r;
        struct hop *hop;
        int k;

        strangers_make_room(m);
        r = calloc(1, sizeof(*r));
        if (!r) {
                safe_close(fd);
                return -ENOMEM;
        }
        r->master = m;
        r->state = REMOTE_STRANGER;
        r->address = *address;
        TAILQ_INIT(&r->unsent.list);
        TAILQ_INIT(&r->unacked.list);
        TAILQ_INIT(&r->applied.list);
        k = hop_new_serving(&m->id, &m->token, &hop);
        if (k < 0) {
                safe_close(fd);
                free(r);
                return k;
        }
        k = peer_new(m->event, fd, /* connecting= */ false, hop, &callbacks, r, &r->peer);
        if (k >= 0)
                k = sd_event_add_time(m->event, &r->timer, CLOCK_MONOTONIC, now_monotonic() + STRANGER_SEC * USEC_PER_SEC, 0,
                                      on_stranger_timeout, r);
        if (k < 0) {
                peer_free(r->peer);
                free(r);
                return k;
        }
        TAILQ_INSERT_TAIL(&m->remotes, r, remotes);
        return 0;
}
