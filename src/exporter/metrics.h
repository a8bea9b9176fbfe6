/* SPDX-License-Identifier: Apache-2.0 */
/* The service's properties as metrics, in the text form of OpenMetrics 1.0 or of Prometheus (0.0.4). Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "view/picture.h"

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };

/* The form that a client wants, from its Accept header (NULL: none): OpenMetrics only for who asks for it. */
enum metrics_format metrics_format_from_accept(const char *accept);
const char *metrics_content_type(enum metrics_format format);

/* p is NULL while nothing is known of the service: then confd_ha_up is 0 and nothing else is told. */
void metrics_write(const struct picture *p, uint64_t now_usec, enum metrics_format format, FILE *f);
