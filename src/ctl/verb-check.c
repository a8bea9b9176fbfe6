/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl check`: one question, one line, and an exit status that load balancers and probes understand. */
#include <stdarg.h>
#include <stdio.h>

#include "ctl/activation.h"
#include "ctl/bus-connection.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "view/json.h"
#include "view/picture.h"
#include "ctl/states.h"
#include "ctl/text.h"

/* Prints the one line. The words are "ok" for 0, "no" for 1, "unknown" for 2. */
static _printf_(4, 5) enum ctl_exit answer(const struct ctl *c, enum ctl_exit status, const struct picture *p,
                                           const char *format, ...) {
        static const char *const words[] = { "ok", "no", "unknown" };
        _cleanup_free_ char *why = NULL, *printable = NULL;
        va_list ap;
        int n;

        if (c->quiet)
                return status;
        va_start(ap, format);
        n = vasprintf(&why, format, ap);
        va_end(ap);
        if (n < 0)
                why = NULL;
        if (c->json != JSON_OFF) {
                struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

                json_begin_object(&j, NULL);
                json_string(&j, "answer", words[status]);
                json_string(&j, "why", why);
                json_string(&j, "state", p ? picture_state(p) : "unknown");
                json_string(&j, "node_id", p && p->node_id ? p->node_id : "");
                if (p) {
                        json_boolean(&j, "synchronizing", p->synchronizing);
                        if (p->knows_in_sync)
                                json_boolean(&j, "in_sync", p->in_sync);
                        if (p->targets)
                                json_string(&j, "targets", p->targets);
                }
                json_end_object(&j);
        } else {
                printable = text_printable(why);
                printf("%s: %s\n", words[status], printable ?: "?");
        }
        return status;
}

/* The one line is for programs and stays as it is; why it is so is for people. */
static void say_why(struct ctl *c) {
        _cleanup_free_ char *failure = c->quiet || c->json != JSON_OFF ? NULL : activation_failure(c);

        if (failure)
                fprintf(stderr, "%s\nLook at: %s\n", failure, ACTIVATION_LOOK);
}

/* Reads the properties; the service is not started for it. CTL_DONE, or the answer that was given. */
static enum ctl_exit read_picture(struct ctl *c, struct picture *p) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = bus_get_properties(c, /* activate= */ false, &reply, &error);
        if (r < 0) {
                if (sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                    sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
                        say_why(c);
                        return answer(c, CTL_USAGE, NULL, "the service does not run");
                }
                return answer(c, CTL_USAGE, NULL, "the service does not answer: %s",
                              sd_bus_error_is_set(&error) ? error.message ?: error.name : strerror(-r));
        }
        r = picture_read(p, reply);
        if (r < 0)
                return answer(c, CTL_USAGE, NULL, "the service's answer makes no sense: %s", strerror(-r));
        return CTL_DONE;
}

/* Has the service ask ConfD, and reads the properties anew: they have what ConfD said. */
static enum ctl_exit ask_confd(struct ctl *c, struct picture *p) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, "Status");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_call(c->bus, m, bus_time_left(c), &error, NULL);
        if (r < 0)
                return answer(c, CTL_USAGE, p, "ConfD does not answer: %s",
                              sd_bus_error_is_set(&error) ? error.message ?: error.name : strerror(-r));
        return read_picture(c, p);
}

static bool role_is_wanted(const struct picture *p, const char *wanted) {
        _cleanup_free_ char *bad = NULL;

        /* On the way: a be-slave makes a slave, and then perhaps a relay. */
        if (p->synchronizing)
                return states_list_has(wanted, "slave", &bad) > 0 || states_list_has(wanted, "slave-relay", &bad) > 0;
        return states_list_has(wanted, picture_state(p), &bad) > 0;
}

/* What was asked for beyond a connection and a known state. */
static enum ctl_exit judge(const struct ctl *c, const struct picture *p) {
        const char *node = picture_node(p), *state = picture_state(p), *way = p->synchronizing ? " and synchronizing" : "";
        _cleanup_free_ char *bad = NULL;

        if (c->role && states_list_has(c->role, state, &bad) == 0)
                return answer(c, CTL_FAILED, p, "%s is %s, not %s", node, state, c->role);
        if (c->wanted && !role_is_wanted(p, c->wanted))
                return answer(c, CTL_FAILED, p, "%s is %s%s, not on the way to %s", node, state, way, c->wanted);
        if (c->ready && p->synchronizing)
                return answer(c, CTL_FAILED, p, "%s is %s and synchronizing", node, state);
        if (c->in_sync && !p->knows_in_sync)
                return answer(c, CTL_USAGE, p, "the service is of a version that does not tell whether it is in sync");
        if (c->in_sync && !p->in_sync)
                return answer(c, CTL_FAILED, p, "%s is %s%s, its data is not in place", node, state, way);
        if (c->targets && !p->targets)
                return answer(c, CTL_USAGE, p, "the service is of a version that does not tell of role targets");
        if (c->targets && !streq(p->targets, "reached"))
                return answer(c, CTL_FAILED, p, "%s is %s, the role target: %s", node, state, p->targets);
        return answer(c, CTL_DONE, p, "%s is %s%s", node, state, c->wanted ? way : "");
}

static bool list_is_valid(struct ctl *c, const char *option, const char *list) {
        _cleanup_free_ char *bad = NULL, *printable = NULL;

        if (!list || states_list_has(list, "", &bad) >= 0)
                return true;
        printable = text_printable(bad);
        complain(c, CTL_ERROR_USAGE, NULL,
                 "%s takes none, slave, master, slave-relay or unknown, separated by commas, not '%s'.", option, printable ?: "?");
        return false;
}

/* The service is not started for this, and nothing is asked that could wait for a connection: a probe has to tell how
 * things are, soon, and must not bring up again what was stopped on purpose. */
enum ctl_exit verb_check(struct ctl *c, char **args) {
        _cleanup_free_ char *bad = NULL;
        _cleanup_picture_ struct picture p = {};
        enum ctl_exit status;

        if (!list_is_valid(c, "--role=", c->role) || !list_is_valid(c, "--wanted=", c->wanted))
                return CTL_USAGE;
        if (bus_connect(c) != CTL_DONE)
                return answer(c, CTL_USAGE, NULL, "no connection to the system bus");
        status = read_picture(c, &p);
        if (status == CTL_DONE && c->ready && p.connected)
                status = ask_confd(c, &p);
        if (status != CTL_DONE)
                return status;

        /* Somebody who asks for --role=unknown wants to hear that it is so. */
        if (c->role && !c->ready && streq(picture_state(&p), "unknown") && states_list_has(c->role, "unknown", &bad) > 0)
                return answer(c, CTL_DONE, &p, "the state of %s is unknown", picture_node(&p));
        if (!p.connected)
                return answer(c, CTL_USAGE, &p, "no connection to ConfD at %s%s%s", p.confd_address ?: "?",
                              isempty(p.error_message) ? "" : ": ", p.error_message ?: "");
        if (streq(picture_state(&p), "unknown"))
                return answer(c, CTL_USAGE, &p, "the state of %s is unknown", picture_node(&p));
        return judge(c, &p);
}
