/* SPDX-License-Identifier: Apache-2.0 */
/* Paging of long output, by the rules and environment variables of systemctl. */
#pragma once

#include "ctl/ctl.h"

/* From here on standard output goes to a pager, if it is a terminal and neither --no-pager nor the environment speaks
 * against it. */
void pager_open(struct ctl *c);

/* Ends the output and waits until the reader has closed the pager. */
void pager_close(struct ctl *c);
