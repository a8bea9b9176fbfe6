/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what becomes of a BeSlave that is under way when a connection is lost, or the service ends.
 *
 * ConfD goes on with it, and only ConfD knows how it ends. It may have said so while nobody listened, and its status is no
 * proof: a real ConfD may say slave while the copy still runs, the reference node says none. So the order stays under way. If
 * nothing is heard within GAP_PATIENCE_USEC after both connections are back, and ConfD follows the ordered master, the same
 * order is given once more, which changes nothing for a slave, and its result decides. If ConfD follows nobody, the order has
 * failed: at once if ConfD itself was away, or only its events; after the same time if it was us who were away, for then a node
 * may be joining all the while, and unless it says then that it is: the reference node can be asked.
 *
 * Over a restart the order is kept in the runtime directory, from before ConfD has it until its outcome is known. */
#include <inttypes.h>
#include <stdio.h>

#include "basic/node-name.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "service/controller-internal.h"
#include "service/convert.h"
#include "service/kept-fields.h"
#include "service/kept-files.h"

#define FILE_NAME "be-slave"

/* ---- over a restart ---- */

/* On disk before ConfD begins with it: what is remembered of the data. If it is not given after all, less is known than could be. */
bool controller_may_begin_beslave(struct controller *c, struct order *order) {
        state_expect_beslave(c->state, now_realtime());
        controller_publish(c);
        if (c->handlers->kept(c->userdata))
                return true;
        if (!order->awaits_disk)
                order->deadline = usec_add(now_monotonic(), c->config->request_timeout);
        order->awaits_disk = true;
        return false;
}

void controller_begin_beslave(struct controller *c, struct order *order) {
        _cleanup_free_ char *text = NULL;

        state_beslave(c->state, now_realtime());
        controller_publish(c);
        if (asprintf(&text, "node-id=%s\nmaster-id=%s\nmaster-address=%s\nuntil=%" PRIu64 "\n", order->node_id, order->master_id,
                     order->master_address, usec_add(now_monotonic(), c->config->sync_timeout)) < 0)
                text = NULL;
        (void) kept_save(KEPT_RUNTIME, FILE_NAME, text ?: "");
        order->kept = true;
}

void controller_forget_beslave(struct order *order) {
        if (order->kept)
                (void) kept_save(KEPT_RUNTIME, FILE_NAME, "");
        order->kept = false;
}

static int read_kept(const char *text, char **id, char **master_id, char **master_address, uint64_t *until) {
        _cleanup_free_ char *normal = NULL;
        int r;

        r = kept_field(text, "node-id", id);
        if (r >= 0)
                r = kept_field(text, "master-id", master_id);
        if (r >= 0)
                r = kept_field(text, "master-address", master_address);
        if (r >= 0)
                r = kept_field_u64(text, "until", until);
        if (r >= 0)
                r = master_address_normalize(*master_address, /* strings= */ true, &normal);
        if (r >= 0 && (!node_id_is_valid(*id) || !node_id_is_valid(*master_id) || !streq(normal, *master_address)))
                r = -EBADMSG;
        return r;
}

int controller_restore_beslave(struct controller *c) {
        bool lost;
        _cleanup_free_ char *text = kept_load(KEPT_RUNTIME, FILE_NAME, &lost), *id = NULL, *master_id = NULL, *master_address = NULL;
        struct order_request request = { .kind = ORDER_KIND_BE_SLAVE };
        struct order *order;
        uint64_t until = 0;
        int r;

        if (!text)
                return -ENOMEM;
        if (!*text)
                return 0;
        r = read_kept(text, &id, &master_id, &master_address, &until);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                log_warning("The file " FILE_NAME " in the runtime directory is damaged, so it is not known whether a BeSlave was "
                            "under way");
                (void) kept_save(KEPT_RUNTIME, FILE_NAME, "");
                return 0;
        }
        request.node_id = id;
        request.master_id = master_id;
        request.master_address = master_address;
        r = orders_restore(&c->orders, &request, until, &order);
        if (r < 0)
                return r;
        order->kept = true;
        log_info("A BeSlave %s of %s (%s) was under way when the service ended; its outcome is awaited", id, master_id,
                 master_address);
        c->events_down_since = now_monotonic();
        state_set_synchronizing(c->state, true);
        return 0;
}

/* ---- over the loss of a connection ---- */

void controller_beslave_goes_on(struct controller *c, const struct failure *why, bool may_join) {
        struct order *b = c->orders.following;
        _cleanup_failure_ struct failure f = failure_make(FAILURE_NOT_CONNECTED, "%s; the BeSlave goes on, the signal BeSlaveResult "
                                                          "will tell its outcome", failure_words(why));

        if (!b)
                return;
        b->may_join |= may_join;
        b->judge_at = USEC_INFINITY;
        order_reply(b, &f, /* accepted_only= */ false);
}

/* ---- what is known ---- */

static void succeed(struct controller *c, struct order *b) {
        orders_result_known(&c->orders, b);
        controller_finish(c, b, c->query.covers, FAILURE_NONE);
}

static void fail(struct controller *c, struct order *b, enum ha_state state) {
        controller_finish(c, b, c->query.covers,
                          failure_make(FAILURE_FAILED, "nobody listened to ConfD's events for a while when BeSlave was under way, and "
                                       "now ConfD says state %s: the order has failed, or is still at it; look into ConfD's log, and "
                                       "give it again", ha_state_to_string(state)));
}

/* Once more, so that ConfD says how it ended. */
static void give_again(struct controller *c, struct order *b) {
        struct confd_ha_node master;
        confd_value_t id;
        int r;

        if (!link_is_ready(c->link) || c->orders.in_flight) {
                b->judge_at = usec_add(now_monotonic(), USEC_PER_SEC);
                return;
        }
        node_id_fill(&id, b->node_id);
        node_fill(&master, b->master_id, b->master_address);
        r = confd_ha_client_beslave(link_client(c->link), &id, &master, /* wait= */ false, CONFD_HA_CLIENT_NO_DEADLINE, NULL, NULL);
        if (r < 0) {
                log_warning("Cannot give ConfD the BeSlave once more: %s", strerror(-r));
                b->judge_at = usec_add(now_monotonic(), GAP_PATIENCE_USEC);
                return;
        }
        log_info("ConfD has not told the outcome of the BeSlave %s of %s (%s): it is given once more", b->node_id, b->master_id,
                 b->master_address);
        orders_again(&c->orders);
}

/* Whether it is time. At first that is set. */
static bool is_time(struct order *b) {
        if (b->judge_at == USEC_INFINITY)
                b->judge_at = usec_add(now_monotonic(), GAP_PATIENCE_USEC);
        return b->judge_at <= now_monotonic();
}

void controller_judge_beslave(struct controller *c, enum ha_state state, const struct node_list *nodes) {
        struct order *b = c->orders.following;
        bool follows, heard;

        if (!b)
                return;
        follows = ha_state_follows(state) && node_list_size(nodes) > 0 && streq(nodes->nodes[0].id, b->master_id);
        if (follows && ((b->initialized > 0 && b->initialized <= c->query.covers) || c->orders.stray_success)) {
                succeed(c, b);
                return;
        }
        if (!b->uncertain)
                return;
        heard = c->query.events_up && link_events_up(c->link);
        if (!heard) {
                /* While there is no event connection it may still go on, and ConfD say none; but not for ever. */
                if (!follows && now_monotonic() >= usec_add(c->events_down_since, c->config->request_timeout))
                        fail(c, b, state);
        } else if (follows && state == HA_STATE_SLAVE_RELAY)
                succeed(c, b); /* only a slave whose data are in place becomes one */
        else if (follows) {
                if (is_time(b))
                        give_again(c, b);
        } else if (state != HA_STATE_NONE || !b->may_join)
                fail(c, b, state);
        else if (is_time(b)) {
                b->judge_at = usec_add(now_monotonic(), GAP_PATIENCE_USEC);
                c->handlers->ask_joining(c->userdata);
        }
}

void controller_joining(struct controller *c, bool joining) {
        struct order *b = c->orders.following;

        if (!b || !b->uncertain)
                return;
        if (joining && link_events_up(c->link)) {
                log_info("ConfD is still at the BeSlave %s of %s (%s)", b->node_id, b->master_id, b->master_address);
                b->uncertain = false; /* its end will be heard */
                b->judge_at = USEC_INFINITY;
        } else if (!joining) {
                b->may_join = false;
                c->wanted = true;
        }
        controller_pump(c);
}

uint64_t controller_judgement(const struct controller *c) {
        const struct order *b = c->orders.following;

        return b && link_client(c->link) && !c->query.in_flight && !c->wanted ? b->judge_at : USEC_INFINITY;
}
