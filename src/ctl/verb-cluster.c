/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl cluster`, and the views that stay on the terminal: of a cluster, and of one host for status. */
#include <stdio.h>

#include "basic/time-util.h"
#include "ctl/cluster.h"
#include "ctl/complain.h"
#include "ctl/ctl-config.h"
#include "ctl/live.h"
#include "ctl/pager.h"
#include "ctl/slave-ages.h"
#include "ctl/status-view.h"
#include "ctl/verbs.h"

struct view {
        struct cluster *cluster;
        struct live *live;
        /* What the reference node says of its slaves: asked for with the other ages in the view, and at most that often. */
        struct slave_ages ages;
        uint64_t period, asked;
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

static int on_ages(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        struct view *v = userdata;

        slave_ages_done(&v->ages);
        if (!sd_bus_message_is_method_error(reply, NULL) && slave_ages_read(reply, &v->ages) >= 0)
                live_changed(v->live);
        return 0;
}

static void refresh_ages(struct view *v, const struct member *m) {
        uint64_t now = now_monotonic();

        if (m->state != MEMBER_KNOWN || !m->bus || m->picture.n_slaves == 0)
                slave_ages_done(&v->ages);
        else if (v->asked == 0 || now - v->asked >= v->period) {
                v->asked = now;
                if (slave_ages_send(m->bus, on_ages, v) < 0)
                        slave_ages_done(&v->ages);
        }
}

static int draw_status(void *userdata) {
        struct view *v = userdata;
        const struct member *m = v->cluster->members[0];

        refresh_ages(v, m);
        if (m->state == MEMBER_KNOWN)
                status_print(&m->picture, &v->ages);
        else {
                status_print_foreign(m->state == MEMBER_ASKING ? "Asking ..." : m->failure ?: "no answer");
                putchar('\n');
        }
        return 0;
}

static enum ctl_exit watch_it(struct ctl *c, struct cluster *cluster, live_draw_fn draw) {
        struct view v = { .cluster = cluster };
        int r;

        v.period = MAX(c->watch_period, USEC_PER_SEC / 2);
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
        slave_ages_done(&v.ages);
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
