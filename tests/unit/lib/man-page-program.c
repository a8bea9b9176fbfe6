/* SPDX-License-Identifier: Apache-2.0 */
/* A program as the man pages show them: C99 and C++, both vocabularies, no header but the documented ones and the system's.
 * Usage: man-page-program PORT; a ConfD that knows the token "secret" listens on 127.0.0.1:PORT. */
#include <confd_lib.h>

#include <confd_events.h>
#include <confd_ha.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK(call) \
        do { \
                if ((call) != CONFD_OK) { \
                        fprintf(stderr, "%s: %s (%d): %s\n", #call, confd_strerror(confd_errno), confd_errno, \
                                confd_lasterr()); \
                        exit(1); \
                } \
        } while (0)

static void show(const struct confd_ha_status *stat)
{
        int i;

        switch (stat->state) {
        case CONFD_HA_STATE_NONE:
                printf("none");
                break;
        case CONFD_HA_STATE_SLAVE:
                printf("slave");
                break;
        case CONFD_HA_STATE_MASTER:
                printf("master");
                break;
        case CONFD_HA_STATE_SLAVE_RELAY:
                printf("relay");
                break;
        default:
                printf("?");
        }
        for (i = 0; i < stat->num_nodes; i++) {
                char id[64], address[INET6_ADDRSTRLEN];

                confd_pp_value(id, (int) sizeof(id), &stat->nodes[i].nodeid);
                if (stat->nodes[i].af == AF_INET)
                        inet_ntop(AF_INET, &stat->nodes[i].addr.ip4, address, sizeof(address));
                else if (stat->nodes[i].af == AF_INET6)
                        inet_ntop(AF_INET6, &stat->nodes[i].addr.ip6, address, sizeof(address));
                else
                        strcpy(address, stat->nodes[i].addr.str);
                printf(" %s@%s", id, address);
        }
        printf("\n");
}

static void use_every_value_macro(void)
{
        confd_value_t v;
        struct in_addr ip;
        struct in6_addr ip6;
        unsigned char bytes[2] = { 1, 2 };
        const char *text = "text";

        memset(&ip, 0, sizeof(ip));
        memset(&ip6, 0, sizeof(ip6));
        CONFD_SET_NOEXISTS(&v);
        CONFD_SET_STR(&v, text);
        CONFD_SET_STR(&v, "literal");
        CONFD_SET_BUF(&v, bytes, sizeof(bytes));
        if (CONFD_GET_BUFSIZE(&v) != 2 || CONFD_GET_BUFPTR(&v)[1] != 2 || CONFD_GET_CBUFPTR(&v)[0] != 1)
                exit(2);
        CONFD_SET_BUF(&v, text, strlen(text));
        CONFD_SET_BINARY(&v, bytes, 2);
        if (CONFD_GET_BINARY_SIZE(&v) != 2 || CONFD_GET_BINARY_PTR(&v)[0] != 1)
                exit(2);
        CONFD_SET_INT8(&v, -1);
        if (CONFD_GET_INT8(&v) != -1)
                exit(2);
        CONFD_SET_INT16(&v, -1);
        if (CONFD_GET_INT16(&v) != -1)
                exit(2);
        CONFD_SET_INT32(&v, -1);
        if (CONFD_GET_INT32(&v) != -1)
                exit(2);
        CONFD_SET_INT64(&v, -1);
        if (CONFD_GET_INT64(&v) != -1)
                exit(2);
        CONFD_SET_UINT8(&v, 1);
        if (CONFD_GET_UINT8(&v) != 1)
                exit(2);
        CONFD_SET_UINT16(&v, 1);
        if (CONFD_GET_UINT16(&v) != 1)
                exit(2);
        CONFD_SET_UINT32(&v, 1);
        if (CONFD_GET_UINT32(&v) != 1)
                exit(2);
        CONFD_SET_UINT64(&v, 1);
        if (CONFD_GET_UINT64(&v) != 1)
                exit(2);
        CONFD_SET_DOUBLE(&v, 0.5);
        if (CONFD_GET_DOUBLE(&v) < 0.4)
                exit(2);
        CONFD_SET_IPV4(&v, ip);
        ip = CONFD_GET_IPV4(&v);
        CONFD_SET_IPV6(&v, ip6);
        ip6 = CONFD_GET_IPV6(&v);
        if (ip.s_addr != 0)
                CONFD_SET_BOOL(&v, 0);
        else
                CONFD_SET_BOOL(&v, 1);
        if (!CONFD_GET_BOOL(&v))
                exit(2);
        CONFD_SET_ENUM_VALUE(&v, 3);
        if (CONFD_GET_ENUM_VALUE(&v) != 3)
                exit(2);
        confd_free_value(&v);
}

static void old_words(const struct sockaddr *addr, int size)
{
        static struct confd_ha_status stat;
        struct confd_ha_node master;
        confd_value_t me, dead;
        int sock = socket(PF_INET, SOCK_STREAM, 0);

        OK(confd_ha_connect(sock, addr, size, "secret"));
        CONFD_SET_BUF(&me, "n1", 2);
        OK(confd_ha_bemaster(sock, &me));
        memset(&master, 0, sizeof(master));
        CONFD_SET_STR(&master.nodeid, "n2");
        master.af = AF_INET;
        inet_pton(AF_INET, "10.0.0.2", &master.addr.ip4);
        OK(confd_ha_beslave(sock, &me, &master, 1));
        OK(confd_ha_berelay(sock));
        OK(confd_ha_status(sock, &stat));
        show(&stat);
        CONFD_SET_STR(&dead, "n3");
        OK(confd_ha_slave_dead(sock, &dead));
        OK(confd_ha_benone(sock));
        if (confd_ha_benone(sock) != CONFD_ERR || confd_errno != CONFD_ERR_BADSTATE)
                exit(3);
        close(sock);
}

static void new_words(const struct sockaddr *addr, int size)
{
        struct confd_ha_status *stat = (struct confd_ha_status *) malloc(sizeof(*stat));
        struct confd_ha_node primary;
        confd_value_t me;
        int sock = socket(PF_INET, SOCK_STREAM, 0);

        if (stat == NULL)
                exit(2);
        OK(confd_ha_connect(sock, addr, size, "secret"));
        CONFD_SET_STR(&me, "n1");
        OK(confd_ha_beprimary(sock, &me));
        memset(&primary, 0, sizeof(primary));
        CONFD_SET_STR(&primary.nodeid, "n2");
        primary.af = AF_UNSPEC;
        primary.addr.str = primary.addr_buf;
        strcpy(primary.addr_buf, "host:4570");
        OK(confd_ha_besecondary(sock, &me, &primary, 0));
        OK(confd_ha_get_status(sock, stat));
        if (stat->state != CONFD_HA_STATE_PRIMARY && stat->state != CONFD_HA_STATE_SECONDARY &&
            stat->state != CONFD_HA_STATE_SECONDARY_RELAY)
                exit(3);
        show(stat);
        OK(confd_ha_secondary_dead(sock, &me));
        free(stat);
        close(sock);
}

static void events(const struct sockaddr *addr, int size)
{
        struct confd_notifications_data data;
        struct confd_notification n;
        int mask = CONFD_NOTIF_HA_INFO | CONFD_NOTIF_HEARTBEAT | CONFD_NOTIF_HA_INFO_SYNC;
        int sock = socket(PF_INET, SOCK_STREAM, 0), r;

        memset(&data, 0, sizeof(data));
        data.heartbeat_interval = 1000;
        data.health_check_interval = 0;
        OK(confd_notifications_connect2(sock, addr, size, mask, &data));
        while ((r = confd_read_notification(sock, &n)) == CONFD_OK) {
                if (n.type == CONFD_NOTIF_HA_INFO) {
                        switch (n.n.hnot.type) {
                        case CONFD_HA_INFO_NOMASTER:
                                printf("nomaster %d %d\n", n.n.hnot.data.nomaster, n.n.hnot.data.noprimary);
                                break;
                        case CONFD_HA_INFO_SECONDARY_DIED:
                                printf("died %s\n", (char *) CONFD_GET_BUFPTR(&n.n.hnot.data.secondary_died.nodeid));
                                break;
                        case CONFD_HA_INFO_SLAVE_ARRIVED:
                                printf("arrived %s\n", (char *) CONFD_GET_BUFPTR(&n.n.hnot.data.slave_arrived.nodeid));
                                break;
                        case CONFD_HA_INFO_SLAVE_INITIALIZED:
                                printf("initialized %d\n", n.n.hnot.data.cdb_initialized_by_copy);
                                break;
                        case CONFD_HA_INFO_IS_MASTER:
                                printf("master\n");
                                break;
                        case CONFD_HA_INFO_IS_NONE:
                                printf("none\n");
                                break;
                        case CONFD_HA_INFO_BESLAVE_RESULT:
                                printf("result %d\n", n.n.hnot.data.beslave_result);
                                break;
                        }
                        OK(confd_sync_ha_notification(sock));
                }
                confd_free_notification(&n);
        }
        if (r != CONFD_EOF)
                exit(3);
        close(sock);

        sock = socket(PF_INET, SOCK_STREAM, 0);
        OK(confd_notifications_connect(sock, addr, size, CONFD_NOTIF_HA_INFO));
        close(sock);
}

int main(int argc, char *argv[])
{
        struct sockaddr_in addr;

        memset(&addr, 0, sizeof(addr));
        addr.sin_family = AF_INET;
        addr.sin_addr.s_addr = inet_addr("127.0.0.1");
        addr.sin_port = htons((unsigned short) (argc > 1 ? atoi(argv[1]) : CONFD_PORT));

        confd_init(argv[0], stderr, CONFD_SILENT);
        confd_set_debug(CONFD_SILENT, stderr);
        use_every_value_macro();
        old_words((struct sockaddr *) &addr, (int) sizeof(addr));
        new_words((struct sockaddr *) &addr, (int) sizeof(addr));
        events((struct sockaddr *) &addr, (int) sizeof(addr));
        return 0;
}
