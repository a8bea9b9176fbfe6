/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how the history looks, as a table and as JSON. */
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/message-ids.h"
#include "basic/parse.h"
#include "ctl/colour.h"
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
        [HISTORY_COUNT] = { CONFD_HA_FIELD_COUNT, "count" },
        [HISTORY_WHO] = { CONFD_HA_FIELD_WHO, "who" },
        [HISTORY_WHY] = { CONFD_HA_FIELD_WHY, "why" },
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
        { CONFD_HA_MSG_CALL_REFUSED, "call-refused", { HISTORY_METHOD }, "$1" },
        { CONFD_HA_MSG_REFUSALS, "refusals", { HISTORY_COUNT }, "$1 more calls were denied or refused, or nobody waited for them" },
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
        { CONFD_HA_MSG_SECRET, "secret", { HISTORY_FILE }, "{$1}" },
        { CONFD_HA_MSG_TARGET_FAILED, "target-failed", { HISTORY_TARGET }, "{$1}" },
        { CONFD_HA_MSG_INHIBITED, "inhibited", { HISTORY_WHO, HISTORY_WHY }, "$1{: $2}" },
        { CONFD_HA_MSG_INHIBITOR_GONE, "inhibitor-gone", { HISTORY_WHO, HISTORY_WHY }, "$1{: $2}" },
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
        case HISTORY_COUNT:
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

static void json_entry(struct json *j, const struct history_entry *e) {
        json_begin_object(j, NULL);
        json_unsigned(j, "time_usec", e->usec);
        json_string(j, "event", history_event(e->message_id));
        json_string(j, "message_id", e->message_id);
        for (enum history_field f = 0; f < HISTORY_FIELDS; f++)
                if (e->fields[f])
                        json_field(j, f, e->fields[f]);
        json_end_object(j);
}

/* The i-th entry in the order in which they are shown. */
static const struct history_entry *shown(const struct ctl *c, const struct history *h, size_t i) {
        return h->entries + (c->reverse ? h->n - 1 - i : i);
}

static void print_json(const struct ctl *c, const struct history *h) {
        struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

        json_begin_array(&j, NULL);
        for (size_t i = 0; i < h->n; i++)
                json_entry(&j, shown(c, h, i));
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

/* How it ended: for a failed order with its own words, for they say why. */
static char *format_result(const struct history_entry *e) {
        const char *result = e->fields[HISTORY_RESULT] ?: "";
        char *text = NULL;

        if ((streq(e->message_id, CONFD_HA_MSG_ORDER_FAILED) || streq(e->message_id, CONFD_HA_MSG_CALL_REFUSED)) &&
            e->fields[HISTORY_ERROR])
                return asprintf(&text, "%s: %s", text_short_error(result), e->fields[HISTORY_ERROR]) < 0 ? NULL : text;
        return strdup(text_short_error(result));
}

static enum colour colour_of(const struct history_entry *e) {
        const char *new_state = e->fields[HISTORY_NEW_STATE], *result = e->fields[HISTORY_RESULT];

        if (streq(e->message_id, CONFD_HA_MSG_STATE) && new_state)
                return colour_of_state(new_state, /* synchronizing= */ false, /* in_sync= */ true);
        if (result)
                return streq(result, "done") ? COLOUR_GOOD : COLOUR_BAD;
        return COLOUR_NONE;
}

bool history_is_refused(const struct history_entry *e) {
        static const char *const refusals[] = { SD_BUS_ERROR_ACCESS_DENIED, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                                SD_BUS_ERROR_LIMITS_EXCEEDED, SD_BUS_ERROR_INVALID_ARGS };
        const char *result = e->fields[HISTORY_RESULT];

        if (streq(e->message_id, CONFD_HA_MSG_CALL_REFUSED) || streq(e->message_id, CONFD_HA_MSG_REFUSALS))
                return true;
        if (!streq(e->message_id, CONFD_HA_MSG_ORDER_FAILED) || !result)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
                if (streq(result, refusals[i]))
                        return true;
        return false;
}

enum column { COLUMN_TIME, COLUMN_EVENT, COLUMN_NODE, COLUMN_DETAILS, COLUMN_RESULT, COLUMN_TOOK, COLUMN_BY, COLUMNS };

static const char *const column_names[COLUMNS] = { "TIME", "EVENT", "NODE", "DETAILS", "RESULT", "TOOK", "BY" };

/* The cells of an entry, each to be freed; NULL in one of them without memory. */
static void format_cells(const struct history_entry *e, char *cells[COLUMNS]) {
        char when[TEXT_TIME_MAX], took[TEXT_TIME_MAX] = "";
        uint64_t usec;

        if (e->fields[HISTORY_DURATION_USEC] && parse_unsigned(e->fields[HISTORY_DURATION_USEC], 0, UINT64_MAX, &usec) >= 0)
                text_timespan(usec, took);
        cells[COLUMN_TIME] = strdup(text_timestamp(e->usec, when));
        cells[COLUMN_EVENT] = strdup(history_event(e->message_id));
        cells[COLUMN_NODE] = strdup(e->fields[HISTORY_NODE_ID] ?: "");
        cells[COLUMN_DETAILS] = format_details(e);
        cells[COLUMN_RESULT] = format_result(e);
        cells[COLUMN_TOOK] = strdup(took);
        cells[COLUMN_BY] = format_sender(e);
        for (size_t i = 0; i < COLUMNS; i++) {
                char *printable = text_cell(cells[i]);

                free(cells[i]);
                cells[i] = printable;
        }
}

static void free_cells(char *cells[COLUMNS]) {
        for (size_t i = 0; i < COLUMNS; i++)
                free(cells[i]);
}

static int add_row(struct libscols_table *t, const struct history_entry *e) {
        struct libscols_line *line = scols_table_new_line(t, NULL);
        char *cells[COLUMNS];
        int r = line ? 0 : -ENOMEM;

        format_cells(e, cells);
        for (size_t i = 0; r >= 0 && i < COLUMNS; i++)
                r = cells[i] ? scols_line_set_data(line, i, cells[i]) : -ENOMEM;
        free_cells(cells);
        if (r >= 0 && colour_is_on() && colour_of(e) != COLOUR_NONE)
                r = scols_cell_set_color(scols_line_get_cell(line, COLUMN_EVENT), colour_out(colour_of(e)));
        return r;
}

static int print_table(const struct ctl *c, const struct history *h) {
        struct libscols_table *t = scols_new_table();
        int r = t ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < COLUMNS; i++)
                if (!scols_table_new_column(t, column_names[i], 0, 0))
                        r = -ENOMEM;
        if (r >= 0) {
                scols_table_enable_noheadings(t, !c->legend);
                scols_table_enable_colors(t, colour_is_on());
                /* Long ids are what a history is read for: lines may be wider than the terminal, never cut. */
                scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
                /* Cells are made printable here, with backslashes as they are. */
                scols_table_enable_noencoding(t, 1);
        }
        for (size_t i = 0; r >= 0 && i < h->n; i++)
                r = add_row(t, shown(c, h, i));
        if (r >= 0)
                r = scols_print_table(t);
        scols_unref_table(t);
        return r;
}

int history_print_line(const struct ctl *c, const struct history_entry *e) {
        char *cells[COLUMNS];
        bool complete = true;

        if (c->json != JSON_OFF) {
                json_entry(&(struct json) { .f = stdout, .pretty = c->json == JSON_PRETTY }, e);
                return fflush(stdout) == 0 ? 0 : -EPIPE;
        }
        format_cells(e, cells);
        for (size_t i = 0; i < COLUMNS; i++)
                complete = complete && cells[i];
        if (complete)
                printf("%s  %s%-17s%s %-8s %s%s%s%s%s%s%s\n", cells[COLUMN_TIME],
                       colour_out(colour_of(e)), cells[COLUMN_EVENT], colour_out(COLOUR_NONE), cells[COLUMN_NODE],
                       cells[COLUMN_DETAILS], *cells[COLUMN_RESULT] ? "  " : "", cells[COLUMN_RESULT],
                       *cells[COLUMN_TOOK] ? "  " : "", cells[COLUMN_TOOK], *cells[COLUMN_BY] ? "  " : "", cells[COLUMN_BY]);
        free_cells(cells);
        return !complete ? -ENOMEM : fflush(stdout) == 0 ? 0 : -EPIPE;
}

int history_print(const struct ctl *c, const struct history *h) {
        int r = 0;

        if (c->follow) {
                for (size_t i = 0; r >= 0 && i < h->n; i++)
                        r = history_print_line(c, h->entries + i);
                return r;
        }
        if (c->json != JSON_OFF) {
                print_json(c, h);
                return 0;
        }
        return h->n > 0 ? print_table(c, h) : 0;
}
