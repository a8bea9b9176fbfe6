/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl switchover`: asks the hosts, shows the plan, asks the user. */
#include <signal.h>
#include <stdio.h>

#include "ctl/complain.h"
#include "ctl/confirm.h"
#include "ctl/ctl-config.h"
#include "ctl/switchover.h"

/* Whether it shall be done. CTL_DONE for yes. */
static enum ctl_exit ask(struct ctl *c) {
        if (c->yes)
                return CTL_DONE;
        if (!confirm_possible()) {
                complain(c, CTL_ERROR_USAGE, NULL, "Nobody can be asked here whether it shall be done: add --yes.");
                return CTL_USAGE;
        }
        (void) fflush(stdout);
        if (confirm("Shall it be done?"))
                return CTL_DONE;
        complain(c, CTL_ERROR_FAILED, NULL, "Nothing was changed.");
        return CTL_FAILED;
}

static enum ctl_exit switch_over(struct ctl *c, struct cluster *cluster, const char *to) {
        _cleanup_switchover_ struct switchover s = {};
        enum ctl_exit status;

        status = switchover_prepare(&s, cluster, to);
        if (status != CTL_DONE || !s.from)
                return status;
        switchover_print_plan(&s);
        if (c->dry_run)
                return CTL_DONE;
        status = ask(c);
        if (status != CTL_DONE)
                return status;
        /* Half of it would be worse than none of it: what was begun is brought to an end. */
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGTERM, SIG_IGN);
        (void) signal(SIGHUP, SIG_IGN);
        return switchover_run(&s);
}

enum ctl_exit verb_switchover(struct ctl *c, char **args) {
        _cleanup_cluster_ struct cluster cluster = {};
        enum ctl_exit status = CTL_FAILED;
        char **hosts = NULL;
        int r;

        if (c->host || c->machine || c->address || c->json != JSON_OFF) {
                complain(c, CTL_ERROR_USAGE, NULL, "switchover takes its hosts as arguments, and prints no JSON: "
                                                   "confd-hactl switchover TO HOST...");
                return CTL_USAGE;
        }
        r = ctl_hosts(c, args + 2, &hosts);
        if (r < 0)
                return CTL_USAGE;
        r = cluster_open(&cluster, c, hosts, c->timeout, /* follow= */ true);
        if (r >= 0)
                r = cluster_wait(&cluster);
        if (r < 0)
                complain(c, CTL_ERROR_FAILED, NULL, "Cannot ask the hosts: %s", strerror(-r));
        else
                status = switch_over(c, &cluster, args[1]);
        ctl_hosts_free(hosts);
        return status;
}
