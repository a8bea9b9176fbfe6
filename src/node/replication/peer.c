/* SPDX-License-Identifier: Apache-2.0 */
/* Owns a socket between nodes on the event loop: reads, writes, pauses, ends. */
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "basic/time-util.h"
#include "node/replication/peer.h"

/* So much is read before other sources of the loop get their turn. */
enum {
        READ_BUDGET = 256 * 1024,
        KEEP_OUTPUT = 64 * 1024,
        JUNK_MAX = 16 * 1024, /* from a refused one: more than was under way when it was refused */
};

struct peer {
        unsigned refs; /* the owner's and one while a callback runs */
        int fd;
        struct hop *hop;
        struct peer_callbacks callbacks;
        void *userdata;
        sd_event_source *io, *kick;
        sd_event_source *gathered; /* less urgent than all that brings more to send */
        uint32_t events;
        bool dead;           /* freed by its owner */
        bool over;           /* `closed` was called */
        bool connecting;
        bool authenticated;
        bool paused;
        bool finishing;      /* refused: only output goes out, input is thrown away */
        bool shut;
        bool gather, held;   /* output may wait, and does */
        bool wants_writable; /* the output was above the low mark */
        int error;           /* noticed where no callback may run */
        enum ha_error code;
        char *reason;
        uint64_t last_input;
        enum hop_progress progress;
        uint64_t last_step;
        size_t junk;         /* that came after the refusal */
        uint64_t written;    /* bytes, to the socket */
};

static struct peer *peer_unref(struct peer *p) {
        if (--p->refs > 0)
                return NULL;
        hop_free(p->hop);
        free(p->reason);
        free(p);
        return NULL;
}

/* So that the other side need not take it for a cut. It is told if that can be done at once. */
static void say_goodbye(struct peer *p) {
        struct buffer *out = hop_output(p->hop);

        if (p->over || p->shut || p->connecting || p->error < 0)
                return;
        hop_close(p->hop);
        if (buffer_size(out) > 0)
                (void) !send(p->fd, buffer_head(out), buffer_size(out), MSG_NOSIGNAL);
}

struct peer *peer_free(struct peer *p) {
        if (p) {
                say_goodbye(p);
                p->dead = true;
                p->io = sd_event_source_disable_unref(p->io);
                p->kick = sd_event_source_disable_unref(p->kick);
                p->gathered = sd_event_source_disable_unref(p->gathered);
                p->fd = safe_close(p->fd);
                peer_unref(p);
        }
        return NULL;
}

static void end(struct peer *p, enum ha_error code, const char *reason) {
        if (p->dead || p->over)
                return;
        p->over = true;
        (void) sd_event_source_set_enabled(p->io, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(p->kick, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(p->gathered, SD_EVENT_OFF);
        p->callbacks.closed(p, code, reason, p->userdata);
}

static void end_errno(struct peer *p, int error) {
        char reason[128];

        (void) snprintf(reason, sizeof(reason), "%s", strerror(-error));
        end(p, HA_ERROR_CLOSED, reason);
}

static void set_events(struct peer *p) {
        uint32_t events = 0;

        if (p->dead || p->over)
                return;
        if (p->connecting || (buffer_size(hop_output(p->hop)) > 0 && !p->held && !p->shut) || (p->wants_writable && !p->finishing))
                events |= EPOLLOUT;
        if (!p->connecting && (!p->paused || p->finishing))
                events |= EPOLLIN;
        if (events != p->events && sd_event_source_set_io_events(p->io, events) >= 0)
                p->events = events;
}

static void flush(struct peer *p) {
        struct buffer *out = hop_output(p->hop);
        ssize_t n;

        p->held = false;
        if (p->connecting || p->error < 0)
                return;
        while (buffer_size(out) > 0) {
                n = send(p->fd, buffer_head(out), buffer_size(out), MSG_NOSIGNAL);
                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        if (errno != EAGAIN) {
                                p->error = -errno;
                                (void) sd_event_source_set_enabled(p->kick, SD_EVENT_ONESHOT);
                        }
                        break;
                }
                buffer_consume(out, (size_t) n);
                p->written += (uint64_t) n;
        }
        if (buffer_size(out) == 0) {
                if (out->allocated > KEEP_OUTPUT)
                        buffer_shrink(out);
                if (p->finishing && !p->shut) {
                        (void) shutdown(p->fd, SHUT_WR);
                        p->shut = true;
                }
        }
}

/* Hands out the frames that are there. Returns false when the peer is not to be touched any more, or not in this turn. */
static bool process(struct peer *p) {
        struct hop_frame frame;
        int r;

        while (!p->dead && !p->over && !p->paused && !p->finishing) {
                r = hop_next(p->hop, &frame);
                if (!p->authenticated && hop_is_authenticated(p->hop)) {
                        p->authenticated = true;
                        flush(p);
                        p->callbacks.authenticated(p, p->userdata);
                        if (p->dead || p->over)
                                return false;
                        if (p->finishing)
                                return true;
                }
                if (r == 0)
                        return true;
                if (r == -EPROTO && buffer_size(hop_output(p->hop)) > 0) {
                        /* A refusal to a stranger, for whom there is a deadline; nothing else is left then. Let it arrive, which it would not
                         * if we closed with bytes unread. */
                        p->finishing = true;
                        p->code = hop_error(p->hop);
                        p->reason = strdup(hop_reason(p->hop));
                        flush(p);
                        return true;
                }
                if (r == -EPROTO)
                        end(p, hop_error(p->hop), hop_reason(p->hop));
                else if (r < 0)
                        end_errno(p, r);
                else
                        p->callbacks.frame(p, &frame, p->userdata);
        }
        return !p->dead && !p->over && p->finishing;
}

static bool discard_input(struct peer *p) {
        uint8_t junk[4096];
        ssize_t n = recv(p->fd, junk, sizeof(junk), 0);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
                end(p, p->code, p->reason ?: "refused");
                return false;
        }
        p->junk += n > 0 ? (size_t) n : 0;
        if (p->junk > JUNK_MAX) {
                end(p, p->code, p->reason ?: "refused");
                return false;
        }
        return true;
}

static void note_progress(struct peer *p) {
        enum hop_progress progress = hop_progress(p->hop);

        if (progress > p->progress) {
                p->progress = progress;
                p->last_step = p->last_input;
        }
}

static bool read_input(struct peer *p) {
        size_t spent = 0, room;
        uint8_t *to;
        ssize_t n;
        int r;

        while (spent < READ_BUDGET && !p->paused) {
                if (p->finishing)
                        return discard_input(p);
                r = hop_input(p->hop, &to, &room);
                if (r < 0) {
                        end_errno(p, r);
                        return false;
                }
                n = recv(p->fd, to, room, 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN) {
                        hop_input_rest(p->hop);
                        return true;
                }
                if (n < 0) {
                        end_errno(p, -errno);
                        return false;
                }
                if (n == 0) {
                        hop_input_cut(p->hop);
                        end(p, hop_error(p->hop), hop_reason(p->hop));
                        return false;
                }
                p->last_input = now_monotonic();
                hop_input_done(p->hop, (size_t) n);
                spent += (size_t) n;
                if (!process(p) && (p->dead || p->over))
                        return false;
                note_progress(p);
        }
        return true;
}

static void ask_for_more(struct peer *p) {
        if (p->wants_writable && !p->finishing && buffer_size(hop_output(p->hop)) < PEER_OUTPUT_LOW) {
                p->wants_writable = false;
                if (p->callbacks.writable)
                        p->callbacks.writable(p, p->userdata);
        }
}

static void on_connected(struct peer *p) {
        int error = 0;
        socklen_t size = sizeof(error);

        if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                error = errno;
        if (error) {
                end(p, HA_ERROR_CONNECT, strerror(error));
                return;
        }
        p->connecting = false;
        p->last_input = now_monotonic();
        if (p->callbacks.connected)
                p->callbacks.connected(p, p->userdata);
        if (!p->dead && !p->over)
                flush(p);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct peer *p = userdata;

        p->refs++;
        if (p->connecting) {
                on_connected(p);
                goto out;
        }
        if (revents & EPOLLOUT) {
                flush(p);
                ask_for_more(p);
        }
        if (p->dead || p->over)
                goto out;
        if (revents & EPOLLIN) {
                if (!read_input(p))
                        goto out;
                /* Whoever writes without pause keeps what is less urgent from its turn, but not this. */
                if (p->held)
                        flush(p);
        } else if (revents & (EPOLLHUP | EPOLLERR)) {
                int error = 0;
                socklen_t size = sizeof(error);

                (void) getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size);
                end(p, p->finishing ? p->code : HA_ERROR_CLOSED, p->finishing && p->reason ? p->reason :
                    error ? strerror(error) : "closed by the other side");
                goto out;
        }
out:
        if (!p->dead && !p->over)
                set_events(p);
        peer_unref(p);
        return 0;
}

/* What may not be done within a function that our owner called. */
static int on_kick(sd_event_source *source, void *userdata) {
        struct peer *p = userdata;

        p->refs++;
        if (p->error < 0)
                end_errno(p, p->error);
        else {
                (void) process(p);
                if (!p->dead && !p->over)
                        ask_for_more(p);
        }
        if (!p->dead && !p->over)
                set_events(p);
        peer_unref(p);
        return 0;
}

static int on_gathered(sd_event_source *source, void *userdata) {
        struct peer *p = userdata;

        if (p->held) {
                flush(p);
                set_events(p);
        }
        return 0;
}

int peer_new(sd_event *event, int fd, bool connecting, struct hop *hop, const struct peer_callbacks *callbacks, void *userdata,
             struct peer **ret) {
        struct peer *p;
        int one = 1, r;

        p = calloc(1, sizeof(*p));
        if (!p) {
                hop_free(hop);
                safe_close(fd);
                return -ENOMEM;
        }
        p->refs = 1;
        p->fd = fd;
        p->hop = hop;
        p->callbacks = *callbacks;
        p->userdata = userdata;
        p->connecting = connecting;
        p->last_input = p->last_step = now_monotonic();
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        p->events = connecting ? EPOLLOUT : EPOLLIN;
        r = sd_event_add_io(event, &p->io, fd, p->events, on_io, p);
        if (r >= 0)
                r = sd_event_add_defer(event, &p->kick, on_kick, p);
        if (r >= 0)
                r = sd_event_source_set_enabled(p->kick, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &p->gathered, on_gathered, p);
        if (r >= 0)
                r = sd_event_source_set_priority(p->gathered, SD_EVENT_PRIORITY_NORMAL + 10);
        if (r >= 0)
                r = sd_event_source_set_enabled(p->gathered, SD_EVENT_OFF);
        if (r < 0) {
                peer_free(p);
                return r;
        }
        *ret = p;
        return 0;
}

struct hop *peer_hop(struct peer *p) {
        return p->hop;
}

void peer_send(struct peer *p, enum hop_type type, const struct iovec *parts, size_t n_parts) {
        struct buffer *out = hop_output(p->hop);
        int r;

        if (p->over || p->finishing || p->error < 0)
                return;
        r = hop_send(p->hop, type, parts, n_parts);
        if (r < 0) {
                p->error = r;
                (void) sd_event_source_set_enabled(p->kick, SD_EVENT_ONESHOT);
                return;
        }
        /* What the kernel did not take goes out when it does. */
        if (p->gather && buffer_size(out) < PEER_GATHER_MAX && !(p->events & EPOLLOUT)) {
                p->held = true;
                (void) sd_event_source_set_enabled(p->gathered, SD_EVENT_ONESHOT);
                return;
        }
        flush(p);
        if (buffer_size(out) >= PEER_OUTPUT_LOW)
                p->wants_writable = true;
        set_events(p);
}

void peer_gather(struct peer *p, bool on) {
        p->gather = on;
}

size_t peer_output(const struct peer *p) {
        return buffer_size(hop_output(p->hop));
}

/* What the kernel keeps: not sent, or sent and not acknowledged by the other host. */
static size_t in_kernel(const struct peer *p) {
        int n = 0;

        if (p->connecting || p->fd < 0 || ioctl(p->fd, SIOCOUTQ, &n) < 0 || n < 0)
                return 0;
        return (size_t) n;
}

size_t peer_unsent(const struct peer *p) {
        return peer_output(p) + in_kernel(p);
}

uint64_t peer_queued(const struct peer *p) {
        return p->written + peer_output(p);
}

uint64_t peer_taken(const struct peer *p) {
        return p->written - MIN(p->written, (uint64_t) in_kernel(p));
}

bool peer_has_room(const struct peer *p) {
        return !p->over && !p->finishing && p->error >= 0 && peer_output(p) < PEER_OUTPUT_LOW;
}

/* By way of the socket: those that the loop finds ready take turns. What is deferred comes before them, again and again. */
void peer_want_writable(struct peer *p) {
        p->wants_writable = true;
        set_events(p);
}

void peer_pause(struct peer *p) {
        p->paused = true;
        set_events(p);
}

void peer_resume(struct peer *p) {
        if (!p->paused)
                return;
        p->paused = false;
        p->last_input = now_monotonic();
        (void) sd_event_source_set_enabled(p->kick, SD_EVENT_ONESHOT); /* frames may be waiting in memory */
        set_events(p);
}

bool peer_is_paused(const struct peer *p) {
        return p->paused;
}

void peer_refuse(struct peer *p, enum ha_error code, const char *reason) {
        if (p->over || p->finishing)
                return;
        if (hop_refuse(p->hop, code, reason) < 0)
                return;
        p->finishing = true;
        p->code = code;
        p->reason = strdup(reason);
        flush(p);
        set_events(p);
}

enum hop_progress peer_progress(const struct peer *p) {
        return p->progress;
}

uint64_t peer_last_step(const struct peer *p) {
        return p->last_step;
}

uint64_t peer_last_input(const struct peer *p) {
        return p->last_input;
}

void peer_forgive(struct peer *p) {
        p->last_input = now_monotonic();
}
