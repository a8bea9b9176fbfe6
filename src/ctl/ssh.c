/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how ssh is called. */
#include <inttypes.h>
#include <stdio.h>

#include "basic/time-util.h"
#include "ctl/ssh.h"

static int split(struct ssh_host *h) {
        char *s = h->copy, *slash = strchr(s, '/'), *host, *colon;

        if (slash) {
                *slash = '\0';
                h->container = slash + 1;
                /* It goes through a shell over there, so it may hold what container names hold and nothing else. */
                if (!slash[1] || slash[1 + strspn(slash + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")])
                        return -EINVAL;
        }
        host = strrchr(s, '@');
        host = host ? host + 1 : s;
        colon = strrchr(host, ':');
        if (*host == '[') {
                /* ssh wants a literal without its brackets */
                char *end = strchr(host, ']');

                if (!end || (end[1] && end[1] != ':'))
                        return -EINVAL;
                colon = end[1] ? end + 1 : NULL;
                *end = '\0';
                memmove(host, host + 1, strlen(host));
        } else if (colon && memchr(host, ':', (size_t) (colon - host)))
                colon = NULL; /* several colons: a bare IPv6 literal */
        if (colon) {
                *colon = '\0';
                if (!colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
                        return -EINVAL;
                h->port = colon + 1;
        }
        if (!*host || *s == '-')
                return -EINVAL;
        h->host = s;
        return 0;
}

int ssh_host_parse(struct ssh_host *h, const char *text) {
        int r;

        *h = (struct ssh_host) { .copy = strdup(text) };
        if (!h->copy)
                return -ENOMEM;
        r = split(h);
        if (r < 0)
                ssh_host_done(h);
        return r;
}

void ssh_host_done(struct ssh_host *h) {
        free(h->copy);
        *h = (struct ssh_host) {};
}

size_t ssh_words(const struct ssh_host *h, uint64_t timeout_usec, bool batch, const char *words[SSH_WORDS_MAX],
                 char buf[SSH_BUF_MAX]) {
        size_t n = 0;

        words[n++] = "ssh";
        words[n++] = "-xT";
        if (timeout_usec != USEC_INFINITY) {
                snprintf(buf, SSH_BUF_MAX, "ConnectTimeout=%" PRIu64,
                         MAX((timeout_usec + USEC_PER_SEC - 1) / USEC_PER_SEC, UINT64_C(1)));
                words[n++] = "-o";
                words[n++] = buf;
        }
        if (batch) {
                words[n++] = "-o";
                words[n++] = "BatchMode=yes";
        }
        /* A machine that dies in the middle must not leave us waiting. */
        words[n++] = "-o";
        words[n++] = "ServerAliveInterval=10";
        if (h->port) {
                words[n++] = "-p";
                words[n++] = h->port;
        }
        words[n++] = "--";
        words[n++] = h->host;
        return n;
}
