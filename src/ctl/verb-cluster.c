/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl cluster`, and the views that stay on the terminal: of a cluster, and of one host for status. */
#include <stdio.h>

#include "ctl/cluster.h"
#include "ctl/complain.h"
#include "ctl/ctl-config.h"
#include "ctl/live.h"
#include "ctl/pager.h"
#include "ctl/status-view.h"
#include "ctl/verbs.h"

struct view {
        struct cluster *cluster;
        struct live *live;
};

static void on_change(struct cluster *cluster, void *userdata) {
        live_changed(((struct view *) userdata)->live);
}

static int draw_cluster(void *userdata) {
        struct view *v = userdata;
        int r;

        r = cluster_judge(v->cluster);
        return r < 0 ? r : cluster_print(v->cluster);
}

static int draw_status(void *userdata) {
        const struct member *m = ((struct view *) userdata)->cluster->members[0];
        const struct slave_ages none = {};

        if (m->state == MEMBER_KNOWN)
                status_print(&m->picture, &none);
        else
                printf("%s\n", m->state == MEMBER_ASKING ? "Asking ..." : m->failure ?: "no answer");
        return 0;
}

static enum ctl_exit watch_it(struct ctl *c, struct cluster *cluster, live_draw_fn draw) {
        struct view v = { .cluster = cluster };
        int r;

        if (c->json != JSON_OFF) {
                complain(c, CTL_ERROR_USAGE, "For programs there is confd-hactl monitor --json=short.",
                         "--watch is for people: it goes with no --json=.");
                return CTL_USAGE;
        }
        r = live_new(&v.live, cluster->event, c->watch_period, draw, &v);
        if (r < 0) {
                complain(c, CTL_ERROR_FAILED, NULL, "--watch needs a terminal%s%s",
                         r == -ENOTTY ? "" : ": ", r == -ENOTTY ? "" : strerror(-r));
                return r == -ENOTTY ? CTL_USAGE : CTL_FAILED;
        }
        cluster->changed = on_change;
        cluster->userdata = &v;
        r = live_run(v.live);
        live_free(v.live);
        cluster->changed = NULL;
        cluster->userdata = NULL;
        if (r < 0)
                complain(c, CTL_ERROR_FAILED, NULL, "Cannot go on: %s", strerror(-r));
        return r < 0 ? CTL_FAILED : CTL_DONE;
}

enum ctl_exit watch_status(struct ctl *c) {
        _cleanup_cluster_ struct cluster cluster = {};
        int r;

        r = cluster_open(&cluster, c, NULL, MIN(c->timeout, CLUSTER_TIMEOUT_SEC * USEC_PER_SEC), /* follow= */ true);
        if (r < 0) {
                complain(c, CTL_ERROR_FAILED, NULL, "Cannot ask: %s", strerror(-r));
                return CTL_FAILED;
        }
        return watch_it(c, &cluster, draw_status);
}

enum ctl_exit verb_cluster(struct ctl *c, char **args) {
        _cleanup_cluster_ struct cluster cluster = {};
        char **hosts = NULL;
        enum ctl_exit status;
        int r;

        if (c->host || c->machine || c->address) {
                complain(c, CTL_ERROR_USAGE, NULL, "cluster takes its hosts as arguments: confd-hactl cluster HOST...");
                return CTL_USAGE;
        }
        r = ctl_hosts(c, args + 1, &hosts);
        if (r < 0)
                return CTL_USAGE;
        r = cluster_open(&cluster, c, hosts, c->timeout, c->watch);
        if (r >= 0 && !c->watch)
                r = cluster_wait(&cluster);
        ctl_hosts_free(hosts);
        if (r < 0) {
                complain(c, CTL_ERROR_FAILED, NULL, "Cannot ask the hosts: %s", strerror(-r));
                return CTL_FAILED;
        }
        if (c->watch)
                return watch_it(c, &cluster, draw_cluster);
        pager_open(c);
        status = cluster_is_well(&cluster) ? CTL_DONE : CTL_FAILED;
        return cluster_print(&cluster) < 0 ? CTL_FAILED : status;
}
