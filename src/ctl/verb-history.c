/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl history`. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/history.h"
#include "ctl/pager.h"

static enum ctl_exit cannot_read(struct ctl *c, int r) {
        enum ctl_exit status = r == -EACCES || r == -EPERM ? CTL_NOT_AUTHORIZED
                               : r == -ENXIO || r == -ENOENT ? CTL_NOT_THERE : CTL_FAILED;

        complain(c, status == CTL_NOT_AUTHORIZED ? SD_BUS_ERROR_ACCESS_DENIED : CTL_ERROR_FAILED,
                 c->machine ? "Only root may read the journal of a container; is it running? machinectl"
                            : "Try: journalctl -u confd-ha.service",
                 "Cannot read the journal%s%s: %s", c->machine ? " of container " : "", c->machine ?: "", strerror(-r));
        return status;
}

static void notices(const struct ctl *c, const struct history *h) {
        if (h->partial)
                notice(c, "You may read the journal only in part, so entries may be missing here. "
                          "Root and the groups systemd-journal and adm see all of it.");
        if (h->more)
                notice(c, "Older entries were left out; --lines= takes more than %" PRIu64 ".", c->lines);
        if (h->refused > 0)
                notice(c, "%" PRIu64 " more calls were refused (denied, or too many at once); --all shows them.", h->refused);
        if (h->n == 0 && !h->partial && !c->follow)
                notice(c, "The journal has no orders and no transitions%s.",
                       c->since || c->until != USEC_INFINITY || c->only_orders || c->only_transitions ? " of that kind" : "");
}

enum ctl_exit verb_history(struct ctl *c, char **args) {
        _cleanup_history_ struct history h = {};
        int r;

        if (c->since > c->until) {
                complain(c, CTL_ERROR_USAGE, NULL, "--since= is after --until=.");
                return CTL_USAGE;
        }
        if (c->follow && (c->reverse || c->until != USEC_INFINITY)) {
                complain(c, CTL_ERROR_USAGE, NULL, "--follow goes with neither --reverse nor --until=.");
                return CTL_USAGE;
        }
        if (c->host)
                return history_remote(c);
        r = history_open(c, &h);
        if (r >= 0)
                r = history_read(c, &h);
        if (r < 0)
                return cannot_read(c, r);
        notices(c, &h);
        if (!c->follow)
                pager_open(c);
        r = history_print(c, &h);
        if (r >= 0 && c->follow)
                r = history_follow(c, &h);
        /* Nobody reads any more: the end. */
        if (r < 0 && r != -EPIPE) {
                complain(c, CTL_ERROR_FAILED, NULL, "Cannot show the history: %s", strerror(-r));
                return CTL_FAILED;
        }
        return CTL_DONE;
}
