/* SPDX-License-Identifier: Apache-2.0 */
/* Owns OpenSSL's side of a connection between nodes. */
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "basic/big-endian.h"
#include "node/replication/hop-tls.h"

static const uint8_t suite[2] = { 0x13, 0x01 }; /* TLS_AES_128_GCM_SHA256 */
#define SUITE_ID UINT32_C(0x03001301)

enum { TYPE_FIRST = 20, TYPE_HANDSHAKE = 22, TYPE_LAST = 23, CLIENT_HELLO = 1, RECORD_MAJOR = 3 };

struct hop_tls {
        SSL *ssl;
        struct buffer *in, *out;
        size_t shown;      /* of the record at the head of the input: what OpenSSL may still read */
        uint64_t written;  /* records, since the last new key */
        bool serving, asked, no_memory;
        uint8_t key[HOP_KEY_SIZE];
        char problem[160];
};

/* ---- records ---- */

size_t tls_record_size(const struct buffer *in) {
        return buffer_size(in) < TLS_HEADER_SIZE ? 0 : (size_t) TLS_HEADER_SIZE + get16(buffer_head(in) + 3);
}

static bool is_possible(const struct buffer *in) {
        const uint8_t *p = buffer_head(in);

        return p[0] >= TYPE_FIRST && p[0] <= TYPE_LAST && p[1] == RECORD_MAJOR && get16(p + 3) <= TLS_SEALED_MAX;
}

bool tls_is_client_hello(const struct buffer *in) {
        const uint8_t *p = buffer_head(in);

        return buffer_size(in) > TLS_HEADER_SIZE && p[0] == TYPE_HANDSHAKE && p[1] == RECORD_MAJOR && p[TLS_HEADER_SIZE] == CLIENT_HELLO;
}

/* What is none, or too long a one, is refused for what its header says. */
static bool has_whole_record(const struct hop_tls *t) {
        size_t whole = tls_record_size(t->in);

        return whole > 0 && (buffer_size(t->in) >= whole || !is_possible(t->in));
}

/* ---- our buffers as OpenSSL sees them ---- */

static int on_read(BIO *bio, char *to, size_t size, size_t *ret) {
        struct hop_tls *t = BIO_get_data(bio);
        size_t n;

        BIO_clear_retry_flags(bio);
        if (t->shown == 0 && has_whole_record(t))
                t->shown = is_possible(t->in) ? tls_record_size(t->in) : TLS_HEADER_SIZE;
        n = MIN(size, t->shown);
        if (n == 0) {
                BIO_set_retry_read(bio);
                return 0;
        }
        memcpy(to, buffer_head(t->in), n);
        buffer_consume(t->in, n);
        t->shown -= n;
        *ret = n;
        return 1;
}

static int on_write(BIO *bio, const char *p, size_t n, size_t *ret) {
        struct hop_tls *t = BIO_get_data(bio);

        BIO_clear_retry_flags(bio);
        if (buffer_append(t->out, p, n) < 0) {
                t->no_memory = true;
                return 0;
        }
        *ret = n;
        return 1;
}

static long on_control(BIO *bio, int command, long number, void *p) {
        return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(void) {
        static BIO_METHOD *method;

        if (!method) {
                method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "hop");
                if (method) {
                        (void) BIO_meth_set_read_ex(method, on_read);
                        (void) BIO_meth_set_write_ex(method, on_write);
                        (void) BIO_meth_set_ctrl(method, on_control);
                }
        }
        return method;
}

/* ---- what is settled once for all connections ---- */

static SSL_SESSION *session_of_key(SSL *ssl) {
        struct hop_tls *t = SSL_get_app_data(ssl);
        SSL_SESSION *session = SSL_SESSION_new();
        const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, suite);

        if (session && cipher && SSL_SESSION_set1_master_key(session, t->key, sizeof(t->key)) &&
            SSL_SESSION_set_cipher(session, cipher) && SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION))
                return session;
        SSL_SESSION_free(session);
        return NULL;
}

/* The serving side: the key for the identity that the other side names. */
static int on_find_session(SSL *ssl, const unsigned char *identity, size_t size, SSL_SESSION **ret) {
        *ret = NULL;
        if (size != strlen(HOP_TLS_IDENTITY) || memcmp(identity, HOP_TLS_IDENTITY, size) != 0)
                return 1; /* there is none: without a certificate the handshake ends there */
        *ret = session_of_key(ssl);
        return *ret != NULL;
}

static int on_use_session(SSL *ssl, const EVP_MD *md, const unsigned char **ret_identity, size_t *ret_size, SSL_SESSION **ret) {
        *ret = session_of_key(ssl);
        *ret_identity = (const unsigned char *) HOP_TLS_IDENTITY;
        *ret_size = strlen(HOP_TLS_IDENTITY);
        return *ret != NULL;
}

/* Everything that a machine's openssl.cnf could have set otherwise is set here. */
static SSL_CTX *context_new(bool serving) {
        SSL_CTX *ctx = SSL_CTX_new(serving ? TLS_server_method() : TLS_client_method());

        if (!ctx)
                return NULL;
        (void) SSL_CTX_clear_options(ctx, SSL_OP_ALL | SSL_OP_ENABLE_MIDDLEBOX_COMPAT | SSL_OP_ALLOW_NO_DHE_KEX |
                                     SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
        (void) SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
        (void) SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
        (void) SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_security_level(ctx, 2);
        /* Whatever certificate a false master may show is nobody's: we know no authority. */
        SSL_CTX_set_verify(ctx, serving ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
        if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) || !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
            !SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") || !SSL_CTX_set1_groups_list(ctx, "X25519") ||
            !SSL_CTX_set_num_tickets(ctx, 0) || !SSL_CTX_set_max_early_data(ctx, 0) || !SSL_CTX_set_recv_max_early_data(ctx, 0)) {
                SSL_CTX_free(ctx);
                return NULL;
        }
        if (serving)
                SSL_CTX_set_psk_find_session_callback(ctx, on_find_session);
        else
                SSL_CTX_set_psk_use_session_callback(ctx, on_use_session);
        return ctx;
}

/* Made once: they hold nothing of a connection, and making one costs more than a handshake. */
static SSL_CTX *context(bool serving) {
        static SSL_CTX *contexts[2];

        if (!contexts[serving])
                contexts[serving] = context_new(serving);
        return contexts[serving];
}

/* ---- a connection ---- */

int hop_tls_new(bool serving, const uint8_t key[static HOP_KEY_SIZE], struct buffer *in, struct buffer *out, struct hop_tls **ret) {
        SSL_CTX *ctx = context(serving);
        struct hop_tls *t;
        BIO *bio;

        ERR_clear_error();
        if (!ctx || !bio_method())
                return -EIO;
        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        t->serving = serving;
        t->in = in;
        t->out = out;
        memcpy(t->key, key, sizeof(t->key));
        t->ssl = SSL_new(ctx);
        bio = BIO_new(bio_method());
        if (!t->ssl || !bio) {
                BIO_free(bio);
                hop_tls_free(t);
                return -ENOMEM;
        }
        BIO_set_data(bio, t);
        BIO_set_init(bio, 1);
        SSL_set_bio(t->ssl, bio, bio); /* takes it over */
        SSL_set_app_data(t->ssl, t);
        if (serving)
                SSL_set_accept_state(t->ssl);
        else
                SSL_set_connect_state(t->ssl);
        *ret = t;
        return 0;
}

struct hop_tls *hop_tls_free(struct hop_tls *t) {
        if (t) {
                SSL_free(t->ssl);
                hop_key_erase(t->key);
                free(t);
        }
        return NULL;
}

const char *hop_tls_problem(const struct hop_tls *t) {
        return t->problem;
}

/* What a call that failed means for its caller: 0 (more bytes are needed) or a negative errno value. */
static int result_of(struct hop_tls *t, int result) {
        unsigned long error;

        switch (SSL_get_error(t->ssl, result)) {
        case SSL_ERROR_WANT_READ:
                return 0;
        case SSL_ERROR_ZERO_RETURN:
                return -EPIPE;
        default:
                error = ERR_peek_error();
                if (t->no_memory || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
                        return -ENOMEM;
                (void) snprintf(t->problem, sizeof(t->problem), "%s", ERR_reason_error_string(error) ?: "TLS failed");
                ERR_clear_error();
                return -EBADMSG;
        }
}

static int problem(struct hop_tls *t, const char *text) {
        (void) snprintf(t->problem, sizeof(t->problem), "%s", text);
        return -EBADMSG;
}

int hop_tls_handshake(struct hop_tls *t) {
        int result, r;

        ERR_clear_error();
        result = SSL_do_handshake(t->ssl);
        r = result == 1 ? 1 : result_of(t, result);
        if (r == -EPIPE)
                return problem(t, "the other side closed the connection");
        if (r <= 0)
                return r;
        /* Nothing else was offered and nothing else is taken; should that be otherwise one day, it shall be seen here. */
        if (!SSL_session_reused(t->ssl) || SSL_version(t->ssl) != TLS1_3_VERSION ||
            SSL_CIPHER_get_id(SSL_get_current_cipher(t->ssl)) != SUITE_ID || SSL_get_negotiated_group(t->ssl) != NID_X25519)
                return problem(t, "not the key exchange and the suite of this protocol");
        hop_key_erase(t->key);
        /* OpenSSL's copy of it, too. */
        (void) SSL_SESSION_set1_master_key(SSL_get_session(t->ssl), t->key, sizeof(t->key));
        return 1;
}

int hop_tls_read(struct hop_tls *t, uint8_t *to, size_t size, size_t *ret) {
        int result;

        if (SSL_pending(t->ssl) == 0 && !has_whole_record(t)) /* what it would say, without its errors being made */
                return 0;
        ERR_clear_error();
        result = SSL_read_ex(t->ssl, to, size, ret);
        return result > 0 ? 1 : result_of(t, result);
}

static int write_record(struct hop_tls *t, const uint8_t *p, size_t n) {
        size_t written;
        int r;

        if (t->written >= TLS_RECORDS_PER_KEY) {
                if (!SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED)) /* goes out ahead of the record */
                        return -EIO;
                t->written = 0;
        }
        t->written++;
        if (SSL_write_ex(t->ssl, p, n, &written) > 0)
                return 0;
        r = result_of(t, 0);
        return r == -ENOMEM ? r : -EIO;
}

int hop_tls_write(struct hop_tls *t, const struct iovec *parts, size_t n_parts) {
        uint8_t record[TLS_RECORD_MAX];
        size_t have = 0;
        int r;

        ERR_clear_error();
        for (size_t i = 0; i < n_parts; i++) {
                const uint8_t *p = parts[i].iov_base;
                size_t left = parts[i].iov_len, n;

                for (; left > 0; p += n, left -= n) {
                        n = MIN(left, sizeof(record) - have);
                        /* A whole record need not be gathered. */
                        if (n == sizeof(record))
                                r = write_record(t, p, n);
                        else {
                                memcpy(record + have, p, n);
                                have += n;
                                if (have < sizeof(record))
                                        continue;
                                r = write_record(t, record, have);
                                have = 0;
                        }
                        if (r < 0)
                                return r;
                }
        }
        return have > 0 ? write_record(t, record, have) : 0;
}

void hop_tls_close(struct hop_tls *t) {
        ERR_clear_error();
        (void) SSL_shutdown(t->ssl);
        ERR_clear_error();
}
