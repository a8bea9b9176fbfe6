/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl inhibit` and `confd-hactl inhibitors`. */
#include <fcntl.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <signal.h>
#include <stdio.h>

#include "ctl/activation.h"
#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/complain.h"
#include "ctl/pager.h"
#include "ctl/polkit-agent.h"
#include "ctl/process.h"
#include "ctl/text.h"
#include "view/json.h"
#include "view/picture.h"

/* Runs the command to its end; the descriptor is not for it: with us the inhibitor goes, however we end. */
static enum ctl_exit run_command(struct ctl *c, char **command) {
        pid_t parent = getpid(), pid;
        int status;

        fflush(stdout);
        /* ^C is for the command, which may have something to put in order first. */
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGQUIT, SIG_IGN);
        pid = fork();
        if (pid == 0) {
                process_child_setup(parent, SIGTERM);
                execvp(command[0], command);
                fprintf(stderr, "confd-hactl: Cannot run %s: %s\n", command[0], strerror(errno));
                _exit(errno == ENOENT ? 127 : 126);
        }
        status = pid < 0 ? -errno : process_wait(pid);
        if (status < 0) {
                complain(c, CTL_ERROR_FAILED, NULL, "Cannot run %s: %s", command[0], strerror(-status));
                return CTL_FAILED;
        }
        return (enum ctl_exit) status;
}

static char *join(char **words) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; words[i]; i++)
                fprintf(f, "%s%s", i > 0 ? " " : "", words[i]);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

enum ctl_exit verb_inhibit(struct ctl *c, char **args) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_free_ char *command = join(args + 1), *printable = text_printable(command);
        _cleanup_close_ int held = -EBADF;
        enum ctl_exit status;
        int r, fd;

        if (!command || !printable)
                return CTL_FAILED;
        if (c->host) {
                complain(c, CTL_ERROR_USAGE, NULL, "inhibit holds a descriptor, which does not go over ssh; on that host: "
                                                   "ssh %s confd-hactl inhibit ...", c->host);
                return CTL_USAGE;
        }
        status = bus_connect(c);
        if (status == CTL_DONE)
                status = activation_start(c, "inhibit");
        if (status != CTL_DONE)
                return status;
        r = sd_bus_message_new_method_call(c->bus, &m, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, "Inhibit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", c->who ?: printable, c->why ?: "no reason given");
        if (r < 0)
                return bus_error_report(c, "inhibit", NULL, r);
        polkit_agent_open(c);
        r = sd_bus_call(c->bus, m, bus_time_left(c), &error, &reply);
        polkit_agent_close(c);
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r >= 0) {
                held = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                r = held < 0 ? -errno : 0;
        }
        if (r < 0)
                return bus_error_report(c, "inhibit", &error, r);
        /* The message has a copy of its own. */
        sd_bus_message_unref(TAKE_PTR(reply));
        return run_command(c, args + 1);
}

/* ---- who inhibits ---- */

static int print_table(const struct ctl *c, const struct picture *p) {
        static const char *const names[] = { "WHO", "WHY", "UID", "SINCE" };
        struct libscols_table *t = scols_new_table();
        uint64_t now = now_realtime();
        int r = t ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(names); i++)
                r = scols_table_new_column(t, names[i], 0, 0) ? 0 : -ENOMEM;
        if (r >= 0) {
                scols_table_enable_noheadings(t, !c->legend);
                scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
                scols_table_enable_noencoding(t, 1);
        }
        for (size_t i = 0; r >= 0 && i < p->n_inhibitors; i++) {
                const struct inhibitor *in = p->inhibitors + i;
                _cleanup_free_ char *who = text_cell(in->who), *why = text_cell(in->why);
                struct libscols_line *line = scols_table_new_line(t, NULL);
                char uid[16], age[TEXT_TIME_MAX];

                if (!line || !who || !why) {
                        r = -ENOMEM;
                        break;
                }
                snprintf(uid, sizeof(uid), "%" PRIu32, in->uid);
                r = scols_line_set_data(line, 0, who);
                if (r >= 0)
                        r = scols_line_set_data(line, 1, why);
                if (r >= 0)
                        r = scols_line_set_data(line, 2, uid);
                if (r >= 0)
                        r = scols_line_set_data(line, 3, text_age(in->since_usec, now, age));
        }
        if (r >= 0)
                r = scols_print_table(t);
        scols_unref_table(t);
        return r;
}

enum ctl_exit verb_inhibitors(struct ctl *c, char **args) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_picture_ struct picture p = {};
        enum ctl_exit status;
        int r;

        status = bus_connect(c);
        if (status == CTL_DONE)
                status = activation_start(c, "inhibitors");
        if (status != CTL_DONE)
                return status;
        r = bus_get_properties(c, /* activate= */ true, &reply, &error);
        if (r >= 0)
                r = picture_read(&p, reply);
        if (r < 0)
                return bus_error_report(c, "inhibitors", &error, r);
        if (c->json != JSON_OFF) {
                struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

                json_begin_array(&j, NULL);
                for (size_t i = 0; i < p.n_inhibitors; i++) {
                        json_begin_object(&j, NULL);
                        json_string(&j, "who", p.inhibitors[i].who);
                        json_string(&j, "why", p.inhibitors[i].why);
                        json_unsigned(&j, "uid", p.inhibitors[i].uid);
                        json_unsigned(&j, "since_usec", p.inhibitors[i].since_usec);
                        json_end_object(&j);
                }
                json_end_array(&j);
                return CTL_DONE;
        }
        if (p.n_inhibitors == 0) {
                notice(c, "Nobody inhibits orders.");
                return CTL_DONE;
        }
        pager_open(c);
        return print_table(c, &p) < 0 ? CTL_FAILED : CTL_DONE;
}
