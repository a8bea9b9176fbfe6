/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the judgement whether a slave is alive: ticks, silence, and whether it gets on with what it owes.
 *
 * Progress is what the slave's host has taken of the stream, or what the slave has acknowledged, however little: a slow link is
 * not a dead one. But when all of a transaction that a commit waits for has been taken, only its acknowledgement is
 * progress: whatever else we send, our ticks above all, the host of a frozen slave takes, too. */
#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/master-internal.h"

/* A relay may have to wait for slaves of its own, as long as we would for it. All count from the same moment on; what they need more
 * is that each level looks a little later. */
static uint64_t acknowledge_limit(const struct remote *r, uint64_t limit) {
        return r->depth > 0 ? limit + limit / TICKS_MISSED_MAX : limit;
}

/* Whether it has all of a copy, or of what came before END, and has to get that onto its disk: its ticks say that it is there. */
static bool is_busy(const struct remote *r) {
        return r->state == REMOTE_ENDED || r->state == REMOTE_ADMITTED ||
               (r->state == REMOTE_CATCHING_UP && r->copied && !r->copy_written);
}

/* How long one may go without progress while nobody waits for it; 0: for ever. */
static uint64_t idle_limit(const struct remote *r, uint64_t limit) {
        uint64_t sync = r->master->config.sync_timeout_usec;

        if (r->state == REMOTE_FOLLOWING)
                return limit;
        return is_busy(r) || sync == 0 ? 0 : MAX(sync, limit);
}

/* Whether there is anything that it could take or answer. */
static bool owes(const struct remote *r) {
        return peer_unsent(r->peer) > 0 || r->unacked.n > 0 || r->unsent.n > 0 || is_busy(r) || r->state == REMOTE_COPYING;
}

void remote_progresses(struct remote *r) {
        r->progress = now_monotonic();
        r->believed = 0;
}

/* A relay's word cannot be looked at, so it is good for one interval more, and not for ever. */
void remote_claims_progress(struct remote *r) {
        uint64_t two_ticks = (TICKS_MISSED_MAX - 1) * r->master->config.tick_usec, now = now_monotonic();

        if (r->depth == 0 || r->believed >= r->unacked.bytes / BELIEVED_BYTES)
                return;
        r->believed++;
        if (now > two_ticks)
                r->progress = MAX(r->progress, now - two_ticks);
        master_progresses(r->master);
}

static void look(struct remote *r, const struct entry *awaited, uint64_t now) {
        uint64_t taken = peer_taken(r->peer);

        if (!owes(r))
                r->progress = now;
        else if (taken > r->taken && (!awaited || taken < awaited->end)) {
                r->progress = now;
                if (awaited)
                        master_progresses(r->master);
        }
        r->taken = taken;
}

/* NULL: alive. Else what is the matter; and when to look again at the latest. */
static const char *judge(struct remote *r, uint64_t now, uint64_t *ret_next) {
        uint64_t limit = TICKS_MISSED_MAX * r->master->config.tick_usec, idle = idle_limit(r, limit), until;
        const struct entry *awaited = remote_oldest_awaited(r);

        *ret_next = USEC_INFINITY;
        look(r, awaited, now);
        if (limit > 0) {
                if (peer_last_input(r->peer) + limit <= now)
                        return "three intervals without a tick";
                *ret_next = peer_last_input(r->peer) + limit;
        }
        if (limit > 0 && awaited) {
                until = MAX(awaited->commit->since, r->progress) + acknowledge_limit(r, limit);
                if (until <= now)
                        return "it has not acknowledged a transaction for three tick intervals";
                *ret_next = MIN(*ret_next, until);
        } else if (idle > 0) {
                until = r->progress + idle;
                if (until <= now)
                        return r->state == REMOTE_FOLLOWING ? "it has not read anything for three tick intervals" :
                               "it does not get on with the synchronization";
                *ret_next = MIN(*ret_next, until);
        }
        return NULL;
}

static void send_tick(struct remote *r, uint64_t now) {
        uint8_t buf[TICK_MESSAGE_SIZE];

        r->last_tick = now;
        if (!peer_has_room(r->peer)) /* it is busy, and what is on its way is as good as a tick */
                return;
        tick_message_encode(/* depth= */ 0, buf);
        peer_send(r->peer, HOP_TICK, &(struct iovec) { buf, sizeof(buf) }, 1);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct remote *r = userdata;
        uint64_t now = now_monotonic(), next;
        const char *why;

        /* We have been asleep ourselves. Who has not listened cannot say that others were silent. */
        if (r->tick_usec > 0 && now >= usec + r->tick_usec) {
                peer_forgive(r->peer);
                r->progress = now;
                r->last_tick = 0;
        }
        why = judge(r, now, &next);
        if (why) {
                remote_drop(r, why);
                return 0;
        }
        if (r->tick_usec > 0) {
                if (r->last_tick + r->tick_usec <= now + r->tick_usec / 8)
                        send_tick(r, now);
                next = MIN(next, r->last_tick + r->tick_usec);
        }
        if (next == USEC_INFINITY)
                return 0;
        (void) sd_event_source_set_time(r->timer, MAX(next, now + USEC_PER_MSEC));
        (void) sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
        return 0;
}

int remote_start_ticks(struct remote *r, uint64_t theirs) {
        struct master *m = r->master;
        uint64_t now = now_monotonic(), interval = tick_interval(m->config.tick_usec, theirs), first = interval;

        r->timer = sd_event_source_disable_unref(r->timer);
        r->tick_usec = interval;
        r->last_tick = r->progress = now;
        if (first == 0)
                first = m->config.sync_timeout_usec;
        if (first == 0)
                return 0;
        return sd_event_add_time(m->event, &r->timer, CLOCK_MONOTONIC, now + first, first / 16 + 1, on_timer, r);
}
