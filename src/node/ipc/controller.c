/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the HA controller on the IPC port. */
#include "node/ipc/internal.h"

enum { DISCARD_MAX = 64 * 1024 };

/* What was sent and not read would turn the close into a reset, and the peer would see an error instead of an end. */
static void discard_input(struct connection *c) {
        uint8_t junk[IPC_READ_SIZE];

        for (unsigned i = 0; i < DISCARD_MAX / IPC_READ_SIZE; i++)
                if (recv(c->fd, junk, sizeof(junk), MSG_DONTWAIT) <= 0)
                        break;
}

void ipc_take_control(struct connection *c, const uint8_t *body, size_t size) {
        struct ipc_server *s = c->server;
        struct secret token = { .data = (uint8_t *) body, .size = size };

        if (s->controller) {
                log_limited(&s->takeovers, LOG_INFO, "IPC: %s takes over as HA controller from %s", c->peer, s->controller->peer);
                discard_input(s->controller);
                ipc_drop(s->controller);
        } else
                log_limited(&s->takeovers, LOG_INFO, "IPC: %s is HA controller", c->peer);
        s->n_strangers--;
        s->controller = c;
        c->stage = STAGE_CONTROLLER;
        c->out.limit = IPC_CONTROLLER_QUEUE_MAX;
        c->deadline = sd_event_source_disable_unref(c->deadline);
        s->callbacks->token(&token, s->userdata);
}

static struct connection *find_controller(struct ipc_server *s, uint64_t controller) {
        return s->controller && s->controller->number == controller ? s->controller : NULL;
}

void ipc_server_reply(struct ipc_server *s, uint64_t controller, int code, const char *why) {
        struct connection *c = find_controller(s, controller);

        if (c)
                ipc_appended(c, code == 0 ? ipc_put_ok(&c->out) : ipc_put_error(&c->out, code, why));
}

void ipc_server_reply_status(struct ipc_server *s, uint64_t controller, const struct role *role) {
        struct connection *c = find_controller(s, controller);

        if (c)
                ipc_appended(c, ipc_put_status(&c->out, role));
}

void ipc_give_order(struct connection *c, const uint8_t *body, size_t size) {
        struct ipc_server *s = c->server;
        struct role_order order;

        if (ipc_read_order(body, size, &order) < 0) {
                complain(c, "IPC: HA controller %s sent what is no term, closing the connection", c->peer);
                ipc_drop(c);
        } else if (s->callbacks->order(c->number, &order, s->userdata) < 0)
                ipc_drop(c); /* out of memory: no reply could be told from another's any more */
}

void ipc_server_resume(struct ipc_server *s) {
        if (s->controller && !(s->controller->events & EPOLLIN))
                ipc_take_frames(s->controller);
}
