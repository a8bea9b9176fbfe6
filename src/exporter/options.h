/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of confd-ha-exporter. */
#pragma once

#include "exporter/http.h"

struct exporter_options {
        const char *listen[HTTP_LISTENERS_MAX];
        size_t n_listen;
};

/* 1: go on; 0: done; -EINVAL: told what is wrong. */
_must_check_ int exporter_options_parse(int argc, char *argv[], struct exporter_options *ret);
