/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the look at who reads standard output. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "basic/time-util.h"
#include "ctl/output.h"

int output_wait(int fd, int events, uint64_t until) {
        /* Of a pipe without a reader, and of a socket without another end, that much is told without being asked for. */
        struct pollfd p[] = { { .fd = fd, .events = (short) events }, { .fd = STDOUT_FILENO } };
        uint64_t now = now_monotonic(), left = until > now ? until - now : 0;
        struct timespec timeout = { .tv_sec = (time_t) (left / USEC_PER_SEC), .tv_nsec = (long) (left % USEC_PER_SEC * 1000) };

        if (ppoll(p, ELEMENTSOF(p), until == USEC_INFINITY ? NULL : &timeout, NULL) < 0)
                return errno == EINTR ? 0 : -errno;
        if (!(p[1].revents & (POLLERR | POLLHUP)))
                return 0;
        (void) raise(SIGPIPE); /* as the next line would */
        return -EPIPE;
}
