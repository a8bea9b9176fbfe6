/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how the history looks, as a table and as JSON. */
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/message-ids.h"
#include "basic/parse.h"
#include "ctl/history.h"
#include "view/json.h"
#include "ctl/text.h"

static const struct {
        const char *name;
        const char *key;
} field_names[HISTORY_FIELDS] = {
        [HISTORY_METHOD] = { CONFD_HA_FIELD_METHOD, "method" },
        [HISTORY_NODE_ID] = { CONFD_HA_FIELD_NODE_ID, "node_id" },
        [HISTORY_MASTER_ID] = { CONFD_HA_FIELD_MASTER_ID, "master_id" },
        [HISTORY_MASTER_ADDRESS] = { CONFD_HA_FIELD_MASTER_ADDRESS, "master_address" },
        [HISTORY_RESULT] = { CONFD_HA_FIELD_RESULT, "result" },
        [HISTORY_ERROR] = { CONFD_HA_FIELD_ERROR, "error" },
        [HISTORY_DURATION_USEC] = { CONFD_HA_FIELD_DURATION_USEC, "duration_usec" },
        [HISTORY_SENDER_UID] = { CONFD_HA_FIELD_SENDER_UID, "sender_uid" },
        [HISTORY_SENDER_PID] = { CONFD_HA_FIELD_SENDER_PID, "sender_pid" },
        [HISTORY_SENDER_UNIT] = { CONFD_HA_FIELD_SENDER_UNIT, "sender_unit" },
        [HISTORY_OLD_STATE] = { CONFD_HA_FIELD_OLD_STATE, "old_state" },
        [HISTORY_NEW_STATE] = { CONFD_HA_FIELD_NEW_STATE, "new_state" },
        [HISTORY_REASON] = { CONFD_HA_FIELD_REASON, "reason" },
        [HISTORY_PEER_ID] = { CONFD_HA_FIELD_PEER_ID, "peer_id" },
        [HISTORY_PEER_ADDRESS] = { CONFD_HA_FIELD_PEER_ADDRESS, "peer_address" },
        [HISTORY_BY_COPY] = { CONFD_HA_FIELD_BY_COPY, "by_copy" },
        [HISTORY_CONFD_ADDRESS] = { CONFD_HA_FIELD_CONFD_ADDRESS, "confd_address" },
        [HISTORY_CONFD_VERSION] = { CONFD_HA_FIELD_CONFD_VERSION, "confd_version" },
        [HISTORY_TARGET] = { CONFD_HA_FIELD_TARGET, "target" },
        [HISTORY_FILE] = { CONFD_HA_FIELD_FILE, "file" },
        [HISTORY_MESSAGE] = { "MESSAGE", "message" },
};

const char *history_field_name(enum history_field f) {
        return field_names[f].name;
}

const char *history_field_key(enum history_field f) {
        return field_names[f].key;
}

/* What each entry's row says beside time, result and sender: up to three fields, joined as in `details`, where $1 is
 * the first; a part in braces is left out when one of its fields is missing. */
static const struct event {
        const char *message_id;
        const char *word;
        enum history_field fields[3];
        const char *details;
} events[] = {
        { CONFD_HA_MSG_ORDER, "order", { HISTORY_METHOD, HISTORY_PEER_ID }, "$1{ $2}" },
        { CONFD_HA_MSG_ORDER_FAILED, "order-failed", { HISTORY_METHOD, HISTORY_PEER_ID }, "$1{ $2}" },
        { CONFD_HA_MSG_STATE, "state", { HISTORY_OLD_STATE, HISTORY_NEW_STATE, HISTORY_REASON }, "$1 -> $2{ ($3)}" },
        { CONFD_HA_MSG_MASTER_LOST, "master-lost", { HISTORY_MASTER_ID, HISTORY_MASTER_ADDRESS }, "{$1}{ $2}" },
        { CONFD_HA_MSG_SLAVE_DIED, "slave-died", { HISTORY_PEER_ID, HISTORY_PEER_ADDRESS }, "$1{ $2}" },
        { CONFD_HA_MSG_SLAVE_ARRIVED, "slave-arrived", { HISTORY_PEER_ID, HISTORY_PEER_ADDRESS }, "$1{ $2}" },
        { CONFD_HA_MSG_SLAVE_INITIALIZED, "slave-initialized", { HISTORY_MASTER_ID, HISTORY_BY_COPY },
          "{of $1}{, by copy: $2}" },
        { CONFD_HA_MSG_CONNECTION_UP, "connection-up", { HISTORY_CONFD_ADDRESS, HISTORY_CONFD_VERSION }, "{$1}{, ConfD $2}" },
        { CONFD_HA_MSG_CONNECTION_LOST, "connection-lost", { HISTORY_CONFD_ADDRESS }, "{$1}" },
        { CONFD_HA_MSG_DISPLACED, "displaced", { HISTORY_CONFD_ADDRESS }, "{$1}" },
        { CONFD_HA_MSG_NO_TOKEN, "no-token", { HISTORY_FILE }, "{$1}" },
        { CONFD_HA_MSG_TARGET_FAILED, "target-failed", { HISTORY_TARGET }, "{$1}" },
        { CONFD_HA_MSG_RELOADED, "reloaded", { HISTORY_FILE }, "{$1}" },
        { CONFD_HA_MSG_RELOAD_REFUSED, "reload-refused", { HISTORY_FILE }, "{$1}" },
};

static const struct event *find_event(const char *message_id) {
        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                if (streq(events[i].message_id, message_id))
                        return events + i;
        return NULL;
}

const char *history_event(const char *message_id) {
        const struct event *ev = find_event(message_id);

        return ev ? ev->word : NULL;
}

const char *history_message_id(size_t i) {
        return i < ELEMENTSOF(events) ? events[i].message_id : NULL;
}

void history_entry_done(struct history_entry *e) {
        for (size_t i = 0; i < HISTORY_FIELDS; i++)
                free(e->fields[i]);
        *e = (struct history_entry) {};
}

/* Numbers are numbers in JSON where the journal has numbers; anything else stays text. */
static void json_field(struct json *j, enum history_field f, const char *value) {
        const char *key = history_field_key(f);
        uint64_t n;

        switch (f) {
        case HISTORY_DURATION_USEC:
        case HISTORY_SENDER_UID:
        case HISTORY_SENDER_PID:
                if (parse_unsigned(value, 0, UINT64_MAX, &n) >= 0) {
                        json_unsigned(j, key, n);
                        return;
                }
                break;
        case HISTORY_BY_COPY:
                json_boolean(j, key, streq(value, "yes"));
                return;
        default:
                break;
        }
        json_string(j, key, value);
}

static void print_json(const struct ctl *c, const struct history_entry *entries, size_t n) {
        struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

        json_begin_array(&j, NULL);
        for (size_t i = 0; i < n; i++) {
                const struct history_entry *e = entries + i;

                json_begin_object(&j, NULL);
                json_unsigned(&j, "time_usec", e->usec);
                json_string(&j, "event", history_event(e->message_id));
                json_string(&j, "message_id", e->message_id);
                for (enum history_field f = 0; f < HISTORY_FIELDS; f++)
                        if (e->fields[f])
                                json_field(&j, f, e->fields[f]);
                json_end_object(&j);
        }
        json_end_array(&j);
}

/* The details of one row, by the pattern of its event. NULL without memory. */
static char *format_details(const struct history_entry *e) {
        const struct event *ev = find_event(e->message_id);
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        bool failed;

        if (!f)
                return NULL;
        if (streq(ev->word, "order") || streq(ev->word, "order-failed")) {
                /* The arguments of an order are of no fixed number: those that it has. */
                static const enum history_field args[] = { HISTORY_NODE_ID, HISTORY_MASTER_ID, HISTORY_MASTER_ADDRESS };

                fputs(e->fields[HISTORY_METHOD] ?: "?", f);
                if (e->fields[HISTORY_PEER_ID])
                        fprintf(f, " %s", e->fields[HISTORY_PEER_ID]);
                else
                        for (size_t i = 0; i < ELEMENTSOF(args); i++)
                                if (e->fields[args[i]])
                                        fprintf(f, " %s", e->fields[args[i]]);
        } else
                for (const char *p = ev->details; *p; p++) {
                        if (*p == '{') {
                                const char *ref = strchr(p, '$');

                                if (ref && !e->fields[ev->fields[ref[1] - '1']])
                                        p = strchr(p, '}');
                        } else if (*p == '$') {
                                p++;
                                fputs(e->fields[ev->fields[*p - '1']] ?: "?", f);
                        } else if (*p != '}')
                                putc(*p, f);
                }
        failed = ferror(f);
        if (fclose(f) != 0 || failed) {
                free(text);
                return NULL;
        }
        return text;
}

static char *format_sender(const struct history_entry *e) {
        char *text = NULL;

        if (!e->fields[HISTORY_SENDER_UID])
                return strdup("");
        if (asprintf(&text, "uid %s%s%s%s%s%s", e->fields[HISTORY_SENDER_UID],
                     e->fields[HISTORY_SENDER_PID] ? " pid " : "", e->fields[HISTORY_SENDER_PID] ?: "",
                     e->fields[HISTORY_SENDER_UNIT] ? " (" : "", e->fields[HISTORY_SENDER_UNIT] ?: "",
                     e->fields[HISTORY_SENDER_UNIT] ? ")" : "") < 0)
                return NULL;
        return text;
}

enum column { COLUMN_TIME, COLUMN_EVENT, COLUMN_NODE, COLUMN_DETAILS, COLUMN_RESULT, COLUMN_TOOK, COLUMN_BY, COLUMNS };

static const char *const column_names[COLUMNS] = { "TIME", "EVENT", "NODE", "DETAILS", "RESULT", "TOOK", "BY" };

static int set_cell(struct libscols_line *line, enum column column, const char *text) {
        _cleanup_free_ char *printable = text_printable(text);

        return printable ? scols_line_set_data(line, column, printable) : -ENOMEM;
}

static int add_row(struct libscols_table *t, const struct history_entry *e) {
        _cleanup_free_ char *details = format_details(e), *sender = format_sender(e);
        char when[TEXT_TIME_MAX], took[TEXT_TIME_MAX] = "";
        const char *result = e->fields[HISTORY_RESULT] ?: "";
        struct libscols_line *line = scols_table_new_line(t, NULL);
        uint64_t usec;
        int r;

        if (!line || !details || !sender)
                return -ENOMEM;
        if (e->fields[HISTORY_DURATION_USEC] && parse_unsigned(e->fields[HISTORY_DURATION_USEC], 0, UINT64_MAX, &usec) >= 0)
                text_timespan(usec, took);
        r = set_cell(line, COLUMN_TIME, text_timestamp(e->usec, when));
        if (r >= 0)
                r = set_cell(line, COLUMN_EVENT, history_event(e->message_id));
        if (r >= 0)
                r = set_cell(line, COLUMN_NODE, e->fields[HISTORY_NODE_ID] ?: "");
        if (r >= 0)
                r = set_cell(line, COLUMN_DETAILS, details);
        if (r >= 0)
                r = set_cell(line, COLUMN_RESULT, text_short_error(result));
        if (r >= 0)
                r = set_cell(line, COLUMN_TOOK, took);
        if (r >= 0)
                r = set_cell(line, COLUMN_BY, sender);
        return r;
}

static int print_table(const struct ctl *c, const struct history_entry *entries, size_t n) {
        struct libscols_table *t = scols_new_table();
        int r = t ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < COLUMNS; i++)
                if (!scols_table_new_column(t, column_names[i], 0, 0))
                        r = -ENOMEM;
        if (r >= 0) {
                scols_table_enable_noheadings(t, !c->legend);
                /* Long ids are what a history is read for: lines may be wider than the terminal, never cut. */
                scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
                /* Cells are made printable here, with backslashes as they are. */
                scols_table_enable_noencoding(t, 1);
        }
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add_row(t, entries + i);
        if (r >= 0)
                r = scols_print_table(t);
        scols_unref_table(t);
        return r;
}

int history_print(const struct ctl *c, const struct history_entry *entries, size_t n) {
        if (c->json != JSON_OFF) {
                print_json(c, entries, n);
                return 0;
        }
        return n > 0 ? print_table(c, entries, n) : 0;
}
