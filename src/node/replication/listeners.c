/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the listening sockets of a node that serves others. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "basic/acceptor.h"
#include "basic/log.h"
#include "node/replication/listeners.h"

enum { BACKLOG = 512 };

struct listener {
        int fd;
        struct acceptor *acceptor;
        struct node_address address;
};

struct listeners {
        sd_event *event;
        listeners_fn fn;
        void *userdata;
        struct listener all[1 + EXTRA_LISTEN_MAX];
        size_t n;
};

void listeners_start(struct listeners *l) {
        for (size_t i = 0; i < l->n; i++)
                if (acceptor_set_enabled(l->all[i].acceptor, true) < 0)
                        log_error("Cannot take connections of nodes: out of memory");
}

static void on_connection(int fd, const struct sockaddr_storage *peer, socklen_t peer_size, void *userdata) {
        struct listeners *l = userdata;
        struct node_address from = {};

        if (node_address_from_sockaddr((const struct sockaddr *) peer, &from) < 0) {
                close(fd);
                return;
        }
        from.port = 0;
        l->fn(fd, &from, l->userdata);
}

static bool is_any(const struct node_address *a) {
        return a->family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&a->ip6) : a->ip4.s_addr == htonl(INADDR_ANY);
}

static int listen_on(struct listeners *l, const struct node_address *a, bool v6only) {
        _cleanup_close_ int fd = -EBADF;
        struct listener *one = &l->all[l->n];
        struct sockaddr_storage storage;
        int on = 1, only = v6only, r;
        socklen_t size;

        r = node_address_to_sockaddr(a, a->port, &storage, &size);
        if (r < 0)
                return r;
        fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        /* Connections of an earlier run that linger must not keep us from listening. */
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                return -errno;
        if (storage.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
                return -errno;
        if (bind(fd, (struct sockaddr *) &storage, size) < 0 || listen(fd, BACKLOG) < 0)
                return -errno;
        r = acceptor_new(l->event, fd, "nodes", /* enabled= */ false, on_connection, l, &one->acceptor);
        if (r < 0)
                return r;
        one->fd = TAKE_FD(fd);
        one->address = *a;
        l->n++;
        return 0;
}

static int listen_all(struct listeners *l, const struct replication_config *c, char **ret_error) {
        char text[NODE_ADDRESS_TEXT_MAX];
        bool any4 = false;
        int r;

        for (size_t i = 0; i <= c->n_extra_listen; i++) {
                const struct node_address *a = i == 0 ? &c->ha_address : &c->extra_listen[i - 1];

                any4 = any4 || (a->family == AF_INET && is_any(a));
        }
        for (size_t i = 0; i <= c->n_extra_listen; i++) {
                struct node_address a = i == 0 ? c->ha_address : c->extra_listen[i - 1];
                bool twice = false;

                if (a.port == 0)
                        a.port = c->ha_address.port;
                for (size_t j = 0; j < l->n; j++)
                        twice = twice || node_address_equal(&l->all[j].address, &a);
                if (twice)
                        continue;
                r = listen_on(l, &a, a.family == AF_INET6 && (any4 || !is_any(&a)));
                if (r < 0) {
                        if (asprintf(ret_error, "cannot listen for nodes on %s: %s", node_address_text(&a, text), strerror(-r)) < 0)
                                *ret_error = NULL;
                        return r;
                }
        }
        return 0;
}

int listeners_new(sd_event *event, const struct replication_config *config, listeners_fn fn, void *userdata,
                  struct listeners **ret, char **ret_error) {
        _cleanup_(listeners_freep) struct listeners *l = NULL;
        int r;

        if (config->n_extra_listen > EXTRA_LISTEN_MAX)
                return -EINVAL;
        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->event = sd_event_ref(event);
        l->fn = fn;
        l->userdata = userdata;
        r = listen_all(l, config, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}

struct listeners *listeners_free(struct listeners *l) {
        if (!l)
                return NULL;
        for (size_t i = 0; i < l->n; i++) {
                acceptor_free(l->all[i].acceptor);
                safe_close(l->all[i].fd);
        }
        sd_event_unref(l->event);
        free(l);
        return NULL;
}
