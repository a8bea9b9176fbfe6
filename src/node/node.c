/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the parts of the node, and how word goes between them. */
#include <stdarg.h>
#include <stdio.h>

#include "basic/log.h"
#include "basic/notify.h"
#include "basic/secret-sources.h"
#include "basic/time-util.h"
#include "node/bus.h"
#include "node/ipc/server.h"
#include "node/node.h"
#include "node/peers.h"

enum { END_COMMITS_SEC = 1, END_STORE_SEC = 5 };

struct node {
        sd_event *event;
        const struct node_config *config; /* of the start */
        struct secret access;
        struct store *store;
        struct role *role;
        struct peers *peers;
        struct ipc_server *ipc;
        struct node_bus *bus;

        /* What was last logged and told to the service manager. */
        bool ready;
        enum confd_ha_status_state state;
        bool joining;
        unsigned phase;
        char *status;

        enum { NOT_ENDING, END_COMMITS, END_STORE, ENDED } ending;
        sd_event_source *end; /* when it goes on */
        int exit_status;
};

/* ---- what the role has said ---- */

static const char *order_name(enum ha_order type) {
        static const char *const names[] = {
                [HA_ORDER_UNKNOWN] = "an unknown order", [HA_ORDER_BEMASTER] = "be master", [HA_ORDER_BESLAVE] = "be slave",
                [HA_ORDER_BENONE] = "be none", [HA_ORDER_STATUS] = "status", [HA_ORDER_SLAVE_DEAD] = "slave dead",
                [HA_ORDER_BERELAY] = "be relay",
        };

        return names[type];
}

static void do_reply(void *userdata, uint64_t controller, enum ha_order type, int code, const char *why) {
        struct node *n = userdata;

        if (code != 0)
                log_info("Order failed: %s: error %d: %s", order_name(type), code, why);
        if (type == HA_ORDER_STATUS && code == 0)
                ipc_server_reply_status(n->ipc, controller, n->role);
        else
                ipc_server_reply(n->ipc, controller, code, why);
}

static bool do_event(void *userdata, const struct role_event *event) {
        struct node *n = userdata;

        return ipc_server_event(n->ipc, event);
}

/* One line for systemctl status. */
static void tell_manager(struct node *n) {
        _cleanup_free_ char *text = NULL;
        unsigned n_nodes = role_get_n_nodes(n->role);
        char id[NODE_ID_TEXT_MAX], master[NODE_ID_TEXT_MAX];
        const char *state = role_state_to_string(n->state), *name = node_id_text(role_get_id(n->role), id);
        int r;

        if (n->ending != NOT_ENDING)
                return;
        if (n->phase == 0)
                r = asprintf(&text, "Start phase 0: waiting to be moved on");
        else if (n->phase < ROLE_PHASE_MAX && n->state == CONFD_HA_STATE_NONE && !n->joining)
                r = asprintf(&text, "Start phase %u: waiting for orders, no writes are taken", n->phase);
        else if (n->joining)
                r = asprintf(&text, "Joining as %s", name);
        else if (n->state == CONFD_HA_STATE_NONE)
                r = asprintf(&text, "State none: waiting for orders");
        else if (n->state == CONFD_HA_STATE_MASTER)
                r = asprintf(&text, "State master as %s, %u slave%s", name, n_nodes, n_nodes == 1 ? "" : "s");
        else
                r = asprintf(&text, "State %s as %s of %s, %u slave%s", state, name,
                             node_id_text(&role_get_node(n->role, 0)->id, master), n_nodes - 1, n_nodes == 2 ? "" : "s");
        if (r < 0) {
                text = NULL;
                return;
        }
        if (n->status && streq(n->status, text))
                return;
        notify_status(text);
        free(n->status);
        n->status = TAKE_PTR(text);
}

static void do_changed(void *userdata) {
        struct node *n = userdata;
        enum confd_ha_status_state state = role_get_state(n->role);
        bool joining = role_is_joining(n->role);
        unsigned phase = role_get_phase(n->role);

        if (state != n->state)
                log_notice("State %s, was %s", role_state_to_string(state), role_state_to_string(n->state));
        if (joining && !n->joining)
                log_notice("Joining a master");
        if (phase != n->phase)
                log_notice("Start phase %u", phase);
        n->state = state;
        n->joining = joining;
        n->phase = phase;
        tell_manager(n);
        if (n->bus)
                node_bus_changed(n->bus);
        if (n->ipc)
                ipc_server_resume(n->ipc);
}

static const struct role_ops role_ops = {
        .reply = do_reply,
        .event = do_event,
        .changed = do_changed,
};

/* ---- what comes in on the IPC port ---- */

static void on_token(const struct secret *token, void *userdata) {
        struct node *n = userdata;

        if (token->size == 0)
                log_warning("The HA controller gave an empty token: nobody can join with it");
        if (peers_set_token(n->peers, token) < 0)
                log_error("Cannot take the controller's token: out of memory");
}

static int on_order(uint64_t controller, const struct role_order *order, void *userdata) {
        struct node *n = userdata;

        return role_submit(n->role, controller, order);
}

static bool on_may_order(void *userdata) {
        struct node *n = userdata;

        return role_may_submit(n->role);
}

static void on_gone(uint64_t controller, void *userdata) {
        struct node *n = userdata;

        role_controller_gone(n->role, controller);
}

static void on_synced(void *userdata) {
        struct node *n = userdata;

        role_release(n->role);
}

static const struct ipc_callbacks ipc_callbacks = {
        .token = on_token,
        .order = on_order,
        .may_order = on_may_order,
        .gone = on_gone,
        .synced = on_synced,
};

/* ---- what comes in on the bus ---- */

static const char *bus_state(void *userdata) {
        struct node *n = userdata;

        return role_state_to_string(role_get_state(n->role));
}

static bool bus_joining(void *userdata) {
        struct node *n = userdata;

        return role_is_joining(n->role);
}

static unsigned bus_phase(void *userdata) {
        struct node *n = userdata;

        return role_get_phase(n->role);
}

static int bus_set_phase(unsigned phase, void *userdata) {
        struct node *n = userdata;

        return role_set_phase(n->role, phase);
}

static int bus_commit(struct transaction *t, transaction_stored_fn fn, void *fn_userdata, void *userdata) {
        struct node *n = userdata;

        return peers_commit(n->peers, t, fn, fn_userdata);
}

static void bus_slaves(master_slave_fn fn, void *fn_userdata, void *userdata) {
        struct node *n = userdata;

        peers_slaves(n->peers, fn, fn_userdata);
}

static void bus_started(int error, const char *why, void *userdata) {
        struct node *n = userdata;

        if (error < 0) {
                log_error("Cannot start: %s", why ?: strerror(-error));
                node_end(n, EXIT_FAILURE);
                return;
        }
        n->ready = true;
        if (n->ending == NOT_ENDING)
                notify_ready(NULL);
}

static const struct node_bus_ops bus_ops = {
        .started = bus_started,
        .state = bus_state,
        .joining = bus_joining,
        .phase = bus_phase,
        .slaves = bus_slaves,
        .set_phase = bus_set_phase,
        .commit = bus_commit,
};

/* ---- life ---- */

_printf_(3, 4) static int fail(char **ret_error, int r, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        if (vasprintf(ret_error, format, ap) < 0)
                *ret_error = NULL;
        va_end(ap);
        return r;
}

/* Whether starting again would meet the same error until somebody has done something about it. */
static bool is_for_a_person(int error) {
        switch (error) {
        case -EACCES:
        case -EPERM:
        case -EROFS:
        case -ENOTDIR:
        case -EISDIR:
        case -ELOOP:
        case -ENAMETOOLONG:
        case -ENOTSOCK:
        case -EUCLEAN:
        case -EINVAL:
                return true;
        default:
                return false;
        }
}

/* Of the file that was named at the start. */
static int load_access(const struct node_config *config, struct secret *ret, char **ret_error) {
        _cleanup_secret_ struct secret access = {};
        const char *path = config->access_file;
        int r;

        if (isempty(path))
                return 0;
        r = secret_read_file(path, IPC_ACCESS_SECRET_MAX, /* strip_newline= */ false, &access);
        if (r == -EPERM)
                return fail(ret_error, -EINVAL, "AccessFile=%s: others than its owner and group may read or write it: chmod o= %s",
                            path, path);
        if (r == -EFBIG)
                return fail(ret_error, -EINVAL, "AccessFile=%s: longer than %d bytes", path, (int) IPC_ACCESS_SECRET_MAX);
        if (r < 0)
                return fail(ret_error, -EINVAL, "AccessFile=%s: cannot read it: %s", path, strerror(-r));
        if (access.size == 0)
                return fail(ret_error, -EINVAL, "AccessFile=%s: it is empty; to make a secret: openssl rand -hex 32 > %s",
                            path, path);
        secret_done(ret);
        *ret = access;
        access = (struct secret) {};
        return 0;
}

static int load_replication(const struct node_config *config, struct replication_config *ret, char **ret_error) {
        struct replication_config c = {
                .n_extra_listen = config->n_extra_listen,
                .tick_usec = config->tick_usec,
                .sync_timeout_usec = config->sync_timeout_usec,
        };
        int r;

        r = node_address_from_sockaddr(&config->ha.sa, &c.ha_address);
        if (r < 0)
                return r;
        memcpy(c.extra_listen, config->extra_listen, sizeof(c.extra_listen));
        r = schema_load(config->schema_directory ?: "", &c.schema, ret_error);
        if (r < 0)
                return -EINVAL;
        *ret = c;
        return 0;
}

static int listen_for_orders(struct node *n, const struct node_config *config, char **ret_error) {
        _cleanup_free_ char *address = format_socket_address(&config->ipc);
        int r;

        if (!address)
                return -ENOMEM;
        r = ipc_server_new(n->event, &config->ipc, n->access.data ? &n->access : NULL, &ipc_callbacks, n, &n->ipc);
        if (r == -EADDRINUSE)
                return fail(ret_error, r, "IpcAddress=%s: another process listens there", address);
        if (r == -ENOTSOCK)
                return fail(ret_error, -EINVAL, "IpcAddress=%s: there is a file that is no socket", address);
        if (r < 0)
                return fail(ret_error, is_for_a_person(r) ? -EINVAL : r, "IpcAddress=%s: cannot listen there: %s", address,
                            strerror(-r));
        if (!n->access.data && !socket_address_is_local(&config->ipc))
                log_warning("IpcAddress=%s can be reached from other hosts and there is no AccessFile=: anybody there can give "
                            "HA orders", address);
        log_info("Listening for orders on %s", address);
        return 0;
}

/* The packaged unit lets the node write to its state directory, and the settings can name another. */
static bool is_sandboxed(const struct node *n) {
        const char *own = getenv("STATE_DIRECTORY"), *directory = n->config->data_directory;
        size_t size = own ? strcspn(own, ":") : 0;

        return size > 0 && (strncmp(directory, own, size) != 0 || (directory[size] && directory[size] != '/'));
}

static int open_store(struct node *n, char **ret_error) {
        _cleanup_free_ char *error = NULL;
        int r;

        r = store_open(n->config->data_directory, n->event, &n->store, &error);
        if ((r == -EROFS || r == -EACCES || r == -ENOENT) && is_sandboxed(n))
                return fail(ret_error, -EINVAL, "%s; DataDirectory= is outside of what the sandbox of confd-ha-node.service lets it "
                            "write to: a drop-in with ReadWritePaths=%s is needed, see confd-ha-node(8)", error ?: strerror(-r),
                            n->config->data_directory);
        if (r < 0)
                *ret_error = TAKE_PTR(error);
        return is_for_a_person(r) ? -EINVAL : r;
}

/* A node that can store nothing more must not look like one: whoever supervises it sees it end. */
static void on_store_failed(struct store *s, int error, void *userdata) {
        struct node *n = userdata;

        log_error("Ending, as nothing can be stored any more");
        node_end(n, EXIT_FAILURE);
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata);

int node_new(sd_event *event, const struct node_config *config, struct node **ret, char **ret_error) {
        _cleanup_(node_freep) struct node *n = calloc(1, sizeof(*n));
        struct replication_config replication;
        int r;

        *ret_error = NULL;
        if (!n)
                return -ENOMEM;
        n->event = sd_event_ref(event);
        n->config = config;
        n->state = CONFD_HA_STATE_NONE;
        n->phase = config->start_phase;
        r = load_access(config, &n->access, ret_error);
        if (r >= 0)
                r = load_replication(config, &replication, ret_error);
        if (r >= 0)
                r = open_store(n, ret_error);
        if (r >= 0)
                r = peers_new(event, n->store, &replication, &n->peers);
        if (r >= 0)
                r = role_new(&n->role, n->phase, &peers_role_ops, n->peers, &role_ops, n);
        if (r < 0)
                return r;
        store_set_failed_callback(n->store, on_store_failed, n);
        peers_set_role(n->peers, n->role);
        r = sd_event_add_time_relative(event, &n->end, CLOCK_MONOTONIC, 0, 0, on_end, n);
        if (r >= 0)
                r = sd_event_source_set_enabled(n->end, SD_EVENT_OFF);
        if (r >= 0)
                r = listen_for_orders(n, config, ret_error);
        if (r >= 0 && !isempty(config->bus_name))
                r = node_bus_new(event, config->bus_name, n->store, &bus_ops, n, &n->bus, ret_error);
        if (r < 0)
                return r;
        tell_manager(n);
        *ret = TAKE_PTR(n);
        return 0;
}

void node_start(struct node *n) {
        if (n->bus)
                return;
        n->ready = true;
        notify_ready(NULL);
}

/* Peers and clients first, so that nobody is told of an end that is only ours; the store last, with what it still has
 * to write. */
struct node *node_free(struct node *n) {
        if (!n)
                return NULL;
        n->ipc = ipc_server_free(n->ipc); /* the bus may change the phase while its last answers go out, which is passed on */
        node_bus_free(n->bus);
        peers_free(n->peers);
        role_free(n->role);
        store_free(n->store);
        secret_done(&n->access);
        sd_event_source_disable_unref(n->end);
        sd_event_unref(n->event);
        free(n->status);
        free(n);
        return NULL;
}

/* ---- the end ---- */

/* At the next turn of the loop, or later: not from within what is just ending. */
static void end_goes_on(struct node *n, uint64_t usec) {
        if (sd_event_source_set_time_relative(n->end, usec) < 0 || sd_event_source_set_enabled(n->end, SD_EVENT_ONESHOT) < 0)
                (void) sd_event_exit(n->event, n->exit_status);
}

static void on_writes_ended(void *userdata) {
        struct node *n = userdata;

        if (n->ending == END_COMMITS)
                end_goes_on(n, 0);
}

static void on_stored(int result, void *userdata) {
        struct node *n = userdata;

        n->ending = ENDED;
        end_goes_on(n, 0);
}

/* The role ends before anybody can see that this node is gone: whoever does may make another one master, and nothing is acknowledged then
 * that only this one has. */
static void leave_role(struct node *n) {
        n->ending = END_STORE;
        peers_leave(n->peers);
        n->ipc = ipc_server_free(n->ipc);
        end_goes_on(n, END_STORE_SEC * USEC_PER_SEC);
        if (store_barrier(n->store, on_stored, n) < 0)
                (void) sd_event_exit(n->event, n->exit_status);
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata) {
        struct node *n = userdata;

        if (n->ending == END_COMMITS) {
                leave_role(n);
                return 0;
        }
        if (n->ending == END_STORE)
                log_warning("Ending, though the disk has not taken all within %d s", (int) END_STORE_SEC);
        return sd_event_exit(n->event, n->exit_status);
}

void node_end(struct node *n, int status) {
        if (status != EXIT_SUCCESS && n->exit_status == EXIT_SUCCESS)
                n->exit_status = status;
        if (n->ending != NOT_ENDING)
                return;
        n->ending = END_COMMITS;
        notify_stopping("Stopping");
        end_goes_on(n, n->bus ? END_COMMITS_SEC * USEC_PER_SEC : 0);
        if (n->bus)
                node_bus_end_writes(n->bus, on_writes_ended, n);
}

/* ---- other settings while it runs ---- */

static bool same_text(const char *a, const char *b) {
        return streq(a ?: "", b ?: "");
}

static bool same_address(const struct socket_address *a, const struct socket_address *b) {
        return a->length == b->length && memcmp(&a->storage, &b->storage, a->length) == 0;
}

static bool same_extra(const struct node_config *a, const struct node_config *b) {
        if (a->n_extra_listen != b->n_extra_listen)
                return false;
        for (size_t i = 0; i < a->n_extra_listen; i++)
                if (!node_address_equal(&a->extra_listen[i], &b->extra_listen[i]))
                        return false;
        return true;
}

static void say_what_needs_a_restart(const struct node_config *now, const struct node_config *wanted) {
        const struct {
                const char *key;
                bool same;
        } fixed[] = {
                { "IpcAddress", same_address(&now->ipc, &wanted->ipc) },
                { "AccessFile", same_text(now->access_file, wanted->access_file) },
                { "HaAddress", same_address(&now->ha, &wanted->ha) },
                { "ExtraListen", same_extra(now, wanted) },
                { "DataDirectory", same_text(now->data_directory, wanted->data_directory) },
                { "BusName", same_text(now->bus_name, wanted->bus_name) },
        };

        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                if (!fixed[i].same)
                        log_warning("%s= has changed, which takes a restart of the node; it goes on with what it has", fixed[i].key);
}

static int reload(struct node *n, const struct node_options *options, char **ret_error) {
        _cleanup_node_config_ struct node_config c = {};
        struct replication_config replication;
        int r;

        r = node_config_load(options, &c, ret_error);
        if (r < 0)
                return r;
        say_what_needs_a_restart(n->config, &c);
        r = load_replication(&c, &replication, ret_error);
        /* The secret last, so that what is refused changes nothing. Who is connected has proven the old one, and stays. */
        if (r >= 0)
                r = load_access(n->config, &n->access, ret_error);
        if (r < 0)
                return r;
        /* Where the node listens stays as it is. */
        r = node_address_from_sockaddr(&n->config->ha.sa, &replication.ha_address);
        if (r < 0)
                return r;
        memcpy(replication.extra_listen, n->config->extra_listen, sizeof(replication.extra_listen));
        replication.n_extra_listen = n->config->n_extra_listen;
        peers_configure(n->peers, &replication);
        log_set_level(c.log_level);
        return 0;
}

void node_reload(struct node *n, const struct node_options *options) {
        _cleanup_free_ char *error = NULL;
        int r;

        if (n->ending != NOT_ENDING)
                return;
        /* Not before it is ready, which is what the one would be told who waits for that. */
        if (n->ready)
                notify_reloading();
        r = reload(n, options, &error);
        if (r < 0)
                log_error("The configuration is refused, the old one stays: %s", error ?: strerror(-r));
        else
                log_info("The configuration has been read again; another schema set holds for the next join, other times from the next role on");
        if (n->ready)
                notify_ready(NULL);
}

void node_next_phase(struct node *n) {
        unsigned phase = role_get_phase(n->role);

        if (phase < ROLE_PHASE_MAX && role_set_phase(n->role, phase + 1) < 0)
                log_error("Cannot move on to start phase %u", phase + 1);
}
