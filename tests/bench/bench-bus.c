/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a running service, each against org.freedesktop.DBus.Peer.Ping of the same process, in pairs of short runs that
 * alternate, so that both see the same machine. DBUS_SYSTEM_BUS_ADDRESS says which bus. Microseconds a call: "pair NAME OURS PING". */
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "basic/time-util.h"
#include "basic/util.h"

#define NAME "org.confd.HA"
#define PATH "/org/confd/HA"

enum { PAIRS = 41, CALLS = 256 };

enum what { PING, STATUS, GET, GET_ALL };

static const char *const names[] = { [PING] = "ping", [STATUS] = "status", [GET] = "get", [GET_ALL] = "getall" };

static int make(sd_bus *bus, enum what what, sd_bus_message **ret) {
        int r;

        switch (what) {
        case PING:
                return sd_bus_message_new_method_call(bus, ret, NAME, PATH, "org.freedesktop.DBus.Peer", "Ping");
        case STATUS:
                return sd_bus_message_new_method_call(bus, ret, NAME, PATH, NAME, "Status");
        case GET:
                r = sd_bus_message_new_method_call(bus, ret, NAME, PATH, "org.freedesktop.DBus.Properties", "Get");
                return r < 0 ? r : sd_bus_message_append(*ret, "ss", NAME, "State");
        case GET_ALL:
                r = sd_bus_message_new_method_call(bus, ret, NAME, PATH, "org.freedesktop.DBus.Properties", "GetAll");
                return r < 0 ? r : sd_bus_message_append(*ret, "s", NAME);
        }
        return -EINVAL;
}

struct run {
        sd_bus *bus;
        enum what what;
        unsigned left, in_flight;
        int error;
};

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error);

static int send_one(struct run *run) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = make(run->bus, run->what, &m);
        if (r >= 0)
                r = sd_bus_call_async(run->bus, NULL, m, on_reply, run, 0);
        if (r < 0)
                return r;
        run->left--;
        run->in_flight++;
        return 0;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct run *run = userdata;

        run->in_flight--;
        if (sd_bus_message_is_method_error(m, NULL)) {
                fprintf(stderr, "%s: %s\n", names[run->what], sd_bus_message_get_error(m)->message);
                run->error = -EIO;
        }
        if (run->left > 0 && send_one(run) < 0)
                run->error = -EIO;
        return 0;
}

/* Microseconds for CALLS calls with so many in flight. */
static int measure(sd_bus *bus, enum what what, unsigned width, double *ret) {
        struct run run = { .bus = bus, .what = what, .left = CALLS };
        uint64_t begun = now_monotonic();
        int r;

        while (run.in_flight < width && run.left > 0) {
                r = send_one(&run);
                if (r < 0)
                        return r;
        }
        while (run.in_flight > 0 && run.error == 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0)
                        return r;
        }
        *ret = (double) (now_monotonic() - begun);
        return run.error;
}

static int compare(sd_bus *bus, enum what what, unsigned width) {
        for (int i = 0; i < PAIRS; i++) {
                enum what first = i % 2 ? what : PING, second = i % 2 ? PING : what;
                double a, b;
                int r;

                r = measure(bus, first, width, &a);
                if (r >= 0)
                        r = measure(bus, second, width, &b);
                if (r < 0)
                        return r;
                printf("pair %s-%u %.2f %.2f\n", names[what], width, (i % 2 ? a : b) / CALLS, (i % 2 ? b : a) / CALLS);
        }
        return 0;
}

int main(void) {
        static const unsigned widths[] = { 1, 64 };
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system(&bus);
        for (size_t w = 0; r >= 0 && w < ELEMENTSOF(widths); w++)
                for (enum what what = STATUS; r >= 0 && what <= GET_ALL; what++)
                        r = compare(bus, what, widths[w]);
        if (r < 0) {
                fprintf(stderr, "bench-bus: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
