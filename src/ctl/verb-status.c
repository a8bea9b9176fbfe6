/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl status`. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/ctl.h"
#include "view/json.h"
#include "ctl/pager.h"
#include "view/picture.h"
#include "ctl/text.h"

/* Standard output, with foreign strings made harmless. */
static void print_foreign(const char *s) {
        _cleanup_free_ char *printable = text_printable(s);

        fputs(printable ?: "?", stdout);
}

static void print_label(const char *label) {
        printf("%12s%s ", label, *label ? ":" : " ");
}

static void print_peer(const char *label, const struct peer *peer) {
        print_label(label);
        print_foreign(peer->id);
        if (!isempty(peer->address)) {
                putchar(' ');
                print_foreign(peer->address);
        }
        putchar('\n');
}

static void print_picture(const struct picture *p) {
        char when[TEXT_TIME_MAX], age[TEXT_TIME_MAX];
        uint64_t now = now_realtime();

        print_label("State");
        print_foreign(picture_state(p));
        if (p->synchronizing)
                printf(" (synchronizing)");
        printf(" since %s; %s\n", text_timestamp(p->state_since_usec, when), text_age(p->state_since_usec, now, age));

        print_label("Node");
        print_foreign(isempty(p->node_id) ? "(no name yet)" : p->node_id);
        putchar('\n');
        if (!isempty(p->master.id))
                print_peer("Master", &p->master);
        for (size_t i = 0; i < p->n_slaves; i++)
                print_peer(i == 0 ? "Slaves" : "", p->slaves + i);
        if (p->n_slaves == 0 && streq(picture_state(p), "master"))
                printf("%12s: none\n", "Slaves");

        print_label("ConfD");
        if (p->connected) {
                print_foreign(isempty(p->confd_version) ? "connected" : p->confd_version);
                printf(" at ");
                print_foreign(p->confd_address);
                printf(" (protocol %" PRIu32 "%s)\n", p->protocol_version,
                       p->events_connected ? "" : "; no event connection, the status is asked for every few seconds");
        } else {
                printf("not connected; expected at ");
                print_foreign(p->confd_address);
                putchar('\n');
        }
        if (!isempty(p->error_name)) {
                print_label("Last error");
                print_foreign(text_short_error(p->error_name));
                printf(", %s (%s)\n", text_age(p->error_usec, now, age), text_timestamp(p->error_usec, when));
                if (!isempty(p->error_message)) {
                        print_label("");
                        print_foreign(p->error_message);
                        putchar('\n');
                }
        }
}

static void json_peer(struct json *j, const char *key, const struct peer *peer) {
        json_begin_object(j, key);
        json_string(j, "id", peer->id);
        json_string(j, "address", peer->address);
        json_end_object(j);
}

static void json_picture(struct json *j, const struct picture *p) {
        json_begin_object(j, NULL);
        json_string(j, "state", picture_state(p));
        json_string(j, "node_id", p->node_id ?: "");
        if (isempty(p->master.id))
                json_string(j, "master", NULL);
        else
                json_peer(j, "master", &p->master);
        json_begin_array(j, "slaves");
        for (size_t i = 0; i < p->n_slaves; i++)
                json_peer(j, NULL, p->slaves + i);
        json_end_array(j);
        json_boolean(j, "synchronizing", p->synchronizing);
        json_boolean(j, "connected", p->connected);
        json_boolean(j, "events_connected", p->events_connected);
        json_string(j, "confd_address", p->confd_address ?: "");
        json_string(j, "confd_version", p->confd_version ?: "");
        json_unsigned(j, "protocol_version", p->protocol_version);
        if (isempty(p->error_name))
                json_string(j, "last_error", NULL);
        else {
                json_begin_object(j, "last_error");
                json_string(j, "name", p->error_name);
                json_string(j, "message", p->error_message);
                json_unsigned(j, "time_usec", p->error_usec);
                json_end_object(j);
        }
        json_unsigned(j, "state_since_usec", p->state_since_usec);
        json_unsigned(j, "transitions", p->transitions);
        json_string(j, "version", p->version ?: "");
        json_end_object(j);
}

/* Properties alone would do for the picture, but they tell what the service saw last: only the method asks ConfD. Its
 * failure is shown beside the picture, not in place of it. */
enum ctl_exit verb_status(struct ctl *c, char **args) {
        _cleanup_(sd_bus_error_free) sd_bus_error status_error = SD_BUS_ERROR_NULL, error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_picture_ struct picture p = {};
        enum ctl_exit status;
        int asked, r;

        status = bus_connect(c);
        if (status != CTL_DONE)
                return status;

        asked = sd_bus_message_new_method_call(c->bus, &call, CTL_BUS_NAME, CTL_OBJECT, CTL_INTERFACE, "Status");
        if (asked >= 0)
                asked = sd_bus_call(c->bus, call, bus_time_left(c), &status_error, NULL);
        if (asked < 0 && !sd_bus_error_has_name(&status_error, SD_BUS_ERROR_TIMEOUT) &&
            strncmp(status_error.name ?: "", CTL_ERROR_PREFIX, strlen(CTL_ERROR_PREFIX)) != 0)
                /* Not ConfD's fault: nobody is there whose properties could be read. */
                return bus_error_report(c, "status", &status_error, asked);

        /* Properties are answered at once, but after a timeout there would be no time left even for that. */
        if (asked < 0)
                c->deadline = usec_add(now_monotonic(), USEC_PER_SEC);
        r = bus_get_properties(c, /* activate= */ true, &reply, &error);
        if (r >= 0)
                r = picture_read(&p, reply);
        if (r < 0)
                return bus_error_report(c, "status", &error, r);

        if (c->json != JSON_OFF && !c->quiet)
                json_picture(&(struct json) { .f = stdout, .pretty = c->json == JSON_PRETTY }, &p);
        else if (!c->quiet) {
                pager_open(c);
                print_picture(&p);
        }
        if (asked < 0) {
                pager_close(c);
                return bus_error_report(c, "status", &status_error, asked);
        }
        return CTL_DONE;
}
