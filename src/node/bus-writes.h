/* SPDX-License-Identifier: Apache-2.0 */
/* The Applies of the data interface, from the call until their transaction is stored, or is not. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/util.h"
#include "node/store/transaction.h"

#define NODE_BUS_INTERFACE "org.confd.HANode"
#define NODE_BUS_ERROR(name) NODE_BUS_INTERFACE ".Error." name
#define NODE_BUS_ENDING "The node is ending; try again when it is back, or at whoever is master then"

enum {
        BUS_APPLIES_MAX = 512,   /* in flight; one more is Busy, as is one past the bytes that the store queues */
        BUS_APPLIES_KEPT = 128,  /* of these for callers who have none in flight: who floods keeps nobody else out */
};

struct bus_writes;

/* As peers_commit(). */
typedef int (*bus_commit_fn)(struct transaction *t, transaction_stored_fn fn, void *fn_userdata, void *userdata);

_must_check_ int bus_writes_new(bus_commit_fn commit, void *userdata, struct bus_writes **ret);
/* Gives up what is under way. Returns NULL, takes NULL. */
struct bus_writes *bus_writes_free(struct bus_writes *w);
DEFINE_CLEANUP(struct bus_writes *, bus_writes_free)

/* Takes the call of an Apply. 1: its answer comes later, from the loop; negative, or set in `error`: that is the answer. */
_must_check_ int bus_writes_add(struct bus_writes *w, sd_bus_message *m, sd_bus_error *error);

/* How many have no answer yet. */
unsigned bus_writes_under_way(const struct bus_writes *w);

/* Takes no more of them (Busy), for the end of the node, and calls fn whenever none is under way: at once if none is. */
typedef void (*bus_idle_fn)(void *userdata);
void bus_writes_end(struct bus_writes *w, bus_idle_fn fn, void *userdata);

/* Takes no more either, and answers those that are under way: they are uncertain. */
void bus_writes_give_up(struct bus_writes *w);

/* Sets the error of a key that is none, and returns as sd_bus_error_set(). */
int bus_bad_key(sd_bus_error *error);
