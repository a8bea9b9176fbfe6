/* SPDX-License-Identifier: Apache-2.0 */
/* The whole client against a server that sends anything: the first byte says which client, the rest is the server's. */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <confd_ha_client.h>

#include "fuzz.h"

struct heard {
        unsigned connected, orders, closed;
};

static void on_connect(confd_ha_client *c, const struct confd_ha_result *r, void *userdata) {
        struct heard *h = userdata;

        h->connected++;
        if (!r->message)
                abort();
}

static void on_order(confd_ha_client *c, const struct confd_ha_result *r, const struct confd_ha_status_reply *s, void *userdata) {
        struct heard *h = userdata;
        char text[64];

        h->orders++;
        for (unsigned i = 0; s && i < s->num_nodes; i++)
                (void) confd_ha_format_id(&s->nodes[i].id, text, sizeof(text));
}

static void on_event(confd_ha_client *c, const struct confd_ha_event *e, void *userdata) {}

static void on_closed(confd_ha_client *c, const struct confd_ha_result *r, void *userdata) {
        struct heard *h = userdata;

        h->closed++;
}

/* An address of the abstract namespace that the kernel chooses: nothing is left behind. */
static int listen_somewhere(struct sockaddr_un *ret, socklen_t *ret_size) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        *ret = (struct sockaddr_un) { .sun_family = AF_UNIX };
        *ret_size = sizeof(*ret);
        if (fd < 0 || bind(fd, (struct sockaddr *) ret, sizeof(sa_family_t)) < 0 || listen(fd, 8) < 0 ||
            getsockname(fd, (struct sockaddr *) ret, ret_size) < 0)
                abort();
        return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static int listener = -1;
        static struct sockaddr_un address;
        static socklen_t address_size;
        const uint8_t *sent[4] = {};
        int peers[4], n_peers = 0;
        struct heard h = {};
        confd_ha_client *c;
        bool events;
        unsigned submitted = 0;

        if (listener < 0)
                listener = listen_somewhere(&address, &address_size);
        if (size == 0 || size > 60000)
                return 0;
        events = data[0] & 1;
        if ((events ? confd_ha_client_new_events(&c, CONFD_NOTIF_HA_INFO, NULL, on_event, NULL, NULL)
                    : confd_ha_client_new(&c, "t", 1)) < 0)
                abort();
        if (data[0] & 2 && confd_ha_client_set_access_secret(c, "secret", 6) < 0)
                abort();
        confd_ha_client_set_closed_callback(c, on_closed, &h);
        if (confd_ha_client_connect(c, (struct sockaddr *) &address, address_size, CONFD_HA_CLIENT_NO_DEADLINE, on_connect, &h) < 0)
                abort();
        /* A client may connect anew with another version or subscription; more often than thrice is a circle. */
        for (int i = 0; confd_ha_client_process(c) >= 0; i++) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (i > 1000)
                        abort();
                if (fd >= 0) {
                        if (n_peers == 4)
                                abort();
                        sent[n_peers] = data;
                        peers[n_peers++] = fd;
                        if (send(fd, data + 1, size - 1, MSG_NOSIGNAL) < 0 || shutdown(fd, SHUT_WR) < 0)
                                abort();
                }
                while (confd_ha_client_is_ready(c) && !events && submitted < 3)
                        if (confd_ha_client_status(c, CONFD_HA_CLIENT_NO_DEADLINE, on_order, &h) < 0)
                                abort();
                        else
                                submitted++;
        }
        if (h.connected != 1 || h.orders != submitted || h.closed > 1 || !sent[0])
                abort();
        confd_ha_client_free(c);
        while (n_peers > 0)
                close(peers[--n_peers]);
        return 0;
}
