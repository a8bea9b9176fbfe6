/* SPDX-License-Identifier: Apache-2.0 */
/* The role targets, by state: the role changes while systemd answers late, with errors or with nonsense, tells of units and jobs that
 * fit or do not, comes and goes, and others speak in its place. One call is under way at a time; a target is started only for a role
 * that there is; nobody else is believed; and with a systemd that does what it is told the targets come to be what the role asks.
 *
 * The input is steps: a byte that chooses the step (low bits) and which (high bits), then what the step takes. */
#include <stdio.h>
#include <sys/socket.h>

#include "basic/log.h"
#include "input.h"
#include "service/target-units.h"
#include "service/targets.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"

enum { STEPS_MAX = 64, OWNED = 5, FORGED = 66 };

static struct world {
        sd_event *event;
        sd_bus *bus, *peer;
        struct targets *targets;
        sd_bus_message *question; /* Start, Stop or Get, not answered yet */
        enum ha_state role;
        bool told[TARGETS]; /* a role that wants it was told since everything was quiet */
        bool up[TARGETS];   /* as systemd has it */
        unsigned jobs;
        char job[64];
        enum target job_target;
} w;

static void on_changed(void *userdata) {
}

static enum target target_of(const char *text) {
        return strstr(text, "slave") ? TARGET_SLAVE : TARGET_MASTER;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *member = sd_bus_message_get_member(m), *unit = "";

        if (!sd_bus_message_is_method_call(m, NULL, NULL) || !sd_bus_message_get_expect_reply(m))
                return 1;
        if (streq(member, "Hello")) {
                if (sd_bus_reply_method_return(m, "s", ":1.0") < 0)
                        abort();
                return 1;
        }
        if (streq(member, "AddMatch") || streq(member, "RemoveMatch")) {
                if (sd_bus_reply_method_return(m, NULL) < 0)
                        abort();
                return 1;
        }
        if (w.question)
                abort(); /* one at a time */
        if (streq(member, "StartUnit") && (sd_bus_message_read(m, "s", &unit) < 0 || !w.told[target_of(unit)]))
                abort(); /* there is no such role */
        w.question = sd_bus_message_ref(m);
        return 1;
}

static void judge(void) {
        const char *d = targets_describe(w.targets);

        if (!streq(d, "off") && !streq(d, "reached") && !streq(d, "starting") && !streq(d, "stopping") && strncmp(d, "failed: ", 8) != 0)
                abort();
}

static void settle(void) {
        for (int i = 0; i < 1000; i++)
                if (sd_event_run(w.event, 0) <= 0)
                        break;
        judge();
        if (w.role == HA_STATE_UNKNOWN)
                return; /* what was wanted may be wanted still */
        w.told[TARGET_MASTER] = w.role == HA_STATE_MASTER;
        w.told[TARGET_SLAVE] = ha_state_follows(w.role);
}

static void set_sender(sd_bus_message *m, unsigned number) {
        char sender[16];

        (void) snprintf(sender, sizeof(sender), ":1.%u", number);
        if (sd_bus_message_set_sender(m, sender) < 0 || sd_bus_send(w.peer, m, NULL) < 0)
                abort();
        sd_bus_message_unref(m);
}

/* As systemd does, or one of the ways in which it does not. */
static void answer(uint8_t how) {
        static const char *const errors[] = { SYSTEMD ".NoSuchUnit", SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_ACCESS_DENIED,
                                              SD_BUS_ERROR_UNKNOWN_OBJECT, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_NAME_HAS_NO_OWNER };
        sd_bus_message *m = w.question, *reply = NULL;
        const char *member, *unit;
        int r;

        if (!m)
                return;
        w.question = NULL;
        member = sd_bus_message_get_member(m);
        if (how >= 0xe0)
                r = sd_bus_message_new_method_errorf(m, &reply, errors[how % ELEMENTSOF(errors)], "no \x01");
        else
                r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                abort();
        if (how >= 0xc0 && how < 0xe0)
                r = sd_bus_message_append(reply, "su", "nonsense", 7);
        else if (how < 0xc0 && streq(member, "Get"))
                r = sd_bus_message_append(reply, "v", "s", w.up[target_of(sd_bus_message_get_path(m))] ? "active" : "inactive");
        else if (how < 0xc0) {
                if (sd_bus_message_rewind(m, true) < 0 || sd_bus_message_read(m, "s", &unit) < 0)
                        abort();
                w.job_target = target_of(unit);
                w.up[w.job_target] = streq(member, "StartUnit");
                if (w.up[w.job_target]) /* they conflict */
                        w.up[!w.job_target] = false;
                (void) snprintf(w.job, sizeof(w.job), SYSTEMD_PATH "/job/%u", ++w.jobs);
                r = sd_bus_message_append(reply, "o", w.job);
        }
        if (r < 0)
                abort();
        set_sender(reply, OWNED);
        sd_bus_message_unref(m);
}

static void end_job(unsigned from, uint8_t how) {
        static const char *const results[] = { "done", "done", "failed", "canceled", "timeout", "dependency", "", "\n" };
        sd_bus_message *m = NULL;

        if (sd_bus_message_new_signal(w.peer, &m, SYSTEMD_PATH, SYSTEMD ".Manager", "JobRemoved") < 0 ||
            sd_bus_message_append(m, "uoss", w.jobs, how & 0x40 || !*w.job ? SYSTEMD_PATH "/job/0" : w.job, target_names[w.job_target],
                                  results[how % ELEMENTSOF(results)]) < 0)
                abort();
        set_sender(m, from);
}

static void tell_state(unsigned from, uint8_t how) {
        static const char *const states[] = { "inactive", "failed", "activating", "deactivating", "active", "reloading", "", "odd" };
        enum target t = how & 0x40 ? TARGET_SLAVE : TARGET_MASTER;
        char *path = NULL;
        sd_bus_message *m = NULL;

        if (sd_bus_path_encode(SYSTEMD_PATH "/unit", target_names[t], &path) < 0 ||
            sd_bus_message_new_signal(w.peer, &m, path, "org.freedesktop.DBus.Properties", "PropertiesChanged") < 0 ||
            sd_bus_message_append(m, "sa{sv}as", SYSTEMD ".Unit", 2, "Id", "t", (uint64_t) 7, "ActiveState", "s",
                                  states[how % ELEMENTSOF(states)], 0) < 0)
                abort();
        if (from != FORGED)
                w.up[t] = how % ELEMENTSOF(states) == 4 || how % ELEMENTSOF(states) == 5;
        set_sender(m, from);
        free(path);
}

static void change_owner(bool forged, bool there) {
        sd_bus_message *m = NULL;

        if (sd_bus_message_new_signal(w.peer, &m, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged") < 0 ||
            sd_bus_message_append(m, "sss", SYSTEMD, there ? "" : ":1.5", there ? forged ? ":1.66" : ":1.5" : "") < 0)
                abort();
        if (forged)
                set_sender(m, FORGED);
        else if (sd_bus_message_set_sender(m, "org.freedesktop.DBus") < 0 || sd_bus_send(w.peer, m, NULL) < 0)
                abort();
        else
                sd_bus_message_unref(m);
}

static void update(enum ha_state role, bool synchronizing) {
        w.role = role;
        w.told[TARGET_MASTER] |= role == HA_STATE_MASTER;
        w.told[TARGET_SLAVE] |= ha_state_follows(role);
        targets_update(w.targets, role, synchronizing);
}

/* Others say what they like: nothing comes of it. */
static void forge(uint8_t how) {
        char *before;

        settle();
        before = strdup(targets_describe(w.targets));
        change_owner(/* forged= */ true, /* there= */ true);
        end_job(FORGED, how);
        tell_state(FORGED, how);
        settle();
        if (!before || !streq(before, targets_describe(w.targets)))
                abort();
        free(before);
}

/* Who is turned off does not wait for an answer any more. */
static void configure(bool enabled, uint64_t grace) {
        settle();
        targets_configure(w.targets, enabled, grace);
        if (!enabled)
                w.question = sd_bus_message_unref(w.question);
}

static void step(struct input *in) {
        uint8_t b = take_byte(in);

        switch (b & 7) {
        case 0:
                update((enum ha_state) ((b >> 5) % (HA_STATE_SLAVE_RELAY + 1)), b & 8);
                break;
        case 1:
        case 2:
                answer(take_byte(in));
                break;
        case 3:
                end_job(OWNED, take_byte(in));
                break;
        case 4:
                tell_state(OWNED, take_byte(in));
                break;
        case 5:
                change_owner(/* forged= */ false, b & 0x80);
                break;
        case 6:
                forge(take_byte(in));
                break;
        default:
                if (b & 0x80)
                        configure(b & 0x40, b & 0x20 ? 1000000 : 0);
                else
                        targets_again(w.targets);
        }
        if (!(b & 16)) /* else it goes on before anybody has had a turn */
                settle();
}

static void begin(void) {
        int fds[2];

        w = (struct world) { .role = HA_STATE_UNKNOWN };
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 || sd_event_new(&w.event) < 0 ||
            sd_bus_new(&w.bus) < 0 || sd_bus_new(&w.peer) < 0 || sd_bus_set_fd(w.bus, fds[0], fds[0]) < 0 ||
            sd_bus_set_fd(w.peer, fds[1], fds[1]) < 0 || sd_bus_set_bus_client(w.bus, true) < 0 ||
            sd_bus_set_server(w.peer, true, (sd_id128_t) {}) < 0 || sd_bus_set_anonymous(w.peer, true) < 0 ||
            sd_bus_set_anonymous(w.bus, true) < 0 || sd_bus_start(w.peer) < 0 || sd_bus_start(w.bus) < 0 ||
            sd_bus_attach_event(w.bus, w.event, 0) < 0 || sd_bus_attach_event(w.peer, w.event, 0) < 0 ||
            sd_bus_add_filter(w.peer, NULL, on_message, NULL) < 0 || targets_new(&w.targets, w.event, w.bus, on_changed, NULL) < 0)
                abort();
        targets_configure(w.targets, /* enabled= */ true, /* grace= */ 0);
        targets_update(w.targets, w.role, /* synchronizing= */ false);
        settle();
}

/* systemd is there, and does what it is told. */
static void end(void) {
        settle();
        targets_configure(w.targets, /* enabled= */ true, /* grace= */ 0);
        change_owner(/* forged= */ false, /* there= */ true);
        update(w.role, /* synchronizing= */ false);
        settle();
        for (int i = 0; i < 20; i++) {
                answer(0);
                settle();
                end_job(OWNED, 0);
                settle();
                if (!w.question)
                        targets_again(w.targets);
                settle();
        }
        if (w.role == HA_STATE_MASTER || ha_state_follows(w.role)) {
                enum target t = w.role == HA_STATE_MASTER ? TARGET_MASTER : TARGET_SLAVE;

                if (!streq(targets_describe(w.targets), "reached") || !w.up[t] || w.up[!t])
                        abort();
        }
        w.targets = targets_free(w.targets);
        sd_bus_message_unref(w.question);
        sd_bus_flush_close_unref(w.bus);
        sd_bus_flush_close_unref(w.peer);
        sd_event_unref(w.event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };

        log_set_target(LOG_TARGET_NULL);
        begin();
        for (unsigned i = 0; in.left > 0 && i < STEPS_MAX; i++)
                step(&in);
        end();
        return 0;
}
