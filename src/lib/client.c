/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the client's life: its states, its orders, and who is called back when.
 *
 * The one hard thing here are callbacks that close, free or reconnect the client which is calling them. Three rules keep it
 * simple. Whoever calls back compares `generation` afterwards and stops if the connection is no longer the one it was
 * working on. What has to be called when a connection ends (the connect callback, the orders', the closed callback)
 * is moved out of the connection first, into `ending`, and taken off there one by one before each call: a
 * callback that closes or frees the client finds the rest there and finishes it, so that nothing is pending when close()
 * returns. And memory goes away with the last call on the stack (`busy`, `dead`).
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>

#include "basic/parse.h"
#include "basic/time-util.h"
#include "lib/client-internal.h"
#include "lib/errors.h"
#include "lib/export.h"
#include "lib/value.h"

static const struct confd_ha_result success = { .message = "", .sent = 1 };

static void erase_and_free(void *p, size_t n) {
        if (p)
                explicit_bzero(p, n);
        free(p);
}

/* A copy that is never NULL on success, also of no bytes. */
static int duplicate(const void *p, size_t n, void **ret) {
        void *copy = malloc(n + 1);

        if (!copy)
                return -ENOMEM;
        if (n > 0)
                memcpy(copy, p, n);
        *ret = copy;
        return 0;
}

static void queue_init(struct order_queue *q) {
        *q = (struct order_queue) { .list = TAILQ_HEAD_INITIALIZER(q->list) };
}

static void queue_push(struct order_queue *q, struct pending_order *o) {
        TAILQ_INSERT_TAIL(&q->list, o, queue);
        q->n++;
}

static struct pending_order *queue_take(struct order_queue *q, struct pending_order *o) {
        TAILQ_REMOVE(&q->list, o, queue);
        q->n--;
        return o;
}

static void queue_move(struct order_queue *to, struct order_queue *from) {
        queue_init(to);
        TAILQ_CONCAT(&to->list, &from->list, queue);
        to->n = from->n;
        from->n = 0;
}

static void enter(struct confd_ha_client *c) {
        c->busy++;
}

static void destroy(struct confd_ha_client *c) {
        erase_and_free(c->token, c->token_size);
        erase_and_free(c->secret, c->secret_size);
        erase_and_free(c->proof, c->proof_size);
        free(c->peer);
        buffer_done(&c->in);
        buffer_done(&c->out);
        free(c);
}

static void leave(struct confd_ha_client *c) {
        if (--c->busy == 0 && c->dead)
                destroy(c);
}

static void call_order(struct confd_ha_client *c, struct pending_order *o, const struct confd_ha_result *result,
                       const struct confd_ha_status_reply *status) {
        confd_ha_order_cb cb = o->cb;
        void *userdata = o->userdata;

        free(o);
        if (cb)
                cb(c, result, status, userdata);
}

/* Calls what is left of a connection that has ended. May be entered again from each of the callbacks. */
static void drain(struct confd_ha_client *c) {
        while (c->ending) {
                if (c->connect_cb) {
                        confd_ha_connect_cb cb = c->connect_cb;

                        c->connect_cb = NULL;
                        cb(c, c->ending, c->connect_userdata);
                } else if (!TAILQ_EMPTY(&c->ending_orders.list)) {
                        struct pending_order *o = queue_take(&c->ending_orders, TAILQ_FIRST(&c->ending_orders.list));
                        struct confd_ha_result result;

                        /* UINT64_MAX marks the orders that were in time when another one was not. */
                        result = o->end == UINT64_MAX ? *c->ending_others : *c->ending;
                        result.sent = o->begin != UINT64_MAX;
                        call_order(c, o, &result, NULL);
                } else {
                        bool was_ready = c->ending_was_ready;
                        const struct confd_ha_result *result = c->ending;

                        c->ending = NULL;
                        if (was_ready && c->closed_cb)
                                c->closed_cb(c, result, c->closed_userdata);
                }
        }
}

/* Ends the connection and calls everybody who waits for it. `error` < 0, `message` in words. */
static void end(struct confd_ha_client *c, int error, int code, const char *message) {
        struct confd_ha_result result = { .error = error, .confd_code = code }, others;
        char text[CLIENT_MESSAGE_MAX], others_text[CLIENT_MESSAGE_MAX];
        struct pending_order *o;
        uint64_t t = now_monotonic();

        enter(c);
        drain(c); /* an earlier one, when we are called from its callbacks */

        snprintf(text, sizeof(text), "ConfD at %s: %s", c->peer, message);
        result.message = text;
        others = (struct confd_ha_result) { .error = -ECONNRESET, .confd_code = CONFD_ERR_EOF, .message = others_text };
        snprintf(others_text, sizeof(others_text), "ConfD at %s: the connection was ended, since another order timed out",
                 c->peer);
        TAILQ_FOREACH(o, &c->orders.list, queue) {
                if (error == -ETIMEDOUT && o->deadline > t)
                        o->end = UINT64_MAX;
                if (o->begin >= c->sent)
                        o->begin = UINT64_MAX;
        }

        c->generation++;
        c->ending_was_ready = c->state == CLIENT_READY;
        c->state = CLIENT_CLOSED;
        c->fd = safe_close(c->fd);
        buffer_done(&c->out);
        buffer_done(&c->in);
        queue_move(&c->ending_orders, &c->orders);
        c->ending = &result;
        c->ending_others = &others;
        drain(c);
        leave(c);
}

void client_connected(struct confd_ha_client *c) {
        confd_ha_connect_cb cb = c->connect_cb;

        c->connect_cb = NULL;
        c->connect_deadline = CONFD_HA_CLIENT_NO_DEADLINE;
        if (cb)
                cb(c, &success, c->connect_userdata);
}

/* The next order that waits for a reply; replies come in the order of the orders. */
static struct pending_order *waiting_from(struct confd_ha_client *c, struct pending_order *o) {
        while (o && !order_has_reply(&o->order))
                o = TAILQ_NEXT(o, queue);
        return o && o->end <= c->sent ? o : NULL;
}

static bool asks_status(const struct pending_order *o) {
        return o && o->order.type == HA_ORDER_STATUS;
}

/* Reads the reply to the oldest order that waits. A status cannot be the reply to another order: should the server hold orders back
 * and serve the question behind them meanwhile, it is that one's, and the orders go on waiting. */
static int read_reply(struct confd_ha_client *c, const void *body, size_t size, struct pending_order **o, struct reply *ret) {
        struct pending_order *next;
        int r;

        if (asks_status(*o))
                return reply_parse_status(body, size, ret, c->nodes);
        r = reply_parse(body, size, ret);
        if (r >= 0)
                return r;
        for (next = *o; next && !asks_status(next);)
                next = waiting_from(c, TAILQ_NEXT(next, queue));
        if (!next || reply_parse_status(body, size, ret, c->nodes) < 0)
                return r;
        *o = next;
        return 0;
}

static int handle_reply(struct confd_ha_client *c, const void *body, size_t size, char *message, size_t message_size) {
        struct pending_order *o = waiting_from(c, TAILQ_FIRST(&c->orders.list));
        struct confd_ha_status_reply status;
        struct confd_ha_result result;
        char text[CLIENT_MESSAGE_MAX];
        struct reply reply;
        bool wants_status;
        int r;

        if (!o) {
                snprintf(message, message_size, "the server sent a reply that no order waits for");
                return -EPROTO;
        }
        r = read_reply(c, body, size, &o, &reply);
        wants_status = asks_status(o);
        if (r < 0) {
                snprintf(message, message_size, "the reply to %s is not as the protocol says", order_name(o->order.type));
                return r;
        }
        (void) queue_take(&c->orders, o);
        if (reply.code != CONFD_OK) {
                reply_describe(&reply, text, sizeof(text));
                result = (struct confd_ha_result) {
                        .error = -EREMOTEIO, .confd_code = reply.code, .message = text, .sent = 1,
                };
                call_order(c, o, &result, NULL);
                return 0;
        }
        status = (struct confd_ha_status_reply) { reply.state, reply.num_nodes, c->nodes };
        call_order(c, o, &success, wants_status ? &status : NULL);
        return 0;
}

static int handle_event(struct confd_ha_client *c, const void *body, size_t size, char *message, size_t message_size) {
        struct event e;
        int r;

        r = event_parse(body, size, &e);
        if (r < 0) {
                snprintf(message, message_size, "the server sent an event that is not as the protocol says");
                return r;
        }
        if (e.bit == CONFD_NOTIF_HA_INFO) {
                if (c->event_cb)
                        c->event_cb(c, &e.ha, c->events_userdata);
        } else if (e.bit != 0 && c->notification_cb)
                c->notification_cb(c, e.bit, c->events_userdata);
        return 0;
}

static int handle_subscribed(struct confd_ha_client *c, const void *body, size_t size, char *message, size_t message_size) {
        char text[CLIENT_MESSAGE_MAX / 2];
        struct reply reply;

        if (reply_parse(body, size, &reply) < 0) {
                snprintf(message, message_size, "the reply to the subscription is not as the protocol says");
                return -EPROTO;
        }
        if (reply.code != CONFD_OK) {
                reply_describe(&reply, text, sizeof(text));
                snprintf(message, message_size, "the subscription is refused: %s", text);
                c->remote_code = reply.code;
                return -EREMOTEIO;
        }
        c->state = CLIENT_READY;
        client_connected(c);
        return 0;
}

int client_handle_frame(struct confd_ha_client *c, const void *body, size_t size, char *message, size_t message_size) {
        if (c->state == CLIENT_SUBSCRIBING)
                return handle_subscribed(c, body, size, message, message_size);
        return c->for_events ? handle_event(c, body, size, message, message_size)
                             : handle_reply(c, body, size, message, message_size);
}

static bool order_is_through(const struct confd_ha_client *c, const struct pending_order *o) {
        return !order_has_reply(&o->order) && o->end <= c->sent;
}

static struct pending_order *first_through(const struct confd_ha_client *c) {
        struct pending_order *o;

        TAILQ_FOREACH(o, &c->orders.list, queue)
                if (order_is_through(c, o))
                        return o;
        return NULL;
}

/* Orders without reply are done when the system has all of their bytes. */
static void complete_sent(struct confd_ha_client *c) {
        unsigned long generation = c->generation;
        struct pending_order *o;

        /* From the front each time: the callback may have changed anything. */
        while (c->generation == generation && (o = first_through(c)))
                call_order(c, queue_take(&c->orders, o), &success, NULL);
}

static uint64_t first_deadline(const struct confd_ha_client *c) {
        const struct pending_order *o;
        uint64_t t = c->connect_deadline;

        if (c->state == CLIENT_CONNECT_AGAIN)
                t = MIN(t, c->retry_at);
        TAILQ_FOREACH(o, &c->orders.list, queue)
                t = MIN(t, o->deadline);
        return t;
}

/* A retry of connect(2) is no deadline that anybody can miss. */
static bool deadline_passed(const struct confd_ha_client *c, uint64_t t) {
        const struct pending_order *o;

        if (c->connect_deadline <= t)
                return true;
        TAILQ_FOREACH(o, &c->orders.list, queue)
                if (o->deadline <= t)
                        return true;
        return false;
}

static void end_late(struct confd_ha_client *c) {
        if (c->state == CLIENT_READY)
                end(c, -ETIMEDOUT, CONFD_ERR_TIMEOUT, "no reply in time; what the order does is unknown");
        else
                end(c, -ETIMEDOUT, CONFD_ERR_TIMEOUT, c->state == CLIENT_CONNECTING || c->state == CLIENT_CONNECT_AGAIN
                    ? "no connection in time" : "no answer in time");
}

_public_ int confd_ha_client_process(confd_ha_client *c) {
        unsigned long generation = c->generation;
        char message[CLIENT_MESSAGE_MAX] = "";
        bool connecting;
        int r, code;

        if (c->state == CLIENT_CLOSED)
                return -ENOTCONN;
        if (c->processing)
                return 0;
        enter(c);
        c->processing = true;
        r = client_step(c, message, sizeof(message));
        if (c->generation == generation)
                complete_sent(c);
        if (c->generation == generation) {
                if (r < 0) {
                        /* What connect(2) says is about the socket: its EACCES is not the access check's. */
                        connecting = c->state < CLIENT_HANDSHAKE;
                        code = r == -EREMOTEIO ? c->remote_code :
                               connecting && r != -ETIMEDOUT ? CONFD_ERR_OS : error_code_from_errno(r);
                        end(c, r, code, message);
                } else if (!client_has_buffered_work(c) && deadline_passed(c, now_monotonic()))
                        end_late(c);
        }
        c->processing = false;
        r = c->state == CLIENT_CLOSED ? -ENOTCONN : 0;
        leave(c);
        return r;
}

static int new_client(confd_ha_client **ret) {
        confd_ha_client *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->fd = -EBADF;
        c->protocol_version = CONFD_LIB_PROTO_VSN;
        c->connect_deadline = CONFD_HA_CLIENT_NO_DEADLINE;
        c->in = BUFFER_INIT(FRAME_HEADER_SIZE + FRAME_BODY_MAX + CLIENT_READ_SIZE);
        c->out = BUFFER_INIT_SECRET(CLIENT_UNSENT_MAX + CONFD_HA_TOKEN_MAX); /* the token */
        queue_init(&c->orders);
        queue_init(&c->ending_orders);
        *ret = c;
        return 0;
}

_public_ int confd_ha_client_new(confd_ha_client **ret, const void *token, size_t token_size) {
        confd_ha_client *c;
        int r;

        if ((!token && token_size > 0) || token_size > CONFD_HA_TOKEN_MAX)
                return -EINVAL;
        r = new_client(&c);
        if (r < 0)
                return r;
        r = duplicate(token, token_size, &c->token);
        if (r < 0) {
                destroy(c);
                return r;
        }
        c->token_size = token_size;
        *ret = c;
        return 0;
}

_public_ int confd_ha_client_new_events(confd_ha_client **ret, int mask, const struct confd_notifications_data *data,
                                        confd_ha_event_cb event, confd_ha_notification_cb notification, void *userdata) {
        struct subscription s;
        confd_ha_client *c;
        int r;

        r = subscription_init(&s, mask, data);
        if (r < 0)
                return r;
        r = new_client(&c);
        if (r < 0)
                return r;
        c->for_events = true;
        c->subscription = s;
        c->event_cb = event;
        c->notification_cb = notification;
        c->events_userdata = userdata;
        *ret = c;
        return 0;
}

_public_ confd_ha_client *confd_ha_client_free(confd_ha_client *c) {
        if (!c)
                return NULL;
        enter(c);
        confd_ha_client_close(c);
        c->dead = true;
        leave(c);
        return NULL;
}

_public_ int confd_ha_client_set_access_secret(confd_ha_client *c, const void *secret, size_t size) {
        void *copy = NULL;
        int r;

        if (size > CLIENT_ACCESS_SECRET_MAX || (!secret && size > 0))
                return -EINVAL;
        if (secret) {
                r = duplicate(secret, size, &copy);
                if (r < 0)
                        return r;
        }
        erase_and_free(c->secret, c->secret_size);
        c->secret = copy;
        c->secret_size = size;
        return 0;
}

_public_ int confd_ha_client_set_protocol_version(confd_ha_client *c, unsigned version) {
        if (version > UINT16_MAX)
                return -EINVAL;
        c->protocol_version = version ? (uint16_t) version : CONFD_LIB_PROTO_VSN;
        return 0;
}

_public_ void confd_ha_client_set_closed_callback(confd_ha_client *c, confd_ha_closed_cb closed, void *userdata) {
        c->closed_cb = closed;
        c->closed_userdata = userdata;
}

static int check_address(const struct sockaddr *address, socklen_t size) {
        if (!address || size < sizeof(sa_family_t) || size > sizeof(struct sockaddr_storage))
                return -EINVAL;
        switch (address->sa_family) {
        case AF_INET:
                return size < sizeof(struct sockaddr_in) ? -EINVAL : 0;
        case AF_INET6:
                return size < sizeof(struct sockaddr_in6) ? -EINVAL : 0;
        case AF_UNIX:
                return 0;
        default:
                return -EAFNOSUPPORT;
        }
}

_public_ int confd_ha_client_connect(confd_ha_client *c, const struct sockaddr *address, socklen_t address_size,
                                     uint64_t timeout, confd_ha_connect_cb cb, void *userdata) {
        struct socket_address a = { .length = address_size };
        _cleanup_free_ char *peer = NULL;
        void *proof = NULL;
        int r;

        if (c->dead)
                return -ENOTCONN;
        if (c->state != CLIENT_CLOSED)
                return -EISCONN;
        r = check_address(address, address_size);
        if (r < 0)
                return r;
        memcpy(&a.storage, address, address_size);
        peer = format_socket_address(&a);
        if (!peer)
                return -ENOMEM;

        drain(c); /* what an earlier connection still owes, when called from one of its callbacks */
        if (c->dead || c->state != CLIENT_CLOSED)
                return -EISCONN;
        if (c->secret) {
                r = duplicate(c->secret, c->secret_size, &proof);
                if (r < 0)
                        return r;
        }
        erase_and_free(c->proof, c->proof_size);
        c->proof = proof;
        c->proof_size = c->secret_size;
        free(c->peer);
        c->peer = TAKE_PTR(peer);
        c->address = a.storage;
        c->address_size = address_size;
        c->speak_version = c->protocol_version;
        c->version_retried = c->old_form = false;
        r = client_open(c);
        if (r < 0)
                return r;
        c->generation++;
        c->connect_cb = cb;
        c->connect_userdata = userdata;
        c->connect_deadline = usec_add(now_monotonic(), timeout);
        return 0;
}

_public_ void confd_ha_client_close(confd_ha_client *c) {
        enter(c);
        if (c->state != CLIENT_CLOSED)
                end(c, -ECANCELED, CONFD_ERR_ABORTED, "the connection was closed by this program");
        else
                drain(c);
        leave(c);
}

_public_ int confd_ha_client_get_fd(const confd_ha_client *c) {
        /* One that is not connecting would only report a hangup, again and again. */
        return c->state >= CLIENT_CONNECTING ? c->fd : -ENOTCONN;
}

_public_ int confd_ha_client_get_events(const confd_ha_client *c) {
        switch (c->state) {
        case CLIENT_CONNECTING:
                return POLLOUT;
        case CLIENT_HANDSHAKE:
                /* The hello is not in the buffer before the first step. */
                return POLLIN | (c->ipc.out_begin < c->ipc.out_end || buffer_size(&c->out) > 0 ? POLLOUT : 0);
        case CLIENT_SUBSCRIBING:
        case CLIENT_READY:
                return POLLIN | (buffer_size(&c->out) > 0 && c->send_error == 0 ? POLLOUT : 0);
        default:
                return 0;
        }
}

_public_ uint64_t confd_ha_client_get_deadline(const confd_ha_client *c) {
        if (c->state == CLIENT_CLOSED)
                return CONFD_HA_CLIENT_NO_DEADLINE;
        return client_has_buffered_work(c) || first_through(c) ? 0 : first_deadline(c);
}

_public_ int confd_ha_client_is_ready(const confd_ha_client *c) {
        return c->state == CLIENT_READY;
}

_public_ unsigned confd_ha_client_get_protocol_version(const confd_ha_client *c) {
        return c->state == CLIENT_READY ? c->speak_version : 0;
}

_public_ uint32_t confd_ha_client_get_server_version(const confd_ha_client *c) {
        return c->state == CLIENT_READY ? c->ipc.server_version : 0;
}

static int submit(struct confd_ha_client *c, const struct order *order, uint64_t timeout, confd_ha_order_cb cb,
                  void *userdata) {
        struct pending_order *o;
        size_t before;
        char why[128];
        int r;

        if (c->for_events)
                return -EOPNOTSUPP;
        if (c->state != CLIENT_READY)
                return -ENOTCONN;
        if (order_check(order, why, sizeof(why)) < 0)
                return -EINVAL;
        if (c->orders.n >= CONFD_HA_CLIENT_ORDERS_MAX || buffer_size(&c->out) >= CLIENT_UNSENT_MAX)
                return -EBUSY;
        o = calloc(1, sizeof(*o));
        if (!o)
                return -ENOMEM;
        before = buffer_size(&c->out);
        r = order_append(&c->out, order);
        if (r < 0) {
                free(o);
                return r == -ENOBUFS ? -EBUSY : r;
        }
        o->order = (struct order) { .type = order->type, .wait = order->wait };
        o->begin = c->queued;
        o->end = c->queued += buffer_size(&c->out) - before;
        o->deadline = usec_add(now_monotonic(), timeout);
        o->cb = cb;
        o->userdata = userdata;
        queue_push(&c->orders, o);
        client_flush(c);
        return 0;
}

_public_ int confd_ha_client_bemaster(confd_ha_client *c, const confd_value_t *nodeid, uint64_t timeout,
                                      confd_ha_order_cb cb, void *userdata) {
        return submit(c, &(const struct order) { .type = HA_ORDER_BEMASTER, .nodeid = nodeid }, timeout, cb, userdata);
}

_public_ int confd_ha_client_beslave(confd_ha_client *c, const confd_value_t *nodeid, const struct confd_ha_node *master,
                                     int wait, uint64_t timeout, confd_ha_order_cb cb, void *userdata) {
        const struct order o = { .type = HA_ORDER_BESLAVE, .nodeid = nodeid, .master = master, .wait = wait };

        return submit(c, &o, timeout, cb, userdata);
}

_public_ int confd_ha_client_berelay(confd_ha_client *c, uint64_t timeout, confd_ha_order_cb cb, void *userdata) {
        return submit(c, &(const struct order) { .type = HA_ORDER_BERELAY }, timeout, cb, userdata);
}

_public_ int confd_ha_client_benone(confd_ha_client *c, uint64_t timeout, confd_ha_order_cb cb, void *userdata) {
        return submit(c, &(const struct order) { .type = HA_ORDER_BENONE }, timeout, cb, userdata);
}

_public_ int confd_ha_client_status(confd_ha_client *c, uint64_t timeout, confd_ha_order_cb cb, void *userdata) {
        return submit(c, &(const struct order) { .type = HA_ORDER_STATUS }, timeout, cb, userdata);
}

_public_ int confd_ha_client_slave_dead(confd_ha_client *c, const confd_value_t *nodeid, uint64_t timeout,
                                        confd_ha_order_cb cb, void *userdata) {
        return submit(c, &(const struct order) { .type = HA_ORDER_SLAVE_DEAD, .nodeid = nodeid }, timeout, cb, userdata);
}

_public_ int confd_ha_client_sync(confd_ha_client *c) {
        int r;

        if (!c->for_events || !(c->subscription.mask & CONFD_NOTIF_HA_INFO_SYNC))
                return -EOPNOTSUPP;
        if (c->state != CLIENT_READY)
                return -ENOTCONN;
        if (buffer_size(&c->out) >= CLIENT_UNSENT_MAX)
                return -EBUSY;
        r = sync_append(&c->out);
        if (r < 0)
                return r == -ENOBUFS ? -EBUSY : r;
        client_flush(c);
        return 0;
}
