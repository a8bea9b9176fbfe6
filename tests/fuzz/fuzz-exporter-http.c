/* SPDX-License-Identifier: Apache-2.0 */
/* The exporter, by state: several clients that ask in HTTP, or say what they like, and go away, while the bus answers late, wrongly or
 * not, tells changes, and the service comes and goes. Who has asked as HTTP has it is answered once, in his turn, with a status that
 * his question can have and a body of the size that it says; and nothing that the bus tells makes a line of the metrics that is none.
 *
 * The input is steps: a byte that chooses the step (low bits) and the client (high bits), then what the step takes. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/log.h"
#include "exporter/exporter.h"
#include "input.h"
#include "properties.h"

enum { CLIENTS = 4, STEPS_MAX = 48, ASKED_MAX = STEPS_MAX, QUESTIONS_MAX = 64, ANSWER_MAX = 256 * 1024 };

enum kind { METRICS, PROBE, NOWHERE, NOT_ALLOWED };

struct asked {
        enum kind kind;
        bool head;
};

struct client {
        int fd;
        bool odd; /* it has said something else, or one side has ended */
        struct asked asked[ASKED_MAX];
        size_t n_asked, n_answered;
        char *answers;
        size_t size;
};

static struct world {
        sd_event *event;
        sd_bus *peer;
        struct exporter *exporter;
        struct sockaddr_in http;
        struct client clients[CLIENTS];
        sd_bus_message *questions[QUESTIONS_MAX];
        size_t n_questions;
} w;

/* ---- the bus ---- */

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        if (!sd_bus_message_is_method_call(m, NULL, NULL) || !sd_bus_message_get_expect_reply(m))
                return 1;
        if (sd_bus_message_is_method_call(m, NULL, "Hello")) {
                if (sd_bus_reply_method_return(m, "s", ":1.0") < 0)
                        abort();
        } else if (sd_bus_message_is_method_call(m, NULL, "GetAll")) {
                if (w.n_questions == QUESTIONS_MAX)
                        abort(); /* one at a time is asked */
                w.questions[w.n_questions++] = sd_bus_message_ref(m);
        } else if (sd_bus_reply_method_return(m, NULL) < 0)
                abort();
        return 1;
}

static void settle(void) {
        for (int i = 0; i < 20000; i++) {
                int r = sd_event_run(w.event, 0);

                if (r < 0)
                        abort();
                if (r == 0)
                        return;
        }
        abort(); /* it is never done */
}

static void answer(struct input *in) {
        uint8_t how = take_byte(in);
        sd_bus_message *m, *reply = NULL;
        int r;

        if (w.n_questions == 0)
                return;
        m = w.questions[0];
        memmove(w.questions, w.questions + 1, --w.n_questions * sizeof(*w.questions));
        if (how < 0x20)
                r = sd_bus_reply_method_errorf(m, SD_BUS_ERROR_SERVICE_UNKNOWN, "%s", how & 1 ? "nobody \n\x01\"there\"" : "");
        else if (how < 0x30)
                r = sd_bus_reply_method_return(m, "s", "nonsense");
        else {
                r = sd_bus_message_new_method_return(m, &reply);
                if (r >= 0)
                        r = sd_bus_message_set_sender(reply, ":1.5");
                if (r >= 0) {
                        append_properties(reply, in, /* others= */ false);
                        r = sd_bus_send(w.peer, reply, NULL);
                }
        }
        sd_bus_message_unref(reply);
        sd_bus_message_unref(m);
        if (r < 0)
                abort();
}

static void change(struct input *in, bool owner) {
        sd_bus_message *m = NULL;
        uint8_t how = take_byte(in);
        bool forged = how & 0x80;
        int r;

        if (owner)
                r = sd_bus_message_new_signal(w.peer, &m, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged");
        else
                r = sd_bus_message_new_signal(w.peer, &m, "/org/confd/HA", "org.freedesktop.DBus.Properties", "PropertiesChanged");
        if (r < 0 || sd_bus_message_set_sender(m, forged ? ":1.66" : owner ? "org.freedesktop.DBus" : ":1.5") < 0)
                abort();
        if (owner)
                r = sd_bus_message_append(m, "sss", "org.confd.HA", how & 1 ? ":1.5" : "", how & 2 ? ":1.6" : "");
        else {
                r = sd_bus_message_append(m, "s", "org.confd.HA");
                if (r >= 0 && forged)
                        r = sd_bus_message_append(m, "a{sv}", 1, "NodeId", "s", FORGED);
                else
                        append_properties(m, in, /* others= */ false);
                if (r >= 0)
                        r = sd_bus_message_append(m, "as", 0);
        }
        if (r < 0 || sd_bus_send(w.peer, m, NULL) < 0)
                abort();
        sd_bus_message_unref(m);
}

/* ---- the clients ---- */

static void judge_metrics(const char *p, size_t n) {
        if (n == 0 || p[n - 1] != '\n' || memchr(p, 0, n) || memmem(p, n, FORGED, strlen(FORGED)))
                abort();
        for (const char *end = p + n; p < end; p = (const char *) memchr(p, '\n', (size_t) (end - p)) + 1)
                if (*p != '#' && strncmp(p, "confd_ha_", 9) != 0)
                        abort();
}

static void judge_status(enum kind kind, int status) {
        if (kind == METRICS ? status != 200 : kind == PROBE ? status != 200 && status != 503 : status != (kind == NOWHERE ? 404 : 405))
                abort();
}

/* One answer at the front, if it is whole: how long it is. */
static size_t judge_answer(const struct asked *asked, char *p, size_t n, bool *ret_last) {
        char *head_end = memmem(p, n, "\r\n\r\n", 4), *length;
        size_t head, body;

        if (!head_end)
                return 0;
        head = (size_t) (head_end + 4 - p);
        *head_end = 0;
        length = strcasestr(p, "\nContent-Length: ");
        if (strncmp(p, "HTTP/1.1 ", 9) != 0 || !length)
                abort();
        body = asked->head ? 0 : (size_t) atoi(length + 17);
        judge_status(asked->kind, atoi(p + 9));
        *ret_last = strcasestr(p, "\nConnection: close");
        *head_end = '\r';
        if (n < head + body)
                return 0;
        if (asked->kind == METRICS && !asked->head)
                judge_metrics(p + head, body);
        else if (asked->kind == PROBE && !asked->head && (p[head] != '{' || memchr(p + head, '\n', body) != p + head + body - 1))
                abort(); /* it is one line */
        return head + body;
}

static void read_answers(struct client *c) {
        bool last = false;
        ssize_t k;
        size_t n;

        while (c->fd >= 0 && (k = recv(c->fd, c->answers + c->size, ANSWER_MAX - c->size, MSG_DONTWAIT)) > 0) {
                c->size += (size_t) k;
                if (c->odd)
                        c->size = 0;
                while (!c->odd && c->n_answered < c->n_asked &&
                       (n = judge_answer(&c->asked[c->n_answered], c->answers, c->size, &last)) > 0) {
                        memmove(c->answers, c->answers + n, c->size -= n);
                        c->n_answered++;
                        c->odd = last; /* what else he has asked there he may ask again */
                }
                if (c->size > 0 && !c->odd && c->n_answered == c->n_asked)
                        abort(); /* he has not asked for it */
        }
}

static void leave(struct client *c) {
        safe_close(c->fd);
        free(c->answers);
        *c = (struct client) { .fd = -EBADF };
}

static void come(struct client *c) {
        leave(c);
        c->answers = malloc(ANSWER_MAX + 1);
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (!c->answers || c->fd < 0 ||
            (connect(c->fd, (struct sockaddr *) &w.http, sizeof(w.http)) < 0 && errno != EINPROGRESS))
                abort();
}

static void say(struct client *c, const void *p, size_t n) {
        if (c->fd >= 0 && n > 0 && send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t) n)
                c->odd = true;
}

static void ask(struct client *c, struct input *in) {
        static const char *const paths[] = { "/metrics", "/primary", "/master", "/replica", "/slave", "/read-only", "/ready", "/live",
                                             "/", "/metrics/", "/primary?x=1", "http://host/metrics" };
        static const char *const methods[] = { "GET", "GET", "HEAD", "OPTIONS", "DELETE", "TRACE" };
        static const char *const headers[] = { "", "Accept: application/openmetrics-text\r\n", "Accept: */*;q=0.1, text/plain\r\n",
                                               "Accept: application/openmetrics-text; version=1.0.0;q=0.5,text/plain;q=0.6\r\n" };
        static const enum kind kinds[] = { METRICS, PROBE, PROBE, PROBE, PROBE, PROBE, PROBE, PROBE, NOWHERE, NOWHERE, PROBE, METRICS };
        unsigned path = take_byte(in) % ELEMENTSOF(paths), method = take_byte(in) % ELEMENTSOF(methods);
        char text[256];
        int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", methods[method], paths[path],
                         headers[take_byte(in) % ELEMENTSOF(headers)]);

        if (c->fd >= 0)
                c->asked[c->n_asked++] = (struct asked) { kinds[path] != NOWHERE && method > 3 ? NOT_ALLOWED : kinds[path], method == 2 };
        say(c, text, (size_t) n);
}

static void step(struct input *in) {
        uint8_t b = take_byte(in);
        struct client *c = &w.clients[b >> 5 & (CLIENTS - 1)];
        const uint8_t *p;
        size_t n;

        switch (b & 7) {
        case 0:
                come(c);
                break;
        case 1:
                n = take_bytes(in, &p);
                c->odd = true;
                say(c, p, n);
                break;
        case 2:
        case 3:
                ask(c, in);
                break;
        case 4:
                answer(in);
                break;
        case 5:
                change(in, /* owner= */ false);
                break;
        case 6:
                change(in, /* owner= */ true);
                break;
        default:
                if (b & 0x10) {
                        c->odd = true;
                        (void) shutdown(c->fd, SHUT_WR);
                } else
                        leave(c);
        }
        if (b & 8) /* else it goes on before anybody has had a turn */
                settle();
        read_answers(c);
}

/* ---- the whole ---- */

static int listen_for_bus(char address[static 64]) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), n;

        n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "fuzz-exporter-%d", (int) getpid());
        if (fd < 0 || bind(fd, (struct sockaddr *) &un, (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + (size_t) n)) < 0 ||
            listen(fd, 1) < 0)
                abort();
        (void) snprintf(address, 64, "unix:abstract=%s", un.sun_path + 1);
        return fd;
}

static int listen_for_clients(void) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        socklen_t size = sizeof(w.http);

        w.http = (struct sockaddr_in) { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        if (fd < 0 || bind(fd, (struct sockaddr *) &w.http, size) < 0 || listen(fd, 16) < 0 ||
            getsockname(fd, (struct sockaddr *) &w.http, &size) < 0)
                abort();
        return fd;
}

static void begin(void) {
        char address[64];
        int listener = listen_for_bus(address), fd;

        if (setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1) < 0 || sd_event_new(&w.event) < 0 || exporter_new(w.event, &w.exporter) < 0 ||
            exporter_listen(w.exporter, listen_for_clients()) < 0)
                abort();
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        close(listener);
        if (fd < 0 || sd_bus_new(&w.peer) < 0 || sd_bus_set_fd(w.peer, fd, fd) < 0 ||
            sd_bus_set_server(w.peer, true, (sd_id128_t) {}) < 0 || sd_bus_start(w.peer) < 0 ||
            sd_bus_attach_event(w.peer, w.event, 0) < 0 || sd_bus_add_filter(w.peer, NULL, on_message, NULL) < 0)
                abort();
        for (size_t i = 0; i < CLIENTS; i++)
                w.clients[i].fd = -EBADF;
        settle();
}

/* All questions have their answer in the end. */
static void end(void) {
        struct input none = {};

        settle();
        while (w.n_questions > 0) {
                answer(&none);
                settle();
        }
        for (size_t i = 0; i < CLIENTS; i++) {
                read_answers(&w.clients[i]);
                if (!w.clients[i].odd && w.clients[i].n_answered < w.clients[i].n_asked)
                        abort();
                leave(&w.clients[i]);
        }
        w.exporter = exporter_free(w.exporter);
        w.peer = sd_bus_close_unref(w.peer);
        w.event = sd_event_unref(w.event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };

        log_set_target(LOG_TARGET_NULL);
        begin();
        for (unsigned i = 0; in.left > 0 && i < STEPS_MAX; i++)
                step(&in);
        end();
        return 0;
}
