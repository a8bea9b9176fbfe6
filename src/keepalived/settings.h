/* SPDX-License-Identifier: Apache-2.0 */
/* What confd-ha-keepalived reads from its file: who this node is, and who the other one. */
#pragma once

#include "basic/util.h"

struct settings {
        char *id;            /* of this node at ConfD */
        char *peer_id;
        char *peer_address;  /* its HA address, never the virtual one */
        uint64_t peer_port;  /* where its ConfD listens for slaves while it is master */
        char *instance;      /* the VRRP instance whose state is the role; empty: every one that is not the next */
        char *peer_instance; /* the one in which the peer is master while it lives; empty: none */
};

/* The default file if `file` is NULL; then it may be missing. -EINVAL and the like with *ret_error set to words (free it)
 * that name file and line, or say what has to be there. */
_must_check_ int settings_load(struct settings *ret, const char *file, char **ret_error);
void settings_done(struct settings *s);
#define _cleanup_settings_ _cleanup_(settings_done)

const char *settings_file_name(const char *file);
