/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of org.confd.HA, by state: several callers that call what they like with arguments of their choice, and go away, while
 * the bus says late or wrongly who they are, polkit allows, denies, fails or talks nonsense, and orders end when they like. The other
 * end of the connection plays the bus and polkit. Meanwhile ConfD has one role and another. Each call that wants an answer has one,
 * unless its caller went away, and what is told of the role and the nodes is what there was.
 *
 * The first byte says whether all that is asked is answered in the end; then come steps: a byte that chooses the step (low nibble) and
 * the caller or the question (high nibble), then what the step takes. */
#include <stdio.h>
#include <sys/socket.h>

#include "basic/log.h"
#include "input.h"
#include "service/bus.h"
#include "service/log-control.h"

enum { STEPS_MAX = 64, QUESTIONS_MAX = 256, ORDERS_OPEN_MAX = 64, NODES_MAX = 3 };

struct call {
        uint64_t cookie;
        char sender[16];
        bool open;
        bool excused; /* its caller went away, as far as the service was told */
        bool is_get_all, is_set;
};

/* What a status was answered with, in the order in which the answers go out. */
struct told_status {
        enum ha_state state;
        size_t n;
};

struct world {
        sd_event *event;
        sd_bus *bus, *peer; /* the service's end, and that of everybody else */
        struct state *state;
        struct callers *callers;
        struct authorizer *authorizer;
        struct journal *journal;
        struct bus *object;
        struct config config;
        sd_bus_message *questions[QUESTIONS_MAX]; /* to the bus and polkit, not answered yet */
        size_t n_questions;
        struct {
                order_done_fn done;
                void *userdata;
        } orders[ORDERS_OPEN_MAX];
        size_t n_orders;
        struct {
                controller_status_fn done;
                void *userdata;
        } statuses[ORDERS_OPEN_MAX];
        size_t n_statuses;
        struct call calls[STEPS_MAX];
        size_t n_calls;
        struct told_status told[STEPS_MAX];
        size_t n_told, n_told_seen;
        uint64_t stamp;
        bool root_spoke;
};

/* ---- what is done for those who may ---- */

static void on_order(const struct order_request *request, order_done_fn done, void *done_userdata, void *userdata) {
        struct world *w = userdata;
        const struct failure none = FAILURE_NONE;

        if (request->node_id && strlen(request->node_id) > 128)
                abort(); /* it was to be looked at before */
        if (w->n_orders == ORDERS_OPEN_MAX) {
                done(done_userdata, &none);
                return;
        }
        w->orders[w->n_orders].done = done;
        w->orders[w->n_orders++].userdata = done_userdata;
}

static void on_status(const struct caller *caller, controller_status_fn done, void *done_userdata, void *userdata) {
        struct world *w = userdata;

        if (!caller->known || w->n_statuses == ORDERS_OPEN_MAX)
                abort();
        w->statuses[w->n_statuses].done = done;
        w->statuses[w->n_statuses++].userdata = done_userdata;
}

static struct failure on_reload(const struct caller *caller, void *userdata) {
        return FAILURE_NONE;
}

static const struct config *on_config(void *userdata) {
        return &((struct world *) userdata)->config;
}

static const char *on_targets(void *userdata) {
        return "";
}

static const struct sync_record *on_last_in_sync(void *userdata) {
        return &((struct world *) userdata)->state->last_in_sync;
}

static const struct bus_ops ops = {
        .order = on_order, .status = on_status, .reload = on_reload, .config = on_config, .targets = on_targets,
        .last_in_sync = on_last_in_sync,
};

/* ---- the other end ---- */

static size_t count_nodes(sd_bus_message *m) {
        size_t n = 0;

        if (sd_bus_message_enter_container(m, 'a', "(ss)") < 0)
                abort();
        while (sd_bus_message_skip(m, "(ss)") > 0)
                n++;
        if (sd_bus_message_exit_container(m) < 0)
                abort();
        return n;
}

/* Only a Status is answered so; what is told between two of them went to those who want no answer. */
static void judge_status(struct world *w, sd_bus_message *m) {
        const char *state;
        size_t n;

        if (sd_bus_message_read(m, "s", &state) < 0)
                abort();
        n = count_nodes(m);
        while (w->n_told_seen < w->n_told) {
                const struct told_status *told = &w->told[w->n_told_seen++];

                if (streq(state, ha_state_to_string(told->state)) && n == told->n)
                        return;
        }
        abort();
}

static void judge_properties(struct world *w, sd_bus_message *m) {
        const char *name, *state = "";

        if (sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
                abort();
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                if (sd_bus_message_read(m, "s", &name) < 0 ||
                    (streq(name, "State") ? sd_bus_message_read(m, "v", "s", &state) : sd_bus_message_skip(m, "v")) < 0 ||
                    sd_bus_message_exit_container(m) < 0)
                        abort();
        }
        if (!streq(state, ha_state_to_string(w->state->state)))
                abort();
}

static void on_answer(struct world *w, sd_bus_message *m, uint64_t cookie) {
        struct call *c = NULL;

        for (size_t i = 0; i < w->n_calls; i++)
                if (w->calls[i].cookie == cookie)
                        c = &w->calls[i];
        if (!c || !c->open)
                abort(); /* a second answer, or one that nobody asked for */
        c->open = false;
        if (sd_bus_message_is_method_error(m, NULL)) {
                if (c->is_get_all || !sd_bus_message_get_error(m)->message)
                        abort();
        } else if (sd_bus_message_has_signature(m, "sa(ss)"))
                judge_status(w, m);
        else if (c->is_get_all)
                judge_properties(w, m);
        else if (c->is_set && !w->root_spoke)
                abort(); /* the log is root's */
}

/* Calls of the service are kept until a step answers them, but for what makes it a client of the bus. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;
        const char *member = sd_bus_message_get_member(m);
        uint64_t cookie;

        if (sd_bus_message_get_reply_cookie(m, &cookie) >= 0)
                on_answer(w, m, cookie);
        if (!sd_bus_message_is_method_call(m, NULL, NULL))
                return 1;
        if (member && streq(member, "Hello")) {
                if (sd_bus_reply_method_return(m, "s", ":1.0") < 0)
                        abort();
        } else if (sd_bus_message_get_expect_reply(m)) {
                if (w->n_questions == QUESTIONS_MAX)
                        abort();
                w->questions[w->n_questions++] = sd_bus_message_ref(m);
        }
        return 1;
}

static void settle(struct world *w) {
        for (int i = 0; i < 200; i++)
                if (sd_event_run(w->event, 0) <= 0)
                        return;
}

static void excuse(struct world *w, const char *sender) {
        for (size_t i = 0; i < w->n_calls; i++)
                w->calls[i].excused = w->calls[i].excused || streq(w->calls[i].sender, sender);
}

static void end_order(struct world *w, size_t at, bool well) {
        _cleanup_failure_ struct failure f = well ? FAILURE_NONE : failure_make(FAILURE_NO_MEMORY, "it failed \x01");
        order_done_fn done;
        void *userdata;

        if (w->n_orders == 0)
                return;
        at %= w->n_orders;
        done = w->orders[at].done;
        userdata = w->orders[at].userdata;
        w->orders[at] = w->orders[--w->n_orders];
        done(userdata, &f);
}

static struct node_list *some_nodes(uint8_t how) {
        static const struct node nodes[NODES_MAX] = { { "n1", "10.0.0.1" }, { "n\xc3\xa9", "2001:db8::2" }, { "n3", "node 3" } };

        return node_list_new(nodes, how % (NODES_MAX + 1));
}

static void end_status(struct world *w, size_t at, uint8_t how) {
        _cleanup_failure_ struct failure f = how & 0x80 ? failure_make(FAILURE_NO_MEMORY, "none") : FAILURE_NONE;
        _cleanup_node_list_ struct node_list *nodes = some_nodes(how);
        controller_status_fn done;
        void *userdata;

        if (w->n_statuses == 0)
                return;
        at %= w->n_statuses;
        done = w->statuses[at].done;
        userdata = w->statuses[at].userdata;
        w->statuses[at] = w->statuses[--w->n_statuses];
        if (!(how & 0x80))
                w->told[w->n_told++] = (struct told_status) { (enum ha_state)(how >> 2 & 3) + HA_STATE_NONE, how % (NODES_MAX + 1) };
        done(userdata, &f, (enum ha_state)(how >> 2 & 3) + HA_STATE_NONE, nodes);
}

/* ConfD has another role, or is lost: what the controller makes of it, as the service tells it. */
static void change(struct world *w, uint8_t how) {
        _cleanup_node_list_ struct node_list *nodes = some_nodes(how);
        struct status_reading reading = {
                .covers = ++w->stamp, .state = (enum ha_state)(how >> 2 & 3) + HA_STATE_NONE, .nodes = nodes, .under_order = how & 0x10,
                .synchronizing = how & 0x20, .monotonic = w->stamp, .realtime = w->stamp,
        };
        struct signal_list signals;
        unsigned changed;

        if (how & 0x40)
                state_event(w->state, w->stamp, how & 1 ? SIGNAL_SLAVE_ARRIVED : SIGNAL_SLAVE_DIED, "n1", "10.0.0.1", /* by_copy= */ false);
        if (how & 0x80)
                state_disconnected(w->state, how & 0x20, w->stamp);
        else {
                state_connected(w->state);
                if (state_status(w->state, &reading) < 0)
                        abort();
        }
        changed = state_take(w->state, &signals);
        bus_emit_properties(w->object, changed);
        for (size_t i = 0; i < signals.n; i++)
                bus_emit_signal(w->object, &signals.items[i]);
        signal_list_done(&signals);
}

static void answer(struct world *w, size_t at, uint8_t how) {
        sd_bus_message *m;
        const char *member, *name;
        int r;

        if (w->n_questions == 0)
                return;
        at %= w->n_questions;
        m = w->questions[at];
        w->questions[at] = w->questions[--w->n_questions];
        member = sd_bus_message_get_member(m);
        if (streq(member, "GetConnectionCredentials") && how % 8 == 0 && sd_bus_message_read(m, "s", &name) >= 0)
                excuse(w, name);
        if (how % 8 == 0)
                r = sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "gone");
        else if (how % 8 == 1)
                r = sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NO_REPLY, "late");
        else if (how % 8 == 2)
                r = sd_bus_reply_method_return(m, "su", "nonsense", 7);
        else if (streq(member, "GetConnectionCredentials")) {
                w->root_spoke = w->root_spoke || how % 8 == 3;
                r = sd_bus_reply_method_return(m, "a{sv}", 2, "UnixUserID", "u", how % 8 == 3 ? 0 : 1000 + how, "ProcessID", "u", 77);
        } else if (streq(member, "CheckAuthorization"))
                r = sd_bus_reply_method_return(m, "(bba{ss})", how % 8 == 3, how % 8 == 4, 0);
        else
                r = sd_bus_reply_method_return(m, NULL);
        sd_bus_message_unref(m);
        if (r < 0)
                abort();
}

/* ---- the steps ---- */

/* Of what the log may be set to, not what would have the journal and the terminal of whoever runs this filled. */
static int append_setting(sd_bus_message *m, uint8_t how, struct input *in) {
        static const char *const words[] = { "debug", "emerg", "null", "info", "nonsense", "" };
        const char *word, *property = how & 8 ? "LogTarget" : how & 16 ? "SyslogIdentifier" : "LogLevel";
        enum log_target target;
        char buf[256];

        word = how & 4 ? take_string(in, buf) : words[take_byte(in) % ELEMENTSOF(words)];
        if (log_target_from_string(word, &target) >= 0)
                word = "null";
        if (how & 32)
                return sd_bus_message_append(m, "ssv", "org.freedesktop.LogControl1", property, "i", 7);
        return sd_bus_message_append(m, "ssv", "org.freedesktop.LogControl1", property, "s", word);
}

/* The right types, or, by the second byte, others. L: what is set in the log. */
static void call(struct world *w, unsigned from, struct input *in) {
        static const struct {
                const char *interface, *member, *types;
        } methods[] = {
                { BUS_INTERFACE, "BeMaster", "s" },  { BUS_INTERFACE, "BeSlave", "sssb" },
                { BUS_INTERFACE, "BeRelay", "" },    { BUS_INTERFACE, "BeNone", "" },
                { BUS_INTERFACE, "Status", "" },     { BUS_INTERFACE, "SlaveDead", "s" },
                { BUS_INTERFACE, "TakeOver", "ss" }, { BUS_INTERFACE, "Inhibit", "ss" },
                { BUS_INTERFACE, "Reload", "" },     { "org.freedesktop.DBus.Properties", "GetAll", "s" },
                { "org.freedesktop.DBus.Properties", "Get", "ss" }, { BUS_INTERFACE, "NoSuch", "" },
                { "org.freedesktop.DBus.Properties", "Set", "L" },
        };
        static const char *const wrong[] = { "b", "sb", "sss", "bbbb" };
        uint8_t which = take_byte(in), how = take_byte(in);
        const char *types = how < 0xe0 ? methods[which % ELEMENTSOF(methods)].types : wrong[how % ELEMENTSOF(wrong)];
        const char *member = methods[which % ELEMENTSOF(methods)].member;
        struct call *c = &w->calls[w->n_calls];
        bool is_set = streq(member, "Set");
        sd_bus_message *m = NULL;
        char buf[256];
        int r;

        *c = (struct call) { .open = !(how & 2), .is_get_all = streq(member, "GetAll") && how == 0, .is_set = is_set };
        (void) snprintf(c->sender, sizeof(c->sender), ":1.%u", from + 1);
        /* To nobody by name is to all who hear it, and not answered. */
        r = sd_bus_message_new_method_call(w->peer, &m, ":1.0", is_set ? LOG_CONTROL_PATH : BUS_PATH,
                                           methods[which % ELEMENTSOF(methods)].interface, member);
        if (r >= 0)
                r = sd_bus_message_set_sender(m, c->sender);
        for (; r >= 0 && *types; types++)
                r = *types == 'L' ? append_setting(m, how, in)
                  : *types == 's' ? sd_bus_message_append(m, "s", c->is_get_all ? BUS_INTERFACE : take_string(in, buf))
                                  : sd_bus_message_append(m, "b", how & 1);
        if (r >= 0 && how & 2)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = sd_bus_send(w->peer, m, &c->cookie);
        if (r < 0)
                abort();
        sd_bus_message_unref(m);
        w->n_calls += c->open;
}

/* As the bus says, or somebody else, which is to change nothing. */
static void vanish(struct world *w, unsigned from, bool forged) {
        sd_bus_message *m = NULL;
        char name[16];

        (void) snprintf(name, sizeof(name), ":1.%u", from + 1);
        if (sd_bus_message_new_signal(w->peer, &m, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged") < 0 ||
            sd_bus_message_append(m, "sss", name, name, "") < 0 || sd_bus_message_set_sender(m, forged ? ":1.66" : "org.freedesktop.DBus") < 0 ||
            sd_bus_send(w->peer, m, NULL) < 0)
                abort();
        sd_bus_message_unref(m);
        if (!forged)
                excuse(w, name);
}

static void step(struct world *w, struct input *in) {
        uint8_t b = take_byte(in), how;
        unsigned at = b >> 4;

        switch (b & 7) {
        case 0:
        case 1:
        case 2:
                call(w, at, in);
                break;
        case 3:
        case 4:
                answer(w, at, take_byte(in));
                break;
        case 5:
                vanish(w, at, take_byte(in) & 0x80);
                break;
        case 6:
                end_order(w, at, b & 8);
                break;
        default:
                settle(w);
                how = take_byte(in);
                if (at < 4)
                        bus_emit_properties(w->object, how | (at << 8));
                else if (at < 8)
                        end_status(w, at, how);
                else
                        change(w, how);
        }
        if (!(b & 8)) /* else before anybody has had a turn */
                settle(w);
}

static void begin(struct world *w) {
        int fds[2];

        *w = (struct world) { .config = { .allow_address_strings = true, .request_timeout = 10000000, .address_name = (char *) "x" } };
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 || sd_event_new(&w->event) < 0 ||
            sd_bus_new(&w->bus) < 0 || sd_bus_new(&w->peer) < 0 || sd_bus_set_fd(w->bus, fds[0], fds[0]) < 0 ||
            sd_bus_set_fd(w->peer, fds[1], fds[1]) < 0 || sd_bus_set_bus_client(w->bus, true) < 0 ||
            sd_bus_set_server(w->peer, true, (sd_id128_t) {}) < 0 || sd_bus_set_anonymous(w->peer, true) < 0 ||
            sd_bus_set_anonymous(w->bus, true) < 0 || sd_bus_start(w->peer) < 0 || sd_bus_start(w->bus) < 0 ||
            sd_bus_attach_event(w->bus, w->event, 0) < 0 || sd_bus_attach_event(w->peer, w->event, 0) < 0 ||
            sd_bus_add_filter(w->peer, NULL, on_message, w) < 0)
                abort();
        settle(w);
        if (state_new(&w->state, "x", "n1", 1) < 0 || callers_new(&w->callers, w->bus) < 0 ||
            authorizer_new(&w->authorizer, w->bus) < 0 || journal_new(&w->journal, w->event, w->bus) < 0 ||
            bus_new(&w->object, w->bus, w->state, w->callers, w->authorizer, w->journal, &ops, w) < 0 || bus_register(w->object) < 0 ||
            log_control_register(w->bus, w->callers) < 0)
                abort();
        settle(w);
}

/* All that is asked is answered now, and all that is under way ends. */
static void finish(struct world *w) {
        for (int i = 0; i < 1000 && (w->n_questions > 0 || w->n_orders > 0 || w->n_statuses > 0); i++) {
                while (w->n_questions > 0)
                        answer(w, 0, /* how= */ 3);
                while (w->n_orders > 0)
                        end_order(w, 0, /* well= */ true);
                while (w->n_statuses > 0)
                        end_status(w, 0, /* how= */ 0);
                settle(w);
        }
        for (size_t i = 0; i < w->n_calls; i++)
                if (w->calls[i].open && !w->calls[i].excused)
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };
        static struct world w;
        uint8_t how;

        log_set_target(LOG_TARGET_NULL);
        log_set_level(LOG_INFO);
        begin(&w);
        how = take_byte(&in);
        for (unsigned i = 0; in.left > 0 && i < STEPS_MAX; i++)
                step(&w, &in);
        settle(&w);
        if (!(how & 1)) /* else it ends in the midst of it */
                finish(&w);
        /* As the service does: whoever has requests ends them first. */
        authorizer_free(w.authorizer);
        while (w.n_orders > 0)
                end_order(&w, 0, /* well= */ true);
        while (w.n_statuses > 0)
                end_status(&w, 0, /* how= */ 0);
        bus_free(w.object);
        callers_free(w.callers);
        journal_free(w.journal);
        state_free(w.state);
        while (w.n_questions > 0)
                sd_bus_message_unref(w.questions[--w.n_questions]);
        sd_bus_flush_close_unref(w.bus);
        sd_bus_flush_close_unref(w.peer);
        sd_event_unref(w.event);
        return 0;
}
