/* SPDX-License-Identifier: Apache-2.0 */
/* Owns strict text-to-value parsing. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>
#include <sys/un.h>

#include "basic/parse.h"
#include "basic/time-util.h"

int parse_unsigned(const char *s, uint64_t min, uint64_t max, uint64_t *ret) {
        uint64_t v = 0;

        if (!*s)
                return -EINVAL;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return -EINVAL;
                if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
                        return -ERANGE;
        }
        if (v < min || v > max)
                return -ERANGE;
        *ret = v;
        return 0;
}

int parse_sec(const char *s, uint64_t *ret_usec) {
        const uint64_t longest = UINT64_C(10) * 366 * 86400;
        char whole[16];
        const char *dot = strchr(s, '.');
        size_t n = dot ? (size_t) (dot - s) : strlen(s);
        uint64_t sec = 0, fraction = 0, unit = USEC_PER_SEC;
        int r;

        if (n == 0 || strspn(s, "0123456789") != n)
                return -EINVAL;
        if (n >= sizeof(whole))
                return -ERANGE;
        memcpy(whole, s, n);
        whole[n] = 0;
        r = parse_unsigned(whole, 0, longest, &sec);
        if (r < 0)
                return r;
        if (dot) {
                if (!dot[1])
                        return -EINVAL;
                for (const char *p = dot + 1; *p; p++) {
                        if (*p < '0' || *p > '9' || unit == 1)
                                return -EINVAL;
                        unit /= 10;
                        fraction += (uint64_t) (*p - '0') * unit;
                }
        }
        if (sec == longest && fraction > 0)
                return -ERANGE;
        *ret_usec = sec * USEC_PER_SEC + fraction;
        return 0;
}

int parse_boolean(const char *s, bool *ret) {
        static const char *const words[][2] = { { "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" } };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                for (int v = 0; v < 2; v++)
                        if (strcasecmp(s, words[i][v]) == 0) {
                                *ret = v;
                                return 0;
                        }
        return -EINVAL;
}

static int parse_unix(const char *path, struct socket_address *ret) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        size_t n = strlen(path);

        if (path[0] != '/')
                return -EINVAL;
        if (n >= sizeof(un.sun_path))
                return -ENAMETOOLONG;
        memcpy(un.sun_path, path, n + 1);
        *ret = (struct socket_address) { .length = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n + 1) };
        memcpy(&ret->storage, &un, sizeof(un));
        return 0;
}

int parse_socket_address(const char *s, uint16_t default_port, struct socket_address *ret) {
        struct socket_address a = {};
        struct sockaddr_in *in = (struct sockaddr_in *) &a.storage;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &a.storage;
        char host[INET6_ADDRSTRLEN + 1];
        uint64_t port = default_port;
        const char *end, *rest;
        bool v6 = s[0] == '[';
        int r;

        if (strncmp(s, "unix:", 5) == 0)
                return parse_unix(s + 5, ret);

        if (v6) {
                s++;
                end = strchr(s, ']');
                if (!end)
                        return -EINVAL;
                rest = end + 1;
        } else
                rest = end = s + strcspn(s, ":");
        if ((size_t) (end - s) >= sizeof(host) || (*rest && *rest != ':'))
                return -EINVAL;
        memcpy(host, s, (size_t) (end - s));
        host[end - s] = 0;
        if (*rest == ':') {
                r = parse_unsigned(rest + 1, 1, UINT16_MAX, &port);
                if (r < 0)
                        return r;
        } else if (port == 0)
                return -EINVAL;

        if (v6) {
                in6->sin6_family = AF_INET6;
                in6->sin6_port = htons((uint16_t) port);
                a.length = sizeof(*in6);
                r = inet_pton(AF_INET6, host, &in6->sin6_addr);
        } else {
                in->sin_family = AF_INET;
                in->sin_port = htons((uint16_t) port);
                a.length = sizeof(*in);
                r = inet_pton(AF_INET, host, &in->sin_addr);
        }
        if (r != 1)
                return -EINVAL;
        *ret = a;
        return 0;
}

char *format_socket_address(const struct socket_address *a) {
        char host[INET6_ADDRSTRLEN] = "";
        char *t = NULL;
        int r;

        if (a->sa.sa_family == AF_UNIX) {
                const struct sockaddr_un *un = (const struct sockaddr_un *) &a->storage;

                r = asprintf(&t, "unix:%s", un->sun_path);
        } else if (a->sa.sa_family == AF_INET6) {
                const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) &a->storage;

                (void) inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
                r = asprintf(&t, "[%s]:%u", host, (unsigned) ntohs(in6->sin6_port));
        } else {
                const struct sockaddr_in *in = (const struct sockaddr_in *) &a->storage;

                (void) inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
                r = asprintf(&t, "%s:%u", host, (unsigned) ntohs(in->sin_port));
        }
        return r < 0 ? NULL : t;
}

bool socket_address_is_local(const struct socket_address *a) {
        if (a->sa.sa_family == AF_UNIX)
                return true;
        if (a->sa.sa_family == AF_INET6) {
                const struct in6_addr *i6 = &((const struct sockaddr_in6 *) &a->storage)->sin6_addr;

                return IN6_IS_ADDR_LOOPBACK(i6) || (IN6_IS_ADDR_V4MAPPED(i6) && i6->s6_addr[12] == 127);
        }
        if (a->sa.sa_family == AF_INET)
                return ntohl(((const struct sockaddr_in *) &a->storage)->sin_addr.s_addr) >> 24 == 127;
        return false;
}
