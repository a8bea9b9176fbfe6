/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the documented event calls that wait. */
#include <confd_events.h>
#include <confd_ha.h>

#include "basic/time-util.h"
#include "lib/blocking.h"
#include "lib/errors.h"
#include "lib/event.h"
#include "lib/export.h"
#include "lib/frame.h"
#include "lib/orders.h"
#include "lib/trace.h"
#include "lib/value.h"

/* Subscribes on a socket that has shaken hands. CONFD_EOF when the server closes instead of answering. */
static int subscribe(int sock, const struct subscription *s, bool old_form, uint64_t deadline, const char *what) {
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        struct reply reply;
        char words[768];
        int r;

        if (subscription_append(&b, s, old_form) < 0)
                return blocking_fail(sock, CONFD_ERR_MALLOC, "%s: out of memory", what);
        trace_message(sock, "->", buffer_head(&b) + FRAME_HEADER_SIZE, buffer_size(&b) - FRAME_HEADER_SIZE);
        r = blocking_send(sock, &b, deadline, what);
        if (r != CONFD_OK)
                return r;
        r = blocking_receive(sock, &b, deadline, what);
        if (r != CONFD_OK)
                return r;
        trace_message(sock, "<-", buffer_head(&b), buffer_size(&b));
        if (reply_parse(buffer_head(&b), buffer_size(&b), &reply) < 0)
                return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: the reply is not as the protocol says", what);
        if (reply.code == CONFD_OK)
                return CONFD_OK;
        reply_describe(&reply, words, sizeof(words));
        return blocking_fail(sock, reply.code, "%s: the subscription is refused: %s", what, words);
}

static int notifications_connect(int sock, const struct sockaddr *srv, int srv_sz, int mask,
                                 const struct confd_notifications_data *data, const char *what) {
        struct subscription s;
        uint64_t deadline;
        int r;

        if (subscription_init(&s, mask, data) < 0)
                return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: the mask 0x%x is empty or negative, or wants intervals that "
                                     "are missing or negative", what, (unsigned) mask);
        deadline = usec_add(now_monotonic(), CONFD_HA_HANDSHAKE_SEC * USEC_PER_SEC);
        deadline = MIN(deadline, blocking_deadline(sock, SO_SNDTIMEO));
        r = blocking_connect(sock, srv, srv_sz, IPC_KIND_EVENTS, deadline, what);
        if (r != CONFD_OK)
                return r;
        r = subscribe(sock, &s, /* old_form= */ false, deadline, what);
        if (r != CONFD_EOF)
                return r;

        /* Servers of older releases close on a form that they do not know. They have TCP only, where a socket can be
         * connected once more. */
        if (blocking_disconnect(sock) == CONFD_OK) {
                trace(CONFD_DEBUG, "fd %i: the server closed on the subscription, it is tried in the form of older releases", sock);
                r = blocking_connect(sock, srv, srv_sz, IPC_KIND_EVENTS, deadline, what);
                if (r == CONFD_OK)
                        r = subscribe(sock, &s, /* old_form= */ true, deadline, what);
        }
        if (r != CONFD_OK)
                blocking_give_up(sock);
        return r;
}

_public_ int confd_notifications_connect(int sock, const struct sockaddr *srv, int srv_sz, int mask) {
        return notifications_connect(sock, srv, srv_sz, mask, NULL, "confd_notifications_connect");
}

_public_ int confd_notifications_connect2(int sock, const struct sockaddr *srv, int srv_sz, int mask,
                                          struct confd_notifications_data *data) {
        return notifications_connect(sock, srv, srv_sz, mask, data, "confd_notifications_connect2");
}

static int read_ha(const struct confd_ha_event *e, struct confd_ha_notification *ret) {
        struct eterm c = eterm_init(e->node.id.data, e->node.id.size + e->node.address.size);

        ret->type = e->type;
        switch (e->type) {
        case CONFD_HA_INFO_NOMASTER:
                ret->data.nomaster = e->code;
                return 0;
        case CONFD_HA_INFO_SLAVE_DIED:
                return node_get_parts(&c, &ret->data.slave_died);
        case CONFD_HA_INFO_SLAVE_ARRIVED:
                return node_get_parts(&c, &ret->data.slave_arrived);
        case CONFD_HA_INFO_SLAVE_INITIALIZED:
                ret->data.cdb_initialized_by_copy = e->code;
                return 0;
        case CONFD_HA_INFO_BESLAVE_RESULT:
                ret->data.beslave_result = e->code;
                return 0;
        case CONFD_HA_INFO_IS_MASTER:
        case CONFD_HA_INFO_IS_NONE:
        default:
                return 0;
        }
}

static int fail_node(const struct confd_ha_event *e, int r, const char *what) {
        char id[160], address[160];

        (void) confd_ha_format_id(&e->node.id, id, sizeof(id));
        (void) confd_ha_format_address(&e->node.address, address, sizeof(address));
        return error_set(CONFD_ERR_PROTOUSAGE, "%s: the node of an HA event of type %i, %s at %s, %s struct confd_ha_node", what,
                         (int) e->type, id, address, r == -ENOBUFS ? "does not fit into the 128 bytes of" : "has no place in");
}

static bool is_known(uint64_t bit) {
        return bit == CONFD_NOTIF_HA_INFO || bit == CONFD_NOTIF_HEARTBEAT || bit == CONFD_NOTIF_HEALTH_CHECK;
}

_public_ int confd_read_notification(int sock, struct confd_notification *n) {
        const char *what = "confd_read_notification";
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);
        struct confd_ha_notification trial;
        uint64_t deadline;
        struct event e;
        int r;

        if (!n)
                return error_set(CONFD_ERR_PROTOUSAGE, "%s: no place for the event", what);
        deadline = blocking_deadline(sock, SO_RCVTIMEO);
        do {
                r = blocking_receive(sock, &b, deadline, what);
                if (r != CONFD_OK)
                        return r;
                trace_message(sock, "<-", buffer_head(&b), buffer_size(&b));
                if (event_parse(buffer_head(&b), buffer_size(&b), &e) < 0)
                        return blocking_fail(sock, CONFD_ERR_PROTOUSAGE, "%s: an event is not as the protocol says", what);
        } while (!is_known(e.bit));
        if (e.bit == CONFD_NOTIF_HA_INFO) {
                /* On trial: the caller's struct is written on success only, and pointers in it point into it. */
                r = read_ha(&e.ha, &trial);
                if (r < 0)
                        return fail_node(&e.ha, r, what);
                (void) read_ha(&e.ha, &n->n.hnot);
        }
        n->type = (enum confd_notification_type) e.bit;
        return CONFD_OK;
}

_public_ void confd_free_notification(struct confd_notification *n) {
        (void) n;
}

_public_ int confd_sync_ha_notification(int sock) {
        const char *what = "confd_sync_ha_notification";
        _cleanup_buffer_ struct buffer b = BUFFER_INIT(0);

        if (sync_append(&b) < 0)
                return error_set(CONFD_ERR_MALLOC, "%s: out of memory", what);
        trace_message(sock, "->", buffer_head(&b) + FRAME_HEADER_SIZE, buffer_size(&b) - FRAME_HEADER_SIZE);
        return blocking_send(sock, &b, blocking_deadline(sock, SO_SNDTIMEO), what);
}
