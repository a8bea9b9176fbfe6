/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of the command line. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "basic/parse.h"
#include "ctl/options.h"

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
        OPTION_LINES,
        OPTION_MARK
};

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
        { "lines", required_argument, NULL, OPTION_LINES },
        { "mark", required_argument, NULL, OPTION_MARK },
        {}
};

static int bad_value(const char *option, const char *takes, const char *value) {
        fprintf(stderr, "confd-hactl: %s takes %s, not '%s'.\n", option, takes, value);
        return -EINVAL;
}

static int take_json(struct ctl *c, const char *value) {
        if (streq(value, "short"))
                c->json = JSON_SHORT;
        else if (streq(value, "pretty"))
                c->json = JSON_PRETTY;
        else if (streq(value, "off"))
                c->json = JSON_OFF;
        else
                return bad_value("--json=", "short, pretty or off", value);
        return 0;
}

static int take_timeout(struct ctl *c, const char *value) {
        if (streq(value, "infinity"))
                c->timeout = USEC_INFINITY;
        else if (parse_sec(value, &c->timeout) < 0)
                return bad_value("--timeout=", "seconds, as 10 or 0.5, or infinity", value);
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

/* The options of some verbs: *given gets the flag of what was given. -EINVAL, also for what getopt has complained of. */
static int take_special(struct ctl *c, int option, const char *value, unsigned *given) {
        switch (option) {
        case OPTION_NO_WAIT:
                c->no_wait = true;
                *given |= TAKES_NO_WAIT;
                return 0;
        case OPTION_ROLE:
                c->role = value;
                break;
        case OPTION_READY:
                c->ready = true;
                break;
        case OPTION_IN_SYNC:
                c->in_sync = true;
                break;
        case OPTION_WANTED:
                c->wanted = value;
                break;
        case OPTION_TARGETS:
                c->targets = true;
                break;
        case OPTION_LINES:
                if (parse_unsigned(value, 1, LINES_MAX, &c->lines) < 0)
                        return bad_value("--lines=", "a number from 1 to 1000000", value);
                *given |= TAKES_LINES;
                return 0;
        case OPTION_MARK:
                if (parse_unsigned(value, 0, UINT64_MAX - 1, &c->mark) < 0)
                        return bad_value("--mark=", "what be-slave --no-wait gave", value);
                *given |= TAKES_MARK;
                return 0;
        default:
                return -EINVAL;
        }
        *given |= TAKES_CHECK;
        return 0;
}

/* Parses options until the arguments end or, with `stop`, until the first that is none. The result is optind's.
 * 1, 0 for help or version, -EINVAL */
static int parse(struct ctl *c, int argc, char **argv, bool stop, unsigned *given) {
        int option, r;

        optind = 0; /* getopt begins anew */
        while ((option = getopt_long(argc, argv, stop ? "+hH:M:q" : "hH:M:q", options, NULL)) >= 0) {
                if (option == 'h') {
                        verbs_help(c);
                        return 0;
                }
                if (option == OPTION_VERSION) {
                        printf("confd-hactl " CONFD_HA_VERSION "\n");
                        return 0;
                }
                r = take_common(c, option, optarg);
                if (r > 0)
                        r = take_special(c, option, optarg, given);
                if (r < 0)
                        return r;
        }
        return 1;
}

/* Whether what was given fits together, and the verb. */
static bool fits(const struct ctl *c, const struct verb *v, unsigned given) {
        if (!!c->host + !!c->machine + !!c->address > 1) {
                fprintf(stderr, "confd-hactl: Only one of --host=, --machine= and --address= makes sense.\n");
                return false;
        }
        if (!verb_takes_options(v, given))
                return false;
        /* An order that is given up before it is sent would be nobody's wish; to look once is a wait's. */
        if (c->timeout_given && c->timeout == 0 && v->run != verb_wait) {
                fprintf(stderr, "confd-hactl: --timeout=0 is for wait.\n");
                return false;
        }
        return true;
}

int options_parse(struct ctl *c, int argc, char **argv, const struct verb **ret_verb, char ***ret_args) {
        static char *default_args[] = { (char *) "status", NULL };
        char **args = default_args, *name = argv[0];
        const struct verb *v;
        unsigned given = 0;
        int r, n_args = 0;

        r = parse(c, argc, argv, /* stop= */ true, &given);
        if (r <= 0)
                return r;
        if (optind < argc) {
                args = argv + optind;
                argc -= optind;
        }
        v = verb_find(args[0]);
        if (!v) {
                fprintf(stderr, "confd-hactl: There is no command '%s'.\n", args[0]);
                return -EINVAL;
        }
        if (args != default_args) {
                /* The rest has the verb where getopt expects, and in its complaints prints, the program's name. */
                char *verb_word = args[0];

                args[0] = name;
                r = parse(c, argc, args, /* stop= */ false, &given);
                args[0] = verb_word;
                if (r <= 0)
                        return r;
                n_args = argc - optind;
                memmove(args + 1, args + optind, sizeof(*args) * (size_t) n_args);
                args[n_args + 1] = NULL;
        }
        if (!verb_takes(v, n_args) || !fits(c, v, given))
                return -EINVAL;
        *ret_verb = v;
        *ret_args = args;
        return 1;
}
