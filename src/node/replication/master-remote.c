/* SPDX-License-Identifier: Apache-2.0 */
/* Owns one connection at the serving side: proof, join, ticks, end. */
#include <stdio.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/master-internal.h"

/* Refusals that are logged in so many seconds; the rest is counted. */
enum { REFUSALS_LOGGED = 20, REFUSALS_SEC = 10 };

static bool is_joined(const struct remote *r) {
        return r->state >= REMOTE_COPYING;
}

static const char *address_text(const struct remote *r, char buf[static NODE_ADDRESS_TEXT_MAX]) {
        return node_address_text(&r->address, buf);
}

static void log_refusal(struct remote *r, enum ha_error code, const char *reason) {
        struct master *m = r->master;
        char address[NODE_ADDRESS_TEXT_MAX], name[NODE_ID_TEXT_MAX];
        uint64_t now = now_monotonic();

        if (now - m->refusals_since > REFUSALS_SEC * USEC_PER_SEC) {
                if (m->refusals > REFUSALS_LOGGED)
                        log_warning("refused %u more connections of nodes in the last seconds", m->refusals - REFUSALS_LOGGED);
                m->refusals_since = now;
                m->refusals = 0;
        }
        if (++m->refusals > REFUSALS_LOGGED)
                return;
        if (hop_is_authenticated(peer_hop(r->peer)))
                log_warning("refused node %s at %s (%s): %s", node_id_text(hop_peer(peer_hop(r->peer)), name),
                            address_text(r, address), ha_error_name(code), reason);
        else
                log_warning("refused a connection from %s (%s): %s", address_text(r, address), ha_error_name(code), reason);
}

static void unlist(struct remote *r) {
        struct master *m = r->master;

        for (struct remote **p = &m->remotes; *p; p = &(*p)->next)
                if (*p == r) {
                        *p = r->next;
                        break;
                }
        if (r->state == REMOTE_FOLLOWING)
                m->n_arrived--;
}

static void bury_later(struct remote *r) {
        struct master *m = r->master;

        unlist(r);
        r->state = REMOTE_GONE;
        r->timer = sd_event_source_disable_unref(r->timer);
        r->peer = peer_free(r->peer);
        remote_queues_done(r);
        r->next = m->gone;
        m->gone = r;
        master_wake(m);
}

void remote_bury(struct master *m) {
        for (struct remote *r; (r = m->gone);) {
                m->gone = r->next;
                free(r);
        }
}

void remote_drop(struct remote *r, const char *why) {
        struct master *m = r->master;
        char address[NODE_ADDRESS_TEXT_MAX], name[NODE_ID_TEXT_MAX];
        bool joined = is_joined(r), arrived = r->state == REMOTE_FOLLOWING;

        if (r->state == REMOTE_GONE)
                return;
        if (joined)
                log_notice("slave %s at %s is gone%s: %s", node_id_text(&r->id, name), address_text(r, address),
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
        while (m->remotes)
                bury_later(m->remotes);
        remote_bury(m);
}

bool master_give_up_copies(struct master *m) {
        bool any = false;

        for (struct remote *r = m->remotes, *next; r; r = next) {
                next = r->next; /* dropping one takes only that one off the list */
                if (!r->snapshot && !remote_lags(r))
                        continue;
                any = true;
                r->snapshot = store_snapshot_free(r->snapshot); /* now, and not when it is buried */
                remote_drop(r, "its copy would cost us the last of the disk, and is given up");
        }
        return any;
}

static void refuse(struct remote *r, enum ha_error code, const char *reason) {
        log_refusal(r, code, reason);
        r->state = REMOTE_REFUSED; /* the stranger's timer still runs */
        peer_refuse(r->peer, code, reason);
}

/* Sends ticks and judges whether the slave is still alive. A slave that is a relay has as much longer to acknowledge as its
 * own slaves may keep it waiting. */
static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        struct remote *r = userdata;
        struct master *m = r->master;
        uint64_t now = now_monotonic(), limit = TICKS_MISSED_MAX * m->config.tick_usec, next = now + r->tick_usec;
        uint8_t tick[TICK_MESSAGE_SIZE];
        const struct commit *c;

        if (limit > 0) {
                if (peer_last_input(r->peer) + limit <= now) {
                        remote_drop(r, "three intervals without a tick");
                        return 0;
                }
                if (peer_output(r->peer) > 0 && peer_last_output(r->peer) + limit <= now) {
                        remote_drop(r, "it has not read anything for three tick intervals");
                        return 0;
                }
                c = remote_oldest_awaited(r);
                if (c && c->since + limit * (1 + r->depth) <= now) {
                        remote_drop(r, "it has not acknowledged a transaction for three tick intervals");
                        return 0;
                }
                next = MIN(next, peer_last_input(r->peer) + limit);
        }
        if (r->last_tick + r->tick_usec <= now + r->tick_usec / 8) {
                r->last_tick = now;
                if (peer_has_room(r->peer)) { /* else it is busy, and what is on its way is as good as a tick */
                        tick_message_encode(/* depth= */ 0, tick);
                        peer_send(r->peer, HOP_TICK, &(struct iovec) { tick, sizeof(tick) }, 1);
                }
        }
        next = MIN(next, r->last_tick + r->tick_usec);
        (void) sd_event_source_set_time(r->timer, MAX(next, now + USEC_PER_MSEC));
        (void) sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
        return 0;
}

static int on_stranger_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        struct remote *r = userdata;

        if (r->state != REMOTE_REFUSED)
                log_refusal(r, HA_ERROR_CLOSED, "it did not prove itself within 5 seconds");
        remote_drop(r, "");
        return 0;
}

static int start_ticks(struct remote *r, uint64_t theirs) {
        struct master *m = r->master;
        uint64_t interval = tick_interval(m->config.tick_usec, theirs);

        r->timer = sd_event_source_disable_unref(r->timer);
        r->tick_usec = interval;
        if (interval == 0)
                return 0;
        r->last_tick = now_monotonic();
        return sd_event_add_time(m->event, &r->timer, CLOCK_MONOTONIC, r->last_tick + interval, interval / 16 + 1, on_tick, r);
}

void remote_send_path(struct remote *r, const struct node_path *path) {
        uint8_t buf[MESSAGE_SIZE_MAX];

        if (!is_joined(r))
                return;
        r->path_due = !peer_has_room(r->peer);
        if (!r->path_due)
                peer_send(r->peer, HOP_PATH, &(struct iovec) { buf, node_path_encode(path, buf) }, 1);
}

static void on_join(struct remote *r, const struct hop_frame *frame) {
        struct master *m = r->master;
        struct accept_message accept = {};
        struct join_message join;
        uint8_t buf[MESSAGE_SIZE_MAX];
        char name[NODE_ID_TEXT_MAX], own[NODE_ID_TEXT_MAX], address[NODE_ADDRESS_TEXT_MAX], text[2 * NODE_ID_TEXT_MAX + 64];
        size_t n = 0;
        int k;

        r->id = *hop_peer(peer_hop(r->peer));
        if (join_message_decode(frame->body, frame->size, &join) < 0) {
                refuse(r, HA_ERROR_CLOSED, "malformed JOIN");
                return;
        }
        master_path(m, &accept.path);
        if (!node_id_equal(hop_expected(peer_hop(r->peer)), &m->id)) {
                (void) snprintf(text, sizeof(text), "it looks for node %s, but this is node %s",
                                node_id_text(hop_expected(peer_hop(r->peer)), name), node_id_text(&m->id, own));
                refuse(r, HA_ERROR_BADNAME, text);
                return;
        }
        if (node_id_equal(&r->id, &m->id)) {
                refuse(r, HA_ERROR_BADNAME, "it has the name of this node");
                return;
        }
        if (node_path_contains(&accept.path, &r->id)) {
                refuse(r, HA_ERROR_BADNAME, "this node follows it, directly or through relays: that would be a circle");
                return;
        }
        if (accept.path.n >= PATH_NODES_MAX) {
                refuse(r, HA_ERROR_BADNAME, "the chain of relays is too long");
                return;
        }
        if (memcmp(join.schema, m->config.schema.digest, sizeof(join.schema)) != 0) {
                refuse(r, HA_ERROR_BADFXS, "its schema set is not ours: the files of SchemaDirectory have to be the same");
                return;
        }
        for (struct remote *other = m->remotes, *next; other; other = next) {
                next = other->next;
                if (!is_joined(other))
                        continue;
                if (node_id_equal(&other->id, &r->id))
                        remote_drop(other, "it has joined again");
                else
                        n++;
        }
        if (n >= SLAVES_MAX) {
                refuse(r, HA_ERROR_CONNECT, "254 slaves are connected, and there cannot be more");
                return;
        }

        strcpy(r->transaction_id, join.transaction_id);
        k = remote_begin(r, &accept.copy, &accept.entries, accept.transaction_id);
        if (k < 0) {
                (void) snprintf(text, sizeof(text), "%s", strerror(-k));
                refuse(r, HA_ERROR_CLOSED, text);
                return;
        }
        if (r->state == REMOTE_GONE)
                return;
        /* Only now: a refused one keeps the stranger's deadline. */
        k = start_ticks(r, join.tick_usec);
        if (k < 0) {
                remote_drop(r, strerror(-k));
                return;
        }
        if (accept.copy)
                log_info("slave %s joins from %s and is sent all data (%llu entries)", node_id_text(&r->id, name),
                         address_text(r, address), (unsigned long long) accept.entries);
        else
                log_info("slave %s joins from %s and has our data already", node_id_text(&r->id, name), address_text(r, address));
        accept.tick_usec = m->config.tick_usec;
        peer_send(r->peer, HOP_ACCEPT, &(struct iovec) { buf, accept_message_encode(&accept, buf) }, 1);
        master_depth_changed(m);
        remote_pump(r);
}

void remote_admit(struct remote *r) {
        struct master *m = r->master;
        char name[NODE_ID_TEXT_MAX];

        if (m->hold) {
                r->state = REMOTE_HELD;
                return;
        }
        r->state = REMOTE_FOLLOWING;
        m->n_arrived++;
        log_notice("slave %s has arrived", node_id_text(&r->id, name));
        peer_send(r->peer, HOP_ADMIT, NULL, 0);
        master_event(m, /* arrived= */ true, &r->id, &r->address);
        master_update_log(m);
        remote_pump(r);
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
                on_join(r, frame);
                return;
        case HOP_READY:
                if (r->state != REMOTE_ENDED)
                        break;
                remote_admit(r);
                return;
        case HOP_ACK:
                if (r->state != REMOTE_FOLLOWING || ack_message_decode(frame->body, frame->size, &n) < 0 ||
                    remote_acknowledged(r, n) < 0)
                        break;
                return;
        case HOP_TICK:
                if (!is_joined(r) || tick_message_decode(frame->body, frame->size, &depth) < 0)
                        break;
                if (r->depth != depth) {
                        r->depth = depth;
                        master_depth_changed(r->master);
                }
                return;
        default:
                break;
        }
        if (!is_joined(r))
                log_refusal(r, HA_ERROR_CLOSED, "it does not keep to the protocol");
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
                log_refusal(r, error, reason);
        remote_drop(r, reason);
}

static const struct peer_callbacks callbacks = {
        .authenticated = on_authenticated,
        .frame = on_frame,
        .writable = on_writable,
        .closed = on_closed,
};

static bool same_host(const struct node_address *a, const struct node_address *b) {
        return a->family == b->family &&
               memcmp(&a->ip6, &b->ip6, a->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr)) == 0;
}

static struct remote *oldest_stranger(struct master *m, const struct node_address *host, size_t *ret_n) {
        struct remote *oldest = NULL;
        size_t n = 0;

        for (struct remote *r = m->remotes; r; r = r->next)
                if (!is_joined(r) && (!host || same_host(&r->address, host))) {
                        if (!oldest)
                                oldest = r;
                        n++;
                }
        *ret_n = n;
        return oldest;
}

/* Many strangers must not keep out the one that has the token: the host that has the most connections loses its oldest.
 * Usually that is the one that comes with yet another. */
static void make_room(struct master *m, const struct node_address *newcomer) {
        struct remote *victim;
        size_t n, most;

        (void) oldest_stranger(m, NULL, &n);
        if (n < STRANGERS_MAX)
                return;
        victim = oldest_stranger(m, newcomer, &most);
        if (most <= STRANGERS_MAX / 2)
                for (struct remote *r = m->remotes; r; r = r->next)
                        if (!is_joined(r)) {
                                struct remote *oldest = oldest_stranger(m, &r->address, &n);

                                if (n > most) {
                                        most = n;
                                        victim = oldest;
                                }
                        }
        if (victim)
                remote_drop(victim, "");
}

int remote_new(struct master *m, int fd, const struct node_address *address) {
        struct remote *r, **p;
        struct hop *hop;
        int k;

        make_room(m, address);
        r = calloc(1, sizeof(*r));
        if (!r) {
                safe_close(fd);
                return -ENOMEM;
        }
        r->master = m;
        r->state = REMOTE_STRANGER;
        r->address = *address;
        r->since = now_monotonic();
        k = hop_new_serving(&m->id, &m->token, &hop);
        if (k < 0) {
                safe_close(fd);
                free(r);
                return k;
        }
        k = peer_new(m->event, fd, /* connecting= */ false, hop, &callbacks, r, &r->peer);
        if (k >= 0)
                k = sd_event_add_time(m->event, &r->timer, CLOCK_MONOTONIC, r->since + STRANGER_SEC * USEC_PER_SEC, 0,
                                      on_stranger_timeout, r);
        if (k < 0) {
                peer_free(r->peer);
                free(r);
                return k;
        }
        for (p = &m->remotes; *p; p = &(*p)->next)
                ;
        *p = r;
        return 0;
}
