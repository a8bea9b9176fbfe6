/* SPDX-License-Identifier: Apache-2.0 */
/* Signals to be emitted, with what the journal says beside them, and lists of them. */
#pragma once

#include "basic/util.h"

/* In the order in which signals of one moment are emitted. */
enum signal_kind {
        SIGNAL_MASTER_LOST,
        SIGNAL_SLAVE_DIED,
        SIGNAL_SLAVE_ARRIVED,
        SIGNAL_SLAVE_INITIALIZED,
        SIGNAL_STATE_CHANGED,
        SIGNAL_BESLAVE_RESULT,
};

struct signal {
        enum signal_kind kind;
        unsigned group;   /* signals of a later group come after all of an earlier one */
        uint64_t stamp;
        bool by_copy;     /* SLAVE_INITIALIZED */
        char *args[3];    /* as the signal has them */
        char *node_id;    /* for the journal: this node, then the master that it had (MASTER_LOST) or has */
        char *master_id;
        char *master_address;
};

struct signal_list {
        struct signal *items;
        size_t n, allocated;
};

/* -ENOMEM. */
_must_check_ int signal_make(struct signal *ret, enum signal_kind kind, const char *a, const char *b, const char *c);
void signal_done(struct signal *g);

/* Takes the signal over, also when it fails: -ENOMEM. */
_must_check_ int signal_list_add(struct signal_list *l, struct signal g);
void signal_list_remove(struct signal_list *l, size_t i);
void signal_list_done(struct signal_list *l);
/* Takes the i-th out and leaves an empty one in its place. */
struct signal signal_list_take(struct signal_list *l, size_t i);
/* By group, then by kind, then by stamp. */
void signal_list_sort(struct signal_list *l);

/* Whether one of the list is of this kind and, unless id is NULL, about these. */
bool signal_list_tells(const struct signal_list *l, enum signal_kind kind, const char *id, const char *address);

/* Whether the first two arguments are these. */
bool signal_is_about(const struct signal *g, const char *id, const char *address);
