/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of org.confd.HANode, by state: several callers that read and write what they like, go away, and leave calls behind,
 * while the node's role takes a commit, refuses it or holds it back, and the bus gives the name or not. The store is a real one. The
 * other end of the connection plays the bus and all callers, and keeps a record of what was committed: each call has one answer, and
 * what is read is what the record says.
 *
 * The first byte is what the bus says to the name; then come steps: a byte that chooses the step (low bits) and the caller (high
 * bits), then what the step takes. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../unit/node/scratch.h"
#include "basic/log.h"
#include "input.h"
#include "node/bus-reads.h"
#include "node/bus.h"
#include "node/replication/master.h"

enum { STEPS_MAX = 64, CALLS_MAX = 1024, CHANGES_MAX = 4, KEYS_MAX = STEPS_MAX * CHANGES_MAX, SLAVES_SHOWN_MAX = 15 };

enum how { TAKEN, REFUSED, HELD };

struct pair {
        char key[256], value[256]; /* value of a deletion: not used */
        bool deleted;
};

struct call {
        uint64_t cookie;
        unsigned from;
        char member[16];
        bool open, quiet;  /* quiet: nothing was being written when it was made, and no limit near */
        bool must_succeed;
        unsigned writes;   /* how many were sent before */
        struct pair pairs[CHANGES_MAX];
        size_t n;
        char prefix[256], after[256];
        uint32_t max;
};

struct commit {
        struct transaction *transaction;
        transaction_stored_fn fn;
        void *userdata;
};

static struct world {
        sd_event *event;
        struct store *store;
        struct node_bus *bus;
        sd_bus *peer;
        uint8_t name_answer;
        bool left; /* it has come back to a bus that is there no more */
        unsigned n_started;
        int started;
        enum how how;
        int refusal;
        unsigned phase, writes;
        bool joining;
        size_t n_slaves;
        unsigned in_flight; /* commits on their way to the store */
        struct commit held[STEPS_MAX];
        size_t n_held;
        struct call calls[CALLS_MAX];
        size_t n_calls, n_open;
        unsigned n_unsettled; /* calls that it may not have seen yet, also such as want no answer */
        struct pair record[KEYS_MAX];
        size_t n_record;
} w;

/* ---- what was committed ---- */

static struct pair *find(const char *key) {
        for (size_t i = 0; i < w.n_record; i++)
                if (streq(w.record[i].key, key))
                        return &w.record[i];
        return NULL;
}

static void note_commit(const struct call *c) {
        for (size_t i = 0; i < c->n; i++) {
                struct pair *p = find(c->pairs[i].key);

                if (!p && !c->pairs[i].deleted) {
                        if (w.n_record == KEYS_MAX)
                                abort();
                        p = &w.record[w.n_record++];
                }
                if (p && c->pairs[i].deleted)
                        *p = w.record[--w.n_record];
                else if (p)
                        *p = c->pairs[i];
        }
}

/* ---- the node ---- */

static void on_started(int error, const char *why, void *userdata) {
        if (error < 0 && !why)
                abort();
        w.started = error;
        w.n_started++;
}

static const char *on_state(void *userdata) {
        return w.how == TAKEN ? "none" : "slave";
}

static bool on_joining(void *userdata) {
        return w.joining;
}

static unsigned on_phase(void *userdata) {
        return w.phase;
}

static void on_slaves(master_slave_fn fn, void *fn_userdata, void *userdata) {
        for (size_t i = 0; i < w.n_slaves; i++) {
                const uint8_t id[] = { 109, 0, 0, 0, 2, 'n', (uint8_t) (i * 17) };
                struct master_slave slave = { .address = { .family = i % 2 ? AF_INET6 : AF_INET }, .bytes_unsent = UINT64_MAX };

                if (node_id_from_bytes(id, sizeof(id), &slave.id) < 0)
                        abort();
                fn(&slave, fn_userdata);
        }
}

static int on_set_phase(unsigned phase, void *userdata) {
        if (phase > ROLE_PHASE_MAX)
                return -EINVAL;
        if (phase < w.phase)
                return -EPERM;
        w.phase = phase;
        return 0;
}

static void on_stored(int result, struct transaction *t, void *userdata) {
        struct commit *c = userdata;

        w.in_flight--;
        if (result < 0)
                abort(); /* there is space, and it was in order */
        c->fn(result, t, c->userdata);
        transaction_unref(c->transaction);
        free(c);
}

static int on_commit(struct transaction *t, transaction_stored_fn fn, void *fn_userdata, void *userdata) {
        struct commit *c;

        if (transaction_changes(t) == 0 || transaction_is_sealed(t))
                abort(); /* the handler was to refuse the one, and the other is ours */
        if (w.how == REFUSED)
                return w.refusal;
        if (w.how == HELD) {
                if (w.n_held == ELEMENTSOF(w.held) || transaction_seal(t, "n1") < 0)
                        return -EBUSY;
                w.held[w.n_held++] = (struct commit) { transaction_ref(t), fn, fn_userdata };
                return 0;
        }
        c = malloc(sizeof(*c));
        if (!c || transaction_seal(t, "n1") < 0)
                abort();
        *c = (struct commit) { transaction_ref(t), fn, fn_userdata };
        if (store_commit(w.store, t, on_stored, c) < 0)
                abort();
        w.in_flight++;
        return 0;
}

static const struct node_bus_ops ops = {
        .started = on_started, .state = on_state, .joining = on_joining, .phase = on_phase, .slaves = on_slaves,
        .set_phase = on_set_phase, .commit = on_commit,
};

static void settle(void) {
        for (int i = 0; i < 100000; i++) {
                int r = sd_event_run(w.event, w.in_flight > 0 ? 10 * 1000 * 1000 : 0);

                if (r < 0)
                        abort();
                if (r == 0 && w.in_flight == 0) {
                        w.n_unsettled = 0;
                        return;
                }
        }
        abort(); /* it is never done */
}

/* How the role ends what it holds: not stored, or nobody knows. */
static void end_held(size_t at, uint8_t how) {
        static const int results[] = { -EROFS, COMMIT_MAYBE_ELSEWHERE, COMMIT_MAYBE_ONLY_HERE, -ENOTRECOVERABLE, -ENOSPC, -ENOMEM, -EIO };
        struct commit c;

        if (w.n_held == 0)
                return;
        at %= w.n_held;
        c = w.held[at];
        w.held[at] = w.held[--w.n_held];
        c.fn(results[how % ELEMENTSOF(results)], c.transaction, c.userdata);
        transaction_unref(c.transaction);
}

/* ---- answers ---- */

static struct call *call_of(uint64_t cookie) {
        for (size_t i = 0; i < w.n_calls; i++)
                if (w.calls[i].open && w.calls[i].cookie == cookie)
                        return &w.calls[i];
        return NULL;
}

static bool is_quiet(const struct call *c) {
        return c->quiet && c->writes == w.writes;
}

static void judge_list(const struct call *c, sd_bus_message *m) {
        const char *key, *value, *next;
        char last[256] = "";
        size_t n = 0, in_record = 0;

        if (sd_bus_message_enter_container(m, 'a', "{ss}") < 0)
                abort();
        while (sd_bus_message_read(m, "{ss}", &key, &value) > 0) {
                const struct pair *p = find(key);

                if (strncmp(key, c->prefix, strlen(c->prefix)) != 0 || strcmp(key, c->after) <= 0 || (n > 0 && strcmp(key, last) <= 0))
                        abort();
                if (is_quiet(c) && (!p || !streq(p->value, value)))
                        abort();
                (void) snprintf(last, sizeof(last), "%s", key);
                n++;
        }
        if (sd_bus_message_exit_container(m) < 0 || sd_bus_message_read(m, "s", &next) < 0 || (c->max > 0 && n > c->max) ||
            (*next && (n != c->max || !streq(next, last))))
                abort();
        for (size_t i = 0; i < w.n_record; i++)
                in_record += strncmp(w.record[i].key, c->prefix, strlen(c->prefix)) == 0 && strcmp(w.record[i].key, c->after) > 0;
        if (is_quiet(c) && (*next ? in_record <= n : in_record != n))
                abort();
}

static size_t count_slaves(sd_bus_message *m) {
        size_t n = 0;

        if (sd_bus_message_enter_container(m, 'a', "(sstttt)") < 0)
                abort();
        for (; sd_bus_message_skip(m, "(sstttt)") > 0; n++)
                ;
        return n;
}

static void judge(struct call *c, sd_bus_message *m) {
        bool failed = sd_bus_message_is_method_error(m, NULL);
        const struct pair *p = find(c->prefix);
        const char *value;

        if (failed && (c->must_succeed || !sd_bus_message_get_error(m)->message))
                abort();
        if (streq(c->member, "Get") && is_quiet(c) && c->prefix[0] == '/' && failed != !p)
                abort();
        if (failed)
                return;
        if (streq(c->member, "Apply")) {
                if (!c->must_succeed || sd_bus_message_read(m, "s", &value) < 0 || !*value)
                        abort();
                note_commit(c);
        } else if (streq(c->member, "Get")) {
                if (sd_bus_message_read(m, "s", &value) < 0 || (is_quiet(c) && !streq(p->value, value)))
                        abort();
        } else if (streq(c->member, "List"))
                judge_list(c, m);
        else if (streq(c->member, "Slaves") && count_slaves(m) != w.n_slaves)
                abort();
}

static void answer_name(sd_bus_message *m) {
        static const uint32_t results[] = { 1, 4, 2, 3, 77 };
        int r;

        if (w.name_answer < 0xe0)
                r = sd_bus_reply_method_return(m, "u", results[w.name_answer < 0xc0 ? 0 : w.name_answer % ELEMENTSOF(results)]);
        else if (w.name_answer < 0xf0)
                r = sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED, "%s", w.name_answer & 1 ? "no \x01" : "");
        else if (w.name_answer < 0xf8)
                r = sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NO_REPLY, "late");
        else
                r = sd_bus_reply_method_return(m, "s", "nonsense");
        if (r < 0)
                abort();
}

/* A bus that could not answer for the name in time is left after a second, for another try: as long a slow machine takes for an input. */
static bool may_be_left(void) {
        return w.name_answer >= 0xf0 && w.name_answer < 0xf8;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        uint64_t cookie;
        struct call *c;

        if (sd_bus_message_is_method_call(m, NULL, "Hello")) {
                if (sd_bus_reply_method_return(m, "s", ":1.0") < 0)
                        abort();
        } else if (sd_bus_message_is_method_call(m, NULL, "RequestName"))
                answer_name(m);
        else if (sd_bus_message_is_method_call(m, NULL, NULL)) {
                if (sd_bus_message_get_expect_reply(m) && sd_bus_reply_method_return(m, NULL) < 0)
                        abort();
        } else if (sd_bus_message_get_reply_cookie(m, &cookie) >= 0) {
                c = call_of(cookie);
                if (!c)
                        abort(); /* a second answer, or one that nobody asked for */
                judge(c, m);
                c->open = false;
                w.n_open--;
        } else if (may_be_left() && sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", "Disconnected"))
                w.left = true;
        else if (!sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties", "PropertiesChanged"))
                abort();
        return 1;
}

/* ---- the steps ---- */

/* One of a few, so that they meet, or anything. */
static void take_key(struct input *in, char buf[static 256]) {
        static const char *const keys[] = { "/a", "/a/b", "/a/c", "/b", "/", "", "a", "/a/b/c" };
        uint8_t b = take_byte(in);

        if (b < 0xc0)
                (void) snprintf(buf, 256, "%s", keys[b % ELEMENTSOF(keys)]);
        else
                (void) take_string(in, buf);
}

static struct call *new_call(unsigned from, const char *member, sd_bus_message **ret) {
        struct call *c = &w.calls[w.n_calls];
        char sender[16];

        if (w.n_calls == CALLS_MAX)
                abort();
        /* To nobody by name is to all who hear it, and not answered. */
        *c = (struct call) { .from = from, .quiet = w.in_flight == 0 && w.n_unsettled < BUS_READS_PER_CALLER_MAX, .writes = w.writes };
        for (size_t i = 0; i < w.n_calls; i++)
                c->quiet = c->quiet && !(w.calls[i].open && streq(w.calls[i].member, "Apply"));
        (void) snprintf(c->member, sizeof(c->member), "%s", member);
        (void) snprintf(sender, sizeof(sender), ":1.%u", from + 1);
        if (sd_bus_message_new_method_call(w.peer, ret, ":1.0", NODE_BUS_PATH, NODE_BUS_INTERFACE, member) < 0 ||
            sd_bus_message_set_sender(*ret, sender) < 0)
                abort();
        return c;
}

static void send_call(struct call *c, sd_bus_message *m, bool wants_answer) {
        if (!wants_answer && sd_bus_message_set_expect_reply(m, false) < 0)
                abort();
        if (sd_bus_send(w.peer, m, &c->cookie) < 0 && !w.left)
                abort();
        w.n_unsettled++;
        sd_bus_message_unref(m);
        if (wants_answer) {
                c->open = true;
                w.n_calls++;
                w.n_open++;
        }
}

static void apply(unsigned from, struct input *in) {
        uint8_t how = take_byte(in);
        sd_bus_message *m = NULL;
        struct call *c = new_call(from, "Apply", &m);
        size_t n = how & 3, n_deletes = how >> 2 & 3;

        w.writes++;
        c->n = MIN(n + n_deletes, (size_t) CHANGES_MAX);
        c->must_succeed = c->n > 0 && w.phase == ROLE_PHASE_MAX && w.how == TAKEN;
        if (sd_bus_message_open_container(m, 'a', "{ss}") < 0)
                abort();
        for (size_t i = 0; i < c->n; i++) {
                struct pair *p = &c->pairs[i];
                int r;

                take_key(in, p->key);
                p->deleted = i >= n;
                if (i == n && (sd_bus_message_close_container(m) < 0 || sd_bus_message_open_container(m, 'a', "s") < 0))
                        abort();
                r = p->deleted ? sd_bus_message_append(m, "s", p->key)
                               : sd_bus_message_append(m, "{ss}", p->key, take_string(in, p->value));
                if (r < 0)
                        abort();
                c->must_succeed = c->must_succeed && p->key[0] == '/';
                for (size_t k = 0; k < i; k++)
                        c->must_succeed = c->must_succeed && !streq(c->pairs[k].key, p->key);
        }
        if (sd_bus_message_close_container(m) < 0 || (n >= c->n && sd_bus_message_append(m, "as", 0) < 0))
                abort();
        send_call(c, m, /* wants_answer= */ true); /* it tells the record */
}

static void get(unsigned from, struct input *in, bool wants_answer) {
        sd_bus_message *m = NULL;
        struct call *c = new_call(from, "Get", &m);

        take_key(in, c->prefix);
        if (sd_bus_message_append(m, "s", c->prefix) < 0)
                abort();
        send_call(c, m, wants_answer);
}

static void list(unsigned from, struct input *in, bool wants_answer) {
        sd_bus_message *m = NULL;
        struct call *c = new_call(from, "List", &m);

        take_key(in, c->prefix);
        take_key(in, c->after);
        c->max = take_byte(in) % 8;
        if (sd_bus_message_append(m, "ssu", c->prefix, c->after, c->max) < 0)
                abort();
        send_call(c, m, wants_answer);
}

/* With the types that it has, or others. */
static void other(unsigned from, struct input *in, uint8_t how) {
        static const char *const members[] = { "SetPhase", "Slaves", "Get", "List", "Apply", "NoSuch", "SetPhase" };
        static const char *const wrong[] = { "s", "u", "ss", "ssi", "as", "t", "ssus", "" };
        const char *member = members[how % ELEMENTSOF(members)], *types = how < 0x80 ? "u" : wrong[how % ELEMENTSOF(wrong)];
        bool slaves = streq(member, "Slaves") && how < 0x80;
        sd_bus_message *m = NULL;
        struct call *c = new_call(from, member, &m);
        char buf[256];
        int r = 0;

        if (!slaves && !streq(member, "SetPhase"))
                c->member[0] = 0; /* of the others nothing is known */
        for (; r >= 0 && *types && !slaves; types++)
                if (*types == 's')
                        r = sd_bus_message_append(m, "s", take_string(in, buf));
                else if (*types == 't')
                        r = sd_bus_message_append(m, "t", UINT64_MAX);
                else if (*types == 'a')
                        r = sd_bus_message_append(m, "as", 1, take_string(in, buf)), types++;
                else
                        r = sd_bus_message_append(m, (char[]) { *types, 0 }, (uint32_t) take_byte(in) % 4);
        if (r < 0)
                abort();
        c->must_succeed = slaves;
        send_call(c, m, /* wants_answer= */ !(how & 0x40));
        if (streq(member, "SetPhase")) /* on which it hangs what becomes of an Apply */
                settle();
}

static void properties(unsigned from, struct input *in) {
        static const char *const names[] = { "State", "TransactionId", "Entries", "Joining", "Phase", "NoSuch" };
        uint8_t which = take_byte(in);
        sd_bus_message *m = NULL;
        struct call *c = new_call(from, which & 0x80 ? "GetAll" : "Get", &m);

        sd_bus_message_unref(m);
        c->member[0] = 0;
        if (sd_bus_message_new_method_call(w.peer, &m, ":1.0", NODE_BUS_PATH, "org.freedesktop.DBus.Properties",
                                           which & 0x80 ? "GetAll" : "Get") < 0 || sd_bus_message_append(m, "s", NODE_BUS_INTERFACE) < 0 ||
            (!(which & 0x80) && sd_bus_message_append(m, "s", names[which % ELEMENTSOF(names)]) < 0))
                abort();
        c->must_succeed = which & 0x80 || which % ELEMENTSOF(names) < 5;
        send_call(c, m, /* wants_answer= */ true);
}

/* He leaves, as the bus says or as somebody else does: what he had asked for may be left unanswered then. */
static void vanish(unsigned from, uint8_t how) {
        sd_bus_message *m = NULL;
        char name[16];

        (void) snprintf(name, sizeof(name), ":1.%u", from + 1);
        if (sd_bus_message_new_signal(w.peer, &m, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged") < 0 ||
            (how & 1 ? sd_bus_message_append(m, "sss", name, name, "") : sd_bus_message_append(m, "uss", 7, name, "")) < 0 ||
            sd_bus_message_set_sender(m, how & 2 ? "org.freedesktop.DBus" : ":1.9") < 0 || (sd_bus_send(w.peer, m, NULL) < 0 && !w.left))
                abort();
        sd_bus_message_unref(m);
        if ((how & 3) != 3)
                return;
        settle();
        for (size_t i = 0; i < w.n_calls; i++)
                if (w.calls[i].open && w.calls[i].from == from && !streq(w.calls[i].member, "Apply")) {
                        w.calls[i].open = false;
                        w.n_open--;
                }
}

static void flood(unsigned from, struct input *in) {
        for (unsigned n = take_byte(in) % 140; n > 0 && w.n_calls < CALLS_MAX - STEPS_MAX; n--) {
                struct input key = *in;

                get(from, &key, /* wants_answer= */ true);
                w.calls[w.n_calls - 1].quiet = false; /* one past the limit is Busy */
        }
}

static void step(struct input *in) {
        static const int refusals[] = { -EROFS, -EBUSY, -ENOSPC, -E2BIG, -ENOMEM };
        uint8_t b = take_byte(in), how;
        unsigned from = b >> 5;

        switch (b & 15) {
        case 0:
        case 1:
        case 2:
                apply(from, in);
                break;
        case 3:
        case 4:
                get(from, in, /* wants_answer= */ b & 1);
                break;
        case 5:
        case 6:
                list(from, in, /* wants_answer= */ b & 1);
                break;
        case 7:
                other(from, in, take_byte(in));
                break;
        case 8:
                properties(from, in);
                break;
        case 9:
                vanish(from, take_byte(in));
                break;
        case 10: /* the role is another one */
                settle();
                how = take_byte(in);
                w.how = how % 3;
                w.refusal = refusals[how / 3 % ELEMENTSOF(refusals)];
                w.joining = how & 0x80;
                w.n_slaves = how & SLAVES_SHOWN_MAX;
                node_bus_changed(w.bus);
                break;
        case 11:
                end_held(from, take_byte(in));
                break;
        case 12:
                flood(from, in);
                break;
        default:
                settle();
                w.phase = MAX(w.phase, (unsigned) b >> 6);
                w.phase = MIN(w.phase, (unsigned) ROLE_PHASE_MAX);
        }
        if (!(b & 16)) /* else before anybody has had a turn */
                settle();
}

/* ---- the whole ---- */

static void close_store(void) {
        w.store = store_free(w.store);
        w.event = sd_event_unref(w.event);
}

/* One for all inputs: opening one takes longer than all else. Its files have no names any more, so that nothing is left of them. */
static void begin_once(void) {
        static const char *const names[] = { "lock", "current", "redo", "store-1.mdb" };
        char directory[64], path[128], *error = NULL;

        if (w.store)
                return;
        log_set_target(LOG_TARGET_NULL);
        if (!scratch_directory("fuzz-node-bus", directory, sizeof(directory)) || sd_event_new(&w.event) < 0 ||
            store_open(directory, w.event, &w.store, &error) < 0 || atexit(close_store) != 0)
                abort();
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
                if (unlink(path) < 0)
                        abort();
        }
        if (rmdir(directory) < 0)
                abort();
}

static void meet(void) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "fuzz-node-bus-%d", (int) getpid());
        socklen_t size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + (size_t) n);
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
        char address[128], *error = NULL;

        (void) snprintf(address, sizeof(address), "unix:abstract=%s", un.sun_path + 1);
        if (listener < 0 || bind(listener, (struct sockaddr *) &un, size) < 0 || listen(listener, 1) < 0 ||
            setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1) < 0 ||
            node_bus_new(w.event, "org.confd.HANode", w.store, &ops, NULL, &w.bus, &error) < 0)
                abort();
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 || sd_bus_new(&w.peer) < 0 || sd_bus_set_fd(w.peer, fd, fd) < 0 ||
            sd_bus_set_server(w.peer, true, (sd_id128_t) {}) < 0 || sd_bus_start(w.peer) < 0 ||
            sd_bus_attach_event(w.peer, w.event, 0) < 0 || sd_bus_add_filter(w.peer, NULL, on_message, NULL) < 0)
                abort();
        close(listener);
        settle();
}

static void on_forgotten(int result, struct transaction *t, void *userdata) {
}

/* The data is that of a new store again. */
static void forget(void) {
        struct transaction *t;

        if (w.n_record == 0)
                return;
        if (transaction_new(&t) < 0)
                abort();
        for (size_t i = 0; i < w.n_record; i++)
                if (transaction_delete(t, w.record[i].key) < 0)
                        abort();
        w.how = TAKEN;
        if (on_commit(t, on_forgotten, NULL, NULL) < 0)
                abort();
        transaction_unref(t);
        settle();
}

static void begin(void) {
        w.name_answer = w.phase = w.writes = w.n_started = 0;
        w.how = TAKEN;
        w.joining = w.left = false;
        w.n_slaves = w.n_calls = w.n_open = w.n_record = 0;
}

/* Who has been told that the name is ours, or is not, has been told so once. */
static void end(void) {
        unsigned answered = may_be_left() ? 0 : 1;

        settle();
        while (w.n_held > 0)
                end_held(0, 0);
        settle();
        if (w.left)
                return;
        if (w.n_open > 0 || w.n_started != answered || (w.name_answer < 0xc0 && w.started < 0) || store_entries(w.store) != w.n_record)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };

        begin_once();
        begin();
        w.name_answer = take_byte(&in);
        meet();
        for (unsigned i = 0; in.left > 0 && i < STEPS_MAX && !w.left; i++)
                step(&in);
        end();
        w.bus = node_bus_free(w.bus);
        w.peer = sd_bus_close_unref(w.peer);
        forget();
        return 0;
}
