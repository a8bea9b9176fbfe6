/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts as -H takes them, and the command lines of ssh that reach them. */
#pragma once

#include <stdint.h>

#include "basic/util.h"

struct ssh_host {
        char *copy;            /* what the others point into */
        const char *host;      /* [USER@]HOST */
        const char *port;      /* NULL if not given */
        const char *container; /* NULL if not given */
};

/* [USER@]HOST[:PORT][/CONTAINER], as libsystemd takes it. -EINVAL, -ENOMEM */
_must_check_ int ssh_host_parse(struct ssh_host *h, const char *text);
void ssh_host_done(struct ssh_host *h);
#define _cleanup_ssh_host_ _cleanup_(ssh_host_done)

enum { SSH_WORDS_MAX = 16 };

/* The words of the command line, without those of the command that runs over there: ssh itself, its options, the host.
 * timeout_usec: how long a connection may take to be made, USEC_INFINITY for ssh's own idea. batch: never ask the user.
 * Returns how many words; `buf` is what some of them point into. */
enum { SSH_BUF_MAX = 64 };
size_t ssh_words(const struct ssh_host *h, uint64_t timeout_usec, bool batch, const char *words[SSH_WORDS_MAX],
                 char buf[SSH_BUF_MAX]);

/* The address of the bus over there for sd-bus: those words, never asking the user, with those of the bridge. -ENAMETOOLONG */
enum { SSH_ADDRESS_MAX = 2048 };
_must_check_ int ssh_bus_address(const struct ssh_host *h, uint64_t timeout_usec, char address[SSH_ADDRESS_MAX]);
