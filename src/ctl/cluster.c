/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the members and the loop that serves them. */
#include "ctl/cluster.h"

static void on_member(struct member *m, void *userdata) {
        struct cluster *cluster = userdata;

        if (cluster->changed)
                cluster->changed(cluster, cluster->userdata);
}

static bool all_done(struct cluster *cluster, void *userdata) {
        for (size_t i = 0; i < cluster->n_members; i++)
                if (!member_is_done(cluster->members[i]))
                        return false;
        return true;
}

int cluster_run_until(struct cluster *cluster, cluster_predicate fn, void *userdata, uint64_t usec) {
        uint64_t deadline = usec_add(now_monotonic(), usec);
        int r;

        while (!fn(cluster, userdata)) {
                uint64_t now = now_monotonic();

                if (now >= deadline)
                        return -ETIMEDOUT;
                r = sd_event_run(cluster->event, deadline == USEC_INFINITY ? UINT64_MAX : deadline - now);
                if (r < 0)
                        return r;
        }
        return 0;
}

int cluster_open(struct cluster *cluster, struct ctl *c, char **hosts, uint64_t timeout, bool follow) {
        size_t n = 0;
        int r;

        while (hosts && hosts[n])
                n++;
        n = MAX(n, (size_t) 1);
        *cluster = (struct cluster) { .c = c };
        cluster->members = calloc(n, sizeof(struct member *));
        r = cluster->members ? sd_event_new(&cluster->event) : -ENOMEM;
        for (; r >= 0 && cluster->n_members < n; cluster->n_members += r >= 0)
                r = member_new(cluster->members + cluster->n_members, c, hosts ? hosts[cluster->n_members] : NULL,
                               cluster->event, timeout, follow, on_member, cluster);
        return r;
}

int cluster_wait(struct cluster *cluster) {
        int r;

        r = cluster_run_until(cluster, all_done, NULL, USEC_INFINITY);
        return r < 0 ? r : cluster_judge(cluster);
}

void cluster_done(struct cluster *cluster) {
        for (size_t i = 0; i < cluster->n_members; i++)
                member_free(cluster->members[i]);
        free(cluster->members);
        for (size_t i = 0; i < cluster->n_problems; i++)
                free(cluster->problems[i].words);
        free(cluster->problems);
        sd_event_unref(cluster->event);
        *cluster = (struct cluster) {};
}
