/* SPDX-License-Identifier: Apache-2.0 */
/* Words that reach confd-hactl, by the first byte: hosts as people name them, the file that lists them, and what a node tells of its
 * slaves, lists of states, times, and names of errors. A host gives a command line of ssh in which nothing of it can be taken for an
 * option, and an address for sd-bus that has just these words; hosts of a list are valid and there once; what is read of slaves is what
 * was told; a list that is taken has states in it and nothing else; a time that is written out is the same when it is read. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "ctl/ctl-config.h"
#include "ctl/slave-ages.h"
#include "ctl/ssh.h"
#include "ctl/states.h"
#include "ctl/when.h"
#include "input.h"
#include "output.h"

enum { SLAVES_TOLD_MAX = 8 };

/* ---- one host ---- */

/* A word of the address, as sd-bus takes it. Returns where it ends. */
static const char *judge_word(const char *p, size_t number, const char *word, const char *more) {
        char key[32], *end;

        (void) snprintf(key, sizeof(key), ",argv%zu=", number);
        if (strncmp(p, key, strlen(key)) != 0)
                abort();
        for (p += strlen(key); *p && *p != ','; p++) {
                char c = *p;

                if (c == '%') {
                        char hex[3] = { p[1], p[1] ? p[2] : 0 };

                        c = (char) strtoul(hex, &end, 16);
                        if (end != hex + 2)
                                abort();
                        p += 2;
                }
                if (!*word) {
                        word = more;
                        more = "";
                }
                if (c != *word++)
                        abort();
        }
        if (*word || *more)
                abort();
        return p;
}

static void judge_address(const struct ssh_host *h) {
        char *address = malloc(SSH_ADDRESS_MAX), buf[SSH_BUF_MAX];
        const char *words[SSH_WORDS_MAX], *p = address;
        size_t n, i = 1;
        int r;

        if (!address)
                abort();
        r = ssh_bus_address(h, 1000000, address);
        if (r < 0 && (r != -ENAMETOOLONG || strlen(h->copy) + (h->container ? strlen(h->container) : 0) < 256))
                abort();
        if (r >= 0) {
                if (strncmp(p, "unixexec:path=ssh", strlen("unixexec:path=ssh")) != 0)
                        abort();
                p += strlen("unixexec:path=ssh");
                for (n = ssh_words(h, 1000000, /* batch= */ true, words, buf); i < n; i++)
                        p = judge_word(p, i, words[i], "");
                p = judge_word(p, i++, "systemd-stdio-bridge", "");
                if (h->container)
                        p = judge_word(p, i, "--machine=", h->container);
                if (*p)
                        abort();
        }
        free(address);
}

static void judge_host(const char *text) {
        static const char container[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
        const char *words[SSH_WORDS_MAX], *name;
        struct ssh_host h;
        char buf[SSH_BUF_MAX];
        size_t n;

        if (ssh_host_parse(&h, text) < 0)
                return;
        name = strrchr(h.host, '@') ? strrchr(h.host, '@') + 1 : h.host;
        if (!*name || *h.host == '-' || strchr(h.host, '/') || (h.port && (!*h.port || h.port[strspn(h.port, "0123456789")])) ||
            (h.container && (!*h.container || h.container[strspn(h.container, container)])))
                abort();
        for (int batch = 0; batch < 2; batch++) {
                n = ssh_words(&h, batch ? UINT64_MAX - 1 : USEC_INFINITY, batch, words, buf);
                if (n < 3 || n > SSH_WORDS_MAX || !streq(words[0], "ssh") || !streq(words[n - 2], "--") || words[n - 1] != h.host)
                        abort();
        }
        judge_address(&h);
        ssh_host_done(&h);
}

/* ---- times and errors ---- */

static void judge_time(const char *text) {
        static const uint64_t now = UINT64_C(1795347248270924);
        char again[64];
        uint64_t t, same;

        if (when_parse(text, now, &t) < 0)
                return;
        (void) snprintf(again, sizeof(again), "@%" PRIu64 ".%06" PRIu64, t / USEC_PER_SEC, t % USEC_PER_SEC);
        if (t / USEC_PER_SEC < UINT64_C(253402300800) && (when_parse(again, 0, &same) < 0 || same != t))
                abort();
        if (text[0] == '@' && strlen(text) < sizeof(again) && strtoull(text + 1, NULL, 10) != t / USEC_PER_SEC)
                abort();
}

static void explain(char *text) {
        struct ctl c = { .until = USEC_INFINITY, .mark = USEC_INFINITY, .quiet = true };
        char *args[] = { (char *) "explain", text, NULL };
        FILE *out = stdout, *err = stderr;
        struct output o;

        output_begin(&o);
        stdout = stderr = o.file;
        (void) verb_explain(&c, args);
        stdout = out;
        stderr = err;
        output_end(&o);
        judge_lines(&o);
        if (o.n == 0)
                abort();
        free(o.p);
}

/* ---- states ---- */

static void judge_states(const char *text) {
        static const char *const states[] = { "none", "slave", "master", "slave-relay", "unknown" };
        char *bad = NULL, *copy = strdup(text), *rest = copy, *word;
        bool all_known = true, has[ELEMENTSOF(states)] = {};

        if (!copy)
                abort();
        while ((word = strsep(&rest, ","))) {
                const char *known = state_from_user(word);

                all_known = all_known && known;
                if (known && (!state_from_user(known) || !streq(state_from_user(known), known) || state_index(known) < 0))
                        abort();
                for (size_t i = 0; known && i < ELEMENTSOF(states); i++)
                        has[i] = has[i] || streq(known, states[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(states); i++) {
                int r = states_list_has(text, states[i], &bad);

                if (all_known ? r != has[i] || bad : r >= 0 || !bad || strchr(bad, ',') || !strstr(text, bad) || state_from_user(bad))
                        abort();
                free(bad);
                bad = NULL;
        }
        free(copy);
}

/* ---- the file ---- */

static void judge_hosts(char **hosts) {
        size_t n = 0;

        for (; hosts[n]; n++) {
                struct ssh_host h;

                for (size_t i = 0; i < n; i++)
                        if (streq(hosts[i], hosts[n]))
                                abort();
                if (streq(hosts[n], "."))
                        continue;
                if (ssh_host_parse(&h, hosts[n]) < 0)
                        abort();
                ssh_host_done(&h);
        }
        if (n == 0 || n > HOSTS_MAX)
                abort();
}

/* With what it says on standard error: nothing that a terminal would obey. */
static void file(const uint8_t *p, size_t size) {
        struct ctl c = { .until = USEC_INFINITY, .mark = USEC_INFINITY };
        char *none[] = { NULL }, **hosts = NULL, path[64], *said = NULL;
        FILE *out = stdout, *err = stderr, *words;
        size_t said_size;
        int fd = memfd_create("fuzz-ctl-words", MFD_CLOEXEC), r;

        if (fd < 0 || write(fd, p, size) != (ssize_t) size || !(words = open_memstream(&said, &said_size)))
                abort();
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        c.config = path;
        stdout = stderr = words;
        r = ctl_hosts(&c, none, &hosts);
        stdout = out;
        stderr = err;
        if (fclose(words) != 0 || (r < 0) != (said_size > 0))
                abort();
        for (size_t i = 0; i < said_size; i++)
                if ((uint8_t) said[i] < ' ' && said[i] != '\n')
                        abort();
        if (r >= 0)
                judge_hosts(hosts);
        ctl_hosts_free(hosts);
        free(said);
        close(fd);
}

/* ---- what a node tells ---- */

static sd_bus_message *new_message(sd_bus *bus) {
        sd_bus_message *m = NULL;

        if (sd_bus_message_new_signal(bus, &m, "/org/confd/HANode", "org.confd.HANode", "Slaves") < 0)
                abort();
        return m;
}

static void slaves(struct input *in) {
        uint8_t how = take_byte(in), n = take_byte(in) % SLAVES_TOLD_MAX;
        char ids[SLAVES_TOLD_MAX][256], address[256];
        uint64_t numbers[SLAVES_TOLD_MAX];
        struct slave_ages ages;
        sd_bus_message *m;
        sd_bus *bus;
        int fds[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 || sd_bus_new(&bus) < 0 ||
            sd_bus_set_fd(bus, fds[0], fds[0]) < 0 || sd_bus_start(bus) < 0)
                abort();
        m = new_message(bus);
        if (how >= 0xf0)
                r = sd_bus_message_append(m, "s", "nonsense");
        else if (how >= 0xe0)
                r = sd_bus_message_append(m, "a(ss)", 1, "n1", "x");
        else {
                r = sd_bus_message_open_container(m, 'a', "(sstttt)");
                for (uint8_t i = 0; i < n && r >= 0; i++) {
                        (void) take_string(in, ids[i]);
                        numbers[i] = take_byte(in) >= 0x80 ? UINT64_MAX - i : i;
                        r = sd_bus_message_append(m, "(sstttt)", ids[i], take_string(in, address), numbers[i], numbers[i], numbers[i],
                                                  numbers[i]);
                }
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        if (r < 0 || sd_bus_message_seal(m, 1, 0) < 0)
                abort();
        r = slave_ages_read(m, &ages);
        if (how >= 0xe0 ? r >= 0 || ages.n != 0 : r < 0 || ages.n != n)
                abort();
        for (size_t i = 0; i < ages.n; i++)
                if (!streq(ages.slaves[i].id, ids[i]) || ages.slaves[i].unacknowledged != numbers[i] || !slave_ages_find(&ages, ids[i]))
                        abort();
        slave_ages_done(&ages);
        sd_bus_message_unref(m);
        sd_bus_close_unref(bus);
        close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };
        uint8_t which = take_byte(&in) % 6;
        char *text;

        log_set_target(LOG_TARGET_NULL);
        if (which == 1)
                file(in.p, in.left);
        else if (which == 2)
                slaves(&in);
        else {
                text = calloc(1, in.left + 1);
                if (!text)
                        abort();
                memcpy(text, in.p ?: (const uint8_t *) "", in.left);
                if (which == 0)
                        judge_host(text);
                else if (which == 3)
                        judge_states(text);
                else if (which == 4)
                        judge_time(text);
                else
                        explain(text);
                free(text);
        }
        return 0;
}
