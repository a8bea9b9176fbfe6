/* SPDX-License-Identifier: Apache-2.0 */
/* What each path answers: from a request to what is known of the service, and back. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/util.h"

struct exporter;

/* -ENOMEM and what sd-event returns. */
_must_check_ int exporter_new(sd_event *event, struct exporter **ret);
struct exporter *exporter_free(struct exporter *e);
DEFINE_CLEANUP(struct exporter *, exporter_free)

/* Serves on this listening socket, and owns it from now on, also on failure. */
_must_check_ int exporter_listen(struct exporter *e, int fd);
