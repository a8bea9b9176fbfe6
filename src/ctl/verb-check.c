/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl check`: one question, one line, and an exit status that load balancers and probes understand. */
#include <stdarg.h>
#include <stdio.h>

#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/picture.h"
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
                json_end_object(&j);
        } else {
                printable = text_printable(why);
                printf("%s: %s\n", words[status], printable ?: "?");
        }
        return status;
}

/* Whether `list`, separated by commas, has the state; -EINVAL with *ret_bad set (free it) if it has words that are no
 * states. An empty list is one, too. */
static int list_has_state(const char *list, const char *state, char **ret_bad) {
        bool found = false;

        for (;;) {
                size_t n = strcspn(list, ",");
                char *word = strndup(list, n);
                const char *known = word ? state_from_user(word) : NULL;

                if (!word)
                        return -ENOMEM;
                if (!known) {
                        *ret_bad = word;
                        return -EINVAL;
                }
                found = found || streq(known, state);
                free(word);
                if (!list[n])
                        return found;
                list += n + 1;
        }
}

static enum ctl_exit ask_confd(struct ctl *c, const struct picture *p, char **ret_state) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        const char *state;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, CTL_BUS_NAME, CTL_OBJECT, CTL_INTERFACE, "Status");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_call(c->bus, m, bus_time_left(c), &error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &state);
        if (r >= 0)
                r = free_and_strdup(ret_state, state);
        if (r >= 0)
                return CTL_DONE;
        return answer(c, CTL_USAGE, p, "ConfD does not answer: %s",
                      sd_bus_error_is_set(&error) ? error.message ?: error.name : strerror(-r));
}

/* The service is not started for this, and nothing is asked that could wait for a connection: a probe has to tell how
 * things are, soon, and must not bring up again what was stopped on purpose. */
enum ctl_exit verb_check(struct ctl *c, char **args) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *bad = NULL, *asked = NULL;
        _cleanup_picture_ struct picture p = {};
        const char *state, *node;
        int r;

        if (c->role && list_has_state(c->role, "", &bad) < 0) {
                _cleanup_free_ char *printable = text_printable(bad);

                fprintf(stderr,
                        "confd-hactl: --role= takes none, slave, master, slave-relay or unknown, separated by commas, "
                        "not '%s'.\n", printable ?: "?");
                return CTL_USAGE;
        }
        if (bus_connect(c) != CTL_DONE)
                return answer(c, CTL_USAGE, NULL, "no connection to the system bus");
        r = bus_get_properties(c, /* activate= */ false, &reply, &error);
        if (r < 0) {
                if (sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                    sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                        return answer(c, CTL_USAGE, NULL, "the service does not run");
                return answer(c, CTL_USAGE, NULL, "the service does not answer: %s",
                              sd_bus_error_is_set(&error) ? error.message ?: error.name : strerror(-r));
        }
        r = picture_read(&p, reply);
        if (r < 0)
                return answer(c, CTL_USAGE, NULL, "the service's answer makes no sense: %s", strerror(-r));

        node = picture_node(&p);
        state = picture_state(&p);
        if (c->ready && p.connected) {
                enum ctl_exit status = ask_confd(c, &p, &asked);

                if (status != CTL_DONE)
                        return status;
                state = asked;
        }
        /* Somebody who asks for --role=unknown wants to hear that it is so. */
        if (c->role && !c->ready && streq(state, "unknown") && list_has_state(c->role, state, &bad) > 0)
                return answer(c, CTL_DONE, &p, "the state of %s is unknown", node);
        if (!p.connected)
                return answer(c, CTL_USAGE, &p, "no connection to ConfD at %s%s%s", p.confd_address ?: "?",
                              isempty(p.error_message) ? "" : ": ", p.error_message ?: "");
        if (streq(state, "unknown"))
                return answer(c, CTL_USAGE, &p, "the state of %s is unknown", node);
        if (c->role && list_has_state(c->role, state, &bad) == 0)
                return answer(c, CTL_FAILED, &p, "%s is %s, not %s", node, state, c->role);
        if (c->ready && p.synchronizing)
                return answer(c, CTL_FAILED, &p, "%s is %s and synchronizing", node, state);
        return answer(c, CTL_DONE, &p, "%s is %s", node, state);
}
