/* SPDX-License-Identifier: Apache-2.0 */
/* What the packaged unit hides from the service, for messages that would lead astray otherwise. Pure. */
#pragma once

#include <stdbool.h>

/* Whether confd-ha.service hides this path from the service, or has its own there. */
bool sandbox_hides(const char *path);
