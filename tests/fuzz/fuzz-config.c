/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: of the service and of the node, by the first byte. What is refused is refused with words that name the file; what is
 * taken is within its limits. That of confd-hactl is fuzz-ctl-words', that of confd-ha-keepalived fuzz-keepalived-files'. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/log.h"
#include "fuzz.h"
#include "node/config.h"
#include "service/config.h"

static void refused(char *error, const char *path) {
        if (!error || !strstr(error, path))
                abort();
        free(error);
}

static void service(const char *path) {
        _cleanup_(config_freep) struct config *c = NULL;
        char *error = NULL;

        if (config_load(&c, path, &error) < 0) {
                refused(error, path);
                return;
        }
        if (!c->address_name || c->address.length == 0 || c->reconnect_min > c->reconnect_max || c->token.size > TOKEN_MAX ||
            c->access.size > ACCESS_SECRET_MAX || !config_connection_equal(c, c))
                abort();
}

static void node(const char *path) {
        struct node_options options = { .config = path };
        struct node_config c;
        char *error = NULL;

        if (node_config_load(&options, &c, &error) < 0) {
                refused(error, path);
                return;
        }
        if (c.ipc.length == 0 || c.ha.length == 0 || c.n_extra_listen > EXTRA_LISTEN_MAX || !c.data_directory)
                abort();
        node_config_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char path[64];
        int fd;

        if (size < 1)
                return 0;
        log_set_target(LOG_TARGET_NULL);
        fd = memfd_create("fuzz-config", MFD_CLOEXEC);
        if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t) (size - 1))
                abort();
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (data[0] & 1)
                node(path);
        else
                service(path);
        close(fd);
        return 0;
}
