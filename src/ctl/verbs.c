/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of verbs. */
#include <stdio.h>

#include "ctl/colour.h"
#include "ctl/complain.h"
#include "ctl/ctl-config.h"
#include "ctl/pager.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

/* As many arguments as there are: what a command that is run takes. */
enum { ARGS_MAX = 1 << 20 };

#define ROLE_ORDER (IS_ORDER | TAKES_IGNORE)

static const struct verb verbs[] = {
        { "status", 0, 0, TAKES_WATCH, verb_status, "", "Show state, peers, connection and the last error (default)" },
        { "be-master", 1, 1, ROLE_ORDER, verb_order, "ID", "Make this node the master, as ID" },
        { "take-over", 2, 2, ROLE_ORDER, verb_order, "ID OLD-MASTER|any",
          "The same, only if its data was in sync under that master" },
        { "be-slave", 3, 3, ROLE_ORDER | TAKES_NO_WAIT | TAKES_YES | MAY_BE_ENDLESS, verb_order, "ID MASTER-ID MASTER-ADDRESS",
          "Make it follow that master, as ID" },
        { "be-relay", 0, 0, ROLE_ORDER, verb_order, "", "Let a slave serve slaves of its own" },
        { "be-none", 0, 0, ROLE_ORDER, verb_order, "", "End its role" },
        { "slave-dead", 1, 1, IS_ORDER, verb_order, "ID", "Declare that node dead" },
        { "cluster", 0, HOSTS_MAX, TAKES_WATCH | TAKES_CONFIG | IS_CLUSTER, verb_cluster, "[HOST...]",
          "Show all hosts, and what is wrong with the cluster" },
        { "switchover", 1, HOSTS_MAX + 1, TAKES_YES | TAKES_DRY_RUN | TAKES_CONFIG | TAKES_IGNORE, verb_switchover,
          "TO [HOST...]", "Move the master's role to that host or node" },
        { "monitor", 0, 0, 0, verb_monitor, "", "Print one line an event, until interrupted" },
        { "wait", 1, 2, TAKES_MARK | MAY_BE_ENDLESS, verb_wait, "STATE,...|slave ID",
          "Return once it is so; also \"synced\", \"in-sync\"" },
        { "check", 0, 0, TAKES_CHECK, verb_check, "", "Exit 0, 1 or 2, with one line why" },
        { "show", 0, 0, TAKES_PROPERTY, verb_show, "", "Print the service's properties, for scripts" },
        { "inhibit", 1, ARGS_MAX, TAKES_WHO | TAKES_COMMAND, verb_inhibit, "COMMAND...",
          "Run a command while others may not change the role" },
        { "inhibitors", 0, 0, 0, verb_inhibitors, "", "Show who inhibits orders, and why" },
        { "history", 0, 0, TAKES_HISTORY, verb_history, "", "Show past orders and transitions" },
        { "explain", 1, 1, 0, verb_explain, "ERROR", "Tell what an error means, and what to look at" },
        { "reload", 0, 0, IS_ORDER, verb_order, "", "Have the service read its configuration again" },
        { "help", 0, 1, 0, verb_help, "[COMMAND]", "Show this help, or what there is to say of a command" },
        { "be-primary", 1, 1, ROLE_ORDER, verb_order, "ID", NULL },
        { "be-secondary", 3, 3, ROLE_ORDER | TAKES_NO_WAIT | TAKES_YES | MAY_BE_ENDLESS, verb_order,
          "ID PRIMARY-ID PRIMARY-ADDRESS", NULL },
        { "secondary-dead", 1, 1, IS_ORDER, verb_order, "ID", NULL },
};

/* What the help says of options: those of every command have no flag. */
static const struct {
        unsigned flag;
        const char *option, *help;
} option_help[] = {
        { 0, "  -h --help", "Show this help" },
        { 0, "     --version", "Show the version" },
        { 0, "  -H --host=[USER@]HOST", "On another host, over ssh" },
        { 0, "  -M --machine=CONTAINER", "In a local container" },
        { 0, "     --address=BUS-ADDRESS", "On this bus" },
        { 0, "     --json=short|pretty|off", "Print JSON, on one line or laid out; errors, too" },
        { 0, "     --timeout=SEC", "Give up after SEC seconds, 'infinity' for never\n"
                                   "                              (30; 10 for cluster; none for wait and be-slave)" },
        { 0, "     --no-ask-password", "Do not ask for a password" },
        { 0, "  -q --quiet", "Print nothing but what was asked for, and errors" },
        { 0, "     --no-legend", "No table headers" },
        { 0, "     --no-pager", "No pager" },
        { TAKES_NO_WAIT, "     --no-wait", "be-slave: return when ConfD has the order" },
        { TAKES_WATCH, "     --watch[=SEC]", "status, cluster: stay, and show what changes; q ends" },
        { TAKES_CONFIG, "     --config=FILE", "cluster, switchover: instead of /etc/confd-ha/confd-hactl.conf" },
        { TAKES_DRY_RUN, "     --dry-run", "switchover: show the plan, and do nothing" },
        { TAKES_YES, "     --yes", "Do not ask whether to go on" },
        { TAKES_IGNORE, "     --ignore-inhibitors", "Orders: although somebody inhibits them" },
        { TAKES_MARK, "     --mark=MARK", "wait: for the be-slave --no-wait that gave this mark" },
        { TAKES_CHECK, "     --role=STATE,...", "check: is the state one of these?" },
        { TAKES_CHECK, "     --wanted=STATE,...", "check: the same, or on the way there?" },
        { TAKES_CHECK, "     --ready", "check: connected, not synchronizing, and ConfD answers?" },
        { TAKES_CHECK, "     --in-sync", "check: is this node's data in place?" },
        { TAKES_CHECK, "     --targets", "check: is the role's target of systemd reached?" },
        { TAKES_PROPERTY, "  -P --property=NAME", "show: this property alone, its bare value" },
        { TAKES_WHO, "     --who=WHO --why=WHY", "inhibit: what others are told" },
        { TAKES_HISTORY, "  -n --lines=N", "history: the last N entries (1000; 10 with --follow)" },
        { TAKES_HISTORY, "     --since=TIME --until=TIME", "history: of that time (-1h, today, \"2026-11-25 18:30\")" },
        { TAKES_HISTORY, "  -f --follow", "history: go on with what comes" },
        { TAKES_HISTORY, "  -r --reverse", "history: the newest first" },
        { TAKES_HISTORY, "     --orders --transitions", "history: these alone" },
        { TAKES_HISTORY, "  -a --all", "history: also calls that were refused, however many" },
};

const struct verb *verb_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(name, verbs[i].name))
                        return verbs + i;
        return NULL;
}

bool verb_takes(struct ctl *c, const struct verb *v, int n_args) {
        static const char *const numbers[] = { "no arguments", "one argument", "two arguments", "three arguments" };

        if (n_args >= v->min_args && n_args <= v->max_args)
                return true;
        if (v->min_args == v->max_args)
                complain(c, CTL_ERROR_USAGE, NULL, "%s takes %s: confd-hactl %s%s%s", v->name, numbers[v->min_args], v->name,
                         *v->args ? " " : "", v->args);
        else
                complain(c, CTL_ERROR_USAGE, NULL, "%s takes %s: confd-hactl %s %s", v->name,
                         n_args < v->min_args ? "more arguments" : "fewer arguments", v->name, v->args);
        return false;
}

bool verb_takes_options(struct ctl *c, const struct verb *v, unsigned given) {
        static const struct {
                unsigned flag;
                const char *words;
        } options[] = {
                { TAKES_NO_WAIT, "--no-wait is for be-slave" },
                { TAKES_CHECK, "--role=, --ready, --in-sync, --wanted= and --targets are for check" },
                { TAKES_HISTORY, "--lines=, --since=, --until=, --follow, --reverse, --orders, --transitions and --all are for "
                                 "history" },
                { TAKES_MARK, "--mark= is for wait" },
                { TAKES_YES, "--yes is for be-slave and switchover" },
                { TAKES_DRY_RUN, "--dry-run is for switchover" },
                { TAKES_IGNORE, "--ignore-inhibitors is for orders that change the role" },
                { TAKES_WHO, "--who= and --why= are for inhibit" },
                { TAKES_PROPERTY, "--property= is for show" },
                { TAKES_WATCH, "--watch is for status and cluster" },
                { TAKES_CONFIG, "--config= is for cluster and switchover" },
        };

        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (given & options[i].flag & ~v->flags) {
                        complain(c, CTL_ERROR_USAGE, NULL, "%s.", options[i].words);
                        return false;
                }
        return true;
}

static void print_option(size_t i) {
        int n = printf("%s", option_help[i].option);

        printf("%*s%s\n", n < 29 ? 30 - n : 1, "", option_help[i].help);
}

void verbs_help(struct ctl *c) {
        pager_open(c);
        printf("confd-hactl [OPTIONS...] [COMMAND ...]\n\n"
               "Ask and order the high availability of the ConfD on this host.\n\n"
               "%sCommands:%s\n", colour_out(COLOUR_HEAD), colour_out(COLOUR_NONE));
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (verbs[i].help) {
                        int n = printf("  %s %s", verbs[i].name, verbs[i].args);

                        printf("%*s%s\n", n < 40 ? 41 - n : 1, "", verbs[i].help);
                }
        printf("\n(be-primary, be-secondary and secondary-dead are the same as be-master, be-slave, slave-dead.)\n\n"
               "%sOptions:%s\n", colour_out(COLOUR_HEAD), colour_out(COLOUR_NONE));
        for (size_t i = 0; i < ELEMENTSOF(option_help); i++)
                print_option(i);
        printf("\nExit status: 0 done, 1 failed, or a wait timed out, 2 usage, 3 the service or ConfD is not there,\n"
               "4 not authorized, 5 timed out and the outcome is not known. See confd-hactl(1).\n");
}

enum ctl_exit verb_help(struct ctl *c, char **args) {
        const struct verb *v;

        if (!args[1]) {
                verbs_help(c);
                return CTL_DONE;
        }
        v = verb_find(args[1]);
        if (!v) {
                _cleanup_free_ char *printable = text_printable(args[1]);

                complain(c, CTL_ERROR_USAGE, CTL_ADVICE_USAGE, "There is no command '%s'.", printable ?: "?");
                return CTL_USAGE;
        }
        pager_open(c);
        printf("confd-hactl [OPTIONS...] %s %s\n", v->name, v->args);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (verbs[i].run == v->run && verbs[i].help && (v->help ? verbs + i == v : verbs[i].max_args == v->max_args)) {
                        printf("\n%s.%s%s\n", verbs[i].help, v->help ? "" : " The same as ", v->help ? "" : verbs[i].name);
                        break;
                }
        for (size_t i = 0, n = 0; i < ELEMENTSOF(option_help); i++)
                if (option_help[i].flag & v->flags) {
                        if (n++ == 0)
                                printf("\n");
                        print_option(i);
                }
        printf("\nOptions of every command are in confd-hactl --help, all there is to say in confd-hactl(1).\n");
        return CTL_DONE;
}
