/* SPDX-License-Identifier: Apache-2.0 */
/* bench-event ADDRESS: stands in for ConfD at ADDRESS with the IPC port and the role of the reference node, has slaves come and go, and is a
 * subscriber of the service on $DBUS_SYSTEM_BUS_ADDRESS at the same time. "pair event EVENT PING": microseconds until the signal is here, and
 * of a Ping's round trip; then many at once: "value rate", "value lost", "value growth" (KiB), "value behind" (ms at the end). */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/time-util.h"
#include "node/ipc/server.h"

enum { PAIRS = 500, WARM_UP = 50, PER_SECOND = 20000, SECONDS = 5, AHEAD_MAX = 500, PATIENCE_SEC = 30 };

struct confd {
        sd_event *event;
        struct ipc_server *server;
        struct role *role;
        sd_bus *bus;
        sd_bus_slot *arrived, *died;
        pid_t service;
        struct role_node node;
        unsigned sent, received; /* events, signals */
        bool up;                 /* the node is there */
};

/* ---- ConfD: what the role decides is said on the wire, and there is nobody to replicate with ---- */

static int peer_serve(void *userdata, bool as_master, const struct node_id *id, const char **ret_why) {
        return 0;
}

static void peer_nothing(void *userdata) {
}

static void peer_drop(void *userdata, const struct node_id *id) {
}

static void peer_follow(void *userdata, const struct node_id *id, const struct role_node *master) {
}

static void peer_hold(void *userdata, bool hold) {
}

static const struct role_peer_ops peer_ops = {
        .serve = peer_serve, .unserve = peer_nothing, .drop = peer_drop, .follow = peer_follow, .unfollow = peer_nothing, .hold = peer_hold,
};

static void role_reply(void *userdata, uint64_t controller, enum ha_order type, int code, const char *why) {
        struct confd *c = userdata;

        if (type == HA_ORDER_STATUS && code == 0)
                ipc_server_reply_status(c->server, controller, c->role);
        else
                ipc_server_reply(c->server, controller, code, why);
}

static bool role_event(void *userdata, const struct role_event *event) {
        struct confd *c = userdata;

        return c->server && ipc_server_event(c->server, event);
}

static const struct role_ops role_ops = { .reply = role_reply, .event = role_event, .changed = peer_nothing };

static void on_token(const struct secret *token, void *userdata) {
}

static int on_order(uint64_t controller, const struct role_order *order, void *userdata) {
        return role_submit(((struct confd *) userdata)->role, controller, order);
}

static bool on_may_order(void *userdata) {
        return role_may_submit(((struct confd *) userdata)->role);
}

static void on_gone(uint64_t controller, void *userdata) {
        role_controller_gone(((struct confd *) userdata)->role, controller);
}

static void on_synced(void *userdata) {
        role_release(((struct confd *) userdata)->role);
}

static const struct ipc_callbacks ipc_callbacks = {
        .token = on_token, .order = on_order, .may_order = on_may_order, .gone = on_gone, .synced = on_synced,
};

/* One event: the slave comes, or goes. */
static void happen(struct confd *c) {
        if (c->up)
                role_slave_died(c->role, &c->node.id);
        else
                role_slave_arrived(c->role, &c->node);
        c->up = !c->up;
        c->sent++;
}

/* ---- the subscriber ---- */

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        ((struct confd *) userdata)->received++;
        return 0;
}

static int run_until_received(struct confd *c, unsigned n) {
        uint64_t deadline = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        while (c->received < n) {
                int r = sd_event_run(c->event, USEC_PER_SEC);

                if (r < 0)
                        return r;
                if (now_monotonic() > deadline)
                        return -ETIMEDOUT;
        }
        return 0;
}

static int on_pong(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        *(bool *) userdata = true;
        return 0;
}

static int ping(struct confd *c) {
        bool done = false;
        int r;

        r = sd_bus_call_method_async(c->bus, NULL, "org.confd.HA", "/org/confd/HA", "org.freedesktop.DBus.Peer", "Ping", on_pong, &done, NULL);
        while (r >= 0 && !done)
                r = sd_event_run(c->event, USEC_PER_SEC);
        return r;
}

static long resident_kib(pid_t pid) {
        char path[64];
        long pages = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%i/statm", (int) pid);
        f = fopen(path, "re");
        if (f) {
                if (fscanf(f, "%*d %ld", &pages) != 1)
                        pages = 0;
                fclose(f);
        }
        return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The loop takes one thing at a time. */
static int run_what_waits(struct confd *c, uint64_t usec) {
        int r = sd_event_run(c->event, usec);

        for (int i = 0; r > 0 && i < 1000; i++)
                r = sd_event_run(c->event, 0);
        return r;
}

static int subscribe(sd_bus *bus, struct confd *c) {
        int r;

        r = sd_bus_match_signal(bus, &c->arrived, "org.confd.HA", NULL, "org.confd.HA", "SlaveArrived", on_signal, c);
        return r < 0 ? r : sd_bus_match_signal(bus, &c->died, "org.confd.HA", NULL, "org.confd.HA", "SlaveDied", on_signal, c);
}

/* ---- what is measured ---- */

static int one_by_one(struct confd *c) {
        for (int i = 0; i < WARM_UP + PAIRS; i++) {
                uint64_t a, b, d;
                int r;

                a = now_monotonic();
                happen(c);
                r = run_until_received(c, c->sent);
                b = now_monotonic();
                if (r >= 0)
                        r = ping(c);
                d = now_monotonic();
                if (r < 0)
                        return r;
                if (i >= WARM_UP)
                        printf("pair event %u %u\n", (unsigned) (b - a), (unsigned) (d - b));
        }
        return 0;
}

/* A subscriber in a process of its own: what it has received is shared. */
static int subscriber(volatile unsigned *received) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        struct confd c = {};
        int r;

        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = subscribe(bus, &c);
        received[1] = 1; /* it listens */
        while (r >= 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                received[0] = c.received;
        }
        return EXIT_FAILURE;
}

static int many(struct confd *c, volatile unsigned *received) {
        uint64_t begun, end;
        unsigned before = c->sent, wanted = PER_SECOND * SECONDS;
        long resident = resident_kib(c->service), most = resident;
        int r = 0;

        begun = now_monotonic();
        while (r >= 0 && c->sent - before < wanted) {
                unsigned due = (unsigned) ((now_monotonic() - begun) * PER_SECOND / USEC_PER_SEC);

                /* A machine that does not let everybody run is no reason for a burst that no ConfD would make, and whose loss would be
                 * ours: the rate says it. */
                for (unsigned k = 0; k < 100 && c->sent - before < MIN(due, wanted) && c->sent - before - received[0] < AHEAD_MAX; k++)
                        happen(c);
                if (c->sent % 1000 < 100)
                        most = MAX(most, resident_kib(c->service));
                r = run_what_waits(c, /* usec= */ 500);
        }
        end = now_monotonic();
        while (r >= 0 && received[0] < c->sent - before && now_monotonic() - end < PATIENCE_SEC * USEC_PER_SEC)
                r = run_what_waits(c, /* usec= */ 500);
        most = MAX(most, resident_kib(c->service));
        printf("value rate %.0f\nvalue lost %i\nvalue growth %li\nvalue behind %.1f\n",
               (double) (c->sent - before) * 1e6 / (double) (end - begun), (int) (c->sent - before - received[0]), most - resident,
               (double) (now_monotonic() - end) / 1e3);
        return r;
}

/* The subscriber of the first part goes, the other one comes. */
static int many_to_another(struct confd *c) {
        volatile unsigned *received = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pid_t pid;
        int r = 0;

        if (received == MAP_FAILED)
                return -errno;
        c->arrived = sd_bus_slot_unref(c->arrived);
        c->died = sd_bus_slot_unref(c->died);
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(subscriber(received));
        while (r >= 0 && received[1] == 0)
                r = run_what_waits(c, /* usec= */ 1000);
        if (r >= 0)
                r = many(c, received);
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        return r;
}

static int wait_connected(struct confd *c) {
        uint64_t deadline = now_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        int connected = 0, r;

        /* The service reads from us while it answers: so it is asked by a connection that runs on our loop, by Ping, and then told. */
        while (!connected) {
                _cleanup_(sd_bus_flush_close_unrefp) sd_bus *other = NULL;

                r = sd_event_run(c->event, /* usec= */ 20000);
                if (r < 0)
                        return r;
                r = sd_bus_open_system(&other);
                if (r >= 0)
                        r = sd_bus_get_property_trivial(other, "org.confd.HA", "/org/confd/HA", "org.confd.HA", "EventsConnected", NULL, 'b',
                                                        &connected);
                if (r < 0)
                        connected = 0;
                if (now_monotonic() > deadline)
                        return -ETIMEDOUT;
        }
        r = sd_bus_get_name_creds(c->bus, "org.confd.HA", SD_BUS_CREDS_PID, &creds);
        return r < 0 ? r : sd_bus_creds_get_pid(creds, &c->service);
}

static int be_master(struct confd *c) {
        struct role_order order = { .type = HA_ORDER_BEMASTER };

        order.id = c->node.id;
        return role_submit(c->role, /* controller= */ 0, &order);
}

static int set_up(struct confd *c, const char *text) {
        struct socket_address address;
        confd_value_t id;
        int r;

        CONFD_SET_STR(&id, "slave-1");
        r = parse_socket_address(text, CONFD_PORT, &address);
        if (r >= 0)
                r = node_id_from_value(&id, &c->node.id);
        if (r >= 0)
                r = node_address_parse("10.0.0.2", strlen("10.0.0.2"), &c->node.address);
        if (r >= 0)
                r = sd_event_default(&c->event);
        if (r >= 0)
                r = role_new(&c->role, ROLE_PHASE_MAX, &peer_ops, c, &role_ops, c);
        if (r >= 0)
                r = ipc_server_new(c->event, &address, NULL, &ipc_callbacks, c, &c->server);
        if (r >= 0)
                r = be_master(c);
        if (r >= 0)
                r = sd_bus_open_system(&c->bus);
        if (r >= 0)
                r = sd_bus_attach_event(c->bus, c->event, 0);
        if (r >= 0)
                r = subscribe(c->bus, c);
        return r;
}

int main(int argc, char *argv[]) {
        struct confd c = {};
        int r;

        if (argc != 2) {
                fprintf(stderr, "bench-event: ADDRESS:PORT wanted\n");
                return 2;
        }
        r = set_up(&c, argv[1]);
        if (r >= 0)
                r = wait_connected(&c);
        if (r >= 0)
                r = one_by_one(&c);
        if (r >= 0)
                r = many_to_another(&c);
        if (r < 0)
                fprintf(stderr, "bench-event: %s, after %u events and %u signals\n", strerror(-r), c.sent, c.received);
        ipc_server_free(c.server);
        role_free(c.role);
        sd_bus_flush_close_unref(c.bus);
        sd_event_unref(c.event);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
