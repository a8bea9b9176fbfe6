/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of org.confd.HA, by state: several callers that call what they like with arguments of their choice, and go away, while
 * the bus says late or wrongly who they are, polkit allows, denies, fails or talks nonsense, and orders end when they like. The other
 * end of the connection plays the bus and polkit.
 *
 * The input is steps: a byte that chooses the step (low nibble) and the caller or the question (high nibble), then what the
 * step takes. */
#include <stdio.h>
#include <sys/socket.h>

#include "basic/log.h"
#include "fuzz.h"
#include "service/bus.h"

enum { STEPS_MAX = 64, QUESTIONS_MAX = 64, ORDERS_OPEN_MAX = 64 };

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
        _cleanup_failure_ struct failure f = failure_make(FAILURE_NO_MEMORY, "none");

        done(done_userdata, &f, 0, NULL);
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

/* Calls of the service are kept until a step answers them, but for what makes it a client of the bus. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;
        const char *member = sd_bus_message_get_member(m);

        if (!sd_bus_message_is_method_call(m, NULL, NULL))
                return 1;
        if (member && streq(member, "Hello")) {
                if (sd_bus_reply_method_return(m, "s", ":1.0") < 0)
                        abort();
        } else if (w->n_questions < QUESTIONS_MAX && sd_bus_message_get_expect_reply(m))
                w->questions[w->n_questions++] = sd_bus_message_ref(m);
        return 1;
}

static void settle(struct world *w) {
        for (int i = 0; i < 200; i++)
                if (sd_event_run(w->event, 0) <= 0)
                        return;
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

static void answer(struct world *w, size_t at, uint8_t how) {
        sd_bus_message *m;
        const char *member;
        int r;

        if (w->n_questions == 0)
                return;
        at %= w->n_questions;
        m = w->questions[at];
        w->questions[at] = w->questions[--w->n_questions];
        member = sd_bus_message_get_member(m);
        if (how % 8 == 0)
                r = sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "gone");
        else if (how % 8 == 1)
                r = sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NO_REPLY, "late");
        else if (how % 8 == 2)
                r = sd_bus_reply_method_return(m, "su", "nonsense", 7);
        else if (streq(member, "GetConnectionCredentials"))
                r = sd_bus_reply_method_return(m, "a{sv}", 2, "UnixUserID", "u", how % 8 == 3 ? 0 : 1000 + how, "ProcessID", "u", 77);
        else if (streq(member, "CheckAuthorization"))
                r = sd_bus_reply_method_return(m, "(bba{ss})", how % 8 == 3, how % 8 == 4, 0);
        else
                r = sd_bus_reply_method_return(m, NULL);
        sd_bus_message_unref(m);
        if (r < 0)
                abort();
}

/* ---- the steps ---- */

/* A string of the input: a byte for the size, the bytes, without what no string of D-Bus has. */
static const char *take_string(const uint8_t **p, size_t *left, char buf[static 256]) {
        size_t n = *left > 0 ? MIN((size_t) (*p)[0], *left - 1) : 0, k = 0;

        for (size_t i = 0; i < n; i++)
                if ((*p)[1 + i] > 0 && (*p)[1 + i] < 0x80)
                        buf[k++] = (char) (*p)[1 + i];
        buf[k] = 0;
        if (*left > 0) {
                *p += 1 + n;
                *left -= 1 + n;
        }
        return buf;
}

static uint8_t take_byte(const uint8_t **p, size_t *left) {
        if (*left == 0)
                return 0;
        (*left)--;
        return *(*p)++;
}

/* The right types, or, by the second byte, others. */
static void call(struct world *w, unsigned from, const uint8_t **p, size_t *left) {
        static const struct {
                const char *interface, *member, *types;
        } methods[] = {
                { BUS_INTERFACE, "BeMaster", "s" },  { BUS_INTERFACE, "BeSlave", "sssb" },
                { BUS_INTERFACE, "BeRelay", "" },    { BUS_INTERFACE, "BeNone", "" },
                { BUS_INTERFACE, "Status", "" },     { BUS_INTERFACE, "SlaveDead", "s" },
                { BUS_INTERFACE, "TakeOver", "ss" }, { BUS_INTERFACE, "Inhibit", "ss" },
                { BUS_INTERFACE, "Reload", "" },     { "org.freedesktop.DBus.Properties", "GetAll", "s" },
                { "org.freedesktop.DBus.Properties", "Get", "ss" }, { BUS_INTERFACE, "NoSuch", "" },
        };
        static const char *const wrong[] = { "b", "sb", "sss", "bbbb" };
        uint8_t which = take_byte(p, left), how = take_byte(p, left);
        const char *types = how < 0xe0 ? methods[which % ELEMENTSOF(methods)].types : wrong[how % ELEMENTSOF(wrong)];
        sd_bus_message *m = NULL;
        char sender[16], buf[256];
        int r;

        (void) snprintf(sender, sizeof(sender), ":1.%u", from + 1);
        r = sd_bus_message_new_method_call(w->peer, &m, NULL, BUS_PATH, methods[which % ELEMENTSOF(methods)].interface,
                                           methods[which % ELEMENTSOF(methods)].member);
        if (r >= 0)
                r = sd_bus_message_set_sender(m, sender);
        for (; r >= 0 && *types; types++)
                r = *types == 's' ? sd_bus_message_append(m, "s", take_string(p, left, buf)) : sd_bus_message_append(m, "b", how & 1);
        if (r >= 0 && how & 2)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = sd_bus_send(w->peer, m, NULL);
        if (r < 0)
                abort();
        sd_bus_message_unref(m);
}

static void vanish(struct world *w, unsigned from) {
        sd_bus_message *m = NULL;
        char name[16];

        (void) snprintf(name, sizeof(name), ":1.%u", from + 1);
        if (sd_bus_message_new_signal(w->peer, &m, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged") < 0 ||
            sd_bus_message_append(m, "sss", name, name, "") < 0 || sd_bus_message_set_sender(m, "org.freedesktop.DBus") < 0 ||
            sd_bus_send(w->peer, m, NULL) < 0)
                abort();
        sd_bus_message_unref(m);
}

static void step(struct world *w, const uint8_t **p, size_t *left) {
        uint8_t b = take_byte(p, left);
        unsigned at = b >> 4;

        switch (b & 7) {
        case 0:
        case 1:
        case 2:
                call(w, at, p, left);
                break;
        case 3:
        case 4:
                answer(w, at, take_byte(p, left));
                break;
        case 5:
                vanish(w, at);
                break;
        case 6:
                end_order(w, at, b & 8);
                break;
        default:
                bus_emit_properties(w->object, take_byte(p, left) | (at << 8));
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
            bus_new(&w->object, w->bus, w->state, w->callers, w->authorizer, w->journal, &ops, w) < 0 || bus_register(w->object) < 0)
                abort();
        settle(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct world w;

        log_set_target(LOG_TARGET_NULL);
        begin(&w);
        for (unsigned i = 0; size > 0 && i < STEPS_MAX; i++)
                step(&w, &data, &size);
        settle(&w);
        /* As the service does: whoever has requests ends them first. */
        authorizer_free(w.authorizer);
        while (w.n_orders > 0)
                end_order(&w, 0, /* well= */ true);
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
