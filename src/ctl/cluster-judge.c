/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the judgement of a cluster: what is wrong with it, in words. Knows neither bus nor loop. */
#include <stdarg.h>
#include <stdio.h>

#include "ctl/cluster.h"
#include "ctl/text.h"

_printf_(4, 5) static int add(struct cluster *cluster, const char *kind, bool fatal, const char *format, ...) {
        struct problem *grown = reallocarray(cluster->problems, cluster->n_problems + 1, sizeof(*grown));
        _cleanup_free_ char *raw = NULL;
        va_list ap;
        int n;

        if (!grown)
                return -ENOMEM;
        cluster->problems = grown;
        va_start(ap, format);
        n = vasprintf(&raw, format, ap);
        va_end(ap);
        if (n < 0)
                return -ENOMEM;
        grown[cluster->n_problems] = (struct problem) { .kind = kind, .fatal = fatal, .words = text_printable(raw) };
        return grown[cluster->n_problems++].words ? 0 : -ENOMEM;
}

static bool is_known(const struct member *m) {
        return m->state == MEMBER_KNOWN;
}

static bool has_state(const struct member *m, const char *state) {
        return is_known(m) && streq(picture_state(&m->picture), state);
}

static bool follows(const struct member *m) {
        return has_state(m, "slave") || has_state(m, "slave-relay");
}

struct member *cluster_parent(const struct cluster *cluster, const struct member *m) {
        if (!follows(m) || isempty(m->picture.master.id))
                return NULL;
        for (size_t i = 0; i < cluster->n_members; i++)
                if (cluster->members[i] != m && is_known(cluster->members[i]) &&
                    streq(cluster->members[i]->picture.node_id ?: "", m->picture.master.id))
                        return cluster->members[i];
        return NULL;
}

static int judge_reach(struct cluster *cluster, const struct member *m) {
        const struct picture *p = &m->picture;

        if (m->state != MEMBER_KNOWN)
                return add(cluster, "not-reachable", true, "%s is not reachable: %s.", m->host ?: "this host",
                           m->failure ?: "no answer");
        if (!p->connected)
                return add(cluster, "no-confd", true, "%s has no connection to ConfD at %s%s%s.", member_name(m),
                           p->confd_address ?: "?", isempty(p->error_message) ? "" : ": ", p->error_message ?: "");
        if (m->failure)
                return add(cluster, "no-answer", true, "The ConfD of %s does not answer: %s.", member_name(m), m->failure);
        return 0;
}

static int judge_masters(struct cluster *cluster) {
        const struct member *first = NULL;
        size_t n = 0;
        int r = 0;

        cluster->master = NULL;
        for (size_t i = 0; i < cluster->n_members; i++)
                if (has_state(cluster->members[i], "master")) {
                        n++;
                        if (!first)
                                first = cluster->master = cluster->members[i];
                        else if (r >= 0)
                                r = add(cluster, "two-masters", true,
                                        "%s and %s are both master: what each took alone is only there, and one of the two will "
                                        "lose it.", member_name(first), member_name(cluster->members[i]));
                }
        if (n > 1)
                cluster->master = NULL;
        return n == 0 ? add(cluster, "no-master", true, "There is no master.") : r;
}

/* Whether the way up from it ends at the master. */
static bool reaches_master(const struct cluster *cluster, const struct member *m) {
        const struct member *up = m;

        for (size_t i = 0; up && i <= cluster->n_members; i++) {
                if (up == cluster->master)
                        return true;
                up = cluster_parent(cluster, up);
        }
        return false;
}

static bool lists(const struct member *parent, const char *id) {
        for (size_t i = 0; i < parent->picture.n_slaves; i++)
                if (streq(parent->picture.slaves[i].id, id))
                        return true;
        return false;
}

static int judge_follower(struct cluster *cluster, const struct member *m) {
        const struct picture *p = &m->picture;
        const struct member *parent = cluster_parent(cluster, m);
        const char *name = member_name(m);

        if (p->synchronizing)
                return add(cluster, "synchronizing", true, "%s is synchronizing: its data is not in place yet.", name);
        if (has_state(m, "none"))
                return add(cluster, "no-role", true, "%s has no role%s%s.", name,
                           isempty(p->error_name) ? "" : "; its last error: ",
                           isempty(p->error_name) ? "" : text_short_error(p->error_name));
        if (!follows(m))
                return 0;
        if (!parent)
                return add(cluster, "follows-stranger", true, "%s follows %s at %s, which is none of these hosts.", name,
                           p->master.id ?: "?", p->master.address ?: "?");
        if (cluster->master && !reaches_master(cluster, m))
                return add(cluster, "follows-other", true, "%s follows %s, which %s, not %s.", name, p->master.id,
                           follows(parent) ? "does not lead to the master" : "is not the master", member_name(cluster->master));
        if (!lists(parent, p->node_id ?: ""))
                return add(cluster, "not-listed", true, "%s says that it follows %s, but %s does not know it.", name,
                           member_name(parent), member_name(parent));
        if (!picture_is_in_sync(p))
                return add(cluster, "not-in-sync", true, "%s is not in sync: its data is not in place.", name);
        return 0;
}

static int judge_names(struct cluster *cluster) {
        int r = 0;

        for (size_t i = 0; i < cluster->n_members && r >= 0; i++)
                for (size_t k = 0; k < i && r >= 0; k++) {
                        const struct member *a = cluster->members[k], *b = cluster->members[i];

                        if (is_known(a) && is_known(b) && !isempty(a->picture.node_id) &&
                            streq(a->picture.node_id, b->picture.node_id ?: ""))
                                r = add(cluster, "same-name", true, "%s and %s are the same node, or have the same id: %s.",
                                        a->host ?: "this host", b->host ?: "this host", a->picture.node_id);
                }
        return r;
}

static int judge_versions(struct cluster *cluster, const char *what, size_t offset) {
        const struct member *first = NULL;

        for (size_t i = 0; i < cluster->n_members; i++) {
                const struct member *m = cluster->members[i];
                const char *version = is_known(m) ? *(char *const *) ((const char *) &m->picture + offset) : NULL;

                if (isempty(version))
                        continue;
                if (!first)
                        first = m;
                else if (!streq(*(char *const *) ((const char *) &first->picture + offset), version))
                        return add(cluster, "versions", false, "Different versions of %s: %s has %s, %s has %s.", what,
                                   member_name(first), *(char *const *) ((const char *) &first->picture + offset),
                                   member_name(m), version);
        }
        return 0;
}

/* What does not touch the data, but somebody should know. */
static int judge_rest(struct cluster *cluster, const struct member *m) {
        const struct picture *p = &m->picture;
        int r = 0;

        if (!is_known(m))
                return 0;
        if (strncmp(p->targets ?: "", "failed", strlen("failed")) == 0)
                r = add(cluster, "target", false, "The role target of %s %s", member_name(m), p->targets);
        for (size_t i = 0; r >= 0 && i < p->n_inhibitors; i++)
                r = add(cluster, "inhibited", false, "%s inhibits orders on %s: %s.", p->inhibitors[i].who, member_name(m),
                        p->inhibitors[i].why);
        return r;
}

int cluster_judge(struct cluster *cluster) {
        int r;

        for (size_t i = 0; i < cluster->n_problems; i++)
                free(cluster->problems[i].words);
        cluster->n_problems = 0;

        r = judge_masters(cluster);
        for (size_t i = 0; r >= 0 && i < cluster->n_members; i++)
                r = judge_reach(cluster, cluster->members[i]);
        if (r >= 0)
                r = judge_names(cluster);
        for (size_t i = 0; r >= 0 && i < cluster->n_members; i++)
                if (is_known(cluster->members[i]))
                        r = judge_follower(cluster, cluster->members[i]);
        if (r >= 0)
                r = judge_versions(cluster, "ConfD", offsetof(struct picture, confd_version));
        if (r >= 0)
                r = judge_versions(cluster, "confd-ha", offsetof(struct picture, version));
        for (size_t i = 0; r >= 0 && i < cluster->n_members; i++)
                r = judge_rest(cluster, cluster->members[i]);
        return r;
}

bool cluster_is_well(const struct cluster *cluster) {
        for (size_t i = 0; i < cluster->n_problems; i++)
                if (cluster->problems[i].fatal)
                        return false;
        return true;
}
