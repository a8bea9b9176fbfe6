/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the wording of the status line. */
#include <stdio.h>

#include "basic/node-name.h"
#include "service/status-text.h"

/* ConfD may report ids of any length; what is longer than an id can be here is cut, between characters. */
static void print_cut(FILE *f, const char *s) {
        size_t n = strlen(s);

        if (n > NODE_ID_MAX) {
                n = NODE_ID_MAX;
                while (n > 0 && (s[n] & 0xc0) == 0x80)
                        n--;
        }
        fprintf(f, "%.*s%s", (int) n, s, s[n] ? "..." : "");
}

static void print_node(FILE *f, const char *id, const char *address) {
        print_cut(f, id);
        fputs(" (", f);
        print_cut(f, address);
        fputs(")", f);
}

static void print_peers(FILE *f, const struct node_list *l) {
        size_t n = node_list_size(l);

        fprintf(f, n == 0 ? ", no slaves" : n == 1 ? ", 1 slave" : ", %zu slaves", n);
        for (size_t i = 0; i < n && i < STATUS_TEXT_PEERS_MAX; i++) {
                fputs(i == 0 ? ": " : ", ", f);
                print_node(f, l->nodes[i].id, l->nodes[i].address);
        }
        if (n > STATUS_TEXT_PEERS_MAX)
                fprintf(f, " and %zu more", n - STATUS_TEXT_PEERS_MAX);
}

static void print_role(FILE *f, const struct state *s) {
        const char *id = *s->node_id ? " " : "";

        switch (s->state) {
        case HA_STATE_UNKNOWN:
                fprintf(f, "its role is not known yet");
                break;
        case HA_STATE_NONE:
                fprintf(f, "no role%s%s", id, s->node_id);
                break;
        case HA_STATE_MASTER:
                fprintf(f, "master%s%s", id, s->node_id);
                print_peers(f, s->slaves);
                break;
        case HA_STATE_SLAVE:
        case HA_STATE_SLAVE_RELAY:
                fprintf(f, "%s%s%s", ha_state_to_string(s->state), id, s->node_id);
                if (*s->master_id) {
                        fputs(" of ", f);
                        print_node(f, s->master_id, s->master_address);
                }
                if (s->state == HA_STATE_SLAVE_RELAY)
                        print_peers(f, s->slaves);
                break;
        }
        if (s->synchronizing)
                fprintf(f, ", a BeSlave is under way");
}

char *status_text(const struct state *s, bool polling, const char *targets) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        if (s->connected) {
                fprintf(f, "Connected to ConfD %s at %s: ", s->confd_version, s->confd_address);
                print_role(f, s);
                if (strncmp(targets, "failed: ", strlen("failed: ")) == 0)
                        fprintf(f, "; a role target is not as it is to be: %s", targets + strlen("failed: "));
                if (polling)
                        fprintf(f, "; no event connection, its status is asked for every few seconds");
        } else if (*s->error_name && (s->error_kind == ERROR_KIND_CONNECTION || s->error_kind == ERROR_KIND_ORDER))
                fprintf(f, "Not connected: %s", s->error_message);
        else
                fprintf(f, "Connecting to ConfD at %s", s->confd_address);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}
