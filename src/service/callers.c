/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the connections that have called: whose they are, and which places their calls have.
 *
 *      callers_enter --> room for the connection? --> known? --> room for the user, and in all? --> its place
 *                                                  \-> ask the bus, once for all its calls -/
 *
 * The bus gives no name twice, so what it has told of one stays true. A connection is remembered for a while when it has no
 * call left: whoever asks for the status again and again costs one question more, not one each time. */
#include "basic/log.h"
#include "service/callers.h"

enum { BUCKETS = 256 };

struct sender {
        LIST_ENTRY(sender) bucket;
        TAILQ_ENTRY(sender) idle; /* while it has no call */
        struct callers *callers;
        struct place_user *user; /* NULL as long as it is not known */
        struct caller caller;
        struct place_counts waiting;
        size_t n_tickets;
        TAILQ_HEAD(, ticket) unknown; /* until it is known whose they are */
        sd_bus_slot *asking;
        bool asked_again;
        char name[];
};

struct callers {
        sd_bus *bus;
        struct places places;
        LIST_HEAD(, sender) buckets[BUCKETS];
        TAILQ_HEAD(, sender) idle; /* who called last comes last */
        size_t n_idle, n_unknown;
};

/* ---- connections ---- */

static size_t bucket_of(const char *name) {
        size_t h = 5381;

        for (; *name; name++)
                h = h * 33 ^ (unsigned char) *name;
        return h % BUCKETS;
}

static struct sender *sender_free(struct sender *s) {
        if (!s)
                return NULL;
        LIST_REMOVE(s, bucket);
        sd_bus_slot_unref(s->asking);
        place_user_unref(s->user);
        free(s);
        return NULL;
}

static struct sender *sender_find(struct callers *c, const char *name) {
        struct sender *s;

        LIST_FOREACH(s, &c->buckets[bucket_of(name)], bucket)
                if (streq(s->name, name))
                        return s;
        return NULL;
}

static struct sender *sender_new(struct callers *c, const char *name) {
        struct sender *s = calloc(1, sizeof(*s) + strlen(name) + 1);

        if (!s)
                return NULL;
        s->callers = c;
        TAILQ_INIT(&s->unknown);
        strcpy(s->name, name);
        LIST_INSERT_HEAD(&c->buckets[bucket_of(name)], s, bucket);
        return s;
}

static void sender_forget_idle(struct callers *c, size_t keep) {
        while (c->n_idle > keep) {
                struct sender *oldest = TAILQ_FIRST(&c->idle);

                TAILQ_REMOVE(&c->idle, oldest, idle);
                c->n_idle--;
                sender_free(oldest);
        }
}

/* A call has come. */
static void sender_hold(struct sender *s) {
        if (s->n_tickets++ > 0 || !s->user)
                return;
        TAILQ_REMOVE(&s->callers->idle, s, idle);
        s->callers->n_idle--;
}

/* A call has gone. Whose connection it was is remembered only if it is known. */
static void sender_release(struct sender *s) {
        struct callers *c = s->callers;

        if (--s->n_tickets > 0)
                return;
        if (!s->user) {
                sender_free(s);
                return;
        }
        TAILQ_INSERT_TAIL(&c->idle, s, idle);
        c->n_idle++;
        sender_forget_idle(c, CALLERS_REMEMBERED_MAX);
}

/* ---- places ---- */

void ticket_leave(struct ticket *t) {
        struct sender *s = t->sender;

        if (!s)
                return;
        t->sender = NULL;
        s->waiting.n[t->kind]--;
        if (t->user) {
                places_give_back(t->user, t->kind);
                t->user = place_user_unref(t->user);
        } else {
                TAILQ_REMOVE(&s->unknown, t, unknown);
                s->callers->n_unknown--;
        }
        sender_release(s);
}

static const char *kind_to_string(enum place_kind kind) {
        static const char *const names[PLACE_KINDS] = {
                [PLACE_ORDER] = "orders",
                [PLACE_STATUS] = "questions for the status",
                [PLACE_LOG] = "changes of the log",
        };

        return names[kind];
}

static void end(struct ticket *t, int r, struct failure failure, const struct caller *caller) {
        _cleanup_failure_ struct failure f = failure;

        ticket_leave(t);
        t->done(t->userdata, r, &f, caller);
}

/* It is known whose the call is. */
static void seat(struct ticket *t) {
        const struct place_limit *l = &place_limits[t->kind];
        struct sender *s = t->sender;
        struct caller caller = s->caller;
        const struct failure none = FAILURE_NONE;
        int r;

        r = places_take(s->user, t->kind);
        if (r == -EUSERS)
                end(t, -EBUSY, failure_make(FAILURE_LIMITS_EXCEEDED, "too many %s of the user %u wait already: at most %zu",
                                            kind_to_string(t->kind), (unsigned) caller.uid, l->per_user), &caller);
        else if (r < 0)
                end(t, -EBUSY, failure_make(FAILURE_LIMITS_EXCEEDED, "too many %s wait already: at most %zu, of which %d are kept "
                                            "for root and for users who have none waiting", kind_to_string(t->kind), l->all,
                                            PLACES_KEPT), &caller);
        else {
                TAILQ_REMOVE(&s->unknown, t, unknown);
                s->callers->n_unknown--;
                t->user = s->user;
                t->user->n_refs++;
                t->done(t->userdata, 0, &none, &caller);
        }
}

/* All that wait, one after the other: what is called may let others leave, or call again. */
static void seat_all(struct sender *s) {
        struct ticket *t;

        s->n_tickets++;
        while ((t = TAILQ_FIRST(&s->unknown)))
                seat(t);
        sender_release(s);
}

static void end_all(struct sender *s, int r, const struct failure *failure) {
        const struct caller unknown = {};
        struct ticket *t;

        s->n_tickets++;
        while ((t = TAILQ_FIRST(&s->unknown)))
                end(t, r, failure_copy(failure), &unknown);
        sender_release(s);
}

/* ---- who it is ---- */

int caller_read(sd_bus_message *m, struct caller *ret) {
        struct caller c = {};
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *key;
                uint32_t u;

                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0 && (streq(key, "UnixUserID") || streq(key, "ProcessID"))) {
                        r = sd_bus_message_read(m, "v", "u", &u);
                        if (r >= 0 && streq(key, "UnixUserID")) {
                                c.uid = u;
                                c.known = true;
                        } else if (r >= 0)
                                c.pid = (pid_t) u;
                } else if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (!c.known)
                return -ENODATA;
        *ret = c;
        return 0;
}

static int ask(struct sender *s);

static int on_credentials(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct sender *s = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        struct failure f;
        int r;

        s->asking = sd_bus_slot_unref(s->asking);
        /* The bus always answers. If it seems not to have, it is us who were stopped, with the answer unread. */
        if (sd_bus_error_has_names(e, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT) && !s->asked_again) {
                s->asked_again = true;
                if (ask(s) >= 0)
                        return 0;
        }
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
                f = FAILURE_NONE;
                end_all(s, -ECONNRESET, &f);
                return 0;
        }
        r = e ? -sd_bus_message_get_errno(m) : caller_read(m, &s->caller);
        if (r >= 0) {
                s->caller.privileged = places_is_privileged(&s->callers->places, s->caller.uid);
                s->user = places_user(&s->callers->places, s->caller.uid);
                if (s->user) {
                        seat_all(s);
                        return 0;
                }
                r = -ENOMEM;
        }
        log_debug("The bus does not tell who %s is: %s", s->name, strerror(-r));
        f = failure_make(FAILURE_BUS_ACCESS_DENIED, "not authorized: the bus does not tell who asks");
        end_all(s, -EACCES, &f);
        failure_done(&f);
        return 0;
}

static int ask(struct sender *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(s->callers->bus, &m, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                           "org.freedesktop.DBus", "GetConnectionCredentials");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", s->name);
        if (r >= 0)
                r = sd_bus_call_async(s->callers->bus, &s->asking, m, on_credentials, s, CALLERS_ASK_USEC);
        return r;
}

/* ---- calls ---- */

static bool may_wait_unknown(const struct callers *c, const struct sender *s) {
        return s->user || c->n_unknown < CALLERS_UNKNOWN_MAX || TAILQ_EMPTY(&s->unknown);
}

void callers_enter(struct callers *c, struct ticket *t, sd_bus_message *m, enum place_kind kind, ticket_fn done, void *userdata) {
        const char *name = sd_bus_message_get_sender(m);
        const struct caller unknown = {};
        struct sender *s;
        int r;

        t->kind = kind;
        t->done = done;
        t->userdata = userdata;
        if (!name) {
                end(t, -EACCES, failure_make(FAILURE_BUS_ACCESS_DENIED, "calls without a sender are not authorized"), &unknown);
                return;
        }
        s = sender_find(c, name) ?: sender_new(c, name);
        if (!s) {
                end(t, -ENOMEM, failure_make(FAILURE_NO_MEMORY, "no memory for the call"), &unknown);
                return;
        }
        if (!places_connection_has_room(&s->waiting, kind) || !may_wait_unknown(c, s)) {
                struct caller caller = s->caller;

                end(t, -EBUSY, failure_make(FAILURE_LIMITS_EXCEEDED, "too many %s of this connection wait already: at most %zu",
                                            kind_to_string(kind), place_limits[kind].per_connection), &caller);
                return;
        }
        sender_hold(s);
        t->sender = s;
        s->waiting.n[kind]++;
        TAILQ_INSERT_TAIL(&s->unknown, t, unknown);
        c->n_unknown++;
        if (s->user) {
                seat(t);
                return;
        }
        if (s->asking)
                return;
        r = ask(s);
        if (r < 0)
                end(t, -EACCES, failure_make(FAILURE_BUS_ACCESS_DENIED, "not authorized: the bus cannot be asked who asks: %s",
                                             strerror(-r)), &unknown);
}

int callers_new(struct callers **ret, sd_bus *bus) {
        struct callers *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->bus = sd_bus_ref(bus);
        c->places.own_uid = geteuid();
        TAILQ_INIT(&c->idle);
        *ret = c;
        return 0;
}

struct callers *callers_free(struct callers *c) {
        const struct failure none = FAILURE_NONE;
        struct sender *s, *next;

        if (!c)
                return NULL;
        for (size_t i = 0; i < BUCKETS; i++)
                for (s = LIST_FIRST(&c->buckets[i]); s; s = next) {
                        next = LIST_NEXT(s, bucket);
                        if (!TAILQ_EMPTY(&s->unknown))
                                end_all(s, -ECONNRESET, &none);
                }
        sender_forget_idle(c, 0);
        sd_bus_unref(c->bus);
        free(c);
        return NULL;
}
