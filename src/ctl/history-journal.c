/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of the journal. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "basic/message-ids.h"
#include "ctl/history.h"
#include "ctl/output.h"

/* Anybody may write to the journal, with our message ids too: what counts is who journald saw writing. */
static const char *const trusted[] = { "_SYSTEMD_UNIT=confd-ha.service", "_UID=0" };

static bool is_wanted(const struct ctl *c, const char *message_id) {
        static const char *const orders[] = { CONFD_HA_MSG_ORDER, CONFD_HA_MSG_ORDER_FAILED };
        static const char *const transitions[] = { CONFD_HA_MSG_STATE, CONFD_HA_MSG_MASTER_LOST, CONFD_HA_MSG_SLAVE_DIED,
                                                   CONFD_HA_MSG_SLAVE_ARRIVED, CONFD_HA_MSG_SLAVE_INITIALIZED };

        if (!c->only_orders && !c->only_transitions)
                return true;
        for (size_t i = 0; c->only_orders && i < ELEMENTSOF(orders); i++)
                if (streq(message_id, orders[i]))
                        return true;
        for (size_t i = 0; c->only_transitions && i < ELEMENTSOF(transitions); i++)
                if (streq(message_id, transitions[i]))
                        return true;
        return false;
}

static int add_matches(const struct ctl *c, sd_journal *j) {
        int r = 0;

        for (size_t t = 0; t < ELEMENTSOF(trusted) && r >= 0; t++) {
                char match[sizeof("MESSAGE_ID=") + 32];

                if (t > 0)
                        r = sd_journal_add_disjunction(j);
                for (size_t i = 0; history_message_id(i) && r >= 0; i++) {
                        if (!is_wanted(c, history_message_id(i)))
                                continue;
                        snprintf(match, sizeof(match), "MESSAGE_ID=%.32s", history_message_id(i));
                        r = sd_journal_add_match(j, match, 0);
                }
                if (r >= 0)
                        r = sd_journal_add_match(j, trusted[t], 0);
        }
        return r;
}

static int get_data(void *userdata, const char *name, const void **ret_data, size_t *ret_size) {
        return sd_journal_get_data(userdata, name, ret_data, ret_size);
}

static int read_entry(sd_journal *j, struct history_entry *e) {
        int r;

        r = sd_journal_get_realtime_usec(j, &e->usec);
        return r < 0 ? r : history_entry_read(e, get_data, j);
}

/* Takes the entry over. */
static int append(struct history *h, struct history_entry *e) {
        struct history_entry *grown = reallocarray(h->entries, h->n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        h->entries = grown;
        grown[h->n++] = *e;
        *e = (struct history_entry) {};
        return 0;
}

static void turn_around(struct history *h) {
        for (size_t i = 0; i < h->n / 2; i++) {
                struct history_entry e = h->entries[i];

                h->entries[i] = h->entries[h->n - 1 - i];
                h->entries[h->n - 1 - i] = e;
        }
}

/* The cursor stands on an entry: takes it, or leaves it out. 0 to go on, 1 for enough. */
static int take(const struct ctl *c, struct history *h, uint64_t *left, uint64_t *refused) {
        struct history_entry e = {};
        int r;

        r = read_entry(h->journal, &e);
        if (r == -ENOMEM) {
                history_entry_done(&e);
                return r;
        }
        /* Any other failure is a damaged entry, or one that rotation took away: it does not spoil the rest. */
        if (r < 0 || e.usec > c->until) {
                history_entry_done(&e);
                return 0;
        }
        if (e.usec < c->since) {
                history_entry_done(&e);
                return 1;
        }
        if (!c->all && history_is_refused(&e)) {
                if (*refused >= HISTORY_REFUSED_SHOWN) {
                        h->refused++;
                        history_entry_done(&e);
                        return 0;
                }
                (*refused)++;
        } else if (*left == 0) {
                h->more = true;
                history_entry_done(&e);
                return 1;
        } else
                (*left)--;
        r = append(h, &e);
        history_entry_done(&e);
        return r;
}

int history_read(struct ctl *c, struct history *h) {
        uint64_t left = c->lines, refused = 0;
        int r, enough = 0;

        /* From the end on, for of the refused ones there may be any number. */
        r = c->until == USEC_INFINITY ? sd_journal_seek_tail(h->journal)
                                      : sd_journal_seek_realtime_usec(h->journal, c->until + 1);
        while (r >= 0 && enough == 0 && (r = sd_journal_previous(h->journal)) > 0) {
                if (!h->newest && sd_journal_get_cursor(h->journal, &h->newest) < 0)
                        h->newest = NULL;
                enough = take(c, h, &left, &refused);
        }
        if (enough < 0)
                r = enough;
        if (r < 0)
                return r;
        turn_around(h);
        return 0;
}

/* As sd_journal_wait(), with an eye on who reads. */
static int wait_for_more(sd_journal *journal) {
        int fd = sd_journal_get_fd(journal), events = sd_journal_get_events(journal), r;
        uint64_t timeout;

        if (fd < 0 || events < 0)
                return MIN(fd, events);
        r = sd_journal_get_timeout(journal, &timeout);
        if (r >= 0)
                r = output_wait(fd, events, timeout);
        return r < 0 ? r : sd_journal_process(journal);
}

int history_follow(const struct ctl *c, struct history *h) {
        int r;

        r = h->newest ? sd_journal_seek_cursor(h->journal, h->newest) : sd_journal_seek_head(h->journal);
        if (r >= 0 && h->newest)
                r = sd_journal_next(h->journal);
        while (r >= 0) {
                struct history_entry e = {};

                r = sd_journal_next(h->journal);
                if (r < 0)
                        break;
                if (r == 0) {
                        r = wait_for_more(h->journal);
                        continue;
                }
                r = read_entry(h->journal, &e);
                r = r >= 0 ? history_print_line(c, &e) : r == -ENOMEM ? r : 0;
                history_entry_done(&e);
        }
        return r;
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

int history_open(struct ctl *c, struct history *h) {
        _cleanup_close_ int root = -EBADF;
        int r;

        if (c->machine && !streq(c->machine, ".host")) {
                r = open_machine_root(c, &root);
                if (r >= 0)
                        r = sd_journal_open_directory_fd(&h->journal, root, SD_JOURNAL_OS_ROOT);
        } else {
                root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = root < 0 ? -errno : sd_journal_open(&h->journal, SD_JOURNAL_LOCAL_ONLY);
        }
        if (r < 0)
                return r;
        h->partial = has_unreadable(root, "var/log/journal", /* descend= */ true) ||
                     has_unreadable(root, "run/log/journal", /* descend= */ true);
        return MIN(add_matches(c, h->journal), 0);
}

void history_done(struct history *h) {
        for (size_t i = 0; i < h->n; i++)
                history_entry_done(h->entries + i);
        free(h->entries);
        free(h->newest);
        sd_journal_close(h->journal);
        *h = (struct history) {};
}
