/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which of the strangers goes when there are too many of them. */
#include <assert.h>

#include "node/replication/master-internal.h"

/* Places for hosts: more than there can be strangers, so that there is always a free one. */
enum { HOSTS_MAX = 1024 };

/* How far one has come. */
enum standing {
        STANDING_REFUSED,
        STANDING_SILENT,  /* has said nothing, as everybody at first */
        STANDING_BEGUN,   /* stands in the middle of the greeting */
        STANDING_GREETED, /* has to prove itself */
        STANDING_PROVEN,  /* has to join */
        STANDINGS,
};

/* So many of each are kept whoever else comes, so that those who have come less far can go on, and those who have come further do
 * not go for them. */
static const size_t kept[STANDINGS] = { 16, 64, 32, 64, 128 };
static_assert(16 + 64 + 32 + 64 + 128 < STRANGERS_MAX, "or nobody would have to go");

static enum standing standing_of(const struct remote *r) {
        if (r->state == REMOTE_REFUSED)
                return STANDING_REFUSED;
        switch (peer_progress(r->peer)) {
        case HOP_SILENT:
                return STANDING_SILENT;
        case HOP_BEGUN:
                return STANDING_BEGUN;
        case HOP_GREETED:
                return STANDING_GREETED;
        default:
                return STANDING_PROVEN;
        }
}

/* Where strangers come from. Who has one IPv6 address has the whole /64. */
struct host {
        struct remote *slowest; /* of its strangers; NULL: no host */
        size_t n;
};

static size_t host_bytes(const struct node_address *a) {
        return a->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr) / 2;
}

static bool same_host(const struct node_address *a, const struct node_address *b) {
        return a->family == b->family && memcmp(&a->ip6, &b->ip6, host_bytes(a)) == 0;
}

static struct host *find_host(struct host hosts[static HOSTS_MAX], const struct node_address *a) {
        const uint8_t *p = (const uint8_t *) &a->ip6;
        uint32_t hash = 2166136261;

        for (size_t i = 0; i < host_bytes(a); i++)
                hash = (hash ^ p[i]) * 16777619;
        while (hosts[hash % HOSTS_MAX].slowest && !same_host(&hosts[hash % HOSTS_MAX].slowest->address, a))
                hash++;
        return &hosts[hash % HOSTS_MAX];
}

/* Whoever else comes, and however many, the one stays that has the token and goes on: of those that have come least far, if there are
 * more of them than are kept, the host that has the most loses the one that took its last step longest ago. There are few steps, so
 * nobody stays by taking many. This is done for each one of a flood, so it does not look at each for each. */
void strangers_make_room(struct master *m) {
        struct host hosts[HOSTS_MAX] = {}, *host, *most = &hosts[0];
        size_t n = 0, standings[STANDINGS] = {};
        enum standing lowest = 0;
        struct remote *r;

        TAILQ_FOREACH(r, &m->remotes, remotes)
                if (!remote_is_joined(r)) {
                        standings[standing_of(r)]++;
                        n++;
                }
        if (n < STRANGERS_MAX)
                return;
        while (standings[lowest] <= kept[lowest])
                lowest++; /* together they are more than are kept, so some are */
        TAILQ_FOREACH(r, &m->remotes, remotes) {
                if (remote_is_joined(r) || standing_of(r) != lowest)
                        continue;
                host = find_host(hosts, &r->address);
                if (!host->slowest || peer_last_step(r->peer) < peer_last_step(host->slowest->peer))
                        host->slowest = r;
                host->n++;
                if (host->n > most->n)
                        most = host;
        }
        if (most->slowest)
                remote_drop(most->slowest, "");
}
