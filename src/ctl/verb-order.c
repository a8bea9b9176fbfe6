/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the verbs that change something: the orders, reload. */
#include <inttypes.h>
#include <stdio.h>

#include "basic/escape.h"
#include "basic/node-name.h"
#include "ctl/activation.h"
#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/complain.h"
#include "ctl/confirm.h"
#include "ctl/ctl.h"
#include "view/json.h"
#include "view/picture.h"
#include "ctl/polkit-agent.h"
#include "ctl/text.h"

enum { ARGS_MAX = 3 };

/* The word for "whichever" in the place of an old master's id: an empty argument is more likely a mistake in a script. */
#define ANY_MASTER "any"

/* `done` may use the verb's arguments by number, as $1. */
static const struct order {
        const char *verb, *alias;
        const char *method;
        struct {
                const char *key;
                bool is_node_id;
        } args[ARGS_MAX];
        const char *done;
} orders[] = {
        { "be-master", "be-primary", "BeMaster", { { "node_id", true } }, "This node is master, as $1." },
        { "take-over", NULL, "TakeOver", { { "node_id", true }, { "old_master", true } },
          "This node is master, as $1; its data was in sync." },
        { "be-slave", "be-secondary", "BeSlave",
          { { "node_id", true }, { "master_id", true }, { "master_address", false } },
          "This node follows $2 at $3, as $1; its data is in place." },
        { "be-relay", NULL, "BeRelay", {}, "This node is a relay: slaves may follow it." },
        { "be-none", NULL, "BeNone", {}, "This node has no role and no peers." },
        { "slave-dead", "secondary-dead", "SlaveDead", { { "node_id", true } }, "Node $1 counts as dead." },
        { "reload", NULL, "Reload", {}, "The configuration was read again." },
};

static const struct order *find_order(const char *verb) {
        for (size_t i = 0; i < ELEMENTSOF(orders); i++)
                if (streq(verb, orders[i].verb) || (orders[i].alias && streq(verb, orders[i].alias)))
                        return orders + i;
        return NULL;
}

/* An argument as it goes over the bus. */
static const char *order_arg(const struct order *o, char **args, size_t i) {
        if (streq(o->args[i].key, "old_master") && streq(args[i + 1], ANY_MASTER))
                return "";
        return args[i + 1];
}

/* What the service would refuse as InvalidArgs, and what cannot even be put on the bus. */
static bool args_are_valid(struct ctl *c, const struct order *o, char **args) {
        for (size_t i = 0; i < ARGS_MAX && o->args[i].key; i++) {
                const char *value = args[i + 1];
                _cleanup_free_ char *printable = text_printable(value);

                if (o->args[i].is_node_id && !node_id_is_valid(value)) {
                        complain(c, CTL_ERROR_USAGE, NULL,
                                 "%s: '%s' cannot be a node id: they are 1 to %i bytes of UTF-8 without control or invisible "
                                 "characters, and not of blanks alone.", o->verb, printable ?: "?", NODE_ID_MAX);
                        return false;
                }
                if (!o->args[i].is_node_id && (!*value || !utf8_is_printable(value, strlen(value)))) {
                        complain(c, CTL_ERROR_USAGE, NULL, "%s: '%s' cannot be an address.", o->verb, printable ?: "?");
                        return false;
                }
        }
        return true;
}

static void print_done(const char *format, char **args) {
        for (const char *p = format; *p; p++) {
                if (p[0] == '$' && p[1] >= '1' && p[1] <= '0' + ARGS_MAX) {
                        _cleanup_free_ char *printable = text_printable(args[p[1] - '0']);

                        fputs(printable ?: "?", stdout);
                        p++;
                } else
                        putchar(*p);
        }
        putchar('\n');
}

/* What the service knew before the order was given. */
struct before {
        bool known;
        struct picture picture;
};

static void before_done(struct before *b) {
        picture_done(&b->picture);
}
#define _cleanup_before_ _cleanup_(before_done)

/* Whether the service knew of a peer with that id. */
static bool has_peer(const struct before *b, const char *id) {
        if (streq(b->picture.master.id ?: "", id))
                return true;
        for (size_t i = 0; i < b->picture.n_slaves; i++)
                if (streq(b->picture.slaves[i].id, id))
                        return true;
        return false;
}

static void json_outcome(struct ctl *c, const struct order *o, char **args, const struct before *b,
                         const char *error_name, const char *message) {
        struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

        json_begin_object(&j, NULL);
        json_string(&j, "method", o->method);
        for (size_t i = 0; i < ARGS_MAX && o->args[i].key; i++)
                json_string(&j, o->args[i].key, order_arg(o, args, i));
        if (streq(o->method, "BeSlave"))
                json_boolean(&j, "wait", !c->no_wait);
        if (streq(o->method, "BeSlave") && c->no_wait && b->known && !error_name)
                json_unsigned(&j, "mark", b->picture.error_usec);
        if (streq(o->method, "SlaveDead") && b->known)
                json_boolean(&j, "was_peer", has_peer(b, args[1]));
        json_string(&j, "result", error_name ?: "done");
        if (error_name)
                complain_json_members(&j, error_name, message, bus_error_advice(c, error_name));
        json_end_object(&j);
        (void) fflush(stdout);
        c->json_said = true;
}

static void print_outcome(const struct ctl *c, const struct order *o, char **args, const struct before *b) {
        if (streq(o->method, "BeSlave") && c->no_wait) {
                print_done("ConfD has the order to follow $2 at $3, as $1.", args);
                if (b->known)
                        printf("To wait for the data: confd-hactl wait synced --mark=%" PRIu64 "\n", b->picture.error_usec);
        } else if (streq(o->method, "SlaveDead") && b->known && !has_peer(b, args[1]))
                print_done("ConfD was told that $1 is dead; it is no peer of this node, so nothing changes.", args);
        else
                print_done(o->done, args);
}

/* Asks for the properties, which starts the service. A failure is left to the order to meet, but for time that is over. */
static int look_before(struct ctl *c, struct before *b, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = bus_get_properties(c, /* activate= */ true, &reply, error);
        if (r >= 0)
                r = picture_read(&b->picture, reply);
        b->known = r >= 0;
        if (r < 0 && c->deadline != USEC_INFINITY && now_monotonic() >= c->deadline)
                return -ETIMEDOUT;
        sd_bus_error_free(error);
        return 0;
}

static int call(struct ctl *c, const struct order *o, char **args, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, o->method);
        for (size_t i = 0; r >= 0 && i < ARGS_MAX && o->args[i].key; i++)
                r = sd_bus_message_append_basic(m, 's', order_arg(o, args, i));
        if (r >= 0 && streq(o->method, "BeSlave"))
                r = sd_bus_message_append(m, "b", !c->no_wait);
        if (r < 0)
                return r;
        polkit_agent_open(c);
        r = sd_bus_call(c->bus, m, bus_time_left(c), error, NULL);
        polkit_agent_close(c);
        return r;
}

static bool is_inhibited(const struct order *o, const struct before *b) {
        return b->picture.n_inhibitors > 0 && !streq(o->method, "SlaveDead") && !streq(o->method, "Reload");
}

/* The service would let root pass: it is here that everybody is asked to think again. */
static enum ctl_exit complain_inhibited(struct ctl *c, const struct order *o, char **args, const char *what,
                                        const struct before *b) {
        static const char name[] = HA_ERROR_PREFIX "Inhibited",
                          advice[] = "Wait until it is over (confd-hactl inhibitors), or add --ignore-inhibitors.";
        const struct inhibitor *in = b->picture.inhibitors;
        _cleanup_free_ char *who = text_printable(in->who), *why = text_printable(in->why), *more = NULL, *words = NULL;
        char age[TEXT_TIME_MAX];

        if (b->picture.n_inhibitors > 1 && asprintf(&more, ", and %zu more", b->picture.n_inhibitors - 1) < 0)
                more = NULL;
        if (asprintf(&words, "%s inhibits orders: %s (uid %" PRIu32 ", %s)%s", who ?: "?", why ?: "?", in->uid,
                     text_age(in->since_usec, now_realtime(), age), more ?: "") < 0)
                words = NULL;
        if (c->json != JSON_OFF)
                json_outcome(c, o, args, b, name, words ?: "?");
        complain(c, name, advice, "%s failed: Inhibited: %s", what, words ?: "?");
        return CTL_FAILED;
}

/* A master that is told to follow another one: what only it has goes. A person is asked; a script has thought of it. */
static bool is_confirmed(struct ctl *c, const struct order *o, char **args, const struct before *b) {
        _cleanup_free_ char *question = NULL, *node = NULL, *master = NULL;
        char place[256];

        if (!streq(o->method, "BeSlave") || !streq(picture_state(&b->picture), "master") || c->yes || !confirm_possible())
                return true;
        node = text_printable(picture_node(&b->picture));
        master = text_printable(args[2]);
        bus_place(c, place, sizeof(place));
        if (asprintf(&question,
                     "%s%s is master%s. As a slave it gets the data of %s: whatever that does not have is replaced, and lost.\n"
                     "Shall it follow %s?", node ?: "?", place,
                     b->picture.n_slaves > 0 ? ", and slaves follow it" : "", master ?: "?", master ?: "?") < 0)
                return false;
        return confirm(question);
}

enum ctl_exit verb_order(struct ctl *c, char **args) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_before_ struct before before = {};
        const struct order *o = find_order(args[0]);
        _cleanup_free_ char *what = NULL;
        bool given = false;
        enum ctl_exit status;
        int r;

        if (!o || !args_are_valid(c, o, args))
                return CTL_USAGE;
        if (asprintf(&what, "%s%s%s", o->verb, o->args[0].key ? " " : "", o->args[0].key ? args[1] : "") < 0)
                return CTL_FAILED;
        status = bus_connect(c);
        if (status == CTL_DONE)
                status = activation_start(c, what);
        if (status != CTL_DONE)
                return status;

        r = look_before(c, &before, &error);
        if (r >= 0 && !c->ignore_inhibitors && is_inhibited(o, &before))
                return complain_inhibited(c, o, args, what, &before);
        if (r >= 0 && !is_confirmed(c, o, args, &before)) {
                complain(c, CTL_ERROR_FAILED, NULL, "%s was not ordered.", what);
                return CTL_FAILED;
        }
        if (r >= 0) {
                given = true;
                r = call(c, o, args, &error);
        }
        if (r >= 0) {
                if (c->json != JSON_OFF)
                        json_outcome(c, o, args, &before, NULL, NULL);
                else if (!c->quiet)
                        print_outcome(c, o, args, &before);
                return CTL_DONE;
        }

        if (!sd_bus_error_is_set(&error))
                sd_bus_error_set_errno(&error, r);
        if (c->json != JSON_OFF)
                json_outcome(c, o, args, &before, error.name, error.message);
        status = bus_error_report(c, what, &error, r);
        /* What was not given can have no unknown outcome. */
        return status == CTL_TIMED_OUT && !given ? CTL_NOT_THERE : status;
}
