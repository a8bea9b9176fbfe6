/* SPDX-License-Identifier: Apache-2.0 */
/* Values, error codes and tracing: what confd_ha.h and confd_events.h share.
 *
 * Source compatible with the part of confd_lib_lib(3) and confd_types(3) that programs for ConfD's high availability
 * use; the library is libconfd-ha. Compiles as C99 and later and as C++. No function here waits for anything.
 */
#ifndef CONFD_LIB_H
#define CONFD_LIB_H

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return (confd_lib_lib(3), ERRORS). After CONFD_ERR, confd_errno says why and confd_lasterr() says it in
 * words. CONFD_EOF: the server has closed the connection; confd_errno is CONFD_ERR_EOF. */
#define CONFD_OK 0
#define CONFD_ERR (-1)
#define CONFD_EOF (-2)

/* The IPC ports that ConfD and NSO listen on unless configured otherwise. */
#define CONFD_PORT 4565
#define NCS_PORT 4569

/* What the library says it is when it connects: one byte a component (8.2.5.0), and the protocol of that release.
 * confd_ha_set_protocol_version() in confd_ha.h changes the latter. */
#define CONFD_LIB_VSN 0x08020500
#define CONFD_LIB_PROTO_VSN 82

/* confd_errno (confd_lib_lib(3), ERRORS). */
#define CONFD_ERR_NOEXISTS 1
#define CONFD_ERR_ALREADY_EXISTS 2
#define CONFD_ERR_ACCESS_DENIED 3
#define CONFD_ERR_NOT_WRITABLE 4
#define CONFD_ERR_BADTYPE 5
#define CONFD_ERR_NOTCREATABLE 6
#define CONFD_ERR_NOTDELETABLE 7
#define CONFD_ERR_BADPATH 8
#define CONFD_ERR_NOSTACK 9
#define CONFD_ERR_LOCKED 10
#define CONFD_ERR_INUSE 11
#define CONFD_ERR_NOTSET 12
#define CONFD_ERR_NON_UNIQUE 13
#define CONFD_ERR_BAD_KEYREF 14
#define CONFD_ERR_TOO_FEW_ELEMS 15
#define CONFD_ERR_TOO_MANY_ELEMS 16
#define CONFD_ERR_BADSTATE 17
#define CONFD_ERR_INTERNAL 18
#define CONFD_ERR_EXTERNAL 19
#define CONFD_ERR_MALLOC 20
#define CONFD_ERR_PROTOUSAGE 21
#define CONFD_ERR_NOSESSION 22
#define CONFD_ERR_TOOMANYTRANS 23
#define CONFD_ERR_OS 24
#define CONFD_ERR_HA_CONNECT 25
#define CONFD_ERR_HA_CLOSED 26
#define CONFD_ERR_HA_BADFXS 27
#define CONFD_ERR_HA_BADTOKEN 28
#define CONFD_ERR_HA_BADNAME 29
#define CONFD_ERR_HA_BIND 30
#define CONFD_ERR_HA_NOTICK 31
#define CONFD_ERR_VALIDATION_WARNING 32
#define CONFD_ERR_SUBAGENT_DOWN 33
#define CONFD_ERR_LIB_NOT_INITIALIZED 34
#define CONFD_ERR_TOO_MANY_SESSIONS 35
#define CONFD_ERR_BAD_CONFIG 36
#define CONFD_ERR_RESOURCE_DENIED 37
#define CONFD_ERR_INCONSISTENT_VALUE 38
#define CONFD_ERR_APPLICATION_INTERNAL 39
#define CONFD_ERR_UNSET_CHOICE 40
#define CONFD_ERR_MUST_FAILED 41
#define CONFD_ERR_MISSING_INSTANCE 42
#define CONFD_ERR_INVALID_INSTANCE 43
#define CONFD_ERR_UNAVAILABLE 44
#define CONFD_ERR_EOF 45
#define CONFD_ERR_NOTMOVABLE 46
#define CONFD_ERR_HA_WITH_UPGRADE 47
#define CONFD_ERR_TIMEOUT 48
#define CONFD_ERR_ABORTED 49
#define CONFD_ERR_XPATH 50
#define CONFD_ERR_NOT_IMPLEMENTED 51
#define CONFD_ERR_HA_BADVSN 52
#define CONFD_ERR_POLICY_FAILED 53
#define CONFD_ERR_POLICY_COMPILATION_FAILED 54
#define CONFD_ERR_POLICY_EVALUATION_FAILED 55
#define CONFD_ERR_START_FAILED 57
#define CONFD_ERR_DATA_MISSING 58
#define CONFD_ERR_CLI_CMD 59
#define CONFD_ERR_UPGRADE_IN_PROGRESS 60
#define CONFD_ERR_NOTRANS 61
#define CONFD_ERR_NO_MOUNT_ID 67
#define CONFD_ERR_STALE_INSTANCE 68
#define CONFD_ERR_HA_BADCONFIG 69
#define CONFD_ERR_TRANSACTION_CONFLICT 70
#define CONFD_ERR_HA_ABORT 71

/* The types of values (confd_types(3)). A node id may be C_STR, C_BUF, C_INT8 to C_UINT64, C_IPV4, C_IPV6, C_BOOL,
 * C_ENUM_VALUE or C_BINARY; a call given another type fails with CONFD_ERR_BADTYPE. */
enum confd_vtype {
        C_NOEXISTS = 1,
        C_XMLTAG = 2,
        C_SYMBOL = 3,
        C_STR = 4, /* NUL-terminated, not owned by the value */
        C_BUF = 5, /* counted bytes */
        C_INT8 = 6,
        C_INT16 = 7,
        C_INT32 = 8,
        C_INT64 = 9,
        C_UINT8 = 10,
        C_UINT16 = 11,
        C_UINT32 = 12,
        C_UINT64 = 13,
        C_DOUBLE = 14,
        C_IPV4 = 15,
        C_IPV6 = 16,
        C_BOOL = 17,
        C_QNAME = 18,
        C_DATETIME = 19,
        C_DATE = 20,
        C_TIME = 23,
        C_DURATION = 27,
        C_ENUM_VALUE = 28,
        C_BIT32 = 29,
        C_BIT64 = 30,
        C_LIST = 31,
        C_XMLBEGIN = 32,
        C_XMLEND = 33,
        C_OBJECTREF = 34,
        C_UNION = 35,
        C_PTR = 36,
        C_CDBBEGIN = 37,
        C_OID = 38,
        C_BINARY = 39,
        C_IPV4PREFIX = 40,
        C_IPV6PREFIX = 41,
        C_DEFAULT = 42,
        C_DECIMAL64 = 43,
        C_IDENTITYREF = 44,
        C_XMLBEGINDEL = 45,
        C_DQUAD = 46,
        C_HEXSTR = 47,
        C_IPV4_AND_PLEN = 48,
        C_IPV6_AND_PLEN = 49,
        C_BITBIG = 50
};

/* Counted bytes; they need no NUL at the end. */
typedef struct confd_buf {
        unsigned int size;
        unsigned char *ptr;
} confd_buf_t;

typedef struct confd_buf_const {
        unsigned int size;
        const unsigned char *ptr;
} confd_buf_const_t;

/* A value: the member of `val` that goes with `type`. */
typedef struct confd_value {
        enum confd_vtype type;
        union {
                confd_buf_t buf;         /* C_BUF, C_BINARY */
                confd_buf_const_t c_buf; /* the same, to be read only */
                char *s;                 /* C_STR */
                const char *c_s;         /* the same, to be read only */
                int8_t i8;
                int16_t i16;
                int32_t i32;
                int64_t i64;
                uint8_t u8;
                uint16_t u16;
                uint32_t u32;
                uint64_t u64;
                double d;
                struct in_addr ip;   /* network byte order */
                struct in6_addr ip6;
                int boolean;         /* 0 or not */
                int32_t enumvalue;
        } val;
} confd_value_t;

/* Setting a value, each a statement; v is a pointer to confd_value_t. What pointers point to is borrowed: it has to live
 * as long as the value is used. (confd_types(3)) */
#define CONFD_SET_TYPE_(v, t, member, x) \
        do { \
                (v)->type = (t); \
                (v)->val.member = (x); \
        } while (0)
#define CONFD_SET_BYTES_(v, t, p, n) \
        do { \
                (v)->type = (t); \
                (v)->val.c_buf.ptr = (const unsigned char *) (p); \
                (v)->val.c_buf.size = (unsigned int) (n); \
        } while (0)
#define CONFD_SET_NOEXISTS(v) \
        do { \
                (v)->type = C_NOEXISTS; \
        } while (0)
#define CONFD_SET_STR(v, str) CONFD_SET_TYPE_(v, C_STR, c_s, (const char *) (str))
#define CONFD_SET_BUF(v, bufptr, len) CONFD_SET_BYTES_(v, C_BUF, bufptr, len)
#define CONFD_SET_BINARY(v, bufptr, len) CONFD_SET_BYTES_(v, C_BINARY, bufptr, len)
#define CONFD_SET_INT8(v, x) CONFD_SET_TYPE_(v, C_INT8, i8, (int8_t) (x))
#define CONFD_SET_INT16(v, x) CONFD_SET_TYPE_(v, C_INT16, i16, (int16_t) (x))
#define CONFD_SET_INT32(v, x) CONFD_SET_TYPE_(v, C_INT32, i32, (int32_t) (x))
#define CONFD_SET_INT64(v, x) CONFD_SET_TYPE_(v, C_INT64, i64, (int64_t) (x))
#define CONFD_SET_UINT8(v, x) CONFD_SET_TYPE_(v, C_UINT8, u8, (uint8_t) (x))
#define CONFD_SET_UINT16(v, x) CONFD_SET_TYPE_(v, C_UINT16, u16, (uint16_t) (x))
#define CONFD_SET_UINT32(v, x) CONFD_SET_TYPE_(v, C_UINT32, u32, (uint32_t) (x))
#define CONFD_SET_UINT64(v, x) CONFD_SET_TYPE_(v, C_UINT64, u64, (uint64_t) (x))
#define CONFD_SET_DOUBLE(v, x) CONFD_SET_TYPE_(v, C_DOUBLE, d, (double) (x))
#define CONFD_SET_IPV4(v, x) CONFD_SET_TYPE_(v, C_IPV4, ip, x)
#define CONFD_SET_IPV6(v, x) CONFD_SET_TYPE_(v, C_IPV6, ip6, x)
#define CONFD_SET_BOOL(v, x) CONFD_SET_TYPE_(v, C_BOOL, boolean, (x) ? 1 : 0)
#define CONFD_SET_ENUM_VALUE(v, x) CONFD_SET_TYPE_(v, C_ENUM_VALUE, enumvalue, (int32_t) (x))

/* Reading the value again; the type is not checked. (confd_types(3)) */
#define CONFD_GET_BUFPTR(v) ((v)->val.buf.ptr)
#define CONFD_GET_BUFSIZE(v) ((v)->val.buf.size)
#define CONFD_GET_CBUFPTR(v) ((v)->val.c_buf.ptr)
#define CONFD_GET_BINARY_PTR(v) ((v)->val.buf.ptr)
#define CONFD_GET_BINARY_SIZE(v) ((v)->val.buf.size)
#define CONFD_GET_INT8(v) ((v)->val.i8)
#define CONFD_GET_INT16(v) ((v)->val.i16)
#define CONFD_GET_INT32(v) ((v)->val.i32)
#define CONFD_GET_INT64(v) ((v)->val.i64)
#define CONFD_GET_UINT8(v) ((v)->val.u8)
#define CONFD_GET_UINT16(v) ((v)->val.u16)
#define CONFD_GET_UINT32(v) ((v)->val.u32)
#define CONFD_GET_UINT64(v) ((v)->val.u64)
#define CONFD_GET_DOUBLE(v) ((v)->val.d)
#define CONFD_GET_IPV4(v) ((v)->val.ip)
#define CONFD_GET_IPV6(v) ((v)->val.ip6)
#define CONFD_GET_BOOL(v) ((v)->val.boolean)
#define CONFD_GET_ENUM_VALUE(v) ((v)->val.enumvalue)

/* A node of a cluster (confd_lib_ha(3)), and what fits when the library fills one: an id or an address as a string of
 * up to CONFD_HA_NODE_BUF - 1 bytes (and a NUL that is not counted); more fails with CONFD_ERR_PROTOUSAGE. */
#define CONFD_HA_NODE_BUF 128
struct confd_ha_node {
        confd_value_t nodeid; /* filled by the library: a C_BUF points into buf */
        int af;               /* AF_INET: addr.ip4, AF_INET6: addr.ip6, AF_UNSPEC: addr.str */
        union {
                struct in_addr ip4; /* network byte order */
                struct in6_addr ip6;
                char *str;          /* filled by the library: points into addr_buf; 0 to 127 bytes */
        } addr;
        char buf[CONFD_HA_NODE_BUF];
        char addr_buf[CONFD_HA_NODE_BUF];
};

/* How much goes to the trace stream: errors of the library's caller (DEBUG), also each call and its outcome (TRACE),
 * also each message in Erlang's notation (PROTO_TRACE). The token and the secrets never do. */
enum confd_debug_level { CONFD_SILENT = 0, CONFD_DEBUG = 1, CONFD_TRACE = 2, CONFD_PROTO_TRACE = 3 };

/* Names the program in traces, and sets where they go and how much (confd_lib_lib(3)). May be left out.
 *   name     copied, at most 63 bytes of it; NULL for none
 *   estream  borrowed until changed; NULL for none
 *   debug    the level */
void confd_init(const char *name, FILE *estream, enum confd_debug_level debug);

/* Sets stream and level alone (confd_lib_lib(3)).
 *   debug    the level
 *   estream  borrowed until changed; NULL leaves the stream as it is
 * Returns CONFD_OK; CONFD_ERR with CONFD_ERR_PROTOUSAGE for a level that there is not. */
int confd_set_debug(enum confd_debug_level debug, FILE *estream);

/* Why the calling thread's last failed call failed: a CONFD_ERR_ code, as an lvalue (confd_lib_lib(3)). Calls that
 * succeed leave it alone. */
int *confd_errno_location(void);
#define confd_errno (*confd_errno_location())

/* The same in words, of the calling thread: what failed, with what, and what ConfD said. Never NULL; "" before the first
 * failure. Valid until the thread's next call that fails (confd_lib_lib(3)). */
char *confd_lasterr(void);

/* What a code means, in words (confd_lib_lib(3)).
 *   code   a CONFD_ERR_ code; others give a text that has the number
 * Never NULL; the text for an unknown code is valid until the thread's next call with an unknown code. */
char *confd_strerror(int code);

/* Prints a value in readable form, NUL-terminated (confd_lib_lib(3)).
 *   buf      where to, bufsiz bytes; may be NULL if bufsiz is 0
 *   bufsiz   its size
 *   v        the value
 * Returns the length of the whole text, as snprintf(3) does: at bufsiz or more it was cut. CONFD_ERR (with
 * CONFD_ERR_PROTOUSAGE) for a negative bufsiz or a NULL. */
int confd_pp_value(char *buf, int bufsiz, const confd_value_t *v);

/* Releases what a value owns (confd_types(3)). The values that this library fills own nothing: a C_BUF or C_BINARY that the
 * caller has filled with memory from malloc(3) is freed, and the value becomes C_NOEXISTS. Don't call it for values
 * inside struct confd_ha_node, whose bytes belong to the struct.
 *   v        the value; NULL is fine */
void confd_free_value(confd_value_t *v);

#ifdef __cplusplus
}
#endif
#endif
