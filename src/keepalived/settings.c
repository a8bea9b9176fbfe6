/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of keepalived.conf of confd-ha. */
#include <arpa/inet.h>
#include <stdio.h>

#include "basic/node-name.h"
#include "basic/ini-config.h"
#include "basic/parse.h"
#include "keepalived/settings.h"

#define DEFAULT_FILE CONFD_HA_SYSCONFDIR "/confd-ha/keepalived.conf"
#define DEFAULT_PORT 4570

const char *settings_file_name(const char *file) {
        return file ?: DEFAULT_FILE;
}

void settings_done(struct settings *s) {
        free(s->id);
        free(s->peer_id);
        free(s->peer_address);
        free(s->instance);
        free(s->peer_instance);
        *s = (struct settings) {};
}

static int parse_id(const char *value, void *target, const char **ret_why) {
        *ret_why = "not a node id: 1 to 127 bytes of UTF-8 without control characters";
        return node_id_is_valid(value) ? free_and_strdup(target, value) : -EINVAL;
}

static int parse_ip(const char *value, void *target, const char **ret_why) {
        struct in6_addr a;

        *ret_why = "neither an IPv4 nor an IPv6 address";
        if (inet_pton(AF_INET, value, &a) != 1 && inet_pton(AF_INET6, value, &a) != 1)
                return -EINVAL;
        return free_and_strdup(target, value);
}

static int parse_port(const char *value, void *target, const char **ret_why) {
        *ret_why = "not a port, 1 to 65535";
        return parse_unsigned(value, 1, UINT16_MAX, target);
}

static const struct ini_key keys[] = {
        { "Node", "Id", parse_id, offsetof(struct settings, id) },
        { "Peer", "Id", parse_id, offsetof(struct settings, peer_id) },
        { "Peer", "Address", parse_ip, offsetof(struct settings, peer_address) },
        { "Peer", "HaPort", parse_port, offsetof(struct settings, peer_port) },
        { "Keepalived", "Instance", config_parse_string, offsetof(struct settings, instance) },
        { "Keepalived", "PeerInstance", config_parse_string, offsetof(struct settings, peer_instance) },
        {}
};

int settings_load(struct settings *ret, const char *file, char **ret_error) {
        _cleanup_settings_ struct settings s = { .peer_port = DEFAULT_PORT };
        const char *missing;
        int r;

        r = ini_config_load(settings_file_name(file), /* required= */ file != NULL, keys, &s, ret_error);
        if (r < 0)
                return r;
        missing = !s.id ? "[Node] Id=" : !s.peer_id ? "[Peer] Id=" : !s.peer_address ? "[Peer] Address=" : NULL;
        if (missing || streq(s.id, s.peer_id)) {
                if (asprintf(ret_error, missing ? "%s: %s is missing" : "%s: both nodes have one id%.0s",
                             settings_file_name(file), missing ?: "") < 0)
                        *ret_error = NULL;
                return -EINVAL;
        }
        *ret = s;
        s = (struct settings) {};
        return 0;
}
