/* SPDX-License-Identifier: Apache-2.0 */
/* The service's conversation with ConfD, by state: callers give orders and ask, while ConfD answers them well, with errors or with
 * anything, in whatever order it likes, tells events that fit or do not, and ends either connection. What ConfD says is told by the
 * target, which speaks as the reference node does.
 *
 * Each caller is answered once. An order that ConfD answers has succeeded only if ConfD has said so, and a status is one that ConfD gave
 * to a question that had not been answered when it was asked for. What is shown is whole: no role without a connection, nothing in sync
 * that is no master and follows none.
 *
 * The input is steps: a byte that chooses the step (low bits) and which (high bits), then what the step takes. */
#include <confd_lib.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../unit/node/scratch.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "input.h"
#include "lib/eterm.h"
#include "lib/frame.h"
#include "node/ipc/handshake.h"
#include "node/ipc/terms.h"
#include "service/controller-internal.h"

enum { CONNS = 4, STEPS_MAX = 64, REQUESTS_MAX = 64, NODES = 3, KINDS = HA_ORDER_BERELAY + 1 };

struct conn {
        int fd;
        struct ipc_handshake handshake;
        struct buffer in, out;
        bool begun; /* its first frame, the token or the subscription, is in */
        uint64_t since;
        struct role_order requests[REQUESTS_MAX];
        size_t n_requests;
        unsigned held[KINDS]; /* so often a status was given where the answer to such an order was due: the next ok may be its */
};

struct call {
        enum order_kind kind;
        bool is_status, done;
        size_t statuses_before; /* that ConfD had given, and the service heard, when it was asked for */
};

struct given {
        enum ha_state state;
        size_t n;
};

static struct world {
        char directory[64];
        sd_event *event;
        int listener;
        struct sockaddr_un address;
        socklen_t address_size;
        struct state *state;
        struct controller *controller;
        struct conn conns[CONNS];
        struct call calls[STEPS_MAX];
        size_t n_calls;
        struct given given[STEPS_MAX + REQUESTS_MAX];
        size_t n_given, n_heard; /* of these the service has heard so many, or more */
        unsigned ok[KINDS], succeeded[ORDER_KIND_TAKE_OVER + 1]; /* answers of ConfD; of ours */
        bool kept, hold, waited;
        unsigned asked_joining;
} w;

/* ---- the service around it ---- */

static void judge_state(void) {
        const struct state *s = w.state;

        if ((!s->connected && s->state != HA_STATE_UNKNOWN) || (s->in_sync && s->state != HA_STATE_MASTER && !ha_state_follows(s->state)) ||
            !s->node_id || !s->master_id || !s->master_address || !s->error_name || !s->last_in_sync.id ||
            (s->state == HA_STATE_MASTER && *s->master_id) || (ha_state_follows(s->state) && node_list_size(s->slaves) > NODES))
                abort();
}

static bool on_publish(void *userdata) {
        struct signal_list signals;

        judge_state();
        if (w.hold)
                return false;
        (void) state_take(w.state, &signals);
        for (size_t i = 0; i < signals.n; i++)
                if (signals.items[i].kind > SIGNAL_BESLAVE_RESULT)
                        abort();
        signal_list_done(&signals);
        return true;
}

static bool on_kept(void *userdata) {
        return w.kept;
}

static void on_ask_joining(void *userdata) {
        w.asked_joining++;
}

static void on_connection(void *userdata, const struct failure *why) {
        if (why && !failure_is_set(why))
                abort();
}

static void on_obeyed(void *userdata) {
}

static const struct controller_handlers handlers = {
        .publish = on_publish, .kept = on_kept, .ask_joining = on_ask_joining, .connection = on_connection, .obeyed = on_obeyed,
};

static void on_order_done(void *userdata, const struct failure *failure) {
        static const enum ha_order types[] = {
                [ORDER_KIND_BE_MASTER] = HA_ORDER_BEMASTER, [ORDER_KIND_BE_RELAY] = HA_ORDER_BERELAY,
                [ORDER_KIND_BE_NONE] = HA_ORDER_BENONE, [ORDER_KIND_SLAVE_DEAD] = HA_ORDER_SLAVE_DEAD,
                [ORDER_KIND_TAKE_OVER] = HA_ORDER_BEMASTER,
        };
        struct call *c = userdata;

        if (c->done || c->is_status)
                abort();
        c->done = true;
        if (failure_is_set(failure)) {
                if (!failure_name(failure) || !*failure_words(failure))
                        abort();
                return;
        }
        w.succeeded[c->kind]++;
        if (c->kind != ORDER_KIND_BE_SLAVE &&
            w.succeeded[c->kind] + (c->kind == ORDER_KIND_BE_MASTER ? w.succeeded[ORDER_KIND_TAKE_OVER] : 0) > w.ok[types[c->kind]])
                abort(); /* ConfD has not said so as often */
}

static void on_status_done(void *userdata, const struct failure *failure, enum ha_state state, const struct node_list *nodes) {
        struct call *c = userdata;
        bool found = false;

        if (c->done || !c->is_status)
                abort();
        c->done = true;
        for (size_t i = c->statuses_before; i < w.n_given; i++)
                found = found || (w.given[i].state == state && w.given[i].n == node_list_size(nodes));
        if (failure_is_set(failure) ? !*failure_words(failure) : !found)
                abort();
}

/* ---- ConfD ---- */

static void end_conn(struct conn *c) {
        safe_close(c->fd);
        buffer_done(&c->in);
        buffer_done(&c->out);
        *c = (struct conn) { .fd = -EBADF };
}

static void flush(struct conn *c) {
        ssize_t n = buffer_size(&c->out) > 0 ? send(c->fd, buffer_head(&c->out), buffer_size(&c->out), MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

        if (n < 0)
                end_conn(c);
        else
                buffer_consume(&c->out, (size_t) n);
}

static void take_frame(struct conn *c, const uint8_t *body, size_t size) {
        struct ipc_subscription subscription;
        struct role_order order;

        if (!c->begun) {
                c->begun = true;
                if (c->handshake.kind == IPC_KIND_EVENTS &&
                    (ipc_read_subscription(body, size, &subscription) < 0 || ipc_put_ok(&c->out) < 0))
                        abort();
        } else if (c->handshake.kind == IPC_KIND_EVENTS) {
                if (ipc_read_sync(body, size) < 0)
                        abort();
        } else {
                if (ipc_read_order(body, size, &order) < 0 || (order.type == HA_ORDER_UNKNOWN && order.error == 0))
                        abort(); /* what we say is in order */
                if (c->n_requests < REQUESTS_MAX)
                        c->requests[c->n_requests++] = order;
        }
}

static void hear(struct conn *c) {
        uint8_t buf[4096];
        const uint8_t *body;
        size_t size;
        ssize_t n;
        int r = 1;

        while ((n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
                if (buffer_append(&c->in, buf, (size_t) n) < 0)
                        abort();
        if (c->handshake.state != IPC_HANDSHAKE_DONE)
                r = ipc_handshake_step(&c->handshake, &c->in, &c->out);
        if (r < 0)
                abort();
        while (r > 0 && frame_next(&c->in, FRAME_BODY_MAX, &body, &size) > 0) {
                take_frame(c, body, size);
                frame_consume(&c->in, size);
        }
        flush(c);
        if (n == 0)
                end_conn(c);
}

/* Who comes, and what has come. */
static bool serve(void) {
        int fd = accept4(w.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        bool any = fd >= 0;

        for (size_t i = 0; i < CONNS; i++) {
                struct conn *c = &w.conns[i];
                uint8_t byte;

                if (fd >= 0 && c->fd < 0) {
                        *c = (struct conn) { .fd = fd, .handshake = IPC_HANDSHAKE_INIT(NULL), .in = BUFFER_INIT(1024 * 1024),
                                             .out = BUFFER_INIT(1024 * 1024) };
                        fd = -EBADF;
                }
                if (c->fd >= 0 && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
                        hear(c);
                        any = true;
                }
        }
        safe_close(fd);
        return any;
}

static void settle(void) {
        for (int i = 0; i < 5000; i++) {
                bool any = serve();

                if (sd_event_run(w.event, 0) <= 0 && !any) {
                        w.n_heard = w.n_given;
                        return;
                }
        }
}

/* Of the service's own, that time brings: at most a thing or two. */
static void wait_a_little(bool long_enough_for_a_verdict) {
        uint64_t until = now_monotonic() + (long_enough_for_a_verdict ? LINK_VERDICT_USEC + 20 * USEC_PER_MSEC : 5 * USEC_PER_MSEC);

        while (now_monotonic() < until) {
                (void) sd_event_run(w.event, USEC_PER_MSEC);
                settle();
        }
}

static struct conn *conn_of(uint8_t kind) {
        struct conn *last = NULL;

        for (size_t i = 0; i < CONNS; i++)
                if (w.conns[i].fd >= 0 && w.conns[i].handshake.kind == kind && w.conns[i].begun)
                        last = &w.conns[i];
        return last;
}

static void put_node(struct eterm_writer *t, unsigned i) {
        static const uint8_t ip[] = { 10, 0, 0, 1 };
        static const char *const ids[NODES] = { "n1", "n2", "n\xc3\xa9 \x01" };

        eterm_put_tuple(t, 2);
        eterm_put_binary(t, ids[i], strlen(ids[i]));
        if (i == 0) {
                eterm_put_tuple(t, 2);
                eterm_put_int(t, 1);
                eterm_put_bytes_tuple(t, ip, sizeof(ip));
        } else
                eterm_put_binary(t, "host", 4);
}

static void give_status(struct conn *c, uint8_t how) {
        unsigned n = how % (NODES + 1), state = MAX(how >> 2 & 7, 1); /* also such as there are not */
        static const enum ha_state states[] = { HA_STATE_UNKNOWN, HA_STATE_NONE, HA_STATE_SLAVE, HA_STATE_MASTER, HA_STATE_SLAVE_RELAY };
        struct eterm_writer t;
        size_t mark;

        if (frame_open(&c->out, &mark) < 0)
                abort();
        t = eterm_write_begin(&c->out);
        eterm_put_version(&t);
        eterm_put_tuple(&t, 2);
        eterm_put_int(&t, state);
        eterm_put_list(&t, n);
        for (unsigned i = 0; i < n; i++)
                put_node(&t, i);
        if (n > 0)
                eterm_put_nil(&t);
        if (eterm_write_end(&t) < 0 || frame_close(&c->out, mark) < 0)
                abort();
        if (state < ELEMENTSOF(states) && w.n_given < ELEMENTSOF(w.given))
                w.given[w.n_given++] = (struct given) { states[state], n };
}

static void give_ok(struct conn *c, enum ha_order type) {
        w.ok[type]++;
        for (size_t i = 0; i < KINDS; i++) {
                w.ok[i] += c->held[i];
                c->held[i] = 0;
        }
        if (ipc_put_ok(&c->out) < 0)
                abort();
}

static void answer(uint8_t how) {
        static const int codes[] = { CONFD_ERR_HA_BIND, CONFD_ERR_HA_BADNAME, CONFD_ERR_HA_CONNECT, CONFD_ERR_HA_ABORT,
                                     CONFD_ERR_INTERNAL };
        struct conn *c = conn_of(IPC_KIND_HA);
        struct role_order order;

        if (!c)
                return;
        /* A BeSlave that is not waited for has no answer. */
        while (c->n_requests > 0 && c->requests[0].type == HA_ORDER_BESLAVE && !c->requests[0].wait)
                memmove(c->requests, c->requests + 1, --c->n_requests * sizeof(*c->requests));
        if (c->n_requests == 0)
                return;
        order = c->requests[0];
        memmove(c->requests, c->requests + 1, --c->n_requests * sizeof(*c->requests));
        if (how >= 0xe0 && ipc_put_error(&c->out, codes[how % ELEMENTSOF(codes)], how & 8 ? "why \x01" : "") < 0)
                abort();
        if (how >= 0xe0)
                ;
        else if ((order.type == HA_ORDER_STATUS) != (how >= 0xd0)) { /* the right kind, or the other */
                give_status(c, how);
                c->held[order.type] += order.type != HA_ORDER_STATUS;
        } else
                give_ok(c, order.type);
        flush(c);
}

static void tell(uint8_t which, uint8_t how) {
        struct role_event event = { .type = (enum confd_ha_info_type) (which % 8) };
        static const int codes[] = { 0, 1, CONFD_ERR_HA_CLOSED, CONFD_ERR_HA_NOTICK, CONFD_ERR_HA_ABORT, CONFD_ERR_HA_BADNAME, -1,
                                     1 << 30 };
        const uint8_t id[] = { 109, 0, 0, 0, 2, 'n', (uint8_t) ('1' + how % NODES) };
        struct conn *c = conn_of(IPC_KIND_EVENTS);

        if (!c)
                return;
        event.code = codes[how % ELEMENTSOF(codes)];
        event.node.address.family = AF_INET;
        if (node_id_from_bytes(id, sizeof(id), &event.node.id) < 0 ||
            (which & 0x40 ? ipc_put_notification(&c->out, 1u << how % 20) : ipc_put_event(&c->out, &event)) < 0)
                abort();
        flush(c);
}

/* ---- the steps ---- */

static void order(struct input *in) {
        static const char *const ids[] = { "n1", "n2", "me" }, *const addresses[] = { "10.0.0.1", "2001:db8::1", "host" };
        uint8_t b = take_byte(in);
        struct order_request request = { .kind = (enum order_kind) (b % (ORDER_KIND_TAKE_OVER + 1)), .wait = b & 0x80 };
        struct call *c = &w.calls[w.n_calls++];

        b = take_byte(in);
        if (request.kind != ORDER_KIND_BE_RELAY && request.kind != ORDER_KIND_BE_NONE)
                request.node_id = ids[b % 3];
        if (request.kind == ORDER_KIND_BE_SLAVE) {
                request.master_id = ids[b / 3 % 3];
                request.master_address = addresses[b / 9 % 3];
        }
        if (request.kind == ORDER_KIND_TAKE_OVER)
                request.old_master = b & 0x80 ? "" : ids[b / 3 % 3];
        *c = (struct call) { .kind = request.kind };
        controller_order(w.controller, &request, on_order_done, c);
}

static void status(uint8_t b) {
        struct call *c = &w.calls[w.n_calls++];

        *c = (struct call) { .is_status = true, .statuses_before = w.n_heard };
        controller_status(w.controller, /* privileged= */ b & 1, on_status_done, c);
}

static void say_anything(struct conn *c, struct input *in) {
        const uint8_t *p;
        size_t n = take_bytes(in, &p);

        if (!c)
                return;
        if (buffer_append(&c->out, p, n) < 0)
                abort();
        /* What it says may be an answer, whatever it is. */
        for (size_t i = 0; i < KINDS; i++)
                w.ok[i] += 1;
        for (unsigned state = HA_STATE_NONE; state <= HA_STATE_SLAVE_RELAY && w.n_given < ELEMENTSOF(w.given); state++)
                w.given[w.n_given++] = (struct given) { (enum ha_state) state, 0 };
        flush(c);
}

static void step(struct input *in) {
        uint8_t b = take_byte(in), how;
        struct conn *c = conn_of(b & 0x80 ? IPC_KIND_EVENTS : IPC_KIND_HA);

        switch (b & 15) {
        case 0:
        case 1:
                order(in);
                break;
        case 2:
                status(b >> 5);
                break;
        case 3:
        case 4:
        case 5:
                answer(take_byte(in));
                break;
        case 6:
        case 7:
                how = take_byte(in);
                tell(how, take_byte(in));
                break;
        case 8:
                if (c)
                        end_conn(c);
                break;
        case 9:
                say_anything(c, in);
                break;
        case 10:
                controller_joining(w.controller, b & 0x80);
                break;
        case 11: /* the disk, and who is told, have their time */
                w.kept = b & 0x80;
                w.hold = b & 0x40;
                if (!w.hold)
                        controller_told(w.controller);
                break;
        case 12:
                link_give_up(controller_link(w.controller), failure_make(FAILURE_TIMEOUT, "given up"), LINK_ENDED);
                break;
        case 13:
                wait_a_little(b & 0x80 && !w.waited);
                w.waited = w.waited || b & 0x80;
                break;
        default:
                break;
        }
        if (!(b & 16)) { /* else it goes on before anybody has had a turn */
                settle();
                judge_state();
        }
}

/* ---- the whole ---- */

static void remove_directory(void) {
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/be-slave", w.directory);
        (void) unlink(path);
        (void) rmdir(w.directory);
        close(w.listener);
}

static void begin_once(void) {
        if (w.directory[0])
                return;
        log_set_target(LOG_TARGET_NULL);
        w.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        w.address = (struct sockaddr_un) { .sun_family = AF_UNIX };
        w.address_size = sizeof(w.address);
        if (!scratch_directory("fuzz-service-confd", w.directory, sizeof(w.directory)) || setenv("RUNTIME_DIRECTORY", w.directory, 1) < 0 ||
            w.listener < 0 || bind(w.listener, (struct sockaddr *) &w.address, sizeof(sa_family_t)) < 0 || listen(w.listener, 8) < 0 ||
            getsockname(w.listener, (struct sockaddr *) &w.address, &w.address_size) < 0 || atexit(remove_directory) != 0)
                abort();
}

static void begin(void) {
        static const struct secret token = { (uint8_t *) "token", 5 };
        struct config *config;
        char *error = NULL, path[128];

        (void) snprintf(path, sizeof(path), "%s/be-slave", w.directory);
        (void) unlink(path);
        w.n_calls = w.n_given = w.n_heard = w.asked_joining = 0;
        memset(w.ok, 0, sizeof(w.ok));
        memset(w.succeeded, 0, sizeof(w.succeeded));
        w.kept = true;
        w.hold = w.waited = false;
        for (size_t i = 0; i < CONNS; i++)
                w.conns[i] = (struct conn) { .fd = -EBADF };
        if (sd_event_new(&w.event) < 0 || config_load(&config, "/dev/null", &error) < 0)
                abort();
        failure_done(&config->problem);
        config->problem = FAILURE_NONE;
        memcpy(&config->address.storage, &w.address, sizeof(w.address));
        config->address.length = w.address_size;
        config->reconnect_min = config->reconnect_max = USEC_PER_MSEC;
        if (secret_copy(&token, &config->token) < 0 || state_new(&w.state, "x", "", 1) < 0 ||
            controller_new(&w.controller, w.event, w.state, config, &handlers, NULL) < 0 || controller_start(w.controller) < 0)
                abort();
        controller_connect(w.controller);
        for (int i = 0; i < 100 && !conn_of(IPC_KIND_EVENTS); i++) {
                (void) sd_event_run(w.event, USEC_PER_MSEC);
                settle();
        }
}

static void end(void) {
        settle();
        w.hold = false;
        controller_stop(w.controller);
        for (size_t i = 0; i < w.n_calls; i++)
                if (!w.calls[i].done)
                        abort();
        w.controller = controller_free(w.controller);
        w.state = state_free(w.state);
        for (size_t i = 0; i < CONNS; i++)
                end_conn(&w.conns[i]);
        for (int fd; (fd = accept4(w.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;)
                close(fd);
        w.event = sd_event_unref(w.event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };

        begin_once();
        begin();
        for (unsigned i = 0; in.left > 0 && i < STEPS_MAX; i++)
                step(&in);
        end();
        return 0;
}
