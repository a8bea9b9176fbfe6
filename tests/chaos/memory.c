/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what malloc() keeps of a program whose memory is looked at: nothing for long, whatever the program wants. It may keep some MiB to
 * be quicker, and a small piece that is in use keeps all that is free below it: what the program holds would not be seen for that. */
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

enum { TRIM_MSEC = 500 };

EXPORT int mallopt(int parameter, int value) {
        return 1;
}

static void *trim(void *unused) {
        for (;;) {
                (void) poll(NULL, 0, TRIM_MSEC);
                (void) malloc_trim(0);
        }
        return NULL;
}

/* Signals are for the program's own threads. */
__attribute__((constructor)) static void start(void) {
        sigset_t all, before;
        pthread_t thread;

        sigfillset(&all);
        if (pthread_sigmask(SIG_BLOCK, &all, &before) != 0)
                return;
        if (pthread_create(&thread, NULL, trim, NULL) == 0)
                (void) pthread_detach(thread);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
}
