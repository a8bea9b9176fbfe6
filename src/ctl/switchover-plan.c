/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what has to hold before a switchover, and its plan. */
#include <stdio.h>

#include "ctl/complain.h"
#include "ctl/switchover.h"
#include "ctl/text.h"

#define ASK_USEC (5 * USEC_PER_SEC)

void switchover_done(struct switchover *s) {
        for (size_t i = 0; s->ids && i < s->cluster->n_members; i++)
                free(s->ids[i]);
        free(s->ids);
        free(s->from_id);
        free(s->from_address);
        free(s->to_id);
        free(s->to_address);
        *s = (struct switchover) {};
}

/* An agent of a cluster manager whose unit is active there: NULL if there is none, or nobody can say. */
static const char *find_manager(const struct member *m, const char **ret_command) {
        static const struct {
                const char *path, *unit, *command;
        } managers[] = {
                { "pacemaker_2eservice", "pacemaker.service",
                  "crm_resource --move --resource CLONE --node NODE --promoted" },
                { "confd_2dha_2dkeepalived_2eservice", "confd-ha-keepalived.service",
                  "systemctl restart keepalived.service at the present master (with nopreempt the other one takes over)" },
        };

        for (size_t i = 0; i < ELEMENTSOF(managers); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
                char path[128];
                const char *active;
                int r;

                snprintf(path, sizeof(path), "/org/freedesktop/systemd1/unit/%s", managers[i].path);
                r = sd_bus_message_new_method_call(m->bus, &call, "org.freedesktop.systemd1", path,
                                                   "org.freedesktop.DBus.Properties", "Get");
                if (r >= 0)
                        r = sd_bus_message_set_auto_start(call, false);
                if (r >= 0)
                        r = sd_bus_message_append(call, "ss", "org.freedesktop.systemd1.Unit", "ActiveState");
                if (r >= 0)
                        r = sd_bus_call(m->bus, call, ASK_USEC, NULL, &reply);
                if (r >= 0)
                        r = sd_bus_message_read(reply, "v", "s", &active);
                if (r >= 0 && (streq(active, "active") || streq(active, "reloading"))) {
                        *ret_command = managers[i].command;
                        return managers[i].unit;
                }
        }
        return NULL;
}

static struct member *find(const struct cluster *cluster, const char *to) {
        for (size_t i = 0; i < cluster->n_members; i++)
                if (cluster->members[i]->host && streq(cluster->members[i]->host, to))
                        return cluster->members[i];
        for (size_t i = 0; i < cluster->n_members; i++)
                if (streq(cluster->members[i]->picture.node_id ?: "", to))
                        return cluster->members[i];
        return NULL;
}

/* Where others reach that node: as ConfD told it to the one that it follows. */
static const char *address_of(const struct cluster *cluster, const struct member *m) {
        const struct member *parent = cluster_parent(cluster, m);

        for (size_t i = 0; parent && i < parent->picture.n_slaves; i++)
                if (streq(parent->picture.slaves[i].id, m->picture.node_id) && !isempty(parent->picture.slaves[i].address))
                        return parent->picture.slaves[i].address;
        return NULL;
}

static enum ctl_exit refuse(struct cluster *cluster, const char *advice, const char *words) {
        complain(cluster->c, CTL_ERROR_FAILED, advice, "Not switched over: %s", words);
        return CTL_FAILED;
}

/* The first of the cluster's problems that stands in the way. */
static enum ctl_exit check_problems(struct cluster *cluster) {
        for (size_t i = 0; i < cluster->n_problems; i++) {
                const struct problem *p = cluster->problems + i;

                if (p->fatal || (streq(p->kind, "inhibited") && !cluster->c->ignore_inhibitors))
                        return refuse(cluster, p->fatal ? "confd-hactl cluster shows all that is wrong."
                                                        : "Wait until it is over, or add --ignore-inhibitors.", p->words);
        }
        return CTL_DONE;
}

static enum ctl_exit check_managers(struct cluster *cluster) {
        for (size_t i = 0; i < cluster->n_members; i++) {
                const char *command, *unit = find_manager(cluster->members[i], &command);
                _cleanup_free_ char *words = NULL, *advice = NULL;

                if (!unit)
                        continue;
                if (asprintf(&words, "%s of %s is in charge of the roles, and would undo it.", unit,
                             member_name(cluster->members[i])) < 0 ||
                    asprintf(&advice, "Have it move the master: %s", command) < 0)
                        return CTL_FAILED;
                return refuse(cluster, advice, words);
        }
        return CTL_DONE;
}

static int remember(struct switchover *s) {
        struct cluster *cluster = s->cluster;
        int r;

        s->ids = calloc(cluster->n_members, sizeof(*s->ids));
        r = s->ids ? free_and_strdup(&s->from_id, s->from->picture.node_id) : -ENOMEM;
        if (r >= 0)
                r = free_and_strdup(&s->to_id, s->to->picture.node_id);
        if (r >= 0)
                r = free_and_strdup(&s->to_address, address_of(cluster, s->to));
        for (size_t i = 0; r >= 0 && i < cluster->n_members; i++) {
                const struct picture *p = &cluster->members[i]->picture;

                r = free_and_strdup(s->ids + i, p->node_id);
                if (r >= 0 && streq(p->master.id ?: "", s->from_id))
                        r = free_and_strdup(&s->from_address, p->master.address);
        }
        return r;
}

enum ctl_exit switchover_prepare(struct switchover *s, struct cluster *cluster, const char *to) {
        _cleanup_free_ char *printable = text_printable(to);
        struct ctl *c = cluster->c;
        enum ctl_exit status;

        s->cluster = cluster;
        s->step_usec = c->timeout;
        s->to = find(cluster, to);
        if (!s->to) {
                complain(c, CTL_ERROR_USAGE, NULL, "%s is none of the hosts, and no id of their nodes.", printable ?: "?");
                return CTL_USAGE;
        }
        if (cluster->master == s->to) {
                notice(c, "%s is master already.", printable ?: "?");
                return CTL_DONE;
        }
        status = check_problems(cluster);
        if (status == CTL_DONE)
                status = check_managers(cluster);
        if (status != CTL_DONE)
                return status;
        s->from = cluster->master;
        if (remember(s) < 0)
                return refuse(cluster, NULL, "no memory.");
        if (isempty(s->to_address))
                return refuse(cluster, NULL, "nobody knows the address by which the others would follow it.");
        return CTL_DONE;
}

void switchover_print_plan(const struct switchover *s) {
        _cleanup_free_ char *from = text_printable(s->from_id), *to = text_printable(s->to_id),
                            *address = text_printable(s->to_address);
        bool relays = false;
        unsigned n = 1;

        printf("The master's role moves from %s to %s:\n", from ?: "?", to ?: "?");
        printf("%4u. %s ends its role (be-none), and its role target is down before anything else\n", n++, from ?: "?");
        printf("%4u. %s becomes master (take-over %s %s)\n", n++, to ?: "?", to ?: "?", from ?: "?");
        for (size_t i = 0; i < s->cluster->n_members; i++) {
                const struct member *m = s->cluster->members[i];
                _cleanup_free_ char *id = text_printable(m->picture.node_id);

                relays = relays || streq(picture_state(&m->picture), "slave-relay");
                if (m != s->to)
                        printf("%4u. %s follows it (be-slave %s %s %s)\n", n++, id ?: "?", id ?: "?", to ?: "?", address ?: "?");
        }
        if (relays)
                printf("Relays are relays no more: all follow %s directly.\n", to ?: "?");
}
