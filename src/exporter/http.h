/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP on the event loop, over libmicrohttpd: connections with their limits and deadlines, requests without bodies. */
#pragma once

#include <stddef.h>
#include <systemd/sd-event.h>

#include "basic/util.h"

enum {
        HTTP_CONNECTIONS_MAX = 256, /* at more, those go first that have not finished a request, the oldest first */
        HTTP_REQUEST_SEC = 5,       /* from the connection to the end of its first request */
        HTTP_IDLE_SEC = 75,         /* between two requests on one connection, and for the second one to be sent */
        HTTP_MEMORY_MAX = 16 * 1024, /* of one connection: a request line and headers that do not fit are refused */
};

struct http;
struct http_request;

/* Has to call http_respond() once, now or later, unless http_request_fn's `gone` was called for the request. */
struct http_handler {
        void (*request)(struct http_request *q, void *userdata);
        void (*gone)(struct http_request *q, void *userdata); /* the connection was lost before there was a response */
};

/* -ENOMEM and what sd-event returns. */
_must_check_ int http_new(sd_event *event, const struct http_handler *handler, void *userdata, struct http **ret);
struct http *http_free(struct http *h);
DEFINE_CLEANUP(struct http *, http_free)

/* Takes connections from this listening socket, which it owns from now on, also on failure. At most HTTP_LISTENERS_MAX. */
_must_check_ int http_listen(struct http *h, int fd);
enum { HTTP_LISTENERS_MAX = 16 };

const char *http_request_path(const struct http_request *q);
const char *http_request_method(const struct http_request *q);
const char *http_request_header(const struct http_request *q, const char *name); /* NULL: none */
void **http_request_userdata(struct http_request *q); /* the handler's own, NULL at first */

/* Ends the request. The body is freed with free(), also on failure; it is left out for HEAD. `allow`: NULL or methods. */
void http_respond(struct http_request *q, unsigned status, const char *content_type, char *body, size_t size,
                  const char *allow);
