/* SPDX-License-Identifier: Apache-2.0 */
/* The ways out for what is logged. None of them ever waits for whoever reads at the other end. For programs. */
#pragma once

#include <stddef.h>
#include <sys/uio.h>

#include "basic/util.h"

enum {
        LOG_SINK_FIELDS_MAX = 40,
        LOG_SINK_FIELD_MAX = 48 * 1024, /* a longer value is cut, as journald would cut a longer line */
};

/* One entry for the journal: fields NAME=value, at most LOG_SINK_FIELDS_MAX; the first three have to be the message, its priority
 * and the program, and are all that is sent when the whole is too large. -EAGAIN: journald does not keep up; other errors of
 * sendmsg(2): there is none. */
_must_check_ int log_sink_journal(const struct iovec *fields, size_t n);

/* One line for standard error, its newline included. In a pipe it stays whole, and is cut to the size that does.
 * -EAGAIN: its reader does not keep up; other errors of write(2): there is none. */
_must_check_ int log_sink_stderr(const char *line, size_t n);
