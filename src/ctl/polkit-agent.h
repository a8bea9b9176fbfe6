/* SPDX-License-Identifier: Apache-2.0 */
/* pkttyagent as a child, which asks polkit's questions on the terminal, as systemctl has it. */
#pragma once

#include "ctl/ctl.h"

/* Starts the agent and waits (10 s at most) until it is registered with polkit. Nothing happens, and that is success,
 * where there is nobody to ask: --no-ask-password, another machine, root (who needs no polkit), standard input no
 * terminal, no pkttyagent installed. */
void polkit_agent_open(struct ctl *c);

/* Ends it and waits for it, so that the terminal is as it was. */
void polkit_agent_close(struct ctl *c);
