/* SPDX-License-Identifier: Apache-2.0 */
/* What is told when something fails: words on standard error, and with --json an object on standard output. */
#pragma once

#include "ctl/ctl.h"
#include "view/json.h"

/* Names of errors that come from here and not from the bus. */
#define CTL_ERROR_USAGE "org.freedesktop.DBus.Error.InvalidArgs"
#define CTL_ERROR_TIMEOUT "org.freedesktop.DBus.Error.Timeout"
#define CTL_ERROR_FAILED "org.freedesktop.DBus.Error.Failed"
#define CTL_ERROR_NOT_THERE "org.freedesktop.DBus.Error.ServiceUnknown"

/* What helps with wrong usage, and is in its JSON: an order's own InvalidArgs has other advice. */
#define CTL_ADVICE_USAGE "Try: confd-hactl --help"

/* Says "confd-hactl: WORDS" on standard error and, unless -q, the advice (NULL for none) on a line of its own. With --json
 * an object of name, message and advice goes to standard output, unless one that tells the same is there already
 * (c->json_said). `name` is the full name of an error. */
_printf_(4, 5) void complain(struct ctl *c, const char *name, const char *advice, const char *format, ...);

/* The same on standard error alone. */
_printf_(2, 3) void complain_words(const char *advice, const char *format, ...);

/* Words that -q leaves out, on standard error. */
_printf_(2, 3) void notice(const struct ctl *c, const char *format, ...);

/* The members name, message and advice of an open object; advice is what the table of errors has if it is NULL. */
void complain_json_members(struct json *j, const char *name, const char *message, const char *advice);

/* An object of them on standard output, if --json was given and none has been written. */
void complain_json(struct ctl *c, const char *name, const char *message, const char *advice);
