/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs: their names, arguments, options, and functions. */
#pragma once

#include "ctl/ctl.h"

/* Options that only some verbs take; a verb's flags say which. */
enum {
        TAKES_NO_WAIT = 1 << 0,
        TAKES_CHECK = 1 << 1, /* --role=, --ready, --in-sync, --wanted=, --targets */
        TAKES_HISTORY = 1 << 2, /* --lines=, --since=, ... */
        TAKES_MARK = 1 << 3,
        TAKES_YES = 1 << 4,
        TAKES_DRY_RUN = 1 << 5,
        TAKES_IGNORE = 1 << 6, /* --ignore-inhibitors */
        TAKES_WHO = 1 << 7,    /* --who=, --why= */
        TAKES_PROPERTY = 1 << 8,
        TAKES_WATCH = 1 << 9,
        TAKES_CONFIG = 1 << 10,
        /* And what a verb is like. */
        MAY_BE_ENDLESS = 1 << 16, /* no time limit by default */
        TAKES_COMMAND = 1 << 18,  /* options end where its arguments begin */
        IS_CLUSTER = 1 << 19,     /* its time limit is CLUSTER_TIMEOUT_SEC, for each host */
        IS_ORDER = 1 << 17,       /* the exit status tells of the order, whatever becomes of the words */
};

struct verb {
        const char *name;
        int min_args, max_args;
        unsigned flags;
        enum ctl_exit (*run)(struct ctl *c, char **args);
        const char *args;
        const char *help; /* NULL for a second name */
};

#define WATCH_MIN_USEC (USEC_PER_SEC / 10)
#define WATCH_DEFAULT_USEC USEC_PER_SEC

enum { CLUSTER_TIMEOUT_SEC = 10, TIMEOUT_DEFAULT_SEC = 30, LINES_DEFAULT = 1000, LINES_FOLLOW = 10, LINES_MAX = 1000000 };

/* The verb of that name, NULL if there is none. */
const struct verb *verb_find(const char *name);

/* Whether the number of arguments is one that the verb takes; says on standard error if not. */
bool verb_takes(struct ctl *c, const struct verb *v, int n_args);

/* Whether the options given (flags) are ones that the verb takes; says on standard error if not. */
bool verb_takes_options(struct ctl *c, const struct verb *v, unsigned given);

/* Prints what --help does. */
void verbs_help(struct ctl *c);
