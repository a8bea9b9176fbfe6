/* SPDX-License-Identifier: Apache-2.0 */
/* load-node CLIENTS SECONDS [SIZE [PER-SECOND]]: so many clients of the reference node on $DBUS_SYSTEM_BUS_ADDRESS, each with a connection
 * of its own, write one value of that size after the other, each waiting until its own is durable everywhere; with PER-SECOND not
 * faster than that in all. */
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "load.h"

enum { CLIENTS_MAX = 200, KEYS = 50000 };

#define NODE "org.confd.HANode"

struct load {
        sd_event *event;
        char *value;
        uint64_t begun, end, next, interval, random;
        unsigned writing; /* clients that are not done yet */
        struct latencies latencies;
        int error;
};

struct client {
        struct load *load;
        sd_bus *bus;
        sd_event_source *timer;
        uint64_t since;
};

static int write_next(struct client *c);

static void failed(struct load *load, int error) {
        load->error = error;
        (void) sd_event_exit(load->event, 0);
}

static int on_written(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct client *c = userdata;
        int r = 0;

        if (sd_bus_message_is_method_error(m, NULL)) {
                fprintf(stderr, "load-node: %s\n", sd_bus_message_get_error(m)->message);
                r = -EIO;
        }
        if (r >= 0)
                r = latencies_add(&c->load->latencies, now_monotonic() - c->since);
        if (r >= 0)
                r = write_next(c);
        if (r < 0)
                failed(c->load, r);
        return 0;
}

static int write_now(struct client *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        struct load *load = c->load;
        char key[32];
        int r;

        load->random = load->random * 6364136223846793005u + 1442695040888963407u;
        snprintf(key, sizeof(key), "/bench/%05u", (unsigned) ((load->random >> 33) % KEYS));
        c->since = now_monotonic();
        r = sd_bus_message_new_method_call(c->bus, &m, NODE, "/org/confd/HANode", NODE, "Apply");
        if (r >= 0)
                r = sd_bus_message_append(m, "a{ss}as", 1, key, load->value, 0);
        if (r >= 0)
                r = sd_bus_call_async(c->bus, NULL, m, on_written, c, USEC_PER_SEC * 60);
        return r < 0 ? r : 0;
}

static int on_turn(sd_event_source *source, uint64_t usec, void *userdata) {
        struct client *c = userdata;
        int r = now_monotonic() >= c->load->end ? write_next(c) : write_now(c);

        if (r < 0)
                failed(c->load, r);
        return 0;
}

static int write_next(struct client *c) {
        struct load *load = c->load;
        uint64_t now = now_monotonic(), at;
        int r;

        /* Whose time is over ends; what is under way is waited for, and counts. */
        if (now >= load->end)
                return --load->writing > 0 ? 0 : sd_event_exit(load->event, 0);
        if (load->interval == 0)
                return write_now(c);
        at = MAX(load->next, now);
        at = MIN(at, load->end);
        load->next = at + load->interval;
        if (!c->timer)
                return sd_event_add_time(load->event, &c->timer, CLOCK_MONOTONIC, at, 1, on_turn, c);
        r = sd_event_source_set_time(c->timer, at);
        return r < 0 ? r : sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static int client_start(struct client *c, struct load *load) {
        int r;

        c->load = load;
        r = sd_bus_open_system(&c->bus);
        return r < 0 ? r : sd_bus_attach_event(c->bus, load->event, 0);
}

int main(int argc, char *argv[]) {
        unsigned n = argc > 1 ? (unsigned) atoi(argv[1]) : 0;
        double seconds = argc > 2 ? atof(argv[2]) : 0, rate = argc > 4 ? atof(argv[4]) : 0;
        size_t size = argc > 3 ? (size_t) atol(argv[3]) : 100;
        struct client clients[CLIENTS_MAX] = {};
        struct load load = { .random = (uint64_t) getpid() };
        int r;

        if (n < 1 || n > CLIENTS_MAX || seconds <= 0) {
                fprintf(stderr, "load-node: CLIENTS SECONDS [SIZE [PER-SECOND]] wanted\n");
                return 2;
        }
        r = sd_event_default(&load.event);
        load.value = calloc(1, size + 1);
        if (r < 0 || !load.value)
                return EXIT_FAILURE;
        memset(load.value, 'x', size);
        load.interval = rate > 0 ? (uint64_t) ((double) USEC_PER_SEC / rate) : 0;
        for (unsigned i = 0; r >= 0 && i < n; i++)
                r = client_start(&clients[i], &load);
        load.begun = load.next = now_monotonic();
        load.end = load.begun + (uint64_t) (seconds * (double) USEC_PER_SEC);
        load.writing = n;
        for (unsigned i = 0; r >= 0 && i < n; i++)
                r = write_next(&clients[i]);
        if (r >= 0)
                r = sd_event_loop(load.event);
        if (r >= 0)
                r = load.error;
        if (r < 0) {
                fprintf(stderr, "load-node: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        latencies_print(&load.latencies, load.begun);
        return EXIT_SUCCESS;
}
