/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the serving side as a whole: listeners, name and token, the list of slaves, events. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "node/replication/master-internal.h"

enum { ACCEPT_BUDGET = 32, BREATH_USEC = 200 * 1000, LISTEN_BACKLOG = 512 };

void master_unref(struct master *m) {
        if (--m->refs > 0)
                return;
        sd_event_source_disable_unref(m->deliver);
        sd_event_unref(m->event);
        secret_done(&m->token);
        for (struct event *e; (e = m->events);) {
                m->events = e->next;
                free(e);
        }
        remote_bury(m);
        free(m);
}

void master_wake(struct master *m) {
        (void) sd_event_source_set_enabled(m->deliver, SD_EVENT_ONESHOT);
}

void master_event(struct master *m, bool arrived, const struct node_id *id, const struct node_address *address) {
        struct event *e;

        e = calloc(1, sizeof(*e));
        if (!e)
                return; /* the status is right all the same */
        *e = (struct event) { .arrived = arrived, .id = *id, .address = *address };
        if (m->events)
                m->last_event->next = e;
        else
                m->events = e;
        m->last_event = e;
        master_wake(m);
}

/* Events and results of commits, outside of everything else, so that their receivers may do what they like. */
static int on_deliver(sd_event_source *source, void *userdata) {
        struct master *m = userdata;
        struct event *e;

        m->refs++;
        while (!m->dead && (e = m->events)) {
                m->events = e->next;
                if (e->arrived && m->callbacks.slave_arrived)
                        m->callbacks.slave_arrived(m, &e->id, &e->address, m->userdata);
                else if (!e->arrived && m->callbacks.slave_died)
                        m->callbacks.slave_died(m, &e->id, &e->address, m->userdata);
                free(e);
        }
        commits_deliver(m);
        remote_bury(m);
        master_unref(m);
        return 0;
}

void master_path(const struct master *m, struct node_path *ret) {
        if (m->upstream)
                *ret = *slave_path(m->upstream);
        else
                ret->n = 0;
        if (ret->n < PATH_NODES_MAX)
                ret->names[ret->n++] = m->id;
}

unsigned master_depth(const struct master *m) {
        unsigned depth = 0;

        for (const struct remote *r = m->remotes; r; r = r->next)
                if (r->state >= REMOTE_COPYING)
                        depth = MAX(depth, 1 + r->depth);
        return depth;
}

void master_depth_changed(struct master *m) {
        unsigned depth = master_depth(m);

        if (m->upstream && depth != m->told_depth)
                slave_depth_changed(m->upstream);
        m->told_depth = depth;
}

void master_path_changed(struct master *m) {
        struct node_path path;

        master_path(m, &path);
        for (struct remote *r = m->remotes; r; r = r->next)
                remote_send_path(r, &path);
}

static int on_breath(sd_event_source *source, uint64_t usec, void *userdata) {
        struct master *m = userdata;

        for (size_t i = 0; i < m->n_listeners; i++)
                (void) sd_event_source_set_enabled(m->listeners[i].source, SD_EVENT_ON);
        return 0;
}

/* No more file descriptors or memory: trying again at once would only burn the processor. */
static void breathe(struct master *m, int error) {
        log_warning("cannot take connections of nodes: %s; trying again", strerror(-error));
        for (size_t i = 0; i < m->n_listeners; i++)
                (void) sd_event_source_set_enabled(m->listeners[i].source, SD_EVENT_OFF);
        m->breather = sd_event_source_disable_unref(m->breather);
        (void) sd_event_add_time_relative(m->event, &m->breather, CLOCK_MONOTONIC, BREATH_USEC, 0, on_breath, m);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct master *m = userdata;

        for (int i = 0; i < ACCEPT_BUDGET; i++) {
                struct sockaddr_storage storage = {};
                socklen_t size = sizeof(storage);
                struct node_address address = {};
                int connection, r;

                connection = accept4(fd, (struct sockaddr *) &storage, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (connection < 0) {
                        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                                breathe(m, -errno);
                        return 0;
                }
                if (node_address_from_sockaddr((struct sockaddr *) &storage, &address) < 0) {
                        close(connection);
                        continue;
                }
                address.port = 0; /* the port it came from is of no use to anybody */
                r = remote_new(m, connection, &address);
                if (r < 0)
                        log_warning("cannot take a connection: %s", strerror(-r));
        }
        return 0;
}

static void unlisten(struct master *m) {
        for (size_t i = 0; i < m->n_listeners; i++) {
                sd_event_source_disable_unref(m->listeners[i].source);
                safe_close(m->listeners[i].fd);
        }
        m->n_listeners = 0;
        m->breather = sd_event_source_disable_unref(m->breather);
}

static bool is_any(const struct node_address *a) {
        return a->family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&a->ip6) : a->ip4.s_addr == htonl(INADDR_ANY);
}

static int listen_on(struct master *m, const struct node_address *a, uint16_t default_port, bool v6only) {
        _cleanup_close_ int fd = -EBADF;
        struct listener *l = &m->listeners[m->n_listeners];
        struct sockaddr_storage storage;
        int one = 1, only = v6only, r;
        socklen_t size;

        r = node_address_to_sockaddr(a, default_port, &storage, &size);
        if (r < 0)
                return r;
        fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        /* Connections of an earlier run that linger must not keep us from listening. */
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
                return -errno;
        if (storage.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
                return -errno;
        if (bind(fd, (struct sockaddr *) &storage, size) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
                return -errno;
        r = sd_event_add_io(m->event, &l->source, fd, EPOLLIN, on_connection, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->source, SD_EVENT_OFF);
        if (r < 0) {
                l->source = sd_event_source_disable_unref(l->source);
                return r;
        }
        l->fd = TAKE_FD(fd);
        l->address = *a;
        m->n_listeners++;
        return 0;
}

static int listen_all(struct master *m, char **ret_error) {
        const struct replication_config *c = &m->config;
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
                for (size_t j = 0; j < m->n_listeners; j++)
                        twice = twice || node_address_equal(&m->listeners[j].address, &a);
                if (twice)
                        continue;
                r = listen_on(m, &a, c->ha_address.port, a.family == AF_INET6 && (any4 || !is_any(&a)));
                if (r < 0) {
                        unlisten(m);
                        if (asprintf(ret_error, "cannot listen for nodes on %s: %s", node_address_text(&a, text),
                                     strerror(-r)) < 0)
                                *ret_error = NULL;
                        return r;
                }
        }
        return 0;
}

int master_set_token(struct master *m, const struct secret *token) {
        if (token->size > TOKEN_SIZE_MAX)
                return -EINVAL;
        return secret_copy(token, &m->token);
}

/* Until now connections only queued: what is on its way to the disk is neither in a snapshot nor among our commits. */
static void on_settled(int result, void *userdata) {
        (void) on_breath(NULL, 0, userdata);
}

int master_new(sd_event *event, struct store *store, const struct replication_config *config, const struct node_id *id,
               const struct secret *token, struct slave *upstream, const struct master_callbacks *callbacks, void *userdata,
               struct master **ret, char **ret_error) {
        struct master *m;
        int r;

        *ret_error = NULL;
        if (id->size == 0 || config->n_extra_listen > EXTRA_LISTEN_MAX)
                return -EINVAL;
        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        m->refs = 1;
        m->event = sd_event_ref(event);
        m->store = store;
        m->config = *config;
        m->id = *id;
        m->upstream = upstream;
        if (callbacks)
                m->callbacks = *callbacks;
        m->userdata = userdata;
        m->chain = store_chain_new(store);
        r = master_set_token(m, token);
        if (r >= 0)
                r = sd_event_add_defer(event, &m->deliver, on_deliver, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->deliver, SD_EVENT_OFF);
        if (r >= 0)
                r = listen_all(m, ret_error);
        if (r < 0) {
                master_unref(m);
                return r;
        }
        if (upstream)
                slave_set_relay(upstream, m);
        r = store_barrier(store, on_settled, m);
        if (r < 0) {
                master_free(m);
                return r;
        }
        *ret = m;
        return 0;
}

struct master *master_free(struct master *m) {
        if (!m)
                return NULL;
        store_barrier_cancel(m->store, m);
        unlisten(m);
        m->dead = true;
        remote_drop_all(m);
        commits_abandon(m);
        master_update_log(m);
        if (m->upstream)
                slave_set_relay(m->upstream, NULL);
        m->upstream = NULL;
        master_unref(m);
        return NULL;
}

void master_promote(struct master *m) {
        if (!m->upstream)
                return;
        slave_set_relay(m->upstream, NULL);
        m->upstream = NULL;
        master_path_changed(m);
}

int master_rename(struct master *m, const struct node_id *id) {
        if (id->size == 0)
                return -EINVAL;
        if (node_id_equal(&m->id, id))
                return 0;
        m->id = *id;
        master_path_changed(m);
        return 0;
}

void master_set_hold(struct master *m, bool hold) {
        m->hold = hold;
        if (hold)
                return;
        for (struct remote *r = m->remotes, *next; r; r = next) {
                next = r->next;
                if (r->state == REMOTE_HELD)
                        remote_admit(r);
        }
}

void master_slave_dead(struct master *m, const struct node_id *id) {
        for (struct remote *r = m->remotes, *next; r; r = next) {
                next = r->next;
                if (r->state >= REMOTE_COPYING && node_id_equal(&r->id, id))
                        remote_drop(r, "declared dead by order");
        }
}

size_t master_n_slaves(const struct master *m) {
        return m->n_arrived;
}
