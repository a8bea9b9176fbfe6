/* SPDX-License-Identifier: Apache-2.0 */
/* A picture of one node as status shows it, for people and as JSON. */
#pragma once

#include "view/json.h"
#include "view/picture.h"
#include "ctl/slave-ages.h"

/* On standard output. */
void status_print(const struct picture *p, const struct slave_ages *ages);

/* The members of an open object. */
void status_json_members(struct json *j, const struct picture *p, const struct slave_ages *ages);

/* Standard output, with foreign strings made harmless. */
void status_print_foreign(const char *s);
