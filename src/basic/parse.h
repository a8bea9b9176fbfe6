/* SPDX-License-Identifier: Apache-2.0 */
/* Strict parsing of what people write: the whole string must be the value. Results are written on success only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "basic/util.h"

/* Decimal digits only, min <= value <= max. -EINVAL for anything else, -ERANGE outside. */
_must_check_ int parse_unsigned(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/* Decimal seconds, as 10 or 0.25, at most six decimals. -EINVAL, -ERANGE past 10 years. */
_must_check_ int parse_sec(const char *s, uint64_t *ret_usec);

/* yes no true false on off 1 0. -EINVAL */
_must_check_ int parse_boolean(const char *s, bool *ret);

struct socket_address {
        union {
                struct sockaddr sa;
                struct sockaddr_storage storage;
        };
        socklen_t length;
};

/* 127.0.0.1:4565, [::1]:4565, unix:/path. The port may be left out if default_port is not 0.
 * -EINVAL, -ENAMETOOLONG for a socket path that does not fit. No names are looked up. */
_must_check_ int parse_socket_address(const char *s, uint16_t default_port, struct socket_address *ret);

/* The same back as text. NULL without memory. */
char *format_socket_address(const struct socket_address *a);

/* Whether the address is one that only this machine can reach (loopback or Unix). */
bool socket_address_is_local(const struct socket_address *a);
