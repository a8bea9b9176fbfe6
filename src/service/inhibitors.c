/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the inhibitors.
 *
 * The holder has the writing end of a pipe, and we see its last copy closed at our end, whoever had it: a program that passed
 * it on, or crashed. What is written into it stays there. */
#include <fcntl.h>
#include <sys/epoll.h>

#include "basic/time-util.h"
#include "service/inhibitors.h"

struct inhibitors {
        sd_event *event;
        struct inhibitor_list all;
        size_t n;
        inhibitor_gone_fn gone;
        void *userdata;
};

static struct inhibitor *inhibitor_free(struct inhibitor *i) {
        if (!i)
                return NULL;
        sd_event_source_disable_unref(i->closed);
        safe_close(i->fd);
        free(i->who);
        free(i->why);
        free(i->sender);
        free(i);
        return NULL;
}
DEFINE_CLEANUP(struct inhibitor *, inhibitor_free)

static int on_closed(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        _cleanup_(inhibitor_freep) struct inhibitor *i = userdata;
        struct inhibitors *is = i->inhibitors;

        TAILQ_REMOVE(&is->all, i, all);
        is->n--;
        is->gone(is->userdata, i);
        return 0;
}

int inhibitors_add(struct inhibitors *is, const char *who, const char *why, const char *sender, uid_t uid,
                   const struct inhibitor **ret, int *ret_fd) {
        _cleanup_(inhibitor_freep) struct inhibitor *i = NULL;
        _cleanup_close_ int theirs = -EBADF;
        int fds[2], r;

        if (is->n >= INHIBITORS_MAX)
                return -EUSERS;
        i = calloc(1, sizeof(*i));
        if (!i)
                return -ENOMEM;
        i->fd = -EBADF;
        i->inhibitors = is;
        i->uid = uid;
        i->since = now_realtime();
        if (free_and_strdup(&i->who, who) < 0 || free_and_strdup(&i->why, why) < 0 || free_and_strdup(&i->sender, sender) < 0)
                return -ENOMEM;
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        i->fd = fds[0];
        theirs = fds[1];
        /* No event is asked for: that nobody can write any more is always told. */
        r = sd_event_add_io(is->event, &i->closed, i->fd, 0, on_closed, i);
        if (r < 0)
                return r;
        TAILQ_INSERT_TAIL(&is->all, i, all);
        is->n++;
        *ret = TAKE_PTR(i);
        *ret_fd = TAKE_FD(theirs);
        return 0;
}

const struct inhibitor_list *inhibitors_list(const struct inhibitors *is) {
        return &is->all;
}

const struct inhibitor *inhibitors_against(const struct inhibitors *is, const char *sender) {
        const struct inhibitor *i;

        TAILQ_FOREACH(i, &is->all, all)
                if (!streq(i->sender, sender))
                        return i;
        return NULL;
}

int inhibitors_new(struct inhibitors **ret, sd_event *event, inhibitor_gone_fn gone, void *userdata) {
        struct inhibitors *is = calloc(1, sizeof(*is));

        if (!is)
                return -ENOMEM;
        is->event = sd_event_ref(event);
        TAILQ_INIT(&is->all);
        is->gone = gone;
        is->userdata = userdata;
        *ret = is;
        return 0;
}

struct inhibitors *inhibitors_free(struct inhibitors *is) {
        struct inhibitor *i;

        if (!is)
                return NULL;
        while ((i = TAILQ_FIRST(&is->all))) {
                TAILQ_REMOVE(&is->all, i, all);
                inhibitor_free(i);
        }
        sd_event_unref(is->event);
        free(is);
        return NULL;
}
