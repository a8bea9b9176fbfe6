/* SPDX-License-Identifier: Apache-2.0 */
/* A master's sessions behind the proof, by state: three slaves say what they like, come and leave, while commits begin and orders
 * come. It says only what belongs there; a commit succeeds when all that had arrived have acknowledged it, and each is told once. */
#include "session.h"

/* ---- we are the slaves of a master ---- */

static void on_arrived(struct master *m, const struct node_id *id, const struct node_address *address, void *userdata) {
        for (size_t i = 0; i < SLAVES; i++)
                if (node_id_equal(id, &w.ids[i + 1])) {
                        if (w.conns[i].arrived)
                                abort();
                        w.conns[i].arrived = true;
                        w.conns[i].commits_at_arrival = w.n_commits;
                }
        w.arrived++;
}

static void on_died(struct master *m, const struct node_id *id, const struct node_address *address, void *userdata) {
        for (size_t i = 0; i < SLAVES; i++)
                if (node_id_equal(id, &w.ids[i + 1])) {
                        if (!w.conns[i].arrived)
                                abort();
                        w.conns[i].arrived = false;
                        for (size_t k = 0; k < w.n_commits; k++)
                                w.commits[k].awaits[i] = false;
                }
        if (++w.died > w.arrived)
                abort();
}

static const struct master_callbacks master_callbacks = { .slave_arrived = on_arrived, .slave_died = on_died };

static void take_copy(struct conn *c, const struct hop_frame *frame) {
        size_t key, value;

        if (!c->accept.copy || c->heard[HOP_TRANSACTION] > 0 || buffer_append(&c->stream, frame->body, frame->size) < 0)
                abort();
        while (buffer_size(&c->stream) >= RECORD_HEADER_SIZE) {
                if (record_header_decode(buffer_head(&c->stream), &key, &value) < 0)
                        abort();
                if (buffer_size(&c->stream) < RECORD_HEADER_SIZE + key + value)
                        break;
                if (!key_is_valid((const char *) buffer_head(&c->stream) + RECORD_HEADER_SIZE, key))
                        abort();
                buffer_consume(&c->stream, RECORD_HEADER_SIZE + key + value);
                c->entries++;
        }
        if (c->entries > c->accept.entries)
                abort();
}

static void take_piece(struct conn *c, const struct hop_frame *frame) {
        size_t skip = frame->type == HOP_TRANSACTION ? TRANSACTION_HEADER_SIZE : 0;
        struct transaction *t;

        if (skip > 0 && (c->transaction_size > 0 || transaction_header_decode(frame->body, frame->size, &c->transaction_size) < 0))
                abort();
        if (buffer_append(&c->transaction, frame->body + skip, frame->size - skip) < 0 ||
            buffer_size(&c->transaction) > c->transaction_size)
                abort();
        if (buffer_size(&c->transaction) < c->transaction_size)
                return;
        if (transaction_from_data(buffer_head(&c->transaction), c->transaction_size, &t) < 0)
                abort();
        transaction_unref(t);
        buffer_clear(&c->transaction);
        c->transaction_size = 0;
}

static void from_master(struct peer *p, const struct hop_frame *frame, void *userdata) {
        struct conn *c = userdata;
        struct node_path path;

        c->heard[frame->type & 255]++;
        switch (frame->type) {
        case HOP_ACCEPT:
                if (accept_message_decode(frame->body, frame->size, &c->accept) < 0)
                        abort();
                break;
        case HOP_COPY:
                take_copy(c, frame);
                break;
        case HOP_TRANSACTION:
        case HOP_MORE:
                take_piece(c, frame);
                break;
        case HOP_END:
                if (c->entries != c->accept.entries * c->accept.copy || c->transaction_size > 0)
                        abort();
                break;
        case HOP_PATH:
                if (node_path_decode(frame->body, frame->size, &path) < 0)
                        abort();
                break;
        default:
                break;
        }
        if (c->heard[HOP_ACCEPT] + c->heard[HOP_REFUSE] > 1 || (frame->type != HOP_REFUSE && c->heard[HOP_ACCEPT] != 1) ||
            c->heard[HOP_END] > 1 || c->heard[HOP_ADMIT] > c->sent[HOP_READY] || c->heard[HOP_ARRIVED] > c->sent[HOP_IN_FORCE])
                abort();
}

static const struct peer_callbacks towards_master = { .authenticated = on_authenticated, .frame = from_master, .closed = on_closed };

static void leave(struct conn *c) {
        c->peer = peer_free(c->peer);
        buffer_done(&c->stream);
        buffer_done(&c->transaction);
}

static void come(unsigned i, bool as_another) {
        struct node_address own = address_of(2 + i);
        struct conn *c = &w.conns[i];
        struct sockaddr_storage sa, from;
        bool arrived = c->arrived;
        uint64_t commits = c->commits_at_arrival;
        struct hop *hop;
        socklen_t size, from_size;
        int fd;

        leave(c);
        settle();
        *c = (struct conn) { .arrived = arrived && c->arrived, .commits_at_arrival = commits,
                             .stream = BUFFER_INIT(1024 * 1024), .transaction = BUFFER_INIT(1024 * 1024) };
        own.port = 0;
        if (node_address_to_sockaddr(&w.master_address, PORT, &sa, &size) < 0 || node_address_to_sockaddr(&own, 0, &from, &from_size) < 0)
                abort();
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *) &from, from_size) < 0 ||
            (connect(fd, (struct sockaddr *) &sa, size) < 0 && errno != EINPROGRESS) ||
            hop_new_joining(&w.ids[as_another ? 0 : i + 1], &w.ids[0], &token, &hop) < 0 ||
            peer_new(w.event, fd, /* connecting= */ true, hop, &towards_master, c, &c->peer) < 0)
                abort();
        settle();
}

static void join(struct conn *c, uint8_t b) {
        struct join_message j = { .tick_usec = b & 1 ? UINT64_MAX : 0 };
        uint8_t buf[MESSAGE_SIZE_MAX];

        if (b & 2)
                strcpy(j.transaction_id, b & 4 ? store_transaction_id(w.store) : "other");
        j.schema[0] = b & 8 ? 1 : 0;
        say(c, HOP_JOIN, buf, join_message_encode(&j, buf));
}

static void acknowledge(struct conn *c, uint8_t n) {
        uint8_t buf[ACK_MESSAGE_SIZE];

        if (c->authenticated && !c->over)
                c->acks_since_arrival += n;
        ack_message_encode(n, buf);
        say(c, HOP_ACK, buf, sizeof(buf));
}

/* All that had arrived before it began, and still are there, have acknowledged as many as were begun since they came. */
static void on_committed(int result, struct transaction *t, void *userdata) {
        struct commit *c = userdata;

        if (c->done)
                abort();
        c->done = true;
        c->result = result;
        for (size_t i = 0; i < SLAVES && result == 0; i++)
                if (c->awaits[i] && w.conns[i].acks_since_arrival < c->number - w.conns[i].commits_at_arrival)
                        abort();
}

static void commit(uint8_t v) {
        struct commit *c = &w.commits[w.n_commits];
        struct transaction *t;
        char key[32];
        int r;

        (void) snprintf(key, sizeof(key), "/m%02zu", w.n_commits);
        if (transaction_new(&t) < 0 || transaction_set(t, key, "v") < 0 || (v & 1 && transaction_set(t, "/k1", "m") < 0))
                abort();
        *c = (struct commit) { .number = w.n_commits + 1 };
        for (size_t i = 0; i < SLAVES; i++)
                c->awaits[i] = w.conns[i].arrived;
        w.n_commits++;
        r = master_commit(w.master, t, on_committed, c);
        if (r < 0)
                abort(); /* few are under way */
        transaction_unref(t);
}

static void count_slave(const struct master_slave *slave, void *userdata) {
        (*(size_t *) userdata)++;
}

static void judge_slaves(void) {
        size_t n = 0;

        master_slaves(w.master, count_slave, &n);
        if (n != master_n_slaves(w.master) || n != w.arrived - w.died)
                abort();
}

static void order(uint8_t b) {
        switch (b % 4) {
        case 0:
                master_set_hold(w.master, b & 0x80);
                break;
        case 1:
                master_slave_dead(w.master, &w.ids[1 + (b >> 2) % SLAVES]);
                break;
        case 2:
                (void) master_give_up_copies(w.master);
                break;
        default:
                if (master_rename(w.master, &w.ids[0]) < 0)
                        abort();
        }
}

static void step_as_slaves(struct input *in) {
        uint8_t b = take_byte(in), tick;
        unsigned i = (b >> 5) % SLAVES;
        struct conn *c = &w.conns[i];

        switch (b & 15) {
        case 0:
                come(i, b >> 5 > SLAVES);
                break;
        case 1:
                join(c, take_byte(in));
                break;
        case 2:
                say(c, HOP_COPIED, NULL, 0);
                break;
        case 3:
                say(c, HOP_READY, NULL, 0);
                break;
        case 4:
                say(c, HOP_IN_FORCE, NULL, 0);
                break;
        case 5:
        case 6:
                acknowledge(c, take_byte(in) % 8);
                break;
        case 7:
                tick = take_byte(in);
                say(c, HOP_TICK, &tick, 1);
                break;
        case 8:
                say_raw(c, in);
                break;
        case 9:
                w.flip_at = take_byte(in);
                w.flip = take_byte(in);
                break;
        case 10:
                leave(c);
                break;
        case 11:
                order(take_byte(in));
                break;
        default:
                commit(take_byte(in));
        }
        if (!(b & 16)) {
                settle();
                judge_slaves();
        }
}

static void be_slaves_of_one(struct input *in) {
        char *error = NULL, *value;

        w.master_address = address_of(1);
        w.config = (struct replication_config) { .ha_address = w.master_address };
        if (master_new(w.event, w.store, &w.config, &w.ids[0], &token, NULL, &master_callbacks, NULL, &w.master, &error) < 0)
                abort();
        settle();
        for (unsigned i = 0; in->left > 0 && i < STEPS_MAX; i++)
                step_as_slaves(in);
        settle();
        judge_slaves();
        w.master = master_free(w.master);
        settle();
        for (size_t i = 0; i < SLAVES; i++)
                leave(&w.conns[i]);
        for (size_t i = 0; i < w.n_commits; i++) {
                char key[32];
                int r;

                (void) snprintf(key, sizeof(key), "/m%02zu", i);
                r = store_get(w.store, key, &value);
                if (!w.commits[i].done || (w.commits[i].result != 0 && w.commits[i].result != COMMIT_MAYBE_ONLY_HERE) || r < 0)
                        abort();
                free(value);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };

        begin_once();
        begin();
        be_slaves_of_one(&in);
        settle();
        return 0;
}
