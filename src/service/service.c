/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order in which everybody learns of a change: properties, signals, journal, targets, systemd. */
#include <stdio.h>

#include "basic/bus-sender.h"
#include "basic/log.h"
#include "basic/notify.h"
#include "basic/time-util.h"
#include "service/authorize.h"
#include "service/bus.h"
#include "service/callers.h"
#include "service/controller.h"
#include "service/journal.h"
#include "service/keeper.h"
#include "service/kept-files.h"
#include "service/kept-node-id.h"
#include "service/link.h"
#include "service/log-control.h"
#include "service/reference-node.h"
#include "service/service.h"
#include "service/state.h"
#include "service/status-text.h"
#include "service/targets.h"

struct service {
        sd_event *event;
        sd_bus *sd_bus;
        const char *config_file; /* as given, NULL for the default one */
        struct state *state;
        struct controller *controller;
        struct callers *callers;
        struct authorizer *authorizer;
        struct journal *journal;
        struct targets *targets;
        struct reference_node reference_node;
        struct bus *bus;
        struct keeper *keeper;       /* of LastInSync */
        struct sync_record on_disk;  /* what it tells */
        bool last_in_sync_untold;
        char *status_text; /* as systemd knows it */
        bool name_acquired;
        bool stopping;
};

/* ---- telling ---- */

/* systemd is told the whole line, and only when it is another. */
static void tell_systemd(struct service *s) {
        _cleanup_free_ char *text = status_text(s->state, link_is_polling(controller_link(s->controller)),
                                                 targets_describe(s->targets));

        if (!text || s->stopping || (s->status_text && streq(s->status_text, text)))
                return;
        free(s->status_text);
        s->status_text = TAKE_PTR(text);
        notify_status(s->status_text);
}

static void keep_last_in_sync(struct service *s) {
        char *text = sync_record_to_text(&s->state->last_in_sync);

        /* Without memory the old one would stay, which is wrong. */
        if (keeper_keep(s->keeper, text ?: strdup("lost\n")) < 0)
                log_error("Out of memory: LastInSync is not kept");
}

/* What is on disk is what LastInSync says. */
static void show_last_in_sync(struct service *s) {
        struct sync_record copy = {};

        if (sync_record_copy(&s->state->last_in_sync, &copy) < 0) {
                log_error("Out of memory: the property LastInSync is out of date");
                return;
        }
        sync_record_done(&s->on_disk);
        s->on_disk = copy;
}

static void tell(struct service *s) {
        struct signal_list signals;
        unsigned changed = state_take(s->state, &signals);

        /* Alone, once it is on disk. */
        if ((changed & CHANGED_LAST_IN_SYNC) && !keeper_is_idle(s->keeper)) {
                changed &= ~(unsigned) CHANGED_LAST_IN_SYNC;
                s->last_in_sync_untold = true;
        }
        bus_emit_properties(s->bus, changed);
        for (size_t i = 0; i < signals.n; i++) {
                bus_emit_signal(s->bus, &signals.items[i]);
                journal_signal(&signals.items[i]);
        }
        signal_list_done(&signals);
        tell_systemd(s);
}

/* Who is told of a change finds LastInSync already new, which has to be on disk then; but nobody waits for a slow disk, and what
 * hangs on a role for none at all. */
static bool on_publish(void *userdata) {
        struct service *s = userdata;

        if (s->state->changed & CHANGED_NODE_ID)
                kept_node_id_save(s->state->node_id);
        if (s->state->changed & CHANGED_BESLAVE_SINCE) {
                s->state->changed &= ~(unsigned) CHANGED_BESLAVE_SINCE;
                keep_last_in_sync(s);
        }
        targets_update(s->targets, s->state->state, s->state->synchronizing);
        if (keeper_is_awaited(s->keeper))
                return false;
        tell(s);
        return true;
}

static bool is_kept(void *userdata) {
        struct service *s = userdata;

        return keeper_is_idle(s->keeper);
}

/* LastInSync is on disk, or takes longer than is waited for. */
static void on_kept(void *userdata) {
        struct service *s = userdata;

        if (keeper_is_idle(s->keeper)) {
                show_last_in_sync(s);
                if (s->last_in_sync_untold)
                        bus_emit_properties(s->bus, CHANGED_LAST_IN_SYNC);
                s->last_in_sync_untold = false;
        }
        controller_told(s->controller);
}

static void on_targets(void *userdata) {
        struct service *s = userdata;

        bus_emit_properties(s->bus, CHANGED_TARGETS);
        tell_systemd(s);
}

/* An order for a role: what hangs on it is looked after, also when the role was there before. */
static void on_obeyed(void *userdata) {
        struct service *s = userdata;

        targets_again(s->targets);
}

static void on_connection(void *userdata, const struct failure *why) {
        struct service *s = userdata;

        journal_connection(s->journal, why, s->state, controller_config(s->controller)->problem_file);
}

/* ---- configuration ---- */

/* Whatever listens on a TCP port can be talked to by every local user. */
static void warn_of_open_port(const struct config *c) {
        if (c->address.sa.sa_family != AF_UNIX && !c->has_access)
                log_warning("ConfD at %s is reached over TCP without an IPC access secret: any local user could give it orders, past "
                            "polkit; turn the access check on in ConfD and name its file in AccessFile=, or use a Unix socket",
                            c->address_name);
}

/* caller: NULL for a signal. */
static struct failure reload(struct service *s, const struct caller *caller) {
        const char *file = config_file_name(s->config_file);
        _cleanup_(config_freep) struct config *c = NULL;
        _cleanup_free_ char *error = NULL;
        struct failure f = FAILURE_NONE;
        int r;

        /* Not before the name is held: ready is what the one is told who waits for that. */
        if (s->name_acquired)
                notify_reloading();
        r = config_load(&c, s->config_file, &error);
        if (r < 0)
                f = failure_make(FAILURE_BAD_CONFIGURATION, "%s", error ?: strerror(-r));
        else if (failure_is_set(&c->problem))
                f = failure_copy(&c->problem);
        journal_reload(file, &f, caller);
        if (!failure_is_set(&f)) {
                warn_of_open_port(c);
                targets_configure(s->targets, c->targets, c->grace);
                controller_reload(s->controller, TAKE_PTR(c));
                targets_update(s->targets, s->state->state, s->state->synchronizing);
                targets_again(s->targets);
        }
        if (s->name_acquired)
                notify_ready(s->status_text ?: "");
        return f;
}

void service_reload(struct service *s) {
        _cleanup_failure_ _unused_ struct failure f = reload(s, /* caller= */ NULL); /* which has logged it */
}

/* ---- what the bus asks for ---- */

static void on_order(const struct order_request *request, order_done_fn done, void *done_userdata, void *userdata) {
        struct service *s = userdata;

        controller_order(s->controller, request, done, done_userdata);
}

static void on_status(const struct caller *caller, controller_status_fn done, void *done_userdata, void *userdata) {
        struct service *s = userdata;

        controller_status(s->controller, caller->privileged, done, done_userdata);
}

static struct failure on_reload(const struct caller *caller, void *userdata) {
        return reload(userdata, caller);
}

static const char *targets(void *userdata) {
        struct service *s = userdata;

        return targets_describe(s->targets);
}

static const struct config *current_config(void *userdata) {
        struct service *s = userdata;

        return controller_config(s->controller);
}

static const struct sync_record *last_in_sync(void *userdata) {
        struct service *s = userdata;

        return &s->on_disk;
}

static const struct bus_ops bus_ops = {
        .order = on_order,
        .status = on_status,
        .reload = on_reload,
        .config = current_config,
        .targets = targets,
        .last_in_sync = last_in_sync,
};

/* ---- life ---- */

static int give_up(struct service *s, const char *why) {
        log_error("%s", why);
        notify_status(why);
        s->stopping = true;
        return sd_event_exit(s->event, EXIT_FAILURE);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return give_up(userdata, "The connection to the system bus is lost");
}

static int on_name_lost(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct service *s = userdata;
        const char *name;

        if (!bus_is_from_bus(m) || sd_bus_message_read(m, "s", &name) < 0 || !streq(name, BUS_NAME) || !s->name_acquired)
                return 0;
        return give_up(s, "The bus name " BUS_NAME " is lost");
}

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        enum { PRIMARY_OWNER = 1, ALREADY_OWNER = 4 };
        struct service *s = userdata;
        uint32_t result;

        if (sd_bus_message_is_method_error(m, NULL)) {
                log_error("The bus does not let us have its name: %s", sd_bus_message_get_error(m)->message);
                return give_up(s, "The bus name " BUS_NAME " cannot be had; look at the D-Bus policy, and whom confd-had runs as");
        }
        if (sd_bus_message_read(m, "u", &result) < 0 || (result != PRIMARY_OWNER && result != ALREADY_OWNER))
                return give_up(s, "The bus name " BUS_NAME " belongs to somebody else: is another confd-had running?");
        s->name_acquired = true;
        /* Not before: a second service, which gets no name, would take ConfD's one controller's place all the same. The call
         * that activated us may have come already; it waits. */
        controller_connect(s->controller);
        tell_systemd(s);
        notify_ready(s->status_text ?: "");
        return 0;
}

static void on_joining(void *userdata, bool joining) {
        struct service *s = userdata;

        controller_joining(s->controller, joining);
}

static void ask_joining(void *userdata) {
        struct service *s = userdata;
        int r = reference_node_ask(&s->reference_node, s->sd_bus, on_joining, s);

        if (r < 0)
                log_warning("Cannot ask the reference node whether it is joining: %s", strerror(-r));
}

static const struct controller_handlers handlers = {
        .publish = on_publish,
        .kept = is_kept,
        .ask_joining = ask_joining,
        .connection = on_connection,
        .obeyed = on_obeyed,
};

static int remember_last_in_sync(struct state *s) {
        _cleanup_(sync_record_done) struct sync_record record = {};
        bool lost = false;
        _cleanup_free_ char *text = kept_load(KEPT_STATE, "last-in-sync", &lost);
        int r;

        if (!text)
                return -ENOMEM;
        if (!*text && !lost)
                return 0;
        r = *text ? sync_record_from_text(&record, text) : -EBADMSG;
        if (r == -EBADMSG) {
                log_warning("The file last-in-sync in the state directory is damaged, so it is not known whose data this node had "
                            "in place");
                r = sync_record_init(&record);
                record.lost = true;
        }
        if (r >= 0)
                state_remember(s, &record);
        return r;
}

int service_new(struct service **ret, sd_event *event, sd_bus *bus, const char *config_file, struct config *config) {
        _cleanup_(config_freep) struct config *c = config;
        _cleanup_(service_freep) struct service *s = calloc(1, sizeof(*s));
        _cleanup_free_ char *node_id = kept_node_id_load();
        int r;

        if (!s || !node_id)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->sd_bus = sd_bus_ref(bus);
        s->config_file = config_file;
        r = state_new(&s->state, c->address_name, node_id, now_realtime());
        if (r < 0)
                return r;
        r = remember_last_in_sync(s->state);
        if (r >= 0)
                r = sync_record_copy(&s->state->last_in_sync, &s->on_disk);
        if (r >= 0)
                r = keeper_new(&s->keeper, event, "last-in-sync", on_kept, s);
        if (r < 0)
                return r;
        r = callers_new(&s->callers, bus);
        if (r < 0)
                return r;
        r = authorizer_new(&s->authorizer, bus);
        if (r < 0)
                return r;
        r = journal_new(&s->journal, event, bus);
        if (r < 0)
                return r;
        r = targets_new(&s->targets, event, bus, on_targets, s);
        if (r < 0)
                return r;
        targets_configure(s->targets, c->targets, c->grace);
        r = controller_new(&s->controller, event, s->state, c, &handlers, s);
        if (r < 0)
                return r;
        TAKE_PTR(c);
        r = bus_new(&s->bus, bus, s->state, s->callers, s->authorizer, s->journal, &bus_ops, s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

struct service *service_free(struct service *s) {
        if (!s)
                return NULL;
        reference_node_done(&s->reference_node);
        authorizer_free(s->authorizer);
        controller_free(s->controller);
        bus_free(s->bus);
        callers_free(s->callers);
        targets_free(s->targets);
        journal_free(s->journal);
        keeper_free(s->keeper);
        sync_record_done(&s->on_disk);
        state_free(s->state);
        sd_bus_unref(s->sd_bus);
        sd_event_unref(s->event);
        free(s->status_text);
        free(s);
        return NULL;
}

int service_start(struct service *s) {
        const struct config *c = controller_config(s->controller);
        int r;

        r = bus_register(s->bus);
        if (r >= 0)
                r = log_control_register(s->sd_bus, s->callers);
        if (r >= 0)
                r = sd_bus_match_signal(s->sd_bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, s);
        if (r >= 0)
                r = sd_bus_match_signal_async(s->sd_bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                              "org.freedesktop.DBus", "NameLost", on_name_lost, NULL, s);
        if (r >= 0)
                r = sd_bus_request_name_async(s->sd_bus, NULL, BUS_NAME, 0, on_name, s);
        if (r < 0) {
                log_error("Cannot set the bus up: %s", strerror(-r));
                return r;
        }
        warn_of_open_port(c);
        if (failure_is_set(&c->problem))
                on_connection(s, &c->problem);
        targets_update(s->targets, s->state->state, s->state->synchronizing);
        r = controller_start(s->controller);
        if (r < 0)
                log_error("Cannot start to connect to ConfD: %s", strerror(-r));
        tell_systemd(s);
        return r;
}

void service_stop(struct service *s) {
        if (s->stopping)
                return;
        s->stopping = true;
        notify_stopping("Stopping, ConfD keeps its role");
        if (!keeper_is_idle(s->keeper)) {
                keeper_finish(s->keeper);
                on_kept(s);
        }
        controller_stop(s->controller);
}
