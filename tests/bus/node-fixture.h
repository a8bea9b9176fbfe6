/* SPDX-License-Identifier: Apache-2.0 */
/* Real nodes on the bus of a test (harness.h). */
#pragma once

#include "harness.h"

#define NAME "org.confd.HANode"
#define PATH "/org/confd/HANode"
#define ERROR(e) NAME ".Error." e

/* Nodes of one test find each other on one port, at addresses that no other test that runs now has. */
const char *address_of(struct fixture *f, unsigned number);

/* Node `number`, with data of its own. more: one more argument, or NULL. */
void start_node(struct fixture *f, struct child *c, unsigned number, const char *bus_name, const char *more);

/* A setup of a test: node 1 is the service, and has its name. */
int setup_with(void **state, const char *more);

/* The HA controller of that node, once it listens. The socket is the caller's. */
int connect_ha(struct fixture *f, unsigned number);
void be_master(struct fixture *f, int sock);
void be_slave(struct fixture *f, int sock, unsigned number); /* of node 1, and waits for it */

/* So many of the same character. Freed by the caller. */
char *filled(char c, size_t n);

/* Some ask for everything many times at once, and do not read it: soon the bus takes nothing more of the node. */
enum { GREEDY = 4, MIB = 1024 * 1024 };
void open_greedy(struct fixture *f, sd_bus *greedy[static GREEDY]);
void close_greedy(sd_bus *greedy[static GREEDY]);
