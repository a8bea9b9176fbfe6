/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the command line: options, the table of verbs, the way through a verb. */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>

#include "basic/parse.h"
#include "ctl/bus-connection.h"
#include "ctl/ctl.h"
#include "ctl/pager.h"
#include "ctl/polkit-agent.h"

enum {
        TIMEOUT_DEFAULT_SEC = 30,
        LINES_DEFAULT = 1000,
        LINES_MAX = 1000000
};

/* Options that only some verbs take, and what a verb is like. */
enum {
        TAKES_NO_WAIT = 1 << 0,
        TAKES_CHECK = 1 << 1, /* --role=, --ready */
        TAKES_LINES = 1 << 2,
        MAY_BE_ENDLESS = 1 << 3, /* no time limit by default */
        LOCAL = 1 << 4           /* needs no bus */
};

struct verb {
        const char *name;
        int n_args;
        unsigned flags;
        enum ctl_exit (*run)(struct ctl *c, char **args);
        const char *args;
        const char *help; /* NULL for a second name */
};

static const struct verb verbs[] = {
        { "status", 0, 0, verb_status, "", "Show state, peers, connection and the last error (default)" },
        { "be-master", 1, 0, verb_order, "ID", "Make this node the master, as ID" },
        { "be-slave", 3, TAKES_NO_WAIT | MAY_BE_ENDLESS, verb_order, "ID MASTER-ID MASTER-ADDRESS",
          "Make it follow that master, as ID" },
        { "be-relay", 0, 0, verb_order, "", "Let a slave serve slaves of its own" },
        { "be-none", 0, 0, verb_order, "", "End its role" },
        { "slave-dead", 1, 0, verb_order, "ID", "Declare that node dead" },
        { "monitor", 0, 0, verb_monitor, "", "Print one line an event, until interrupted" },
        { "wait", 1, MAY_BE_ENDLESS, verb_wait, "STATE", "Return once the state is STATE, or the data \"synced\"" },
        { "check", 0, TAKES_CHECK, verb_check, "", "Exit 0, 1 or 2, with one line why" },
        { "history", 0, TAKES_LINES | LOCAL, verb_history, "", "Show past orders and transitions" },
        { "explain", 1, LOCAL, verb_explain, "ERROR", "Tell what an error means, and what to look at" },
        { "reload", 0, 0, verb_order, "", "Have the service read its configuration again" },
        { "be-primary", 1, 0, verb_order, "ID", NULL },
        { "be-secondary", 3, TAKES_NO_WAIT | MAY_BE_ENDLESS, verb_order, "ID PRIMARY-ID PRIMARY-ADDRESS", NULL },
        { "secondary-dead", 1, 0, verb_order, "ID", NULL },
};

static enum ctl_exit help(struct ctl *c) {
        pager_open(c);
        printf("confd-hactl [OPTIONS...] [COMMAND ...]\n\n"
               "Ask and order the high availability of the ConfD on this host.\n\n"
               "Commands:\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (verbs[i].help) {
                        int n = printf("  %s %s", verbs[i].name, verbs[i].args);

                        printf("%*s%s\n", n < 40 ? 41 - n : 1, "", verbs[i].help);
                }
        printf("\n(be-primary, be-secondary and secondary-dead are the same as be-master, be-slave, slave-dead.)\n\n"
               "Options:\n"
               "  -h --help                   Show this help\n"
               "     --version                Show the version\n"
               "  -H --host=[USER@]HOST       On another host, over ssh\n"
               "  -M --machine=CONTAINER      In a local container\n"
               "     --address=BUS-ADDRESS    On this bus\n"
               "     --json=short|pretty|off  Print JSON, on one line or laid out\n"
               "     --timeout=SEC            Give up after SEC seconds, 'infinity' for never\n"
               "                              (30; none for wait and be-slave)\n"
               "     --no-ask-password        Do not ask for a password\n"
               "  -q --quiet                  Print nothing but what was asked for, and errors\n"
               "     --no-legend              No table headers\n"
               "     --no-pager               No pager\n"
               "     --no-wait                be-slave: return when ConfD has the order\n"
               "     --role=STATE,...         check: is the state one of these?\n"
               "     --ready                  check: connected, not synchronizing, and ConfD answers?\n"
               "     --lines=N                history: the last N entries (%i)\n\n"
               "Exit status: 0 done, 1 failed or timed out, 2 usage, 3 the service or ConfD is not there,\n"
               "4 not authorized. See confd-hactl(1).\n", LINES_DEFAULT);
        return CTL_DONE;
}

static enum ctl_exit usage(void) {
        fprintf(stderr, "Try: confd-hactl --help\n");
        return CTL_USAGE;
}

/* Returns 1 to go on, 0 if the text was help or version (printed), < 0 after saying what is wrong. */
static int parse_options(struct ctl *c, int argc, char **argv, unsigned *ret_given) {
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
                OPTION_LINES
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
                { "lines", required_argument, NULL, OPTION_LINES },
                {}
        };
        int option;

        while ((option = getopt_long(argc, argv, "hH:M:q", options, NULL)) >= 0)
                switch (option) {
                case 'h':
                        (void) help(c);
                        return 0;
                case OPTION_VERSION:
                        printf("confd-hactl " CONFD_HA_VERSION "\n");
                        return 0;
                case 'H':
                        c->host = optarg;
                        break;
                case 'M':
                        c->machine = optarg;
                        break;
                case OPTION_ADDRESS:
                        c->address = optarg;
                        break;
                case OPTION_JSON:
                        if (streq(optarg, "short"))
                                c->json = JSON_SHORT;
                        else if (streq(optarg, "pretty"))
                                c->json = JSON_PRETTY;
                        else if (streq(optarg, "off"))
                                c->json = JSON_OFF;
                        else {
                                fprintf(stderr, "confd-hactl: --json= takes short, pretty or off, not '%s'.\n", optarg);
                                return -EINVAL;
                        }
                        break;
                case OPTION_TIMEOUT:
                        if (streq(optarg, "infinity"))
                                c->timeout = USEC_INFINITY;
                        else if (parse_sec(optarg, &c->timeout) < 0) {
                                fprintf(stderr, "confd-hactl: --timeout= takes seconds, as 10 or 0.5, or infinity, not '%s'.\n",
                                        optarg);
                                return -EINVAL;
                        }
                        c->timeout_given = true;
                        break;
                case OPTION_NO_ASK_PASSWORD:
                        c->ask_password = false;
                        break;
                case 'q':
                        c->quiet = true;
                        break;
                case OPTION_NO_LEGEND:
                        c->legend = false;
                        break;
                case OPTION_NO_PAGER:
                        c->use_pager = false;
                        break;
                case OPTION_NO_WAIT:
                        c->no_wait = true;
                        *ret_given |= TAKES_NO_WAIT;
                        break;
                case OPTION_ROLE:
                        c->role = optarg;
                        *ret_given |= TAKES_CHECK;
                        break;
                case OPTION_READY:
                        c->ready = true;
                        *ret_given |= TAKES_CHECK;
                        break;
                case OPTION_LINES:
                        if (parse_unsigned(optarg, 1, LINES_MAX, &c->lines) < 0) {
                                fprintf(stderr, "confd-hactl: --lines= takes a number from 1 to %i, not '%s'.\n",
                                        LINES_MAX, optarg);
                                return -EINVAL;
                        }
                        *ret_given |= TAKES_LINES;
                        break;
                default: /* getopt has said what is wrong */
                        return -EINVAL;
                }
        if (!!c->host + !!c->machine + !!c->address > 1) {
                fprintf(stderr, "confd-hactl: Only one of --host=, --machine= and --address= makes sense.\n");
                return -EINVAL;
        }
        return 1;
}

static const struct verb *find_verb(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(name, verbs[i].name))
                        return verbs + i;
        return NULL;
}

static bool options_fit(const struct ctl *c, const struct verb *v, unsigned given) {
        static const struct {
                unsigned flag;
                const char *words;
        } options[] = {
                { TAKES_NO_WAIT, "--no-wait is for be-slave" },
                { TAKES_CHECK, "--role= and --ready are for check" },
                { TAKES_LINES, "--lines= is for history" },
        };

        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (given & options[i].flag & ~v->flags) {
                        fprintf(stderr, "confd-hactl: %s.\n", options[i].words);
                        return false;
                }
        /* An order that is given up before it is sent would be nobody's wish; to look once is a wait's. */
        if (c->timeout_given && c->timeout == 0 && v->run != verb_wait) {
                fprintf(stderr, "confd-hactl: --timeout=0 is for wait.\n");
                return false;
        }
        return true;
}

int ctl_main(int argc, char **argv) {
        struct ctl c = { .ask_password = true, .legend = true, .use_pager = true, .lines = LINES_DEFAULT };
        char *default_args[] = { (char *) "status", NULL }, **args;
        const struct verb *v;
        enum ctl_exit status;
        unsigned given = 0;
        int r;

        (void) setlocale(LC_ALL, "");
        r = parse_options(&c, argc, argv, &given);
        if (r <= 0) {
                pager_close(&c);
                return r < 0 ? (int) usage() : CTL_DONE;
        }
        args = optind < argc ? argv + optind : default_args;
        v = find_verb(args[0]);
        if (!v) {
                fprintf(stderr, "confd-hactl: There is no command '%s'.\n", args[0]);
                return usage();
        }
        if (args != default_args && argc - optind - 1 != v->n_args) {
                fprintf(stderr, "confd-hactl: %s takes %s: confd-hactl %s%s%s\n", v->name,
                        v->n_args == 0 ? "no arguments" : v->n_args == 1 ? "one argument" : "three arguments", v->name,
                        *v->args ? " " : "", v->args);
                return usage();
        }
        if (!options_fit(&c, v, given))
                return usage();
        if (!c.timeout_given)
                c.timeout = v->flags & MAY_BE_ENDLESS ? USEC_INFINITY : TIMEOUT_DEFAULT_SEC * USEC_PER_SEC;
        c.deadline = usec_add(now_monotonic(), c.timeout);

        status = v->run(&c, args);

        polkit_agent_close(&c);
        pager_close(&c);
        bus_disconnect(&c);
        /* What could not be written (a full disk) was not done. A pager that was left early is no failure. */
        if (fflush(stdout) != 0 && status == CTL_DONE) {
                fprintf(stderr, "confd-hactl: Cannot write the output: %s\n", strerror(errno));
                status = CTL_FAILED;
        }
        return status;
}
