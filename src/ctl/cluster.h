/* SPDX-License-Identifier: Apache-2.0 */
/* All hosts of a cluster, side by side, and what is to be said of them together. */
#pragma once

#include "ctl/member.h"

struct problem {
        const char *kind; /* a word for programs */
        bool fatal;       /* one master, and all others follow it with their data in place: not so */
        char *words;
};

struct cluster {
        struct ctl *c;
        sd_event *event;
        struct member **members;
        size_t n_members;
        struct member *master; /* the only one; NULL without or with several */
        struct problem *problems;
        size_t n_problems;
        void (*changed)(struct cluster *cluster, void *userdata);
        void *userdata;
};

/* Begins to ask all hosts (ended by NULL), or with NULL the one that the options name, each within `timeout`. Follows them
 * afterwards if `follow`. */
_must_check_ int cluster_open(struct cluster *cluster, struct ctl *c, char **hosts, uint64_t timeout, bool follow);

/* Returns when each host has answered, has failed, or its time is over; all is judged then. */
_must_check_ int cluster_wait(struct cluster *cluster);
void cluster_done(struct cluster *cluster);
#define _cleanup_cluster_ _cleanup_(cluster_done)

/* Serves the loop until `fn` is true of the cluster or `usec` are over. 0, -ETIMEDOUT or another negative errno. */
typedef bool (*cluster_predicate)(struct cluster *cluster, void *userdata);
_must_check_ int cluster_run_until(struct cluster *cluster, cluster_predicate fn, void *userdata, uint64_t usec);

/* Judges what is known: fills master and problems anew. -ENOMEM */
_must_check_ int cluster_judge(struct cluster *cluster);

/* Whether there is no fatal problem. */
bool cluster_is_well(const struct cluster *cluster);

/* The member that the other one follows, by id; NULL if it is none of the cluster, or it follows nobody. */
struct member *cluster_parent(const struct cluster *cluster, const struct member *m);

/* The table with the words below it, or the JSON, on standard output. */
_must_check_ int cluster_print(const struct cluster *cluster);
