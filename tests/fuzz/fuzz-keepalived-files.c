/* SPDX-License-Identifier: Apache-2.0 */
/* Files of confd-ha-keepalived and of secrets, by the first byte: what keepalived has wished, this program's settings, tokens and access
 * secrets. What is no wish is none, and keeps no later one from being stored; settings that are taken are whole; of a secret nothing is
 * lost, and nothing added. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/node/scratch.h"
#include "basic/log.h"
#include "basic/node-name.h"
#include "basic/secret.h"
#include "input.h"
#include "keepalived/settings.h"
#include "keepalived/view.h"
#include "keepalived/wish.h"

static char directory[64];

static void put(const char *name, const uint8_t *p, size_t n) {
        char path[128];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/%s", directory, name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, p, n) != (ssize_t) n)
                abort();
        close(fd);
}

/* Whether the file begins with that word, with nothing but a blank or its end behind it, and is text as far as it is read. */
static bool says(const uint8_t *p, size_t n, const char *word) {
        size_t size = strlen(word);

        return n >= size && memcmp(p, word, size) == 0 && (n == size || p[size] == ' ' || p[size] == '\n') &&
               !memchr(p, 0, MIN(n, (size_t) 63));
}

static void wishes(struct input *in) {
        static const char *const names[] = { "role", "peer", "data" };
        const uint8_t *p[ELEMENTSOF(names)];
        size_t n[ELEMENTSOF(names)];
        struct wishes w;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                n[i] = take_bytes(in, &p[i]);
                put(names[i], p[i], n[i]);
        }
        if (wish_load(directory, &w) >= 0) {
                bool stop = w.role == WISH_STOP && says(p[0], n[0], "DELETED");

                if (w.role == WISH_NOTHING ? n[0] > 0 : !stop && !says(p[0], n[0], wish_to_string(w.role)))
                        abort();
                if ((w.peer_gone && !says(p[1], n[1], "gone")) || w.stale != (n[2] > 0 && !says(p[2], n[2], "fresh")))
                        abort();
        }
        if (wish_store_role(directory, WISH_BACKUP) < 0 || wish_store_peer(directory, true) < 0 ||
            wish_store_stale(directory, true) < 0 || wish_load(directory, &w) < 0 || w.role == WISH_NOTHING || !w.stale)
                abort();
}

static void settings(const uint8_t *p, size_t size) {
        int fd = memfd_create("fuzz-keepalived-files", MFD_CLOEXEC);
        struct picture picture = { .master.id = (char *) "n1", .state = (char *) "slave" };
        struct settings s;
        struct in6_addr a;
        char path[64], *error = NULL;

        if (fd < 0 || write(fd, p, size) != (ssize_t) size)
                abort();
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (settings_load(&s, path, &error) < 0) {
                if (!error || !strstr(error, path))
                        abort();
        } else {
                if (!node_id_is_valid(s.id) || !node_id_is_valid(s.peer_id) || streq(s.id, s.peer_id) || s.peer_port < 1 ||
                    s.peer_port > 65535 ||
                    (inet_pton(AF_INET, s.peer_address, &a) != 1 && inet_pton(AF_INET6, s.peer_address, &a) != 1) ||
                    view_of(&picture, &s).follows_peer != streq(s.peer_id, "n1"))
                        abort();
                settings_done(&s);
        }
        free(error);
        close(fd);
}

static void secrets(uint8_t how, const uint8_t *p, size_t size) {
        size_t max = how & 0x3f, left = size;
        bool strip = how & 0x40;
        struct secret s = {}, copy = {};
        char path[128];
        int r;

        put("secret", p, size);
        (void) snprintf(path, sizeof(path), "%s/secret", directory);
        r = secret_read(path, max, strip, how & 0x80 ? 0600 : 0077, &s);
        if (strip && left > 0 && p[left - 1] == '\n') {
                left--;
                left -= left > 0 && p[left - 1] == '\r';
        }
        if (how & 0x80 ? r != -EPERM : left > max ? r != -EFBIG : r < 0)
                abort();
        if (r < 0)
                return;
        if (s.size != left || memcmp(s.data, p, left) != 0 || s.data[left] != 0 || secret_copy(&s, &copy) < 0 || !secret_equal(&s, &copy))
                abort();
        secret_done(&s);
        secret_done(&copy);
}

static void remove_directory(void) {
        static const char *const names[] = { "role", "peer", "data", ".lock", "secret" };
        char path[128];

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
                (void) unlink(path);
        }
        (void) rmdir(directory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };
        uint8_t which, how;

        log_set_target(LOG_TARGET_NULL);
        if (!directory[0] && (!scratch_directory("fuzz-keepalived-files", directory, sizeof(directory)) || atexit(remove_directory) != 0))
                abort();
        which = take_byte(&in) % 3;
        if (which == 0)
                wishes(&in);
        else if (which == 1)
                settings(in.p, in.left);
        else {
                how = take_byte(&in);
                secrets(how, in.p, in.left);
        }
        return 0;
}
