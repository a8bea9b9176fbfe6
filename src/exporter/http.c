/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the connections: how many there are, how long each may take.
 *
 * libmicrohttpd runs without threads and without a listening socket of its own: its epoll descriptor is a source of our loop, and
 * connections are accepted here, so that the limit can prefer who has shown to be a client. A connection that is to go is
 * shut down, and libmicrohttpd finds it closed when it runs next. */
#include <microhttpd.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "exporter/http.h"

struct connection {
        int fd; /* libmicrohttpd's */
        uint64_t deadline; /* monotonic */
        bool served;       /* a request of it was finished */
        bool ended;        /* was shut down */
        TAILQ_ENTRY(connection) entry;
};

struct http_request {
        struct http *http;
        struct MHD_Connection *connection;
        struct connection *record;
        const char *path, *method;
        void *userdata;
        bool suspended, answered;
        struct MHD_Response *response;
        unsigned status;
};

struct http {
        sd_event *event;
        struct MHD_Daemon *daemon;
        const struct http_handler *handler;
        void *userdata;
        sd_event_source *io, *run, *timer, *sweep;
        struct {
                int fd;
                sd_event_source *source;
        } listeners[HTTP_LISTENERS_MAX];
        size_t n_listeners;
        TAILQ_HEAD(connections, connection) connections; /* in the order in which they came */
        size_t n_connections;
        struct ratelimit refusals;
};

/* ---- the daemon on the loop ---- */

static void schedule(struct http *h) {
        MHD_UNSIGNED_LONG_LONG msec;

        if (MHD_get_timeout(h->daemon, &msec) != MHD_YES)
                (void) sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
        else if (sd_event_source_set_time_relative(h->timer, msec * USEC_PER_MSEC) < 0 ||
                 sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT) < 0)
                log_error("Cannot schedule the next turn of the HTTP connections");
}

static void run(struct http *h) {
        (void) MHD_run(h->daemon);
        schedule(h);
}

/* From within the daemon's own callbacks it must not be run: then in the next turn. */
static void run_soon(struct http *h) {
        (void) sd_event_source_set_enabled(h->run, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        run(userdata);
        return 0;
}

static int on_run(sd_event_source *source, void *userdata) {
        run(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        run(userdata);
        return 0;
}

/* ---- connections ---- */

static void end_connection(struct http *h, struct connection *c) {
        if (c->ended)
                return;
        c->ended = true;
        (void) shutdown(c->fd, SHUT_RDWR);
        run_soon(h);
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata) {
        struct http *h = userdata;
        struct connection *c;
        uint64_t now = now_monotonic();

        TAILQ_FOREACH(c, &h->connections, entry)
                if (now >= c->deadline)
                        end_connection(h, c);
        if (!TAILQ_EMPTY(&h->connections) &&
            (sd_event_source_set_time_relative(source, USEC_PER_SEC) < 0 ||
             sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) < 0))
                log_error("Cannot schedule the next look at the HTTP connections");
        return 0;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
        struct http *h = cls;
        struct connection *c = *socket_context;

        if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
                if (!c)
                        return;
                TAILQ_REMOVE(&h->connections, c, entry);
                h->n_connections--;
                free(c);
                *socket_context = NULL;
                return;
        }
        c = calloc(1, sizeof(*c));
        if (!c)
                return; /* without a record of it, it has libmicrohttpd's time-out */
        c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        c->deadline = usec_add(now_monotonic(), HTTP_REQUEST_SEC * USEC_PER_SEC);
        TAILQ_INSERT_TAIL(&h->connections, c, entry);
        h->n_connections++;
        *socket_context = c;
        (void) sd_event_source_set_enabled(h->sweep, SD_EVENT_ONESHOT);
}

/* Makes room for a newcomer: who has not finished a request goes before who has, the oldest first. */
static void make_room(struct http *h) {
        struct connection *c, *oldest = NULL;
        size_t n = 0;

        TAILQ_FOREACH(c, &h->connections, entry) {
                if (c->ended)
                        continue;
                n++;
                if (!oldest || (oldest->served && !c->served))
                        oldest = c;
        }
        if (n < HTTP_CONNECTIONS_MAX || !oldest)
                return;
        log_limited(&h->refusals, LOG_NOTICE, "%d HTTP connections are open: the oldest one is closed for a new one",
                    HTTP_CONNECTIONS_MAX);
        end_connection(h, oldest);
        run(h);
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct http *h = userdata;
        struct sockaddr_storage address;
        socklen_t length = sizeof(address);
        int client;

        client = accept4(fd, (struct sockaddr *) &address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0) {
                if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                        log_limited(&h->refusals, LOG_WARNING, "Cannot take an HTTP connection: %m");
                return 0;
        }
        make_room(h);
        /* It closes the socket itself if it cannot take it. */
        (void) MHD_add_connection(h->daemon, client, (struct sockaddr *) &address, length);
        run(h);
        return 0;
}

/* ---- requests ---- */

static enum MHD_Result send_response(struct http_request *q) {
        enum MHD_Result result = MHD_queue_response(q->connection, q->status, q->response);

        MHD_destroy_response(q->response);
        q->response = NULL;
        q->answered = true;
        return result;
}

/* A request may name the host before the path, as to a proxy, and is to be answered as if it had not (RFC 9112, 3.2.2). */
static const char *path_of(const char *url) {
        static const char scheme[] = "http://";

        if (strncasecmp(url, scheme, strlen(scheme)) != 0)
                return url;
        return strchr(url + strlen(scheme), '/') ?: "/";
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload_data, size_t *upload_data_size,
                                  void **con_cls) {
        struct http *h = cls;
        struct http_request *q = *con_cls;

        if (!q) {
                const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

                q = calloc(1, sizeof(*q));
                if (!q)
                        return MHD_NO;
                *q = (struct http_request) {
                        .http = h, .connection = connection, .path = path_of(url), .method = method,
                        .record = info ? info->socket_context : NULL,
                };
                *con_cls = q;
                h->handler->request(q, h->userdata);
                if (!q->response) {
                        q->suspended = true;
                        MHD_suspend_connection(connection);
                        return MHD_YES;
                }
        }
        /* What comes with a request that has none is not wanted; the response says no, and the connection ends. */
        *upload_data_size = 0;
        return q->response ? send_response(q) : q->answered ? MHD_YES : MHD_NO;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code) {
        struct http_request *q = *con_cls;
        struct http *h = cls;

        if (!q)
                return;
        if (!q->answered && !q->response)
                h->handler->gone(q, h->userdata);
        if (q->response)
                MHD_destroy_response(q->response);
        if (q->record) {
                q->record->served = true;
                q->record->deadline = usec_add(now_monotonic(), HTTP_IDLE_SEC * USEC_PER_SEC);
        }
        free(q);
        *con_cls = NULL;
}

const char *http_request_path(const struct http_request *q) {
        return q->path;
}

const char *http_request_method(const struct http_request *q) {
        return q->method;
}

const char *http_request_header(const struct http_request *q, const char *name) {
        return MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, name);
}

void **http_request_userdata(struct http_request *q) {
        return &q->userdata;
}

void http_respond(struct http_request *q, unsigned status, const char *content_type, char *body, size_t size,
                  const char *allow) {
        q->response = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
        q->status = status;
        if (!q->response) {
                free(body);
                if (q->record)
                        end_connection(q->http, q->record);
        } else {
                (void) MHD_add_response_header(q->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
                (void) MHD_add_response_header(q->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
                if (allow)
                        (void) MHD_add_response_header(q->response, MHD_HTTP_HEADER_ALLOW, allow);
        }
        if (q->suspended) {
                q->suspended = false;
                MHD_resume_connection(q->connection);
                run_soon(q->http);
        }
}

/* ---- life ---- */

static int add_sources(struct http *h) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        int r;

        if (!info)
                return -EOPNOTSUPP;
        r = sd_event_add_io(h->event, &h->io, info->epoll_fd, EPOLLIN, on_io, h);
        if (r >= 0)
                r = sd_event_add_defer(h->event, &h->run, on_run, h);
        if (r >= 0)
                r = sd_event_source_set_enabled(h->run, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(h->event, &h->timer, CLOCK_MONOTONIC, 0, 0, on_timer, h);
        if (r >= 0)
                r = sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(h->event, &h->sweep, CLOCK_MONOTONIC, 0, 0, on_sweep, h);
        if (r >= 0)
                r = sd_event_source_set_enabled(h->sweep, SD_EVENT_OFF);
        return r;
}

int http_new(sd_event *event, const struct http_handler *handler, void *userdata, struct http **ret) {
        _cleanup_(http_freep) struct http *h = calloc(1, sizeof(*h));
        int r;

        if (!h)
                return -ENOMEM;
        TAILQ_INIT(&h->connections);
        h->event = sd_event_ref(event);
        h->handler = handler;
        h->userdata = userdata;
        h->refusals = (struct ratelimit) { .interval_usec = 10 * USEC_PER_SEC, .burst = 5 };
        h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, /* port= */ 0,
                                     /* apc= */ NULL, /* apc_cls= */ NULL, on_request, h,
                                     MHD_OPTION_CONNECTION_LIMIT, (unsigned) HTTP_CONNECTIONS_MAX + 32,
                                     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) HTTP_IDLE_SEC,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) HTTP_MEMORY_MAX,
                                     MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
                                     MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
                                     MHD_OPTION_END);
        if (!h->daemon)
                return -ENOMEM;
        r = add_sources(h);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(h);
        return 0;
}

int http_listen(struct http *h, int fd) {
        int r;

        if (h->n_listeners >= HTTP_LISTENERS_MAX) {
                close(fd);
                return -ENOBUFS;
        }
        r = sd_event_add_io(h->event, &h->listeners[h->n_listeners].source, fd, EPOLLIN, on_accept, h);
        if (r < 0) {
                close(fd);
                return r;
        }
        h->listeners[h->n_listeners++].fd = fd;
        return 0;
}

struct http *http_free(struct http *h) {
        if (!h)
                return NULL;
        for (size_t i = 0; i < h->n_listeners; i++) {
                sd_event_source_disable_unref(h->listeners[i].source);
                safe_close(h->listeners[i].fd);
        }
        sd_event_source_disable_unref(h->io);
        sd_event_source_disable_unref(h->timer);
        sd_event_source_disable_unref(h->sweep);
        if (h->daemon) {
                struct connection *c;

                /* Whoever waits for an answer does not get one any more. */
                TAILQ_FOREACH(c, &h->connections, entry)
                        (void) shutdown(c->fd, SHUT_RDWR);
                MHD_stop_daemon(h->daemon);
        }
        sd_event_source_disable_unref(h->run);
        sd_event_unref(h->event);
        free(h);
        return NULL;
}
