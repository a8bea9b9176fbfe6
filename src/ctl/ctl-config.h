/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of confd-hactl, and the hosts of the cluster. */
#pragma once

#include "ctl/ctl.h"

enum { HOSTS_MAX = 256 };

/* The hosts that `args` (ended by NULL, without the verb) names, or else those of Hosts= in the configuration; to be freed,
 * with what it points at, by ctl_hosts_free(). "." is this host. 0, or a negative errno after complaining. */
_must_check_ int ctl_hosts(struct ctl *c, char **args, char ***ret_hosts);
char **ctl_hosts_free(char **hosts);
