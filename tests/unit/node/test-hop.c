/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the protocol between nodes: the handshake, and what somebody in between can do to it. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/replication/hop.h"
#include "node/replication/replication.h"

static struct node_id id_of(const char *name) {
        uint8_t term[64] = { 109, 0, 0, 0, (uint8_t) strlen(name) };
        struct node_id id;

        memcpy(term + 5, name, strlen(name));
        assert_int_equal(node_id_from_bytes(term, 5 + strlen(name), &id), 0);
        return id;
}

static struct secret secret_of(const char *s) {
        return (struct secret) { (uint8_t *) s, strlen(s) };
}

struct pair {
        struct hop *joining, *serving;
};

static struct pair pair_new(const char *joining_token, const char *serving_token) {
        struct node_id n1 = id_of("n1"), n2 = id_of("n2");
        struct secret a = secret_of(joining_token), b = secret_of(serving_token);
        struct pair p;

        assert_int_equal(hop_new_joining(&n2, &n1, &a, &p.joining), 0);
        assert_int_equal(hop_new_serving(&n1, &b, &p.serving), 0);
        return p;
}

static void pair_free(struct pair *p) {
        hop_free(p->joining);
        hop_free(p->serving);
}

static void feed(struct hop *h, const void *p, size_t n) {
        size_t room;
        uint8_t *to;

        while (n > 0) {
                struct hop_frame f;

                assert_int_equal(hop_input(h, &to, &room), 0);
                assert_true(room > 0);
                room = MIN(room, n);
                memcpy(to, p, room);
                hop_input_done(h, room);
                p = (const uint8_t *) p + room;
                n -= room;
                if (n > 0 && hop_next(h, &f) != 0) /* only what a caller with a small buffer would see */
                        return;
        }
}

/* Takes what `from` has to send; the caller frees it. */
static uint8_t *take(struct hop *from, size_t *ret) {
        struct buffer *out = hop_output(from);
        uint8_t *p = malloc(buffer_size(out) + 1);

        *ret = buffer_size(out);
        if (*ret > 0)
                memcpy(p, buffer_head(out), *ret);
        buffer_consume(out, *ret);
        return p;
}

static int carry(struct hop *from, struct hop *to, struct hop_frame *frame) {
        size_t n;
        uint8_t *p = take(from, &n);
        int r;

        feed(to, p, n);
        free(p);
        r = hop_next(to, frame);
        return r;
}

static void open_pair(struct pair *p) {
        struct hop_frame f;

        assert_int_equal(carry(p->joining, p->serving, &f), 0);
        assert_int_equal(carry(p->serving, p->joining, &f), 0);
        assert_int_equal(carry(p->joining, p->serving, &f), 0);
        assert_true(hop_is_authenticated(p->joining) && hop_is_authenticated(p->serving));
}

static void test_handshake(void **state) {
        struct pair p = pair_new("token", "token");
        struct node_id n1 = id_of("n1"), n2 = id_of("n2");
        struct hop_frame f;
        uint8_t *big = calloc(1, HOP_BODY_MAX + 1);

        assert_int_equal(hop_send(p.joining, HOP_JOIN, NULL, 0), -EINVAL); /* not yet */
        open_pair(&p);
        assert_true(node_id_equal(hop_peer(p.serving), &n2));
        assert_true(node_id_equal(hop_expected(p.serving), &n1));
        assert_true(node_id_equal(hop_peer(p.joining), &n1));
        for (int i = 0; i < 3; i++) {
                assert_int_equal(hop_send(p.joining, HOP_TICK, &(struct iovec) { (void *) "x", 1 }, 1), 0);
                assert_int_equal(carry(p.joining, p.serving, &f), 1);
                assert_int_equal(f.type, HOP_TICK);
                assert_int_equal(f.size, 1);
                assert_int_equal(hop_next(p.serving, &f), 0);
                assert_int_equal(hop_send(p.serving, HOP_COPY, &(struct iovec) { big, HOP_BODY_MAX }, 1), 0);
                assert_int_equal(carry(p.serving, p.joining, &f), 1);
                assert_int_equal(f.size, HOP_BODY_MAX);
                assert_int_equal(hop_send(p.serving, HOP_END, NULL, 0), 0);
                assert_int_equal(carry(p.serving, p.joining, &f), 1);
                assert_int_equal(f.size, 0);
        }
        assert_int_equal(hop_send(p.serving, HOP_COPY, &(struct iovec) { big, HOP_BODY_MAX + 1 }, 1), -EMSGSIZE);
        free(big);
        pair_free(&p);
}

/* Byte by byte, as the network may deliver it. */
static void test_in_pieces(void **state) {
        struct pair p = pair_new("token", "token");
        struct hop *from = p.joining, *to = p.serving;
        struct hop_frame f;

        for (int step = 0; step < 3; step++) {
                size_t n;
                uint8_t *bytes = take(from, &n);
                struct hop *swap = from;

                for (size_t i = 0; i < n; i++) {
                        feed(to, bytes + i, 1);
                        assert_int_equal(hop_next(to, &f), 0);
                }
                free(bytes);
                from = to;
                to = swap;
        }
        assert_true(hop_is_authenticated(p.joining) && hop_is_authenticated(p.serving));
        pair_free(&p);
}

static void test_wrong_tokens(void **state) {
        struct hop_frame f;
        struct pair p = pair_new("token", "Token");

        /* The joining side sees that the other's proof is wrong, and says nothing more. */
        assert_int_equal(carry(p.joining, p.serving, &f), 0);
        assert_int_equal(carry(p.serving, p.joining, &f), -EPROTO);
        assert_int_equal(hop_error(p.joining), HA_ERROR_BADTOKEN);
        assert_int_equal(buffer_size(hop_output(p.joining)), 0);
        assert_false(hop_is_authenticated(p.joining));
        pair_free(&p);

        p = pair_new("", "token");
        assert_int_equal(hop_next(p.joining, &f), -EPROTO);
        assert_int_equal(hop_error(p.joining), HA_ERROR_BADTOKEN);
        assert_int_equal(buffer_size(hop_output(p.joining)), 0);
        pair_free(&p);

        p = pair_new("token", "");
        assert_int_equal(carry(p.joining, p.serving, &f), -EPROTO);
        assert_int_equal(hop_error(p.serving), HA_ERROR_BADTOKEN);
        assert_int_equal(carry(p.serving, p.joining, &f), -EPROTO);
        assert_int_equal(hop_error(p.joining), HA_ERROR_BADTOKEN);
        pair_free(&p);
}

static void test_versions(void **state) {
        static const struct {
                uint16_t min, max;
                bool good;
        } cases[] = { { 1, 1, true }, { 1, 65535, true }, { 0, 1, true }, { 2, 2, false }, { 0, 0, false }, { 2, 1, false } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct pair p = pair_new("token", "token");
                struct hop_frame f;
                size_t n;
                uint8_t *hello = take(p.joining, &n);

                hello[4 + 1 + 8] = (uint8_t) (cases[i].min >> 8);
                hello[4 + 1 + 9] = (uint8_t) cases[i].min;
                hello[4 + 1 + 10] = (uint8_t) (cases[i].max >> 8);
                hello[4 + 1 + 11] = (uint8_t) cases[i].max;
                feed(p.serving, hello, n);
                assert_int_equal(hop_next(p.serving, &f), cases[i].good ? 0 : -EPROTO);
                if (!cases[i].good) {
                        assert_int_equal(hop_error(p.serving), HA_ERROR_BADVSN);
                        assert_int_equal(carry(p.serving, p.joining, &f), -EPROTO);
                        assert_int_equal(hop_error(p.joining), HA_ERROR_BADVSN);
                }
                free(hello);
                pair_free(&p);
        }
        /* A master that answers with a version that we did not offer. */
        {
                struct pair p = pair_new("token", "token");
                struct hop_frame f;
                size_t n;
                uint8_t *challenge;

                assert_int_equal(carry(p.joining, p.serving, &f), 0);
                challenge = take(p.serving, &n);
                challenge[4 + 1 + 1] = 2;
                feed(p.joining, challenge, n);
                assert_int_equal(hop_next(p.joining, &f), -EPROTO);
                assert_int_equal(hop_error(p.joining), HA_ERROR_BADVSN);
                free(challenge);
                pair_free(&p);
        }
}

/* Whoever changes a bit of the handshake gets no connection out of it. */
static void test_tampered_handshake(void **state) {
        for (int message = 0; message < 3; message++)
                for (size_t bit = 0;; bit++) {
                        struct pair p = pair_new("token", "token");
                        struct hop *from = p.joining, *to = p.serving;
                        struct hop_frame f;
                        bool end = false;

                        for (int step = 0; step < 3; step++) {
                                struct hop *swap = from;
                                size_t n;
                                uint8_t *bytes = take(from, &n);

                                if (step == message) {
                                        if (bit >= n * 8)
                                                end = true;
                                        else
                                                bytes[bit / 8] ^= (uint8_t) (1 << (bit % 8));
                                }
                                feed(to, bytes, n);
                                free(bytes);
                                if (hop_next(to, &f) < 0)
                                        break;
                                from = to;
                                to = swap;
                        }
                        assert_true(end == (hop_is_authenticated(p.joining) && hop_is_authenticated(p.serving)));
                        if (message < 2) /* a changed PROOF is the serving side's to see */
                                assert_true(end || !hop_is_authenticated(p.joining));
                        assert_true(end || !hop_is_authenticated(p.serving));
                        pair_free(&p);
                        if (end)
                                break;
                }
}

/* The same afterwards: every bit counts. */
static void test_tampered_frames(void **state) {
        for (size_t bit = 0;; bit++) {
                struct pair p = pair_new("token", "token");
                struct hop_frame f;
                uint8_t *bytes;
                size_t n;
                int r;

                open_pair(&p);
                assert_int_equal(hop_send(p.serving, HOP_COPY, &(struct iovec) { (void *) "some data", 9 }, 1), 0);
                bytes = take(p.serving, &n);
                if (bit < n * 8)
                        bytes[bit / 8] ^= (uint8_t) (1 << (bit % 8));
                feed(p.joining, bytes, n);
                r = hop_next(p.joining, &f);
                free(bytes);
                if (bit == n * 8) {
                        assert_int_equal(r, 1);
                        pair_free(&p);
                        break;
                }
                assert_int_not_equal(r, 1); /* refused, or (a larger length) waiting for more */
                if (r < 0)
                        assert_int_equal(hop_error(p.joining), HA_ERROR_CLOSED);
                pair_free(&p);
        }
}

static void test_replay_reorder_cut(void **state) {
        struct hop_frame f;
        uint8_t *first, *second;
        size_t n, m;

        for (int kind = 0; kind < 5; kind++) {
                struct pair p = pair_new("token", "token");

                open_pair(&p);
                assert_int_equal(hop_send(p.serving, HOP_COPY, &(struct iovec) { (void *) "one", 3 }, 1), 0);
                first = take(p.serving, &n);
                assert_int_equal(hop_send(p.serving, HOP_COPY, &(struct iovec) { (void *) "two", 3 }, 1), 0);
                second = take(p.serving, &m);
                switch (kind) {
                case 0: /* replayed */
                        feed(p.joining, first, n);
                        assert_int_equal(hop_next(p.joining, &f), 1);
                        feed(p.joining, first, n);
                        break;
                case 1: /* the first one is missing; also: out of order */
                        feed(p.joining, second, m);
                        break;
                case 2: /* sent back to where it came from */
                        feed(p.serving, first, n);
                        assert_int_equal(hop_next(p.serving, &f), -EPROTO);
                        feed(p.joining, second, m);
                        break;
                case 3: { /* taken from another connection with the same token */
                        struct pair other = pair_new("token", "token");

                        open_pair(&other);
                        feed(other.joining, first, n);
                        assert_int_equal(hop_next(other.joining, &f), -EPROTO);
                        pair_free(&other);
                        feed(p.joining, second, m);
                        break;
                }
                default: /* a frame of the handshake once more */
                        feed(p.joining, "\0\0\0\3\4\0\x1a", 7);
                }
                assert_int_equal(hop_next(p.joining, &f), -EPROTO);
                assert_int_equal(hop_error(p.joining), HA_ERROR_CLOSED);
                assert_int_equal(hop_next(p.joining, &f), -EPROTO); /* for good */
                free(first);
                free(second);
                pair_free(&p);
        }
}

/* A recorded handshake is of no use: the nonces are fresh. */
static void test_replayed_handshake(void **state) {
        struct pair p = pair_new("token", "token"), q = pair_new("token", "token");
        struct hop_frame f;
        size_t n[3];
        uint8_t *m[3];

        m[0] = take(p.joining, &n[0]);
        feed(p.serving, m[0], n[0]);
        assert_int_equal(hop_next(p.serving, &f), 0);
        m[1] = take(p.serving, &n[1]);
        feed(p.joining, m[1], n[1]);
        assert_int_equal(hop_next(p.joining, &f), 0);
        m[2] = take(p.joining, &n[2]);
        /* to a master */
        feed(q.serving, m[0], n[0]);
        assert_int_equal(hop_next(q.serving, &f), 0);
        feed(q.serving, m[2], n[2]);
        assert_int_equal(hop_next(q.serving, &f), -EPROTO);
        assert_int_equal(hop_error(q.serving), HA_ERROR_BADTOKEN);
        /* to a slave */
        feed(q.joining, m[1], n[1]);
        assert_int_equal(hop_next(q.joining, &f), -EPROTO);
        assert_int_equal(hop_error(q.joining), HA_ERROR_BADTOKEN);
        for (int i = 0; i < 3; i++)
                free(m[i]);
        pair_free(&p);
        pair_free(&q);
}

static void test_lengths(void **state) {
        static const uint32_t lengths[] = { 0, HOP_STRANGER_FRAME_MAX + 1, 0x7fffffff, 0xffffffff };
        struct hop_frame f;

        for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
                struct pair p = pair_new("token", "token");
                uint32_t length = htobe32(lengths[i]);

                feed(p.serving, &length, 4);
                assert_int_equal(hop_next(p.serving, &f), -EPROTO);
                feed(p.joining, &length, 4);
                assert_int_equal(hop_next(p.joining, &f), -EPROTO);
                assert_int_equal(hop_error(p.joining), HA_ERROR_BADVSN);
                pair_free(&p);
                if (lengths[i] == HOP_STRANGER_FRAME_MAX + 1)
                        continue;
                p = pair_new("token", "token");
                open_pair(&p);
                feed(p.serving, &length, 4);
                assert_int_equal(hop_next(p.serving, &f), -EPROTO);
                assert_int_equal(hop_error(p.serving), HA_ERROR_CLOSED);
                pair_free(&p);
        }
        /* The largest frame of a stranger is read, however useless. */
        {
                struct pair p = pair_new("token", "token");
                uint8_t junk[4 + HOP_STRANGER_FRAME_MAX] = { 0, 0, HOP_STRANGER_FRAME_MAX >> 8, HOP_STRANGER_FRAME_MAX & 255, 1 };

                feed(p.serving, junk, sizeof(junk) - 1);
                assert_int_equal(hop_next(p.serving, &f), 0);
                feed(p.serving, junk + sizeof(junk) - 1, 1);
                assert_int_equal(hop_next(p.serving, &f), -EPROTO);
                assert_true(p.serving != NULL);
                pair_free(&p);
        }
}

static void test_garbage(void **state) {
        uint64_t seed = 42;

        for (int i = 0; i < 20000; i++) {
                struct pair p = pair_new("token", "token");
                struct hop *h = i & 1 ? p.serving : p.joining;
                struct hop_frame f;
                uint8_t junk[64];

                if (i & 2)
                        open_pair(&p);
                for (size_t j = 0; j < sizeof(junk); j++) {
                        seed = seed * 6364136223846793005u + 1442695040888963407u;
                        junk[j] = (uint8_t) (seed >> 56);
                }
                if (i & 4)
                        memset(junk, 0, 3);
                feed(h, junk, sizeof(junk));
                assert_true(hop_next(h, &f) <= 0);
                pair_free(&p);
        }
}

static void test_refusal(void **state) {
        struct pair p = pair_new("token", "token");
        enum ha_error code;
        struct hop_frame f;
        char *reason;

        /* Before the proof only some codes are believed. */
        assert_int_equal(hop_refuse(p.serving, HA_ERROR_BADFXS, "x"), 0);
        assert_int_equal(carry(p.serving, p.joining, &f), -EPROTO);
        assert_int_equal(hop_error(p.joining), HA_ERROR_BADVSN);
        pair_free(&p);
        p = pair_new("token", "token");
        open_pair(&p);
        assert_int_equal(hop_refuse(p.serving, HA_ERROR_BADFXS, "other\nschema"), 0);
        assert_int_equal(carry(p.serving, p.joining, &f), 1);
        assert_int_equal(f.type, HOP_REFUSE);
        assert_int_equal(hop_parse_refuse(f.body, f.size, &code, &reason), 0);
        assert_int_equal(code, HA_ERROR_BADFXS);
        assert_string_equal(reason, "other\\x0aschema");
        free(reason);
        assert_int_equal(hop_parse_refuse(f.body, 1, &code, &reason), -EBADMSG);
        pair_free(&p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_handshake),
                cmocka_unit_test(test_in_pieces),
                cmocka_unit_test(test_wrong_tokens),
                cmocka_unit_test(test_versions),
                cmocka_unit_test(test_tampered_handshake),
                cmocka_unit_test(test_tampered_frames),
                cmocka_unit_test(test_replay_reorder_cut),
                cmocka_unit_test(test_replayed_handshake),
                cmocka_unit_test(test_lengths),
                cmocka_unit_test(test_garbage),
                cmocka_unit_test(test_refusal),
        };

        return cmocka_run_group_tests_name("node-hop", tests, NULL, NULL);
}
