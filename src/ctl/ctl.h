/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of confd-hactl share: the options, the exit statuses, the verbs themselves. */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

#include "basic/time-util.h"
#include "basic/util.h"
#include "view/names.h"

/* The contract with scripts; in the man page under EXIT STATUS. */
enum ctl_exit {
        CTL_DONE = 0,
        CTL_FAILED = 1,         /* or a wait timed out; check: no */
        CTL_USAGE = 2,          /* check: cannot tell */
        CTL_NOT_THERE = 3,      /* no bus, no service, or no ConfD */
        CTL_NOT_AUTHORIZED = 4, /* the bus or polkit said no */
        CTL_TIMED_OUT = 5       /* an order or a question: what came of it is not known */
};

enum json_mode { JSON_OFF, JSON_SHORT, JSON_PRETTY };

enum { PROPERTIES_MAX = 64 };

struct ctl {
        /* options */
        enum json_mode json, json_given;
        const char *host;
        const char *machine;
        const char *address;
        const char *role;    /* --role=, for check */
        const char *wanted;  /* --wanted=, for check */
        uint64_t timeout;    /* as given or the verb's default; USEC_INFINITY is none */
        uint64_t deadline;   /* the same on the monotonic clock, from the start of the program */
        uint64_t lines;      /* --lines=, for history */
        uint64_t since;      /* --since=, for history; 0 if not given */
        uint64_t until;      /* --until=; USEC_INFINITY if not given */
        uint64_t mark;       /* --mark=, for wait; USEC_INFINITY if not given */
        bool timeout_given;
        bool ask_password;
        bool quiet;
        bool legend;
        bool use_pager;
        bool no_wait;
        bool ready;
        bool in_sync;
        bool targets;
        bool follow;
        bool reverse;
        bool only_orders;
        bool only_transitions;
        bool all;
        const char *config; /* --config=, for cluster and switchover */
        uint64_t watch_period;
        bool watch;
        bool yes;
        bool dry_run;
        bool ignore_inhibitors;
        const char *who; /* --who=, --why=, for inhibit */
        const char *why;
        const char *properties[PROPERTIES_MAX]; /* --property=, for show */
        size_t n_properties;
        bool json_said; /* what is to be told in JSON is told */
        /* what is open */
        sd_bus *bus;
        pid_t agent;
        pid_t pager;
        pid_t ssh;
};

/* Parses the arguments, runs the verb, returns the exit status. */
int ctl_main(int argc, char **argv);

/* The verbs. `args` is NULL-terminated and starts with the verb; the number of arguments has been checked. */
enum ctl_exit verb_status(struct ctl *c, char **args);
enum ctl_exit verb_order(struct ctl *c, char **args);
enum ctl_exit verb_monitor(struct ctl *c, char **args);
enum ctl_exit verb_wait(struct ctl *c, char **args);
enum ctl_exit verb_check(struct ctl *c, char **args);
enum ctl_exit verb_history(struct ctl *c, char **args);
enum ctl_exit verb_explain(struct ctl *c, char **args);
enum ctl_exit verb_inhibit(struct ctl *c, char **args);
enum ctl_exit verb_inhibitors(struct ctl *c, char **args);
enum ctl_exit verb_show(struct ctl *c, char **args);
enum ctl_exit verb_cluster(struct ctl *c, char **args);
enum ctl_exit verb_switchover(struct ctl *c, char **args);
enum ctl_exit verb_help(struct ctl *c, char **args);

/* status --watch: the view of one host that stays. */
enum ctl_exit watch_status(struct ctl *c);
