/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the conversions between text on the bus and the client library's types. */
#include <arpa/inet.h>
#include <stdio.h>

#include "basic/escape.h"
#include "service/convert.h"

int master_address_normalize(const char *s, bool strings, char **ret) {
        char text[INET_ADDRSTRLEN];
        struct in6_addr in6;
        struct in_addr in;
        size_t n = strlen(s);
        char *t;

        if (inet_pton(AF_INET6, s, &in6) == 1) {
                if (IN6_IS_ADDR_V4MAPPED(&in6))
                        s = inet_ntop(AF_INET, &in6.s6_addr[12], text, sizeof(text));
        } else if (inet_pton(AF_INET, s, &in) != 1 && (!strings || n == 0 || n > ADDRESS_STRING_MAX || !utf8_is_plain(s, n)))
                return -EINVAL;
        t = strdup(s);
        if (!t)
                return -ENOMEM;
        *ret = t;
        return 0;
}

void node_id_fill(confd_value_t *value, const char *id) {
        CONFD_SET_BUF(value, id, strlen(id));
}

void node_fill(struct confd_ha_node *node, const char *id, const char *address) {
        memset(node, 0, sizeof(*node));
        node_id_fill(&node->nodeid, id);
        if (inet_pton(AF_INET, address, &node->addr.ip4) == 1)
                node->af = AF_INET;
        else if (inet_pton(AF_INET6, address, &node->addr.ip6) == 1)
                node->af = AF_INET6;
        else {
                node->af = AF_UNSPEC;
                node->addr.str = (char *) address;
        }
}

enum ha_state ha_state_from_status(const struct confd_ha_status_reply *status) {
        switch (status->state) {
        case CONFD_HA_STATE_NONE:
                return HA_STATE_NONE;
        case CONFD_HA_STATE_SLAVE:
                return HA_STATE_SLAVE;
        case CONFD_HA_STATE_MASTER:
                return HA_STATE_MASTER;
        case CONFD_HA_STATE_SLAVE_RELAY:
                return HA_STATE_SLAVE_RELAY;
        }
        return HA_STATE_UNKNOWN;
}

/* One allocation whatever the number of nodes: the lengths first, then the text in place. */
int node_list_from_status(const struct confd_ha_status_reply *status, struct node_list **ret) {
        size_t size = sizeof(struct node_list) + status->num_nodes * sizeof(struct node);
        struct node_list *l;
        char *text, *end;

        for (unsigned i = 0; i < status->num_nodes; i++)
                size += confd_ha_format_id(&status->nodes[i].id, NULL, 0) +
                        confd_ha_format_address(&status->nodes[i].address, NULL, 0) + 2;
        l = malloc(size);
        if (!l)
                return -ENOMEM;
        l->n = status->num_nodes;
        text = (char *) &l->nodes[l->n];
        end = (char *) l + size;
        for (unsigned i = 0; i < status->num_nodes; i++) {
                l->nodes[i].id = text;
                text += confd_ha_format_id(&status->nodes[i].id, text, (size_t) (end - text)) + 1;
                l->nodes[i].address = text;
                text += confd_ha_format_address(&status->nodes[i].address, text, (size_t) (end - text)) + 1;
        }
        *ret = l;
        return 0;
}

static char *format_with(size_t (*format)(const struct confd_ha_term *, char *, size_t), const struct confd_ha_term *term) {
        size_t n = format(term, NULL, 0);
        char *t = malloc(n + 1);

        if (t)
                (void) format(term, t, n + 1);
        return t;
}

char *format_id(const struct confd_ha_term *id) {
        return format_with(confd_ha_format_id, id);
}

char *format_address(const struct confd_ha_term *address) {
        return format_with(confd_ha_format_address, address);
}

const char *format_confd_version(uint32_t version, char buf[static 16]) {
        char *p = buf;

        *p = 0;
        for (; version != 0; version <<= 8)
                p += sprintf(p, "%s%u", p == buf ? "" : ".", version >> 24);
        return buf;
}

int append_statistics(sd_bus_message *m, const struct statistics *s) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "ata(sstat)");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 't', statistics_bounds, sizeof(statistics_bounds));
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sstat)");
        for (size_t i = 0; i < s->n_rows && r >= 0; i++) {
                const struct statistics_row *row = s->rows + i;

                r = sd_bus_message_open_container(m, 'r', "sstat");
                if (r >= 0)
                        r = sd_bus_message_append(m, "sst", row->kind, row->outcome, row->sum_usec);
                if (r >= 0)
                        r = sd_bus_message_append_array(m, 't', row->counts, sizeof(row->counts));
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}
