/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the D-Bus interface org.confd.HA: the handlers of its methods, its properties and its signals.
 *
 * A handler reads and validates its arguments, and asks for a place for the call. Who has one is authorized; all that follows
 * happens when that has its answer. Meanwhile a call is a struct request, which keeps the message and nothing else of the
 * world. */
#include "basic/escape.h"
#include "basic/node-name.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "service/bus.h"
#include "service/bus-strays.h"
#include "service/convert.h"
#include "service/inhibitors.h"
#include "service/statistics.h"

struct bus {
        sd_bus *bus;
        sd_bus_slot *object, *strays;
        const struct state *state;
        struct callers *callers;
        struct authorizer *authorizer;
        struct journal *journal;
        struct inhibitors *inhibitors;
        struct statistics statistics;
        const struct bus_ops *ops;
        void *userdata;
};

/* ---- one call ---- */

struct request {
        struct bus *bus;
        sd_bus_message *message;
        struct ticket ticket;
        struct caller caller;
        void (*act)(struct request *q); /* once it is authorized; takes the request over */
        struct order_request order; /* strings belong to the message, but for the address */
        bool is_role_order;         /* what inhibitors inhibit */
        const char *who, *why;      /* of Inhibit; the message's */
        char *address;
        struct journal_order *journal;
        uint64_t since; /* monotonic: it is carried out */
};

static struct request *request_free(struct request *q) {
        if (!q)
                return NULL;
        ticket_leave(&q->ticket);
        sd_bus_message_unref(q->message);
        free(q->address);
        free(q);
        return NULL;
}
DEFINE_CLEANUP(struct request *, request_free)

static void reply_failure(sd_bus_message *m, const struct failure *failure) {
        const sd_bus_error e = SD_BUS_ERROR_MAKE_CONST(failure_name(failure), failure_words(failure));
        int r = sd_bus_reply_method_error(m, &e);

        /* Whatever is wrong with the words, who calls is to know how it ended. */
        if (r == -EINVAL)
                r = sd_bus_reply_method_errorf(m, failure_name(failure), "its words cannot be sent; see the journal");
        if (r < 0)
                log_warning("Cannot reply to %s: %s", sd_bus_message_get_member(m), strerror(-r));
}

static void reply(sd_bus_message *m, const struct failure *failure) {
        int r;

        if (failure_is_set(failure)) {
                reply_failure(m, failure);
                return;
        }
        r = sd_bus_reply_method_return(m, NULL);
        if (r < 0)
                log_warning("Cannot reply to %s: %s", sd_bus_message_get_member(m), strerror(-r));
}

/* The method's name, in static memory. */
static const char *method_kind(const char *member) {
        static const char *const methods[] = { "BeMaster", "BeSlave", "BeRelay", "BeNone", "SlaveDead", "TakeOver", "Reload" };

        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                if (streq(methods[i], member))
                        return methods[i];
        return "other";
}

static void on_done(void *userdata, const struct failure *failure) {
        _cleanup_(request_freep) struct request *q = userdata;

        statistics_count(&q->bus->statistics, method_kind(sd_bus_message_get_member(q->message)),
                         failure_is_set(failure) ? failure_name(failure) : NULL, now_monotonic() - q->since);
        journal_order_end(q->journal, failure);
        reply(q->message, failure);
}

static void on_refused(struct request *request, int r, const struct failure *failure) {
        _cleanup_(request_freep) struct request *q = request;
        const struct failure gone = {
                .kind = FAILURE_BUS_ACCESS_DENIED,
                .message = (char *) "the caller went away before it was authorized, so nothing was done; who calls has to stay for "
                                    "the reply (dbus-send: --print-reply)",
        };

        journal_order_refused(q->journal, r == -ECONNRESET ? &gone : failure);
        if (r != -ECONNRESET)
                reply_failure(q->message, failure);
}

static void carry_out(struct request *q) {
        struct journal_order *journal = q->journal;

        q->since = now_monotonic();
        journal_order_accepted(journal);
        q->act(q);
        journal_order_given(journal); /* which there is until now, whatever has become of the request */
}

static const struct config *config(struct bus *b) {
        return b->ops->config(b->userdata);
}

static struct authorize_details details_of(const struct request *q) {
        return (struct authorize_details) {
                .node_id = q->order.node_id,
                .master_id = q->order.master_id,
                .master_address = q->order.master_address,
        };
}

/* Who needs no polkit is told so within this call. */
static void ask(struct request *q, const char *action, authorize_done_fn done) {
        const struct authorize_details details = details_of(q);
        _cleanup_failure_ struct failure f = FAILURE_NONE;
        int r;

        r = authorize(q->bus->authorizer, q->message, action, &details, &q->caller, config(q->bus)->request_timeout, done, q);
        if (r == 0)
                return;
        if (r < 0)
                f = failure_make(FAILURE_BUS_ACCESS_DENIED, "the authorization could not be asked for: %s", strerror(-r));
        done(q, MIN(r, 0), &f);
}

static void on_past_inhibitors(void *userdata, int r, const struct failure *failure) {
        struct request *q = userdata;
        const struct inhibitor *i = inhibitors_against(q->bus->inhibitors, sd_bus_message_get_sender(q->message));

        if (r < 0 && r != -ECONNRESET && i) {
                _cleanup_failure_ struct failure f = failure_make(FAILURE_INHIBITED, "%s inhibits role orders: %s (uid %u); root, and "
                                                                  "whom polkit lets ignore inhibitors, can give them", i->who,
                                                                  *i->why ? i->why : "no reason given", (unsigned) i->uid);

                on_refused(q, r, &f);
        } else if (r == -ECONNRESET)
                on_refused(q, r, failure);
        else
                carry_out(q);
}

/* It may be done, unless somebody else inhibits it. They are looked at when polkit has decided, so that none is passed by. */
static void on_authorized(void *userdata, int r, const struct failure *failure) {
        struct request *q = userdata;
        struct bus *b = q->bus;

        if (r < 0)
                on_refused(q, r, failure);
        else if (q->is_role_order && inhibitors_against(b->inhibitors, sd_bus_message_get_sender(q->message)))
                ask(q, AUTHORIZE_IGNORE_INHIBITORS, on_past_inhibitors);
        else
                carry_out(q);
}

/* It has its place. */
static void on_place(void *userdata, int r, const struct failure *failure, const struct caller *caller) {
        struct request *q = userdata;

        q->caller = *caller;
        journal_order_caller(q->journal, caller);
        if (r < 0)
                on_refused(q, r, failure);
        else
                ask(q, authorize_action(sd_bus_message_get_member(q->message)), on_authorized);
}

/* Takes the request over; what is wrong from here on is replied. */
static int start(struct request *q) {
        const struct authorize_details details = details_of(q);

        q->journal = journal_order_begin(q->bus->journal, sd_bus_message_get_member(q->message), &details);
        callers_enter(q->bus->callers, &q->ticket, q->message, PLACE_ORDER, on_place, q);
        return 1;
}

static void give_order(struct request *q) {
        q->bus->ops->order(&q->order, on_done, q, q->bus->userdata);
}

static void reload(struct request *q) {
        _cleanup_failure_ struct failure f = q->bus->ops->reload(&q->caller, q->bus->userdata);

        on_done(q, &f);
}

static struct request *request_new(struct bus *b, sd_bus_message *m) {
        struct request *q = calloc(1, sizeof(*q));

        if (!q)
                return NULL;
        q->bus = b;
        q->message = sd_bus_message_ref(m);
        return q;
}

static struct request *order_new(struct bus *b, sd_bus_message *m, enum order_kind kind) {
        struct request *q = request_new(b, m);

        if (!q)
                return NULL;
        q->act = give_order;
        q->order.kind = kind;
        q->is_role_order = kind != ORDER_KIND_SLAVE_DEAD;
        return q;
}

/* ---- methods ---- */

static int no_memory(sd_bus_error *error) {
        return sd_bus_error_set(error, ERROR_NO_MEMORY, "no memory for the call");
}

static int bad_id(sd_bus_error *error, const char *argument) {
        return sd_bus_error_setf(error, ERROR_INVALID_ARGS, "%s: a node id has 1 to %d bytes of UTF-8, not of blanks alone, without "
                                 "control characters and without what cannot be seen", argument, NODE_ID_MAX);
}

static int order_with_id(struct bus *b, sd_bus_message *m, enum order_kind kind, sd_bus_error *error) {
        const char *id;
        struct request *q;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return r;
        if (!node_id_is_valid(id))
                return bad_id(error, "node_id");
        q = order_new(b, m, kind);
        if (!q)
                return no_memory(error);
        q->order.node_id = id;
        return start(q);
}

static int method_be_master(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return order_with_id(userdata, m, ORDER_KIND_BE_MASTER, error);
}

static int method_take_over(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *id, *old_master;
        struct request *q;
        int r;

        r = sd_bus_message_read(m, "ss", &id, &old_master);
        if (r < 0)
                return r;
        if (!node_id_is_valid(id))
                return bad_id(error, "node_id");
        if (*old_master && !node_id_is_valid(old_master))
                return bad_id(error, "old_master");
        q = order_new(userdata, m, ORDER_KIND_TAKE_OVER);
        if (!q)
                return no_memory(error);
        q->order.node_id = id;
        q->order.old_master = old_master;
        return start(q);
}

static int method_slave_dead(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return order_with_id(userdata, m, ORDER_KIND_SLAVE_DEAD, error);
}

static int method_be_slave(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct bus *b = userdata;
        bool strings = config(b)->allow_address_strings;
        const char *id, *master_id, *address;
        _cleanup_(request_freep) struct request *q = NULL;
        int wait, r;

        r = sd_bus_message_read(m, "sssb", &id, &master_id, &address, &wait);
        if (r < 0)
                return r;
        if (!node_id_is_valid(id))
                return bad_id(error, "node_id");
        if (!node_id_is_valid(master_id))
                return bad_id(error, "master_id");
        q = order_new(b, m, ORDER_KIND_BE_SLAVE);
        if (!q)
                return no_memory(error);
        r = master_address_normalize(address, strings, &q->address);
        if (r == -EINVAL)
                return sd_bus_error_setf(error, ERROR_INVALID_ARGS, "master_address: neither an IPv4 nor an IPv6 address%s",
                                         strings ? ", nor a string of 1 to 127 printable bytes"
                                                 : "; names and ports go through with AllowAddressStrings=yes only");
        if (r < 0)
                return no_memory(error);
        q->order.node_id = id;
        q->order.master_id = master_id;
        q->order.master_address = q->address;
        q->order.wait = wait;
        return start(TAKE_PTR(q));
}

static int method_be_relay(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct request *q = order_new(userdata, m, ORDER_KIND_BE_RELAY);

        return q ? start(q) : no_memory(error);
}

static int method_be_none(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct request *q = order_new(userdata, m, ORDER_KIND_BE_NONE);

        return q ? start(q) : no_memory(error);
}

static int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct request *q = request_new(userdata, m);

        if (!q)
                return no_memory(error);
        q->act = reload;
        return start(q);
}

/* ---- inhibitors ---- */

static void on_inhibitor_gone(void *userdata, const struct inhibitor *i) {
        struct bus *b = userdata;

        journal_inhibitor(i, /* caller= */ NULL);
        bus_emit_properties(b, CHANGED_INHIBITORS);
}

static void inhibit(struct request *q) {
        struct bus *b = q->bus;
        _cleanup_failure_ struct failure f = FAILURE_NONE;
        _cleanup_close_ int fd = -EBADF;
        const struct inhibitor *i;
        int r;

        r = inhibitors_add(b->inhibitors, q->who, q->why, sd_bus_message_get_sender(q->message), q->caller.uid, &i, &fd);
        if (r == -EUSERS)
                f = failure_make(FAILURE_LIMITS_EXCEEDED, "there are %d inhibitors already", INHIBITORS_MAX);
        else if (r < 0)
                f = failure_make(FAILURE_FAILED, "no descriptor for an inhibitor: %s", strerror(-r));
        if (r < 0) {
                on_done(q, &f);
                return;
        }
        journal_inhibitor(i, &q->caller);
        bus_emit_properties(b, CHANGED_INHIBITORS);
        journal_order_end(q->journal, &f);
        /* If this fails the descriptor is closed, and the inhibitor gone. */
        r = sd_bus_reply_method_return(q->message, "h", fd);
        if (r < 0) {
                f = failure_make(FAILURE_FAILED, "the descriptor cannot be sent: %s", strerror(-r));
                reply_failure(q->message, &f);
        }
        request_free(q);
}

static int method_inhibit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *who, *why;
        struct request *q;
        int r;

        r = sd_bus_message_read(m, "ss", &who, &why);
        if (r < 0)
                return r;
        if (strlen(who) > INHIBITOR_WHO_MAX || !node_id_is_valid(who))
                return sd_bus_error_setf(error, ERROR_INVALID_ARGS, "who: 1 to %d bytes of text, as in node ids", INHIBITOR_WHO_MAX);
        if (strlen(why) > INHIBITOR_WHY_MAX || !utf8_is_plain(why, strlen(why)))
                return sd_bus_error_setf(error, ERROR_INVALID_ARGS, "why: at most %d bytes of text, as in node ids", INHIBITOR_WHY_MAX);
        q = request_new(userdata, m);
        if (!q)
                return no_memory(error);
        q->act = inhibit;
        q->who = who;
        q->why = why;
        return start(q);
}

static int property_inhibitors(sd_bus *sd, const char *path, const char *interface, const char *property, sd_bus_message *m,
                               void *userdata, sd_bus_error *error) {
        struct bus *b = userdata;
        const struct inhibitor *i;
        int r;

        r = sd_bus_message_open_container(m, 'a', "(ssut)");
        TAILQ_FOREACH(i, inhibitors_list(b->inhibitors), all)
                if (r >= 0)
                        r = sd_bus_message_append(m, "(ssut)", i->who, i->why, (uint32_t) i->uid, i->since);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* ---- the status ---- */

static int append_nodes(sd_bus_message *m, const struct node_list *nodes) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "(ss)");
        for (size_t i = 0; r >= 0 && i < node_list_size(nodes); i++)
                r = sd_bus_message_append(m, "(ss)", nodes->nodes[i].id, nodes->nodes[i].address);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

struct question {
        struct bus *bus;
        sd_bus_message *message;
        struct ticket ticket;
};

static struct question *question_free(struct question *q) {
        if (!q)
                return NULL;
        ticket_leave(&q->ticket);
        sd_bus_message_unref(q->message);
        free(q);
        return NULL;
}
DEFINE_CLEANUP(struct question *, question_free)

static void on_status(void *userdata, const struct failure *failure, enum ha_state state, const struct node_list *nodes) {
        _cleanup_(question_freep) struct question *q = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        int r;

        if (failure_is_set(failure)) {
                reply_failure(q->message, failure);
                return;
        }
        r = sd_bus_message_new_method_return(q->message, &answer);
        if (r >= 0)
                r = sd_bus_message_append(answer, "s", ha_state_to_string(state));
        if (r >= 0)
                r = append_nodes(answer, nodes);
        if (r >= 0)
                r = sd_bus_send(NULL, answer, NULL);
        if (r < 0) {
                _cleanup_failure_ struct failure f = failure_make(FAILURE_FAILED, "the status cannot be sent: %s", strerror(-r));

                reply_failure(q->message, &f);
        }
}

static void on_status_place(void *userdata, int r, const struct failure *failure, const struct caller *caller) {
        struct question *q = userdata;

        if (r >= 0) {
                q->bus->ops->status(caller, on_status, q, q->bus->userdata);
                return;
        }
        if (r != -ECONNRESET) {
                journal_call_refused(q->bus->journal, "Status", caller, failure);
                reply_failure(q->message, failure);
        }
        question_free(q);
}

static int method_status(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct question *q = calloc(1, sizeof(*q));

        if (!q)
                return no_memory(error);
        q->bus = userdata;
        q->message = sd_bus_message_ref(m);
        callers_enter(q->bus->callers, &q->ticket, m, PLACE_STATUS, on_status_place, q);
        return 1;
}

/* ---- properties ---- */

static int append_sync_record(sd_bus_message *m, const struct sync_record *r) {
        return sd_bus_message_append(m, "(sssts)", r->how == SYNC_NEVER ? "" : ha_state_to_string(r->as), r->id, r->address,
                                     r->ended, sync_end_to_string(r->how));
}

static const struct bus *bus_of(void *userdata) {
        return userdata;
}

#define PROPERTY(name, ...) \
        static int property_##name(sd_bus *sd, const char *path, const char *interface, const char *property, \
                                   sd_bus_message *m, void *userdata, sd_bus_error *error) { \
                const struct state *p = ((struct bus *) userdata)->state; \
                (void) p; \
                return __VA_ARGS__; \
        }

PROPERTY(version, sd_bus_message_append(m, "s", CONFD_HA_VERSION))
PROPERTY(state, sd_bus_message_append(m, "s", ha_state_to_string(p->state)))
PROPERTY(node_id, sd_bus_message_append(m, "s", p->node_id))
PROPERTY(master, sd_bus_message_append(m, "(ss)", p->master_id, p->master_address))
PROPERTY(slaves, append_nodes(m, p->slaves))
PROPERTY(connected, sd_bus_message_append(m, "b", p->connected))
PROPERTY(events_connected, sd_bus_message_append(m, "b", p->events_connected))
PROPERTY(synchronizing, sd_bus_message_append(m, "b", p->synchronizing))
PROPERTY(in_sync, sd_bus_message_append(m, "b", p->in_sync))
PROPERTY(last_in_sync, append_sync_record(m, bus_of(userdata)->ops->last_in_sync(bus_of(userdata)->userdata)))
PROPERTY(targets, sd_bus_message_append(m, "s", bus_of(userdata)->ops->targets(bus_of(userdata)->userdata)))
PROPERTY(confd_address, sd_bus_message_append(m, "s", p->confd_address))
PROPERTY(confd_version, sd_bus_message_append(m, "s", p->confd_version))
PROPERTY(protocol_version, sd_bus_message_append(m, "u", p->protocol_version))
PROPERTY(last_error, sd_bus_message_append(m, "(sst)", p->error_name, p->error_message, p->error_time))
PROPERTY(state_since, sd_bus_message_append(m, "t", p->since))
PROPERTY(transitions, sd_bus_message_append(m, "t", p->transitions))

void bus_emit_properties(struct bus *b, unsigned changed) {
        static const struct {
                unsigned bit;
                const char *name;
        } properties[] = {
                { CHANGED_STATE, "State" },
                { CHANGED_STATE, "StateSince" },
                { CHANGED_STATE, "Transitions" },
                { CHANGED_NODE_ID, "NodeId" },
                { CHANGED_MASTER, "Master" },
                { CHANGED_SLAVES, "Slaves" },
                { CHANGED_CONNECTED, "Connected" },
                { CHANGED_EVENTS_CONNECTED, "EventsConnected" },
                { CHANGED_SYNCHRONIZING, "Synchronizing" },
                { CHANGED_IN_SYNC, "InSync" },
                { CHANGED_LAST_IN_SYNC, "LastInSync" },
                { CHANGED_TARGETS, "Targets" },
                { CHANGED_CONFD_ADDRESS, "ConfdAddress" },
                { CHANGED_CONFD_VERSION, "ConfdVersion" },
                { CHANGED_CONFD_VERSION, "ProtocolVersion" },
                { CHANGED_LAST_ERROR, "LastError" },
                { CHANGED_INHIBITORS, "Inhibitors" },
        };
        char *names[ELEMENTSOF(properties) + 1];
        size_t n = 0;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(properties); i++)
                if (changed & properties[i].bit)
                        names[n++] = (char *) properties[i].name;
        if (n == 0)
                return;
        names[n] = NULL;
        r = sd_bus_emit_properties_changed_strv(b->bus, BUS_PATH, BUS_INTERFACE, names);
        if (r < 0)
                log_warning("Cannot emit PropertiesChanged: %s", strerror(-r));
}

/* ---- signals ---- */

void bus_emit_signal(struct bus *b, const struct signal *g) {
        static const char *const names[] = {
                [SIGNAL_MASTER_LOST] = "MasterLost",
                [SIGNAL_SLAVE_DIED] = "SlaveDied",
                [SIGNAL_SLAVE_ARRIVED] = "SlaveArrived",
                [SIGNAL_SLAVE_INITIALIZED] = "SlaveInitialized",
                [SIGNAL_STATE_CHANGED] = "StateChanged",
                [SIGNAL_BESLAVE_RESULT] = "BeSlaveResult",
        };
        const char *name = names[g->kind];
        int r = 0;

        switch (g->kind) {
        case SIGNAL_MASTER_LOST:
                r = sd_bus_emit_signal(b->bus, BUS_PATH, BUS_INTERFACE, name, "s", g->args[0]);
                break;
        case SIGNAL_SLAVE_DIED:
        case SIGNAL_SLAVE_ARRIVED:
        case SIGNAL_BESLAVE_RESULT:
                r = sd_bus_emit_signal(b->bus, BUS_PATH, BUS_INTERFACE, name, "ss", g->args[0], g->args[1]);
                break;
        case SIGNAL_SLAVE_INITIALIZED:
                r = sd_bus_emit_signal(b->bus, BUS_PATH, BUS_INTERFACE, name, "b", (int) g->by_copy);
                break;
        case SIGNAL_STATE_CHANGED:
                r = sd_bus_emit_signal(b->bus, BUS_PATH, BUS_INTERFACE, name, "sss", g->args[0], g->args[1], g->args[2]);
                break;
        }
        if (r < 0)
                log_warning("Cannot emit %s: %s", name, strerror(-r));
}

/* ---- the interface; dbus/org.confd.HA.xml says the same in prose ---- */

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static int property_orders(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *m,
                           void *userdata, sd_bus_error *error) {
        const struct bus *b = userdata;

        return append_statistics(m, &b->statistics);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("BeMaster", SD_BUS_ARGS("s", node_id), SD_BUS_NO_RESULT, method_be_master,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("BeSlave",
                                SD_BUS_ARGS("s", node_id, "s", master_id, "s", master_address, "b", wait), SD_BUS_NO_RESULT,
                                method_be_slave, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("BeRelay", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_be_relay, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("BeNone", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_be_none, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Status", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", state, "a(ss)", nodes), method_status,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SlaveDead", SD_BUS_ARGS("s", node_id), SD_BUS_NO_RESULT, method_slave_dead,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("TakeOver", SD_BUS_ARGS("s", node_id, "s", old_master), SD_BUS_NO_RESULT, method_take_over,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Inhibit", SD_BUS_ARGS("s", who, "s", why), SD_BUS_RESULT("h", descriptor), method_inhibit,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reload, SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_PROPERTY("Version", "s", property_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", property_state, 0, CHANGES),
        SD_BUS_PROPERTY("NodeId", "s", property_node_id, 0, CHANGES),
        SD_BUS_PROPERTY("Master", "(ss)", property_master, 0, CHANGES),
        SD_BUS_PROPERTY("Slaves", "a(ss)", property_slaves, 0, CHANGES),
        SD_BUS_PROPERTY("Connected", "b", property_connected, 0, CHANGES),
        SD_BUS_PROPERTY("EventsConnected", "b", property_events_connected, 0, CHANGES),
        SD_BUS_PROPERTY("Synchronizing", "b", property_synchronizing, 0, CHANGES),
        SD_BUS_PROPERTY("InSync", "b", property_in_sync, 0, CHANGES),
        SD_BUS_PROPERTY("LastInSync", "(sssts)", property_last_in_sync, 0, CHANGES),
        SD_BUS_PROPERTY("Inhibitors", "a(ssut)", property_inhibitors, 0, CHANGES),
        SD_BUS_PROPERTY("Targets", "s", property_targets, 0, CHANGES),
        SD_BUS_PROPERTY("ConfdAddress", "s", property_confd_address, 0, CHANGES),
        SD_BUS_PROPERTY("ConfdVersion", "s", property_confd_version, 0, CHANGES),
        SD_BUS_PROPERTY("ProtocolVersion", "u", property_protocol_version, 0, CHANGES),
        SD_BUS_PROPERTY("LastError", "(sst)", property_last_error, 0, CHANGES),
        SD_BUS_PROPERTY("StateSince", "t", property_state_since, 0, CHANGES),
        SD_BUS_PROPERTY("Transitions", "t", property_transitions, 0, CHANGES),
        SD_BUS_PROPERTY("Orders", "(ata(sstat))", property_orders, 0, 0),

        SD_BUS_SIGNAL_WITH_ARGS("MasterLost", SD_BUS_ARGS("s", error_name), 0),
        SD_BUS_SIGNAL_WITH_ARGS("SlaveDied", SD_BUS_ARGS("s", id, "s", address), 0),
        SD_BUS_SIGNAL_WITH_ARGS("SlaveArrived", SD_BUS_ARGS("s", id, "s", address), 0),
        SD_BUS_SIGNAL_WITH_ARGS("SlaveInitialized", SD_BUS_ARGS("b", by_copy), 0),
        SD_BUS_SIGNAL_WITH_ARGS("StateChanged", SD_BUS_ARGS("s", old, "s", new, "s", reason), 0),
        SD_BUS_SIGNAL_WITH_ARGS("BeSlaveResult", SD_BUS_ARGS("s", error_name, "s", message), 0),
        SD_BUS_VTABLE_END
};

int bus_register(struct bus *b) {
        int r = bus_strays_watch(b->bus, &b->strays, b->journal);

        return r < 0 ? r : sd_bus_add_object_vtable(b->bus, &b->object, BUS_PATH, BUS_INTERFACE, vtable, b);
}

int bus_new(struct bus **ret, sd_bus *sd, const struct state *state, struct callers *callers, struct authorizer *authorizer,
            struct journal *journal, const struct bus_ops *ops, void *userdata) {
        _cleanup_(bus_freep) struct bus *b = calloc(1, sizeof(*b));
        int r;

        if (!b)
                return -ENOMEM;
        r = inhibitors_new(&b->inhibitors, sd_bus_get_event(sd), on_inhibitor_gone, b);
        if (r < 0)
                return r;
        b->bus = sd_bus_ref(sd);
        b->state = state;
        b->callers = callers;
        b->authorizer = authorizer;
        b->journal = journal;
        b->ops = ops;
        b->userdata = userdata;
        *ret = TAKE_PTR(b);
        return 0;
}

struct bus *bus_free(struct bus *b) {
        if (!b)
                return NULL;
        sd_bus_slot_unref(b->object);
        sd_bus_slot_unref(b->strays);
        inhibitors_free(b->inhibitors);
        sd_bus_unref(b->bus);
        statistics_done(&b->statistics);
        free(b);
        return NULL;
}
