/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the terminal while something is watched on it. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "basic/time-util.h"
#include "ctl/colour.h"
#include "ctl/live.h"

/* What comes together is drawn together. */
#define GATHER_USEC (50 * USEC_PER_MSEC)

/* Another screen, no cursor, and lines that are cut instead of wrapped; and all that back. */
#define ENTER "\x1b[?1049h\x1b[?25l\x1b[?7l"
#define LEAVE "\x1b[?7h\x1b[?25h\x1b[?1049l"

struct live {
        sd_event *event;
        sd_event_source *sources[8];
        size_t n_sources;
        sd_event_source *soon, *tick;
        struct termios settings;
        uint64_t period;
        live_draw_fn draw;
        void *userdata;
        bool soon_on;
};

/* To the terminal, all of it. */
static void put(const char *text, size_t n) {
        while (n > 0) {
                ssize_t k = write(STDOUT_FILENO, text, n);

                if (k < 0 && errno == EAGAIN) {
                        struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

                        if (poll(&p, 1, 1000) <= 0)
                                return;
                        continue;
                }
                if (k < 0 && errno != EINTR)
                        return;
                if (k > 0) {
                        text += k;
                        n -= (size_t) k;
                }
        }
}

/* What the view prints, caught. */
static int capture(struct live *l, char **ret, size_t *ret_size) {
        FILE *saved = stdout, *f = open_memstream(ret, ret_size);
        int r;

        if (!f)
                return -ENOMEM;
        stdout = f;
        r = l->draw(l->userdata);
        stdout = saved;
        if (fclose(f) != 0 && r >= 0)
                r = -ENOMEM;
        if (r < 0) {
                free(*ret);
                *ret = NULL;
        }
        return r;
}

static int redraw(struct live *l) {
        _cleanup_free_ char *text = NULL, *screen = NULL;
        struct winsize size = { .ws_row = 24 };
        size_t n, n_screen;
        unsigned row = 1, rows;
        FILE *f;
        int r;

        r = capture(l, &text, &n);
        if (r < 0)
                return r;
        (void) ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
        rows = MAX((unsigned) size.ws_row, 4u);
        f = open_memstream(&screen, &n_screen);
        if (!f)
                return -ENOMEM;
        fputs("\x1b[H", f);
        for (const char *p = text, *end = text + n; p < end && row + 1 < rows; row++) {
                const char *line_end = memchr(p, '\n', (size_t) (end - p)) ?: end;

                fwrite(p, 1, (size_t) (line_end - p), f);
                fputs("\x1b[K\r\n", f);
                p = line_end + 1;
        }
        fprintf(f, "\x1b[J%sq ends%s", colour_out(COLOUR_DIM), colour_out(COLOUR_NONE));
        if (fclose(f) != 0)
                return -ENOMEM;
        put(screen, n_screen);
        return 0;
}

static int on_soon(sd_event_source *source, uint64_t usec, void *userdata) {
        struct live *l = userdata;

        l->soon_on = false;
        return redraw(l);
}

void live_changed(struct live *l) {
        uint64_t now;

        if (l->soon_on || !l->soon || sd_event_now(l->event, CLOCK_MONOTONIC, &now) < 0)
                return;
        l->soon_on = sd_event_source_set_time(l->soon, usec_add(now, GATHER_USEC)) >= 0 &&
                     sd_event_source_set_enabled(l->soon, SD_EVENT_ONESHOT) >= 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        struct live *l = userdata;
        int r;

        r = redraw(l);
        if (r >= 0)
                r = sd_event_source_set_time(source, usec_add(now_monotonic(), l->period));
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return r;
}

static int on_key(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct live *l = userdata;
        char keys[64];
        ssize_t n = read(fd, keys, sizeof(keys));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                return sd_event_exit(l->event, 0);
        for (ssize_t i = 0; i < n; i++)
                if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == '\x03' || keys[i] == '\x04')
                        return sd_event_exit(l->event, 0);
                else if (keys[i] == '\x0c' || keys[i] == ' ')
                        live_changed(l);
        return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        struct live *l = userdata;

        if (info->ssi_signo == SIGWINCH) {
                live_changed(l);
                return 0;
        }
        return sd_event_exit(l->event, 0);
}

static int add_signals(struct live *l) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
        sigset_t mask;
        int r = 0;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&mask, signals[i]);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(l->event, l->sources + l->n_sources++, signals[i], on_signal, l);
        return r;
}

static int take_terminal(struct live *l) {
        struct termios raw;

        if (tcgetattr(STDIN_FILENO, &l->settings) < 0)
                return -errno;
        raw = l->settings;
        /* Keys one by one, not shown; ^C is a key, so that a program in the same group is not hit. */
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ISIG);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
                return -errno;
        put(ENTER, strlen(ENTER));
        return 0;
}

int live_new(struct live **ret, sd_event *event, uint64_t period, live_draw_fn draw, void *userdata) {
        struct live *l;
        int r;

        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
                return -ENOTTY;
        l = malloc(sizeof(*l));
        if (!l)
                return -ENOMEM;
        *l = (struct live) { .event = sd_event_ref(event), .period = period, .draw = draw, .userdata = userdata };
        r = add_signals(l);
        if (r >= 0)
                r = sd_event_add_io(event, l->sources + l->n_sources++, STDIN_FILENO, POLLIN, on_key, l);
        if (r >= 0)
                r = sd_event_add_time(event, &l->soon, CLOCK_MONOTONIC, 0, 1, on_soon, l);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->soon, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(event, &l->tick, CLOCK_MONOTONIC, 0, 1, on_tick, l);
        fflush(stdout);
        if (r >= 0)
                r = take_terminal(l);
        if (r < 0) {
                for (size_t i = 0; i < l->n_sources; i++)
                        sd_event_source_unref(l->sources[i]);
                sd_event_source_unref(l->soon);
                sd_event_source_unref(l->tick);
                sd_event_unref(l->event);
                free(l);
                return r;
        }
        *ret = l;
        return 0;
}

struct live *live_free(struct live *l) {
        if (!l)
                return NULL;
        put(LEAVE, strlen(LEAVE));
        (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &l->settings);
        for (size_t i = 0; i < l->n_sources; i++)
                sd_event_source_unref(l->sources[i]);
        sd_event_source_unref(l->soon);
        sd_event_source_unref(l->tick);
        sd_event_unref(l->event);
        free(l);
        return NULL;
}

int live_run(struct live *l) {
        return MIN(sd_event_loop(l->event), 0);
}
