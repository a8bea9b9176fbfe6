/* SPDX-License-Identifier: Apache-2.0 */
/* A journal that the service alone sees: each entry becomes a line, its fields in the order in which they were sent:
 *
 *      {MESSAGE=BeMaster n1: done} {PRIORITY=6} {MESSAGE_ID=...} {CONFD_HA_METHOD=BeMaster}
 */
#pragma once

#include <systemd/sd-event.h>

#include "trace.h"

struct fixture;

struct journal {
        int fd;
        sd_event_source *source;
        struct trace trace;
};

/* Before the service is started; needs root, for the service gets a /run of its own. */
void journal_start(struct fixture *f);
void journal_done(struct journal *j);

/* Waits for the next entry with this message id; entries of other ids are passed over. */
#define JOURNAL_EXPECT(f, id) EXPECT(f, &(f)->journal.trace, "*{MESSAGE_ID=" id "}*")
