/* SPDX-License-Identifier: Apache-2.0 */
/* Between what stands on the bus and what the client library takes and gives. */
#pragma once

#include <confd_ha_client.h>
#include <systemd/sd-bus.h>

#include "basic/util.h"
#include "service/nodes.h"
#include "service/state.h"
#include "service/statistics.h"

enum { ADDRESS_STRING_MAX = 127 };

/* A master address as a caller gave it, but an IPv4-mapped one as IPv4. With `strings` anything printable of at
 * most ADDRESS_STRING_MAX bytes passes as it is. -EINVAL, -ENOMEM. */
_must_check_ int master_address_normalize(const char *s, bool strings, char **ret);

/* Fills a node for the client, of an address as master_address_normalize() gives it. What it points to is borrowed. */
void node_fill(struct confd_ha_node *node, const char *id, const char *address);
void node_id_fill(confd_value_t *value, const char *id);

/* What ConfD answered. UNKNOWN for a state that there is not. */
enum ha_state ha_state_from_status(const struct confd_ha_status_reply *status);
/* -ENOMEM */
_must_check_ int node_list_from_status(const struct confd_ha_status_reply *status, struct node_list **ret);

/* An id or an address of ConfD's as text. NULL without memory. */
char *format_id(const struct confd_ha_term *id);
char *format_address(const struct confd_ha_term *address);

/* 0x08020500 is "8.2.5", 0 is "". buf has to hold 16 bytes. */
const char *format_confd_version(uint32_t version, char buf[static 16]);

/* The value of the property Orders. What sd-bus says. */
_must_check_ int append_statistics(sd_bus_message *m, const struct statistics *s);
