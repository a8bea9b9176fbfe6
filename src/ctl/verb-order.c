/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the verbs that change something: the orders, reload. */
#include <stdio.h>

#include "basic/escape.h"
#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/polkit-agent.h"
#include "ctl/text.h"

enum { ARGS_MAX = 3 };

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
        { "be-slave", "be-secondary", "BeSlave",
          { { "node_id", true }, { "master_id", true }, { "master_address", false } },
          "This node follows $2 at $3, as $1; its data is in place." },
        { "be-relay", NULL, "BeRelay", {}, "This node is a relay: slaves may follow it." },
        { "be-none", NULL, "BeNone", {}, "This node has no role and no peers." },
        { "slave-dead", "secondary-dead", "SlaveDead", { { "node_id", true } }, "Node $1 counts as dead." },
        { "reload", NULL, "Reload", {}, "The configuration was read again." },
};

static const char no_wait_done[] = "ConfD has the order to follow $2 at $3, as $1; 'confd-hactl wait synced' waits for the data.";

static const struct order *find_order(const char *verb) {
        for (size_t i = 0; i < ELEMENTSOF(orders); i++)
                if (streq(verb, orders[i].verb) || (orders[i].alias && streq(verb, orders[i].alias)))
                        return orders + i;
        return NULL;
}

/* What the service would refuse as InvalidArgs, and what cannot even be put on the bus. */
static bool args_are_valid(const struct order *o, char **args) {
        for (size_t i = 0; i < ARGS_MAX && o->args[i].key; i++) {
                const char *value = args[i + 1];
                _cleanup_free_ char *printable = text_printable(value);

                if (o->args[i].is_node_id && !node_id_is_valid(value)) {
                        fprintf(stderr,
                                "confd-hactl: %s: '%s' cannot be a node id: they are 1 to %i bytes of UTF-8 without "
                                "control characters.\n", o->verb, printable ?: "?", NODE_ID_MAX);
                        return false;
                }
                if (!o->args[i].is_node_id && (!*value || !utf8_is_printable(value, strlen(value)))) {
                        fprintf(stderr, "confd-hactl: %s: '%s' cannot be an address.\n", o->verb, printable ?: "?");
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

static void json_outcome(const struct ctl *c, const struct order *o, char **args, const sd_bus_error *error) {
        struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

        json_begin_object(&j, NULL);
        json_string(&j, "method", o->method);
        for (size_t i = 0; i < ARGS_MAX && o->args[i].key; i++)
                json_string(&j, o->args[i].key, args[i + 1]);
        if (streq(o->verb, "be-slave"))
                json_boolean(&j, "wait", !c->no_wait);
        json_string(&j, "result", error ? error->name : "done");
        if (error)
                json_string(&j, "message", error->message);
        json_end_object(&j);
        fflush(stdout);
}

static int call(struct ctl *c, const struct order *o, char **args, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, CTL_BUS_NAME, CTL_OBJECT, CTL_INTERFACE, o->method);
        for (size_t i = 0; r >= 0 && i < ARGS_MAX && o->args[i].key; i++)
                r = sd_bus_message_append_basic(m, 's', args[i + 1]);
        if (r >= 0 && streq(o->verb, "be-slave"))
                r = sd_bus_message_append(m, "b", !c->no_wait);
        if (r < 0)
                return r;
        polkit_agent_open(c);
        r = sd_bus_call(c->bus, m, bus_time_left(c), error, NULL);
        polkit_agent_close(c);
        return r;
}

enum ctl_exit verb_order(struct ctl *c, char **args) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const struct order *o = find_order(args[0]);
        _cleanup_free_ char *what = NULL;
        enum ctl_exit status;
        int r;

        if (!o || !args_are_valid(o, args))
                return CTL_USAGE;
        status = bus_connect(c);
        if (status != CTL_DONE)
                return status;

        r = call(c, o, args, &error);
        if (r >= 0) {
                if (c->json != JSON_OFF)
                        json_outcome(c, o, args, NULL);
                else if (!c->quiet)
                        print_done(c->no_wait ? no_wait_done : o->done, args);
                return CTL_DONE;
        }

        if (c->json != JSON_OFF && sd_bus_error_is_set(&error))
                json_outcome(c, o, args, &error);
        if (asprintf(&what, "%s%s%s", o->verb, o->args[0].key ? " " : "", o->args[0].key ? args[1] : "") < 0)
                what = NULL;
        return bus_error_report(c, what ?: o->verb, &error, r);
}
