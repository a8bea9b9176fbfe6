/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the decision who may give an order.
 *
 *      uid 0 or ours: yes
 *      watch the caller's name --> ask the bus who it is --> its turn --> ask polkit --> yes, no, only with a password
 *
 * The name is watched first: bus and we agree on the order, so a caller who is gone by then is not found by the second
 * step, and one who goes later ends what follows, polkit's dialogue included. Everything that does not answer, or answers
 * something else than yes, is a no. Nothing is kept for a next time; polkit remembers what it wants to. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/queue.h>

#include "basic/bus-sender.h"
#include "basic/log.h"
#include "service/authorize.h"

enum { CHECK_AUTHORIZATION_ALLOW_USER_INTERACTION = 1 };

struct authorizer {
        sd_bus *bus;
        TAILQ_HEAD(, authorization) pending; /* in the order of their arrival */
        uint64_t last_id;
        bool ending;
};

struct authorization {
        TAILQ_ENTRY(authorization) pending;
        struct authorizer *authorizer;
        bool is_pending;
        sd_bus_message *message;
        const char *action;
        struct authorize_details details; /* borrowed from the message's owner, who lives until `done` */
        uint64_t deadline;
        bool interactive;
        bool asked_again;
        bool waits_for_polkit; /* it is polkit's turn */
        bool polkit_asked;
        char cancellation_id[40];
        sd_bus_slot *watch, *call;
        struct caller caller;
        authorize_done_fn done;
        void *userdata;
};

/* Default deny: what does not stand here, nobody may. Status and the properties are for everybody and do not ask. */
static const struct {
        const char *method, *action;
} actions[] = {
        { "BeMaster", "org.confd.HA.be-master" },
        { "BeSlave", "org.confd.HA.be-slave" },
        { "BeRelay", "org.confd.HA.be-relay" },
        { "BeNone", "org.confd.HA.be-none" },
        { "SlaveDead", "org.confd.HA.slave-dead" },
        { "TakeOver", "org.confd.HA.be-master" },
        { "Inhibit", "org.confd.HA.inhibit" },
        { "Reload", "org.confd.HA.reload" },
};

const char *authorize_action(const char *method) {
        for (size_t i = 0; i < ELEMENTSOF(actions); i++)
                if (streq(actions[i].method, method))
                        return actions[i].action;
        return NULL;
}

static struct authorization *authorization_free(struct authorization *a) {
        if (!a)
                return NULL;
        if (a->is_pending)
                TAILQ_REMOVE(&a->authorizer->pending, a, pending);
        sd_bus_slot_unref(a->watch);
        sd_bus_slot_unref(a->call);
        sd_bus_message_unref(a->message);
        free(a);
        return NULL;
}
DEFINE_CLEANUP(struct authorization *, authorization_free)

static void ask_next(struct authorizer *authorizer);

static void finish(struct authorization *a, int r, const struct failure *failure) {
        const struct failure none = FAILURE_NONE;
        struct authorizer *authorizer = a->authorizer;
        authorize_done_fn done = a->done;
        void *userdata = a->userdata;

        authorization_free(a);
        done(userdata, r, failure ?: &none);
        ask_next(authorizer);
}

/* Takes the words over. */
static void deny(struct authorization *a, struct failure failure) {
        _cleanup_failure_ struct failure f = failure;

        finish(a, -EACCES, &f);
}

/* polkit's dialogue would stay on the screen of somebody whom nobody waits for any more. */
static void cancel_polkit(struct authorization *a) {
        int r;

        if (!a->polkit_asked)
                return;
        a->polkit_asked = false;
        r = sd_bus_call_method_async(a->authorizer->bus, NULL, "org.freedesktop.PolicyKit1",
                                     "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
                                     "CancelCheckAuthorization", NULL, NULL, "s", a->cancellation_id);
        if (r < 0)
                log_debug("Cannot tell polkit that its answer is no longer wanted: %s", strerror(-r));
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct authorization *a = userdata;
        const char *name, *old_owner, *new_owner;

        if (!bus_is_from_bus(m) || sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0 || *new_owner)
                return 0;
        log_debug("The caller of %s went away before it was authorized: not done", sd_bus_message_get_member(a->message));
        cancel_polkit(a);
        finish(a, -ECONNRESET, NULL);
        return 0;
}

/* Without the watch a question could outlive its caller. (Without this function sd-bus would give up the bus.) */
static int on_watched(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct authorization *a = userdata;

        if (!sd_bus_message_is_method_error(m, NULL))
                return 0;
        log_debug("Cannot watch the caller of %s: %s", sd_bus_message_get_member(a->message),
                  sd_bus_message_get_error(m)->message);
        cancel_polkit(a);
        deny(a, failure_make(FAILURE_BUS_ACCESS_DENIED, "not authorized for %s: the bus does not let us watch who asks", a->action));
        return 0;
}

static bool is_error(sd_bus_message *m, const char *name) {
        return sd_bus_message_is_method_error(m, name) > 0;
}

static int on_polkit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct authorization *a = userdata;
        int authorized = 0, challenge = 0;

        if (is_error(m, NULL)) {
                const sd_bus_error *e = sd_bus_message_get_error(m);
                bool absent = sd_bus_error_has_names(e, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
                bool late = sd_bus_error_has_names(e, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT);

                if (late)
                        cancel_polkit(a);
                a->polkit_asked = false;
                if (absent)
                        deny(a, failure_make(FAILURE_BUS_ACCESS_DENIED, "not authorized for %s: no polkit runs here, so that only "
                                             "root may", a->action));
                else if (late)
                        deny(a, failure_make(FAILURE_BUS_ACCESS_DENIED, "not authorized for %s: polkit did not answer in time",
                                             a->action));
                else
                        deny(a, failure_make(FAILURE_BUS_ACCESS_DENIED, "not authorized for %s: polkit could not decide: %s",
                                             a->action, e->message ?: e->name));
                return 0;
        }
        a->polkit_asked = false;
        if (sd_bus_message_enter_container(m, 'r', "bba{ss}") < 0 || sd_bus_message_read(m, "bb", &authorized, &challenge) < 0) {
                deny(a, failure_make(FAILURE_BUS_ACCESS_DENIED, "not authorized for %s: polkit's answer cannot be read", a->action));
        } else if (authorized)
                finish(a, 0, NULL);
        else if (challenge && !a->interactive)
                deny(a, failure_make(FAILURE_INTERACTIVE_REQUIRED, "not authorized for %s without authentication: call with the "
                                     "flag that allows to ask, or as root", a->action));
        else
                deny(a, failure_make(FAILURE_BUS_ACCESS_DENIED, "not authorized for %s by polkit", a->action));
        return 0;
}

static int append_detail(sd_bus_message *m, const char *key, const char *value) {
        return value ? sd_bus_message_append(m, "{ss}", key, value) : 0;
}

static int ask_polkit(struct authorization *a) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(a->authorizer->bus, &m, "org.freedesktop.PolicyKit1",
                                           "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
                                           "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                          sd_bus_message_get_sender(a->message), a->action);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{ss}");
        if (r >= 0)
                r = append_detail(m, "node_id", a->details.node_id);
        if (r >= 0)
                r = append_detail(m, "master_id", a->details.master_id);
        if (r >= 0)
                r = append_detail(m, "master_address", a->details.master_address);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "us", a->interactive ? CHECK_AUTHORIZATION_ALLOW_USER_INTERACTION : 0,
                                          a->cancellation_id);
        if (r >= 0)
                r = sd_bus_call_async(a->authorizer->bus, &a->call, m, on_polkit, a,
                                      a->interactive ? AUTHORIZE_INTERACTIVE_USEC : a->deadline);
        if (r >= 0)
                a->polkit_asked = true;
        return r;
}

/* ---- whose turn it is ---- */

static bool may_ask_polkit(const struct authorization *a) {
        const struct authorization *o;
        size_t all = 0, mine = 0;

        TAILQ_FOREACH(o, &a->authorizer->pending, pending) {
                all += o->polkit_asked;
                mine += o->polkit_asked && o->caller.uid == a->caller.uid;
        }
        return mine < AUTHORIZE_OPEN_PER_USER_MAX && all < (mine == 0 ? AUTHORIZE_OPEN_NEWCOMER_MAX : AUTHORIZE_OPEN_MAX);
}

/* The first of those whose turn has come. What it ends may end others, and asks for the next itself. */
static void ask_next(struct authorizer *authorizer) {
        struct authorization *a;
        int r;

        if (authorizer->ending)
                return;
        TAILQ_FOREACH(a, &authorizer->pending, pending) {
                if (!a->waits_for_polkit || !may_ask_polkit(a))
                        continue;
                a->waits_for_polkit = false;
                r = ask_polkit(a);
                if (r >= 0)
                        continue;
                log_debug("Cannot ask polkit about %s: %s", a->action, strerror(-r));
                deny(a, failure_make(FAILURE_BUS_ACCESS_DENIED, "not authorized for %s: polkit cannot be asked: %s", a->action,
                                     strerror(-r)));
                return;
        }
}

/* ---- whether it is still there ---- */

static int ask_bus(struct authorization *a);

static int on_credentials(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct authorization *a = userdata;
        bool late = sd_bus_error_has_names(sd_bus_message_get_error(m), SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT);
        struct caller caller = {};
        int r;

        a->call = sd_bus_slot_unref(a->call);
        /* The bus always answers. If it seems not to have, it is us who were stopped, with the answer unread. */
        if (late && !a->asked_again) {
                a->asked_again = true;
                if (ask_bus(a) >= 0)
                        return 0;
        }

        if (is_error(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
                finish(a, -ECONNRESET, NULL);
                return 0;
        }
        r = is_error(m, NULL) ? -sd_bus_message_get_errno(m) : caller_read(m, &caller);
        if (r >= 0 && caller.uid != a->caller.uid)
                r = -ESTALE;
        if (r < 0) {
                log_debug("The bus does not tell who calls %s: %s", sd_bus_message_get_member(a->message), strerror(-r));
                deny(a, failure_make(FAILURE_BUS_ACCESS_DENIED, "not authorized for %s: the bus does not tell who asks", a->action));
                return 0;
        }
        a->waits_for_polkit = true;
        ask_next(a->authorizer);
        return 0;
}

static int ask_bus(struct authorization *a) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(a->authorizer->bus, &m, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                           "org.freedesktop.DBus", "GetConnectionCredentials");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", sd_bus_message_get_sender(a->message));
        if (r >= 0)
                r = sd_bus_call_async(a->authorizer->bus, &a->call, m, on_credentials, a, a->deadline);
        return r;
}

int authorize(struct authorizer *authorizer, sd_bus_message *m, const char *action, const struct authorize_details *details,
              const struct caller *caller, uint64_t deadline, authorize_done_fn done, void *userdata) {
        _cleanup_(authorization_freep) struct authorization *a = NULL;
        const char *sender = sd_bus_message_get_sender(m);
        _cleanup_free_ char *match = NULL;
        int r;

        if (!sender || !action || !caller->known)
                return -EACCES;
        if (caller->privileged)
                return 1;
        a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        a->authorizer = authorizer;
        a->message = sd_bus_message_ref(m);
        a->action = action;
        a->details = *details;
        a->caller = *caller;
        a->deadline = deadline;
        a->interactive = sd_bus_message_get_allow_interactive_authorization(m) > 0;
        snprintf(a->cancellation_id, sizeof(a->cancellation_id), "confd-had-%" PRIu64, ++authorizer->last_id);
        a->done = done;
        a->userdata = userdata;

        if (asprintf(&match, "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                             "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'", sender) < 0) {
                match = NULL;
                return -ENOMEM;
        }
        r = sd_bus_add_match_async(authorizer->bus, &a->watch, match, on_owner_changed, on_watched, a);
        if (r < 0)
                return r;
        r = ask_bus(a);
        if (r < 0)
                return r;
        a->is_pending = true;
        TAILQ_INSERT_TAIL(&authorizer->pending, a, pending);
        TAKE_PTR(a);
        return 0;
}

int authorizer_new(struct authorizer **ret, sd_bus *bus) {
        struct authorizer *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        a->bus = sd_bus_ref(bus);
        TAILQ_INIT(&a->pending);
        *ret = a;
        return 0;
}

struct authorizer *authorizer_free(struct authorizer *a) {
        if (!a)
                return NULL;
        a->ending = true;
        while (!TAILQ_EMPTY(&a->pending))
                finish(TAILQ_FIRST(&a->pending), -ECONNRESET, NULL);
        sd_bus_unref(a->bus);
        free(a);
        return NULL;
}
