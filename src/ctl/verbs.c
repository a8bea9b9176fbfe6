/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of verbs. */
#include <stdio.h>

#include "ctl/complain.h"
#include "ctl/pager.h"
#include "ctl/verbs.h"

static const struct verb verbs[] = {
        { "status", 0, 0, 0, verb_status, "", "Show state, peers, connection and the last error (default)" },
        { "be-master", 1, 1, IS_ORDER, verb_order, "ID", "Make this node the master, as ID" },
        { "take-over", 2, 2, IS_ORDER, verb_order, "ID OLD-MASTER|any",
          "The same, only if its data was in sync under that master" },
        { "be-slave", 3, 3, IS_ORDER | TAKES_NO_WAIT | MAY_BE_ENDLESS, verb_order, "ID MASTER-ID MASTER-ADDRESS",
          "Make it follow that master, as ID" },
        { "be-relay", 0, 0, IS_ORDER, verb_order, "", "Let a slave serve slaves of its own" },
        { "be-none", 0, 0, IS_ORDER, verb_order, "", "End its role" },
        { "slave-dead", 1, 1, IS_ORDER, verb_order, "ID", "Declare that node dead" },
        { "monitor", 0, 0, 0, verb_monitor, "", "Print one line an event, until interrupted" },
        { "wait", 1, 2, TAKES_MARK | MAY_BE_ENDLESS, verb_wait, "STATE,...|slave ID",
          "Return once it is so; also \"synced\", \"in-sync\"" },
        { "check", 0, 0, TAKES_CHECK, verb_check, "", "Exit 0, 1 or 2, with one line why" },
        { "history", 0, 0, TAKES_HISTORY, verb_history, "", "Show past orders and transitions" },
        { "explain", 1, 1, 0, verb_explain, "ERROR", "Tell what an error means, and what to look at" },
        { "reload", 0, 0, IS_ORDER, verb_order, "", "Have the service read its configuration again" },
        { "be-primary", 1, 1, IS_ORDER, verb_order, "ID", NULL },
        { "be-secondary", 3, 3, IS_ORDER | TAKES_NO_WAIT | MAY_BE_ENDLESS, verb_order, "ID PRIMARY-ID PRIMARY-ADDRESS", NULL },
        { "secondary-dead", 1, 1, IS_ORDER, verb_order, "ID", NULL },
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
                { TAKES_HISTORY, "--lines=, --since=, --until=, --follow, --reverse, --orders, --transitions and --all are for history" },
                { TAKES_MARK, "--mark= is for wait" },
        };

        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (given & options[i].flag & ~v->flags) {
                        complain(c, CTL_ERROR_USAGE, NULL, "%s.", options[i].words);
                        return false;
                }
        return true;
}

void verbs_help(struct ctl *c) {
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
               "     --mark=MARK              wait: for the be-slave --no-wait that gave this mark\n"
               "     --role=STATE,...         check: is the state one of these?\n"
               "     --wanted=STATE,...       check: the same, or on the way there?\n"
               "     --ready                  check: connected, not synchronizing, and ConfD answers?\n"
               "     --in-sync                check: is this node's data in place?\n"
               "     --targets                check: is the role's target of systemd reached?\n"
               "  -n --lines=N                history: the last N entries (%i; 10 with --follow)\n"
               "     --since=TIME --until=TIME  history: of that time (-1h, today, \"2026-11-25 18:30\")\n"
               "  -f --follow                 history: go on with what comes\n"
               "  -r --reverse                history: the newest first\n"
               "     --orders --transitions   history: these alone\n"
               "  -a --all                    history: also calls that were refused, however many\n\n"
               "Exit status: 0 done, 1 failed, or a wait timed out, 2 usage, 3 the service or ConfD is not there,\n"
               "4 not authorized, 5 timed out and the outcome is not known. See confd-hactl(1).\n", LINES_DEFAULT);
}
