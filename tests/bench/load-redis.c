/* SPDX-License-Identifier: Apache-2.0 */
/* load-redis PORT CLIENTS SECONDS [SIZE [REPLICAS]]: so many clients of a Redis at 127.0.0.1, each with a connection of its own, set one
 * value of that size after the other, each waiting until so many replicas have it, too (SET and WAIT, sent together). */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "load.h"

enum { CLIENTS_MAX = 200, KEYS = 50000 };

struct client {
        int fd;
        uint64_t since;
        unsigned lines; /* of the answer: "+OK", ":2" */
        unsigned replicas;
};

static uint64_t seed = 1;

static int set_next(struct client *c, const char *value, size_t size, unsigned replicas) {
        char request[4096];
        int n;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        n = snprintf(request, sizeof(request),
                     "*3\r\n$3\r\nSET\r\n$12\r\n/bench/%05u\r\n$%zu\r\n%s\r\n*3\r\n$4\r\nWAIT\r\n$1\r\n%u\r\n$5\r\n10000\r\n",
                     (unsigned) ((seed >> 33) % KEYS), size, value, replicas);
        c->since = now_monotonic();
        c->lines = 0;
        return send(c->fd, request, (size_t) n, MSG_NOSIGNAL) == n ? 0 : -EIO;
}

/* 1: both answers are there. */
static int take(struct client *c, unsigned replicas) {
        char answer[256];
        ssize_t n = recv(c->fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);

        if (n <= 0)
                return n < 0 && errno == EAGAIN ? 0 : -EIO;
        answer[n] = 0;
        for (ssize_t i = 0; i < n; i++) {
                if (answer[i] == '-')
                        return -EIO;
                if (answer[i] == ':')
                        c->replicas = (unsigned) (answer[i + 1] - '0');
                c->lines += answer[i] == '\n';
        }
        if (c->lines < 2)
                return 0;
        return c->replicas >= replicas ? 1 : -EIO;
}

static int client_connect(struct client *c, const char *port) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *) &a, sizeof(a)) < 0 ||
            setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int) { 1 }, sizeof(int)) < 0)
                return -errno;
        return 0;
}

static int run(struct client *clients, unsigned n, double seconds, const char *value, size_t size, unsigned replicas) {
        struct latencies latencies = {};
        struct epoll_event events[64];
        _cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
        uint64_t begun = now_monotonic(), end = begun + (uint64_t) (seconds * (double) USEC_PER_SEC);
        unsigned writing = n;
        int r = 0;

        for (unsigned i = 0; r >= 0 && i < n; i++) {
                if (epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &(struct epoll_event) { .events = EPOLLIN, .data.u32 = i }) < 0)
                        return -errno;
                r = set_next(&clients[i], value, size, replicas);
        }
        while (r >= 0 && writing > 0) {
                int k = epoll_wait(epoll, events, ELEMENTSOF(events), 100);

                for (int i = 0; r >= 0 && i < k; i++) {
                        struct client *c = &clients[events[i].data.u32];

                        r = take(c, replicas);
                        if (r <= 0)
                                continue;
                        r = latencies_add(&latencies, now_monotonic() - c->since);
                        /* Whose time is over ends; what is under way is waited for, and counts. */
                        if (now_monotonic() >= end)
                                writing--;
                        else if (r >= 0)
                                r = set_next(c, value, size, replicas);
                }
        }
        if (r >= 0)
                latencies_print(&latencies, begun);
        free(latencies.usec);
        return r;
}

int main(int argc, char *argv[]) {
        unsigned n = argc > 2 ? (unsigned) atoi(argv[2]) : 0, replicas = argc > 5 ? (unsigned) atoi(argv[5]) : 2;
        double seconds = argc > 3 ? atof(argv[3]) : 0;
        size_t size = argc > 4 ? (size_t) atol(argv[4]) : 100;
        struct client clients[CLIENTS_MAX] = {};
        char value[2048] = "";
        int r = 0;

        if (n < 1 || n > CLIENTS_MAX || seconds <= 0 || size >= sizeof(value)) {
                fprintf(stderr, "load-redis: PORT CLIENTS SECONDS [SIZE [REPLICAS]] wanted\n");
                return 2;
        }
        memset(value, 'x', size);
        seed = (uint64_t) getpid();
        for (unsigned i = 0; r >= 0 && i < n; i++)
                r = client_connect(&clients[i], argv[1]);
        if (r >= 0)
                r = run(clients, n, seconds, value, size, replicas);
        if (r < 0) {
                fprintf(stderr, "load-redis: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
