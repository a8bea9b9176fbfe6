/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the pretence of a machine whose clock is stepped, for the program that it is preloaded into.
 *
 * The file CHAOS_CLOCK has eight bytes: by how many microseconds CLOCK_REALTIME is off, now; whoever runs the machine writes other
 * ones there. All ways to read that clock agree on it, and what waits for a moment of it by a timerfd is woken as if it were so when
 * it began to wait. The other clocks are not touched, as on a machine. */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define NEXT(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

enum { FDS_MAX = 4096, NSEC_PER_USEC = 1000, NSEC_PER_SEC = 1000000000, USEC_PER_SEC = 1000000 };

static const _Atomic int64_t *shared;
static bool is_of_clock[FDS_MAX]; /* timers that wait for moments of it */

__attribute__((constructor)) static void start(void) {
        const char *path = getenv("CHAOS_CLOCK");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *p;

        if (fd < 0)
                return;
        p = mmap(NULL, sizeof(*shared), PROT_READ, MAP_SHARED, fd, 0);
        (void) close(fd);
        if (p != MAP_FAILED)
                shared = p;
        (void) unsetenv("LD_PRELOAD");
}

static bool is_stepped(clockid_t clock) {
        return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

/* That moment, so many microseconds later. */
static void move(struct timespec *ts, int64_t usec) {
        ts->tv_sec += usec / USEC_PER_SEC;
        ts->tv_nsec += usec % USEC_PER_SEC * NSEC_PER_USEC;
        if (ts->tv_nsec >= NSEC_PER_SEC) {
                ts->tv_sec++;
                ts->tv_nsec -= NSEC_PER_SEC;
        } else if (ts->tv_nsec < 0) {
                ts->tv_sec--;
                ts->tv_nsec += NSEC_PER_SEC;
        }
}

static int64_t offset(void) {
        return shared ? atomic_load(shared) : 0;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *ts) {
        static __typeof__(&clock_gettime) _Atomic real;
        __typeof__(&clock_gettime) call = atomic_load(&real);
        int r;

        if (!call) {
                call = NEXT(clock_gettime);
                atomic_store(&real, call);
        }
        r = call ? call(clock, ts) : (int) syscall(SYS_clock_gettime, clock, ts);
        if (r >= 0 && is_stepped(clock))
                move(ts, offset());
        return r;
}

EXPORT int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
        struct timespec ts;

        (void) zone;
        if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
                return -1;
        *tv = (struct timeval) { .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / NSEC_PER_USEC };
        return 0;
}

EXPORT time_t time(time_t *ret) {
        struct timespec ts;

        if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
                return -1;
        if (ret)
                *ret = ts.tv_sec;
        return ts.tv_sec;
}

EXPORT int timespec_get(struct timespec *ts, int base) {
        return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, ts) >= 0 ? base : 0;
}

EXPORT int timerfd_create(int clock, int flags) {
        int fd = (int) syscall(SYS_timerfd_create, clock, flags);

        if (fd >= 0 && fd < FDS_MAX)
                is_of_clock[fd] = is_stepped(clock);
        return fd;
}

EXPORT int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old) {
        struct itimerspec moved = *value;

        if (fd >= 0 && fd < FDS_MAX && is_of_clock[fd] && (flags & TFD_TIMER_ABSTIME) && (value->it_value.tv_sec || value->it_value.tv_nsec)) {
                move(&moved.it_value, -offset());
                if (moved.it_value.tv_sec < 0) /* long ago */
                        moved.it_value = (struct timespec) { .tv_nsec = 1 };
        }
        return (int) syscall(SYS_timerfd_settime, fd, flags, &moved, old);
}
