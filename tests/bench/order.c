/* SPDX-License-Identifier: Apache-2.0 */
/* order ADDRESS be-master ID | be-slave ID MASTER ADDRESS | be-none: one order by the blocking library, with the token "bench", and
 * the microseconds that the answer took. order ADDRESS status TIMES: each of so many. order ADDRESS until NODES: status again and again
 * until it names so many nodes. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include <confd_ha.h>
#include <confd_lib.h>

#include "basic/time-util.h"
#include "basic/util.h"

enum { TIMES_MAX = 100000 };

/* So often, or until it names so many nodes; the microseconds of all, and how often it was asked. */
static int ask(int sock, unsigned times, int until, unsigned *ret_asked) {
        static struct confd_ha_status status;
        unsigned i = 0;

        do {
                if (until >= 0 && i > 0)
                        (void) poll(NULL, 0, 1); /* it has other things to do */
                if (confd_ha_status(sock, &status) != CONFD_OK)
                        return CONFD_ERR;
                i++;
        } while (until < 0 ? i < times : status.num_nodes != until);
        *ret_asked = i;
        return CONFD_OK;
}

static int give(int sock, int argc, char *argv[]) {
        struct confd_ha_node master = { .af = AF_INET };
        confd_value_t id;

        if (argc == 1 && streq(argv[0], "be-none"))
                return confd_ha_benone(sock);
        if (argc < 2)
                return CONFD_ERR;
        CONFD_SET_STR(&id, argv[1]);
        if (argc == 2 && streq(argv[0], "be-master"))
                return confd_ha_bemaster(sock, &id);
        if (argc != 4 || !streq(argv[0], "be-slave") || inet_pton(AF_INET, argv[3], &master.addr.ip4) != 1)
                return CONFD_ERR;
        CONFD_SET_STR(&master.nodeid, argv[2]);
        return confd_ha_beslave(sock, &id, &master, /* waitreply= */ 1);
}

int main(int argc, char *argv[]) {
        struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(CONFD_PORT) };
        _cleanup_close_ int sock = -1;
        unsigned asked = 1;
        uint64_t begun;
        int r;

        if (argc < 3 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
                fprintf(stderr, "order: ADDRESS ORDER [ARGUMENT...] wanted\n");
                return 2;
        }
        confd_init("order", stderr, CONFD_SILENT);
        sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sock < 0 || confd_ha_connect(sock, (struct sockaddr *) &server, sizeof(server), "bench") != CONFD_OK) {
                fprintf(stderr, "order: cannot connect to %s: %s\n", argv[1], confd_lasterr());
                return EXIT_FAILURE;
        }
        begun = now_monotonic();
        if (argc == 4 && streq(argv[2], "status"))
                r = ask(sock, MIN((unsigned) atoi(argv[3]), (unsigned) TIMES_MAX), /* until= */ -1, &asked);
        else if (argc == 4 && streq(argv[2], "until"))
                r = ask(sock, /* times= */ 0, atoi(argv[3]), &asked);
        else
                r = give(sock, argc - 2, argv + 2);
        if (r != CONFD_OK) {
                fprintf(stderr, "order: %s refused %s: %s\n", argv[1], argv[2], confd_lasterr());
                return EXIT_FAILURE;
        }
        if (argc == 4 && streq(argv[2], "until"))
                asked = 1;
        printf("%" PRIu64 "\n", (now_monotonic() - begun) / asked);
        return EXIT_SUCCESS;
}
