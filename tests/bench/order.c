/* SPDX-License-Identifier: Apache-2.0 */
/* order ADDRESS be-master ID | be-slave ID MASTER ADDRESS | be-none: one order by the blocking library, with the token "bench", and
 * the microseconds that the answer took. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include <confd_ha.h>
#include <confd_lib.h>

#include "basic/time-util.h"
#include "basic/util.h"

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
        uint64_t begun;

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
        if (give(sock, argc - 2, argv + 2) != CONFD_OK) {
                fprintf(stderr, "order: %s refused %s: %s\n", argv[1], argv[2], confd_lasterr());
                return EXIT_FAILURE;
        }
        printf("%" PRIu64 "\n", now_monotonic() - begun);
        return EXIT_SUCCESS;
}
