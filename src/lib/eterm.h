/* SPDX-License-Identifier: Apache-2.0 */
/* Terms in Erlang's external format: a bounds-checked cursor in, a writer into a buffer out.
 *
 * No sockets, no ConfD, no allocation while reading. The reader trusts nothing: every length is compared with the bytes
 * that are there before it is believed, and nothing recurses on what a peer sent.
 */
#pragma once

#include "basic/buffer.h"
#include "basic/util.h"

enum eterm_tag {
        ETERM_VERSION = 131,
        ETERM_COMPRESSED = 80,
        ETERM_NEW_FLOAT = 70,
        ETERM_BIT_BINARY = 77,
        ETERM_NEW_PID = 88,
        ETERM_NEW_PORT = 89,
        ETERM_NEWER_REFERENCE = 90,
        ETERM_SMALL_INTEGER = 97,
        ETERM_INTEGER = 98,
        ETERM_FLOAT = 99,
        ETERM_ATOM = 100,
        ETERM_REFERENCE = 101,
        ETERM_PORT = 102,
        ETERM_PID = 103,
        ETERM_SMALL_TUPLE = 104,
        ETERM_LARGE_TUPLE = 105,
        ETERM_NIL = 106,
        ETERM_STRING = 107,
        ETERM_LIST = 108,
        ETERM_BINARY = 109,
        ETERM_SMALL_BIG = 110,
        ETERM_LARGE_BIG = 111,
        ETERM_NEW_FUN = 112,
        ETERM_EXPORT = 113,
        ETERM_NEW_REFERENCE = 114,
        ETERM_SMALL_ATOM = 115,
        ETERM_MAP = 116,
        ETERM_ATOM_UTF8 = 118,
        ETERM_SMALL_ATOM_UTF8 = 119,
        ETERM_V4_PORT = 120,
};

/* Terms nested deeper are refused. */
enum { ETERM_DEPTH_MAX = 64 };

/* What is left to read. Copy it to come back to a place. */
struct eterm {
        const uint8_t *p;
        const uint8_t *end;
};

/* A term, or the bytes of one, inside the message that was read. */
struct eterm_bytes {
        const uint8_t *data;
        size_t size;
};

struct eterm_list {
        size_t n;      /* elements to read */
        bool has_tail; /* the encoding has a tail after them, which eterm_list_end() reads */
};

/* What comes next, whatever its encoding. */
enum eterm_kind {
        ETERM_KIND_NONE,    /* the end, or a tag that there is not */
        ETERM_KIND_INTEGER, /* small, 32-bit and big ones */
        ETERM_KIND_ATOM,
        ETERM_KIND_TUPLE,
        ETERM_KIND_LIST,    /* also the empty one */
        ETERM_KIND_STRING,  /* a list of bytes in short form */
        ETERM_KIND_BINARY,
        ETERM_KIND_OTHER,   /* floats, maps, references, ...: to be skipped */
};

/* Reading. Each function reads one term (eterm_tuple() and eterm_list(): the head of one, the elements follow) and moves
 * on, or returns an error, writes nothing and stays where it is:
 *   -EBADMSG     what is there is no term: cut short, a length past the end, a tag that there is not, nested too deep
 *   -EPROTOTYPE  a term, but of another kind
 *   -ERANGE      an integer that does not fit */
static inline _unused_ struct eterm eterm_init(const void *data, size_t size) {
        /* No arithmetic on NULL, not even with 0. */
        return (struct eterm) { .p = data, .end = size > 0 ? (const uint8_t *) data + size : data };
}

static inline _unused_ bool eterm_at_end(const struct eterm *c) {
        return c->p == c->end;
}

/* The version byte that a message begins with. -EPROTOTYPE for another one; a compressed term after it is -EBADMSG. */
_must_check_ int eterm_version(struct eterm *c);

enum eterm_kind eterm_kind(const struct eterm *c);

_must_check_ int eterm_int64(struct eterm *c, int64_t *ret);
_must_check_ int eterm_uint64(struct eterm *c, uint64_t *ret);
/* An integer of min to max. */
_must_check_ int eterm_int(struct eterm *c, int64_t min, int64_t max, int64_t *ret);

/* An atom's name: bytes in Latin-1 or UTF-8, as the encoding says. */
_must_check_ int eterm_atom(struct eterm *c, struct eterm_bytes *ret);
/* Reads an atom of this name (ASCII). -EPROTOTYPE for another one. */
_must_check_ int eterm_atom_is(struct eterm *c, const char *name);

_must_check_ int eterm_tuple(struct eterm *c, size_t *ret_arity);
/* Reads the head of a tuple of this arity. -EPROTOTYPE for another one. */
_must_check_ int eterm_tuple_of(struct eterm *c, size_t arity);

/* Lists: read the head, then n elements, then the end, which is -EPROTOTYPE for an improper list. A list of bytes in short
 * form is -EPROTOTYPE here: it is for eterm_text(). */
_must_check_ int eterm_list(struct eterm *c, struct eterm_list *ret);
_must_check_ int eterm_list_end(struct eterm *c, const struct eterm_list *list);

_must_check_ int eterm_binary(struct eterm *c, struct eterm_bytes *ret);

/* Text however it is sent: a binary, a list of bytes in short or long form, or the empty list. Copied to buf, no NUL
 * is added. -ENOBUFS if it has more than size bytes. */
_must_check_ int eterm_text(struct eterm *c, void *buf, size_t size, size_t *ret_n);

/* Skips a whole term, whatever it is; ret (may be NULL) gets where it was. */
_must_check_ int eterm_skip(struct eterm *c, struct eterm_bytes *ret);

/* Checks the version byte and that one whole term follows and nothing after it; *ret is set to the term. -EBADMSG. */
_must_check_ int eterm_message(const void *data, size_t size, struct eterm *ret);

/* A term as Erlang prints it, on one line of ASCII: what is no printable ASCII is written \x{HH}, floats and the like as
 * #Float<...>. As snprintf(3): the length of the whole text is returned and at most size bytes (with the NUL) are
 * written; a text longer than ETERM_FORMAT_MAX is cut there and ends with "...". Bytes that are no term: "#Bad". */
enum { ETERM_FORMAT_MAX = 64 * 1024 };
size_t eterm_format(const struct eterm_bytes *term, char *buf, size_t size);

/* Writing. An error (-ENOBUFS past the buffer's limit, -ENOMEM, -EMSGSIZE for a length that the format has no room for)
 * sticks, and eterm_write_end() returns it and takes back everything that was written since the begin:
 *
 *      struct eterm_writer w = eterm_write_begin(b);
 *      eterm_put_version(&w);
 *      eterm_put_tuple(&w, 2);
 *      eterm_put_int(&w, 1);
 *      eterm_put_atom(&w, "ok");
 *      r = eterm_write_end(&w);
 */
struct eterm_writer {
        struct buffer *b;
        size_t start; /* how many bytes the buffer held at the begin */
        int error;
};

static inline _unused_ struct eterm_writer eterm_write_begin(struct buffer *b) {
        return (struct eterm_writer) { .b = b, .start = buffer_size(b) };
}
_must_check_ int eterm_write_end(struct eterm_writer *w);

void eterm_put_version(struct eterm_writer *w);
void eterm_put_int(struct eterm_writer *w, int64_t v);   /* the shortest of SMALL_INTEGER, INTEGER and SMALL_BIG */
void eterm_put_uint(struct eterm_writer *w, uint64_t v);
void eterm_put_atom(struct eterm_writer *w, const char *name); /* ASCII, at most 255 bytes */
void eterm_put_tuple(struct eterm_writer *w, size_t arity);    /* the elements follow */
void eterm_put_list(struct eterm_writer *w, size_t n);         /* n elements follow, then, unless n is 0, eterm_put_nil() */
/* A tuple of n bytes as integers, an address; n is at most ETERM_BYTES_TUPLE_MAX. */
enum { ETERM_BYTES_TUPLE_MAX = 16 };
void eterm_put_bytes_tuple(struct eterm_writer *w, const uint8_t *p, size_t n);
void eterm_put_nil(struct eterm_writer *w);
void eterm_put_binary(struct eterm_writer *w, const void *p, size_t n);
/* Bytes as they are: a term encoded before, or what is no term at all. */
void eterm_put_raw(struct eterm_writer *w, const void *p, size_t n);
