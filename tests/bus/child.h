/* SPDX-License-Identifier: Apache-2.0 */
/* A child process of a test: its output becomes lines of a trace, and it never outlives the test. */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "trace.h"

struct child {
        pid_t pid;        /* 0: not running */
        int input;        /* its standard input, -EBADF if it has none */
        int output;       /* its standard output and error */
        sd_event_source *source;
        struct trace trace;
        char *partial;    /* a line whose end has not come */
        size_t n_partial;
        int status;       /* as waitpid(2) gave it */
};

struct child_options {
        bool with_input;
        uid_t uid;                    /* run as this user; 0 means as we are */
        const char *const *set_env;   /* NAME=VALUE, or NAME alone to unset; NULL ends */
        const char *journal_dir;      /* it sees this as /run/systemd/journal, and its standard error as the journal's */
};

/* Starts argv[0]; aborts the test program when it cannot. */
void child_start(struct child *c, sd_event *event, const char *const argv[], const struct child_options *options);

/* Looks whether it has ended, without waiting; its last output is read then. */
bool child_has_ended(struct child *c);

/* Kills it if it still runs and gives back what it held; the trace stays. */
void child_end(struct child *c);
void child_done(struct child *c);
