/* SPDX-License-Identifier: Apache-2.0 */
/* Owns real nodes on the bus of a test. */
#include <arpa/inet.h>
#include <confd_ha.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "node-fixture.h"

enum { MANY_LISTS = 40 };

const char *address_of(struct fixture *f, unsigned number) {
        int pid = (int) getpid();

        return kept(f, "127.%u.%d.%d", 79 + number, pid >> 8 & 255, pid & 255);
}

void start_node(struct fixture *f, struct child *c, unsigned number, const char *bus_name, const char *more) {
        /* Memory is measured: what was freed shall not be held back long. */
        const char *const env[] = { kept(f, "DBUS_SYSTEM_BUS_ADDRESS=%s", f->bus_address),
                                    kept(f, "ASAN_OPTIONS=%s:quarantine_size_mb=4", getenv("ASAN_OPTIONS") ?: ""),
                                    "JOURNAL_STREAM", "NOTIFY_SOCKET", NULL };
        const char *const argv[] = { getenv("CONFD_HA_NODE"), kept(f, "--config=%s", in_dir(f, "node.conf")),
                                     kept(f, "--ipc=unix:%s/n%u.ipc", f->dir, number), kept(f, "--data=%s/n%u", f->dir, number),
                                     kept(f, "--ha=%s", address_of(f, number)), kept(f, "--bus-name=%s", bus_name), more, NULL };
        const struct child_options options = { .set_env = env };

        child_end(c);
        child_start(c, f->event, argv, &options);
}

int setup_with(void **state, const char *more) {
        static const struct subject node = { NAME, PATH, NAME };
        struct fixture *f;

        setup_for(state, &node);
        f = *state;
        (void) write_file(f, "node.conf", "# nothing but defaults\n");
        start_node(f, &f->service, 1, NAME, more);
        service_wait_name(f);
        return 0;
}

int connect_ha(struct fixture *f, unsigned number) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) snprintf(un.sun_path, sizeof(un.sun_path), "%s/n%u.ipc", f->dir, number);
        WAIT_FOR(f, confd_ha_connect(sock, (struct sockaddr *) &un, sizeof(un), "token") == CONFD_OK ||
                            (safe_close(sock), sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), false));
        return sock;
}

void be_master(struct fixture *f, int sock) {
        confd_value_t id;

        CONFD_SET_STR(&id, "n1");
        CHECK(f, confd_ha_bemaster(sock, &id) == CONFD_OK);
}

void be_slave(struct fixture *f, int sock, unsigned number) {
        struct confd_ha_node master = { .af = AF_INET };
        confd_value_t id;

        CONFD_SET_STR(&id, kept(f, "n%u", number));
        CONFD_SET_STR(&master.nodeid, "n1");
        CHECK(f, inet_pton(AF_INET, address_of(f, 1), &master.addr.ip4) == 1);
        CHECK(f, confd_ha_beslave(sock, &id, &master, 1) == CONFD_OK);
}

char *filled(char c, size_t n) {
        char *s = malloc(n + 1);

        if (!s)
                abort();
        memset(s, c, n);
        s[n] = 0;
        return s;
}

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return 0;
}

void open_greedy(struct fixture *f, sd_bus *greedy[static GREEDY]) {
        _cleanup_free_ char *value = filled('v', 4 * MIB);
        struct call *call;
        uint64_t until;

        (void) CALL_OK(f, "Apply", "a{ss}as", 2, "/v", value, "/w", "w", 0);
        for (unsigned i = 0; i < GREEDY; i++) {
                CHECK(f, sd_bus_new(&greedy[i]) == 0);
                CHECK(f, sd_bus_set_address(greedy[i], f->bus_address) >= 0);
                CHECK(f, sd_bus_set_bus_client(greedy[i], true) >= 0);
                CHECK(f, sd_bus_start(greedy[i]) >= 0);
                for (unsigned n = 0; n < MANY_LISTS; n++)
                        CHECK(f, sd_bus_call_method_async(greedy[i], NULL, NAME, PATH, NAME, "List", on_list, NULL, "ssu", "", "",
                                                          1) >= 0);
                CHECK(f, sd_bus_flush(greedy[i]) >= 0);
        }
        /* Whether this is answered is the bus's affair, but by then the node has read all of theirs. */
        call = call_start(f->root, "Get", "s", "/w");
        for (until = now_monotonic() + 3 * USEC_PER_SEC; !call->done && now_monotonic() < until;)
                step(f, 10000);
}

void close_greedy(sd_bus *greedy[static GREEDY]) {
        for (unsigned i = 0; i < GREEDY; i++)
                greedy[i] = sd_bus_close_unref(greedy[i]);
}
