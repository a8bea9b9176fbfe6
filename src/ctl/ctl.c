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

/* Whether what was printed went anywhere, and not to a full disk: also what was too long to wait for the end. A pager that was left
 * early is no failure. */
static bool all_written(void) {
        errno = 0;
        if (fflush(stdout) == 0 && !ferror(stdout))
                return true;
        complain_words(NULL, "Cannot write the output: %s", errno ? strerror(errno) : "some of it is lost");
        return false;
}

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
        if (r < 0)
                fprintf(stderr, CTL_ADVICE_USAGE "\n");
        if (r <= 0) {
                bool written;

                pager_close(&c);
                written = all_written();
                if (r < 0)
                        return CTL_USAGE;
                return written ? CTL_DONE : CTL_FAILED;
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
        /* What was not told was not done; but an order was carried out. */
        if (!all_written() && status == CTL_DONE && !(v->flags & IS_ORDER))
                status = CTL_FAILED;
        return (int) status;
}
