/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way through a verb, from its words to the exit status. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include "ctl/bus-connection.h"
#include "ctl/colour.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/options.h"
#include "ctl/pager.h"
#include "ctl/polkit-agent.h"
#include "ctl/verbs.h"

int ctl_main(int argc, char **argv) {
        struct ctl c = { .ask_password = true, .legend = true, .use_pager = true, .until = USEC_INFINITY, .mark = USEC_INFINITY,
                         .watch_period = WATCH_DEFAULT_USEC };
        const struct verb *v;
        enum ctl_exit status;
        char **args;
        int r;

        (void) setlocale(LC_ALL, "");
        colour_init();
        r = options_parse(&c, argc, argv, &v, &args);
        if (r <= 0) {
                pager_close(&c);
                if (r == 0)
                        return CTL_DONE;
                fprintf(stderr, "Try: confd-hactl --help\n");
                complain_json(&c, CTL_ERROR_USAGE, "wrong usage; the words are on standard error", NULL);
                return CTL_USAGE;
        }
        if (!c.timeout_given)
                c.timeout = v->flags & MAY_BE_ENDLESS ? USEC_INFINITY
                            : (v->flags & IS_CLUSTER ? CLUSTER_TIMEOUT_SEC : TIMEOUT_DEFAULT_SEC) * USEC_PER_SEC;
        c.deadline = usec_add(now_monotonic(), c.timeout);

        if (c.lines == 0)
                c.lines = c.follow ? LINES_FOLLOW : LINES_DEFAULT;
        /* Who ends reading early must not end an order's exit status. */
        if (v->flags & IS_ORDER)
                (void) signal(SIGPIPE, SIG_IGN);

        status = v->run(&c, args);

        polkit_agent_close(&c);
        pager_close(&c);
        bus_disconnect(&c);
        /* What could not be written (a full disk) was not told; but an order was carried out. A pager that was left early is
         * no failure. */
        if (fflush(stdout) != 0) {
                complain_words(NULL, "Cannot write the output: %s", strerror(errno));
                if (status == CTL_DONE && !(v->flags & IS_ORDER))
                        status = CTL_FAILED;
        }
        return status;
}
