/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of the journal. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-journal.h>

#include "basic/escape.h"
#include "ctl/history.h"

/* A field longer than this is cut: nothing that the service writes comes near it. */
enum { FIELD_MAX = 8192 };

/* Anybody may write to the journal, with our message ids too: what counts is who journald saw writing. */
static const char *const trusted[] = { "_SYSTEMD_UNIT=confd-ha.service", "_UID=0" };

static int add_matches(sd_journal *j) {
        int r = 0;

        for (size_t t = 0; t < ELEMENTSOF(trusted) && r >= 0; t++) {
                char match[sizeof("MESSAGE_ID=") + 32];

                if (t > 0)
                        r = sd_journal_add_disjunction(j);
                for (size_t i = 0; history_message_id(i) && r >= 0; i++) {
                        snprintf(match, sizeof(match), "MESSAGE_ID=%.32s", history_message_id(i));
                        r = sd_journal_add_match(j, match, 0);
                }
                if (r >= 0)
                        r = sd_journal_add_match(j, trusted[t], 0);
        }
        return r;
}

static int get_field(sd_journal *j, const char *name, char **ret) {
        const void *data;
        size_t size, skip = strlen(name) + 1;
        int r;

        r = sd_journal_get_data(j, name, &data, &size);
        if (r == -ENOENT) {
                *ret = NULL;
                return 0;
        }
        if (r < 0)
                return r;
        size = size < skip ? 0 : MIN(size - skip, (size_t) FIELD_MAX);
        *ret = utf8_is_valid((const char *) data + skip, size) ? strndup((const char *) data + skip, size)
                                                               : utf8_escape((const char *) data + skip, size);
        return *ret ? 0 : -ENOMEM;
}

static int read_entry(sd_journal *j, struct history_entry *e) {
        _cleanup_free_ char *id = NULL;
        int r;

        r = sd_journal_get_realtime_usec(j, &e->usec);
        if (r >= 0)
                r = get_field(j, "MESSAGE_ID", &id);
        if (r < 0)
                return r;
        for (size_t i = 0; id && history_message_id(i); i++)
                if (streq(id, history_message_id(i)))
                        e->message_id = history_message_id(i);
        if (!e->message_id)
                return -ENOENT;
        for (enum history_field f = 0; f < HISTORY_FIELDS; f++) {
                r = get_field(j, history_field_name(f), e->fields + f);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Takes the entry over. */
static int append(struct history_entry **entries, size_t *n, struct history_entry *e) {
        struct history_entry *grown = reallocarray(*entries, *n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        *entries = grown;
        grown[(*n)++] = *e;
        *e = (struct history_entry) {};
        return 0;
}

static int read_entries(sd_journal *j, uint64_t max, struct history_entry **ret, size_t *ret_n, bool *ret_more) {
        struct history_entry *entries = NULL;
        size_t n = 0;
        bool more;
        int r;

        /* One more than asked for, to know whether there is one. */
        r = sd_journal_seek_tail(j);
        if (r >= 0)
                r = sd_journal_previous_skip(j, max + 1);
        if (r < 0)
                return r;
        more = (uint64_t) r > max;
        if (more)
                r = sd_journal_next(j);
        while (r > 0 && n < max) {
                struct history_entry e = {};

                r = read_entry(j, &e);
                if (r >= 0)
                        r = append(&entries, &n, &e);
                history_entry_done(&e);
                if (r == -ENOMEM)
                        break;
                /* Any other failure is a damaged entry, or one that rotation took away: it does not spoil the rest. */
                r = sd_journal_next(j);
        }
        if (r < 0) {
                for (size_t i = 0; i < n; i++)
                        history_entry_done(entries + i);
                free(entries);
                return r;
        }
        *ret = entries;
        *ret_n = n;
        *ret_more = more;
        return 0;
}

/* Whether `dir` has journal files, itself or one level below, that we may not read. */
static bool has_unreadable(int at, const char *path, bool descend) {
        int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *de;
        bool found = false;
        DIR *d;

        if (fd < 0)
                return errno == EACCES || errno == EPERM;
        d = fdopendir(fd);
        if (!d) {
                close(fd);
                return false;
        }
        while (!found && (de = readdir(d))) {
                const char *dot = strrchr(de->d_name, '.');

                if (de->d_name[0] == '.')
                        continue;
                if (dot && (streq(dot, ".journal") || streq(dot, ".journal~")))
                        found = faccessat(dirfd(d), de->d_name, R_OK, AT_EACCESS) < 0 && errno != ENOENT;
                else if (descend && (de->d_type == DT_DIR || de->d_type == DT_UNKNOWN))
                        found = has_unreadable(dirfd(d), de->d_name, /* descend= */ false);
        }
        closedir(d);
        return found;
}

/* The root directory of a container, from its leader, as machined knows it. */
static int open_machine_root(struct ctl *c, int *ret_fd) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        char path[sizeof("/proc//root") + 10];
        const char *machine;
        uint32_t leader;
        int r, fd;

        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_call_method(bus, "org.freedesktop.machine1", "/org/freedesktop/machine1",
                                       "org.freedesktop.machine1.Manager", "GetMachine", &error, &reply, "s", c->machine);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &machine);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, "org.freedesktop.machine1", machine,
                                                "org.freedesktop.machine1.Machine", "Leader", &error, 'u', &leader);
        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root", leader);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

int history_read(struct ctl *c, struct history_entry **ret, size_t *ret_n, bool *ret_partial, bool *ret_more) {
        _cleanup_(sd_journal_closep) sd_journal *j = NULL;
        _cleanup_close_ int root = -EBADF;
        bool partial;
        int r;

        if (c->machine && !streq(c->machine, ".host")) {
                r = open_machine_root(c, &root);
                if (r >= 0)
                        r = sd_journal_open_directory_fd(&j, root, SD_JOURNAL_OS_ROOT);
        } else {
                root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = root < 0 ? -errno : sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY);
        }
        if (r < 0)
                return r;
        partial = has_unreadable(root, "var/log/journal", /* descend= */ true) ||
                  has_unreadable(root, "run/log/journal", /* descend= */ true);
        r = add_matches(j);
        if (r >= 0)
                r = read_entries(j, c->lines, ret, ret_n, ret_more);
        if (r >= 0)
                *ret_partial = partial;
        return MIN(r, 0);
}
