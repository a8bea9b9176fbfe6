/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the thread that writes to the state directory. */
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "service/keeper.h"
#include "service/kept-files.h"

/* What loop and thread share. The last of them frees it: the thread may be held by a disk when the service has ended. */
struct desk {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        unsigned holders;
        char *name;
        int wake_fd;  /* the thread tells the loop */
        char *next;   /* to be written */
        bool writing;
        bool end;
        struct kept_outcome outcome; /* of the last that was written */
};

struct keeper {
        struct desk *desk;
        sd_event_source *wake, *patience;
        keeper_fn fn;
        void *userdata;
        bool busy, slow;
};

/* ---- the thread ---- */

static void desk_release(struct desk *d) {
        bool last;

        (void) pthread_mutex_lock(&d->mutex);
        last = --d->holders == 0;
        (void) pthread_mutex_unlock(&d->mutex);
        if (!last)
                return;
        (void) pthread_cond_destroy(&d->changed);
        (void) pthread_mutex_destroy(&d->mutex);
        safe_close(d->wake_fd);
        free(d->name);
        free(d->next);
        free(d);
}

/* With the mutex held, as when it returns. */
static void write_next(struct desk *d) {
        _cleanup_free_ char *text = TAKE_PTR(d->next);
        struct kept_outcome outcome;

        d->writing = true;
        (void) pthread_mutex_unlock(&d->mutex);
        outcome = kept_try(KEPT_STATE, d->name, text);
        (void) pthread_mutex_lock(&d->mutex);
        d->writing = false;
        d->outcome = outcome;
        (void) eventfd_write(d->wake_fd, 1);
        (void) pthread_cond_broadcast(&d->changed);
}

static void *work(void *userdata) {
        struct desk *d = userdata;

        (void) pthread_mutex_lock(&d->mutex);
        while (d->next || !d->end)
                if (d->next)
                        write_next(d);
                else
                        (void) pthread_cond_wait(&d->changed, &d->mutex);
        (void) pthread_mutex_unlock(&d->mutex);
        desk_release(d);
        return NULL;
}

/* ---- the loop ---- */

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata) {
        struct keeper *k = userdata;

        k->slow = true;
        log_warning("The disk under the state directory is slow: %s has not been put on it within a second; what it says is told, and "
                    "a BeSlave given, when it is there", k->desk->name);
        k->fn(k->userdata);
        return 0;
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct keeper *k = userdata;
        struct kept_outcome outcome;
        eventfd_t count;
        bool idle;

        (void) eventfd_read(fd, &count);
        (void) pthread_mutex_lock(&k->desk->mutex);
        outcome = k->desk->outcome;
        idle = !k->desk->next && !k->desk->writing;
        (void) pthread_mutex_unlock(&k->desk->mutex);
        kept_complain(KEPT_STATE, k->desk->name, &outcome);
        if (!idle || !k->busy)
                return 0;
        if (k->slow)
                log_info("%s is on disk after all", k->desk->name);
        k->busy = k->slow = false;
        (void) sd_event_source_set_enabled(k->patience, SD_EVENT_OFF);
        k->fn(k->userdata);
        return 0;
}

bool keeper_is_idle(const struct keeper *k) {
        return !k->busy;
}

bool keeper_is_awaited(const struct keeper *k) {
        return k->busy && !k->slow;
}

int keeper_keep(struct keeper *k, char *text) {
        struct desk *d = k->desk;

        if (!text)
                return -ENOMEM;
        (void) pthread_mutex_lock(&d->mutex);
        free(d->next);
        d->next = text;
        (void) pthread_cond_broadcast(&d->changed);
        (void) pthread_mutex_unlock(&d->mutex);
        if (k->busy)
                return 0;
        k->busy = true;
        (void) sd_event_source_set_time_relative(k->patience, KEEPER_PATIENCE_USEC);
        (void) sd_event_source_set_enabled(k->patience, SD_EVENT_ONESHOT);
        return 0;
}

void keeper_finish(struct keeper *k) {
        uint64_t until = usec_add(now_monotonic(), KEEPER_END_USEC);
        const struct timespec end = { (time_t) (until / USEC_PER_SEC), (long) (until % USEC_PER_SEC) * 1000 };
        struct desk *d = k->desk;
        int r = 0;

        (void) pthread_mutex_lock(&d->mutex);
        while ((d->next || d->writing) && r == 0)
                r = pthread_cond_timedwait(&d->changed, &d->mutex, &end);
        if (r == 0 && k->busy)
                kept_complain(KEPT_STATE, d->name, &d->outcome);
        (void) pthread_mutex_unlock(&d->mutex);
        k->busy = k->slow = r != 0;
        if (r != 0)
                log_warning("%s is still not on disk; what was there before may be there at the next start", d->name);
}

/* ---- a keeper ---- */

static struct desk *desk_new(const char *name) {
        struct desk *d = calloc(1, sizeof(*d));
        pthread_condattr_t attributes;

        if (!d)
                return NULL;
        d->name = strdup(name);
        d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        d->holders = 1;
        if (!d->name || d->wake_fd < 0 || pthread_condattr_init(&attributes) != 0) {
                safe_close(d->wake_fd);
                free(d->name);
                free(d);
                return NULL;
        }
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_mutex_init(&d->mutex, NULL);
        (void) pthread_cond_init(&d->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);
        return d;
}

int keeper_new(struct keeper **ret, sd_event *event, const char *name, keeper_fn fn, void *userdata) {
        _cleanup_(keeper_freep) struct keeper *k = calloc(1, sizeof(*k));
        pthread_t thread;
        int r;

        if (!k)
                return -ENOMEM;
        k->fn = fn;
        k->userdata = userdata;
        k->desk = desk_new(name);
        if (!k->desk)
                return -ENOMEM;
        r = sd_event_add_io(event, &k->wake, k->desk->wake_fd, EPOLLIN, on_wake, k);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &k->patience, CLOCK_MONOTONIC, 0, 10 * USEC_PER_MSEC, on_patience, k);
        if (r >= 0)
                r = sd_event_source_set_enabled(k->patience, SD_EVENT_OFF);
        if (r < 0)
                return r;
        k->desk->holders++;
        r = pthread_create(&thread, NULL, work, k->desk);
        if (r != 0) {
                k->desk->holders--;
                return -r;
        }
        (void) pthread_detach(thread);
        *ret = TAKE_PTR(k);
        return 0;
}

struct keeper *keeper_free(struct keeper *k) {
        if (!k)
                return NULL;
        if (k->busy)
                keeper_finish(k);
        sd_event_source_disable_unref(k->wake);
        sd_event_source_disable_unref(k->patience);
        if (k->desk) {
                (void) pthread_mutex_lock(&k->desk->mutex);
                k->desk->end = true;
                (void) pthread_cond_broadcast(&k->desk->changed);
                (void) pthread_mutex_unlock(&k->desk->mutex);
                desk_release(k->desk);
        }
        free(k);
        return NULL;
}
