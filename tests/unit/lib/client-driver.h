/* SPDX-License-Identifier: Apache-2.0 */
/* A loop for a client under test, and callbacks that write down what they hear. */
#pragma once

#include <confd_ha_client.h>

#include "erl-process.h"

enum { PATIENCE_USEC = 20 * 1000 * 1000 };

/* What the callbacks have heard. */
struct heard {
        unsigned n;
        int error, code, sent;
        char message[512];
        bool has_status;
        enum confd_ha_status_state state;
        unsigned num_nodes;
        char nodes[1024]; /* id@address, blanks between */
};

struct events {
        unsigned n;
        struct confd_ha_event last;
        char node[256];
        unsigned others;
        uint64_t last_bit;
};

/* Callbacks; userdata is struct heard, or struct events. */
void on_result(confd_ha_client *c, const struct confd_ha_result *r, void *userdata);
void on_order(confd_ha_client *c, const struct confd_ha_result *r, const struct confd_ha_status_reply *s, void *userdata);
void on_event(confd_ha_client *c, const struct confd_ha_event *e, void *userdata);
void on_notification(confd_ha_client *c, uint64_t bit, void *userdata);

/* Steps the client until *n has reached `wanted`; fails the test if that cannot be any more. */
void run_until(confd_ha_client *c, const unsigned *n, unsigned wanted);

/* Steps until the closed callback, with `closed`, has come. */
void run_to_end(confd_ha_client *c, struct heard *closed);

/* Connects, and waits for the outcome. */
void connect_to(struct server *s, confd_ha_client *c, struct heard *h);
