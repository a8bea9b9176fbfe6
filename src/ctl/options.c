/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of the command line. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "basic/parse.h"
#include "ctl/complain.h"
#include "ctl/options.h"
#include "ctl/text.h"
#include "ctl/when.h"

enum {
        OPTION_VERSION = 0x100,
        OPTION_ADDRESS,
        OPTION_JSON,
        OPTION_TIMEOUT,
        OPTION_NO_ASK_PASSWORD,
        OPTION_NO_LEGEND,
        OPTION_NO_PAGER,
        OPTION_NO_WAIT,
        OPTION_ROLE,
        OPTION_READY,
        OPTION_IN_SYNC,
        OPTION_WANTED,
        OPTION_TARGETS,
        OPTION_SINCE,
        OPTION_UNTIL,
        OPTION_ORDERS,
        OPTION_TRANSITIONS,
        OPTION_MARK,
        OPTION_YES,
        OPTION_IGNORE_INHIBITORS,
        OPTION_WHO,
        OPTION_WHY,
        OPTION_WATCH,
        OPTION_CONFIG,
        OPTION_DRY_RUN
};

#define SHORT_OPTIONS "hH:M:qn:fraP:"

static const struct option options[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, OPTION_VERSION },
        { "host", required_argument, NULL, 'H' },
        { "machine", required_argument, NULL, 'M' },
        { "address", required_argument, NULL, OPTION_ADDRESS },
        { "json", required_argument, NULL, OPTION_JSON },
        { "timeout", required_argument, NULL, OPTION_TIMEOUT },
        { "no-ask-password", no_argument, NULL, OPTION_NO_ASK_PASSWORD },
        { "quiet", no_argument, NULL, 'q' },
        { "no-legend", no_argument, NULL, OPTION_NO_LEGEND },
        { "no-pager", no_argument, NULL, OPTION_NO_PAGER },
        { "no-wait", no_argument, NULL, OPTION_NO_WAIT },
        { "role", required_argument, NULL, OPTION_ROLE },
        { "ready", no_argument, NULL, OPTION_READY },
        { "in-sync", no_argument, NULL, OPTION_IN_SYNC },
        { "wanted", required_argument, NULL, OPTION_WANTED },
        { "targets", no_argument, NULL, OPTION_TARGETS },
        { "lines", required_argument, NULL, 'n' },
        { "since", required_argument, NULL, OPTION_SINCE },
        { "until", required_argument, NULL, OPTION_UNTIL },
        { "follow", no_argument, NULL, 'f' },
        { "reverse", no_argument, NULL, 'r' },
        { "orders", no_argument, NULL, OPTION_ORDERS },
        { "transitions", no_argument, NULL, OPTION_TRANSITIONS },
        { "all", no_argument, NULL, 'a' },
        { "mark", required_argument, NULL, OPTION_MARK },
        { "yes", no_argument, NULL, OPTION_YES },
        { "ignore-inhibitors", no_argument, NULL, OPTION_IGNORE_INHIBITORS },
        { "who", required_argument, NULL, OPTION_WHO },
        { "why", required_argument, NULL, OPTION_WHY },
        { "watch", optional_argument, NULL, OPTION_WATCH },
        { "config", required_argument, NULL, OPTION_CONFIG },
        { "dry-run", no_argument, NULL, OPTION_DRY_RUN },
        { "property", required_argument, NULL, 'P' },
        {}
};

static int bad_value(struct ctl *c, const char *option, const char *takes, const char *value) {
        _cleanup_free_ char *printable = text_printable(value);

        complain(c, CTL_ERROR_USAGE, NULL, "%s takes %s, not '%s'.", option, takes, printable ?: "?");
        return -EINVAL;
}

static int take_json(struct ctl *c, const char *value) {
        if (streq(value, "short"))
                c->json_given = JSON_SHORT;
        else if (streq(value, "pretty"))
                c->json_given = JSON_PRETTY;
        else if (streq(value, "off"))
                c->json_given = JSON_OFF;
        else
                return bad_value(c, "--json=", "short, pretty or off", value);
        return 0;
}

static int take_timeout(struct ctl *c, const char *value) {
        if (streq(value, "infinity"))
                c->timeout = USEC_INFINITY;
        else if (parse_sec(value, &c->timeout) < 0)
                return bad_value(c, "--timeout=", "seconds, as 10 or 0.5, or infinity", value);
        c->timeout_given = true;
        return 0;
}

/* The options that every verb takes. 0, 1 for one that is none of them, -EINVAL */
static int take_common(struct ctl *c, int option, const char *value) {
        switch (option) {
        case 'H':
                c->host = value;
                return 0;
        case 'M':
                c->machine = value;
                return 0;
        case OPTION_ADDRESS:
                c->address = value;
                return 0;
        case OPTION_JSON:
                return take_json(c, value);
        case OPTION_TIMEOUT:
                return take_timeout(c, value);
        case OPTION_NO_ASK_PASSWORD:
                c->ask_password = false;
                return 0;
        case 'q':
                c->quiet = true;
                return 0;
        case OPTION_NO_LEGEND:
                c->legend = false;
                return 0;
        case OPTION_NO_PAGER:
                c->use_pager = false;
                return 0;
        default:
                return 1;
        }
}

/* The options of history. As take_special(). */
static int take_history(struct ctl *c, int option, const char *value) {
        switch (option) {
        case 'n':
                if (parse_unsigned(value, 1, LINES_MAX, &c->lines) < 0)
                        return bad_value(c, "--lines=", "a number from 1 to 1000000", value);
                return 0;
        case OPTION_SINCE:
        case OPTION_UNTIL:
                if (when_parse(value, now_realtime(), option == OPTION_SINCE ? &c->since : &c->until) < 0)
                        return bad_value(c, option == OPTION_SINCE ? "--since=" : "--until=",
                                         "a time, as \"2026-11-25 18:30\", today, 18:30, -1h or \"5min ago\"", value);
                return 0;
        case 'f':
                c->follow = true;
                return 0;
        case 'r':
                c->reverse = true;
                return 0;
        case OPTION_ORDERS:
                c->only_orders = true;
                return 0;
        case OPTION_TRANSITIONS:
                c->only_transitions = true;
                return 0;
        case 'a':
                c->all = true;
                return 0;
        default:
                return 1;
        }
}

/* The options of check. As take_special(). */
static int take_check(struct ctl *c, int option, const char *value) {
        switch (option) {
        case OPTION_ROLE:
                c->role = value;
                return 0;
        case OPTION_READY:
                c->ready = true;
                return 0;
        case OPTION_IN_SYNC:
                c->in_sync = true;
                return 0;
        case OPTION_WANTED:
                c->wanted = value;
                return 0;
        case OPTION_TARGETS:
                c->targets = true;
                return 0;
        default:
                return 1;
        }
}

/* The options of other verbs. 0, 1 for one that is none of them, -EINVAL */
static int take_special(struct ctl *c, int option, const char *value) {
        switch (option) {
        case OPTION_NO_WAIT:
                c->no_wait = true;
                return 0;
        case OPTION_MARK:
                if (parse_unsigned(value, 0, UINT64_MAX - 1, &c->mark) < 0)
                        return bad_value(c, "--mark=", "what be-slave --no-wait gave", value);
                return 0;
        case OPTION_YES:
                c->yes = true;
                return 0;
        case OPTION_WATCH:
                if (value && (parse_sec(value, &c->watch_period) < 0 || c->watch_period < WATCH_MIN_USEC))
                        return bad_value(c, "--watch=", "seconds, 0.1 at least", value);
                c->watch = true;
                return 0;
        case OPTION_CONFIG:
                c->config = value;
                return 0;
        case OPTION_DRY_RUN:
                c->dry_run = true;
                return 0;
        case OPTION_IGNORE_INHIBITORS:
                c->ignore_inhibitors = true;
                return 0;
        case OPTION_WHO:
                c->who = value;
                return 0;
        case OPTION_WHY:
                c->why = value;
                return 0;
        case 'P':
                if (c->n_properties == PROPERTIES_MAX)
                        return bad_value(c, "--property=", "at most 64 names", value);
                c->properties[c->n_properties++] = value;
                return 0;
        default:
                return 1;
        }
}

/* What somebody takes: *given gets its flag. */
static int take(struct ctl *c, int option, const char *value, unsigned *given) {
        static const struct {
                int (*take)(struct ctl *c, int option, const char *value);
                unsigned flag;
        } takers[] = { { take_history, TAKES_HISTORY }, { take_check, TAKES_CHECK } };
        static const struct {
                int option;
                unsigned flag;
        } flags[] = {
                { OPTION_NO_WAIT, TAKES_NO_WAIT }, { OPTION_MARK, TAKES_MARK },
                { OPTION_YES, TAKES_YES },         { OPTION_IGNORE_INHIBITORS, TAKES_IGNORE },
                { OPTION_WHO, TAKES_WHO },         { OPTION_WHY, TAKES_WHO },
                { 'P', TAKES_PROPERTY },           { OPTION_WATCH, TAKES_WATCH },
                { OPTION_CONFIG, TAKES_CONFIG },   { OPTION_DRY_RUN, TAKES_DRY_RUN },
        };
        int r;

        r = take_common(c, option, value);
        for (size_t i = 0; r > 0 && i < ELEMENTSOF(takers); i++) {
                r = takers[i].take(c, option, value);
                if (r == 0)
                        *given |= takers[i].flag;
        }
        if (r <= 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (flags[i].option == option)
                        *given |= flags[i].flag;
        r = take_special(c, option, value);
        return r > 0 ? -EINVAL : r;
}

/* What getopt, which says nothing itself, does not take; `word` is the last that it has done with. */
static int not_taken(struct ctl *c, int option, const char *word) {
        _cleanup_free_ char *printable = text_printable(word);
        size_t alike = 0;
        bool known = false;

        for (const struct option *o = options; o->name; o++) {
                known = known || o->val == optopt;
                alike += strlen(word) > 2 && strncmp(o->name, word + 2, strcspn(word + 2, "=")) == 0;
        }
        if (option == ':')
                complain(c, CTL_ERROR_USAGE, NULL, "%s takes a value.", printable ?: "?");
        else if (known)
                complain(c, CTL_ERROR_USAGE, NULL, "'%s': that option takes no value.", printable ?: "?");
        else if (optopt) {
                const char letter[] = { (char) optopt, 0 };

                free(printable);
                printable = text_printable(letter);
                complain(c, CTL_ERROR_USAGE, NULL, "There is no option -%s.", printable ?: "?");
        } else
                complain(c, CTL_ERROR_USAGE, NULL, alike > 1 ? "Several options begin with '%s'." : "There is no option '%s'.",
                         printable ?: "?");
        return -EINVAL;
}

/* Parses options until the arguments end or, with `stop`, until the first that is none. The result is optind's.
 * 1, 0 for help or version, -EINVAL */
static int parse(struct ctl *c, int argc, char **argv, bool stop, unsigned *given) {
        int option, r;

        optind = 0; /* getopt begins anew */
        opterr = 0;
        while ((option = getopt_long(argc, argv, stop ? "+:" SHORT_OPTIONS : ":" SHORT_OPTIONS, options, NULL)) >= 0) {
                if (option == '?' || option == ':')
                        return not_taken(c, option, argv[optind - 1]);
                if (option == 'h') {
                        verbs_help(c);
                        return 0;
                }
                if (option == OPTION_VERSION) {
                        printf("confd-hactl " CONFD_HA_VERSION "\n");
                        return 0;
                }
                r = take(c, option, optarg, given);
                if (r < 0)
                        return r;
        }
        return 1;
}

/* Whether what was given fits together, and the verb. */
static bool fits(struct ctl *c, const struct verb *v, unsigned given) {
        if (!!c->host + !!c->machine + !!c->address > 1) {
                complain(c, CTL_ERROR_USAGE, NULL, "Only one of --host=, --machine= and --address= makes sense.");
                return false;
        }
        if (!verb_takes_options(c, v, given))
                return false;
        /* An order that is given up before it is sent would be nobody's wish; to look once is a wait's. */
        if (c->timeout_given && c->timeout == 0 && v->run != verb_wait) {
                complain(c, CTL_ERROR_USAGE, NULL, "--timeout=0 is for wait.");
                return false;
        }
        return true;
}

/* What --json= says, before all else is read: an error in the rest is told in its form. */
static enum json_mode foresee_json(int argc, char **argv) {
        enum json_mode mode = JSON_OFF;

        for (int i = 1; i < argc && !streq(argv[i], "--"); i++)
                if (streq(argv[i], "--json=short"))
                        mode = JSON_SHORT;
                else if (streq(argv[i], "--json=pretty"))
                        mode = JSON_PRETTY;
        return mode;
}

int options_parse(struct ctl *c, int argc, char **argv, const struct verb **ret_verb, char ***ret_args) {
        static char *default_args[] = { (char *) "status", NULL };
        char **args = default_args, *name = argv[0];
        const struct verb *v;
        unsigned given = 0;
        int r, n_args = 0;

        c->json = foresee_json(argc, argv);
        r = parse(c, argc, argv, /* stop= */ true, &given);
        if (r <= 0)
                return r;
        if (optind < argc) {
                args = argv + optind;
                argc -= optind;
        }
        v = verb_find(args[0]);
        if (!v) {
                _cleanup_free_ char *printable = text_printable(args[0]);

                complain(c, CTL_ERROR_USAGE, NULL, "There is no command '%s'.", printable ?: "?");
                return -EINVAL;
        }
        if (args != default_args) {
                /* The rest has the verb where getopt expects, and in its complaints prints, the program's name. */
                char *verb_word = args[0];

                args[0] = name;
                r = parse(c, argc, args, /* stop= */ v->flags & TAKES_COMMAND, &given);
                args[0] = verb_word;
                if (r <= 0)
                        return r;
                n_args = argc - optind;
                memmove(args + 1, args + optind, sizeof(*args) * (size_t) n_args);
                args[n_args + 1] = NULL;
        }
        if (!verb_takes(c, v, n_args) || !fits(c, v, given))
                return -EINVAL;
        c->json = c->json_given;
        *ret_verb = v;
        *ret_args = args;
        return 1;
}
