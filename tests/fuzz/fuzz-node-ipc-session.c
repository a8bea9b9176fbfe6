/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions on the node's IPC port, by state: several connections at a time, each with a true handshake or without, that say what
 * they like, close, and are answered late or at once, while events happen. The server is a real one behind a socket; what a
 * connection can break in another's state, or by ending in the midst of something, shows here.
 *
 * The input is steps: a byte that chooses the step (low nibble) and the connection (high nibble), and for what is said a byte for
 * the size and the bytes. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/log.h"
#include "fuzz.h"
#include "node/ipc/server.h"

enum { CONNECTIONS = 4, STEPS_MAX = 64 };

struct session {
        sd_event *event;
        struct ipc_server *server;
        struct role *role;
        struct socket_address address;
        int fds[CONNECTIONS];
        bool serving, following;
};

/* ---- what is ordered, as node.c does it ---- */

static void on_token(const struct secret *token, void *userdata) {
        if (token->size > IPC_TOKEN_MAX)
                abort();
}

static int on_order(uint64_t controller, const struct role_order *order, void *userdata) {
        return role_submit(((struct session *) userdata)->role, controller, order);
}

static bool on_may_order(void *userdata) {
        return role_may_submit(((struct session *) userdata)->role);
}

static void on_gone(uint64_t controller, void *userdata) {
        role_controller_gone(((struct session *) userdata)->role, controller);
}

static void on_synced(void *userdata) {
        role_release(((struct session *) userdata)->role);
}

static const struct ipc_callbacks callbacks = {
        .token = on_token, .order = on_order, .may_order = on_may_order, .gone = on_gone, .synced = on_synced,
};

static void do_reply(void *userdata, uint64_t controller, enum ha_order type, int code, const char *why) {
        struct session *s = userdata;

        if (type == HA_ORDER_STATUS && code == 0)
                ipc_server_reply_status(s->server, controller, s->role);
        else
                ipc_server_reply(s->server, controller, code, why);
}

static bool do_event(void *userdata, const struct role_event *event) {
        return ipc_server_event(((struct session *) userdata)->server, event);
}

static void do_changed(void *userdata) {
        struct session *s = userdata;

        if (role_get_n_nodes(s->role) > ROLE_SLAVES_MAX + 1)
                abort();
}

static const struct role_ops role_ops = { .reply = do_reply, .event = do_event, .changed = do_changed };

/* ---- the replication ---- */

static int do_serve(void *userdata, bool as_master, const struct node_id *id, const char **ret_why) {
        struct session *s = userdata;

        if (id->size == 0)
                abort();
        s->serving = true;
        return 0;
}

static void do_unserve(void *userdata) {
        ((struct session *) userdata)->serving = false;
}

static void do_drop(void *userdata, const struct node_id *id) {
}

static void do_follow(void *userdata, const struct node_id *id, const struct role_node *master) {
        struct session *s = userdata;

        if (s->following || id->size == 0 || master->id.size == 0 || master->address.family == 0)
                abort();
        s->following = true;
}

static void do_unfollow(void *userdata) {
        ((struct session *) userdata)->following = false;
}

static void do_hold(void *userdata, bool hold) {
}

static const struct role_peer_ops peer_ops = {
        .serve = do_serve, .unserve = do_unserve, .drop = do_drop, .follow = do_follow, .unfollow = do_unfollow, .hold = do_hold,
};

/* ---- the steps ---- */

static void settle(struct session *s) {
        for (int i = 0; i < 1000; i++)
                if (sd_event_run(s->event, 0) <= 0)
                        return;
}

static void say(struct session *s, unsigned at, const void *p, size_t n) {
        if (s->fds[at] >= 0 && send(s->fds[at], p, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
                close(s->fds[at]);
                s->fds[at] = -EBADF;
        }
}

static void come(struct session *s, unsigned at, uint8_t kind) {
        const uint8_t hello[] = { kind, 0, 60, 0, 0, 0, 0, 20, 9 };

        safe_close(s->fds[at]);
        s->fds[at] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s->fds[at] < 0 || connect(s->fds[at], &s->address.sa, s->address.length) < 0)
                abort();
        if (kind)
                say(s, at, hello, sizeof(hello));
}

static void say_frame(struct session *s, unsigned at, const uint8_t *p, size_t n) {
        uint8_t frame[4 + 255] = { 0, 0, 0, (uint8_t) n };

        if (n > 0)
                memcpy(frame + 4, p, n);
        say(s, at, frame, 4 + n);
}

/* What the replication says, where it may say it. */
static void happens(struct session *s, uint8_t which) {
        static const uint8_t id[] = { 109, 0, 0, 0, 2, 'n', '9' };
        struct role_node node = { .address = { .family = AF_INET, .port = 4570 } };
        bool joining = s->following && role_is_joining(s->role);

        if (node_id_from_bytes(id, sizeof(id), &node.id) < 0)
                abort();
        if (which < 3 && joining) {
                if (which == 0)
                        role_joined(s->role, /* copied= */ true);
                else if (which == 1)
                        role_join_settles(s->role);
                else {
                        s->following = false;
                        role_join_failed(s->role, CONFD_ERR_HA_BADTOKEN, "another token");
                }
        } else if (which == 3 && s->following && !joining) {
                s->following = false;
                role_master_lost(s->role, CONFD_ERR_HA_CLOSED);
        } else if (which == 4 && s->serving)
                role_slave_arrived(s->role, &node);
        else if (which == 5 && s->serving)
                role_slave_died(s->role, &node.id);
        ipc_server_resume(s->server);
}

static void step(struct session *s, const uint8_t **p, size_t *left) {
        unsigned at = (*p)[0] >> 4 & (CONNECTIONS - 1), what = (*p)[0] & 15;
        uint8_t drain[4096];
        size_t n;

        (*p)++;
        (*left)--;
        switch (what) {
        case 0:
                come(s, at, /* kind= */ 0);
                break;
        case 1:
                come(s, at, IPC_KIND_HA);
                break;
        case 2:
                come(s, at, IPC_KIND_EVENTS);
                break;
        case 3:
        case 4: /* raw, or as a frame */
                n = *left > 0 ? MIN((size_t) (*p)[0], *left - 1) : 0;
                if (*left > 0) {
                        if (what == 3)
                                say(s, at, *p + 1, n);
                        else
                                say_frame(s, at, *p + 1, n);
                        *p += 1 + n;
                        *left -= 1 + n;
                }
                break;
        case 5:
                safe_close(s->fds[at]);
                s->fds[at] = -EBADF;
                break;
        case 6:
                happens(s, (*p)[-1] >> 4);
                break;
        case 7:
                if (s->fds[at] >= 0)
                        (void) shutdown(s->fds[at], SHUT_WR);
                break;
        case 8: /* takes what it was sent */
                while (s->fds[at] >= 0 && recv(s->fds[at], drain, sizeof(drain), MSG_DONTWAIT) > 0)
                        ;
                break;
        default: /* it goes on before anybody has had a turn */
                return;
        }
        settle(s);
}

static void begin(struct session *s) {
        struct sockaddr_un *un = (struct sockaddr_un *) &s->address.storage;

        *s = (struct session) {};
        for (size_t i = 0; i < CONNECTIONS; i++)
                s->fds[i] = -EBADF;
        un->sun_family = AF_UNIX;
        (void) snprintf(un->sun_path, sizeof(un->sun_path), "/tmp/fuzz-ipc-%d", (int) getpid());
        s->address.length = sizeof(*un);
        if (sd_event_new(&s->event) < 0 || ipc_server_new(s->event, &s->address, NULL, &callbacks, s, &s->server) < 0 ||
            role_new(&s->role, /* phase= */ 2, &peer_ops, s, &role_ops, s) < 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct session s;

        log_set_target(LOG_TARGET_NULL);
        begin(&s);
        for (unsigned i = 0; size > 0 && i < STEPS_MAX; i++)
                step(&s, &data, &size);
        settle(&s);
        ipc_server_free(s.server);
        role_free(s.role);
        for (size_t i = 0; i < CONNECTIONS; i++)
                safe_close(s.fds[i]);
        sd_event_unref(s.event);
        return 0;
}
