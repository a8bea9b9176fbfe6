/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the calls that wait to be answered when the bus has taken the answers before.
 *
 * Turns: a call's is the one after that of its caller's previous call, or the present one if he has none here. They are
 * answered in the order of turns, within a turn in the order of arrival. */
#include <sys/queue.h>

#include "basic/bus-sender.h"
#include "basic/log.h"
#include "node/bus-reads.h"

struct read {
        TAILQ_ENTRY(read) reads;
        sd_bus_message *message;
        bus_read_fn fn;
        void *userdata;
        uint64_t turn;
};

TAILQ_HEAD(read_queue, read);

struct bus_reads {
        struct read_queue waiting;  /* in the order in which they are answered */
        unsigned n;
        unsigned n_added;           /* since turns were taken last */
        uint64_t turn;              /* of the last one that was answered */
        bool ended;
        sd_event_source *defer;     /* looks as soon as one has come */
        sd_event_source *post;      /* while some wait: after whatever else the loop does, so also after each write to the bus */
};

static void read_free(struct bus_reads *q, struct read *r) {
        TAILQ_REMOVE(&q->waiting, r, reads);
        q->n--;
        sd_bus_message_unref(r->message);
        free(r);
}

static bool has_room(sd_bus *bus) {
        uint64_t queued = 0;

        return sd_bus_get_n_queued_write(bus, &queued) < 0 || queued == 0;
}

static void tell_unanswered(sd_bus_message *m, int r) {
        if (r < 0)
                log_debug("D-Bus: cannot answer %s: %s", sd_bus_message_get_member(m), strerror(-r));
}

static void answer(struct bus_reads *q, struct read *read) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        q->turn = read->turn;
        r = read->fn(read->message, read->userdata, &error);
        if (sd_bus_error_is_set(&error))
                r = sd_bus_reply_method_error(read->message, &error);
        else if (r < 0)
                r = sd_bus_reply_method_errno(read->message, r, NULL);
        tell_unanswered(read->message, r);
        read_free(q, read);
}

/* One at a time: the bus may take a hundred large answers at once, and the loop has other things to do meanwhile. */
static void take_turn(struct bus_reads *q) {
        struct read *r = TAILQ_FIRST(&q->waiting);

        q->n_added = 0;
        if (r && has_room(sd_bus_message_get_bus(r->message)))
                answer(q, r);
        r = TAILQ_FIRST(&q->waiting);
        (void) sd_event_source_set_enabled(q->post, r ? SD_EVENT_ON : SD_EVENT_OFF);
        if (r && has_room(sd_bus_message_get_bus(r->message)))
                (void) sd_event_source_set_enabled(q->defer, SD_EVENT_ONESHOT);
}

static int on_turn(sd_event_source *source, void *userdata) {
        take_turn(userdata);
        return 0;
}

/* After all that has come in: turns are taken among those that are known, and one that is answered before the next is read takes
 * its turn before who came a moment later, however much that one has asked for already. */
static int set_last(sd_event_source *source) {
        int r = sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);

        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

int bus_reads_new(sd_event *event, struct bus_reads **ret) {
        _cleanup_(bus_reads_freep) struct bus_reads *q = calloc(1, sizeof(*q));
        int r;

        if (!q)
                return -ENOMEM;
        TAILQ_INIT(&q->waiting);
        r = sd_event_add_defer(event, &q->defer, on_turn, q);
        if (r >= 0)
                r = set_last(q->defer);
        if (r >= 0)
                r = sd_event_add_post(event, &q->post, on_turn, q);
        if (r >= 0)
                r = set_last(q->post);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(q);
        return 0;
}

struct bus_reads *bus_reads_free(struct bus_reads *q) {
        if (!q)
                return NULL;
        bus_reads_clear(q);
        sd_event_source_disable_unref(q->defer);
        sd_event_source_disable_unref(q->post);
        free(q);
        return NULL;
}

int bus_reads_add(struct bus_reads *q, sd_bus_message *m, bus_read_fn fn, void *userdata) {
        const char *sender = sd_bus_message_get_sender(m) ?: "";
        struct read *read, *after;
        uint64_t turn = q->turn;
        unsigned mine = 0;
        int r;

        if (q->ended)
                return -ECANCELED;
        TAILQ_FOREACH(read, &q->waiting, reads)
                if (streq(sd_bus_message_get_sender(read->message) ?: "", sender)) {
                        turn = read->turn + 1;
                        mine++;
                }
        if (q->n >= (mine > 0 ? BUS_READS_MAX - BUS_READS_KEPT : BUS_READS_MAX) || mine >= BUS_READS_PER_CALLER_MAX)
                return -EBUSY;
        read = calloc(1, sizeof(*read));
        if (!read)
                return -ENOMEM;
        r = sd_event_source_set_enabled(q->defer, SD_EVENT_ONESHOT);
        if (r < 0) {
                free(read);
                return r;
        }
        read->message = sd_bus_message_ref(m);
        read->fn = fn;
        read->userdata = userdata;
        read->turn = turn;
        q->n++;
        TAILQ_FOREACH_REVERSE(after, &q->waiting, read_queue, reads)
                if (after->turn <= turn)
                        break;
        if (after)
                TAILQ_INSERT_AFTER(&q->waiting, after, read, reads);
        else
                TAILQ_INSERT_HEAD(&q->waiting, read, reads);
        /* Who asks without end does not keep the loop from answering. */
        if (++q->n_added >= BUS_READS_PER_CALLER_MAX)
                take_turn(q);
        return 0;
}

static int on_gone(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct bus_reads *q = userdata;
        struct read *r, *next;
        const char *name;

        if (!bus_is_from_bus(m) || sd_bus_message_read(m, "s", &name) < 0)
                return 0;
        for (r = TAILQ_FIRST(&q->waiting); r; r = next) {
                next = TAILQ_NEXT(r, reads);
                if (streq(sd_bus_message_get_sender(r->message) ?: "", name))
                        read_free(q, r);
        }
        return 0;
}

/* A bus that does not tell us is no reason to end the connection: their answers go nowhere. */
static int on_match(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        if (sd_bus_message_is_method_error(m, NULL))
                log_debug("D-Bus: the bus does not tell who leaves: %s", sd_bus_message_get_error(m)->message ?: "no reason given");
        return 0;
}

int bus_reads_watch(struct bus_reads *q, sd_bus *bus) {
        return sd_bus_add_match_async(bus, NULL,
                                      "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                      "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''",
                                      on_gone, on_match, q);
}

void bus_reads_end(struct bus_reads *q, const sd_bus_error *error) {
        struct read *r;

        q->ended = true;
        while ((r = TAILQ_FIRST(&q->waiting))) {
                tell_unanswered(r->message, sd_bus_reply_method_error(r->message, error));
                read_free(q, r);
        }
}

void bus_reads_clear(struct bus_reads *q) {
        struct read *r;

        while ((r = TAILQ_FIRST(&q->waiting)))
                read_free(q, r);
}
