/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the routes. */
#include <stdio.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "exporter/exporter.h"
#include "exporter/http.h"
#include "exporter/metrics.h"
#include "exporter/probe.h"
#include "exporter/source.h"

enum { STATUS_OK = 200, STATUS_NOT_FOUND = 404, STATUS_NOT_ALLOWED = 405, STATUS_UNAVAILABLE = 503, STATUS_BROKEN = 500 };

#define TEXT_PLAIN "text/plain; charset=utf-8"
#define TEXT_JSON "application/json"
#define METHODS "GET, HEAD, OPTIONS"

struct exporter {
        struct source *source;
        struct http *http;
};

/* One request that waits for what is known. */
struct question {
        struct source_waiter waiter;
        struct http_request *request;
        const struct probe *probe; /* NULL: the metrics */
};

static void respond_text(struct http_request *q, unsigned status, const char *text, const char *allow) {
        char *body = strdup(text);

        http_respond(q, status, TEXT_PLAIN, body, body ? strlen(body) : 0, allow);
}

static void respond_metrics(struct http_request *q, const struct picture *p, FILE *f, char **body, size_t *size) {
        enum metrics_format format = metrics_format_from_accept(http_request_header(q, "Accept"));

        metrics_write(p, now_realtime(), format, f);
        if (fclose(f) != 0)
                respond_text(q, STATUS_BROKEN, "out of memory\n", /* allow= */ NULL);
        else
                http_respond(q, STATUS_OK, metrics_content_type(format), TAKE_PTR(*body), *size, /* allow= */ NULL);
}

static void respond_probe(struct http_request *q, const struct probe *probe, const struct picture *p, const char *why,
                          FILE *f, char **body, size_t *size) {
        probe_write(probe, p, why, f);
        if (fclose(f) != 0)
                respond_text(q, STATUS_BROKEN, "out of memory\n", /* allow= */ NULL);
        else
                http_respond(q, probe_answer(probe, p) ? STATUS_OK : STATUS_UNAVAILABLE, TEXT_JSON, TAKE_PTR(*body), *size,
                             /* allow= */ NULL);
}

static void on_told(struct source_waiter *waiter, const struct picture *p, const char *why) {
        _cleanup_free_ struct question *question = (struct question *) waiter;
        struct http_request *q = question->request;
        _cleanup_free_ char *body = NULL;
        size_t size;
        FILE *f = open_memstream(&body, &size);

        *http_request_userdata(q) = NULL;
        if (!f)
                respond_text(q, STATUS_BROKEN, "out of memory\n", /* allow= */ NULL);
        else if (question->probe)
                respond_probe(q, question->probe, p, why, f, &body, &size);
        else
                respond_metrics(q, p, f, &body, &size);
}

static void on_request(struct http_request *q, void *userdata) {
        struct exporter *e = userdata;
        const struct probe *probe = probe_find(http_request_path(q));
        const char *method = http_request_method(q);
        struct question *question;

        if (!probe && !streq(http_request_path(q), "/metrics")) {
                respond_text(q, STATUS_NOT_FOUND, "There are /metrics, and the probes /primary /master /replica /slave "
                             "/read-only /ready /live: see confd-ha-exporter(8)\n", /* allow= */ NULL);
                return;
        }
        if (!streq(method, "GET") && !streq(method, "HEAD") && !streq(method, "OPTIONS")) {
                respond_text(q, STATUS_NOT_ALLOWED, "Only " METHODS " are served here\n", METHODS);
                return;
        }
        question = calloc(1, sizeof(*question));
        if (!question) {
                respond_text(q, STATUS_BROKEN, "out of memory\n", /* allow= */ NULL);
                return;
        }
        *question = (struct question) { .waiter.told = on_told, .request = q, .probe = probe };
        *http_request_userdata(q) = question;
        source_ask(e->source, &question->waiter);
}

static void on_gone(struct http_request *q, void *userdata) {
        struct exporter *e = userdata;
        struct question *question = *http_request_userdata(q);

        if (!question)
                return;
        source_forget(e->source, &question->waiter);
        free(question);
}

static const struct http_handler handler = {
        .request = on_request,
        .gone = on_gone,
};

int exporter_new(sd_event *event, struct exporter **ret) {
        _cleanup_(exporter_freep) struct exporter *e = calloc(1, sizeof(*e));
        int r;

        if (!e)
                return -ENOMEM;
        r = source_new(event, &e->source);
        if (r >= 0)
                r = http_new(event, &handler, e, &e->http);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(e);
        return 0;
}

int exporter_listen(struct exporter *e, int fd) {
        return http_listen(e->http, fd);
}

struct exporter *exporter_free(struct exporter *e) {
        if (!e)
                return NULL;
        http_free(e->http);
        source_free(e->source);
        free(e);
        return NULL;
}
