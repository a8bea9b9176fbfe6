/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a cluster looks: a table, a tree where there are relays, and what is wrong below it. */
#include <libsmartcols.h>
#include <stdio.h>

#include "ctl/cluster.h"
#include "ctl/colour.h"
#include "ctl/complain.h"
#include "ctl/slave-ages.h"
#include "ctl/status-view.h"
#include "ctl/text.h"
#include "view/json.h"

enum column { COLUMN_HOST, COLUMN_NODE, COLUMN_STATE, COLUMN_FOLLOWS, COLUMN_IN_SYNC, COLUMN_SINCE, COLUMN_TARGET,
              COLUMN_ERROR, COLUMNS };

static const char *const column_names[COLUMNS] = { "HOST", "NODE", "STATE", "FOLLOWS", "IN SYNC", "SINCE", "TARGET",
                                                   "LAST ERROR" };

static int set(struct libscols_line *line, enum column column, const char *text) {
        _cleanup_free_ char *printable = text_cell(text);

        return printable ? scols_line_set_data(line, column, printable) : -ENOMEM;
}

static int paint(struct libscols_line *line, enum column column, enum colour colour) {
        return colour_is_on() ? scols_cell_set_color(scols_line_get_cell(line, column), colour_out(colour)) : 0;
}

/* A host that answered. */
static int fill_known(struct libscols_line *line, const struct member *m, uint64_t now) {
        const struct picture *p = &m->picture;
        char since[TEXT_TIME_MAX], when[TEXT_TIME_MAX], error[TEXT_TIME_MAX + 128] = "-";
        int r;

        if (!isempty(p->error_name))
                snprintf(error, sizeof(error), "%.120s, %s", text_short_error(p->error_name),
                         text_age(p->error_usec, now, when));
        r = set(line, COLUMN_NODE, isempty(p->node_id) ? "-" : p->node_id);
        if (r >= 0)
                r = set(line, COLUMN_STATE, p->synchronizing ? "synchronizing" : picture_state(p));
        if (r >= 0)
                r = set(line, COLUMN_FOLLOWS, isempty(p->master.id) ? "-" : p->master.id);
        if (r >= 0)
                r = set(line, COLUMN_IN_SYNC, picture_is_in_sync(p) ? "yes" : "no");
        if (r >= 0)
                r = set(line, COLUMN_SINCE, text_age(p->state_since_usec, now, since));
        if (r >= 0)
                r = set(line, COLUMN_TARGET, isempty(p->targets) ? "-" : strncmp(p->targets, "failed", 6) == 0 ? "failed" : p->targets);
        if (r >= 0)
                r = set(line, COLUMN_ERROR, error);
        if (r >= 0)
                r = paint(line, COLUMN_STATE, colour_of_state(picture_state(p), p->synchronizing, picture_is_in_sync(p)));
        if (r >= 0 && strncmp(p->targets ?: "", "failed", 6) == 0)
                r = paint(line, COLUMN_TARGET, COLOUR_BAD);
        return r;
}

static int fill(struct libscols_line *line, const struct member *m, uint64_t now) {
        int r;

        r = set(line, COLUMN_HOST, m->host ?: ".");
        if (r < 0)
                return r;
        if (m->state == MEMBER_KNOWN)
                return fill_known(line, m, now);
        r = set(line, COLUMN_STATE, m->state == MEMBER_ASKING ? "(asking)" : "not reachable");
        if (r >= 0)
                r = paint(line, COLUMN_STATE, m->state == MEMBER_ASKING ? COLOUR_BUSY : COLOUR_BAD);
        return r;
}

static bool has_relays(const struct cluster *cluster) {
        for (size_t i = 0; i < cluster->n_members; i++)
                if (cluster->members[i]->state == MEMBER_KNOWN &&
                    streq(picture_state(&cluster->members[i]->picture), "slave-relay"))
                        return true;
        return false;
}

/* Adds a host and, in a tree, those that follow it. Circles that a wrong answer could make end: each host is added once. */
static int add(const struct cluster *cluster, struct libscols_table *t, struct libscols_line *parent, size_t i, bool tree,
               bool *added, uint64_t now) {
        struct libscols_line *line = scols_table_new_line(t, parent);
        int r;

        added[i] = true;
        r = line ? fill(line, cluster->members[i], now) : -ENOMEM;
        for (size_t k = 0; tree && r >= 0 && k < cluster->n_members; k++)
                if (!added[k] && cluster_parent(cluster, cluster->members[k]) == cluster->members[i])
                        r = add(cluster, t, line, k, tree, added, now);
        return r;
}

static int print_table(const struct cluster *cluster) {
        _cleanup_free_ bool *added = calloc(cluster->n_members, sizeof(*added));
        struct libscols_table *t = scols_new_table();
        bool tree = has_relays(cluster);
        uint64_t now = now_realtime();
        int r = t && added ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < COLUMNS; i++)
                r = scols_table_new_column(t, column_names[i], 0, i == 0 && tree ? SCOLS_FL_TREE : 0) ? 0 : -ENOMEM;
        if (r >= 0) {
                scols_table_enable_noheadings(t, !cluster->c->legend);
                scols_table_enable_colors(t, colour_is_on());
                scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
                scols_table_enable_noencoding(t, 1);
        }
        /* Roots first; then what is left, should somebody follow in a circle. */
        for (size_t i = 0; r >= 0 && i < cluster->n_members; i++)
                if (!tree || !cluster_parent(cluster, cluster->members[i]))
                        r = add(cluster, t, NULL, i, tree, added, now);
        for (size_t i = 0; r >= 0 && i < cluster->n_members; i++)
                if (!added[i])
                        r = add(cluster, t, NULL, i, tree, added, now);
        if (r >= 0)
                r = scols_print_table(t);
        scols_unref_table(t);
        return r;
}

static void print_problems(const struct cluster *cluster) {
        for (size_t i = 0; i < cluster->n_problems; i++)
                printf("%s%s%s%s\n", i == 0 ? "\n" : "", colour_out(cluster->problems[i].fatal ? COLOUR_BAD : COLOUR_BUSY),
                       cluster->problems[i].words, colour_out(COLOUR_NONE));
        if (cluster->n_problems == 0 && !cluster->c->quiet)
                printf("\n%sAll is well.%s\n", colour_out(COLOUR_GOOD), colour_out(COLOUR_NONE));
}

static void json_member(struct json *j, const struct cluster *cluster, const struct member *m) {
        const struct slave_ages none = {};

        json_begin_object(j, NULL);
        json_string(j, "host", m->host ?: ".");
        json_boolean(j, "reachable", m->state == MEMBER_KNOWN);
        if (m->failure) {
                json_begin_object(j, "error");
                complain_json_members(j, m->failure_name, m->failure, NULL);
                json_end_object(j);
        }
        if (m->state == MEMBER_KNOWN)
                status_json_members(j, &m->picture, &none);
        json_end_object(j);
}

static void print_json(const struct cluster *cluster) {
        struct json j = { .f = stdout, .pretty = cluster->c->json == JSON_PRETTY };

        json_begin_object(&j, NULL);
        json_boolean(&j, "ok", cluster_is_well(cluster));
        json_string(&j, "master", cluster->master ? cluster->master->picture.node_id : NULL);
        json_begin_array(&j, "hosts");
        for (size_t i = 0; i < cluster->n_members; i++)
                json_member(&j, cluster, cluster->members[i]);
        json_end_array(&j);
        json_begin_array(&j, "problems");
        for (size_t i = 0; i < cluster->n_problems; i++) {
                json_begin_object(&j, NULL);
                json_string(&j, "kind", cluster->problems[i].kind);
                json_boolean(&j, "fatal", cluster->problems[i].fatal);
                json_string(&j, "message", cluster->problems[i].words);
                json_end_object(&j);
        }
        json_end_array(&j);
        json_end_object(&j);
}

int cluster_print(const struct cluster *cluster) {
        int r;

        if (cluster->c->json != JSON_OFF) {
                print_json(cluster);
                return 0;
        }
        r = print_table(cluster);
        if (r >= 0)
                print_problems(cluster);
        return r;
}
