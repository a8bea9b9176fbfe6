/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the object org.confd.HANode. */
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "basic/bus-flush.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "node/bus.h"
#include "node/bus-reads.h"
#include "node/bus-writes.h"

struct node_bus {
        sd_event *event;
        char *name;
        struct store *store;
        const struct node_bus_ops *ops;
        void *userdata;

        sd_bus *bus;
        sd_event_source *reconnect;
        sd_event_source *more; /* what several writers have sent */
        sd_event_source *emit;
        sd_event_source *emit_again;
        uint64_t emitted; /* when what has changed was told last */
        sd_event_source *patience; /* of the start, with a bus that does not answer */
        bool started; /* it has been told what came of the start */
        bool refused; /* the name, when we came back */
        struct bus_reads *reads;
        struct bus_writes *writes;

        /* What PropertiesChanged last said. */
        const char *state;
        char *transaction_id;
        uint64_t entries;
        unsigned phase;
        bool joining;
};

/* ---- reading ---- */

/* The handlers check the arguments; what they ask for is looked up once there is room for it on its way out. */
static int read_later(struct node_bus *b, sd_bus_message *m, bus_read_fn fn, sd_bus_error *error) {
        int r = bus_reads_add(b->reads, m, fn, b);

        if (r == -EBUSY)
                return sd_bus_error_set(error, NODE_BUS_ERROR("Busy"), "Too many answers wait to be taken, read them first");
        if (r == -ECANCELED)
                return sd_bus_error_set(error, NODE_BUS_ERROR("Busy"), NODE_BUS_ENDING);
        return r < 0 ? r : 1;
}

static int answer_get(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_free_ char *value = NULL;
        struct node_bus *b = userdata;
        const char *key;
        int r;

        r = sd_bus_message_read(m, "s", &key);
        if (r < 0)
                return r;
        r = store_get(b->store, key, &value);
        if (r == -ENOENT)
                return sd_bus_error_setf(error, NODE_BUS_ERROR("NotFound"), "There is no %s", key);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(m, "s", value);
}

static int method_get(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *key;
        int r;

        r = sd_bus_message_read(m, "s", &key);
        if (r < 0)
                return r;
        if (!key_is_valid(key, strlen(key)))
                return bus_bad_key(error);
        r = sd_bus_message_rewind(m, /* complete= */ true);
        return r < 0 ? r : read_later(userdata, m, answer_get, error);
}

static int add_entry(const char *key, const char *value, void *userdata) {
        return sd_bus_message_append(userdata, "{ss}", key, value);
}

static int answer_list(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *next = NULL;
        const char *prefix, *after;
        struct node_bus *b = userdata;
        uint32_t max;
        int r;

        r = sd_bus_message_read(m, "ssu", &prefix, &after, &max);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{ss}");
        if (r >= 0)
                r = store_list(b->store, prefix, after, max, add_entry, reply, &next);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", next);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        return r;
}

static int method_list(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *prefix, *after;
        uint32_t max;
        int r;

        r = sd_bus_message_read(m, "ssu", &prefix, &after, &max);
        if (r < 0)
                return r;
        if ((*prefix && !key_is_valid(prefix, strlen(prefix))) || (*after && !key_is_valid(after, strlen(after))))
                return bus_bad_key(error);
        r = sd_bus_message_rewind(m, /* complete= */ true);
        return r < 0 ? r : read_later(userdata, m, answer_list, error);
}

/* ---- writing ---- */

static int method_apply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct node_bus *b = userdata;
        int r;

        if (b->ops->phase(b->userdata) < ROLE_PHASE_MAX)
                return sd_bus_error_setf(error, NODE_BUS_ERROR("NotReady"), "Start phase %u: writes are taken from phase 2 on (SetPhase)",
                                         b->ops->phase(b->userdata));
        r = bus_writes_add(b->writes, m, error);
        if (r > 0 && bus_writes_under_way(b->writes) > 1)
                (void) sd_event_source_set_enabled(b->more, SD_EVENT_ONESHOT);
        return r;
}

void node_bus_end_writes(struct node_bus *b, bus_idle_fn fn, void *userdata) {
        bus_writes_end(b->writes, fn, userdata);
}

/* Several write at once: what they have sent is read in one go. The loop gives the bus one turn for each message otherwise, among
 * those of all slaves, so that a hundred of them would have to acknowledge one transaction before the next is read. */
static int on_more(sd_event_source *source, void *userdata) {
        struct node_bus *b = userdata;

        for (unsigned i = 0; i < BUS_MESSAGES_A_TURN && b->bus; i++)
                if (sd_bus_process(b->bus, NULL) <= 0)
                        break;
        return 0;
}

/* ---- the rest ---- */

struct slaves_reply {
        sd_bus_message *m;
        int r;
};

static void add_slave(const struct master_slave *slave, void *userdata) {
        char id[NODE_ID_TEXT_MAX], address[NODE_ADDRESS_TEXT_MAX];
        struct slaves_reply *reply = userdata;

        if (reply->r >= 0)
                reply->r = sd_bus_message_append(reply->m, "(sstttt)", node_id_text(&slave->id, id),
                                                 node_address_text(&slave->address, address), slave->tick_age_usec,
                                                 slave->transaction_age_usec, slave->bytes_unsent, slave->n_unacknowledged);
}

static int method_slaves(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        struct node_bus *b = userdata;
        struct slaves_reply slaves;

        slaves.r = sd_bus_message_new_method_return(m, &reply);
        slaves.m = reply;
        if (slaves.r >= 0)
                slaves.r = sd_bus_message_open_container(reply, 'a', "(sstttt)");
        if (slaves.r >= 0)
                b->ops->slaves(add_slave, &slaves, b->userdata);
        if (slaves.r >= 0)
                slaves.r = sd_bus_message_close_container(reply);
        if (slaves.r >= 0)
                slaves.r = sd_bus_message_send(reply);
        return slaves.r;
}

static int method_set_phase(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct node_bus *b = userdata;
        uint32_t phase;
        int r;

        r = sd_bus_message_read(m, "u", &phase);
        if (r < 0)
                return r;
        r = b->ops->set_phase(phase, b->userdata);
        if (r == -EINVAL)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "Start phases are 0, 1 and 2");
        if (r == -EPERM)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Start phases only go up, and this is phase %u",
                                         b->ops->phase(b->userdata));
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(m, NULL);
}

/* ---- properties ---- */

static int property_state(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct node_bus *b = userdata;

        return sd_bus_message_append(reply, "s", b->ops->state(b->userdata));
}

static int property_transaction_id(sd_bus *bus, const char *path, const char *interface, const char *property,
                                   sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct node_bus *b = userdata;

        return sd_bus_message_append(reply, "s", store_transaction_id(b->store));
}

static int property_entries(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct node_bus *b = userdata;

        return sd_bus_message_append(reply, "t", store_entries(b->store));
}

static int property_phase(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct node_bus *b = userdata;

        return sd_bus_message_append(reply, "u", b->ops->phase(b->userdata));
}

static int property_joining(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct node_bus *b = userdata;

        return sd_bus_message_append(reply, "b", (int) b->ops->joining(b->userdata));
}

static void on_store_changed(struct store *s, void *userdata) {
        node_bus_changed(userdata);
}

void node_bus_changed(struct node_bus *b) {
        if (b->emit && sd_event_source_set_enabled(b->emit, SD_EVENT_ONESHOT) < 0)
                log_debug("D-Bus: cannot schedule PropertiesChanged");
}

static int on_emit_again(sd_event_source *source, uint64_t usec, void *userdata) {
        node_bus_changed(userdata);
        return 0;
}

static bool emit_later(struct node_bus *b, uint64_t when) {
        return sd_event_source_get_enabled(b->emit_again, NULL) > 0 ||
               (sd_event_source_set_time(b->emit_again, when) >= 0 && sd_event_source_set_enabled(b->emit_again, SD_EVENT_ONESHOT) >= 0);
}

/* A bus that takes nothing is told later, of what is so then: word of each commit would fill the memory. */
static bool must_wait(struct node_bus *b) {
        uint64_t queued = 0;

        return b->bus && sd_bus_get_n_queued_write(b->bus, &queued) >= 0 && queued >= BUS_EMIT_QUEUED_MAX &&
               emit_later(b, now_monotonic() + BUS_EMIT_AGAIN_USEC);
}

/* Many commits share their word: a message for each would cost the bus as much as the commit's own. Who is given another role, or
 * is behind a commit that came alone, is told at once. */
static bool may_wait(struct node_bus *b, const char *state, unsigned phase, bool joining) {
        return b->state && streq(b->state, state) && b->phase == phase && b->joining == joining &&
               now_monotonic() < b->emitted + BUS_EMIT_DATA_USEC && emit_later(b, b->emitted + BUS_EMIT_DATA_USEC);
}

static int on_emit(sd_event_source *source, void *userdata) {
        struct node_bus *b = userdata;
        const char *state = b->ops->state(b->userdata);
        const char *transaction_id = store_transaction_id(b->store);
        uint64_t entries = store_entries(b->store);
        unsigned phase = b->ops->phase(b->userdata);
        bool joining = b->ops->joining(b->userdata);
        char *names[6];
        size_t n = 0;

        if (must_wait(b) || may_wait(b, state, phase, joining))
                return 0;
        b->emitted = now_monotonic();
        if (!b->state || !streq(b->state, state))
                names[n++] = (char *) "State";
        if (!b->transaction_id || !streq(b->transaction_id, transaction_id))
                names[n++] = (char *) "TransactionId";
        if (b->entries != entries)
                names[n++] = (char *) "Entries";
        if (b->phase != phase)
                names[n++] = (char *) "Phase";
        if (b->joining != joining)
                names[n++] = (char *) "Joining";
        names[n] = NULL;
        b->state = state;
        b->entries = entries;
        b->phase = phase;
        b->joining = joining;
        if (free_and_strdup(&b->transaction_id, transaction_id) < 0)
                log_debug("D-Bus: out of memory");
        if (n > 0 && b->bus)
                (void) sd_bus_emit_properties_changed_strv(b->bus, NODE_BUS_PATH, NODE_BUS_INTERFACE, names);
        return 0;
}

/* ---- the connection ---- */

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Get", SD_BUS_ARGS("s", key), SD_BUS_RESULT("s", value), method_get,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("List", SD_BUS_ARGS("s", prefix, "s", after, "u", max),
                                SD_BUS_RESULT("a{ss}", entries, "s", next), method_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Apply", SD_BUS_ARGS("a{ss}", set, "as", delete), SD_BUS_RESULT("s", transaction_id),
                                method_apply, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetPhase", SD_BUS_ARGS("u", phase), SD_BUS_NO_RESULT, method_set_phase,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Slaves", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sstttt)", slaves), method_slaves,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("State", "s", property_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("TransactionId", "s", property_transaction_id, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Entries", "t", property_entries, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Joining", "b", property_joining, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Phase", "u", property_phase, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END
};

static void reconnect_later(struct node_bus *b) {
        if (sd_event_source_set_time_relative(b->reconnect, BUS_RECONNECT_SEC * USEC_PER_SEC) < 0 ||
            sd_event_source_set_enabled(b->reconnect, SD_EVENT_ONESHOT) < 0)
                log_error("D-Bus: cannot schedule the next attempt to connect");
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct node_bus *b = userdata;

        bus_reads_clear(b->reads);
        log_error("D-Bus: the bus is gone; the node goes on, its data is not offered until there is a bus again");
        reconnect_later(b);
        return 0;
}

/* What came of the start, once. */
static void started(struct node_bus *b, int r, const char *why) {
        _cleanup_free_ char *text = NULL;

        b->started = true;
        (void) sd_event_source_set_enabled(b->patience, SD_EVENT_OFF);
        if (why && asprintf(&text, "Cannot take the bus name %s: %s (does another node run, and does the bus policy allow it?)",
                            b->name, why) < 0)
                text = NULL;
        b->ops->started(r, text, b->userdata);
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata) {
        struct node_bus *b = userdata;

        log_warning("D-Bus: the bus does not answer; the node goes on, its data is not offered until it does");
        started(b, 0, NULL);
        return 0;
}

/* While nobody has been told that the node is there, a refusal is its end; later it is tried again every second, and said once. */
static void on_refused(struct node_bus *b, const char *why) {
        if (!b->started) {
                started(b, -EEXIST, why);
                return;
        }
        if (!b->refused)
                log_error("D-Bus: cannot take the name %s: %s", b->name, why);
        b->refused = true;
        reconnect_later(b);
}

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        enum { PRIMARY_OWNER = 1, ALREADY_OWNER = 4 };
        struct node_bus *b = userdata;
        uint32_t result;

        if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY))
                reconnect_later(b); /* nobody has refused anything */
        else if (sd_bus_message_is_method_error(m, NULL))
                on_refused(b, sd_bus_message_get_error(m)->message ?: sd_bus_message_get_error(m)->name);
        else if (sd_bus_message_read(m, "u", &result) < 0 || (result != PRIMARY_OWNER && result != ALREADY_OWNER))
                on_refused(b, "it belongs to somebody else; does another node run?"); /* an answer, no error */
        else if (!b->started)
                started(b, 0, NULL);
        else {
                b->refused = false;
                log_notice("D-Bus: data is offered as %s again", b->name);
        }
        return 0;
}

static int open_bus(struct node_bus *b) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system(&bus);
        /* sd-bus would flush when the loop ends, and a bus that takes nothing would never let us go. */
        if (r >= 0)
                r = sd_bus_set_close_on_exit(bus, false);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, NODE_BUS_PATH, NODE_BUS_INTERFACE, vtable, b);
        if (r >= 0)
                r = sd_bus_match_signal(bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                        "Disconnected", on_disconnected, b);
        if (r >= 0)
                r = bus_reads_watch(b->reads, bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus, b->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_request_name_async(bus, NULL, b->name, 0, on_name, b);
        if (r < 0)
                return r;
        b->bus = TAKE_PTR(bus);
        return 0;
}

static int on_reconnect(sd_event_source *source, uint64_t usec, void *userdata) {
        struct node_bus *b = userdata;
        int r;

        bus_reads_clear(b->reads);
        b->bus = sd_bus_close_unref(b->bus);
        r = open_bus(b);
        if (r < 0) {
                log_debug("D-Bus: cannot connect to the bus: %s", strerror(-r));
                reconnect_later(b);
        }
        return 0;
}

int node_bus_new(sd_event *event, const char *name, struct store *store, const struct node_bus_ops *ops, void *userdata,
                 struct node_bus **ret, char **ret_error) {
        _cleanup_(node_bus_freep) struct node_bus *b = calloc(1, sizeof(*b));
        int r;

        *ret_error = NULL;
        if (!b)
                return -ENOMEM;
        b->event = sd_event_ref(event);
        b->store = store;
        b->ops = ops;
        b->userdata = userdata;
        b->name = strdup(name);
        if (!b->name)
                return -ENOMEM;
        r = bus_reads_new(event, &b->reads);
        if (r >= 0)
                r = bus_writes_new(ops->commit, userdata, &b->writes);
        if (r >= 0)
                r = sd_event_add_defer(event, &b->emit, on_emit, b);
        if (r >= 0)
                r = sd_event_add_defer(event, &b->more, on_more, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->more, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &b->emit_again, CLOCK_MONOTONIC, 0, 0, on_emit_again, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->emit_again, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &b->reconnect, CLOCK_MONOTONIC, 0, 0, on_reconnect, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->reconnect, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &b->patience, CLOCK_MONOTONIC, BUS_PATIENCE_SEC * USEC_PER_SEC, 0, on_patience, b);
        if (r < 0)
                return r;
        r = open_bus(b);
        if (r == -EAGAIN) /* it does not even take connections: it hangs */
                reconnect_later(b);
        else if (r < 0) {
                if (asprintf(ret_error, "Cannot connect to the system bus: %s (BusName= empty runs without it)",
                             strerror(-r)) < 0)
                        *ret_error = NULL;
                return r;
        }
        store_set_changed_callback(store, on_store_changed, b);
        *ret = TAKE_PTR(b);
        return 0;
}

struct node_bus *node_bus_free(struct node_bus *b) {
        if (!b)
                return NULL;
        store_set_changed_callback(b->store, NULL, NULL);
        if (b->writes)
                bus_writes_give_up(b->writes);
        if (b->reads)
                bus_reads_end(b->reads, &SD_BUS_ERROR_MAKE_CONST(NODE_BUS_ERROR("Busy"), NODE_BUS_ENDING));
        /* What comes in while the last words go out is handled still, with all that takes. */
        bus_flush(b->bus);
        b->bus = sd_bus_close_unref(b->bus);
        bus_writes_free(b->writes);
        bus_reads_free(b->reads);
        sd_event_source_disable_unref(b->emit);
        sd_event_source_disable_unref(b->more);
        sd_event_source_disable_unref(b->emit_again);
        sd_event_source_disable_unref(b->reconnect);
        sd_event_source_disable_unref(b->patience);
        sd_event_unref(b->event);
        free(b->transaction_id);
        free(b->name);
        free(b);
        return NULL;
}
