/* SPDX-License-Identifier: Apache-2.0 */
/* What the service has kept in files, by the first byte: the name that was accepted last, whose data the node had in place, the BeSlave
 * that was under way. What is read back is what the file says, in one way only, or nothing: and of a file that was cut short nothing
 * ever. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../unit/node/scratch.h"
#include "basic/log.h"
#include "basic/node-name.h"
#include "fuzz.h"
#include "service/controller-internal.h"
#include "service/convert.h"
#include "service/kept-files.h"
#include "service/kept-node-id.h"

static const char *const names[] = { "node-id", "last-in-sync", "be-slave" };
enum which { NODE_ID, LAST_IN_SYNC, BE_SLAVE };

static char directory[64];

static const char *path_of(enum which which, char buf[static 128]) {
        (void) snprintf(buf, 128, "%s/%s", directory, names[which]);
        return buf;
}

static void put(enum which which, const void *p, size_t n) {
        char path[128];
        int fd = open(path_of(which, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || write(fd, p, n) != (ssize_t) n)
                abort();
        close(fd);
}

/* That line is in the file once, and no other with that name. */
static bool says(const char *text, size_t n, const char *line, size_t size) {
        size_t name = (size_t) ((const char *) memchr(line, '=', size) + 1 - line), found = 0;

        for (const char *p = text, *end = text + n; p < end;) {
                const char *stop = memchr(p, '\n', (size_t) (end - p)) ?: end;
                size_t length = (size_t) (stop - p);

                if (length >= name && memcmp(p, line, name) == 0) {
                        if (length != size || memcmp(p, line, size) != 0 || stop == end)
                                return false;
                        found++;
                }
                p = stop + 1;
        }
        return found == 1;
}

static void must_say(const char *text, size_t n, const char *lines) {
        for (const char *p = lines; *p;) {
                size_t size = strcspn(p, "\n");

                if (!says(text, n, p, size))
                        abort();
                p += size + 1;
        }
}

/* ---- the files; each returns whether anything was read back ---- */

static bool node_id(const char *text, size_t n) {
        _cleanup_free_ char *id = kept_node_id_load();
        size_t size = strlen(id);

        if (!*id)
                return false;
        if (!node_id_is_valid(id) || size >= n || memcmp(text, id, size) != 0 || text[size] != '\n')
                abort();
        return true;
}

static bool last_in_sync(const char *text, size_t n) {
        _cleanup_(sync_record_done) struct sync_record record = {}, again = {};
        bool lost = false;
        _cleanup_free_ char *loaded = kept_load(KEPT_STATE, names[LAST_IN_SYNC], &lost), *written = NULL;

        if (lost != !*loaded)
                abort(); /* the file is there: what cannot be read is lost, and not never written */
        if (!*loaded || sync_record_from_text(&record, loaded) < 0)
                return false;
        written = sync_record_to_text(&record);
        must_say(text, n, written);
        if (record.lost || sync_record_from_text(&again, written) < 0)
                abort();
        return true;
}

static bool on_publish(void *userdata) {
        return true;
}

static void on_connection(void *userdata, const struct failure *why) {
}

static bool be_slave(const char *text, size_t n) {
        static const struct controller_handlers handlers = { .publish = on_publish, .connection = on_connection };
        struct controller *c;
        struct config *config;
        struct state *state;
        sd_event *event;
        char *error = NULL, lines[1024];
        const struct order *o;
        bool restored;

        if (sd_event_new(&event) < 0 || config_load(&config, "/dev/null", &error) < 0 || state_new(&state, "x", "", 1) < 0 ||
            controller_new(&c, event, state, config, &handlers, NULL) < 0 || controller_start(c) < 0)
                abort();
        o = c->orders.following;
        restored = o;
        if (restored != state->synchronizing)
                abort();
        if (restored) {
                if (o->kind != ORDER_KIND_BE_SLAVE || !node_id_is_valid(o->node_id) || !node_id_is_valid(o->master_id) ||
                    snprintf(lines, sizeof(lines), "node-id=%s\nmaster-id=%s\nmaster-address=%s\n", o->node_id, o->master_id,
                             o->master_address) >= (int) sizeof(lines))
                        abort();
                must_say(text, n, lines);
        }
        controller_free(c);
        state_free(state);
        sd_event_unref(event);
        return restored;
}

static bool read_back(enum which which, const char *text, size_t n) {
        put(which, text, n);
        return which == NODE_ID ? node_id(text, n) : which == LAST_IN_SYNC ? last_in_sync(text, n) : be_slave(text, n);
}

static void remove_directory(void) {
        char path[128];

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                (void) unlink(path_of((enum which) i, path));
        (void) rmdir(directory);
}

static void begin_once(void) {
        if (directory[0])
                return;
        log_set_target(LOG_TARGET_NULL);
        if (!scratch_directory("fuzz-service-files", directory, sizeof(directory)) || setenv("RUNTIME_DIRECTORY", directory, 1) < 0 ||
            setenv("STATE_DIRECTORY", directory, 1) < 0 || atexit(remove_directory) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *) data + 1;
        enum which which;
        size_t n;

        if (size < 1)
                return 0;
        begin_once();
        which = data[0] % ELEMENTSOF(names);
        n = size - 1;
        if (!read_back(which, text, n))
                return 0;
        /* One that has no more than it needs: cut anywhere, it says nothing. */
        for (size_t lines = 0, i = 0; i < n; i++) {
                lines += text[i] == '\n';
                if (lines > (which == NODE_ID ? 1 : which == LAST_IN_SYNC ? 6 : 4) || n > 512)
                        return 0;
        }
        for (size_t i = 0; i < n; i++)
                if (read_back(which, text, i))
                        abort();
        return 0;
}
