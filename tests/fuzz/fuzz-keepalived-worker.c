/* SPDX-License-Identifier: Apache-2.0 */
/* The worker of confd-ha-keepalived, by state: keepalived wishes this and that, while the service tells properties that fit or do not,
 * answers orders late, with errors or with nonsense, comes and goes, others speak in its place, and the peer listens or not. One order is
 * under way at a time; it is one that the wish asks for, with the names that the settings have; and as long as nobody but strangers has
 * told anything there is none.
 *
 * The first byte says whether the peer listens; then come steps: a byte that chooses the step (low bits) and which (high bits), then what
 * the step takes. */
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/node/scratch.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "input.h"
#include "keepalived/wish.h"
#include "keepalived/worker.h"
#include "properties.h"

enum { STEPS_MAX = 48, QUESTIONS_MAX = 64, WISHES = WISH_STOP + 1 };

static struct world {
        char directory[64];
        int listener;
        uint16_t port;
        sd_event *event;
        sd_bus *bus, *peer;
        struct worker *worker;
        sd_bus_message *questions[QUESTIONS_MAX], *order;
        size_t n_questions;
        bool told;           /* by the service */
        bool wished[WISHES]; /* what the worker may take for the wish */
        bool peer_gone;      /* it was, at some time */
        enum wish wish;
} w;

static void check(int r) {
        if (r < 0)
                abort();
}

/* ---- the bus ---- */

static bool is_wished(enum wish a, enum wish b, enum wish c) {
        return w.wished[a] || w.wished[b] || w.wished[c];
}

static void judge_order(sd_bus_message *m) {
        const char *id, *peer = "other", *address = "127.0.0.1";
        int wait = 0;

        if (w.order || !w.told)
                abort();
        if (sd_bus_message_is_method_call(m, NULL, "TakeOver")) {
                if (!w.wished[WISH_MASTER] || sd_bus_message_read(m, "ss", &id, &peer) < 0 || !streq(id, "me") || *peer)
                        abort();
        } else if (sd_bus_message_is_method_call(m, NULL, "SlaveDead")) {
                if (!w.wished[WISH_MASTER] || !w.peer_gone || sd_bus_message_read(m, "s", &peer) < 0 || !streq(peer, "other"))
                        abort();
        } else if (sd_bus_message_is_method_call(m, NULL, "BeNone")) {
                if (!is_wished(WISH_BACKUP, WISH_FAULT, WISH_STOP))
                        abort();
        } else if (!sd_bus_message_is_method_call(m, NULL, "BeSlave") || !is_wished(WISH_BACKUP, WISH_FAULT, WISH_FAULT) ||
                   sd_bus_message_read(m, "sssb", &id, &peer, &address, &wait) < 0 || !streq(id, "me") || !streq(peer, "other") ||
                   !streq(address, "127.0.0.1") || wait)
                abort();
        w.order = sd_bus_message_ref(m);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        if (!sd_bus_message_is_method_call(m, NULL, NULL))
                return 1;
        if (!sd_bus_message_is_method_call(m, NULL, "GetAll"))
                judge_order(m);
        else if (w.n_questions < QUESTIONS_MAX)
                w.questions[w.n_questions++] = sd_bus_message_ref(m);
        return 1;
}

static void settle(void) {
        for (int i = 0; i < 2000; i++) {
                int r = sd_event_run(w.event, 0), fd = accept4(w.listener, NULL, NULL, SOCK_CLOEXEC);

                check(r);
                safe_close(fd);
                if (r == 0)
                        break;
        }
        memset(w.wished, 0, sizeof(w.wished));
        w.wished[w.wish] = true;
}

static void fail(sd_bus_message *m, struct input *in) {
        static const char *const names[] = { "org.confd.HA.Error.NotInSync", "org.confd.HA.Error.Connect", "org.confd.HA.Error.BadToken",
                                             "org.confd.HA.Error.", SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_SERVICE_UNKNOWN };
        const char *name = names[take_byte(in) % ELEMENTSOF(names)];
        char text[256];

        check(sd_bus_reply_method_errorf(m, name, "%s", take_text(in, text)));
}

static void answer_question(struct input *in) {
        uint8_t how = take_byte(in);
        sd_bus_message *m, *reply;

        if (w.n_questions == 0)
                return;
        m = w.questions[0];
        memmove(w.questions, w.questions + 1, --w.n_questions * sizeof(*w.questions));
        if (how >= 0xf0)
                fail(m, in);
        else if (how >= 0xe8)
                check(sd_bus_reply_method_return(m, "s", "nonsense"));
        else {
                check(sd_bus_message_new_method_return(m, &reply));
                check(sd_bus_message_set_sender(reply, ":1.5"));
                append_properties(reply, in, /* others= */ true);
                check(sd_bus_send(w.peer, reply, NULL));
                sd_bus_message_unref(reply);
                w.told = true;
        }
        sd_bus_message_unref(m);
}

static void answer_order(struct input *in) {
        uint8_t how = take_byte(in);

        if (!w.order)
                return;
        if (how >= 0x80)
                fail(w.order, in);
        else
                check(sd_bus_reply_method_return(w.order, how & 1 ? "s" : NULL, "?"));
        w.order = sd_bus_message_unref(w.order);
}

static void tell(struct input *in, uint8_t which) {
        uint8_t how = take_byte(in);
        bool forged = how & 0x80;
        sd_bus_message *m;
        char text[256];

        if (which == 0) {
                check(sd_bus_message_new_signal(w.peer, &m, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged"));
                check(sd_bus_message_append(m, "sss", how & 4 ? "org.other" : "org.confd.HA", "", how & 1 ? ":1.5" : ""));
        } else if (which == 1) {
                check(sd_bus_message_new_signal(w.peer, &m, "/org/confd/HA", "org.confd.HA", "BeSlaveResult"));
                check(sd_bus_message_append(m, "ss", take_text(in, text), "words"));
        } else {
                check(sd_bus_message_new_signal(w.peer, &m, "/org/confd/HA", "org.freedesktop.DBus.Properties", "PropertiesChanged"));
                check(sd_bus_message_append(m, "s", "org.confd.HA"));
                append_properties(m, in, /* others= */ true);
                check(sd_bus_message_append(m, "as", 0));
        }
        check(sd_bus_message_set_sender(m, forged ? ":1.66" : which == 0 ? "org.freedesktop.DBus" : ":1.5"));
        check(sd_bus_send(w.peer, m, NULL));
        sd_bus_message_unref(m);
}

static void wish(uint8_t b) {
        w.wish = (enum wish) (1 + b % (WISHES - 1));
        w.wished[w.wish] = true;
        check(wish_store_role(w.directory, w.wish));
}

static void step(struct input *in) {
        uint8_t b = take_byte(in);

        switch (b & 7) {
        case 0:
                wish(b >> 5);
                break;
        case 1:
                w.peer_gone = w.peer_gone || b & 0x80;
                check(wish_store_peer(w.directory, b & 0x80));
                break;
        case 2:
        case 3:
                answer_question(in);
                break;
        case 4:
                answer_order(in);
                break;
        default:
                tell(in, b & 7 ? (b & 7) - 5 : 0);
        }
        if (!(b & 16)) /* else it goes on before anybody has had a turn */
                settle();
}

/* ---- the whole ---- */

static void forget_wishes(void) {
        DIR *d = opendir(w.directory);
        struct dirent *e;

        if (!d)
                abort();
        while ((e = readdir(d)))
                if (e->d_name[0] != '.')
                        (void) unlinkat(dirfd(d), e->d_name, 0);
        closedir(d);
}

static void remove_directory(void) {
        forget_wishes();
        (void) rmdir(w.directory);
}

static void begin_once(void) {
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(sa);

        if (w.directory[0])
                return;
        log_set_target(LOG_TARGET_NULL);
        w.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (!scratch_directory("fuzz-keepalived-worker", w.directory, sizeof(w.directory)) || atexit(remove_directory) != 0 ||
            w.listener < 0 || bind(w.listener, (struct sockaddr *) &sa, size) < 0 || listen(w.listener, 16) < 0 ||
            getsockname(w.listener, (struct sockaddr *) &sa, &size) < 0)
                abort();
        w.port = ntohs(sa.sin_port);
}

static void begin(bool listens) {
        struct settings s = { .id = strdup("me"), .peer_id = strdup("other"), .peer_address = strdup("127.0.0.1"),
                              .peer_port = listens ? w.port : 1, .instance = strdup(""), .peer_instance = strdup("") };
        int fds[2];

        w.n_questions = 0;
        w.told = w.peer_gone = false;
        w.wish = WISH_NOTHING;
        memset(w.wished, 0, sizeof(w.wished));
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                abort();
        check(sd_event_new(&w.event));
        check(sd_bus_new(&w.peer));
        check(sd_bus_set_fd(w.peer, fds[0], fds[0]));
        check(sd_bus_set_server(w.peer, true, (sd_id128_t) {}));
        check(sd_bus_start(w.peer));
        check(sd_bus_attach_event(w.peer, w.event, 0));
        check(sd_bus_add_filter(w.peer, NULL, on_message, NULL));
        check(sd_bus_new(&w.bus));
        check(sd_bus_set_fd(w.bus, fds[1], fds[1]));
        check(sd_bus_start(w.bus));
        check(sd_bus_attach_event(w.bus, w.event, 0));
        check(worker_new(&w.worker, w.event, w.bus, &s, w.directory));
        settle();
}

static void end(void) {
        settle();
        while (w.n_questions > 0)
                sd_bus_message_unref(w.questions[--w.n_questions]);
        w.order = sd_bus_message_unref(w.order);
        w.worker = worker_free(w.worker);
        w.bus = sd_bus_close_unref(w.bus);
        w.peer = sd_bus_close_unref(w.peer);
        w.event = sd_event_unref(w.event);
        forget_wishes();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };

        begin_once();
        begin(take_byte(&in) & 1);
        for (unsigned i = 0; in.left > 0 && i < STEPS_MAX; i++)
                step(&in);
        end();
        return 0;
}
