/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of both sides of a link against OpenSSL that is set up otherwise than ours: what they agree to, and what they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "node/replication/hop-tls.h"
#include "node/replication/hop.h"

enum { GREETING_SIZE = 17, WELCOME_SIZE = 39 };

static const uint8_t greeting[GREETING_SIZE] = { 0, 0, 0, 13, HOP_HELLO, 'C', 'O', 'N', 'F', 'D', '-', 'H', 'A', 0, 2, 0, 2 };
static const uint8_t names_of_joining[] = { 0, 0, 0, 17, HOP_NAMES, 7, 109, 0, 0, 0, 2, 'n', '2', 7, 109, 0, 0, 0, 2, 'n', '1' };
static const uint8_t names_of_serving[] = { 0, 0, 0, 9, HOP_NAMES, 7, 109, 0, 0, 0, 2, 'n', '1' };

/* How the other side is set up. */
struct variant {
        const char *what;
        int version;             /* 0: TLS 1.3 */
        const char *suites;      /* NULL: ours */
        uint8_t suite[2];        /* of the key; 0: ours */
        const char *groups;      /* NULL: ours */
        const char *identity;    /* NULL: ours */
        bool no_key, other_key, no_dhe, certificate, early, tickets;
        bool joins;
        const void *names;       /* in place of its NAMES */
        size_t names_size;
};

struct other {
        const struct variant *v;
        SSL_CTX *ctx;
        SSL *ssl;
        uint8_t key[HOP_KEY_SIZE];
        unsigned tickets; /* that came */
        int rounds;       /* of the handshake */
};

static SSL_SESSION *other_session(SSL *ssl) {
        struct other *o = SSL_get_app_data(ssl);
        SSL_SESSION *s = SSL_SESSION_new();
        const uint8_t ours[2] = { 0x13, 0x01 };
        const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, o->v->suite[0] ? o->v->suite : ours);
        uint8_t key[48] = {};

        memcpy(key, o->key, sizeof(o->key));
        assert_true(cipher && SSL_SESSION_set1_master_key(s, key, sizeof(o->key)) && SSL_SESSION_set_cipher(s, cipher) &&
                    SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION));
        if (o->v->early)
                assert_true(SSL_SESSION_set_max_early_data(s, 1000));
        return s;
}

static int use_session(SSL *ssl, const EVP_MD *md, const unsigned char **ret_id, size_t *ret_size, SSL_SESSION **ret) {
        struct other *o = SSL_get_app_data(ssl);

        *ret_id = (const unsigned char *) (o->v->identity ?: HOP_TLS_IDENTITY);
        *ret_size = strlen((const char *) *ret_id);
        *ret = other_session(ssl);
        return 1;
}

static int find_session(SSL *ssl, const unsigned char *id, size_t size, SSL_SESSION **ret) {
        assert_int_equal(size, strlen(HOP_TLS_IDENTITY));
        assert_memory_equal(id, HOP_TLS_IDENTITY, size);
        *ret = other_session(ssl);
        return 1;
}

static unsigned psk_of_12(SSL *ssl, const char *hint, char *identity, unsigned max, unsigned char *key, unsigned max_key) {
        (void) snprintf(identity, max, "%s", HOP_TLS_IDENTITY);
        memcpy(key, ((struct other *) SSL_get_app_data(ssl))->key, HOP_KEY_SIZE);
        return HOP_KEY_SIZE;
}

static int on_ticket(SSL *ssl, SSL_SESSION *session) {
        ((struct other *) SSL_get_app_data(ssl))->tickets++;
        return 0;
}

static void add_certificate(SSL_CTX *ctx) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *x = X509_new();

        assert_true(key && x && X509_set_version(x, X509_VERSION_3) && X509_gmtime_adj(X509_getm_notBefore(x), 0) &&
                    X509_gmtime_adj(X509_getm_notAfter(x), 86400) && X509_set_pubkey(x, key) &&
                    X509_sign(x, key, EVP_sha256()) > 0);
        assert_true(SSL_CTX_use_certificate(ctx, x) && SSL_CTX_use_PrivateKey(ctx, key));
        X509_free(x);
        EVP_PKEY_free(key);
}

static void other_start(struct other *o, const struct variant *v) {
        int version = v->version ?: TLS1_3_VERSION;

        o->v = v;
        if (v->other_key)
                o->key[0] ^= 1;
        o->ctx = SSL_CTX_new(v->joins ? TLS_client_method() : TLS_server_method());
        SSL_CTX_set_security_level(o->ctx, 0);
        assert_true(SSL_CTX_set_min_proto_version(o->ctx, version) && SSL_CTX_set_max_proto_version(o->ctx, version));
        assert_true(SSL_CTX_set_ciphersuites(o->ctx, v->suites ?: "TLS_AES_128_GCM_SHA256"));
        assert_true(SSL_CTX_set1_groups_list(o->ctx, v->groups ?: "X25519"));
        assert_true(SSL_CTX_set_cipher_list(o->ctx, "ALL:PSK:aNULL:eNULL"));
        SSL_CTX_set_num_tickets(o->ctx, v->tickets ? 2 : 0);
        SSL_CTX_set_session_cache_mode(o->ctx, SSL_SESS_CACHE_BOTH);
        SSL_CTX_sess_set_new_cb(o->ctx, on_ticket);
        if (v->no_dhe)
                SSL_CTX_set_options(o->ctx, SSL_OP_ALLOW_NO_DHE_KEX);
        if (v->certificate)
                add_certificate(o->ctx);
        if (version < TLS1_3_VERSION)
                SSL_CTX_set_psk_client_callback(o->ctx, psk_of_12);
        else if (!v->no_key && v->joins)
                SSL_CTX_set_psk_use_session_callback(o->ctx, use_session);
        else if (!v->no_key)
                SSL_CTX_set_psk_find_session_callback(o->ctx, find_session);
        o->ssl = SSL_new(o->ctx);
        SSL_set_bio(o->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_app_data(o->ssl, o);
        if (v->joins)
                SSL_set_connect_state(o->ssl);
        else
                SSL_set_accept_state(o->ssl);
}

static void other_end(struct other *o) {
        SSL_free(o->ssl);
        SSL_CTX_free(o->ctx);
        ERR_clear_error();
}

static int feed(struct hop *h, const uint8_t *p, size_t n, struct hop_frame *ret) {
        int r = 0;

        while (n > 0 && r == 0) {
                uint8_t *to;
                size_t room;

                assert_int_equal(hop_input(h, &to, &room), 0);
                room = MIN(room, n);
                memcpy(to, p, room);
                hop_input_done(h, room);
                p += room;
                n -= room;
                r = hop_next(h, ret);
        }
        return r;
}

/* What either has said goes to the other. */
static int exchange(struct other *o, struct hop *h, struct hop_frame *frame) {
        struct buffer *out = hop_output(h);
        uint8_t bytes[8192];
        int n, r = 0;

        while (r == 0 && (n = BIO_read(SSL_get_wbio(o->ssl), bytes, sizeof(bytes))) > 0)
                r = feed(h, bytes, (size_t) n, frame);
        if (r < 0)
                return r;
        if (buffer_size(out) > 0)
                assert_int_equal(BIO_write(SSL_get_rbio(o->ssl), buffer_head(out), (int) buffer_size(out)), (int) buffer_size(out));
        buffer_clear(out);
        return r;
}

/* Greets and does the handshake. Returns what hop_next() said last, with the hop open if that is 0. */
static int link_up(struct other *o, const struct variant *v, struct hop **ret) {
        static const struct secret token = { (uint8_t *) "token", 5 };
        uint8_t term1[] = { 109, 0, 0, 0, 2, 'n', '1' }, term2[] = { 109, 0, 0, 0, 2, 'n', '2' };
        uint8_t welcome[WELCOME_SIZE] = { 0, 0, 0, 35, HOP_WELCOME, 0, 2, 1, 2, 3 }, extracted[HOP_KEY_SIZE];
        struct node_id n1, n2;
        struct hop_frame f;
        int r = 0;

        memset(o, 0, sizeof(*o));
        assert_true(node_id_from_bytes(term1, sizeof(term1), &n1) >= 0 && node_id_from_bytes(term2, sizeof(term2), &n2) >= 0);
        if (v->joins) {
                assert_int_equal(hop_new_serving(&n1, &token, ret), 0);
                assert_int_equal(feed(*ret, greeting, sizeof(greeting), &f), 0);
                assert_int_equal(buffer_size(hop_output(*ret)), sizeof(welcome));
                memcpy(welcome, buffer_head(hop_output(*ret)), sizeof(welcome));
                buffer_clear(hop_output(*ret));
        } else {
                assert_int_equal(hop_new_joining(&n2, &n1, &token, ret), 0);
                assert_memory_equal(buffer_head(hop_output(*ret)), greeting, sizeof(greeting));
                buffer_consume(hop_output(*ret), sizeof(greeting));
                assert_int_equal(feed(*ret, welcome, sizeof(welcome), &f), 0);
        }
        assert_int_equal(hop_key_extract(&token, extracted), 0);
        assert_int_equal(hop_key_expand(extracted, (struct iovec[]) { { (void *) greeting, sizeof(greeting) }, { welcome, sizeof(welcome) } },
                                        2, o->key), 0);
        other_start(o, v);
        if (v->early) {
                size_t n;

                (void) SSL_write_early_data(o->ssl, names_of_joining, sizeof(names_of_joining), &n);
        }
        for (; o->rounds < 4 && r == 0; o->rounds++) {
                (void) SSL_do_handshake(o->ssl);
                r = exchange(o, *ret, &f);
        }
        if (r == 0 && SSL_is_init_finished(o->ssl)) {
                const void *names = v->names ?: v->joins ? names_of_joining : names_of_serving;
                size_t size = v->names ? v->names_size : v->joins ? sizeof(names_of_joining) : sizeof(names_of_serving);

                assert_int_equal(SSL_write(o->ssl, names, (int) size), (int) size);
                r = exchange(o, *ret, &f);
        }
        return r;
}

static const struct variant good[] = {
        { "as we do it", .joins = true },
        { "with more groups and suites to choose from", .joins = true, .groups = "X25519:P-256:X448",
          .suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384" },
        { "with a share that nobody wants at first", .joins = true, .groups = "P-256:X25519" },
        { "with psk_ke offered, too", .joins = true, .no_dhe = true },
        { "as we do it" },
        { "with a certificate for others", .certificate = true },
        { "with psk_ke allowed", .no_dhe = true },
        { "with tickets", .tickets = true },
};

static const struct variant bad[] = {
        { "another key", .joins = true, .other_key = true },
        { "another key, and a share that nobody wants", .joins = true, .other_key = true, .groups = "P-256:X25519" },
        { "TLS 1.2", .joins = true, .version = TLS1_2_VERSION },
        { "no key", .joins = true, .no_key = true },
        { "no key, and a share that nobody wants", .joins = true, .no_key = true, .groups = "P-256:X25519" },
        { "a key of another name", .joins = true, .identity = "confd-ha-hop-3" },
        { "another group", .joins = true, .groups = "P-256" },
        { "another group with psk_ke to fall back to", .joins = true, .groups = "P-256", .no_dhe = true },
        { "another suite with the same hash", .joins = true, .suites = "TLS_CHACHA20_POLY1305_SHA256", .suite = { 0x13, 0x03 } },
        { "another suite with another hash", .joins = true, .suites = "TLS_AES_256_GCM_SHA384", .suite = { 0x13, 0x02 } },
        { "another key", .other_key = true },
        { "TLS 1.2", .version = TLS1_2_VERSION },
        { "TLS 1.2 with a certificate", .version = TLS1_2_VERSION, .certificate = true },
        { "a certificate in place of the key", .certificate = true, .no_key = true },
        { "no key", .no_key = true },
        { "another group", .groups = "P-256" },
        { "another group with psk_ke to fall back to", .groups = "P-256", .no_dhe = true },
        { "another group with a certificate", .groups = "P-256", .certificate = true, .no_key = true },
        { "another suite with the same hash", .suites = "TLS_CHACHA20_POLY1305_SHA256", .suite = { 0x13, 0x03 } },
        { "another suite with another hash", .suites = "TLS_AES_256_GCM_SHA384", .suite = { 0x13, 0x02 } },
};

static void what_agrees_with_the_document_gets_a_link(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                struct hop_frame f;
                struct other o;
                struct hop *h;
                uint8_t bytes[100];

                if (link_up(&o, &good[i], &h) != 0 || !hop_is_authenticated(h))
                        fail_msg("%s (%s): %s", good[i].what, good[i].joins ? "joining" : "serving", hop_reason(h));
                assert_true(SSL_session_reused(o.ssl));
                assert_string_equal(SSL_get_cipher_name(o.ssl), "TLS_AES_128_GCM_SHA256");
                assert_int_equal(SSL_get_negotiated_group(o.ssl), NID_X25519);
                /* Both may have their keys changed, and say something in them. */
                assert_true(SSL_key_update(o.ssl, SSL_KEY_UPDATE_REQUESTED));
                assert_int_equal(SSL_write(o.ssl, "\0\0\0\2\x19", 6), 6);
                assert_int_equal(exchange(&o, h, &f), 1);
                assert_int_equal(f.type, HOP_TICK);
                assert_int_equal(hop_send(h, HOP_TICK, &(struct iovec) { (void *) "x", 1 }, 1), 0);
                (void) exchange(&o, h, &f);
                assert_true(SSL_read(o.ssl, bytes, sizeof(bytes)) > 0); /* NAMES */
                assert_int_equal(SSL_read(o.ssl, bytes, sizeof(bytes)), 6);
                if (good[i].joins)
                        assert_int_equal(o.tickets, 0); /* ours gives none */
                hop_close(h);
                (void) exchange(&o, h, &f);
                assert_int_equal(SSL_read(o.ssl, bytes, sizeof(bytes)), 0);
                assert_int_equal(SSL_get_error(o.ssl, 0), SSL_ERROR_ZERO_RETURN);
                other_end(&o);
                hop_free(h);
        }
}

static void what_does_not_gets_none_and_costs_nothing_more(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                struct hop_frame f;
                struct other o;
                struct hop *h;
                int r = link_up(&o, &bad[i], &h);

                if (r != -EPROTO || hop_is_authenticated(h) || hop_error(h) != HA_ERROR_BADTOKEN)
                        fail_msg("%s (%s): %d, %s", bad[i].what, bad[i].joins ? "joining" : "serving", r, hop_reason(h));
                if (bad[i].joins)
                        assert_int_equal(o.rounds, 1); /* its ClientHello has decided */
                else
                        assert_int_equal(buffer_size(hop_output(h)), 0); /* to a false master nothing more is said */
                assert_int_equal(hop_next(h, &f), -EPROTO);
                other_end(&o);
                hop_free(h);
        }
}

/* Early data could be replayed, so it is never read; the handshake may go on without it. */
static void early_data_is_not_read(void **state) {
        static const struct variant early = { "early data", .joins = true, .early = true };
        struct hop_frame f;
        struct other o;
        struct hop *h;

        (void) link_up(&o, &early, &h);
        assert_int_not_equal(SSL_get_early_data_status(o.ssl), SSL_EARLY_DATA_ACCEPTED);
        assert_true(hop_next(h, &f) <= 0);
        other_end(&o);
        hop_free(h);
}

/* Somebody who has the token, but tells no proper name, or frames of any length. */
static void what_is_said_within_has_its_limits(void **state) {
        static const struct variant plain = { "", .joins = true };
        static const struct {
                const char *bytes;
                size_t size;
                const char *reason;
        } cases[] = {
                { "\0\0\0\0", 4, "impossible length" },
                { "\0\2\0\2", 4, "impossible length" }, /* 131072 + 2 */
                { "\xff\xff\xff\xff", 4, "impossible length" },
                { "\0\2\0\1", 4, NULL }, /* the largest: more is awaited */
        }, names[] = {
                { "\0\0\4\2\3", 5, "impossible length" },
                { "\0\0\4\1\3", 5, NULL },
                { "\0\0\0\1\3", 5, "its name" },
                { "\0\0\0\3\3\0", 7, "its name" },                                 /* empty ones */
                { "\0\0\0\x9\3\7m\0\0\0\2n2", 13, "its name" },                    /* only one */
                { "\0\0\0\x12\3\7m\0\0\0\2n2\7m\0\0\0\2n1x", 22, "its name" },     /* and something behind */
                { "\0\0\0\x11\x10\7m\0\0\0\2n2\7m\0\0\0\2n1", 21, "its name" },    /* another frame */
                { "\0\0\0\x11\3\xffm\0\0\0\2n2\7m\0\0\0\2n1", 21, "its name" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct hop_frame f;
                struct other o;
                struct hop *h;
                int r;

                assert_int_equal(link_up(&o, &plain, &h), 0);
                assert_true(hop_is_authenticated(h));
                assert_true(SSL_write(o.ssl, cases[i].bytes, (int) cases[i].size) > 0);
                r = exchange(&o, h, &f);
                assert_int_equal(r, cases[i].reason ? -EPROTO : 0);
                assert_true(r == 0 || (strstr(hop_reason(h), cases[i].reason) && hop_error(h) == HA_ERROR_CLOSED));
                other_end(&o);
                hop_free(h);
        }
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const struct variant nameless = { "", .joins = true, .names = names[i].bytes, .names_size = names[i].size };
                struct other o;
                struct hop *h;

                assert_int_equal(link_up(&o, &nameless, &h), names[i].reason ? -EPROTO : 0);
                assert_false(hop_is_authenticated(h));
                assert_true(!names[i].reason || (strstr(hop_reason(h), names[i].reason) && hop_error(h) == HA_ERROR_CLOSED));
                other_end(&o);
                hop_free(h);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_agrees_with_the_document_gets_a_link),
                cmocka_unit_test(what_does_not_gets_none_and_costs_nothing_more),
                cmocka_unit_test(early_data_is_not_read),
                cmocka_unit_test(what_is_said_within_has_its_limits),
        };

        return cmocka_run_group_tests_name("node-hop-tls", tests, NULL, NULL);
}
