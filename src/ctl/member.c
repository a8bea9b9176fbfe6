/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way to a host and what it answers. First the properties, which the service answers at once; then the question
 * to ConfD, and what has changed by that comes by itself. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "ctl/bus-connection.h"
#include "ctl/member.h"
#include "ctl/ssh.h"

#define DELAY_MIN_USEC USEC_PER_SEC
#define DELAY_MAX_USEC (30 * USEC_PER_SEC)

static int begin(struct member *m);

static void tell(struct member *m) {
        m->changed(m, m->userdata);
}

bool member_is_done(const struct member *m) {
        return m->state == MEMBER_FAILED || (m->state == MEMBER_KNOWN && m->answered);
}

const char *member_name(const struct member *m) {
        return m->host && !streq(m->host, ".") ? m->host : picture_node(&m->picture);
}

static void drop(struct member *m) {
        for (size_t i = 0; i < m->n_slots; i++)
                sd_bus_slot_unref(m->slots[i]);
        m->n_slots = 0;
        if (m->bus) {
                (void) sd_bus_detach_event(m->bus);
                sd_bus_close(m->bus);
                m->bus = sd_bus_unref(m->bus);
        }
        m->words_fd = safe_close(m->words_fd);
        m->deadline = sd_event_source_unref(m->deadline);
        free(m->owner);
        m->owner = NULL;
}

/* The last line that ssh has said; NULL if it said nothing. */
static char *last_words(const struct member *m) {
        char buf[1024], *line;
        ssize_t n;

        if (m->words_fd < 0)
                return NULL;
        n = pread(m->words_fd, buf, sizeof(buf) - 1, 0);
        if (n <= 0)
                return NULL;
        buf[n] = '\0';
        while (n > 0 && strchr("\r\n ", buf[n - 1]))
                buf[--n] = '\0';
        line = strrchr(buf, '\n');
        line = line ? line + 1 : buf;
        return *line ? strdup(line) : NULL;
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata) {
        struct member *m = userdata;

        m->again = sd_event_source_unref(m->again);
        if (begin(m) < 0)
                tell(m);
        return 0;
}

/* The service is not there; when followed, its coming is told by the bus. */
static void fail(struct member *m, const char *name, const char *words) {
        _cleanup_free_ char *said = last_words(m);

        (void) free_and_strdup(&m->failure_name, name);
        (void) free_and_strdup(&m->failure, said ?: words);
        m->state = MEMBER_FAILED;
        picture_done(&m->picture);
        m->deadline = sd_event_source_unref(m->deadline);
        tell(m);
}

/* The bus is not there; when followed, it is tried again. Its connection is dropped then, and not in its own callbacks. */
static void lose(struct member *m, const char *name, const char *words) {
        if (m->follow && !m->again) {
                m->delay = m->delay == 0 ? DELAY_MIN_USEC : MIN(m->delay * 2, DELAY_MAX_USEC);
                (void) sd_event_add_time_relative(m->event, &m->again, CLOCK_MONOTONIC, m->delay, 0, on_again, m);
        }
        fail(m, name, words);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        struct member *m = userdata;

        m->deadline = sd_event_source_unref(m->deadline);
        if (m->state == MEMBER_ASKING)
                lose(m, SD_BUS_ERROR_TIMEOUT, "no answer in time");
        else if (!m->answered) {
                m->answered = true;
                (void) free_and_strdup(&m->failure_name, SD_BUS_ERROR_TIMEOUT);
                (void) free_and_strdup(&m->failure, "ConfD does not answer");
                tell(m);
        }
        return 0;
}

static sd_bus_slot **new_slot(struct member *m) {
        return m->n_slots < ELEMENTSOF(m->slots) ? m->slots + m->n_slots++ : NULL;
}

static int call(struct member *m, const char *interface, const char *method, const char *arg, sd_bus_message_handler_t done) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        r = sd_bus_message_new_method_call(m->bus, &message, HA_BUS_NAME, HA_OBJECT, interface, method);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(message, false);
        if (r >= 0 && arg)
                r = sd_bus_message_append(message, "s", arg);
        /* Floating: it lives as long as the connection; the time limit is the member's. */
        return r < 0 ? r : sd_bus_call_async(m->bus, NULL, message, done, m, UINT64_MAX);
}

static int on_status(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        struct member *m = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        m->answered = true;
        m->deadline = sd_event_source_unref(m->deadline);
        if (error && m->state == MEMBER_KNOWN) {
                (void) free_and_strdup(&m->failure_name, error->name);
                (void) free_and_strdup(&m->failure, error->message ?: error->name);
        }
        tell(m);
        return 0;
}

static int on_picture(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        struct member *m = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        int r;

        if (error) {
                bool absent = sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                              sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);

                if (absent)
                        fail(m, error->name, "the service does not run");
                else
                        lose(m, error->name ?: SD_BUS_ERROR_FAILED, error->message ?: "no connection");
                return 0;
        }
        r = free_and_strdup(&m->owner, sd_bus_message_get_sender(reply));
        if (r >= 0)
                r = picture_read(&m->picture, reply);
        if (r < 0) {
                fail(m, SD_BUS_ERROR_FAILED, "its answer makes no sense");
                return 0;
        }
        m->state = MEMBER_KNOWN;
        m->delay = 0;
        free(m->failure);
        free(m->failure_name);
        m->failure = m->failure_name = NULL;
        /* A question could wait for a connection that is not there. */
        m->answered = !m->picture.connected || call(m, HA_INTERFACE, "Status", NULL, on_status) < 0;
        if (m->answered)
                m->deadline = sd_event_source_unref(m->deadline);
        tell(m);
        return 0;
}

static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        struct member *m = userdata;
        const char *interface, *sender = sd_bus_message_get_sender(message);

        /* The bus delivers signals that anybody addresses to us: take the service's only. */
        if (m->state != MEMBER_KNOWN || !m->owner || !sender || !streq(sender, m->owner))
                return 0;
        if (sd_bus_message_read(message, "s", &interface) < 0 || !streq(interface, HA_INTERFACE))
                return 0;
        if (picture_read(&m->picture, message) < 0)
                fail(m, SD_BUS_ERROR_FAILED, "its answer makes no sense");
        else
                tell(m);
        return 0;
}

static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        struct member *m = userdata;
        const char *name, *old_owner, *new_owner, *sender = sd_bus_message_get_sender(message);

        if (!sender || !streq(sender, "org.freedesktop.DBus") ||
            sd_bus_message_read(message, "sss", &name, &old_owner, &new_owner) < 0 || !streq(name, HA_BUS_NAME))
                return 0;
        if (*new_owner)
                (void) call(m, "org.freedesktop.DBus.Properties", "GetAll", HA_INTERFACE, on_picture);
        else if (m->state == MEMBER_KNOWN)
                fail(m, SD_BUS_ERROR_SERVICE_UNKNOWN, "the service does not run");
        return 0;
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        struct member *m = userdata;

        if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Local", "Disconnected") && m->state != MEMBER_FAILED)
                lose(m, SD_BUS_ERROR_DISCONNECTED, "the connection was closed");
        return 0;
}

/* libsystemd has ssh ask for passwords; of several hosts at once that would be a mess. So the words are ours. */
static int open_remote(struct member *m, uint64_t timeout) {
        _cleanup_ssh_host_ struct ssh_host h = {};
        char address[SSH_ADDRESS_MAX];
        _cleanup_close_ int saved = -EBADF;
        int r;

        r = ssh_host_parse(&h, m->host);
        if (r < 0)
                return r;
        r = ssh_bus_address(&h, timeout, address);
        if (r >= 0)
                r = sd_bus_new(&m->bus);
        if (r >= 0)
                r = sd_bus_set_address(m->bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(m->bus, true);
        if (r < 0)
                return r;
        /* ssh inherits standard error: what it says there is kept, to be told as the reason, and disturbs no picture. */
        m->words_fd = memfd_create("ssh", MFD_CLOEXEC);
        saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        if (m->words_fd >= 0 && saved >= 0)
                (void) dup2(m->words_fd, STDERR_FILENO);
        r = sd_bus_start(m->bus);
        if (m->words_fd >= 0 && saved >= 0)
                (void) dup2(saved, STDERR_FILENO);
        return r;
}

static int subscribe(struct member *m) {
        int r;

        r = sd_bus_add_filter(m->bus, new_slot(m), on_disconnected, m);
        if (r >= 0)
                r = sd_bus_add_match_async(m->bus, new_slot(m),
                                           "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                           "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" HA_BUS_NAME "'",
                                           on_owner, NULL, m);
        if (r >= 0)
                r = sd_bus_match_signal_async(m->bus, new_slot(m), HA_BUS_NAME, HA_OBJECT, "org.freedesktop.DBus.Properties",
                                              "PropertiesChanged", on_changed, NULL, m);
        return MIN(r, 0);
}

/* Connects and asks. A failure is the member's state; it is told by whoever called this. */
static int begin(struct member *m) {
        int r;

        drop(m);
        m->state = MEMBER_ASKING;
        m->answered = false;
        if (!m->host)
                r = bus_open(m->c, &m->bus);
        else if (streq(m->host, "."))
                r = sd_bus_open_system(&m->bus);
        else
                r = open_remote(m, m->timeout);
        if (r >= 0)
                r = sd_bus_set_allow_interactive_authorization(m->bus, m->c->ask_password);
        if (r >= 0)
                r = subscribe(m);
        if (r >= 0)
                r = call(m, "org.freedesktop.DBus.Properties", "GetAll", HA_INTERFACE, on_picture);
        if (r >= 0)
                r = sd_bus_attach_event(m->bus, m->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0 && m->timeout != USEC_INFINITY)
                r = sd_event_add_time_relative(m->event, &m->deadline, CLOCK_MONOTONIC, m->timeout, 0, on_deadline, m);
        if (r < 0)
                lose(m, SD_BUS_ERROR_NO_SERVER, strerror(-r));
        return r;
}

int member_new(struct member **ret, struct ctl *c, const char *host, sd_event *event, uint64_t timeout, bool follow,
               member_fn changed, void *userdata) {
        struct member *m = malloc(sizeof(*m));

        if (!m)
                return -ENOMEM;
        *m = (struct member) {
                .c = c,
                .host = host ? strdup(host) : NULL,
                .event = event,
                .words_fd = -EBADF,
                .timeout = timeout,
                .follow = follow,
                .changed = changed,
                .userdata = userdata,
        };
        if (host && !m->host) {
                member_free(m);
                return -ENOMEM;
        }
        *ret = m;
        (void) begin(m);
        return 0;
}

struct member *member_free(struct member *m) {
        if (!m)
                return NULL;
        drop(m);
        sd_event_source_unref(m->again);
        picture_done(&m->picture);
        free(m->failure);
        free(m->failure_name);
        free(m->host);
        free(m);
        return NULL;
}
