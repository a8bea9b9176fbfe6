/* SPDX-License-Identifier: Apache-2.0 */
/* What this program's rules need to know of the service's properties. */
#pragma once

#include "keepalived/plan.h"
#include "keepalived/settings.h"
#include "view/names.h"
#include "view/picture.h"

struct node_view view_of(const struct picture *p, const struct settings *s);
