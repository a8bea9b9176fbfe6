/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of a link in one process, and what carries their bytes. After cmocka's header. */
#pragma once

#include "node/replication/hop.h"

enum { STEPS = 6 }; /* HELLO, WELCOME, ClientHello, ServerHello to Finished, Finished and NAMES, NAMES */

static _unused_ struct node_id id_of(const char *name) {
        uint8_t term[64] = { 109, 0, 0, 0, (uint8_t) strlen(name) };
        struct node_id id;

        memcpy(term + 5, name, strlen(name));
        assert_int_equal(node_id_from_bytes(term, 5 + strlen(name), &id), 0);
        return id;
}

static _unused_ struct secret secret_of(const char *s) {
        return (struct secret) { (uint8_t *) s, strlen(s) };
}

struct pair {
        struct hop *joining, *serving;
};

static _unused_ struct pair pair_new(const char *joining_token, const char *serving_token) {
        struct node_id n1 = id_of("n1"), n2 = id_of("n2");
        struct secret a = secret_of(joining_token), b = secret_of(serving_token);
        struct pair p;

        assert_int_equal(hop_new_joining(&n2, &n1, &a, &p.joining), 0);
        assert_int_equal(hop_new_serving(&n1, &b, &p.serving), 0);
        return p;
}

static _unused_ void pair_free(struct pair *p) {
        hop_free(p->joining);
        hop_free(p->serving);
}

static _unused_ void feed(struct hop *h, const void *p, size_t n) {
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
static _unused_ uint8_t *take(struct hop *from, size_t *ret) {
        struct buffer *out = hop_output(from);
        uint8_t *p = malloc(buffer_size(out) + 1);

        *ret = buffer_size(out);
        if (*ret > 0)
                memcpy(p, buffer_head(out), *ret);
        buffer_consume(out, *ret);
        return p;
}

static _unused_ int carry(struct hop *from, struct hop *to, struct hop_frame *frame) {
        size_t n;
        uint8_t *p = take(from, &n);
        int r;

        feed(to, p, n);
        free(p);
        r = hop_next(to, frame);
        return r;
}

static _unused_ struct hop *sender(const struct pair *p, int step) {
        return step % 2 ? p->serving : p->joining;
}

static _unused_ struct hop *receiver(const struct pair *p, int step) {
        return step % 2 ? p->joining : p->serving;
}

/* The first so many messages of a true handshake. */
static _unused_ void greet(struct pair *p, int steps) {
        struct hop_frame f;

        for (int step = 0; step < steps; step++)
                assert_int_equal(carry(sender(p, step), receiver(p, step), &f), 0);
}

static _unused_ void open_pair(struct pair *p) {
        greet(p, STEPS);
        assert_true(hop_is_authenticated(p->joining) && hop_is_authenticated(p->serving));
}
