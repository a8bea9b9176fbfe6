/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the protocol between nodes: the greeting, the handshake, and what somebody in between can do to it. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/big-endian.h"
#include "hop-pair.h"
#include "node/replication/hop-tls.h"
#include "node/replication/replication.h"

static void assert_over(struct hop *h, enum ha_error code, const char *reason) {
        struct hop_frame f;

        assert_int_equal(hop_next(h, &f), -EPROTO);
        assert_int_equal(hop_error(h), code);
        assert_non_null(strstr(hop_reason(h), reason));
        assert_int_equal(hop_send(h, HOP_TICK, NULL, 0), -EINVAL);
}

/* ---- how it should be ---- */

static void both_sides_know_each_other_after_the_handshake(void **state) {
        struct pair p = pair_new("token", "token");
        struct node_id n1 = id_of("n1"), n2 = id_of("n2");
        struct hop_frame f;
        uint8_t *big = calloc(1, HOP_BODY_MAX + 1);

        for (int step = 0; step < STEPS; step++) {
                assert_int_equal(hop_send(p.joining, HOP_JOIN, NULL, 0), -EINVAL); /* not yet */
                assert_int_equal(hop_is_authenticated(p.serving), step > 4);
                assert_int_equal(carry(sender(&p, step), receiver(&p, step), &f), 0);
        }
        assert_true(hop_is_authenticated(p.joining) && hop_is_authenticated(p.serving));
        assert_true(node_id_equal(hop_peer(p.serving), &n2));
        assert_true(node_id_equal(hop_expected(p.serving), &n1));
        assert_true(node_id_equal(hop_peer(p.joining), &n1));
        for (int i = 0; i < 3; i++) {
                assert_int_equal(hop_send(p.joining, HOP_TICK, &(struct iovec) { (void *) "x", 1 }, 1), 0);
                assert_int_equal(carry(p.joining, p.serving, &f), 1);
                assert_int_equal(f.type, HOP_TICK);
                assert_int_equal(f.size, 1);
                assert_int_equal(hop_next(p.serving, &f), 0);
                memset(big, i + 1, HOP_BODY_MAX);
                assert_int_equal(hop_send(p.serving, HOP_COPY, &(struct iovec) { big, HOP_BODY_MAX }, 1), 0);
                assert_int_equal(carry(p.serving, p.joining, &f), 1);
                assert_int_equal(f.size, HOP_BODY_MAX);
                assert_memory_equal(f.body, big, HOP_BODY_MAX);
                assert_int_equal(hop_send(p.serving, HOP_END, NULL, 0), 0);
                assert_int_equal(carry(p.serving, p.joining, &f), 1);
                assert_int_equal(f.size, 0);
        }
        assert_int_equal(hop_send(p.serving, HOP_COPY, &(struct iovec) { big, HOP_BODY_MAX + 1 }, 1), -EMSGSIZE);
        {
                struct iovec parts[HOP_PARTS_MAX + 1] = { { big, 1 }, { big, 0 }, { big, 40000 }, { big, 1 }, { big, 1 } };

                assert_int_equal(hop_send(p.serving, HOP_COPY, parts, HOP_PARTS_MAX + 1), -EINVAL);
                assert_int_equal(hop_send(p.serving, HOP_COPY, parts, HOP_PARTS_MAX), 0);
                assert_int_equal(carry(p.serving, p.joining, &f), 1);
                assert_int_equal(f.size, 40002);
        }
        free(big);
        pair_free(&p);
}

static void it_may_come_byte_by_byte(void **state) {
        struct pair p = pair_new("token", "token");
        struct hop_frame f;

        for (int step = 0; step < STEPS; step++) {
                size_t n;
                uint8_t *bytes = take(sender(&p, step), &n);

                for (size_t i = 0; i < n; i++) {
                        feed(receiver(&p, step), bytes + i, 1);
                        assert_int_equal(hop_next(receiver(&p, step), &f), 0);
                }
                free(bytes);
        }
        assert_true(hop_is_authenticated(p.joining) && hop_is_authenticated(p.serving));
        pair_free(&p);
}

static unsigned count_records(const uint8_t *p, size_t n) {
        unsigned records = 0;

        for (size_t at = 0; at < n; at += TLS_HEADER_SIZE + get16(p + at + 3)) {
                assert_true(n - at > TLS_HEADER_SIZE && p[at] == 23 && p[at + 1] == 3 && p[at + 2] == 3);
                records++;
        }
        return records;
}

static void what_fits_is_one_record_and_the_rest_is_in_few(void **state) {
        static const struct {
                size_t body;
                unsigned records;
        } cases[] = { { 0, 1 }, { 100, 1 }, { TLS_RECORD_MAX - 5, 1 }, { TLS_RECORD_MAX - 4, 2 }, { 4 * TLS_RECORD_MAX - 5, 4 },
                      { HOP_BODY_MAX, 9 } };
        struct pair p = pair_new("token", "token");
        uint8_t *body = calloc(1, HOP_BODY_MAX);
        struct hop_frame f;

        open_pair(&p);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t n, half = cases[i].body / 2;
                uint8_t *bytes;

                assert_int_equal(hop_send(p.serving, HOP_MORE, (struct iovec[]) { { body, half }, { body, cases[i].body - half } }, 2), 0);
                bytes = take(p.serving, &n);
                assert_int_equal(count_records(bytes, n), cases[i].records);
                assert_int_equal(n, 5 + cases[i].body + cases[i].records * TLS_RECORD_OVERHEAD);
                feed(p.joining, bytes, n);
                assert_int_equal(hop_next(p.joining, &f), 1);
                free(bytes);
        }
        free(body);
        pair_free(&p);
}

/* AES-GCM is not for an endless number of records under one key, and a link may live for years. */
static void a_new_key_comes_in_time(void **state) {
        struct pair p = pair_new("token", "token");
        struct hop_frame f;

        open_pair(&p);
        for (unsigned i = 1; i <= TLS_RECORDS_PER_KEY + 2; i++) { /* NAMES was the first */
                size_t n;
                uint8_t *bytes;

                assert_int_equal(hop_send(p.serving, HOP_TICK, &(struct iovec) { (uint8_t[]) { 0 }, 1 }, 1), 0);
                bytes = take(p.serving, &n);
                assert_int_equal(count_records(bytes, n), i == TLS_RECORDS_PER_KEY ? 2 : 1);
                feed(p.joining, bytes, n);
                assert_int_equal(hop_next(p.joining, &f), 1);
                free(bytes);
        }
        /* The other direction has its own. */
        assert_int_equal(hop_send(p.joining, HOP_TICK, NULL, 0), 0);
        assert_int_equal(carry(p.joining, p.serving, &f), 1);
        pair_free(&p);
}

/* ---- versions and tokens ---- */

static void another_token_is_told_at_both_ends(void **state) {
        static const char *const tokens[][2] = { { "token", "Token" }, { "token", "token " }, { "t", "token" } };
        struct hop_frame f;

        for (size_t i = 0; i < ELEMENTSOF(tokens); i++) {
                struct pair p = pair_new(tokens[i][0], tokens[i][1]);

                greet(&p, 2);
                assert_int_equal(carry(p.joining, p.serving, &f), -EPROTO);
                assert_over(p.serving, HA_ERROR_BADTOKEN, "its token is not ours");
                assert_int_equal(carry(p.serving, p.joining, &f), -EPROTO);
                assert_over(p.joining, HA_ERROR_BADTOKEN, "its token is not ours");
                assert_int_equal(buffer_size(hop_output(p.joining)), 0);
                assert_false(hop_is_authenticated(p.serving) || hop_is_authenticated(p.joining));
                pair_free(&p);
        }
}

static void an_empty_token_never_joins(void **state) {
        struct hop_frame f;
        struct pair p = pair_new("", "token");

        assert_over(p.joining, HA_ERROR_BADTOKEN, "no token is set");
        assert_int_equal(buffer_size(hop_output(p.joining)), 0);
        pair_free(&p);

        p = pair_new("token", "");
        assert_int_equal(carry(p.joining, p.serving, &f), -EPROTO);
        assert_over(p.serving, HA_ERROR_BADTOKEN, "no token is set");
        assert_int_equal(carry(p.serving, p.joining, &f), -EPROTO);
        assert_over(p.joining, HA_ERROR_BADTOKEN, "no token");
        pair_free(&p);
}

static void the_largest_token_works_and_a_larger_one_is_refused(void **state) {
        struct node_id id = id_of("n1");
        struct secret large = { calloc(1, TOKEN_SIZE_MAX + 1), TOKEN_SIZE_MAX };
        struct pair p;

        memset(large.data, 'x', TOKEN_SIZE_MAX + 1);
        assert_int_equal(hop_new_joining(&id, &id, &large, &p.joining), 0);
        assert_int_equal(hop_new_serving(&id, &large, &p.serving), 0);
        open_pair(&p);
        pair_free(&p);
        large.size++;
        assert_int_equal(hop_new_joining(&id, &id, &large, &p.joining), -EINVAL);
        assert_int_equal(hop_new_serving(&id, &large, &p.serving), -EINVAL);
        free(large.data);
}

static void versions_that_do_not_fit_are_told(void **state) {
        static const struct {
                uint16_t min, max;
                bool good;
        } cases[] = { { 2, 2, true }, { 2, 65535, true }, { 0, 2, true }, { 1, 3, true },
                      { 3, 3, false }, { 1, 1, false }, { 0, 0, false }, { 3, 2, false } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct pair p = pair_new("token", "token");
                struct hop_frame f;
                size_t n;
                uint8_t *hello = take(p.joining, &n);

                put16(hello + 4 + 1 + 8, cases[i].min);
                put16(hello + 4 + 1 + 10, cases[i].max);
                feed(p.serving, hello, n);
                assert_int_equal(hop_next(p.serving, &f), cases[i].good ? 0 : -EPROTO);
                if (!cases[i].good) {
                        assert_over(p.serving, HA_ERROR_BADVSN, "it speaks versions");
                        assert_int_equal(carry(p.serving, p.joining, &f), -EPROTO);
                        assert_over(p.joining, HA_ERROR_BADVSN, "speaks version 2");
                }
                free(hello);
                pair_free(&p);
        }
        /* A master that answers with a version that we did not offer, or with something else. */
        for (int what = 0; what < 4; what++) {
                struct pair p = pair_new("token", "token");
                struct hop_frame f;
                size_t n;
                uint8_t *welcome;

                greet(&p, 1);
                welcome = take(p.serving, &n);
                if (what == 0)
                        welcome[4 + 1 + 1] = 3;
                else if (what == 1)
                        welcome[4] = HOP_NAMES;
                else if (what == 2)
                        memcpy(welcome, "HTTP/1.0 400 Bad Request", 24);
                else
                        welcome[3]--;
                feed(p.joining, welcome, n);
                assert_int_equal(hop_next(p.joining, &f), -EPROTO);
                assert_over(p.joining, HA_ERROR_BADVSN, "");
                free(welcome);
                pair_free(&p);
        }
}

/* What a node of version 1 sends and how it reads the answer: both from that version's document. */
static void a_node_of_the_former_protocol_hears_that_its_version_is_wrong(void **state) {
        uint8_t hello[4 + 1 + 8 + 4 + 4 + 32 + 8 + 8] = { 0, 0, 0, sizeof(hello) - 4, 1, 'C', 'O', 'N', 'F', 'D', '-', 'H', 'A', 0, 1, 0, 1 };
        static const uint8_t name1[] = { 7, 109, 0, 0, 0, 2, 'n', '1' }, name2[] = { 7, 109, 0, 0, 0, 2, 'n', '2' };
        static const uint8_t refusal[] = { 0, 0, 0, 11, 4, 0, 52, 'v', 'e', 'r', 's', 'i', 'o', 'n', '1' };
        struct pair p = pair_new("token", "token");
        struct hop_frame f;
        uint8_t *answer;
        size_t n;

        memcpy(hello + sizeof(hello) - 16, name2, 8);
        memcpy(hello + sizeof(hello) - 8, name1, 8);
        feed(p.serving, hello, sizeof(hello));
        assert_int_equal(hop_next(p.serving, &f), -EPROTO);
        assert_over(p.serving, HA_ERROR_BADVSN, "it speaks versions 1 to 1");
        answer = take(p.serving, &n);
        assert_true(n > 7 && get32(answer) == n - 4 && answer[4] == 4 && get16(answer + 5) == 52);
        free(answer);
        pair_free(&p);

        /* The other way round: our greeting has magic and versions where that version looks for them, and its refusal is read. */
        p = pair_new("token", "token");
        answer = take(p.joining, &n);
        assert_true(n >= 4 + 1 + 8 + 4 && get32(answer) == n - 4 && answer[4] == 1);
        assert_memory_equal(answer + 5, "CONFD-HA\0\2\0\2", 12);
        free(answer);
        feed(p.joining, refusal, sizeof(refusal));
        assert_int_equal(hop_next(p.joining, &f), -EPROTO);
        assert_over(p.joining, HA_ERROR_BADVSN, "refused: version1");
        pair_free(&p);
}

/* ---- somebody in between ---- */

static void who_changes_a_byte_of_the_handshake_gets_nothing(void **state) {
        for (int message = 0; message < STEPS; message++)
                for (size_t byte = 0;; byte++) {
                        struct pair p = pair_new("token", "token");
                        struct hop_frame f;
                        bool end = false;

                        for (int step = 0; step < STEPS; step++) {
                                size_t n;
                                uint8_t *bytes = take(sender(&p, step), &n);

                                if (step == message) {
                                        if (byte >= n)
                                                end = true;
                                        else
                                                bytes[byte] ^= (uint8_t) (1 << (byte % 8));
                                }
                                feed(receiver(&p, step), bytes, n);
                                free(bytes);
                                if (hop_next(receiver(&p, step), &f) < 0)
                                        break;
                        }
                        if (!end && (message == 2 || message == 3) && byte == 2) {
                                /* A plain record's legacy_record_version, which RFC 8446 has everybody ignore. */
                                assert_true(hop_is_authenticated(p.joining) && hop_is_authenticated(p.serving));
                                pair_free(&p);
                                continue;
                        }
                        /* Who has already seen the other's proof and name has seen nothing wrong. */
                        if (message != 4)
                                assert_true(end == hop_is_authenticated(p.joining));
                        assert_true((end || message == STEPS - 1) == hop_is_authenticated(p.serving));
                        pair_free(&p);
                        if (end)
                                break;
                }
}

static void who_changes_a_bit_afterwards_ends_it(void **state) {
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
                        assert_over(p.joining, HA_ERROR_CLOSED, "changed it on the way");
                pair_free(&p);
        }
}

static void records_replayed_swapped_reflected_or_foreign_end_it(void **state) {
        struct hop_frame f;
        uint8_t *first, *second;
        size_t n, m;

        for (int kind = 0; kind < 6; kind++) {
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
                case 4: /* a frame in plain */
                        feed(p.joining, "\0\0\0\3\4\0\x1a", 7);
                        break;
                default: /* an alert in plain: that it is closed is not for anybody to say */
                        feed(p.joining, "\x15\3\3\0\2\1\0", 7);
                }
                assert_int_equal(hop_next(p.joining, &f), -EPROTO);
                assert_over(p.joining, HA_ERROR_CLOSED, "changed it on the way");
                free(first);
                free(second);
                pair_free(&p);
        }
}

/* A recording is of no use: the nonces are fresh. */
static void a_replayed_handshake_is_worth_nothing(void **state) {
        struct pair p = pair_new("token", "token"), q = pair_new("token", "token");
        struct hop_frame f;
        size_t n[STEPS];
        uint8_t *m[STEPS];

        for (int step = 0; step < STEPS; step++) {
                m[step] = take(sender(&p, step), &n[step]);
                feed(receiver(&p, step), m[step], n[step]);
                assert_int_equal(hop_next(receiver(&p, step), &f), 0);
        }
        /* to a master: known by the ClientHello already, whose key was for another nonce */
        feed(q.serving, m[0], n[0]);
        assert_int_equal(hop_next(q.serving, &f), 0);
        feed(q.serving, m[2], n[2]);
        assert_int_equal(hop_next(q.serving, &f), -EPROTO);
        assert_over(q.serving, HA_ERROR_BADTOKEN, "binder does not verify");
        /* to a slave */
        feed(q.joining, m[1], n[1]);
        assert_int_equal(hop_next(q.joining, &f), 0);
        feed(q.joining, m[3], n[3]);
        assert_int_equal(hop_next(q.joining, &f), -EPROTO);
        assert_over(q.joining, HA_ERROR_BADTOKEN, "");
        for (int i = 0; i < STEPS; i++)
                free(m[i]);
        pair_free(&p);
        pair_free(&q);
}

/* A joining side whose own bytes come back to it, and one that is led to another joining side. */
static void a_reflected_handshake_is_worth_nothing(void **state) {
        for (int steps = 1; steps <= 3; steps += 2) {
                struct pair p = pair_new("token", "token"), q = pair_new("token", "token");
                struct hop_frame f;
                uint8_t *bytes;
                size_t n;

                greet(&p, steps - 1);
                greet(&q, steps - 1);
                bytes = take(p.joining, &n);
                feed(p.joining, bytes, n);
                assert_int_equal(hop_next(p.joining, &f), -EPROTO);
                assert_over(p.joining, steps == 1 ? HA_ERROR_BADVSN : HA_ERROR_BADTOKEN, "");
                feed(q.joining, bytes, n);
                assert_int_equal(hop_next(q.joining, &f), -EPROTO);
                free(bytes);
                pair_free(&p);
                pair_free(&q);
        }
}

/* ---- closing ---- */

static void a_close_and_a_cut_are_told_apart(void **state) {
        struct pair p = pair_new("token", "token");
        struct hop_frame f;

        open_pair(&p);
        assert_int_equal(hop_send(p.serving, HOP_TICK, NULL, 0), 0);
        hop_close(p.serving);
        assert_int_equal(hop_send(p.serving, HOP_TICK, NULL, 0), -EINVAL); /* that was the last */
        assert_int_equal(carry(p.serving, p.joining, &f), 1);
        assert_int_equal(hop_next(p.joining, &f), -EPROTO);
        assert_over(p.joining, HA_ERROR_CLOSED, "closed by the other side");
        hop_input_cut(p.joining); /* the socket's end, after it: nothing new */
        assert_over(p.joining, HA_ERROR_CLOSED, "closed by the other side");
        pair_free(&p);

        p = pair_new("token", "token");
        open_pair(&p);
        assert_int_equal(hop_send(p.serving, HOP_COPY, &(struct iovec) { (void *) "data", 4 }, 1), 0);
        assert_int_equal(carry(p.serving, p.joining, &f), 1);
        assert_int_equal(hop_next(p.joining, &f), 0);
        hop_input_cut(p.joining);
        assert_over(p.joining, HA_ERROR_CLOSED, "was cut");
        assert_true(hop_is_authenticated(p.joining));
        pair_free(&p);

        for (int steps = 0; steps < STEPS; steps++) {
                p = pair_new("token", "token");
                greet(&p, steps);
                hop_input_cut(p.joining);
                assert_over(p.joining, HA_ERROR_CLOSED, "closed by the other side");
                hop_close(p.serving); /* whenever: it does no harm */
                pair_free(&p);
        }
}

static void a_refusal_is_believed_within_tls_and_hardly_before(void **state) {
        static const enum ha_error believed[] = { HA_ERROR_BADVSN, HA_ERROR_BADTOKEN, HA_ERROR_CONNECT };
        struct pair p = pair_new("token", "token");
        enum ha_error code;
        struct hop_frame f;
        char *reason;

        assert_int_equal(hop_refuse(p.serving, HA_ERROR_BADFXS, "x"), 0);
        assert_int_equal(carry(p.serving, p.joining, &f), -EPROTO);
        assert_over(p.joining, HA_ERROR_BADVSN, "not that of a node");
        pair_free(&p);
        for (size_t i = 0; i < ELEMENTSOF(believed); i++) {
                p = pair_new("token", "token");
                assert_int_equal(hop_refuse(p.serving, believed[i], "x"), 0);
                assert_int_equal(carry(p.serving, p.joining, &f), -EPROTO);
                assert_over(p.joining, believed[i], "refused: x");
                pair_free(&p);
        }
        p = pair_new("token", "token");
        greet(&p, 3);
        assert_int_equal(hop_refuse(p.serving, HA_ERROR_BADFXS, "x"), -EINVAL); /* there is no place for it in a handshake */
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
        assert_int_equal(hop_next(p.joining, &f), -EPROTO);
        assert_over(p.joining, HA_ERROR_CLOSED, "closed by the other side");
        pair_free(&p);
}

/* ---- strangers ---- */

static void lengths_of_strangers_are_limited(void **state) {
        static const uint32_t lengths[] = { 0, HOP_STRANGER_MAX + 1, 0x7fffffff, 0xffffffff };
        uint8_t junk[4 + HOP_STRANGER_MAX] = { 0, 0, HOP_STRANGER_MAX >> 8, HOP_STRANGER_MAX & 255, 1 };
        struct hop_frame f;
        struct pair p;

        for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
                uint32_t length = htobe32(lengths[i]);

                p = pair_new("token", "token");
                feed(p.serving, &length, 4);
                assert_int_equal(hop_next(p.serving, &f), -EPROTO);
                assert_over(p.serving, HA_ERROR_CLOSED, "no frame of this protocol");
                feed(p.joining, &length, 4);
                assert_int_equal(hop_next(p.joining, &f), -EPROTO);
                assert_over(p.joining, HA_ERROR_BADVSN, "no frame of this protocol");
                pair_free(&p);
        }
        /* The largest frame of a stranger is read, and of a ClientHello the largest record. */
        p = pair_new("token", "token");
        feed(p.serving, junk, sizeof(junk) - 1);
        assert_int_equal(hop_next(p.serving, &f), 0);
        feed(p.serving, junk + sizeof(junk) - 1, 1);
        assert_int_equal(hop_next(p.serving, &f), -EPROTO);
        assert_over(p.serving, HA_ERROR_CLOSED, "no greeting of a node");
        pair_free(&p);
        /* What is no ClientHello is not waited for. */
        for (int i = 0; i < 3; i++) {
                static const uint8_t first[][6] = { { 'G', 'E', 'T', ' ', 0, 0 }, { 23, 3, 3, 0, 9, 1 }, { 22, 3, 1, 0, 9, 2 } };

                p = pair_new("token", "token");
                greet(&p, 2);
                feed(p.serving, first[i], sizeof(first[i]));
                assert_int_equal(hop_next(p.serving, &f), -EPROTO);
                assert_over(p.serving, HA_ERROR_BADTOKEN, "did not try");
                pair_free(&p);
        }
        for (uint16_t past = 0; past < 2; past++) {
                uint8_t record[TLS_HEADER_SIZE + HOP_STRANGER_MAX] = { 22, 3, 1, 0, 0, 1 };

                p = pair_new("token", "token");
                greet(&p, 2);
                put16(record + 3, HOP_STRANGER_MAX + past);
                if (past)
                        feed(p.serving, record, TLS_HEADER_SIZE);
                else {
                        feed(p.serving, record, sizeof(record) - 1);
                        assert_int_equal(hop_next(p.serving, &f), 0);
                        feed(p.serving, record + sizeof(record) - 1, 1);
                }
                assert_int_equal(hop_next(p.serving, &f), -EPROTO);
                assert_over(p.serving, HA_ERROR_BADTOKEN, past ? "did not try" : "TLS");
                pair_free(&p);
        }
}

static void garbage_ends_it(void **state) {
        uint64_t seed = 42;

        for (int i = 0; i < 4000; i++) {
                struct pair p = pair_new("token", "token");
                struct hop *h = i & 1 ? p.serving : p.joining;
                struct hop_frame f;
                uint8_t junk[64];

                greet(&p, (i >> 3) % (STEPS + 1));
                for (size_t j = 0; j < sizeof(junk); j++) {
                        seed = seed * 6364136223846793005u + 1442695040888963407u;
                        junk[j] = (uint8_t) (seed >> 56);
                }
                if (i & 2)
                        memset(junk, 0, 3);
                if (i & 4)
                        memcpy(junk, (uint8_t[]) { (uint8_t) (20 + i % 4), 3, 3, 0, sizeof(junk) - 5 }, 5);
                feed(h, junk, sizeof(junk));
                assert_true(hop_next(h, &f) <= 0);
                pair_free(&p);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(both_sides_know_each_other_after_the_handshake),
                cmocka_unit_test(it_may_come_byte_by_byte),
                cmocka_unit_test(what_fits_is_one_record_and_the_rest_is_in_few),
                cmocka_unit_test(a_new_key_comes_in_time),
                cmocka_unit_test(another_token_is_told_at_both_ends),
                cmocka_unit_test(an_empty_token_never_joins),
                cmocka_unit_test(the_largest_token_works_and_a_larger_one_is_refused),
                cmocka_unit_test(versions_that_do_not_fit_are_told),
                cmocka_unit_test(a_node_of_the_former_protocol_hears_that_its_version_is_wrong),
                cmocka_unit_test(who_changes_a_byte_of_the_handshake_gets_nothing),
                cmocka_unit_test(who_changes_a_bit_afterwards_ends_it),
                cmocka_unit_test(records_replayed_swapped_reflected_or_foreign_end_it),
                cmocka_unit_test(a_replayed_handshake_is_worth_nothing),
                cmocka_unit_test(a_reflected_handshake_is_worth_nothing),
                cmocka_unit_test(a_close_and_a_cut_are_told_apart),
                cmocka_unit_test(a_refusal_is_believed_within_tls_and_hardly_before),
                cmocka_unit_test(lengths_of_strangers_are_limited),
                cmocka_unit_test(garbage_ends_it),
        };

        return cmocka_run_group_tests_name("node-hop", tests, NULL, NULL);
}
