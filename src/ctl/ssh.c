/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how ssh is called. */
#include <inttypes.h>
#include <stdio.h>

#include "basic/time-util.h"
#include "ctl/ssh.h"

#define CONTAINER_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_"
enum { CONTAINER_MAX = 255 }; /* longer than any, and short enough for each who writes it into a word */

static int split(struct ssh_host *h) {
        char *s = h->copy, *slash = strchr(s, '/'), *host, *colon;

        if (slash) {
                *slash = '\0';
                h->container = slash + 1;
                /* It goes through a shell over there, so it may hold what container names hold and nothing else. */
                if (!slash[1] || strlen(h->container) > CONTAINER_MAX || h->container[strspn(h->container, CONTAINER_CHARACTERS)])
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

static int append_escaped(char *address, size_t size, size_t *n, const char *key, size_t number, const char *word) {
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/.";
        int k = snprintf(address + *n, size - *n, ",%s%zu=", key, number);

        if ((size_t) k >= size - *n)
                return -ENAMETOOLONG;
        *n += (size_t) k;
        for (; *word && *n + 4 < size; word++)
                if (strchr(plain, *word))
                        address[(*n)++] = *word;
                else {
                        snprintf(address + *n, size - *n, "%%%02x", (unsigned char) *word);
                        *n += 3;
                }
        address[*n] = '\0';
        return *word ? -ENAMETOOLONG : 0;
}

int ssh_bus_address(const struct ssh_host *h, uint64_t timeout_usec, char address[SSH_ADDRESS_MAX]) {
        const char *words[SSH_WORDS_MAX];
        char buf[SSH_BUF_MAX], machine[sizeof("--machine=") + CONTAINER_MAX];
        size_t n = (size_t) snprintf(address, SSH_ADDRESS_MAX, "unixexec:path=ssh"), n_words;
        int r = 0;

        n_words = ssh_words(h, timeout_usec, /* batch= */ true, words, buf);
        for (size_t i = 1; r >= 0 && i < n_words; i++)
                r = append_escaped(address, SSH_ADDRESS_MAX, &n, "argv", i, words[i]);
        if (r >= 0)
                r = append_escaped(address, SSH_ADDRESS_MAX, &n, "argv", n_words, "systemd-stdio-bridge");
        if (r >= 0 && h->container) {
                snprintf(machine, sizeof(machine), "--machine=%s", h->container);
                r = append_escaped(address, SSH_ADDRESS_MAX, &n, "argv", n_words + 1, machine);
        }
        return r;
}
