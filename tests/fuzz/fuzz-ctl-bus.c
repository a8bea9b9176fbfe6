/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of confd-hactl on a bus that says anything: the service's properties, answers, errors and signals, systemd's words, names that
 * come and go, others that speak in the service's place, and the end of the connection at any moment. What is printed, on either side, is
 * lines that a terminal obeys in nothing, and has nothing of what others say; with --json there is one value for each verb, and for a
 * monitor nothing but values.
 *
 * A thread is the bus. The first byte chooses the verb (low nibble) and how it prints (high nibble), the second what else was asked for.
 * The rest is the bus's, in equal parts for its connections: for each call what it takes to answer it, and then the signals that follow. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "basic/log.h"
#include "ctl/bus-connection.h"
#include "ctl/cluster.h"
#include "ctl/switchover.h"
#include "input.h"
#include "output.h"
#include "properties.h"

enum { MEMBERS = 3, CALLS_MAX = 64, TIMEOUT_USEC = 50 * USEC_PER_MSEC, IDLE_USEC = 5 * USEC_PER_MSEC };

struct conn {
        sd_bus *bus;
        struct input in;
        unsigned calls;
        bool ended;
};

static struct world {
        char address[64];
        int listener, wake;
        bool done;
        sd_event *event;
        struct conn conns[MEMBERS];
        size_t n_conns;
        struct input in;
        bool endless; /* the verb does not end by itself: it does by the bus, when there is nothing more to say */
        size_t parts;
} w;

/* ---- the bus ---- */

static void check(int r) {
        if (r < 0)
                abort();
}

/* Who is gone already is told nothing more. */
static void sent(struct conn *c, int r) {
        if (r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE)
                c->ended = true;
        else
                check(r);
}

static void send_from(struct conn *c, sd_bus_message *m, const char *sender) {
        check(sd_bus_message_set_sender(m, sender));
        sent(c, sd_bus_send(c->bus, m, NULL));
        sd_bus_message_unref(m);
}

static void tell_changed(struct conn *c, bool forged, const char *sender) {
        sd_bus_message *m;

        check(sd_bus_message_new_signal(c->bus, &m, "/org/confd/HA", "org.freedesktop.DBus.Properties", "PropertiesChanged"));
        check(sd_bus_message_append(m, "s", "org.confd.HA"));
        if (forged)
                check(sd_bus_message_append(m, "a{sv}", 1, "NodeId", "s", FORGED));
        else
                append_properties(m, &c->in, /* others= */ true);
        if (take_byte(&c->in) & 1)
                check(sd_bus_message_append(m, "as", 1, "State"));
        else
                check(sd_bus_message_append(m, "as", 0));
        send_from(c, m, sender);
}

static void tell_event(struct conn *c, bool forged, const char *sender) {
        static const struct {
                const char *name, *signature;
        } signals[] = {
                { "StateChanged", "ss" }, { "MasterLost", "ss" }, { "SlaveArrived", "ss" }, { "SlaveDied", "ss" },
                { "SlaveInitialized", "b" }, { "BeSlaveResult", "ss" }, { "BeSlaveResult", "s" }, { "Nobody", "s" },
        };
        uint8_t which = take_byte(&c->in) % ELEMENTSOF(signals);
        sd_bus_message *m;
        char text[256];

        check(sd_bus_message_new_signal(c->bus, &m, "/org/confd/HA", "org.confd.HA", signals[which].name));
        for (const char *t = signals[which].signature; *t; t++)
                if (*t == 'b')
                        check(sd_bus_message_append(m, "b", (int) (take_byte(&c->in) & 1)));
                else
                        check(sd_bus_message_append(m, "s", forged ? FORGED : take_text(&c->in, text)));
        send_from(c, m, sender);
}

static void tell(struct conn *c) {
        uint8_t how = take_byte(&c->in);
        bool forged = how & 0x80;
        sd_bus_message *m;

        switch (how & 3) {
        case 0:
                check(sd_bus_message_new_signal(c->bus, &m, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged"));
                check(sd_bus_message_append(m, "sss", how & 4 ? "org.confd.HA" : "org.other", how & 8 ? ":1.5" : "",
                                            how & 16 ? ":1.5" : ""));
                send_from(c, m, forged ? ":1.66" : "org.freedesktop.DBus");
                break;
        case 1:
                tell_event(c, forged, forged ? ":1.66" : ":1.5");
                break;
        default:
                tell_changed(c, forged, forged ? ":1.66" : ":1.5");
        }
}

static void fail(struct conn *c, sd_bus_message *m) {
        static const char *const names[] = {
                SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_ACCESS_DENIED,
                SD_BUS_ERROR_TIMEOUT, "org.freedesktop.DBus.Error.Spawn.ChildExited", "org.freedesktop.systemd1.NoSuchUnit",
                "org.confd.HA.Error.NotConnected", "org.confd.HA.Error.Timeout", "org.confd.HA.Error.Inhibited",
                "org.confd.HA.Error.BadState", "org.another.Error",
        };
        const char *name = names[take_byte(&c->in) % ELEMENTSOF(names)];
        char text[256];

        sent(c, sd_bus_reply_method_errorf(m, name, "%s", take_text(&c->in, text)));
}

static void give_properties(struct conn *c, sd_bus_message *m) {
        sd_bus_message *reply;

        check(sd_bus_message_new_method_return(m, &reply));
        append_properties(reply, &c->in, /* others= */ true);
        send_from(c, reply, ":1.5");
}

static void answer_systemd(struct conn *c, sd_bus_message *m) {
        static const char *const words[] = { "failed", "active", "inactive", "exit-code", "start-limit-hit", "activating" };
        uint8_t how = take_byte(&c->in);
        char text[256];

        if (sd_bus_message_is_method_call(m, NULL, "LoadUnit"))
                sent(c, sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/unit/x"));
        else if (how < 0x40)
                sent(c, sd_bus_reply_method_return(m, "v", "i", (int32_t) how - 2));
        else
                sent(c, sd_bus_reply_method_return(m, "v", "s", how < 0xc0 ? words[how % ELEMENTSOF(words)] : take_text(&c->in, text)));
}

/* As it is asked for, or, one time in eight or so, anything else. */
static void answer(struct conn *c, sd_bus_message *m) {
        uint8_t how = take_byte(&c->in);
        char text[256];

        if (how >= 0xf8)
                c->ended = true;
        else if (how >= 0xf0)
                sent(c, sd_bus_reply_method_return(m, "s", take_text(&c->in, text)));
        else if (how >= 0xe0)
                fail(c, m);
        else if (sd_bus_message_is_method_call(m, NULL, "GetAll"))
                give_properties(c, m);
        else if (sd_bus_message_is_method_call(m, NULL, "NameHasOwner"))
                sent(c, sd_bus_reply_method_return(m, "b", (int) !(how & 1)));
        else if (streq(sd_bus_message_get_destination(m) ?: "", "org.freedesktop.systemd1"))
                answer_systemd(c, m);
        else if (sd_bus_message_is_method_call(m, NULL, "Status"))
                sent(c, sd_bus_reply_method_return(m, "sa(ss)", how & 1 ? "master" : take_text(&c->in, text), 0));
        else if (sd_bus_message_is_method_call(m, NULL, "Slaves"))
                sent(c, sd_bus_reply_method_return(m, "a(sstttt)", 1, take_text(&c->in, text), text, (uint64_t) how, UINT64_MAX, UINT64_MAX,
                                                 (uint64_t) 0));
        else
                sent(c, sd_bus_reply_method_return(m, NULL));
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct conn *c = userdata;

        if (c->ended || !sd_bus_message_is_method_call(m, NULL, NULL) || !sd_bus_message_get_expect_reply(m))
                return 1;
        if (sd_bus_message_is_method_call(m, NULL, "Hello"))
                sent(c, sd_bus_reply_method_return(m, "s", ":1.0"));
        else if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "AddMatch"))
                sent(c, sd_bus_reply_method_return(m, NULL));
        else {
                answer(c, m);
                for (unsigned n = take_byte(&c->in) % 4; n > 0 && c->in.left > 0 && !c->ended; n--)
                        tell(c);
                /* Who would go on for ever has the end of what there is as the end of the bus. */
                c->ended = c->ended || ++c->calls == CALLS_MAX || (w.endless && c->in.left == 0);
        }
        return 1;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        size_t part = w.in.left / (w.parts - MIN(w.n_conns, w.parts - 1));
        struct conn *c = &w.conns[w.n_conns];
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client < 0)
                return 0;
        if (w.n_conns == MEMBERS) {
                close(client); /* it is tried again */
                return 0;
        }
        w.n_conns++;
        *c = (struct conn) { .in = { w.in.p, part } };
        w.in.p += part;
        w.in.left -= part;
        check(sd_bus_new(&c->bus));
        check(sd_bus_set_fd(c->bus, client, client));
        check(sd_bus_set_server(c->bus, true, (sd_id128_t) {}));
        check(sd_bus_negotiate_fds(c->bus, true));
        check(sd_bus_start(c->bus));
        check(sd_bus_add_filter(c->bus, NULL, on_message, c));
        check(sd_bus_attach_event(c->bus, w.event, 0));
        return 0;
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        w.done = true;
        return 0;
}

static void end_conn(struct conn *c) {
        if (!c->bus)
                return;
        (void) sd_bus_detach_event(c->bus);
        c->bus = sd_bus_flush_close_unref(c->bus);
}

static void *be_bus(void *unused) {
        check(sd_event_new(&w.event));
        check(sd_event_add_io(w.event, NULL, w.listener, POLLIN, on_connection, NULL));
        check(sd_event_add_io(w.event, NULL, w.wake, POLLIN, on_wake, NULL));
        while (!w.done) {
                int r = sd_event_run(w.event, w.endless ? IDLE_USEC : UINT64_MAX);

                check(r);
                for (size_t i = 0; i < w.n_conns; i++)
                        if (w.conns[i].ended || (r == 0 && w.conns[i].calls > 0))
                                end_conn(&w.conns[i]);
        }
        for (size_t i = 0; i < w.n_conns; i++)
                end_conn(&w.conns[i]);
        w.event = sd_event_unref(w.event);
        return NULL;
}

/* ---- the verbs ---- */

/* What the hosts' ssh could have said. */
static void say_words(struct cluster *cluster, struct input *in) {
        const uint8_t *p;
        uint8_t words[256];
        size_t n = take_bytes(in, &p);

        for (size_t i = 0; i < n; i++)
                words[i] = p[i] == '~' ? '_' : p[i];
        for (size_t i = 0; n > 0 && i < cluster->n_members; i++) {
                struct member *m = cluster->members[i];

                m->words_fd = memfd_create("fuzz-ctl-bus", MFD_CLOEXEC);
                if (m->words_fd < 0 || write(m->words_fd, words, n) != (ssize_t) n)
                        abort();
        }
}

static void be_cluster(struct ctl *c, struct input *in, bool switch_over) {
        char *hosts[] = { (char *) ".", (char *) ".", (char *) ".", NULL };
        struct cluster cluster = {};
        struct switchover s = {};
        char to[256];

        (void) take_text(in, to);
        check(cluster_open(&cluster, c, hosts, TIMEOUT_USEC, /* follow= */ false));
        say_words(&cluster, in);
        check(cluster_wait(&cluster));
        for (size_t i = 0; i < cluster.n_members; i++)
                if (cluster.members[i]->state == MEMBER_FAILED && cluster_is_well(&cluster))
                        abort();
        if (!switch_over)
                check(cluster_print(&cluster));
        else if (switchover_prepare(&s, &cluster, to) == CTL_DONE && s.from) {
                switchover_print_plan(&s);
                (void) switchover_run(&s);
        }
        switchover_done(&s);
        cluster_done(&cluster);
}

static void run(struct ctl *c, uint8_t verb) {
        static const struct {
                enum ctl_exit (*run)(struct ctl *c, char **args);
                const char *args[5];
        } verbs[] = {
                { verb_show, { "show" } },
                { verb_status, { "status" } },
                { verb_check, { "check" } },
                { verb_inhibitors, { "inhibitors" } },
                { verb_wait, { "wait", "synced" } },
                { verb_wait, { "wait", "slave", "n2" } },
                { verb_monitor, { "monitor" } },
                { verb_order, { "be-master", "n1" } },
                { verb_order, { "be-slave", "n1", "n2", "10.0.0.2" } },
                { verb_order, { "slave-dead", "n2" } },
                { verb_order, { "take-over", "n1", "n2" } },
        };
        char *args[5] = {};

        for (size_t i = 0; verbs[verb].args[i]; i++)
                args[i] = (char *) verbs[verb].args[i];
        if (verbs[verb].run(c, args) > CTL_TIMED_OUT)
                abort();
}

static void begin_once(void) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "fuzz-ctl-bus-%d", (int) getpid());

        if (w.address[0])
                return;
        log_set_target(LOG_TARGET_NULL);
        w.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        w.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (w.listener < 0 || w.wake < 0 ||
            bind(w.listener, (struct sockaddr *) &un, (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + (size_t) n)) < 0 ||
            listen(w.listener, 16) < 0)
                abort();
        (void) snprintf(w.address, sizeof(w.address), "unix:abstract=%s", un.sun_path + 1);
        if (setenv("DBUS_SYSTEM_BUS_ADDRESS", w.address, 1) < 0)
                abort();
}

/* The bus has what is left; of a cluster, in which it is asked for a node and ssh says something, that is what comes after these. */
static void give_rest_to_bus(struct input rest, bool is_cluster) {
        const uint8_t *p;
        char to[256];

        if (is_cluster) {
                (void) take_text(&rest, to);
                (void) take_bytes(&rest, &p);
        }
        w.in = rest;
        w.parts = is_cluster ? MEMBERS : 1;
        w.n_conns = 0;
        w.done = false;
        memset(w.conns, 0, sizeof(w.conns));
}

static void do_it(struct ctl *c, uint8_t verb, struct input *in) {
        bool is_cluster = verb > 10;
        uint64_t one = 1;
        pthread_t thread;

        give_rest_to_bus(*in, is_cluster);
        w.endless = verb >= 4 && verb <= 6;
        if (pthread_create(&thread, NULL, be_bus, NULL) != 0)
                abort();
        if (is_cluster) {
                c->timeout = TIMEOUT_USEC;
                c->json = verb & 1 ? JSON_OFF : c->json;
                be_cluster(c, in, verb & 1);
        } else {
                c->address = w.address;
                run(c, verb);
        }
        bus_disconnect(c);
        if (write(w.wake, &one, sizeof(one)) != sizeof(one) || pthread_join(thread, NULL) != 0 ||
            read(w.wake, &one, sizeof(one)) != sizeof(one))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };
        uint8_t first = take_byte(&in), asked = take_byte(&in), verb = first & 15;
        struct ctl c = { .json = (enum json_mode) ((first >> 4) % 3), .legend = true, .until = USEC_INFINITY, .mark = USEC_INFINITY,
                         .deadline = USEC_INFINITY, .timeout = USEC_INFINITY, .yes = true, .properties = { "State", "Slaves" } };
        FILE *out = stdout, *err = stderr;
        struct output said, told;

        begin_once();
        c.ready = asked & 1, c.in_sync = asked & 2, c.targets = asked & 4, c.no_wait = asked & 8, c.ignore_inhibitors = asked & 16;
        c.n_properties = asked >> 5 & 1 ? 1 + (asked >> 6 & 1) : 0;
        output_begin(&told);
        output_begin(&said);
        stdout = told.file;
        stderr = said.file;
        do_it(&c, verb, &in);
        stdout = out;
        stderr = err;
        output_end(&told);
        output_end(&said);
        judge_lines(&told);
        judge_lines(&said);
        if (memmem(told.p, told.n, FORGED, strlen(FORGED)) || memmem(said.p, said.n, FORGED, strlen(FORGED)))
                abort();
        if (c.json != JSON_OFF && judge_json(&told) != 1 && verb != 6)
                abort();
        free(told.p);
        free(said.p);
        return 0;
}
