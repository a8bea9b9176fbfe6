/* SPDX-License-Identifier: Apache-2.0 */
/* A slave's session behind the proof, by state: it is told what a master may say, in any order, whole, in pieces, with a bit turned, or
 * anything. What it has in the end is what it had, or a copy, and of the transactions after it those up to some one that is not before
 * what it has acknowledged; it acknowledges nothing that it was not sent, and tells once how it went. */
#include "session.h"

static void put(struct data *d, unsigned key, const char *value) {
        memset(d->value[key], 0, sizeof(d->value[key]));
        d->there[key] = value;
        if (value)
                strcpy(d->value[key], value);
}

static size_t record(struct input *in, uint8_t buf[64], struct data *d) {
        unsigned key = take_byte(in) % KEYS;
        char name[8], value[VALUE_MAX + 1];
        int n = snprintf(value, sizeof(value), "c%02x", take_byte(in));

        (void) snprintf(name, sizeof(name), "/k%u", key);
        record_header_encode(3, (size_t) n, buf);
        memcpy(buf + RECORD_HEADER_SIZE, name, 3);
        memcpy(buf + RECORD_HEADER_SIZE + 3, value, (size_t) n);
        put(d, key, value);
        return RECORD_HEADER_SIZE + 3 + (size_t) n;
}

static struct transaction *some_transaction(struct input *in, struct data *a, struct data *b) {
        struct transaction *t;
        unsigned n = take_byte(in) % CHANGES_MAX + 1;

        if (transaction_new(&t) < 0)
                abort();
        for (unsigned i = 0, from = take_byte(in); i < n; i++) {
                unsigned key = (from + i) % KEYS;
                uint8_t v = take_byte(in);
                char name[8], value[VALUE_MAX + 1];

                (void) snprintf(name, sizeof(name), "/k%u", key);
                (void) snprintf(value, sizeof(value), "t%02x", v);
                if ((v & 0x80 ? transaction_delete(t, name) : transaction_set(t, name, value)) < 0)
                        abort();
                put(a, key, v & 0x80 ? NULL : value);
                put(b, key, v & 0x80 ? NULL : value);
        }
        return t;
}

/* ---- we are the master of a slave ---- */

static void on_joined(struct slave *s, bool copied, void *userdata) {
        if (w.joined++ || w.failed || w.lost)
                abort();
        w.copied = copied;
}

static void on_failed(struct slave *s, enum ha_error code, const char *reason, void *userdata) {
        if (w.failed++ || w.joined || code == 0 || !reason || !*reason)
                abort();
}

static void on_lost(struct slave *s, enum ha_error code, const char *reason, void *userdata) {
        if (w.lost++ || !w.joined || code == 0)
                abort();
}

static void on_settling(struct slave *s, void *userdata) {
        if (w.settling++ || w.joined)
                abort();
}

static void on_path(struct slave *s, const struct node_path *path, void *userdata) {
        if (node_path_contains(path, &w.ids[1]))
                abort();
}

static const struct slave_callbacks slave_callbacks = {
        .joined = on_joined, .failed = on_failed, .lost = on_lost, .settling = on_settling, .path = on_path,
};

static void from_slave(struct peer *p, const struct hop_frame *frame, void *userdata) {
        struct conn *c = userdata;
        uint64_t acks;

        c->heard[frame->type & 255]++;
        if (frame->type == HOP_ACK) {
                if (ack_message_decode(frame->body, frame->size, &acks) < 0)
                        abort();
                c->acks_heard += acks;
        }
        if (c->heard[HOP_JOIN] != 1 || c->heard[HOP_COPIED] > c->sent[HOP_ACCEPT] || c->heard[HOP_READY] > c->sent[HOP_END] ||
            c->heard[HOP_IN_FORCE] > c->sent[HOP_ADMIT] || c->acks_heard > c->sent[HOP_TRANSACTION])
                abort();
}

static const struct peer_callbacks towards_slave = { .authenticated = on_authenticated, .frame = from_slave, .closed = on_closed };

static void accept_join(struct conn *c, struct input *in) {
        struct accept_message a = { .transaction_id = "m-1" };
        uint8_t b = take_byte(in), buf[MESSAGE_SIZE_MAX];
        bool first;

        a.copy = b & 1;
        a.entries = a.copy ? b >> 1 & 3 : 0;
        a.path.n = b >> 3 & 3;
        for (size_t i = 0; i < a.path.n; i++)
                a.path.names[i] = w.ids[b & 0x20 ? i : 0];
        a.tick_usec = b & 0x40 ? UINT64_MAX : 0;
        first = c->sent[HOP_ACCEPT] == 0;
        say(c, HOP_ACCEPT, buf, accept_message_encode(&a, buf));
        if (first && c->sent[HOP_ACCEPT] == 1) /* it has been sent: there is somebody yet */
                c->accept = a;
}

static void pass(struct conn *c, struct input *in, bool in_pieces) {
        struct data *before = w.passed[w.n_passed], *after = w.passed[w.n_passed + 1];
        uint8_t buf[512];
        struct transaction *t;
        size_t n, first;

        after[0] = before[0];
        after[1] = before[1];
        t = some_transaction(in, &after[0], &after[1]);
        if (transaction_seal(t, "m") < 0 || transaction_size(t) > sizeof(buf) - TRANSACTION_HEADER_SIZE)
                abort();
        n = transaction_size(t);
        first = in_pieces ? 1 + take_byte(in) % (n - 1) : n;
        transaction_header_encode(n, buf);
        memcpy(buf + TRANSACTION_HEADER_SIZE, transaction_data(t), first);
        say(c, HOP_TRANSACTION, buf, TRANSACTION_HEADER_SIZE + first);
        if (in_pieces)
                say(c, HOP_MORE, transaction_data(t) + first, n - first);
        transaction_unref(t);
        if (c->authenticated && !c->over)
                w.n_passed++;
}

static void copy(struct conn *c, struct input *in, bool in_pieces) {
        bool late = c->sent[HOP_END] > 0 || c->sent[HOP_TRANSACTION] > 0; /* it is refused then */
        struct data d = w.copy;
        uint8_t buf[64];
        size_t n = record(in, buf, &d), first = in_pieces ? take_byte(in) % n : n;

        say(c, HOP_COPY, buf, first);
        if (in_pieces)
                say(c, HOP_COPY, buf + first, n - first);
        if (!late)
                w.passed[0][1] = w.copy = d;
}

static void path(struct conn *c, uint8_t b) {
        struct node_path p = { .n = b & 3 };
        uint8_t buf[MESSAGE_SIZE_MAX];

        for (size_t i = 0; i < p.n; i++)
                p.names[i] = w.ids[b >> 2 & 1 ? i : 0];
        say(c, HOP_PATH, buf, node_path_encode(&p, buf));
}

static void step_as_master(struct input *in) {
        static const uint8_t refusal[] = { 0, HA_ERROR_BADFXS, 'n', 'o', 0x1b };
        struct conn *c = &w.conns[0];
        uint8_t b = take_byte(in), tick;

        switch (b & 15) {
        case 0:
                accept_join(c, in);
                break;
        case 1:
        case 2:
                copy(c, in, b & 2);
                break;
        case 3:
        case 4:
                pass(c, in, b & 4);
                break;
        case 5:
                say(c, HOP_END, NULL, 0);
                break;
        case 6:
                say(c, HOP_ADMIT, NULL, 0);
                break;
        case 7:
                say(c, HOP_ARRIVED, NULL, 0);
                break;
        case 8:
                tick = take_byte(in);
                say(c, HOP_TICK, &tick, 1);
                break;
        case 9:
                path(c, take_byte(in));
                break;
        case 10:
                say(c, HOP_REFUSE, refusal, sizeof(refusal));
                break;
        case 11:
                say_raw(c, in);
                break;
        case 12:
                w.flip_at = take_byte(in);
                w.flip = take_byte(in);
                break;
        case 13:
                c->peer = peer_free(c->peer);
                break;
        case 14:
                if (w.slave) {
                        slave_set_depth(w.slave, take_byte(in) % 20);
                        slave_progresses(w.slave);
                }
                break;
        default:
                if (b & 0x80)
                        w.slave = slave_free(w.slave);
        }
        if (!(b & 16))
                settle();
}

static void judge_data(const struct conn *c) {
        struct data d;
        bool known = read_store(&d), found = false, copied = c->accept.copy;

        if (w.wild)
                return;
        for (size_t i = copied && w.joined == 0 ? 0 : c->acks_heard; i <= w.n_passed; i++) /* what is acknowledged is there */
                found = found || memcmp(&d, &w.passed[i][copied], sizeof(d)) == 0;
        if (copied && w.joined == 0) /* perhaps not yet, unless it was told to */
                found = memcmp(&d, &w.old, sizeof(d)) == 0 || (c->sent[HOP_ADMIT] > 0 && found);
        if (!known || !found)
                abort();
}

static void be_master_of_one(struct input *in) {
        struct node_address own = address_of(2), at = address_of(1);
        struct conn *c = &w.conns[0];
        struct sockaddr_storage sa;
        struct hop *hop;
        socklen_t size;
        int listener, fd, one = 1;

        w.passed[0][0] = w.old;
        w.config = (struct replication_config) { .ha_address = own };
        if (node_address_to_sockaddr(&at, PORT, &sa, &size) < 0)
                abort();
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            bind(listener, (struct sockaddr *) &sa, size) < 0 || listen(listener, 1) < 0 ||
            slave_new(w.event, w.store, &w.config, &w.ids[1], &w.ids[0], &at, &token, &slave_callbacks, NULL, &w.slave) < 0)
                abort();
        settle();
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        close(listener);
        if (fd < 0 || hop_new_serving(&w.ids[0], &token, &hop) < 0 ||
            peer_new(w.event, fd, /* connecting= */ false, hop, &towards_slave, c, &c->peer) < 0)
                abort();
        settle();
        if (!c->authenticated)
                abort();
        for (unsigned i = 0; in->left > 0 && i < STEPS_MAX; i++)
                step_as_master(in);
        settle();
        c->peer = peer_free(c->peer);
        settle();
        if (w.slave && (w.joined ? w.lost != 1 : w.failed != 1))
                abort(); /* who is left alone is told */
        w.slave = slave_free(w.slave);
        settle();
        judge_data(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };

        begin_once();
        begin();
        be_master_of_one(&in);
        settle();
        return 0;
}
