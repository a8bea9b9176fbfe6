/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how the state of a node looks. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/colour.h"
#include "ctl/text.h"
#include "ctl/status-view.h"

void status_print_foreign(const char *s) {
        _cleanup_free_ char *printable = text_printable(s);

        fputs(printable ?: "?", stdout);
}

static void print_label(const char *label) {
        printf("%12s%s ", label, *label ? ":" : " ");
}

static void print_peer(const char *label, const struct peer *peer, const struct slave_age *age) {
        char tick[TEXT_TIME_MAX], oldest[TEXT_TIME_MAX], bytes[TEXT_TIME_MAX];

        print_label(label);
        status_print_foreign(peer->id);
        if (!isempty(peer->address)) {
                putchar(' ');
                status_print_foreign(peer->address);
        }
        if (age) {
                printf("  %s(last tick %s ago", colour_out(COLOUR_DIM), text_timespan(age->tick_usec, tick));
                if (age->unacknowledged > 0)
                        printf(", %" PRIu64 " transaction%s not acknowledged, the oldest %s old", age->unacknowledged,
                               age->unacknowledged == 1 ? "" : "s", text_timespan(age->oldest_usec, oldest));
                if (age->unsent > 0)
                        printf(", %s unsent", text_bytes(age->unsent, bytes));
                printf(")%s", colour_out(COLOUR_NONE));
        }
        putchar('\n');
}

static void print_state(const struct picture *p, uint64_t now) {
        char when[TEXT_TIME_MAX], age[TEXT_TIME_MAX];

        print_label("State");
        fputs(colour_out(colour_of_state(picture_state(p), p->synchronizing, picture_is_in_sync(p))), stdout);
        status_print_foreign(picture_state(p));
        if (p->synchronizing)
                printf(" (synchronizing)");
        printf("%s since %s; %s\n", colour_out(COLOUR_NONE), text_timestamp(p->state_since_usec, when),
               text_age(p->state_since_usec, now, age));
}

/* Whether the data is in place; if it is not, when and as whose it last was. */
static void print_in_sync(const struct picture *p, uint64_t now) {
        char when[TEXT_TIME_MAX], age[TEXT_TIME_MAX];

        if (!p->knows_in_sync)
                return;
        print_label("In sync");
        if (p->in_sync) {
                printf("%syes%s\n", colour_out(COLOUR_GOOD), colour_out(COLOUR_NONE));
                return;
        }
        printf("%sno%s", streq(picture_state(p), "none") ? "" : colour_out(COLOUR_BUSY),
               streq(picture_state(p), "none") ? "" : colour_out(COLOUR_NONE));
        if (isempty(p->last_in_sync.role))
                printf(", and never was");
        else {
                printf("; last as ");
                status_print_foreign(p->last_in_sync.role);
                if (!streq(p->last_in_sync.role, "master")) {
                        printf(" of ");
                        status_print_foreign(p->last_in_sync.master.id);
                }
                if (p->last_in_sync.usec > 0)
                        printf(", until %s; %s", text_timestamp(p->last_in_sync.usec, when),
                               text_age(p->last_in_sync.usec, now, age));
                if (!isempty(p->last_in_sync.how)) {
                        printf(" (");
                        status_print_foreign(p->last_in_sync.how);
                        putchar(')');
                }
        }
        putchar('\n');
}

static void print_targets(const struct picture *p) {
        bool failed = strncmp(p->targets ?: "", "failed", strlen("failed")) == 0;

        if (isempty(p->targets) || streq(p->targets, "off"))
                return;
        print_label("Target");
        fputs(colour_out(failed ? COLOUR_BAD : streq(p->targets, "reached") ? COLOUR_NONE : COLOUR_BUSY), stdout);
        status_print_foreign(p->targets);
        printf("%s\n", colour_out(COLOUR_NONE));
}

static void print_confd(const struct picture *p) {
        print_label("ConfD");
        if (p->connected) {
                status_print_foreign(isempty(p->confd_version) ? "connected" : p->confd_version);
                printf(" at ");
                status_print_foreign(p->confd_address);
                printf(" (protocol %" PRIu32 "%s)\n", p->protocol_version,
                       p->events_connected ? "" : "; no event connection, the status is asked for every few seconds");
        } else {
                printf("%snot connected%s; expected at ", colour_out(COLOUR_BAD), colour_out(COLOUR_NONE));
                status_print_foreign(p->confd_address);
                putchar('\n');
        }
}

static void print_inhibitors(const struct picture *p, uint64_t now) {
        char age[TEXT_TIME_MAX];

        for (size_t i = 0; i < p->n_inhibitors; i++) {
                const struct inhibitor *in = p->inhibitors + i;

                print_label(i == 0 ? "Inhibited" : "");
                fputs(colour_out(COLOUR_BUSY), stdout);
                status_print_foreign(in->who);
                fputs(colour_out(COLOUR_NONE), stdout);
                printf(": ");
                status_print_foreign(in->why);
                printf(" (uid %" PRIu32 ", %s)\n", in->uid, text_age(in->since_usec, now, age));
        }
}

static void print_error(const struct picture *p, uint64_t now) {
        char when[TEXT_TIME_MAX], age[TEXT_TIME_MAX];

        if (isempty(p->error_name))
                return;
        print_label("Last error");
        /* What was before the present state is history. */
        fputs(colour_out(p->error_usec >= p->state_since_usec ? COLOUR_BAD : COLOUR_DIM), stdout);
        status_print_foreign(text_short_error(p->error_name));
        printf("%s, %s (%s)\n", colour_out(COLOUR_NONE), text_age(p->error_usec, now, age),
               text_timestamp(p->error_usec, when));
        if (!isempty(p->error_message)) {
                print_label("");
                status_print_foreign(p->error_message);
                putchar('\n');
        }
}

void status_print(const struct picture *p, const struct slave_ages *ages) {
        uint64_t now = now_realtime();

        print_state(p, now);
        print_label("Node");
        status_print_foreign(isempty(p->node_id) ? "(no name yet)" : p->node_id);
        putchar('\n');
        if (!isempty(p->master.id))
                print_peer("Master", &p->master, NULL);
        for (size_t i = 0; i < p->n_slaves; i++)
                print_peer(i == 0 ? "Slaves" : "", p->slaves + i, slave_ages_find(ages, p->slaves[i].id));
        if (p->n_slaves == 0 && streq(picture_state(p), "master"))
                printf("%12s: none\n", "Slaves");
        print_in_sync(p, now);
        print_targets(p);
        print_confd(p);
        print_inhibitors(p, now);
        print_error(p, now);
}

/* ---- JSON ---- */

static void json_peer(struct json *j, const char *key, const struct peer *peer, const struct slave_age *age) {
        json_begin_object(j, key);
        json_string(j, "id", peer->id);
        json_string(j, "address", peer->address);
        if (age) {
                json_unsigned(j, "last_tick_age_usec", age->tick_usec);
                json_unsigned(j, "oldest_unacknowledged_age_usec", age->oldest_usec);
                json_unsigned(j, "bytes_unsent", age->unsent);
                json_unsigned(j, "transactions_unacknowledged", age->unacknowledged);
        }
        json_end_object(j);
}

static void json_peers(struct json *j, const struct picture *p, const struct slave_ages *ages) {
        if (isempty(p->master.id))
                json_string(j, "master", NULL);
        else
                json_peer(j, "master", &p->master, NULL);
        json_begin_array(j, "slaves");
        for (size_t i = 0; i < p->n_slaves; i++)
                json_peer(j, NULL, p->slaves + i, slave_ages_find(ages, p->slaves[i].id));
        json_end_array(j);
}

static void json_sync(struct json *j, const struct picture *p) {
        json_boolean(j, "synchronizing", p->synchronizing);
        if (!p->knows_in_sync)
                return;
        json_boolean(j, "in_sync", p->in_sync);
        if (isempty(p->last_in_sync.role)) {
                json_string(j, "last_in_sync", NULL);
                return;
        }
        json_begin_object(j, "last_in_sync");
        json_string(j, "role", p->last_in_sync.role);
        json_string(j, "master_id", p->last_in_sync.master.id);
        json_string(j, "master_address", p->last_in_sync.master.address);
        json_unsigned(j, "until_usec", p->last_in_sync.usec);
        json_string(j, "how", p->last_in_sync.how);
        json_end_object(j);
}

static void json_inhibitors(struct json *j, const struct picture *p) {
        json_begin_array(j, "inhibitors");
        for (size_t i = 0; i < p->n_inhibitors; i++) {
                json_begin_object(j, NULL);
                json_string(j, "who", p->inhibitors[i].who);
                json_string(j, "why", p->inhibitors[i].why);
                json_unsigned(j, "uid", p->inhibitors[i].uid);
                json_unsigned(j, "since_usec", p->inhibitors[i].since_usec);
                json_end_object(j);
        }
        json_end_array(j);
}

void status_json_members(struct json *j, const struct picture *p, const struct slave_ages *ages) {
        json_string(j, "state", picture_state(p));
        json_string(j, "node_id", p->node_id ?: "");
        json_peers(j, p, ages);
        json_sync(j, p);
        if (p->targets)
                json_string(j, "targets", p->targets);
        json_inhibitors(j, p);
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
}
